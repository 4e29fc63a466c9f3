/*
 * channel - items handed from senders to receivers: bounded, rendezvous, unbounded.
 *
 *     senders --> [ store: first ... count items ... | room ] --> receivers
 *
 * An item that is sent while somebody waits for one is copied straight into that one's memory; room
 * that comes free is filled with the item of the first sender in line, by the receiver that made it.
 * So nobody who comes later overtakes, and who is woken has nothing left to do. Each item is copied
 * only after its wait has been won, and under the lock, which the woken one takes before it looks.
 *
 * Invariants  I1  who waits to receive finds the store empty
 *             I2  who waits to send finds the store full
 *             I3  once closed nobody waits, and nothing comes in
 *             I4  an item is in one place: with its sender until that was woken with CHANNEL_MET or
 *                 has returned 0, in the store, or with the receiver that was woken with CHANNEL_MET
 *             I5  rendezvous: of two waits that can still be won, never does one stand in one line and
 *                 the other in the other line
 *
 * I1, I2 and I5 speak of waits that can still be won. A waiter whose wait was won by another, or by a
 * cancel, may stand in a line for a moment; whoever meets it there pops it, fails to wake it, and goes
 * on to the next.
 *
 * The arms of a select stand in the same lines. Such a wait can also be won by the select itself,
 * which then, at a rendezvous, needs the other side's wait too, and may find that gone: it gives its
 * own back (MEET_MISSED). Meanwhile others may have popped its arms as won ones. So it looks once more
 * at every arm that is not in line any more, and only then goes to sleep. An arm whose count says that
 * it has been handed something has won, and stays out of line. I5 holds all the same: who enters a line
 * has found the other one, under the same lock, empty but for itself, or has popped everybody there and
 * failed to wake them; and who was popped and gave its wait back after that looks here again, and finds
 * the one who entered.
 *
 * A sender that waited passes the lock after its item was taken: so who has received may not free the
 * channel before the senders have returned. Who was told that it is closed may, for the closer never
 * waits.
 */
#include "sync/channel.h"

#include <errno.h>

#include "core/runtime.h"
#include "core/sys.h"
#include "core/tuning.h"
#include "sync/store.h"
#include "sync/waitlist.h"

enum channel_flag {
    CHANNEL_CLOSED = 1,                        /* by either side */
    CHANNEL_BORROWED = WEFT__CHANNEL_BORROWED, /* the ring is the caller's array */
};

/* What weft_channel is inside the library. All under the lock but for what init fixed. */
struct channel {
    struct lock lock;
    uint32_t flags;
    struct list senders;
    struct list receivers;
    struct store store;
};

_Static_assert(sizeof(struct channel) == sizeof(weft_channel), "one overlays the other");
_Static_assert(_Alignof(struct channel) == _Alignof(weft_channel), "one overlays the other");
_Static_assert(offsetof(struct channel, receivers) == offsetof(weft_channel, weft__receivers),
               "same place");
_Static_assert(offsetof(struct channel, store.items) == offsetof(weft_channel, weft__items),
               "same place");
_Static_assert(offsetof(struct channel, store.spare) == offsetof(weft_channel, weft__spare),
               "same place");
_Static_assert(STORE_UNBOUNDED == WEFT_UNBOUNDED, "one means the other");

static struct channel *inside(weft_channel *channel) { return (struct channel *)(void *)channel; }

/* --- under the lock --------------------------------------------------------------------------- */

/* The first in line that is not an arm of the wait whose sleeper is `own`; NULL if there is none. */
static struct waiter *first_other(const struct list *line, const struct sleeper *own)
{
    for (struct link *link = line->first; link; link = link->next) {
        struct waiter *waiter = container_of(link, struct waiter, link);

        if (waiter->sleeper != own)
            return waiter;
    }
    return NULL;
}

/* Wins the wait of the first in line that can still be won, and takes that one out. Returns NULL if
 * there is none; then nobody but `own` is in line any more. Who is returned waits for the lock. */
static struct waiter *win_first(struct list *line, const struct sleeper *own)
{
    struct waiter *waiter;

    while ((waiter = first_other(line, own))) {
        list_remove(line, &waiter->link);
        waiter->linked = false;
        if (weft__wake(waiter, 0)) {
            waiter->count = CHANNEL_MET;
            return waiter;
        }
    }
    return NULL;
}

/* Gives the item to the first receiver in line. Returns whether there was one. */
static bool hand_to_receiver(struct channel *channel, const void *item, const struct sleeper *own)
{
    struct waiter *receiver = win_first(&channel->receivers, own);

    if (receiver)
        item_copy(receiver->item, item, channel->store.item_bytes);
    return receiver != NULL;
}

/* Returns 0, -EPIPE, -EAGAIN (no room), or -ENOBUFS (no chunk). */
static int send_now(struct channel *channel, const void *item, const struct sleeper *own)
{
    struct store *store = &channel->store;

    if (channel->flags & CHANNEL_CLOSED)
        return -EPIPE;
    if (channel->receivers.first && hand_to_receiver(channel, item, own))
        return 0;
    if (store_is_full(store))
        return store->capacity == STORE_UNBOUNDED ? -ENOBUFS : -EAGAIN;
    store_push(store, item);
    return 0;
}

