/*
 * completed_test - going through futures as they end: order, each once, early ends, and from where.
 */
#include <pthread.h>
#include <string.h>

#include "core/sys.h"
#include "owned.h"
#include "tasks.h"

#define MANY 16

struct seen {
    int rc, second, third, ended, told;
    size_t order[MANY];
    int statuses[MANY];
    _Atomic int count, started;
    weft_promise promises[MANY];
    weft_future futures[MANY];
    weft_completed all;
};

/* Goes through what has been begun, and writes down whom it is told of. */
static int goes_through(struct seen *seen)
{
    int rc;
    size_t index;
    int status;

    while ((rc = weft_completed_next(&seen->all, &index, &status)) > 0) {
        if (seen->told < MANY) {
            seen->order[seen->told] = index;
            seen->statuses[index] = status;
        }
        seen->told++;
    }
    return rc;
}

static const size_t shuffled[MANY] = {7, 3, 15, 0, 12, 5, 9, 1, 14, 2, 8, 6, 13, 4, 11, 10};

/* Keeps each promise once the iteration waits for all, and the next when it has been told. */
static int keeps_promises(void *arg)
{
    struct seen *seen = arg;

    until_owned(seen->futures[MANY - 1]);
    for (int i = 0; i < MANY; i++)
        if (weft_promise_set(seen->promises[shuffled[i]], (int)shuffled[i]) < 0)
            return -EPROTO;
    return 0;
}

static void makes_promises(struct seen *seen)
{
    for (int i = 0; i < MANY; i++)
        seen->futures[i] = weft_promise_new(&seen->promises[i]);
}

static int goes_through_promises(void *arg)
{
    struct seen *seen = arg;

    makes_promises(seen);
    weft_future keeper = weft_spawn(keeps_promises, seen);
    seen->rc = weft_completed_init(&seen->all, seen->futures, MANY);
    seen->second = goes_through(seen);
    seen->third = weft_completed_next(&seen->all, NULL, NULL);
    return weft_await(keeper);
}

static void each_is_told_once_in_the_order_of_their_ends(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, goes_through_promises, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.third, 0);
        assert_int_equal(seen.told, MANY);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(seen.order[i], shuffled[i]);
            assert_int_equal(seen.statuses[i], i);
        }
    }
}

static int goes_through_what_has_ended(void *arg)
{
    const weft_task_options wrong = {.val_bytes = 1000, .val = arg};
    struct seen *seen = arg;

    makes_promises(seen);
    for (int i = MANY - 1; i >= 4; i--)
        (void)weft_promise_set(seen->promises[i], -i);
    (void)weft_detach(seen->futures[2]); /* its promise is still open: it may be dropped */
    seen->futures[2] = weft_spawn_with(&wrong, ends_with, NULL);
    seen->rc = weft_completed_init(&seen->all, seen->futures, MANY);
    for (int i = 3; i >= 0; i--)
        (void)weft_promise_drop(seen->promises[i]);
    seen->second = goes_through(seen);
    return 0;
}

static void failed_spawns_come_first_then_those_that_had_ended_then_the_others(void **state)
{
    static const size_t expected[MANY] = {2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 3, 1, 0};

    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, goes_through_what_has_ended, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(seen.order[i], expected[i]);
        assert_int_equal(seen.statuses[2], -E2BIG);
        assert_int_equal(seen.statuses[9], -9);
        assert_int_equal(seen.statuses[3], -EPIPE);
    }
}

static int uses_handles_meanwhile(void *arg)
{
    struct seen *seen = arg;

    makes_promises(seen);
    seen->rc = weft_completed_init(&seen->all, seen->futures, MANY);
    seen->second = weft_await(seen->futures[5]);
    (void)weft_promise_set(seen->promises[5], 50);
    seen->third = weft_wait(seen->futures[5]);
    if (weft_completed_next(&seen->all, NULL, &seen->statuses[0]) != 1)
        return -EPROTO;
    seen->statuses[1] = weft_wait(seen->futures[5]);
    return weft_completed_end(&seen->all);
}

static void what_was_begun_has_an_owner_and_what_was_told_is_consumed(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = check_run(2, uses_handles_meanwhile, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, -ESTALE);
    assert_int_equal(seen.third, 50);
    assert_int_equal(seen.statuses[0], 50);
    assert_int_equal(seen.statuses[1], -ESTALE);
}

