/*
 * scope_sweep - wherever in a tree of tasks a cancel comes: every task ends once, before the scope
 * that owns it, and whoever awaits gets one answer.
 */
#include "scene.h"

/* --- scopes ------------------------------------------------------------------------------------------ */

/* Three scopes deep, two tasks in each. */
static int opens_another(void *arg)
{
    int depth = *(int *)arg - 1;
    weft_scope scope;
    int rc = weft_scope_open(&scope);

    if (rc < 0)
        return rc;
    sweep_task_in(&scope, naps, NULL);
    rc = depth > 0 ? opens_another(&depth) : naps(NULL);
    if (depth > 0)
        sweep_task_in(&scope, opens_another, &depth);
    return CUT(weft_scope_close(&scope, rc));
}

static int nested_scopes(void *arg)
{
    int depth = 3;

    (void)arg;
    return opens_another(&depth);
}

static int scope_with_a_failure(void *arg)
{
    weft_scope scope;

    (void)arg;
    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    sweep_task_in(&scope, naps_for_ever, NULL);
    sweep_task_in(&scope, fails, NULL);
    sweep_task_in(&scope, naps_for_ever, NULL);
    rc = weft_scope_close(&scope, 0);
    (void)HOLDS(rc == -EIO || rc == -ECANCELED);
    return 0;
}

static int scope_that_is_stopped(void *arg)
{
    weft_scope scope;

    (void)arg;
    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 3; i++)
        sweep_task_in(&scope, naps_for_ever, NULL);
    rc = CUT(weft_sleep(weft_us(20)));
    weft_scope_stop(&scope);
    return CUT(weft_scope_close(&scope, rc));
}

/* --- time-outs, shields ------------------------------------------------------------------------------- */

static int a_long_nap_with_a_child(void *arg)
{
    (void)arg;
    return weft_await(sweep_task(naps_for_ever, NULL));
}

static int time_outs(void *arg)
{
    int rc = weft_timeout(weft_us(30), a_long_nap_with_a_child, arg);

    (void)HOLDS(rc == -ETIMEDOUT || rc == -ECANCELED);
    rc = weft_timeout(weft_s(1000), naps, arg);
    return CUT(rc);
}

static int inner_time_out(void *arg)
{
    int rc = weft_timeout(weft_us(30), a_long_nap_with_a_child, arg);

    (void)HOLDS(rc == -ETIMEDOUT || rc == -ECANCELED);
    return rc == -ETIMEDOUT ? naps(NULL) : rc;
}

static int nested_time_outs(void *arg)
{
    return CUT(weft_timeout(weft_s(1000), inner_time_out, arg));
}

static int cleans_up(void *arg)
{
    (void)CUT(weft_await(sweep_task(naps, arg))); /* the nap itself may be cancelled */
    return 0;
}

/* What stands inside must not hear of the cancel: the clean-up is always done. */
static int cleans_up_alone(void *arg)
{
    int rc = weft_sleep(weft_us(20));

    atomic_fetch_add((_Atomic int *)arg, 1);
    (void)HOLDS(rc == 0 && !weft_cancelled());
    return rc;
}

static int shields(void *arg)
{
    _Atomic int done = 0;
    int rc = CUT(weft_sleep(weft_us(20)));
    int cleaned = weft_shield(weft_s(1000), cleans_up_alone, (void *)&done);

    (void)HOLDS(cleaned == 0 && done == 1);
    cleaned = weft_shield(weft_s(1000), cleans_up, arg);
    (void)HOLDS(cleaned == 0);
    return rc;
}

/* --- awaiting ------------------------------------------------------------------------------------------ */

static int awaits_a_chain(void *arg)
{
    int length = *(int *)arg - 1;

    return length == 0 ? naps(NULL) : CUT(weft_await(sweep_task(awaits_a_chain, &length)));
}

static int chain_of_awaits(void *arg)
{
    int length = 5;

    (void)arg;
    return awaits_a_chain(&length);
}

static int gathers(void *arg)
{
    weft_future futures[4];

    for (int i = 0; i < 4; i++)
        futures[i] = sweep_task(i == 2 ? fails : i == 3 ? naps_for_ever : naps, arg);
    int statuses[4] = {1, 1, 1, 1};
    int rc = weft_gather_n(futures, 4, statuses);
    (void)HOLDS(rc == -EIO || rc == -ECANCELED);
    for (int i = 0; i < 4; i++)
        (void)HOLDS(statuses[i] == 0 || statuses[i] == -ECANCELED || (i == 2 && rc));
    return 0;
}

