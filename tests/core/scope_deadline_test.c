/*
 * scope_deadline_test - deadlines are scopes: who is told -ETIMEDOUT, and who something else.
 */
#include "tasks.h"

struct seen {
    int rc, second, third, fourth;
    bool flag, other_flag, third_flag;
    _Atomic int count, started;
    weft_scope scope, other;
};

static int opens_with_deadline(weft_scope *scope, weft_time deadline)
{
    return weft_scope_open_with(scope, &(weft_scope_options){.deadline = deadline});
}

static int times_out(void *arg)
{
    struct seen *seen = arg;

    seen->rc = opens_with_deadline(&seen->scope, weft_now() + weft_ms(1));
    seen->second = weft_sleep(WEFT_FOREVER);
    seen->third = weft_scope_close(&seen->scope, seen->second);
    seen->flag = weft_scope_expired(&seen->scope);
    seen->other_flag = weft_scope_cancelled(&seen->scope);
    seen->fourth = weft_yield();
    return 0;
}

static void at_the_deadline_waits_are_cancelled_and_close_says_etimedout(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, times_out, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, -ETIMEDOUT);
        assert_true(seen.flag);
        assert_true(seen.other_flag);
        assert_int_equal(seen.fourth, 0);
    }
}

static void passes_time_without_waiting(weft_time until)
{
    while (weft_now() < until)
        ;
}

static int ends_late_without_waiting(void *arg)
{
    struct seen *seen = arg;
    weft_time deadline = weft_now() + weft_us(200);

    seen->rc = opens_with_deadline(&seen->scope, deadline);
    passes_time_without_waiting(deadline + weft_us(200));
    seen->second = weft_scope_close(&seen->scope, 5);
    return weft_yield();
}

static void a_body_that_succeeds_late_without_waiting_succeeds(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, ends_late_without_waiting, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, 5);
    }
}

static int opens_in_the_past(void *arg)
{
    struct seen *seen = arg;

    seen->rc = opens_with_deadline(&seen->scope, -1);
    atomic_fetch_add(&seen->started, 1); /* the body runs */
    seen->second = weft_yield();
    seen->third = weft_scope_close(&seen->scope, seen->second);
    seen->rc += opens_with_deadline(&seen->other, 1); /* long ago */
    seen->flag = weft_cancelled();
    seen->fourth = weft_scope_close(&seen->other, 0); /* it never waited */
    seen->other_flag = weft_scope_expired(&seen->other);
    return weft_yield();
}

static void a_deadline_in_the_past_lets_the_body_run_to_its_first_wait(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, opens_in_the_past, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.started, 1);
    assert_int_equal(seen.second, -ECANCELED);
    assert_int_equal(seen.third, -ETIMEDOUT);
    assert_true(seen.flag);
    assert_int_equal(seen.fourth, 0);
    assert_true(seen.other_flag);
}

static int passes_both_deadlines(void *arg)
{
    struct seen *seen = arg;
    weft_time now = weft_now();

    seen->rc = opens_with_deadline(&seen->scope, now + weft_us(300)) +
               opens_with_deadline(&seen->other, now + weft_us(200));
    passes_time_without_waiting(now + weft_us(500));
    for (int i = 0; i < 200 && !weft_scope_expired(&seen->scope); i++)
        (void)!weft_yield(); /* until the timers of this worker have been looked at */
    seen->second = weft_scope_close(&seen->other, weft_sleep(WEFT_FOREVER));
    seen->third = weft_scope_close(&seen->scope, seen->second);
    return weft_yield();
}

static void when_both_deadlines_have_passed_the_outer_reports(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, passes_both_deadlines, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.second, -ECANCELED);
    assert_int_equal(seen.third, -ETIMEDOUT);
}

static int fails_before_and_after(void *arg)
{
    struct seen *seen = arg;

    seen->rc = opens_with_deadline(&seen->scope, weft_now() + weft_s(1000));
    seen->second = weft_scope_close(&seen->scope, -EIO);
    seen->rc += opens_with_deadline(&seen->other, -1);
    (void)!weft_yield();
    seen->third = weft_scope_close(&seen->other, -ENOSPC); /* its clean-up failed */
    return weft_yield();
}

static void a_real_failure_is_told_instead_of_the_time_out(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, fails_before_and_after, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, -EIO);
    assert_int_equal(seen.third, -ENOSPC);
    assert_true(weft_scope_cancelled(&seen.scope));
    assert_false(weft_scope_expired(&seen.scope));
}

static int waits_under_a_far_deadline(void *arg)
{
    struct seen *seen = arg;

    seen->rc = opens_with_deadline(&seen->scope, weft_now() + weft_s(1000));
    atomic_store(&seen->started, 1);
    seen->second = weft_scope_close(&seen->scope, weft_sleep(WEFT_FOREVER));
    seen->flag = weft_scope_expired(&seen->scope);
    return 0;
}

