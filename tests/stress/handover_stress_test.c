/*
 * handover_stress_test - workers are taken from under their tasks at random instants, and the books balance.
 *
 *     drivers   spawn tasks that wait for whatever there is (load.h), compute or block meanwhile
 *     takers    plain threads: hand over one worker after the other, whatever it is doing
 *     tasks     hand over a worker now and then, too: their own, for example
 *
 * A hand-over comes in the middle of a spawn, a wake, a suspension or an end as often as the machine lets it:
 * most find the worker inside, and leave it. What is lost, or done by two threads at once, shows in the
 * ledger, or the test stands still.
 */
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/gate.h"
#include "core/handover.h"
#include "core/sys.h"
#include "core/worker.h"
#include "load.h"
#include "stress.h"

#define DRIVERS 32
#define TAKERS  2
#define TASKS   200000 /* in all configurations together */

struct raid {
    struct load load;
    _Atomic long given, busy, wrong;
    _Atomic bool is_over;
    uint64_t seed;
    long wanted; /* tasks of each driver */
};

struct part {
    struct raid *raid;
    uint64_t seed;
};

struct raided {
    struct load_task task; /* first: load_dropped takes it */
    struct raid *raid;
    uint64_t random;
};

static void take(struct raid *raid, struct worker *worker)
{
    int rc = weft__hand_over(worker);

    atomic_fetch_add(rc == 0 ? &raid->given : rc == -EAGAIN ? &raid->busy : &raid->wrong, 1);
}

static void take_one(struct raid *raid, struct runtime *runtime, uint64_t random)
{
    take(raid, &runtime->workers[random % runtime->worker_count]);
}

/* Where weft does not see it, for up to 100 us. */
static void computes_or_blocks(uint64_t random)
{
    int64_t until = weft__sys_now() + (int64_t)(random >> 8 & 0xffff) * 3 / 2;

    if (random & 1)
        while (weft__sys_now() < until)
            spin_pause();
    else /* interrupted: the sooner it goes on */
        (void)nanosleep(&(struct timespec){.tv_nsec = (long)(random >> 8 & 0xffff)}, NULL);
}

static int is_raided(void *arg)
{
    struct raided *raided = arg;
    uint64_t random = raided->random;

    if (random % 4 == 0)
        computes_or_blocks(random >> 8);
    if (random % 32 == 1)
        take_one(raided->raid, weft__runtime_own(), random >> 40);
    return load_run(&raided->task); /* suspends: worker, errno stale */
}

static int one_task_after_the_other(void *arg)
{
    struct part *driver = arg;
    struct raid *raid = driver->raid;
    const weft_task_options options = {.site = "a raided task", .drop = load_dropped};

    for (long i = 0; i < raid->wanted; i++) {
        uint64_t random = check_random(&driver->seed);
        enum load_way way = (enum load_way)(random % WAYS);
        struct raided raided = {{&raid->load, random >> 8, way}, raid, random >> 16};
        weft_future future = weft_spawn_with(&options, is_raided, &raided);

        atomic_fetch_add(&raid->load.spawned, 1);
        for (uint64_t pauses = random >> 32 & 3; pauses > 0; pauses--)
            stress_pause();
        load_help(&raid->load, random >> 60);
        if (load_may_wait_for_ever(way) || random >> 56 == 0) /* nobody may be there to wake it */
            (void)weft_cancel(future);
        (void)!weft_await(future); /* its end is in the ledger */
        check_progress();
    }
    return 0;
}

static void *takes_all_the_time(void *arg)
{
    struct part *taker = arg;
    struct raid *raid = taker->raid;
    struct runtime *runtime;

    if (weft__runtime_enter(&runtime) < 0) {
        atomic_fetch_add(&raid->wrong, 1);
        return NULL;
    }
    while (!atomic_load(&raid->is_over)) {
        uint64_t random = check_random(&taker->seed);

        take_one(raid, runtime, random);
        if (random >> 62 == 0)
            computes_or_blocks(random >> 8);
        else
            (void)sched_yield(); /* always 0 on Linux */
    }
    weft__runtime_leave(runtime);
    return NULL;
}

