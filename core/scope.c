/*
 * scope - see scope.h.
 */
#include "core/scope.h"

#include <errno.h>

#include "core/edges.h"
#include "core/worker.h"

static struct scope *scope_in(weft_scope *scope) { return (struct scope *)(void *)scope; }

static const struct scope *scope_in_const(const weft_scope *scope)
{
    return (const struct scope *)(const void *)scope;
}

/* --- cancelling ------------------------------------------------------------------------------ */

static void interrupt_if_here(struct scope *scope, struct task *task)
{
    if (load_relaxed(&task->scope) == scope) /* relaxed: under the tree's lock */
        weft__wait_interrupt(task);
}

static void mark(struct scope *scope)
{
    store_seq(&scope->cancelled, 1); /* before the look at the waits; see make_cancellable */
    interrupt_if_here(scope, scope->owner);
    for (struct link *link = scope->members.first; link; link = link->next)
        interrupt_if_here(scope, container_of(link, struct task, home_link));
}

/* The next child, from `link` on, that is to be cancelled with its parent. */
static struct scope *child_from(struct link *link)
{
    for (; link; link = link->next) {
        struct scope *child = container_of(link, struct scope, in_parent);

        /* A cancelled one has passed it on already. */
        if (!child->is_shield && !load_relaxed(&child->cancelled)) /* relaxed: under the lock */
            return child;
    }
    return NULL;
}

/* Walks the tree below `top` without recursion: scopes may be nested ten thousand deep. */
static void cancel_locked(struct scope *top)
{
    struct scope *scope = top;

    if (load_relaxed(&top->cancelled)) /* relaxed: under the lock */
        return;
    mark(top);
    for (;;) {
        struct scope *next = child_from(scope->children.first);

        while (!next && scope != top) {
            next = child_from(scope->in_parent.next);
            scope = scope->parent;
        }
        if (!next)
            return;
        mark(next);
        scope = next;
    }
}

static void fail_locked(struct scope *scope, int failure)
{
    if (scope->failure == 0)
        scope->failure = failure;
    cancel_locked(scope);
}

static void on_deadline(struct timer *timer)
{
    struct scope *scope = container_of(timer, struct scope, timer);

    lock_acquire(scope->tree);
    if (!load_relaxed(&scope->cancelled)) { /* relaxed: under the lock */
        store_seq(&scope->expired, true);
        cancel_locked(scope);
    }
    lock_release(scope->tree);
}

bool weft__task_is_cancelled(struct task *task)
{
    struct scope *scope = load_relaxed(&task->scope); /* own field */

    if (scope && load_seq(&scope->cancelled))
        return true;
    /* relaxed: own field */
    return load_relaxed(&task->future.shields) == 0 && future_is_cancelled(&task->future);
}

/* --- opening --------------------------------------------------------------------------------- */

/* The scope joins the tree of the innermost open one, or is the topmost of a new tree. */
static void enter(struct scope *scope, struct task *task)
{
    struct scope *parent = scope->parent;

    scope->tree = parent ? parent->tree : &scope->own_lock;
    lock_acquire(scope->tree);
    if (parent) {
        list_push_last(&parent->children, &scope->in_parent);
        if (!scope->is_shield && load_relaxed(&parent->cancelled)) /* relaxed: under the lock */
            store_relaxed(&scope->cancelled, 1); /* relaxed: nobody waits in it yet */
    }
    if (scope->is_shield)
        store_seq(&task->future.shields,
                  load_relaxed(&task->future.shields) + 1); /* own field; see task.c */
    store_relaxed(&task->scope, scope); /* relaxed: read by others under the lock */
    lock_release(scope->tree);
}

static void leave(struct scope *scope, struct task *task)
{
    lock_acquire(scope->tree);
    if (scope->parent)
        list_remove(&scope->parent->children, &scope->in_parent);
    if (scope->is_shield)
        store_seq(&task->future.shields,
                  load_relaxed(&task->future.shields) - 1); /* own field; see task.c */
    store_relaxed(&task->scope, scope->parent); /* relaxed: read by others under the lock */
    lock_release(scope->tree);
}

