/*
 * shutdown_storm_test - a runtime under a mixed load is stopped at a random instant, ten thousand
 * times: the stop returns in time and abandons nothing, and the books balance.
 *
 * The load comes from tasks that start tasks, and from a plain thread beside the one that stops. What
 * is refused because the runtime stops counts as dropped.
 */
#include "core/sys.h"
#include "load.h"
#include "stress.h"

#define ROOTS  8
#define CYCLES 10000

struct cycle {
    struct load load;
    uint64_t seed;
    _Atomic bool is_over; /* for the plain thread */
};

struct root {
    struct cycle *cycle;
    uint64_t seed;
};

static const weft_task_options options = {.site = "a task of the load", .drop = load_dropped};

/* Starts one task after the other, until it is cancelled. */
static int loads_until_cancelled(void *arg)
{
    struct root *root = arg;
    struct load *load = &root->cycle->load;
    int rc = 0;

    while (rc == 0) {
        uint64_t random = check_random(&root->seed);
        struct load_task task = {load, random >> 8, (enum load_way)(random % WAYS)};

        atomic_fetch_add(&load->spawned, 1);
        weft_future future = weft_spawn_with(&options, load_run, &task);
        rc = weft_yield();
        load_help(load, random >> 60);
        if (load_may_wait_for_ever(task.way))
            (void)weft_cancel(future); /* else the load could come to rest */
        (void)!weft_await(future);     /* its end is in the ledger */
    }
    return rc;
}

static void *loads_from_outside(void *arg)
{
    struct root *root = arg;
    struct load *load = &root->cycle->load;

    while (!atomic_load(&root->cycle->is_over)) {
        struct load_task task = {load, check_random(&root->seed), YIELDS};

        task.way = task.random % 2 ? YIELDS : SLEEPS;
        atomic_fetch_add(&load->spawned, 1);
        (void)!weft_await(weft_spawn_with(&options, load_run, &task)); /* as above */
        (void)sched_yield();                                           /* always 0 on Linux */
    }
    return NULL;
}

static void wait_a_random_while(uint64_t *seed)
{
    weft_time until = weft_now() + (weft_time)(check_random(seed) % 150000);

    if (check_random(seed) % 4 == 0)
        return; /* at once */
    while (weft_now() < until)
        (void)sched_yield(); /* always 0 on Linux */
}

/* One start, one load, one stop. Returns what stop and books say. */
static const char *one_cycle(struct cycle *cycle, bool from_outside)
{
    const weft_options asked = {.workers = (int)(check_random(&cycle->seed) % 3) + 1,
                                .pool_threads = 1,
                                .shutdown = weft_s(3600)}; /* the watchdog is there before */
    struct root roots[ROOTS + 1];
    pthread_t thread;

    if (load_open(&cycle->load, check_random(&cycle->seed) % 3) < 0 || weft_start(&asked) < 0)
        return "no start";
    for (int i = 0; i <= ROOTS; i++)
        roots[i] = (struct root){cycle, check_random(&cycle->seed)};
    for (int i = 0; i < ROOTS; i++)
        if (weft_detach(weft_spawn(loads_until_cancelled, &roots[i])) < 0)
            return "no root";
    if (from_outside && pthread_create(&thread, NULL, loads_from_outside, &roots[ROOTS]) != 0)
        return "no thread";

    wait_a_random_while(&cycle->seed);
    int rc = weft_stop();

    atomic_store(&cycle->is_over, true);
    if (from_outside)
        (void)pthread_join(thread, NULL); /* fails only for a wrong thread */
    const char *wrong = load_close(&cycle->load);
    return rc < 0 ? weft_strerror(rc) : wrong;
}

static void a_stop_at_any_instant_leaves_nothing(void **state)
{
    uint64_t seed = check_seed();
    int cycles = stress_rounds(CYCLES);
    weft_time longest = 0;
    long tasks = 0;

    (void)state;
    for (int i = 0; i < cycles; i++) {
        struct cycle cycle = {.seed = check_random(&seed)};
        weft_time start = weft_now();
        const char *wrong = one_cycle(&cycle, i % 4 == 0);
        weft_time took = weft_now() - start;

        if (wrong)
            print_message("cycle %d: %s\n", i, wrong);
        assert_null(wrong);
        longest = took > longest ? took : longest;
        tasks += cycle.load.ended + cycle.load.dropped;
        check_progress();
    }
    print_message("measured: %d stops under %ld tasks, the longest cycle %.1f ms\n", cycles, tasks,
                  weft_seconds(longest) * 1e3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stop_at_any_instant_leaves_nothing),
    };

    return CHECK_GROUP(tests);
}
