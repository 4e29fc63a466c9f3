/*
 * conserve_stress_test - no task waits while a worker is idle: as many tasks as there are workers must
 * run at the same time, each on a worker of its own, or none of them ever ends.
 *
 *     worker 0   [ holds its thread until all have come ]
 *     worker 1           [ holds ... until all have come ]
 *     worker 2                      [ the last one has come ]     all end, and the next ones meet
 *
 * No clock is asked: a task that waits although a worker is idle makes the others hold their threads
 * for ever, and the watchdog tells. The tasks come from everywhere where ready tasks come from. The same for
 * jobs and the threads of the pool.
 *
 * What is not asked for: the task that was woken last by a task that computes on, without waiting.
 * It is its waker's next one, and nobody else comes for it (core/park.h).
 */
#include "core/tuning.h"
#include "stress.h"

#define MEET_MOST (8 * 3)

struct meeting {
    uint32_t size;  /* so many at a time */
    uint32_t total; /* members: one meeting or several */
    _Atomic uint32_t arrived;
    struct check_latch waiting;
    weft_event open;
    weft_sem links[MEET_MOST];
    weft_fn come; /* how they come */
    weft_future members[MEET_MOST];
    uint64_t seed;
    int rounds, failed;
};

/* Holds the worker until this one's meeting is complete. */
static int holds_its_worker(void *arg)
{
    struct meeting *meeting = arg;
    uint32_t ticket = atomic_fetch_add(&meeting->arrived, 1);
    uint32_t complete = (ticket / meeting->size + 1) * meeting->size;

    for (int spins = 0; atomic_load(&meeting->arrived) < complete; spins++)
        if (spins > 1000)
            (void)sched_yield(); /* the thread's turn on the core, not the task's */
    return 0;
}

static int waits_for_the_opening(void *arg)
{
    struct meeting *meeting = arg;

    check_arrive(&meeting->waiting);
    int rc = weft_event_wait(&meeting->open); /* suspends: worker, errno stale */
    return rc < 0 ? rc : holds_its_worker(meeting);
}

static void spawn_members(struct meeting *meeting, weft_fn fn)
{
    for (uint32_t i = 0; i < meeting->total; i++)
        meeting->members[i] = weft_spawn(fn, meeting);
}

static int all_members(struct meeting *meeting)
{
    return weft_gather_n(meeting->members, meeting->total, NULL);
}

static int are_spawned(void *arg)
{
    spawn_members(arg, holds_its_worker);
    return all_members(arg);
}

static int are_spawned_and_joined(void *arg)
{
    struct meeting *meeting = arg;

    meeting->total--; /* the spawner is one of them */
    spawn_members(meeting, holds_its_worker);
    (void)holds_its_worker(meeting); /* 0 */
    int rc = all_members(meeting);   /* suspends: worker, errno stale */
    meeting->total++;
    return rc;
}

static int are_woken(void *arg)
{
    struct meeting *meeting = arg;

    spawn_members(meeting, waits_for_the_opening);
    int rc = check_latch_wait(&meeting->waiting); /* suspends: worker, errno stale */
    weft_event_set(&meeting->open);
    return rc | all_members(meeting);
}

struct link {
    struct meeting *meeting;
    int place;
};

static int waits_for_its_turn(const struct link *link)
{
    check_arrive(&link->meeting->waiting);
    return weft_sem_acquire(&link->meeting->links[link->place]);
}

/* Is woken, wakes the next one, and ends; the last one wakes all members. */
static int passes_it_on(void *arg)
{
    struct link *link = arg;
    struct meeting *meeting = link->meeting;

    if (waits_for_its_turn(link) < 0)
        return -ECANCELED;
    if (link->place + 1 == TUNE_RUN_NEXT_STREAK)
        weft_event_set(&meeting->open);
    else
        (void)weft_sem_release(&meeting->links[link->place + 1]); /* cannot overflow */
    return 0;
}

/* The worker has taken as many just woken tasks as it may when the members come: the one in its slot
 * must not wait for the one that it takes from the line. */
