/*
 * scope_start_test - start a task and wait until it says that it is ready.
 */
#include "tasks.h"

struct seen {
    int rc, second, third, fourth;
    bool flag;
    _Atomic int count, started, go;
    weft_event open;
    weft_scope scope;
};

#define SEEN_INIT                        \
    {                                    \
        .rc = 0, .open = WEFT_EVENT_INIT \
    }

static int is_ready_and_goes_on(void *arg)
{
    struct seen *seen = arg;

    (void)!weft_yield();
    seen->third = weft_ready(42);
    int rc = weft_event_wait(&seen->open); /* suspends: worker, errno stale */
    atomic_fetch_add(&seen->count, 1);
    return rc;
}

static int starts_one(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    seen->second = weft_scope_start(&seen->scope, is_ready_and_goes_on, seen);
    seen->flag = atomic_load(&seen->count) == 0;
    weft_event_set(&seen->open);
    return weft_scope_close(&seen->scope, 0);
}

static void start_gives_the_value_and_the_task_goes_on_as_a_member(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, starts_one, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, 42);
        assert_int_equal(seen.third, 0);
        assert_true(seen.flag);
        assert_int_equal(seen.count, 1); /* close has waited for it */
    }
}

static int fails_first(void *arg)
{
    (void)arg;
    (void)!weft_yield();
    return -ENOENT;
}

static int ends_without(void *arg)
{
    (void)arg;
    return 7;
}

static int fails_when_ready(void *arg)
{
    (void)weft_ready(0);
    return ends_with(arg);
}

static int starts_three(void *arg)
{
    struct seen *seen = arg;
    int failure = -EFBIG;

    seen->rc = weft_scope_open(&seen->scope);
    seen->second = weft_scope_start(&seen->scope, fails_first, NULL);
    seen->third = weft_scope_start(&seen->scope, ends_without, NULL);
    seen->rc += weft_yield(); /* neither has cancelled the scope */
    seen->fourth = weft_scope_start(&seen->scope, fails_when_ready, &failure);
    int rc = weft_scope_close(&seen->scope, 0);
    seen->flag = weft_scope_failures(&seen->scope, NULL, 0) == 1;
    return rc;
}

static void a_failure_before_is_the_starters_and_one_after_the_scopes(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, starts_three, &seen);

        assert_int_equal(rc, -EFBIG);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ENOENT);
        assert_int_equal(seen.third, -EPROTO);
        assert_int_equal(seen.fourth, 0);
        assert_true(seen.flag);
    }
}

static int is_ready_when_told(void *arg)
{
    struct seen *seen = arg;

    atomic_store(&seen->started, 1);
    int rc = weft_event_wait(&seen->open); /* suspends: worker, errno stale */
    if (rc < 0)
        return rc;
    atomic_fetch_add(&seen->count, 1);
    return weft_ready(3);
}

static int starts_from_outside(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_scope_start(&seen->scope, is_ready_when_told, seen);
    return 0;
}

static int releases(void *arg)
{
    struct seen *seen = arg;

    for (int i = 0; i < 30; i++)
        (void)!weft_yield(); /* close waits by now */
    weft_event_set(&seen->open);
    return 0;
}

static int closes_over_a_pending_start(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    weft_future starter = weft_spawn(starts_from_outside, seen);
    until_set(&seen->started);
    weft_future releaser = weft_spawn(releases, seen);
    seen->third = weft_scope_close(&seen->scope, 0);
    seen->fourth = atomic_load(&seen->count);
    return weft_gather(starter, releaser);
}

static void a_pending_start_keeps_the_scope_open(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, closes_over_a_pending_start, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.third, 0);
        assert_int_equal(seen.fourth, 1); /* it was ready before close returned */
        assert_int_equal(seen.second, 3);
    }
}

static int asks_too_late(void *arg)
{
    struct seen *seen = arg;

    atomic_store(&seen->started, 1);
    seen->third = weft_sleep(WEFT_FOREVER);
    seen->fourth = weft_ready(5);
    atomic_fetch_add(&seen->count, 1);
    return atomic_load(&seen->go);
}

static int starts_and_is_cancelled(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_scope_start(&seen->scope, asks_too_late, seen);
    seen->flag = atomic_load(&seen->count) == 1; /* it has ended */
    return 0;
}

static int cancels_the_starter(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    weft_future starter = weft_spawn(starts_and_is_cancelled, seen);
    until_set(&seen->started);
    for (int i = 0; i < 10; i++)
        (void)!weft_yield();
    (void)weft_cancel(starter);
    seen->rc += weft_await(starter);
    seen->rc += weft_yield(); /* the scope is not cancelled */
    return weft_scope_close(&seen->scope, 0);
}

static void cancelling_the_starter_cancels_the_task_and_waits_for_its_end(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, cancels_the_starter, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, -ECANCELED);
        assert_int_equal(seen.fourth, -ECANCELED); /* nobody waits any more */
        assert_true(seen.flag);
    }
}

static void a_failure_of_the_task_is_told_to_a_cancelled_starter(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        atomic_store(&seen.go, -ENOSPC);
        int rc = check_run(n, cancels_the_starter, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -ENOSPC);
    }
}

static int is_ready_twice(void *arg)
{
    struct seen *seen = arg;

    seen->fourth = weft_ready(-3);
    seen->third = weft_ready(0);
    seen->fourth += weft_ready(1) == -EALREADY ? 0 : 1000;
    return 0;
}

