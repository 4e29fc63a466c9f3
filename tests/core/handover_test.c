/*
 * handover_test - a worker goes on elsewhere while its task computes for ever, or blocks in the kernel.
 *
 * With one worker nothing below would end without the hand-over: the hogs wait for what the other tasks
 * do, without telling weft.
 */
#include "core/handover.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/testing.h>

#include "core/gate.h"
#include "core/sys.h"
#include "core/worker.h"
#include "tasks.h"

/* What a hog tells the thread that takes its worker away, and what that tells. */
struct hog {
    _Atomic(struct worker *) worker; /* set when it begins */
    _Atomic int rc;                  /* of the hand-over; 1: not yet */
    _Atomic int is_free;             /* it may stop */
    pthread_t taker;
};

static void *takes(void *arg)
{
    struct hog *hog = arg;
    struct runtime *runtime;
    struct worker *worker;
    int rc;

    if (weft__runtime_enter(&runtime) < 0)
        return NULL;
    while (!(worker = atomic_load(&hog->worker)))
        sched_yield();
    while ((rc = weft__hand_over(worker)) == -EAGAIN)
        sched_yield();
    atomic_store(&hog->rc, rc);
    weft__runtime_leave(runtime);
    return NULL;
}

/* From a task: its worker is gone when it returns. */
static void lose_worker(struct hog *hog)
{
    atomic_store(&hog->rc, 1);
    atomic_store(&hog->worker, NULL);
    if (pthread_create(&hog->taker, NULL, takes, hog) != 0)
        abort();
    atomic_store(&hog->worker, weft__worker());
    while (atomic_load(&hog->rc) == 1)
        sched_yield();
    (void)pthread_join(hog->taker, NULL); /* fails only for a wrong thread */
}

static bool has_worker(void) { return weft__worker() != NULL; }

/* Computes, without a worker, until it may stop. */
static int computes(void *arg)
{
    struct hog *hog = arg;

    lose_worker(hog);
    while (!atomic_load(&hog->is_free))
        sched_yield();
    return has_worker() ? -EPROTO : atomic_load(&hog->rc);
}

/* --- what goes on ---------------------------------------------------------------------------- */

static int frees_after_naps_and_yields(void *arg)
{
    struct hog *hog = arg;

    for (int i = 0; i < 3; i++)
        if (weft_sleep(weft_us(100)) < 0 || weft_yield() < 0)
            return -EPROTO;
    atomic_store(&hog->is_free, 1);
    return 0;
}

static int program_of_naps(void *arg)
{
    struct hog hog = {.rc = 1};

    (void)arg;
    return weft_gather(weft_spawn(computes, &hog), weft_spawn(frees_after_naps_and_yields, &hog));
}

static void tasks_and_timers_go_on_while_one_computes(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, program_of_naps, NULL), 0);
}

struct wires {
    struct hog hog;
    int ends[2], pipe[2];
};

static int echoes(void *arg)
{
    struct wires *wires = arg;
    char byte;

    if (weft_read(wires->ends[1], &byte, 1) != 1)
        return -EPROTO;
    return weft_write(wires->ends[1], &byte, 1) == 1 ? 0 : -EPROTO;
}

static int frees_after_an_echo(void *arg)
{
    struct wires *wires = arg;
    char byte = 'x';

    while (atomic_load(&wires->hog.rc) == 1)
        if (weft_yield() < 0)
            return -EPROTO;
    if (weft_write(wires->ends[0], &byte, 1) != 1 || weft_read(wires->ends[0], &byte, 1) != 1)
        return -EPROTO;
    atomic_store(&wires->hog.is_free, 1);
    return weft_write(wires->pipe[1], &byte, 1) == 1 ? 0 : -EPROTO;
}

static int blocks_in_read(void *arg)
{
    struct wires *wires = arg;
    char byte;

    lose_worker(&wires->hog);
    if (read(wires->pipe[0], &byte, 1) != 1)
        return -EPROTO;
    return has_worker() ? -EPROTO : atomic_load(&wires->hog.rc);
}

static int computes_beside_wires(void *arg) { return computes(&((struct wires *)arg)->hog); }

static int program_of_wires(void *arg)
{
    struct wires wires = {.hog.rc = 1};
    weft_fn hog_fn = *(weft_fn *)arg;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, wires.ends) < 0 || pipe(wires.pipe) < 0)
        return -errno;
    int rc = weft_gather(weft_spawn(echoes, &wires), weft_spawn(hog_fn, &wires),
                         weft_spawn(frees_after_an_echo, &wires));
    for (int i = 0; i < 2; i++) {
        (void)weft_close(wires.ends[i]); /* nothing to flush, here and below */
        (void)weft_close(wires.pipe[i]);
    }
    return rc;
}

static int run_with_wires(int workers, weft_fn hog_fn)
{
    return check_run(workers, program_of_wires, &hog_fn);
}

static void sockets_go_on_while_one_computes(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(run_with_wires(n, computes_beside_wires), 0);
}

