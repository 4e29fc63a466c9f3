/*
 * scope_cancel - cancelling a tree of scopes, at once, softly, and when a timer says so.
 *
 * A timer stands with the worker of who armed it first, and is moved there in place, from any worker:
 * that needs no memory, so that a deadline is never lost. One that becomes the first of a worker that
 * sleeps wakes it.
 */
#include <errno.h>

#include "core/scope.h"
#include "core/worker.h"

/* --- who is cancelled ------------------------------------------------------------------------ */

bool weft__task_cancel_reaches(struct task *task)
{
    /* relaxed: own field */
    return load_relaxed(&task->future.shields) == 0 && future_is_cancelled(&task->future);
}

bool weft__task_is_cancelled(struct task *task)
{
    struct scope *scope = load_relaxed(&task->scope); /* own field */

    return (scope && load_seq(&scope->cancelled)) || weft__task_cancel_reaches(task);
}

static void interrupt_if_here(struct scope *scope, struct task *task)
{
    if (load_relaxed(&task->scope) == scope) /* relaxed: under the tree's lock */
        weft__wait_interrupt(task);
}

static void mark(struct scope *scope, uint32_t how)
{
    uint32_t before = load_relaxed(&scope->cancelled); /* relaxed: under the lock */

    store_seq(&scope->cancelled, how); /* before the look at the waits; see make_cancellable */
    if (before != SCOPE_OPEN)
        return; /* the waits were ended then */
    interrupt_if_here(scope, scope->owner);
    for (struct link *link = scope->members.first; link; link = link->next)
        interrupt_if_here(scope, container_of(link, struct task, home_link));
}

/* The next child, from `link` on, that is to be cancelled with its parent. */
static struct scope *child_from(struct link *link, uint32_t how)
{
    for (; link; link = link->next) {
        struct scope *child = container_of(link, struct scope, in_parent);

        if (child->is_shield || (child->is_soft && how == SCOPE_SOFT))
            continue;
        /* Who is so already has passed it on. relaxed: under the lock */
        if (load_relaxed(&child->cancelled) < how)
            return child;
    }
    return NULL;
}

/* Walks the tree below `top` without recursion: scopes may be nested ten thousand deep. Each scope
 * is entered once and looked at once as a sibling, so it takes linear time. */
static void cancel_tree(struct scope *top, uint32_t how)
{
    struct scope *scope = top;

    if (load_relaxed(&top->cancelled) >= how) /* relaxed: under the lock */
        return;
    mark(top, how);
    for (;;) {
        struct scope *next = child_from(scope->children.first, how);

        while (!next && scope != top) {
            next = child_from(scope->in_parent.next, how);
            scope = scope->parent;
        }
        if (!next)
            return;
        mark(next, how);
        scope = next;
    }
}

void weft__scope_cancel_locked(struct scope *scope) { cancel_tree(scope, SCOPE_HARD); }

static bool is_hard(struct scope *scope) { return load_seq(&scope->cancelled) == SCOPE_HARD; }

/* --- timers ---------------------------------------------------------------------------------- */

static void expire(struct scope *scope)
{
    lock_acquire(scope->tree);
    if (load_relaxed(&scope->cancelled) == SCOPE_OPEN) /* relaxed: under the lock */
        store_seq(&scope->expired, true);
    weft__scope_cancel_locked(scope);
    lock_release(scope->tree);
}

static void on_deadline(struct timer *timer)
{
    expire(container_of(timer, struct scope, deadline));
}

static void on_grace(struct timer *timer)
{
    struct scope *scope = container_of(timer, struct scope, grace);

    lock_acquire(scope->tree);
    weft__scope_cancel_locked(scope);
    lock_release(scope->tree);
}

static void remove_timer(struct timer *timer)
{
    if (timer->timers)
        weft__timer_remove(timer);
}

/* The heap in which the timer stands belongs to a worker, which may sleep until what was its first. */
static void wake_keeper(struct timer *timer)
{
    struct worker *keeper = container_of(timer->timers, struct worker, timers);

    if (keeper != weft__worker())
        weft__park_wake(keeper);
}

