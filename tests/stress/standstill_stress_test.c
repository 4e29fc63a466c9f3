/*
 * standstill_stress_test - programs that are woken at the last moment, by whatever there is, are never
 * called a standstill, and those that nobody wakes always are.
 */
#include <unistd.h>

#include "core/sys.h"
#include "stress.h"

struct round {
    uint64_t seed;
    weft_event event;
    weft_sem sem;
    weft_promise promise;
    weft_future future;
    pthread_t thread, holder;
    int fds[2];
    _Atomic int wakes;
    _Atomic int reports;
};

static void counts_report(void *context, const char *sentence)
{
    struct round *round = context;

    (void)sentence;
    atomic_fetch_add(&round->reports, 1);
}

static int run_round(int workers, int bystanders, weft_fn fn, struct round *round)
{
    const weft_options options = {.workers = workers,
                                  .bystanders = bystanders,
                                  .report = counts_report,
                                  .report_context = round};

    check_progress();
    return weft_run_with(&options, fn, round);
}

/* As long as it takes until the workers sleep, more or less. */
static void dawdles(uint64_t *seed)
{
    uint64_t random = check_random(seed);

    for (uint64_t i = random >> 8 & 7; i > 0; i--)
        (void)sched_yield(); /* always 0 on Linux */
    for (volatile uint64_t i = random & 0x3fff; i > 0; i--)
        ;
}

static void wakes_somehow(struct round *round)
{
    uint64_t seed = round->seed;

    dawdles(&seed);
    atomic_fetch_add(&round->wakes, 1);
    switch (round->seed % 3) {
    case 0: weft_event_set(&round->event); break;
    case 1: (void)weft_sem_release(&round->sem); break;        /* cannot overflow */
    default: (void)weft_promise_set(round->promise, 0); break; /* it is not cancelled */
    }
}

/* Waits for what the seed says. */
static int waits_somehow(struct round *round)
{
    switch (round->seed % 3) {
    case 0: return weft_event_wait(&round->event);
    case 1: return weft_sem_acquire(&round->sem);
    default: return weft_await(round->future);
    }
}

static void *wakes_and_ends(void *arg)
{
    wakes_somehow(arg);
    return NULL;
}

static int prepare(struct round *round)
{
    round->event = (weft_event)WEFT_EVENT_INIT;
    round->sem = (weft_sem)WEFT_SEM_INIT(0);
    if (round->seed % 3 != 2)
        return 0;
    round->future = weft_promise_new(&round->promise);
    return round->future.slot ? 0 : -ENOMEM;
}

static int is_woken_by_a_thread(void *arg)
{
    struct round *round = arg;
    pthread_attr_t attr;

    if (prepare(round) < 0)
        return -EPROTO;
    (void)pthread_attr_init(&attr);                                    /* cannot fail on Linux */
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED); /* the value is right */
    int rc = -pthread_create(&round->thread, &attr, wakes_and_ends, round);
    (void)pthread_attr_destroy(&attr); /* as above */
    return rc < 0 ? -EPROTO : waits_somehow(round);
}

static void a_thread_that_wakes_a_task_and_ends_at_once_is_no_standstill(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n)
        for (int i = stress_rounds(750); i > 0; i--) {
            struct round round = {.seed = check_random(&seed)};

            assert_int_equal(run_round(n, check_bystanders(), is_woken_by_a_thread, &round), 0);
            assert_int_equal(round.wakes, 1);
            assert_int_equal(round.reports, 0);
        }
}

/* Until it is told to end. */
struct witness {
    _Atomic bool lives, may_end;
};

static void *lives(void *arg)
{
    struct witness *witness = arg;

    atomic_store(&witness->lives, true);
    while (!atomic_load(&witness->may_end))
        (void)sched_yield(); /* always 0 on Linux */
    return NULL;
}

static void *dawdles_and_ends(void *arg)
{
    dawdles(arg);
    return NULL;
}

