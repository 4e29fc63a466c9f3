/*
 * runtime - starting, running, stopping; and the gate for plain threads.
 *
 * Stopping, step by step: (1) is_draining: plain threads bring no new work; (2) every future that
 * has not ended is cancelled; (3) wait until all tasks have ended, then the pools, then the tasks
 * that jobs have spawned meanwhile, for the shutdown time; (4) the gate closes, and empties, and
 * what nobody awaited is reported; (5) is_over: the workers find nothing and end; (6) everything is
 * freed. If (3) takes too long, nothing is freed: what goes on is reported and abandoned, with the
 * threads and memory it uses.
 */
#include "core/runtime.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/testing.h>

#include "core/config.h"
#include "core/fd.h"
#include "core/sys.h"
#include "core/worker.h"

/* The one global: where the runtime is, and who is inside. */
static struct {
    _Atomic(struct runtime *) runtime; /* (a) NULL: not started, or stopped */
    _Atomic uint32_t entering; /* (a) plain threads between the look at runtime and its count */
    _Atomic uint32_t runs;     /* (a) how often it was started: 0 tells -ENXIO */
    _Atomic uint32_t holds;    /* (a) weft_waker_hold minus weft_waker_release */
    struct lock lock;          /* of starting and stopping, and of the next three */
    uint32_t starts;           /* weft_start minus weft_stop */
    bool wants_virtual;        /* weft_test_clock was called, */
    int64_t grace;             /* with this */

    _Alignas(WEFT_LINE) _Atomic int64_t virtual_now; /* (a) 0: time is real */
} gate;

/* --- the gate -------------------------------------------------------------------------------- */

static _Thread_local struct runtime *adopted;

/* Not inlined, so that no compiler keeps the thread-local's address over a suspension. */
static __attribute__((noinline)) struct runtime *adopted_here(void)
{
    __asm__ volatile("");
    return adopted;
}

void weft__runtime_adopt_thread(struct runtime *runtime) { adopted = runtime; }

/* Where a plain thread is, and how often it has passed the gate. */
static _Thread_local struct {
    struct runtime *runtime;
    uint32_t depth;
} visit;

static __attribute__((noinline)) __typeof__(&visit) visit_here(void)
{
    __asm__ volatile("");
    return &visit;
}

struct runtime *weft__runtime_here(uint32_t *ret_depth)
{
    *ret_depth = visit_here()->depth;
    return *ret_depth ? visit_here()->runtime : adopted_here();
}

/* The runtime that the calling thread belongs to; NULL for a plain thread. */
static struct runtime *own_runtime(void)
{
    struct worker *worker = weft__worker();

    return worker ? worker->runtime : adopted_here();
}

bool weft__runtime_is_mine(void) { return own_runtime() != NULL; }

int weft__runtime_enter(struct runtime **ret_runtime)
{
    struct runtime *runtime = own_runtime();

    if (!runtime) {
        add_seq(&gate.entering, 1); /* before the look at runtime; pairs with gate_close() */
        runtime = load_seq(&gate.runtime);
        if (runtime) {
            add_seq(&runtime->inside, 1); /* it lives: gate_close() waits for this thread */
            visit_here()->runtime = runtime;
            visit_here()->depth++;
        }
        if (sub_seq(&gate.entering, 1) == 1 && !load_seq(&gate.runtime))
            weft__futex_wake(&gate.entering, 1);
        if (!runtime)
            return load_seq(&gate.runs) ? -ESHUTDOWN : -ENXIO;
    }
    *ret_runtime = runtime;
    return 0;
}

void weft__runtime_leave(struct runtime *runtime)
{
    _Atomic uint32_t *inside = &runtime->inside;

    if (own_runtime())
        return;
    visit_here()->depth--;
    /* The last one may find the runtime freed already: then the wake is for nobody. */
    if (sub_seq(inside, 1) == 1 && load_seq(&gate.runtime) != runtime)
        weft__futex_wake(inside, 1);
}

static void until_zero(_Atomic uint32_t *count)
{
    uint32_t left;

    while ((left = load_seq(count)) > 0)
        (void)weft__futex_wait(count, left, WEFT_NO_TIMEOUT); /* spurious: look again */
}

/* Nobody comes in any more; waits until everybody has left. Each runtime counts its own: who is
 * stuck in one that was abandoned must not hold up the next. */
static void gate_close(struct runtime *runtime)
{
    store_seq(&gate.runtime, NULL);
    until_zero(&gate.entering);
    until_zero(&runtime->inside);
}

