/*
 * sem - a number of permits, handed out in the order of arrival.
 *
 * One word counts, and one compare-and-swap takes or gives back permits that nobody waits for.
 *
 *     permits = 0 to WEFT_SEM_MAX    so many are free, nobody waits
 *     permits = free | SEM_WAITED    so many are free, too few for the first in the list
 *
 *     word 2 | WAITED      list  [wants 5] [wants 1] [wants 2]     release of 4: the first two go on,
 *     word 0 | WAITED      list                      [wants 2]     the third has come to the head
 *
 * Who wakes others wakes a batch of them at most. Each of these passes the lock before it returns, and
 * goes on with the list there (`serve`): so the lock is never held for long.
 *
 * Invariants  I1  while SEM_WAITED is set, the word changes under the lock of the list only
 *             I2  seen under the lock, SEM_WAITED is set exactly while somebody stands in the list: no
 *                 newcomer gets past it, however little it wants
 *             I3  a permit is in one place: the word, a caller's hands, or on its way from one
 *                 caller to the next, under the lock
 *             I4  the first in the list wants more than there is, or somebody who has been woken has
 *                 still to pass the lock, and will serve it
 * Edge        E1  serve: permits release -> try_take, give_back: permits compare-and-swap; and the load
 *                 of leave_granted
 */
#include <errno.h>

#include <weft/sync.h>

#include "core/probe.h"
#include "sync/waitlist.h"

#define SEM_WAITED (WEFT_SEM_MAX + 1)

/* What weft_sem is inside the library. */
struct sem {
    struct waitlist list;
    _Atomic uint32_t permits; /* (a) see above */
    uint32_t max;             /* (i) 0: WEFT_SEM_MAX */
};

_Static_assert(sizeof(struct sem) == sizeof(weft_sem), "one overlays the other");
_Static_assert(_Alignof(struct sem) == _Alignof(weft_sem), "one overlays the other");
_Static_assert(offsetof(struct sem, permits) == offsetof(weft_sem, weft__permits), "same place");
_Static_assert(offsetof(struct sem, max) == offsetof(weft_sem, weft__max), "same place");

static struct sem *inside(weft_sem *sem) { return (struct sem *)(void *)sem; }

static uint32_t most(const struct sem *sem) { return sem->max ? sem->max : WEFT_SEM_MAX; }

/* Returns whether n permits were free, and are now the caller's. */
static inline bool try_take(struct sem *sem, uint32_t n)
{
    uint32_t permits = load_relaxed(&sem->permits); /* a guess: the compare-and-swap decides */

    while (permits >= n && !(permits & SEM_WAITED)) {
        if (cas_seq(&sem->permits, &permits, permits - n))
            return true;
    }
    return false;
}

/* Takes n permits, or makes sure that what comes from now on is offered to the list. Returns
 * whether they were taken. Lock held. */
static bool take_or_announce(struct sem *sem, uint32_t n)
{
    uint32_t permits = load_relaxed(&sem->permits); /* a guess: the compare-and-swap decides */

    while (!(permits & SEM_WAITED)) {
        bool fits = permits >= n;

        if (cas_seq(&sem->permits, &permits, fits ? permits - n : permits | SEM_WAITED))
            return fits;
    }
    return false;
}

/* Hands `left` permits to those who have waited longest, as many as fit; what is left after that is
 * free. Lock held, mark set. */
static void serve(struct sem *sem, uint32_t left)
{
    struct list *waiters = &sem->list.waiters;
    unsigned woken = 0;

    while (woken < WAITLIST_BATCH && !list_is_empty(waiters)) {
        struct waiter *first = container_of(waiters->first, struct waiter, link);
        uint32_t wants = first->count;

        if (wants > left)
            break;
        (void)waitlist_pop(waiters); /* it is `first` */
        if (weft__wake(first, 0)) {
            left -= wants;
            woken++;
        }
    }
    store_release(&sem->permits, list_is_empty(waiters) ? left : left | SEM_WAITED); /* E1 */
}

/* Under the lock: the first of the list may fit now. */
static void serve_again(struct sem *sem)
{
    uint32_t permits = load_relaxed(&sem->permits); /* relaxed: under its lock */

    if (permits & SEM_WAITED)
        serve(sem, permits & ~SEM_WAITED);
}

/* Ends a wait that a cancel has ended: without the waiter the next may fit (I4). */
static void leave_cancelled(struct sem *sem, struct waiter *waiter)
{
    lock_acquire(&sem->list.lock);
    if (waiter->linked)
        list_remove(&sem->list.waiters, &waiter->link);
    serve_again(sem);
    lock_release(&sem->list.lock);
}

/* Ends a wait that has been granted: who granted it may have left more to hand out (I4). */
static void leave_granted(struct sem *sem)
{
    lock_pass(&sem->list.lock);

    /* What the granter left, or what others have made of it since: they serve by themselves. */
    uint32_t permits = load_seq(&sem->permits);

    if (permits & SEM_WAITED && permits != SEM_WAITED) {
        lock_acquire(&sem->list.lock);
        serve_again(sem);
        lock_release(&sem->list.lock);
    }
}

