/*
 * standstill_test - everything waits and nothing can wake anything: weft_run ends it and says so. And
 * everything that is no standstill, because something may still come.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/testing.h>

#include "core/sys.h"
#include "core/worker.h"
#include "reports.h"
#include "tasks.h"

struct seen {
    _Atomic int rc; /* all who write it write the same */
    int second;
    _Atomic int count;
    weft_event event;
    weft_event never;
    weft_mutex mutex;
    weft_promise promise;
    weft_future future;
    pthread_t thread;
    int fds[2];
    struct reports reports;
};

static int run_with_bystanders(int workers, int bystanders, weft_fn fn, struct seen *seen)
{
    const weft_options options = {.workers = workers,
                                  .shutdown = weft_s(3600), /* nothing here may wait for it */
                                  .bystanders = bystanders};

    return run_with_reports(options, &seen->reports, fn, seen);
}

static int run_reported(int workers, weft_fn fn, struct seen *seen)
{
    return run_with_bystanders(workers, check_bystanders(), fn, seen);
}

/* --- standstills ----------------------------------------------------------------------------- */

static int waits_for_an_event(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_event_wait(&seen->never);
    atomic_fetch_add(&seen->count, 1);
    return seen->rc;
}

static int waits_for_a_promise(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_await(weft_promise_new(&seen->promise));
    return seen->rc;
}

static int waits_for_a_permit(void *arg)
{
    struct seen *seen = arg;
    weft_sem sem = WEFT_SEM_INIT(0);

    seen->rc = weft_sem_acquire(&sem);
    return seen->rc;
}

static int waits_for_an_item(void *arg)
{
    struct seen *seen = arg;
    weft_queue queue;
    void *item;

    if (weft_queue_init(&queue, 1) < 0)
        return -EPROTO;
    seen->rc = weft_queue_get(&queue, &item);
    weft_queue_destroy(&queue);
    return seen->rc;
}

static int sleeps_for_ever(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_sleep(WEFT_FOREVER);
    return seen->rc;
}

static int waits_for_a_child(void *arg) { return weft_await(weft_spawn(waits_for_an_event, arg)); }

static int waits_for_the_next_one(void *arg)
{
    weft_future future = weft_spawn(waits_for_an_event, arg);
    weft_completed all;
    size_t index;
    int rc = weft_completed_init(&all, &future, 1);

    if (rc == 0)
        rc = weft_completed_next(&all, &index, NULL);
    return rc;
}

static int waits_for_the_members(void *arg)
{
    weft_scope scope;

    if (weft_scope_open(&scope) < 0)
        return -EPROTO;
    for (int i = 0; i < 3; i++)
        weft_scope_spawn(&scope, waits_for_an_event, arg);
    return weft_scope_close(&scope, 0);
}

static int yields_first(void *arg)
{
    for (int i = 0; i < 100; i++)
        if (weft_yield() < 0)
            return -EPROTO;
    return waits_for_an_event(arg);
}

static int sleeps_first(void *arg)
{
    int rc = weft_sleep(weft_ms(1)); /* suspends: worker, errno stale */

    return rc < 0 ? rc : waits_for_an_event(arg);
}

static int waits_in_a_weft_run(void *arg) { return weft_run(waits_for_an_event, arg); }

static void whatever_is_waited_for_in_vain_ends_the_run(void **state)
{
    static const weft_fn programs[] = {
        waits_for_an_event,  waits_for_a_promise,   waits_for_a_permit,     waits_for_an_item,
        sleeps_for_ever,     waits_for_a_child,     yields_first,           sleeps_first,
        waits_in_a_weft_run, waits_for_the_members, waits_for_the_next_one,
    };

    (void)state;
    CHECK_WORKERS(n)
        for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
            struct seen seen = {.rc = -1};

            int rc = run_reported(n, programs[i], &seen);

            assert_int_equal(rc, -EDEADLK);
            assert_int_equal(seen.rc, -ECANCELED); /* it was cancelled, and cleaned up */
            assert_true(seen.reports.count >= 1);
        }
}

static int spawns_three(void *arg)
{
    weft_future a = weft_spawn(waits_for_a_permit, arg);
    weft_future b = weft_spawn(sleeps_for_ever, arg);
    weft_future c = weft_spawn(waits_for_an_item, arg);

    return weft_gather(a, b, c);
}