static int uses_ready_otherwise(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    seen->second = weft_scope_start(&seen->scope, is_ready_twice, seen);
    seen->rc += weft_scope_close(&seen->scope, 0);
    seen->flag = weft_ready(9) == 0 && weft_ready(9) == -EALREADY; /* nobody has asked */
    return 0;
}

static void ready_counts_once_and_refuses_negative_values(void **state)
{
    struct seen seen = SEEN_INIT;

    (void)state;
    int rc = check_run(1, uses_ready_otherwise, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.second, 0);
    assert_int_equal(seen.third, 0);
    assert_int_equal(seen.fourth, -EINVAL);
    assert_true(seen.flag);
    assert_int_equal(weft_ready(0), -EPERM);
}

static int runs_to_its_first_wait(void *arg)
{
    struct seen *seen = arg;

    atomic_fetch_add(&seen->count, 1);
    return weft_yield();
}

static int starts_in_a_cancelled_scope(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options dropping = {.drop = counts_drop};

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_cancel(&seen->scope);
    seen->second = weft_scope_start(&seen->scope, runs_to_its_first_wait, seen);
    seen->third = weft_scope_close(&seen->scope, seen->second);
    seen->fourth = weft_scope_start_with(&seen->scope, &dropping, sleeps, (void *)&seen->started);
    return weft_yield();
}

static void in_a_cancelled_scope_the_task_still_runs_and_in_a_closed_one_it_is_dropped(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, starts_in_a_cancelled_scope, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, -ECANCELED);
        assert_int_equal(seen.fourth, -ESHUTDOWN);
        assert_int_equal(seen.started, 1); /* drop */
    }
}

static int doubles(void *arg) { return weft_ready(2 * *(int *)arg) < 0 ? -EPROTO : 0; }

static int starts_by_value(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options wrong = {.val_bytes = 1000, .val = seen};

    seen->rc = weft_scope_open(&seen->scope);
    for (int i = 0; i < 10; i++)
        seen->second += weft_scope_start_val(&seen->scope, doubles, i);
    seen->third = weft_scope_start_with(&seen->scope, &wrong, doubles, NULL);
    return weft_scope_close(&seen->scope, 0);
}

static void the_val_form_copies_and_a_failed_spawn_is_the_starters(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, starts_by_value, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, 90);
        assert_int_equal(seen.third, -E2BIG);
    }
}

static void outside_a_task_start_is_refused(void **state)
{
    struct seen seen = SEEN_INIT;

    (void)state;
    int rc = weft_scope_start(&seen.scope, sleeps, NULL);
    assert_true(rc == -ENXIO || rc == -ESHUTDOWN); /* never started, or stopped */
    assert_int_equal(weft_start(&(weft_options){.workers = 1}), 0);
    assert_int_equal(weft_scope_start(&seen.scope, sleeps, NULL), -EPERM);
    assert_int_equal(weft_stop(), 0);
}

/* --- races ----------------------------------------------------------------------------------- */

#define ROUNDS 300

struct race {
    _Atomic int go, said;
    weft_scope scope;
    int got;
};

static int is_ready_at_some_time(void *arg)
{
    struct race *race = arg;

    atomic_fetch_add(&race->go, 1);
    (void)!weft_yield();
    atomic_store(&race->said, weft_ready(6));
    return weft_yield() == 0 ? 0 : -ECANCELED;
}

static int starts_in_a_race(void *arg)
{
    struct race *race = arg;

    race->got = weft_scope_start(&race->scope, is_ready_at_some_time, race);
    return 0;
}

static int races(void *arg)
{
    struct seen *seen = arg;

    for (int i = 0; i < ROUNDS; i++) {
        struct race race = {.said = 1};

        seen->rc += weft_scope_open(&race.scope);
        weft_future starter = weft_spawn(starts_in_a_race, &race);
        while (atomic_load(&race.go) == 0)
            (void)!weft_yield();
        for (int j = 0; j < i % 4; j++)
            (void)!weft_yield();
        (void)weft_cancel(starter);
        seen->rc += weft_await(starter);
        seen->rc += weft_scope_close(&race.scope, 0);
        /* either both say that it became ready, or neither does */
        seen->second += (atomic_load(&race.said) == 0) != (race.got == 6);
        seen->third += race.got != 6 && race.got != -ECANCELED;
    }
    return 0;
}

static void of_ready_and_cancel_exactly_one_wins(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, races, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.third, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_gives_the_value_and_the_task_goes_on_as_a_member),
        cmocka_unit_test(a_failure_before_is_the_starters_and_one_after_the_scopes),
        cmocka_unit_test(a_pending_start_keeps_the_scope_open),
        cmocka_unit_test(cancelling_the_starter_cancels_the_task_and_waits_for_its_end),
        cmocka_unit_test(a_failure_of_the_task_is_told_to_a_cancelled_starter),
        cmocka_unit_test(ready_counts_once_and_refuses_negative_values),
        cmocka_unit_test(
            in_a_cancelled_scope_the_task_still_runs_and_in_a_closed_one_it_is_dropped),
        cmocka_unit_test(the_val_form_copies_and_a_failed_spawn_is_the_starters),
        cmocka_unit_test(outside_a_task_start_is_refused),
        cmocka_unit_test(of_ready_and_cancel_exactly_one_wins),
    };

    return CHECK_GROUP(tests);
}
