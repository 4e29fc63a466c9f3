/*
 * deadlock_test - a circle of waits is told to one of its calls, and nothing else ever is.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "core/worker.h"
#include "waiting.h"

#define MOST 5

/* What the tasks of one test share. */
struct round {
    int size;
    bool is_void; /* who closes the circle uses weft_lock */
    weft_mutex mutex[MOST];
    struct check_latch held;
    weft_future task[MOST];
    weft_promise promise;
    int rc[MOST];
    int first, second;
    char why[1024];
    _Atomic int reports;
    pthread_mutex_t lock;
    char text[8192]; /* the reports, one a line */
};

struct place {
    struct round *round;
    int number;
};

static void keep_report(void *context, const char *sentence)
{
    struct round *round = context;

    (void)pthread_mutex_lock(&round->lock); /* cannot fail: it is ours, and not recursive */
    size_t used = strlen(round->text);
    (void)snprintf(round->text + used, sizeof round->text - used, "%s\n",
                   sentence); /* may be cut */
    (void)pthread_mutex_unlock(&round->lock);
    atomic_fetch_add(&round->reports, 1);
}

static int run_reported(int workers, weft_fn fn, struct round *round)
{
    const weft_options options = {
        .workers = workers, .report = keep_report, .report_context = round};

    (void)pthread_mutex_init(&round->lock, NULL); /* cannot fail on Linux */
    check_progress();
    int rc = weft_run_with(&options, fn, round);
    check_progress();
    return rc;
}

/* How many lines of the reports have this in them. */
static int lines_with(const struct round *round, const char *words)
{
    int count = 0;

    for (const char *at = round->text; (at = strstr(at, words)); at++)
        count++;
    return count;
}

/* Returns when the task is suspended in a wait for what only another task can end. One that has only
 * announced it may still look for a circle itself. */
static void until_waits(weft_future handle)
{
    struct runtime *runtime = weft__worker()->runtime;
    struct future *future = weft__slab_at(&runtime->slab, handle.slot);
    enum { SUSPENDED = 2 }; /* as in wait.c */

    while (!load_seq(&future->waits_for) || (load_seq(&future->sleeper.word) & 0xff) != SUSPENDED)
        let_others_run();
}

static void keep_why(struct round *round)
{
    (void)snprintf(round->why, sizeof round->why, "%s", weft_why()); /* fits */
}

/* --- circles of mutexes ---------------------------------------------------------------------- */

/* Holds its own mutex and waits for the next one's; the last of them closes the circle. */
static int philosopher(void *arg)
{
    struct place *place = arg;
    struct round *round = place->round;
    int number = place->number;
    weft_mutex *left = &round->mutex[number];
    weft_mutex *right = &round->mutex[(number + 1) % round->size];
    bool closes = number == round->size - 1;

    weft_lock(left);
    check_arrive(&round->held);
    int rc = check_latch_wait(&round->held);
    for (int i = 0; closes && i < round->size - 1; i++)
        until_waits(round->task[i]);
    if (closes && round->is_void)
        weft_lock(right);
    else if (rc == 0)
        rc = weft_lock_cancellable(right);
    if (closes)
        keep_why(round);
    if (rc == 0)
        (void)weft_unlock(right); /* it is ours */
    (void)weft_unlock(left);      /* it is ours */
    round->rc[number] = rc;
    return 0;
}

static int dine(void *arg)
{
    struct round *round = arg;

    check_latch_init(&round->held, (uint32_t)round->size);
    for (int i = 0; i < round->size; i++)
        round->task[i] = weft_spawn_val(philosopher, ((struct place){round, i}));
    return weft_gather_n(round->task, (size_t)round->size, NULL);
}