static void every_task_is_listed_with_its_site_and_what_it_waits_for(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = run_reported(n, spawns_three, &seen);

        assert_int_equal(rc, -EDEADLK);
        assert_int_equal(seen.reports.count, 4);
        assert_non_null(strstr(seen.reports.text, "task waits_for_a_permit ("));
        assert_non_null(strstr(seen.reports.text, "standstill_test.c:"));
        assert_non_null(strstr(seen.reports.text, "waits for a permit"));
        assert_non_null(strstr(seen.reports.text, "waits for an item"));
        assert_non_null(strstr(seen.reports.text, "waits for the end of a sleep"));
        assert_non_null(strstr(seen.reports.text, "the function given to weft_run"));
        assert_non_null(strstr(weft_why(), "nothing can wake"));
        /* the others as far as there is room: their sites have paths */
        assert_non_null(strstr(weft_why(), "task the function given to weft_run waits for"));
    }
}

static void who_goes_through_futures_waits_for_the_next_of_them(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = run_reported(2, waits_for_the_next_one, &seen);

    assert_int_equal(rc, -EDEADLK);
    assert_non_null(strstr(seen.reports.text, "waits for the next of its futures to end"));
}

static int spawns_a_hundred(void *arg)
{
    weft_future futures[100];

    for (int i = 0; i < 100; i++)
        futures[i] = weft_spawn(waits_for_an_event, arg);
    return weft_gather_n(futures, 100, NULL);
}

static void a_long_list_is_cut_with_a_word_about_the_rest(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = run_reported(2, spawns_a_hundred, &seen);

    assert_int_equal(rc, -EDEADLK);
    assert_int_equal(seen.reports.count, 101);
    assert_int_equal(seen.count, 100);
    assert_non_null(strstr(weft_why(), " more"));
}

static void the_next_run_is_like_any_other(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};
        int status = 7;

        assert_int_equal(run_reported(n, waits_for_an_event, &seen), -EDEADLK);
        assert_int_equal(check_run(n, ends_with, &status), 7);
        assert_int_equal(run_reported(n, waits_for_an_event, &seen), -EDEADLK);
    }
}

static int waits_in_a_job(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_wait(seen->future);
    return 0;
}

static int awaits_a_waiting_job(void *arg)
{
    struct seen *seen = arg;

    seen->future = weft_promise_new(&seen->promise);
    weft_future job = weft_offload(weft_cpu(), waits_in_a_job, seen);
    seen->rc = weft_await(job); /* suspends: worker, errno stale */
    (void)weft_detach(seen->future);
    return seen->rc;
}

static void a_job_that_waits_in_weft_is_no_hope_and_is_listed(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = run_reported(n, awaits_a_waiting_job, &seen);

        assert_int_equal(rc, -EDEADLK);
        assert_int_equal(seen.second, -ECANCELED); /* the stop cancels the promise */
        assert_non_null(strstr(seen.reports.text, "job waits_in_a_job ("));
    }
}

static int computes_a_little(void *arg)
{
    struct seen *seen = arg;

    for (int i = 0; i < 10; i++)
        (void)sched_yield(); /* always 0 on Linux */
    atomic_fetch_add(&seen->count, 1);
    return 0;
}

static int leaves_a_job_and_waits(void *arg)
{
    struct seen *seen = arg;

    (void)weft_detach(weft_offload(weft_cpu(), computes_a_little, arg));
    seen->rc = weft_event_wait(&seen->never); /* suspends: worker, errno stale */
    seen->second = atomic_load(&seen->count);
    return seen->rc;
}

static void it_is_seen_when_the_last_job_ends_without_waking_anybody(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        for (int i = 0; i < 20; i++) {
            struct seen seen = {.rc = -1};

            int rc = run_reported(n, leaves_a_job_and_waits, &seen);

            assert_int_equal(rc, -EDEADLK);
            assert_int_equal(seen.second, 1); /* not before */
        }
}

static void *waits_as_a_thread(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_wait(seen->future);
    return NULL;
}

static int waits_beside_a_thread(void *arg)
{
    struct seen *seen = arg;

    seen->future = weft_promise_new(&seen->promise);
    if (pthread_create(&seen->thread, NULL, waits_as_a_thread, seen) != 0)
        return -EPROTO;
    seen->rc = weft_wait(seen->future); /* suspends: worker, errno stale */
    return seen->rc;
}

