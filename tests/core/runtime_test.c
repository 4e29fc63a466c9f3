/*
 * runtime_test - starting, counting, calling in, and leaving nothing behind.
 */
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "entries.h"
#include "tasks.h"

struct seen {
    int rc, second, third, fourth;
    _Atomic int count;
    weft_info_data info;
};

/* Must come first: nothing has run yet in this process. */
static void before_the_first_start_calls_are_enxio(void **state)
{
    weft_info_data info;
    int status = 0;

    (void)state;
    assert_int_equal(weft_call(ends_with, &status), -ENXIO);
    assert_int_equal(weft_stop(), -ENXIO);
    assert_int_equal(weft_info(&info), -ENXIO);
    assert_null(weft_cpu());
    assert_int_equal(weft_await(weft_spawn(ends_with, &status)), -ENXIO);
}

static void after_the_last_stop_calls_are_eshutdown_and_stop_is_enxio(void **state)
{
    int status = 0;
    weft_info_data info;

    (void)state;
    assert_int_equal(weft_run(ends_with, &status), 0);
    assert_int_equal(weft_call(ends_with, &status), -ESHUTDOWN);
    assert_int_equal(weft_stop(), -ENXIO);
    assert_true(weft_info(&info) < 0);
}

static int runs_another(void *arg)
{
    struct seen *seen = arg;
    int status = 9;

    seen->rc = weft_run(ends_with, &status);
    seen->second = weft_run_with(&(weft_options){.workers = -3}, ends_with, &status);
    seen->third = weft_start(NULL);
    seen->fourth = weft_stop();
    return weft_call(ends_with, &status);
}

static void inside_a_task_run_is_a_child_and_start_and_stop_are_refused(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, runs_another, &seen);

        assert_int_equal(rc, 9);
        assert_int_equal(seen.rc, 9);
        assert_int_equal(seen.second, 9); /* its options do not count */
        assert_int_equal(seen.third, -EPERM);
        assert_int_equal(seen.fourth, -EDEADLK);
    }
}

static int runs_all_in_a_job(void *arg)
{
    return weft_await(weft_offload(weft_cpu(), runs_another, arg));
}

static void inside_a_job_the_same_holds(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(2, runs_all_in_a_job, &seen);

    assert_int_equal(rc, 9);
    assert_int_equal(seen.rc, 9);
    assert_int_equal(seen.third, -EPERM);
    assert_int_equal(seen.fourth, -EDEADLK);
}

static void starts_are_counted(void **state)
{
    int status = 3;

    (void)state;
    assert_int_equal(weft_start(&(weft_options){.workers = 2}), 0);
    assert_int_equal(weft_start(&(weft_options){.workers = 7}), 0);
    assert_int_equal(weft_run(ends_with, &status), 3);
    assert_int_equal(weft_stop(), 0);
    assert_int_equal(weft_call(ends_with, &status), 3);
    weft_info_data info;
    assert_int_equal(weft_info(&info), 0);
    assert_int_equal(info.workers, 2);
    assert_int_equal(weft_stop(), 0);
    assert_int_equal(weft_call(ends_with, &status), -ESHUTDOWN);
    assert_int_equal(weft_stop(), -ENXIO);
}

static int adds_one(void *arg) { return atomic_fetch_add((_Atomic int *)arg, 1) < 0; }

static void *calls_in(void *arg)
{
    struct seen *seen = arg;

    for (int i = 0; i < 500; i++)
        if (weft_call(adds_one, (void *)&seen->count) != 0)
            return seen;
    return NULL;
}

static void several_threads_call_in(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};
        pthread_t threads[4];
        void *failed = NULL;

        assert_int_equal(weft_start(&(weft_options){.workers = n}), 0);
        for (int i = 0; i < 4; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, calls_in, &seen), 0);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(pthread_join(threads[i], &failed), 0);
            assert_null(failed);
        }
        assert_int_equal(weft_stop(), 0);

        assert_int_equal(seen.count, 2000);
    }
}

static int looks_around(void *arg)
{
    struct seen *seen = arg;
    weft_future sleeper = weft_spawn(sleeps, NULL);

    (void)!weft_yield();
    seen->rc = weft_info(&seen->info);
    (void)weft_cancel(sleeper);
    seen->second = weft_await(sleeper);
    return 0;
}

static void info_tells_how_it_is_set_up(void **state)
{
    const weft_options options = {.workers = 2, .pool_threads = 3, .loop = WEFT_LOOP_EPOLL};
    struct seen seen = {0};

    (void)state;
    int rc = weft_run_with(&options, looks_around, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.info.workers, 2);
    assert_int_equal(seen.info.pool_threads, 3);
    assert_int_equal(seen.info.loop, WEFT_LOOP_EPOLL);
    assert_string_equal(seen.info.loop_why, "asked for");
    assert_true(seen.info.stack_bytes >= 65536);
    assert_int_equal(seen.info.tasks_live, 2);
    assert_non_null(seen.info.pool_class);
}

