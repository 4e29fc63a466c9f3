/*
 * await_test - who may wait for a future, who consumes it, and what the others are told then.
 */
#include <pthread.h>

#include "tasks.h"

struct seen {
    int rc, second, third;
    weft_future future;
    _Atomic int arrived, same;
    weft_promise promise;
};

static int awaits_twice(void *arg)
{
    struct seen *seen = arg;
    int status = 5;
    weft_future child = weft_spawn(ends_with, &status);

    seen->rc = weft_await(child);
    seen->second = weft_await(child);
    seen->third = weft_cancel(child);
    return 0;
}

static void a_second_await_is_stale(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, awaits_twice, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 5);
        assert_int_equal(seen.second, -ESTALE);
        assert_int_equal(seen.third, -ESTALE);
    }
}

static int detaches(void *arg)
{
    struct seen *seen = arg;
    weft_future child = weft_spawn(sleeps, NULL);

    seen->rc = weft_detach(child);
    seen->second = weft_await(child);
    seen->third = weft_detach(child);
    return 0;
}

static void a_detached_task_cannot_be_awaited_or_detached_again(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, detaches, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ESTALE);
        assert_int_equal(seen.third, -ESTALE);
    }
}

static int detaches_what_has_ended(void *arg)
{
    struct seen *seen = arg;
    int status = 3;
    weft_future child = weft_spawn(ends_with, &status);

    seen->rc = weft_wait(child);
    seen->second = weft_detach(child);
    seen->third = weft_wait(child);
    return 0;
}

static void a_task_that_has_ended_can_be_detached(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = check_run(2, detaches_what_has_ended, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 3);
    assert_int_equal(seen.second, 0);
    assert_int_equal(seen.third, -ESTALE);
}

static int waits_for_itself(void *arg)
{
    struct seen *seen = arg;
    weft_future pair[2] = {weft_spawn(sleeps, NULL), weft_self()};

    seen->rc = weft_await(weft_self());
    seen->second = weft_wait(weft_self());
    seen->third = weft_gather_n(pair, 2, NULL);
    (void)weft_cancel(pair[0]);
    return weft_await(pair[0]);
}

static void waiting_for_oneself_is_edeadlk_and_consumes_nothing(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(2, waits_for_itself, &seen);

    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(seen.rc, -EDEADLK);
    assert_int_equal(seen.second, -EDEADLK);
    assert_int_equal(seen.third, -EDEADLK);
}

static int keeps_a_handle(void *arg)
{
    struct seen *seen = arg;
    int status = 1;

    seen->future = weft_spawn(ends_with, &status);
    return weft_wait(seen->future);
}

static int uses_an_old_handle(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_await(seen->future);
    seen->second = weft_wait(seen->future);
    seen->third = weft_cancel(seen->future);
    return 0;
}

static void a_handle_of_an_earlier_run_is_stale(void **state)
{
    struct seen seen = {0};

    (void)state;
    assert_int_equal(check_run(1, keeps_a_handle, &seen), 1);
    assert_int_equal(weft_await(seen.future), -ESTALE);
    int rc = check_run(1, uses_an_old_handle, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -ESTALE);
    assert_int_equal(seen.second, -ESTALE);
    assert_int_equal(seen.third, -ESTALE);
}

static int awaits_nothing(void *arg)
{
    struct seen *seen = arg;
    weft_future none = {0, 0};

    seen->rc = weft_await(none);
    seen->second = weft_wait(none);
    seen->third = weft_detach(none);
    return 0;
}

static void the_zero_handle_is_einval(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, awaits_nothing, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -EINVAL);
    assert_int_equal(seen.second, -EINVAL);
    assert_int_equal(seen.third, -EINVAL);
}

static int awaits_handles_that_never_were(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_await((weft_future){4000, 1});
    if (seen->rc == -ESTALE)
        seen->rc = weft_await((weft_future){4000, 0}); /* as a slot is before its first use */
    seen->second = weft_wait((weft_future){UINT32_MAX, 7});
    seen->third = weft_cancel((weft_future){1, 99});
    return 0;
}

static void invented_handles_are_stale(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, awaits_handles_that_never_were, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -ESTALE);
    assert_int_equal(seen.second, -ESTALE);
    assert_int_equal(seen.third, -ESTALE);
}

#define WATCHERS 8

static int watches(void *arg)
{
    struct seen *seen = arg;

    atomic_fetch_add(&seen->arrived, 1);
    if (weft_wait(seen->future) == 77)
        atomic_fetch_add(&seen->same, 1);
    return 0;
}

static void *watches_from_a_thread(void *arg)
{
    (void)watches(arg); /* its result is in `same` */
    return NULL;
}

/* Ends when all watchers are about to wait, or wait already. */
static int ends_when_watched(void *arg)
{
    struct seen *seen = arg;

    while (atomic_load(&seen->arrived) < WATCHERS + 1)
        (void)!weft_yield(); /* cancelled or not, it looks again */
    for (int i = 0; i < 50; i++)
        (void)!weft_yield();
    return 77;
}

