/*
 * shutdown_test - what a stop finds: tasks that nobody awaited, scopes left open, tasks that refuse.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/lock.h"
#include "reports.h"
#include "tasks.h"

#if defined(__SANITIZE_ADDRESS__)
#    define HAS_ASAN 1
#endif

struct seen {
    int rc, second;
    _Atomic int count, go;
    struct reports reports;
};

static int run_reported(int workers, weft_time shutdown, weft_fn fn, struct seen *seen)
{
    const weft_options options = {.workers = workers, .shutdown = shutdown};

    return run_with_reports(options, &seen->reports, fn, seen);
}

static int forgets_two(void *arg)
{
    struct seen *seen = arg;
    int status = 0;

    (void)!weft_spawn(sleeps_and_counts, (void *)&seen->count).slot;
    (void)!weft_spawn_val(ends_with, status).slot;
    for (int i = 0; i < 20; i++)
        (void)!weft_yield();
    return 5;
}

static void a_task_never_awaited_is_cancelled_and_reported_with_its_site(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = run_reported(n, 0, forgets_two, &seen);

        assert_int_equal(rc, 5);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.reports.count, 2);
        assert_non_null(strstr(seen.reports.text, "sleeps_and_counts ("));
        assert_non_null(strstr(seen.reports.text, "shutdown_test.c:"));
        assert_non_null(strstr(seen.reports.text, "ends_with ("));
    }
}

static int forgets_nothing(void *arg)
{
    struct seen *seen = arg;
    int status = 0;
    weft_promise promise;

    (void)weft_detach(weft_spawn(sleeps_and_counts, (void *)&seen->count));
    (void)weft_detach(weft_promise_new(&promise));
    return weft_await(weft_spawn(ends_with, &status));
}

static void detached_tasks_are_cancelled_without_a_word(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = run_reported(n, 0, forgets_nothing, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.reports.count, 0);
    }
}

static int forgets_a_promise(void *arg)
{
    weft_promise promise;

    (void)arg;
    return weft_promise_new(&promise).slot > 0;
}

static void a_promise_never_awaited_is_reported(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = run_reported(1, 0, forgets_a_promise, &seen);

    assert_int_equal(rc, 1);
    assert_int_equal(seen.reports.count, 1);
    assert_non_null(strstr(seen.reports.text, "promise"));
}

static int leaves_a_scope_open(void *arg)
{
    struct seen *seen = arg;
#ifdef HAS_ASAN
    static weft_scope scope; /* what lay on a frame that was left is poisoned */
#else
    weft_scope scope;
#endif

    if (weft_scope_open(&scope) < 0)
        return -EPROTO;
    for (int i = 0; i < 10; i++)
        (void)weft_scope_spawn(&scope, sleeps_and_counts, (void *)&seen->count);
    return 31;
}

static int awaits_the_careless(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_await(weft_spawn(leaves_a_scope_open, seen));
    seen->second = atomic_load(&seen->count);
    return weft_yield();
}

static void a_scope_left_open_is_closed_and_reported(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = run_reported(n, 0, awaits_the_careless, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 31);
        assert_int_equal(seen.second, 10);
        assert_int_equal(seen.reports.count, 1);
        assert_non_null(strstr(seen.reports.text, "leaves_a_scope_open ("));
    }
}

static int spawns_while_stopping(void *arg)
{
    struct seen *seen = arg;
    int status = 4;

    int rc = weft_sleep(WEFT_FOREVER); /* suspends: worker, errno stale */
    if (rc == -ECANCELED) /* the way out may need more tasks: they run, but are cancelled */
        seen->rc = weft_await(weft_spawn(ends_with, &status));
    seen->second = weft_await(weft_spawn(sleeps_and_counts, (void *)&seen->count));
    atomic_fetch_add(&seen->count, 1);
    return rc;
}

static int detaches_one_that_spawns(void *arg)
{
    (void)weft_detach(weft_spawn(spawns_while_stopping, arg));
    return 0;
}

static void tasks_spawned_while_stopping_are_cancelled_and_waited_for(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = run_reported(n, 0, detaches_one_that_spawns, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED); /* its await was refused, and the task has ended */
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.count, 2);
    }
}