static void a_thread_that_waits_in_weft_is_no_hope(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = run_reported(n, waits_beside_a_thread, &seen);
        assert_int_equal(pthread_join(seen.thread, NULL), 0);

        assert_int_equal(rc, -EDEADLK);
        assert_int_equal(seen.second, -ECANCELED); /* the stop cancels the promise */
    }
}

static void *does_nothing(void *arg)
{
    (void)arg;
    return NULL;
}

static int joins_a_thread_and_waits(void *arg)
{
    struct seen *seen = arg;

    if (pthread_create(&seen->thread, NULL, does_nothing, NULL) != 0 ||
        pthread_join(seen->thread, NULL) != 0)
        return -EPROTO;
    return waits_for_an_event(arg);
}

static void a_thread_that_was_joined_is_no_hope(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        for (int i = 0; i < 50; i++) {
            struct seen seen = {.rc = -1};

            assert_int_equal(run_reported(n, joins_a_thread_and_waits, &seen), -EDEADLK);
        }
}

static int makes_a_file_and_waits(void *arg)
{
    char path[] = "/tmp/weft-standstill-XXXXXX";
    int made = mkstemp(path);

    if (made < 0 || close(made) != 0)
        return -EPROTO;
    int fd = weft_open(path, O_CREAT | O_TRUNC | O_RDWR, 0600); /* io_uring has helpers for this */
    if (fd < 0 || weft_close(fd) < 0 || unlink(path) != 0)
        return -EPROTO;
    return waits_for_an_event(arg);
}

static void helpers_of_the_kernel_are_no_hope(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        assert_int_equal(run_reported(n, makes_a_file_and_waits, &seen), -EDEADLK);
    }
}

/* It is only there. */
static void *stands_there(void *may_end)
{
    check_sem_wait(may_end);
    return NULL;
}

static void no_other_thread_counts_if_the_options_say_so(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};
        sem_t may_end;

        assert_int_equal(sem_init(&may_end, 0, 0), 0);
        assert_int_equal(pthread_create(&seen.thread, NULL, stands_there, &may_end), 0);
        int all = run_with_bystanders(n, -1, waits_for_an_event, &seen);
        int one = run_with_bystanders(n, check_bystanders() + 1, waits_for_an_event, &seen);
        int most = run_with_bystanders(n, INT_MAX, waits_for_an_event, &seen);
        assert_int_equal(sem_post(&may_end), 0);
        assert_int_equal(pthread_join(seen.thread, NULL), 0);

        assert_int_equal(all, -EDEADLK);
        assert_int_equal(one, -EDEADLK);
        assert_int_equal(most, -EDEADLK);
    }
}

static int releases_in_a_job(void *arg)
{
    struct seen *seen = arg;

    for (int i = 0; i < 10; i++)
        (void)sched_yield();                  /* always 0 on Linux */
    seen->second = atomic_load(&seen->count); /* nobody was cancelled so far */
    return weft_waker_release();
}

static int holds_and_waits(void *arg)
{
    weft_waker_hold();
    (void)weft_detach(weft_offload(weft_cpu(), releases_in_a_job, arg));
    return waits_for_an_event(arg);
}

static void it_is_seen_when_the_last_hold_is_released(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = run_reported(n, holds_and_waits, &seen);

        assert_int_equal(rc, -EDEADLK);
        assert_int_equal(seen.second, 0);
    }
    assert_int_equal(weft_waker_release(), -EPERM);
}

/* What the workers have looked at in vain, and when they look no more by themselves. */
static struct {
    int64_t again_at;
    uint64_t seen;
    bool was_last;
    sem_t last;
} looks;

/* Asked before each sleep of a worker. A second look that finds nothing new is the last. */
static int watches_the_looks(const char *call)
{
    struct worker *worker = weft__worker();

    if (!worker || (strcmp(call, "epoll_wait") != 0 && strcmp(call, "uring_enter") != 0))
        return 0;
    struct quiet *quiet = &worker->runtime->quiet;
    lock_acquire(&quiet->lock);
    if (quiet->again_at != looks.again_at) {
        bool is_last = looks.again_at != 0 && quiet->seen == looks.seen;

        if (is_last && !looks.was_last)
            (void)sem_post(&looks.last); /* cannot overflow */
        looks.was_last |= is_last;
        looks.again_at = quiet->again_at;
        looks.seen = quiet->seen;
    }
    lock_release(&quiet->lock);
    return 0;
}

