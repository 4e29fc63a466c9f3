/*
 * wait_group_test - a count of work, and the moment when it is zero.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "waiting.h"

#define MANY (2 * WAITLIST_BATCH + 7)

static void a_group_without_work_is_not_waited_for(void **state)
{
    weft_wait_group group = {0};

    (void)state;
    assert_int_equal(weft_wait_group_wait(&group), 0);
    assert_int_equal(weft_wait_group_add(&group, 2), 0);
    assert_int_equal(weft_wait_group_done(&group), 0);
    assert_int_equal(weft_wait_group_add(&group, -1), 0);
    assert_int_equal(weft_wait_group_wait(&group), 0);
}

static void the_count_stays_in_its_bounds(void **state)
{
    weft_wait_group group = WEFT_WAIT_GROUP_INIT;

    (void)state;
    assert_int_equal(weft_wait_group_done(&group), -EINVAL);
    assert_int_equal(weft_wait_group_add(&group, 2), 0);
    assert_int_equal(weft_wait_group_add(&group, -3), -EINVAL);
    assert_int_equal(weft_wait_group_add(&group, INT_MIN), -EINVAL);
    assert_int_equal(weft_wait_group_add(&group, INT_MAX), -EOVERFLOW);
    assert_int_equal(weft_wait_group_add(&group, -2), 0);
    assert_int_equal(weft_wait_group_done(&group), -EINVAL);
}

struct crowd {
    weft_wait_group group;
    weft_future future[MANY];
    int status[MANY];
    int late_rc;
};

static int wait_for(void *group) { return weft_wait_group_wait(group); }

static int wait_a_millisecond(void *group) { return weft_timeout(weft_ms(1), wait_for, group); }

static void gather_crowd(struct crowd *crowd)
{
    for (int i = 0; i < MANY; i++)
        crowd->future[i] = weft_spawn(wait_for, &crowd->group);
    until_waiting(MANY, &crowd->group.weft__waiters);
}

/* At zero, and up again at once. */
static int use_again_at_once(void *arg)
{
    struct crowd *crowd = arg;

    int rc = weft_wait_group_add(&crowd->group, 2);
    gather_crowd(crowd);
    if (rc == 0)
        rc = weft_wait_group_done(&crowd->group);
    until_waiting(MANY, &crowd->group.weft__waiters); /* one is left: nobody goes on */
    if (rc == 0)
        rc = weft_wait_group_done(&crowd->group);
    if (rc == 0)
        rc = weft_wait_group_add(&crowd->group, 1);
    crowd->late_rc = weft_await(weft_spawn(wait_a_millisecond, &crowd->group));
    int end = weft_gather_n(crowd->future, MANY, NULL);
    return rc < 0 ? rc : end;
}

static void at_zero_all_go_on_although_it_is_used_again_at_once(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct crowd crowd = {.group = WEFT_WAIT_GROUP_INIT};

        int rc = check_run(n, use_again_at_once, &crowd);

        assert_int_equal(rc, 0);
        assert_int_equal(crowd.late_rc, -ETIMEDOUT);
    }
}

static int cancel_every_third(void *arg)
{
    struct crowd *crowd = arg;

    int rc = weft_wait_group_add(&crowd->group, 1);
    gather_crowd(crowd);
    for (int i = 0; i < MANY; i += 3)
        (void)weft_cancel(crowd->future[i]);
    if (rc == 0)
        rc = weft_wait_group_done(&crowd->group);
    for (int i = 0; i < MANY; i++)
        crowd->status[i] = weft_await(crowd->future[i]);
    return rc;
}

static void the_cancelled_end_with_that_and_the_others_go_on(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct crowd crowd = {.group = WEFT_WAIT_GROUP_INIT};

        int rc = check_run(n, cancel_every_third, &crowd);

        assert_int_equal(rc, 0);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(crowd.status[i], i % 3 == 0 ? -ECANCELED : 0);
    }
}

static int wait_when_cancelled(void *group)
{
    (void)weft_cancel(weft_self());
    return weft_wait_group_wait(group);
}

static void a_cancelled_task_is_told_although_the_count_is_zero(void **state)
{
    weft_wait_group group = WEFT_WAIT_GROUP_INIT;

    (void)state;
    assert_int_equal(check_run(1, wait_when_cancelled, &group), -ECANCELED);
}

