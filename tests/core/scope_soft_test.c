/*
 * scope_soft_test - the two-phase cancel: what ends at once, and what goes on.
 */
#include "soft.h"

static int cancels_softly(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, waits_softly_then_plainly, seen);
    (void)weft_scope_spawn(&seen->scope, sleeps_and_counts, (void *)&seen->go);
    seen->rc += until_started(seen, 1);
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER);
    seen->fourth = weft_sleep(WEFT_FOREVER); /* the body's own wait ends */
    while (atomic_load(&seen->go) == 0)      /* and that of the one that sleeps */
        (void)!weft_yield();
    seen->flag = atomic_load(&seen->count) == 0;
    weft_event_set(&seen->open);
    return weft_scope_close(&seen->scope, 0);
}

static void a_soft_cancel_ends_plain_waits_at_once_and_lets_soft_blocks_finish(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, cancels_softly, &seen);

        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.third, -ECANCELED);
        assert_int_equal(seen.fourth, -ECANCELED);
        assert_true(seen.flag);
        assert_int_equal(seen.count, 1);
    }
}

/* Inside a soft block: a block in the block, a scope in it, a member of that, a time-out. */
static int waits_deep_inside(void *arg)
{
    struct seen *seen = arg;
    weft_scope inner;
    int rc = weft_scope_open(&inner);

    (void)weft_scope_spawn(&inner, waits_for_the_event, seen);
    (void)weft_scope_spawn(&inner, waits_softly, seen);
    if (rc == 0)
        rc = weft_timeout(weft_s(1000), waits_for_the_event, seen);
    if (rc == 0)
        rc = weft_await(weft_spawn(waits_for_the_event, seen));
    return weft_scope_close(&inner, rc);
}

static int waits_softly_and_deep(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_soft(waits_deep_inside, seen);
    return seen->second;
}

static int cancels_softly_from_above(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, waits_softly_and_deep, seen);
    seen->rc += until_started(seen, 3);
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER);
    weft_event_set(&seen->open);
    return weft_scope_close(&seen->scope, 0);
}

static void what_stands_inside_a_soft_block_is_soft_at_any_depth(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, cancels_softly_from_above, &seen);

        assert_int_equal(rc, 0); /* nothing was cut short */
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.count, 4);
    }
}

static int cancels_hard_from_above(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, waits_softly_and_deep, seen);
    seen->rc += until_started(seen, 3);
    seen->rc += weft_scope_cancel_soft(&seen->scope, weft_us(300));
    return weft_scope_close(&seen->scope, 0);
}

static void at_the_end_of_the_grace_soft_blocks_end_at_any_depth(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, cancels_hard_from_above, &seen);

        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.count, 0);
    }
}

static int yields_once(void *arg)
{
    struct seen *seen = arg;

    seen->flag = weft_cancelled();
    return weft_yield();
}

static int opens_soft_blocks_late(void *arg)
{
    struct seen *seen = arg;
    const weft_scope_options soft = {.soft = true};

    seen->rc = weft_scope_open(&seen->scope);
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER);
    seen->rc +=
        weft_scope_open(&seen->other); /* a plain scope inside is cancelled from the start */
    seen->second = weft_yield();
    seen->rc += weft_soft(yields_once, seen); /* and a soft block in it is not */
    seen->other_flag = weft_cancelled();
    seen->third = weft_scope_close(&seen->other, weft_yield());
    seen->rc += weft_scope_open_with(&seen->other, &soft);
    seen->rc += weft_yield();
    seen->rc += weft_scope_close(&seen->other, 0);
    seen->rc += weft_scope_cancel(&seen->scope);
    seen->fourth = weft_soft(yields_once, seen); /* after a hard cancel it is */
    return weft_scope_close(&seen->scope, 0);
}

static void a_soft_block_opened_after_the_soft_cancel_goes_on_and_after_a_hard_one_not(void **state)
{
    struct seen seen = SEEN_INIT;

    (void)state;
    int rc = check_run(1, opens_soft_blocks_late, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, -ECANCELED);
    assert_true(seen.other_flag);
    assert_int_equal(seen.third, -ECANCELED);
    assert_int_equal(seen.fourth, -ECANCELED);
    assert_true(seen.flag); /* of the last one */
}