static void check_circle_of(int workers, int size)
{
    struct round round = {.size = size};

    int rc = run_reported(workers, dine, &round);

    assert_int_equal(rc, 0);
    for (int i = 0; i < size - 1; i++)
        assert_int_equal(round.rc[i], 0);
    assert_int_equal(round.rc[size - 1], -EDEADLK);
    assert_int_equal(round.reports, 1 + size);
    assert_int_equal(lines_with(&round, "philosopher ("), 1 + 2 * size);
    assert_int_equal(lines_with(&round, "deadlock_test.c:"), 1 + 2 * size);
    assert_int_equal(lines_with(&round, "for the mutex at 0x"), size);
    assert_non_null(strstr(round.why, "deadlock_test.c:"));
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
        assert_int_equal(round.reports, 4);
        assert_int_equal(lines_with(&round, "in weft_lock for"), 1);
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
        assert_int_equal(round.reports, 3);
        assert_int_equal(lines_with(&round, "lock_and_unlock ("), 2);
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
        assert_int_equal(round.reports, 3);
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
        assert_int_equal(round.reports, 3);
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
        assert_int_equal(round.reports, 3);
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
        assert_int_equal(round.reports, 4);
        assert_int_equal(lines_with(&round, "gathers_it ("), 2);
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
        assert_int_equal(round.reports, 3);
        assert_int_equal(lines_with(&round, "scope at 0x"), 1);
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
        assert_int_equal(round.reports, 3);
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
        assert_int_equal(round.reports, 0);
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
        assert_int_equal(round.reports, 0);
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
        assert_int_equal(round.reports, 3);
        assert_int_equal(lines_with(&round, "in weft_call for"), 1);
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

    while (atomic_load(&round->reports) < 5)
        let_others_run();
    (void)weft_detach(caller); /* it is ours */
    return weft_detach(twice);
}

/* The last test: what it leaves waits on behind the end of main. */
static void where_no_call_can_answer_they_wait_for_ever_and_are_reported(void **state)
{
    static struct round round;
    const weft_options options = {
        .workers = 2, .shutdown = 1, .report = keep_report, .report_context = &round};

    (void)state;
    (void)pthread_mutex_init(&round.lock, NULL); /* cannot fail on Linux */
    int rc = weft_run_with(&options, leave_who_waits_for_ever, &round);

    assert_int_equal(rc, 0);
    assert_int_equal(round.reports, 2 + 3 + 3); /* three tasks are abandoned */
    assert_int_equal(lines_with(&round, "1 wait forms a circle, and none of the calls"), 1);
    assert_int_equal(lines_with(&round, "2 waits form a circle, and none of the calls"), 1);
    assert_int_equal(lines_with(&round, "in weft_lock for the mutex at 0x"), 2);
    assert_int_equal(lines_with(&round, "in weft_call for task"), 1);
    assert_int_equal(lines_with(&round, "lock_twice ("), 3);
}

/* --- storms ---------------------------------------------------------------------------------- */

#define LOCKS 64

struct storm {
    weft_mutex mutex[LOCKS];
    int value[LOCKS]; /* under the mutex of that number */
    uint64_t seed;
    _Atomic long locked;
    _Atomic int told, wrong, reports, circles;
    _Atomic int planted, lines; /* circles made on purpose, and their reports */
};

struct visitor {
    struct storm *storm;
    uint64_t seed;
    int above; /* locks this number and greater ones only */
    int depth;
};

static void count_report(void *context, const char *sentence)
{
    struct storm *storm = context;

    atomic_fetch_add(&storm->reports, 1);
    if (strstr(sentence, " a circle"))
        atomic_fetch_add(&storm->circles, 1);
}

static int run_storm(int workers, weft_fn fn, struct storm *storm)
{
    const weft_options options = {
        .workers = workers, .report = count_report, .report_context = storm};

    check_progress();
    int rc = weft_run_with(&options, fn, storm);
    check_progress();
    return rc;
}

static int visit(void *arg);

