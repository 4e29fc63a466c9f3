/*
 * gather_test - many futures at once: order, first failure, cancellation, and odd lists.
 */
#include <string.h>

#include "later.h"

struct seen {
    int rc, second, third, ended;
    int statuses[8];
    _Atomic int count;
    struct slow slow;
    weft_future future;
};

static int gathers_backwards(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[8];

    for (int i = 0; i < 8; i++)
        futures[i] =
            weft_spawn_val(ends_later, ((struct turn){.yields = 80 - i * 10, .status = i}));
    seen->rc = weft_gather_n(futures, 8, seen->statuses);
    return 0;
}

static void statuses_stand_in_the_order_of_the_futures(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, gathers_backwards, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        for (int i = 0; i < 8; i++)
            assert_int_equal(seen.statuses[i], i);
    }
}

static int gathers_one_failure(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[8];

    for (int i = 0; i < 8; i++)
        futures[i] = i == 5 ? weft_spawn_val(ends_later, ((struct turn){20, -EIO}))
                            : weft_spawn(sleeps_and_counts, (void *)&seen->count);
    seen->rc = weft_gather_n(futures, 8, seen->statuses);
    seen->ended = atomic_load(&seen->count);
    return 0;
}

static void the_first_failure_cancels_the_others_and_all_have_ended(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, gathers_one_failure, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -EIO);
        assert_int_equal(seen.ended, 7);
        for (int i = 0; i < 8; i++)
            assert_int_equal(seen.statuses[i], i == 5 ? -EIO : -ECANCELED);
    }
}

static int gathers_slow_ones(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[4];

    for (int i = 0; i < 4; i++)
        futures[i] = weft_spawn(ends_slowly, &seen->slow);
    seen->rc = weft_gather_n(futures, 4, seen->statuses);
    seen->ended = atomic_load(&seen->slow.ended);
    return seen->rc;
}

static int cancels_a_gather(void *arg)
{
    struct seen *seen = arg;

    weft_future gatherer = weft_spawn(gathers_slow_ones, seen);
    until_slow(&seen->slow, 4);
    (void)weft_cancel(gatherer);
    seen->second = weft_await(gatherer);
    return 0;
}

static void a_cancelled_gather_cancels_all_and_waits_for_their_end(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, cancels_a_gather, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.ended, 4);
        for (int i = 0; i < 4; i++)
            assert_int_equal(seen.statuses[i], -ECANCELED);
    }
}

static int gathers_while_cancelled(void *arg)
{
    struct seen *seen = arg;

    (void)weft_cancel(weft_self());
    return gathers_slow_ones(seen);
}

static int spawns_a_cancelled_gatherer(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_await(weft_spawn(gathers_while_cancelled, seen));
    return 0;
}

static void a_gather_begun_while_cancelled_still_ends_and_consumes_all(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, spawns_a_cancelled_gatherer, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED);
        assert_int_equal(seen.ended, 4);
    }
}

static int gathers_odd_lists(void *arg)
{
    struct seen *seen = arg;
    int status = 9;
    weft_future once = weft_spawn(ends_with, &status);
    weft_future twice[3] = {weft_spawn(ends_with, &status), once, once};

    seen->rc = weft_gather_n(NULL, 0, NULL);
    seen->statuses[0] = 1234;
    seen->second = weft_gather_n(twice, 3, seen->statuses);
    seen->third = weft_await(twice[0]) + weft_await(once); /* nothing was consumed */
    return 0;
}

static void an_empty_list_is_success_and_a_double_one_consumes_nothing(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, gathers_odd_lists, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -EINVAL);
        assert_int_equal(seen.third, 18);
        assert_int_equal(seen.statuses[0], 1234); /* no output was written */
    }
}

static int gathers_wrong_handles(void *arg)
{
    struct seen *seen = arg;
    int status = 2;
    weft_future used = weft_spawn(ends_with, &status);
    weft_future fine = weft_spawn(ends_with, &status);

    seen->ended = weft_await(used);
    seen->rc = weft_gather(fine, used);
    seen->second = weft_gather(fine, ((weft_future){0, 0}));
    seen->third = weft_await(fine);
    return 0;
}

static void a_consumed_or_zero_handle_in_the_list_consumes_nothing(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(2, gathers_wrong_handles, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -ESTALE);
    assert_int_equal(seen.second, -EINVAL);
    assert_int_equal(seen.third, 2);
}

static int gathers_a_failed_spawn(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options wrong = {.val_bytes = 1000, .val = seen};
    weft_future futures[3] = {weft_spawn(sleeps_and_counts, (void *)&seen->count),
                              weft_spawn_with(&wrong, ends_with, NULL),
                              weft_spawn(sleeps_and_counts, (void *)&seen->count)};

    seen->rc = weft_gather_n(futures, 3, seen->statuses);
    seen->ended = atomic_load(&seen->count);
    seen->second = weft_await(futures[0]);
    return 0;
}

