/*
 * task - see task.h: spawning, ending, cancelling; yield and sleep.
 */
#include "core/task.h"

#include <alloca.h>
#include <errno.h>
#include <string.h>

#include <weft/time.h>

#include "core/local.h"
#include "core/probe.h"
#include "core/scope.h"
#include "core/sys.h"
#include "core/worker.h"

/* --- cancelling ------------------------------------------------------------------------------ */

/* CANCEL has been set. Ends the task's present wait, unless that stands inside a shield or belongs to
 * a later user of the slot: word first, then generation and shields, then the swap on that word. */
static void task_cancel(struct future *future, uint32_t generation)
{
    uint64_t word = load_seq(&future->sleeper.word);
    uint64_t state = load_seq(&future->state);

    if (future_generation(state) == generation && state & FUTURE_CANCEL &&
        load_seq(&future->shields) == 0)
        weft__wait_interrupt_word(future, word);
}

const struct future_kind weft__task_kind = {.name = "task", .cancel = task_cancel};

/* --- spawning -------------------------------------------------------------------------------- */

static int check_options(const weft_task_options *options, weft_fn fn)
{
    if (options->val_bytes > WEFT_VAL_BYTES) {
        weft__explain("val_bytes is %zu: at most %d are copied; pass a pointer as arg instead",
                      options->val_bytes, WEFT_VAL_BYTES);
        return -E2BIG;
    }
    if (options->stack_bytes > STACK_BYTES_MOST) {
        weft__explain("stack_bytes is %zu: at most %zu", options->stack_bytes, STACK_BYTES_MOST);
        return -EINVAL;
    }
    if (!fn)
        weft__explain("the function to spawn is NULL");
    return fn ? 0 : -EINVAL;
}

/* All but what options say. */
static void fill(struct task *task, weft_fn fn, void *arg)
{
    task->fn = fn;
    task->arg = arg;
    task->drop = NULL;
    task->stack = NULL;
    task->stack_bytes = (uint32_t)STACK_BYTES;
    task->held = NULL;
    task->home = NULL;
    store_relaxed(&task->scope, NULL); /* relaxed: nobody else knows the task yet */
    task->starting = NULL;
    task->is_ready = false;
    task->locals = NULL;
}

/* `carrier` is here and below the calling thread's, and that is inside. */
static struct task *task_new(struct runtime *runtime, struct carrier *carrier,
                             const weft_task_options *options, weft_fn fn, void *arg)
{
    struct worker *worker = carrier_worker(carrier);
    struct task *task = (struct task *)(void *)weft__future_new_from(
        runtime, worker ? &worker->slots : NULL, &weft__task_kind, options->site);

    if (!task)
        return NULL;
    fill(task, fn, arg);
    task->drop = options->drop;
    task->stack_bytes = (uint32_t)weft__stack_size(options->stack_bytes);
    if (options->val_bytes) {
        memcpy(task->val, options->val, options->val_bytes);
        task->arg = task->val;
    }
    return task;
}

static void count_spawn(struct runtime *runtime, struct worker *worker)
{
    if (worker) /* relaxed: own field, a statistic */
        store_relaxed(&worker->spawned, load_relaxed(&worker->spawned) + 1);
    else
        add_relaxed(&runtime->outside_spawned, 1); /* relaxed: a statistic */
}

/* A task has started or ended: drain() counts anew. */
static void tell_drain(struct runtime *runtime)
{
    if (!load_seq(&runtime->is_draining)) /* pairs with drain(): it says so, then counts */
        return;
    add_seq(&runtime->drain_signal, 1);
    weft__futex_wake(&runtime->drain_signal, 1);
}

/* The new task sees the values that its spawner sees now. */
static void inherit_locals(const struct task *spawner, struct task *task)
{
    if (!spawner || !spawner->locals)
        return;
    weft__locals_share(spawner->locals);
    task->locals = spawner->locals;
}

