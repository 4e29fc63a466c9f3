/*
 * scope_test - scopes own their tasks: they wait for all, and one failure ends the rest.
 */
#include <string.h>

#include "tasks.h"

struct seen {
    int rc, second, third, fourth, ended;
    _Atomic int count, started, go;
    bool flag, other_flag;
    weft_scope scope, other;
};

static int waits_for_all(void *arg)
{
    struct seen *seen = arg;
    weft_scope scope;

    seen->rc = weft_scope_open(&scope);
    for (int i = 0; i < 100; i++)
        (void)weft_scope_spawn_val(&scope, yields, i);
    seen->second = weft_scope_close(&scope, 4);
    return 0;
}

static void close_waits_for_all_and_gives_the_bodys_status(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, waits_for_all, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 4);
    }
}

static int fails_soon(void *arg)
{
    struct seen *seen = arg;

    until_set(&seen->go);
    return -EIO;
}

static int loses_one_member(void *arg)
{
    struct seen *seen = arg;
    weft_scope scope;

    seen->rc = weft_scope_open(&scope);
    for (int i = 0; i < 5; i++)
        (void)weft_scope_spawn(&scope, sleeps_and_counts, (void *)&seen->count);
    (void)weft_scope_spawn(&scope, fails_soon, seen);
    atomic_store(&seen->go, 1);
    seen->second = weft_sleep(WEFT_FOREVER); /* the body is cancelled, too */
    seen->third = weft_scope_close(&scope, 0);
    seen->ended = atomic_load(&seen->count);
    seen->flag = weft_scope_cancelled(&scope);
    seen->fourth = weft_yield(); /* the task itself goes on uncancelled */
    return 0;
}

static void a_members_failure_cancels_body_and_siblings_and_is_the_scopes_status(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, loses_one_member, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, -EIO);
        assert_int_equal(seen.ended, 5);
        assert_true(seen.flag);
        assert_int_equal(seen.fourth, 0);
    }
}

static int fails_in_the_body(void *arg)
{
    struct seen *seen = arg;
    weft_scope scope;

    seen->rc = weft_scope_open(&scope);
    for (int i = 0; i < 5; i++)
        (void)weft_scope_spawn(&scope, sleeps_and_counts, (void *)&seen->count);
    seen->second = weft_scope_close(&scope, -ENOENT);
    seen->ended = atomic_load(&seen->count);
    return 0;
}

static void a_bodys_failure_cancels_the_members(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, fails_in_the_body, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -ENOENT);
        assert_int_equal(seen.ended, 5);
    }
}

struct hydra {
    struct seen *seen;
    int depth;
};

static int spawns_two_more(void *arg)
{
    struct hydra *hydra = arg;
    struct hydra next = {hydra->seen, hydra->depth + 1};

    atomic_fetch_add(&hydra->seen->started, 1);
    if (hydra->depth == 9)
        return -EXDEV;
    (void)weft_scope_spawn_val(&hydra->seen->scope, spawns_two_more, next);
    (void)weft_scope_spawn_val(&hydra->seen->scope, spawns_two_more, next);
    int rc = weft_sleep(WEFT_FOREVER); /* suspends: worker, errno stale */
    atomic_fetch_add(&hydra->seen->count, 1);
    return rc;
}

static int fights_a_hydra(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn_val(&seen->scope, spawns_two_more, ((struct hydra){seen, 0}));
    seen->second = weft_scope_close(&seen->scope, 0);
    seen->ended = atomic_load(&seen->count);
    return 0;
}

static void a_scope_whose_members_spawn_more_still_ends(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, fights_a_hydra, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -EXDEV);
        assert_true(seen.ended > 0 && seen.started > seen.ended);
    }
}

static int runs_to_its_first_wait(void *arg)
{
    struct seen *seen = arg;

    atomic_fetch_add(&seen->started, 1);
    seen->third = weft_sleep(0);
    seen->flag = weft_cancelled();
    return 0;
}

