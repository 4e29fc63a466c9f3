/*
 * offload_test - a job is a call on another thread whose end is a future like any other.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "check.h"

#define JOBS  40
#define DEPTH 64

static int square(void *arg)
{
    int *n = arg;

    *n *= *n;
    return *n % 100;
}

struct seen {
    int rc[JOBS];
    int value[JOBS];
    weft_future self;
    int total;
};

static int one_job(void *arg)
{
    struct seen *seen = arg;

    seen->value[0] = 12;
    seen->rc[0] = weft_await(weft_offload(weft_cpu(), square, &seen->value[0]));
    return 0;
}

static void a_job_gives_its_status_and_writes_behind_its_argument(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, one_job, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc[0], 44);
        assert_int_equal(seen.value[0], 144);
    }
}

static int note_self(void *arg)
{
    ((struct seen *)arg)->self = weft_self();
    return weft_sleep(0);
}

static int ask_self(void *arg)
{
    struct seen *seen = arg;

    seen->rc[0] = weft_await(weft_offload(weft_cpu(), note_self, seen));
    return 0;
}

static void a_job_is_no_task(void **state)
{
    struct seen seen = {.self = {7, 7}};

    (void)state;
    int rc = check_run(2, ask_self, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.self.slot, 0);
    assert_int_equal(seen.rc[0], -EPERM);
}

static int square_val(void *arg)
{
    int n = *(int *)arg;

    return n * n;
}

static int copies(void *arg)
{
    struct seen *seen = arg;
    weft_future future[JOBS];

    for (int i = 0; i < JOBS; i++)
        future[i] = weft_offload_val(weft_cpu(), square_val, i);
    return weft_gather_n(future, JOBS, seen->rc);
}

static void each_job_gets_its_own_copy_of_a_value(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(2, copies, &seen);

    assert_int_equal(rc, 0);
    for (int i = 0; i < JOBS; i++)
        assert_int_equal(seen.rc[i], i * i);
}

static int nap(void *arg)
{
    (void)arg;
    int rc = weft_sleep(weft_ms(1));
    return rc < 0 ? rc : 5;
}

static int mixed(void *arg)
{
    struct seen *seen = arg;
    int six = 6;

    seen->value[0] = 3;
    const weft_future futures[] = {
        weft_offload(weft_cpu(), square, &seen->value[0]),
        weft_spawn(nap, NULL),
        weft_offload(weft_blocking_lane(), square_val, &six),
        weft_spawn(nap, NULL),
    };
    return weft_gather_n(futures, 4, seen->rc);
}

static void one_gather_waits_for_jobs_and_tasks(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, mixed, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc[0], 9);
        assert_int_equal(seen.rc[1], 5);
        assert_int_equal(seen.rc[2], 36);
        assert_int_equal(seen.rc[3], 5);
    }
}

static int give_eio(void *arg)
{
    (void)arg;
    return -EIO;
}

static int for_ever(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_FOREVER);
}

static int failing(void *arg)
{
    struct seen *seen = arg;
    const weft_future futures[] = {weft_spawn(for_ever, NULL),
                                   weft_offload(weft_cpu(), give_eio, NULL)};

    return weft_gather_n(futures, 2, seen->rc);
}

static void a_job_that_fails_cancels_the_rest_of_its_gather(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(2, failing, &seen);

    assert_int_equal(rc, -EIO);
    assert_int_equal(seen.rc[0], -ECANCELED);
    assert_int_equal(seen.rc[1], -EIO);
}

/* A job that offloads a job that offloads a job ..., each waiting for the next. */
static int descend(void *arg)
{
    int depth = *(int *)arg;

    if (depth == 0)
        return 0;
    depth--;
    int rc = weft_await(weft_offload(weft_cpu(), descend, &depth));
    return rc < 0 ? rc : rc + 1;
}

static int deep(void *arg)
{
    int depth = DEPTH;

    *(int *)arg = weft_await(weft_offload(weft_cpu(), descend, &depth));
    return 0;
}

static void jobs_may_wait_for_jobs_of_a_pool_with_a_single_thread(void **state)
{
    const weft_options options = {.workers = 1, .pool_threads = 1};
    int depth = -1;

    (void)state;
    int rc = weft_run_with(&options, deep, &depth);

    assert_int_equal(rc, 0);
    assert_int_equal(depth, DEPTH);
}

static int from_task(void *arg)
{
    weft_future future = weft_spawn(nap, arg);

    return weft_await(future);
}

static int calls_task(void *arg) { return weft_call(from_task, arg); }

static int job_calls(void *arg)
{
    struct seen *seen = arg;

    seen->rc[0] = weft_await(weft_offload(weft_cpu(), calls_task, NULL));
    return 0;
}

static void a_job_may_call_tasks_and_wait_for_them(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, job_calls, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc[0], 5);
    }
}

static void a_plain_thread_may_offload_and_await(void **state)
{
    const weft_options options = {.workers = 2};
    int n = 5;

    (void)state;
    assert_int_equal(weft_start(&options), 0);
    int rc = weft_await(weft_offload(weft_cpu(), square, &n));
    assert_int_equal(weft_stop(), 0);

    assert_int_equal(rc, 25);
}

static int drops;

static void count_drop(void *arg)
{
    (void)arg;
    drops++;
}

static void without_a_runtime_there_is_no_pool_and_the_job_is_dropped(void **state)
{
    const weft_task_options options = {.drop = count_drop};

    (void)state;
    drops = 0;
    int rc = weft_await(weft_offload_with(weft_cpu(), &options, square, NULL));

    assert_null(weft_cpu());
    assert_null(weft_blocking_lane());
    assert_int_equal(rc, -ENXIO);
    assert_int_equal(drops, 1);
}

static int misuse(void *arg)
{
    struct seen *seen = arg;
    char large[WEFT_VAL_BYTES + 1] = {0};

    seen->rc[0] = weft_await(weft_offload(weft_cpu(), NULL, NULL));
    seen->rc[1] = weft_await(weft_offload_val_at(weft_cpu(), "x", square, large, sizeof large));
    return 0;
}

static void misuse_gives_an_error_in_the_handle(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, misuse, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc[0], -EINVAL);
    assert_int_equal(seen.rc[1], -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_gives_its_status_and_writes_behind_its_argument),
        cmocka_unit_test(a_job_is_no_task),
        cmocka_unit_test(each_job_gets_its_own_copy_of_a_value),
        cmocka_unit_test(one_gather_waits_for_jobs_and_tasks),
        cmocka_unit_test(a_job_that_fails_cancels_the_rest_of_its_gather),
        cmocka_unit_test(jobs_may_wait_for_jobs_of_a_pool_with_a_single_thread),
        cmocka_unit_test(a_job_may_call_tasks_and_wait_for_them),
        cmocka_unit_test(a_plain_thread_may_offload_and_await),
        cmocka_unit_test(without_a_runtime_there_is_no_pool_and_the_job_is_dropped),
        cmocka_unit_test(misuse_gives_an_error_in_the_handle),
    };
    return CHECK_GROUP(tests);
}
