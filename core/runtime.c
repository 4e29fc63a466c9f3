/*
 * runtime - starting, running, stopping.
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
#include "core/drain.h"
#include "core/fd.h"
#include "core/gate.h"
#include "core/sys.h"
#include "core/worker.h"

/* Starting and stopping. */
static struct {
    struct lock lock;   /* of all below, held while one of them goes on */
    uint32_t starts;    /* weft_start minus weft_stop */
    bool wants_virtual; /* weft_test_clock was called, */
    int64_t grace;      /* with this */
} control;

const weft_options *weft__runtime_options(const struct runtime *runtime)
{
    return &runtime->options;
}

bool weft__runtime_is_stopping(const struct runtime *runtime)
{
    return load_seq(&((struct runtime *)(uintptr_t)runtime)->is_draining) != 0;
}

struct pools *weft__runtime_pools(struct runtime *runtime) { return runtime->pools; }

/* --- the clock of tests ---------------------------------------------------------------------- */

bool weft__runtime_clock_wanted(int64_t *ret_grace)
{
    lock_acquire(&control.lock);
    bool is_wanted = control.wants_virtual;
    *ret_grace = control.grace;
    lock_release(&control.lock);
    return is_wanted;
}

int weft_test_clock(weft_time grace)
{
    if (grace < 0)
        return -EINVAL;
    if (weft__runtime_own())
        return -EPERM;
    lock_acquire(&control.lock);
    control.wants_virtual = true;
    control.grace = grace;
    lock_release(&control.lock);
    return 0;
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
    weft__spares_end(runtime);
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
    if (control.wants_virtual)
        return control.grace;
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
    weft__slab_init(&runtime->slab, weft__gate_count_run() * 2654435761u | 1);
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
    weft__spares_init(&runtime->spares);
    rc = threads_start(runtime);
    if (rc < 0)
        goto free_runtime;
    rc = weft__pools_start(runtime, &runtime->pools);
    if (rc < 0)
        goto end_threads;
    control.wants_virtual = false;
    weft__gate_open(runtime, runtime->quiet.is_virtual ? weft__quiet_now(runtime) : 0);
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
    lock_acquire(&control.lock);
    bool is_first = control.starts == 0;
    int rc = is_first ? runtime_start(options) : 0;
    if (rc == 0)
        control.starts++;
    lock_release(&control.lock);
    return rc == 0 ? is_first : rc;
}

int weft_start(const weft_options *options)
{
    if (weft__runtime_own())
        return -EPERM;
    int rc = start(options);
    return rc < 0 ? rc : 0;
}

/* --- stopping -------------------------------------------------------------------------------- */

static int runtime_stop(struct runtime *runtime)
{
    int64_t deadline = deadline_after(weft__sys_now(), runtime->options.shutdown);
    int rc = weft__drain(runtime, deadline);
    bool are_stuck =
        load_seq(&runtime->has_stood_still) && weft__drain_jobs_are_stuck(runtime, deadline);
    int pools_rc = weft__pools_stop(runtime->pools, are_stuck ? 0 : deadline);

    if (rc == 0)
        rc = pools_rc;
    if (rc == 0)
        rc = weft__drain_wait(runtime, deadline); /* those that the last jobs have spawned */
    if (rc < 0) { /* somebody still runs in it: it is left as it is */
        weft__gate_abandon();
        return rc;
    }
    weft__gate_close(runtime);
    weft__drain_report_forgotten(runtime);
    threads_end(runtime, runtime->worker_count);
    weft__pools_free(runtime->pools);
    weft__overflow_unwatch();
    workers_destroy(runtime);
    runtime_free(runtime);
    return 0;
}

/* Whether the caller has said already that it acts (weft__quiet_act). It rests in either case, but if the stop of
 * another thread is under way: virtual time stands still then until that has ended, and what sleeps in a
 * cleanup is given up after the real time to stop. */
static int stop(bool acts)
{
    int rc = -ENXIO;

    lock_acquire(&control.lock);
    if (control.starts > 0) {
        struct runtime *runtime = weft__gate_runtime();

        rc = 0;
        if (!acts)
            weft__quiet_act(runtime);
        if (--control.starts == 0)
            rc = runtime_stop(runtime);
        else
            weft__quiet_rest(runtime); /* the others' runtime goes on without us */
    }
    lock_release(&control.lock);
    return rc;
}

int weft_stop(void) { return weft__runtime_own() ? -EDEADLK : stop(false); }

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
static int run_outermost(weft_fn fn, void *arg, bool *ret_acts)
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
    *ret_acts = true;
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
    bool acts = false;

    *ret_stopped = 0;
    if (started < 0)
        return started;
    int rc = started ? run_outermost(fn, arg, &acts) : call(run_site, fn, arg);
    *ret_stopped = stop(acts);
    return rc;
}

int weft_run_with(const weft_options *options, weft_fn fn, void *arg)
{
    int stopped; /* what it had to abandon was reported; the program's status counts */

    return weft__runtime_own() ? call(run_site, fn, arg) : weft__run(options, fn, arg, &stopped);
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
        /* relaxed: statistics */
        .tasks_live =
            load_relaxed(&runtime->outside_spawned) - load_relaxed(&runtime->outside_ended),
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
