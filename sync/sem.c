/*
 * sem - a number of permits, handed out in the order of arrival.
 *
 * One word counts, and one compare-and-swap takes or gives back a permit that nobody waits for.
 *
 *     permits = 0 to WEFT_SEM_MAX    so many are free, nobody waits
 *     permits = SEM_WAITED           none is free, and somebody may wait: look into the list
 *
 * Invariants  I1  while the word is SEM_WAITED, it changes under the lock of the list only
 *             I2  whoever stands in the list finds SEM_WAITED there: no newcomer gets past it
 *             I3  a permit is in one place: the word, a caller's hands, or on its way from one
 *                 caller to the next, under the lock
 */
#include <errno.h>

#include <weft/sync.h>

#include "sync/waitlist.h"

#define SEM_WAITED (WEFT_SEM_MAX + 1)

/* What weft_sem is inside the library. */
struct sem {
    struct waitlist list;
    _Atomic uint32_t permits; /* (a) see above */
    uint32_t unused;
};

_Static_assert(sizeof(struct sem) == sizeof(weft_sem), "one overlays the other");
_Static_assert(_Alignof(struct sem) == _Alignof(weft_sem), "one overlays the other");
_Static_assert(offsetof(struct sem, permits) == offsetof(weft_sem, weft__permits), "same place");

static struct sem *inside(weft_sem *sem) { return (struct sem *)(void *)sem; }

/* Returns whether a permit was free, and is now the caller's. */
static bool try_take(struct sem *sem)
{
    uint32_t permits = load_relaxed(&sem->permits); /* a guess: the compare-and-swap decides */

    while (permits != 0 && permits <= WEFT_SEM_MAX) {
        if (cas_seq(&sem->permits, &permits, permits - 1))
            return true;
    }
    return false;
}

/* Takes a permit, or makes sure that the next one to come is offered to the list. Returns whether
 * it was taken. Lock held. */
static bool take_or_announce(struct sem *sem)
{
    uint32_t permits = 0;

    while (!cas_seq(&sem->permits, &permits, SEM_WAITED)) {
        if (permits > WEFT_SEM_MAX)
            return false; /* announced already */
        if (try_take(sem))
            return true;
        permits = 0;
    }
    return false;
}

/* Returns 0, or -EAGAIN if there are waiters to look after. */
static int give_back(struct sem *sem)
{
    uint32_t permits = load_relaxed(&sem->permits); /* a guess: the compare-and-swap decides */

    while (permits <= WEFT_SEM_MAX) {
        if (permits == WEFT_SEM_MAX)
            return -EOVERFLOW;
        if (cas_seq(&sem->permits, &permits, permits + 1))
            return 0;
    }
    return -EAGAIN;
}

/* Gives the permit to the first waiter that has not been cancelled. Returns whether there was
 * one; if not, the permit is still the caller's, and nobody waits any more. Lock held. */
static bool hand_over(struct sem *sem)
{
    struct waiter *waiter;
    uint32_t waited = SEM_WAITED;

    while ((waiter = waitlist_pop(&sem->list.waiters))) {
        if (weft__wake(waiter, 0))
            return true;
    }
    (void)cas_seq(&sem->permits, &waited, 0); /* another release may have come here before */
    return false;
}

void weft_sem_init(weft_sem *sem, uint32_t permits)
{
    *sem = (weft_sem)WEFT_SEM_INIT(permits <= WEFT_SEM_MAX ? permits : WEFT_SEM_MAX);
}

int weft_sem_acquire(weft_sem *handle)
{
    struct sem *sem = inside(handle);
    struct waiter waiter;

    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;
    if (try_take(sem))
        return 0;

    lock_acquire(&sem->list.lock);
    if (take_or_announce(sem)) {
        lock_release(&sem->list.lock);
        return 0;
    }
    waitlist_enter(&sem->list.waiters, &waiter, WAIT_CANCELLABLE);
    lock_release(&sem->list.lock);

    rc = weft__wait_commit(&waiter, WAIT_CANCELLABLE); /* suspends: worker, errno stale */

    waitlist_leave(&sem->list.lock, &sem->list.waiters, &waiter);
    return rc;
}

int weft_sem_try_acquire(weft_sem *sem) { return try_take(inside(sem)) ? 0 : -EAGAIN; }

int weft_sem_release(weft_sem *handle)
{
    struct sem *sem = inside(handle);
    bool done = false;

    /* To count the permit is the last access: who takes it may free the semaphore at once. So if
     * all who waited have been cancelled, the lock of the list is let go first. */
    while (!done) {
        int rc = give_back(sem);

        if (rc != -EAGAIN)
            return rc;
        lock_acquire(&sem->list.lock);
        done = hand_over(sem);
        lock_release(&sem->list.lock);
    }
    return 0;
}