struct watched {
    weft_future future;
    _Atomic int told;
};

static int watches(void *arg)
{
    struct watched *watched = arg;
    int rc = CUT(weft_wait(watched->future));

    atomic_fetch_add(&watched->told, 1);
    return rc;
}

static int waits_of_many(void *arg)
{
    struct watched watched = {.future = sweep_task(naps, arg)};
    weft_future watchers[3];

    for (int i = 0; i < 3; i++)
        watchers[i] = sweep_task(watches, &watched);
    int rc = CUT(weft_gather_n(watchers, 3, NULL));
    int slept = weft_await(watched.future);
    (void)HOLDS(watched.told == 3);
    return rc < 0 ? rc : CUT(slept);
}

static int keeps_its_promise(void *arg)
{
    weft_promise *promise = arg;
    int rc = CUT(weft_sleep(weft_us(20)));
    int set = rc == 0 ? weft_promise_set(*promise, 7) : weft_promise_drop(*promise);

    (void)HOLDS(set == 0 || set == -EALREADY);
    return rc;
}

static int promises(void *arg)
{
    weft_promise promise;
    weft_future promised = weft_promise_new(&promise);
    weft_future keeper = sweep_task(keeps_its_promise, &promise);

    (void)arg;
    int rc = weft_await(promised);
    (void)HOLDS(rc == 7 || rc == -EPIPE || rc == -ECANCELED);
    return CUT(weft_await(keeper));
}

static int cancels_itself(void *arg)
{
    (void)arg;
    weft_cancel(weft_self());
    (void)HOLDS(weft_sleep(1) == -ECANCELED && weft_yield() == -ECANCELED);
    return 0;
}

static int cancels_others(void *arg)
{
    weft_future sleeper = sweep_task(naps_for_ever, arg);
    weft_future self = sweep_task(cancels_itself, arg);

    int rc = CUT(weft_yield());
    weft_cancel(sleeper);
    int slept = weft_await(sleeper);
    (void)HOLDS(slept == -ECANCELED);
    int ended = weft_await(self);
    (void)HOLDS(ended == 0 || ended == -ECANCELED);
    return rc;
}

static int detaches(void *arg)
{
    int rc = weft_detach(sweep_task(naps, arg));

    (void)HOLDS(rc == 0);
    rc = weft_detach(sweep_task(naps_for_ever, arg)); /* ended by the stop */
    (void)HOLDS(rc == 0);
    return CUT(weft_sleep_until(weft_now() + 1));
}

static void all_of_a_tree_of_scopes_end(void **state) { SWEEP(nested_scopes); }
static void a_failure_and_a_cancel_end_a_scope(void **state) { SWEEP(scope_with_a_failure); }
static void a_stop_and_a_cancel_end_a_scope(void **state) { SWEEP(scope_that_is_stopped); }
static void time_outs_and_cancels_meet(void **state) { SWEEP(time_outs); }
static void a_time_out_in_a_time_out_is_cancelled(void **state) { SWEEP(nested_time_outs); }
static void a_shield_keeps_cancels_out(void **state) { SWEEP(shields); }
static void a_chain_of_awaits_unwinds(void **state) { SWEEP(chain_of_awaits); }
static void a_gather_ends_all(void **state) { SWEEP(gathers); }
static void who_waits_without_consuming_is_told(void **state) { SWEEP(waits_of_many); }
static void a_promise_is_kept_dropped_or_cancelled(void **state) { SWEEP(promises); }
static void cancelled_twice_is_cancelled_once(void **state) { SWEEP(cancels_others); }
static void what_was_detached_ends_too(void **state) { SWEEP(detaches); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_tree_of_scopes_end),
        cmocka_unit_test(a_failure_and_a_cancel_end_a_scope),
        cmocka_unit_test(a_stop_and_a_cancel_end_a_scope),
        cmocka_unit_test(time_outs_and_cancels_meet),
        cmocka_unit_test(a_time_out_in_a_time_out_is_cancelled),
        cmocka_unit_test(a_shield_keeps_cancels_out),
        cmocka_unit_test(a_chain_of_awaits_unwinds),
        cmocka_unit_test(a_gather_ends_all),
        cmocka_unit_test(who_waits_without_consuming_is_told),
        cmocka_unit_test(a_promise_is_kept_dropped_or_cancelled),
        cmocka_unit_test(cancelled_twice_is_cancelled_once),
        cmocka_unit_test(what_was_detached_ends_too),
    };

    return SWEEP_GROUP(tests);
}