/* How often the count is one too small while one of two threads ends, the older one. */
static int miscounts(uint64_t seed, int others)
{
    struct witness witness = {.lives = false};
    pthread_t ending, living;
    int wrong = 0;

    if (pthread_create(&ending, NULL, dawdles_and_ends, &seed) != 0 ||
        pthread_create(&living, NULL, lives, &witness) != 0)
        abort(); /* a test machine without threads */
    while (!atomic_load(&witness.lives))
        (void)sched_yield();
    for (int i = 0; i < 6; i++)
        wrong += weft__sys_threads(others) <= others;
    atomic_store(&witness.may_end, true);
    (void)pthread_join(ending, NULL); /* both were made here */
    (void)pthread_join(living, NULL);
    return wrong;
}

static void a_thread_that_lives_is_counted_whoever_ends_beside_it(void **state)
{
    uint64_t seed = check_seed();
    int wrong = 0;

    (void)state;
    for (int i = stress_rounds(20000); i > 0; i--) {
        wrong += miscounts(check_random(&seed), check_bystanders() + 1);
        if (i % 1024 == 0)
            check_progress();
    }

    assert_int_equal(wrong, 0);
}

static void *wakes_and_releases(void *arg)
{
    wakes_somehow(arg);
    (void)weft_waker_release(); /* it was held */
    return NULL;
}

static int is_woken_by_a_holder(void *arg)
{
    struct round *round = arg;

    if (prepare(round) < 0)
        return -EPROTO;
    weft_waker_hold();
    if (pthread_create(&round->thread, NULL, wakes_and_releases, round) != 0)
        return -EPROTO;
    return waits_somehow(round);
}

static void a_holder_that_wakes_a_task_and_releases_is_no_standstill(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n)
        for (int i = stress_rounds(750); i > 0; i--) {
            struct round round = {.seed = check_random(&seed)};

            int rc = run_round(n, -1, is_woken_by_a_holder, &round);
            assert_int_equal(pthread_join(round.thread, NULL), 0);

            assert_int_equal(rc, 0);
            assert_int_equal(round.wakes, 1);
            assert_int_equal(round.reports, 0);
        }
}

static void *only_releases(void *arg)
{
    uint64_t seed = ((struct round *)arg)->seed >> 7;

    dawdles(&seed);
    (void)weft_waker_release(); /* it was held */
    return NULL;
}

/* The holder wakes nobody; a thread that holds nothing does, a little later perhaps. */
static int is_woken_beside_a_holder(void *arg)
{
    struct round *round = arg;

    if (prepare(round) < 0)
        return -EPROTO;
    weft_waker_hold();
    if (pthread_create(&round->thread, NULL, wakes_and_ends, round) != 0 ||
        pthread_create(&round->holder, NULL, only_releases, round) != 0)
        return -EPROTO;
    return waits_somehow(round);
}

static void a_holder_that_only_releases_hides_no_other_thread(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n)
        for (int i = stress_rounds(750); i > 0; i--) {
            struct round round = {.seed = check_random(&seed)};

            int rc = run_round(n, check_bystanders(), is_woken_beside_a_holder, &round);
            assert_int_equal(pthread_join(round.thread, NULL), 0);
            assert_int_equal(pthread_join(round.holder, NULL), 0);

            assert_int_equal(rc, 0);
            assert_int_equal(round.wakes, 1);
            assert_int_equal(round.reports, 0);
        }
}

static int wakes_as_a_job(void *arg)
{
    wakes_somehow(arg);
    return 0;
}

/* Hands the wait over to a job of the other pool, which waits in weft itself. */
static int wakes_through_another_job(void *arg)
{
    struct round *round = arg;
    struct round inner = {.seed = round->seed / 3};

    if (prepare(&inner) < 0)
        return -EPROTO;
    weft_future job = weft_offload(weft_blocking_lane(), wakes_as_a_job, &inner);
    int rc = waits_somehow(&inner);
    if (rc == 0)
        wakes_somehow(round);
    return weft_await(job);
}

static int reads_and_wakes(void *arg)
{
    struct round *round = arg;
    char byte;

    if (weft_read(round->fds[0], &byte, 1) != 1)
        return -EPROTO;
    wakes_somehow(round);
    return 0;
}

static int writes_late(void *arg)
{
    struct round *round = arg;
    uint64_t seed = round->seed;

    dawdles(&seed);
    return write(round->fds[1], "x", 1) == 1 ? 0 : -EIO;
}

static int wakes_after_a_sleep(void *arg)
{
    struct round *round = arg;
    int rc = weft_sleep((weft_time)(round->seed % 30000)); /* suspends: worker, errno stale */

    wakes_somehow(round);
    return rc;
}

