/*
 * mutex_test - one holder at a time, handed over in order, to tasks, jobs and threads; what becomes of
 * it when its owner ends.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "waiting.h"

#define WAITERS 5

static void a_free_mutex_is_locked_and_unlocked(void **state)
{
    weft_mutex mutex = WEFT_MUTEX_INIT;

    (void)state;
    assert_int_equal(weft_lock_cancellable(&mutex), 0);
    assert_int_equal(weft_try_lock(&mutex), -EAGAIN);
    assert_int_equal(weft_unlock(&mutex), 0);
    weft_lock(&mutex);
    assert_int_equal(weft_unlock(&mutex), 0);
    assert_int_equal(weft_try_lock(&mutex), 0);
    assert_int_equal(weft_unlock(&mutex), 0);
}

static void who_holds_it_is_told_when_locking_twice(void **state)
{
    weft_mutex mutex = WEFT_MUTEX_INIT;

    (void)state;
    weft_lock(&mutex);
    assert_int_equal(weft_lock_cancellable(&mutex), -EDEADLK);
    assert_int_equal(weft_unlock(&mutex), 0);
    assert_int_equal(weft_unlock(&mutex), -EPERM);
}

struct line {
    weft_mutex mutex;
    int arrived; /* under the mutex */
    int order[WAITERS];
    int rc[WAITERS];
    int tried; /* by the one who has just unlocked it */
    int rc_twice, rc_stranger;
    struct check_latch latch;
    weft_future future[WAITERS];
};

struct place {
    struct line *line;
    int number;
};

static int lock_twice(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    (void)weft_yield(); /* perhaps on another worker from here */
    line->rc_twice = weft_lock_cancellable(&line->mutex);
    return weft_unlock(&line->mutex);
}

static void a_task_that_holds_it_is_told_when_locking_twice(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

        int rc = check_run(n, lock_twice, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc_twice, -EDEADLK);
    }
}

static int unlock(void *mutex) { return weft_unlock(mutex); }

static int take_turn(void *arg)
{
    struct place *place = arg;
    struct line *line = place->line;

    line->rc[place->number] = weft_lock_cancellable(&line->mutex);
    if (line->rc[place->number] < 0)
        return 0;
    line->order[line->arrived++] = place->number;
    (void)weft_yield();
    return weft_unlock(&line->mutex);
}

/* Spawns the waiters so that they queue in the order of their numbers. */
static void form_line(struct line *line)
{
    for (int i = 0; i < WAITERS; i++) {
        line->order[i] = -1;
        line->future[i] = weft_spawn_val(take_turn, ((struct place){line, i}));
        until_waiting(i + 1, &line->mutex.weft__waiters);
    }
}

static int strangers_unlock(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    line->rc[0] = weft_await(weft_spawn(unlock, &line->mutex));
    line->rc[1] = weft_await(weft_offload(weft_cpu(), unlock, &line->mutex));
    line->tried = weft_try_lock(&line->mutex);
    return weft_unlock(&line->mutex);
}

static void a_stranger_cannot_unlock_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

        int rc = check_run(n, strangers_unlock, &line);

        assert_int_equal(line.rc[0], -EPERM);
        assert_int_equal(line.rc[1], -EPERM);
        assert_int_equal(line.tried, -EAGAIN);
        assert_int_equal(rc, 0);
        assert_int_equal(weft_unlock(&line.mutex), -EPERM);
    }
}

static int unlock_with_waiters(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    form_line(line);
    line->rc_stranger = weft_await(weft_spawn(unlock, &line->mutex));
    int rc = weft_unlock(&line->mutex);
    if (rc < 0)
        return rc;
    weft_lock(&line->mutex); /* behind all the others */
    rc = line->arrived == WAITERS ? weft_unlock(&line->mutex) : -EBADMSG;
    return rc < 0 ? rc : weft_gather_n(line->future, WAITERS, NULL);
}

static void it_goes_to_those_who_wait_in_the_order_of_arrival(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

        int rc = check_run(n, unlock_with_waiters, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc_stranger, -EPERM);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(line.order[i], i);
    }
}

