/*
 * check - what every test needs; the only place that includes cmocka.
 *
 *     static int program(void *arg) { struct seen *seen = arg; seen->rc = weft_yield(); return 0; }
 *
 *     static void a_yield_comes_back(void **state)
 *     {
 *         CHECK_WORKERS(n) {
 *             struct seen seen = {.rc = -1};
 *
 *             int rc = check_run(n, program, &seen);
 *
 *             assert_int_equal(rc, 0);
 *             assert_int_equal(seen.rc, 0);
 *         }
 *     }
 *
 *     int main(void)
 *     {
 *         const struct CMUnitTest tests[] = {cmocka_unit_test(a_yield_comes_back)};
 *         return CHECK_GROUP(tests);
 *     }
 *
 * assert_* may stand only on the main thread outside tasks: they jump. Tasks, jobs and threads
 * record into memory; the test looks at it after check_run. The loop is the one of WEFT_LOOP.
 *
 * CHECK_GROUP starts the watchdog: when neither a test nor a check_run begins or ends and nobody
 * calls check_progress() for 60 s (CHECK_WATCHDOG seconds), it prints what every thread is doing and
 * aborts. Nothing else in a test has an upper bound in time.
 */
#ifndef WEFT_TESTS_CHECK_H
#define WEFT_TESTS_CHECK_H

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

#include <errno.h>
#include <semaphore.h>
#include <stdatomic.h>

#include <weft.h>

/* Runs fn(arg) in weft_run with so many workers. Returns its status. */
int check_run(int workers, weft_fn fn, void *arg);

/* Threads of the test program that weft did not start and that never wake a task: the watchdog, a
 * sanitizer's. check_run tells weft, so that it may find a standstill. */
int check_bystanders(void);

/* for, with n = 1, 2, 3, 8 workers; only CHECK_ONLY_WORKERS if the environment sets it. */
#define CHECK_WORKERS(n) for (int n = check_next_workers(0); n != 0; n = check_next_workers(n))
int check_next_workers(int workers);

/* Before a variable that is looked at when its frame is gone: the address sanitizer would take that for
 * the mistake which it is, so there the variable lives on. */
#if defined(__SANITIZE_ADDRESS__)
#    define LEFT_BEHIND static
#else
#    define LEFT_BEHIND
#endif

/* Runs the tests under the watchdog, or those whose name matches CHECK_ONLY ("a_yield*"). Returns how
 * many failed. */
#define CHECK_GROUP(tests) check_group((tests), sizeof(tests) / sizeof((tests)[0]))
int check_group(const struct CMUnitTest *tests, size_t count);

/* Tells the watchdog that a long test is alive. From any thread. */
void check_progress(void);

/* The seed of this run: WEFT_SEED, or a new one; printed, so that a failure can be repeated. */
uint64_t check_seed(void);

/* The next number of a small generator (splitmix64) whose state is *seed. */
uint64_t check_random(uint64_t *seed);

/* Waits where weft does not see it: the thread is held, whatever runs on it. */
static inline void check_sem_wait(sem_t *sem)
{
    while (sem_wait(sem) != 0 && errno == EINTR) {
    }
}

/* How many are still missing, and the event that the last one sets: for tasks, jobs and threads. */
struct check_latch {
    _Atomic uint32_t missing;
    weft_event open;
};

#define CHECK_LATCH_INIT(n)                     \
    {                                           \
        .missing = (n), .open = WEFT_EVENT_INIT \
    }

static inline void check_latch_init(struct check_latch *latch, uint32_t missing)
{
    *latch = (struct check_latch)CHECK_LATCH_INIT(missing);
}

/* One has arrived. Does not wait. */
static inline void check_arrive(struct check_latch *latch)
{
    if (atomic_fetch_sub(&latch->missing, 1) == 1)
        weft_event_set(&latch->open);
}

/* Waits until all have arrived. Returns 0; -ECANCELED. */
WEFT_MUST_CHECK static inline int check_latch_wait(struct check_latch *latch)
{
    return weft_event_wait(&latch->open); /* suspends: worker, errno stale */
}

#endif
