/*
 * pool_stress_test - a storm of offloads, cancels, detaches and nested jobs with an exact ledger:
 * each job that was offered ran once, or was dropped once, and never both.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define TASKS   6
#define THREADS 2
#define CELLS   (1 << 20)

/* What has become of a job: one of the two, once. */
#define RAN     1
#define DROPPED 16

struct storm {
    uint64_t seed;
    int offers; /* of each task and thread */
    _Atomic uint32_t used;
    _Atomic int wrong_status;
    _Atomic uint8_t *cell;
};

struct ticket {
    struct storm *storm;
    uint64_t seed;
    uint32_t cell;
    int depth;
};
_Static_assert(sizeof(struct ticket) <= WEFT_VAL_BYTES, "travels by value");

static int work(void *arg);

static void drop(void *arg)
{
    struct ticket *ticket = arg;

    atomic_fetch_add(&ticket->storm->cell[ticket->cell], DROPPED);
}

static weft_future offer(struct storm *storm, uint64_t *seed, int depth, uint32_t *ret_cell)
{
    struct ticket ticket = {.storm = storm,
                            .seed = check_random(seed),
                            .cell = atomic_fetch_add(&storm->used, 1),
                            .depth = depth};
    const weft_task_options options = {
        .drop = drop, .site = "work (storm)", .val = &ticket, .val_bytes = sizeof ticket};
    weft_pool *pool = check_random(seed) % 4 ? weft_cpu() : weft_blocking_lane();

    *ret_cell = ticket.cell;
    return weft_offload_with(pool, &options, work, NULL);
}

/* A job that was waited for ended as its cell says. */
static void settle(struct storm *storm, uint32_t cell, int status)
{
    uint8_t expected = status >= 0 ? RAN : DROPPED;

    if (atomic_load(&storm->cell[cell]) != expected)
        atomic_fetch_add(&storm->wrong_status, 1);
}

static void offer_one(struct storm *storm, uint64_t *seed, int depth)
{
    uint32_t cell;
    weft_future future = offer(storm, seed, depth, &cell); /* suspends: worker, errno stale */

    switch (check_random(seed) % 5) {
    case 0: (void)weft_detach(future); break; /* the ledger tells what became of it */
    case 1:
        (void)weft_cancel(future); /* may have ended: 0 all the same */
        (void)weft_detach(future);
        break;
    case 2:
        (void)weft_cancel(future);
        settle(storm, cell, weft_await(future));
        break;
    default: settle(storm, cell, weft_await(future)); break;
    }
}

static void offer_three(struct storm *storm, uint64_t *seed, int depth)
{
    uint32_t cell[3];
    weft_future future[3];
    int status[3] = {0};

    for (int i = 0; i < 3; i++)
        future[i] = offer(storm, seed, depth, &cell[i]); /* suspends: worker, errno stale */
    if (check_random(seed) % 2)
        (void)weft_cancel(future[check_random(seed) % 3]);
    (void)!weft_gather_n(future, 3, status); /* the statuses say it all */
    for (int i = 0; i < 3; i++)
        settle(storm, cell[i], status[i]);
}

static int nothing(void *arg)
{
    (void)arg;
    return weft_yield();
}

static int work(void *arg)
{
    struct ticket *ticket = arg;
    struct storm *storm = ticket->storm;
    uint64_t seed = ticket->seed;
    int depth = ticket->depth;

    switch (check_random(&seed) % 8) {
    case 0:
        for (int i = 0; i < 2000 && !weft_cancelled(); i++)
            atomic_load(&storm->wrong_status);
        break;
    case 1:
        if (depth > 0)
            offer_one(storm, &seed, depth - 1);
        break;
    case 2:
        if (depth > 0)
            offer_three(storm, &seed, depth - 1);
        break;
    case 3: (void)!weft_call(nothing, NULL); break; /* fails when stopping */
    default: break;
    }
    atomic_fetch_add(&storm->cell[ticket->cell], RAN);
    return 0;
}

static int blow(void *arg)
{
    struct ticket *ticket = arg;
    uint64_t seed = ticket->seed;

    for (int i = 0; i < ticket->storm->offers; i++) {
        if (check_random(&seed) % 3)
            offer_one(ticket->storm, &seed, 3); /* suspends: worker, errno stale */
        else
            offer_three(ticket->storm, &seed, 3); /* suspends: worker, errno stale */
        check_progress();
    }
    return 0;
}

static void *blow_thread(void *arg)
{
    (void)!blow(arg); /* 0 */
    return NULL;
}

static int blow_tasks(void *arg)
{
    struct storm *storm = arg;
    weft_future future[TASKS];

    for (uint64_t i = 0; i < TASKS; i++) {
        struct ticket ticket = {.storm = storm, .seed = storm->seed + i};
        future[i] = weft_spawn_val(blow, ticket);
    }
    return weft_gather_n(future, TASKS, NULL);
}

static int blow_all(struct storm *storm, int workers)
{
    const weft_options options = {.workers = workers,
                                  .pool_threads = 2,
                                  .blocking_threads = 3,
                                  .shutdown = weft_s(3600)}; /* the watchdog is there before */
    struct ticket ticket[THREADS];
    pthread_t thread[THREADS];
    int rc = weft_start(&options);

    if (rc < 0)
        return rc;
    for (uint64_t i = 0; i < THREADS; i++) {
        ticket[i] = (struct ticket){.storm = storm, .seed = storm->seed + 100 + i};
        if (pthread_create(&thread[i], NULL, blow_thread, &ticket[i]) != 0)
            abort(); /* a test machine without threads */
    }
    rc = weft_call(blow_tasks, storm);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(thread[i], NULL); /* created above */
    int stopped = weft_stop();               /* with detached jobs under way */
    return rc < 0 ? rc : stopped;
}

static void a_storm_of_jobs_keeps_the_ledger_exact(void **state)
{
    const char *effort = getenv("CHECK_STRESS");
    struct storm storm = {.seed = check_seed(),
                          .offers = effort && strcmp(effort, "short") == 0 ? 200 : 3000};

    (void)state;
    storm.cell = calloc(CELLS, 1);
    assert_non_null(storm.cell);
    CHECK_WORKERS(n) {
        storm.seed = check_random(&storm.seed);
        atomic_store(&storm.used, 0);
        memset((void *)storm.cell, 0, CELLS);

        int rc = blow_all(&storm, n);

        assert_int_equal(rc, 0);
        assert_int_equal(storm.wrong_status, 0);
        assert_true(storm.used > 0 && storm.used < CELLS);
        int ran = 0;
        for (uint32_t i = 0; i < storm.used; i++) {
            assert_true(storm.cell[i] == RAN || storm.cell[i] == DROPPED);
            ran += storm.cell[i] == RAN;
        }
        assert_true(ran > 0);
        print_message("offered %u = ran %d + dropped %d\n", storm.used, ran, (int)storm.used - ran);
    }
    free((void *)storm.cell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_storm_of_jobs_keeps_the_ledger_exact)};

    return CHECK_GROUP(tests);
}