const weft_options *weft__runtime_options(const struct runtime *runtime)
{
    return &runtime->options;
}

bool weft__runtime_is_stopping(const struct runtime *runtime)
{
    return load_seq(&((struct runtime *)(uintptr_t)runtime)->is_draining) != 0;
}

bool weft__runtime_refuses(const struct runtime *runtime)
{
    return weft__runtime_is_stopping(runtime) && !own_runtime();
}

struct pools *weft__runtime_pools(struct runtime *runtime) { return runtime->pools; }

bool weft__runtime_is_held(void) { return load_seq(&gate.holds) > 0; }

void weft_waker_hold(void) { add_seq(&gate.holds, 1); }

int weft_waker_release(void)
{
    uint32_t holds = load_seq(&gate.holds);
    struct runtime *runtime;

    do {
        if (holds == 0)
            return -EPERM;
    } while (!cas_seq(&gate.holds, &holds, holds - 1));
    if (holds > 1 || weft__runtime_enter(&runtime) < 0)
        return 0;
    /* Perhaps that was the last hope: a worker looks. This takes no lock, for signal handlers. */
    struct loop *loop = &runtime->workers[0].loop;
    loop->ops->wake(loop);
    weft__runtime_leave(runtime);
    return 0;
}

/* --- the clock of tests ---------------------------------------------------------------------- */

bool weft__runtime_clock_wanted(int64_t *ret_grace)
{
    lock_acquire(&gate.lock);
    bool is_wanted = gate.wants_virtual;
    *ret_grace = gate.grace;
    lock_release(&gate.lock);
    return is_wanted;
}

int weft_test_clock(weft_time grace)
{
    if (grace < 0)
        return -EINVAL;
    if (own_runtime())
        return -EPERM;
    lock_acquire(&gate.lock);
    gate.wants_virtual = true;
    gate.grace = grace;
    lock_release(&gate.lock);
    return 0;
}

int64_t weft__runtime_virtual_now(void)
{
    /* relaxed: who was woken by a jump sees it by the wake */
    return load_relaxed(&gate.virtual_now);
}

void weft__runtime_time_jumped(const struct runtime *runtime, int64_t now)
{
    int64_t before = load_seq(&gate.virtual_now);

    /* Else it was abandoned, and what is there is nobody's or another's. */
    if (before != 0 && load_seq(&gate.runtime) == runtime)
        (void)cas_seq(&gate.virtual_now, &before, now);
}

/* --- starting -------------------------------------------------------------------------------- */

static int worker_init(struct runtime *runtime, struct worker *worker, uint32_t index)
{
    int rc;

    worker->runtime = runtime;
    worker->index = index;
    worker->seed = index * 2654435761u + 1;
    ck_stack_init(&worker->inbox.stack);
    weft__timers_init(&worker->timers);
    rc = weft__deque_init(&worker->deque);
    if (rc < 0)
        return rc;
    rc = weft__loop_init(&worker->loop, worker, runtime->options.loop, worker->why_loop);
    if (rc < 0)
        weft__deque_destroy(&worker->deque);
    return rc;
}

static void worker_destroy(struct worker *worker)
{
    weft__loop_destroy(&worker->loop);
    weft__deque_destroy(&worker->deque);
    weft__timers_destroy(&worker->timers);
    for (size_t i = 0; i < worker->stacks.count; i++)
        worker->stacks.stacks[i] = NULL; /* the regions go as a whole */
}

static void workers_destroy(struct runtime *runtime)
{
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        worker_destroy(&runtime->workers[i]);
    weft__sys_free(runtime->workers);
}

static int workers_init(struct runtime *runtime)
{
    uint32_t wanted = (uint32_t)runtime->options.workers;

    runtime->workers = weft__sys_alloc_lines(wanted * sizeof *runtime->workers);
    if (!runtime->workers)
        return -ENOMEM;
    for (; runtime->worker_count < wanted; runtime->worker_count++) {
        int rc =
            worker_init(runtime, &runtime->workers[runtime->worker_count], runtime->worker_count);

        if (rc < 0) {
            workers_destroy(runtime);
            return rc;
        }
    }
    return 0;
}

/* Ends the first `count` workers' threads. */
static void threads_end(struct runtime *runtime, uint32_t count)
{
    store_seq(&runtime->is_over, 1); /* before the wakes; pairs with weft__worker_sees_work() */
    for (uint32_t i = 0; i < count; i++)
        weft__park_wake(&runtime->workers[i]);
    for (uint32_t i = 0; i < count; i++)
        (void)pthread_join(runtime->workers[i].thread, NULL); /* fails only for a wrong thread */
}