/* Waits, in one of several ways, for children that lock greater numbers only. */
static int with_children(struct visitor *visitor, int above)
{
    weft_future child[3];
    weft_scope scope;
    uint64_t random = check_random(&visitor->seed);
    struct visitor next = {visitor->storm, random, above, visitor->depth + 1};

    if (random % 3 == 0) {
        if (weft_scope_open(&scope) < 0)
            return -EPROTO;
        for (int i = 0; i < 3; i++, next.seed++)
            (void)weft_scope_spawn_val(&scope, visit, next);
        return weft_scope_close(&scope, 0);
    }
    for (int i = 0; i < 3; i++, next.seed++)
        child[i] = weft_spawn_val(visit, next);
    if (random % 3 == 1)
        return weft_gather_n(child, 3, NULL);
    int rc = weft_wait(child[0]);
    for (int i = 0; i < 3; i++) {
        int status = weft_await(child[i]);

        rc = rc < 0 ? rc : status;
    }
    return rc;
}

/* Locks up to three, in ascending order, so that no circle can be; lets others run; has children. */
static int visit(void *arg)
{
    struct visitor *visitor = arg;
    struct storm *storm = visitor->storm;
    int held[3], count = 0, rc = 0;

    for (int at = visitor->above; count < 3 && rc == 0; count++) {
        at += 1 + (int)(check_random(&visitor->seed) % 12);
        if (at >= LOCKS)
            break;
        held[count] = at;
        if (check_random(&visitor->seed) % 4 == 0)
            weft_lock(&storm->mutex[at]);
        else
            rc = weft_lock_cancellable(&storm->mutex[at]);
        if (rc < 0)
            break;
        storm->value[at]++;
        atomic_fetch_add(&storm->locked, 1);
        if (check_random(&visitor->seed) % 4 == 0)
            (void)!weft_yield();
        else if (check_random(&visitor->seed) % 8 == 0)
            (void)!weft_sleep(1);
    }
    if (rc == 0 && visitor->depth < 2 && check_random(&visitor->seed) % 4 == 0)
        rc = with_children(visitor, count ? held[count - 1] : visitor->above);
    while (count-- > 0)
        if (weft_unlock(&storm->mutex[held[count]]) < 0)
            atomic_fetch_add(&storm->wrong, 1);
    check_progress();
    return rc;
}

#define HEALTHY 10000

/* Makes circles of philosophers while the others visit. */
static int plant(void *arg)
{
    struct storm *storm = arg;
    int sizes[] = {2, 5, 3};

    for (int i = 0; i < 30; i++) {
        struct round round = {.size = sizes[i % 3], .is_void = i % 2};
        int told = 0;

        int rc = dine(&round);
        for (int j = 0; j < round.size; j++)
            told += round.rc[j] == -EDEADLK;
        if (rc < 0 || told != 1)
            atomic_fetch_add(&storm->wrong, 1);
        atomic_fetch_add(&storm->planted, 1);
        atomic_fetch_add(&storm->lines, 1 + round.size);
    }
    return 0;
}

static int visit_often(void *arg)
{
    struct storm *storm = arg;
    weft_future task[100];
    weft_future planter = weft_spawn(plant, storm);

    for (int left = HEALTHY; left > 0; left -= 100) {
        for (int i = 0; i < 100; i++)
            task[i] =
                weft_spawn_val(visit, ((struct visitor){storm, check_random(&storm->seed), -1, 0}));
        int rc = weft_gather_n(task, 100, NULL);
        if (rc < 0)
            return rc;
    }
    return weft_await(planter);
}

static void among_ten_thousand_tasks_that_lock_in_order_only_true_circles_are_told(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        static struct storm storm;
        long sum = 0;

        memset(&storm, 0, sizeof storm);
        storm.seed = seed;
        int rc = run_storm(n, visit_often, &storm);

        assert_int_equal(rc, 0);
        assert_int_equal(storm.wrong, 0);
        assert_int_equal(storm.circles, storm.planted);
        assert_int_equal(storm.reports, storm.lines);
        for (int i = 0; i < LOCKS; i++)
            sum += storm.value[i];
        assert_int_equal(sum, storm.locked);
    }
}

#define PATIENT       12
#define PATIENT_LOCKS 6
#define PATIENT_TURNS 500

/* Locks three of six in ascending order, over and over: who let go of a lock a moment ago may wait for
 * one that a waiter of that lock holds. */
