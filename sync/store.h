/*
 * store - the items inside a channel: copies of item_bytes bytes each, first in, first out.
 *
 *     bounded     [ room | first ... count items ... | room ]                one ring
 *     unbounded   [ gone | first ... ] -> [ ... ] -> [ ... end | room ]      chunks
 *
 * Everything happens under the channel's lock, except that memory for chunks is got and given back
 * outside: who finds that a chunk is wanted lets the lock go, makes one, comes back with it, and looks
 * again; and what store_skip returns is freed once the lock is released.
 *
 * Invariants  I1  chunks: every one but the first and the last is full; the last has room up to
 *                 chunk_items, from `end` on
 *             I2  chunks: when the last item goes, first chunk and last chunk are the same, and it is
 *                 used again from its beginning: a channel that is drained all the time allocates once
 *             I3  chunk_items is 0 until the first chunk is there, so that none looks like a full one
 */
#ifndef WEFT_SYNC_STORE_H
#define WEFT_SYNC_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define STORE_UNBOUNDED SIZE_MAX

struct chunk {
    struct chunk *next;
    _Alignas(16) unsigned char items[];
};

struct store {
    size_t item_bytes;   /* (i) */
    size_t capacity;     /* (i) 0: nothing fits; STORE_UNBOUNDED: chunks */
    size_t count;        /* items inside */
    size_t first;        /* index of the oldest one, in the ring or the first chunk */
    void *items;         /* the ring, or the first chunk */
    size_t end;          /* chunks: index of the next free place in the last one */
    size_t chunk_items;  /* chunks: how many fit into each */
    struct chunk *last;  /* chunks */
    struct chunk *spare; /* chunks: free ones, linked */
};

/* A chunk for such a store; NULL: no memory. Without the lock: it looks at what init fixed only. */
struct chunk *weft__chunk_new(const struct store *store);

/* The store may use the chunk from now on. */
void weft__store_add_chunk(struct store *store, struct chunk *chunk);

/* Frees ring or chunks, whatever is inside. */
void weft__store_destroy(struct store *store);

/* Empty, and without memory, as if that had never been its. What init fixed stays untouched: weft__chunk_new()
 * may be reading it. */
static inline void store_forget(struct store *store)
{
    store->count = store->first = store->end = store->chunk_items = 0;
    store->items = NULL;
    store->last = store->spare = NULL;
}

static inline void item_copy(void *to, const void *from, size_t bytes)
{
    if (bytes == sizeof(void *)) /* most often, and then it is two instructions */
        memcpy(to, from, sizeof(void *));
    else if (bytes) /* without bytes the pointers may be NULL */
        memcpy(to, from, bytes);
}

/* Whether the next item cannot go in: no room, or no chunk for it. */
static inline bool store_is_full(const struct store *store)
{
    if (store->capacity != STORE_UNBOUNDED)
        return store->count == store->capacity;
    return store->end == store->chunk_items && !store->spare;
}

static inline void *store_at(const struct store *store, void *items, size_t index)
{
    return (unsigned char *)items + index * store->item_bytes;
}

/* Where the oldest item is. There must be one. */
static inline void *store_first(const struct store *store)
{
    void *items = store->items;

    if (store->capacity == STORE_UNBOUNDED)
        items = ((struct chunk *)store->items)->items;
    return store_at(store, items, store->first);
}

/* Puts an item in. It must not be full. */
static inline void store_push(struct store *store, const void *item)
{
    void *place;

    if (store->capacity == STORE_UNBOUNDED) {
        if (store->end == store->chunk_items) {
            struct chunk *chunk = store->spare;

            store->spare = chunk->next;
            chunk->next = NULL;
            store->last->next = chunk;
            store->last = chunk;
            store->end = 0;
        }
        place = store_at(store, store->last->items, store->end++);
    } else {
        size_t index = store->first + store->count; /* below 2 * capacity, which init bounds */

        place = store_at(store, store->items,
                         index < store->capacity ? index : index - store->capacity);
    }
    item_copy(place, item, store->item_bytes);
    store->count++;
}

/* Forgets the oldest item. Returns a chunk to be freed outside the lock, or NULL. */
static inline struct chunk *store_skip(struct store *store)
{
    struct chunk *emptied = NULL;

    store->count--;
    store->first++;
    if (store->capacity != STORE_UNBOUNDED) {
        if (store->first == store->capacity)
            store->first = 0;
    } else if (store->count == 0) {
        store->first = store->end = 0; /* I2 */
    } else if (store->first == store->chunk_items) {
        emptied = store->items;
        store->items = emptied->next;
        store->first = 0;
        if (!store->spare) {
            emptied->next = NULL;
            store->spare = emptied;
            emptied = NULL;
        }
    }
    return emptied;
}

#endif