static void sockets_go_on_while_one_blocks_in_read(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(run_with_wires(n, blocks_in_read), 0);
}

static int program_of_hogs(void *arg)
{
    struct hog hogs[9] = {{.rc = 1}};
    weft_future futures[10];

    (void)arg;
    for (int i = 0; i < 9; i++)
        futures[i] = weft_spawn(computes, &hogs[i]);
    futures[9] = weft_spawn(frees_after_naps_and_yields, &hogs[8]);
    for (int i = 8; i >= 0; i--) { /* each ends when the one behind it has */
        if (weft_wait(futures[i]) < 0)
            return -EPROTO;
        if (i > 0)
            atomic_store(&hogs[i - 1].is_free, 1);
    }
    return weft_gather_n(futures, 10, NULL);
}

static void one_hog_after_the_other_loses_the_worker(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, program_of_hogs, NULL), 0);
}

/* --- back into line -------------------------------------------------------------------------- */

static weft_mutex mutex;

static int holds_the_mutex(void *arg)
{
    weft_lock(&mutex);
    atomic_store((_Atomic int *)arg, 1);
    int rc = weft_sleep(weft_us(200));
    (void)weft_unlock(&mutex); /* it is ours */
    return rc;
}

static int yields_back(void) { return weft_yield(); }
static int sleeps_back(void) { return weft_sleep(weft_us(100)); }
static int spawns_back(void) { return weft_await(weft_spawn_val(ends_with, ((int){0}))); }

static int locks_back(void)
{
    _Atomic int is_held = 0;
    weft_future holder = weft_spawn(holds_the_mutex, (void *)&is_held);

    while (!atomic_load(&is_held)) /* another carries the worker: the holder comes to it */
        sched_yield();
    weft_lock(&mutex);
    (void)weft_unlock(&mutex); /* it is ours */
    return weft_await(holder);
}

static int reads_back(void)
{
    int ends[2];
    char byte = 'x';

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
        return -errno;
    ssize_t wrote = weft_write(ends[0], &byte, 1);
    ssize_t got = weft_read(ends[1], &byte, 1);
    int rc = weft_close(ends[0]);
    return weft_close(ends[1]) < 0 || rc < 0 || wrote != 1 || got != 1 ? -EPROTO : 0;
}

static int opens_a_scope_back(void)
{
    weft_scope scope;
    int rc =
        weft_scope_open_with(&scope, &(weft_scope_options){.deadline = weft_now() + weft_s(100)});

    if (rc < 0)
        return rc;
    (void)weft_scope_spawn_val(&scope, ends_with, ((int){0})); /* a failure is the scope's */
    return weft_scope_close(&scope, 0);
}

static int times_out_back(void)
{
    weft_scope scope;
    int rc =
        weft_scope_open_with(&scope, &(weft_scope_options){.deadline = weft_now() + weft_us(100)});

    if (rc < 0)
        return rc;
    return weft_scope_close(&scope, weft_sleep(WEFT_FOREVER)) == -ETIMEDOUT ? 0 : -EPROTO;
}

static int offload_ends(void *arg) { return *(int *)arg; }

static int offloads_back(void)
{
    int status = 0;

    return weft_await(weft_offload(weft_cpu(), offload_ends, &status));
}

static int comes_back(void *arg)
{
    int (*back)(void) = *(int (**)(void))arg;
    struct hog hog;

    for (int i = 0; i < 20; i++) {
        lose_worker(&hog);
        if (has_worker() || atomic_load(&hog.rc) != 0)
            return -EPROTO;
        int rc = back(); /* suspends: worker, errno stale */
        if (rc < 0 || !has_worker())
            return rc < 0 ? rc : -ENXIO;
    }
    return 0;
}

static void the_next_call_that_may_suspend_brings_it_back_into_line(void **state)
{
    static int (*const backs[])(void) = {yields_back,        sleeps_back,    spawns_back,
                                         locks_back,         reads_back,     offloads_back,
                                         opens_a_scope_back, times_out_back, NULL};

    (void)state;
    CHECK_WORKERS(n)
        for (int i = 0; backs[i]; i++)
            assert_int_equal(check_run(n, comes_back, (void *)(uintptr_t)&backs[i]), 0);
}

static int ends_without_worker(void *arg)
{
    struct hog hog;

    lose_worker(&hog);
    return atomic_load(&hog.rc) < 0 ? -EPROTO : *(int *)arg;
}

static int awaits_those_that_end(void *arg)
{
    int seven = 7;

    (void)arg;
    for (int i = 0; i < 50; i++)
        if (weft_await(weft_spawn(ends_without_worker, &seven)) != 7)
            return -EPROTO;
    return 0;
}

static void a_task_may_end_without_a_worker(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, awaits_those_that_end, NULL), 0);
}

static int frees_when_taken(void *arg)
{
    struct hog *hog = arg;

    lose_worker(hog);
    atomic_store(&hog->is_free, 1);
    while (!weft_cancelled())
        sched_yield();
    return weft_sleep(weft_s(100));
}

