/*
 * pool_thread_test - the threads themselves: their class, and what happens when there are none.
 */
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>

#include "check.h"
#include "core/sys.h"
#include "gate.h"

#define JOBS 20

struct seen {
    _Atomic int ran, dropped;
    int policy, nice, lane_policy, lane_nice;
    char class[80];
    int rc[JOBS];
    int again;
};

static const weft_options four = {.workers = 2, .pool_threads = 4};

static void count_drop(void *arg) { count_run(arg); }

static int note_class(void *arg)
{
    struct seen *seen = arg;

    seen->policy = sched_getscheduler(0);
    seen->nice = getpriority(PRIO_PROCESS, 0); /* of this thread */
    return 0;
}

static int note_lane_class(void *arg)
{
    struct seen *seen = arg;

    seen->lane_policy = sched_getscheduler(0);
    seen->lane_nice = getpriority(PRIO_PROCESS, 0);
    return 0;
}

static int class_program(void *arg)
{
    struct seen *seen = arg;
    weft_info_data info;
    int rc = weft_await(weft_offload(weft_cpu(), note_class, seen));
    int told = weft_info(&info);

    (void)strncpy(seen->class, info.pool_class, sizeof seen->class - 1); /* zeroed before */
    return rc < 0 ? rc : told;
}

static void computing_threads_run_below_the_workers_and_weft_info_says_how(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = weft_run_with(&four, class_program, &seen);

    assert_int_equal(rc, 0);
    assert_string_equal(seen.class, "SCHED_BATCH, nice 19");
    assert_int_equal(seen.policy, SCHED_BATCH);
    assert_int_equal(seen.nice, 19);
}

static int refuse_classes(const char *call)
{
    return strcmp(call, "nice") == 0 || strcmp(call, "scheduler") == 0 ? -EPERM : 0;
}

static void a_refused_class_leaves_the_pool_at_work_and_weft_info_says_so(void **state)
{
    struct seen seen = {0};

    (void)state;
    weft__sys_fault = refuse_classes;
    int rc = weft_run_with(&four, class_program, &seen);
    weft__sys_fault = NULL;

    assert_int_equal(rc, 0);
    assert_string_equal(seen.class, "normal: the system refuses lower classes");
    assert_int_equal(seen.policy, SCHED_OTHER);
}

static int lane_from_job(void *arg)
{
    return weft_await(weft_offload(weft_blocking_lane(), note_lane_class, arg));
}

static int lane_class(void *arg)
{
    return weft_await(weft_offload(weft_cpu(), lane_from_job, arg));
}

static void a_lane_thread_that_a_computing_job_needs_is_not_lowered_with_it(void **state)
{
    struct seen seen = {.lane_nice = -1};

    (void)state;
    int rc = weft_run_with(&four, lane_class, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.lane_policy, sched_getscheduler(0));
    assert_int_equal(seen.lane_nice, getpriority(PRIO_PROCESS, 0));
}

#define PLENTY 1000000

static _Atomic int threads_left; /* how many more threads the system gives */

static int few_threads(const char *call)
{
    if (strcmp(call, "thread") != 0)
        return 0;
    return atomic_fetch_sub(&threads_left, 1) > 0 ? 0 : -EAGAIN;
}

/* The hook stands before the runtime starts and until it has ended; programs change the number. */
static int run_with_few_threads(const weft_options *options, weft_fn program, void *arg)
{
    atomic_store(&threads_left, PLENTY);
    weft__sys_fault = few_threads;
    int rc = weft_run_with(options, program, arg);
    weft__sys_fault = NULL;
    return rc;
}

static int no_thread(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options options = {.drop = count_drop};

    atomic_store(&threads_left, 0);
    seen->rc[0] = weft_await(weft_offload_with(weft_cpu(), &options, count_run, &seen->dropped));
    seen->rc[1] = weft_blocking(count_run, &seen->ran);
    atomic_store(&threads_left, PLENTY);
    seen->again = weft_await(weft_offload(weft_cpu(), count_run, &seen->ran));
    return 0;
}

static void without_any_thread_a_job_ends_with_eagain_and_later_ones_run(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = run_with_few_threads(&four, no_thread, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc[0], -EAGAIN);
    assert_int_equal(seen.dropped, 1);
    assert_int_equal(seen.rc[1], -EAGAIN);
    assert_int_equal(seen.again, 0);
    assert_int_equal(seen.ran, 1);
}

static int one_thread(void *arg)
{
    struct seen *seen = arg;
    weft_future future[JOBS];

    atomic_store(&threads_left, 1);
    for (int i = 0; i < JOBS; i++)
        future[i] = weft_offload(weft_cpu(), count_run, &seen->ran);
    return weft_gather_n(future, JOBS, seen->rc);
}

static void with_fewer_threads_than_asked_for_all_jobs_run(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = run_with_few_threads(&four, one_thread, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.ran, JOBS);
}

static int nested_job(void *arg)
{
    struct seen *seen = arg;

    seen->rc[1] = weft_await(weft_offload(weft_cpu(), count_run, &seen->ran));
    return 0;
}

static int no_stand_in(void *arg)
{
    struct seen *seen = arg;

    atomic_store(&threads_left, 1);
    seen->rc[0] = weft_await(weft_offload(weft_cpu(), nested_job, seen));
    return 0;
}

static void a_job_that_waits_for_one_that_can_get_no_thread_is_told(void **state)
{
    const weft_options options = {.workers = 1, .pool_threads = 1};
    struct seen seen = {0};

    (void)state;
    int rc = run_with_few_threads(&options, no_stand_in, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc[0], 0);
    assert_int_equal(seen.rc[1], -EAGAIN);
    assert_int_equal(seen.ran, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(computing_threads_run_below_the_workers_and_weft_info_says_how),
        cmocka_unit_test(a_refused_class_leaves_the_pool_at_work_and_weft_info_says_so),
        cmocka_unit_test(a_lane_thread_that_a_computing_job_needs_is_not_lowered_with_it),
        cmocka_unit_test(without_any_thread_a_job_ends_with_eagain_and_later_ones_run),
        cmocka_unit_test(with_fewer_threads_than_asked_for_all_jobs_run),
        cmocka_unit_test(a_job_that_waits_for_one_that_can_get_no_thread_is_told),
    };
    return CHECK_GROUP(tests);
}
