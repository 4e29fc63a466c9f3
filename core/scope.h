/*
 * scope - the inside of a weft_scope: who is in it, and what has happened to it.
 *
 *     topmost scope --- tree lock: one for the whole tree, it lives in the topmost scope
 *      |  members: tasks spawned into it, each with a scope of its own where it stands now
 *      |  children: scopes opened inside it, by its owner or its members
 *      +-- scope ...
 *
 * A task's `scope` is the innermost one that it has open, or the one that it was spawned into, or
 * NULL. Its wait is cancelled by that scope alone: cancelling a scope marks every scope below it, but
 * not below a shield, so that a wait looks at one flag.
 *
 * Invariants  I1  all fields below `tree` change under the tree's lock; a task's `scope` does too
 *             I2  a scope's parent, children and members have the same tree
 *             I3  cancelled is set in all descendants of a cancelled scope, except inside a shield
 *             I4  a scope is closed only when it has no members, so the topmost outlives the tree;
 *                 who ends a member last touches the tree by unlocking it, and close locks it once
 *                 more before it returns
 */
#ifndef WEFT_CORE_SCOPE_H
#define WEFT_CORE_SCOPE_H

#include <weft/scope.h>

#include "core/list.h"
#include "core/lock.h"
#include "core/timer.h"
#include "core/wait.h"

struct task;

struct scope {
    struct task *owner;         /* (i) who opened it; NULL once it is closed */
    struct scope *parent;       /* (i) NULL: topmost */
    struct lock *tree;          /* (i) own_lock of the topmost */
    struct lock own_lock;       /* in use only in the topmost */
    _Atomic uint32_t cancelled; /* (a) read by the tasks inside */
    struct list children;
    struct link in_parent;
    struct list members;
    struct waiter *closer; /* who waits in close */
    uint32_t live;         /* members that have not ended */
    int failure;           /* the earliest; 0: none */
    bool is_shield;        /* (i) */
    bool has_timer;        /* (i) */
    _Atomic bool expired;  /* (a) its own deadline has cancelled it; asked for without the lock */
    bool stopped;          /* weft_scope_stop */
    bool was_cut;          /* cancellation ended a member, or the wait in close */
    struct timer timer;
};

_Static_assert(sizeof(struct scope) <= sizeof(weft_scope), "a scope fits the caller's memory");

/* A task has ended: takes it out of its home scope, completes its future, and tells the owner. */
void weft__scope_task_ended(struct runtime *runtime, struct task *task, int status);

/* Puts a fresh task into the scope. From a task inside. Returns 0, -EPERM, -EINVAL if it is closed. */
int weft__scope_adopt(struct scope *scope, struct task *task);

/* A spawn into the scope has failed: that counts as the failure of a member. */
void weft__scope_spawn_failed(struct scope *scope, int error);

/* Closes what a task has left open at its end, and reports it. */
void weft__scope_close_leftovers(struct task *task);

#endif
