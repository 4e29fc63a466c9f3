/*
 * completed_test - going through futures as they end: order, each once, early ends, and from where.
 */
#include <string.h>

#include "core/sys.h"
#include "through.h"

static void each_is_told_once_in_the_order_of_their_ends(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, goes_through_promises, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.third, 0);
        assert_int_equal(seen.told, MANY);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(seen.order[i], shuffled[i]);
            assert_int_equal(seen.statuses[i], i);
        }
    }
}

static int goes_through_what_has_ended(void *arg)
{
    const weft_task_options wrong = {.val_bytes = 1000, .val = arg};
    struct seen *seen = arg;

    makes_promises(seen);
    for (int i = MANY - 1; i >= 4; i--)
        (void)weft_promise_set(seen->promises[i], -i);
    (void)weft_detach(seen->futures[2]); /* its promise is still open: it may be dropped */
    seen->futures[2] = weft_spawn_with(&wrong, ends_with, NULL);
    seen->rc = weft_completed_init(&seen->all, seen->futures, MANY);
    for (int i = 3; i >= 0; i--)
        (void)weft_promise_drop(seen->promises[i]);
    seen->second = goes_through(seen);
    return 0;
}

static void failed_spawns_come_first_then_those_that_had_ended_then_the_others(void **state)
{
    static const size_t expected[MANY] = {2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 3, 1, 0};

    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, goes_through_what_has_ended, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(seen.order[i], expected[i]);
        assert_int_equal(seen.statuses[2], -E2BIG);
        assert_int_equal(seen.statuses[9], -9);
        assert_int_equal(seen.statuses[3], -EPIPE);
    }
}

static int uses_handles_meanwhile(void *arg)
{
    struct seen *seen = arg;

    makes_promises(seen);
    seen->rc = weft_completed_init(&seen->all, seen->futures, MANY);
    seen->second = weft_await(seen->futures[5]);
    (void)weft_promise_set(seen->promises[5], 50);
    seen->third = weft_wait(seen->futures[5]);
    if (weft_completed_next(&seen->all, NULL, &seen->statuses[0]) != 1)
        return -EPROTO;
    seen->statuses[1] = weft_wait(seen->futures[5]);
    return weft_completed_end(&seen->all);
}

static void what_was_begun_has_an_owner_and_what_was_told_is_consumed(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = check_run(2, uses_handles_meanwhile, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, -ESTALE);
    assert_int_equal(seen.third, 50);
    assert_int_equal(seen.statuses[0], 50);
    assert_int_equal(seen.statuses[1], -ESTALE);
}

static void an_early_end_cancels_the_rest_and_waits_for_them(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, ends_early, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 1);
        assert_int_equal(seen.third, 0);
        assert_int_equal(seen.order[0], 4);
        assert_int_equal(seen.statuses[0], 3);
        assert_int_equal(seen.ended, MANY - 1);
        assert_int_equal(seen.told, MANY);
    }
}

static int goes_through_slow_ones(void *arg)
{
    struct seen *seen = arg;

    seen->rc = begins_slow_ones(seen);
    seen->second = goes_through(seen);
    seen->ended = atomic_load(&seen->slow.ended);
    seen->third = weft_completed_next(&seen->all, NULL, NULL);
    return weft_completed_end(&seen->all);
}

static int cancels_who_goes_through(void *arg)
{
    struct seen *seen = arg;
    weft_future child = weft_spawn(goes_through_slow_ones, seen);

    until_slow(&seen->slow, MANY - 1);
    (void)weft_cancel(child);
    return weft_await(child);
}

static void a_cancelled_caller_gets_ecanceled_when_all_have_ended(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, cancels_who_goes_through, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, -ECANCELED); /* a state, not an event */
        assert_int_equal(seen.ended, MANY - 1);
    }
}

static int goes_through_while_cancelled(void *arg)
{
    struct seen *seen = arg;

    (void)weft_cancel(weft_self());
    return goes_through_slow_ones(seen);
}

static int ends_while_cancelled(void *arg)
{
    struct seen *seen = arg;

    (void)weft_cancel(weft_self());
    seen->rc = begins_slow_ones(seen);
    seen->second = weft_completed_end(&seen->all);
    seen->ended = atomic_load(&seen->slow.ended);
    return 0;
}

