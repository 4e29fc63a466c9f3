/*
 * settled_test - gather in its patient form: all statuses, nothing cut short but by who waits.
 */
#include <pthread.h>

#include "later.h"

struct seen {
    int rc, second, third, ended;
    int statuses[8];
    struct slow slow;
};

static int settles_good_and_bad(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[8];

    for (int i = 0; i < 8; i++)
        futures[i] =
            weft_spawn_val(ends_later, ((struct turn){i % 2 ? 0 : 60, i % 2 ? -1 - i : i}));
    seen->rc = weft_gather_settled_n(futures, 8, seen->statuses);
    seen->second = weft_await(futures[0]);
    return 0;
}

static void a_failure_cancels_nobody_and_all_statuses_are_told(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, settles_good_and_bad, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        for (int i = 0; i < 8; i++)
            assert_int_equal(seen.statuses[i], i % 2 ? -1 - i : i);
        assert_int_equal(seen.second, -ESTALE);
    }
}

static int settles_slow_ones(void *arg)
{
    struct seen *seen = arg;
    int status = 4;
    weft_future futures[4] = {weft_spawn(ends_with, &status)};

    for (int i = 1; i < 4; i++)
        futures[i] = weft_spawn(ends_slowly, &seen->slow);
    if (weft_wait(futures[0]) == -ECANCELED)
        atomic_store(&seen->slow.started, 3);
    seen->rc = weft_gather_settled_n(futures, 4, seen->statuses);
    seen->ended = atomic_load(&seen->slow.ended);
    seen->third = weft_yield();
    return seen->rc;
}

static int cancels_who_settles(void *arg)
{
    struct seen *seen = arg;

    weft_future settler = weft_spawn(settles_slow_ones, seen);
    until_slow(&seen->slow, 3);
    (void)weft_cancel(settler);
    seen->second = weft_await(settler);
    return 0;
}

static void a_cancel_of_who_waits_is_not_swallowed_and_ends_all(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, cancels_who_settles, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, -ECANCELED);
        assert_int_equal(seen.ended, 3);
        for (int i = 1; i < 4; i++)
            assert_int_equal(seen.statuses[i], -ECANCELED);
    }
}

static int settles_while_cancelled(void *arg)
{
    struct seen *seen = arg;
    int status = 4;
    weft_future futures[2] = {weft_spawn(ends_with, &status), weft_spawn(ends_slowly, &seen->slow)};

    (void)weft_cancel(weft_self());
    seen->rc = weft_gather_settled_n(futures, 2, seen->statuses);
    seen->ended = atomic_load(&seen->slow.ended);
    seen->third = weft_await(futures[0]);
    return 0;
}

static int spawns_a_cancelled_settler(void *arg)
{
    return weft_await(weft_spawn(settles_while_cancelled, arg));
}

static void begun_while_cancelled_it_still_ends_and_consumes_all(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, spawns_a_cancelled_settler, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED);
        assert_int_equal(seen.statuses[0], 4); /* it never waited, so nobody cut it short */
        assert_int_equal(seen.statuses[1], -ECANCELED);
        assert_int_equal(seen.ended, 1);
        assert_int_equal(seen.third, -ESTALE);
    }
}

static int settles_odd_lists(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options wrong = {.val_bytes = 1000, .val = seen};
    int status = 9;
    weft_future once = weft_spawn(ends_with, &status);
    weft_future twice[3] = {weft_spawn(ends_with, &status), once, once};

    seen->rc = weft_gather_settled_n(NULL, 0, NULL);
    seen->statuses[7] = 1234;
    seen->second = weft_gather_settled_n(twice, 3, &seen->statuses[7]);
    twice[2] = weft_self();
    seen->third = weft_gather_settled_n(twice, 3, &seen->statuses[7]);
    twice[2] = weft_spawn_with(&wrong, ends_with, NULL);
    return weft_gather_settled(seen->statuses, twice[0], twice[1], twice[2]);
}

static void odd_lists_are_answered_and_a_failed_spawn_is_a_status(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, settles_odd_lists, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -EINVAL);
        assert_int_equal(seen.third, -EDEADLK);
        assert_int_equal(seen.statuses[0], 9);
        assert_int_equal(seen.statuses[1], 9);
        assert_int_equal(seen.statuses[2], -E2BIG);
        assert_int_equal(seen.statuses[7], 1234); /* no output was written */
    }
}

static void *settles_on_a_thread(void *arg)
{
    (void)settles_good_and_bad(arg); /* 0 */
    return NULL;
}

static void a_plain_thread_settles_tasks(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};
        pthread_t thread;

        assert_int_equal(weft_start(&(weft_options){.workers = n}), 0);
        assert_int_equal(pthread_create(&thread, NULL, settles_on_a_thread, &seen), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(weft_stop(), 0);

        assert_int_equal(seen.rc, 0);
        for (int i = 0; i < 8; i++)
            assert_int_equal(seen.statuses[i], i % 2 ? -1 - i : i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_cancels_nobody_and_all_statuses_are_told),
        cmocka_unit_test(a_cancel_of_who_waits_is_not_swallowed_and_ends_all),
        cmocka_unit_test(begun_while_cancelled_it_still_ends_and_consumes_all),
        cmocka_unit_test(odd_lists_are_answered_and_a_failed_spawn_is_a_status),
        cmocka_unit_test(a_plain_thread_settles_tasks),
    };

    return CHECK_GROUP(tests);
}