static int threads_start(struct runtime *runtime)
{
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        struct worker *worker = &runtime->workers[i];
        int rc = weft__sys_thread(&worker->thread, weft__worker_thread, worker);
        char name[16];

        if (rc < 0) {
            weft__explain("could not start worker thread %u of %u: %s; ask for fewer workers, or "
                          "raise the limit of processes",
                          i + 1, runtime->worker_count, weft_strerror(rc));
            threads_end(runtime, i);
            return rc;
        }
        (void)snprintf(name, sizeof name, "weft-%u", i); /* a cut name is fine */
        (void)pthread_setname_np(worker->thread, name);  /* only for people */
    }
    return 0;
}

static void runtime_free(struct runtime *runtime)
{
    weft__slab_destroy(&runtime->slab);
    weft__stacks_destroy(&runtime->stacks);
    weft__fd_table_free(runtime->fds);
    weft__sys_free(runtime);
}

/* The virtual clock that was asked for: its grace, 0 for the default; negative: none was. */
static int64_t grace_asked(const struct config *config)
{
    if (gate.wants_virtual)
        return gate.grace;
    return config->is_virtual ? 0 : -1;
}

/* A runtime in which nothing runs yet. */
static int runtime_new(const struct config *config, struct runtime **ret_runtime)
{
    struct runtime *runtime = weft__sys_alloc_lines(sizeof *runtime);
    int rc;

    if (!runtime)
        return -ENOMEM;
    runtime->options = config->options;
    runtime->is_migrating = config->is_migrating;
    runtime->is_reporting = config->is_reporting;
    ck_stack_init(&runtime->inbox.stack);
    weft__quiet_init(runtime, grace_asked(config));
    weft__quiet_act(runtime);
    /* Handles of an earlier run must not mean anything in this one. */
    weft__slab_init(&runtime->slab, add_seq(&gate.runs, 1) * 2654435761u | 1);
    weft__stacks_init(&runtime->stacks);
    runtime->fds = weft__fd_table_new();
    rc = runtime->fds ? workers_init(runtime) : -ENOMEM;
    if (rc < 0) {
        runtime_free(runtime);
        return rc;
    }
    *ret_runtime = runtime;
    return 0;
}

static int runtime_start(const weft_options *options)
{
    struct config config;
    struct runtime *runtime = NULL;
    int rc = weft__config_read(options, &config);

    if (rc == 0 && weft__sys_has_shadow_stack()) {
        weft__explain("shadow stacks are active, and weft's stack switch does not support them: "
                      "run with GLIBC_TUNABLES=glibc.cpu.x86_shstk=off");
        rc = -ENOTSUP;
    }
    if (rc == 0)
        rc = runtime_new(&config, &runtime);
    if (rc < 0)
        return rc;
    weft__overflow_watch();
    rc = threads_start(runtime);
    if (rc < 0)
        goto free_runtime;
    rc = weft__pools_start(runtime, &runtime->pools);
    if (rc < 0)
        goto end_threads;
    gate.wants_virtual = false;
    if (runtime->quiet.is_virtual)
        store_seq(&gate.virtual_now, weft__quiet_now(runtime));
    store_seq(&gate.runtime, runtime);
    weft__quiet_rest(runtime);
    return 0;
end_threads:
    threads_end(runtime, runtime->worker_count);
free_runtime:
    weft__overflow_unwatch();
    workers_destroy(runtime);
    runtime_free(runtime);
    return rc;
}

/* Returns 0 or an error; 1 if this call has started the runtime. */
static int start(const weft_options *options)
{
    lock_acquire(&gate.lock);
    bool is_first = gate.starts == 0;
    int rc = is_first ? runtime_start(options) : 0;
    if (rc == 0)
        gate.starts++;
    lock_release(&gate.lock);
    return rc == 0 ? is_first : rc;
}

int weft_start(const weft_options *options)
{
    if (own_runtime())
        return -EPERM;
    int rc = start(options);
    return rc < 0 ? rc : 0;
}

/* --- stopping -------------------------------------------------------------------------------- */

static bool is_task(struct future *future)
{
    return load_relaxed(&future->kind) == &weft__task_kind; /* relaxed: a look, it may be over */
}

/* Cancels a future that is still there. */
static void cancel_leftover(struct runtime *runtime, struct future *future)
{
    uint64_t state = load_seq(&future->state);
    weft_future handle = {future->slot, future_generation(state)};

    if (state & FUTURE_LIVE && !(state & FUTURE_SCOPED)) /* else its scope's owner ends it */
        (void)weft__future_cancel(runtime, handle);      /* stale: it has ended meanwhile */
}

