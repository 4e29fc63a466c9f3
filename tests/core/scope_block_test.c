/*
 * scope_block_test - blocks with a deadline, and scopes that are left behind.
 */
#include <string.h>

#include "reports.h"
#include "tasks.h"

struct seen {
    int rc, second, third, fourth;
    bool flag;
    _Atomic int count;
    weft_scope forgotten[2];
};

/* --- WEFT_WITHIN ----------------------------------------------------------------------------- */

static int uses_blocks(void *arg)
{
    struct seen *seen = arg;
    int rc = 77;

    WEFT_WITHIN(rc, weft_s(1000))
    {
        seen->flag = rc == 0;
        rc = weft_sleep(weft_us(10));
        if (rc == 0)
            rc = 5;
    }
    seen->rc = rc;
    WEFT_WITHIN(rc, weft_us(100))
    {
        rc = weft_sleep(WEFT_FOREVER);
        if (rc < 0)
            break;
        rc = 1000;
    }
    seen->second = rc;
    WEFT_WITHIN(rc, weft_us(100))
    {
        rc = weft_sleep(WEFT_FOREVER) < 0 ? -EIO : 0; /* its clean-up failed */
        continue;
    }
    seen->third = rc;
    WEFT_WITHIN(rc, 0)
    (void)!weft_sleep(WEFT_FOREVER); /* it takes it as done */
    seen->fourth = rc;
    return weft_yield();
}

static void a_block_cut_short_by_its_time_says_etimedout_and_else_its_own_status(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.fourth = -1};

        int rc = check_run(n, uses_blocks, &seen);

        assert_int_equal(rc, 0); /* nothing stays cancelled or open */
        assert_true(seen.flag);
        assert_int_equal(seen.rc, 5);
        assert_int_equal(seen.second, -ETIMEDOUT);
        assert_int_equal(seen.third, -EIO);
        assert_int_equal(seen.fourth, 0);
    }
}

static int returns_from_a_block(struct seen *seen)
{
    int rc;

    WEFT_WITHIN(rc, weft_us(100))
    {
        rc = weft_sleep(WEFT_FOREVER);
        if (rc < 0)
            return rc;
    }
    seen->third = 1; /* not reached */
    return 0;
}

static int goes_out_of_two_blocks(struct seen *seen)
{
    int rc = 0, outer;

    WEFT_WITHIN(outer, weft_s(1000))
    {
        WEFT_WITHIN(rc, weft_us(100))
        {
            rc = weft_sleep(WEFT_FOREVER);
            goto out;
        }
        seen->third = 1; /* not reached */
    }
out:
    return rc;
}

static int leaves_blocks(void *arg)
{
    struct seen *seen = arg;
    weft_time far = weft_s(1000);
    int rc, outer;

    seen->rc = returns_from_a_block(seen);
    seen->second = goes_out_of_two_blocks(seen);
    WEFT_WITHIN(outer, weft_us(200))
    {
        WEFT_WITHIN(rc, far) rc = weft_sleep(WEFT_FOREVER);
        seen->fourth = rc;
        outer = rc;
    }
    seen->flag = outer == -ETIMEDOUT;
    for (int i = 0; i < 3; i++) /* a continue leaves the block, and not the loop around it */
        WEFT_WITHIN(rc, far)
        {
            seen->count++;
            continue;
        }
    return weft_yield();
}

static void a_block_is_closed_on_every_way_out(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, leaves_blocks, &seen);

        assert_int_equal(rc, 0); /* no scope is left open, else this would be reported and closed */
        assert_int_equal(seen.rc, -ECANCELED);
        assert_int_equal(seen.second, -ETIMEDOUT);
        assert_int_equal(seen.third, 0);
        assert_int_equal(seen.fourth, -ECANCELED); /* it was the outer one's time */
        assert_true(seen.flag);
        assert_int_equal(seen.count, 3);
    }
}

