/*
 * pool_sweep - a job that was cancelled before it began never runs, one that runs is waited for, and
 * what goes through tasks, queues and jobs arrives once.
 */
#include <sched.h>

#include "sweep.h"

#define PIECES 4

static int computes(void *arg)
{
    atomic_fetch_add((_Atomic long *)arg, 1);
    return 0;
}

static int looks_whether_to_end(void *arg)
{
    for (int i = 0; i < 20 && !weft_cancelled(); i++)
        (void)sched_yield(); /* always 0 on Linux; how long it takes does not matter */
    return computes(arg);
}

static int jobs_in_the_cpu_pool(void *arg)
{
    _Atomic long sum = 0;
    weft_future futures[PIECES];

    (void)arg;
    for (int i = 0; i < PIECES; i++)
        futures[i] = sweep_job(weft_cpu(), i % 2 ? looks_whether_to_end : computes, (void *)&sum);
    int statuses[PIECES];
    int rc = CUT(weft_gather_n(futures, PIECES, statuses));
    int ran = 0;
    for (int i = 0; i < PIECES; i++)
        ran += statuses[i] == 0;
    (void)HOLDS(sum >= ran && sum <= PIECES);
    return rc;
}

static int blocks(void *arg)
{
    (void)sched_yield(); /* as above */
    return computes(arg);
}

static int calls_that_block(void *arg)
{
    _Atomic long sum = 0;

    (void)arg;
    int rc = CUT(weft_blocking(blocks, (void *)&sum));
    (void)HOLDS(sum == (rc == 0)); /* what ran counts, what did not start never ran */
    int again = CUT(weft_blocking(blocks, (void *)&sum));
    (void)HOLDS(sum == (rc == 0) + (again == 0));
    return rc < 0 ? rc : again;
}

static int job_that_waits(void *arg)
{
    int rc = weft_await(sweep_job(weft_cpu(), computes, arg));

    return rc == -EAGAIN ? 0 : CUT(rc);
}

static int jobs_that_wait_for_jobs(void *arg)
{
    _Atomic long sum = 0;

    (void)arg;
    return CUT(weft_gather(sweep_job(weft_cpu(), job_that_waits, (void *)&sum),
                           sweep_job(weft_cpu(), job_that_waits, (void *)&sum)));
}

/* --- a pipeline: task, queue, tasks with jobs, semaphore ------------------------------------------------ */

struct plant {
    weft_queue queue;
    weft_sem two;
    _Atomic long worked;
};

static int feeds(void *arg)
{
    struct plant *plant = arg;
    int rc = 0;

    for (int i = 0; i < PIECES && rc == 0; i++) {
        rc = CUT(weft_queue_put(&plant->queue, plant));
        if (rc == 0)
            atomic_fetch_add(&books.given, 1);
    }
    weft_queue_close(&plant->queue);
    return rc;
}

static int works(void *arg)
{
    struct plant *plant = arg;
    void *piece;
    int rc;

    while ((rc = weft_queue_get(&plant->queue, &piece)) == 1) {
        atomic_fetch_add(&books.taken, 1);
        rc = weft_sem_acquire(&plant->two);
        if (rc < 0)
            break;
        atomic_fetch_add(&books.entered, 1);
        rc = weft_await(sweep_job(weft_cpu(), computes, (void *)&plant->worked));
        atomic_fetch_add(&books.left, 1);
        (void)HOLDS(weft_sem_release(&plant->two) == 0);
        if (rc < 0)
            break;
    }
    return CUT(rc);
}

static int pipeline(void *arg)
{
    struct plant plant = {.two = WEFT_SEM_INIT(2)};
    weft_scope scope;
    void *piece;
    int rc = weft_queue_init(&plant.queue, 2);

    (void)arg;
    if (rc < 0)
        return rc;
    rc = weft_scope_open(&scope);
    if (rc == 0) {
        for (int i = 0; i < 3; i++)
            sweep_task_in(&scope, works, &plant);
        sweep_task_in(&scope, feeds, &plant);
        rc = CUT(weft_scope_close(&scope, 0));
    }
    while (weft_queue_try_get(&plant.queue, &piece) == 1)
        atomic_fetch_add(&books.spilt, 1);
    (void)HOLDS(plant.worked <= books.taken);
    weft_queue_destroy(&plant.queue);
    return rc;
}

static void a_job_runs_once_or_is_dropped_once(void **state) { SWEEP(jobs_in_the_cpu_pool); }
static void a_blocking_call_runs_or_never_starts(void **state) { SWEEP(calls_that_block); }
static void jobs_of_jobs_are_waited_for(void **state) { SWEEP(jobs_that_wait_for_jobs); }
static void what_goes_through_a_pipeline_arrives_once(void **state) { SWEEP(pipeline); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_runs_once_or_is_dropped_once),
        cmocka_unit_test(a_blocking_call_runs_or_never_starts),
        cmocka_unit_test(jobs_of_jobs_are_waited_for),
        cmocka_unit_test(what_goes_through_a_pipeline_arrives_once),
    };

    return SWEEP_GROUP(tests);
}