static int spawns_cancelled_ones(void *arg)
{
    struct seen *seen = arg;
    int rc = weft_await(weft_spawn(goes_through_while_cancelled, &seen[0]));

    return rc < 0 ? rc : weft_await(weft_spawn(ends_while_cancelled, &seen[1]));
}

static void begun_while_cancelled_it_still_ends_and_consumes_all(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen[2] = {{.rc = -1}, {.rc = -1}};

        int rc = check_run(n, spawns_cancelled_ones, seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen[0].rc, 0);
        assert_int_equal(seen[0].told, 0);
        assert_int_equal(seen[0].second, -ECANCELED);
        assert_int_equal(seen[0].ended, MANY - 1);
        assert_int_equal(seen[1].second, 0); /* no cancellation point */
        assert_int_equal(seen[1].ended, MANY - 1);
    }
}

static int goes_through_odd_lists(void *arg)
{
    struct seen *seen = arg;
    int status = 9;
    weft_future used = weft_spawn(ends_with, &status);
    weft_future fine = weft_spawn(ends_with, &status);
    weft_future lists[4][2] = {{fine, fine}, {fine, used}, {fine, {0, 0}}, {fine, weft_self()}};

    if (weft_await(used) != 9)
        return -EPROTO;
    for (int i = 0; i < 4; i++) {
        seen->statuses[i] = weft_completed_init(&seen->all, lists[i], 2);
        seen->third += weft_completed_next(&seen->all, NULL, NULL);
        seen->third += weft_completed_end(&seen->all);
    }
    seen->rc = weft_completed_init(&seen->all, NULL, 0);
    seen->third += weft_completed_next(&seen->all, NULL, NULL);
    return weft_await(fine); /* nothing was consumed */
}

static void wrong_lists_are_refused_and_an_empty_one_is_over_at_once(void **state)
{
    static const int expected[4] = {-EINVAL, -ESTALE, -EINVAL, -EDEADLK};

    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, goes_through_odd_lists, &seen);

        assert_int_equal(rc, 9);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.third, 0);
        for (int i = 0; i < 4; i++)
            assert_int_equal(seen.statuses[i], expected[i]);
    }
}

static int goes_on_with_anothers(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_completed_next(&seen->all, NULL, NULL);
    seen->third = weft_completed_end(&seen->all);
    return 0;
}

static int lends_its_iteration(void *arg)
{
    struct seen *seen = arg;

    seen->rc = begins_slow_ones(seen);
    int rc = weft_await(weft_spawn(goes_on_with_anothers, seen));
    return rc < 0 ? rc : weft_completed_end(&seen->all);
}

static void another_task_is_refused(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = check_run(2, lends_its_iteration, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, -EPERM);
    assert_int_equal(seen.third, -EPERM);
}

/* Other waits come in between, so that what ends meets one that is not for it. */
static int waits_in_between(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[64];
    int rounds[64];
    int rc;

    for (int i = 0; i < 64; i++) {
        rounds[i] = i % 7 * 3;
        futures[i] = weft_spawn(yields, &rounds[i]);
    }
    rc = weft_completed_init(&seen->all, futures, 64);
    while (rc >= 0 && (rc = weft_completed_next(&seen->all, NULL, NULL)) > 0) {
        seen->told++;
        if (weft_yield() < 0 || weft_sleep(weft_us(30)) < 0)
            return -EPROTO;
    }
    return rc;
}

static void the_body_may_wait_for_other_things(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, waits_in_between, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.told, 64);
    }
}

static _Atomic int allocations;

static int counts_allocations(const char *call)
{
    if (strcmp(call, "alloc") == 0 || strcmp(call, "mmap") == 0)
        atomic_fetch_add(&allocations, 1);
    return 0;
}

static int goes_through_counted(void *arg)
{
    struct seen *seen = arg;

    makes_promises(seen);
    atomic_store(&allocations, 0);
    weft__sys_fault = counts_allocations;
    seen->rc = weft_completed_init(&seen->all, seen->futures, MANY);
    for (int i = 0; i < MANY; i++)
        (void)weft_promise_set(seen->promises[i], i);
    seen->second = goes_through(seen);
    weft__sys_fault = NULL;
    return atomic_load(&allocations);
}

