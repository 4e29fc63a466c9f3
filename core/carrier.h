/*
 * carrier - a thread that carries a worker, and may lose it to another thread (handover.h).
 *
 *     the thread of `carrier`                    the taker
 *     place := CALLS                             worker := NULL
 *     reads worker, uses it                      membarrier
 *     place := IN_TASK                           reads place: IN_TASK, the worker is taken; else given back
 *
 * Invariants  I1  who touches what belongs to a worker has marked himself inside first, and has read
 *                 `worker` after that: the taker then sees the mark, or he sees that the worker is gone
 *             I2  between tasks the mark is set: a worker is taken only from under a task
 *             I3  NULL is not the last word while `taking` is set. Who only wants to use the worker need
 *                 not care, and does without; who carries on with the next task waits for it
 *             I4  task, after and fiber are the thread's, not the worker's: a task that has lost its
 *                 worker suspends and ends as any other
 *
 * The mark is a plain store of the processor, which only the compiler keeps before the load that follows;
 * the membarrier does the rest. A suspension ends it, and the carrier is another one then: so whoever leaves
 * has not suspended since he entered, but for weft__loop_run, which says how. Model: tests/model/carrier.c
 */
#ifndef WEFT_CORE_CARRIER_H
#define WEFT_CORE_CARRIER_H

#include "core/atomic.h"
#include "core/fiber.h"

struct runtime;
struct task;
struct worker;

/* Where the thread is; inside is all but the first. */
enum carrier_place {
    CARRIER_IN_TASK, /* the task's own code runs, or what it calls touches no worker */
    CARRIER_CALLS,   /* inside, for a call; and all the time between tasks */
    CARRIER_SETTLES, /* a task has just left its stack, and `after` runs */
};

struct carrier {
    _Alignas(WEFT_LINE) struct task *task; /* (w) the running task, NULL between tasks */
    _Atomic(struct worker *) worker;       /* (a) its own, or NULL */
    _Atomic uint32_t place;                /* (w+) enum carrier_place */
    _Atomic uint32_t taking;               /* (a) 1: somebody is about to take its worker */
    struct fiber fiber;                    /* (w) its own context, while a task runs */
    void (*after)(struct runtime *, struct worker *, struct task *,
                  void *);     /* (w) or NULL; see worker.h */
    void *after_arg;           /* (w) */
    struct task *left;         /* (w) whose stack the switch leaves */
    struct fiber dead;         /* (w) of a task that has ended: it still stands */
    size_t dead_bytes;         /* (w) on its stack */
    struct fiber_modes modes;  /* (i) that a fresh task begins with */
    struct runtime *runtime;   /* (w) whose workers it may carry; NULL: any other thread */
    void *signal_stack;        /* (w) see overflow.c */
    struct carrier *next_idle; /* in the list of spares; under its lock */
    _Atomic uint32_t go;       /* (a) 1: a spare was given a worker, or must end */
};

/* The calling thread's; every thread has one. Not inlined, so that no compiler keeps its thread-local
 * address over a suspension: after one, ask again. */
struct carrier *weft__carrier(void);

/* The worker that the thread carries, NULL: none. If the thread is inside, nobody takes it before carrier_leave; one
 * who tries, and comes too late, shows NULL for a moment. */
static inline struct worker *carrier_worker(struct carrier *carrier)
{
    return load_relaxed(&carrier->worker); /* relaxed: I1, ordered by the taker's membarrier */
}

/* The same for who has come back from a task, once it is decided whether the worker is gone: I3. */
struct worker *weft__carrier_kept_slow(struct carrier *carrier);

static inline struct worker *carrier_kept(struct carrier *carrier)
{
    /* acquire: pairs with take(): with the NULL comes `taking` */
    struct worker *worker = load_acquire(&carrier->worker);

    return worker ? worker : weft__carrier_kept_slow(carrier);
}

/* Marks the thread as inside: until carrier_leave, or until the task that suspends is resumed. */
static inline void carrier_mark(struct carrier *carrier, enum carrier_place place)
{
    /* release: pairs with take(), which acquires what the thread has seen before */
    store_release(&carrier->place, (uint32_t)place);
    compiler_barrier(); /* I1: the taker's membarrier makes it a full one */
}

/* The same for a call, which may stand inside another; `*ret_was` is for carrier_leave. */
static inline struct worker *carrier_enter(struct carrier *carrier, uint32_t *ret_was)
{
    *ret_was = load_relaxed(&carrier->place); /* relaxed: own field */
    carrier_mark(carrier, CARRIER_CALLS);
    return carrier_worker(carrier);
}

static inline void carrier_leave(struct carrier *carrier, uint32_t was)
{
    store_release(&carrier->place, was); /* pairs with take() in handover.c */
}

#endif
