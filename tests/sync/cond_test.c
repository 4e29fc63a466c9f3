/*
 * cond_test - whoever returns from a wait holds the mutex, and no notify is lost.
 */
#include <errno.h>
#include <pthread.h>

#include "check.h"
#include "waiting.h"

#define WAITERS 5

static void without_the_mutex_nobody_waits(void **state)
{
    weft_mutex mutex = WEFT_MUTEX_INIT;
    weft_cond cond = WEFT_COND_INIT;

    (void)state;
    assert_int_equal(weft_cond_wait(&cond, &mutex), -EPERM);
    assert_int_equal(weft_try_lock(&mutex), 0);
}

struct line {
    weft_mutex mutex;
    weft_cond cond;
    int woken; /* from here on under the mutex */
    int order[WAITERS];
    int rc[WAITERS];
    int held[WAITERS]; /* what weft_unlock said after the wait: 0 if the mutex was held */
    weft_future future[WAITERS];
};

struct place {
    struct line *line;
    int number;
};

static int wait_in_line(void *arg)
{
    struct place *place = arg;
    struct line *line = place->line;

    weft_lock(&line->mutex);
    line->rc[place->number] = weft_cond_wait(&line->cond, &line->mutex);
    if (line->rc[place->number] == 0)
        line->order[line->woken++] = place->number;
    line->held[place->number] = weft_unlock(&line->mutex);
    return 0;
}

/* Spawns the waiters so that they queue in the order of their numbers. */
static void form_line(struct line *line, int waiters)
{
    for (int i = 0; i < waiters; i++) {
        line->order[i] = -1;
        line->held[i] = -1;
        line->future[i] = weft_spawn_val(wait_in_line, ((struct place){line, i}));
        until_waiting(i + 1, &line->cond.weft__waiters);
    }
}

static int woken(struct line *line)
{
    weft_lock(&line->mutex);
    int woken = line->woken;
    (void)weft_unlock(&line->mutex); /* it is ours */
    return woken;
}

static int notify_one_by_one(void *arg)
{
    struct line *line = arg;

    form_line(line, WAITERS);
    for (int i = 0; i < WAITERS; i++) {
        weft_cond_notify(&line->cond);
        while (woken(line) != i + 1)
            let_others_run();
    }
    weft_cond_notify(&line->cond); /* nobody waits: nothing happens */
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void each_notify_wakes_the_one_who_has_waited_longest(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

        int rc = check_run(n, notify_one_by_one, &line);

        assert_int_equal(rc, 0);
        for (int i = 0; i < WAITERS; i++) {
            assert_int_equal(line.order[i], i);
            assert_int_equal(line.held[i], 0);
        }
    }
}

static int notify_all(void *arg)
{
    struct line *line = arg;

    form_line(line, WAITERS);
    weft_cond_notify_all(&line->cond);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void notify_all_wakes_all(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

        int rc = check_run(n, notify_all, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.woken, WAITERS);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(line.held[i], 0);
    }
}

static int cancel_while_locked(void *arg)
{
    struct line *line = arg;

    form_line(line, 1);
    weft_lock(&line->mutex);
    (void)weft_cancel(line->future[0]);
    until_waiting(1, &line->mutex.weft__waiters); /* it comes back for the mutex, and waits */
    int rc = weft_unlock(&line->mutex);
    return rc < 0 ? rc : weft_await(line->future[0]);
}

static void a_cancelled_wait_returns_with_the_mutex_held(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

        int rc = check_run(n, cancel_while_locked, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc[0], -ECANCELED);
        assert_int_equal(line.held[0], 0);
    }
}

static int notify_then_cancel(void *arg)
{
    struct line *line = arg;

    form_line(line, 2);
    weft_lock(&line->mutex);
    weft_cond_notify(&line->cond);
    (void)weft_cancel(line->future[0]); /* it has not run: the mutex is held */
    (void)weft_unlock(&line->mutex);    /* it is ours */
    int rc = weft_await(line->future[0]);
    (void)weft_cancel(line->future[1]);
    return rc < 0 ? rc : weft_await(line->future[1]);
}

static void a_notify_that_came_before_the_cancel_counts(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

        int rc = check_run(n, notify_then_cancel, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc[0], 0);
        assert_int_equal(line.rc[1], -ECANCELED);
    }
}

static int cancel_then_notify(void *arg)
{
    struct line *line = arg;

    form_line(line, 2);
    weft_lock(&line->mutex);
    (void)weft_cancel(line->future[0]);
    weft_cond_notify(&line->cond);
    (void)weft_unlock(&line->mutex); /* it is ours */
    return weft_gather_n(line->future, 2, NULL);
}