static int is_watched(void *arg)
{
    struct seen *seen = arg;
    weft_future watchers[WATCHERS];
    pthread_t thread;

    seen->future = weft_spawn(ends_when_watched, seen);
    for (int i = 0; i < WATCHERS; i++)
        watchers[i] = weft_spawn(watches, seen);
    if (pthread_create(&thread, NULL, watches_from_a_thread, seen) != 0)
        return -EAGAIN;
    if (seen->rc)
        seen->second = weft_await(seen->future);      /* the owner consumes while others wait */
    int rc = weft_gather_n(watchers, WATCHERS, NULL); /* suspends: worker, errno stale */
    (void)pthread_join(thread, NULL);                 /* fails only for a wrong thread */
    if (!seen->rc)
        seen->second = weft_await(seen->future);
    return rc;
}

static void all_who_wait_get_the_same_status(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = 0};

        int rc = check_run(n, is_watched, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, 77);
        assert_int_equal(seen.same, WATCHERS + 1);
    }
}

/* A watcher that comes only after the owner has consumed is told -ESTALE; the others the status. */
static void watchers_that_wait_already_get_the_status_though_the_owner_consumes(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        for (int round = 0; round < 20; round++) {
            struct seen seen = {.rc = 1};

            int rc = check_run(n, is_watched, &seen);

            assert_int_equal(rc, 0);
            assert_int_equal(seen.second, 77);
            if (n == 1) /* here nobody can have come late, except the thread */
                assert_true(seen.same >= WATCHERS);
        }
}

static int waits_for(void *arg) { return weft_wait(((struct seen *)arg)->future); }

static int cancels_a_watcher(void *arg)
{
    struct seen *seen = arg;

    seen->future = weft_spawn(sleeps, NULL);
    weft_future watcher = weft_spawn(waits_for, seen);
    (void)!weft_yield();
    (void)weft_cancel(watcher);
    seen->rc = weft_await(watcher);
    (void)weft_cancel(seen->future);
    seen->second = weft_await(seen->future);
    return 0;
}

static void a_cancelled_watcher_leaves_the_task_alone(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancels_a_watcher, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, -ECANCELED);
        assert_int_equal(seen.second, -ECANCELED);
    }
}

static void *awaits_from_a_thread(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_await(seen->future);
    seen->second = weft_await(seen->future);
    return NULL;
}

static int is_awaited_by_a_thread(void *arg)
{
    struct seen *seen = arg;
    int rounds = 100;
    pthread_t thread;

    seen->future = weft_spawn(yields, &rounds);
    if (pthread_create(&thread, NULL, awaits_from_a_thread, seen) != 0)
        return -EAGAIN;
    while (weft_wait(seen->future) == 0)
        ;
    (void)pthread_join(thread, NULL);
    return 0;
}

static void a_plain_thread_can_await(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, is_awaited_by_a_thread, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ESTALE);
    }
}

struct crowd {
    weft_future future;
    _Atomic int won, stale, other;
};

static int tries_to_consume(void *arg)
{
    struct crowd *crowd = arg;

    switch (weft_await(crowd->future)) {
    case 0: atomic_fetch_add(&crowd->won, 1); break;
    case -ESTALE: atomic_fetch_add(&crowd->stale, 1); break;
    default: atomic_fetch_add(&crowd->other, 1);
    }
    return 0;
}

static int fights_over_futures(void *arg)
{
    struct crowd *crowd = arg;

    for (int round = 0; round < 500; round++) {
        int rounds = round % 4;
        weft_future owners[4];

        crowd->future = weft_spawn_val(yields, rounds);
        for (int i = 0; i < 4; i++)
            owners[i] = weft_spawn(tries_to_consume, crowd);
        if (weft_gather_n(owners, 4, NULL) < 0)
            return -EPROTO;
    }
    return 0;
}

static void one_of_many_awaits_consumes_and_the_others_are_stale(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct crowd crowd = {.won = 0};

        int rc = check_run(n, fights_over_futures, &crowd);

        assert_int_equal(rc, 0);
        assert_int_equal(crowd.won, 500);
        assert_int_equal(crowd.stale, 1500);
        assert_int_equal(crowd.other, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_await_is_stale),
        cmocka_unit_test(a_detached_task_cannot_be_awaited_or_detached_again),
        cmocka_unit_test(a_task_that_has_ended_can_be_detached),
        cmocka_unit_test(waiting_for_oneself_is_edeadlk_and_consumes_nothing),
        cmocka_unit_test(a_handle_of_an_earlier_run_is_stale),
        cmocka_unit_test(the_zero_handle_is_einval),
        cmocka_unit_test(invented_handles_are_stale),
        cmocka_unit_test(all_who_wait_get_the_same_status),
        cmocka_unit_test(watchers_that_wait_already_get_the_status_though_the_owner_consumes),
        cmocka_unit_test(a_cancelled_watcher_leaves_the_task_alone),
        cmocka_unit_test(a_plain_thread_can_await),
        cmocka_unit_test(one_of_many_awaits_consumes_and_the_others_are_stale),
    };

    return CHECK_GROUP(tests);
}
