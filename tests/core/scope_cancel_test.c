/*
 * scope_cancel_test - cancellation as a state: whom it reaches, what stops it, and who is told.
 */
#include <stdlib.h>

#include "tasks.h"

struct seen {
    int rc, second, third, fourth, ended;
    _Atomic int count, started, go;
    bool flag, other_flag;
    weft_scope scope, other;
};

static int closes_over_sleepers(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    for (int i = 0; i < 4; i++)
        (void)weft_scope_spawn(&seen->scope, sleeps_and_counts, (void *)&seen->count);
    atomic_store(&seen->started, 1);
    seen->second = weft_scope_close(&seen->scope, 0);
    seen->ended = atomic_load(&seen->count);
    seen->third = weft_yield();
    return 0;
}

static int cancels_who_closes(void *arg)
{
    struct seen *seen = arg;
    weft_future closer = weft_spawn(closes_over_sleepers, seen);

    until_set(&seen->started);
    for (int i = 0; i < 10; i++)
        (void)!weft_yield();
    (void)weft_cancel(closer);
    return weft_await(closer);
}

static void cancelling_who_closes_cancels_the_members_and_close_says_so(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_who_closes, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.ended, 4);
        assert_int_equal(seen.third, -ECANCELED); /* the task itself stays cancelled */
    }
}

static int fails_when_cancelled(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_FOREVER) < 0 ? -EIO : 0;
}

static int closes_over_one_that_fails(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, fails_when_cancelled, NULL);
    atomic_store(&seen->started, 1);
    seen->second = weft_scope_close(&seen->scope, 0);
    seen->third = weft_yield();
    return 0;
}

static int cancels_over_a_failure(void *arg)
{
    struct seen *seen = arg;
    weft_future closer = weft_spawn(closes_over_one_that_fails, seen);

    until_set(&seen->started);
    (void)weft_cancel(closer);
    return weft_await(closer);
}

static void a_failure_beside_a_cancel_is_told_and_the_next_wait_is_cancelled(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_over_a_failure, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -EIO);
        assert_int_equal(seen.third, -ECANCELED);
    }
}

static int cancels_its_scope(void *arg)
{
    struct seen *seen = arg;
    weft_sem sem = WEFT_SEM_INIT(1);

    seen->rc = weft_scope_open(&seen->scope);
    seen->rc += weft_scope_cancel(&seen->scope) + weft_scope_cancel(&seen->scope);
    seen->second = weft_sem_acquire(&sem); /* could be had at once */
    seen->third = weft_sem_acquire(&sem);
    seen->flag = weft_cancelled();
    seen->rc += weft_sem_try_acquire(&sem); /* it was not taken */
    seen->fourth = weft_scope_close(&seen->scope, seen->second);
    seen->ended = weft_yield();
    return 0;
}

static void in_a_cancelled_scope_every_wait_is_refused_and_after_it_none(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_its_scope, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, -ECANCELED);
        assert_true(seen.flag);
        assert_int_equal(seen.fourth, -ECANCELED);
        assert_int_equal(seen.ended, 0);
    }
}

static int cancels_without_waiting(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_cancel(&seen->scope);
    seen->second = weft_scope_close(&seen->scope, 17);
    seen->flag = weft_scope_cancelled(&seen->scope);
    return 0;
}

static void a_body_that_did_not_wait_keeps_its_status_though_cancelled(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, cancels_without_waiting, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.second, 17);
    assert_true(seen.flag);
}

/* A member with a scope and a member of its own. */
static int opens_its_own(void *arg)
{
    struct seen *seen = arg;
    weft_scope own;

    if (weft_scope_open(&own) < 0)
        return -EPROTO;
    (void)weft_scope_spawn(&own, sleeps_and_counts, (void *)&seen->count);
    atomic_fetch_add(&seen->started, 1);
    return weft_scope_close(&own, 0);
}

static int cancels_two_floors(void *arg)
{
    struct seen *seen = arg;
    weft_future sibling = weft_spawn(sleeps_and_counts, (void *)&seen->go);

    seen->rc = weft_scope_open(&seen->scope);
    for (int i = 0; i < 5; i++)
        (void)weft_scope_spawn(&seen->scope, opens_its_own, seen);
    while (atomic_load(&seen->started) < 3)
        (void)!weft_yield();
    (void)weft_scope_cancel(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, opens_its_own, seen); /* later ones are cancelled, too */
    seen->second = weft_scope_close(&seen->scope, 0);
    seen->ended = atomic_load(&seen->count);
    seen->third = atomic_load(&seen->go); /* who stands beside is not reached */
    (void)weft_cancel(sibling);
    return weft_await(sibling) == -ECANCELED ? 0 : -EPROTO;
}