static int are_woken_in_a_row(void *arg)
{
    struct meeting *meeting = arg;
    weft_future links[TUNE_RUN_NEXT_STREAK];

    check_latch_init(&meeting->waiting, meeting->total + TUNE_RUN_NEXT_STREAK);
    for (int i = 0; i < TUNE_RUN_NEXT_STREAK; i++) {
        meeting->links[i] = (weft_sem)WEFT_SEM_INIT(0);
        links[i] = weft_spawn_val(passes_it_on, ((struct link){meeting, i}));
    }
    spawn_members(meeting, waits_for_the_opening);
    int rc = check_latch_wait(&meeting->waiting); /* suspends: worker, errno stale */
    rc |= weft_yield();                           /* the row begins after one of the line */
    (void)weft_sem_release(&meeting->links[0]);   /* cannot overflow */
    rc |= all_members(meeting);
    return rc | weft_gather_n(links, TUNE_RUN_NEXT_STREAK, NULL);
}

/* Is woken, wakes the next one, and lets it go first. */
static int lets_the_next_go_first(void *arg)
{
    struct link *link = arg;
    struct meeting *meeting = link->meeting;

    if (waits_for_its_turn(link) < 0)
        return -ECANCELED;
    if (link->place + 1 < (int)meeting->total) {
        (void)weft_sem_release(&meeting->links[link->place + 1]); /* cannot overflow */
        if (weft_yield() < 0)
            return -ECANCELED;
    }
    return holds_its_worker(meeting);
}

/* Who yields to the one that it has just woken must not wait for it. */
static int are_yielded_to(void *arg)
{
    struct meeting *meeting = arg;

    for (int i = 0; i < (int)meeting->total; i++) {
        meeting->links[i] = (weft_sem)WEFT_SEM_INIT(0);
        meeting->members[i] = weft_spawn_val(lets_the_next_go_first, ((struct link){meeting, i}));
    }
    int rc = check_latch_wait(&meeting->waiting); /* suspends: worker, errno stale */
    (void)weft_sem_release(&meeting->links[0]);   /* cannot overflow */
    return rc | all_members(meeting);
}

static int are_offered_to(weft_pool *pool, struct meeting *meeting)
{
    for (uint32_t i = 0; i < meeting->total; i++)
        meeting->members[i] = weft_offload(pool, holds_its_worker, meeting);
    return all_members(meeting);
}

static int are_offered(void *arg) { return are_offered_to(weft_cpu(), arg); }

static int are_offered_to_the_lane(void *arg) { return are_offered_to(weft_blocking_lane(), arg); }

/* Each starts the next one before it holds its worker. */
static int starts_the_next(void *arg)
{
    struct meeting *meeting = arg;
    weft_future next = {0, 0};
    bool is_last = meeting->total-- == 1; /* only one at a time looks: the next is not there yet */

    if (!is_last)
        next = weft_spawn(starts_the_next, meeting);
    (void)holds_its_worker(meeting); /* 0 */
    return is_last ? 0 : weft_await(next);
}

static int are_a_chain(void *arg)
{
    struct meeting *meeting = arg;
    uint32_t total = meeting->total;
    int rc = starts_the_next(meeting); /* suspends: worker, errno stale */

    meeting->total = total;
    return rc;
}

/* Now and then all workers are asleep when it begins, now and then some are on their way there. */
static int meet_again_and_again(void *arg)
{
    struct meeting *meeting = arg;

    for (int i = 0; i < meeting->rounds && meeting->failed == 0; i++) {
        uint64_t random = check_random(&meeting->seed);

        atomic_store(&meeting->arrived, 0);
        check_latch_init(&meeting->waiting, meeting->total);
        meeting->open = (weft_event)WEFT_EVENT_INIT;
        meeting->failed = meeting->come(meeting);
        if (weft_self().slot != 0 && random % 4 == 0)
            meeting->failed |= weft_sleep(weft_us((int64_t)(random >> 8 & 127)));
        else if (random % 4 == 1)
            stress_pause();
        check_progress();
    }
    return meeting->failed;
}

