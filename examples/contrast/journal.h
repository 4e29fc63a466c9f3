/*
 * journal.h - who did what when: the events that the page draws.
 *
 * Any thread adds to it at any time without waiting: an atomic index hands out the places of an
 * array that is as large as it will ever be. It is read when all writers have ended.
 */
#ifndef CONTRAST_JOURNAL_H
#define CONTRAST_JOURNAL_H

#include <stdatomic.h>

#include "contrast.h"

enum event_kind {
    EVENT_WAIT,   /* something is awaited, and no thread is held by that */
    EVENT_WORK,   /* a thread is held: it computes, or blocks */
    EVENT_BEAT,   /* the heartbeat came back */
    EVENT_FREEZE, /* the heartbeat was late, from the moment it was due */
};

/** Whose thread it was. */
enum lane { LANE_NONE, LANE_MAIN, LANE_WORKER, LANE_POOL, LANE_BLOCKING };

struct event {
    const char *name; /* a constant */
    weft_time begin;
    weft_time end;
    int thread; /* of the one who added it; 0 for waits */
    enum way way;
    enum event_kind kind;
    enum lane lane;
};

struct journal {
    struct event *events;
    size_t room;
    atomic_size_t asked; /* places handed out; more than room means that some were lost */
};

/** Makes room. Returns: 0; -ENOMEM. Owns: journal_free frees it. */
int journal_init(struct journal *journal);
void journal_free(struct journal *journal);

/** Adds what happened from `begin` until now on this thread, or, on LANE_NONE, on none. */
void journal_add(struct run *run, enum event_kind kind, enum lane lane, const char *name,
                 weft_time begin);

/** Adds a freeze, which ends at a given moment. */
void journal_add_freeze(struct run *run, weft_time begin, weft_time end);

/** How many events there are to read. */
size_t journal_count(const struct journal *journal);

#endif
