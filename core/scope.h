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
 *   cancelled   event                               to    who is marked with it
 *   OPEN        cancel_soft                         SOFT  all below, up to shields and soft blocks
 *   OPEN, SOFT  cancel, stop, a failure, a deadline HARD  all below, up to shields
 *   SOFT        the grace is over                   HARD  all below, up to shields
 *   A scope opened in a SOFT one begins SOFT, a soft block OPEN; in a HARD one both begin HARD.
 *
 * Files: scope.c opens, closes, and keeps the members; scope_cancel.c cancels, now and at deadlines;
 * scope_start.c starts a member that says when it is ready; scope_block.c has the forms that close
 * by themselves.
 *
 * Invariants  I1  all fields below `tree` change under the tree's lock; a task's `scope` does too
 *             I2  a scope's parent, children and members have the same tree
 *             I3  what is cancelled has marked all descendants, except inside a shield, and a SOFT
 *                 one except inside a soft block; `cancelled` only grows
 *             I4  a scope is closed only when it has no members, so the topmost outlives the tree;
 *                 who ends a member last touches the tree by unlocking it, and close locks it once
 *                 more before it returns
 *             I5  the two timers are armed, moved and disarmed under `timing`, or in close, when
 *                 nobody is left inside; they fire under the lock of their worker's timers. Order of
 *                 locks: timing -> timers -> tree
 */
#ifndef WEFT_CORE_SCOPE_H
#define WEFT_CORE_SCOPE_H

#include <weft/scope.h>

#include "core/list.h"
#include "core/lock.h"
#include "core/timer.h"
#include "core/wait.h"

struct task;

enum scope_cancelled { SCOPE_OPEN, SCOPE_SOFT, SCOPE_HARD };

/* Failures that a scope lists by itself. */
#define SCOPE_FAILURES 4u

struct scope {
    struct task *owner;         /* (i) who opened it; NULL once it is closed */
    struct scope *parent;       /* (i) NULL: topmost */
    struct lock *tree;          /* (i) own_lock of the topmost */
    struct lock own_lock;       /* in use only in the topmost */
    _Atomic uint32_t cancelled; /* (a) enum scope_cancelled; read by the tasks inside */
    struct list children;
    struct link in_parent;
    struct list members;
    struct waiter *closer;  /* who waits in close */
    uint32_t live;          /* members that have not ended */
    int failure;            /* the earliest; 0: none */
    bool is_shield;         /* (i) */
    bool is_soft;           /* (i) */
    bool was_closed;        /* with owner NULL: it had been open */
    bool stopped;           /* weft_scope_stop */
    bool was_cut;           /* cancellation ended a member, or the wait in close */
    _Atomic bool expired;   /* (a) its own deadline has cancelled it; asked for without the lock */
    uint32_t failure_count; /* all, also those for which there was no room */
    uint32_t failure_room;  /* (i) */
    weft_failure *failures; /* (i) the caller's, or own_failures */
    struct lock timing;     /* of the timers: I5 */
    struct timer deadline, grace;
    weft_failure own_failures[SCOPE_FAILURES];
};

_Static_assert(sizeof(struct scope) <= sizeof(weft_scope), "a scope fits the caller's memory");

static inline struct scope *scope_in(weft_scope *scope) { return (struct scope *)(void *)scope; }

/* scope.c */

/* A task has ended: takes it out of its home scope, completes its future, and tells the owner. */
void weft__scope_task_ended(struct runtime *runtime, struct task *task, int status);

/* Puts a fresh task into the scope. From a task inside. Returns 0; -EPERM, -ESHUTDOWN if it is closed,
 * -EINVAL if it has never been open. */
int weft__scope_adopt(struct scope *scope, struct task *task);

/* A spawn into the scope has failed: that counts as the failure of a member. */
void weft__scope_spawn_failed(struct scope *scope, const char *site, int error);

/* Closes the innermost scope of the running task. As weft_scope_close. */
int weft__scope_close(struct scope *scope, struct task *task, int rc);

/* Tells where reports are wanted that a task has misused a scope. */
void weft__scope_report(struct task *task, const char *what);

/* scope_cancel.c */

/* Cancels the scope and all below. Under the tree's lock. */
void weft__scope_cancel_locked(struct scope *scope);

/* Whether the task's own future was cancelled, and no shield of its own keeps that out. */
bool weft__task_cancel_reaches(struct task *task);

/* Gives a scope that nobody else knows yet its deadline. Returns 0, -ENOMEM. From its owner. */
int weft__scope_arm(struct scope *scope, weft_time deadline);

/* Takes its timers away. From close. */
void weft__scope_disarm(struct scope *scope);

/* scope_start.c */

/* A task has ended that somebody has started and awaits to be ready: tells that one. Returns whether
 * it is so; then the status is not the scope's. Under the tree's lock. */
bool weft__start_ended(struct task *task, int status);

/* scope_block.c */

/* Closes what a task has left open at its end, and reports it. */
void weft__scope_close_leftovers(struct task *task);

#endif