static int start(struct runtime *runtime, struct carrier *carrier, struct scope *home,
                 struct task *task, weft_future *ret_handle)
{
    int rc = 0;

    if (home) /* after 0 the caller is a task, which is never refused */
        rc = weft__scope_adopt(home, task);
    else if (weft__runtime_refuses(runtime)) /* once more, now that drain() can see the task: */
        rc = -ESHUTDOWN;                     /* the first look may have come before it */
    if (rc < 0)
        weft__future_discard(runtime, &task->future);
    tell_drain(runtime); /* while the spawner is still live: see until_tasks_ended() */
    if (rc < 0)
        return rc;
    inherit_locals(carrier->task, task);
    if (home)
        or_seq(&task->future.state, FUTURE_SCOPED);
    *ret_handle = weft__future_handle(&task->future); /* the task may end at once after this */
    if (!home && load_seq(&runtime->is_draining))     /* pairs with drain(): all are cancelled */
        or_seq(&task->future.state, FUTURE_CANCEL);
    struct worker *worker = carrier_worker(carrier);
    count_spawn(runtime, worker);
    weft__ready_last_from(worker, runtime, task);
    return 0;
}

static __attribute__((noinline, cold)) weft_future start_while_draining(struct carrier *carrier,
                                                                        struct task *task)
{
    weft_future handle;
    int rc = start(carrier->runtime, carrier, NULL, task, &handle);

    return rc < 0 ? weft__future_failed(rc) : handle;
}

/* Returns a handle of slot 0 if it failed: then what is to be dropped is still the caller's. */
static weft_future task_spawn(struct runtime *runtime, struct carrier *carrier, struct scope *home,
                              struct starting *starting, const weft_task_options *options,
                              weft_fn fn, void *arg)
{
    weft_future handle;
    int rc = weft__runtime_refuses(runtime) ? -ESHUTDOWN : check_options(options, fn);
    struct task *task = rc < 0 ? NULL : task_new(runtime, carrier, options, fn, arg);

    if (task)
        task->starting = starting;
    if (rc == 0)
        rc = task ? start(runtime, carrier, home, task, &handle) : -ENOMEM;
    return rc == 0 ? handle : weft__future_failed(rc);
}

/* Not inside: the drop function is the caller's own code, and may do anything. */
static void drop(const weft_task_options *options, void *arg)
{
    if (options->drop)
        options->drop(options->val_bytes ? (void *)(uintptr_t)options->val : arg);
}

/* One window for all that a spawn does with the worker. */
static weft_future spawn_from(struct runtime *runtime, struct carrier *carrier, struct scope *home,
                              struct starting *starting, const weft_task_options *options,
                              weft_fn fn, void *arg)
{
    uint32_t was;

    (void)carrier_enter(carrier, &was); /* none will do */
    weft_future handle = task_spawn(runtime, carrier, home, starting, options, fn, arg);
    carrier_leave(carrier, was);
    if (handle.slot)
        return handle;
    drop(options, arg);
    if (home && !starting)
        weft__scope_spawn_failed(home, options->site, weft__future_outside(handle, 0));
    return handle;
}

weft_future weft__task_spawn(struct runtime *runtime, struct scope *home,
                             const weft_task_options *options, weft_fn fn, void *arg)
{
    return spawn_from(runtime, weft__carrier(), home, NULL, options, fn, arg);
}

weft_future weft__task_start(struct scope *home, struct starting *starting,
                             const weft_task_options *options, weft_fn fn, void *arg)
{
    struct carrier *carrier = weft__carrier();
    struct runtime *runtime = carrier->runtime;
    weft_future handle;

    if (runtime)
        return spawn_from(runtime, carrier, home, starting, options, fn, arg);
    int rc = weft__runtime_enter(&runtime);
    if (rc < 0) {
        drop(options, arg);
        return weft__future_failed(rc);
    }
    handle = spawn_from(runtime, carrier, home, starting, options, fn, arg);
    weft__runtime_leave(runtime);
    return handle;
}