static void *releases_after_the_last_look(void *arg)
{
    (void)arg;
    check_sem_wait(&looks.last);
    (void)weft_waker_release(); /* it was held */
    return NULL;
}

static void a_thread_that_releases_the_last_hold_has_a_worker_look(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        memset(&looks, 0, sizeof looks);
        assert_int_equal(sem_init(&looks.last, 0, 0), 0);
        weft_waker_hold();
        assert_int_equal(pthread_create(&seen.thread, NULL, releases_after_the_last_look, NULL), 0);
        weft__sys_fault = watches_the_looks;
        int rc = run_with_bystanders(n, -1, waits_for_an_event, &seen);
        weft__sys_fault = NULL;
        assert_int_equal(pthread_join(seen.thread, NULL), 0);

        assert_int_equal(rc, -EDEADLK);
    }
}

static int locks(void *arg)
{
    struct seen *seen = arg;

    weft_lock(&seen->mutex); /* for ever: a thread holds it that waits for us */
    return 0;
}

static int locks_in_two_tasks(void *arg)
{
    weft_future a = weft_spawn(locks, arg);
    weft_future b = weft_spawn(waits_for_an_event, arg);

    return weft_gather(a, b);
}

static void what_cancellation_does_not_end_is_abandoned_at_once_and_listed(void **state)
{
    /* Its memory is the abandoned tasks'. */
    static struct seen seen = {.rc = -1};

    (void)state;
    weft_lock(&seen.mutex);
    int rc = run_reported(2, locks_in_two_tasks, &seen);

    assert_int_equal(rc, -EDEADLK);
    assert_int_equal(seen.rc, -ECANCELED);
    assert_non_null(strstr(seen.reports.text, "task locks ("));
    assert_non_null(
        strstr(seen.reports.text, "waits for ever, although it was cancelled, and is abandoned"));
}

static int waits_in_a_job_for_ever(void *arg)
{
    struct seen *seen = arg;

    return weft_event_wait(&seen->event); /* a job is not cancelled while it waits */
}

static int leaves_such_a_job_and_waits(void *arg)
{
    (void)weft_detach(weft_offload(weft_cpu(), waits_in_a_job_for_ever, arg));
    return waits_for_an_event(arg);
}

static void a_job_that_waits_for_ever_is_abandoned_at_once(void **state)
{
    static struct seen seen = {.rc = -1}; /* the abandoned job's */

    (void)state;
    int rc = run_with_bystanders(2, -1, leaves_such_a_job_and_waits, &seen);

    assert_int_equal(rc, -EDEADLK);
    assert_int_equal(seen.rc, -ECANCELED);
    assert_non_null(strstr(seen.reports.text, "job waits_in_a_job_for_ever ("));
    assert_non_null(strstr(seen.reports.text, "waits for an event"));
    assert_non_null(strstr(seen.reports.text, "its thread is abandoned"));
}

/* --- no standstills -------------------------------------------------------------------------- */

static int sets_the_event(void *arg)
{
    struct seen *seen = arg;

    for (int i = 0; i < 3; i++)
        (void)sched_yield(); /* always 0 on Linux */
    weft_event_set(&seen->event);
    return 0;
}

static int leaves_it_to_a_job(void *arg)
{
    struct seen *seen = arg;

    (void)weft_detach(weft_offload(weft_cpu(), sets_the_event, seen));
    return weft_event_wait(&seen->event);
}

static int leaves_it_to_the_blocking_lane(void *arg)
{
    struct seen *seen = arg;

    (void)weft_detach(weft_offload(weft_blocking_lane(), sets_the_event, seen));
    return weft_event_wait(&seen->event);
}

static int waits_for_a_job_that_waits(void *arg)
{
    (void)weft_detach(weft_offload(weft_cpu(), leaves_it_to_a_job, arg));
    return leaves_it_to_a_job(arg);
}

static int sets_it_after_a_sleep(void *arg)
{
    int rc = weft_sleep(weft_us(300)); /* suspends: worker, errno stale */

    return rc < 0 ? rc : sets_the_event(arg);
}

