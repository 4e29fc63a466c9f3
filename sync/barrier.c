/*
 * barrier - a line that opens when so many parties stand at it, again and again.
 *
 * Who comes last opens it: it numbers those who wait, under the lock, and wakes them. The number
 * decides, for all at once, and not the wake. So one whose wait is cancelled looks for its number: if
 * it has none it withdraws, and was never there; if it has one it passes like the others, and its next
 * wait tells of the cancel. And who was cancelled before the last one came gets no number.
 *
 * Invariants  I1  arrived counts those in the list: nobody there has a number while the lock is free
 *             I2  arrived < parties
 *             I3  who has a number passes, who is taken off the list without one has withdrawn
 */
#include <errno.h>

#include <weft/meet.h>

#include "sync/waitlist.h"

/* What weft_barrier is inside the library. */
struct barrier {
    struct waitlist list;
    uint32_t parties; /* (i) */
    uint32_t arrived; /* who waits */
};

_Static_assert(sizeof(struct barrier) == sizeof(weft_barrier), "one overlays the other");
_Static_assert(_Alignof(struct barrier) == _Alignof(weft_barrier), "one overlays the other");
_Static_assert(offsetof(struct barrier, parties) == offsetof(weft_barrier, weft__parties), "same");

static struct barrier *inside(weft_barrier *barrier) { return (struct barrier *)(void *)barrier; }

/* Takes those off the list who have been cancelled, and have not come to the lock yet. Lock held. */
static void forget_cancelled(struct barrier *barrier)
{
    for (struct link *link = barrier->list.waiters.first, *next; link; link = next) {
        struct waiter *waiter = container_of(link, struct waiter, link);

        next = link->next;
        if (!weft__is_waiting(waiter)) {
            list_remove(&barrier->list.waiters, link);
            waiter->linked = false;
            barrier->arrived--;
        }
    }
}

/* From 1 on: NULL means none. Lock held. */
static void number_parties(struct barrier *barrier)
{
    uintptr_t number = 0;

    for (struct link *link = barrier->list.waiters.first; link; link = link->next)
        container_of(link, struct waiter, link)->item = (void *)++number;
}

/* Opens the line if the caller is the last that was missing. Lock held. */
static bool open_line(struct barrier *barrier)
{
    if (barrier->arrived + 1 < barrier->parties)
        return false;
    forget_cancelled(barrier);
    if (barrier->arrived + 1 < barrier->parties)
        return false;
    number_parties(barrier);
    barrier->arrived = 0;
    waitlist_wake_all(&barrier->list.waiters, 0);
    return true;
}

/* Returns the number of one who passes, less 1, or -ECANCELED. */
static int pass_or_withdraw(struct barrier *barrier, struct waiter *waiter)
{
    lock_acquire(&barrier->list.lock);
    if (waiter->linked) {
        list_remove(&barrier->list.waiters, &waiter->link);
        barrier->arrived--;
    }
    int rc = waiter->item != NULL ? (int)(uintptr_t)waiter->item - 1 : -ECANCELED;
    lock_release(&barrier->list.lock);
    return rc;
}

int weft_barrier_init(weft_barrier *barrier, uint32_t parties)
{
    if (parties == 0 || parties > WEFT_MEET_MAX)
        return -EINVAL;
    *barrier = (weft_barrier)WEFT_BARRIER_INIT(parties);
    return 0;
}

int weft_barrier_wait(weft_barrier *handle)
{
    struct barrier *barrier = inside(handle);
    struct waiter waiter;

    if (barrier->parties == 0)
        return -EINVAL;

    int last = (int)(barrier->parties - 1);
    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    lock_acquire(&barrier->list.lock);
    if (open_line(barrier)) {
        lock_release(&barrier->list.lock);
        return last;
    }
    waitlist_enter(&barrier->list.waiters, &waiter, WAIT_CANCELLABLE, "a barrier");
    barrier->arrived++;
    lock_release(&barrier->list.lock);

    (void)weft__wait_commit(&waiter, WAIT_CANCELLABLE); /* suspends: worker, errno stale */

    return pass_or_withdraw(barrier, &waiter); /* the number decides, not what has woken it */
}