/* Lets the timer fire at `moment`, wherever it stands now. Returns 0; -EALREADY if it has fired, or
 * the scope was cancelled for another reason; -ENOMEM. Under `timing`. */
static int retime_locked(struct scope *scope, struct timer *timer, weft_time moment,
                         void (*fire)(struct timer *))
{
    int moved = timer->timers ? weft__timer_move(timer, moment) : -ENOENT;

    if (moved == 1)
        wake_keeper(timer);
    if (moved >= 0)
        return 0;
    if (is_hard(scope))
        return -EALREADY;
    return weft__timer_add_here(timer, moment, fire);
}

/* --- deadlines ------------------------------------------------------------------------------- */

static bool is_past(weft_time deadline)
{
    return deadline < 0 || (deadline != WEFT_FOREVER && deadline <= weft_now());
}

int weft__scope_arm(struct scope *scope, weft_time deadline)
{
    if (deadline == WEFT_FOREVER)
        return 0;
    if (!is_past(deadline))
        return weft__timer_add_here(&scope->deadline, deadline, on_deadline);
    expire(scope);
    return 0;
}

void weft__scope_disarm(struct scope *scope)
{
    remove_timer(&scope->deadline);
    remove_timer(&scope->grace);
}

static int move_deadline_locked(struct scope *scope, weft_time deadline)
{
    bool is_none = deadline == 0 || deadline == WEFT_FOREVER;

    if (!is_none && !is_past(deadline))
        return retime_locked(scope, &scope->deadline, deadline, on_deadline);
    remove_timer(&scope->deadline);
    if (is_hard(scope)) /* it has fired, or will not any more: it was removed */
        return -EALREADY;
    if (!is_none)
        expire(scope);
    return 0;
}

int weft_scope_deadline(weft_scope *memory, weft_time deadline)
{
    struct scope *scope = scope_in(memory);
    int rc;

    if (!weft__current_task())
        return -EPERM;
    if (!scope->owner)
        return -EINVAL;
    if (is_hard(scope))
        return -EALREADY;
    lock_acquire(&scope->timing);
    rc = move_deadline_locked(scope, deadline);
    lock_release(&scope->timing);
    return rc;
}

/* --- cancelling ------------------------------------------------------------------------------ */

int weft_scope_cancel(weft_scope *memory)
{
    struct scope *scope = scope_in(memory);

    if (!scope->owner)
        return 0;
    lock_acquire(scope->tree);
    weft__scope_cancel_locked(scope);
    lock_release(scope->tree);
    return 0;
}

static int set_grace_locked(struct scope *scope, weft_time grace)
{
    if (grace != WEFT_FOREVER)
        return retime_locked(scope, &scope->grace, deadline_after(weft_now(), grace), on_grace);
    remove_timer(&scope->grace);
    return 0;
}

int weft_scope_cancel_soft(weft_scope *memory, weft_time grace)
{
    struct scope *scope = scope_in(memory);
    int rc;

    if (!weft__current_task())
        return -EPERM;
    if (!scope->owner || grace <= 0)
        return weft_scope_cancel(memory);
    lock_acquire(&scope->timing);
    rc = is_hard(scope) ? -EALREADY : set_grace_locked(scope, grace);
    lock_release(&scope->timing);
    if (rc < 0)
        return rc == -EALREADY ? 0 : rc;
    lock_acquire(scope->tree);
    if (!scope->is_soft) /* else all that stands in it stands in a soft block */
        cancel_tree(scope, SCOPE_SOFT);
    lock_release(scope->tree);
    return 0;
}

int weft_scope_stop(weft_scope *memory)
{
    struct scope *scope = scope_in(memory);

    if (!scope->owner)
        return 0;
    lock_acquire(scope->tree);
    if (!load_relaxed(&scope->cancelled)) /* relaxed: under the lock */
        scope->stopped = true;
    weft__scope_cancel_locked(scope);
    lock_release(scope->tree);
    return 0;
}
