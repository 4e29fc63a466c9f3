/*
 * interval_test - a steady pace, and what becomes of ticks that were missed.
 *
 * Where a test says "the plan" it looks at the moment of the next tick, which no call tells. All but
 * one take their time from the real clock; that one knows each moment to the nanosecond.
 */
#include <string.h>

#include <weft/testing.h>

#include "tasks.h"

#define PERIOD weft_ms(2)

struct seen {
    int rc, second, third, early;
    weft_time start, moment, after, plan;
    weft_missed policy;
    _Atomic int count;
    weft_interval interval;
};

/* Sets the interval up; its first tick is planned for seen->start. */
static int begins(struct seen *seen, weft_time period)
{
    int rc = weft_interval_init(&seen->interval, period, seen->policy);

    seen->start = seen->interval.weft__next;
    return rc;
}

static int ticks_twenty_times(void *arg)
{
    struct seen *seen = arg;
    weft_time before = weft_now();

    seen->rc = begins(seen, PERIOD);
    seen->early += seen->start < before || seen->start > weft_now();
    for (int i = 0; i < 20; i++) {
        if (weft_interval_tick(&seen->interval) < 0)
            return -EPROTO;
        seen->early += weft_now() < seen->start + i * PERIOD;
    }
    return 0;
}

static void ticks_come_never_early_the_first_at_once(void **state)
{
    (void)state;
    for (int policy = WEFT_MISSED_BURST; policy <= WEFT_MISSED_SKIP; policy++) {
        CHECK_WORKERS(n) {
            struct seen seen = {.rc = -1, .policy = (weft_missed)policy};

            int rc = check_run(n, ticks_twenty_times, &seen);

            assert_int_equal(rc, 0);
            assert_int_equal(seen.rc, 0);
            assert_int_equal(seen.early, 0);
            if (policy == WEFT_MISSED_BURST)
                assert_true(seen.interval.weft__next == seen.start + 20 * PERIOD);
            if (policy == WEFT_MISSED_SKIP)
                assert_true((seen.interval.weft__next - seen.start) % PERIOD == 0);
        }
    }
}

/* Takes a tick, and comes for the next only when five more should have come. */
static int misses_five(struct seen *seen)
{
    if (begins(seen, PERIOD) < 0 || weft_interval_tick(&seen->interval) < 0)
        return -EPROTO;
    seen->start = seen->interval.weft__next - PERIOD; /* DELAY plans from the first tick on */
    if (weft_sleep_until(seen->start + 5 * PERIOD + PERIOD / 2) < 0)
        return -EPROTO;
    seen->moment = weft_now();
    seen->second = weft_interval_tick(&seen->interval);
    seen->after = weft_now();
    return 0;
}

static int bursts(void *arg)
{
    struct seen *seen = arg;
    int rc = misses_five(seen);

    for (int i = 2; i <= 6 && rc == 0; i++) {
        if (seen->interval.weft__next != seen->start + i * PERIOD)
            seen->early++;
        rc = weft_interval_tick(&seen->interval);
    }
    seen->early += weft_now() < seen->start + 6 * PERIOD;
    return rc;
}

static void burst_makes_up_for_every_missed_tick(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.policy = WEFT_MISSED_BURST};

        int rc = check_run(n, bursts, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.early, 0);
    }
}

static int delays(void *arg)
{
    struct seen *seen = arg;
    int rc = misses_five(seen);

    seen->plan = seen->interval.weft__next;
    return rc < 0 ? rc : weft_interval_tick(&seen->interval);
}

static void delay_plans_the_next_a_period_after_the_late_one(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.policy = WEFT_MISSED_DELAY};

        int rc = check_run(n, delays, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, 0);
        assert_true(seen.plan >= seen.moment + PERIOD);
        assert_true(seen.plan <= seen.after + PERIOD);
    }
}

static int skips(void *arg)
{
    struct seen *seen = arg;
    int rc = misses_five(seen);

    seen->plan = seen->interval.weft__next;
    if (rc == 0)
        rc = weft_interval_tick(&seen->interval);
    seen->early = weft_now() < seen->plan;
    return rc < 0 ? rc : 0;
}

