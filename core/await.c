/*
 * await - consuming futures: weft_await and weft_gather wait for a group of them.
 *
 * The group lies on the stack of who waits. Each future in it is claimed, gets the address of the
 * group, and tells it when it ends; the group waits until all have ended, whatever happens, so its
 * memory outlives the last word to it. Nothing is allocated, however many futures there are.
 *
 * Invariants  I1  left counts the futures that will still call weft__group_arrive
 *             I2  a task's group is not touched after left reached 0: the wake goes to its sleeper,
 *                 which is type-stable; a thread's group is touched only under its lock, which the
 *                 thread takes once more before it returns
 *             I3  first_failure is the status of whoever came first, and never changes again
 */
#include <errno.h>

#include <weft/task.h>

#include "core/worker.h"

struct group {
    struct waiter waiter;
    struct lock lock;          /* only for a plain thread's group: I2 */
    _Atomic uint32_t left;     /* (a) */
    _Atomic int first_failure; /* (a) 0: none */
};

static void arrive(struct group *group, int status)
{
    struct sleeper *sleeper = group->waiter.sleeper; /* before left can reach 0: I2 */
    uint32_t seq = group->waiter.seq;
    int none = 0;
    bool is_first = status < 0 && cas_seq(&group->first_failure, &none, status);
    bool is_last = sub_seq(&group->left, 1) == 1;

    if (is_first || is_last)
        (void)weft__wake_sleeper(sleeper, seq, 0); /* false: it is awake, and looks for itself */
}

void weft__group_arrive(struct group *group, int status)
{
    if (group->waiter.sleeper != &group->waiter.own) {
        arrive(group, status);
        return;
    }
    lock_acquire(&group->lock);
    arrive(group, status);
    lock_release(&group->lock);
}

/* Claims a future for this caller. */
static int claim(struct runtime *runtime, weft_future handle, struct future **ret_future)
{
    uint64_t state;
    int rc = weft__future_find(runtime, handle, ret_future, &state);

    if (rc < 0)
        return rc;
    if ((void *)*ret_future == (void *)weft__current_task())
        return -EDEADLK;
    do {
        if (future_generation(state) != handle.generation || state & FUTURE_CLAIMED)
            return -ESTALE;
        if (state & FUTURE_SCOPED)
            return -EINVAL;
    } while (!cas_seq(&(*ret_future)->state, &state, state | FUTURE_CLAIMED));
    return 0;
}

static void unclaim(struct future *future)
{
    uint64_t state = load_seq(&future->state);

    while (!cas_seq(&future->state, &state, state & ~(uint64_t)FUTURE_CLAIMED))
        ;
}

/* A handle that carries the error of a failed spawn takes part as one that has failed at once. */
static bool is_failed_spawn(weft_future handle) { return handle.slot == 0 && handle.generation; }

static struct future *future_of(struct runtime *runtime, weft_future handle)
{
    return weft__slab_at(&runtime->slab, handle.slot);
}

/* Claims all, or none. */
static int claim_all(struct runtime *runtime, const weft_future *futures, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct future *future;
        int rc = is_failed_spawn(futures[i]) ? 0 : claim(runtime, futures[i], &future);

        if (rc == 0)
            continue;
        for (size_t j = 0; j < i; j++)
            if (rc == -ESTALE && futures[j].slot == futures[i].slot &&
                futures[j].generation == futures[i].generation)
                rc = -EINVAL; /* not consumed before: it stands in the list twice */
        if (rc == -ESTALE)
            weft__future_report_stale(runtime, futures[i]);
        while (i-- > 0)
            if (!is_failed_spawn(futures[i]))
                unclaim(future_of(runtime, futures[i]));
        return rc;
    }
    return 0;
}

/* Makes the future tell the group at its end. Returns false if it has ended already. */
static bool own(struct future *future, struct group *group)
{
    uint64_t state = load_seq(&future->state);

    future->owner = group; /* before OWNED */
    do {
        if (state & FUTURE_DONE)
            return false;
    } while (!cas_seq(&future->state, &state, state | FUTURE_OWNED));
    return true;
}

