/*
 * race_test - the first success wins; the losers have ended when the race returns.
 */
#include <pthread.h>

#include "later.h"
#include "owned.h"

struct seen {
    int rc, second, third, ended, statuses[6];
    size_t winner;
    _Atomic int count, started, go, told;
    struct slow slow;
    weft_promise promises[4];
    weft_future futures[4];
    bool before, good;
};

static int races_sleepers(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[8];

    for (int i = 0; i < 8; i++)
        futures[i] = i == 5 ? weft_spawn_val(ends_later, ((struct turn){20, 7}))
                            : weft_spawn(sleeps_and_counts, (void *)&seen->count);
    seen->rc = weft_race_n(futures, 8, &seen->winner);
    seen->ended = atomic_load(&seen->count);
    seen->second = weft_await(futures[5]);
    seen->third = weft_await(futures[0]);
    return 0;
}

static void the_first_success_wins_and_the_losers_have_ended(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, races_sleepers, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 7);
        assert_int_equal(seen.winner, 5);
        assert_int_equal(seen.ended, 7);
        assert_int_equal(seen.second, -ESTALE);
        assert_int_equal(seen.third, -ESTALE);
    }
}

static int races_failures(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[8];

    for (int i = 0; i < 8; i++)
        futures[i] = weft_spawn_val(ends_later, ((struct turn){i * 5, i == 7 ? 0 : -1 - i}));
    seen->rc = weft_race_n(futures, 8, &seen->winner);
    return 0;
}

static void a_failure_does_not_end_a_race(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, races_failures, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.winner, 7);
    }
}

/* Sets the promises in a given order, so that it is known who ends when. */
static int keeps_promises(void *arg)
{
    static const int order[4] = {2, 0, 3, 1};
    struct seen *seen = arg;

    if (!seen->before)
        until_owned(seen->futures[3]);
    for (int i = 0; i < 4; i++) {
        int place = order[i];

        if (weft_promise_set(seen->promises[place], seen->good ? place : -10 - place) < 0)
            return -EPROTO;
    }
    return 0;
}

static int races_promises(void *arg)
{
    struct seen *seen = arg;

    for (int i = 0; i < 4; i++)
        seen->futures[i] = weft_promise_new(&seen->promises[i]);
    weft_future keeper = weft_spawn(keeps_promises, seen);
    if (seen->before)
        seen->second = weft_wait(keeper);
    seen->rc = weft_race_n(seen->futures, 4, &seen->winner);
    return weft_await(keeper);
}

static void if_all_fail_the_earliest_failure_is_told(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1, .winner = 99};

        int rc = check_run(n, races_promises, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -12);
        assert_int_equal(seen.winner, 99); /* nobody's place */
    }
}

static void of_those_that_ended_before_the_first_in_the_list_wins(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1, .before = true, .good = true, .winner = 99};

        int rc = check_run(n, races_promises, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.winner, 0);
    }
}

static int races_slow_ones(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[4];

    for (int i = 0; i < 4; i++)
        futures[i] = weft_spawn(ends_slowly, &seen->slow);
    seen->rc = weft_race_n(futures, 4, &seen->winner);
    seen->ended = atomic_load(&seen->slow.ended);
    seen->third = weft_yield();
    return seen->rc;
}

static int cancels_a_race(void *arg)
{
    struct seen *seen = arg;

    weft_future racer = weft_spawn(races_slow_ones, seen);
    until_slow(&seen->slow, 4);
    (void)weft_cancel(racer);
    seen->second = weft_await(racer);
    return 0;
}

static void a_cancelled_race_cancels_all_and_waits_for_their_end(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1, .winner = 99};

        int rc = check_run(n, cancels_a_race, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, -ECANCELED);
        assert_int_equal(seen.ended, 4);
        assert_int_equal(seen.winner, 99);
    }
}

static int races_while_cancelled(void *arg)
{
    struct seen *seen = arg;
    int status = 3;
    weft_future futures[2] = {weft_spawn(ends_with, &status), weft_spawn(ends_slowly, &seen->slow)};

    if (weft_wait(futures[0]) != 3)
        return -EPROTO;
    (void)weft_cancel(weft_self());
    seen->rc = weft_race_n(futures, 2, NULL);
    seen->ended = atomic_load(&seen->slow.ended);
    return 0;
}

