/*
 * soft - what the tests of the two-phase cancel share: tasks that wait in a soft block and outside.
 */
#ifndef WEFT_TESTS_CORE_SOFT_H
#define WEFT_TESTS_CORE_SOFT_H

#include "tasks.h"

struct seen {
    int rc, second, third, fourth;
    bool flag, other_flag;
    _Atomic int count, started, go;
    weft_event open;
    weft_scope scope, other;
};

#define SEEN_INIT                        \
    {                                    \
        .rc = 0, .open = WEFT_EVENT_INIT \
    }

/* Waits until the event is set, and tells what the wait said. */
static inline int waits_for_the_event(void *arg)
{
    struct seen *seen = arg;

    atomic_fetch_add(&seen->started, 1);
    int rc = weft_event_wait(&seen->open); /* suspends: worker, errno stale */
    if (rc == 0)
        atomic_fetch_add(&seen->count, 1);
    return rc;
}

static inline int waits_softly(void *arg) { return weft_soft(waits_for_the_event, arg); }

/* A member with one wait in a soft block and one behind it. */
static inline int waits_softly_then_plainly(void *arg)
{
    struct seen *seen = arg;

    seen->second = waits_softly(arg);
    seen->third = weft_sleep(WEFT_FOREVER);
    return seen->third;
}

static inline int until_started(struct seen *seen, int count)
{
    while (atomic_load(&seen->started) < count)
        if (weft_yield() < 0)
            return -ECANCELED;
    for (int i = 0; i < 10; i++)
        (void)!weft_yield(); /* lets them come to their waits */
    return 0;
}

#endif
