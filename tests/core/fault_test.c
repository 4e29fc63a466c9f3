/*
 * fault_test - what if? Each system call and each allocation that weft makes fails once, one after
 * the other; then all from the k-th on, of those that give memory, threads and descriptors.
 *
 * Whatever fails, a start is either whole or has left nothing; every task and job that was offered
 * either ran or was dropped, once; and nothing hangs, aborts or leaks (the sanitizers look, too).
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/handover.h"
#include "core/sys.h"
#include "core/worker.h"
#include "entries.h"
#include "tasks.h"

#define OFFERS 12

static struct {
    _Atomic int calls; /* so far in this run */
    int fail_at;       /* 1: the first; 0: none */
    bool from_there;   /* all later ones of the scarce kinds, too */
    _Atomic int failed;
    char name[32]; /* of the first that failed */
} faults;

static bool is_scarce(const char *call)
{
    static const char *const scarce[] = {"alloc",   "mmap",         "mprotect",      "thread",
                                         "eventfd", "epoll_create", "io_uring_setup"};

    for (size_t i = 0; i < sizeof scarce / sizeof scarce[0]; i++)
        if (strcmp(call, scarce[i]) == 0)
            return true;
    return false;
}

static int error_for(const char *call)
{
    if (strcmp(call, "thread") == 0)
        return -EAGAIN;
    if (strcmp(call, "eventfd") == 0 || strcmp(call, "epoll_create") == 0)
        return -EMFILE;
    return strcmp(call, "affinity") == 0 ? -EPERM : -ENOMEM;
}

static int fails_the_kth(const char *call)
{
    if (faults.from_there && !is_scarce(call))
        return 0;
    int number = atomic_fetch_add(&faults.calls, 1) + 1;

    if (number != faults.fail_at && (!faults.from_there || number < faults.fail_at))
        return 0;
    if (atomic_fetch_add(&faults.failed, 1) == 0)
        (void)snprintf(faults.name, sizeof faults.name, "%s", call); /* fits */
    return error_for(call);
}

/* --- the scenario ------------------------------------------------------------------------------ */

struct ledger {
    _Atomic int ran, dropped, entered;
    int offered;
    int wrong; /* statuses that no page mentions */
    char path[64];
};

static int runs(void *arg)
{
    atomic_fetch_add(&((struct ledger *)arg)->ran, 1);
    return 0;
}

static int runs_and_sleeps(void *arg)
{
    atomic_fetch_add(&((struct ledger *)arg)->ran, 1);
    return weft_sleep(weft_us(30));
}

static void is_dropped(void *arg) { atomic_fetch_add(&((struct ledger *)arg)->dropped, 1); }

static bool is_expected(int rc)
{
    return rc >= 0 || rc == -ENOMEM || rc == -EAGAIN || rc == -EMFILE || rc == -ECANCELED;
}

static void note(struct ledger *ledger, int rc) { ledger->wrong += !is_expected(rc); }

static void spawns_and_gathers(struct ledger *ledger)
{
    const weft_task_options usual = {.drop = is_dropped};
    const weft_task_options large = {.drop = is_dropped, .stack_bytes = 256 * 1024};
    weft_future futures[OFFERS];

    for (int i = 0; i < OFFERS; i++)
        futures[i] =
            weft_spawn_with(i == 3 ? &large : &usual, i % 2 ? runs : runs_and_sleeps, ledger);
    ledger->offered += OFFERS;
    note(ledger, weft_gather_n(futures, OFFERS, NULL));
}

static void opens_scopes(struct ledger *ledger)
{
    const weft_task_options usual = {.drop = is_dropped};
    const weft_scope_options soon = {.deadline = weft_now() + weft_s(1000)};
    weft_scope scope;
    int rc = weft_scope_open_with(&scope, &soon);

    note(ledger, rc);
    if (rc < 0)
        return;
    for (int i = 0; i < 4; i++)
        (void)weft_scope_spawn_with(&scope, &usual, runs_and_sleeps, ledger);
    ledger->offered += 4;
    rc = weft_scope_close(&scope, 0);
    note(ledger, rc);
    note(ledger, weft_timeout(weft_s(1000), runs, ledger) < 0 ? -ENOMEM : 0);
}

static void uses_queues_and_promises(struct ledger *ledger)
{
    weft_promise promise;
    weft_queue queue;
    void *item = NULL;
    weft_future future = weft_promise_new(&promise);

    if (promise.slot)
        ledger->wrong += weft_promise_set(promise, 3) != 0;
    note(ledger, weft_await(future));
    int rc = weft_queue_init(&queue, 4);
    note(ledger, rc);
    if (rc < 0)
        return;
    ledger->wrong += weft_queue_put(&queue, ledger) != 0;
    ledger->wrong += weft_queue_get(&queue, &item) != 1 || item != ledger;
    weft_queue_destroy(&queue);
}

