/*
 * deadlines - S28 to S37: whose time was over, and what that ends.
 *
 * Nothing here is bounded from above in time: the virtual clock and a loaded machine must agree.
 */
#include "semantics.h"

static weft_time in(weft_time span) { return weft_now() + span; }

/* A scope with a deadline. */
static void open_until(weft_scope *scope, weft_time deadline)
{
    EXPECT(weft_scope_open_with(scope, &(weft_scope_options){.deadline = deadline}), 0);
}

static void s28_a_deadline_ends_waits_inside_and_the_task_goes_on_uncancelled(void)
{
    weft_scope scope;

    open_until(&scope, in(weft_ms(1)));
    int inner = weft_sleep(WEFT_FOREVER);
    int rc = weft_scope_close(&scope, inner);
    int next = weft_yield();

    EXPECT(inner, -ECANCELED);
    EXPECT(rc, -ETIMEDOUT);
    EXPECT(weft_scope_expired(&scope), true);
    EXPECT(weft_cancelled(), false);
    EXPECT(next, 0);
    EXPECT(weft_timeout(weft_us(100), sleeps, NULL), -ETIMEDOUT);
    SAY(status_word(inner));
    SAY(status_word(rc));
    SAY(status_word(next));
}

static void s29_a_body_that_is_late_but_did_not_wait_keeps_its_status(void)
{
    weft_scope scope;

    open_until(&scope, in(weft_us(100)));
    let_pass(weft_ms(1));
    int rc = weft_scope_close(&scope, 5);

    EXPECT(rc, 5);
    EXPECT(weft_scope_expired(&scope), true);
    SAY(status_word(rc));
}

struct steps {
    int taken, first_wait;
};

static int steps_then_waits(void *arg)
{
    struct steps *steps = arg;

    steps->taken++;
    steps->first_wait = weft_sleep(0);
    return steps->first_wait;
}

static void s30_with_a_deadline_of_now_or_past_the_body_runs_to_its_first_wait(void)
{
    const weft_time spans[] = {0, -1, -weft_s(1), INT64_MIN};
    struct steps steps = {0};
    weft_scope scope;

    for (int i = 0; i < 4; i++) {
        steps.first_wait = 0;
        EXPECT(weft_timeout(spans[i], steps_then_waits, &steps), -ETIMEDOUT);
        EXPECT(steps.first_wait, -ECANCELED);
    }
    EXPECT(steps.taken, 4);
    int before = steps.taken;
    open_until(&scope, in(-weft_ms(1)));
    int rc = weft_scope_close(&scope, steps_then_waits(&steps));
    EXPECT(rc, -ETIMEDOUT);
    open_until(&scope, weft_now());
    EXPECT(weft_scope_close(&scope, steps_then_waits(&steps)), -ETIMEDOUT);
    EXPECT(weft_yield(), 0);
    SAY(steps.taken > before ? "runs" : "never-runs");
    SAY(status_word(rc));
}

/* Both deadlines passed before the body waits; the inner's or the outer's came first. */
static void both_pass(weft_time outer_in, weft_time inner_in, int *ret_inner, int *ret_outer)
{
    weft_scope outer, inner;

    open_until(&outer, in(outer_in));
    open_until(&inner, in(inner_in));
    let_pass(weft_ms(2));
    *ret_inner = weft_scope_close(&inner, weft_sleep(WEFT_FOREVER));
    *ret_outer = weft_scope_close(&outer, *ret_inner);
    EXPECT(weft_scope_expired(&outer), true);
}

static void s31_when_both_deadlines_have_passed_the_outer_reports(void)
{
    int inner, outer;

    both_pass(weft_us(100), weft_ms(1), &inner, &outer);
    EXPECT(inner, -ECANCELED);
    EXPECT(outer, -ETIMEDOUT);
    both_pass(-1, -1, &inner, &outer);
    EXPECT(inner, -ECANCELED);
    EXPECT(outer, -ETIMEDOUT);
    both_pass(weft_ms(1), weft_us(100), &inner, &outer);
    EXPECT(inner, -ECANCELED);
    EXPECT(outer, -ETIMEDOUT);
    SAY(inner == -ETIMEDOUT ? "inner" : outer == -ETIMEDOUT ? "outer" : "neither");
    EXPECT(weft_yield(), 0);
}

static void s32_a_failure_of_the_body_or_its_clean_up_goes_before_the_deadline(void)
{
    weft_scope scope;

    open_until(&scope, in(weft_s(1000)));
    int before = weft_scope_close(&scope, -EIO);
    EXPECT(before, -EIO);
    EXPECT(weft_scope_expired(&scope), false);

    open_until(&scope, in(weft_us(100)));
    EXPECT(weft_sleep(WEFT_FOREVER), -ECANCELED);
    int after = weft_scope_close(&scope, -EIO); /* as if the clean-up had failed */
    EXPECT(after, -EIO);
    EXPECT(weft_scope_expired(&scope), true);
    SAY(status_word(before));
    SAY(status_word(after));
}

