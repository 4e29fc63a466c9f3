/*
 * thread - a thread of a pool: takes jobs and runs them, sleeps on a futex of its own, leaves.
 *
 *     started --> look for a job --> run it --.      a lane's thread leaves after `linger` without
 *                   ^    |                    |      work; one too many leaves at once
 *                   |    '--> spin            |
 *                   |           '--> idle (P2)|
 *                   '--------------------+----'
 *
 * A thread that leaves early joins the one that left before it, so that at most one per pool waits
 * to be joined, and no caller ever does.
 */
#ifndef WEFT_POOL_THREAD_H
#define WEFT_POOL_THREAD_H

#include "pool/pool.h"

/* Becomes GOES under the pool's lock, once for each time that it stood in `idle`. */
enum go_state { GO_SLEEPS, GO_GOES };

struct pool_thread {
    struct weft_pool *pool;     /* (i) */
    pthread_t handle;           /* (i) written by who starts it */
    uint32_t serial;            /* (i) the number in its name */
    struct link link;           /* of pool->threads; under pool->lock */
    struct link idle_link;      /* of pool->idle; under pool->lock */
    _Atomic uint32_t go;        /* (a) enum go_state: P2; what its futex waits for */
    struct job *current;        /* (w) what it runs */
    _Atomic(const char *) site; /* (w+) of that, for the stopper's report; NULL: none */
    uint32_t close;      /* (w) jobs in a row that came from the processor on which it runs */
    int64_t close_since; /* (w) when the first of these began */
    int64_t close_until; /* (w) it does not move before that */
    int spins;           /* (w) how often it looks before it sleeps next */
    bool must_look;      /* (w) a job has ended, and quiet.h was not asked */
    bool has_spun;       /* (w) since it had work last */
    bool reported;       /* the stopper's: its job was said to go on */
};

/* The calling thread, if it is one of a pool; else NULL. */
struct pool_thread *weft__pool_thread(void);

/* Starts the thread that weft__pool_summon_locked() has counted. If that cannot be and no other
 * thread serves the pool, its queued jobs end with the error. */
void weft__thread_start(struct weft_pool *pool);

/* Takes the thread that fell asleep last out of `idle`; NULL: none. The caller wakes it: P2. */
struct pool_thread *weft__thread_pop_idle_locked(struct weft_pool *pool);

/* Whether a thread that has left, and is counted no more, has yet to end. */
bool weft__threads_leave_locked(struct weft_pool *pool);

/* Ends the threads that have no work, and the others as they finish; joins all. */
void weft__threads_join(struct weft_pool *pool);

/* The same without joining: some will not end. */
void weft__threads_abandon(struct weft_pool *pool);

/* Reports each job that is still running. */
void weft__threads_report(struct weft_pool *pool);

#endif