static int lock_and_keep(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    int rc = check_latch_wait(&line->latch);
    (void)weft_unlock(&line->mutex); /* it is ours */
    return rc;
}

static int unlock_and_try(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    weft_future next = weft_spawn(lock_and_keep, line);
    until_waiting(1, &line->mutex.weft__waiters);
    int rc = weft_unlock(&line->mutex);
    line->tried = weft_try_lock(&line->mutex);
    check_arrive(&line->latch);
    return rc < 0 ? rc : weft_await(next);
}

static void nobody_gets_ahead_of_who_waits(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT, .latch = CHECK_LATCH_INIT(1)};

        int rc = check_run(n, unlock_and_try, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.tried, -EAGAIN);
    }
}

static int cancel_first_and_third(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    form_line(line);
    (void)weft_cancel(line->future[0]);
    (void)weft_cancel(line->future[2]);
    int rc = weft_unlock(&line->mutex);
    return rc < 0 ? rc : weft_gather_n(line->future, WAITERS, NULL);
}

static void the_turn_of_a_cancelled_waiter_goes_to_the_next(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

        int rc = check_run(n, cancel_first_and_third, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc[0], -ECANCELED);
        assert_int_equal(line.rc[2], -ECANCELED);
        assert_int_equal(line.arrived, 3);
        assert_int_equal(line.order[0], 1);
        assert_int_equal(line.order[1], 3);
        assert_int_equal(line.order[2], 4);
        assert_int_equal(weft_try_lock(&line.mutex), 0);
    }
}

static int cancel_all(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    form_line(line);
    for (int i = 0; i < WAITERS; i++)
        (void)weft_cancel(line->future[i]);
    int rc = weft_unlock(&line->mutex);
    line->tried = weft_try_lock(&line->mutex);
    return rc < 0 ? rc : weft_gather_n(line->future, WAITERS, NULL);
}

static void it_is_free_when_all_who_waited_are_cancelled(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

        int rc = check_run(n, cancel_all, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.tried, 0);
        assert_int_equal(line.arrived, 0);
    }
}

static int lock_when_cancelled(void *arg)
{
    struct line *line = arg;

    (void)weft_cancel(weft_self());
    line->rc[0] = weft_lock_cancellable(&line->mutex);
    weft_lock(&line->mutex);
    return weft_unlock(&line->mutex);
}

static void a_cancelled_task_locks_it_only_with_weft_lock(void **state)
{
    struct line line = {.mutex = WEFT_MUTEX_INIT};

    (void)state;
    int rc = check_run(1, lock_when_cancelled, &line);

    assert_int_equal(line.rc[0], -ECANCELED);
    assert_int_equal(rc, 0);
}

static int lock_for_sure(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    line->arrived++;
    return weft_unlock(&line->mutex);
}

static int cancel_who_locks_for_sure(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    weft_future future = weft_spawn(lock_for_sure, line);
    until_waiting(1, &line->mutex.weft__waiters);
    (void)weft_cancel(future);
    for (int i = 0; i < 10; i++)
        (void)weft_yield();
    line->tried = line->arrived;
    int rc = weft_unlock(&line->mutex);
    return rc < 0 ? rc : weft_await(future);
}

static void weft_lock_waits_on_although_it_is_cancelled(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

        int rc = check_run(n, cancel_who_locks_for_sure, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.tried, 0);
        assert_int_equal(line.arrived, 1);
    }
}

static int lock(void *mutex) { return weft_lock_cancellable(mutex); }

static int lock_within_a_millisecond(void *mutex) { return weft_timeout(weft_ms(1), lock, mutex); }

static void a_time_out_ends_the_wait_and_leaves_the_holder(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_mutex mutex = WEFT_MUTEX_INIT;

        weft_lock(&mutex);
        int rc = check_run(n, lock_within_a_millisecond, &mutex);

        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(weft_unlock(&mutex), 0);
        assert_int_equal(weft_try_lock(&mutex), 0);
    }
}

/* Tasks, jobs and plain threads count together, on a number that the mutex alone protects. */
#define ROUNDS 300

struct counter {
    weft_mutex mutex;
    long value;
};