static int spawns_into_a_cancelled_scope(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_cancel(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, runs_to_its_first_wait, seen);
    seen->second = weft_scope_close(&seen->scope, 0);
    return 0;
}

static void a_task_spawned_into_a_cancelled_scope_runs_to_its_first_wait(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, spawns_into_a_cancelled_scope, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.started, 1);
        assert_int_equal(seen.third, -ECANCELED);
        assert_true(seen.flag);
    }
}

static int closes_wrongly_from_another_task(void *arg)
{
    struct seen *seen = arg;

    return weft_scope_close(&seen->scope, 0);
}

static int closes_wrongly(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope) + weft_scope_open(&seen->other);
    seen->second = weft_scope_close(&seen->scope, 0); /* not the innermost */
    seen->third = weft_await(weft_spawn(closes_wrongly_from_another_task, seen));
    seen->rc += weft_scope_close(&seen->other, 0);
    seen->fourth = weft_scope_close(&seen->other, 0); /* twice */
    seen->ended = weft_scope_close(&seen->scope, 6);
    return 0;
}

static void a_scope_closed_out_of_order_twice_or_by_another_is_unharmed(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, closes_wrongly, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, -EINVAL);
    assert_int_equal(seen.third, -EPERM);
    assert_int_equal(seen.fourth, -EINVAL);
    assert_int_equal(seen.ended, 6);
}

static void scopes_are_for_tasks_only(void **state)
{
    weft_scope scope;

    (void)state;
    assert_int_equal(weft_scope_open(&scope), -EPERM);
    assert_int_equal(weft_scope_close(&scope, 0), -EPERM);
    assert_int_equal(weft_timeout(0, sleeps, NULL), -EPERM);
    assert_int_equal(weft_shield(0, sleeps, NULL), -EPERM);
}

static int stops(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    seen->rc += weft_scope_stop(&seen->scope); /* before the first spawn */
    (void)weft_scope_spawn(&seen->scope, sleeps_and_counts, (void *)&seen->count);
    seen->rc += weft_scope_stop(&seen->scope); /* twice */
    seen->second = weft_scope_close(&seen->scope, 0);
    seen->rc += weft_scope_stop(&seen->scope); /* when it is over */

    seen->rc += weft_scope_open(&seen->other);
    (void)weft_scope_stop(&seen->other);
    seen->third = weft_scope_close(&seen->other, weft_sleep(WEFT_FOREVER));

    seen->rc += weft_scope_open(&seen->other);
    (void)weft_scope_stop(&seen->other);
    seen->fourth = weft_scope_close(&seen->other, -EIO);
    return weft_yield();
}

static void a_stopped_scope_closes_with_success_unless_something_really_failed(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, stops, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.third, 0);
        assert_int_equal(seen.fourth, -EIO);
        assert_int_equal(seen.count, 1);
    }
}

static int leaves_early(struct seen *seen)
{
    WEFT_SCOPE(scope);

    for (int i = 0; i < 3; i++)
        (void)weft_scope_spawn_val(&scope, yields, i);
    (void)weft_scope_spawn(&scope, fails_soon, seen);
    atomic_store(&seen->go, 1);
    if (seen->second == 0)
        return 21; /* the scope is closed on the way */
    return 22;
}

static int returns_out_of_a_scope(void *arg)
{
    struct seen *seen = arg;
    weft_info_data before, after;

    seen->third = weft_info(&before);
    seen->rc = leaves_early(seen);
    seen->third += weft_info(&after);
    seen->flag = before.tasks_live == after.tasks_live;
    return weft_yield();
}

static void an_early_return_closes_the_scope(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, returns_out_of_a_scope, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 21);
    assert_true(seen.flag);
}

static int uses_a_members_future(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    weft_future member = weft_scope_spawn(&seen->scope, sleeps_and_counts, (void *)&seen->count);
    seen->second = weft_await(member);
    seen->third = weft_detach(member);
    seen->fourth = weft_gather_n(&member, 1, NULL);
    (void)weft_cancel(member);
    int rc = weft_wait(member); /* its status, or it is gone */
    seen->flag = rc == -ECANCELED || rc == -ESTALE;
    seen->ended = weft_scope_close(&seen->scope, 0); /* a cancel by hand is no failure */
    return 0;
}