static void skip_leaves_out_what_was_missed_says_how_many_and_keeps_the_plan(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.policy = WEFT_MISSED_SKIP};

        int rc = check_run(n, skips, &seen);

        assert_int_equal(rc, 0);
        assert_true(seen.second >= 4); /* 1 came late, 2 to 5 are left out */
        assert_true(seen.plan == seen.start + (2 + seen.second) * PERIOD);
        assert_true(seen.plan > seen.moment);
        assert_int_equal(seen.early, 0);
    }
}

#define TICKS 7

struct diary {
    weft_missed policy;
    weft_time at[TICKS]; /* since the first */
    int left_out[TICKS];
};

static int writes_a_diary(void *arg)
{
    static const int work_ms[TICKS] = {3, 3, 25, 3, 3, 3, 0}; /* after each tick */
    struct diary *diary = arg;
    weft_interval interval;
    int rc = weft_interval_init(&interval, weft_ms(10), diary->policy);
    weft_time start = weft_now();

    for (int i = 0; i < TICKS && rc >= 0; i++) {
        diary->left_out[i] = weft_interval_tick(&interval);
        diary->at[i] = weft_now() - start;
        rc = weft_sleep(weft_ms(work_ms[i]));
    }
    return rc;
}

static void late_by_one_and_a_half_periods_each_policy_goes_on_as_told(void **state)
{
    static const struct {
        weft_missed policy;
        int at_ms[TICKS], left_out[TICKS];
    } table[] = {
        {WEFT_MISSED_BURST, {0, 10, 20, 45, 48, 51, 60}, {0}},
        {WEFT_MISSED_DELAY, {0, 10, 20, 45, 55, 65, 75}, {0}},
        {WEFT_MISSED_SKIP, {0, 10, 20, 45, 50, 60, 70}, {0, 0, 0, 1, 0, 0, 0}},
    };

    (void)state;
    for (int row = 0; row < 3; row++) {
        CHECK_WORKERS(n) {
            struct diary diary = {.policy = table[row].policy};

            assert_int_equal(weft_test_clock(0), 0);
            int rc = check_run(n, writes_a_diary, &diary);

            assert_int_equal(rc, 0);
            for (int i = 0; i < TICKS; i++) {
                assert_true(diary.at[i] == weft_ms(table[row].at_ms[i]));
                assert_int_equal(diary.left_out[i], table[row].left_out[i]);
            }
        }
    }
}

static int comes_a_little_late(void *arg)
{
    struct seen *seen = arg;
    weft_time period = weft_ms(20);

    if (begins(seen, period) < 0 || weft_interval_tick(&seen->interval) < 0)
        return -EPROTO;
    seen->start = seen->interval.weft__next;
    if (weft_interval_tick(&seen->interval) < 0) /* in time: it waits, and wakes a little late */
        return -EPROTO;
    seen->plan = seen->interval.weft__next;
    seen->third = weft_now() - seen->start < period;
    return 0;
}

static void a_wake_that_is_a_little_late_does_not_move_the_plan(void **state)
{
    struct seen seen = {.policy = WEFT_MISSED_DELAY};

    (void)state;
    int rc = check_run(1, comes_a_little_late, &seen);

    assert_int_equal(rc, 0);
    if (seen.third) /* else the machine kept the worker from its processor for a whole period */
        assert_true(seen.plan == seen.start + weft_ms(20));
}

static int counts(void *arg)
{
    struct seen *seen = arg;

    for (;;) {
        int rc = weft_yield(); /* suspends: worker, errno stale */

        if (rc < 0)
            return rc;
        atomic_fetch_add(&seen->count, 1);
    }
}

static int bursts_beside_another(void *arg)
{
    struct seen *seen = arg;
    int rc = begins(seen, weft_us(10));

    if (rc < 0 || weft_sleep(weft_ms(2)) < 0)
        return -EPROTO;
    weft_future other = weft_spawn(counts, seen);
    for (int i = 0; i < 150 && rc == 0; i++)
        rc = weft_interval_tick(&seen->interval);
    seen->second = atomic_load(&seen->count);
    (void)weft_cancel(other);
    seen->third = weft_await(other);
    return rc;
}

