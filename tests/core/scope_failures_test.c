/*
 * scope_failures_test - the list of what failed in a scope; and what misuse of a scope answers.
 */
#include <string.h>

#include "reports.h"
#include "tasks.h"

struct seen {
    int rc, second, third, fourth;
    bool flag;
    _Atomic int count, started, go;
    size_t total, other_total;
    weft_failure failures[16];
    weft_scope scope, other;
};

/* Fails with -*arg when it is its turn. */
struct turn {
    struct seen *seen;
    int number;
};

static int fails_in_turn(void *arg)
{
    struct turn *turn = arg;

    while (atomic_load(&turn->seen->go) < turn->number)
        (void)!weft_yield(); /* cancelled or not */
    atomic_fetch_add(&turn->seen->started, 1);
    return -(turn->number + 1);
}

static int fails_second(void *arg) { return fails_in_turn(arg); }

static int two_fail(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn_val(&seen->scope, fails_second, ((struct turn){seen, 1}));
    (void)weft_scope_spawn_val(&seen->scope, fails_in_turn, ((struct turn){seen, 0}));
    (void)weft_scope_spawn(&seen->scope, sleeps_and_counts, (void *)&seen->count);
    while (weft_scope_failures(&seen->scope, NULL, 0) == 0)
        (void)!weft_yield();
    seen->other_total = weft_scope_failures(&seen->scope, seen->failures, 1);
    seen->flag = seen->failures[0].status == -1;
    atomic_store(&seen->go, 1);
    seen->second = weft_scope_close(&seen->scope, -ECANCELED);
    seen->total = weft_scope_failures(&seen->scope, seen->failures, 16);
    return weft_yield();
}

static void both_failures_are_listed_with_their_sites_and_the_earlier_is_the_status(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, two_fail, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.other_total, 1); /* while it was open */
        assert_true(seen.flag);
        assert_int_equal(seen.second, -1);
        assert_int_equal(seen.total, 2); /* the sleeper's and the body's -ECANCELED are none */
        assert_int_equal(seen.failures[0].status, -1);
        assert_int_equal(seen.failures[1].status, -2);
        assert_ptr_equal(strstr(seen.failures[0].site, "fails_in_turn ("), seen.failures[0].site);
        assert_ptr_equal(strstr(seen.failures[1].site, "fails_second ("), seen.failures[1].site);
        assert_int_equal(seen.count, 1);
    }
}

/* Members fail one after the other: each waits until the one before is listed. */
static int seven_fail(struct seen *seen, const weft_scope_options *options)
{
    seen->rc = weft_scope_open_with(&seen->scope, options);
    for (int i = 6; i >= 0; i--)
        (void)weft_scope_spawn_val(&seen->scope, fails_in_turn, ((struct turn){seen, i}));
    for (int i = 0; i < 7; i++) {
        atomic_store(&seen->go, i);
        while (weft_scope_failures(&seen->scope, NULL, 0) <= (size_t)i)
            (void)!weft_yield();
    }
    seen->second = weft_scope_close(&seen->scope, -EIO); /* the body's comes last */
    seen->total = weft_scope_failures(&seen->scope, seen->failures, 16);
    return weft_yield();
}

static int seven_fail_in_a_plain_scope(void *arg)
{
    return seven_fail(arg, &(weft_scope_options){.deadline = 0});
}

static int seven_fail_with_a_list(void *arg)
{
    weft_failure list[10];
    int rc = seven_fail(arg, &(weft_scope_options){.failures = list, .failures_room = 10});

    for (int i = 0; i < 8; i++)
        ((struct seen *)arg)->third += list[i].status == (i < 7 ? -(i + 1) : -EIO);
    return rc;
}

static void a_scope_keeps_the_first_four_and_counts_the_others(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, seven_fail_in_a_plain_scope, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -1);
        assert_int_equal(seen.total, 8);
        for (int i = 0; i < 4; i++)
            assert_int_equal(seen.failures[i].status, -(i + 1));
        assert_null(seen.failures[4].site);
    }
}

static void a_list_of_the_callers_keeps_all_also_the_bodys(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, seven_fail_with_a_list, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.third, 8);
        assert_int_equal(seen.total, 8);
        assert_int_equal(seen.failures[6].status, -7);
        assert_int_equal(seen.failures[7].status, -EIO);
        assert_non_null(seen.failures[7].site);
    }
}

static int fails_to_spawn(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options wrong = {.val_bytes = 1000, .val = seen, .site = "too much"};

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn_with(&seen->scope, &wrong, ends_with, NULL);
    seen->second = weft_scope_close(&seen->scope, 0);
    seen->total = weft_scope_failures(&seen->scope, seen->failures, 16);
    seen->rc += weft_scope_open(&seen->other);
    (void)weft_scope_spawn(&seen->other, sleeps, NULL);
    (void)weft_scope_cancel(&seen->other);
    seen->third = weft_scope_close(&seen->other, 0);
    seen->other_total = weft_scope_failures(&seen->other, seen->failures + 8, 8);
    return weft_yield();
}

