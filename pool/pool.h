/*
 * pool - a queue of jobs and the threads that serve it.
 *
 *     offload --room--> queue (first in, first out) --> thread: take, run, complete
 *                         |                               ^ woken from `idle`, the latest first,
 *                         '--> cancel: take, drop          or started while there are too few
 *
 * The CPU pool and the lanes differ by configuration only: how many threads, how long one without
 * work stays, how the threads are scheduled. Threads start when there is work for them.
 *
 * A job that waits inside weft (it awaits another job, say) lends its place: another thread may run
 * meanwhile, so that jobs that wait for jobs of the same pool make progress. When it comes back there
 * is one thread too many for a moment; the next one that finishes a job leaves.
 *
 * Invariants  P1  while a job is queued, a thread is on its way (woken, or being started), or as many
 *                 threads as may be, or as the system gives, are busy
 *             P2  a thread stands in `idle`, or its `go` is set: who takes it out sets it, under the
 *                 lock, and wakes it once
 *             P3  at most one thread is being started at a time; it starts the next if need be
 */
#ifndef WEFT_POOL_POOL_H
#define WEFT_POOL_POOL_H

#include <pthread.h>

#include <weft/pool.h>
#include <weft/sync.h>

#include "core/atomic.h"
#include "core/list.h"
#include "core/lock.h"
#include "pool/class.h"

struct job;
struct runtime;

/* How a pool is. */
struct pool_shape {
    const char *label;     /* of its threads: "cpu" gives "weft-cpu-0" */
    uint32_t limit;        /* threads that run jobs at the same time */
    int spins;             /* that one without work waits before it sleeps */
    int64_t linger;        /* ns that a thread without work stays; WEFT_NO_TIMEOUT: for good */
    enum pool_class class; /* how the threads are scheduled */
};

struct weft_pool {
    struct runtime *runtime;          /* (i) */
    struct pool_shape shape;          /* (i) */
    _Atomic(const char *) class_word; /* (a) how its threads are scheduled, in words */
    weft_sem room;                    /* permits to stand in the queue */

    _Alignas(WEFT_LINE) struct lock lock; /* of all below up to `live` */
    struct list queue;                    /* jobs, first in, first out */
    struct list idle;                     /* threads without work, the latest first */
    struct list threads;                  /* all, the one being started included */
    uint32_t count;                       /* of threads */
    uint32_t lent;                        /* of these, whose job waits inside weft */
    uint32_t serial;                      /* threads started so far */
    uint64_t moves;                       /* grows with each job and each thread; quiet.h */
    bool starting;                        /* a thread is being started: P3 */
    bool quitting;                        /* threads without work leave; who frees joins them */
    bool abandoned;                       /* nobody will join */
    bool has_left;                        /* `left` has ended and was not joined */
    pthread_t left;

    _Alignas(WEFT_LINE) _Atomic uint32_t live; /* (a) jobs: J3; the stopper's futex */
    _Atomic uint32_t closed;                   /* (a) no new jobs; those that run are cancelled */
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

/* The next job to run, taken; NULL if there is none. */
struct job *weft__pool_take_locked(struct weft_pool *pool);

/* Takes the job out of the queue if it is there. For who has taken it, before it ends it. */
void weft__pool_unlink(struct weft_pool *pool, struct job *job);

/* A job has been completed: J3. */
void weft__pool_job_ended(struct weft_pool *pool);

/* Whether another thread is wanted: P1, P3. If so it is counted already, and the caller starts it
 * with weft__thread_start() after the unlock. */
bool weft__pool_wants_thread_locked(struct weft_pool *pool);

/* Whether all threads wait inside weft and no more may stand in: nobody will come for a job. */
bool weft__pool_is_stuck_locked(const struct weft_pool *pool);

/* Ends all queued jobs unrun, with this status. */
void weft__pool_drain(struct weft_pool *pool, int status);

/* Refuses new jobs, ends the queued ones, asks those that run to end. */
void weft__pool_close(struct weft_pool *pool);

/* Waits until no job is left. False if the deadline came first. */
bool weft__pool_wait_empty(struct weft_pool *pool, int64_t deadline);

#endif
