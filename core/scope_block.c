/*
 * scope_block - the forms of a scope that close by themselves: around a function, around a block,
 * and at the end of a task that has forgotten one.
 */
#include <alloca.h>
#include <errno.h>

#include "core/scope.h"
#include "core/worker.h"

/* --- around a function ----------------------------------------------------------------------- */

static int open_for(weft_scope *scope, weft_time ns, bool shield, bool soft)
{
    weft_time deadline = ns == WEFT_FOREVER ? 0 : ns <= 0 ? -1 : deadline_after(weft_now(), ns);

    return weft_scope_open_with(
        scope, &(weft_scope_options){.deadline = deadline, .shield = shield, .soft = soft});
}

static int run_in_scope(weft_time ns, bool shield, bool soft, weft_fn fn, void *arg)
{
    weft_scope scope;
    int rc = open_for(&scope, ns, shield, soft);

    return rc < 0 ? rc : weft_scope_close(&scope, fn(arg));
}

int weft_timeout(weft_time ns, weft_fn fn, void *arg)
{
    return run_in_scope(ns, false, false, fn, arg);
}

int weft_shield(weft_time ns, weft_fn fn, void *arg)
{
    return run_in_scope(ns, true, false, fn, arg);
}

int weft_soft(weft_fn fn, void *arg) { return run_in_scope(WEFT_FOREVER, false, true, fn, arg); }

/* --- what was left open ---------------------------------------------------------------------- */

static void close_inside(struct task *task, struct scope *until, const char *mistake)
{
    for (struct scope *scope; (scope = load_relaxed(&task->scope)) != until;) { /* own field */
        weft__scope_report(task, mistake);
        lock_acquire(scope->tree);
        weft__scope_cancel_locked(scope);
        lock_release(scope->tree);
        (void)weft__scope_close(scope, task, -ECANCELED); /* suspends; its members end first */
    }
}

void weft__scope_close_leftovers(struct task *task)
{
    close_inside(task, task->home,
                 "ended with a scope open: close it with weft_scope_close on every way out, or "
                 "declare it with WEFT_SCOPE");
}

static __attribute__((noinline)) void close_forgotten(struct scope *block)
{
    close_inside(block->owner, block,
                 "left a block with another scope open in it: close that with weft_scope_close on "
                 "every way out, or declare it with WEFT_SCOPE");
}

/* The forgotten scope may lie in a frame that has just been left, so that the frames of these calls
 * should lie below it; as at the end of a task (weft__task_main), where nothing lies in between. Here it
 * is no more than the best that can be done: the frame that called this may have touched it. */
static __attribute__((noinline, cold)) void skip_and_close(struct scope *block, struct scope *open)
{
    ptrdiff_t depth = (char *)__builtin_frame_address(0) - (char *)open;

    if (depth > 0 && depth < (ptrdiff_t)block->owner->stack_bytes) {
        volatile char *skipped = alloca((size_t)depth + 256);

        skipped[0] = 0; /* keeps the memory reserved */
    }
    close_forgotten(block);
}

static int leave_block(weft_scope *memory, int rc)
{
    struct scope *scope = scope_in(memory);
    struct scope *open = load_relaxed(&scope->owner->scope); /* own field */

    if (open != scope)
        skip_and_close(scope, open); /* suspends: worker, errno stale */
    return weft_scope_close(memory, rc);
}

/* --- around a block -------------------------------------------------------------------------- */

void weft__scope_leave(weft_scope *memory)
{
    if (scope_in(memory)->owner)
        (void)leave_block(memory, 0); /* the block's own status is on its way already */
}

bool weft__within_enter(weft_within *within, int *rc, weft_time ns)
{
    within->weft__rc = rc;
    *rc = open_for(&within->weft__scope, ns, false, false);
    return *rc >= 0;
}

void weft__within_leave(weft_within *within)
{
    if (scope_in(&within->weft__scope)->owner) /* else it could not be opened */
        *within->weft__rc = leave_block(&within->weft__scope, *within->weft__rc);
}
