#include "failure.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int fail(struct failure *failure, int rc, const char *format, ...)
{
    if (!atomic_exchange(&failure->taken, true)) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(failure->sentence, sizeof failure->sentence, format, arguments);
        va_end(arguments);
    }
    return rc < 0 ? rc : -EPROTO;
}
