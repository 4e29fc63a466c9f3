/*
 * scope_grace_test - the two-phase cancel: what ends the grace, and what its end ends.
 */
#include <string.h>

#include "soft.h"

static int lets_the_grace_run_out(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, waits_softly_then_plainly, seen);
    seen->rc += until_started(seen, 1);
    seen->rc += weft_scope_cancel_soft(&seen->scope, weft_ms(1));
    seen->fourth = weft_scope_close(&seen->scope, 0);
    seen->flag = weft_scope_expired(&seen->scope);
    return weft_yield();
}

static void when_the_grace_is_over_soft_blocks_end_too(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, lets_the_grace_run_out, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, -ECANCELED);
        assert_int_equal(seen.fourth, -ECANCELED);
        assert_false(seen.flag); /* the grace is no deadline */
    }
}

static int cancels_softly_then_hard(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, waits_softly_then_plainly, seen);
    seen->rc += until_started(seen, 1);
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER);
    seen->rc += weft_scope_cancel(&seen->scope);
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER); /* too late */
    return weft_scope_close(&seen->scope, 0);
}

static void a_hard_cancel_ends_the_grace(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, cancels_softly_then_hard, &seen);

        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
    }
}

static int cancels_without_grace(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, waits_softly_then_plainly, seen);
    seen->rc += until_started(seen, 1);
    seen->rc += weft_scope_cancel_soft(&seen->scope, -5);
    return weft_scope_close(&seen->scope, 0);
}

static void a_soft_cancel_without_grace_is_a_hard_one(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, cancels_without_grace, &seen);

        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
    }
}

static int goes_into_a_late_soft_block(void *arg)
{
    struct seen *seen = arg;

    seen->third = weft_yield();
    return waits_softly(seen);
}

static int spawns_into_a_softly_cancelled_scope(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    seen->rc += weft_scope_cancel_soft(&seen->scope, weft_ms(1));
    (void)weft_scope_spawn(&seen->scope, goes_into_a_late_soft_block, seen);
    seen->second = weft_scope_close(&seen->scope, 0);
    return 0;
}

static void a_late_soft_block_ends_with_the_grace(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, spawns_into_a_softly_cancelled_scope, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.third, -ECANCELED);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.count, 0);
    }
}

static int moves_the_grace(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, waits_softly_then_plainly, seen);
    seen->rc += until_started(seen, 1);
    seen->rc += weft_scope_cancel_soft(&seen->scope, weft_s(1000));
    seen->rc += weft_scope_cancel_soft(&seen->scope, weft_us(200));
    return weft_scope_close(&seen->scope, 0);
}

static void the_end_of_the_grace_can_be_moved_nearer(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, moves_the_grace, &seen);

        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(seen.second, -ECANCELED);
    }
}

static int sleeps_longer_than_the_grace(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_sleep(weft_ms(250));
    return seen->second;
}

static int sleeps_longer_softly(void *arg) { return weft_soft(sleeps_longer_than_the_grace, arg); }

static int takes_the_grace_away(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    seen->rc += weft_scope_cancel_soft(&seen->scope, weft_ms(200));
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER);
    (void)weft_scope_spawn(&seen->scope, sleeps_longer_softly, seen);
    return weft_scope_close(&seen->scope, 0);
}

static void a_grace_for_ever_never_ends(void **state)
{
    struct seen seen = SEEN_INIT;

    (void)state;
    int rc = check_run(1, takes_the_grace_away, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, 0);
}

static int closes_over_a_soft_member(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, waits_softly_then_plainly, seen);
    seen->fourth = weft_scope_close(&seen->scope, 0);
    seen->flag = weft_cancelled();
    return 0;
}

static int cancels_who_closes_softly(void *arg)
{
    struct seen *seen = arg;
    weft_future closer = weft_spawn(closes_over_a_soft_member, seen);

    seen->rc = until_started(seen, 1);
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER);
    for (int i = 0; i < 100; i++)
        seen->rc += weft_yield();
    if (atomic_load(&seen->go))
        (void)weft_cancel(closer); /* the closer itself, not its scope */
    else
        weft_event_set(&seen->open);
    return weft_await(closer);
}

static void close_waits_for_soft_members_when_its_wait_is_softly_cancelled(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, cancels_who_closes_softly, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.fourth, -ECANCELED);
        assert_false(seen.flag); /* it was the scope, not the task */
    }
}

static void cancelling_who_closes_during_the_grace_ends_the_soft_members(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        atomic_store(&seen.go, 1);
        int rc = check_run(n, cancels_who_closes_softly, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.fourth, -ECANCELED);
        assert_true(seen.flag);
    }
}

static int closes_when_cancelled_itself(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, waits_softly_then_plainly, seen);
    seen->rc += until_started(seen, 1);
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER);
    (void)weft_cancel(weft_self());
    seen->fourth = weft_scope_close(&seen->scope, 0);
    return 0;
}

static int spawns_one_that_closes(void *arg)
{
    return weft_await(weft_spawn(closes_when_cancelled_itself, arg));
}

static void a_task_cancelled_before_it_closes_ends_the_grace(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, spawns_one_that_closes, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.fourth, -ECANCELED);
    }
}

static int cancels_a_block_itself(void *arg)
{
    struct seen *seen = arg;
    const weft_scope_options soft = {.soft = true};

    seen->rc = weft_scope_open_with(&seen->scope, &soft);
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER);
    seen->second = weft_yield(); /* it stands in a soft block */
    seen->rc += weft_scope_cancel_soft(&seen->scope, weft_us(100));
    seen->third = weft_sleep(WEFT_FOREVER);
    seen->fourth = weft_scope_close(&seen->scope, seen->third);
    return weft_yield();
}

