/*
 * tasks - the little tasks that many tests of core spawn.
 */
#ifndef WEFT_TESTS_CORE_TASKS_H
#define WEFT_TESTS_CORE_TASKS_H

#include <errno.h>

#include "check.h"

/* Ends at once with the status at arg. */
static inline int ends_with(void *arg) { return *(int *)arg; }

/* Sleeps until it is cancelled. */
static inline int sleeps(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_FOREVER);
}

/* Counts itself in *arg when it ends, and that is when it is cancelled. */
static inline int sleeps_and_counts(void *arg)
{
    int rc = weft_sleep(WEFT_FOREVER); /* suspends: worker, errno stale */

    atomic_fetch_add((_Atomic int *)arg, 1);
    return rc;
}

/* Lets others run so many times, then ends well. */
static inline int yields(void *arg)
{
    for (int i = 0; i < *(int *)arg; i++)
        if (weft_yield() < 0)
            return -ECANCELED;
    return 0;
}

/* What a drop function did. */
static inline void counts_drop(void *arg) { atomic_fetch_add((_Atomic int *)arg, 1); }

/* Returns when *flag is set; a cancelled caller goes on looking. */
static inline void until_set(_Atomic int *flag)
{
    while (!atomic_load(flag))
        (void)!weft_yield(); /* -ECANCELED has let the others run too */
}

#endif