static void a_members_future_can_be_cancelled_and_waited_for_but_not_consumed(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, uses_a_members_future, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -EINVAL);
        assert_int_equal(seen.third, -EINVAL);
        assert_int_equal(seen.fourth, -EINVAL);
        assert_true(seen.flag);
        assert_int_equal(seen.ended, 0);
        assert_int_equal(seen.count, 1);
    }
}

static int spawns_wrongly(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options wrong = {.val_bytes = 1000, .val = seen};

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, sleeps_and_counts, (void *)&seen->count);
    weft_future failed = weft_scope_spawn_with(&seen->scope, &wrong, ends_with, NULL);
    seen->third = weft_scope_close(&seen->scope, 0);
    seen->second = weft_await(failed);
    seen->fourth = weft_wait(weft_scope_spawn(&seen->scope, sleeps, NULL)); /* it is closed */
    return 0;
}

static void a_spawn_that_fails_is_a_members_failure(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, spawns_wrongly, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -E2BIG); /* it travels in the handle */
        assert_int_equal(seen.third, -E2BIG);
        assert_int_equal(seen.fourth, -ESHUTDOWN);
        assert_int_equal(seen.count, 1);
    }
}

static int nests(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope) + weft_scope_open(&seen->other);
    (void)weft_scope_spawn(&seen->other, fails_soon, seen);
    atomic_store(&seen->go, 1);
    seen->second = weft_scope_close(&seen->other, 0);
    seen->third = weft_yield(); /* the outer is not touched by that */
    seen->fourth = weft_scope_close(&seen->scope, 0);
    return 0;
}

static void an_inner_failure_that_is_handled_leaves_the_outer_alone(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, nests, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -EIO);
        assert_int_equal(seen.third, 0);
        assert_int_equal(seen.fourth, 0);
    }
}

static int waits_in_an_inner_scope(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope) + weft_scope_open(&seen->other);
    (void)weft_scope_spawn(&seen->scope, fails_soon, seen);
    (void)weft_scope_spawn(&seen->other, sleeps_and_counts, (void *)&seen->count);
    atomic_store(&seen->go, 1);
    seen->second = weft_scope_close(&seen->other, 0);
    seen->third = weft_yield();
    seen->fourth = weft_scope_close(&seen->scope, 0);
    seen->ended = weft_yield();
    return 0;
}

static void an_outer_failure_cancels_the_inner_scope_first(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, waits_in_an_inner_scope, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, -ECANCELED);
        assert_int_equal(seen.fourth, -EIO);
        assert_int_equal(seen.ended, 0);
        assert_int_equal(seen.count, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_waits_for_all_and_gives_the_bodys_status),
        cmocka_unit_test(a_members_failure_cancels_body_and_siblings_and_is_the_scopes_status),
        cmocka_unit_test(a_bodys_failure_cancels_the_members),
        cmocka_unit_test(a_scope_whose_members_spawn_more_still_ends),
        cmocka_unit_test(a_task_spawned_into_a_cancelled_scope_runs_to_its_first_wait),
        cmocka_unit_test(a_scope_closed_out_of_order_twice_or_by_another_is_unharmed),
        cmocka_unit_test(scopes_are_for_tasks_only),
        cmocka_unit_test(a_stopped_scope_closes_with_success_unless_something_really_failed),
        cmocka_unit_test(an_early_return_closes_the_scope),
        cmocka_unit_test(a_members_future_can_be_cancelled_and_waited_for_but_not_consumed),
        cmocka_unit_test(a_spawn_that_fails_is_a_members_failure),
        cmocka_unit_test(an_inner_failure_that_is_handled_leaves_the_outer_alone),
        cmocka_unit_test(an_outer_failure_cancels_the_inner_scope_first),
    };

    return CHECK_GROUP(tests);
}
