#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROOM = 1 << 17 }; /* a beat each 10 ms for over 20 minutes; pages are touched as needed */

int journal_init(struct journal *journal)
{
    *journal = (struct journal){.events = calloc(ROOM, sizeof(struct event)), .room = ROOM};
    return journal->events ? 0 : -ENOMEM;
}

void journal_free(struct journal *journal)
{
    free(journal->events);
    journal->events = NULL;
}

static void add(struct journal *journal, struct event event)
{
    size_t place = atomic_fetch_add(&journal->asked, 1);

    if (place < journal->room)
        journal->events[place] = event;
}

void journal_add(struct run *run, enum event_kind kind, enum lane lane, const char *name,
                 weft_time begin)
{
    add(run->journal, (struct event){.name = name,
                                     .begin = begin,
                                     .end = weft_now(),
                                     .thread = lane == LANE_NONE ? 0 : gettid(),
                                     .way = run->way,
                                     .kind = kind,
                                     .lane = lane});
}

void journal_add_freeze(struct run *run, weft_time begin, weft_time end)
{
    add(run->journal,
        (struct event){
            .name = "frozen", .begin = begin, .end = end, .way = run->way, .kind = EVENT_FREEZE});
}

size_t journal_count(const struct journal *journal)
{
    size_t asked = atomic_load(&journal->asked);

    return asked < journal->room ? asked : journal->room;
}