static int arm(struct scope *scope, weft_time deadline)
{
    if (deadline > 0 && deadline > weft_now()) {
        scope->has_timer = true;
        return weft__timer_add(&weft__worker()->timers, &scope->timer, deadline, on_deadline);
    }
    lock_acquire(scope->tree);
    if (!load_relaxed(&scope->cancelled)) { /* relaxed: under the lock */
        store_seq(&scope->expired, true);
        cancel_locked(scope);
    }
    lock_release(scope->tree);
    return 0;
}

int weft_scope_open_with(weft_scope *memory, const weft_scope_options *options)
{
    struct task *task = weft__current_task();
    struct scope *scope = scope_in(memory);
    int rc = 0;

    *scope = (struct scope){.owner = NULL};
    if (!task)
        return -EPERM;
    scope->owner = task;
    scope->parent = load_relaxed(&task->scope); /* own field */
    scope->is_shield = options->shield;
    enter(scope, task);
    if (options->deadline)
        rc = arm(scope, options->deadline);
    if (rc < 0) {
        leave(scope, task);
        scope->owner = NULL;
    }
    return rc;
}

int weft_scope_open(weft_scope *scope)
{
    return weft_scope_open_with(scope, &(weft_scope_options){.deadline = 0});
}

/* --- members --------------------------------------------------------------------------------- */

int weft__scope_adopt(struct scope *scope, struct task *task)
{
    struct task *spawner = weft__current_task();

    if (!spawner)
        return -EPERM;
    if (!scope->owner)
        return -EINVAL;
    lock_acquire(scope->tree);
    task->home = scope;
    store_relaxed(&task->scope, scope); /* relaxed: the task is not known yet */
    list_push_last(&scope->members, &task->home_link);
    scope->live++;
    lock_release(scope->tree);
    return 0;
}

void weft__scope_spawn_failed(struct scope *scope, int error)
{
    if (!scope->owner)
        return;
    lock_acquire(scope->tree);
    fail_locked(scope, error);
    lock_release(scope->tree);
}

void weft__scope_task_ended(struct runtime *runtime, struct task *task, int status)
{
    struct scope *home = task->home;
    struct lock *tree = home->tree;
    bool was_asked;

    lock_acquire(tree);
    was_asked = future_is_cancelled(&task->future);
    list_remove(&home->members, &task->home_link);
    if (status == -ECANCELED && load_relaxed(&home->cancelled)) /* relaxed: under the lock */
        home->was_cut = true;
    else if (status < 0 && !(status == -ECANCELED && was_asked))
        fail_locked(home, status);
    weft__future_complete(runtime, &task->future, status); /* frees the slot */
    if (--home->live == 0 && home->closer)
        (void)weft__wake(home->closer, 0); /* false: cancelled, and it looks at live itself */
    lock_release(tree);                    /* the last touch: I4 */
}

/* --- closing --------------------------------------------------------------------------------- */

/* Waits until the last member has ended; a cancel from outside cancels them. */
static void wait_for_members(struct scope *scope)
{
    lock_acquire(scope->tree);
    while (scope->live > 0) {
        struct waiter waiter;
        bool cancelled = load_relaxed(&scope->cancelled); /* relaxed: under the lock */
        const struct edge edge = {.kind = EDGE_SCOPE,
                                  .answers = !cancelled, /* else that did not help */
                                  .call = "weft_scope_close",
                                  .object = scope,
                                  .scope = scope};

        edge_lay(&edge);
        weft__wait_begin(&waiter);
        scope->closer = &waiter;
        lock_release(scope->tree);
        weft__edge_check(&waiter, &edge);
        int rc = weft__wait_commit(&waiter, cancelled ? WAIT_FOR_SURE : WAIT_CANCELLABLE);
        edge_lift(&waiter); /* the wait suspended: worker, errno stale */
        if (rc == WAKE_DEADLOCK)
            rc = weft__edge_answer(&waiter);
        lock_acquire(scope->tree);
        scope->closer = NULL;
        if (rc == -EDEADLK) {
            fail_locked(scope, rc); /* the members' waits may end so */
        } else if (rc < 0) {
            scope->was_cut = true;
            cancel_locked(scope);
        }
    }
    lock_release(scope->tree);
}

