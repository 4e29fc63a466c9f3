/*
 * store - see store.h: where the memory comes from and goes to.
 */
#include "sync/store.h"

#include "core/sys.h"
#include "core/tuning.h"

static size_t chunk_items(const struct store *store)
{
    size_t fit = store->item_bytes ? TUNE_CHUNK_BYTES / store->item_bytes : TUNE_CHUNK_BYTES;

    return fit > TUNE_CHUNK_ITEMS ? fit : TUNE_CHUNK_ITEMS;
}

struct chunk *weft__chunk_new(const struct store *store)
{
    /* No overflow: init has made sure that so many items can be counted in bytes. */
    return weft__sys_alloc(sizeof(struct chunk) + chunk_items(store) * store->item_bytes);
}

void weft__store_add_chunk(struct store *store, struct chunk *chunk)
{
    if (store->items) {
        chunk->next = store->spare;
        store->spare = chunk;
        return;
    }
    store->items = store->last = chunk;
    store->chunk_items = chunk_items(store);
}

static void free_chunks(struct chunk *chunk)
{
    while (chunk) {
        struct chunk *next = chunk->next;

        weft__sys_free(chunk);
        chunk = next;
    }
}

void weft__store_destroy(struct store *store)
{
    if (store->capacity == STORE_UNBOUNDED) {
        free_chunks(store->items);
        free_chunks(store->spare);
    } else {
        weft__sys_free(store->items);
    }
}