/* The same, with chunks allocated as they are wanted: then the lock is let go in between. Returns 0,
 * -EPIPE, -EAGAIN, -ENOMEM. */
static int send_growing(struct channel *channel, const void *item)
{
    int rc;

    while ((rc = send_now(channel, item, NULL)) == -ENOBUFS) {
        lock_release(&channel->lock);
        struct chunk *chunk = weft__chunk_new(&channel->store);
        lock_acquire(&channel->lock);
        if (!chunk)
            return -ENOMEM;
        weft__store_add_chunk(&channel->store, chunk);
    }
    return rc;
}

/* Returns 1 and the item, 0 if closed and empty, or -EAGAIN (empty); and a chunk to be freed when the
 * lock is released, or NULL. */
static int receive_now(struct channel *channel, void *ret_item, const struct sleeper *own,
                       struct chunk **ret_emptied)
{
    struct store *store = &channel->store;
    struct waiter *sender = NULL;

    *ret_emptied = NULL;
    if (store->count) {
        item_copy(ret_item, store_first(store), store->item_bytes);
        *ret_emptied = store_skip(store);
        if (channel->senders.first && (sender = win_first(&channel->senders, NULL)))
            store_push(store, sender->item);
        return 1;
    }
    if ((sender = win_first(&channel->senders, own))) { /* a rendezvous: see I2 */
        item_copy(ret_item, sender->item, store->item_bytes);
        return 1;
    }
    return channel->flags & CHANNEL_CLOSED ? 0 : -EAGAIN;
}

/* Sets the flag and sends everybody away; the store is left as it is. */
static void close_locked(struct channel *channel)
{
    channel->flags |= CHANNEL_CLOSED;
    waitlist_wake_all(&channel->senders, 0);
    waitlist_wake_all(&channel->receivers, 0);
}

/* --- setting up and taking down --------------------------------------------------------------- */

int weft_channel_init(weft_channel *channel, size_t item_bytes, size_t capacity)
{
    size_t held = capacity == WEFT_UNBOUNDED ? TUNE_CHUNK_ITEMS : capacity;
    void *items = NULL;

    /* Half, so that two indices can be added. */
    if (held > SIZE_MAX / 2 || (held && item_bytes > SIZE_MAX / 2 / held)) {
        weft__explain("a channel for %zu items of %zu bytes: no memory is that large", held,
                      item_bytes);
        return -EINVAL;
    }
    if (capacity != WEFT_UNBOUNDED && held * item_bytes > 0) {
        items = weft__sys_alloc(held * item_bytes);
        if (!items)
            return -ENOMEM;
    }
    *channel = (weft_channel){
        .weft__item_bytes = item_bytes, .weft__capacity = capacity, .weft__items = items};
    return 0;
}

void weft_channel_destroy(weft_channel *handle)
{
    if (!handle)
        return;
    struct channel *channel = inside(handle);

    if (!(channel->flags & CHANNEL_BORROWED))
        weft__store_destroy(&channel->store);
    *handle = (weft_channel){.weft__flags = CHANNEL_CLOSED};
}

void weft_channel_close(weft_channel *handle)
{
    struct channel *channel = inside(handle);

    lock_acquire(&channel->lock);
    close_locked(channel);
    lock_release(&channel->lock);
}

void weft_channel_stop(weft_channel *handle, void (*drop)(void *item))
{
    struct channel *channel = inside(handle);
    struct store left;

    lock_acquire(&channel->lock);
    close_locked(channel);
    bool is_borrowed = channel->flags & CHANNEL_BORROWED;
    left = channel->store; /* nobody else can have these any more, and drop runs without the lock */
    store_forget(&channel->store);
    lock_release(&channel->lock);

    while (left.count) {
        if (drop)
            drop(store_first(&left)); /* may suspend: worker, errno stale */
        weft__sys_free(store_skip(&left));
    }
    if (!is_borrowed)
        weft__store_destroy(&left);
}

size_t weft_channel_count(weft_channel *handle)
{
    struct channel *channel = inside(handle);

    lock_acquire(&channel->lock);
    size_t count = channel->store.count;
    lock_release(&channel->lock);
    return count;
}

/* --- sending and receiving -------------------------------------------------------------------- */

int weft_send(weft_channel *handle, const void *item)
{
    struct channel *channel = inside(handle);
    struct waiter waiter;

    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    lock_acquire(&channel->lock);
    rc = send_growing(channel, item);
    if (rc != -EAGAIN) {
        lock_release(&channel->lock);
        return rc;
    }
    waitlist_enter(&channel->senders, &waiter, WAIT_CANCELLABLE, "room in a channel");
    waiter.item = (void *)(uintptr_t)item; /* only read */

    /* suspends: worker, errno stale */
    rc = waitlist_wait(&channel->lock, &channel->senders, &waiter);
    if (rc < 0)
        return rc;
    return waiter.count == CHANNEL_MET ? 0 : -EPIPE;
}

