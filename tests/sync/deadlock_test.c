/*
 * deadlock_test - a circle of waits is told to one of its calls; what is no circle never is.
 */
#include "circle.h"

/* --- circles of mutexes ---------------------------------------------------------------------- */

static void check_circle_of(int workers, int size)
{
    struct round round = {.size = size};

    int rc = run_reported(workers, dine, &round);

    assert_int_equal(rc, 0);
    for (int i = 0; i < size - 1; i++)
        assert_int_equal(round.rc[i], 0);
    assert_int_equal(round.rc[size - 1], -EDEADLK);
    assert_int_equal(round.reports.count, 1 + size);
    assert_int_equal(lines_with(&round.reports, "philosopher ("), 1 + 2 * size);
    assert_int_equal(lines_with(&round.reports, "circle.h:"), 1 + 2 * size);
    assert_int_equal(lines_with(&round.reports, "for the mutex at 0x"), size);
    assert_non_null(strstr(round.why, "circle.h:"));
}

static void who_closes_a_circle_of_two_mutexes_is_told(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        check_circle_of(n, 2);
}

static void who_closes_a_circle_of_five_mutexes_is_told(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        check_circle_of(n, 5);
}

static void weft_lock_lets_another_call_of_the_circle_be_told(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {.size = 3, .is_void = true};

        int rc = run_reported(n, dine, &round);

        assert_int_equal(rc, 0);
        assert_int_equal(round.rc[0], -EDEADLK); /* the next one after the closer */
        assert_int_equal(round.rc[1], 0);
        assert_int_equal(round.rc[2], 0);
        assert_int_equal(round.reports.count, 4);
        assert_int_equal(lines_with(&round.reports, "in weft_lock for"), 1);
    }
}

static int dine_in_time(void *round) { return weft_timeout(weft_s(1000), dine, round); }

static void a_deadline_that_would_end_the_circle_later_changes_nothing(void **state)
{
    struct round round = {.size = 2};

    (void)state;
    int rc = run_reported(2, dine_in_time, &round);

    assert_int_equal(rc, 0);
    assert_int_equal(round.rc[0], 0);
    assert_int_equal(round.rc[1], -EDEADLK);
}

/* --- circles with futures -------------------------------------------------------------------- */

static int lock_and_unlock(void *arg)
{
    struct round *round = arg;

    round->first = weft_lock_cancellable(&round->mutex[0]);
    return round->first < 0 ? round->first : weft_unlock(&round->mutex[0]);
}

static int await_who_waits_for_me(void *arg)
{
    struct round *round = arg;

    weft_lock(&round->mutex[0]);
    weft_future child = weft_spawn(lock_and_unlock, round);
    until_waits(child);
    round->second = weft_await(child);
    keep_why(round);
    (void)weft_unlock(&round->mutex[0]); /* it is ours */
    return weft_await(child);            /* it has not been consumed */
}

static void an_await_of_a_task_that_waits_for_my_mutex_is_told_and_consumes_nothing(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {0};

        int rc = run_reported(n, await_who_waits_for_me, &round);

        assert_int_equal(rc, 0);
        assert_int_equal(round.first, 0);
        assert_int_equal(round.second, -EDEADLK);
        assert_int_equal(round.reports.count, 3);
        assert_int_equal(lines_with(&round.reports, "lock_and_unlock ("), 2);
        assert_non_null(strstr(round.why, "weft_run"));
        assert_non_null(strstr(round.why, "lock_and_unlock ("));
    }
}

static int lock_what_my_parent_holds(void *arg)
{
    struct round *round = arg;

    until_waits(round->task[0]);
    return lock_and_unlock(round);
}

static int await_a_child_that_locks(void *arg)
{
    struct round *round = arg;

    round->task[0] = weft_self();
    weft_lock(&round->mutex[0]);
    weft_future child = weft_spawn(lock_what_my_parent_holds, round);
    round->second = weft_await(child);
    return weft_unlock(&round->mutex[0]);
}

