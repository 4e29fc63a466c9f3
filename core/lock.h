/*
 * lock - a small lock for a few instructions, of tasks and threads alike.
 *
 * Held for some tens of nanoseconds; longer only where all who wait are woken, in a walk of edges.c, and
 * while quiet.c looks. Never across a wait or a call into user code. Four bytes, all zero is free. A waiter
 * spins a little, then sleeps on the futex; the unlocker wakes one.
 * States: 0 free, 1 held, 2 held and perhaps waited for (Drepper, "Futexes Are Tricky", mutex 3).
 * Order: locks are taken downwards only: gate -> timing of a scope -> timers -> edges -> scope tree -> wait
 * list, future, record of a descriptor -> slots of a loop, slab, stacks, idle.
 */
#ifndef WEFT_CORE_LOCK_H
#define WEFT_CORE_LOCK_H

#include "core/atomic.h"

struct lock {
    _Atomic uint32_t state;
};

void weft__lock_slow(struct lock *lock);
void weft__unlock_slow(struct lock *lock);

static inline void lock_acquire(struct lock *lock)
{
    uint32_t expected = 0;

    if (!cas_seq(&lock->state, &expected, 1))
        weft__lock_slow(lock);
}

static inline void lock_release(struct lock *lock)
{
    if (xchg_seq(&lock->state, 0) == 2)
        weft__unlock_slow(lock);
}

/* Waits until the one who holds it now has let it go. For who was woken under the lock: the waker held
 * it then, so that to find it free is enough. */
static inline void lock_pass(struct lock *lock)
{
    if (load_seq(&lock->state) == 0) /* pairs with lock_release() */
        return;
    lock_acquire(lock);
    lock_release(lock);
}

#endif