int weft_try_send(weft_channel *handle, const void *item)
{
    struct channel *channel = inside(handle);

    lock_acquire(&channel->lock);
    int rc = send_growing(channel, item);
    lock_release(&channel->lock);
    return rc;
}

int weft_receive(weft_channel *handle, void *ret_item)
{
    struct channel *channel = inside(handle);
    struct chunk *emptied;
    struct waiter waiter;

    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    lock_acquire(&channel->lock);
    rc = receive_now(channel, ret_item, NULL, &emptied);
    if (rc != -EAGAIN) {
        lock_release(&channel->lock);
        if (emptied)
            weft__sys_free(emptied);
        return rc;
    }
    waitlist_enter(&channel->receivers, &waiter, WAIT_CANCELLABLE, "an item of a channel");
    waiter.item = ret_item;

    /* suspends: worker, errno stale */
    rc = waitlist_wait(&channel->lock, &channel->receivers, &waiter);
    if (rc < 0)
        return rc;
    return waiter.count == CHANNEL_MET ? 1 : 0;
}

int weft_try_receive(weft_channel *handle, void *ret_item)
{
    struct channel *channel = inside(handle);
    struct chunk *emptied;

    lock_acquire(&channel->lock);
    int rc = receive_now(channel, ret_item, NULL, &emptied);
    lock_release(&channel->lock);
    if (emptied)
        weft__sys_free(emptied);
    return rc;
}

/* --- as an arm of a select -------------------------------------------------------------------- */

static void stand_in(struct list *line, struct waiter *arm)
{
    arm->linked = true;
    list_push_last(line, &arm->link);
}

/* What an arm that has stood in line before has to tell; MEET_MISSED: nothing. */
static enum meet look_at(const struct waiter *arm)
{
    if (arm->linked)
        return MEET_WAITS;
    return arm->count == CHANNEL_MET ? MEET_LOST : MEET_MISSED; /* won, from the other side */
}

static enum meet meet_receiver_locked(struct channel *channel, struct waiter *arm,
                                      struct waiter *wait)
{
    bool is_closed = channel->flags & CHANNEL_CLOSED;

    if (!is_closed && store_is_full(&channel->store) &&
        !first_other(&channel->receivers, arm->sleeper)) {
        stand_in(&channel->senders, arm);
        return MEET_WAITS;
    }
    if (!weft__wake(arm, 0)) /* by ourselves, unless somebody was quicker */
        return MEET_LOST;
    if (send_now(channel, arm->item, arm->sleeper) == -EAGAIN) {
        weft__wait_again(wait);
        stand_in(&channel->senders, arm);
        return MEET_MISSED;
    }
    arm->count = is_closed ? 0 : CHANNEL_MET;
    return MEET_DONE;
}

enum meet weft__channel_meet_receiver(weft_channel *handle, struct waiter *arm, struct waiter *wait)
{
    struct channel *channel = inside(handle);

    lock_acquire(&channel->lock);
    enum meet meet = look_at(arm);
    if (meet == MEET_MISSED)
        meet = meet_receiver_locked(channel, arm, wait);
    lock_release(&channel->lock);
    return meet;
}

static enum meet meet_sender_locked(struct channel *channel, struct waiter *arm,
                                    struct waiter *wait, struct chunk **ret_emptied)
{
    bool is_closed = channel->flags & CHANNEL_CLOSED;

    if (!is_closed && channel->store.count == 0 && !first_other(&channel->senders, arm->sleeper)) {
        stand_in(&channel->receivers, arm);
        return MEET_WAITS;
    }
    if (!weft__wake(arm, 0)) /* by ourselves, unless somebody was quicker */
        return MEET_LOST;

    int rc = receive_now(channel, arm->item, arm->sleeper, ret_emptied);

    if (rc == -EAGAIN) {
        weft__wait_again(wait);
        stand_in(&channel->receivers, arm);
        return MEET_MISSED;
    }
    arm->count = rc == 1 ? CHANNEL_MET : 0;
    return MEET_DONE;
}

enum meet weft__channel_meet_sender(weft_channel *handle, struct waiter *arm, struct waiter *wait)
{
    struct channel *channel = inside(handle);
    struct chunk *emptied = NULL;

    lock_acquire(&channel->lock);
    enum meet meet = look_at(arm);
    if (meet == MEET_MISSED)
        meet = meet_sender_locked(channel, arm, wait, &emptied);
    lock_release(&channel->lock);
    if (emptied)
        weft__sys_free(emptied);
    return meet;
}

void weft__channel_leave_senders(weft_channel *handle, struct waiter *arm)
{
    struct channel *channel = inside(handle);

    waitlist_leave(&channel->lock, &channel->senders, arm);
}

void weft__channel_leave_receivers(weft_channel *handle, struct waiter *arm)
{
    struct channel *channel = inside(handle);

    waitlist_leave(&channel->lock, &channel->receivers, arm);
}
