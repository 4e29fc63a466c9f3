/*
 * mutex - mutual exclusion between tasks, jobs and threads, handed over in the order of arrival.
 *
 * One word says who holds it, and one compare-and-swap locks or unlocks a mutex that nobody waits
 * for. The waiters stand in a list under a lock of their own.
 *
 *     owner = 0            free
 *     owner = identity     held, nobody waits
 *     owner = identity | MUTEX_WAITED    held, and somebody may wait: unlock looks into the list
 *
 * An identity is the address of the task, or of the thread's descriptor with MUTEX_THREAD set where
 * no task runs (plain threads, jobs). A task keeps its identity when it changes the thread.
 *
 * Invariants  I1  while MUTEX_WAITED is set, the word changes under the lock of the list only
 *             I2  whoever stands in the list finds MUTEX_WAITED set: no newcomer gets past it
 *             I3  unlock makes the next waiter the owner, under the lock; it need not compete
 */
#include "sync/mutex.h"

#include <errno.h>
#include <pthread.h>

#include "sync/waitlist.h"

#define MUTEX_WAITED UINT64_C(1)
#define MUTEX_THREAD UINT64_C(2)

/* What weft_mutex is inside the library. */
struct mutex {
    struct waitlist list;
    _Atomic uint64_t owner; /* (a) see above */
};

_Static_assert(sizeof(struct mutex) == sizeof(weft_mutex), "one overlays the other");
_Static_assert(_Alignof(struct mutex) == _Alignof(weft_mutex), "one overlays the other");
_Static_assert(offsetof(struct mutex, owner) == offsetof(weft_mutex, weft__owner), "same place");

static struct mutex *inside(const weft_mutex *mutex)
{
    return (struct mutex *)(void *)(uintptr_t)mutex;
}

/* Who calls. Both addresses are aligned to 8 at least, so that the low bits are free. */
static uint64_t identity(void)
{
    struct task *task = weft__current_task();

    if (task)
        return (uint64_t)(uintptr_t)task;
    return (uint64_t)pthread_self() | MUTEX_THREAD;
}

static bool is_owner(struct mutex *mutex, uint64_t me)
{
    /* relaxed: `me` is there only if the caller put it there, or saw it put there (I3) */
    return (load_relaxed(&mutex->owner) & ~MUTEX_WAITED) == me;
}

static bool try_take(struct mutex *mutex, uint64_t me)
{
    uint64_t owner = 0;

    return cas_seq(&mutex->owner, &owner, me);
}

/* Takes the mutex if it has become free, or makes sure that its owner will look into the list.
 * Returns whether it was taken. Lock held. */
static bool take_or_announce(struct mutex *mutex, uint64_t me)
{
    uint64_t owner = load_relaxed(&mutex->owner); /* a guess: the compare-and-swap decides */

    while (!(owner & MUTEX_WAITED)) {
        if (cas_seq(&mutex->owner, &owner, owner ? owner | MUTEX_WAITED : me))
            return owner == 0;
    }
    return false;
}

/* Returns 0, or what ended the wait. */
static int wait_for_turn(struct mutex *mutex, uint64_t me, enum wait_kind kind)
{
    struct waiter waiter;

    lock_acquire(&mutex->list.lock);
    if (take_or_announce(mutex, me)) {
        lock_release(&mutex->list.lock);
        return 0;
    }
    waitlist_enter(&mutex->list.waiters, &waiter, kind);
    waiter.item = (void *)(uintptr_t)me;
    lock_release(&mutex->list.lock);

    int rc = weft__wait_commit(&waiter, kind); /* suspends: worker, errno stale */

    waitlist_leave(&mutex->list.lock, &mutex->list.waiters, &waiter);
    return rc;
}

/* Hands the mutex to the first waiter that has not been cancelled. Returns whether there was one;
 * if not, the caller still holds it, and nobody waits any more. Lock held. */
static bool hand_over(struct mutex *mutex, uint64_t me)
{
    struct list *waiters = &mutex->list.waiters;
    struct waiter *waiter;

    while ((waiter = waitlist_pop(waiters))) {
        uint64_t next = (uint64_t)(uintptr_t)waiter->item;

        if (weft__wake(waiter, 0)) {
            store_seq(&mutex->owner, list_is_empty(waiters) ? next : next | MUTEX_WAITED);
            return true;
        }
    }
    store_seq(&mutex->owner, me);
    return false;
}

bool weft__mutex_is_mine(const weft_mutex *mutex) { return is_owner(inside(mutex), identity()); }

void weft_lock(weft_mutex *mutex)
{
    uint64_t me = identity();

    if (!try_take(inside(mutex), me))
        (void)wait_for_turn(inside(mutex), me, WAIT_FOR_SURE); /* nothing but a grant ends it */
}

int weft_lock_cancellable(weft_mutex *mutex)
{
    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    uint64_t me = identity();

    if (try_take(inside(mutex), me))
        return 0;
    if (is_owner(inside(mutex), me))
        return -EDEADLK;
    return wait_for_turn(inside(mutex), me, WAIT_CANCELLABLE);
}

int weft_try_lock(weft_mutex *mutex) { return try_take(inside(mutex), identity()) ? 0 : -EAGAIN; }

int weft_unlock(weft_mutex *handle)
{
    struct mutex *mutex = inside(handle);
    uint64_t me = identity();
    bool done = false;

    /* To free it is the last access: the next owner may free its memory at once. So if all who
     * waited have been cancelled, the lock of the list is let go first. */
    while (!done) {
        uint64_t owner = me;

        if (cas_seq(&mutex->owner, &owner, 0))
            return 0;
        if ((owner & ~MUTEX_WAITED) != me)
            return -EPERM;
        lock_acquire(&mutex->list.lock);
        done = hand_over(mutex, me);
        lock_release(&mutex->list.lock);
    }
    return 0;
}