/* A scope of its own inside a soft block, which it cancels softly. */
static int cancels_its_own_softly(void *arg)
{
    struct seen *seen = arg;

    seen->rc += weft_scope_open(&seen->other);
    seen->second = weft_yield();
    seen->rc += weft_scope_cancel_soft(&seen->other, WEFT_FOREVER);
    seen->third = weft_yield();
    seen->fourth = weft_scope_close(&seen->other, seen->third);
    return weft_yield();
}

static int nests_soft_cancels(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    seen->rc += weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER);
    seen->rc += weft_soft(cancels_its_own_softly, seen);
    seen->flag = weft_scope_cancelled(&seen->scope);
    return weft_scope_close(&seen->scope, 0);
}

static void a_block_protects_from_soft_cancels_outside_it_not_from_those_inside(void **state)
{
    struct seen seen = SEEN_INIT;

    (void)state;
    int rc = check_run(1, nests_soft_cancels, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, 0);
    assert_int_equal(seen.third, -ECANCELED);
    assert_int_equal(seen.fourth, -ECANCELED);
    assert_true(seen.flag);
}

static int asks_from_outside(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    seen->second = weft_scope_close(&seen->scope, 0);
    seen->third = weft_scope_cancel_soft(&seen->scope, WEFT_FOREVER); /* closed */
    return 0;
}

static void a_soft_cancel_of_a_closed_scope_does_nothing_and_outside_a_task_is_eperm(void **state)
{
    struct seen seen = SEEN_INIT;

    (void)state;
    int rc = check_run(1, asks_from_outside, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.third, 0);
    assert_false(weft_scope_cancelled(&seen.scope));
    assert_int_equal(weft_scope_cancel_soft(&seen.scope, 1), -EPERM);
    assert_int_equal(weft_soft(sleeps, NULL), -EPERM);
}

/* --- a server -------------------------------------------------------------------------------- */

#define CONNECTIONS 100

static int serves(void *arg)
{
    struct seen *seen = arg;

    for (;;) {
        int rc = waits_softly(seen); /* a request */

        if (rc == 0)
            rc = weft_sleep(WEFT_FOREVER); /* the next one does not come */
        if (rc < 0)
            return rc;
    }
}

static int stops_a_server(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    for (int i = 0; i < CONNECTIONS; i++)
        (void)weft_scope_spawn(&seen->scope, serves, seen);
    for (int i = 0; i < CONNECTIONS; i++)
        (void)weft_scope_spawn(&seen->scope, sleeps_and_counts, (void *)&seen->go);
    seen->rc += until_started(seen, CONNECTIONS);
    seen->rc += weft_scope_cancel_soft(&seen->scope, weft_s(1000));
    while (atomic_load(&seen->go) < CONNECTIONS) /* idle ones end */
        (void)!weft_yield();
    weft_event_set(&seen->open); /* busy ones finish what they do, and end then */
    return weft_scope_close(&seen->scope, 0);
}

static void a_server_finishes_its_requests_and_ends(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = SEEN_INIT;

        int rc = check_run(n, stops_a_server, &seen);

        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.go, CONNECTIONS);
        assert_int_equal(seen.count, CONNECTIONS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_soft_cancel_ends_plain_waits_at_once_and_lets_soft_blocks_finish),
        cmocka_unit_test(what_stands_inside_a_soft_block_is_soft_at_any_depth),
        cmocka_unit_test(at_the_end_of_the_grace_soft_blocks_end_at_any_depth),
        cmocka_unit_test(
            a_soft_block_opened_after_the_soft_cancel_goes_on_and_after_a_hard_one_not),
        cmocka_unit_test(a_block_protects_from_soft_cancels_outside_it_not_from_those_inside),
        cmocka_unit_test(a_soft_cancel_of_a_closed_scope_does_nothing_and_outside_a_task_is_eperm),
        cmocka_unit_test(a_server_finishes_its_requests_and_ends),
    };

    return CHECK_GROUP(tests);
}