/* Says which futures nobody has asked for. Everything has ended, so nobody will any more. */
static void report_forgotten(struct runtime *runtime)
{
    uint32_t used = weft__slab_used(&runtime->slab);

    for (uint32_t slot = 1; slot <= used; slot++) {
        struct future *future = weft__slab_at(&runtime->slab, slot);
        uint64_t state = load_seq(&future->state);

        if (state & FUTURE_LIVE && !(state & (FUTURE_CLAIMED | FUTURE_SCOPED)))
            weft__report(runtime, "%s %s was never awaited: await, gather or detach its future",
                         load_relaxed(&future->kind)->name, /* relaxed: nobody is left */
                         future_site(future));
    }
}

/* Tasks that have not ended; says which, if it is given the words. */
static uint32_t count_live(struct runtime *runtime, const char *words)
{
    uint32_t used = weft__slab_used(&runtime->slab);
    uint32_t live = 0;

    for (uint32_t slot = 1; slot <= used; slot++) {
        struct future *future = weft__slab_at(&runtime->slab, slot);
        uint64_t state = load_seq(&future->state);

        if (!(state & FUTURE_LIVE) || state & FUTURE_DONE || !is_task(future))
            continue;
        live++;
        if (words)
            weft__report(runtime, "task %s %s, and is abandoned", future_site(future), words);
    }
    return live;
}

/* Waits while draining. A count of none is true only if no task has started meanwhile: a task could
 * spawn one into a slot that had been passed, and end before its own was looked at. */
static int until_tasks_ended(struct runtime *runtime, int64_t deadline)
{
    for (;;) {
        uint32_t signal = load_seq(&runtime->drain_signal); /* before the count */
        int64_t left = deadline - weft__sys_now();

        bool is_stuck = weft__standstill_is_stuck(runtime);

        if (count_live(runtime, NULL) == 0 &&
            (is_stuck || load_seq(&runtime->drain_signal) == signal))
            return 0;
        if (is_stuck || left <= 0) {
            (void)count_live(runtime, is_stuck ? "waits for ever, although it was cancelled"
                                               : "did not end within the shutdown time");
            return -ETIMEDOUT;
        }
        (void)weft__futex_wait(&runtime->drain_signal, signal, left); /* time-out: seen above */
    }
}

static int drain(struct runtime *runtime, int64_t deadline)
{
    uint32_t used;

    store_seq(&runtime->is_draining, 1); /* before the looks; pairs with start() in task.c */
    used = weft__slab_used(&runtime->slab);
    for (uint32_t slot = 1; slot <= used; slot++)
        cancel_leftover(runtime, weft__slab_at(&runtime->slab, slot));
    if (load_seq(&runtime->has_stood_still))
        weft__standstill_drain(runtime);
    weft__quiet_rest(runtime);
    int rc = until_tasks_ended(runtime, deadline);
    weft__standstill_forget(runtime);
    return rc;
}

/* After a standstill, with all tasks ended: whether the jobs that are left wait for ever. Returns as
 * soon as that is known. */
static bool jobs_are_stuck(struct runtime *runtime, int64_t deadline)
{
    uint64_t moves = 0;
    int threads = 0;

    while (!weft__pools_are_asleep(runtime->pools, 0, &moves, &threads)) {
        if (weft__quiet_is_for_ever(runtime))
            return true;
        if (weft__sys_now() >= deadline)
            return false;
        (void)weft__futex_wait(&runtime->drain_signal, load_seq(&runtime->drain_signal),
                               weft_ms(1)); /* until a job, or a worker, has come to rest */
    }
    return false;
}

static int runtime_stop(struct runtime *runtime)
{
    int64_t deadline = deadline_after(weft__sys_now(), runtime->options.shutdown);
    int rc = drain(runtime, deadline);
    bool are_stuck = load_seq(&runtime->has_stood_still) && jobs_are_stuck(runtime, deadline);
    int pools_rc = weft__pools_stop(runtime->pools, are_stuck ? 0 : deadline);

    if (rc == 0)
        rc = pools_rc;
    if (rc == 0)
        rc = until_tasks_ended(runtime, deadline); /* those that the last jobs have spawned */
    if (rc < 0) { /* somebody still runs in it: it is left as it is */
        store_seq(&gate.runtime, NULL);
        store_seq(&gate.virtual_now, 0);
        return rc;
    }
    gate_close(runtime);
    store_seq(&gate.virtual_now, 0);
    report_forgotten(runtime);
    threads_end(runtime, runtime->worker_count);
    weft__pools_free(runtime->pools);
    weft__overflow_unwatch();
    workers_destroy(runtime);
    runtime_free(runtime);
    return 0;
}