static void a_failed_spawn_in_the_list_is_the_first_failure(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, gathers_a_failed_spawn, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -E2BIG);
        assert_int_equal(seen.ended, 2);
        assert_int_equal(seen.statuses[0], -ECANCELED);
        assert_int_equal(seen.statuses[1], -E2BIG);
        assert_int_equal(seen.statuses[2], -ECANCELED);
        assert_int_equal(seen.second, -ESTALE);
    }
}

static int gathers_two_failed_spawns(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options wrong = {.val_bytes = 1000, .val = seen};
    weft_future failed = weft_spawn_with(&wrong, ends_with, NULL);

    seen->rc = weft_gather(failed, failed);
    return 0;
}

static void the_same_failed_spawn_may_stand_twice(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, gathers_two_failed_spawns, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -E2BIG);
}

static int sets_a_promise(void *arg) { return weft_promise_set(*(weft_promise *)arg, 30); }

static int a_job(void *arg) { return *(int *)arg; }

static int gathers_all_kinds(void *arg)
{
    struct seen *seen = arg;
    int ten = 10, twenty = 20;
    weft_promise promise;
    weft_future futures[5] = {weft_spawn(ends_with, &ten), weft_offload(weft_cpu(), a_job, &twenty),
                              weft_promise_new(&promise)};

    futures[3] = weft_spawn(sets_a_promise, &promise);
    futures[4] = weft_offload(weft_blocking_lane(), sets_a_promise, &promise);
    seen->rc = weft_gather_n(futures, 5, seen->statuses);
    return 0;
}

static void tasks_jobs_and_promises_gather_together(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, gathers_all_kinds, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -EALREADY); /* one of the two came too late */
        assert_int_equal(seen.statuses[0], 10);
        assert_true(seen.statuses[1] == 20 || seen.statuses[1] == -ECANCELED);
        assert_int_equal(seen.statuses[2], 30);
        assert_int_equal(seen.statuses[3] + seen.statuses[4], -EALREADY);
    }
}

static int fails_in_turn(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[8];

    for (int i = 0; i < 8; i++)
        futures[i] = weft_spawn_val(ends_later, ((struct turn){.yields = i * 5, .status = -1 - i}));
    seen->rc = weft_gather_n(futures, 8, seen->statuses);
    return 0;
}

static void of_many_failures_one_that_really_happened_is_told(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};
        bool is_there = false;

        int rc = check_run(n, fails_in_turn, &seen);

        assert_int_equal(rc, 0);
        for (int i = 0; i < 8; i++)
            is_there |= seen.statuses[i] == seen.rc;
        assert_true(is_there);
        assert_int_not_equal(seen.rc, -ECANCELED);
        if (n == 1)
            assert_int_equal(seen.rc, -1);
    }
}

static int from_a_thread(void *arg) { return weft_run(gathers_one_failure, arg); }

static int runs_gathers_in_jobs(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_await(weft_offload(weft_cpu(), from_a_thread, seen));
    return 0;
}

static void a_job_can_run_a_task_that_gathers(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, runs_gathers_in_jobs, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.rc, -EIO);
        assert_int_equal(seen.ended, 7);
    }
}

static int gathers_in_a_job(void *arg)
{
    struct seen *seen = arg;

    for (int round = 0; round < 200; round++) {
        memset(seen->statuses, 0, sizeof seen->statuses);
        if (gathers_backwards(seen) < 0 || seen->rc < 0)
            return -EPROTO;
        for (int i = 0; i < 8; i++)
            if (seen->statuses[i] != i)
                return -EBADMSG;
    }
    return 0;
}

static int gathers_from_outside(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_await(weft_offload(weft_blocking_lane(), gathers_in_a_job, seen));
    return 0;
}

static void a_thread_can_gather_tasks(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, gathers_from_outside, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_stand_in_the_order_of_the_futures),
        cmocka_unit_test(the_first_failure_cancels_the_others_and_all_have_ended),
        cmocka_unit_test(a_cancelled_gather_cancels_all_and_waits_for_their_end),
        cmocka_unit_test(a_gather_begun_while_cancelled_still_ends_and_consumes_all),
        cmocka_unit_test(an_empty_list_is_success_and_a_double_one_consumes_nothing),
        cmocka_unit_test(a_consumed_or_zero_handle_in_the_list_consumes_nothing),
        cmocka_unit_test(a_failed_spawn_in_the_list_is_the_first_failure),
        cmocka_unit_test(the_same_failed_spawn_may_stand_twice),
        cmocka_unit_test(tasks_jobs_and_promises_gather_together),
        cmocka_unit_test(of_many_failures_one_that_really_happened_is_told),
        cmocka_unit_test(a_job_can_run_a_task_that_gathers),
        cmocka_unit_test(a_thread_can_gather_tasks),
    };

    return CHECK_GROUP(tests);
}
