/*
 * report - sentences for people: why a call failed, what was forgotten; and small public facts.
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <weft/base.h>

#include "core/runtime.h"
#include "core/sys.h"
#include "core/worker.h"

#define SENTENCE_BYTES 512

static _Thread_local char why[SENTENCE_BYTES];

/* Not inlined, so that no compiler keeps the thread-local's address over a suspension. */
static __attribute__((noinline)) char *why_here(void)
{
    __asm__ volatile("");
    return why;
}

void weft__explain(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(why_here(), SENTENCE_BYTES, format,
                    arguments); /* a cut sentence is still one */
    va_end(arguments);
}

const char *weft_why(void) { return why_here(); }

void weft__report(struct runtime *runtime, const char *format, ...)
{
    char sentence[SENTENCE_BYTES];
    va_list arguments;

    if (!runtime->options.report && !runtime->is_reporting)
        return;
    va_start(arguments, format);
    (void)vsnprintf(sentence, sizeof sentence, format, arguments); /* a cut sentence is still one */
    va_end(arguments);
    if (runtime->options.report)
        runtime->options.report(runtime->options.report_context, sentence);
    else
        (void)fprintf(stderr, "weft: %s\n", sentence); /* nowhere to say that it failed */
}

weft_time weft_now(void)
{
    int64_t jumping = weft__runtime_virtual_now();

    return jumping ? jumping : weft__sys_now();
}

const char *weft_strerror(int status)
{
    const char *words = status >= 0 ? "success" : strerrordesc_np(status > INT_MIN ? -status : -1);

    return words ? words : "unknown error";
}

const char *weft_version(void) { return WEFT_VERSION; }
