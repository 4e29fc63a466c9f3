/*
 * owned - whether somebody consumes a future already: what its tests must know and no call tells.
 */
#ifndef WEFT_TESTS_CORE_OWNED_H
#define WEFT_TESTS_CORE_OWNED_H

#include <errno.h>
#include <sched.h>

#include "check.h"
#include "core/future.h"
#include "core/runtime.h"

/* Returns when who gathers, races or goes through the future will be told of its end. */
static inline void until_owned(weft_future handle)
{
    struct runtime *runtime;
    struct future *future = NULL;
    uint64_t state = 0;

    if (weft__runtime_enter(&runtime) < 0)
        return;
    while (weft__future_find(runtime, handle, &future, &state) == 0 && !(state & FUTURE_OWNED))
        if (weft_yield() == -EPERM)
            (void)sched_yield(); /* always 0 on Linux */
    weft__runtime_leave(runtime);
}

#endif