static void a_cancel_reaches_all_floors_below_and_nobody_beside(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_two_floors, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.ended, 6);
        assert_int_equal(seen.third, 0);
    }
}

static int works_inside_a_shield(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_sleep(weft_us(200));
    seen->flag = weft_cancelled();
    return 8;
}

static int shields_itself(void *arg)
{
    struct seen *seen = arg;

    (void)weft_cancel(weft_self());
    seen->rc = weft_shield(WEFT_FOREVER, works_inside_a_shield, seen);
    seen->third = weft_yield();
    return 0;
}

static int spawns_a_shielded(void *arg) { return weft_await(weft_spawn(shields_itself, arg)); }

static void waits_inside_a_shield_work_and_after_it_are_refused(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, spawns_a_shielded, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 8);
        assert_int_equal(seen.second, 0);
        assert_false(seen.flag);
        assert_int_equal(seen.third, -ECANCELED);
    }
}

static int sleeps_then_tells(void *arg)
{
    struct seen *seen = arg;

    atomic_store(&seen->started, 1);
    seen->second = weft_sleep(weft_ms(2));
    return seen->second;
}

static int shields_a_wait(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_shield(WEFT_FOREVER, sleeps_then_tells, seen);
    seen->third = weft_sleep(WEFT_FOREVER);
    return 0;
}

static int cancels_into_a_shield(void *arg)
{
    struct seen *seen = arg;
    weft_future shielded = weft_spawn(shields_a_wait, seen);

    until_set(&seen->started);
    (void)weft_cancel(shielded);
    return weft_await(shielded);
}

static void a_cancel_from_outside_does_not_end_a_wait_in_a_shield(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, cancels_into_a_shield, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.third, -ECANCELED);
    }
}

static int cancels_the_scope_around_a_shield(void *arg)
{
    struct seen *seen = arg;
    const weft_scope_options shield = {.shield = true};

    seen->rc = weft_scope_open(&seen->scope) + weft_scope_open_with(&seen->other, &shield);
    (void)weft_scope_cancel(&seen->scope);
    seen->second = weft_sleep(weft_us(100));
    (void)weft_scope_cancel(&seen->other); /* its own cancel acts */
    seen->third = weft_sleep(weft_us(100));
    seen->fourth = weft_scope_close(&seen->other, seen->third);
    seen->ended = weft_scope_close(&seen->scope, weft_yield());
    return 0;
}

static void a_shield_keeps_the_outer_cancel_out_but_not_its_own(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_the_scope_around_a_shield, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.third, -ECANCELED);
        assert_int_equal(seen.fourth, -ECANCELED);
        assert_int_equal(seen.ended, -ECANCELED);
    }
}

static int cleans_up_for_ever(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_FOREVER);
}

static int cleans_up_after_a_cancel(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_sleep(WEFT_FOREVER);
    seen->second = weft_shield(weft_ms(2), cleans_up_for_ever, NULL);
    seen->third = weft_shield(weft_s(1000), works_inside_a_shield, seen);
    return seen->rc;
}

static int cancels_one_that_cleans_up(void *arg)
{
    struct seen *seen = arg;
    weft_future child = weft_spawn(cleans_up_after_a_cancel, seen);

    (void)weft_cancel(child);
    seen->fourth = weft_await(child);
    return 0;
}

static void clean_up_under_a_shield_with_a_deadline_works_and_expires_by_itself(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_one_that_cleans_up, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED);
        assert_int_equal(seen.fourth, -ECANCELED);
        assert_int_equal(seen.third, 8);
        assert_int_equal(seen.second, 0); /* of the sleep inside the second shield */
    }
}

static int expires_in_a_shield(void *arg)
{
    struct seen *seen = arg;

    (void)weft_cancel(weft_self());
    seen->second = weft_shield(weft_ms(1), cleans_up_for_ever, NULL);
    return 0;
}

static int spawns_an_expiring_shield(void *arg)
{
    return weft_await(weft_spawn(expires_in_a_shield, arg));
}

static void a_shield_that_expires_says_etimedout_also_to_a_cancelled_task(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, spawns_an_expiring_shield, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -ETIMEDOUT);
    }
}

#define DEEP 10000