/* The permits are the caller's now. */
static inline int taken(struct sem *sem, uint32_t n)
{
    probe_took(sem, "permit", n);
    return 0;
}

/* They are no longer; the semaphore may be gone, so that only its address counts. */
static inline int given_back(const struct sem *sem, uint32_t n)
{
    probe_gave(sem, "permit", n);
    return 0;
}

static int wait_for_turn(struct sem *sem, uint32_t n)
{
    struct waiter waiter;

    lock_acquire(&sem->list.lock);
    if (take_or_announce(sem, n)) {
        lock_release(&sem->list.lock);
        return taken(sem, n);
    }
    waitlist_enter(&sem->list.waiters, &waiter, WAIT_CANCELLABLE, "a permit");
    waiter.count = n;
    lock_release(&sem->list.lock);

    int rc = weft__wait_commit(&waiter, WAIT_CANCELLABLE); /* suspends: worker, errno stale */

    if (rc < 0) {
        leave_cancelled(sem, &waiter);
        return rc;
    }
    leave_granted(sem);
    return taken(sem, n);
}

/* Returns 0, -EOVERFLOW, or -EAGAIN if there are waiters to look after. */
static inline int give_back(struct sem *sem, uint32_t n)
{
    uint32_t permits = load_relaxed(&sem->permits); /* a guess: the compare-and-swap decides */

    while (!(permits & SEM_WAITED)) {
        if ((uint64_t)permits + n > most(sem))
            return -EOVERFLOW;
        if (cas_seq(&sem->permits, &permits, permits + n))
            return 0;
    }
    return -EAGAIN;
}

/* Returns 0, -EOVERFLOW, or -EAGAIN if all who waited have gone. Lock held. */
static int hand_over(struct sem *sem, uint32_t n)
{
    uint32_t permits = load_relaxed(&sem->permits); /* relaxed: under its lock if marked */
    uint32_t free = permits & ~SEM_WAITED;

    if (!(permits & SEM_WAITED))
        return -EAGAIN;
    if ((uint64_t)free + n > most(sem))
        return -EOVERFLOW;
    serve(sem, free + n);
    return 0;
}

/* Who takes the permits may free the semaphore at once. So to count them is the last access where
 * nobody waits. And where somebody did, they may be counted under the lock: that one, cancelled or
 * not, has still to pass the lock, and nobody frees a semaphore in which somebody is. */
static int release_slow(struct sem *sem, uint32_t n)
{
    int rc;

    do {
        lock_acquire(&sem->list.lock);
        rc = hand_over(sem, n);
        lock_release(&sem->list.lock);
        if (rc == -EAGAIN)
            rc = give_back(sem, n);
    } while (rc == -EAGAIN);
    return rc;
}

void weft_sem_init(weft_sem *sem, uint32_t permits)
{
    *sem = (weft_sem)WEFT_SEM_INIT(permits <= WEFT_SEM_MAX ? permits : WEFT_SEM_MAX);
}

int weft_sem_init_max(weft_sem *sem, uint32_t permits, uint32_t max)
{
    if (max == 0 || max > WEFT_SEM_MAX || permits > max)
        return -EINVAL;
    *sem = (weft_sem)WEFT_SEM_INIT_MAX(permits, max);
    return 0;
}

int weft_sem_acquire(weft_sem *sem)
{
    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;
    if (try_take(inside(sem), 1))
        return taken(inside(sem), 1);
    return wait_for_turn(inside(sem), 1);
}

int weft_sem_acquire_n(weft_sem *sem, uint32_t n)
{
    if (n > most(inside(sem)))
        return -EINVAL;

    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;
    if (n == 0 || try_take(inside(sem), n))
        return taken(inside(sem), n);
    return wait_for_turn(inside(sem), n);
}

int weft_sem_try_acquire(weft_sem *sem)
{
    return try_take(inside(sem), 1) ? taken(inside(sem), 1) : -EAGAIN;
}

int weft_sem_try_acquire_n(weft_sem *sem, uint32_t n)
{
    if (n > most(inside(sem)))
        return -EINVAL;
    return n == 0 || try_take(inside(sem), n) ? taken(inside(sem), n) : -EAGAIN;
}

int weft_sem_release(weft_sem *sem)
{
    int rc = give_back(inside(sem), 1);

    if (rc == -EAGAIN)
        rc = release_slow(inside(sem), 1);
    return rc < 0 ? rc : given_back(inside(sem), 1);
}

int weft_sem_release_n(weft_sem *sem, uint32_t n)
{
    if (n == 0)
        return 0;

    int rc = give_back(inside(sem), n);

    if (rc == -EAGAIN)
        rc = release_slow(inside(sem), n);
    return rc < 0 ? rc : given_back(inside(sem), n);
}
