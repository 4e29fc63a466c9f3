/*
 * sem_n_test - several permits at once: together or not at all, and never more than there may be.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "waiting.h"

static int permits_left(weft_sem *sem)
{
    int count = 0;

    while (weft_sem_try_acquire(sem) == 0)
        count++;
    return count;
}

static void several_permits_are_taken_together_or_not_at_all(void **state)
{
    weft_sem sem = WEFT_SEM_INIT(5);

    (void)state;
    assert_int_equal(weft_sem_acquire_n(&sem, 3), 0);
    assert_int_equal(weft_sem_try_acquire_n(&sem, 3), -EAGAIN);
    assert_int_equal(weft_sem_try_acquire_n(&sem, 2), 0);
    assert_int_equal(weft_sem_try_acquire_n(&sem, 1), -EAGAIN);
    assert_int_equal(weft_sem_release_n(&sem, 5), 0);
    assert_int_equal(permits_left(&sem), 5);
}

static void no_permits_can_always_be_had(void **state)
{
    weft_sem sem = WEFT_SEM_INIT(0);

    (void)state;
    assert_int_equal(weft_sem_acquire_n(&sem, 0), 0);
    assert_int_equal(weft_sem_try_acquire_n(&sem, 0), 0);
    assert_int_equal(weft_sem_release_n(&sem, 0), 0);
    assert_int_equal(permits_left(&sem), 0);
}

static void more_than_there_can_ever_be_is_refused(void **state)
{
    weft_sem sem;

    (void)state;
    assert_int_equal(weft_sem_init_max(&sem, 1, 3), 0);
    assert_int_equal(weft_sem_acquire_n(&sem, 4), -EINVAL);
    assert_int_equal(weft_sem_try_acquire_n(&sem, 4), -EINVAL);
    weft_sem_init(&sem, 0);
    assert_int_equal(weft_sem_acquire_n(&sem, WEFT_SEM_MAX + 1), -EINVAL);
}

static void a_semaphore_with_more_permits_than_its_most_is_refused(void **state)
{
    weft_sem sem = WEFT_SEM_INIT(1);

    (void)state;
    assert_int_equal(weft_sem_init_max(&sem, 4, 3), -EINVAL);
    assert_int_equal(weft_sem_init_max(&sem, 0, 0), -EINVAL);
    assert_int_equal(weft_sem_init_max(&sem, 0, WEFT_SEM_MAX + 1), -EINVAL);
    assert_int_equal(permits_left(&sem), 1);
}

static void a_release_past_the_most_changes_nothing(void **state)
{
    weft_sem sem = WEFT_SEM_INIT_MAX(2, 3);

    (void)state;
    assert_int_equal(weft_sem_release_n(&sem, 2), -EOVERFLOW);
    assert_int_equal(weft_sem_release_n(&sem, UINT32_MAX), -EOVERFLOW);
    assert_int_equal(weft_sem_release(&sem), 0);
    assert_int_equal(weft_sem_release(&sem), -EOVERFLOW);
    assert_int_equal(permits_left(&sem), 3);
}

static int acquire_two_when_cancelled(void *sem)
{
    (void)weft_cancel(weft_self());
    return weft_sem_acquire_n(sem, 2);
}

static void a_cancelled_task_takes_none_of_the_permits(void **state)
{
    weft_sem sem = WEFT_SEM_INIT(2);

    (void)state;
    int rc = check_run(1, acquire_two_when_cancelled, &sem);

    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(permits_left(&sem), 2);
}

/* Tasks, jobs and plain threads take and give back one to five of seven, some of them impatiently. */
#define ROUNDS  150
#define PERMITS 7

struct storm {
    weft_sem sem;
    uint64_t seed;
    _Atomic int held, too_many, passed;
};

struct taker {
    struct storm *storm;
    uint32_t wants;
};

static int take_and_give(void *arg)
{
    struct taker *taker = arg;
    struct storm *storm = taker->storm;
    int wants = (int)taker->wants;

    int rc = weft_sem_acquire_n(&storm->sem, taker->wants);
    if (rc < 0)
        return rc;
    if (atomic_fetch_add(&storm->held, wants) + wants > PERMITS)
        atomic_fetch_add(&storm->too_many, 1);
    let_others_run();
    atomic_fetch_sub(&storm->held, wants);
    atomic_fetch_add(&storm->passed, 1);
    return weft_sem_release_n(&storm->sem, taker->wants);
}

