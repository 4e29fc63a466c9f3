/*
 * undo - takes an execution back to an earlier choice, so that what came before it is not run again.
 *
 * Whoever changes memory of the sources or of the checker notes first what stood there. State that is small or
 * changes at each step is copied as a whole, where something is left to choose: each file has a function
 * for what is its own, which serves both ways.
 */
#ifndef WEFT_TESTS_MODEL_UNDO_H
#define WEFT_TESTS_MODEL_UNDO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Off: nothing is noted, since executions are run from the beginning. */
extern bool undo_is_on;

void undo_reset(void);
bool undo_is_kept(uintptr_t at); /* model_keep */

/* Up to 16 bytes. */
struct undo_entry {
    uintptr_t at;
    size_t bytes;
    unsigned char was[16];
};

extern struct undo_entry *undo_entries;
extern size_t undo_count, undo_room;
void undo_more(void);

static inline void undo_note(const volatile void *at, size_t bytes)
{
    const unsigned char *from = (const unsigned char *)at, *end = from + bytes;

    if (!undo_is_on)
        return;
    for (; from < end; from += 16) {
        if (undo_count == undo_room)
            undo_more();
        struct undo_entry *entry = &undo_entries[undo_count++];

        entry->at = (uintptr_t)from;
        entry->bytes = (size_t)(end - from) < 16 ? (size_t)(end - from) : 16;
        memcpy(entry->was, from, entry->bytes);
    }
}

size_t undo_mark(void);
void undo_back(size_t mark);

struct copy {
    unsigned char *bytes;
    size_t used, room;
    bool is_back;
};

void copy_room(struct copy *copy, size_t bytes);

static inline void copy_part(struct copy *copy, void *at, size_t bytes)
{
    if (copy->is_back) {
        memcpy(at, copy->bytes + copy->used, bytes);
    } else {
        if (copy->room - copy->used < bytes)
            copy_room(copy, bytes);
        memcpy(copy->bytes + copy->used, at, bytes);
    }
    copy->used += bytes;
}

/* What each file has of it. */
void coroutine_copy(struct copy *copy);
void memory_copy(struct copy *copy);
void plain_copy(struct copy *copy);
void schedule_copy(struct copy *copy);
void total_copy(struct copy *copy);
void trace_copy(struct copy *copy);

#endif
