/*
 * start_stop_stress_test - a runtime that comes and goes while threads submit: each call ran and was
 * answered, or was refused and did not run; nothing hangs, whatever moment it comes at.
 */
#include "stress.h"

#define THREADS 3

struct race {
    _Atomic bool over;
    _Atomic uint64_t ran, ended_well, cancelled, refused, other;
    _Atomic uint64_t dropped, offered;
    uint64_t seed;
};

static int runs(void *arg)
{
    struct race *race = arg;

    atomic_fetch_add(&race->ran, 1);
    return weft_sleep(weft_us(5));
}

static void drops(void *arg) { atomic_fetch_add(&((struct race *)arg)->dropped, 1); }

static void note(struct race *race, int rc)
{
    switch (rc) {
    case 0: atomic_fetch_add(&race->ended_well, 1); break;
    case -ESTALE: /* its runtime has stopped between spawn and await, and ended it */
    case -ECANCELED: atomic_fetch_add(&race->cancelled, 1); break;
    case -ENXIO:
    case -ESHUTDOWN: atomic_fetch_add(&race->refused, 1); break;
    default: atomic_fetch_add(&race->other, 1);
    }
}

static void submit(struct race *race, uint64_t random)
{
    const weft_task_options options = {.drop = drops};
    weft_promise promise;
    weft_future future;

    switch (random % 4) {
    case 0:
        atomic_fetch_add(&race->offered, 1);
        note(race, weft_await(weft_spawn_with(&options, runs, race)));
        break;
    case 1:
        atomic_fetch_add(&race->offered, 1);
        future = weft_spawn_with(&options, runs, race);
        if (random & 64)
            (void)weft_cancel(future); /* stale if its runtime is over */
        (void)weft_detach(future);
        break;
    case 2:
        future = weft_promise_new(&promise);
        (void)weft_promise_set(promise, 0); /* cancelled by a stop, or void */
        (void)weft_detach(future);
        break;
    default:
        atomic_fetch_add(&race->offered, 1);
        future = weft_offload_with(weft_cpu(), &options, runs, race);
        (void)!weft_await(future); /* runs() is no task there: -EPERM, or it was dropped */
    }
}

static void *submits(void *arg)
{
    struct race *race = arg;
    uint64_t seed = race->seed ^ (uintptr_t)&seed;

    while (!atomic_load(&race->over)) {
        submit(race, check_random(&seed));
        (void)sched_yield(); /* who starts and stops wants its turn */
    }
    return NULL;
}

static void a_runtime_that_comes_and_goes_answers_every_call(void **state)
{
    struct race race = {.seed = check_seed()};
    int cycles = stress_rounds(2000), failed = 0;
    pthread_t threads[THREADS];
    uint64_t seed = race.seed;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, submits, &race), 0);
    for (int i = 0; i < cycles; i++) {
        const weft_options options = {.workers = (int)(check_random(&seed) % 3) + 1,
                                      .pool_threads = 1,
                                      .shutdown = weft_s(3600)}; /* the watchdog is there before */

        failed += weft_start(&options) != 0;
        for (uint64_t pauses = check_random(&seed) % 20; pauses > 0; pauses--)
            (void)sched_yield(); /* always 0 on Linux */
        failed += weft_stop() != 0;
        check_progress();
    }
    atomic_store(&race.over, true);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);

    print_message("%d ran, %d dropped, %d refused, %d cancelled\n", (int)race.ran,
                  (int)race.dropped, (int)race.refused, (int)race.cancelled);
    assert_int_equal(failed, 0);
    assert_true(race.other == 0);
    assert_true(race.ran + race.dropped == race.offered);
}

static int counts(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
    return 0;
}

static void *runs_again_and_again(void *arg)
{
    for (int i = stress_rounds(600); i > 0; i--) {
        if (weft_run(counts, arg) != 0)
            return arg;
        check_progress();
    }
    return NULL;
}

static void several_threads_each_run_their_own_program(void **state)
{
    pthread_t threads[THREADS];
    _Atomic int count = 0;
    void *failed = NULL;

    (void)state;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, runs_again_and_again, (void *)&count),
                         0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }

    assert_int_equal(count, THREADS * stress_rounds(600));
}

/* A plain thread wakes the last task of a runtime, which then ends at once: the waker is still at it. */
struct last_wake {
    weft_sem sem;
    _Atomic int round;
    int rounds;
};

static void *wakes_the_last(void *arg)
{
    struct last_wake *last = arg;

    for (int round = 1; round <= last->rounds; round++) {
        while (atomic_load(&last->round) < round)
            (void)sched_yield();            /* always 0 on Linux */
        (void)weft_sem_release(&last->sem); /* one at a time: no overflow */
    }
    return NULL;
}

static int waits_to_be_woken(void *arg)
{
    struct last_wake *last = arg;

    atomic_fetch_add(&last->round, 1);
    return weft_sem_acquire(&last->sem);
}

static void a_runtime_may_end_while_the_thread_that_woke_its_last_task_is_still_at_it(void **state)
{
    struct last_wake last = {.sem = WEFT_SEM_INIT(0), .rounds = stress_rounds(1500)};
    pthread_t thread;
    int failed = 0;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, wakes_the_last, &last), 0);
    for (int i = 0; i < last.rounds; i++)
        failed += check_run(1, waits_to_be_woken, &last) != 0;
    assert_int_equal(pthread_join(thread, NULL), 0);

    assert_int_equal(failed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_runtime_that_comes_and_goes_answers_every_call),
        cmocka_unit_test(several_threads_each_run_their_own_program),
        cmocka_unit_test(a_runtime_may_end_while_the_thread_that_woke_its_last_task_is_still_at_it),
    };

    return CHECK_GROUP(tests);
}
