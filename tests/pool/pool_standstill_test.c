/*
 * pool_standstill_test - threads on their way into a pool or out of it hide no standstill, however long
 * that way takes: they are weft's own, and what is not seen because of them is seen after them.
 *
 * Each test holds one thread on its way until all else sleeps, and has it look there, as the last that
 * stopped acting may look. That look must not take the thread for one of the program's: it may not even
 * count those, in /proc. After it nobody looks but who comes from that way.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "check.h"
#include "core/bell.h"
#include "core/sys.h"
#include "core/worker.h"
#include "pool/pool.h"

static struct {
    sem_t left;             /* a thread is on its way out */
    sem_t busy, go_on;      /* the job that keeps its thread busy */
    sem_t over;             /* the run */
    weft_event never;       /* what the program waits for in the end */
    _Atomic bool does_wait; /* it does, or is about to */
    _Atomic bool was_held;
    _Atomic bool goes_on; /* the thread that was held */
    _Atomic int counts;   /* how often weft has looked for threads until then */
    int rc;
} scene;

static pthread_key_t at_exit;

static void set_the_scene(void)
{
    memset(&scene, 0, sizeof scene);
    assert_int_equal(sem_init(&scene.left, 0, 0), 0);
    assert_int_equal(sem_init(&scene.busy, 0, 0), 0);
    assert_int_equal(sem_init(&scene.go_on, 0, 0), 0);
    assert_int_equal(sem_init(&scene.over, 0, 0), 0);
}

static int waits_for_ever(void)
{
    atomic_store(&scene.does_wait, true);
    return weft_event_wait(&scene.never); /* suspends: worker, errno stale */
}

static bool all_sleep(struct runtime *runtime)
{
    bool sleep = atomic_load(&scene.does_wait) && weft__park_all_sleep(runtime);

    for (uint32_t i = 0; i < runtime->worker_count; i++)
        sleep &= bell_is_asleep(load_seq(&runtime->workers[i].loop.bell->asleep));
    return sleep && weft__pool_live(weft_cpu()) == 0;
}

/* Once in a run. */
static void hold_this_thread(void)
{
    struct runtime *runtime;

    if (atomic_exchange(&scene.was_held, true) || weft__runtime_enter(&runtime) < 0)
        return;
    while (!all_sleep(runtime))
        (void)sched_yield(); /* always 0 on Linux */
    weft__quiet_look(runtime);
    atomic_store(&scene.goes_on, true);
    weft__runtime_leave(runtime);
}

static int counts_the_counts(const char *call)
{
    if (strcmp(call, "open") == 0 && !atomic_load(&scene.goes_on))
        atomic_fetch_add(&scene.counts, 1);
    return 0;
}

static void run_the_scene(int workers, int pool_threads, int bystanders,
                          int (*fault)(const char *call), weft_fn fn)
{
    const weft_options options = {.workers = workers,
                                  .pool_threads = pool_threads,
                                  .bystanders = check_bystanders() + bystanders};

    check_progress();
    weft__sys_fault = fault;
    scene.rc = weft_run_with(&options, fn, NULL);
    weft__sys_fault = NULL;
}

static void assert_that_it_was_seen(void)
{
    assert_int_equal(scene.rc, -EDEADLK);
    assert_true(scene.was_held);
    assert_int_equal(scene.counts, 0);
}

/* --- one that comes ---------------------------------------------------------------------------- */

static int does_nothing(void *arg)
{
    (void)arg;
    return 0;
}

/* What a thread of the CPU pool does first is to lower itself. */
static int holds_who_comes(const char *call)
{
    if (strcmp(call, "scheduler") == 0)
        hold_this_thread();
    return counts_the_counts(call);
}

static int takes_the_job_back(void *arg)
{
    (void)arg;
    weft_future job = weft_offload(weft_cpu(), does_nothing, NULL);
    int rc = weft_cancel(job);

    if (rc < 0 || weft_await(job) != -ECANCELED) /* suspends: worker, errno stale */
        return -EPROTO;
    return waits_for_ever();
}