static int leaves_it_to_a_timer(void *arg)
{
    struct seen *seen = arg;

    (void)weft_detach(weft_spawn(sets_it_after_a_sleep, seen));
    return weft_event_wait(&seen->event);
}

static int sets_it_at_a_moment(void *arg)
{
    struct seen *seen = arg;
    int at =
        weft_select(NULL, weft_on_event(&seen->never), weft_on_time(weft_now() + weft_us(300)));

    return at == 1 ? sets_the_event(seen) : -EPROTO;
}

static int leaves_it_to_a_job_that_waits_for_a_moment(void *arg)
{
    struct seen *seen = arg;

    (void)weft_detach(weft_offload(weft_cpu(), sets_it_at_a_moment, seen));
    return weft_event_wait(&seen->event);
}

static int leaves_it_to_a_deadline(void *arg)
{
    return weft_timeout(weft_us(300), waits_for_an_event, arg) == -ETIMEDOUT ? 0 : -EPROTO;
}

static void *sets_the_event_as_a_thread(void *arg)
{
    (void)sets_the_event(arg);
    return NULL;
}

static int leaves_it_to_a_thread(void *arg)
{
    struct seen *seen = arg;
    pthread_t thread;

    if (pthread_create(&thread, NULL, sets_the_event_as_a_thread, seen) != 0)
        return -EPROTO;
    int rc = weft_event_wait(&seen->event); /* suspends: worker, errno stale */
    return rc < 0 ? rc : -pthread_join(thread, NULL);
}

static int reads_a_byte(void *arg)
{
    struct seen *seen = arg;
    char byte;

    if (weft_read(seen->fds[0], &byte, 1) != 1)
        return -EPROTO;
    weft_event_set(&seen->event);
    return 0;
}

static int writes_a_byte(void *arg)
{
    struct seen *seen = arg;

    return write(seen->fds[1], "x", 1) == 1 ? 0 : -EIO;
}

static int leaves_it_to_bytes(void *arg)
{
    struct seen *seen = arg;

    if (pipe(seen->fds) != 0)
        return -EPROTO;
    (void)weft_detach(weft_spawn(reads_a_byte, seen));
    weft_future job = weft_offload(weft_cpu(), writes_a_byte, seen);
    int rc = weft_event_wait(&seen->event); /* suspends: worker, errno stale */
    int wrote = weft_await(job);            /* suspends: as above */
    return rc < 0 ? rc : wrote < 0 ? wrote : close(seen->fds[0]) + close(seen->fds[1]);
}

static int calls_blocking(void *arg) { return weft_blocking(computes_a_little, arg); }

static void whatever_may_still_come_is_waited_for(void **state)
{
    static const weft_fn programs[] = {
        leaves_it_to_a_job,
        leaves_it_to_the_blocking_lane,
        waits_for_a_job_that_waits,
        leaves_it_to_a_timer,
        leaves_it_to_a_deadline,
        leaves_it_to_a_thread,
        leaves_it_to_a_job_that_waits_for_a_moment,
        leaves_it_to_bytes,
        calls_blocking,
    };

    (void)state;
    CHECK_WORKERS(n)
        for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
            for (int round = 0; round < 20; round++) {
                struct seen seen = {.event = WEFT_EVENT_INIT};

                int rc = run_reported(n, programs[i], &seen);

                assert_int_equal(rc, 0);
                assert_int_equal(seen.reports.count, 0);
            }
}

static int waits_while_held(void *arg)
{
    struct seen *seen = arg;

    int rc = weft_event_wait(&seen->event); /* suspends: worker, errno stale */
    return rc;
}

static void *sets_the_event_and_releases(void *arg)
{
    (void)sets_the_event(arg);
    (void)weft_waker_release();
    return NULL;
}

static void a_hold_keeps_the_run_alive_although_no_thread_counts(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        for (int round = 0; round < 50; round++) {
            struct seen seen = {.event = WEFT_EVENT_INIT};

            weft_waker_hold();
            assert_int_equal(pthread_create(&seen.thread, NULL, sets_the_event_and_releases, &seen),
                             0);
            int rc = run_with_bystanders(n, -1, waits_while_held, &seen);
            assert_int_equal(pthread_join(seen.thread, NULL), 0);

            assert_int_equal(rc, 0);
            assert_int_equal(seen.reports.count, 0);
        }
}

