/*
 * job_cancel_test - what has not started never starts; what runs is asked to end, and waited for.
 */
#include <errno.h>

#include "check.h"
#include "gate.h"

struct seen {
    struct gate gate;
    _Atomic int ran, dropped;
    struct check_latch running;
    int rc, other_rc;
    int saw_cancel;
};

static const weft_options one_of_each = {.workers = 1, .pool_threads = 1, .blocking_threads = 1};

static void count_drop(void *arg) { count_run(arg); }

static int cancel_queued(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options options = {.drop = count_drop};

    gate_init(&seen->gate, 1);
    weft_future blocker = weft_offload(weft_cpu(), stand_at_gate, &seen->gate);
    int rc = check_latch_wait(&seen->gate.reached);
    weft_future queued = weft_offload_with(weft_cpu(), &options, count_run, &seen->dropped);
    weft_future behind = weft_offload(weft_cpu(), count_run, &seen->ran);
    int cancelled = weft_cancel(queued);
    seen->rc = weft_await(queued); /* ends while the only thread of the pool is held */
    gate_open(&seen->gate, 1);
    seen->other_rc = weft_gather(blocker, behind);
    return rc < 0 ? rc : cancelled;
}

static void a_queued_job_that_is_cancelled_never_starts_and_is_dropped_once(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = weft_run_with(&one_of_each, cancel_queued, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -ECANCELED);
    assert_int_equal(seen.dropped, 1); /* by drop: had the job run too, it would be 2 */
    assert_int_equal(seen.other_rc, 0);
    assert_int_equal(seen.ran, 1);
}

struct tagged {
    _Atomic int *dropped;
    int number;
};

static void drop_tagged(void *arg)
{
    struct tagged *tagged = arg;

    atomic_fetch_add(tagged->dropped, tagged->number);
}

static int run_tagged(void *arg)
{
    (void)arg;
    return 0;
}

static int cancel_val(void *arg)
{
    struct seen *seen = arg;
    struct tagged tagged = {.dropped = &seen->dropped, .number = 7};
    const weft_task_options options = {
        .drop = drop_tagged, .val = &tagged, .val_bytes = sizeof tagged};

    gate_init(&seen->gate, 1);
    weft_future blocker = weft_offload(weft_cpu(), stand_at_gate, &seen->gate);
    int rc = check_latch_wait(&seen->gate.reached);
    weft_future queued = weft_offload_with(weft_cpu(), &options, run_tagged, NULL);
    int cancelled = weft_cancel(queued);
    seen->rc = weft_await(queued);
    gate_open(&seen->gate, 1);
    seen->other_rc = weft_await(blocker);
    return rc < 0 ? rc : cancelled;
}

static void drop_gets_the_copy_that_the_job_would_have_got(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = weft_run_with(&one_of_each, cancel_val, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -ECANCELED);
    assert_int_equal(seen.dropped, 7);
}

static int run_until_cancelled(void *arg)
{
    struct seen *seen = arg;

    check_arrive(&seen->running);
    while (!weft_cancelled()) {
    }
    seen->saw_cancel = 1;
    return 17;
}

static int cancel_running(void *arg)
{
    struct seen *seen = arg;

    check_latch_init(&seen->running, 1);
    weft_future job = weft_offload(weft_cpu(), run_until_cancelled, seen);
    int rc = check_latch_wait(&seen->running);
    int cancelled = weft_cancel(job);
    seen->rc = weft_await(job);
    return rc < 0 ? rc : cancelled;
}

static void a_running_job_sees_that_it_is_cancelled_and_gives_its_own_status(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancel_running, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 17);
        assert_int_equal(seen.saw_cancel, 1);
    }
}

static int ask(void *arg)
{
    ((struct seen *)arg)->saw_cancel = weft_cancelled();
    return 0;
}

static int next_job(void *arg)
{
    struct seen *seen = arg;
    int rc = cancel_running(seen);
    int asked = weft_await(weft_offload(weft_cpu(), ask, seen));

    return rc < 0 ? rc : asked;
}

static void the_next_job_of_the_same_thread_is_not_cancelled(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = weft_run_with(&one_of_each, next_job, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.saw_cancel, 0);
}

static int blocking_task(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_blocking(run_until_cancelled, seen);
    seen->other_rc = weft_sleep(0);
    return 0;
}

static int cancel_caller(void *arg)
{
    struct seen *seen = arg;

    check_latch_init(&seen->running, 1);
    weft_future task = weft_spawn(blocking_task, seen);
    int rc = check_latch_wait(&seen->running);
    int cancelled = weft_cancel(task);
    int awaited = weft_await(task);
    return rc < 0 ? rc : cancelled < 0 ? cancelled : awaited;
}

static void a_cancelled_caller_gets_the_status_of_a_blocking_call_that_had_started(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, cancel_caller, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 17);
        assert_int_equal(seen.other_rc, -ECANCELED); /* the next wait tells */
    }
}

static int blocked_out(void *arg)
{
    struct seen *seen = arg;

    check_arrive(&seen->running);
    seen->rc = weft_blocking(count_run, &seen->ran);
    return 0;
}

static int cancel_waiting_caller(void *arg)
{
    struct seen *seen = arg;

    gate_init(&seen->gate, 1);
    check_latch_init(&seen->running, 1);
    weft_future blocker = weft_offload(weft_blocking_lane(), stand_at_gate, &seen->gate);
    int rc = check_latch_wait(&seen->gate.reached);
    weft_future task = weft_spawn(blocked_out, seen);
    if (rc == 0)
        rc = check_latch_wait(&seen->running);
    int cancelled = weft_cancel(task);
    int awaited = weft_await(task); /* ends while the lane's only thread is held */
    gate_open(&seen->gate, 1);
    seen->other_rc = weft_await(blocker);
    return rc < 0 ? rc : cancelled < 0 ? cancelled : awaited;
}

static void a_cancelled_caller_gets_ecanceled_for_a_blocking_call_that_never_started(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = weft_run_with(&one_of_each, cancel_waiting_caller, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -ECANCELED);
    assert_int_equal(seen.ran, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queued_job_that_is_cancelled_never_starts_and_is_dropped_once),
        cmocka_unit_test(drop_gets_the_copy_that_the_job_would_have_got),
        cmocka_unit_test(a_running_job_sees_that_it_is_cancelled_and_gives_its_own_status),
        cmocka_unit_test(the_next_job_of_the_same_thread_is_not_cancelled),
        cmocka_unit_test(a_cancelled_caller_gets_the_status_of_a_blocking_call_that_had_started),
        cmocka_unit_test(a_cancelled_caller_gets_ecanceled_for_a_blocking_call_that_never_started),
    };
    return CHECK_GROUP(tests);
}