static int cancels_before_the_deadline(void *arg)
{
    struct seen *seen = arg;
    weft_future child = weft_spawn(waits_under_a_far_deadline, seen);

    until_set(&seen->started);
    (void)weft_cancel(child);
    return weft_await(child);
}

static void a_cancel_before_the_deadline_is_no_time_out(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_before_the_deadline, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_false(seen.flag);
    }
}

static int members_time_out(void *arg)
{
    struct seen *seen = arg;

    seen->rc = opens_with_deadline(&seen->scope, weft_now() + weft_ms(1));
    for (int i = 0; i < 5; i++)
        (void)weft_scope_spawn(&seen->scope, sleeps_and_counts, (void *)&seen->count);
    seen->second = weft_scope_close(&seen->scope, 3);
    return weft_yield();
}

static void members_cut_short_by_the_deadline_make_close_say_etimedout(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, members_time_out, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -ETIMEDOUT);
        assert_int_equal(seen.count, 5);
    }
}

static int ends_in_time(void *arg)
{
    struct seen *seen = arg;

    seen->rc = opens_with_deadline(&seen->scope, weft_now() + weft_s(1000));
    for (int i = 0; i < 5; i++)
        (void)weft_scope_spawn_val(&seen->scope, yields, i);
    seen->second = weft_scope_close(&seen->scope, 3);
    seen->flag = weft_scope_expired(&seen->scope) || weft_scope_cancelled(&seen->scope);
    return weft_yield();
}

static void a_scope_that_ends_in_time_leaves_no_trace(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, ends_in_time, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, 3);
        assert_false(seen.flag);
    }
}

static int tells_four(void *arg)
{
    (void)arg;
    return 4;
}

static int uses_timeouts(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_timeout(weft_ms(1), sleeps, NULL);
    seen->second = weft_timeout(weft_s(1000), tells_four, NULL);
    seen->third = weft_timeout(WEFT_FOREVER, tells_four, NULL);
    seen->fourth = weft_timeout(0, sleeps, NULL);
    seen->flag = weft_timeout(-7, tells_four, NULL) == 4;
    seen->other_flag = weft_timeout(INT64_MAX - 1, tells_four, NULL) == 4;
    return weft_yield();
}

static void weft_timeout_gives_the_functions_status_or_etimedout(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, uses_timeouts, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ETIMEDOUT);
        assert_int_equal(seen.second, 4);
        assert_int_equal(seen.third, 4);
        assert_int_equal(seen.fourth, -ETIMEDOUT);
        assert_true(seen.flag);
        assert_true(seen.other_flag);
    }
}

static int sleeps_very_long(void *arg)
{
    (void)arg;
    return weft_timeout(weft_s(1000), sleeps, NULL);
}

static int nests_timeouts(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_timeout(weft_ms(1), sleeps_very_long, NULL);
    return weft_yield();
}

static void of_nested_time_outs_the_one_that_passed_reports(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, nests_timeouts, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ETIMEDOUT);
    }
}

static int awaits_a_child_that_sleeps(void *arg)
{
    return weft_await(weft_spawn(sleeps_and_counts, arg));
}

static int times_an_await_out(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_timeout(weft_ms(1), awaits_a_child_that_sleeps, (void *)&seen->count);
    seen->second = atomic_load(&seen->count);
    return weft_yield();
}

static void an_await_cut_short_by_a_deadline_has_ended_its_child(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, times_an_await_out, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ETIMEDOUT);
        assert_int_equal(seen.second, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(at_the_deadline_waits_are_cancelled_and_close_says_etimedout),
        cmocka_unit_test(a_body_that_succeeds_late_without_waiting_succeeds),
        cmocka_unit_test(a_deadline_in_the_past_lets_the_body_run_to_its_first_wait),
        cmocka_unit_test(when_both_deadlines_have_passed_the_outer_reports),
        cmocka_unit_test(a_real_failure_is_told_instead_of_the_time_out),
        cmocka_unit_test(a_cancel_before_the_deadline_is_no_time_out),
        cmocka_unit_test(members_cut_short_by_the_deadline_make_close_say_etimedout),
        cmocka_unit_test(a_scope_that_ends_in_time_leaves_no_trace),
        cmocka_unit_test(weft_timeout_gives_the_functions_status_or_etimedout),
        cmocka_unit_test(of_nested_time_outs_the_one_that_passed_reports),
        cmocka_unit_test(an_await_cut_short_by_a_deadline_has_ended_its_child),
    };

    return CHECK_GROUP(tests);
}