/* A group that its waiter frees at once, while who counted down last may still be at work on it. */
struct work {
    weft_wait_group *group;
    _Atomic int *done;
};

static int work(void *arg)
{
    struct work *work = arg;

    atomic_fetch_add(work->done, 1);
    return weft_wait_group_done(work->group);
}

static void *work_in_thread(void *arg) { return work(arg) == 0 ? arg : NULL; }

static int wait_and_free(void *arg)
{
    (void)arg;
    for (int round = 0; round < 100; round++) {
        _Atomic int done = 0;
        pthread_t thread;
        struct work one = {calloc(1, sizeof *one.group), &done};
        if (!one.group)
            return -ENOMEM;
        int rc = weft_wait_group_add(one.group, 4);
        weft_future job = weft_offload(weft_cpu(), work, &one);
        weft_future tasks[2] = {weft_spawn(work, &one), weft_spawn(work, &one)};
        if (pthread_create(&thread, NULL, work_in_thread, &one) != 0)
            return -ENOMEM;

        int waited = weft_wait_group_wait(one.group);
        bool is_done = atomic_load(&done) == 4;
        free(one.group);

        int end = weft_gather(tasks[0], tasks[1], job);
        if (pthread_join(thread, NULL) != 0 || rc < 0 || waited < 0 || end < 0 || !is_done)
            return -EBADMSG;
    }
    return 0;
}

static void who_has_waited_may_free_the_group(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, wait_and_free, NULL), 0);
}

/* The same a thousand times, one count each: often the wait comes just when the count is zero. */
#define FREED 1000

static void *count_all_down(void *arg)
{
    for (weft_wait_group **next = arg; *next; next++)
        (void)weft_wait_group_done(*next); /* it was added before */
    return NULL;
}

static int wait_for_each_and_free(void *arg)
{
    for (weft_wait_group **next = arg; *next; next++) {
        int rc = weft_wait_group_wait(*next);
        if (rc < 0)
            return rc;
        free(*next);
    }
    return 0;
}

static void who_comes_at_zero_may_free_it_too(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_wait_group *groups[FREED + 1] = {NULL};
        weft_wait_group *freed[FREED + 1] = {NULL};
        pthread_t thread;

        for (int i = 0; i < FREED; i++) {
            groups[i] = freed[i] = calloc(1, sizeof *groups[i]);
            assert_non_null(groups[i]);
            assert_int_equal(weft_wait_group_add(groups[i], 1), 0);
        }
        assert_int_equal(pthread_create(&thread, NULL, count_all_down, groups), 0);
        int rc = check_run(n, wait_for_each_and_free, freed);
        assert_int_equal(pthread_join(thread, NULL), 0);

        assert_int_equal(rc, 0);
    }
}

static void *wait_in_thread(void *group) { return weft_wait_group_wait(group) == 0 ? group : NULL; }

static int work_for_thread(void *group)
{
    until_waiting(1, &((weft_wait_group *)group)->weft__waiters);
    return weft_wait_group_done(group);
}

static void a_plain_thread_waits_for_tasks(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_wait_group group = WEFT_WAIT_GROUP_INIT;
        pthread_t thread;
        void *done;

        assert_int_equal(weft_wait_group_add(&group, 1), 0);
        assert_int_equal(pthread_create(&thread, NULL, wait_in_thread, &group), 0);
        int rc = check_run(n, work_for_thread, &group);
        assert_int_equal(pthread_join(thread, &done), 0);

        assert_int_equal(rc, 0);
        assert_ptr_equal(done, &group);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_without_work_is_not_waited_for),
        cmocka_unit_test(the_count_stays_in_its_bounds),
        cmocka_unit_test(at_zero_all_go_on_although_it_is_used_again_at_once),
        cmocka_unit_test(the_cancelled_end_with_that_and_the_others_go_on),
        cmocka_unit_test(a_cancelled_task_is_told_although_the_count_is_zero),
        cmocka_unit_test(who_has_waited_may_free_the_group),
        cmocka_unit_test(who_comes_at_zero_may_free_it_too),
        cmocka_unit_test(a_plain_thread_waits_for_tasks),
    };
    return CHECK_GROUP(tests);
}
