/*
 * completed_thread_test - going through futures in a job, on a plain thread, and across a stop.
 */
#include <pthread.h>

#include "through.h"

/* Runs in a job or on a plain thread. */
static int goes_through_in_a_thread(void *arg)
{
    struct seen *seen = arg;

    for (int round = 0; round < 100; round++) {
        seen->told = 0;
        atomic_store(&seen->slow.ended, 0);
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
            assert_int_equal(seen[i].slow.ended, MANY - 1);
    }
}

#define CROWD 100000

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
        cmocka_unit_test(a_job_can_go_through_futures),
        cmocka_unit_test(a_plain_thread_can_go_through_futures),
        cmocka_unit_test(a_stop_in_between_ends_the_iteration_of_a_thread),
        cmocka_unit_test(one_that_ends_while_it_begins_comes_after_those_that_had),
    };

    return CHECK_GROUP(tests);
}