static void a_notify_for_a_cancelled_waiter_goes_to_the_next(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

        int rc = check_run(n, cancel_then_notify, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc[0], -ECANCELED);
        assert_int_equal(line.rc[1], 0);
    }
}

static int wait_once(void *arg)
{
    struct line *line = arg;

    return weft_cond_wait(&line->cond, &line->mutex);
}

static int wait_a_millisecond(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    line->rc[0] = weft_timeout(weft_ms(1), wait_once, line);
    return weft_unlock(&line->mutex);
}

static void a_time_out_returns_with_the_mutex_held(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.mutex = WEFT_MUTEX_INIT};

        int rc = check_run(n, wait_a_millisecond, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc[0], -ETIMEDOUT);
    }
}

static int wait_when_cancelled(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    (void)weft_cancel(weft_self());
    line->rc[0] = weft_cond_wait(&line->cond, &line->mutex);
    return weft_unlock(&line->mutex);
}

static void a_cancelled_task_keeps_the_mutex_and_does_not_wait(void **state)
{
    struct line line = {.mutex = WEFT_MUTEX_INIT};

    (void)state;
    int rc = check_run(1, wait_when_cancelled, &line);

    assert_int_equal(line.rc[0], -ECANCELED);
    assert_int_equal(rc, 0);
}

/* A place for one number, filled and emptied by tasks, jobs and threads together. */
#define NUMBERS 400

struct slot {
    weft_mutex mutex;
    weft_cond filled, emptied;
    bool full;
    int number;
    int next;      /* the next one to put */
    int left;      /* how many are still to be taken */
    long long sum; /* of those taken */
};

static int fill(void *arg)
{
    struct slot *slot = arg;
    int rc = 0;

    weft_lock(&slot->mutex);
    while (rc == 0 && slot->next <= NUMBERS) {
        if (slot->full) {
            rc = weft_cond_wait(&slot->emptied, &slot->mutex);
            continue;
        }
        slot->number = slot->next++;
        slot->full = true;
        weft_cond_notify(&slot->filled);
    }
    weft_cond_notify_all(&slot->emptied); /* the other ones may end as well */
    (void)weft_unlock(&slot->mutex);      /* it is ours */
    return rc;
}

static int empty(void *arg)
{
    struct slot *slot = arg;
    int rc = 0;

    weft_lock(&slot->mutex);
    while (rc == 0 && slot->left > 0) {
        if (!slot->full) {
            rc = weft_cond_wait(&slot->filled, &slot->mutex);
            continue;
        }
        slot->sum += slot->number;
        slot->left--;
        slot->full = false;
        weft_cond_notify(&slot->emptied);
    }
    weft_cond_notify_all(&slot->filled); /* the other ones may end as well */
    (void)weft_unlock(&slot->mutex);     /* it is ours */
    return rc;
}

static void *fill_in_thread(void *slot) { return fill(slot) == 0 ? slot : NULL; }
static void *empty_in_thread(void *slot) { return empty(slot) == 0 ? slot : NULL; }

static int fill_and_empty(void *slot)
{
    return weft_gather(weft_spawn(empty, slot), weft_spawn(fill, slot), weft_spawn(empty, slot),
                       weft_spawn(fill, slot), weft_offload(weft_cpu(), empty, slot));
}

static void tasks_jobs_and_threads_hand_numbers_over(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct slot slot = {.mutex = WEFT_MUTEX_INIT, .next = 1, .left = NUMBERS};
        pthread_t thread[2];
        void *done[2];

        assert_int_equal(pthread_create(&thread[0], NULL, fill_in_thread, &slot), 0);
        assert_int_equal(pthread_create(&thread[1], NULL, empty_in_thread, &slot), 0);
        int rc = check_run(n, fill_and_empty, &slot);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_join(thread[i], &done[i]), 0);

        assert_int_equal(rc, 0);
        assert_true(done[0] && done[1]);
        assert_int_equal(slot.left, 0);
        assert_int_equal(slot.sum, (long long)NUMBERS * (NUMBERS + 1) / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_the_mutex_nobody_waits),
        cmocka_unit_test(each_notify_wakes_the_one_who_has_waited_longest),
        cmocka_unit_test(notify_all_wakes_all),
        cmocka_unit_test(a_cancelled_wait_returns_with_the_mutex_held),
        cmocka_unit_test(a_notify_that_came_before_the_cancel_counts),
        cmocka_unit_test(a_notify_for_a_cancelled_waiter_goes_to_the_next),
        cmocka_unit_test(a_time_out_returns_with_the_mutex_held),
        cmocka_unit_test(a_cancelled_task_keeps_the_mutex_and_does_not_wait),
        cmocka_unit_test(tasks_jobs_and_threads_hand_numbers_over),
    };
    return CHECK_GROUP(tests);
}