static weft_future spawn(struct scope *home, const weft_task_options *options, weft_fn fn,
                         void *arg)
{
    return weft__task_start(home, NULL, options, fn, arg);
}

weft_future weft_spawn_with(const weft_task_options *options, weft_fn fn, void *arg)
{
    return spawn(NULL, options, fn, arg);
}

/* A task with no options, from a worker that has a slot at hand; NULL: neither. */
static inline struct task *task_at_hand(struct worker *worker, const char *site, weft_fn fn,
                                        void *arg)
{
    struct future *future = worker && fn ? slab_take_hot(&worker->slots) : NULL;
    struct task *task = (struct task *)(void *)future;

    if (!future)
        return NULL;
    fill(task, fn, arg);
    future_begin(future, &weft__task_kind, site);
    return task;
}

/* start() where nobody stops the runtime, short. Ends the window. */
static inline weft_future start_at_hand(struct carrier *carrier, uint32_t was,
                                        struct worker *worker, struct task *task)
{
    weft_future handle;

    if (__builtin_expect(load_seq(&worker->runtime->is_draining), 0)) { /* pairs with drain() */
        handle = start_while_draining(carrier, task);
        carrier_leave(carrier, was);
        return handle;
    }
    inherit_locals(carrier->task, task);
    handle = weft__future_handle(&task->future); /* the task may end at once after this */
    count_spawn(worker->runtime, worker);
    weft__ready_last_from(worker, worker->runtime, task);
    carrier_leave(carrier, was);
    return handle;
}

weft_future weft_spawn_at(const char *site, weft_fn fn, void *arg)
{
    struct carrier *carrier = weft__carrier();
    uint32_t was;
    struct worker *worker = carrier_enter(carrier, &was);
    struct task *task = task_at_hand(worker, site, fn, arg);

    if (task)
        return start_at_hand(carrier, was, worker, task);
    carrier_leave(carrier, was);
    return spawn(NULL, &(weft_task_options){.site = site}, fn, arg);
}

weft_future weft_spawn_val_at(const char *site, weft_fn fn, const void *val, size_t bytes)
{
    struct carrier *carrier = weft__carrier();
    uint32_t was;
    struct worker *worker = carrier_enter(carrier, &was);
    struct task *task = bytes <= WEFT_VAL_BYTES ? task_at_hand(worker, site, fn, NULL) : NULL;

    if (!task) {
        carrier_leave(carrier, was);
        return spawn(NULL, &(weft_task_options){.site = site, .val = val, .val_bytes = bytes}, fn,
                     NULL);
    }
    if (bytes) {
        memcpy(task->val, val, bytes);
        task->arg = task->val;
    }
    return start_at_hand(carrier, was, worker, task);
}

weft_future weft_scope_spawn_with(weft_scope *scope, const weft_task_options *options, weft_fn fn,
                                  void *arg)
{
    return spawn((struct scope *)(void *)scope, options, fn, arg);
}

weft_future weft_scope_spawn_at(weft_scope *scope, const char *site, weft_fn fn, void *arg)
{
    return weft_scope_spawn_with(scope, &(weft_task_options){.site = site}, fn, arg);
}

weft_future weft_scope_spawn_val_at(weft_scope *scope, const char *site, weft_fn fn,
                                    const void *val, size_t bytes)
{
    return weft_scope_spawn_with(
        scope, &(weft_task_options){.site = site, .val = val, .val_bytes = bytes}, fn, NULL);
}

/* --- running and ending ---------------------------------------------------------------------- */

void weft__task_end(struct runtime *runtime, struct worker *worker, struct task *task, int status)
{
    if (worker) /* relaxed: own field, a statistic */
        store_relaxed(&worker->ended, load_relaxed(&worker->ended) + 1);
    else
        add_relaxed(&runtime->outside_ended, 1); /* relaxed: a statistic */
    if (task->locals)                            /* it has never run */
        weft__locals_drop(task);
    if (task->home)
        weft__scope_task_ended(runtime, task, status);
    else
        weft__future_complete(runtime, &task->future, status);
    tell_drain(runtime);
}

