/*
 * future_sweep - races, settled gathers, futures as they end, tasks that say when they are ready, soft
 * cancels and blocks with a limit: cancelled anywhere, every task ends once and every future is told.
 */
#include "scene.h"

static int races(void *arg)
{
    weft_future futures[4] = {sweep_task(naps_for_ever, arg), sweep_task(fails, arg),
                              sweep_task(naps, arg), sweep_task(naps_for_ever, arg)};
    size_t winner = 9;
    int rc = weft_race_n(futures, 4, &winner);

    (void)HOLDS((rc == 0 && winner == 2) || rc == -ECANCELED || rc == -EIO);
    return 0;
}

/* If the one that comes to an end is cancelled, nobody wins: the race has a limit. */
static int race_with_a_limit(void *arg)
{
    int rc = weft_timeout(weft_ms(2), races, arg);

    (void)HOLDS(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED);
    return 0;
}

static int settles(void *arg)
{
    weft_future futures[3] = {sweep_task(naps, arg), sweep_task(fails, arg), sweep_task(naps, arg)};
    int statuses[3] = {1, 1, 1};
    int rc = CUT(weft_gather_settled_n(futures, 3, statuses));

    for (int i = 0; i < 3; i++)
        (void)HOLDS(statuses[i] == -ECANCELED || statuses[i] == (i == 1 ? -EIO : 0));
    return rc;
}

static int as_they_end(void *arg)
{
    weft_future futures[3] = {sweep_task(naps, arg), sweep_task(fails, arg), sweep_task(naps, arg)};
    weft_completed all;
    size_t index;
    int status, told = 0;
    int rc = weft_completed_init(&all, futures, 3);

    while (rc >= 0 && (rc = weft_completed_next(&all, &index, &status)) > 0) {
        (void)HOLDS(index < 3 && (status == -ECANCELED || status == (index == 1 ? -EIO : 0)));
        told++;
    }
    (void)HOLDS(rc < 0 || told == 3);
    return CUT(rc);
}

static int until_the_first_has_ended(void *arg)
{
    weft_future futures[3] = {sweep_task(naps_for_ever, arg), sweep_task(naps, arg),
                              sweep_task(naps_for_ever, arg)};
    weft_completed all;
    int rc = weft_completed_init(&all, futures, 3);

    if (rc == 0)
        rc = weft_completed_next(&all, NULL, NULL);
    int ended = weft_completed_end(&all);
    (void)HOLDS(ended == 0);
    return CUT(rc);
}

/* --- ready ------------------------------------------------------------------------------------------- */

static int gets_ready(void *arg)
{
    int rc = naps(arg);

    if (rc == 0) {
        int said = weft_ready(5);
        (void)HOLDS(said == 0 || said == -ECANCELED);
        rc = naps(arg);
    }
    return rc;
}

static int start_and_wait_until_ready(void *arg)
{
    weft_scope scope;
    int rc = weft_scope_open(&scope);

    if (rc < 0)
        return rc;
    rc = weft_scope_start(&scope, gets_ready, arg);
    (void)HOLDS(rc == 5 || rc == -ECANCELED);
    return CUT(weft_scope_close(&scope, rc));
}

/* --- soft cancels -------------------------------------------------------------------------------------- */

static int finishes(void *arg)
{
    (void)arg;
    atomic_fetch_add(&books.entered, 1);
    int rc = naps(NULL);
    rc = rc < 0 ? rc : naps(NULL);
    atomic_fetch_add(&books.left, 1);
    return rc;
}

static int serves_softly(void *arg)
{
    int rc = CUT(weft_soft(finishes, arg));

    return rc < 0 ? rc : naps_for_ever(arg);
}

static int soft_cancel(void *arg)
{
    weft_scope scope;
    int rc = weft_scope_open(&scope);

    if (rc < 0)
        return rc;
    for (int i = 0; i < 3; i++)
        sweep_task_in(&scope, serves_softly, arg);
    rc = naps(arg);
    int asked = weft_scope_cancel_soft(&scope, weft_ms(1));
    (void)HOLDS(asked == 0);
    rc = weft_scope_close(&scope, rc);
    (void)HOLDS(rc == -ECANCELED); /* softly */
    return 0;
}

/* --- limits -------------------------------------------------------------------------------------------- */

static int within_limits(void *arg)
{
    int rc;

    WEFT_WITHIN(rc, weft_us(30)) { rc = weft_await(sweep_task(naps_for_ever, arg)); }
    (void)HOLDS(rc == -ETIMEDOUT || rc == -ECANCELED);
    WEFT_WITHIN(rc, weft_s(1000)) { rc = naps(arg); }
    return CUT(rc);
}

static int moved_deadline(void *arg)
{
    weft_scope scope;
    int rc =
        weft_scope_open_with(&scope, &(weft_scope_options){.deadline = weft_now() + weft_s(1000)});

    if (rc < 0)
        return rc;
    sweep_task_in(&scope, naps_for_ever, arg);
    rc = naps(arg);
    int moved = weft_scope_deadline(&scope, weft_now() + weft_us(20));
    (void)HOLDS(moved == 0 || moved == -EALREADY);
    rc = weft_scope_close(&scope, rc);
    (void)HOLDS(rc == -ETIMEDOUT || rc == -ECANCELED || rc == 0);
    return 0;
}

static int steady_pace(void *arg)
{
    weft_interval interval;
    int rc = weft_interval_init(&interval, weft_us(50), WEFT_MISSED_DELAY);

    (void)arg;
    for (int i = 0; i < 3 && rc >= 0; i++)
        rc = weft_interval_tick(&interval);
    return CUT(rc);
}

static void a_race_ends_the_losers(void **state) { SWEEP(race_with_a_limit); }
static void a_settled_gather_tells_all(void **state) { SWEEP(settles); }
static void futures_are_told_as_they_end(void **state) { SWEEP(as_they_end); }
static void what_is_left_of_an_iteration_is_ended(void **state)
{
    SWEEP(until_the_first_has_ended);
}
static void who_waits_until_ready_is_told_or_cancelled(void **state)
{
    SWEEP(start_and_wait_until_ready);
}
static void a_soft_cancel_lets_soft_blocks_finish(void **state) { SWEEP(soft_cancel); }
static void a_block_with_a_limit_is_left(void **state) { SWEEP(within_limits); }
static void a_moved_deadline_and_a_cancel_meet(void **state) { SWEEP(moved_deadline); }
static void an_interval_is_cancelled_between_ticks(void **state) { SWEEP(steady_pace); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_race_ends_the_losers),
        cmocka_unit_test(a_settled_gather_tells_all),
        cmocka_unit_test(futures_are_told_as_they_end),
        cmocka_unit_test(what_is_left_of_an_iteration_is_ended),
        cmocka_unit_test(who_waits_until_ready_is_told_or_cancelled),
        cmocka_unit_test(a_soft_cancel_lets_soft_blocks_finish),
        cmocka_unit_test(a_block_with_a_limit_is_left),
        cmocka_unit_test(a_moved_deadline_and_a_cancel_meet),
        cmocka_unit_test(an_interval_is_cancelled_between_ticks),
    };

    return SWEEP_GROUP(tests);
}
