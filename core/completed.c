/*
 * completed - consuming futures one by one, in the order in which they end.
 *
 *     futures that go on --arrive()--> ended: first --> ... --> last --next()--> told and freed
 *
 * The iterator lies in the caller's memory; a future that has ended is linked into it through its
 * own slot, so nothing is allocated and nothing is searched. It belongs to the task that began it,
 * or to threads, one at a time. When the iteration is over, early or not, every future has ended and
 * is consumed, so that neither what they run nor a late arrival can touch memory that is gone. Only
 * those that wait for the caller itself are given back, for they cannot end before it goes on.
 *
 * A plain thread is inside the gate only while it calls. Between two calls the runtime may be
 * stopped, and with it all slots go: the next call then only waits until the last arrival has left.
 *
 * Invariants  I1  left counts the futures that will still arrive; all below `lock` is under it
 *             I2  whoever was told that left is 0 has held the lock after the last arrival
 *             I3  untold = failed spawns from `looked` on + ended ones in the list + left
 */
#include <errno.h>

#include <weft/task.h>

#include "core/edges.h"
#include "core/group.h"
#include "core/worker.h"

/* What weft_completed is inside the library. */
struct completed {
    struct group group;         /* first */
    const weft_future *futures; /* (i) the caller's */
    size_t count;               /* (i) of them */
    struct task *owner;         /* (i) NULL: threads */
    uint32_t run;               /* (i) tells the runtime from a later one at the same address */
    struct lock lock;
    uint32_t left;         /* I1 */
    bool until_all;        /* the waiter wants no word before left is 0 */
    struct waiter *waiter; /* who waits, NULL: nobody */
    struct future *first, *last;
    size_t looked; /* up to here there is no failed spawn that was not told */
    size_t untold; /* I3 */
};

_Static_assert(sizeof(struct completed) <= sizeof(weft_completed), "it fits the caller's memory");
_Static_assert(_Alignof(struct completed) <= _Alignof(weft_completed), "it fits there");

static struct completed *inside(weft_completed *memory)
{
    return (struct completed *)(void *)memory;
}

/* --- arrivals -------------------------------------------------------------------------------- */

static void append(struct completed *all, struct future *future)
{
    future->next_ended = NULL;
    if (all->first)
        all->last->next_ended = future;
    else
        all->first = future;
    all->last = future;
}

static struct future *pop(struct completed *all)
{
    struct future *future = all->first;

    if (future)
        all->first = future->next_ended;
    return future;
}

static void on_arrival(struct group *group, struct future *future, int status)
{
    struct completed *all = container_of(group, struct completed, group);

    (void)status; /* it stands in the future */
    lock_acquire(&all->lock);
    append(all, future);
    all->left--;
    if (all->waiter && (all->left == 0 || !all->until_all))
        (void)weft__wake(all->waiter, 0); /* false: it is awake, and looks for itself */
    lock_release(&all->lock);             /* the last touch: I2 */
}

static const struct edge_call next_call = {"weft_completed_next", EDGE_FUTURES, true};
static const struct edge_call end_call = {"weft_completed_end", EDGE_FUTURES, false};

/* Waits for an arrival, or the last one. Returns 0; -ECANCELED; -EDEADLK if none is to come. Lock
 * held, but not while it waits. */
static int wait_locked(struct completed *all, const struct edge_call *call, enum wait_kind kind)
{
    struct edge edge = {.call = call, .futures = all->futures, .count = all->count};
    bool needs_all = all->until_all || all->left == 1; /* else another one may help */
    struct waiter waiter;

    if (needs_all)
        edge_lay(all->owner, &edge);
    weft__wait_begin(&waiter);
    wait_is_for(&waiter,
                all->until_all ? "all of its futures to end" : "the next of its futures to end");
    all->waiter = &waiter;
    lock_release(&all->lock);

    if (needs_all)
        weft__edge_check(&waiter, &edge);
    int rc = weft__wait_commit(&waiter, kind); /* suspends: worker, errno stale */
    edge_lift(&waiter);
    if (rc == WAKE_DEADLOCK)
        rc = weft__edge_answer(&waiter);

    lock_acquire(&all->lock);
    all->waiter = NULL;
    return rc;
}

/* --- beginning ------------------------------------------------------------------------------- */

/* Joins all. Those that have ended already come before any that arrives meanwhile. */
static void begin(struct runtime *runtime, struct completed *all)
{
    struct completed early = {.left = 0};
    uint32_t unjoined = 0;

    for (size_t i = 0; i < all->count; i++) {
        struct future *future = group_member(runtime, all->futures[i]);

        if (future && weft__group_join(&all->group, future, (uint32_t)i))
            continue;
        unjoined++;
        if (future)
            append(&early, future);
    }
    lock_acquire(&all->lock);
    all->left -= unjoined;
    if (early.first) {
        early.last->next_ended = all->first;
        all->last = all->first ? all->last : early.last;
        all->first = early.first;
    }
    lock_release(&all->lock);
}

int weft_completed_init(weft_completed *memory, const weft_future *futures, size_t n)
{
    struct completed *all = inside(memory);
    struct runtime *runtime;
    int rc = weft__runtime_enter(&runtime);

    *all = (struct completed){.untold = 0}; /* over, should this fail */
    if (rc < 0)
        return n ? weft__future_outside(futures[0], rc) : rc;
    rc = weft__group_claim(runtime, futures, n);
    if (rc == 0) {
        *all = (struct completed){.group = {on_arrival},
                                  .futures = futures,
                                  .count = n,
                                  .owner = weft__current_task(),
                                  .run = runtime->slab.first_generation,
                                  .left = (uint32_t)n,
                                  .untold = n};
        begin(runtime, all);
    }
    weft__runtime_leave(runtime);
    return rc;
}

