/*
 * task_cancel_test - cancelling tasks: before they start, while they wait, after they ended; and what
 * the cancelled one sees.
 */
#include <pthread.h>

#include "tasks.h"

struct seen {
    int rc, second, third, fourth;
    bool before, after;
    _Atomic int count, started, go;
    weft_future future;
};

static int cancels_a_sleeper(void *arg)
{
    struct seen *seen = arg;
    weft_future sleeper = weft_spawn(sleeps_and_counts, (void *)&seen->count);

    for (int i = 0; i < 20; i++)
        (void)!weft_yield(); /* it sleeps by now, or not: both must do */
    seen->second = weft_cancel(sleeper);
    seen->third = weft_cancel(sleeper);
    seen->rc = weft_await(sleeper);
    return 0;
}

static void a_cancelled_sleeper_wakes_at_once(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_a_sleeper, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.third, 0);
        assert_int_equal(seen.count, 1);
    }
}

static int cancels_what_has_ended(void *arg)
{
    struct seen *seen = arg;
    int status = 6;
    weft_future child = weft_spawn(ends_with, &status);

    seen->second = weft_wait(child);
    seen->third = weft_cancel(child);
    seen->rc = weft_await(child);
    return 0;
}

static void a_finished_task_keeps_its_status(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_what_has_ended, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, 6);
        assert_int_equal(seen.third, 0);
        assert_int_equal(seen.rc, 6);
    }
}

static int looks_then_waits(void *arg)
{
    struct seen *seen = arg;

    seen->before = weft_cancelled();
    seen->second = weft_sleep(0);
    seen->third = weft_yield();
    seen->fourth = weft_sleep(WEFT_FOREVER);
    return 5;
}

static int cancels_before_the_start(void *arg)
{
    struct seen *seen = arg;
    weft_future child = weft_spawn(looks_then_waits, seen);

    (void)weft_cancel(child);
    seen->rc = weft_await(child);
    return 0;
}

static void a_task_cancelled_before_its_start_runs_and_every_wait_answers_ecanceled(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, cancels_before_the_start, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 5);
    assert_true(seen.before);
    assert_int_equal(seen.second, -ECANCELED);
    assert_int_equal(seen.third, -ECANCELED);
    assert_int_equal(seen.fourth, -ECANCELED);
}

static int cancels_itself(void *arg)
{
    struct seen *seen = arg;
    weft_sem sem = WEFT_SEM_INIT(1);
    weft_event event = WEFT_EVENT_INIT;

    weft_event_set(&event);
    seen->before = weft_cancelled();
    seen->rc = weft_cancel(weft_self());
    seen->after = weft_cancelled();
    seen->second = weft_sem_acquire(&sem); /* could be had at once */
    seen->third = weft_event_wait(&event);
    seen->fourth = weft_sem_try_acquire(&sem); /* nothing was taken */
    return 3;
}

static int spawns_one_that_cancels_itself(void *arg)
{
    return weft_await(weft_spawn(cancels_itself, arg));
}

static void cancelling_oneself_shows_at_the_next_wait_which_then_does_nothing(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, spawns_one_that_cancels_itself, &seen);

        assert_int_equal(rc, 3);
        assert_false(seen.before);
        assert_int_equal(seen.rc, 0);
        assert_true(seen.after);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, -ECANCELED);
        assert_int_equal(seen.fourth, 0);
    }
}

static int awaits_a_stubborn_child(void *arg)
{
    struct seen *seen = arg;

    return weft_await(weft_spawn(sleeps_and_counts, (void *)&seen->count));
}

static int cancels_an_awaiter(void *arg)
{
    struct seen *seen = arg;
    weft_future awaiter = weft_spawn(awaits_a_stubborn_child, seen);

    for (int i = 0; i < 10; i++)
        (void)!weft_yield();
    (void)weft_cancel(awaiter);
    seen->rc = weft_await(awaiter);
    seen->second = atomic_load(&seen->count);
    return 0;
}

static void cancelling_who_awaits_cancels_the_child_and_waits_for_its_end(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_an_awaiter, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED);
        assert_int_equal(seen.second, 1);
    }
}