static void nothing_is_allocated(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = check_run(1, goes_through_counted, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.told, MANY);
}

#define CROWD 10000

static int goes_through_a_crowd(void *arg)
{
    static weft_future futures[CROWD];
    static int told[CROWD];
    struct seen *seen = arg;
    size_t index;
    int status, rc;

    for (int i = 0; i < CROWD; i++) {
        told[i] = 0;
        futures[i] = weft_spawn_val(ends_with, i);
    }
    rc = weft_completed_init(&seen->all, futures, CROWD);
    while (rc >= 0 && (rc = weft_completed_next(&seen->all, &index, &status)) > 0) {
        told[index]++;
        seen->third += status != (int)index;
    }
    for (int i = 0; i < CROWD; i++)
        seen->second += told[i] == 1;
    return rc;
}

static void of_ten_thousand_each_is_told_once(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, goes_through_a_crowd, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, CROWD);
        assert_int_equal(seen.third, 0);
    }
}

/* Awaits who goes through it. */
static int awaits_back(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_await(seen->futures[0]);
    seen->told = weft_promise_set(seen->promises[0], 0);
    return 0;
}

/* Goes through one that waits for itself. */
static int closes_a_circle(void *arg)
{
    struct seen *seen = arg;

    seen->futures[0] = weft_self();
    seen->futures[1] = weft_spawn(awaits_back, seen);
    seen->rc = weft_completed_init(&seen->all, &seen->futures[1], 1);
    until_owned(seen->futures[0]);
    seen->third = seen->is_early ? weft_completed_end(&seen->all)
                                 : weft_completed_next(&seen->all, NULL, NULL);
    seen->ended = weft_completed_next(&seen->all, NULL, NULL);
    seen->statuses[0] = weft_detach(seen->futures[1]);
    return 7;
}

static int begins_a_circle(void *arg)
{
    struct seen *seen = arg;
    weft_future is_over = weft_promise_new(&seen->promises[0]);

    weft_future child = weft_spawn(closes_a_circle, seen);
    int rc = weft_await(is_over);
    int status = weft_await(child); /* stale if the other one has awaited it */

    return rc < 0 || (status != 7 && status != -ESTALE) ? -EPROTO : 0;
}

static void what_waits_for_the_caller_is_edeadlk_and_its_own_again(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, begins_a_circle, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.ended, 0);
        if (n == 1 || seen.third == -EDEADLK) { /* it closed the circle */
            assert_int_equal(seen.third, -EDEADLK);
            assert_int_equal(seen.second, 7);
            assert_int_equal(seen.statuses[0], 0); /* it was the caller's again */
        } else {                                   /* the other one did */
            assert_int_equal(seen.third, 1);
            assert_int_equal(seen.second, -EDEADLK);
            assert_int_equal(seen.statuses[0], -ESTALE);
        }
    }
}

static void an_early_end_of_what_waits_for_the_caller_ends_too(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1, .is_early = true};

        int rc = check_run(n, begins_a_circle, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.third, 0);
        assert_int_equal(seen.second, -EDEADLK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_told_once_in_the_order_of_their_ends),
        cmocka_unit_test(failed_spawns_come_first_then_those_that_had_ended_then_the_others),
        cmocka_unit_test(what_was_begun_has_an_owner_and_what_was_told_is_consumed),
        cmocka_unit_test(an_early_end_cancels_the_rest_and_waits_for_them),
        cmocka_unit_test(a_cancelled_caller_gets_ecanceled_when_all_have_ended),
        cmocka_unit_test(begun_while_cancelled_it_still_ends_and_consumes_all),
        cmocka_unit_test(wrong_lists_are_refused_and_an_empty_one_is_over_at_once),
        cmocka_unit_test(another_task_is_refused),
        cmocka_unit_test(the_body_may_wait_for_other_things),
        cmocka_unit_test(nothing_is_allocated),
        cmocka_unit_test(of_ten_thousand_each_is_told_once),
        cmocka_unit_test(what_waits_for_the_caller_is_edeadlk_and_its_own_again),
        cmocka_unit_test(an_early_end_of_what_waits_for_the_caller_ends_too),
    };

    return CHECK_GROUP(tests);
}
