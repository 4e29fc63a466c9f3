/*
 * undo - see undo.h.
 */
#include "tests/model/undo.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/model/model.h"

/* Eight bytes, and as many of them as were there. */
static struct entry {
    uintptr_t at;
    uint32_t bytes;
    uint64_t was;
} * entries;
static size_t count, room;
bool undo_is_on;

#define KEPT 4
static struct kept {
    uintptr_t at;
    size_t bytes;
} kept[KEPT];

static void *more(void *old, size_t bytes)
{
    void *fresh = realloc(old, bytes);

    if (!fresh) {
        fprintf(stderr, "model: no memory\n");
        exit(2);
    }
    return fresh;
}

void undo_reset(void) { count = 0; }

void model_keep(const volatile void *at, size_t bytes)
{
    unsigned i = 0;

    while (i < KEPT - 1 && kept[i].at && kept[i].at != (uintptr_t)at)
        i++;
    kept[i] = (struct kept){(uintptr_t)at, bytes};
}

static bool is_kept(uintptr_t at)
{
    for (unsigned i = 0; i < KEPT; i++)
        if (at - kept[i].at < kept[i].bytes)
            return true;
    return false;
}

void undo_note_slow(const volatile void *at, size_t bytes)
{
    uintptr_t from = (uintptr_t)at, end = from + bytes;

    if (is_kept(from))
        return;
    for (; from < end; from += 8) {
        if (count == room) {
            room = room ? room * 2 : 4096;
            entries = more(entries, room * sizeof *entries);
        }
        struct entry *entry = &entries[count++];

        entry->at = from;
        entry->bytes = (uint32_t)(end - from < 8 ? end - from : 8);
        if (entry->bytes == 8)
            memcpy(&entry->was, (void *)from, 8);
        else
            memcpy(&entry->was, (void *)from, entry->bytes);
    }
}

size_t undo_mark(void) { return count; }

void undo_back(size_t mark)
{
    while (count > mark) {
        struct entry *entry = &entries[--count];

        if (entry->bytes == 8)
            memcpy((void *)entry->at, &entry->was, 8);
        else
            memcpy((void *)entry->at, &entry->was, entry->bytes);
    }
}

void copy_room(struct copy *copy, size_t bytes)
{
    copy->room = 2 * (copy->used + bytes) + 4096;
    copy->bytes = more(copy->bytes, copy->room);
}
