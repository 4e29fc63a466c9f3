/*
 * overflow_test - a task that runs off its stack names itself and its spawn site, and the process dies
 * by SIGSEGV: whichever way the guard below the stack is made.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/fiber.h"
#include "core/handover.h"
#include "core/sys.h"
#include "core/worker.h"
#include "tasks.h"

static int without_guard_install(const char *call)
{
    return strcmp(call, "madvise") == 0 ? -EINVAL : 0;
}

static __attribute__((noinline)) int sinks_for_ever(volatile char *above)
{
    volatile char frame[512];

    frame[0] = above[0];
    if (above[0] == 'x')
        return 0;
    return sinks_for_ever(frame) + frame[0];
}

static int sinks(void *arg)
{
    volatile char start = 'a';

    (void)arg;
    return sinks_for_ever(&start);
}

static int sinks_at_once(void *arg)
{
    volatile char frame[100 * 1024]; /* more than the whole stack, in one frame */

    (void)arg;
    for (size_t i = sizeof frame; i > 0; i -= 64)
        frame[i - 1] = 1;
    return frame[0];
}

static int writes_far_below(void *arg)
{
    volatile char *here = (volatile char *)__builtin_frame_address(0);

    (void)arg;
    here[-66 * 1024] = 1; /* into the guard: one page of it would have been jumped */
    return here[0];
}

static int waits_first(void *arg)
{
    if (weft_sleep(weft_us(50)) < 0) /* it has moved, perhaps */
        return -EPROTO;
    return sinks(arg);
}

/* Asks the kernel: compilers keep what pthread_self() said before a suspension. */
static bool is_on_spare(void)
{
    char name[16] = "";

    return prctl(PR_GET_NAME, name) == 0 && strcmp(name, "weft-spare") == 0;
}

/* Has lost its worker, and falls on the thread that it had. */
static int falls_without_worker(void *arg)
{
    return weft__hand_over(weft__worker()) < 0 ? -EPROTO : sinks(arg);
}

/* Has come back into line, on a thread that was not there when the runtime started. */
static int falls_on_a_spare(void *arg)
{
    while (!is_on_spare())
        if (weft__hand_over(weft__worker()) < 0 || weft_yield() < 0)
            return -EPROTO;
    return sinks(arg);
}

struct fall {
    weft_fn fn;
    const char *name;
    size_t stack_bytes;
};

static int spawns_the_fall(void *arg)
{
    struct fall *fall = arg;
    const weft_task_options options = {.stack_bytes = fall->stack_bytes, .site = "faller (here:1)"};

    return weft_await(weft_spawn_with(&options, fall->fn, NULL));
}

/* Everything the child says on stderr, and how it ended. */
static int status_of_child(struct fall *fall, bool with_mprotect, char *text, size_t capacity)
{
    int ends[2], status;
    size_t used = 0;
    ssize_t got;

    if (pipe(ends) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = {0, 0};

        (void)setrlimit(RLIMIT_CORE, &no_core); /* else a dump lies about */
        (void)signal(SIGSEGV, SIG_DFL);         /* cmocka has set its own */
        (void)dup2(ends[1], STDERR_FILENO);     /* else the assertion on the text fails */
        (void)close(ends[0]);
        weft__sys_fault = with_mprotect ? without_guard_install : NULL;
        _exit(weft_run_with(&(weft_options){.workers = 2}, spawns_the_fall, fall) < 0);
    }
    (void)close(ends[1]); /* so that the end is seen */
    while (used + 1 < capacity && (got = read(ends[0], text + used, capacity - 1 - used)) > 0)
        used += (size_t)got;
    text[used] = 0;
    (void)close(ends[0]);
    return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

static void an_overflow_names_the_task_and_dies(bool with_mprotect)
{
    struct fall falls[] = {
        {sinks, "sinks", 0},
        {sinks, "sinks on a large stack", 1 << 20},
        {sinks_at_once, "sinks at once", 0},
        {writes_far_below, "writes far below", 0},
        {waits_first, "waits first", 0},
        {falls_without_worker, "falls without a worker", 0},
        {falls_on_a_spare, "falls on a spare", 0},
    };

    for (size_t i = 0; i < sizeof falls / sizeof falls[0]; i++) {
        char text[2048];
        int status = status_of_child(&falls[i], with_mprotect, text, sizeof text);

        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGSEGV);
        assert_non_null(strstr(text, "weft: task faller (here:1) overflowed its "));
        assert_non_null(strstr(text, falls[i].stack_bytes ? " 1024 KiB" : " 64 KiB"));
        assert_non_null(strstr(text, "stack_bytes"));
    }
}