/* --- going on -------------------------------------------------------------------------------- */

/* Enters for one call. Returns 0; -ESHUTDOWN if the runtime of the futures is gone; -EPERM. */
static int enter(struct completed *all, struct runtime **ret_runtime)
{
    if (all->owner != weft__current_task())
        return -EPERM;
    if (weft__runtime_enter(ret_runtime) < 0)
        return -ESHUTDOWN;
    if ((*ret_runtime)->slab.first_generation == all->run)
        return 0;
    weft__runtime_leave(*ret_runtime);
    return -ESHUTDOWN;
}

static void until_all_ended_locked(struct completed *all)
{
    all->until_all = true;
    while (all->left > 0)
        (void)wait_locked(all, &end_call, WAIT_FOR_SURE); /* suspends: worker, errno stale */
    all->untold = 0;
}

/* The runtime was stopped, so all have ended; or it was abandoned, and they may still arrive. */
static void lose(struct completed *all)
{
    lock_acquire(&all->lock);
    until_all_ended_locked(all); /* suspends: worker, errno stale */
    lock_release(&all->lock);
}

/* Ends what is left, waits for it and consumes it. */
static void finish(struct runtime *runtime, struct completed *all)
{
    weft__group_cancel(runtime, all->futures, all->count);
    lock_acquire(&all->lock);
    until_all_ended_locked(all); /* suspends: worker, errno stale */
    for (struct future *future; (future = pop(all));)
        weft__future_free(runtime, future);
    lock_release(&all->lock);
}

/* Gives those that were not told back to the caller, as if they had not been claimed. */
static void withdraw(struct runtime *runtime, struct completed *all)
{
    struct future *future;
    uint64_t state;

    for (size_t i = 0; i < all->count; i++) /* stale: it was told */
        if (weft__future_find(runtime, all->futures[i], &future, &state) == 0 &&
            weft__group_leave(future)) {
            lock_acquire(&all->lock);
            all->left--;
            lock_release(&all->lock);
        }
    lock_acquire(&all->lock);
    until_all_ended_locked(all); /* suspends for those that are ending just now */
    lock_release(&all->lock);
    for (size_t i = 0; i < all->count; i++)
        if (weft__future_find(runtime, all->futures[i], &future, &state) == 0)
            weft__group_unclaim(runtime, &all->futures[i], 1);
}

/* The place of the next failed spawn; count if there is none. */
static size_t next_failed_spawn(struct completed *all)
{
    while (all->looked < all->count && !is_failed_spawn(all->futures[all->looked]))
        all->looked++;
    return all->looked < all->count ? all->looked++ : all->count;
}

/* Tells the next one. Returns 1; -ECANCELED; -EDEADLK; -EBUSY. */
static int take_locked(struct runtime *runtime, struct completed *all, size_t *ret_index,
                       int *ret_status)
{
    struct future *future = NULL;
    int rc = all->waiter ? -EBUSY : 0;
    size_t place = rc < 0 ? 0 : next_failed_spawn(all);

    if (place == all->count) {
        while (rc == 0 && !all->first)
            rc = wait_locked(all, &next_call, WAIT_CANCELLABLE); /* suspends: worker, errno stale */
        future = rc < 0 ? NULL : pop(all);
    }
    if (rc < 0)
        return rc;
    if (future)
        place = future->place;
    if (ret_index)
        *ret_index = place;
    if (ret_status)
        *ret_status = group_status(all->futures[place], future);
    if (future)
        weft__future_free(runtime, future);
    all->untold--;
    return 1;
}

int weft_completed_next(weft_completed *memory, size_t *ret_index, int *ret_status)
{
    struct completed *all = inside(memory);
    struct runtime *runtime;
    int rc;

    if (all->untold == 0)
        return weft__wait_check(); /* suspends if cancelled */
    rc = enter(all, &runtime);
    if (rc == -ESHUTDOWN)
        lose(all); /* suspends: worker, errno stale */
    if (rc < 0)
        return rc;
    rc = weft__wait_check(); /* suspends if cancelled */
    if (rc == 0) {
        lock_acquire(&all->lock);
        rc = take_locked(runtime, all, ret_index, ret_status); /* suspends: worker, errno stale */
        lock_release(&all->lock);
    }
    if (rc == -ECANCELED)
        finish(runtime, all); /* suspends: worker, errno stale */
    if (rc == -EDEADLK)
        withdraw(runtime, all); /* suspends: worker, errno stale */
    weft__runtime_leave(runtime);
    return rc;
}

int weft_completed_end(weft_completed *memory)
{
    struct completed *all = inside(memory);
    struct runtime *runtime;
    int rc = all->untold ? enter(all, &runtime) : 0;

    if (rc == -ESHUTDOWN) {
        lose(all); /* suspends: worker, errno stale */
        return 0;
    }
    if (rc < 0 || all->untold == 0)
        return rc;
    lock_acquire(&all->lock);
    rc = all->waiter ? -EBUSY : 0;
    lock_release(&all->lock);
    if (rc == 0)
        finish(runtime, all); /* suspends: worker, errno stale */
    weft__runtime_leave(runtime);
    return rc;
}
