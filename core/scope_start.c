/*
 * scope_start - start a member of a scope, and wait until it says that it is ready.
 *
 *     starter                                     child, a member from the start
 *     PENDING  spawns it, waits                   runs
 *     READY    gets the value             <-----  weft_ready(value): from now on like any member
 *     ENDED    gets the status            <-----  has ended without
 *     PENDING, has given up (cancelled)   ----->  is cancelled; weft_ready says so; ENDED follows
 *
 * What both know lies on the starter's stack, with a lock.
 *
 * Invariants  I1  the child points there only while PENDING, and lets go under the lock
 *             I2  the starter returns only when it has seen under the lock that it is not PENDING, so
 *                 the child's last touch is to unlock it
 */
#include <errno.h>

#include "core/edges.h"
#include "core/scope.h"
#include "core/task.h"

enum starting_state { START_PENDING, START_READY, START_ENDED };

struct starting {
    struct lock lock;     /* of all below */
    struct waiter waiter; /* sleeper NULL: it does not wait yet */
    enum starting_state state;
    bool has_given_up;
    int result; /* what the child gave, or its status */
};

/* The child has something to say, and forgets its starter. Under the lock. */
static void tell_locked(struct task *child, enum starting_state state, int result)
{
    struct starting *starting = child->starting;

    child->starting = NULL;
    starting->state = state;
    starting->result = result;
    if (starting->waiter.sleeper)
        (void)weft__wake(&starting->waiter, 0); /* false: cancelled, and it looks at the state */
}

bool weft__start_ended(struct task *task, int status)
{
    struct starting *starting = task->starting;

    if (!starting)
        return false;
    lock_acquire(&starting->lock);
    tell_locked(task, START_ENDED, status);
    lock_release(&starting->lock); /* the last touch: I2 */
    return true;
}

int weft_ready(int value)
{
    struct task *task = weft__current_task();
    struct starting *starting;
    bool has_given_up = false;

    if (!task)
        return -EPERM;
    if (value < 0)
        return -EINVAL;
    if (task->is_ready)
        return -EALREADY;
    starting = task->starting;
    if (starting) {
        lock_acquire(&starting->lock);
        has_given_up = starting->has_given_up;
        if (!has_given_up)
            tell_locked(task, START_READY, value);
        lock_release(&starting->lock); /* the last touch: I2 */
    }
    task->is_ready = !has_given_up;
    return has_given_up ? -ECANCELED : 0;
}

/* Waits until the child is ready or has ended. */
static void wait_until_told(weft_future child, struct starting *starting)
{
    static const struct edge_call call = {"weft_scope_start", EDGE_FUTURES, false};
    struct edge edge = {.call = &call, .futures = &child, .count = 1};

    lock_acquire(&starting->lock);
    while (starting->state == START_PENDING) {
        enum wait_kind kind = starting->has_given_up ? WAIT_FOR_SURE : WAIT_CANCELLABLE;

        edge_lay(weft__current_task(), &edge);
        weft__wait_begin(&starting->waiter);
        wait_is_for(&starting->waiter, "a task to be ready");
        lock_release(&starting->lock);
        weft__edge_check(&starting->waiter, &edge);
        int rc = weft__wait_commit(&starting->waiter, kind); /* suspends: worker, errno stale */
        edge_lift(&starting->waiter);
        lock_acquire(&starting->lock);
        if (rc == 0 || starting->state != START_PENDING)
            continue;
        starting->has_given_up = true; /* from here on it cannot become ready */
        lock_release(&starting->lock);
        (void)weft_cancel(child); /* stale: it has ended just now */
        lock_acquire(&starting->lock);
    }
    lock_release(&starting->lock);
}

static int result_of(const struct starting *starting)
{
    if (starting->state == START_READY || starting->result < 0)
        return starting->result;
    return starting->has_given_up ? -ECANCELED : -EPROTO;
}

int weft_scope_start_with(weft_scope *scope, const weft_task_options *options, weft_fn fn,
                          void *arg)
{
    struct starting starting = {.state = START_PENDING};
    weft_future child = weft__task_start(scope_in(scope), &starting, options, fn, arg);

    if (child.slot == 0)
        return -(int)child.generation;
    wait_until_told(child, &starting); /* suspends: worker, errno stale */
    return result_of(&starting);
}

int weft_scope_start_at(weft_scope *scope, const char *site, weft_fn fn, void *arg)
{
    return weft_scope_start_with(scope, &(weft_task_options){.site = site}, fn, arg);
}

int weft_scope_start_val_at(weft_scope *scope, const char *site, weft_fn fn, const void *val,
                            size_t bytes)
{
    return weft_scope_start_with(
        scope, &(weft_task_options){.site = site, .val = val, .val_bytes = bytes}, fn, NULL);
}
