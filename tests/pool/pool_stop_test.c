/*
 * pool_stop_test - stopping: queued jobs never start, running ones are asked to end and waited for,
 * and one that refuses is named and left behind.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "gate.h"

#define QUEUED 3 /* fits the queue of the smallest build */

/* For what has to end: threads of the pool come late on a busy machine, and the watchdog comes before. */
#define FOR_LONG weft_s(3600)

struct seen {
    struct check_latch running;
    _Atomic int ran, dropped, saw_cancel, late;
    char report[400];
    _Atomic int reports;
};

static void drop_queued(void *arg) { atomic_fetch_add(&((struct seen *)arg)->dropped, 1); }
static int run_queued(void *arg) { return atomic_fetch_add(&((struct seen *)arg)->ran, 1); }

static int run_late(void *arg)
{
    (void)arg;
    return 0;
}

static int run_until_cancelled(void *arg)
{
    struct seen *seen = arg;

    check_arrive(&seen->running);
    while (!weft_cancelled()) {
    }
    while (atomic_load(&seen->dropped) < QUEUED) /* a wait lends the place: they could begin */
        (void)sched_yield();                     /* always 0 on Linux */
    int rc = 0;
    while (rc >= 0) /* until the pool is closed */
        rc = weft_await(weft_offload(weft_cpu(), run_late, NULL));
    atomic_store(&seen->late, rc);
    atomic_store(&seen->saw_cancel, 1);
    return 0;
}

static int leave_jobs(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options options = {.drop = drop_queued};
    int rc = weft_detach(weft_offload(weft_cpu(), run_until_cancelled, seen));

    if (rc == 0)
        rc = check_latch_wait(&seen->running);
    for (int i = 0; i < QUEUED && rc == 0; i++)
        rc = weft_detach(weft_offload_with(weft_cpu(), &options, run_queued, seen));
    return rc;
}

static void stopping_drops_what_is_queued_and_waits_for_what_runs(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 3; workers++) {
        const weft_options options = {.workers = workers, .pool_threads = 1, .shutdown = FOR_LONG};
        struct seen seen = {.late = 1};
        check_latch_init(&seen.running, 1);

        int rc = weft_run_with(&options, leave_jobs, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.dropped, QUEUED);
        assert_int_equal(seen.ran, 0);
        assert_int_equal(seen.saw_cancel, 1);
        assert_true(seen.late == -ESHUTDOWN || seen.late == -ECANCELED);
    }
}

static int runs_while_not_cancelled(void *arg)
{
    while (!weft_cancelled()) {
    }
    return atomic_fetch_add(&((struct seen *)arg)->saw_cancel, 1);
}

/* Makes a job when the stop has told everybody already, and waits for it. */
static int offers_when_cancelled(void *arg)
{
    struct seen *seen = arg;

    check_arrive(&seen->running);
    while (!weft_cancelled()) {
    }
    return weft_await(weft_offload(weft_cpu(), runs_while_not_cancelled, seen));
}

static int awaits_a_job(void *arg)
{
    return weft_await(weft_offload(weft_cpu(), offers_when_cancelled, arg));
}

static int leaves_one_that_awaits(void *arg)
{
    int rc = weft_detach(weft_spawn(awaits_a_job, arg));

    return rc < 0 ? rc : check_latch_wait(&((struct seen *)arg)->running);
}

static void a_job_made_while_stopping_is_asked_to_end(void **state)
{
    (void)state;
    for (int workers = 1; workers <= 3; workers++) {
        const weft_options options = {.workers = workers, .pool_threads = 1, .shutdown = FOR_LONG};
        struct seen seen = {.saw_cancel = 0};
        check_latch_init(&seen.running, 1);

        assert_int_equal(weft_start(&options), 0);
        int called = weft_call(leaves_one_that_awaits, &seen);
        int stopped = weft_stop();

        assert_int_equal(called, 0);
        assert_int_equal(stopped, 0);
        assert_int_equal(seen.saw_cancel, 1);
    }
}

static void note_report(void *context, const char *sentence)
{
    struct seen *seen = context;

    if (strstr(sentence, "refuse_to_end") != NULL && atomic_fetch_add(&seen->reports, 1) == 0)
        (void)snprintf(seen->report, sizeof seen->report, "%s", sentence); /* may cut */
}

static int refuse_to_end(void *arg)
{
    check_arrive(&((struct seen *)arg)->running);
    for (;;)
        pause(); /* ends with the process */
    return 0;
}

static int leave_refusing(void *arg)
{
    struct seen *seen = arg;
    int rc = weft_detach(weft_offload(weft_blocking_lane(), refuse_to_end, seen));

    return rc < 0 ? rc : check_latch_wait(&seen->running);
}

/* In memory that outlives the test: the job goes on. */
static struct seen refusing, refusing_again;

static weft_options refusing_options(struct seen *seen)
{
    check_latch_init(&seen->running, 1);
    return (weft_options){
        .workers = 1, .shutdown = weft_ms(20), .report = note_report, .report_context = seen};
}

static void a_job_that_refuses_to_end_is_named_and_weft_stop_returns(void **state)
{
    const weft_options options = refusing_options(&refusing);

    (void)state;
    assert_int_equal(weft_start(&options), 0);
    int called = weft_call(leave_refusing, &refusing);
    int stopped = weft_stop();

    assert_int_equal(called, 0);
    assert_int_equal(stopped, -ETIMEDOUT);
    assert_int_equal(refusing.reports, 1);
    assert_non_null(strstr(refusing.report, "refuse_to_end ("));
    assert_non_null(strstr(refusing.report, "pool_stop_test.c:"));
}

static void after_an_abandoned_job_weft_run_starts_afresh_and_returns(void **state)
{
    const weft_options options = refusing_options(&refusing_again);

    (void)state;
    int rc = weft_run_with(&options, leave_refusing, &refusing_again);

    assert_int_equal(rc, 0); /* what the program gave */
    assert_int_equal(refusing_again.reports, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stopping_drops_what_is_queued_and_waits_for_what_runs),
        cmocka_unit_test(a_job_made_while_stopping_is_asked_to_end),
        cmocka_unit_test(a_job_that_refuses_to_end_is_named_and_weft_stop_returns),
        cmocka_unit_test(after_an_abandoned_job_weft_run_starts_afresh_and_returns),
    };
    return CHECK_GROUP(tests);
}
