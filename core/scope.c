/*
 * scope - see scope.h: opening, the members, closing.
 */
#include "core/scope.h"

#include <errno.h>

#include "core/edges.h"
#include "core/gate.h"
#include "core/worker.h"

void weft__scope_report(struct task *task, const char *what)
{
    weft__report(weft__runtime_own(), "task %s %s", future_site(&task->future), what);
}

/* --- opening --------------------------------------------------------------------------------- */

/* What a new scope has of its parent's cancellation. Under the tree's lock. */
static uint32_t inherited(const struct scope *scope)
{
    uint32_t parents = load_relaxed(&scope->parent->cancelled); /* relaxed: under the lock */

    if (scope->is_shield || (scope->is_soft && parents == SCOPE_SOFT))
        return SCOPE_OPEN;
    return parents;
}

/* The scope joins the tree of the innermost open one, or is the topmost of a new tree. */
static void enter(struct scope *scope, struct task *task)
{
    struct scope *parent = scope->parent;

    scope->tree = parent ? parent->tree : &scope->own_lock;
    lock_acquire(scope->tree);
    if (parent) {
        list_push_last(&parent->children, &scope->in_parent);
        store_relaxed(&scope->cancelled, inherited(scope)); /* relaxed: nobody waits in it yet */
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

int weft_scope_open_with(weft_scope *memory, const weft_scope_options *options)
{
    struct task *task = weft__current_task();
    struct scope *scope = scope_in(memory);
    int rc = 0;

    if (task && load_relaxed(&task->scope) == scope) { /* own field */
        weft__scope_report(task, "opened a scope that was open: close it first");
        return -EINVAL;
    }
    *scope = (struct scope){.owner = NULL};
    if (!task)
        return -EPERM;
    scope->owner = task;
    scope->parent = load_relaxed(&task->scope); /* own field */
    scope->is_shield = options->shield;
    scope->is_soft = options->soft;
    scope->failures = options->failures ? options->failures : scope->own_failures;
    scope->failure_room = !options->failures                    ? SCOPE_FAILURES
                          : options->failures_room < UINT32_MAX ? (uint32_t)options->failures_room
                                                                : UINT32_MAX;
    enter(scope, task);
    if (options->deadline)
        rc = weft__scope_arm(scope, options->deadline);
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

static void fail_locked(struct scope *scope, const char *site, int failure)
{
    if (scope->failure == 0)
        scope->failure = failure;
    if (scope->failure_count < scope->failure_room)
        scope->failures[scope->failure_count] = (weft_failure){failure, site};
    scope->failure_count++;
    weft__scope_cancel_locked(scope);
}

int weft__scope_adopt(struct scope *scope, struct task *task)
{
    if (!weft__current_task())
        return -EPERM;
    if (!scope->owner)
        return scope->was_closed ? -ESHUTDOWN : -EINVAL;
    lock_acquire(scope->tree);
    task->home = scope;
    store_relaxed(&task->scope, scope); /* relaxed: the task is not known yet */
    list_push_last(&scope->members, &task->home_link);
    scope->live++;
    lock_release(scope->tree);
    return 0;
}

void weft__scope_spawn_failed(struct scope *scope, const char *site, int error)
{
    if (!scope->owner || !weft__current_task())
        return;
    lock_acquire(scope->tree);
    fail_locked(scope, site ? site : "(no site given)", error);
    lock_release(scope->tree);
}

void weft__scope_task_ended(struct runtime *runtime, struct task *task, int status)
{
    struct scope *home = task->home;
    struct lock *tree = home->tree;

    lock_acquire(tree);
    list_remove(&home->members, &task->home_link);
    bool is_starters = weft__start_ended(task, status);
    bool is_cut = status == -ECANCELED && load_relaxed(&home->cancelled); /* under the lock */
    if (is_cut)
        home->was_cut = true;
    else if (status < 0 && !is_starters &&
             !(status == -ECANCELED && future_is_cancelled(&task->future)))
        fail_locked(home, future_site(&task->future), status);
    weft__future_complete(runtime, &task->future, status); /* frees the slot */
    if (--home->live == 0 && home->closer)
        (void)weft__wake(home->closer, 0); /* false: cancelled, and it looks at live itself */
    lock_release(tree);                    /* the last touch: I4 */
}

size_t weft_scope_failures(const weft_scope *memory, weft_failure *ret_failures, size_t room)
{
    /* The lock is taken, nothing else is changed. */
    struct scope *scope = scope_in((weft_scope *)(uintptr_t)memory);
    bool is_open = scope->owner != NULL;

    if (is_open)
        lock_acquire(scope->tree);
    uint32_t count = scope->failure_count;
    for (uint32_t i = 0; i < count && i < scope->failure_room && i < room; i++)
        ret_failures[i] = scope->failures[i];
    if (is_open)
        lock_release(scope->tree);
    return count;
}

/* --- closing --------------------------------------------------------------------------------- */

/* One wait for the last member, with the tree's lock held around it. Returns 0 when woken by a member,
 * -ECANCELED, -EDEADLK if a member waits for the caller. In a scope that is cancelled softly only what
 * comes from elsewhere ends the wait: the members have heard of the soft cancel themselves. */
static int wait_locked(struct scope *scope, struct task *task)
{
    uint32_t cancelled = load_relaxed(&scope->cancelled); /* relaxed: under the lock */
    /* Where it is cancelled already, the answer that its failure is would not help. */
    static const struct edge_call calls[] = {{"weft_scope_close", EDGE_SCOPE, true},
                                             {"weft_scope_close", EDGE_SCOPE, false}};
    struct edge edge = {.call = &calls[cancelled == SCOPE_HARD], .scope = scope};
    struct waiter waiter;

    edge_lay(task, &edge);
    if (cancelled == SCOPE_SOFT)
        weft__wait_begin_cancellable(&waiter);
    else
        weft__wait_begin(&waiter);
    wait_is_for(&waiter, "the tasks of its scope");
    scope->closer = &waiter;
    lock_release(scope->tree);
    if (cancelled == SCOPE_SOFT && weft__task_cancel_reaches(task))
        weft__wait_interrupt(task); /* it came before the wait could be seen */
    weft__edge_check(&waiter, &edge);
    int rc = weft__wait_commit(&waiter, cancelled ? WAIT_FOR_SURE : WAIT_CANCELLABLE);
    edge_lift(&waiter); /* the wait suspended: worker, errno stale */
    if (rc == WAKE_DEADLOCK)
        rc = weft__edge_answer(&waiter);
    lock_acquire(scope->tree);
    scope->closer = NULL;
    return rc;
}

/* Waits until the last member has ended; a cancel from outside cancels them. */
static void wait_for_members(struct scope *scope, struct task *task)
{
    lock_acquire(scope->tree);
    while (scope->live > 0) {
        int rc = wait_locked(scope, task); /* suspends: worker, errno stale */

        if (rc == -EDEADLK)
            fail_locked(scope, future_site(&task->future), rc); /* the members' waits may end so */
        else if (rc < 0)
            scope->was_cut = true;
        if (rc == -ECANCELED && weft__task_cancel_reaches(task))
            weft__scope_cancel_locked(
                scope); /* else a scope was cancelled, which marked this one */
    }
    lock_release(scope->tree);
}

/* Whether a cancel from outside the scope, which has been left, had reached into it. */
static bool is_reached(struct scope *scope, struct task *task)
{
    struct scope *parent = scope->parent;

    if (scope->is_shield)
        return false;
    return weft__task_cancel_reaches(task) ||
           (parent &&
            load_seq(&parent->cancelled) >= (uint32_t)(scope->is_soft ? SCOPE_HARD : SCOPE_SOFT));
}

static int result(struct scope *scope, struct task *task, int rc)
{
    if (scope->failure < 0)
        return scope->failure;
    if (!load_seq(&scope->cancelled) || (rc != -ECANCELED && !scope->was_cut))
        return rc;
    if (scope->stopped)
        return rc > 0 ? rc : 0;
    /* A cancel from outside is told first. */
    return load_seq(&scope->expired) && !is_reached(scope, task) ? -ETIMEDOUT : -ECANCELED;
}

static void body_failed(struct scope *scope, struct task *task, int rc)
{
    lock_acquire(scope->tree);
    if (rc != -ECANCELED)
        fail_locked(scope, future_site(&task->future), rc);
    else if (!load_relaxed(&scope->cancelled)) { /* relaxed: under the lock */
        if (weft__task_cancel_reaches(task))
            weft__scope_cancel_locked(scope);
        else
            fail_locked(scope, future_site(&task->future),
                        rc); /* not weft's: another's ECANCELED */
    }
    lock_release(scope->tree);
}

int weft__scope_close(struct scope *scope, struct task *task, int rc)
{
    if (rc < 0)
        body_failed(scope, task, rc);
    wait_for_members(scope, task); /* suspends: worker, errno stale */
    weft__scope_disarm(scope);
    leave(scope, task);
    scope->owner = NULL;
    scope->was_closed = true;
    return result(scope, task, rc);
}

int weft_scope_close(weft_scope *memory, int rc)
{
    struct task *task = weft__current_task();
    struct scope *scope = scope_in(memory);

    if (!task)
        return -EPERM;
    if (scope->owner && scope->owner != task) {
        weft__scope_report(task,
                           "closed a scope that another task has opened: who opens it, closes "
                           "it");
        return -EPERM;
    }
    if (!scope->owner) {
        weft__scope_report(task, scope->was_closed ? "closed a scope twice"
                                                   : "closed a scope that was not open");
        return -EINVAL;
    }
    if (load_relaxed(&task->scope) != scope) { /* own field */
        weft__scope_report(task,
                           "closed a scope in which it has another one open: close that first");
        return -EINVAL;
    }
    weft__line_up();                           /* may suspend: worker, errno stale */
    return weft__scope_close(scope, task, rc); /* suspends: worker, errno stale */
}

/* --- asking ---------------------------------------------------------------------------------- */

bool weft_scope_expired(const weft_scope *scope)
{
    return load_seq(&((const struct scope *)(const void *)scope)->expired);
}

bool weft_scope_cancelled(const weft_scope *scope)
{
    return load_seq(&((const struct scope *)(const void *)scope)->cancelled) != SCOPE_OPEN;
}
