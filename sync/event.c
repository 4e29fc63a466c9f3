/*
 * event - a flag to wait for.
 *
 * The flag changes under the lock, so that who sets it and who begins to wait see each other. To
 * set and to clear take the lock even if that changes nothing: a consumer that clears the flag and
 * then looks for work must see all that was there before a set that came just before the clear.
 *
 * Invariant  I1  while the flag is up, nobody waits
 */
#include "sync/event.h"

#include "sync/waitlist.h"

/* What weft_event is inside the library. */
struct event {
    struct waitlist list;
    _Atomic uint32_t set; /* (a) 0 or 1; written under the lock */
    uint32_t unused;
};

_Static_assert(sizeof(struct event) == sizeof(weft_event), "one overlays the other");
_Static_assert(_Alignof(struct event) == _Alignof(weft_event), "one overlays the other");
_Static_assert(offsetof(struct event, set) == offsetof(weft_event, weft__set), "same place");

static struct event *inside(const weft_event *event)
{
    return (struct event *)(void *)(uintptr_t)event;
}

void weft_event_set(weft_event *handle)
{
    struct event *event = inside(handle);

    lock_acquire(&event->list.lock);
    store_seq(&event->set, 1);
    waitlist_wake_all(&event->list.waiters, 0);
    lock_release(&event->list.lock);
}

void weft_event_clear(weft_event *handle)
{
    struct event *event = inside(handle);

    lock_acquire(&event->list.lock);
    store_seq(&event->set, 0);
    lock_release(&event->list.lock);
}

bool weft_event_is_set(const weft_event *event) { return load_seq(&inside(event)->set) != 0; }

bool weft__event_look(weft_event *handle)
{
    struct event *event = inside(handle);

    if (!load_seq(&event->set))
        return false;
    /* Under the lock even if the flag is up: who sets it may still be at work on the event. */
    lock_acquire(&event->list.lock);
    bool is_set = load_relaxed(&event->set); /* relaxed: under its lock */
    lock_release(&event->list.lock);
    return is_set;
}

bool weft__event_watch(weft_event *handle, struct waiter *waiter)
{
    struct event *event = inside(handle);

    lock_acquire(&event->list.lock);
    bool was_here = waiter->item == event;
    bool is_set = was_here ? !waiter->linked : load_relaxed(&event->set); /* relaxed: its lock */
    if (!is_set && !was_here) {
        waiter->item = event;
        waiter->linked = true;
        list_push_last(&event->list.waiters, &waiter->link);
    }
    lock_release(&event->list.lock);
    return !is_set;
}

void weft__event_unwatch(weft_event *handle, struct waiter *waiter)
{
    struct event *event = inside(handle);

    waitlist_leave(&event->list.lock, &event->list.waiters, waiter);
}

int weft_event_wait(weft_event *handle)
{
    struct event *event = inside(handle);
    struct waiter waiter;

    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    /* Under the lock even if the flag is up: who sets it may still be at work on the event. */
    lock_acquire(&event->list.lock);
    if (load_relaxed(&event->set)) { /* relaxed: under its lock */
        lock_release(&event->list.lock);
        return 0;
    }
    waitlist_enter(&event->list.waiters, &waiter, WAIT_CANCELLABLE, "an event");

    /* suspends: worker, errno stale */
    rc = waitlist_wait(&event->list.lock, &event->list.waiters, &waiter);
    return rc;
}