static int spawns_a_cancelled_racer(void *arg)
{
    return weft_await(weft_spawn(races_while_cancelled, arg));
}

static void a_race_begun_while_cancelled_has_no_winner_and_ends_all(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, spawns_a_cancelled_racer, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED);
        assert_int_equal(seen.ended, 1);
    }
}

/* Loses, says so, and does not end before it is allowed to. */
static int loses_late(void *arg)
{
    struct seen *seen = arg;

    atomic_store(&seen->started, 1);
    int rc = weft_sleep(WEFT_FOREVER); /* suspends: worker, errno stale */
    atomic_store(&seen->told, 1);
    until_set(&seen->go);
    return rc;
}

static int races_a_promise(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[2] = {weft_spawn(loses_late, seen), weft_promise_new(&seen->promises[0])};

    until_set(&seen->started);
    atomic_store(&seen->started, 2);
    seen->rc = weft_race_n(futures, 2, &seen->winner);
    seen->second = weft_yield();
    return 0;
}

static int cancels_after_the_win(void *arg)
{
    struct seen *seen = arg;
    weft_future racer = weft_spawn(races_a_promise, seen);

    while (atomic_load(&seen->started) < 2)
        (void)!weft_yield();
    seen->third = weft_promise_set(seen->promises[0], 6);
    until_set(&seen->told); /* the race is decided: it has cancelled the loser */
    (void)weft_cancel(racer);
    atomic_store(&seen->go, 1);
    return weft_await(racer);
}

static void a_cancel_after_the_win_leaves_the_winner_and_is_told_next(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, cancels_after_the_win, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 6);
        assert_int_equal(seen.winner, 1);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, 0);
    }
}

static int races_until_told(void *arg)
{
    struct seen *seen = arg;

    seen->futures[0] = weft_promise_new(&seen->promises[0]);
    seen->futures[1] = weft_promise_new(&seen->promises[1]);
    seen->rc = weft_race_n(seen->futures, 2, &seen->winner);
    seen->third = weft_yield();
    return 0;
}

/* Both come before the racer can run again, since there is one worker. */
static int wins_and_cancels(void *arg)
{
    struct seen *seen = arg;
    weft_future racer = weft_spawn(races_until_told, seen);

    while (seen->futures[1].slot == 0)
        (void)!weft_yield();
    until_owned(seen->futures[1]);
    if (!seen->before)
        (void)weft_promise_set(seen->promises[1], 6);
    (void)weft_cancel(racer);
    if (seen->before)
        (void)weft_promise_set(seen->promises[1], 6);
    return weft_await(racer);
}

static void of_win_and_cancel_the_one_that_came_first_counts(void **state)
{
    (void)state;
    for (int before = 0; before < 2; before++) {
        struct seen seen = {.rc = -1, .before = before, .winner = 99};

        int rc = check_run(1, wins_and_cancels, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, before ? -ECANCELED : 6);
        assert_int_equal(seen.winner, before ? 99 : 1);
        assert_int_equal(seen.third, -ECANCELED);
    }
}

static int races_odd_lists(void *arg)
{
    struct seen *seen = arg;
    int status = 9;
    weft_future used = weft_spawn(ends_with, &status);
    weft_future fine = weft_spawn(ends_with, &status);
    weft_future lists[5][2] = {{fine, fine}, {fine, used}, {fine, {0, 0}}, {fine, weft_self()}};
    weft_scope scope;

    if (weft_scope_open(&scope) < 0 || weft_await(used) != 9)
        return -EPROTO;
    lists[4][0] = fine;
    lists[4][1] = weft_scope_spawn(&scope, sleeps, NULL);
    seen->statuses[5] = weft_race_n(NULL, 0, &seen->winner);
    for (int i = 0; i < 5; i++)
        seen->statuses[i] = weft_race_n(lists[i], 2, &seen->winner);
    seen->rc = weft_await(fine); /* nothing was consumed */
    (void)weft_scope_stop(&scope);
    return weft_scope_close(&scope, 0);
}

