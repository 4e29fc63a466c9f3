/*
 * clock_test - virtual time: it stands still while anything goes on, and jumps when all wait.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/testing.h>

#include "core/sys.h"
#include "core/wait.h"
#include "tasks.h"

#define HOUR (3600 * INT64_C(1000000000))

struct seen {
    int rc, second;
    _Atomic int count, wrong, go;
    weft_time start, end;
    weft_event event;
    int fds[2];
    sem_t read;
};

/* Runs fn with a virtual clock that waits for the kernel so long. */
static int run_jumping(int workers, weft_time grace, weft_fn fn, void *arg)
{
    assert_int_equal(weft_test_clock(grace), 0);
    return check_run(workers, fn, arg);
}

static int sleeps_an_hour(void *arg)
{
    (void)arg;
    return weft_sleep(HOUR);
}

static int measures_an_hour(void *arg)
{
    struct seen *seen = arg;

    seen->start = weft_now();
    seen->rc = weft_sleep(HOUR); /* suspends: worker, errno stale */
    seen->end = weft_now();
    return 0;
}

static void an_hour_is_over_at_once_and_lasts_exactly_an_hour(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = run_jumping(n, 0, measures_an_hour, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.end - seen.start, HOUR);
    }
}

enum { SLEEPERS = 300 };

struct order {
    weft_time start;
    _Atomic int next, wrong;
    weft_time woken[SLEEPERS];
};

struct turn {
    struct order *order;
    weft_time moment;
};

static int sleeps_until_its_turn(void *arg)
{
    struct turn *turn = arg;
    struct order *order = turn->order;

    if (weft_sleep_until(turn->moment) < 0)
        return -EPROTO;
    if (weft_now() != turn->moment)
        atomic_fetch_add(&order->wrong, 1);
    order->woken[atomic_fetch_add(&order->next, 1)] = turn->moment;
    return 0;
}

static int many_sleep(void *arg)
{
    struct order *order = arg;
    weft_future futures[SLEEPERS];
    uint64_t seed = check_seed();

    order->start = weft_now();
    for (int i = 0; i < SLEEPERS; i++) {
        /* all different: i in the last digits; half of them one after the other */
        weft_time far = i % 2 ? (weft_time)(check_random(&seed) % 1000000) * 1000 : 0;
        weft_time span = far + 1000 + (i * 7919) % SLEEPERS;
        futures[i] =
            weft_spawn_val(sleeps_until_its_turn, ((struct turn){order, order->start + span}));
    }
    return weft_gather_n(futures, SLEEPERS, NULL);
}

static void timers_of_all_workers_fire_in_the_order_of_their_moments(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct order order = {.next = 0};

        int rc = run_jumping(n, 0, many_sleep, &order);

        assert_int_equal(rc, 0);
        assert_int_equal(order.next, SLEEPERS);
        assert_int_equal(order.wrong, 0);
        for (int i = 1; i < SLEEPERS; i++)
            assert_true(order.woken[i - 1] < order.woken[i]);
    }
}

static int is_busy_for_long(void *arg)
{
    struct seen *seen = arg;
    weft_time start = weft_now();

    for (int i = 0; i < 5000; i++)
        if (weft_yield() < 0 || weft_now() != start)
            atomic_fetch_add(&seen->wrong, 1);
    return 0;
}

static int is_busy_beside_a_sleeper(void *arg)
{
    weft_future sleeper = weft_spawn(measures_an_hour, arg);
    int rc = weft_await(weft_spawn(is_busy_for_long, arg)); /* suspends: worker, errno stale */

    return rc < 0 ? rc : weft_await(sleeper);
}

static void time_stands_still_while_a_task_is_ready(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = run_jumping(n, 0, is_busy_beside_a_sleeper, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.wrong, 0);
        assert_int_equal(seen.end - seen.start, HOUR);
    }
}

