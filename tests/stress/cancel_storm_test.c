/*
 * cancel_storm_test - a million seeded cancels against 64 tasks that wait for whatever there is: each
 * task ends once, and no permit, lock, item, byte or descriptor is lost or invented.
 *
 * Each of the 64 drivers runs one task after the other, lets some time pass, cancels it or another's,
 * and awaits it. A cancel counts if its handle was not stale, and each handle is used once.
 */
#include "load.h"
#include "stress.h"

#define DRIVERS 64
#define CANCELS 1000000 /* in all configurations together */

struct storm {
    struct load load;
    _Atomic long cancels;
    _Atomic uint64_t board[DRIVERS]; /* handles, for the other drivers */
    uint64_t seed;
    long wanted; /* cancels */
};

struct driver {
    struct storm *storm;
    uint64_t seed;
    uint64_t place; /* on the board */
};

static uint64_t packed(weft_future future)
{
    return (uint64_t)future.slot << 32 | future.generation;
}

/* Cancels the task whose handle stands there: perhaps it has ended long ago. */
static void cancel_at(struct storm *storm, uint64_t place)
{
    uint64_t handle = atomic_exchange(&storm->board[place % DRIVERS], 0);

    if (handle && weft_cancel((weft_future){(uint32_t)(handle >> 32), (uint32_t)handle}) == 0)
        atomic_fetch_add(&storm->cancels, 1);
}

static int one_task_after_the_other(void *arg)
{
    struct driver *driver = arg;
    struct storm *storm = driver->storm;
    const weft_task_options options = {.site = "a task of the storm", .drop = load_dropped};

    while (atomic_load(&storm->cancels) < storm->wanted) {
        uint64_t random = check_random(&driver->seed);
        struct load_task task = {&storm->load, random >> 8, (enum load_way)(random % WAYS)};
        weft_future future = weft_spawn_with(&options, load_run, &task);

        atomic_fetch_add(&storm->load.spawned, 1);
        atomic_store(&storm->board[driver->place], packed(future));
        for (uint64_t i = random >> 32 & 3; i > 0; i--)
            stress_pause();
        cancel_at(storm, random >> 40 & 1 ? driver->place : random >> 48);
        load_help(&storm->load, random >> 60);
        if (load_may_wait_for_ever(task.way)) /* nobody may be there to wake it */
            (void)weft_cancel(future);
        (void)!weft_await(future); /* its end is in the ledger */
        atomic_store(&storm->board[driver->place], 0);
        check_progress();
    }
    return 0;
}

static int storms(void *arg)
{
    struct storm *storm = arg;
    struct driver drivers[DRIVERS];
    weft_future futures[DRIVERS];

    for (uint64_t i = 0; i < DRIVERS; i++) {
        drivers[i] = (struct driver){storm, check_random(&storm->seed), i};
        futures[i] = weft_spawn(one_task_after_the_other, &drivers[i]);
    }
    return weft_gather_n(futures, DRIVERS, NULL);
}

static void a_million_cancels_lose_nothing_and_invent_nothing(void **state)
{
    uint64_t seed = check_seed();
    long cancels = 0, tasks = 0;

    (void)state;
    CHECK_WORKERS(n) {
        struct storm storm = {.seed = seed, .wanted = stress_rounds(CANCELS / 4)};

        assert_int_equal(load_open(&storm.load, (size_t)(n % 3)), 0);
        int rc = check_run(n, storms, &storm);
        tasks += storm.load.ended;
        cancels += storm.cancels;
        const char *wrong = load_close(&storm.load);

        print_message("%d workers: %ld cancels, %d tasks: %s\n", n, storm.cancels, storm.load.ended,
                      wrong ? wrong : "the books balance");
        assert_int_equal(rc, 0);
        assert_null(wrong);
    }
    print_message("measured: %ld cancels of %ld tasks\n", cancels, tasks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_million_cancels_lose_nothing_and_invent_nothing),
    };

    return CHECK_GROUP(tests);
}