int weft_stop(void)
{
    int rc = 0;

    if (own_runtime())
        return -EDEADLK;
    lock_acquire(&gate.lock);
    if (gate.starts == 0)
        rc = -ENXIO;
    else if (--gate.starts == 0)
        rc = runtime_stop(load_seq(&gate.runtime));
    else
        weft__quiet_rest(load_seq(&gate.runtime)); /* the others' runtime goes on without us */
    lock_release(&gate.lock);
    return rc;
}

/* --- running --------------------------------------------------------------------------------- */

/* Passes the gate once for both steps: a stop by another thread in between would end the task, and
 * take its status along. */
static int call(const char *site, weft_fn fn, void *arg)
{
    struct runtime *runtime;
    int status;
    int rc = weft__runtime_enter(&runtime);

    if (rc < 0)
        return rc;
    weft_future task = weft__task_spawn(runtime, NULL, &(weft_task_options){.site = site}, fn, arg);
    rc = weft__gather(runtime, &task, 1, &status); /* a task suspends: worker, errno stale */
    weft__runtime_leave(runtime);
    return rc < 0 ? rc : status;
}

int weft_call(weft_fn fn, void *arg) { return call("the function given to weft_call", fn, arg); }

static const char run_site[] = "the function given to weft_run";

/* Runs the program in the runtime that this thread has started, and notices if it stands still. From the
 * end of the program until weft_stop has cancelled the rest no virtual time may pass. */
static int run_outermost(weft_fn fn, void *arg)
{
    struct runtime *runtime;
    int status = -EDEADLK;
    int rc = weft__runtime_enter(&runtime);

    if (rc < 0)
        return rc;
    weft_future task =
        weft__task_spawn(runtime, NULL, &(weft_task_options){.site = run_site}, fn, arg);
    bool stood_still = weft__standstill_wait(runtime, task);
    store_seq(&runtime->has_stood_still, stood_still);
    weft__quiet_act(runtime);
    if (stood_still)
        rc = weft_detach(task); /* weft_stop ends it, or abandons it */
    else
        rc = weft__gather(runtime, &task, 1, &status); /* it has ended, or never began */
    weft__runtime_leave(runtime);
    return rc < 0 ? rc : status;
}

int weft__run(const weft_options *options, weft_fn fn, void *arg, int *ret_stopped)
{
    int started = start(options);

    *ret_stopped = 0;
    if (started < 0)
        return started;
    int rc = started ? run_outermost(fn, arg) : call(run_site, fn, arg);
    *ret_stopped = weft_stop();
    return rc;
}

int weft_run_with(const weft_options *options, weft_fn fn, void *arg)
{
    int stopped; /* what it had to abandon was reported; the program's status counts */

    return own_runtime() ? call(run_site, fn, arg) : weft__run(options, fn, arg, &stopped);
}

int weft_run(weft_fn fn, void *arg) { return weft_run_with(NULL, fn, arg); }

int weft_info(weft_info_data *ret_info)
{
    struct runtime *runtime;
    int rc = weft__runtime_enter(&runtime);

    if (rc < 0)
        return rc;
    *ret_info = (weft_info_data){
        .workers = (int)runtime->worker_count,
        .pool_threads = weft__pools_threads(runtime->pools),
        .loop = runtime->workers[0].loop.ops->kind,
        .guard = runtime->stacks.guard,
        .stack_bytes = STACK_BYTES,
        .stacks_limit = runtime->stacks.limit,
        .tasks_live = load_relaxed(&runtime->outside_spawned), /* relaxed: statistics */
    };
    const char *why = runtime->workers[0].why_loop;
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        struct worker *worker = &runtime->workers[i];

        /* relaxed: statistics */
        ret_info->tasks_live += load_relaxed(&worker->spawned) - load_relaxed(&worker->ended);
        if (worker->loop.ops->kind != ret_info->loop) {
            ret_info->loop = WEFT_LOOP_AUTO;
            why = worker->why_loop;
        }
    }
    /* copies: the sentences outlive the runtime; a cut one is still one */
    (void)snprintf(ret_info->loop_why, sizeof ret_info->loop_why, "%s", why);
    (void)snprintf(ret_info->pool_class, sizeof ret_info->pool_class, "%s",
                   weft__pools_class(runtime->pools));
    weft__runtime_leave(runtime);
    return 0;
}