static int uses_a_bit_of_all(void *arg)
{
    (void)arg;
    int status = 1;
    int fd = weft_open("/dev/null", O_WRONLY, 0);

    if (fd < 0)
        return fd;
    ssize_t wrote = weft_write(fd, "x", 1); /* suspends: worker, errno stale */
    int rc = weft_close(fd);
    if (wrote != 1 || rc < 0 || weft_sleep(weft_us(100)) < 0)
        return -EPROTO;
    if (weft_await(weft_offload(weft_cpu(), ends_with, &status)) != 1)
        return -EPROTO;
    return weft_blocking(ends_with, &status);
}

static void no_descriptor_and_no_thread_is_left_after_a_stop(void **state)
{
    (void)state;
    int threads = threads_here();

    assert_int_equal(check_run(2, uses_a_bit_of_all, NULL), 1);
    int descriptors = descriptors_here();

    CHECK_WORKERS(n)
        for (int i = 0; i < 10; i++)
            assert_int_equal(check_run(n, uses_a_bit_of_all, NULL), 1);

    assert_int_equal(descriptors_here(), descriptors);
    assert_in_range(threads_left(threads), 1, threads);
}

static void errno_is_untouched_by_start_call_and_stop(void **state)
{
    int status = 0;

    (void)state;
    errno = 815;
    int rc = weft_start(NULL);
    int after_start = errno;
    int call_rc = weft_call(ends_with, &status);
    int after_call = errno;
    int stop_rc = weft_stop();
    int after_stop = errno;

    assert_int_equal(rc + call_rc + stop_rc, 0);
    assert_int_equal(after_start, 815);
    assert_int_equal(after_call, 815);
    assert_int_equal(after_stop, 815);
}

static struct sigaction disposition(int number)
{
    struct sigaction now;

    memset(&now, 0, sizeof now);
    assert_int_equal(sigaction(number, NULL, &now), 0);
    return now;
}

static void all_signal_dispositions_are_as_before_after_a_stop(void **state)
{
    struct sigaction before[65], after[65];

    (void)state;
    for (int i = 1; i < 65; i++)
        if (i != SIGKILL && i != SIGSTOP && i != 32 && i != 33)
            before[i] = disposition(i);
    assert_int_equal(check_run(2, uses_a_bit_of_all, NULL), 1);
    for (int i = 1; i < 65; i++)
        if (i != SIGKILL && i != SIGSTOP && i != 32 && i != 33)
            after[i] = disposition(i);

    for (int i = 1; i < 65; i++)
        if (i != SIGKILL && i != SIGSTOP && i != 32 && i != 33)
            assert_ptr_equal((void *)(uintptr_t)before[i].sa_handler,
                             (void *)(uintptr_t)after[i].sa_handler);
}

static void own_handler(int number) { (void)number; }

static int sees_the_handler(void *arg)
{
    struct sigaction now;

    (void)arg;
    if (sigaction(SIGSEGV, NULL, &now) != 0)
        return -errno;
    return now.sa_handler == own_handler;
}

static void a_hosts_own_segv_handler_stays_while_weft_runs_and_after(void **state)
{
    struct sigaction old, own = {.sa_handler = own_handler};

    (void)state;
    assert_int_equal(sigaction(SIGSEGV, &own, &old), 0);
    int during = check_run(1, sees_the_handler, NULL);
    int after = sees_the_handler(NULL);
    assert_int_equal(sigaction(SIGSEGV, &old, NULL), 0);

    assert_int_equal(during, 1);
    assert_int_equal(after, 1);
}

static void statuses_have_words(void **state)
{
    (void)state;
    assert_string_equal(weft_strerror(0), "success");
    assert_string_equal(weft_strerror(12), "success");
    assert_string_equal(weft_strerror(-ECONNREFUSED), "Connection refused");
    assert_non_null(weft_strerror(-99999));
    assert_non_null(weft_strerror(INT32_MIN));
    assert_string_equal(weft_version(), WEFT_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_first_start_calls_are_enxio),
        cmocka_unit_test(after_the_last_stop_calls_are_eshutdown_and_stop_is_enxio),
        cmocka_unit_test(inside_a_task_run_is_a_child_and_start_and_stop_are_refused),
        cmocka_unit_test(inside_a_job_the_same_holds),
        cmocka_unit_test(starts_are_counted),
        cmocka_unit_test(several_threads_call_in),
        cmocka_unit_test(info_tells_how_it_is_set_up),
        cmocka_unit_test(no_descriptor_and_no_thread_is_left_after_a_stop),
        cmocka_unit_test(errno_is_untouched_by_start_call_and_stop),
        cmocka_unit_test(all_signal_dispositions_are_as_before_after_a_stop),
        cmocka_unit_test(a_hosts_own_segv_handler_stays_while_weft_runs_and_after),
        cmocka_unit_test(statuses_have_words),
    };

    return CHECK_GROUP(tests);
}
