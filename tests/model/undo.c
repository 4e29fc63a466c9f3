/*
 * undo - see undo.h.
 */
#include "tests/model/undo.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/model/model.h"

struct undo_entry *undo_entries;
size_t undo_count, undo_room;
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

void undo_reset(void) { undo_count = 0; }

void model_keep(const volatile void *at, size_t bytes)
{
    unsigned i = 0;

    while (i < KEPT - 1 && kept[i].at && kept[i].at != (uintptr_t)at)
        i++;
    kept[i] = (struct kept){(uintptr_t)at, bytes};
}

bool undo_is_kept(uintptr_t at)
{
    for (unsigned i = 0; i < KEPT; i++)
        if (at - kept[i].at < kept[i].bytes)
            return true;
    return false;
}

void undo_more(void)
{
    undo_room = undo_room ? undo_room * 2 : 4096;
    undo_entries = more(undo_entries, undo_room * sizeof *undo_entries);
}

size_t undo_mark(void) { return undo_count; }

void undo_back(size_t mark)
{
    while (undo_count > mark) {
        struct undo_entry *entry = &undo_entries[--undo_count];
        void *at = (void *)entry->at;

        switch (entry->bytes) {
        case 16: memcpy(at, entry->was, 16); break;
        case 8: memcpy(at, entry->was, 8); break;
        case 4: memcpy(at, entry->was, 4); break;
        default: memcpy(at, entry->was, entry->bytes);
        }
    }
}

void copy_room(struct copy *copy, size_t bytes)
{
    copy->room = 2 * (copy->used + bytes) + 4096;
    copy->bytes = more(copy->bytes, copy->room);
}
