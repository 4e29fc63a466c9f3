/*
 * pool - a queue of jobs and the threads that serve it.
 *
 *     offload --room--> entry --all at once--> queue --> thread: take, run, complete
 *                         |                      |          ^ woken from `idle`, the latest first,
 *                         '------> cancel <------'            or started while there are too few
 *                                  take, drop
 *
 * First in, first out. Entry and queue have a lock each, so that those who offer jobs and those who
 * take them seldom meet: a thread that finds the queue empty moves all of the entry there.
 *
 * The CPU pool and the lanes differ by configuration only: how many threads, how long one without
 * work stays, how the threads are scheduled. Threads start when there is work for them.
 *
 * A job that waits inside weft (it awaits another job, say) lends its place: another thread may run
 * meanwhile, so that jobs that wait for jobs of the same pool make progress. When it comes back there
 * is one thread too many for a moment; the next one that finishes a job leaves.
 *
 * Of the threads without work one waits a moment before it sleeps, and looks at the entry itself. While
 * it does, or one that was woken has not come yet, nobody is woken: it wakes the next if it leaves
 * something behind.
 *
 * Invariants  P1  while a job is queued, a thread is on its way (woken, about to look, or being
 *                 started), or as many threads as may be, or as the system gives, are busy
 *             P2  a thread stands in `idle`, or its `go` is set: who takes it out sets it, under the
 *                 lock, and wakes it once
 *             P3  at most one thread is being started at a time, and at most one is on its way; it
 *                 starts, or wakes, the next if need be
 *             P4  `call` says what P1 asks of who offers a job. It is set under `lock` before the
 *                 thread that has set it looks at the entry, and read under the lock of the entry in the
 *                 section that puts the job there: so the job is seen, or the call
 */
#ifndef WEFT_POOL_POOL_H
#define WEFT_POOL_POOL_H

#include <pthread.h>
#include <stdint.h>

#include <weft/pool.h>
#include <weft/sync.h>

#include "core/atomic.h"
#include "core/list.h"
#include "core/lock.h"
#include "pool/class.h"

struct job;
struct pool_thread;
struct runtime;

/* How a pool is. */
struct pool_shape {
    const char *label;     /* of its threads: "cpu" gives "weft-cpu-0" */
    uint32_t limit;        /* threads that run jobs at the same time */
    int spins;             /* that one without work waits before it sleeps */
    int64_t linger;        /* ns that a thread without work stays; WEFT_NO_TIMEOUT: for good */
    enum pool_class class; /* how the threads are scheduled */
};

/* What who offers a job has to do: P4. */
enum pool_call {
    POOL_IS_SERVED, /* nothing */
    POOL_CALLS,     /* see to it that a thread comes */
    POOL_IS_STUCK,  /* take the job back: nobody will come for it */
};

/* Where jobs come in. */
struct pool_entry {
    struct lock lock;         /* of the next two; taken after the pool's */
    struct list jobs;         /* first in, first out */
    _Atomic uint64_t offered; /* written under lock: jobs queued so far */
};

struct weft_pool {
    struct runtime *runtime;          /* (i) */
    struct pool_shape shape;          /* (i) */
    _Atomic(const char *) class_word; /* (a) how its threads are scheduled, in words */
    _Atomic int cpu;                  /* (a) the processor on which jobs were offered last */
    _Atomic uint32_t call;            /* written under `lock`: enum pool_call, P4 */
    _Atomic uint32_t
        closed; /* (a) no new jobs; those that run are cancelled. Set under both locks */

    _Alignas(WEFT_LINE) struct pool_entry entry;
    weft_sem room; /* permits to stand in the queue */