static int cancels_a_taken_hog(void *arg)
{
    struct hog hog = {.rc = 1};
    weft_future future = weft_spawn(frees_when_taken, &hog);

    (void)arg;
    until_set(&hog.is_free);
    int rc = weft_cancel(future);
    return rc < 0 || weft_await(future) != -ECANCELED ? -EPROTO : 0;
}

static void a_cancel_reaches_a_task_without_a_worker(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, cancels_a_taken_hog, NULL), 0);
}

/* --- stopping, time -------------------------------------------------------------------------- */

static _Atomic int has_ended;

static int computes_until_the_stop(void *arg)
{
    struct hog *hog = arg;

    lose_worker(hog);
    atomic_store(&hog->is_free, 1);
    while (!weft_cancelled())
        sched_yield();
    atomic_store(&has_ended, 1);
    return 0;
}

static int leaves_a_hog(void *arg)
{
    struct hog *hog = arg;

    int rc = weft_detach(weft_spawn(computes_until_the_stop, hog));
    until_set(&hog->is_free);
    return rc;
}

static void the_stop_waits_for_a_task_without_a_worker(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        static struct hog hog;

        atomic_store(&hog.is_free, 0);
        atomic_store(&has_ended, 0);

        int rc = check_run(n, leaves_a_hog, &hog);

        assert_int_equal(rc, 0);
        assert_int_equal(atomic_load(&has_ended), 1);
    }
}

static int sees_time_stand_still(void *arg)
{
    struct hog *hog = arg;
    struct runtime *runtime = weft__runtime_own();

    lose_worker(hog);
    weft_time before = weft_now();
    for (int i = 0; i < 100; i++) { /* all workers have nothing to do but to let time jump */
        while (!weft__park_all_sleep(runtime))
            sched_yield();
        sched_yield();
    }
    weft_time after = weft_now();
    atomic_store(&hog->is_free, 1);
    return before == after ? 0 : -ETIME;
}

static int sleeps_beside_a_hog(void *arg)
{
    struct hog hog = {.rc = 1};
    weft_future future = weft_spawn(sees_time_stand_still, &hog);

    (void)arg;
    int rc = weft_sleep(weft_s(1000));
    if (rc < 0 || !atomic_load(&hog.is_free))
        return -EPROTO;
    return weft_await(future);
}

static void time_does_not_jump_while_a_task_has_no_worker(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        assert_int_equal(weft_test_clock(0), 0);
        assert_int_equal(check_run(n, sleeps_beside_a_hog, NULL), 0);
    }
}

/* --- refused --------------------------------------------------------------------------------- */

static _Atomic(const char *) failing;

static int fails(const char *call) { return failing && strcmp(call, failing) == 0 ? -EIO : 0; }

static int is_refused(void *arg)
{
    struct hog hog;

    atomic_store(&failing, arg);
    lose_worker(&hog);
    atomic_store(&failing, NULL);
    int rc = has_worker() ? weft_yield() : -EPROTO;
    return rc < 0 ? rc : -atomic_load(&hog.rc);
}

static void without_a_thread_or_a_barrier_everything_stays_as_it_is(void **state)
{
    (void)state;
    weft__sys_fault = fails;
    CHECK_WORKERS(n) {
        assert_int_equal(check_run(n, is_refused, (void *)(uintptr_t) "thread"), EIO);
        assert_int_equal(check_run(n, is_refused, (void *)(uintptr_t) "membarrier"), EIO);
        atomic_store(&failing, "membarrier"); /* at the start, too */
        assert_int_equal(check_run(n, is_refused, (void *)(uintptr_t) "membarrier"), ENOTSUP);
    }
    weft__sys_fault = NULL;
}

static int asks_for_its_own(void *arg)
{
    struct runtime *runtime = weft__runtime_own();
    int rc = 0;

    (void)arg;
    for (uint32_t i = 0; i < runtime->worker_count; i++) /* those that sleep */
        if (&runtime->workers[i] != weft__worker() &&
            weft__hand_over(&runtime->workers[i]) != -EAGAIN)
            rc = -EPROTO;
    return rc;
}

static void a_worker_that_runs_no_task_is_not_handed_over(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, asks_for_its_own, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_and_timers_go_on_while_one_computes),
        cmocka_unit_test(sockets_go_on_while_one_computes),
        cmocka_unit_test(sockets_go_on_while_one_blocks_in_read),
        cmocka_unit_test(one_hog_after_the_other_loses_the_worker),
        cmocka_unit_test(the_next_call_that_may_suspend_brings_it_back_into_line),
        cmocka_unit_test(a_task_may_end_without_a_worker),
        cmocka_unit_test(a_cancel_reaches_a_task_without_a_worker),
        cmocka_unit_test(the_stop_waits_for_a_task_without_a_worker),
        cmocka_unit_test(time_does_not_jump_while_a_task_has_no_worker),
        cmocka_unit_test(without_a_thread_or_a_barrier_everything_stays_as_it_is),
        cmocka_unit_test(a_worker_that_runs_no_task_is_not_handed_over),
    };
    return CHECK_GROUP(tests);
}