static void offloads(struct ledger *ledger)
{
    const weft_task_options usual = {.drop = is_dropped};

    for (int i = 0; i < 4; i++) {
        weft_pool *pool = i % 2 ? weft_cpu() : weft_blocking_lane();

        note(ledger, weft_await(weft_offload_with(pool, &usual, runs, ledger)));
    }
    ledger->offered += 4;
}

static void uses_a_file(struct ledger *ledger)
{
    char text[8] = "";
    int fd = weft_open(ledger->path, O_CREAT | O_RDWR | O_TRUNC, 0600);

    note(ledger, fd);
    if (fd < 0)
        return;
    ssize_t wrote = weft_write_full(fd, "abcd", 4); /* suspends: worker, errno stale */
    ssize_t got = weft_pread(fd, text, 4, 0);
    note(ledger, wrote < 0 ? (int)wrote : 0);
    note(ledger, got < 0 ? (int)got : 0);
    if (wrote == 4 && got == 4)
        ledger->wrong += memcmp(text, "abcd", 4) != 0;
    note(ledger, weft_close(fd));
}

/* Computes on without its worker, if that could be handed over, and comes back. */
static int loses_its_worker(void *arg)
{
    struct ledger *ledger = arg;
    int rc = weft__hand_over(weft__worker());

    atomic_fetch_add(&ledger->ran, 1);
    if (rc < 0 && rc != -ENOTSUP) /* that: no membarrier, from the start on */
        return rc;
    return weft_yield();
}

static void hands_over(struct ledger *ledger)
{
    const weft_task_options usual = {.drop = is_dropped};
    weft_future futures[2];

    for (int i = 0; i < 2; i++)
        futures[i] = weft_spawn_with(&usual, loses_its_worker, ledger);
    ledger->offered += 2;
    note(ledger, weft_gather_n(futures, 2, NULL));
}

static int scenario(void *arg)
{
    struct ledger *ledger = arg;

    atomic_fetch_add(&ledger->entered, 1);
    spawns_and_gathers(ledger);
    opens_scopes(ledger);
    uses_queues_and_promises(ledger);
    offloads(ledger);
    uses_a_file(ledger);
    hands_over(ledger);
    note(ledger, weft_sleep(weft_us(20)));
    note(ledger, weft_blocking(runs, &(struct ledger){0}));
    return 7;
}

/* --- the loop over k --------------------------------------------------------------------------- */

static int run_with_fault(int k, bool from_there, weft_fn fn, struct ledger *ledger)
{
    const weft_options options = {.workers = 2, .pool_threads = 1, .blocking_threads = 2};

    check_progress();
    atomic_store(&faults.calls, 0);
    atomic_store(&faults.failed, 0);
    faults.fail_at = k;
    faults.from_there = from_there;
    faults.name[0] = 0;
    weft__sys_fault = fails_the_kth;
    int rc = weft_run_with(&options, fn, ledger);
    weft__sys_fault = NULL;
    return rc;
}

/* timeout's own run and the fault's victims are in the ledger; the rest must add up. */
static bool adds_up(const struct ledger *ledger, int rc)
{
    if (atomic_load(&((struct ledger *)(uintptr_t)ledger)->entered) == 0)
        return rc < 0 && is_expected(rc);
    int settled = ledger->ran + ledger->dropped;

    /* weft_timeout runs its function, or not when it has no timer. */
    return rc == 7 && ledger->wrong == 0 &&
           (settled == ledger->offered || settled == ledger->offered + 1);
}

static void every_kth_call_fails(bool from_there)
{
    int threads = threads_here(), descriptors, k;
    struct ledger ledger = {.offered = 0};
    char path[64];

    (void)snprintf(path, sizeof path, "/tmp/weft-fault-%d", (int)getpid()); /* fits */
    memcpy(ledger.path, path, sizeof path);
    assert_int_equal(run_with_fault(0, false, scenario, &ledger), 7); /* warms up libc, too */
    descriptors = descriptors_here();
    for (k = 1; k < 5000; k++) {
        ledger = (struct ledger){.offered = 0};
        memcpy(ledger.path, path, sizeof path);
        int rc = run_with_fault(k, from_there, scenario, &ledger);

        if (!adds_up(&ledger, rc))
            print_error("call %d (%s): status %d, entered %d, offered %d, ran %d, dropped %d, "
                        "wrong %d\n",
                        k, faults.name, rc, ledger.entered, ledger.offered, ledger.ran,
                        ledger.dropped, ledger.wrong);
        assert_true(adds_up(&ledger, rc));
        assert_int_equal(descriptors_here(), descriptors);
        if (atomic_load(&faults.failed) == 0)
            break;
    }
    (void)unlink(path); /* perhaps it was never made */
    print_message("%d calls failed, one by one\n", k - 1);

    assert_in_range(k, 20, 4999);
    assert_in_range(threads_left(threads), 1, threads);
}

static void any_one_call_may_fail(void **state)
{
    (void)state;
    every_kth_call_fails(false);
}