/* The scope lies in a frame that has just been left, so this call's own frames must lie below it:
 * the memory between is skipped. Nothing may be called in between. Mutexes first: members of the
 * scope may wait for one. */
static __attribute__((noinline)) void close_leftovers(struct task *task)
{
    weft__mutexes_abandon(task);
    weft__scope_close_leftovers(task);
}

static __attribute__((noinline)) int call(struct task *task)
{
    int status = task->fn(task->arg);                /* suspends: worker, errno stale */
    struct scope *open = load_relaxed(&task->scope); /* own field */
    if (open != task->home) {
        char *here = __builtin_frame_address(0);
        ptrdiff_t depth = here - (char *)open;

        if (depth > 0 && depth < (ptrdiff_t)task->stack_bytes) {
            volatile char *skipped = alloca((size_t)depth + 256);

            skipped[0] = 0; /* keeps the memory reserved */
        }
        close_leftovers(task);
    } else if (task->held) {
        weft__mutexes_abandon(task);
    }
    if (task->locals)
        weft__locals_drop(task);
    return status;
}

void weft__task_main(void *arg)
{
    struct task *task = arg;

    weft__fiber_arrive(&task->fiber);
    struct carrier *carrier = weft__settle();
    struct fiber *next;
    for (;;) {
        fiber_modes_take(&carrier->modes);
        carrier_leave(carrier, CARRIER_IN_TASK); /* from here on it may lose the worker */
        int status = call(task);                 /* suspends: carrier, errno stale */
        next = weft__end_here(task, status, &task);
        carrier = weft__carrier();
        if (next)
            break;
    }
    weft__fiber_leave(&carrier->dead, next);
}

/* --- what a task asks about itself ----------------------------------------------------------- */

weft_future weft_self(void)
{
    struct task *task = weft__current_task();

    return task ? weft__future_handle(&task->future) : (weft_future){0, 0};
}

bool weft_cancelled(void)
{
    struct task *task = weft__current_task();

    return task ? weft__task_is_cancelled(task) : weft__pools_job_is_cancelled();
}

int weft_yield(void)
{
    struct task *task = weft__current_task();

    if (!task)
        return -EPERM;
    probe_call(task);
    weft__yield(); /* suspends: worker, errno stale */
    return weft__task_is_cancelled(task) ? -ECANCELED : 0;
}

/* --- sleeping -------------------------------------------------------------------------------- */

struct nap {
    struct timer timer;
    struct waiter waiter;
};

static void nap_over(struct timer *timer)
{
    struct nap *nap = container_of(timer, struct nap, timer);

    (void)weft__wake(&nap->waiter, 0); /* false: cancelled; the sleeper waits for our lock */
}

int weft_sleep_until(weft_time moment)
{
    struct nap nap;
    int rc = weft__wait_check();

    if (!weft__current_task())
        return -EPERM;
    if (rc < 0)
        return rc;
    if (moment <= weft_now())
        return weft_yield();
    weft__wait_begin(&nap.waiter);
    wait_is_for(&nap.waiter, "the end of a sleep");
    rc = weft__timer_add_here(&nap.timer, moment, nap_over);
    if (rc < 0)
        (void)weft__wake(&nap.waiter, 0); /* nobody else knows the waiter: ends it at once */
    int woken = weft__wait_commit(&nap.waiter, rc < 0 ? WAIT_FOR_SURE : WAIT_CANCELLABLE);
    if (rc == 0)
        weft__timer_remove(&nap.timer); /* the wait suspended: worker, errno stale */
    return rc < 0 ? rc : woken;
}

int weft_sleep(weft_time ns)
{
    return ns <= 0 ? weft_yield() : weft_sleep_until(deadline_after(weft_now(), ns));
}