static void a_lock_held_by_the_task_that_awaits_me_is_told(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {0};

        int rc = run_reported(n, await_a_child_that_locks, &round);

        assert_int_equal(rc, 0);
        assert_int_equal(round.first, -EDEADLK);
        assert_int_equal(round.second, -EDEADLK); /* the child's status */
        assert_int_equal(round.reports.count, 3);
    }
}

static int wait_for_task_0(void *arg)
{
    struct round *round = arg;

    round->first = weft_wait(round->task[0]);
    return 0;
}

static int wait_for_a_waiter(void *arg)
{
    struct round *round = arg;

    round->task[0] = weft_self();
    weft_future child = weft_spawn(wait_for_task_0, round);
    until_waits(child);
    round->second = weft_wait(child);
    (void)weft_cancel(child);
    return weft_await(child);
}

static void two_tasks_that_wait_for_each_others_end_are_told(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {0};

        int rc = run_reported(n, wait_for_a_waiter, &round);

        assert_int_equal(rc, 0);
        assert_int_equal(round.first, -ECANCELED);
        assert_int_equal(round.second, -EDEADLK);
        assert_int_equal(round.reports.count, 3);
    }
}

static int sleep_for_ever(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_FOREVER);
}

/* Three sleep; one has ended; one waits for the lock of who gathers them all. */
static int gather_with_one_that_waits(void *arg)
{
    struct round *round = arg;
    weft_future all[5];

    weft_lock(&round->mutex[0]);
    for (int i = 0; i < 3; i++)
        all[i] = weft_spawn(sleep_for_ever, NULL);
    all[3] = weft_spawn(lock_and_unlock, round);
    int status = 7;
    all[4] = weft_promise_new(&round->promise);
    (void)weft_promise_set(round->promise, status); /* the first to be set */
    until_waits(all[3]);
    round->second = weft_gather_n(all, 5, NULL);
    (void)weft_unlock(&round->mutex[0]); /* it is ours */
    round->rc[3] = weft_await(all[3]);
    round->rc[4] = weft_await(all[4]);
    for (int i = 0; i < 3; i++) {
        (void)weft_cancel(all[i]);
        round->rc[i] = weft_await(all[i]);
    }
    return 0;
}

static void a_gather_is_told_whichever_of_its_futures_waits_for_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {0};

        int rc = run_reported(n, gather_with_one_that_waits, &round);

        assert_int_equal(rc, 0);
        assert_int_equal(round.second, -EDEADLK);
        for (int i = 0; i < 3; i++)
            assert_int_equal(round.rc[i], -ECANCELED);
        assert_int_equal(round.rc[3], 0);
        assert_int_equal(round.rc[4], 7);
        assert_int_equal(round.reports.count, 3);
    }
}

/* Mutex, await, gather: task 0 holds mutex 0 and awaits task 1, which gathers task 2 among others,
 * which holds mutex 2 and waits for mutex 0; only then the circle is closed by whom it begins with. */
static int locks_the_first(void *arg)
{
    struct round *round = arg;

    weft_lock(&round->mutex[2]);
    round->rc[2] = weft_lock_cancellable(&round->mutex[0]);
    if (round->rc[2] == 0)
        (void)weft_unlock(&round->mutex[0]); /* it is ours */
    return weft_unlock(&round->mutex[2]);
}

static int gathers_it(void *arg)
{
    struct round *round = arg;
    weft_future slow = weft_promise_new(&round->promise);

    round->task[2] = weft_spawn(locks_the_first, round);
    check_arrive(&round->held);
    round->rc[1] = weft_gather(slow, round->task[2]);
    return 0;
}

static int awaits_it(void *arg)
{
    struct round *round = arg;

    check_latch_init(&round->held, 1);
    weft_lock(&round->mutex[0]);
    round->task[1] = weft_spawn(gathers_it, round);
    int rc = check_latch_wait(&round->held);
    if (rc < 0)
        return rc;
    until_waits(round->task[2]);
    until_waits(round->task[1]);
    round->rc[0] = weft_await(round->task[1]);
    (void)weft_unlock(&round->mutex[0]);       /* it is ours */
    (void)weft_promise_set(round->promise, 0); /* the first to be set */
    return weft_await(round->task[1]);
}