static int forgets_in_chains(void *arg)
{
    struct seen *seen = arg;

    atomic_fetch_add(&seen->count, 1);
    if (weft_sleep(WEFT_FOREVER) == -ECANCELED && atomic_load(&seen->count) < 100)
        (void)weft_detach(weft_spawn(forgets_in_chains, seen));
    return 0;
}

static int starts_a_chain(void *arg)
{
    (void)weft_detach(weft_spawn(forgets_in_chains, arg));
    return 0;
}

static void a_chain_of_tasks_each_spawned_at_the_end_of_the_last_is_waited_for(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = run_reported(n, 0, starts_a_chain, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.count, 100);
    }
}

struct late {
    struct seen *seen;
    weft_future future;
    int rc;
};

static int makes_a_late_promise(void *arg)
{
    struct late *late = arg;
    weft_promise promise;

    atomic_store(&late->seen->count, 1);
    (void)!weft_sleep(WEFT_FOREVER); /* cancelled by the stop */
    late->future = weft_promise_new(&promise);
    atomic_store(&late->seen->go, 1);
    return 0;
}

static void *waits_for_a_late_promise(void *arg)
{
    struct late *late = arg;

    while (!atomic_load(&late->seen->go))
        (void)sched_yield(); /* always 0 on Linux */
    late->rc = weft_wait(late->future);
    return NULL;
}

static void a_promise_made_while_stopping_keeps_no_thread_waiting(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct seen seen = {0};
        struct late late = {.seen = &seen};
        pthread_t thread;

        assert_int_equal(weft_start(&(weft_options){.workers = 1}), 0);
        assert_int_equal(weft_detach(weft_spawn(makes_a_late_promise, &late)), 0);
        assert_int_equal(pthread_create(&thread, NULL, waits_for_a_late_promise, &late), 0);
        while (!atomic_load(&seen.count))
            (void)sched_yield();
        assert_int_equal(weft_stop(), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);

        assert_true(late.rc == -ECANCELED || late.rc == -ESTALE);
    }
}

static int awaits_late(void *arg)
{
    weft_future child = weft_spawn(sleeps_and_counts, arg);

    (void)!weft_sleep(WEFT_FOREVER); /* the stop cancels it here */
    return weft_await(child);
}

static int detaches_one_that_awaits_late(void *arg)
{
    struct seen *seen = arg;

    (void)weft_detach(weft_spawn(awaits_late, (void *)&seen->count));
    for (int i = 0; i < 20; i++)
        (void)!weft_yield();
    return 0;
}

static void a_task_that_is_awaited_after_the_stop_began_is_not_called_forgotten(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = run_reported(n, 0, detaches_one_that_awaits_late, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.reports.count, 0);
    }
}

static int sleeps_a_little(void *arg)
{
    (void)arg;
    return weft_sleep(weft_ms(20));
}

static int cleans_up_for_long(void *arg)
{
    int rc = weft_shield(WEFT_FOREVER, sleeps_a_little, NULL);

    atomic_fetch_add((_Atomic int *)arg, 1);
    return rc;
}

static int job_that_spawns_at_its_end(void *arg)
{
    struct seen *seen = arg;

    atomic_store(&seen->go, 1);
    while (!weft_cancelled())
        (void)sched_yield(); /* always 0 on Linux */
    return weft_detach(weft_spawn(cleans_up_for_long, (void *)&seen->count));
}

static void a_task_that_a_job_spawns_while_the_pools_stop_is_waited_for(void **state)
{
    (void)state;
    for (int round = 0; round < 10; round++) {
        struct seen seen = {0};

        assert_int_equal(weft_start(&(weft_options){.workers = 2, .pool_threads = 1}), 0);
        assert_int_equal(weft_detach(weft_offload(weft_cpu(), job_that_spawns_at_its_end, &seen)),
                         0);
        while (!atomic_load(&seen.go))
            (void)sched_yield();
        assert_int_equal(weft_stop(), 0);

        assert_int_equal(seen.count, 1);
    }
}

static void *calls_until_it_is_refused(void *arg)
{
    struct seen *seen = arg;
    int status = 0;

    while ((seen->rc = weft_call(ends_with, &status)) == 0)
        atomic_fetch_add(&seen->count, 1);
    return NULL;
}

