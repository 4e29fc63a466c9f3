/*
 * weft/broadcast.h - one to many: every value to every listener, or only the latest one.
 *
 *     weft_listener listener;                 // from here on it misses nothing
 *     weft_listener_init(&listener, &quotes);
 *     while ((rc = weft_listener_next(&listener, &quote, &lost)) == 1)
 *         show(&quote, lost);                 // lost > 0: this listener was too slow for so many
 *
 *     static struct config config;            // the latest value, in the caller's memory
 *     static weft_watch watch = WEFT_WATCH_INIT(config);
 *
 *     uint64_t seen = weft_watch_get(&watch, &mine);
 *     while ((rc = weft_watch_changed(&watch, &seen, &mine)) == 1)
 *         apply(&mine);
 *
 * Senders never wait. What weft/sync.h says of its objects holds here too: tasks, jobs and plain
 * threads alike, and a wait that was cancelled did nothing. Values are copied in and out under a small
 * lock, so let them be small; for large ones send pointers or indices.
 */
#ifndef WEFT_BROADCAST_H
#define WEFT_BROADCAST_H

#include <weft/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The last values that were sent, for any number of listeners. */
typedef struct weft_broadcast {
    weft__waitlist weft__waiters;
    uint64_t weft__sent;
    unsigned char *weft__values;
    size_t weft__item_bytes;
    size_t weft__capacity;
    uint32_t weft__closed;
    uint32_t weft__unused;
} weft_broadcast;

/** Where somebody has got to in a broadcast; a value, which needs no clean-up. */
typedef struct weft_listener {
    weft_broadcast *weft__broadcast;
    uint64_t weft__next;
} weft_listener;

/** The latest value of something, and how often it has changed. */
typedef struct weft_watch {
    weft__waitlist weft__waiters;
    uint64_t weft__version;
    void *weft__value;
    size_t weft__bytes;
    uint32_t weft__closed;
    uint32_t weft__unused;
} weft_watch;

/** A watch over an object that holds the first value; from here on only the watch may touch it. */
#define WEFT_WATCH_INIT(object)                                        \
    {                                                                  \
        {0, 0, NULL, NULL}, 0, (void *)&(object), sizeof(object), 0, 0 \
    }

/**
 * Sets up a broadcast that keeps the last `capacity` values of `item_bytes` bytes.
 *
 * Returns: 0; -EINVAL (one of them 0, or absurdly large); -ENOMEM.
 * Owns:    weft_broadcast_destroy frees what this allocates; nothing later allocates.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_broadcast_init(weft_broadcast *broadcast, size_t item_bytes,
                                                 size_t capacity);

/** Frees what weft_broadcast_init made; nobody may use it or its listeners any more. Since: 0.1 */
WEFT_API void weft_broadcast_destroy(weft_broadcast *broadcast);

/**
 * Sends a value to all listeners that there are now. It replaces the oldest one kept.
 *
 * Returns: 0, also if nobody listens; -EPIPE (closed).
 * Since:   0.1
 */
WEFT_API int weft_broadcast_send(weft_broadcast *broadcast, const void *item);

/** Closes the broadcast: sends fail from now on, listeners get what is left. Since: 0.1 */
WEFT_API void weft_broadcast_close(weft_broadcast *broadcast);

/** Begins to listen: the listener gets every value that is sent from now on. Since: 0.1 */
WEFT_API void weft_listener_init(weft_listener *listener, weft_broadcast *broadcast);

/**
 * Takes the next value, and waits while there is none. A listener that has fallen behind goes on at
 * the oldest value kept. Several callers of one listener share it: each value goes to one of them.
 *
 * Returns: 1 and the value, and in ret_lost (unless NULL) how many values before it this listener
 *          has lost; 0 if the broadcast is closed and all was taken; -ECANCELED (nothing was taken).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_listener_next(weft_listener *listener, void *ret_item,
                                                uint64_t *ret_lost);

/**
 * Takes the next value if there is one.
 *
 * Returns: as weft_listener_next; -EAGAIN if there is none.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_listener_try_next(weft_listener *listener, void *ret_item,
                                                    uint64_t *ret_lost);

/** Sets up a watch over `bytes` bytes at `value`, as WEFT_WATCH_INIT. Since: 0.1 */
WEFT_API void weft_watch_init(weft_watch *watch, void *value, size_t bytes);

/**
 * Replaces the value, and wakes all who wait for a change.
 *
 * Returns: 0; -EPIPE (closed; the value stays).
 * Since:   0.1
 */
WEFT_API int weft_watch_set(weft_watch *watch, const void *value);

/**
 * Copies the latest value to ret_value, unless that is NULL.
 *
 * Returns: its version: 0 for the first value, then 1, 2, ...
 * Since:   0.1
 */
WEFT_API uint64_t weft_watch_get(weft_watch *watch, void *ret_value);

/**
 * Waits until the version differs from *version, and takes the latest value: what came and went in
 * between is skipped.
 *
 * Returns: 1, the value in ret_value (unless NULL) and its version in *version; 0 if the watch is
 *          closed and *version is the latest; -ECANCELED.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_watch_changed(weft_watch *watch, uint64_t *version,
                                                void *ret_value);

/** Closes the watch: the value stays as it is, and who waits for a change goes on. Since: 0.1 */
WEFT_API void weft_watch_close(weft_watch *watch);

#ifdef __cplusplus
}
#endif

#endif
