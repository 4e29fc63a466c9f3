/*
 * wait_group - a count of work in progress, and a place to wait until it is zero.
 *
 * Everything happens under the lock, so that a group in the frame of the one who waits may go as soon
 * as the wait returns: whoever counted down last has let go of it by then.
 *
 * Invariant  I1  while the count is zero, nobody waits
 */
#include <errno.h>

#include <weft/meet.h>

#include "sync/waitlist.h"

/* What weft_wait_group is inside the library. */
struct wait_group {
    struct waitlist list;
    uint32_t count; /* under the lock */
    uint32_t unused;
};

_Static_assert(sizeof(struct wait_group) == sizeof(weft_wait_group), "one overlays the other");
_Static_assert(_Alignof(struct wait_group) == _Alignof(weft_wait_group), "one overlays the other");
_Static_assert(offsetof(struct wait_group, count) == offsetof(weft_wait_group, weft__count),
               "same");

static struct wait_group *inside(weft_wait_group *group)
{
    return (struct wait_group *)(void *)group;
}

int weft_wait_group_add(weft_wait_group *handle, int n)
{
    struct wait_group *group = inside(handle);
    int rc = 0;

    lock_acquire(&group->list.lock);
    int64_t count = (int64_t)group->count + n;
    if (count < 0) {
        rc = -EINVAL;
    } else if (count > WEFT_MEET_MAX) {
        rc = -EOVERFLOW;
    } else {
        group->count = (uint32_t)count;
        if (count == 0)
            waitlist_wake_all(&group->list.waiters, 0);
    }
    lock_release(&group->list.lock);
    return rc;
}

int weft_wait_group_done(weft_wait_group *group) { return weft_wait_group_add(group, -1); }

int weft_wait_group_wait(weft_wait_group *handle)
{
    struct wait_group *group = inside(handle);
    struct waiter waiter;

    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    /* Under the lock even if the count is zero: who made it so may still be at work on the group. */
    lock_acquire(&group->list.lock);
    if (group->count == 0) {
        lock_release(&group->list.lock);
        return 0;
    }
    waitlist_enter(&group->list.waiters, &waiter, WAIT_CANCELLABLE, "a wait group");

    /* suspends: worker, errno stale */
    rc = waitlist_wait(&group->list.lock, &group->list.waiters, &waiter);
    return rc;
}