static void wrong_lists_are_refused_and_consume_nothing(void **state)
{
    static const int expected[6] = {-EINVAL, -ESTALE, -EINVAL, -EDEADLK, -EINVAL, -EINVAL};

    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1, .winner = 99};

        int rc = check_run(n, races_odd_lists, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 9);
        for (int i = 0; i < 6; i++)
            assert_int_equal(seen.statuses[i], expected[i]);
        assert_int_equal(seen.winner, 99); /* no output was written */
    }
}

static int races_failed_spawns(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options wrong = {.val_bytes = 1000, .val = seen};
    const struct turn turn = {10, 5};

    seen->rc =
        weft_race(weft_spawn_with(&wrong, ends_with, NULL), weft_spawn_val(ends_later, turn));
    seen->second = weft_race(weft_spawn_with(&wrong, ends_with, NULL));
    return 0;
}

static void a_failed_spawn_is_a_loser_and_alone_gives_its_error(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, races_failed_spawns, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 5);
        assert_int_equal(seen.second, -E2BIG);
    }
}

/* Runs in a job, or on a plain thread. */
static int races_in_a_thread(void *arg)
{
    struct seen *seen = arg;

    for (int round = 0; round < 200; round++) {
        atomic_store(&seen->count, 0);
        if (races_sleepers(seen) < 0 || seen->rc != 7 || seen->winner != 5 || seen->ended != 7)
            return -EPROTO;
    }
    return 0;
}

static int offloads_a_race(void *arg)
{
    return weft_await(weft_offload(weft_blocking_lane(), races_in_a_thread, arg));
}

static void a_job_can_race_tasks(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, offloads_a_race, &seen);

        assert_int_equal(rc, 0);
    }
}

static void a_plain_thread_can_race_tasks(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        assert_int_equal(weft_start(&(weft_options){.workers = n}), 0);
        int rc = races_in_a_thread(&seen);
        assert_int_equal(weft_stop(), 0);

        assert_int_equal(rc, 0);
    }
}

/* Its winner and its cancel come at about the same time. */
static int races_against_a_cancel(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[2] = {weft_spawn(sleeps_and_counts, (void *)&seen->count),
                              weft_spawn_val(ends_later, ((struct turn){3, 6}))};

    return weft_race_n(futures, 2, NULL);
}

static int cancels_about_when_one_wins(void *arg)
{
    struct seen *seen = arg;
    uint64_t seed = check_seed();

    for (int round = 0; round < 2000; round++) {
        weft_future racer = weft_spawn(races_against_a_cancel, seen);

        for (uint64_t i = check_random(&seed) % 8; i > 0; i--)
            if (weft_yield() < 0)
                return -EPROTO;
        (void)weft_cancel(racer);
        int rc = weft_await(racer);
        seen->ended += rc == 6;
        seen->third += rc == -ECANCELED;
    }
    return 0;
}

static void of_win_and_cancel_one_counts_and_the_loser_ends(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, cancels_about_when_one_wins, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.ended + seen.third, 2000);
        assert_int_equal(seen.count, 2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_success_wins_and_the_losers_have_ended),
        cmocka_unit_test(a_failure_does_not_end_a_race),
        cmocka_unit_test(if_all_fail_the_earliest_failure_is_told),
        cmocka_unit_test(of_those_that_ended_before_the_first_in_the_list_wins),
        cmocka_unit_test(a_cancelled_race_cancels_all_and_waits_for_their_end),
        cmocka_unit_test(a_race_begun_while_cancelled_has_no_winner_and_ends_all),
        cmocka_unit_test(a_cancel_after_the_win_leaves_the_winner_and_is_told_next),
        cmocka_unit_test(of_win_and_cancel_the_one_that_came_first_counts),
        cmocka_unit_test(wrong_lists_are_refused_and_consume_nothing),
        cmocka_unit_test(a_failed_spawn_is_a_loser_and_alone_gives_its_error),
        cmocka_unit_test(a_job_can_race_tasks),
        cmocka_unit_test(a_plain_thread_can_race_tasks),
        cmocka_unit_test(of_win_and_cancel_one_counts_and_the_loser_ends),
    };

    return CHECK_GROUP(tests);
}