static int count(void *arg)
{
    struct counter *counter = arg;

    for (int i = 0; i < ROUNDS; i++) {
        if (i % 2)
            weft_lock(&counter->mutex);
        else if (weft_lock_cancellable(&counter->mutex) < 0)
            return -EBADMSG;
        long value = counter->value;
        if (i % 16 == 0)
            let_others_run();
        counter->value = value + 1;
        if (weft_unlock(&counter->mutex) < 0)
            return -EBADMSG;
    }
    return 0;
}

static void *count_in_thread(void *counter) { return count(counter) == 0 ? counter : NULL; }

static int count_in_many(void *counter)
{
    weft_future future[10];

    for (int i = 0; i < 8; i++)
        future[i] = weft_spawn(count, counter);
    for (int i = 8; i < 10; i++)
        future[i] = weft_offload(weft_cpu(), count, counter);
    return weft_gather_n(future, 10, NULL);
}

static void tasks_jobs_and_threads_exclude_each_other(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct counter counter = {.mutex = WEFT_MUTEX_INIT};
        pthread_t thread[2];
        void *done[2];

        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, count_in_thread, &counter), 0);
        int rc = check_run(n, count_in_many, &counter);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_join(thread[i], &done[i]), 0);

        assert_int_equal(rc, 0);
        assert_true(done[0] && done[1]);
        assert_int_equal(counter.value, 12 * ROUNDS);
    }
}

/* The last of four that hold an object frees it, mutex and all, as soon as it has unlocked. */
struct shared {
    weft_mutex mutex;
    int holders;
};

static int let_go(void *arg)
{
    struct shared *shared = arg;

    weft_lock(&shared->mutex);
    bool last = --shared->holders == 0;
    int rc = weft_unlock(&shared->mutex);
    if (last)
        free(shared);
    return rc;
}

static int make_and_let_go(void *arg)
{
    (void)arg;
    for (int round = 0; round < 200; round++) {
        struct shared *shared = calloc(1, sizeof *shared);
        if (!shared)
            return -ENOMEM;
        shared->holders = 4;
        int rc = weft_gather(weft_spawn(let_go, shared), weft_spawn(let_go, shared),
                             weft_spawn(let_go, shared), weft_spawn(let_go, shared));
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void the_last_holder_may_free_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, make_and_let_go, NULL), 0);
}

/* The same after a cancelled waiter: unlock still looks into the line, and finds nobody. */
struct passing {
    weft_mutex *mutex;
    struct check_latch locked, queued;
};

static int lock_and_unlock(void *arg)
{
    struct passing *passing = arg;

    weft_lock(passing->mutex);
    check_arrive(&passing->locked);
    int rc = check_latch_wait(&passing->queued);
    (void)weft_unlock(passing->mutex); /* it is ours */
    return rc;
}

static int cancel_lock_and_free(void *arg)
{
    (void)arg;
    for (int round = 0; round < 200; round++) {
        struct passing passing = {calloc(1, sizeof *passing.mutex), CHECK_LATCH_INIT(1),
                                  CHECK_LATCH_INIT(1)};
        if (!passing.mutex)
            return -ENOMEM;
        weft_future holder = weft_spawn(lock_and_unlock, &passing);
        int rc = check_latch_wait(&passing.locked);
        weft_future waiter = weft_spawn(lock, passing.mutex);
        until_waiting(1, &passing.mutex->weft__waiters);
        (void)weft_cancel(waiter);
        if (rc < 0 || weft_await(waiter) != -ECANCELED)
            return -EBADMSG;
        check_arrive(&passing.queued);
        while (weft_try_lock(passing.mutex) < 0)
            let_others_run();
        rc = weft_unlock(passing.mutex);
        free(passing.mutex);
        if (rc == 0)
            rc = weft_await(holder);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void it_may_be_freed_although_others_were_cancelled(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, cancel_lock_and_free, NULL), 0);
}

/* --- owners that end ------------------------------------------------------------------------- */

static int lock_and_unlock_for_sure(void *mutex)
{
    weft_lock(mutex);
    return weft_unlock(mutex);
}

struct estate {
    weft_mutex mutex[3];
    int locked;   /* how many the task locks, from the first */
    int order[3]; /* in which it unlocks, then -1 */
    int rc[3];
    int first, second, third;
    struct check_latch held;
    _Atomic int reports;
    char text[2048]; /* the last report */
};

