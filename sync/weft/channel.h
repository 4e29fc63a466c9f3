/*
 * weft/channel.h - items on their way from those who send to those who receive.
 *
 *     weft_channel jobs;
 *     int rc = weft_channel_init(&jobs, sizeof(struct job), 16);   // room for 16; 0: none at all
 *     ...
 *     rc = weft_send(&jobs, &job);                    // waits while there is no room
 *     while ((rc = weft_receive(&jobs, &job)) == 1)   // 0: closed, and nothing left
 *         rc = work_on(&job);
 *
 * An item is copied in and copied out, so that a channel may carry structs, numbers or pointers. Any
 * number of tasks, jobs and plain threads may send and receive at once: tasks suspend, the others
 * block their thread. Items come out in the order in which they went in, and who has waited longest
 * comes first, on both sides. An item that is sent while somebody waits for one is that one's at
 * once. A call that is cancelled sent nothing and took nothing.
 *
 * There are three kinds. A bounded channel holds some items, and its senders wait for room. A
 * rendezvous (capacity 0) holds none: a send returns when the item is in a receiver's hands. An
 * unbounded one holds what memory allows, and its senders never wait.
 *
 * The channel is the caller's memory, and must outlive every call on it. But a receiver who was told
 * that it is closed may destroy and free it at once, even if the call that closed it has not returned
 * yet. To wait for several channels at once: see weft/select.h.
 */
#ifndef WEFT_CHANNEL_H
#define WEFT_CHANNEL_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A channel; all of it is private. */
typedef struct weft_channel {
    uint32_t weft__lock;
    uint32_t weft__flags;
    void *weft__senders[2];
    void *weft__receivers[2];
    size_t weft__item_bytes;
    size_t weft__capacity;
    size_t weft__count;
    size_t weft__first;
    void *weft__items;
    size_t weft__end;
    size_t weft__chunk_items;
    void *weft__last;
    void *weft__spare;
} weft_channel;

/** The capacity of a channel that holds as many items as memory allows. */
#define WEFT_UNBOUNDED SIZE_MAX

/* Private: the room is the caller's. */
#define WEFT__CHANNEL_BORROWED 2

/** A static channel that keeps its items in the array `room`, as many as that has elements. */
#define WEFT_CHANNEL_INIT(room)                                                   \
    {                                                                             \
        0, WEFT__CHANNEL_BORROWED, {NULL, NULL}, {NULL, NULL}, sizeof((room)[0]), \
            sizeof(room) / sizeof((room)[0]), 0, 0, (room), 0, 0, NULL, NULL      \
    }

/** A static channel for items of this type that holds none: sender and receiver meet. */
#define WEFT_CHANNEL_INIT_RENDEZVOUS(type)                                              \
    {                                                                                   \
        0, 0, {NULL, NULL}, {NULL, NULL}, sizeof(type), 0, 0, 0, NULL, 0, 0, NULL, NULL \
    }

/** A static channel for items of this type that holds as many as memory allows; after the last use
 * weft_channel_destroy gives the memory back. */
#define WEFT_CHANNEL_INIT_UNBOUNDED(type)                                                       \
    {                                                                                           \
        0, 0, {NULL, NULL}, {NULL, NULL}, sizeof(type), WEFT_UNBOUNDED, 0, 0, NULL, 0, 0, NULL, \
            NULL                                                                                \
    }

/**
 * Sets up a channel for items of `item_bytes` bytes (0: nothing but the fact) that holds up to
 * `capacity` of them: 0 for a rendezvous, WEFT_UNBOUNDED for no limit.
 *
 * Returns: 0; -EINVAL (absurdly large); -ENOMEM.
 * Owns:    weft_channel_destroy frees what this, and later sends, allocate.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_channel_init(weft_channel *channel, size_t item_bytes,
                                               size_t capacity);

/** Frees the memory of the channel; nobody may use it any more. Items left are forgotten: receive
 * them first, or give weft_channel_stop a function that drops them. NULL does nothing. Since: 0.1 */
WEFT_API void weft_channel_destroy(weft_channel *channel);

/**
 * Sends a copy of the item, and waits for room (a rendezvous: for a receiver).
 *
 * Returns: 0; -ECANCELED; -EPIPE (closed or stopped); -ENOMEM (unbounded only). After the last three
 *          the item is still the caller's.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_send(weft_channel *channel, const void *item);

/**
 * Sends a copy of the item if that needs no waiting.
 *
 * Returns: 0; -EAGAIN (no room, or nobody waits to receive); -EPIPE; -ENOMEM (unbounded only).
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_try_send(weft_channel *channel, const void *item);

/**
 * Receives the first item, and waits until there is one.
 *
 * Returns: 1 and the item; 0 if the channel is closed and nothing is left; -ECANCELED (nothing was
 *          taken).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_receive(weft_channel *channel, void *ret_item);

/**
 * Receives the first item if there is one.
 *
 * Returns: 1 and the item; 0 if the channel is closed and nothing is left; -EAGAIN if there is none.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_try_receive(weft_channel *channel, void *ret_item);

/** Closes the channel from the senders' side: sends that wait and later ones get -EPIPE; receivers
 * get what is left, then 0. Closing twice does nothing. Since: 0.1 */
WEFT_API void weft_channel_close(weft_channel *channel);

/**
 * Closes the channel from the receivers' side: sends that wait and later ones get -EPIPE, receives
 * get 0, and drop(item) is called once for each item left (unless drop is NULL), with the address
 * of the copy, in the calling task or thread, before this call returns. Stopping twice does nothing.
 *
 * Owns:    an array that the program gave the channel must live until this call has returned.
 * Since:   0.1
 */
WEFT_API void weft_channel_stop(weft_channel *channel, void (*drop)(void *item));

/**
 * Tells how many items are inside just now: for people, and for statistics.
 *
 * Returns: the number; those in the hands of senders who wait are not counted.
 * Since:   0.1
 */
WEFT_API size_t weft_channel_count(weft_channel *channel);

#ifdef __cplusplus
}
#endif

#endif