static void a_circle_may_lead_through_mutex_await_and_gather(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {0};

        int rc = run_reported(n, awaits_it, &round);

        assert_int_equal(rc, 0);
        assert_int_equal(round.rc[0], -EDEADLK);
        assert_int_equal(round.rc[1], 0);
        assert_int_equal(round.rc[2], 0);
        assert_int_equal(round.reports.count, 4);
        assert_int_equal(lines_with(&round.reports, "gathers_it ("), 2);
    }
}

/* --- circles with scopes --------------------------------------------------------------------- */

static int close_over_a_waiter(void *arg)
{
    struct round *round = arg;
    weft_scope scope;

    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    weft_lock(&round->mutex[0]);
    weft_future member = weft_scope_spawn(&scope, lock_and_unlock, round);
    (void)weft_scope_spawn(&scope, sleep_for_ever, NULL);
    until_waits(member);
    round->second = weft_scope_close(&scope, 0);
    return weft_unlock(&round->mutex[0]);
}

static void a_scope_whose_member_waits_for_who_closes_it_fails_and_still_ends_all(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {0};

        int rc = run_reported(n, close_over_a_waiter, &round);

        assert_int_equal(rc, 0);
        assert_int_equal(round.first, -ECANCELED);
        assert_int_equal(round.second, -EDEADLK);
        assert_int_equal(round.reports.count, 3);
        assert_int_equal(lines_with(&round.reports, "scope at 0x"), 1);
    }
}

static int start_who_locks(void *arg)
{
    struct round *round = arg;
    weft_scope scope;

    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    round->task[0] = weft_self();
    weft_lock(&round->mutex[0]);
    round->second = weft_scope_start(&scope, lock_what_my_parent_holds, round);
    rc = weft_unlock(&round->mutex[0]);
    return rc < 0 ? rc : weft_scope_close(&scope, 0);
}

static void a_child_that_is_not_ready_yet_is_waited_for(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {0};

        int rc = run_reported(n, start_who_locks, &round);

        assert_int_equal(rc, 0);
        assert_int_equal(round.first, -EDEADLK);
        assert_int_equal(round.second, -EDEADLK); /* its status */
        assert_int_equal(lines_with(&round.reports, "deadlock, wait "), 2);
        assert_int_equal(lines_with(&round.reports, "in weft_scope_start for task"), 1);
    }
}

#define MEMBERS 10000

/* Ten thousand sleep in the scope; one of them wants the lock of who closes it. */
static int close_over_many(void *arg)
{
    struct round *round = arg;
    weft_scope scope;

    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    round->task[0] = weft_self();
    weft_lock(&round->mutex[0]);
    for (int i = 0; i < MEMBERS; i++)
        (void)weft_scope_spawn(&scope, sleep_for_ever, NULL);
    (void)weft_scope_spawn(&scope, lock_what_my_parent_holds, round);
    round->second = weft_scope_close(&scope, 0);
    return weft_unlock(&round->mutex[0]);
}

static void a_member_of_ten_thousand_that_closes_the_circle_is_told(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {0};

        int rc = run_reported(n, close_over_many, &round);

        assert_int_equal(rc, 0);
        assert_int_equal(round.first, -EDEADLK);
        assert_int_equal(round.second, -EDEADLK); /* the member's failure */
        assert_int_equal(round.reports.count, 3);
    }
}

/* --- no circles ------------------------------------------------------------------------------ */

static int await_a_promise_under_lock(void *arg)
{
    struct round *round = arg;

    weft_lock(&round->mutex[0]);
    check_arrive(&round->held);
    int rc = weft_await(round->task[0]);
    (void)weft_unlock(&round->mutex[0]); /* it is ours */
    return rc;
}

/* A task waits for a lock, whose owner awaits a promise, which the first one's awaiter fulfils. */
static int wait_for_one_who_waits_for_a_promise(void *arg)
{
    struct round *round = arg;

    check_latch_init(&round->held, 1);
    round->task[0] = weft_promise_new(&round->promise);
    weft_future holder = weft_spawn(await_a_promise_under_lock, round);
    int rc = check_latch_wait(&round->held);
    until_waits(holder);
    weft_future waiter = weft_spawn(lock_and_unlock, round);
    until_waits(waiter);
    (void)weft_promise_set(round->promise, 0); /* the first to be set */
    return rc < 0 ? rc : weft_gather(holder, waiter);
}

