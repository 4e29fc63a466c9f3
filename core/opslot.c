/*
 * opslot - see opslot.h. Slots come in chunks that never move; only the table of chunks grows.
 */
#include "core/opslot.h"

#include <errno.h>

#include "core/sys.h"

#define CHUNK_SLOTS 256
#define MOST_CHUNKS 65536 /* 16 million operations in flight in one loop; I3 */

static struct opslot *slot_at(struct opslots *slots, uint32_t index)
{
    return &slots->chunks[index / CHUNK_SLOTS][index % CHUNK_SLOTS];
}

static uint64_t key_of(uint32_t index, uint32_t generation)
{
    return (uint64_t)generation << 32 | index;
}

/* One more chunk, all its slots free. Lock held. */
static int grow(struct opslots *slots)
{
    uint32_t first = slots->chunk_count * CHUNK_SLOTS;

    if (slots->chunk_count == MOST_CHUNKS)
        return -ENOMEM;
    struct opslot **chunks =
        weft__sys_realloc(slots->chunks, (slots->chunk_count + 1) * sizeof *chunks);
    if (!chunks)
        return -ENOMEM;
    slots->chunks = chunks;
    struct opslot *chunk = weft__sys_alloc(CHUNK_SLOTS * sizeof *chunk);
    if (!chunk)
        return -ENOMEM;
    chunks[slots->chunk_count++] = chunk;
    for (uint32_t i = 0; i < CHUNK_SLOTS; i++) {
        chunk[i].generation = 1;
        chunk[i].next = i + 1 < CHUNK_SLOTS ? first + i + 2 : slots->free;
    }
    slots->free = first + 1;
    return 0;
}

int weft__opslot_take(struct opslots *slots, uint64_t *ret_key)
{
    int rc = 0;

    lock_acquire(&slots->lock);
    if (slots->free == 0)
        rc = grow(slots);
    if (rc == 0) {
        uint32_t index = slots->free - 1;
        struct opslot *slot = slot_at(slots, index);

        slots->free = slot->next;
        slot->is_used = true;
        add_seq(&slots->used, 1); /* before the operation begins: others count it (quiet.h) */
        *ret_key = key_of(index, slot->generation);
    }
    lock_release(&slots->lock);
    return rc;
}

void weft__opslot_aim(struct opslots *slots, uint64_t key, const struct waiter *waiter,
                      ssize_t *result)
{
    lock_acquire(&slots->lock);
    struct opslot *slot = slot_at(slots, (uint32_t)key);

    slot->sleeper = waiter->sleeper;
    slot->seq = waiter->seq;
    slot->result = result;
    lock_release(&slots->lock);
}

struct opslot *weft__opslot_find(struct opslots *slots, uint64_t key)
{
    uint32_t index = (uint32_t)key;

    if (index / CHUNK_SLOTS >= slots->chunk_count)
        return NULL;
    struct opslot *slot = slot_at(slots, index);

    return slot->is_used && slot->generation == (uint32_t)(key >> 32) ? slot : NULL;
}

/* Free again, under a new generation. Lock held. */
static void recycle(struct opslots *slots, uint32_t index)
{
    struct opslot *slot = slot_at(slots, index);
    uint32_t generation = slot->generation + 1;

    *slot = (struct opslot){.generation = generation ? generation : 1, .next = slots->free};
    slots->free = index + 1;
}

void weft__opslot_give(struct opslots *slots, uint64_t key)
{
    struct opslot *slot = slot_at(slots, (uint32_t)key);

    (void)sub_seq(&slots->used, 1); /* the count before does not matter */
    slot->is_used = false;
    if (!slot->is_to_cancel) /* else it stands in that list, and next_cancel recycles it */
        recycle(slots, (uint32_t)key);
}

void weft__opslot_ask_cancel_locked(struct opslots *slots, uint64_t key)
{
    struct opslot *slot = weft__opslot_find(slots, key);

    if (slot && !slot->is_to_cancel) {
        slot->is_to_cancel = true;
        slot->next = slots->to_cancel;
        slots->to_cancel = (uint32_t)key + 1;
    }
}

void weft__opslot_ask_cancel(struct opslots *slots, uint64_t key)
{
    lock_acquire(&slots->lock);
    weft__opslot_ask_cancel_locked(slots, key);
    lock_release(&slots->lock);
}

uint64_t weft__opslot_next_cancel(struct opslots *slots)
{
    uint64_t key = 0;

    lock_acquire(&slots->lock);
    while (key == 0 && slots->to_cancel != 0) {
        uint32_t index = slots->to_cancel - 1;
        struct opslot *slot = slot_at(slots, index);

        slots->to_cancel = slot->next;
        slot->is_to_cancel = false;
        if (slot->is_used)
            key = key_of(index, slot->generation);
        else
            recycle(slots, index);
    }
    lock_release(&slots->lock);
    return key;
}

void weft__opslots_destroy(struct opslots *slots)
{
    for (uint32_t i = 0; i < slots->chunk_count; i++)
        weft__sys_free(slots->chunks[i]);
    weft__sys_free(slots->chunks);
}