struct late {
    struct check_latch here;
    weft_scope scope;
    int rc;
};

static int sleeps_with_a_far_deadline(void *arg)
{
    struct late *late = arg;

    open_until(&late->scope, in(weft_s(1000)));
    check_arrive(&late->here);
    late->rc = weft_scope_close(&late->scope, weft_sleep(WEFT_FOREVER));
    return 0;
}

static void s33_a_cancel_before_the_deadline_is_no_time_out(void)
{
    struct late late = {.here = CHECK_LATCH_INIT(1)};
    weft_future task = weft_spawn(sleeps_with_a_far_deadline, &late);

    EXPECT(check_latch_wait(&late.here), 0);
    EXPECT(weft_cancel(task), 0);
    EXPECT(weft_await(task), 0);

    EXPECT(late.rc, -ECANCELED);
    EXPECT(weft_scope_expired(&late.scope), false);
    SAY(status_word(late.rc));
    SAY(weft_scope_expired(&late.scope) ? "expired" : "not-expired");
}

struct moved {
    weft_scope scope;
    weft_time deadline;
    weft_future waiter;
    uint32_t keeper; /* the worker that keeps the timer, as core/scope_cancel.c says */
    int rc;
};

/* Goes to another worker, if one takes it, and lets the timer's own fall asleep. */
static void get_away_from(uint32_t keeper)
{
    for (int i = 0; i < 200 && weft__worker()->index == keeper; i++)
        (void)!weft_yield();
    linger();
}

static int moves_the_deadline(void *arg)
{
    struct moved *moved = arg;

    until_asleep(moved->waiter);
    get_away_from(moved->keeper);
    moved->rc = weft_scope_deadline(&moved->scope, moved->deadline);
    return 0;
}

/* What a body that sleeps so long says when its deadline is moved meanwhile; *ret_in_time: whether the
 * move came before the old deadline. */
static int when_moved(weft_time first, weft_time new, weft_time rest, bool *ret_in_time)
{
    struct moved moved = {.deadline = new, .waiter = weft_self(), .keeper = weft__worker()->index};

    open_until(&moved.scope, first);
    (void)weft_scope_spawn(&moved.scope, moves_the_deadline, &moved);
    int rc = weft_scope_close(&moved.scope, weft_sleep(rest));
    *ret_in_time = moved.rc == 0;
    EXPECT(moved.rc == 0 || moved.rc == -EALREADY, true);
    return rc;
}

/* The old deadline passes while the body sleeps. It is set the later, the slower the machine. */
static int when_put_off(weft_time new)
{
    for (weft_time first = weft_ms(4);; first *= 2) {
        bool in_time;
        int rc = when_moved(in(first), new, first + weft_ms(2), &in_time);

        if (in_time)
            return rc;
        EXPECT(rc, -ETIMEDOUT);
    }
}

static void s34_a_deadline_moved_earlier_later_or_away_while_waiting_is_the_one_that_counts(void)
{
    bool in_time;
    int earlier = when_moved(in(weft_s(1000)), in(weft_us(100)), WEFT_FOREVER, &in_time);
    int past = when_moved(in(weft_s(1000)), -1, WEFT_FOREVER, &in_time);
    int later = when_put_off(in(weft_s(1000)));
    int away = when_put_off(0);

    EXPECT(earlier, -ETIMEDOUT);
    EXPECT(past, -ETIMEDOUT);
    EXPECT(later, 0);
    EXPECT(away, 0);
    SAY(status_word(earlier));
    SAY(status_word(later));
    SAY(status_word(away));
}

static void s35_clean_up_in_a_shield_with_a_deadline_works_and_expires_by_itself(void)
{
    weft_time short_while = weft_us(100);
    weft_scope scope;

    open_until(&scope, -1);
    EXPECT(weft_sleep(WEFT_FOREVER), -ECANCELED);
    int works = weft_shield(weft_s(1000), sleeps_for, &short_while);
    int expires = weft_shield(weft_us(200), sleeps, NULL);
    EXPECT(weft_scope_close(&scope, -ECANCELED), -ETIMEDOUT);

    EXPECT(works, 0);
    EXPECT(expires, -ETIMEDOUT);
    SAY(status_word(works));
    SAY(status_word(expires));
}