/* A job: no task is ready meanwhile, and all workers fall asleep. It yields seldom: beside others that
 * compute, who yields below all of them is not back soon. */
static int computes(void *arg)
{
    struct seen *seen = arg;
    weft_time start = weft_now();

    for (int i = 0; i < 3000; i++) {
        if (i % 150 == 0)
            (void)sched_yield(); /* always 0 on Linux */
        if (weft_now() != start)
            atomic_fetch_add(&seen->wrong, 1);
    }
    return 0;
}

static int computes_beside_a_sleeper(void *arg)
{
    weft_future job = weft_offload(weft_cpu(), computes, arg);
    int rc = weft_sleep(weft_ms(1)); /* suspends: worker, errno stale */

    return rc < 0 ? rc : weft_await(job);
}

static void time_stands_still_while_a_job_runs(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = 0};

        int rc = run_jumping(n, 0, computes_beside_a_sleeper, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.wrong, 0);
    }
}

static int leaves_a_job_and_sleeps(void *arg)
{
    for (int i = 0; i < 20; i++) {
        (void)weft_detach(weft_offload(weft_cpu(), computes, arg));
        int rc = weft_sleep(HOUR); /* suspends: worker, errno stale */
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void time_goes_on_when_a_job_has_ended_that_nobody_waits_for(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = 0};

        int rc = run_jumping(n, 0, leaves_a_job_and_sleeps, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.wrong, 0);
    }
}

static int waits_in_a_job(void *arg)
{
    struct seen *seen = arg;

    return weft_event_wait(&seen->event);
}

static int sets_the_event_in_an_hour(void *arg)
{
    struct seen *seen = arg;
    weft_future job = weft_offload(weft_cpu(), waits_in_a_job, seen);

    seen->rc = weft_sleep(HOUR); /* suspends: worker, errno stale */
    weft_event_set(&seen->event);
    return weft_await(job);
}

static void a_job_that_waits_in_weft_does_not_hold_time_up(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.event = WEFT_EVENT_INIT};

        int rc = run_jumping(n, 0, sets_the_event_in_an_hour, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
    }
}

static int waits_late(void *arg)
{
    struct seen *seen = arg;
    struct waiter waiter;

    seen->start = weft_now();
    weft__wait_begin(&waiter);
    int rc = weft__wait_commit_until(&waiter, &waiter, seen->start + HOUR);
    seen->end = weft_now();
    return rc;
}

static int offloads_a_late_waiter(void *arg)
{
    return weft_await(weft_offload(weft_cpu(), waits_late, arg));
}

static void the_timed_wait_of_a_job_jumps_too(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.start = 0};

        int rc = run_jumping(n, 0, offloads_a_late_waiter, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.end - seen.start, HOUR);
    }
}

static void plain_threads_call_and_wait_in_virtual_time(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        assert_int_equal(weft_test_clock(0), 0);
        assert_int_equal(weft_start(&(weft_options){.workers = n}), 0);
        int called = weft_call(measures_an_hour, &seen);
        weft_time after = weft_now();
        int waited = waits_late(&seen);
        weft_time late = weft_now();
        assert_int_equal(weft_stop(), 0);

        assert_int_equal(called, 0);
        assert_int_equal(waited, 0);
        assert_int_equal(seen.rc, 0);
        assert_true(after >= seen.start);
        assert_int_equal(late - after, HOUR);
    }
}

static int fails_in_time(void *arg)
{
    struct seen *seen = arg;

    seen->start = weft_now();
    seen->rc = weft_timeout(weft_s(5), sleeps, NULL);
    seen->end = weft_now();
    return 0;
}

static void a_deadline_comes_at_its_moment(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = 0};

        int rc = run_jumping(n, 0, fails_in_time, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ETIMEDOUT);
        assert_int_equal(seen.end - seen.start, weft_s(5));
    }
}

static int reads_silence(void *arg)
{
    struct seen *seen = arg;
    char byte;

    return (int)weft_read(seen->fds[0], &byte, 1);
}