static void a_chain_that_ends_at_a_promise_is_no_circle(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {0};

        int rc = run_reported(n, wait_for_one_who_waits_for_a_promise, &round);

        assert_int_equal(rc, 0);
        assert_int_equal(round.reports.count, 0);
    }
}

/* Has waited for mutex 1 of the first task, and holds mutex 0; waits for an event after that. */
static int lock_two_and_wait(void *arg)
{
    struct round *round = arg;

    weft_lock(&round->mutex[0]);
    weft_lock(&round->mutex[1]);         /* waits */
    (void)weft_unlock(&round->mutex[1]); /* it is ours */
    int rc = check_latch_wait(&round->held);
    (void)weft_unlock(&round->mutex[0]); /* it is ours */
    return rc;
}

static int open_when_it_waits(void *arg)
{
    struct round *round = arg;

    until_waits(round->task[0]);
    check_arrive(&round->held);
    return 0;
}

static int lock_what_is_held_over_an_event(void *arg)
{
    struct round *round = arg;

    check_latch_init(&round->held, 1);
    weft_lock(&round->mutex[1]);
    round->task[0] = weft_self();
    weft_future holder = weft_spawn(lock_two_and_wait, round);
    until_waits(holder);
    (void)weft_unlock(&round->mutex[1]); /* it is ours */
    until_waiting(1, &round->held.open.weft__waiters);
    weft_lock(&round->mutex[1]);
    weft_future opener = weft_spawn(open_when_it_waits, round);
    round->first = weft_lock_cancellable(&round->mutex[0]); /* once the event has come */
    (void)weft_unlock(&round->mutex[0]);
    (void)weft_unlock(&round->mutex[1]); /* both are ours */
    return weft_gather(holder, opener);
}

static void a_wait_that_is_over_is_no_part_of_a_circle(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {0};

        int rc = run_reported(n, lock_what_is_held_over_an_event, &round);

        assert_int_equal(rc, 0);
        assert_int_equal(round.first, 0);
        assert_int_equal(round.reports.count, 0);
    }
}

static int set_when_it_waits(void *arg)
{
    struct round *round = arg;
    struct runtime *runtime = weft__worker()->runtime;
    int rc = check_latch_wait(&round->held);
    struct future *racer = weft__slab_at(&runtime->slab, round->task[0].slot);
    uint32_t seq;

    while (!weft__sleeper_waits(&racer->sleeper, &seq)) /* a race lays no edge */
        let_others_run();
    (void)weft_promise_set(round->promise, 3); /* the first to be set */
    return rc;
}

/* The runner that wants the caller's lock is no reason to wait for: the other one wins. */
static int race_under_lock(void *arg)
{
    struct round *round = arg;
    weft_future runner[2];
    size_t winner = 9;

    weft_lock(&round->mutex[0]);
    runner[0] = weft_spawn(lock_and_unlock, round);
    until_waits(runner[0]);
    check_latch_init(&round->held, 1);
    runner[1] = weft_promise_new(&round->promise);
    weft_future setter = weft_spawn(set_when_it_waits, round);
    round->task[0] = weft_self();
    check_arrive(&round->held);
    round->second = weft_race_n(runner, 2, &winner);
    (void)weft_unlock(&round->mutex[0]); /* it is ours */
    int rc = weft_await(setter);
    return rc < 0 ? rc : (int)winner;
}

static void a_race_does_not_need_all_of_its_futures(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {0};

        int rc = run_reported(n, race_under_lock, &round);

        assert_int_equal(rc, 1);
        assert_int_equal(round.first, -ECANCELED);
        assert_int_equal(round.second, 3);
        assert_int_equal(round.reports.count, 0);
    }
}

/* --- calls that cannot answer ---------------------------------------------------------------- */

static int call_who_locks(void *arg)
{
    struct round *round = arg;

    weft_lock(&round->mutex[0]);
    round->second = weft_call(lock_and_unlock, round);
    return weft_unlock(&round->mutex[0]);
}

