/*
 * job - a call that waits for a thread of a pool, in the slot of its future.
 *
 * A job leaves its queue once: a thread takes it to run it, or its cancellation takes it to end it
 * unrun. FUTURE_QUEUED in the future's state word decides who, so that a cancel that comes early or
 * late finds the flag missing, or another generation, and never looks at the rest of the slot.
 *
 *          from    event  to      who                   holds afterwards
 *     HIDDEN  push   QUEUED  who offers it         others may know its fields
 *     QUEUED  take   TAKEN   a thread of the pool  it runs fn, then completes the future
 *     QUEUED  take   TAKEN   cancel, or shutdown   it runs drop, then completes the future
 *
 * Invariants  J1  who has taken a job, and nobody else, reads its fields and completes it
 *              J2  a job holds its room from the offload until it has been taken. The pool keeps a part of
 *                 what has come back, but only while nobody finds too little of it
 *             J3  entry.offered - ended of the pool is at least the number of jobs that were queued
 *                 and are not completed; equal as soon as who has completed one has counted that
 */
#ifndef WEFT_POOL_JOB_H
#define WEFT_POOL_JOB_H

#include <weft/pool.h>

#include "core/future.h"

struct job {
    struct future future;
    _Alignas(WEFT_LINE) weft_fn fn; /* (i) */
    void *arg;                      /* (i) the caller's, or `val` */
    void (*drop)(void *arg);        /* (i) NULL: nothing to do */
    struct weft_pool *pool;         /* (i) */
    struct link link;               /* of the entry, then of the queue; under its lock */
    bool linked;                    /* in one of them */
    bool has_room;                  /* (i) holds a permit of pool->room: J2 */
    _Alignas(16) unsigned char val[WEFT_VAL_BYTES]; /* (i) the copy that arg points to */
};
_Static_assert(sizeof(struct job) <= SLOT_BYTES, "a job fits a slot");

/* What an offer does when the queue is full. */
enum job_manner { JOB_WAITS, JOB_TRIES };

/* Makes a job and queues it. Returns its handle, or the failed one; then drop has run. */
weft_future weft__job_offer(struct weft_pool *pool, enum job_manner manner,
                            const weft_task_options *options, weft_fn fn, void *arg);

/* Claims the job that the slot was in that generation: J1. False: somebody else has, it is not queued
 * yet, or the slot is another's; then nothing but the state word may be looked at. */
static inline bool job_take(struct future *future, uint32_t generation)
{
    uint64_t state = load_seq(&future->state);

    do {
        if (future_generation(state) != generation || !(state & FUTURE_QUEUED))
            return false;
    } while (!cas_seq(&future->state, &state, state & ~(uint64_t)FUTURE_QUEUED));
    return true;
}

/* Ends a job that the caller has taken: after fn returned `status`, or unrun. The caller counts that
 * afterwards: J3. */
void weft__job_complete(struct job *job, int status);
void weft__job_end_unrun(struct job *job, int status);

#endif
