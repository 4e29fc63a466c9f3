/*
 * broadcast - a ring of the last values, and listeners that each know how far they have read.
 *
 *     sent = 14, capacity = 4       values of number  10  11  12  13
 *     listener next = 14            has read all: waits
 *     listener next = 12            reads 12
 *     listener next = 7             7, 8 and 9 are lost: reads 10
 *
 * A send overwrites the oldest value, whoever has not read it, and wakes all who wait. Nobody is handed
 * anything: a listener looks for its next value itself. So a cancelled one has missed nothing, and a
 * listener that is forgotten costs nothing.
 *
 * Invariants  I1  all is under the lock but for what init fixed; a listener's position too
 *             I2  the value of number n stands at n % capacity while sent - capacity <= n < sent
 *             I3  who waits has read all that was sent
 */
#include <errno.h>
#include <string.h>

#include <weft/broadcast.h>

#include "core/sys.h"
#include "sync/waitlist.h"

/* What weft_broadcast is inside the library. */
struct broadcast {
    struct waitlist list;
    uint64_t sent;         /* so many, ever: the number of the next one */
    unsigned char *values; /* (i) */
    size_t item_bytes;     /* (i) */
    size_t capacity;       /* (i) */
    uint32_t closed;
    uint32_t unused;
};

_Static_assert(sizeof(struct broadcast) == sizeof(weft_broadcast), "one overlays the other");
_Static_assert(_Alignof(struct broadcast) == _Alignof(weft_broadcast), "one overlays the other");
_Static_assert(offsetof(struct broadcast, values) == offsetof(weft_broadcast, weft__values),
               "same");

static struct broadcast *inside(weft_broadcast *broadcast)
{
    return (struct broadcast *)(void *)broadcast;
}

static unsigned char *value_at(struct broadcast *broadcast, uint64_t number)
{
    return broadcast->values + (size_t)(number % broadcast->capacity) * broadcast->item_bytes;
}

/* Lock held. Returns 1 and the value, 0 if closed and all was taken, or -EAGAIN. */
static int take_next(struct broadcast *broadcast, weft_listener *listener, void *ret_item,
                     uint64_t *ret_lost)
{
    uint64_t next = listener->weft__next;

    if (next == broadcast->sent)
        return broadcast->closed ? 0 : -EAGAIN;
    if (broadcast->sent - next > broadcast->capacity)
        next = broadcast->sent - broadcast->capacity; /* the oldest there is */
    memcpy(ret_item, value_at(broadcast, next), broadcast->item_bytes);
    if (ret_lost)
        *ret_lost = next - listener->weft__next;
    listener->weft__next = next + 1;
    return 1;
}

/* Waits for the next send. Lock held, before and after. */
static int wait_for_send(struct broadcast *broadcast)
{
    struct waiter waiter;

    waitlist_enter(&broadcast->list.waiters, &waiter, WAIT_CANCELLABLE, "an item of a broadcast");
    lock_release(&broadcast->list.lock);

    int rc = weft__wait_commit(&waiter, WAIT_CANCELLABLE); /* suspends: worker, errno stale */

    lock_acquire(&broadcast->list.lock);
    if (waiter.linked)
        list_remove(&broadcast->list.waiters, &waiter.link);
    return rc;
}

int weft_broadcast_init(weft_broadcast *handle, size_t item_bytes, size_t capacity)
{
    struct broadcast *broadcast = inside(handle);

    if (item_bytes == 0 || capacity == 0 || capacity > SIZE_MAX / item_bytes)
        return -EINVAL;

    unsigned char *values = weft__sys_alloc(item_bytes * capacity);

    if (!values)
        return -ENOMEM;
    *broadcast =
        (struct broadcast){.values = values, .item_bytes = item_bytes, .capacity = capacity};
    return 0;
}

void weft_broadcast_destroy(weft_broadcast *broadcast)
{
    if (!broadcast)
        return;
    weft__sys_free(broadcast->weft__values);
    *broadcast = (weft_broadcast){.weft__values = NULL};
}

int weft_broadcast_send(weft_broadcast *handle, const void *item)
{
    struct broadcast *broadcast = inside(handle);

    lock_acquire(&broadcast->list.lock);
    int rc = broadcast->closed ? -EPIPE : 0;
    if (rc == 0) {
        memcpy(value_at(broadcast, broadcast->sent++), item, broadcast->item_bytes);
        waitlist_wake_all(&broadcast->list.waiters, 0);
    }
    lock_release(&broadcast->list.lock);
    return rc;
}

void weft_broadcast_close(weft_broadcast *handle)
{
    struct broadcast *broadcast = inside(handle);

    lock_acquire(&broadcast->list.lock);
    broadcast->closed = 1;
    waitlist_wake_all(&broadcast->list.waiters, 0);
    lock_release(&broadcast->list.lock);
}

void weft_listener_init(weft_listener *listener, weft_broadcast *handle)
{
    struct broadcast *broadcast = inside(handle);

    lock_acquire(&broadcast->list.lock);
    *listener = (weft_listener){.weft__broadcast = handle, .weft__next = broadcast->sent};
    lock_release(&broadcast->list.lock);
}

int weft_listener_next(weft_listener *listener, void *ret_item, uint64_t *ret_lost)
{
    struct broadcast *broadcast = inside(listener->weft__broadcast);

    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    lock_acquire(&broadcast->list.lock);
    while ((rc = take_next(broadcast, listener, ret_item, ret_lost)) == -EAGAIN) {
        rc = wait_for_send(broadcast); /* suspends: worker, errno stale */
        if (rc < 0)
            break;
    }
    lock_release(&broadcast->list.lock);
    return rc;
}

int weft_listener_try_next(weft_listener *listener, void *ret_item, uint64_t *ret_lost)
{
    struct broadcast *broadcast = inside(listener->weft__broadcast);

    lock_acquire(&broadcast->list.lock);
    int rc = take_next(broadcast, listener, ret_item, ret_lost);
    lock_release(&broadcast->list.lock);
    return rc;
}