static void keep_report(void *context, const char *sentence)
{
    struct estate *estate = context;

    if (atomic_fetch_add(&estate->reports, 1) < 3) /* one task reports: no two at once */
        (void)snprintf(estate->text, sizeof estate->text, "%s", sentence); /* may be cut */
}

static int run_reported(int workers, weft_fn fn, struct estate *estate)
{
    const weft_options options = {
        .workers = workers, .report = keep_report, .report_context = estate};

    check_progress();
    return weft_run_with(&options, fn, estate);
}

/* Locks some, unlocks some of them, and ends. */
static int lock_some_and_end(void *arg)
{
    struct estate *estate = arg;
    int rc = 0;

    for (int i = 0; i < estate->locked; i++)
        weft_lock(&estate->mutex[i]);
    for (int i = 0; i < 3 && estate->order[i] >= 0 && rc == 0; i++)
        rc = weft_unlock(&estate->mutex[estate->order[i]]);
    return rc;
}

static int inherit(void *arg)
{
    struct estate *estate = arg;

    estate->first = weft_await(weft_spawn(lock_some_and_end, estate));
    for (int i = 0; i < 3; i++) {
        estate->rc[i] = weft_lock_cancellable(&estate->mutex[i]);
        if (weft_unlock(&estate->mutex[i]) < 0)
            return -EBADMSG;
    }
    return 0;
}

static void whatever_is_not_unlocked_in_whatever_order_is_inherited(void **state)
{
    static const int orders[][3] = {{-1, -1, -1}, {0, -1, -1}, {1, -1, -1}, {2, -1, -1},
                                    {0, 1, -1},   {1, 0, -1},  {0, 2, -1},  {2, 0, -1},
                                    {1, 2, -1},   {2, 1, -1},  {0, 1, 2},   {0, 2, 1},
                                    {1, 0, 2},    {1, 2, 0},   {2, 0, 1},   {2, 1, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        struct estate estate = {.locked = 3};
        int kept = 3;

        memcpy(estate.order, orders[i], sizeof estate.order);
        int rc = run_reported(2, inherit, &estate);

        assert_int_equal(rc, 0);
        assert_int_equal(estate.first, 0);
        for (int m = 0; m < 3; m++) {
            bool unlocked = estate.order[0] == m || estate.order[1] == m || estate.order[2] == m;

            kept -= unlocked;
            assert_int_equal(estate.rc[m], unlocked ? 0 : -EOWNERDEAD);
        }
        assert_int_equal(estate.reports, kept);
    }
}

static int end_once_they_wait(void *arg)
{
    struct estate *estate = arg;

    weft_lock(&estate->mutex[0]);
    check_arrive(&estate->held);
    until_waiting(2, &estate->mutex[0].weft__waiters);
    return 7;
}

static int lock_and_tell(void *arg)
{
    struct estate *estate = arg;
    int rc = weft_lock_cancellable(&estate->mutex[0]);

    return weft_unlock(&estate->mutex[0]) < 0 ? -EBADMSG : rc;
}

static int wait_for_an_estate(void *arg)
{
    struct estate *estate = arg;

    check_latch_init(&estate->held, 1);
    weft_future owner = weft_spawn(end_once_they_wait, estate);
    int rc = check_latch_wait(&estate->held);
    weft_future heir = weft_spawn(lock_and_tell, estate);
    until_waiting(1, &estate->mutex[0].weft__waiters);
    weft_future next = weft_offload(weft_cpu(), lock_and_tell, estate);
    estate->first = weft_await(owner);
    estate->second = weft_await(heir);
    estate->third = weft_await(next);
    return rc;
}

static void the_first_who_waits_for_a_dead_owner_is_told_and_holds_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct estate estate = {.locked = 0};

        int rc = run_reported(n, wait_for_an_estate, &estate);

        assert_int_equal(rc, 0);
        assert_int_equal(estate.first, 7);
        assert_int_equal(estate.second, -EOWNERDEAD);
        assert_int_equal(estate.third, 0);
        assert_int_equal(estate.reports, 1);
        assert_non_null(strstr(estate.text, "end_once_they_wait ("));
        assert_non_null(strstr(estate.text, "mutex_test.c:"));
    }
}