static void what_weft_call_runs_is_told_that_the_caller_holds_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct round round = {0};

        int rc = run_reported(n, call_who_locks, &round);

        assert_int_equal(rc, 0);
        assert_int_equal(round.first, -EDEADLK);
        assert_int_equal(round.second, -EDEADLK);
        assert_int_equal(round.reports.count, 3);
        assert_int_equal(lines_with(&round.reports, "in weft_call for"), 1);
    }
}

static int lock_twice(void *arg)
{
    struct round *round = arg;

    weft_lock(&round->mutex[0]);
    weft_lock(&round->mutex[0]); /* for ever */
    return 0;
}

static int lock_1_for_sure(void *arg)
{
    struct round *round = arg;

    weft_lock(&round->mutex[1]); /* for ever */
    return 0;
}

static int call_who_locks_for_sure(void *arg)
{
    struct round *round = arg;

    weft_lock(&round->mutex[1]);
    return weft_call(lock_1_for_sure, round);
}

static int leave_who_waits_for_ever(void *arg)
{
    struct round *round = arg;
    weft_future twice = weft_spawn(lock_twice, round);
    weft_future caller = weft_spawn(call_who_locks_for_sure, round);

    while (atomic_load(&round->reports.count) < 5)
        let_others_run();
    (void)weft_detach(caller); /* it is ours */
    return weft_detach(twice);
}

/* The last test: what it leaves waits on behind the end of main. */
static void where_no_call_can_answer_they_wait_for_ever_and_are_reported(void **state)
{
    static struct round round;
    const weft_options options = {.workers = 2, .shutdown = 1};

    (void)state;
    int rc = run_with_reports(options, &round.reports, leave_who_waits_for_ever, &round);

    assert_int_equal(rc, 0);
    assert_int_equal(lines_with(&round.reports, "deadlock: "), 2);
    assert_int_equal(lines_with(&round.reports, "deadlock, wait "),
                     3); /* the rest is told of the stop */
    assert_int_equal(lines_with(&round.reports, "1 wait forms a circle, and none of the calls"), 1);
    assert_int_equal(lines_with(&round.reports, "2 waits form a circle, and none of the calls"), 1);
    assert_int_equal(lines_with(&round.reports, "in weft_lock for the mutex at 0x"), 2);
    assert_int_equal(lines_with(&round.reports, "in weft_call for task"), 1);
    assert_true(lines_with(&round.reports, "lock_twice (") >= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_closes_a_circle_of_two_mutexes_is_told),
        cmocka_unit_test(who_closes_a_circle_of_five_mutexes_is_told),
        cmocka_unit_test(weft_lock_lets_another_call_of_the_circle_be_told),
        cmocka_unit_test(a_deadline_that_would_end_the_circle_later_changes_nothing),
        cmocka_unit_test(an_await_of_a_task_that_waits_for_my_mutex_is_told_and_consumes_nothing),
        cmocka_unit_test(a_lock_held_by_the_task_that_awaits_me_is_told),
        cmocka_unit_test(two_tasks_that_wait_for_each_others_end_are_told),
        cmocka_unit_test(a_gather_is_told_whichever_of_its_futures_waits_for_it),
        cmocka_unit_test(a_circle_may_lead_through_mutex_await_and_gather),
        cmocka_unit_test(a_scope_whose_member_waits_for_who_closes_it_fails_and_still_ends_all),
        cmocka_unit_test(a_child_that_is_not_ready_yet_is_waited_for),
        cmocka_unit_test(a_member_of_ten_thousand_that_closes_the_circle_is_told),
        cmocka_unit_test(a_chain_that_ends_at_a_promise_is_no_circle),
        cmocka_unit_test(a_wait_that_is_over_is_no_part_of_a_circle),
        cmocka_unit_test(a_race_does_not_need_all_of_its_futures),
        cmocka_unit_test(what_weft_call_runs_is_told_that_the_caller_holds_it),
        cmocka_unit_test(where_no_call_can_answer_they_wait_for_ever_and_are_reported),
    };
    return CHECK_GROUP(tests);
}