/* Ends only a while after it was cancelled. */
static int ends_slowly(void *arg)
{
    struct seen *seen = arg;

    atomic_fetch_add(&seen->started, 1);
    int rc = weft_sleep(WEFT_FOREVER); /* suspends: worker, errno stale */
    for (int i = 0; i < 30; i++)
        (void)!weft_yield(); /* cancelled: that is what it takes long over */
    atomic_fetch_add(&seen->count, 1);
    return rc;
}

/* One that has ended, and slow ones. */
static int begins_slow_ones(struct seen *seen)
{
    for (int i = 0; i < MANY; i++)
        seen->futures[i] =
            i == 4 ? weft_promise_new(&seen->promises[4]) : weft_spawn(ends_slowly, seen);
    (void)weft_promise_set(seen->promises[4], 3); /* nobody else sets it */
    return weft_completed_init(&seen->all, seen->futures, MANY);
}

static int ends_early(void *arg)
{
    struct seen *seen = arg;

    seen->rc = begins_slow_ones(seen);
    seen->second = weft_completed_next(&seen->all, &seen->order[0], &seen->statuses[0]);
    seen->third = weft_completed_end(&seen->all);
    seen->ended = atomic_load(&seen->count);
    for (int i = 0; i < MANY; i++)
        seen->told += weft_cancel(seen->futures[i]) == -ESTALE;
    return weft_completed_next(&seen->all, NULL, NULL) + weft_completed_end(&seen->all);
}

static void an_early_end_cancels_the_rest_and_waits_for_them(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, ends_early, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 1);
        assert_int_equal(seen.third, 0);
        assert_int_equal(seen.order[0], 4);
        assert_int_equal(seen.statuses[0], 3);
        assert_int_equal(seen.ended, MANY - 1);
        assert_int_equal(seen.told, MANY);
    }
}

static int goes_through_slow_ones(void *arg)
{
    struct seen *seen = arg;

    seen->rc = begins_slow_ones(seen);
    seen->second = goes_through(seen);
    seen->ended = atomic_load(&seen->count);
    seen->third = weft_completed_next(&seen->all, NULL, NULL);
    return weft_completed_end(&seen->all);
}

static int cancels_who_goes_through(void *arg)
{
    struct seen *seen = arg;
    weft_future child = weft_spawn(goes_through_slow_ones, seen);

    while (atomic_load(&seen->started) < MANY - 1)
        (void)!weft_yield();
    (void)weft_cancel(child);
    return weft_await(child);
}

static void a_cancelled_caller_gets_ecanceled_when_all_have_ended(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, cancels_who_goes_through, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, -ECANCELED);
        assert_int_equal(seen.third, -ECANCELED); /* a state, not an event */
        assert_int_equal(seen.ended, MANY - 1);
    }
}

static int goes_through_while_cancelled(void *arg)
{
    struct seen *seen = arg;

    (void)weft_cancel(weft_self());
    return goes_through_slow_ones(seen);
}

static int ends_while_cancelled(void *arg)
{
    struct seen *seen = arg;

    (void)weft_cancel(weft_self());
    seen->rc = begins_slow_ones(seen);
    seen->second = weft_completed_end(&seen->all);
    seen->ended = atomic_load(&seen->count);
    return 0;
}

static int spawns_cancelled_ones(void *arg)
{
    struct seen *seen = arg;
    int rc = weft_await(weft_spawn(goes_through_while_cancelled, &seen[0]));

    return rc < 0 ? rc : weft_await(weft_spawn(ends_while_cancelled, &seen[1]));
}

static void begun_while_cancelled_it_still_ends_and_consumes_all(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen[2] = {{.rc = -1}, {.rc = -1}};

        int rc = check_run(n, spawns_cancelled_ones, seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen[0].rc, 0);
        assert_int_equal(seen[0].told, 0);
        assert_int_equal(seen[0].second, -ECANCELED);
        assert_int_equal(seen[0].ended, MANY - 1);
        assert_int_equal(seen[1].second, 0); /* no cancellation point */
        assert_int_equal(seen[1].ended, MANY - 1);
    }
}

