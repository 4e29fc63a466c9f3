/*
 * watch - the latest value of something, and a version that grows with each change.
 *
 * The value is the caller's memory, written and read under the lock. Who waits for a change looks for
 * it itself when it was woken: nothing is handed over, so a cancel loses nothing.
 *
 * Invariant  I1  who waits has seen the latest version
 */
#include <errno.h>
#include <string.h>

#include <weft/broadcast.h>

#include "sync/waitlist.h"

/* What weft_watch is inside the library. All under the lock but for what init fixed. */
struct watch {
    struct waitlist list;
    uint64_t version;
    void *value;  /* (i) the address */
    size_t bytes; /* (i) */
    uint32_t closed;
    uint32_t unused;
};

_Static_assert(sizeof(struct watch) == sizeof(weft_watch), "one overlays the other");
_Static_assert(_Alignof(struct watch) == _Alignof(weft_watch), "one overlays the other");
_Static_assert(offsetof(struct watch, value) == offsetof(weft_watch, weft__value), "same place");

static struct watch *inside(weft_watch *watch) { return (struct watch *)(void *)watch; }

static void wake_all(struct watch *watch) { waitlist_wake_all(&watch->list.waiters, 0); }

/* Lock held. Returns 1 and the value, 0 if closed and nothing is new, or -EAGAIN. */
static int take_change(struct watch *watch, uint64_t *version, void *ret_value)
{
    if (*version == watch->version)
        return watch->closed ? 0 : -EAGAIN;
    *version = watch->version;
    if (ret_value)
        memcpy(ret_value, watch->value, watch->bytes);
    return 1;
}

/* Waits for the next change. Lock held, before and after. */
static int wait_for_change(struct watch *watch)
{
    struct waiter waiter;

    waitlist_enter(&watch->list.waiters, &waiter, WAIT_CANCELLABLE, "a new value of a watch");
    lock_release(&watch->list.lock);

    int rc = weft__wait_commit(&waiter, WAIT_CANCELLABLE); /* suspends: worker, errno stale */

    lock_acquire(&watch->list.lock);
    if (waiter.linked)
        list_remove(&watch->list.waiters, &waiter.link);
    return rc;
}

void weft_watch_init(weft_watch *watch, void *value, size_t bytes)
{
    *watch = (weft_watch){.weft__value = value, .weft__bytes = bytes};
}

int weft_watch_set(weft_watch *handle, const void *value)
{
    struct watch *watch = inside(handle);

    lock_acquire(&watch->list.lock);
    int rc = watch->closed ? -EPIPE : 0;
    if (rc == 0) {
        memcpy(watch->value, value, watch->bytes);
        watch->version++;
        wake_all(watch);
    }
    lock_release(&watch->list.lock);
    return rc;
}

uint64_t weft_watch_get(weft_watch *handle, void *ret_value)
{
    struct watch *watch = inside(handle);

    lock_acquire(&watch->list.lock);
    uint64_t version = watch->version;
    if (ret_value)
        memcpy(ret_value, watch->value, watch->bytes);
    lock_release(&watch->list.lock);
    return version;
}

int weft_watch_changed(weft_watch *handle, uint64_t *version, void *ret_value)
{
    struct watch *watch = inside(handle);

    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    lock_acquire(&watch->list.lock);
    while ((rc = take_change(watch, version, ret_value)) == -EAGAIN) {
        rc = wait_for_change(watch); /* suspends: worker, errno stale */
        if (rc < 0)
            break;
    }
    lock_release(&watch->list.lock);
    return rc;
}

void weft_watch_close(weft_watch *handle)
{
    struct watch *watch = inside(handle);

    lock_acquire(&watch->list.lock);
    watch->closed = 1;
    wake_all(watch);
    lock_release(&watch->list.lock);
}