static int sleeps_beside_a_silent_read(void *arg)
{
    struct seen *seen = arg;
    weft_future reader = weft_spawn(reads_silence, seen);

    (void)measures_an_hour(seen); /* suspends: worker, errno stale */
    (void)weft_cancel(reader);
    seen->second = weft_await(reader);
    return 0;
}

static void a_silent_read_holds_time_up_for_the_grace_only(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        assert_int_equal(pipe(seen.fds), 0);
        int rc = run_jumping(n, weft_ms(1), sleeps_beside_a_silent_read, &seen);
        assert_int_equal(close(seen.fds[0]) + close(seen.fds[1]), 0);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.end - seen.start, HOUR);
        assert_int_equal(seen.second, -ECANCELED);
    }
}

enum { BYTES = 200 };

static void *writes_slowly(void *arg)
{
    struct seen *seen = arg;

    for (int i = 0; i < BYTES; i++) {
        for (int pause = 0; pause < 2; pause++)
            (void)sched_yield(); /* always 0 on Linux */
        if (write(seen->fds[1], "x", 1) != 1)
            atomic_fetch_add(&seen->wrong, 1);
    }
    return NULL;
}

static int reads_what_comes(void *arg)
{
    struct seen *seen = arg;
    weft_time start = weft_now();
    char byte;

    for (int i = 0; i < BYTES; i++)
        if (weft_read(seen->fds[0], &byte, 1) != 1 || weft_now() != start)
            atomic_fetch_add(&seen->wrong, 1);
    return 0;
}

static int reads_beside_a_sleeper(void *arg)
{
    weft_future sleeper = weft_spawn(sleeps_an_hour, NULL);
    int rc = weft_await(weft_spawn(reads_what_comes, arg)); /* suspends: worker, errno stale */

    (void)weft_cancel(sleeper);
    return weft_await(sleeper) == -ECANCELED ? rc : -EPROTO;
}

static void bytes_that_come_within_the_grace_come_before_the_next_jump(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = 0};
        pthread_t thread;

        assert_int_equal(pipe(seen.fds), 0);
        assert_int_equal(pthread_create(&thread, NULL, writes_slowly, &seen), 0);
        int rc = run_jumping(n, weft_s(30), reads_beside_a_sleeper, &seen);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(close(seen.fds[0]) + close(seen.fds[1]), 0);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.wrong, 0);
    }
}

#define SHORT_GRACE INT64_C(40000000)

static void *writes_for_longer_than_the_grace(void *arg)
{
    struct seen *seen = arg;

    for (int64_t end = weft__sys_now() + 3 * SHORT_GRACE; weft__sys_now() < end;) {
        if (write(seen->fds[1], "x", 1) != 1)
            atomic_fetch_add(&seen->wrong, 1);
        check_sem_wait(&seen->read);
    }
    atomic_fetch_add(&seen->wrong, write(seen->fds[1], ".", 1) != 1);
    return NULL;
}

/* Time may only have jumped if the bytes were late, which a busy machine can bring about. */
static int reads_up_to_the_dot(void *arg)
{
    struct seen *seen = arg;
    weft_time start = weft_now();
    int64_t last = weft__sys_now();
    bool was_late = false;
    char byte = 0;

    while (byte != '.') {
        if (weft_read(seen->fds[0], &byte, 1) != 1)
            return -EPROTO;
        (void)sem_post(&seen->read); /* cannot overflow */
        int64_t now = weft__sys_now();
        was_late |= now - last > SHORT_GRACE / 2;
        last = now;
    }
    if (weft_now() != start && !was_late)
        atomic_fetch_add(&seen->wrong, 1);
    return 0;
}

static int reads_them_beside_a_sleeper(void *arg)
{
    weft_future sleeper = weft_spawn(sleeps_an_hour, NULL);
    int rc = weft_await(weft_spawn(reads_up_to_the_dot, arg)); /* suspends: worker, errno stale */

    (void)weft_cancel(sleeper);
    (void)!weft_await(sleeper); /* cancelled, or over if the bytes were late */
    return rc;
}