static void outside_a_task_a_block_is_left_out(void **state)
{
    int rc = 3, ran = 0;

    (void)state;
    WEFT_WITHIN(rc, weft_s(1)) ran = 1;

    assert_int_equal(rc, -EPERM);
    assert_int_equal(ran, 0);
}

static int is_cancelled_in_a_block(void *arg)
{
    struct seen *seen = arg;
    int rc;

    WEFT_WITHIN(rc, weft_s(1000)) { rc = weft_sleep(WEFT_FOREVER); }
    seen->second = rc;
    return rc;
}

static int cancels_one_in_a_block(void *arg)
{
    weft_future child = weft_spawn(is_cancelled_in_a_block, arg);

    (void)!weft_yield();
    (void)weft_cancel(child);
    return weft_await(child);
}

static void a_block_cancelled_from_outside_says_ecanceled(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_one_in_a_block, &seen);

        assert_int_equal(rc, -ECANCELED);
        assert_int_equal(seen.second, -ECANCELED);
    }
}

/* --- left behind ----------------------------------------------------------------------------- */

static int forgets_to_close(struct seen *seen, weft_scope *scope)
{
    int rc = weft_scope_open(scope);

    (void)weft_scope_spawn(scope, sleeps_and_counts, (void *)&seen->count);
    return rc;
}

static int forgets_in_a_block(void *arg)
{
    struct seen *seen = arg;
    int rc = 0;

    {
        WEFT_SCOPE(around);
        seen->rc = forgets_to_close(seen, &seen->forgotten[0]);
    }
    seen->second = atomic_load(&seen->count);
    WEFT_WITHIN(rc, weft_s(1000))
    {
        seen->rc += forgets_to_close(seen, &seen->forgotten[1]);
        rc = 9;
    }
    seen->third = rc;
    seen->fourth = atomic_load(&seen->count);
    return weft_yield();
}

static void a_scope_left_open_in_a_block_is_closed_with_it_and_reported(void **state)
{
    struct seen seen = {0};
    struct reports reports = {.count = 0};

    (void)state;
    int rc = run_with_reports((weft_options){.workers = 1}, &reports, forgets_in_a_block, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, 1);
    assert_int_equal(seen.third, 9);
    assert_int_equal(seen.fourth, 2);
    assert_int_equal(reports.count, 2);
    assert_int_equal(lines_with(&reports, "left a block with another scope open"), 2);
}

static int ends_with_a_scope_open(void *arg)
{
    LEFT_BEHIND weft_scope scope; /* its frame is gone when it is closed */

    return forgets_to_close(arg, &scope) < 0 ? -EPROTO : 4;
}

static int awaits_one_that_forgets(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_await(weft_spawn(ends_with_a_scope_open, seen));
    seen->third = atomic_load(&seen->count);
    return 0;
}

static void a_scope_left_open_at_the_end_of_a_task_is_closed_and_reported(void **state)
{
    struct seen seen = {0};
    struct reports reports = {.count = 0};

    (void)state;
    int rc =
        run_with_reports((weft_options){.workers = 1}, &reports, awaits_one_that_forgets, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.second, 4);
    assert_int_equal(seen.third, 1);
    assert_int_equal(reports.count, 1);
    assert_int_equal(lines_with(&reports, "ended with a scope open"), 1);
    assert_int_equal(lines_with(&reports, "ends_with_a_scope_open ("), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_cut_short_by_its_time_says_etimedout_and_else_its_own_status),
        cmocka_unit_test(a_block_is_closed_on_every_way_out),
        cmocka_unit_test(outside_a_task_a_block_is_left_out),
        cmocka_unit_test(a_block_cancelled_from_outside_says_ecanceled),
        cmocka_unit_test(a_scope_left_open_in_a_block_is_closed_with_it_and_reported),
        cmocka_unit_test(a_scope_left_open_at_the_end_of_a_task_is_closed_and_reported),
    };

    return CHECK_GROUP(tests);
}