static int nests_deeply(void *arg)
{
    struct seen *seen = arg;
    weft_scope *scopes = calloc(DEEP, sizeof *scopes);

    if (!scopes)
        return -ENOMEM;
    for (int i = 0; i < DEEP; i++)
        seen->rc += weft_scope_open(&scopes[i]);
    (void)weft_scope_spawn(&scopes[DEEP - 1], sleeps_and_counts, (void *)&seen->count);
    (void)weft_scope_cancel(&scopes[0]);
    seen->flag = weft_scope_cancelled(&scopes[DEEP - 1]);
    seen->second = weft_sleep(WEFT_FOREVER);
    for (int i = DEEP - 1; i >= 0; i--)
        seen->third += weft_scope_close(&scopes[i], -ECANCELED) == -ECANCELED;
    seen->fourth = weft_yield();
    free(scopes);
    return 0;
}

static void ten_thousand_nested_scopes_are_cancelled_at_once(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, nests_deeply, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_true(seen.flag);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, DEEP);
        assert_int_equal(seen.fourth, 0);
        assert_int_equal(seen.count, 1);
    }
}

/* Deep enough that a walk that goes back to where it began, or calls itself, does not come to its end:
 * the one takes minutes, the other more than a stack. Every third scope is a soft block, so that the
 * soft cancel stops at once and the hard one passes it, and half of the tree is cancelled already. */
#define DEEPER 100000

static int nests_deeper(void *arg)
{
    struct seen *seen = arg;
    weft_scope *scopes = calloc(DEEPER, sizeof *scopes);
    weft_scope *last = scopes + DEEPER - 1;

    if (!scopes)
        return -ENOMEM;
    for (int i = 0; i < DEEPER; i++)
        seen->rc += weft_scope_open_with(&scopes[i], &(weft_scope_options){.soft = i % 3 == 2});
    (void)weft_scope_spawn(last, sleeps_and_counts, (void *)&seen->count);
    seen->rc += weft_scope_cancel_soft(&scopes[DEEPER / 2 + 1], WEFT_FOREVER);
    seen->rc += weft_scope_cancel_soft(&scopes[0], WEFT_FOREVER);
    seen->flag = weft_scope_cancelled(&scopes[1]) && !weft_scope_cancelled(&scopes[2]) &&
                 weft_scope_cancelled(&scopes[DEEPER / 2 + 1]) && !weft_scope_cancelled(last);
    (void)weft_scope_cancel(&scopes[0]);
    seen->other_flag = weft_scope_cancelled(&scopes[2]) && weft_scope_cancelled(last);
    for (int i = DEEPER - 1; i >= 0; i--)
        seen->third += weft_scope_close(&scopes[i], -ECANCELED) == -ECANCELED;
    free(scopes);
    return weft_yield();
}

static void a_hundred_thousand_nested_scopes_are_cancelled_in_two_phases(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, nests_deeper, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_true(seen.flag);
    assert_true(seen.other_flag);
    assert_int_equal(seen.third, DEEPER);
    assert_int_equal(seen.count, 1);
}

static int makes_a_wide_tree(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    for (int i = 0; i < 2000; i++)
        (void)weft_scope_spawn(&seen->scope, opens_its_own, seen);
    while (atomic_load(&seen->started) < 2000)
        (void)!weft_yield();
    (void)weft_scope_cancel(&seen->scope);
    seen->second = weft_scope_close(&seen->scope, 0);
    return 0;
}

static void two_thousand_members_with_scopes_of_their_own_all_end(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, makes_a_wide_tree, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.count, 2000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancelling_who_closes_cancels_the_members_and_close_says_so),
        cmocka_unit_test(a_failure_beside_a_cancel_is_told_and_the_next_wait_is_cancelled),
        cmocka_unit_test(in_a_cancelled_scope_every_wait_is_refused_and_after_it_none),
        cmocka_unit_test(a_body_that_did_not_wait_keeps_its_status_though_cancelled),
        cmocka_unit_test(a_cancel_reaches_all_floors_below_and_nobody_beside),
        cmocka_unit_test(waits_inside_a_shield_work_and_after_it_are_refused),
        cmocka_unit_test(a_cancel_from_outside_does_not_end_a_wait_in_a_shield),
        cmocka_unit_test(a_shield_keeps_the_outer_cancel_out_but_not_its_own),
        cmocka_unit_test(clean_up_under_a_shield_with_a_deadline_works_and_expires_by_itself),
        cmocka_unit_test(a_shield_that_expires_says_etimedout_also_to_a_cancelled_task),
        cmocka_unit_test(ten_thousand_nested_scopes_are_cancelled_at_once),
        cmocka_unit_test(a_hundred_thousand_nested_scopes_are_cancelled_in_two_phases),
        cmocka_unit_test(two_thousand_members_with_scopes_of_their_own_all_end),
    };

    return CHECK_GROUP(tests);
}