static void a_thread_is_told_after_the_run_of_the_dead_owner(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct estate estate = {.locked = 2, .order = {-1, -1, -1}};

        int rc = run_reported(n, lock_some_and_end, &estate);

        assert_int_equal(rc, 0);
        assert_int_equal(weft_lock_cancellable(&estate.mutex[0]), -EOWNERDEAD);
        assert_int_equal(weft_try_lock(&estate.mutex[0]), -EAGAIN);
        assert_int_equal(weft_unlock(&estate.mutex[0]), 0);
        assert_int_equal(weft_lock_cancellable(&estate.mutex[0]), 0);
        assert_int_equal(weft_unlock(&estate.mutex[0]), 0);
        assert_int_equal(weft_try_lock(&estate.mutex[1]), -EOWNERDEAD);
        assert_int_equal(weft_unlock(&estate.mutex[1]), 0);
        assert_int_equal(weft_try_lock(&estate.mutex[1]), 0);
    }
}

static void weft_lock_passes_the_news_on_to_who_can_be_told(void **state)
{
    struct estate estate = {.locked = 1, .order = {-1, -1, -1}};

    (void)state;
    int rc = run_reported(1, lock_some_and_end, &estate);

    assert_int_equal(rc, 0);
    for (int i = 0; i < 3; i++) {
        weft_lock(&estate.mutex[0]);
        assert_int_equal(weft_try_lock(&estate.mutex[0]), -EAGAIN);
        assert_int_equal(weft_unlock(&estate.mutex[0]), 0);
    }
    assert_int_equal(weft_lock_cancellable(&estate.mutex[0]), -EOWNERDEAD);
    assert_int_equal(weft_unlock(&estate.mutex[0]), 0);
}

/* The owner ends; one waits who cannot be told; behind him one who can, and one more. */
static int wait_in_three_ways(void *arg)
{
    struct estate *estate = arg;
    weft_future waiter[3];

    check_latch_init(&estate->held, 1);
    weft_lock(&estate->mutex[1]); /* the owner waits for it */
    weft_future owner = weft_spawn(lock_some_and_end, estate);
    until_waiting(1, &estate->mutex[1].weft__waiters);
    waiter[0] = weft_spawn(lock_and_unlock_for_sure, &estate->mutex[0]);
    until_waiting(1, &estate->mutex[0].weft__waiters);
    waiter[1] = weft_spawn(lock_and_tell, estate);
    until_waiting(2, &estate->mutex[0].weft__waiters);
    waiter[2] = weft_spawn(lock_and_tell, estate);
    until_waiting(3, &estate->mutex[0].weft__waiters);
    (void)weft_unlock(&estate->mutex[1]); /* it is ours */
    int rc = weft_await(owner);
    for (int i = 0; i < 3; i++)
        estate->rc[i] = weft_await(waiter[i]);
    return rc;
}

static void a_waiter_that_cannot_be_told_passes_the_news_to_the_next(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct estate estate = {.locked = 2, .order = {1, -1, -1}};

        int rc = run_reported(n, wait_in_three_ways, &estate);

        assert_int_equal(rc, 0);
        assert_int_equal(estate.rc[0], 0);
        assert_int_equal(estate.rc[1], -EOWNERDEAD);
        assert_int_equal(estate.rc[2], 0);
        assert_int_equal(estate.reports, 1);
    }
}

static int wait_and_end(void *arg)
{
    struct estate *estate = arg;

    weft_lock(&estate->mutex[0]); /* handed over */
    return 0;
}

static int hand_it_to_who_ends(void *arg)
{
    struct estate *estate = arg;

    weft_lock(&estate->mutex[0]);
    weft_future heir = weft_spawn(wait_and_end, estate);
    until_waiting(1, &estate->mutex[0].weft__waiters);
    (void)weft_unlock(&estate->mutex[0]); /* it is ours */
    int rc = weft_await(heir);
    estate->first = weft_lock_cancellable(&estate->mutex[0]);
    return rc < 0 ? rc : weft_unlock(&estate->mutex[0]);
}