static int goes_through_odd_lists(void *arg)
{
    struct seen *seen = arg;
    int status = 9;
    weft_future used = weft_spawn(ends_with, &status);
    weft_future fine = weft_spawn(ends_with, &status);
    weft_future lists[4][2] = {{fine, fine}, {fine, used}, {fine, {0, 0}}, {fine, weft_self()}};

    if (weft_await(used) != 9)
        return -EPROTO;
    for (int i = 0; i < 4; i++) {
        seen->statuses[i] = weft_completed_init(&seen->all, lists[i], 2);
        seen->third += weft_completed_next(&seen->all, NULL, NULL);
        seen->third += weft_completed_end(&seen->all);
    }
    seen->rc = weft_completed_init(&seen->all, NULL, 0);
    seen->third += weft_completed_next(&seen->all, NULL, NULL);
    return weft_await(fine); /* nothing was consumed */
}

static void wrong_lists_are_refused_and_an_empty_one_is_over_at_once(void **state)
{
    static const int expected[4] = {-EINVAL, -ESTALE, -EINVAL, -EDEADLK};

    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, goes_through_odd_lists, &seen);

        assert_int_equal(rc, 9);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.third, 0);
        for (int i = 0; i < 4; i++)
            assert_int_equal(seen.statuses[i], expected[i]);
    }
}

static int goes_on_with_anothers(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_completed_next(&seen->all, NULL, NULL);
    seen->third = weft_completed_end(&seen->all);
    return 0;
}

static int lends_its_iteration(void *arg)
{
    struct seen *seen = arg;

    seen->rc = begins_slow_ones(seen);
    int rc = weft_await(weft_spawn(goes_on_with_anothers, seen));
    return rc < 0 ? rc : weft_completed_end(&seen->all);
}

static void another_task_is_refused(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = check_run(2, lends_its_iteration, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, -EPERM);
    assert_int_equal(seen.third, -EPERM);
}

/* Other waits come in between, so that what ends meets one that is not for it. */
static int waits_in_between(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[64];
    int rounds[64];
    int rc;

    for (int i = 0; i < 64; i++) {
        rounds[i] = i % 7 * 3;
        futures[i] = weft_spawn(yields, &rounds[i]);
    }
    rc = weft_completed_init(&seen->all, futures, 64);
    while (rc >= 0 && (rc = weft_completed_next(&seen->all, NULL, NULL)) > 0) {
        seen->told++;
        if (weft_yield() < 0 || weft_sleep(weft_us(30)) < 0)
            return -EPROTO;
    }
    return rc;
}

static void the_body_may_wait_for_other_things(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, waits_in_between, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.told, 64);
    }
}

static _Atomic int allocations;

static int counts_allocations(const char *call)
{
    if (strcmp(call, "alloc") == 0 || strcmp(call, "mmap") == 0)
        atomic_fetch_add(&allocations, 1);
    return 0;
}

static int goes_through_counted(void *arg)
{
    struct seen *seen = arg;

    makes_promises(seen);
    atomic_store(&allocations, 0);
    weft__sys_fault = counts_allocations;
    seen->rc = weft_completed_init(&seen->all, seen->futures, MANY);
    for (int i = 0; i < MANY; i++)
        (void)weft_promise_set(seen->promises[i], i);
    seen->second = goes_through(seen);
    weft__sys_fault = NULL;
    return atomic_load(&allocations);
}

static void nothing_is_allocated(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = check_run(1, goes_through_counted, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.told, MANY);
}

/* Runs in a job or on a plain thread. */
static int goes_through_in_a_thread(void *arg)
{
    struct seen *seen = arg;

    for (int round = 0; round < 100; round++) {
        seen->told = 0;
        atomic_store(&seen->count, 0);
        if (goes_through_promises(seen) < 0 || seen->second != 0 || seen->told != MANY)
            return -EPROTO;
        for (int i = 0; i < MANY; i++)
            if (seen->order[i] != shuffled[i])
                return -EBADMSG;
        if (ends_early(seen) != 0 || seen->ended != MANY - 1)
            return -ENOTSUP;
    }
    return 0;
}

static int offloads_it(void *arg)
{
    return weft_await(weft_offload(weft_blocking_lane(), goes_through_in_a_thread, arg));
}

static void a_job_can_go_through_futures(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, offloads_it, &seen);

        assert_int_equal(rc, 0);
    }
}

static void a_plain_thread_can_go_through_futures(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        assert_int_equal(weft_start(&(weft_options){.workers = n}), 0);
        int rc = goes_through_in_a_thread(&seen);
        assert_int_equal(weft_stop(), 0);

        assert_int_equal(rc, 0);
    }
}