static int lock_in_order(void *arg)
{
    struct visitor *visitor = arg;
    struct storm *storm = visitor->storm;

    for (int turn = 0; turn < PATIENT_TURNS; turn++) {
        int held[PATIENT_LOCKS], count = 0, rc = 0;

        for (int at = 0; at < PATIENT_LOCKS && rc == 0; at++) {
            uint64_t random = check_random(&visitor->seed);

            if (random % 2)
                continue;
            rc = weft_lock_cancellable(&storm->mutex[at]);
            if (rc < 0)
                break;
            held[count++] = at;
            storm->value[at]++;
            atomic_fetch_add(&storm->locked, 1);
            if (random / 2 % 4 == 0)
                (void)!weft_yield();
        }
        while (count-- > 0)
            if (weft_unlock(&storm->mutex[held[count]]) < 0)
                atomic_fetch_add(&storm->wrong, 1);
        if (rc < 0)
            return rc;
        check_progress();
    }
    return 0;
}

static int lock_many_in_order(void *arg)
{
    struct storm *storm = arg;
    weft_future task[PATIENT];

    for (int i = 0; i < PATIENT; i++)
        task[i] = weft_spawn_val(lock_in_order,
                                 ((struct visitor){storm, check_random(&storm->seed), -1, 0}));
    return weft_gather_n(task, PATIENT, NULL);
}

static void a_chain_whose_parts_held_at_different_times_is_no_circle(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        static struct storm storm;

        memset(&storm, 0, sizeof storm);
        storm.seed = seed;
        int rc = run_storm(n, lock_many_in_order, &storm);

        assert_int_equal(rc, 0);
        assert_int_equal(storm.wrong, 0);
        assert_int_equal(storm.reports, 0);
    }
}

#define GREEDY       12
#define GREEDY_LOCKS 5
#define GREEDY_TURNS 300

static int lock_now(void *mutex) { return weft_lock_cancellable(mutex); }

/* Mostly as long as it takes; sometimes the time is short. */
static int lock_somehow(struct visitor *visitor, int at)
{
    uint64_t random = check_random(&visitor->seed);

    if (random % 4)
        return weft_lock_cancellable(&visitor->storm->mutex[at]);
    return weft_timeout(weft_us((int64_t)(random / 4 % 50)), lock_now, &visitor->storm->mutex[at]);
}

/* Locks three of five in any order; when told, lets go of all and tries again. A circle that nobody
 * were told of would stop the test for good. */
static int grab(void *arg)
{
    struct visitor *visitor = arg;
    struct storm *storm = visitor->storm;

    for (int turn = 0; turn < GREEDY_TURNS;) {
        int held[3], count = 0, rc = 0;

        while (count < 3 && rc == 0) {
            int at = (int)(check_random(&visitor->seed) % GREEDY_LOCKS);
            bool is_mine = false;

            for (int i = 0; i < count; i++)
                is_mine |= held[i] == at;
            if (is_mine)
                continue;
            rc = lock_somehow(visitor, at);
            if (rc < 0)
                break;
            held[count++] = at;
            storm->value[at]++;
            atomic_fetch_add(&storm->locked, 1);
            if (check_random(&visitor->seed) % 2)
                (void)!weft_yield();
        }
        while (count-- > 0)
            if (weft_unlock(&storm->mutex[held[count]]) < 0)
                atomic_fetch_add(&storm->wrong, 1);
        if (rc == -EDEADLK)
            atomic_fetch_add(&storm->told, 1);
        else if (rc < 0 && rc != -ETIMEDOUT)
            return rc;
        else
            turn++;
        check_progress();
    }
    return 0;
}

static int grab_many(void *arg)
{
    struct storm *storm = arg;
    weft_future task[GREEDY];

    for (int i = 0; i < GREEDY; i++)
        task[i] =
            weft_spawn_val(grab, ((struct visitor){storm, check_random(&storm->seed), -1, 0}));
    return weft_gather_n(task, GREEDY, NULL);
}

