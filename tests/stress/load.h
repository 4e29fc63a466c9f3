/*
 * load - tasks that wait for whatever there is, and the ledger of what they take and give back.
 *
 * All share a few objects. Each task runs once (load_run) or is dropped once (load_dropped); it waits in
 * one of many ways, and puts into the books what really happened. load_close tells whether everything
 * balances to the unit: tasks, permits, locks, items, bytes, descriptors, weft's memory.
 */
#ifndef WEFT_TESTS_STRESS_LOAD_H
#define WEFT_TESTS_STRESS_LOAD_H

#include "check.h"

#define LOAD_PERMITS 5
#define LOAD_FDS     64 /* descriptors that are looked at */

enum load_way {
    SLEEPS,
    AWAITS,
    GATHERS,
    RACES,
    PERMIT,
    LOCK,
    READS,
    SENDS,
    RECEIVES,
    SELECTS,
    EVENT,
    WIRE,
    OFFLOADS,
    TIME_OUT,
    SCOPES,
    YIELDS,
    WAYS
};

struct load {
    weft_sem sem;
    weft_mutex mutex;
    weft_rwlock rwlock;
    weft_event event;
    weft_channel channel;
    int wires[2];
    _Atomic int spawned, ended, dropped; /* the first is the caller's to count */
    _Atomic int inside, too_many, writing, wrong;
    _Atomic long sent, received, written, read;
    int64_t pieces;  /* of weft's memory, before */
    int descriptors; /* before */
};

struct load_task {
    struct load *load;
    uint64_t random;
    enum load_way way;
};

/* Outside a runtime. The channel has this capacity. Returns 0 or -errno. */
int load_open(struct load *load, size_t capacity);

/* Outside a runtime, after the last task. Returns NULL, or what does not balance. */
const char *load_close(struct load *load);

/* What a task runs, and what is called if it never starts; the argument is a struct load_task. */
int load_run(void *task);
void load_dropped(void *task);

/* Whether it may wait until somebody else comes, cancels it, or calls load_help. */
bool load_may_wait_for_ever(enum load_way way);

/* Lets some of those go on. From a task. */
void load_help(struct load *load, uint64_t random);

#endif
