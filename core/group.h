/*
 * group - futures that one owner consumes together: await.c waits for all, completed.c for each.
 *
 *     claim --> join: the future knows group and place --> its end: arrive() --> the owner frees it
 *                 '--> it has ended already: the owner counts it itself
 *
 * A handle that carries the error of a failed spawn is a member like the others, one that ended with
 * that error before anybody looked; there is no slot behind it.
 *
 * Invariants  I1  a future is in one group at most: who sets CLAIMED is its only consumer
 *             I2  it calls arrive() once, as the last thing that it does; group and future live
 *                 until then, and the owner knows by counting the calls
 */
#ifndef WEFT_CORE_GROUP_H
#define WEFT_CORE_GROUP_H

#include <errno.h>

#include "core/future.h"
#include "core/worker.h"

/* First in whatever the owner keeps. */
struct group {
    /* (i) One of the futures has ended. From any thread. */
    void (*arrive)(struct group *group, struct future *future, int status);
};

/* Claims all for this caller, or none. Returns 0; -EINVAL (twice in the list, zero, or a scope's),
 * -ESTALE, -EDEADLK (the caller itself). */
int weft__group_claim(struct runtime *runtime, const weft_future *futures, size_t n);

/* Claims one for the task that calls, or a thread (NULL). Returns as weft__group_claim; or the error that
 * travels in the handle. */
static inline int group_claim_one(struct runtime *runtime, struct task *self, weft_future handle,
                                  struct future **ret_future)
{
    uint64_t state;
    int rc = future_find(runtime, handle, ret_future, &state);

    if (rc < 0)
        return rc;
    if ((void *)*ret_future == (void *)self)
        return -EDEADLK;
    do {
        if (future_generation(state) != handle.generation || state & FUTURE_CLAIMED)
            return -ESTALE;
        if (state & FUTURE_SCOPED)
            return -EINVAL;
    } while (!cas_seq(&(*ret_future)->state, &state, state | FUTURE_CLAIMED));
    return 0;
}

/* Makes a claimed future tell the group at its end. Returns false if it has ended already. */
bool weft__group_join(struct group *group, struct future *future, uint32_t place);

/* Takes back the join of one that has not ended. Returns false if it has, or had before the join:
 * then it has called arrive(), or is about to, in the one case. */
bool weft__group_leave(struct future *future);

/* Takes back the claims; none of them is in a group. */
void weft__group_unclaim(struct runtime *runtime, const weft_future *futures, size_t n);

/* Asks all to end; those that have ended or been consumed are left alone. */
void weft__group_cancel(struct runtime *runtime, const weft_future *futures, size_t n);

/* What the handle of a claimed future means; NULL for a failed spawn. */
static inline struct future *group_member(struct runtime *runtime, weft_future handle)
{
    return handle.slot ? weft__slab_at(&runtime->slab, handle.slot) : NULL;
}

/* How a member has ended: the future's status, or the error of the failed spawn. */
static inline int group_status(weft_future handle, struct future *future)
{
    return future ? load_relaxed(&future->status) /* relaxed: published by DONE or its arrival */
                  : -(int)handle.generation;
}

static inline bool is_failed_spawn(weft_future handle)
{
    return handle.slot == 0 && handle.generation != 0;
}

#endif
