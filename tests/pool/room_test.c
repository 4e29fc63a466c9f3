/*
 * room_test - a full queue holds back who offloads, and nobody else.
 */
#include <errno.h>
#include <pthread.h>

#include "check.h"
#include "core/tuning.h"
#include "gate.h"

/* A CPU pool of one thread, which stands at a gate while its queue is filled. */
struct full {
    struct gate gate;
    weft_future blocker;
    weft_future queued[TUNE_POOL_BOUND];
    _Atomic int ran;
    _Atomic int returned; /* the offload beyond the bound */
    struct check_latch about;
    int tried;
    int returned_while_full;
    int ran_meanwhile;
    int rc;
};

static const weft_options one_of_each = {.workers = 1, .pool_threads = 1};

static int fill(struct full *full)
{
    gate_init(&full->gate, 1);
    check_latch_init(&full->about, 1);
    full->blocker = weft_offload(weft_cpu(), stand_at_gate, &full->gate);
    int rc = check_latch_wait(&full->gate.reached);
    for (int i = 0; i < TUNE_POOL_BOUND; i++)
        full->queued[i] = weft_offload(weft_cpu(), count_run, &full->ran);
    return rc;
}

static int empty(struct full *full)
{
    gate_open(&full->gate, 1);
    int rc = weft_await(full->blocker);
    int gathered = weft_gather_n(full->queued, TUNE_POOL_BOUND, NULL);
    return rc < 0 ? rc : gathered;
}

static int try_beyond(void *arg)
{
    struct full *full = arg;
    int rc = fill(full);

    full->tried = weft_await(weft_offload_try(weft_cpu(), count_run, &full->ran));
    int emptied = empty(full);
    return rc < 0 ? rc : emptied;
}

static void a_try_beyond_the_bound_gives_eagain(void **state)
{
    static struct full full;

    (void)state;
    int rc = weft_run_with(&one_of_each, try_beyond, &full);

    assert_int_equal(rc, 0);
    assert_int_equal(full.tried, -EAGAIN);
    assert_int_equal(full.ran, TUNE_POOL_BOUND);
}

static int one_more(void *arg)
{
    struct full *full = arg;

    check_arrive(&full->about);
    weft_future future = weft_offload(weft_cpu(), count_run, &full->ran);
    atomic_store(&full->returned, 1);
    return weft_await(future);
}

/* The worker is free while the task waits for room: this very code runs on it. */
static int wait_beyond(void *arg)
{
    struct full *full = arg;
    int rc = fill(full);
    weft_future waiting = weft_spawn(one_more, full);

    for (int i = 0; i < 100 && rc == 0; i++)
        rc = weft_yield();
    full->returned_while_full = atomic_load(&full->returned);
    int emptied = empty(full);
    full->rc = weft_await(waiting);
    return rc < 0 ? rc : emptied;
}

static void a_full_queue_suspends_the_task_that_offloads_and_no_other(void **state)
{
    static struct full full;

    (void)state;
    int rc = weft_run_with(&one_of_each, wait_beyond, &full);

    assert_int_equal(rc, 0);
    assert_int_equal(full.returned_while_full, 0);
    assert_int_equal(full.rc, 0);
    assert_int_equal(full.ran, TUNE_POOL_BOUND + 1);
}

static int cancel_beyond(void *arg)
{
    struct full *full = arg;
    int rc = fill(full);
    weft_future waiting = weft_spawn(one_more, full);

    if (rc == 0)
        rc = check_latch_wait(&full->about);
    if (rc == 0)
        rc = weft_cancel(waiting);
    full->rc = weft_await(waiting);
    int emptied = empty(full);
    return rc < 0 ? rc : emptied;
}

static void a_task_cancelled_while_it_waits_for_room_offloads_nothing(void **state)
{
    static struct full full;

    (void)state;
    int rc = weft_run_with(&one_of_each, cancel_beyond, &full);

    assert_int_equal(rc, 0);
    assert_int_equal(full.rc, -ECANCELED);
    assert_int_equal(full.ran, TUNE_POOL_BOUND);
}

static void *thread_one_more(void *arg)
{
    struct full *full = arg;

    full->rc = one_more(full);
    return NULL;
}

static int fill_task(void *arg) { return fill(arg); }
static int empty_task(void *arg) { return empty(arg); }

static void a_full_queue_blocks_a_plain_thread_until_there_is_room(void **state)
{
    static struct full full;
    pthread_t thread;

    (void)state;
    assert_int_equal(weft_start(&one_of_each), 0);
    int filled = weft_call(fill_task, &full);
    int created = pthread_create(&thread, NULL, thread_one_more, &full);
    int arrived = check_latch_wait(&full.about);
    int while_full = atomic_load(&full.returned);
    int emptied = weft_call(empty_task, &full);
    (void)pthread_join(thread, NULL); /* it was created: asserted below */
    assert_int_equal(weft_stop(), 0);

    assert_int_equal(created, 0);
    assert_int_equal(arrived, 0);
    assert_int_equal(filled, 0);
    assert_int_equal(while_full, 0);
    assert_int_equal(emptied, 0);
    assert_int_equal(full.rc, 0);
    assert_int_equal(full.ran, TUNE_POOL_BOUND + 1);
}

/* Stands at the gate, then offloads as much as fits the queue once more: nobody would make room. */
static int offload_from_job(void *arg)
{
    struct full *full = arg;
    int rc = stand_at_gate(&full->gate);

    for (int i = 0; i < TUNE_POOL_BOUND; i++)
        (void)weft_detach(weft_offload(weft_cpu(), count_run, &full->ran)); /* counted at the end */
    full->ran_meanwhile = atomic_load(&full->ran); /* none: this job has the only thread */
    full->tried = weft_await(weft_offload_try(weft_cpu(), count_run, &full->ran));
    return rc;
}

static int past_the_bound(void *arg)
{
    struct full *full = arg;

    gate_init(&full->gate, 1);
    weft_future job = weft_offload(weft_cpu(), offload_from_job, full);
    int rc = check_latch_wait(&full->gate.reached);
    for (int i = 0; i < TUNE_POOL_BOUND; i++)
        full->queued[i] = weft_offload(weft_cpu(), count_run, &full->ran);
    gate_open(&full->gate, 1);
    int job_rc = weft_await(job);
    int gathered = weft_gather_n(full->queued, TUNE_POOL_BOUND, NULL);
    while (atomic_load(&full->ran) < 2 * TUNE_POOL_BOUND && rc == 0)
        rc = weft_yield(); /* the detached ones end by themselves */
    return rc < 0 ? rc : job_rc < 0 ? job_rc : gathered;
}

static void a_job_goes_past_the_bound_of_its_own_pool_but_a_try_does_not(void **state)
{
    static struct full full;

    (void)state;
    int rc = weft_run_with(&one_of_each, past_the_bound, &full);

    assert_int_equal(rc, 0);
    assert_int_equal(full.ran_meanwhile, 0);
    assert_int_equal(full.tried, -EAGAIN);
    assert_int_equal(full.ran, 2 * TUNE_POOL_BOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_try_beyond_the_bound_gives_eagain),
        cmocka_unit_test(a_full_queue_suspends_the_task_that_offloads_and_no_other),
        cmocka_unit_test(a_task_cancelled_while_it_waits_for_room_offloads_nothing),
        cmocka_unit_test(a_full_queue_blocks_a_plain_thread_until_there_is_room),
        cmocka_unit_test(a_job_goes_past_the_bound_of_its_own_pool_but_a_try_does_not),
    };
    return CHECK_GROUP(tests);
}
