/*
 * event_test - a flag that wakes all who wait for it, and only those.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "waiting.h"

#define MANY (3 * WAITLIST_BATCH + 1)

static void a_set_event_is_not_waited_for(void **state)
{
    weft_event event = WEFT_EVENT_INIT;

    (void)state;
    assert_false(weft_event_is_set(&event));
    weft_event_set(&event);
    assert_true(weft_event_is_set(&event));
    assert_int_equal(weft_event_wait(&event), 0);
    weft_event_set(&event);
    assert_int_equal(weft_event_wait(&event), 0);
    weft_event_clear(&event);
    assert_false(weft_event_is_set(&event));
}

static int wait_for(void *event) { return weft_event_wait(event); }

static int wait_a_millisecond(void *event) { return weft_timeout(weft_ms(1), wait_for, event); }

static void a_cleared_event_is_waited_for_again(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_event event = WEFT_EVENT_INIT;

        weft_event_set(&event);
        weft_event_clear(&event);
        int rc = check_run(n, wait_a_millisecond, &event);

        assert_int_equal(rc, -ETIMEDOUT);
    }
}

struct crowd {
    weft_event event;
    weft_future future[MANY];
    weft_future late;
    int status[MANY];
    int late_rc;
};

/* Spawns the waiters and returns when all stand in line. */
static void gather_crowd(struct crowd *crowd)
{
    for (int i = 0; i < MANY; i++)
        crowd->future[i] = weft_spawn(wait_for, &crowd->event);
    until_waiting(MANY, &crowd->event.weft__waiters);
}

static int set_and_clear(void *arg)
{
    struct crowd *crowd = arg;

    gather_crowd(crowd);
    weft_event_set(&crowd->event);
    weft_event_clear(&crowd->event);
    crowd->late_rc = weft_await(weft_spawn(wait_a_millisecond, &crowd->event));
    return weft_gather_n(crowd->future, MANY, crowd->status);
}

static void a_set_and_clear_at_once_wakes_all_who_wait_and_nobody_else(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct crowd crowd = {.event = WEFT_EVENT_INIT};

        int rc = check_run(n, set_and_clear, &crowd);

        assert_int_equal(rc, 0);
        assert_int_equal(crowd.late_rc, -ETIMEDOUT);
    }
}

static int set_it(void *event)
{
    weft_event_set(event);
    return 0;
}

/* One set, and who sees it clears and waits again: nothing is there to wake that wait. */
static int clear_during_the_set(void *arg)
{
    struct crowd *crowd = arg;

    for (int round = 0; round < 40; round++) {
        gather_crowd(crowd);
        crowd->late = weft_spawn(set_it, &crowd->event);
        while (!weft_event_is_set(&crowd->event))
            let_others_run();
        weft_event_clear(&crowd->event);
        crowd->late_rc = wait_a_millisecond(&crowd->event);
        int rc = weft_await(crowd->late);
        if (rc == 0)
            rc = weft_gather_n(crowd->future, MANY, NULL);
        if (rc < 0 || crowd->late_rc != -ETIMEDOUT)
            return rc;
    }
    return 0;
}

static void a_wait_after_the_clear_is_not_woken_by_the_set_before(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct crowd crowd = {.event = WEFT_EVENT_INIT};

        int rc = check_run(n, clear_during_the_set, &crowd);

        assert_int_equal(rc, 0);
        assert_int_equal(crowd.late_rc, -ETIMEDOUT);
    }
}

static int cancel_every_third(void *arg)
{
    struct crowd *crowd = arg;

    gather_crowd(crowd);
    for (int i = 0; i < MANY; i += 3)
        (void)weft_cancel(crowd->future[i]);
    weft_event_set(&crowd->event);
    for (int i = 0; i < MANY; i++)
        crowd->status[i] = weft_await(crowd->future[i]);
    return 0;
}

static void the_cancelled_end_with_that_and_the_others_are_woken(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct crowd crowd = {.event = WEFT_EVENT_INIT};

        int rc = check_run(n, cancel_every_third, &crowd);

        assert_int_equal(rc, 0);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(crowd.status[i], i % 3 == 0 ? -ECANCELED : 0);
    }
}

static int wait_when_cancelled(void *event)
{
    (void)weft_cancel(weft_self());
    return weft_event_wait(event);
}

static void a_cancelled_task_does_not_see_that_it_is_set(void **state)
{
    weft_event event = WEFT_EVENT_INIT;

    (void)state;
    weft_event_set(&event);
    int rc = check_run(1, wait_when_cancelled, &event);

    assert_int_equal(rc, -ECANCELED);
}

/* Threads and jobs wait for a task, tasks wait for a thread. */
struct meeting {
    weft_event go, come;
    _Atomic int met;
};

static void *meet_in_thread(void *arg)
{
    struct meeting *meeting = arg;

    if (weft_event_wait(&meeting->go) == 0)
        atomic_fetch_add(&meeting->met, 1);
    weft_event_set(&meeting->come);
    return NULL;
}

static int meet_in_job(void *arg)
{
    struct meeting *meeting = arg;

    return weft_event_wait(&meeting->go);
}

static int meet(void *arg)
{
    struct meeting *meeting = arg;
    weft_future job = weft_offload(weft_cpu(), meet_in_job, meeting);
    weft_future task = weft_spawn(wait_for, &meeting->come);

    until_waiting(1, &meeting->come.weft__waiters);
    until_waiting(3, &meeting->go.weft__waiters);
    weft_event_set(&meeting->go);
    return weft_gather(task, job);
}

static void tasks_jobs_and_threads_wait_for_each_other(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct meeting meeting = {.go = WEFT_EVENT_INIT, .come = WEFT_EVENT_INIT};
        pthread_t thread[2];

        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, meet_in_thread, &meeting), 0);
        int rc = check_run(n, meet, &meeting);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_join(thread[i], NULL), 0);

        assert_int_equal(rc, 0);
        assert_int_equal(meeting.met, 2);
    }
}

/* An event whose memory goes as soon as the wait is over, while the set may still be at work. */
static void *set_in_thread(void *arg)
{
    for (weft_event **next = arg; *next; next++)
        weft_event_set(*next);
    return NULL;
}

static int wait_and_free(void *arg)
{
    for (weft_event **next = arg; *next; next++) {
        int rc = weft_event_wait(*next);
        if (rc < 0)
            return rc;
        free(*next);
    }
    return 0;
}

static void who_waited_may_free_the_event(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_event *events[501] = {NULL};
        weft_event *freed[501] = {NULL};
        pthread_t thread;

        for (int i = 0; i < 500; i++) {
            events[i] = freed[i] = calloc(1, sizeof *events[i]);
            assert_non_null(events[i]);
        }
        assert_int_equal(pthread_create(&thread, NULL, set_in_thread, events), 0);
        int rc = check_run(n, wait_and_free, freed);
        assert_int_equal(pthread_join(thread, NULL), 0);

        assert_int_equal(rc, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_event_is_not_waited_for),
        cmocka_unit_test(a_cleared_event_is_waited_for_again),
        cmocka_unit_test(a_set_and_clear_at_once_wakes_all_who_wait_and_nobody_else),
        cmocka_unit_test(a_wait_after_the_clear_is_not_woken_by_the_set_before),
        cmocka_unit_test(the_cancelled_end_with_that_and_the_others_are_woken),
        cmocka_unit_test(a_cancelled_task_does_not_see_that_it_is_set),
        cmocka_unit_test(tasks_jobs_and_threads_wait_for_each_other),
        cmocka_unit_test(who_waited_may_free_the_event),
    };
    return CHECK_GROUP(tests);
}
