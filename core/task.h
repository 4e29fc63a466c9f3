/*
 * task - what runs: a function, its argument, and the stack that it gets at its first run.
 *
 *     spawned -> ready -> running -> (waiting -> ready -> running)* -> ended
 *
 * A task that has not run is only this descriptor. While it waits or runs it has a stack; when it has
 * ended the stack goes on to the next one while it is still warm.
 */
#ifndef WEFT_CORE_TASK_H
#define WEFT_CORE_TASK_H

#include <weft/scope.h>

#include "core/ck.h"
#include "core/fiber.h"
#include "core/future.h"
#include "core/runtime.h"

struct locals;
struct scope;
struct starting;
struct worker;

struct task {
    struct future future;         /* first: a slot */
    weft_fn fn;                   /* (i) */
    void *arg;                    /* (i) its own copy below, if it was spawned by value */
    void (*drop)(void *);         /* (i) instead of fn, if it never starts */
    ck_stack_entry_t ready_entry; /* while it is in an inbox */
    struct fiber fiber;           /* of the worker that runs it; meaningful while suspended */
    void *stack;                  /* low end; NULL before the first run */
    uint32_t stack_bytes;         /* (i) as weft__stack_size gives it */
    uint32_t last_worker;         /* who ran it last, for WEFT_DEBUG=migrate */

    struct link *held; /* (w) the mutex it has locked last, and through that the others; mutex.c */

    struct scope *home;            /* (i) the scope that owns it; NULL: its handle does */
    struct link home_link;         /* in home's list; under the tree's lock */
    _Atomic(struct scope *) scope; /* (w+) innermost open scope; changed under the tree's lock */
    struct starting *starting;     /* (w) who waits until it is ready; see scope_start.c */
    bool is_ready;                 /* (w) it has said so */
    struct locals *locals;         /* (w) its task-local values; NULL: none */

    _Alignas(16) unsigned char val[WEFT_VAL_BYTES];
};

_Static_assert(sizeof(struct task) <= SLOT_BYTES, "a task fits its slot");

extern const struct future_kind weft__task_kind;

/* Makes a task and makes it ready. `home` is its scope, or NULL. The errors of weft_spawn_with
 * travel in the handle; then drop has run. */
weft_future weft__task_spawn(struct runtime *runtime, struct scope *home,
                             const weft_task_options *options, weft_fn fn, void *arg);

/* As weft_scope_spawn_with, for somebody who waits until the task is ready: his is also the failure
 * of the spawn. */
weft_future weft__task_start(struct scope *home, struct starting *starting,
                             const weft_task_options *options, weft_fn fn, void *arg);

/* Whether every wait of the task answers -ECANCELED now. For the task itself; others must hold the
 * lock of its scope tree. */
bool weft__task_is_cancelled(struct task *task);

/* Where a task's stack begins to run. */
void weft__task_main(void *task);

/* Ends a task that has no stack any more, or never had one: tells its scope and its future. The worker is
 * the one that the calling thread carries, and it is inside; NULL: none. */
void weft__task_end(struct runtime *runtime, struct worker *worker, struct task *task, int status);

#endif
