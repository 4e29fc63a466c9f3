/*
 * waitlist - who waits at an object of sync/, in the order of arrival, under the object's lock.
 *
 *     acquire; if it can be had at once: take it, release, return
 *     waitlist_enter; release                   \
 *     rc = weft__wait_commit(...)                > waitlist_wait; suspends: worker, errno stale
 *     waitlist_leave                            /  on every way out, granted or cancelled
 *
 * Invariants  I1  a waiter is linked, popped and woken under the lock only
 *             I2  a waiter returns to its caller only after who woke it has let go of the lock
 *
 * I2 is why every wait ends with waitlist_leave, or with lock_pass if it was granted and has nothing to
 * unlink: the one that grants still holds the lock then. Without I2 the woken one could free the object (it
 * may have been the last that needs it) or end the runtime, while the other is still at work on them:
 * the trap that sem_post and sem_destroy of glibc fell into (bug 12674).
 * The lock's own last access is safe for the same purpose: see core/lock.h.
 */
#ifndef WEFT_SYNC_WAITLIST_H
#define WEFT_SYNC_WAITLIST_H

#include <weft/sync.h>

#include "core/list.h"
#include "core/lock.h"
#include "core/wait.h"

/* So many are let in at a time where each of them lets in the next ones (sem.c, rwlock.c, limiter.c): the
 * lock is held for microseconds at most, also with 100,000 waiters. */
#define WAITLIST_BATCH 32

/* What weft__waitlist is inside the library. */
struct waitlist {
    struct lock lock;
    uint32_t unused;
    struct list waiters;
};

_Static_assert(sizeof(struct waitlist) == sizeof(weft__waitlist), "one overlays the other");
_Static_assert(_Alignof(struct waitlist) == _Alignof(weft__waitlist), "one overlays the other");
_Static_assert(offsetof(struct waitlist, lock) == offsetof(weft__waitlist, lock), "same place");
_Static_assert(offsetof(struct waitlist, waiters) == offsetof(weft__waitlist, first), "same place");

/* Begins a wait of this kind, for `what` in words, with count 0 and no item, at the end of the list.
 * Lock held. */
static inline void waitlist_enter(struct list *waiters, struct waiter *waiter, enum wait_kind kind,
                                  const char *what)
{
    if (kind == WAIT_CANCELLABLE)
        weft__wait_begin_cancellable(waiter);
    else
        weft__wait_begin(waiter);
    wait_is_for(waiter, what);
    waiter->count = 0;
    waiter->item = NULL;
    list_push_last(waiters, &waiter->link);
}

/* Ends a wait: the waiter's memory and the object are the caller's again (I2). */
static inline void waitlist_leave(struct lock *lock, struct list *waiters, struct waiter *waiter)
{
    lock_acquire(lock);
    if (waiter->linked)
        list_remove(waiters, &waiter->link);
    lock_release(lock);
}

/* The wait that has just been entered: lets go of the lock, waits, and leaves. Returns what ended it.
 * Suspends: worker, errno stale. */
static inline int waitlist_wait(struct lock *lock, struct list *waiters, struct waiter *waiter)
{
    lock_release(lock);
    int rc = weft__wait_commit(waiter, WAIT_CANCELLABLE);
    if (rc < 0)
        waitlist_leave(lock, waiters, waiter);
    else
        lock_pass(lock); /* granted: it is in the list no more */
    return rc;
}

/* The one that has waited longest, unlinked; NULL if nobody waits. It may be cancelled already:
 * weft__wake tells. Lock held. */
static inline struct waiter *waitlist_pop(struct list *waiters)
{
    struct link *link = list_pop_first(waiters);

    if (!link)
        return NULL;

    struct waiter *waiter = container_of(link, struct waiter, link);

    waiter->linked = false;
    return waiter;
}

/* Wakes all. Lock held, and not let go in between, however many they are: the
 * rest could be cancelled meanwhile, and the last of them free the object. */
static inline void waitlist_wake_all(struct list *waiters, unsigned reason)
{
    struct waiter *waiter;

    while ((waiter = waitlist_pop(waiters)))
        (void)weft__wake(waiter, reason); /* false: it was cancelled, and needs no wake */
}

#endif