static void an_overflow_into_an_madvise_guard_is_named(void **state)
{
    (void)state;
    an_overflow_names_the_task_and_dies(false);
}

static void an_overflow_into_an_mprotect_guard_is_named(void **state)
{
    (void)state;
    an_overflow_names_the_task_and_dies(true);
}

static int writes_to_nowhere(void *arg)
{
    volatile char *volatile nowhere = (volatile char *)8;

    (void)arg;
    *nowhere = 1;
    return 0;
}

static void another_fault_dies_without_that_sentence(void **state)
{
    struct fall fall = {writes_to_nowhere, "writes to nowhere", 0};
    char text[2048];

    (void)state;
    int status = status_of_child(&fall, false, text, sizeof text);

    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_null(strstr(text, "overflowed"));
}

static int tells(void *arg) { return weft_info(arg); }

static void info_says_mprotect_and_a_limit_where_the_kernel_lacks_guards(void **state)
{
    weft_info_data info;

    (void)state;
    weft__sys_fault = without_guard_install;
    int rc = check_run(1, tells, &info);
    weft__sys_fault = NULL;

    assert_int_equal(rc, 0);
    assert_int_equal(info.guard, WEFT_GUARD_MPROTECT);
    assert_true(info.stacks_limit > 0);
}

/* With few stacks to be had, tasks that find none end with -ENOMEM, and later ones work again. */
static int fails_after_some(const char *call)
{
    static _Atomic int guards;

    if (strcmp(call, "madvise") == 0)
        return -EINVAL;
    return strcmp(call, "mprotect") == 0 && atomic_fetch_add(&guards, 1) >= 64 ? -ENOMEM : 0;
}

static int fills_the_stacks(void *arg)
{
    static weft_future futures[300];
    int *counts = arg, status = 0;

    for (int i = 0; i < 300; i++)
        futures[i] = weft_spawn(sleeps, NULL);
    for (int i = 0; i < 300; i++)
        (void)!weft_yield();
    for (int i = 0; i < 300; i++)
        (void)weft_cancel(futures[i]);
    for (int i = 0; i < 300; i++) {
        int rc = weft_await(futures[i]);

        counts[0] += rc == -ECANCELED;
        counts[1] += rc == -ENOMEM;
    }
    return weft_await(weft_spawn(ends_with, &status));
}

static void without_more_stacks_tasks_end_with_enomem_and_others_go_on(void **state)
{
    int counts[2] = {0, 0};

    (void)state;
    weft__sys_fault = fails_after_some;
    int rc = check_run(1, fills_the_stacks, counts);
    weft__sys_fault = NULL;

    assert_int_equal(rc, 0);
    assert_int_equal(counts[0] + counts[1], 300);
    assert_true(counts[0] > 0 && counts[1] > 0);
}

/* As for memory that mlockall has locked: guards are refused from now on. */
static int refuses_guards(const char *call) { return strcmp(call, "madvise") == 0 ? -EINVAL : 0; }

static int needs_more_stacks(void *arg)
{
    static weft_future futures[300];
    int rc = 0;

    (void)arg;
    weft__sys_fault = refuses_guards;
    for (int i = 0; i < 300; i++)
        futures[i] = weft_spawn(sleeps, NULL);
    for (int i = 0; i < 300; i++)
        (void)!weft_yield();
    for (int i = 0; i < 300; i++) {
        (void)weft_cancel(futures[i]);
        rc |= weft_await(futures[i]) != -ECANCELED;
    }
    weft__sys_fault = NULL;
    return rc;
}

static void locked_memory_gets_guards_of_the_other_kind(void **state)
{
    (void)state;
    assert_int_equal(check_run(1, needs_more_stacks, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#if !defined(WEFT_ASAN) && !defined(WEFT_TSAN) /* they have handlers of their own */
        cmocka_unit_test(an_overflow_into_an_madvise_guard_is_named),
        cmocka_unit_test(an_overflow_into_an_mprotect_guard_is_named),
        cmocka_unit_test(another_fault_dies_without_that_sentence),
#endif
        cmocka_unit_test(info_says_mprotect_and_a_limit_where_the_kernel_lacks_guards),
        cmocka_unit_test(without_more_stacks_tasks_end_with_enomem_and_others_go_on),
        cmocka_unit_test(locked_memory_gets_guards_of_the_other_kind),
    };

#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
    (void)an_overflow_into_an_madvise_guard_is_named;
    (void)an_overflow_into_an_mprotect_guard_is_named;
    (void)another_fault_dies_without_that_sentence;
#endif
    return CHECK_GROUP(tests);
}