static void it_is_seen_when_a_thread_comes_to_a_pool_and_finds_no_job(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        set_the_scene();

        run_the_scene(n, 1, 0, holds_who_comes, takes_the_job_back);

        assert_that_it_was_seen();
    }
}

/* --- one that cannot be had --------------------------------------------------------------------- */

static int keeps_its_thread_busy(void *arg)
{
    (void)arg;
    (void)sem_post(&scene.busy); /* cannot overflow */
    check_sem_wait(&scene.go_on);
    return 0;
}

static bool has_slept_again(struct weft_pool *pool)
{
    lock_acquire(&pool->lock);
    bool has = !list_is_empty(&pool->idle);
    lock_release(&pool->lock);
    return has;
}

/* The second thread of the pool, which a thread of the program has asked for: the first does its job
 * meanwhile. */
static int refuses_who_comes(const char *call)
{
    if (strcmp(call, "thread") == 0 && !weft__runtime_is_mine() && weft_cpu()) {
        (void)sem_post(&scene.go_on); /* cannot overflow */
        while (!has_slept_again(weft_cpu()))
            (void)sched_yield(); /* always 0 on Linux */
        hold_this_thread();
        return -EAGAIN;
    }
    return counts_the_counts(call);
}

static void *offloads_one_more(void *arg)
{
    check_sem_wait(&scene.busy);
    (void)weft_detach(weft_offload(weft_cpu(), does_nothing, NULL)); /* whatever comes of it */
    check_sem_wait(&scene.over);
    return arg;
}

static int leaves_a_busy_job_and_waits(void *arg)
{
    (void)arg;
    int rc = weft_detach(weft_offload(weft_cpu(), keeps_its_thread_busy, NULL));

    return rc < 0 ? -EPROTO : waits_for_ever();
}

static void it_is_seen_when_a_thread_for_a_pool_cannot_be_had(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        pthread_t thread;
        set_the_scene();

        assert_int_equal(pthread_create(&thread, NULL, offloads_one_more, NULL), 0);
        run_the_scene(n, 2, 1, refuses_who_comes, leaves_a_busy_job_and_waits);
        (void)sem_post(&scene.over); /* cannot overflow */
        assert_int_equal(pthread_join(thread, NULL), 0);

        assert_that_it_was_seen();
    }
}

/* --- one that leaves ---------------------------------------------------------------------------- */

/* When a thread has done all that it does for the pool. */
static void ends(void *arg)
{
    (void)arg;
    if (!atomic_load(&scene.was_held))
        (void)sem_post(&scene.left); /* cannot overflow */
    hold_this_thread();
}

static int lasts_longer(void *arg)
{
    (void)arg;
    return -pthread_setspecific(at_exit, &scene);
}

/* Lends its place to another thread, and so makes one too many when it goes on. */
static int waits_for_another(void *arg)
{
    int rc = weft_await(weft_offload(weft_cpu(), lasts_longer, arg));

    return rc < 0 ? rc : lasts_longer(arg);
}

static int leaves_two_threads_for_one_and_waits(void *arg)
{
    int rc = weft_detach(weft_offload(weft_cpu(), waits_for_another, arg));

    if (rc < 0)
        return -EPROTO;
    check_sem_wait(&scene.left);
    return waits_for_ever();
}

static void it_is_seen_when_a_thread_has_left_a_pool(void **state)
{
    (void)state;
    assert_int_equal(pthread_key_create(&at_exit, ends), 0);
    CHECK_WORKERS(n) {
        set_the_scene();

        run_the_scene(n, 1, 0, counts_the_counts, leaves_two_threads_for_one_and_waits);

        assert_that_it_was_seen();
    }
    assert_int_equal(pthread_key_delete(at_exit), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_seen_when_a_thread_comes_to_a_pool_and_finds_no_job),
        cmocka_unit_test(it_is_seen_when_a_thread_for_a_pool_cannot_be_had),
        cmocka_unit_test(it_is_seen_when_a_thread_has_left_a_pool),
    };

    return CHECK_GROUP(tests);
}