static void a_burst_lets_others_run(void **state)
{
    struct seen seen = {.policy = WEFT_MISSED_BURST};

    (void)state;
    int rc = check_run(1, bursts_beside_another, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.third, -ECANCELED);
    assert_true(seen.second > 100);
}

static int ticks_for_ever(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_interval_tick(&seen->interval);
    atomic_store(&seen->count, 1);
    seen->third = weft_interval_tick(&seen->interval);
    return 0;
}

static int waits_for_a_far_tick(void *arg)
{
    struct seen *seen = arg;
    int rounds = 200;
    weft_future child;

    seen->rc = begins(seen, seen->plan);
    child = weft_spawn(ticks_for_ever, seen);
    until_set(&seen->count);
    if (weft_await(weft_spawn(yields, &rounds)) < 0 || weft_sleep(weft_ms(3)) < 0)
        return -EPROTO;
    (void)weft_cancel(child);
    return weft_await(child);
}

static void a_huge_period_ticks_once_and_then_never(void **state)
{
    static const weft_time huge[3] = {INT64_MAX, INT64_MAX - 1, INT64_MAX / 2};

    (void)state;
    for (int policy = WEFT_MISSED_BURST; policy <= WEFT_MISSED_SKIP; policy++) {
        for (int i = 0; i < 3; i++) {
            struct seen seen = {.rc = -1, .policy = (weft_missed)policy, .plan = huge[i]};

            int rc = check_run(2, waits_for_a_far_tick, &seen);

            assert_int_equal(rc, 0);
            assert_int_equal(seen.rc, 0);
            assert_int_equal(seen.second, 0);
            assert_int_equal(seen.third, -ECANCELED);
        }
    }
}

static void wrong_periods_and_policies_are_refused(void **state)
{
    static const weft_time wrong[3] = {0, -1, INT64_MIN};
    weft_interval interval;

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(weft_interval_init(&interval, wrong[i], WEFT_MISSED_SKIP), -EINVAL);
        assert_non_null(strstr(weft_why(), "period"));
    }
    assert_int_equal(weft_interval_init(&interval, 1, (weft_missed)7), -EINVAL);
    assert_non_null(strstr(weft_why(), "WEFT_MISSED_BURST"));
    memset(&interval, 0, sizeof interval);
    assert_int_equal(weft_interval_tick(&interval), -EINVAL);
    assert_int_equal(weft_interval_init(&interval, 1, WEFT_MISSED_SKIP), 0);
    assert_int_equal(weft_interval_tick(&interval), -EPERM); /* not in a task */
}

static int ticks_while_cancelled(void *arg)
{
    struct seen *seen = arg;

    if (begins(seen, PERIOD) < 0 || weft_sleep(3 * PERIOD) < 0)
        return -EPROTO;
    (void)weft_cancel(weft_self());
    seen->rc = weft_interval_tick(&seen->interval);
    seen->plan = seen->interval.weft__next;
    return 0;
}

static int spawns_a_cancelled_one(void *arg)
{
    return weft_await(weft_spawn(ticks_while_cancelled, arg));
}

static void a_cancelled_tick_has_not_been_taken(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.policy = WEFT_MISSED_SKIP};

        int rc = check_run(n, spawns_a_cancelled_one, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED);
        assert_true(seen.plan == seen.start);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_come_never_early_the_first_at_once),
        cmocka_unit_test(burst_makes_up_for_every_missed_tick),
        cmocka_unit_test(delay_plans_the_next_a_period_after_the_late_one),
        cmocka_unit_test(skip_leaves_out_what_was_missed_says_how_many_and_keeps_the_plan),
        cmocka_unit_test(late_by_one_and_a_half_periods_each_policy_goes_on_as_told),
        cmocka_unit_test(a_wake_that_is_a_little_late_does_not_move_the_plan),
        cmocka_unit_test(a_burst_lets_others_run),
        cmocka_unit_test(a_huge_period_ticks_once_and_then_never),
        cmocka_unit_test(wrong_periods_and_policies_are_refused),
        cmocka_unit_test(a_cancelled_tick_has_not_been_taken),
    };

    return CHECK_GROUP(tests);
}
