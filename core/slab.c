/*
 * slab - see slab.h.
 */
#include "core/slab.h"

#include "core/sys.h"

#define CHUNK_BYTES ((size_t)CHUNK_SLOTS * SLOT_BYTES)

void weft__slab_init(struct slab *slab, uint32_t first_generation)
{
    slab->first_generation = first_generation;
    slab->used = 1;
}

void weft__slab_destroy(struct slab *slab)
{
    for (uint32_t i = 0; i < CHUNKS_MOST; i++) {
        char *chunk = load_relaxed(&slab->chunks[i]); /* relaxed: nobody else is left */

        if (chunk)
            weft__sys_munmap(chunk, CHUNK_BYTES);
    }
}

uint32_t weft__slab_used(struct slab *slab)
{
    lock_acquire(&slab->lock);
    uint32_t used = slab->used;
    lock_release(&slab->lock);
    return used - 1;
}

static bool chunk_for_locked(struct slab *slab, uint32_t slot)
{
    void *chunk;

    if (slot / CHUNK_SLOTS >= CHUNKS_MOST)
        return false;
    if (load_relaxed(&slab->chunks[slot / CHUNK_SLOTS])) /* relaxed: under the lock */
        return true;
    if (weft__sys_mmap(CHUNK_BYTES, &chunk) < 0)
        return false;
    store_release(&slab->chunks[slot / CHUNK_SLOTS], chunk); /* pairs with weft__slab_at() */
    return true;
}

/* Slots that have never been used, up to `most`, as a batch. */
static struct slot_batch fresh_locked(struct slab *slab, uint32_t most)
{
    struct slot_batch batch = {0};

    while (batch.count < most && chunk_for_locked(slab, slab->used)) {
        struct future *future = weft__slab_at(slab, slab->used);

        future->slot = slab->used++;
        /* relaxed: nobody has a handle of this slot yet */
        store_relaxed(&future->state, (uint64_t)slab->first_generation << 32);
        future->owner = (struct group *)batch.first;
        batch.first = future;
        batch.count++;
    }
    return batch;
}

static struct future *batch_pop(struct slot_batch *batch)
{
    struct future *future = batch->first;

    if (future) {
        batch->first = (struct future *)future->owner;
        batch->count--;
    }
    return future;
}

static void batch_push(struct slot_batch *batch, struct future *future)
{
    future->owner = (struct group *)batch->first;
    batch->first = future;
    batch->count++;
}

static struct slot_batch take_batch(struct slab *slab)
{
    struct slot_batch batch = {0};

    lock_acquire(&slab->lock);
    if (slab->batches) {
        batch = (struct slot_batch){.first = slab->batches, .count = TUNE_SLOT_BATCH};
        slab->batches = (struct future *)(void *)batch.first->watchers.first;
    } else if (slab->odd.count > 0) {
        while (batch.count < TUNE_SLOT_BATCH && slab->odd.count > 0)
            batch_push(&batch, batch_pop(&slab->odd));
    } else {
        batch = fresh_locked(slab, TUNE_SLOT_BATCH);
    }
    lock_release(&slab->lock);
    return batch;
}

static void give_batch_locked(struct slab *slab, struct slot_batch *batch)
{
    batch->first->watchers.first = (struct link *)(void *)slab->batches;
    slab->batches = batch->first;
    *batch = (struct slot_batch){0};
}

/* One slot for a thread without a cache. What workers have given back comes before new ones: a
 * thread that only spawns, tasks that workers free, would else use up all memory. */
static struct future *take_shared(struct slab *slab)
{
    lock_acquire(&slab->lock);
    if (!slab->odd.first && slab->batches) {
        slab->odd = (struct slot_batch){.first = slab->batches, .count = TUNE_SLOT_BATCH};
        slab->batches = (struct future *)(void *)slab->odd.first->watchers.first;
    }
    struct future *future = batch_pop(&slab->odd);
    if (!future) {
        struct slot_batch fresh = fresh_locked(slab, 1);

        future = fresh.first;
    }
    lock_release(&slab->lock);
    return future;
}

struct future *weft__slab_take(struct slab *slab, struct slot_cache *cache)
{
    struct future *future;

    if (cache) {
        if (!cache->hot.first) {
            cache->hot = cache->spare.first ? cache->spare : take_batch(slab);
            cache->spare = (struct slot_batch){0};
        }
        return slab_take_hot(cache);
    }
    future = take_shared(slab);
    if (future) {
        future->owner = NULL;
        future->watchers = (struct list){0};
    }
    return future;
}

void weft__slab_give(struct slab *slab, struct slot_cache *cache, struct future *future)
{
    uint32_t generation = future_generation(load_relaxed(&future->state)) + 1; /* own until given */

    if (generation == 0)
        generation = 1; /* 0 marks a slot never used */
    /* Old handles are stale from here on. Release: pairs with look(), which reads a later status first. */
    store_release(&future->state, (uint64_t)generation << 32);
    if (!cache) {
        lock_acquire(&slab->lock);
        batch_push(&slab->odd, future);
        lock_release(&slab->lock);
        return;
    }
    if (cache->hot.count == TUNE_SLOT_BATCH) {
        if (cache->spare.count == TUNE_SLOT_BATCH) {
            lock_acquire(&slab->lock);
            give_batch_locked(slab, &cache->spare);
            lock_release(&slab->lock);
        }
        struct slot_batch full = cache->hot;
        cache->hot = cache->spare;
        cache->spare = full;
    }
    batch_push(&cache->hot, future);
}

void weft__slab_flush(struct slab *slab, struct slot_cache *cache)
{
    lock_acquire(&slab->lock);
    while (cache->hot.first)
        batch_push(&slab->odd, batch_pop(&cache->hot));
    while (cache->spare.first)
        batch_push(&slab->odd, batch_pop(&cache->spare));
    lock_release(&slab->lock);
}