    _Alignas(WEFT_LINE) struct lock lock; /* of all below up to `rest` */
    struct list queue;      /* jobs, first in, first out: older than all of the entry */
    uint64_t moved;         /* jobs that have come from the entry so far */
    uint32_t room_kept;     /* permits that came back, and are not released yet */
    uint32_t room_wanted;   /* those who found none: permits are not kept */
    _Atomic uint64_t ended; /* written under lock: jobs completed so far; J3 */
    struct list idle;       /* threads that sleep, the latest first */
    struct list threads;    /* all, the one being started included */
    uint32_t count;         /* of threads */
    uint32_t lent;          /* of these, whose job waits inside weft */
    uint32_t serial;        /* threads started so far */
    uint64_t moves;         /* grows with each thread; quiet.h */
    uint32_t called;        /* threads that were woken and have not come yet */
    bool has_spinner;       /* a thread without work looks at the entry */
    bool starting;          /* a thread is being started: P3 */
    bool quitting;          /* threads without work leave; who frees joins them */
    bool abandoned;         /* nobody will join */
    bool has_left;          /* `left` has ended and was not joined */
    pthread_t left;

    _Alignas(WEFT_LINE) _Atomic uint32_t rest; /* (a) grows when a closed pool has no job left */
};

/* A thread to bring, to be done without the lock. */
struct summons {
    struct pool_thread *sleeper; /* wake it; NULL: none */
    bool grow;                   /* start one */
};

/* Whether it is a pool of this runtime: a thread may come with one of an earlier runtime, whose
 * memory is gone, so nothing but the address is looked at. */
bool weft__pools_have(struct runtime *runtime, const struct weft_pool *pool);

/* Sets up a pool in zeroed memory; no thread starts yet. */
void weft__pool_init(struct weft_pool *pool, struct runtime *runtime,
                     const struct pool_shape *shape);

/* Queues the job, and sees to it that a thread comes: P1. Returns 0; -ESHUTDOWN, or -EAGAIN if none can
 * come: then it is not queued. */
int weft__pool_push(struct weft_pool *pool, struct job *job);

/* The next job to run, taken; NULL if there is none. After the unlock *ret_room permits are to be
 * released with weft__pool_give_room. */
struct job *weft__pool_take_locked(struct weft_pool *pool, uint32_t *ret_room);
void weft__pool_give_room(struct weft_pool *pool, uint32_t room);

/* There is no permit. What was kept is released, and what comes back, too, until the other call. */
void weft__pool_want_room(struct weft_pool *pool);
void weft__pool_want_no_room(struct weft_pool *pool);

/* Takes the job out of the queue if it is there, and gives its room back. For who has taken it, before
 * it ends it. */
void weft__pool_unlink(struct weft_pool *pool, struct job *job);

/* A job has been completed: J3. The second half, for who is no thread of the pool, looks whether
 * everything stands still, too. */
void weft__pool_count_end_locked(struct weft_pool *pool);
void weft__pool_job_ended(struct weft_pool *pool);

/* Jobs that were queued and are not completed. */
uint64_t weft__pool_live_locked(struct weft_pool *pool);
uint64_t weft__pool_live(struct weft_pool *pool);

/* Says anew what who offers a job has to do: P4. After each change of what that depends on. */
void weft__pool_show_locked(struct weft_pool *pool);

/* Whether a job stands in the queue, or in the entry. */
bool weft__pool_has_jobs_locked(struct weft_pool *pool);

/* One more thread is needed, if there is one to be had and none is on its way: P1, P3. It is counted
 * already; the caller brings it after the unlock. */
struct summons weft__pool_summon_locked(struct weft_pool *pool);
void weft__pool_bring(struct weft_pool *pool, const struct summons *summons);

/* Whether all threads wait inside weft and no more may stand in: nobody will come for a job. */
bool weft__pool_is_stuck_locked(const struct weft_pool *pool);

/* Ends all queued jobs unrun, with this status. */
void weft__pool_drain(struct weft_pool *pool, int status);

/* Refuses new jobs, ends the queued ones, asks those that run to end. */
void weft__pool_close(struct weft_pool *pool);

/* Waits until no job is left. False if the deadline came first. */
bool weft__pool_wait_empty(struct weft_pool *pool, int64_t deadline);

#endif
