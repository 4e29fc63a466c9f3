/*
 * park_stress_test - wakes of workers that sleep: one piece of work at a time, each on its own, so that
 * a single one that is lost stands still for ever and the watchdog tells.
 */
#include "stress.h"

static int counts(void *arg)
{
    ++*(int *)arg; /* one at a time: the caller waits for it */
    return 0;
}

static void one_item_at_a_time(int workers, int rounds)
{
    const weft_options options = {.workers = workers};
    int count = 0;

    assert_int_equal(weft_start(&options), 0);
    for (int i = 0; i < rounds; i++) {
        if (weft_call(counts, &count) != 0)
            break;
        if (i % 16 == 0)
            check_progress();
    }
    assert_int_equal(weft_stop(), 0);

    assert_int_equal(count, rounds);
}

static void a_thread_wakes_one_idle_worker(void **state)
{
    (void)state;
    one_item_at_a_time(1, stress_rounds(30000));
}

static void a_thread_wakes_one_of_two_idle_workers(void **state)
{
    (void)state;
    one_item_at_a_time(2, stress_rounds(30000));
}

static void a_thread_wakes_one_of_eight_idle_workers_on_few_cores(void **state)
{
    (void)state;
    one_item_at_a_time(8, stress_rounds(30000));
}

struct ball {
    weft_sem there, back;
    int rounds;
    _Atomic int hits;
};

static int returns_the_ball(void *arg)
{
    struct ball *ball = arg;

    for (int i = 0; i < ball->rounds; i++) {
        if (weft_sem_acquire(&ball->there) < 0)
            return -ECANCELED;
        atomic_fetch_add(&ball->hits, 1);
        if (i % 16 == 0)
            check_progress();
        (void)weft_sem_release(&ball->back); /* cannot overflow: one ball */
    }
    return 0;
}

static void plays_against(int workers, int rounds)
{
    struct ball ball = {.there = WEFT_SEM_INIT(0), .back = WEFT_SEM_INIT(0), .rounds = rounds};

    assert_int_equal(weft_start(&(weft_options){.workers = workers}), 0);
    weft_future player = weft_spawn(returns_the_ball, &ball);
    for (int i = 0; i < rounds; i++) {
        (void)weft_sem_release(&ball.there);
        if (weft_sem_acquire(&ball.back) < 0)
            break;
    }
    int rc = weft_await(player);
    assert_int_equal(weft_stop(), 0);

    assert_int_equal(rc, 0);
    assert_int_equal(ball.hits, rounds);
}

static void a_thread_and_a_task_play_ball(void **state)
{
    (void)state;
    plays_against(1, stress_rounds(20000));
    plays_against(8, stress_rounds(20000));
}

/* Pairs of tasks on different workers wake each other; both workers sleep in between. */
struct pairs {
    struct ball balls[3];
};

static int serves_the_ball(void *arg)
{
    struct ball *ball = arg;

    for (int i = 0; i < ball->rounds; i++) {
        (void)weft_sem_release(&ball->there);
        if (i % 7 == 0 && weft_sleep(weft_us(1)) < 0)
            return -ECANCELED;
        if (weft_sem_acquire(&ball->back) < 0)
            return -ECANCELED;
    }
    return 0;
}

static int plays_in_pairs(void *arg)
{
    struct pairs *pairs = arg;
    weft_future futures[6];

    for (int i = 0; i < 3; i++) {
        futures[2 * i] = weft_spawn(returns_the_ball, &pairs->balls[i]);
        futures[2 * i + 1] = weft_spawn(serves_the_ball, &pairs->balls[i]);
    }
    return weft_gather_n(futures, 6, NULL);
}

static void tasks_play_ball_with_sleeps_in_between(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct pairs pairs;
        int rounds = stress_rounds(6000);

        for (int i = 0; i < 3; i++)
            pairs.balls[i] = (struct ball){
                .there = WEFT_SEM_INIT(0), .back = WEFT_SEM_INIT(0), .rounds = rounds};
        int rc = check_run(n, plays_in_pairs, &pairs);

        assert_int_equal(rc, 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(pairs.balls[i].hits, rounds);
    }
}

