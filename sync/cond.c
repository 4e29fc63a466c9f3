/*
 * cond - a place to wait, under a mutex, until something has changed.
 *
 * The waiter stands in the list before it unlocks the mutex: whoever changes something under the
 * mutex and then notifies cannot miss it. A notify and a cancel race for the waiter's one wake: if
 * the cancel wins, the notify goes to the next; if the notify wins, the wait returns 0, and the
 * cancel is seen by the next wait.
 *
 * Invariant  I1  the mutex is locked again by weft_lock, which is not cancellable: who returns from
 *                a wait holds the mutex, whatever else happened
 */
#include <errno.h>

#include <weft/sync.h>

#include "sync/mutex.h"
#include "sync/waitlist.h"

/* What weft_cond is inside the library. */
struct cond {
    struct waitlist list;
};

_Static_assert(sizeof(struct cond) == sizeof(weft_cond), "one overlays the other");
_Static_assert(_Alignof(struct cond) == _Alignof(weft_cond), "one overlays the other");

static struct cond *inside(weft_cond *cond) { return (struct cond *)(void *)cond; }

int weft_cond_wait(weft_cond *handle, weft_mutex *mutex)
{
    struct cond *cond = inside(handle);
    struct waiter waiter;

    if (!weft__mutex_is_mine(mutex))
        return -EPERM;
    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    lock_acquire(&cond->list.lock);
    waitlist_enter(&cond->list.waiters, &waiter, WAIT_CANCELLABLE, "a condition");
    lock_release(&cond->list.lock);
    (void)weft_unlock(mutex); /* it is ours, so it cannot fail */

    rc = weft__wait_commit(&waiter, WAIT_CANCELLABLE); /* suspends: worker, errno stale */

    waitlist_leave(&cond->list.lock, &cond->list.waiters, &waiter);
    weft_lock(mutex); /* I1; suspends */
    return rc;
}

void weft_cond_notify(weft_cond *handle)
{
    struct cond *cond = inside(handle);
    struct waiter *waiter;

    lock_acquire(&cond->list.lock);
    while ((waiter = waitlist_pop(&cond->list.waiters))) {
        if (weft__wake(waiter, 0))
            break;
    }
    lock_release(&cond->list.lock);
}

void weft_cond_notify_all(weft_cond *handle)
{
    struct cond *cond = inside(handle);

    lock_acquire(&cond->list.lock);
    waitlist_wake_all(&cond->list.waiters, 0);
    lock_release(&cond->list.lock);
}