static void in_virtual_time_a_timer_is_hope_and_none_is_a_standstill(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen well = {.event = WEFT_EVENT_INIT}, ill = {.rc = -1};
        struct seen bytes = {.event = WEFT_EVENT_INIT};

        assert_int_equal(weft_test_clock(0), 0);
        int rc = run_reported(n, leaves_it_to_a_timer, &well);
        assert_int_equal(weft_test_clock(0), 0);
        int second = run_reported(n, sleeps_first, &ill);
        assert_int_equal(weft_test_clock(0), 0);
        int third = run_reported(n, leaves_it_to_bytes, &bytes);

        assert_int_equal(rc, 0);
        assert_int_equal(third, 0);
        assert_int_equal(second, -EDEADLK);
    }
}

static int sleeps_an_hour(void *arg)
{
    (void)arg;
    return weft_sleep(weft_s(3600));
}

static int reads_beside_a_sleeper_then_waits(void *arg)
{
    struct seen *seen = arg;
    weft_future sleeper = weft_spawn(sleeps_an_hour, NULL);
    char byte;

    if (weft_read(seen->fds[0], &byte, 1) != 1 || weft_cancel(sleeper) < 0 ||
        weft_await(sleeper) != -ECANCELED)
        return -EPROTO;
    return waits_for_an_event(arg);
}

/* Whether time would jump now, were it not for an operation in flight. */
static bool is_in_grace(void)
{
    struct runtime *runtime;

    if (weft__runtime_enter(&runtime) < 0)
        return false;
    lock_acquire(&runtime->quiet.lock);
    bool has_begun = runtime->quiet.grace_ends != 0;
    lock_release(&runtime->quiet.lock);
    weft__runtime_leave(runtime);
    return has_begun;
}

static void *writes_within_the_grace(void *arg)
{
    struct seen *seen = arg;

    while (!is_in_grace())
        (void)sched_yield(); /* always 0 on Linux */
    seen->second = (int)write(seen->fds[1], "x", 1);
    return NULL;
}

static void a_standstill_does_not_wait_for_the_end_of_a_grace(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        assert_int_equal(pipe(seen.fds), 0);
        assert_int_equal(weft_test_clock(weft_s(3600)), 0);
        assert_int_equal(pthread_create(&seen.thread, NULL, writes_within_the_grace, &seen), 0);
        int rc = run_with_bystanders(n, -1, reads_beside_a_sleeper_then_waits, &seen);
        assert_int_equal(pthread_join(seen.thread, NULL), 0);
        (void)close(seen.fds[0]);
        (void)close(seen.fds[1]);

        assert_int_equal(seen.second, 1);
        assert_int_equal(rc, -EDEADLK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_is_waited_for_in_vain_ends_the_run),
        cmocka_unit_test(every_task_is_listed_with_its_site_and_what_it_waits_for),
        cmocka_unit_test(who_goes_through_futures_waits_for_the_next_of_them),
        cmocka_unit_test(a_long_list_is_cut_with_a_word_about_the_rest),
        cmocka_unit_test(the_next_run_is_like_any_other),
        cmocka_unit_test(a_job_that_waits_in_weft_is_no_hope_and_is_listed),
        cmocka_unit_test(it_is_seen_when_the_last_job_ends_without_waking_anybody),
        cmocka_unit_test(a_thread_that_waits_in_weft_is_no_hope),
        cmocka_unit_test(a_thread_that_was_joined_is_no_hope),
        cmocka_unit_test(helpers_of_the_kernel_are_no_hope),
        cmocka_unit_test(no_other_thread_counts_if_the_options_say_so),
        cmocka_unit_test(it_is_seen_when_the_last_hold_is_released),
        cmocka_unit_test(a_thread_that_releases_the_last_hold_has_a_worker_look),
        cmocka_unit_test(whatever_may_still_come_is_waited_for),
        cmocka_unit_test(a_hold_keeps_the_run_alive_although_no_thread_counts),
        cmocka_unit_test(in_virtual_time_a_timer_is_hope_and_none_is_a_standstill),
        cmocka_unit_test(a_standstill_does_not_wait_for_the_end_of_a_grace),
        /* last: their threads stay */
        cmocka_unit_test(what_cancellation_does_not_end_is_abandoned_at_once_and_listed),
        cmocka_unit_test(a_job_that_waits_for_ever_is_abandoned_at_once),
    };

    return CHECK_GROUP(tests);
}