static void a_failed_spawn_is_listed_and_a_cancel_is_not(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, fails_to_spawn, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.second, -E2BIG);
    assert_int_equal(seen.total, 1);
    assert_int_equal(seen.failures[0].status, -E2BIG);
    assert_string_equal(seen.failures[0].site, "too much");
    assert_int_equal(seen.third, -ECANCELED);
    assert_int_equal(seen.other_total, 0);
}

static int is_cancelled_from_outside(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, sleeps_and_counts, (void *)&seen->count);
    seen->second = weft_scope_close(&seen->scope, weft_sleep(WEFT_FOREVER));
    seen->total = weft_scope_failures(&seen->scope, seen->failures, 16);
    return 0;
}

static int cancels_a_body(void *arg)
{
    weft_future child = weft_spawn(is_cancelled_from_outside, arg);

    (void)weft_cancel(child);
    return weft_await(child);
}

static void a_body_cut_short_by_a_cancel_of_its_task_has_not_failed(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_a_body, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.total, 0);
        assert_int_equal(seen.count, 1);
    }
}

/* --- misuse ---------------------------------------------------------------------------------- */

static int spawns_after_close(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options dropping = {.drop = counts_drop};

    seen->rc = weft_scope_open(&seen->scope) + weft_scope_close(&seen->scope, 0);
    seen->second =
        weft_wait(weft_scope_spawn_with(&seen->scope, &dropping, sleeps, (void *)&seen->count));
    seen->third = weft_scope_close(&seen->scope, 0);
    return weft_yield();
}

static void a_spawn_after_close_is_refused_and_its_argument_dropped_once(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, spawns_after_close, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, -ESHUTDOWN);
    assert_int_equal(seen.count, 1);
    assert_int_equal(seen.third, -EINVAL);
}

static int spawns_a_sibling(void *arg)
{
    struct seen *seen = arg;

    for (int i = 0; i < 20; i++)
        (void)!weft_yield(); /* close waits by now */
    (void)weft_scope_spawn(&seen->scope, ends_with, &seen->third);
    return 0;
}

static int spawns_while_close_waits(void *arg)
{
    struct seen *seen = arg;

    seen->third = -ENOSPC;
    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, spawns_a_sibling, seen);
    seen->second = weft_scope_close(&seen->scope, 0);
    return weft_yield();
}

static void a_sibling_spawned_while_close_waits_is_waited_for(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, spawns_while_close_waits, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -ENOSPC);
    }
}

static int closes_anothers(void *arg) { return weft_scope_close(&((struct seen *)arg)->scope, 0); }

static int closes_out_of_order(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope) + weft_scope_open(&seen->other);
    seen->second = weft_scope_close(&seen->scope, 0);
    seen->rc += weft_scope_close(&seen->other, 0) + weft_scope_close(&seen->scope, 0);
    return 0;
}

static int closes_twice(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope) + weft_scope_close(&seen->scope, 0);
    seen->second = weft_scope_close(&seen->scope, 0);
    return 0;
}

static int is_closed_by_another(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    seen->second = weft_await(weft_spawn(closes_anothers, seen));
    seen->rc += weft_scope_close(&seen->scope, 0);
    return 0;
}

static int opens_twice(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, sleeps_and_counts, (void *)&seen->count);
    seen->second = weft_scope_open(&seen->scope);
    seen->rc += weft_scope_stop(&seen->scope);
    seen->rc += weft_scope_close(&seen->scope, 0); /* it has kept its member */
    seen->rc += atomic_load(&seen->count) == 1 ? 0 : -EPROTO;
    return 0;
}

static int closes_what_was_never_open(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_scope_close(&seen->other, 0);
    return 0;
}

static void misuse_of_a_scope_has_its_code_and_its_sentence_and_no_effect(void **state)
{
    static const struct {
        weft_fn fn;
        int code;
        const char *words;
    } cases[] = {
        {closes_out_of_order, -EINVAL, "in which it has another one open"},
        {closes_twice, -EINVAL, "closed a scope twice"},
        {is_closed_by_another, -EPERM, "that another task has opened"},
        {opens_twice, -EINVAL, "opened a scope that was open"},
        {closes_what_was_never_open, -EINVAL, "that was not open"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct seen seen = {0};
        struct reports reports = {.count = 0};

        int rc = run_with_reports((weft_options){.workers = 1}, &reports, cases[i].fn, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, cases[i].code);
        assert_int_equal(reports.count, 1);
        assert_int_equal(lines_with(&reports, cases[i].words), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_failures_are_listed_with_their_sites_and_the_earlier_is_the_status),
        cmocka_unit_test(a_scope_keeps_the_first_four_and_counts_the_others),
        cmocka_unit_test(a_list_of_the_callers_keeps_all_also_the_bodys),
        cmocka_unit_test(a_failed_spawn_is_listed_and_a_cancel_is_not),
        cmocka_unit_test(a_body_cut_short_by_a_cancel_of_its_task_has_not_failed),
        cmocka_unit_test(a_spawn_after_close_is_refused_and_its_argument_dropped_once),
        cmocka_unit_test(a_sibling_spawned_while_close_waits_is_waited_for),
        cmocka_unit_test(misuse_of_a_scope_has_its_code_and_its_sentence_and_no_effect),
    };

    return CHECK_GROUP(tests);
}
