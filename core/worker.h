/*
 * worker - runs tasks: takes the next ready one, switches to it, and does what it left to do.
 *
 * A worker is a structure; a thread carries it, and may lose it to another one while a task runs. Who
 * touches it enters first (carrier.h), and asks again after each suspension.
 *
 * Where a worker looks for its next task, in this order: what was left to it without a stack; every
 * TUNE_LOOK_OUT tasks outside (timers, loop, injected); the run-next slot, a few times in a row, after which
 * what is in it goes to the end of the line; its deque; outside, but for the loop; the others' deques; the
 * others' run-next slots. Then it parks (park.h): what takes the kernel's events is the call in which it would
 * sleep.
 *
 * Who suspends takes the next task from slot or deque itself, and switches straight to it; only if there
 * is none, or it is time to look outside, to the worker's loop on the thread's own stack. Whoever goes on
 * first does what the one before has left to do: that one's context is saved by then.
 *
 *     a suspends: takes b, switches -----> b: makes a visible, goes on
 *     a ends: tells its future, takes b -> b fresh: runs on a's stack, no switch
 *                                       -> b suspended: takes care of a's stack, goes on
 */
#ifndef WEFT_CORE_WORKER_H
#define WEFT_CORE_WORKER_H

#include <errno.h>

#include "core/carrier.h"
#include "core/ck.h"
#include "core/deque.h"
#include "core/edges.h"
#include "core/handover.h"
#include "core/loop.h"
#include "core/park.h"
#include "core/quiet.h"
#include "core/runtime.h"
#include "core/slab.h"
#include "core/stack.h"
#include "core/task.h"
#include "core/timer.h"
#include "core/ward.h"

struct fd_table;

/* Ready tasks on their way in from outside the owner: any thread pushes, a worker takes all. */
struct inbox {
    ck_stack_t stack;
    _Atomic uint64_t
        pushed; /* (a) grows with each push; the sequentially consistent step (park.h) */
    _Atomic uint64_t taken; /* (a) at most what had been pushed when all was taken last */
};

struct worker {
    struct runtime *runtime; /* (i) */
    uint32_t index;          /* (i) its place in runtime->workers */
    pthread_t thread;        /* (i) its first; another may carry it now */
    char why_loop[96];       /* (i) why this loop */
    struct loop loop;

    _Atomic(struct carrier *) carrier; /* (a) who carries it; NULL: its first thread starts */

    _Alignas(WEFT_LINE) uint32_t turns_left; /* (w) tasks until it looks outside */
    uint32_t streak;                         /* (w) run-next tasks in a row */
    uint32_t seed;                           /* (w) for the choice of victims */
    struct task *seen_run_next;              /* (w) see steal_run_next */
    uint32_t seen_ran;                       /* (w) */
    struct task *unstarted;                  /* (w) left to the loop: its very next one */
    bool is_searching;                       /* (w) counted in idle.searching */
    bool is_gathering;                       /* (w) looks for what has come */
    struct ward ward;                        /* (w) whom it looks after */
    struct slot_cache slots;                 /* (w) */
    struct stack_cache stacks;               /* (w) */
    _Atomic uint64_t spawned, ended;         /* (w+) statistics of tasks, for weft_info */

    _Alignas(WEFT_LINE) struct deque deque;
    _Alignas(WEFT_LINE) _Atomic(struct task *) run_next; /* (a) the task it just woke */
    _Atomic uint32_t ran;                   /* (w+) tasks run so far, for thieves of run_next */
    _Alignas(WEFT_LINE) struct inbox inbox; /* (a) tasks that must come here */
    struct timers timers;
    uint32_t spins_lost; /* (w) looks for the end of a job, in a row, that saw none */
    _Alignas(WEFT_LINE) enum park_state park_state; /* under runtime->idle.lock */
};

struct runtime {
    weft_options options;         /* (i) filled in */
    uint32_t worker_count;        /* (i) */
    struct worker *workers;       /* (i) */
    bool is_migrating;            /* (i) WEFT_DEBUG=migrate */
    bool is_reporting;            /* (i) reports go somewhere */
    _Atomic bool has_stood_still; /* (a) weft_run was ended by that; any thread may stop it */
    struct stacks stacks;
    struct slab slab;
    struct edges edges;
    struct fd_table *fds;
    struct pools *pools;
    struct spares spares;

