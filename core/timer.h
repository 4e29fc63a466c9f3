/*
 * timer - a worker's timers: a 4-ary heap ordered by deadline, under a small lock.
 *
 * Only the worker fires its timers, and adds to them, or a task that has lost its own (weft__timer_add_here);
 * whoever ends the wait may remove one, and who knows that it has been armed may move it, from any thread. A timer that fires does so with the lock
 * held, so that its memory, often on the stack of a task, is still there: after weft__timer_remove
 * nothing touches it any more.
 * Deadlines are int64 nanoseconds and saturate; WEFT_FOREVER is simply never reached.
 *
 * Most timers are limits that are taken back before they fire, by a task on the same worker. That only
 * strikes the entry out, and all that are struck out leave together once they are the half: so a timer
 * set and taken back costs no walk through the heap. Before the worker sleeps the first one must be a
 * real one again: whoever else removes or moves a timer, and the worker before it sleeps, sees to that.
 */
#ifndef WEFT_CORE_TIMER_H
#define WEFT_CORE_TIMER_H

#include <stdint.h>

#include "core/lock.h"

struct timers;

struct timer {
    int64_t deadline;                  /* under the lock while armed */
    struct timers *timers;             /* (i) while armed: where it stands */
    uint32_t place;                    /* under the lock: 0 when not armed, else its place + 1 */
    void (*fire)(struct timer *timer); /* called once, under the lock, no longer armed */
};

struct timer_entry {
    int64_t deadline;
    struct timer *timer;
};

struct timers {
    struct lock lock;
    uint32_t count;
    uint32_t capacity;
    struct timer_entry *entries; /* a 4-ary heap: the children of i are 4i + 1 to 4i + 4 */
    _Atomic uint32_t struck; /* (a) entries that have no timer any more; changes under the lock */
    _Atomic int64_t first;   /* deadline of entries[0], INT64_MAX if there is none */
};

void weft__timers_init(struct timers *timers);
void weft__timers_destroy(struct timers *timers);

/* Arms a timer. Returns 0 or -ENOMEM. From the worker; else it must be woken afterwards. */
int weft__timer_add(struct timers *timers, struct timer *timer, int64_t deadline,
                    void (*fire)(struct timer *));

/* Gives an armed timer another deadline, in place: needs no memory. From any thread, as the next.
 * Returns 0; 1 if it has become the worker's first, which must be woken if it is another's; -ENOENT
 * if it is not armed: it has fired, and is not firing any more. */
int weft__timer_move(struct timer *timer, int64_t deadline);

/* Disarms a timer that may have fired, and waits until it is not firing. From any thread, with no
 * lock held that fire takes. */
void weft__timer_remove(struct timer *timer);

/* Before the worker sleeps: makes `first` the deadline of a timer that is armed. Only from the worker. */
void weft__timers_tidy(struct timers *timers);

/* Fires what is due at `now`. Returns how many. Only from the worker. */
int weft__timers_fire(struct timers *timers, int64_t now);

/* now + span, saturating. */
static inline int64_t deadline_after(int64_t now, int64_t span)
{
    int64_t deadline;

    return __builtin_add_overflow(now, span, &deadline) ? INT64_MAX : deadline;
}

#endif