static void a_soft_cancel_of_a_soft_block_itself_waits_for_its_grace(void **state)
{
    struct seen seen = SEEN_INIT;

    (void)state;
    int rc = check_run(1, cancels_a_block_itself, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, 0);
    assert_int_equal(seen.third, -ECANCELED);
    assert_int_equal(seen.fourth, -ECANCELED);
}

static int uses_the_memory_again(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    seen->rc += weft_scope_cancel_soft(&seen->scope, weft_us(300));
    seen->rc += weft_scope_close(&seen->scope, 0);
    memset(&seen->scope, 0x5a, sizeof seen->scope); /* nothing knows it any more */
    return weft_sleep(weft_ms(2));
}

static void a_scope_that_closes_within_the_grace_leaves_no_trace(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, uses_the_memory_again, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
    }
}

static int fails_when_told(void *arg)
{
    until_set(&((struct seen *)arg)->go);
    return -EIO;
}

static int fails_softly(void *arg) { return weft_soft(fails_when_told, arg); }

static int fails_during_the_grace(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, waits_softly_then_plainly, seen);
    (void)weft_scope_spawn(&seen->scope, fails_softly, seen);
    seen->rc += until_started(seen, 1);
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER);
    atomic_store(&seen->go, 1);
    return weft_scope_close(&seen->scope, 0);
}

static void a_failure_during_the_grace_cancels_the_rest(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, fails_during_the_grace, &seen);

        assert_int_equal(rc, -EIO);
        assert_int_equal(seen.second, -ECANCELED);
    }
}

static int passes_a_deadline_during_the_grace(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, waits_softly_then_plainly, seen);
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER);
    seen->rc += weft_scope_deadline(&seen->scope, weft_now() + weft_ms(1));
    seen->fourth = weft_scope_close(&seen->scope, 0);
    seen->flag = weft_scope_expired(&seen->scope);
    return weft_yield();
}

static void a_deadline_ends_the_grace(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, passes_a_deadline_during_the_grace, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.fourth, -ECANCELED); /* the cancel had come before the deadline */
        assert_false(seen.flag);
    }
}

static int times_out_in_a_soft_block(void *arg)
{
    struct seen *seen = arg;
    const weft_scope_options soft = {.soft = true, .deadline = weft_now() + weft_ms(1)};

    seen->rc = weft_scope_open(&seen->scope);
    seen->rc += weft_scope_open_with(&seen->other, &soft);
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER);
    seen->second = weft_scope_close(&seen->other, weft_sleep(WEFT_FOREVER));
    seen->third = weft_scope_close(&seen->scope, weft_yield());
    return weft_yield();
}

static void a_soft_block_that_expires_in_the_grace_says_etimedout(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, times_out_in_a_soft_block, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ETIMEDOUT);
        assert_int_equal(seen.third, -ECANCELED);
    }
}

static int cleans_up(void *arg)
{
    struct seen *seen = arg;

    atomic_fetch_add(&seen->started, 1);
    return weft_event_wait(&seen->open);
}

static int shields_in_a_soft_block(void *arg)
{
    struct seen *seen = arg;

    seen->fourth = weft_shield(WEFT_FOREVER, cleans_up, seen);
    return weft_yield();
}

static int runs_the_shield_softly(void *arg) { return weft_soft(shields_in_a_soft_block, arg); }

static int sleeps_a_little(void *arg)
{
    (void)arg;
    return weft_sleep(weft_us(50));
}

static int outlives_the_grace(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, runs_the_shield_softly, seen);
    (void)weft_scope_spawn(&seen->scope, waits_softly_then_plainly, seen);
    seen->rc += until_started(seen, 2);
    seen->rc += weft_scope_cancel_soft(&seen->scope, weft_us(100));
    while (seen->second == 0) /* until the other block has ended: the grace is over */
        (void)!weft_shield(WEFT_FOREVER, sleeps_a_little, NULL);
    weft_event_set(&seen->open);
    return weft_scope_close(&seen->scope, 0);
}

static void a_shield_in_a_soft_block_outlives_the_grace(void **state)
{
    struct seen seen = SEEN_INIT;

    (void)state;
    seen.fourth = 1;
    int rc = check_run(1, outlives_the_grace, &seen);

    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, -ECANCELED);
    assert_int_equal(seen.fourth, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_the_grace_is_over_soft_blocks_end_too),
        cmocka_unit_test(a_hard_cancel_ends_the_grace),
        cmocka_unit_test(a_soft_cancel_without_grace_is_a_hard_one),
        cmocka_unit_test(a_late_soft_block_ends_with_the_grace),
        cmocka_unit_test(the_end_of_the_grace_can_be_moved_nearer),
        cmocka_unit_test(a_grace_for_ever_never_ends),
        cmocka_unit_test(close_waits_for_soft_members_when_its_wait_is_softly_cancelled),
        cmocka_unit_test(cancelling_who_closes_during_the_grace_ends_the_soft_members),
        cmocka_unit_test(a_task_cancelled_before_it_closes_ends_the_grace),
        cmocka_unit_test(a_soft_cancel_of_a_soft_block_itself_waits_for_its_grace),
        cmocka_unit_test(a_scope_that_closes_within_the_grace_leaves_no_trace),
        cmocka_unit_test(a_failure_during_the_grace_cancels_the_rest),
        cmocka_unit_test(a_deadline_ends_the_grace),
        cmocka_unit_test(a_soft_block_that_expires_in_the_grace_says_etimedout),
        cmocka_unit_test(a_shield_in_a_soft_block_outlives_the_grace),
    };

    return CHECK_GROUP(tests);
}
