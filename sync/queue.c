/*
 * queue - a bounded first-in-first-out queue of pointers, any number of senders and receivers.
 *
 *     putters --> [ first ... count items ... | room up to capacity ] --> getters
 *
 * A ring of items under one lock. An item that is put while somebody waits for one goes straight
 * into that one's hands; room that comes free is filled with the item of the first waiting putter,
 * by the getter that made it. So nobody who comes later overtakes, and a waiter that is woken has
 * nothing left to do.
 *
 * Invariants  I1  who waits in `getters` finds no item in the ring
 *             I2  who waits in `putters` finds the ring full
 *             I3  once closed nobody waits, and nothing comes in
 *             I4  an item is in one place: with its putter until that was woken with PUT_DONE or
 *                 has returned 0, in the ring, or with the getter that was woken with GET_ITEM
 */
#include <errno.h>

#include <weft/sync.h>

#include "core/sys.h"
#include "sync/waitlist.h"

/* Why a waiter was woken. The getter's are what weft_queue_get returns. */
enum put_reason { PUT_DONE, PUT_CLOSED };
enum get_reason { GET_CLOSED, GET_ITEM };

/* What weft_queue is inside the library. All under the lock but for what init fixed. */
struct queue {
    struct lock lock;
    uint32_t closed;
    struct list putters;
    struct list getters;
    void **items;    /* (i) */
    size_t capacity; /* (i) */
    size_t first;    /* index of the oldest item */
    size_t count;
};

_Static_assert(sizeof(struct queue) == sizeof(weft_queue), "one overlays the other");
_Static_assert(_Alignof(struct queue) == _Alignof(weft_queue), "one overlays the other");

static struct queue *inside(weft_queue *queue) { return (struct queue *)(void *)queue; }

static void ring_push(struct queue *queue, void *item)
{
    size_t at = queue->first + queue->count; /* below 2 * capacity, which init keeps in range */

    queue->items[at < queue->capacity ? at : at - queue->capacity] = item;
    queue->count++;
}

static void *ring_pop(struct queue *queue)
{
    void *item = queue->items[queue->first];

    queue->first = queue->first + 1 < queue->capacity ? queue->first + 1 : 0;
    queue->count--;
    return item;
}

/* Gives the item to the first getter that has not been cancelled. Returns whether there was one;
 * if not, nobody waits any more. Lock held. */
static bool hand_to_getter(struct queue *queue, void *item)
{
    struct waiter *getter;

    while ((getter = waitlist_pop(&queue->getters))) {
        getter->item = item;
        if (weft__wake(getter, GET_ITEM))
            return true;
    }
    return false;
}

/* Fills the room that has just come free from the first putter that has not been cancelled. Lock
 * held. */
static void let_putter_in(struct queue *queue)
{
    struct waiter *putter;

    while ((putter = waitlist_pop(&queue->putters))) {
        void *item = putter->item;

        if (weft__wake(putter, PUT_DONE)) {
            ring_push(queue, item);
            return;
        }
    }
}

/* Lock held. Returns 0, -EPIPE, or -EAGAIN (full). */
static int put_now(struct queue *queue, void *item)
{
    if (queue->closed)
        return -EPIPE;
    if (hand_to_getter(queue, item))
        return 0;
    if (queue->count == queue->capacity)
        return -EAGAIN;
    ring_push(queue, item);
    return 0;
}

/* Lock held. Returns 1 and the item, 0 if closed and empty, or -EAGAIN (empty). */
static int get_now(struct queue *queue, void **ret_item)
{
    if (queue->count == 0)
        return queue->closed ? GET_CLOSED : -EAGAIN;
    *ret_item = ring_pop(queue);
    let_putter_in(queue);
    return GET_ITEM;
}

int weft_queue_init(weft_queue *queue, size_t capacity)
{
    /* Half, so that two indices can be added. */
    if (capacity == 0 || capacity > SIZE_MAX / 2 / sizeof(void *))
        return -EINVAL;

    void **items = weft__sys_alloc(capacity * sizeof *items);

    if (!items)
        return -ENOMEM;
    *queue = (weft_queue){.weft__items = items, .weft__capacity = capacity};
    return 0;
}

void weft_queue_destroy(weft_queue *queue)
{
    if (!queue)
        return;
    weft__sys_free(queue->weft__items);
    *queue = (weft_queue){0};
}

int weft_queue_put(weft_queue *handle, void *item)
{
    struct queue *queue = inside(handle);
    struct waiter waiter;

    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    lock_acquire(&queue->lock);
    rc = put_now(queue, item);
    if (rc != -EAGAIN) {
        lock_release(&queue->lock);
        return rc;
    }
    waitlist_enter(&queue->putters, &waiter, WAIT_CANCELLABLE, "room in a queue");
    waiter.item = item;

    rc = waitlist_wait(&queue->lock, &queue->putters, &waiter); /* suspends: worker, errno stale */
    return rc == PUT_CLOSED ? -EPIPE : rc;
}

int weft_queue_try_put(weft_queue *handle, void *item)
{
    struct queue *queue = inside(handle);

    lock_acquire(&queue->lock);
    int rc = put_now(queue, item);
    lock_release(&queue->lock);
    return rc;
}

int weft_queue_get(weft_queue *handle, void **ret_item)
{
    struct queue *queue = inside(handle);
    struct waiter waiter;

    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    lock_acquire(&queue->lock);
    rc = get_now(queue, ret_item);
    if (rc != -EAGAIN) {
        lock_release(&queue->lock);
        return rc;
    }
    waitlist_enter(&queue->getters, &waiter, WAIT_CANCELLABLE, "an item of a queue");

    rc = waitlist_wait(&queue->lock, &queue->getters, &waiter); /* suspends: worker, errno stale */
    if (rc == GET_ITEM)
        *ret_item = waiter.item;
    return rc;
}

int weft_queue_try_get(weft_queue *handle, void **ret_item)
{
    struct queue *queue = inside(handle);

    lock_acquire(&queue->lock);
    int rc = get_now(queue, ret_item);
    lock_release(&queue->lock);
    return rc;
}

void weft_queue_close(weft_queue *handle)
{
    struct queue *queue = inside(handle);

    lock_acquire(&queue->lock);
    queue->closed = 1;
    waitlist_wake_all(&queue->putters, PUT_CLOSED);
    waitlist_wake_all(&queue->getters, GET_CLOSED);
    lock_release(&queue->lock);
}