static void tasks_that_lock_in_any_order_all_come_through(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        static struct storm storm;
        long sum = 0;

        memset(&storm, 0, sizeof storm);
        storm.seed = seed;
        int rc = run_storm(n, grab_many, &storm);

        assert_int_equal(rc, 0);
        assert_int_equal(storm.wrong, 0);
        assert_true(storm.told > 0);
        assert_int_equal(storm.circles, storm.told); /* one circle, one answer */
        for (int i = 0; i < LOCKS; i++)
            sum += storm.value[i];
        assert_int_equal(sum, storm.locked);
    }
}

/* A parent holds a lock that some of its children want, by weft_lock, so that the parent is told. */
#define FAMILY 6

struct family {
    struct storm *storm;
    int lock;
    uint64_t seed;
    _Atomic int ended;
};

struct child {
    struct family *family;
    uint64_t seed;
};

static int grow_up(void *arg)
{
    struct child *child = arg;
    struct family *family = child->family;
    uint64_t random = check_random(&child->seed);

    for (uint64_t i = random / 8 % 4; i > 0; i--)
        (void)!weft_yield();
    if (random % 2) {
        weft_lock(&family->storm->mutex[family->lock]);
        family->storm->value[family->lock]++;
        (void)weft_unlock(&family->storm->mutex[family->lock]); /* it is ours */
        atomic_fetch_add(&family->storm->locked, 1);
    }
    atomic_fetch_add(&family->ended, 1);
    return (int)(random % 2);
}

static int raise(void *arg)
{
    struct visitor *visitor = arg;
    struct storm *storm = visitor->storm;

    for (int turn = 0; turn < 50; turn++) {
        struct family family = {.storm = storm, .lock = visitor->above};
        weft_future child[FAMILY];
        int status[FAMILY];

        weft_lock(&storm->mutex[family.lock]);
        for (int i = 0; i < FAMILY; i++)
            child[i] =
                weft_spawn_val(grow_up, ((struct child){&family, check_random(&visitor->seed)}));
        int rc = weft_gather_n(child, FAMILY, status);
        (void)weft_unlock(&storm->mutex[family.lock]); /* it is ours */
        if (rc == -EDEADLK) {
            atomic_fetch_add(&storm->told, 1);
            rc = weft_gather_settled_n(child, FAMILY, status);
        }
        if (rc < 0 || family.ended != FAMILY)
            atomic_fetch_add(&storm->wrong, 1);
        check_progress();
    }
    return 0;
}

static int raise_many(void *arg)
{
    struct storm *storm = arg;
    weft_future task[16];

    for (int i = 0; i < 16; i++) /* four for each lock: chains of families */
        task[i] =
            weft_spawn_val(raise, ((struct visitor){storm, check_random(&storm->seed), i / 4, 0}));
    return weft_gather_n(task, 16, NULL);
}

static void parents_that_are_told_lose_no_child(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        static struct storm storm;
        long sum = 0;

        memset(&storm, 0, sizeof storm);
        storm.seed = seed;
        int rc = run_storm(n, raise_many, &storm);

        assert_int_equal(rc, 0);
        assert_int_equal(storm.wrong, 0);
        assert_true(storm.told > 0);
        assert_int_equal(storm.circles, storm.told);
        for (int i = 0; i < LOCKS; i++)
            sum += storm.value[i];
        assert_int_equal(sum, storm.locked);
    }
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
        cmocka_unit_test(a_member_of_ten_thousand_that_closes_the_circle_is_told),
        cmocka_unit_test(a_chain_that_ends_at_a_promise_is_no_circle),
        cmocka_unit_test(a_race_does_not_need_all_of_its_futures),
        cmocka_unit_test(what_weft_call_runs_is_told_that_the_caller_holds_it),
        cmocka_unit_test(among_ten_thousand_tasks_that_lock_in_order_only_true_circles_are_told),
        cmocka_unit_test(a_chain_whose_parts_held_at_different_times_is_no_circle),
        cmocka_unit_test(tasks_that_lock_in_any_order_all_come_through),
        cmocka_unit_test(parents_that_are_told_lose_no_child),
        cmocka_unit_test(where_no_call_can_answer_they_wait_for_ever_and_are_reported),
    };
    return CHECK_GROUP(tests);
}