static int drives(struct raid *raid)
{
    struct part drivers[DRIVERS];
    weft_future futures[DRIVERS];

    for (int i = 0; i < DRIVERS; i++) {
        drivers[i] = (struct part){raid, check_random(&raid->seed)};
        futures[i] = weft_spawn(one_task_after_the_other, &drivers[i]);
    }
    return weft_gather_n(futures, DRIVERS, NULL);
}

static int is_raided_from_outside(void *arg)
{
    struct raid *raid = arg;
    struct part takers[TAKERS];
    pthread_t threads[TAKERS];

    for (int i = 0; i < TAKERS; i++) {
        takers[i] = (struct part){raid, check_random(&raid->seed)};
        if (pthread_create(&threads[i], NULL, takes_all_the_time, &takers[i]) != 0)
            abort();
    }
    int rc = drives(raid); /* suspends: worker, errno stale */
    atomic_store(&raid->is_over, true);
    for (int i = 0; i < TAKERS; i++)
        (void)pthread_join(threads[i], NULL); /* fails only for a wrong thread */
    return rc;
}

static void workers_that_are_taken_at_random_lose_nothing_and_do_nothing_twice(void **state)
{
    uint64_t seed = check_seed();
    long given = 0;

    (void)state;
    CHECK_WORKERS(n) {
        struct raid raid = {.seed = seed, .wanted = stress_rounds(TASKS / 4) / DRIVERS + 1};

        assert_int_equal(load_open(&raid.load, (size_t)(n % 3)), 0);
        int rc = check_run(n, is_raided_from_outside, &raid);
        const char *wrong = load_close(&raid.load);

        given += raid.given;
        print_message("%d workers: %ld taken, %ld busy, %d tasks: %s\n", n, raid.given, raid.busy,
                      raid.load.ended, wrong ? wrong : "the books balance");
        assert_int_equal(rc, 0);
        assert_int_equal(raid.wrong, 0);
        assert_null(wrong);
    }
    print_message("measured: %ld workers were taken\n", given);
    assert_true(given > 0);
}

/* --- how soon -------------------------------------------------------------------------------- */

#define TRIALS 200

enum { READY, TIMER, SOCKET, KINDS };

/* One worker, held by a task; three others wait to go on. */
struct trial {
    _Atomic(struct worker *) held; /* by the hog, which begins now */
    _Atomic int64_t since;         /* the trigger */
    int64_t went_on[KINDS];        /* published by arrived */
    _Atomic uint32_t arrived;      /* how many of them went on */
    _Atomic bool is_free;
    bool blocks;
    int wires[2], pipe[2];
};

static void arrives(struct trial *trial, int kind)
{
    trial->went_on[kind] = weft__sys_now();
    atomic_fetch_add(&trial->arrived, 1);
    weft__futex_wake(&trial->arrived, 1);
}

static int goes_on(void *arg)
{
    arrives(arg, READY);
    return 0;
}

static int sleeps_too_long(void *arg)
{
    int rc = weft_sleep(weft_us(20)); /* due while the worker is held */

    arrives(arg, TIMER);
    return rc;
}

static int reads_a_byte(void *arg)
{
    struct trial *trial = arg;
    char byte;
    ssize_t got = weft_read(trial->wires[1], &byte, 1); /* suspends: worker, errno stale */

    arrives(trial, SOCKET);
    return got == 1 ? 0 : -EPROTO;
}

static int holds_on(void *arg)
{
    struct trial *trial = arg;
    char byte = 'x';

    if (write(trial->wires[0], &byte, 1) != 1)
        return -EPROTO;
    atomic_store(&trial->held, weft__worker());
    if (trial->blocks) {
        ssize_t got;

        while ((got = read(trial->pipe[0], &byte, 1)) < 0 && errno == EINTR)
            ; /* stopped by the preemptor */
        return got == 1 ? 0 : -EPROTO;
    }
    while (!atomic_load(&trial->is_free))
        spin_pause();
    return 0;
}