static void s36_zero_and_less_yield_the_greatest_never_ends_and_none_is_early(void)
{
    const weft_time spans[] = {1, 999, 1000, weft_us(77), weft_ms(1), weft_ms(2) + 1};
    const weft_time endless[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX / 2};
    int early = 0;

    EXPECT(weft_sleep(0), 0);
    int negative = weft_sleep(-1);
    EXPECT(negative, 0);
    EXPECT(weft_sleep(INT64_MIN), 0);
    EXPECT(weft_sleep_until(INT64_MIN), 0);
    EXPECT(weft_sleep_until(0), 0);
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++) {
        weft_time start = weft_now();
        EXPECT(weft_sleep(spans[i]), 0);
        early += weft_now() - start < spans[i];
        start = weft_now();
        EXPECT(weft_sleep_until(start + spans[i]), 0);
        early += weft_now() - start < spans[i];
    }
    EXPECT(early, 0);
    for (size_t i = 0; i < sizeof endless / sizeof endless[0]; i++) {
        weft_time start = weft_now();
        weft_future sleeper = weft_spawn_val(sleeps_for, endless[i]);
        until_asleep(sleeper);
        weft_time moment = weft_ms(1);
        EXPECT(sleeps_for(&moment), 0); /* lets a moment pass: it is not woken by that */
        EXPECT(weft_cancel(sleeper), 0);
        EXPECT(weft_await(sleeper), -ECANCELED);
        EXPECT(weft_timeout(endless[i], sleeps_for, &moment), 0);
        EXPECT(weft_now() - start >= 2 * moment, true);
    }
    SAY(status_word(negative));
    SAY(early ? "early" : "never-early");
}

/* An interval whose ticks 1, 2 and 3, and perhaps more, have been missed; the next call takes 1.
 * Returns the moment of tick 0 (of a later one, if the machine slept before it). */
static weft_time miss_three(weft_interval *interval, weft_missed policy, weft_time period)
{
    EXPECT(weft_interval_init(interval, period, policy), 0);
    EXPECT(weft_interval_tick(interval) >= 0, true); /* at once */
    weft_time start = interval->weft__next - period;
    let_pass(interval->weft__next + period * 5 / 2 - weft_now());
    return start;
}

/* The plan tells what a loaded machine cannot show: when the next tick is to come. */
static void s37_missed_ticks_come_in_a_burst_delay_the_rest_or_are_skipped(void)
{
    const weft_time period = weft_ms(1);
    weft_interval interval;

    weft_time start = miss_three(&interval, WEFT_MISSED_BURST, period);
    for (int tick = 1; tick <= 5; tick++) {
        EXPECT(interval.weft__next, start + tick * period);
        EXPECT(weft_interval_tick(&interval), 0);
        EXPECT(weft_now() >= start + tick * period, true);
    }

    (void)miss_three(&interval, WEFT_MISSED_DELAY, period);
    weft_time before = weft_now();
    EXPECT(weft_interval_tick(&interval), 0);
    EXPECT(interval.weft__next >= before + period, true);
    EXPECT(weft_interval_tick(&interval), 0);
    EXPECT(weft_now() >= before + period, true);

    start = miss_three(&interval, WEFT_MISSED_SKIP, period);
    before = weft_now();
    int left_out = weft_interval_tick(&interval);
    EXPECT(left_out >= 2, true);
    EXPECT(interval.weft__next, start + (2 + left_out) * period); /* the plan has not moved */
    EXPECT(interval.weft__next > before, true);
    before = interval.weft__next;
    EXPECT(weft_interval_tick(&interval) >= 0, true);
    EXPECT(weft_now() >= before, true);
}

const struct statement semantics_deadlines[] = {
    STATEMENT(s28_a_deadline_ends_waits_inside_and_the_task_goes_on_uncancelled),
    STATEMENT(s29_a_body_that_is_late_but_did_not_wait_keeps_its_status),
    STATEMENT(s30_with_a_deadline_of_now_or_past_the_body_runs_to_its_first_wait),
    STATEMENT(s31_when_both_deadlines_have_passed_the_outer_reports),
    STATEMENT(s32_a_failure_of_the_body_or_its_clean_up_goes_before_the_deadline),
    STATEMENT(s33_a_cancel_before_the_deadline_is_no_time_out),
    STATEMENT(s34_a_deadline_moved_earlier_later_or_away_while_waiting_is_the_one_that_counts),
    STATEMENT(s35_clean_up_in_a_shield_with_a_deadline_works_and_expires_by_itself),
    STATEMENT(s36_zero_and_less_yield_the_greatest_never_ends_and_none_is_early),
    STATEMENT(s37_missed_ticks_come_in_a_burst_delay_the_rest_or_are_skipped),
    {.name = NULL},
};