#define THREADS 4

struct crowd {
    int each;
    _Atomic uint64_t sum;
};

struct item {
    struct crowd *crowd;
    uint64_t number;
};

static int adds(void *arg)
{
    struct item *item = arg;

    atomic_fetch_add(&item->crowd->sum, item->number);
    return 0;
}

static void *throws_items_in(void *arg)
{
    struct crowd *crowd = arg;
    weft_future futures[16];

    for (int i = 0; i < crowd->each; i += 16) {
        for (int j = 0; j < 16; j++)
            futures[j] = weft_spawn_val(adds, ((struct item){crowd, (uint64_t)(i + j)}));
        if (weft_gather_n(futures, 16, NULL) < 0)
            return crowd;
        check_progress();
    }
    return NULL;
}

static void many_threads_throw_items_in(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct crowd crowd = {.each = (stress_rounds(8000) + 15) / 16 * 16};
        pthread_t threads[THREADS];
        void *failed = NULL;
        uint64_t each = (uint64_t)crowd.each;

        assert_int_equal(weft_start(&(weft_options){.workers = n}), 0);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, throws_items_in, &crowd), 0);
        for (int i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_join(threads[i], &failed), 0);
            assert_null(failed);
        }
        assert_int_equal(weft_stop(), 0);

        assert_true(crowd.sum == THREADS * (each * (each - 1) / 2));
    }
}

/* --- a task that holds its worker needs the others to come ------------------------------------- */

struct hog {
    int rounds, width;
    uint64_t seed;
};

static int arrives(void *arg)
{
    atomic_fetch_add(*(_Atomic int **)arg, 1);
    return 0;
}

/* Spawns a few, and gives its worker away to nobody until they have run: others must. */
static int holds_its_worker(void *arg)
{
    struct hog *hog = arg;

    for (int round = 0; round < hog->rounds; round++) {
        _Atomic int arrived = 0;
        _Atomic int *at = &arrived;
        weft_future futures[4];

        for (int i = 0; i < hog->width; i++)
            futures[i] = weft_spawn_val(arrives, at);
        for (int spins = 0; atomic_load(&arrived) < hog->width; spins++)
            if (spins > 2000)
                (void)sched_yield(); /* the thread's turn on the core, not the task's */
        if (weft_gather_n(futures, (size_t)hog->width, NULL) < 0)
            return -ECANCELED;
        if (check_random(&hog->seed) % 8 == 0 && weft_sleep(weft_us(1)) < 0)
            return -ECANCELED;
        if (round % 256 == 0)
            check_progress();
    }
    return 0;
}

static int some_hold_their_workers(void *arg)
{
    struct hog *hog = arg;
    struct hog other = {hog->rounds, hog->width, check_random(&hog->seed)};
    weft_future futures[2] = {weft_spawn(holds_its_worker, hog),
                              weft_spawn(holds_its_worker, &other)};

    return weft_gather_n(futures, 2, NULL);
}

static void what_a_computing_task_has_spawned_is_run_by_others(void **state)
{
    struct hog hog = {.seed = check_seed()};

    (void)state;
    for (hog.width = 1; hog.width <= 4; hog.width++) {
        hog.rounds = stress_rounds(3000);
        assert_int_equal(check_run(2, holds_its_worker, &hog), 0);
        assert_int_equal(check_run(3, some_hold_their_workers, &hog), 0);
        assert_int_equal(check_run(8, some_hold_their_workers, &hog), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_wakes_one_idle_worker),
        cmocka_unit_test(a_thread_wakes_one_of_two_idle_workers),
        cmocka_unit_test(a_thread_wakes_one_of_eight_idle_workers_on_few_cores),
        cmocka_unit_test(a_thread_and_a_task_play_ball),
        cmocka_unit_test(tasks_play_ball_with_sleeps_in_between),
        cmocka_unit_test(many_threads_throw_items_in),
        cmocka_unit_test(what_a_computing_task_has_spawned_is_run_by_others),
    };

    return CHECK_GROUP(tests);
}
