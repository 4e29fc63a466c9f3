/*
 * edges - who waits for whom, and the circle that a call is about to close.
 *
 * A task that is about to wait for what only other tasks can end lays an edge on its stack, and lets
 * its descriptor point to it:
 *
 *     task --waits_for--> edge --> a mutex ------owner----> task
 *                                  futures --------------->> tasks    all that have not ended
 *                                  a scope -----members--->> tasks    all that have not ended
 *
 * Every edge means "not before": who waits goes on only when each of those tasks has done its part. So
 * a circle of edges is a fact, and not a guess. Whoever lays the edge that closes it finds it, by a
 * walk from its own edge, and one call of the circle is woken with WAKE_DEADLOCK. Chains end at a
 * task that runs or waits for anything else (time, bytes, a permit, an event), at a promise, a job
 * and a plain thread: from there help may come.
 *
 *     edge_lay                     the descriptor points to it
 *     weft__wait_begin, _again     announced: from here on walkers see it
 *     weft__edge_check             if what it leads to waits as well: walks
 *     weft__wait_commit            gives WAKE_DEADLOCK if a walk has chosen this wait
 *     edge_lift                    waits until no walker looks at it
 *
 * Invariants  I1  an edge is read by its own task, or by a walker that has pinned its task and then
 *                 found the wait still on; edge_lift returns only when that is over
 *             I2  a circle is believed only when it was read twice with every task in the same wait
 *                 (seq) both times: then all of its edges held at once, at the moment between the two
 *                 readings, although each was read at a time of its own
 *             I3  all walks stand under one lock. Of the tasks that close a circle together the last
 *                 to announce its wait sees all edges; a wait that a walk has ended is over for the
 *                 walks after it. So exactly one call answers
 * Edges       E1  walker: pinned = 1, then word       edge_lift: word (WOKEN), then pinned
 *                 a wake is a sequentially consistent step: a walker that still finds the wait on comes
 *                 before it, and who was woken then finds the pin
 *             E2  lay, then announce, then walk       the same in another task
 *                 the words are sequentially consistent: one of the two walks sees the other's edge
 *
 * A circle may hold a wait that a deadline or a cancel would end later; it is told all the same.
 * A walk looks at TUNE_WALK_LOOKS tasks at most and remembers TUNE_WALK_STEPS: a circle that is larger
 * may be missed. No circle is ever invented.
 */
#ifndef WEFT_CORE_EDGES_H
#define WEFT_CORE_EDGES_H

#include "core/future.h"
#include "core/tuning.h"

struct scope;

/* The reason that ends a wait whose call is to answer -EDEADLK. */
#define WAKE_DEADLOCK 0xfffeu

/* The word that says who owns a mutex: generation:32 | slot:29 | flags, or a thread with its flag. */
#define OWNER_WAITED     UINT64_C(1) /* somebody may wait for it */
#define OWNER_THREAD     UINT64_C(2) /* a plain thread or a job: the rest is its pthread_t */
#define OWNER_DEAD       UINT64_C(4) /* an owner has ended without unlocking, and nobody was told yet */
#define OWNER_FLAGS      (OWNER_WAITED | OWNER_DEAD)
#define OWNER_SLOT_SHIFT 3

enum edge_kind { EDGE_MUTEX, EDGE_FUTURES, EDGE_SCOPE };

/* What calls it. */
struct edge_call {
    const char *name; /* for people */
    enum edge_kind kind;
    bool answers; /* it can return -EDEADLK */
};

/* What one wait is for; on the stack of who waits. Does not change while it is laid, but for told. */
struct edge {
    const struct edge_call *call;
    bool told; /* was part of a circle that was reported; of walkers, under their lock */
    union {
        struct {
            _Atomic uint64_t *owner; /* who the mutex belongs to */
            const void *mutex;       /* its address, for people */
        };
        struct {
            const weft_future *futures;
            size_t count;
        };
        struct scope *scope;
    };
};

/* One task of a walk. */
struct step {
    struct future *task;
    uint32_t seq;  /* of its wait, at the first reading */
    uint32_t from; /* the step that led here */
    uint32_t next; /* on a circle: the step after this one */
};

/* The runtime's: what the walk under way has seen. Step 0 is the walker itself. */
struct edges {
    struct lock lock; /* of all below, and of all pins */
    uint32_t count;
    uint32_t looks;        /* that are left */
    struct future *victim; /* who was chosen last, in which wait, and what it is told */
    uint32_t victim_seq;
    char why[480];
    struct step steps[TUNE_WALK_STEPS];
};

/* Before the wait of the running task is announced. NULL, a plain thread: does nothing. */
static inline void edge_lay(struct task *task, struct edge *edge)
{
    if (task) /* relaxed: published by the word of the wait, E2; a task begins with its future */
        store_relaxed(&((struct future *)(void *)task)->waits_for, edge);
}

void weft__edge_unpin(struct sleeper *sleeper);

/* After the wait is over, before edge and object may go. */
static inline void edge_lift(struct waiter *waiter)
{
    struct future *future = (struct future *)(void *)waiter->sleeper->task;

    if (!future)
        return;
    store_relaxed(&future->waits_for, NULL); /* relaxed: as in edge_lay */
    if (load_seq(&future->pinned))           /* E1 */
        weft__edge_unpin(waiter->sleeper);
}

/* Between announcement and commit, with no lock held: looks for a circle, reports it, and wakes the
 * call that is to answer; mostly this one. Does not suspend. */
void weft__edge_check(struct waiter *waiter, const struct edge *edge);

/* The same, short, for an edge to one future, which the caller has claimed. */
void weft__edge_check_one(struct waiter *waiter, const struct edge *edge, struct future *future);

/* What a call returns that was chosen: -EDEADLK; weft_why() then names the circle. After edge_lift. */
int weft__edge_answer(const struct waiter *waiter);

/* The owner word of a task. */
static inline uint64_t owner_word(const struct future *task)
{
    /* relaxed: the generation does not change while the task lives */
    uint64_t state = load_relaxed(&((struct future *)(uintptr_t)task)->state);

    return (state & ~(uint64_t)UINT32_MAX) | (uint64_t)task->slot << OWNER_SLOT_SHIFT;
}

/* The floor above: sync/mutex.c defines it, and core calls it when a task has ended with mutexes in
 * its list. Reports each, and lets it go, marked for whoever gets it next. */
void weft__mutexes_abandon(struct task *task);

#endif