    _Alignas(WEFT_LINE) struct inbox inbox; /* (a) from outside, for any worker */
    struct idle idle;                       /* (a) */
    struct quiet quiet;                     /* (a) */
    _Atomic uint32_t inside;                /* (a) plain threads between enter and leave */
    _Atomic uint32_t is_draining;  /* (a) stopping: every task is cancelled, outside is refused */
    _Atomic uint32_t is_over;      /* (a) workers end when they find nothing to do */
    _Atomic uint32_t drain_signal; /* (a) grows with each start and end of a task while draining */
    _Atomic uint64_t outside_spawned; /* (a) tasks spawned by threads that carry no worker */
    _Atomic uint64_t outside_ended;   /* (a) and those that ended on such */
};

/* The worker that the calling thread carries; NULL on any other thread, and under a task that has lost
 * it. Another may take it at any time: who touches it must be inside (carrier.h). */
struct worker *weft__worker(void);

/* The thread's function: carries the worker until the runtime is over. */
void *weft__worker_thread(void *worker);

/* The same for the worker that the carrier was given; and then for others, until the runtime is over. */
void weft__carry(struct carrier *carrier);

/* Sets a timer of the calling task with its worker; from one that has none, with another's. */
int weft__timer_add_here(struct timer *timer, int64_t deadline, void (*fire)(struct timer *));

/* Makes a task ready, from anywhere: its context is saved, and nobody else does the same. */
void weft__ready(struct runtime *runtime, struct task *task);

/* As weft__ready, at the end of the line: a fresh task, or one that must not stand in the slot. */
void weft__ready_last(struct runtime *runtime, struct task *task);

/* The same where the caller knows the worker that its thread carries, and is inside; NULL: none. */
void weft__ready_last_from(struct worker *worker, struct runtime *runtime, struct task *task);

/* What is left to do for a task that has left its stack: on the stack of whoever goes on, inside. The
 * worker is the one that the thread carries; NULL: none. */
typedef void weft__after(struct runtime *, struct worker *, struct task *, void *arg);

/* Suspends the calling task; then `after` runs: from there on others may know the task. Returns when the
 * task is resumed: worker, carrier and errno are stale. */
void weft__suspend(weft__after *after, void *arg);

/* Ends the calling task, which stands on nothing of its own any more but its stack. Returns NULL and the
 * next task, which is to run on that stack; or what to leave it for, from carrier->dead. Inside after it. */
struct fiber *weft__end_here(struct task *task, int status, struct task **ret_next);

/* First thing after each switch: does what the one who has left its stack wanted done. Inside before and
 * after it. */
static inline struct carrier *weft__settle(void)
{
    struct carrier *carrier = weft__carrier();

    if (carrier->after)
        carrier->after(carrier->runtime, carrier_worker(carrier), carrier->left,
                       carrier->after_arg);
    return carrier;
}

/* For what is done after a switch: whether the worker has taken its next task already. What becomes ready now
 * waits behind that one. */
static inline bool worker_has_next(const struct worker *worker)
{
    return weft__carrier()->task || (worker && worker->unstarted);
}

/* Lets the other ready tasks run once. From a task. Suspends. */
void weft__yield(void);

/* Around a look at what has come for the worker, who takes one of the tasks that it makes ready next:
 * only if there are more is another worker woken, at the end. */
void weft__worker_gather_begin(struct worker *worker);
void weft__worker_gather_end(struct worker *worker);

/* Whether there is a task for this worker: the last look before sleep. `everywhere`: in the others'
 * deques, too; else they are left to those who search (park.c tells when). */
bool weft__worker_sees_work(struct worker *worker, bool everywhere);

/* overflow.c: names the task whose stack overflows before the process dies. */
void weft__overflow_watch(void);
void weft__overflow_unwatch(void);
void weft__overflow_watch_thread(struct carrier *carrier);
void weft__overflow_unwatch_thread(struct carrier *carrier);

/* weft__future_find where it is much called. */
static inline int future_find(struct runtime *runtime, weft_future handle,
                              struct future **ret_future, uint64_t *ret_state)
{
    struct future *future;
    uint64_t state;

    if (handle.slot == 0)
        return (int)handle.generation > 0 ? -(int)handle.generation : -EINVAL;
    future = weft__slab_at(&runtime->slab, handle.slot);
    if (!future)
        return -ESTALE;
    state = load_seq(&future->state);
    if (future_generation(state) != handle.generation || !(state & FUTURE_LIVE))
        return -ESTALE;
    *ret_future = future;
    *ret_state = state;
    return 0;
}

static inline bool inbox_is_empty(struct inbox *inbox)
{
    return load_seq(&inbox->pushed) == load_seq(&inbox->taken); /* E2 of park.h */
}

#endif