static void the_grace_begins_anew_with_everything_that_is_done(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = 0};
        pthread_t thread;

        assert_int_equal(pipe(seen.fds), 0);
        assert_int_equal(sem_init(&seen.read, 0, 0), 0);
        assert_int_equal(pthread_create(&thread, NULL, writes_for_longer_than_the_grace, &seen), 0);
        int rc = run_jumping(n, SHORT_GRACE, reads_them_beside_a_sleeper, &seen);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(close(seen.fds[0]) + close(seen.fds[1]), 0);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.wrong, 0);
    }
}

static int waits_for_the_event(void *arg)
{
    struct seen *seen = arg;

    return weft_event_wait(&seen->event);
}

static int waits_a_moment_for_the_event(void *arg)
{
    return weft_timeout(1, waits_for_the_event, arg);
}

static void *sets_the_event_late(void *arg)
{
    struct seen *seen = arg;

    for (int pause = 0; pause < 1000; pause++)
        (void)sched_yield(); /* always 0 on Linux */
    weft_event_set(&seen->event);
    (void)weft_waker_release(); /* it was held */
    return NULL;
}

static void whoever_holds_a_waker_has_the_grace_too(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.event = WEFT_EVENT_INIT};
        pthread_t thread;

        weft_waker_hold();
        assert_int_equal(pthread_create(&thread, NULL, sets_the_event_late, &seen), 0);
        int rc = run_jumping(n, weft_s(30), waits_a_moment_for_the_event, &seen);
        assert_int_equal(pthread_join(thread, NULL), 0);

        assert_int_equal(rc, 0);
    }
}

static int notes_how_it_ends(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_sleep(HOUR); /* suspends: worker, errno stale */
    atomic_fetch_add(&seen->count, 1);
    return 0;
}

static int leaves_a_sleeper_behind(void *arg)
{
    (void)weft_detach(weft_spawn(notes_how_it_ends, arg));
    return weft_sleep(1);
}

static void no_time_passes_between_the_end_of_the_program_and_the_stop(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        for (int i = 0; i < 50; i++) {
            struct seen seen = {.rc = 0};

            int rc = run_jumping(n, 0, leaves_a_sleeper_behind, &seen);

            assert_int_equal(rc, 0);
            assert_int_equal(seen.count, 1);
            assert_int_equal(seen.rc, -ECANCELED);
        }
}

static int cleans_up_for_an_hour(void *arg)
{
    (void)!weft_sleep(WEFT_FOREVER); /* cancelled by the stop */
    return weft_shield(WEFT_FOREVER, notes_how_it_ends, arg);
}

static int leaves_a_slow_cleaner_behind(void *arg)
{
    (void)weft_detach(weft_spawn(cleans_up_for_an_hour, arg));
    return weft_sleep(1);
}

static void time_jumps_while_the_runtime_stops(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = run_jumping(n, 0, leaves_a_slow_cleaner_behind, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.rc, 0);
    }
}

static int reads_the_clock(void *arg)
{
    *(weft_time *)arg = weft_now();
    return 0;
}

static void the_wish_counts_for_one_start(void **state)
{
    struct seen seen = {.rc = -1};
    weft_time inside;

    (void)state;
    assert_int_equal(run_jumping(1, 0, measures_an_hour, &seen), 0);
    int64_t before = weft__sys_now();
    assert_int_equal(check_run(1, reads_the_clock, &inside), 0);
    int64_t after = weft__sys_now();

    assert_true(inside >= before);
    assert_true(inside <= after);
    assert_true(weft_now() >= after);
}

static void virtual_time_begins_with_the_real_one(void **state)
{
    weft_time inside;

    (void)state;
    int64_t before = weft__sys_now();
    assert_int_equal(run_jumping(1, 0, reads_the_clock, &inside), 0);
    int64_t after = weft__sys_now();

    assert_true(inside >= before);
    assert_true(inside <= after);
}

