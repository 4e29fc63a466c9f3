/*
 * later - tasks that end only after a while: what those that wait for many futures wait for.
 */
#ifndef WEFT_TESTS_CORE_LATER_H
#define WEFT_TESTS_CORE_LATER_H

#include "tasks.h"

struct turn {
    int yields, status;
};

/* Lets others run so many times, then ends with the status. */
static inline int ends_later(void *arg)
{
    struct turn *turn = arg;
    int rc = yields(&turn->yields);

    return rc < 0 ? rc : turn->status;
}

/* Tasks that run until they are cancelled, and a while longer. */
struct slow {
    _Atomic int started, ended;
};

static inline int ends_slowly(void *arg)
{
    struct slow *slow = arg;

    atomic_fetch_add(&slow->started, 1);
    int rc = weft_sleep(WEFT_FOREVER); /* suspends: worker, errno stale */
    for (int i = 0; i < 30; i++)
        (void)!weft_yield(); /* cancelled: that is what it takes long over */
    atomic_fetch_add(&slow->ended, 1);
    return rc;
}

static inline void until_slow(struct slow *slow, int started)
{
    while (atomic_load(&slow->started) < started)
        (void)!weft_yield(); /* -ECANCELED has let them run too */
}

#endif