static void a_call_that_races_with_the_stop_has_a_status_of_its_own(void **state)
{
    (void)state;
    for (int round = 0; round < 200; round++) {
        struct seen seen = {0};
        pthread_t thread;

        check_progress();
        assert_int_equal(weft_start(&(weft_options){.workers = 2}), 0);
        assert_int_equal(pthread_create(&thread, NULL, calls_until_it_is_refused, &seen), 0);
        while (atomic_load(&seen.count) < round % 20 + 1)
            (void)sched_yield();
        assert_int_equal(weft_stop(), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);

        assert_true(seen.rc == -ESHUTDOWN || seen.rc == -ECANCELED);
    }
}

/* --- tasks that refuse ------------------------------------------------------------------------ */

static struct seen stubborn; /* outlives the test: what was abandoned may still look at it */

static int refuses_to_end(void *arg)
{
    struct seen *seen = arg;

    while (!atomic_load(&seen->go))
        (void)!weft_sleep(weft_ms(1)); /* -ECANCELED each time: it does not care */
    atomic_fetch_add(&seen->count, 1);
    return 0;
}

static int spawns_a_stubborn_one(void *arg)
{
    (void)weft_detach(weft_spawn(refuses_to_end, arg));
    return 13;
}

static void a_task_that_refuses_is_reported_and_run_returns_after_the_shutdown_time(void **state)
{
    (void)state;
    weft_time start = weft_now();
    int rc = run_reported(2, weft_ms(50), spawns_a_stubborn_one, &stubborn);
    weft_time took = weft_now() - start;
    int reports = atomic_load(&stubborn.reports.count);

    assert_int_equal(rc, 13);
    assert_true(took >= weft_ms(50));
    assert_int_equal(reports, 1);
    assert_non_null(strstr(stubborn.reports.text, "refuses_to_end ("));
    atomic_store(&stubborn.go, 1);
}

static void after_a_run_that_was_abandoned_another_one_works(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = run_reported(2, 0, forgets_nothing, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.count, 1);
}

static weft_options gives_up_soon(struct seen *seen)
{
    return (weft_options){.workers = 1,
                          .shutdown = weft_ms(20),
                          .report = keep_report,
                          .report_context = &seen->reports};
}

static struct seen stuck;

static void *is_stuck_in_a_call(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_call(refuses_to_end, seen);
    return NULL;
}

static void a_thread_stuck_in_an_abandoned_run_does_not_hold_up_the_next_stop(void **state)
{
    const weft_options options = gives_up_soon(&stuck);
    struct seen seen = {0};
    pthread_t thread;

    (void)state;
    assert_int_equal(weft_start(&options), 0);
    assert_int_equal(pthread_create(&thread, NULL, is_stuck_in_a_call, &stuck), 0);
    weft_info_data info = {0};
    while (info.tasks_live == 0)
        assert_int_equal(weft_info(&info), 0);
    assert_int_equal(weft_stop(), -ETIMEDOUT);

    int rc = run_reported(2, 0, forgets_nothing, &seen); /* hangs if the two are mixed up */
    atomic_store(&stuck.go, 1);
    assert_int_equal(pthread_join(thread, NULL), 0);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(stuck.rc, 0);
}

static struct seen leftover;
static weft_event bridge = WEFT_EVENT_INIT;

static int refuses_and_sets_the_bridge(void *arg)
{
    (void)refuses_to_end(arg); /* 0 */
    weft_event_set(&bridge);
    return 0;
}

static int lets_it_go(void *arg)
{
    (void)arg;
    atomic_store(&leftover.go, 1);
    return 0;
}

static int crosses_the_bridge(void *arg)
{
    struct seen *seen = arg;

    long thread = syscall(SYS_gettid);
    weft_future go = weft_spawn(lets_it_go, NULL);
    int rc = weft_event_wait(&bridge);                         /* suspends: worker, errno stale */
    atomic_store(&seen->count, syscall(SYS_gettid) == thread); /* there is one worker */
    return rc < 0 ? rc : weft_await(go);
}