static void the_environment_can_ask_for_it(void **state)
{
    const char *old = getenv("WEFT_DEBUG");
    char words[200];
    struct seen seen = {.rc = -1};

    (void)state;
    snprintf(words, sizeof words, "%s%sclock", old ? old : "", old ? "," : "");
    char *saved = old ? strdup(old) : NULL;
    assert_int_equal(setenv("WEFT_DEBUG", words, 1), 0);
    int rc = check_run(2, measures_an_hour, &seen);
    assert_int_equal(saved ? setenv("WEFT_DEBUG", saved, 1) : unsetenv("WEFT_DEBUG"), 0);
    free(saved);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.end - seen.start, HOUR);
}

static int sleeps_two_hours_and_tells(void *arg)
{
    struct seen *seen = arg;
    int rc = weft_sleep(2 * HOUR); /* suspends: worker, errno stale */

    atomic_store(&seen->go, 1);
    return rc;
}

static void time_goes_on_when_a_plain_thread_has_waited_and_calls_no_more(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_event never = WEFT_EVENT_INIT;
        struct seen seen = {.rc = -1};
        int rc = 0;

        assert_int_equal(weft_test_clock(0), 0);
        assert_int_equal(weft_start(&(weft_options){.workers = n}), 0);
        assert_int_equal(weft_detach(weft_spawn(sleeps_two_hours_and_tells, &seen)), 0);
        int arm = weft_select(&rc, weft_on_event(&never), weft_on_time(weft_now() + HOUR));
        while (!atomic_load(&seen.go)) /* the watchdog ends a wait for nothing */
            (void)sched_yield();
        assert_int_equal(weft_stop(), 0);

        assert_int_equal(arm, 1);
    }
}

static int asks_for_a_clock(void *arg)
{
    (void)arg;
    return weft_test_clock(0);
}

static void a_wrong_wish_is_refused(void **state)
{
    (void)state;
    assert_int_equal(weft_test_clock(-1), -EINVAL);
    assert_int_equal(check_run(1, asks_for_a_clock, NULL), -EPERM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_hour_is_over_at_once_and_lasts_exactly_an_hour),
        cmocka_unit_test(timers_of_all_workers_fire_in_the_order_of_their_moments),
        cmocka_unit_test(time_stands_still_while_a_task_is_ready),
        cmocka_unit_test(time_stands_still_while_a_job_runs),
        cmocka_unit_test(time_goes_on_when_a_job_has_ended_that_nobody_waits_for),
        cmocka_unit_test(a_job_that_waits_in_weft_does_not_hold_time_up),
        cmocka_unit_test(the_timed_wait_of_a_job_jumps_too),
        cmocka_unit_test(plain_threads_call_and_wait_in_virtual_time),
        cmocka_unit_test(time_goes_on_when_a_plain_thread_has_waited_and_calls_no_more),
        cmocka_unit_test(a_deadline_comes_at_its_moment),
        cmocka_unit_test(a_silent_read_holds_time_up_for_the_grace_only),
        cmocka_unit_test(bytes_that_come_within_the_grace_come_before_the_next_jump),
        cmocka_unit_test(the_grace_begins_anew_with_everything_that_is_done),
        cmocka_unit_test(whoever_holds_a_waker_has_the_grace_too),
        cmocka_unit_test(no_time_passes_between_the_end_of_the_program_and_the_stop),
        cmocka_unit_test(time_jumps_while_the_runtime_stops),
        cmocka_unit_test(the_wish_counts_for_one_start),
        cmocka_unit_test(virtual_time_begins_with_the_real_one),
        cmocka_unit_test(the_environment_can_ask_for_it),
        cmocka_unit_test(a_wrong_wish_is_refused),
    };

    return CHECK_GROUP(tests);
}