static void from_any_moment_on_there_may_be_no_memory_no_thread_no_descriptor(void **state)
{
    (void)state;
    every_kth_call_fails(true);
}

static int fails_threads(const char *call) { return strcmp(call, "thread") == 0 ? -EAGAIN : 0; }

static void without_threads_a_start_says_so(void **state)
{
    struct ledger ledger = {.offered = 0};

    (void)state;
    weft__sys_fault = fails_threads;
    int rc = weft_run_with(&(weft_options){.workers = 3}, runs, &ledger);
    weft__sys_fault = NULL;

    assert_int_equal(rc, -EAGAIN);
    assert_int_equal(ledger.ran, 0);
    assert_non_null(strstr(weft_why(), "worker thread 1 of 3"));
}

/* Must be the first to start weft in this process. */
static void a_start_that_failed_leaves_it_as_never_started(void **state)
{
    struct ledger ledger = {.offered = 0};

    (void)state;
    weft__sys_fault = fails_threads;
    int rc = weft_start(&(weft_options){.workers = 1});
    weft__sys_fault = NULL;

    assert_int_equal(rc, -EAGAIN);
    assert_int_equal(weft_call(runs, &ledger), -ENXIO);
}

static void a_failed_start_can_be_tried_again(void **state)
{
    struct ledger ledger = {.offered = 0};

    (void)state;
    for (int k = 1; k < 30; k++) {
        int rc = run_with_fault(k, true, runs, &ledger);

        assert_true(rc == 0 || is_expected(rc));
        assert_int_equal(check_run(2, runs, &ledger), 0);
    }
}

static int fails_stacks(const char *call)
{
    return strcmp(call, "mmap") == 0 || strcmp(call, "mprotect") == 0 ||
                   strcmp(call, "madvise") == 0
               ? -ENOMEM
               : 0;
}

static int waits_for_the_end(void *arg) { return weft_event_wait(arg); }

static int needs_a_lane(void *arg)
{
    return weft_await(weft_offload(weft_blocking_lane(), runs, arg));
}

/* A job of the CPU pool is the first that needs the lane: a task shall start its thread, and gets no stack. */
static int has_no_stacks_left(void *arg)
{
    enum { CROWD = 400 };
    static weft_future crowd[CROWD];
    static int status[CROWD];
    weft_event end = WEFT_EVENT_INIT;
    int refused = 0;

    weft__sys_fault = fails_stacks;
    for (int i = 0; i < CROWD; i++)
        crowd[i] = weft_spawn(waits_for_the_end, &end);
    int rc =
        weft_await(weft_offload(weft_cpu(), needs_a_lane, arg)); /* suspends: worker, errno stale */
    weft__sys_fault = NULL;
    weft_event_set(&end);
    rc |= weft_gather_settled_n(crowd, CROWD, status); /* what came is in status */
    for (int i = 0; i < CROWD; i++)
        refused += status[i] == -ENOMEM;
    return rc < 0 ? rc : refused;
}

static void a_lane_starts_although_the_task_for_that_has_no_stack(void **state)
{
    struct ledger ledger = {.offered = 0};

    (void)state;
    int rc = check_run(1, has_no_stacks_left, &ledger);

    assert_true(rc > 0); /* there were none left */
    assert_int_equal(ledger.ran, 1);
}

static int sets(void *arg)
{
    atomic_store((_Atomic bool *)arg, true);
    return 0;
}

static void sets_when_dropped(void *arg) { (void)sets(arg); }

/* Keeps its worker busy until the task without a stack has been refused. */
static int yields_until_it_is_dropped(void *arg)
{
    _Atomic bool dropped = false;
    const weft_task_options options = {.stack_bytes = 1 << 20, .drop = sets_when_dropped};
    int rc = 0;

    (void)arg;
    weft__sys_fault = fails_stacks;
    weft_future refused = weft_spawn_with(&options, sets, (void *)&dropped);
    while (rc == 0 && !atomic_load(&dropped))
        rc = weft_yield();
    weft__sys_fault = NULL;
    return rc < 0 ? rc : weft_await(refused);
}

static void a_task_without_a_stack_is_refused_though_its_worker_is_never_idle(void **state)
{
    (void)state;
    assert_int_equal(check_run(1, yields_until_it_is_dropped, NULL), -ENOMEM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_start_that_failed_leaves_it_as_never_started),
        cmocka_unit_test(any_one_call_may_fail),
        cmocka_unit_test(from_any_moment_on_there_may_be_no_memory_no_thread_no_descriptor),
        cmocka_unit_test(without_threads_a_start_says_so),
        cmocka_unit_test(a_failed_start_can_be_tried_again),
        cmocka_unit_test(a_lane_starts_although_the_task_for_that_has_no_stack),
        cmocka_unit_test(a_task_without_a_stack_is_refused_though_its_worker_is_never_idle),
    };

    return CHECK_GROUP(tests);
}
