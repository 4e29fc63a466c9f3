/*
 * mutex_test - one holder at a time, handed over in order, to tasks, jobs and threads.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

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

static int lock_and_keep(void *mutex)
{
    weft_lock(mutex);
    return 0;
}

static int unlock_and_try(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    weft_future next = weft_spawn(lock_and_keep, &line->mutex);
    until_waiting(1, &line->mutex.weft__waiters);
    int rc = weft_unlock(&line->mutex);
    line->tried = weft_try_lock(&line->mutex);
    return rc < 0 ? rc : weft_await(next);
}

static void nobody_gets_ahead_of_who_waits(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

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
    };
    return CHECK_GROUP(tests);
}