static void a_stop_in_between_ends_the_iteration_of_a_thread(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen[3] = {{.rc = -1}, {.rc = -1}, {.rc = -1}};

        assert_int_equal(weft_start(&(weft_options){.workers = n}), 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(begins_slow_ones(&seen[i]), 0);
        assert_int_equal(weft_stop(), 0);
        assert_int_equal(weft_completed_next(&seen[0].all, NULL, NULL), -ESHUTDOWN);
        assert_int_equal(weft_completed_next(&seen[0].all, NULL, NULL), 0);
        assert_int_equal(weft_start(&(weft_options){.workers = n}), 0); /* another run */
        assert_int_equal(weft_completed_next(&seen[1].all, NULL, NULL), -ESHUTDOWN);
        assert_int_equal(weft_completed_end(&seen[1].all), 0);
        assert_int_equal(weft_completed_end(&seen[2].all), 0);
        assert_int_equal(weft_stop(), 0);

        for (int i = 0; i < 3; i++)
            assert_int_equal(seen[i].count, MANY - 1);
    }
}

#define CROWD 10000

static int goes_through_a_crowd(void *arg)
{
    static weft_future futures[CROWD];
    static int told[CROWD];
    struct seen *seen = arg;
    size_t index;
    int status, rc;

    for (int i = 0; i < CROWD; i++) {
        told[i] = 0;
        futures[i] = weft_spawn_val(ends_with, i);
    }
    rc = weft_completed_init(&seen->all, futures, CROWD);
    while (rc >= 0 && (rc = weft_completed_next(&seen->all, &index, &status)) > 0) {
        told[index]++;
        seen->third += status != (int)index;
    }
    for (int i = 0; i < CROWD; i++)
        seen->second += told[i] == 1;
    return rc;
}

static void of_ten_thousand_each_is_told_once(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, goes_through_a_crowd, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, CROWD);
        assert_int_equal(seen.third, 0);
    }
}

/* Ends the first one as soon as the iteration knows it. */
static void *ends_the_first(void *arg)
{
    weft_promise *promises = arg;
    weft_future first = {promises[0].slot, promises[0].generation};

    until_owned(first);
    (void)weft_promise_set(promises[0], 0);
    return NULL;
}

static void one_that_ends_while_it_begins_comes_after_those_that_had(void **state)
{
    static weft_promise promises[CROWD];
    static weft_future futures[CROWD];
    struct seen seen = {.second = 0};
    size_t index = 0;
    pthread_t thread;

    (void)state;
    assert_int_equal(weft_start(&(weft_options){.workers = 1}), 0);
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < CROWD; i++)
            futures[i] = weft_promise_new(&promises[i]);
        for (int i = 1; i < CROWD; i++)
            (void)weft_promise_set(promises[i], i);
        assert_int_equal(pthread_create(&thread, NULL, ends_the_first, promises), 0);
        assert_int_equal(weft_completed_init(&seen.all, futures, CROWD), 0);
        for (int i = 1; i < CROWD; i++) {
            (void)!weft_completed_next(&seen.all, &index, NULL); /* its place tells */
            seen.second += index != (size_t)i;
        }
        (void)!weft_completed_next(&seen.all, &index, NULL);
        seen.third += index != 0;
        seen.rc = weft_completed_next(&seen.all, NULL, NULL);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    assert_int_equal(weft_stop(), 0);

    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, 0);
    assert_int_equal(seen.third, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_told_once_in_the_order_of_their_ends),
        cmocka_unit_test(failed_spawns_come_first_then_those_that_had_ended_then_the_others),
        cmocka_unit_test(what_was_begun_has_an_owner_and_what_was_told_is_consumed),
        cmocka_unit_test(an_early_end_cancels_the_rest_and_waits_for_them),
        cmocka_unit_test(a_cancelled_caller_gets_ecanceled_when_all_have_ended),
        cmocka_unit_test(begun_while_cancelled_it_still_ends_and_consumes_all),
        cmocka_unit_test(wrong_lists_are_refused_and_an_empty_one_is_over_at_once),
        cmocka_unit_test(another_task_is_refused),
        cmocka_unit_test(the_body_may_wait_for_other_things),
        cmocka_unit_test(nothing_is_allocated),
        cmocka_unit_test(a_job_can_go_through_futures),
        cmocka_unit_test(a_plain_thread_can_go_through_futures),
        cmocka_unit_test(a_stop_in_between_ends_the_iteration_of_a_thread),
        cmocka_unit_test(of_ten_thousand_each_is_told_once),
        cmocka_unit_test(one_that_ends_while_it_begins_comes_after_those_that_had),
    };

    return CHECK_GROUP(tests);
}