static void cancel_all(struct runtime *runtime, const weft_future *futures, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_failed_spawn(futures[i]))
            (void)weft__future_cancel(runtime, futures[i]); /* claimed: it cannot be stale */
}

/* Waits for the next news: all have ended, or the first has failed, or the caller is cancelled. */
static int group_wait(struct group *group, bool until_all)
{
    bool is_thread = group->waiter.sleeper == &group->waiter.own;
    bool news;

    if (is_thread)
        lock_acquire(&group->lock);
    weft__wait_again(&group->waiter);
    news = load_seq(&group->left) == 0 || (!until_all && load_seq(&group->first_failure));
    if (news)
        (void)weft__wake(&group->waiter, 0); /* by ourselves, unless somebody was quicker */
    if (is_thread)
        lock_release(&group->lock);
    return weft__wait_commit(&group->waiter, until_all ? WAIT_FOR_SURE : WAIT_CANCELLABLE);
}

/* Waits until every future of the group has ended. */
static void group_finish(struct runtime *runtime, struct group *group, const weft_future *futures,
                         size_t n, bool cancelled)
{
    int none = 0;

    if (cancelled)
        (void)cas_seq(&group->first_failure, &none, -ECANCELED);
    bool stopping = load_seq(&group->first_failure) != 0;
    if (stopping)
        cancel_all(runtime, futures, n);
    while (load_seq(&group->left) > 0) {
        int rc = group_wait(group, stopping); /* suspends: worker, errno stale */

        none = 0;
        if (rc < 0)
            (void)cas_seq(&group->first_failure, &none, -ECANCELED);
        if (!stopping && load_seq(&group->first_failure)) {
            stopping = true;
            cancel_all(runtime, futures, n);
        }
    }
    if (group->waiter.sleeper == &group->waiter.own) { /* I2: the last to arrive has left */
        lock_acquire(&group->lock);
        lock_release(&group->lock);
    }
}

static void group_start(struct runtime *runtime, struct group *group, const weft_future *futures,
                        size_t n)
{
    int none = 0;

    weft__wait_prepare(&group->waiter);
    store_seq(&group->left, (uint32_t)n);
    for (size_t i = 0; i < n; i++) {
        struct future *future = future_of(runtime, futures[i]);

        if (future && own(future, group))
            continue;
        /* relaxed: published by DONE, which own() has seen */
        int status = future ? load_relaxed(&future->status) : -(int)futures[i].generation;
        if (status < 0)
            (void)cas_seq(&group->first_failure, &none, status);
        none = 0;
        sub_seq(&group->left, 1);
    }
}

static int consume_all(struct runtime *runtime, const weft_future *futures, size_t n,
                       int *ret_statuses)
{
    bool cancelled = weft__wait_check() < 0; /* suspends if so: worker, errno stale */
    struct group group = {.left = 0};

    group_start(runtime, &group, futures, n);
    group_finish(runtime, &group, futures, n, cancelled); /* suspends: worker, errno stale */
    for (size_t i = 0; i < n; i++) {
        struct future *future = future_of(runtime, futures[i]);

        if (ret_statuses) /* relaxed: published by its arrival */
            ret_statuses[i] = future ? load_relaxed(&future->status) : -(int)futures[i].generation;
        if (future)
            weft__future_free(runtime, future);
    }
    return load_seq(&group.first_failure);
}

int weft__gather(struct runtime *runtime, const weft_future *futures, size_t n, int *ret_statuses)
{
    int rc = claim_all(runtime, futures, n);

    /* suspends: worker, errno stale */
    return rc < 0 ? rc : consume_all(runtime, futures, n, ret_statuses);
}

int weft_gather_n(const weft_future *futures, size_t n, int *ret_statuses)
{
    struct runtime *runtime;
    int rc = weft__runtime_enter(&runtime);

    if (rc < 0)
        return n ? weft__future_outside(futures[0], rc) : rc;
    rc = weft__gather(runtime, futures, n, ret_statuses); /* suspends: worker, errno stale */
    weft__runtime_leave(runtime);
    return rc;
}

int weft_await(weft_future future)
{
    int status;
    int rc = weft_gather_n(&future, 1, &status);

    return rc < 0 ? rc : status;
}