static int spins_on_a_refused_wait(void *arg)
{
    struct seen *seen = arg;

    while (!atomic_load(&seen->go))
        if (weft_sleep(WEFT_FOREVER) == 0)
            return -EPROTO;
    return 0;
}

static int lets_a_cancelled_one_spin(void *arg)
{
    struct seen *seen = arg;
    weft_future spinner = weft_spawn(spins_on_a_refused_wait, seen);

    (void)weft_cancel(spinner);
    for (int i = 0; i < 100; i++)
        (void)!weft_yield();
    atomic_store(&seen->go, 1);
    seen->rc = weft_await(spinner);
    return 0;
}

static void a_loop_that_ignores_ecanceled_lets_the_others_run(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = check_run(1, lets_a_cancelled_one_spin, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
}

static void *cancels_from_a_thread(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_cancel(seen->future);
    return NULL;
}

static int is_cancelled_by_a_thread(void *arg)
{
    struct seen *seen = arg;
    pthread_t thread;

    seen->future = weft_self();
    if (pthread_create(&thread, NULL, cancels_from_a_thread, seen) != 0)
        return -EAGAIN;
    seen->rc = weft_sleep(WEFT_FOREVER);
    (void)pthread_join(thread, NULL); /* fails only for a wrong thread */
    return 0;
}

static int spawns_one_for_a_thread(void *arg)
{
    return weft_await(weft_spawn(is_cancelled_by_a_thread, arg));
}

static void a_thread_can_cancel_a_sleeping_task(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, spawns_one_for_a_thread, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED);
        assert_int_equal(seen.second, 0);
    }
}

static int job_looks(void *arg)
{
    struct seen *seen = arg;

    atomic_store(&seen->started, 1);
    while (!weft_cancelled())
        ;
    return 11;
}

static int cancels_an_offloader(void *arg)
{
    struct seen *seen = arg;
    weft_future job = weft_offload(weft_cpu(), job_looks, seen);

    until_set(&seen->started);
    (void)weft_cancel(job);
    seen->rc = weft_await(job);
    return 0;
}

static void a_running_job_sees_its_cancel_and_its_status_counts(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_an_offloader, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 11);
    }
}

static int yields_between(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_yield();
    atomic_store(&seen->go, 1);
    seen->second = weft_sleep(-5);
    return 0;
}

static int yields_to(void *arg)
{
    struct seen *seen = arg;
    weft_future first = weft_spawn(yields_between, seen);

    until_set(&seen->go);
    return weft_await(first);
}

static void yields_alternate_on_one_worker(void **state)
{
    struct seen seen = {.rc = -1, .second = -1};

    (void)state;
    int rc = check_run(1, yields_to, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, 0);
}

static void outside_a_task_yield_is_eperm_and_nobody_is_cancelled(void **state)
{
    (void)state;
    assert_int_equal(weft_yield(), -EPERM);
    assert_int_equal(weft_sleep(1), -EPERM);
    assert_int_equal(weft_sleep(0), -EPERM);
    assert_int_equal(weft_sleep_until(0), -EPERM);
    assert_false(weft_cancelled());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancelled_sleeper_wakes_at_once),
        cmocka_unit_test(a_finished_task_keeps_its_status),
        cmocka_unit_test(a_task_cancelled_before_its_start_runs_and_every_wait_answers_ecanceled),
        cmocka_unit_test(cancelling_oneself_shows_at_the_next_wait_which_then_does_nothing),
        cmocka_unit_test(cancelling_who_awaits_cancels_the_child_and_waits_for_its_end),
        cmocka_unit_test(a_loop_that_ignores_ecanceled_lets_the_others_run),
        cmocka_unit_test(a_thread_can_cancel_a_sleeping_task),
        cmocka_unit_test(a_running_job_sees_its_cancel_and_its_status_counts),
        cmocka_unit_test(yields_alternate_on_one_worker),
        cmocka_unit_test(outside_a_task_yield_is_eperm_and_nobody_is_cancelled),
    };

    return CHECK_GROUP(tests);
}
