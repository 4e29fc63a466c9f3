/*
 * slab - the slots of all tasks, jobs and promises: type-stable, found by number.
 *
 * Slots come in chunks that are never given back before the runtime ends. Each worker keeps two
 * batches of free slots, and passes a whole batch to the shared list, or takes one from it, when
 * both are full or empty: one lock for TUNE_SLOT_BATCH slots, however tasks move between workers.
 */
#ifndef WEFT_CORE_SLAB_H
#define WEFT_CORE_SLAB_H

#include "core/future.h"
#include "core/tuning.h"

#define CHUNK_SLOTS 4096u
#define CHUNKS_MOST 4096u

/* Free slots, linked through future->owner. */
struct slot_batch {
    struct future *first;
    uint32_t count;
};

struct slot_cache {
    struct slot_batch hot, spare;
};

struct slab {
    _Atomic(char *) chunks[CHUNKS_MOST]; /* (a) set once, under the lock */
    uint32_t first_generation;           /* (i) differs from run to run */
    struct lock lock;                    /* of all below */
    struct future *batches; /* full batches, linked by the watchers of their first slot */
    struct slot_batch odd;  /* single ones, given back by threads without a cache */
    uint32_t used;          /* slots handed out at least once; slot 0 never is */
};

void weft__slab_init(struct slab *slab, uint32_t first_generation);
void weft__slab_destroy(struct slab *slab);

/* Takes a slot, whose state has a fresh generation and no flags. cache is the calling worker's, or
 * NULL. NULL: no memory. */
struct future *weft__slab_take(struct slab *slab, struct slot_cache *cache);

/* weft__slab_take where the cache has one at hand; NULL: it has not. */
static inline struct future *slab_take_hot(struct slot_cache *cache)
{
    struct future *future = cache->hot.first;

    if (!future)
        return NULL;
    cache->hot.first = (struct future *)future->owner;
    cache->hot.count--;
    future->owner = NULL;
    future->watchers = (struct list){0};
    return future;
}

/* Gives a slot back: its generation is over from here on. */
void weft__slab_give(struct slab *slab, struct slot_cache *cache, struct future *future);

/* Gives back all that a worker's cache holds. */
void weft__slab_flush(struct slab *slab, struct slot_cache *cache);

/* The slot of that number, whatever lives there; NULL if there has never been one. */
static inline struct future *weft__slab_at(struct slab *slab, uint32_t slot)
{
    char *chunk = slot / CHUNK_SLOTS < CHUNKS_MOST
                      ? load_acquire(&slab->chunks[slot / CHUNK_SLOTS]) /* pairs with chunk_for() */
                      : NULL;

    return chunk && slot ? (struct future *)(void *)(chunk + slot % CHUNK_SLOTS * SLOT_BYTES)
                         : NULL;
}

/* How many slots there are: slot 1 to this number may be in use. */
uint32_t weft__slab_used(struct slab *slab);

#endif