static void whom_a_task_of_an_abandoned_run_wakes_goes_on_in_its_own(void **state)
{
    const weft_options options = gives_up_soon(&leftover);
    struct seen seen = {0};

    (void)state;
    assert_int_equal(weft_start(&options), 0);
    assert_int_equal(weft_detach(weft_spawn(refuses_and_sets_the_bridge, &leftover)), 0);
    assert_int_equal(weft_stop(), -ETIMEDOUT);

    int rc = run_reported(1, 0, crosses_the_bridge, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.count, 1);
}

static _Atomic bool is_flooded;

static int does_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void *calls_on_and_on(void *arg)
{
    (void)arg;
    while (atomic_load(&is_flooded))
        (void)!weft_call(does_nothing, NULL); /* refused, mostly */
    return NULL;
}

static void a_flood_of_refused_calls_does_not_hold_up_the_stop(void **state)
{
    enum { FLOOD = 16 };
    pthread_t threads[FLOOD];

    (void)state;
    atomic_store(&is_flooded, true);
    assert_int_equal(weft_start(&(weft_options){.workers = 1}), 0);
    for (int i = 0; i < FLOOD; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, calls_on_and_on, NULL), 0);
    int rc = weft_stop();
    atomic_store(&is_flooded, false);
    for (int i = 0; i < FLOOD; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);

    assert_int_equal(rc, 0);
}

static weft_channel mailbox;

static void *waits_for_an_hour(void *arg)
{
    struct seen *seen = arg;
    int item;

    seen->second = weft_select(&seen->rc, weft_on_receive(&mailbox, &item),
                               weft_on_time(weft_now() + weft_s(3600)));
    return NULL;
}

/* Whether somebody stands in its line: no public call tells. */
static bool has_receiver(weft_channel *channel)
{
    struct lock *lock = (struct lock *)(void *)channel; /* its first member */

    lock_acquire(lock);
    bool has = channel->weft__receivers[0] != NULL;
    lock_release(lock);
    return has;
}

static void a_thread_that_waits_with_a_time_limit_does_not_hold_up_the_stop(void **state)
{
    struct seen seen = {.rc = -1, .second = -1};
    const int item = 7;
    pthread_t thread;

    (void)state;
    assert_int_equal(weft_channel_init(&mailbox, sizeof item, 1), 0);
    assert_int_equal(weft_start(&(weft_options){.workers = 1}), 0);
    assert_int_equal(pthread_create(&thread, NULL, waits_for_an_hour, &seen), 0);
    while (!has_receiver(&mailbox))
        (void)sched_yield();
    int rc = weft_stop();
    assert_int_equal(weft_try_send(&mailbox, &item), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    weft_channel_destroy(&mailbox);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.second, 0); /* the item */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_task_never_awaited_is_cancelled_and_reported_with_its_site),
        cmocka_unit_test(detached_tasks_are_cancelled_without_a_word),
        cmocka_unit_test(a_promise_never_awaited_is_reported),
        cmocka_unit_test(a_scope_left_open_is_closed_and_reported),
        cmocka_unit_test(tasks_spawned_while_stopping_are_cancelled_and_waited_for),
        cmocka_unit_test(a_chain_of_tasks_each_spawned_at_the_end_of_the_last_is_waited_for),
        cmocka_unit_test(a_promise_made_while_stopping_keeps_no_thread_waiting),
        cmocka_unit_test(a_task_that_is_awaited_after_the_stop_began_is_not_called_forgotten),
        cmocka_unit_test(a_task_that_a_job_spawns_while_the_pools_stop_is_waited_for),
        cmocka_unit_test(a_call_that_races_with_the_stop_has_a_status_of_its_own),
        cmocka_unit_test(a_task_that_refuses_is_reported_and_run_returns_after_the_shutdown_time),
        cmocka_unit_test(after_a_run_that_was_abandoned_another_one_works),
        cmocka_unit_test(a_thread_stuck_in_an_abandoned_run_does_not_hold_up_the_next_stop),
        cmocka_unit_test(a_flood_of_refused_calls_does_not_hold_up_the_stop),
        cmocka_unit_test(a_thread_that_waits_with_a_time_limit_does_not_hold_up_the_stop),
        cmocka_unit_test(whom_a_task_of_an_abandoned_run_wakes_goes_on_in_its_own),
    };

    return CHECK_GROUP(tests);
}
