/*
 * bell - how any thread ends the sleep of a worker in its loop, with a system call only if it sleeps.
 *
 * An eventfd that the loop watches, and two flags before it. The eventfd is never read: each write
 * makes a new edge, and 2^64 of them do not happen.
 *
 *     bell_ring           rung := 1, then reads asleep          any thread
 *     bell_may_sleep      asleep grows, then takes rung         the worker; false: it must not sleep
 *     bell_awake          asleep grows, rung := 0               the worker, after its sleep
 *
 * Whoever rings has published its work before. Both sides are sequentially consistent, so either the
 * sleeper takes the ring or the ringer sees the sleeper. A ring that bell_awake erases is not lost:
 * the worker looks for work after that. An edge that comes late ends some later sleep for nothing.
 * While asleep is odd the worker changes nothing: quiet.h builds on that.
 */
#ifndef WEFT_CORE_BELL_H
#define WEFT_CORE_BELL_H

#include <stdbool.h>

#include "core/atomic.h"
#include "core/sys.h"

struct bell {
    _Atomic uint32_t rung;   /* (a) somebody rang since the worker looked last */
    _Atomic uint32_t asleep; /* (w+) odd: the worker sleeps, or is about to; only grows */
    int fd;                  /* (i) the eventfd */
};

/* Returns 0, or the error of eventfd(2). */
static inline int bell_init(struct bell *bell)
{
    bell->fd = weft__sys_eventfd();
    return bell->fd < 0 ? bell->fd : 0;
}

static inline void bell_destroy(struct bell *bell)
{
    (void)weft__sys_close(bell->fd); /* nothing to flush */
}

static inline bool bell_is_asleep(uint32_t asleep) { return asleep % 2 != 0; }

static inline void bell_ring(struct bell *bell)
{
    if (xchg_seq(&bell->rung, 1) == 0 && bell_is_asleep(load_seq(&bell->asleep)))
        (void)weft__sys_eventfd_signal(bell->fd); /* cannot fail before 2^64 rings */
}

static inline bool bell_may_sleep(struct bell *bell)
{
    store_seq(&bell->asleep, load_relaxed(&bell->asleep) + 1); /* relaxed: own field */
    return xchg_seq(&bell->rung, 0) == 0;
}

static inline void bell_awake(struct bell *bell)
{
    store_seq(&bell->asleep, load_relaxed(&bell->asleep) + 1); /* relaxed: own field */
    store_seq(&bell->rung, 0);
}

#endif