static bool is_migrating(void)
{
    const char *debug = getenv("WEFT_DEBUG");

    return debug && strstr(debug, "migrate");
}

/* All meet, from a task or from a plain thread, at once and in several meetings. */
static void meet(weft_fn come, bool from_outside, int rounds)
{
    uint64_t seed = check_seed();

    if (is_migrating()) /* it sends a woken task to one worker, be that idle or not */
        skip();
    CHECK_WORKERS(n)
        for (uint32_t meetings = 1; meetings <= 3; meetings += 2) {
            struct meeting meeting = {.size = (uint32_t)n,
                                      .total = (uint32_t)n * meetings,
                                      .come = come,
                                      .seed = seed,
                                      .rounds = stress_rounds(rounds)};

            assert_int_equal(
                weft_start(&(weft_options){.workers = n, .pool_threads = n, .blocking_threads = n}),
                0);
            int rc = from_outside ? meet_again_and_again(&meeting)
                                  : weft_call(meet_again_and_again, &meeting);
            assert_int_equal(weft_stop(), 0);

            assert_int_equal(rc, 0);
            assert_int_equal(meeting.arrived, meeting.total);
        }
}

static void all_meet(weft_fn come, bool from_outside) { meet(come, from_outside, 1000); }

static void tasks_that_a_task_spawned_run_on_all_workers(void **state)
{
    (void)state;
    all_meet(are_spawned, false);
}

static void tasks_that_a_computing_task_spawned_run_on_all_workers(void **state)
{
    (void)state;
    all_meet(are_spawned_and_joined, false);
}

static void tasks_that_a_thread_spawned_run_on_all_workers(void **state)
{
    (void)state;
    all_meet(are_spawned, true);
}

static void tasks_that_a_task_woke_run_on_all_workers(void **state)
{
    (void)state;
    all_meet(are_woken, false);
}

static void tasks_that_a_thread_woke_run_on_all_workers(void **state)
{
    (void)state;
    all_meet(are_woken, true);
}

static void tasks_that_come_after_a_row_of_woken_ones_run_on_all_workers(void **state)
{
    (void)state;
    all_meet(are_woken_in_a_row, false);
}

static void tasks_that_yield_to_whom_they_woke_run_on_all_workers(void **state)
{
    (void)state;
    all_meet(are_yielded_to, false);
}

static void tasks_that_spawn_each_other_run_on_all_workers(void **state)
{
    (void)state;
    all_meet(are_a_chain, false);
}

static void jobs_that_a_task_offered_run_on_all_threads(void **state)
{
    (void)state;
    meet(are_offered, false, 250);
}

static void jobs_that_a_thread_offered_run_on_all_threads(void **state)
{
    (void)state;
    meet(are_offered, true, 250);
}

static void jobs_that_a_task_offered_run_on_all_threads_of_the_lane(void **state)
{
    (void)state;
    meet(are_offered_to_the_lane, false, 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_that_a_task_spawned_run_on_all_workers),
        cmocka_unit_test(tasks_that_a_computing_task_spawned_run_on_all_workers),
        cmocka_unit_test(tasks_that_a_thread_spawned_run_on_all_workers),
        cmocka_unit_test(tasks_that_a_task_woke_run_on_all_workers),
        cmocka_unit_test(tasks_that_a_thread_woke_run_on_all_workers),
        cmocka_unit_test(tasks_that_come_after_a_row_of_woken_ones_run_on_all_workers),
        cmocka_unit_test(tasks_that_yield_to_whom_they_woke_run_on_all_workers),
        cmocka_unit_test(tasks_that_spawn_each_other_run_on_all_workers),
        cmocka_unit_test(jobs_that_a_task_offered_run_on_all_threads),
        cmocka_unit_test(jobs_that_a_thread_offered_run_on_all_threads),
        cmocka_unit_test(jobs_that_a_task_offered_run_on_all_threads_of_the_lane),
    };

    return CHECK_GROUP(tests);
}