static void *triggers(void *arg)
{
    struct trial *trial = arg;
    struct runtime *runtime;
    struct worker *worker;
    char byte = 'x';

    if (weft__runtime_enter(&runtime) < 0)
        abort();
    while (!(worker = atomic_load(&trial->held)))
        (void)sched_yield(); /* always 0 on Linux, here and below */
    for (int64_t until = weft__sys_now() + 100000; weft__sys_now() < until;)
        (void)sched_yield();
    atomic_store(&trial->since, weft__sys_now());
    while (weft__hand_over(worker) == -EAGAIN) {
    }
    for (uint32_t n;
         (n = atomic_load(&trial->arrived)) < KINDS;) /* asleep: it takes no processor */
        (void)weft__futex_wait(&trial->arrived, n, WEFT_NO_TIMEOUT); /* spurious: looks again */
    atomic_store(&trial->is_free, true);
    if (write(trial->pipe[1], &byte, 1) != 1)
        abort();
    weft__runtime_leave(runtime);
    return NULL;
}

static int goes_through(struct trial *trial)
{
    pthread_t trigger;

    if (pthread_create(&trigger, NULL, triggers, trial) != 0)
        return -EAGAIN;
    weft_future reader = weft_spawn(reads_a_byte, trial);
    weft_future sleeper = weft_spawn(sleeps_too_long, trial);
    int rc = weft_yield(); /* both wait now */
    weft_future hog = weft_spawn(holds_on, trial);
    weft_future ready = weft_spawn(goes_on, trial);
    rc = rc < 0 ? rc : weft_gather(reader, sleeper, hog, ready);
    (void)pthread_join(trigger, NULL); /* fails only for a wrong thread */
    return rc;
}

static int64_t spans[2][KINDS][TRIALS];

static int tries(void *arg)
{
    (void)arg;
    for (int i = 0; i < 2 * TRIALS; i++) {
        struct trial trial = {.blocks = i % 2};

        if (socketpair(AF_UNIX, SOCK_STREAM, 0, trial.wires) < 0 || pipe(trial.pipe) < 0)
            return -errno;
        int rc = goes_through(&trial); /* suspends: worker, errno stale */
        if (rc < 0)
            return rc;
        for (int kind = 0; kind < KINDS; kind++)
            spans[i % 2][kind][i / 2] = trial.went_on[kind] - trial.since;
        for (int end = 0; end < 2; end++) {
            (void)weft_close(trial.wires[end]); /* nothing to flush, here and below */
            (void)close(trial.pipe[end]);
        }
        check_progress();
    }
    return 0;
}

static int by_size(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return (a > b) - (a < b);
}

static void what_waits_goes_on_soon_after_the_trigger(void **state)
{
    static const char *const kinds[] = {"a ready task", "a timer", "a socket"};

    (void)state;
    assert_int_equal(check_run(1, tries, NULL), 0);
    for (int blocks = 0; blocks < 2; blocks++)
        for (int kind = 0; kind < KINDS; kind++) {
            int64_t *span = spans[blocks][kind];

            qsort(span, TRIALS, sizeof *span, by_size);
            print_message(
                "measured: while a task %s, %s goes on after %.1f us (median), %.1f (p99), "
                "%.1f at most\n",
                blocks ? "blocks" : "computes", kinds[kind], (double)span[TRIALS / 2] / 1e3,
                (double)span[TRIALS * 99 / 100] / 1e3, (double)span[TRIALS - 1] / 1e3);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_that_are_taken_at_random_lose_nothing_and_do_nothing_twice),
        cmocka_unit_test(what_waits_goes_on_soon_after_the_trigger),
    };

    return CHECK_GROUP(tests);
}