static int take_often(struct storm *storm, uint64_t seed, bool can_time_out)
{
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t random = check_random(&seed);
        struct taker taker = {storm, (uint32_t)(random % 5 + 1)};
        int64_t patience = (int64_t)(random >> 32) % 60;
        bool is_impatient = can_time_out && random >> 16 & 1;

        check_progress();
        int rc = is_impatient ? weft_timeout(weft_us(patience), take_and_give, &taker)
                              : take_and_give(&taker);
        if (rc < 0 && !(is_impatient && rc == -ETIMEDOUT))
            return rc;
    }
    return 0;
}

struct guest {
    struct storm *storm;
    uint64_t number;
};

static int take_as_task(void *arg)
{
    struct guest *guest = arg;

    return take_often(guest->storm, guest->storm->seed + guest->number, true);
}

static int take_as_job(void *arg) { return take_often(arg, 77, false); }

static void *take_as_thread(void *arg) { return take_often(arg, 78, false) == 0 ? arg : NULL; }

static int take_as_all(void *arg)
{
    struct storm *storm = arg;
    weft_future future[10];

    for (uint64_t i = 0; i < 9; i++)
        future[i] = weft_spawn_val(take_as_task, ((struct guest){storm, i}));
    future[9] = weft_offload(weft_cpu(), take_as_job, storm);
    return weft_gather_n(future, 10, NULL);
}

static void all_permits_are_there_after_a_storm_of_time_outs(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        struct storm storm = {.sem = WEFT_SEM_INIT_MAX(PERMITS, PERMITS), .seed = seed};
        pthread_t thread;
        void *done;

        assert_int_equal(pthread_create(&thread, NULL, take_as_thread, &storm), 0);
        int rc = check_run(n, take_as_all, &storm);
        assert_int_equal(pthread_join(thread, &done), 0);

        assert_int_equal(rc, 0);
        assert_non_null(done);
        assert_int_equal(storm.too_many, 0);
        assert_int_equal(storm.held, 0);
        assert_in_range(storm.passed, 2 * ROUNDS, 11 * ROUNDS);
        assert_int_equal(permits_left(&storm.sem), PERMITS);
    }
}

/* Who got all that a semaphore will ever have frees it, while the release may be at work on it. */
static void *release_three_in_thread(void *arg)
{
    for (weft_sem **next = arg; *next; next++)
        (void)weft_sem_release_n(*next, 3);
    return NULL;
}

static int acquire_all_and_free(void *arg)
{
    for (weft_sem **next = arg; *next; next++) {
        int rc = weft_sem_acquire_n(*next, 3);
        if (rc < 0)
            return rc;
        free(*next);
    }
    return 0;
}

static void who_got_the_last_permits_may_free_the_semaphore(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_sem *sems[301] = {NULL};
        weft_sem *freed[301] = {NULL};
        pthread_t thread;

        for (int i = 0; i < 300; i++) {
            sems[i] = freed[i] = calloc(1, sizeof *sems[i]);
            assert_non_null(sems[i]);
        }
        assert_int_equal(pthread_create(&thread, NULL, release_three_in_thread, sems), 0);
        int rc = check_run(n, acquire_all_and_free, freed);
        assert_int_equal(pthread_join(thread, NULL), 0);

        assert_int_equal(rc, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(several_permits_are_taken_together_or_not_at_all),
        cmocka_unit_test(no_permits_can_always_be_had),
        cmocka_unit_test(more_than_there_can_ever_be_is_refused),
        cmocka_unit_test(a_semaphore_with_more_permits_than_its_most_is_refused),
        cmocka_unit_test(a_release_past_the_most_changes_nothing),
        cmocka_unit_test(a_cancelled_task_takes_none_of_the_permits),
        cmocka_unit_test(all_permits_are_there_after_a_storm_of_time_outs),
        cmocka_unit_test(who_got_the_last_permits_may_free_the_semaphore),
    };
    return CHECK_GROUP(tests);
}