static int result(struct scope *scope, struct task *task, int rc)
{
    if (scope->failure < 0)
        return scope->failure;
    if (!load_seq(&scope->cancelled) || (rc != -ECANCELED && !scope->was_cut))
        return rc;
    if (scope->stopped)
        return rc > 0 ? rc : 0;
    /* A cancel from outside is told first, but it did not reach into a shield. */
    if (load_seq(&scope->expired) && (scope->is_shield || !weft__task_is_cancelled(task)))
        return -ETIMEDOUT;
    return -ECANCELED;
}

static int close_scope(struct scope *scope, struct task *task, int rc)
{
    if (rc < 0) {
        lock_acquire(scope->tree);
        bool by_cancel = rc == -ECANCELED && load_relaxed(&scope->cancelled); /* under the lock */
        if (!by_cancel)
            fail_locked(scope, rc);
        lock_release(scope->tree);
    }
    wait_for_members(scope); /* suspends: worker, errno stale */
    if (scope->has_timer)
        weft__timer_remove(&scope->timer);
    leave(scope, task);
    scope->owner = NULL;
    return result(scope, task, rc);
}

int weft_scope_close(weft_scope *memory, int rc)
{
    struct task *task = weft__current_task();
    struct scope *scope = scope_in(memory);

    if (!task || (scope->owner && scope->owner != task))
        return -EPERM;
    if (!scope->owner || load_relaxed(&task->scope) != scope) /* own field */
        return -EINVAL;
    return close_scope(scope, task, rc);
}

void weft__scope_leave(weft_scope *memory)
{
    struct scope *scope = scope_in(memory);

    if (scope->owner)
        (void)!weft_scope_close(memory, 0); /* the block's own status is on its way already */
}

void weft__scope_close_leftovers(struct task *task)
{
    struct runtime *runtime = weft__worker()->runtime;

    for (struct scope *scope; (scope = load_relaxed(&task->scope)) != task->home;) { /* own field */
        weft__report(runtime,
                     "task %s ended with a scope open: close it with weft_scope_close "
                     "on every way out, or declare it with WEFT_SCOPE",
                     future_site(&task->future));
        (void)close_scope(scope, task, -ECANCELED); /* suspends; its members end first */
    }
}

/* --- from inside and outside ----------------------------------------------------------------- */

int weft_scope_cancel(weft_scope *memory)
{
    struct scope *scope = scope_in(memory);

    if (!scope->owner)
        return 0;
    lock_acquire(scope->tree);
    cancel_locked(scope);
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
    cancel_locked(scope);
    lock_release(scope->tree);
    return 0;
}

bool weft_scope_expired(const weft_scope *scope)
{
    return load_seq(&scope_in_const(scope)->expired);
}

bool weft_scope_cancelled(const weft_scope *scope)
{
    return load_seq(&scope_in_const(scope)->cancelled) != 0;
}

/* --- one-liners ------------------------------------------------------------------------------ */

static int run_in_scope(weft_time ns, bool shield, weft_fn fn, void *arg)
{
    weft_scope scope;
    weft_time deadline = ns == WEFT_FOREVER ? 0 : ns <= 0 ? -1 : deadline_after(weft_now(), ns);
    int rc = weft_scope_open_with(&scope, &(weft_scope_options){deadline, shield});

    return rc < 0 ? rc : weft_scope_close(&scope, fn(arg));
}

int weft_timeout(weft_time ns, weft_fn fn, void *arg) { return run_in_scope(ns, false, fn, arg); }

int weft_shield(weft_time ns, weft_fn fn, void *arg) { return run_in_scope(ns, true, fn, arg); }