static void one_that_was_handed_over_is_inherited_too(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct estate estate = {.locked = 0};

        int rc = run_reported(n, hand_it_to_who_ends, &estate);

        assert_int_equal(rc, 0);
        assert_int_equal(estate.first, -EOWNERDEAD);
        assert_int_equal(estate.reports, 1);
    }
}

/* Makes the middle one of three anew while it holds it. */
static int forget_the_middle(void *arg)
{
    struct estate *estate = arg;

    for (int i = 0; i < 3; i++)
        weft_lock(&estate->mutex[i]);
    estate->mutex[1] = (weft_mutex)WEFT_MUTEX_INIT;
    int rc = weft_unlock(&estate->mutex[2]);
    return rc < 0 ? rc : weft_unlock(&estate->mutex[0]);
}

static void a_mutex_made_anew_while_it_is_held_harms_no_other(void **state)
{
    struct estate estate = {.locked = 0};

    (void)state;
    int rc = run_reported(1, forget_the_middle, &estate);

    assert_int_equal(rc, 0);
    assert_int_equal(estate.reports, 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(weft_try_lock(&estate.mutex[i]), 0);
}

/* A member waits for a mutex whose owner has returned with both the mutex and the scope open. */
static int leave_all_behind(void *arg)
{
    static weft_scope scope; /* what lay on the frame would be gone for the sanitizer */
    struct estate *estate = arg;

    if (weft_scope_open(&scope) < 0)
        return -EPROTO;
    weft_lock(&estate->mutex[0]);
    (void)weft_scope_spawn(&scope, lock_and_unlock_for_sure, &estate->mutex[0]);
    until_waiting(1, &estate->mutex[0].weft__waiters);
    return 0;
}

static int await_who_leaves_all(void *arg) { return weft_await(weft_spawn(leave_all_behind, arg)); }

static void the_members_of_a_scope_left_open_get_what_its_owner_held(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct estate estate = {.locked = 0};

        int rc = run_reported(n, await_who_leaves_all, &estate);

        assert_int_equal(rc, 0);
        assert_int_equal(estate.reports, 2);
        assert_int_equal(weft_try_lock(&estate.mutex[0]), -EOWNERDEAD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_free_mutex_is_locked_and_unlocked),
        cmocka_unit_test(who_holds_it_is_told_when_locking_twice),
        cmocka_unit_test(a_task_that_holds_it_is_told_when_locking_twice),
        cmocka_unit_test(a_stranger_cannot_unlock_it),
        cmocka_unit_test(it_goes_to_those_who_wait_in_the_order_of_arrival),
        cmocka_unit_test(nobody_gets_ahead_of_who_waits),
        cmocka_unit_test(the_turn_of_a_cancelled_waiter_goes_to_the_next),
        cmocka_unit_test(it_is_free_when_all_who_waited_are_cancelled),
        cmocka_unit_test(a_cancelled_task_locks_it_only_with_weft_lock),
        cmocka_unit_test(weft_lock_waits_on_although_it_is_cancelled),
        cmocka_unit_test(a_time_out_ends_the_wait_and_leaves_the_holder),
        cmocka_unit_test(tasks_jobs_and_threads_exclude_each_other),
        cmocka_unit_test(the_last_holder_may_free_it),
        cmocka_unit_test(it_may_be_freed_although_others_were_cancelled),
        cmocka_unit_test(whatever_is_not_unlocked_in_whatever_order_is_inherited),
        cmocka_unit_test(the_first_who_waits_for_a_dead_owner_is_told_and_holds_it),
        cmocka_unit_test(a_thread_is_told_after_the_run_of_the_dead_owner),
        cmocka_unit_test(weft_lock_passes_the_news_on_to_who_can_be_told),
        cmocka_unit_test(a_waiter_that_cannot_be_told_passes_the_news_to_the_next),
        cmocka_unit_test(one_that_was_handed_over_is_inherited_too),
        cmocka_unit_test(a_mutex_made_anew_while_it_is_held_harms_no_other),
        cmocka_unit_test(the_members_of_a_scope_left_open_get_what_its_owner_held),
    };
    return CHECK_GROUP(tests);
}
