/*
 * handover - gives a worker to another thread while its task keeps the present one busy.
 *
 *     thread A  carries W, runs a task that computes for ever, or blocks in the kernel
 *     taker     takes W from A, gives it to a spare thread B, which goes on with all that W has:
 *               ready tasks, timers, the loop
 *     A         goes on with the task, without a worker. What the task makes ready goes in as from any
 *               thread. At its next call that may suspend it becomes a task like all others again: its
 *               context is saved, somebody's worker runs it. A is then a spare.
 *
 * See carrier.h for how W is taken. While A has no worker it counts in quiet.at_work, as one that acts:
 * time does not jump, and nothing stands still. Spares stay until the runtime ends: a kernel operation ends
 * with the thread that began it.
 */
#ifndef WEFT_CORE_HANDOVER_H
#define WEFT_CORE_HANDOVER_H

#include <pthread.h>
#include <stdbool.h>

#include "core/atomic.h"
#include "core/lock.h"

struct carrier;
struct runtime;
struct worker;

struct spares {
    bool is_supported;         /* (i) the kernel has membarrier */
    struct lock taker;         /* one hand-over at a time: of threads and capacity */
    pthread_t *threads;        /* all that were started */
    uint32_t capacity;         /* of threads */
    _Atomic uint32_t count;    /* (a) how many were started */
    _Atomic uint32_t arrivals; /* (a) grows when one has become idle */
    struct lock lock;          /* of idle */
    struct carrier *idle;
};

void weft__spares_init(struct spares *spares);

/* The workers are over: ends all spares, and waits for their ends. */
void weft__spares_end(struct runtime *runtime);

/* Hands the worker to a spare thread. From any thread that is inside the gate, or the runtime's own.
 * Returns 0; -EAGAIN (it runs no task now, or that is inside the runtime for a moment); -ENOTSUP (no
 * membarrier), or why no thread could be had; then everything is as it was. */
int weft__hand_over(struct worker *worker);

/* For a thread that has lost its worker, when its task has left it: waits for another worker. Returns
 * false if the runtime is over. */
bool weft__spare_wait(struct carrier *carrier);

#endif
