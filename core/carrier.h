/*
 * carrier - a thread that carries a worker, and may lose it to another thread (handover.h).
 *
 *     the thread of `carrier`                    the taker
 *     inside := 1                                worker := NULL
 *     reads worker, uses it                      membarrier
 *     inside := 0                                reads inside: 0, the worker is taken; 1, given back
 *
 * Invariants  I1  who touches what belongs to a worker has marked himself inside first, and has read
 *                 `worker` after that: the taker then sees the mark, or he sees that the worker is gone
 *             I2  between tasks the mark is set: a worker is taken only from under a task
 *             I3  while `taking` is set, NULL is not the last word: who finds it waits for that
 *             I4  task, after and fiber are the thread's, not the worker's: a task that has lost its
 *                 worker suspends and ends as any other
 *
 * The mark is a plain store, ordered for the compiler alone: the membarrier does the rest. No suspension
 * between carrier_enter and carrier_leave, except in weft__loop_run, which says how.
 */
#ifndef WEFT_CORE_CARRIER_H
#define WEFT_CORE_CARRIER_H

#include "core/atomic.h"
#include "core/fiber.h"

struct runtime;
struct task;
struct worker;

struct carrier {
    struct task *task;               /* (w) the running task, NULL between tasks */
    _Atomic(struct worker *) worker; /* (a) NULL: none; what the thread sees is its own or NULL */
    struct runtime *runtime;         /* (w) whose workers it may carry; NULL: any other thread */
    _Atomic uint32_t inside;         /* (w+) 1: it touches its worker, or is about to */
    _Atomic uint32_t taking;         /* (a) 1: somebody is about to take its worker */
    void (*after)(struct runtime *, struct task *, void *); /* (w) what to do after the switch */
    void *after_arg;                                        /* (w) */
    struct fiber fiber;        /* (w) its own context, while a task runs */
    void *signal_stack;        /* (w) see overflow.c */
    struct carrier *next_idle; /* in the list of spares; under its lock */
    _Atomic uint32_t go;       /* (a) 1: a spare was given a worker, or must end */
};

/* The calling thread's; every thread has one. Not inlined, so that no compiler keeps its thread-local
 * address over a suspension: after one, ask again. */
struct carrier *weft__carrier(void);

/* Waits until it is decided whether the worker is gone, and returns it: I3. */
struct worker *weft__carrier_worker_slow(struct carrier *carrier);

/* The worker that the thread carries: true until carrier_leave, if it is inside. NULL: none. */
static inline struct worker *carrier_worker(struct carrier *carrier)
{
    /* acquire: pairs with take(): with the NULL comes `taking` */
    struct worker *worker = load_acquire(&carrier->worker);

    return worker || !carrier->runtime ? worker : weft__carrier_worker_slow(carrier);
}

static inline void carrier_mark(struct carrier *carrier)
{
    store_relaxed(&carrier->inside, 1); /* relaxed: the taker's membarrier orders it, I1 */
    compiler_barrier();
}

static inline struct worker *carrier_enter(struct carrier *carrier, uint32_t *ret_was)
{
    *ret_was = load_relaxed(&carrier->inside); /* relaxed: own field */
    carrier_mark(carrier);
    return carrier_worker(carrier);
}

/* `was` is what carrier_enter gave: 0 from a task that is not inside already. */
static inline void carrier_leave(struct carrier *carrier, uint32_t was)
{
    store_release(&carrier->inside, was); /* pairs with take() in handover.c */
}

#endif
