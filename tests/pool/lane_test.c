/*
 * lane_test - the lanes for what blocks: they grow when all are busy, to a limit, and shrink again.
 */
#include <errno.h>
#include <pthread.h>

#include "check.h"
#include "core/loop.h"
#include "core/tuning.h"
#include "gate.h"
#include "pool/pool.h"

#define JOBS    24
#define LIMIT   3
#define LIMITED (LIMIT + 4) /* so many fit in the queue of the smallest build */

struct seen {
    struct gate gate;
    struct gate names_gate;
    _Atomic int running, most;
    _Atomic int ran;
    int rc[JOBS];
    int yields;
};

/* So many jobs stand at the gate at once: each has a thread of its own. */
static int all_at_once(void *arg)
{
    struct seen *seen = arg;
    weft_future future[JOBS];

    gate_init(&seen->gate, JOBS);
    for (int i = 0; i < JOBS; i++)
        future[i] = weft_offload(weft_blocking_lane(), stand_at_gate, &seen->gate);
    int rc = check_latch_wait(&seen->gate.reached);
    gate_open(&seen->gate, JOBS);
    int gathered = weft_gather_n(future, JOBS, seen->rc);
    return rc < 0 ? rc : gathered;
}

static void the_lane_grows_while_all_its_threads_are_busy(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        const weft_options options = {.workers = n, .blocking_threads = JOBS};
        struct seen seen = {0};

        int rc = weft_run_with(&options, all_at_once, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.gate.passed, JOBS);
    }
}

static int count_running(void *arg)
{
    struct seen *seen = arg;
    int running = atomic_fetch_add(&seen->running, 1) + 1;
    int most = atomic_load(&seen->most);

    while (running > most && !atomic_compare_exchange_weak(&seen->most, &most, running)) {
    }
    (void)stand_at_gate(&seen->gate); /* gives a number, never an error */
    atomic_fetch_sub(&seen->running, 1);
    return 0;
}

static int limited(void *arg)
{
    struct seen *seen = arg;
    weft_future future[LIMITED];

    gate_init(&seen->gate, LIMIT); /* as many as the limit do come together */
    for (int i = 0; i < LIMITED; i++)
        future[i] = weft_offload(weft_blocking_lane(), count_running, seen);
    int rc = check_latch_wait(&seen->gate.reached);
    gate_open(&seen->gate, LIMITED);
    int gathered = weft_gather_n(future, LIMITED, NULL);
    return rc < 0 ? rc : gathered;
}

static void the_lane_never_runs_more_jobs_at_once_than_its_limit(void **state)
{
    const weft_options options = {.workers = 2, .blocking_threads = LIMIT};
    struct seen seen = {0};

    (void)state;
    int rc = weft_run_with(&options, limited, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.most, LIMIT);
    assert_int_equal(seen.gate.passed, LIMITED);
}

static int block(void *arg)
{
    struct seen *seen = arg;

    return weft_blocking(stand_at_gate, &seen->gate);
}

static int others_go_on(void *arg)
{
    struct seen *seen = arg;

    gate_init(&seen->gate, 1);
    weft_future blocked = weft_spawn(block, seen);
    int rc = check_latch_wait(&seen->gate.reached);
    for (int i = 0; i < 100 && rc == 0; i++, seen->yields++)
        rc = weft_yield();
    gate_open(&seen->gate, 1);
    int awaited = weft_await(blocked);
    return rc < 0 ? rc : awaited;
}

static void a_task_that_blocks_on_the_lane_lets_the_others_go_on(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, others_go_on, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.yields, 100);
}

static int block_names(void *arg)
{
    struct seen *seen = arg;

    return weft__lane_run(LANE_NAMES, stand_at_gate, &seen->names_gate);
}

static int full_lanes(void *arg)
{
    struct seen *seen = arg;
    weft_future stuck[TUNE_NAMES_THREADS];
    weft_future computing;

    gate_init(&seen->gate, 1);
    gate_init(&seen->names_gate, TUNE_NAMES_THREADS);
    for (int i = 0; i < TUNE_NAMES_THREADS; i++)
        stuck[i] = weft_spawn(block_names, seen);
    computing = weft_offload(weft_cpu(), stand_at_gate, &seen->gate);
    int rc = check_latch_wait(&seen->names_gate.reached);
    if (rc == 0)
        rc = check_latch_wait(&seen->gate.reached);
    seen->rc[0] = weft__lane_run(LANE_BLOCKING, count_run, &seen->ran);
    gate_open(&seen->gate, 1);
    gate_open(&seen->names_gate, TUNE_NAMES_THREADS);
    int gathered = weft_gather_n(stuck, TUNE_NAMES_THREADS, NULL);
    int awaited = weft_await(computing);
    return rc < 0 ? rc : awaited < 0 ? awaited : gathered;
}

static void full_lanes_do_not_stall_another_one(void **state)
{
    const weft_options options = {.workers = 1, .pool_threads = 1};
    struct seen seen = {0};

    (void)state;
    int rc = weft_run_with(&options, full_lanes, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc[0], 0);
    assert_int_equal(seen.ran, 1);
}

static uint32_t thread_count(weft_pool *pool)
{
    lock_acquire(&pool->lock);
    uint32_t count = pool->count;
    lock_release(&pool->lock);
    return count;
}

static int shrinks(void *arg)
{
    struct seen *seen = arg;
    weft_pool *lane = weft_blocking_lane();
    int rc = 0;

    lane->shape.linger = weft_ms(1); /* no thread has started yet */
    for (int round = 0; round < 3 && rc == 0; round++) {
        rc = all_at_once(seen);
        while (rc == 0 && thread_count(lane) > 0)
            rc = weft_sleep(weft_ms(1)); /* until it is so: the watchdog knows no patience */
        seen->rc[round] = rc;
    }
    return rc;
}

static void threads_without_work_leave_and_come_back(void **state)
{
    const weft_options options = {.workers = 2, .blocking_threads = JOBS};
    struct seen seen = {0};

    (void)state;
    int rc = weft_run_with(&options, shrinks, &seen);

    assert_int_equal(rc, 0);
}

static int inner(void *arg)
{
    struct seen *seen = arg;
    pthread_t thread = pthread_self();
    int ran = weft_blocking(count_run, &seen->ran);

    return ran < 0 ? ran : pthread_equal(thread, pthread_self());
}

static int nested(void *arg)
{
    struct seen *seen = arg;

    seen->rc[0] = weft_blocking(inner, seen);
    return 0;
}

static void a_blocking_call_in_a_job_runs_right_there(void **state)
{
    const weft_options options = {.workers = 1, .blocking_threads = 1};
    struct seen seen = {0};

    (void)state;
    int rc = weft_run_with(&options, nested, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc[0], 1);
    assert_int_equal(seen.ran, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_lane_grows_while_all_its_threads_are_busy),
        cmocka_unit_test(the_lane_never_runs_more_jobs_at_once_than_its_limit),
        cmocka_unit_test(a_task_that_blocks_on_the_lane_lets_the_others_go_on),
        cmocka_unit_test(full_lanes_do_not_stall_another_one),
        cmocka_unit_test(threads_without_work_leave_and_come_back),
        cmocka_unit_test(a_blocking_call_in_a_job_runs_right_there),
    };
    return CHECK_GROUP(tests);
}