/* Starts what will wake the caller. */
static int starts_a_waker(struct round *round, uint64_t which)
{
    switch (which % 5) {
    case 0: return weft_detach(weft_offload(weft_cpu(), wakes_as_a_job, round));
    case 1: return weft_detach(weft_offload(weft_cpu(), wakes_through_another_job, round));
    case 2: return weft_detach(weft_spawn(wakes_after_a_sleep, round));
    case 3: return weft_detach(weft_spawn(wakes_as_a_job, round));
    default: break;
    }
    int rc = weft_detach(weft_spawn(reads_and_wakes, round));
    return rc < 0 ? rc : weft_detach(weft_offload(weft_cpu(), writes_late, round));
}

enum { ROUNDS_IN_ONE = 100 };

struct long_run {
    struct round rounds[ROUNDS_IN_ONE];
    uint64_t seed;
    int fds[2];
    int done;
};

static int is_woken_again_and_again(void *arg)
{
    struct long_run *run = (struct long_run *)arg;

    for (int i = 0; i < ROUNDS_IN_ONE; i++) {
        struct round *round = &run->rounds[i];

        round->seed = check_random(&run->seed);
        round->fds[0] = run->fds[0];
        round->fds[1] = run->fds[1];
        if (prepare(round) < 0 || starts_a_waker(round, round->seed >> 40) < 0)
            return -EPROTO;
        int rc = waits_somehow(round); /* suspends: worker, errno stale */
        if (rc < 0)
            return rc;
        check_progress(); /* what dawdles in the CPU pool takes long on a busy machine */
        run->done++;
    }
    return 0;
}

static void jobs_timers_bytes_and_tasks_that_wake_late_are_no_standstill(void **state)
{
    uint64_t seed = check_seed();
    static struct long_run run;

    (void)state;
    CHECK_WORKERS(n)
        for (int i = stress_rounds(40); i > 0; i--) {
            const weft_options options = {.workers = n, .bystanders = check_bystanders()};

            memset(&run, 0, sizeof run);
            run.seed = check_random(&seed);
            assert_int_equal(pipe(run.fds), 0);
            check_progress();
            int rc = weft_run_with(&options, is_woken_again_and_again, &run);
            assert_int_equal(close(run.fds[0]) + close(run.fds[1]), 0);

            assert_int_equal(rc, 0);
            assert_int_equal(run.done, ROUNDS_IN_ONE);
        }
}

static int waits_in_vain(void *arg)
{
    struct round *round = arg;

    return waits_somehow(round);
}

/* Some tasks and jobs that all end or wait for ever, in any order. */
static int stands_still_at_last(void *arg)
{
    struct round *round = arg;
    uint64_t random = round->seed >> 3;

    if (prepare(round) < 0)
        return -EPROTO;
    for (uint64_t i = random % 4; i > 0; i--) {
        (void)weft_detach(weft_spawn(waits_in_vain, round));
        if (random >> 8 & i)
            (void)weft_detach(weft_offload(weft_cpu(), writes_late, round));
        if (random >> 16 & i)
            (void)weft_yield(); /* -ECANCELED comes again */
    }
    return round->seed % 3 == 2 ? weft_wait(round->future) : waits_somehow(round);
}

static void what_nobody_wakes_is_always_a_standstill(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n)
        for (int i = stress_rounds(1000); i > 0; i--) {
            struct round round = {.seed = check_random(&seed), .fds = {-1, -1}};

            assert_int_equal(run_round(n, check_bystanders(), stands_still_at_last, &round),
                             -EDEADLK);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_that_lives_is_counted_whoever_ends_beside_it),
        cmocka_unit_test(a_thread_that_wakes_a_task_and_ends_at_once_is_no_standstill),
        cmocka_unit_test(a_holder_that_wakes_a_task_and_releases_is_no_standstill),
        cmocka_unit_test(a_holder_that_only_releases_hides_no_other_thread),
        cmocka_unit_test(jobs_timers_bytes_and_tasks_that_wake_late_are_no_standstill),
        cmocka_unit_test(what_nobody_wakes_is_always_a_standstill),
    };

    return CHECK_GROUP(tests);
}
