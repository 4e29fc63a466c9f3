/*
 * sem_test - permits: counted, handed over in order, and never lost to a cancel.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "waiting.h"

#define WAITERS 5

static void the_permits_can_be_taken_without_waiting(void **state)
{
    weft_sem sem = WEFT_SEM_INIT(2);

    (void)state;
    assert_int_equal(weft_sem_acquire(&sem), 0);
    assert_int_equal(weft_sem_try_acquire(&sem), 0);
    assert_int_equal(weft_sem_try_acquire(&sem), -EAGAIN);
    assert_int_equal(weft_sem_release(&sem), 0);
    assert_int_equal(weft_sem_try_acquire(&sem), 0);
}

static void zeroed_memory_is_a_semaphore_without_permits(void **state)
{
    weft_sem sem = {0};

    (void)state;
    assert_int_equal(weft_sem_try_acquire(&sem), -EAGAIN);
    assert_int_equal(weft_sem_release(&sem), 0);
    assert_int_equal(weft_sem_try_acquire(&sem), 0);
}

static void a_release_beyond_the_most_fails(void **state)
{
    weft_sem sem;

    (void)state;
    weft_sem_init(&sem, WEFT_SEM_MAX);
    assert_int_equal(weft_sem_release(&sem), -EOVERFLOW);
    assert_int_equal(weft_sem_try_acquire(&sem), 0);
    assert_int_equal(weft_sem_release(&sem), 0);
    assert_int_equal(weft_sem_release(&sem), -EOVERFLOW);
}

/* Five tasks queue for no permits; permits come one at a time, and nobody gives one back. */
struct line {
    weft_sem sem;
    _Atomic int arrived;
    int order[WAITERS]; /* who got the first permit, the second ... */
    int rc[WAITERS];
    int tried; /* by a third party, right after a release */
    weft_future future[WAITERS];
};

struct place {
    struct line *line;
    int number;
};

static int take_one(void *arg)
{
    struct place *place = arg;
    struct line *line = place->line;

    line->rc[place->number] = weft_sem_acquire(&line->sem);
    if (line->rc[place->number] == 0)
        line->order[atomic_fetch_add(&line->arrived, 1)] = place->number;
    return 0;
}

/* Spawns the waiters so that they queue in the order of their numbers. */
static void form_line(struct line *line)
{
    for (int i = 0; i < WAITERS; i++) {
        line->order[i] = -1;
        line->future[i] = weft_spawn_val(take_one, ((struct place){line, i}));
        until_waiting(i + 1, &line->sem.weft__waiters);
    }
}

static int release_one_by_one(void *arg)
{
    struct line *line = arg;

    form_line(line);
    for (int i = 0; i < WAITERS; i++) {
        int rc = weft_sem_release(&line->sem);
        if (rc < 0)
            return rc;
        line->tried += weft_sem_try_acquire(&line->sem) == -EAGAIN;
        while (atomic_load(&line->arrived) != i + 1)
            let_others_run();
    }
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void permits_go_to_those_who_wait_in_the_order_of_arrival(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.sem = WEFT_SEM_INIT(0)};

        int rc = check_run(n, release_one_by_one, &line);

        assert_int_equal(rc, 0);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(line.order[i], i);
        assert_int_equal(line.tried, WAITERS);
    }
}

static int cancel_first_and_third(void *arg)
{
    struct line *line = arg;

    form_line(line);
    (void)weft_cancel(line->future[0]);
    (void)weft_cancel(line->future[2]);
    for (int i = 0; i < WAITERS - 2; i++) {
        int rc = weft_sem_release(&line->sem);
        if (rc < 0)
            return rc;
        while (atomic_load(&line->arrived) != i + 1)
            let_others_run();
    }
    int rc = weft_gather_n(line->future, WAITERS, NULL);
    return rc < 0 ? rc : weft_sem_try_acquire(&line->sem);
}

static void the_turn_of_a_cancelled_waiter_goes_to_the_next(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.sem = WEFT_SEM_INIT(0)};

        int rc = check_run(n, cancel_first_and_third, &line);

        assert_int_equal(rc, -EAGAIN); /* no permit is left over */
        assert_int_equal(line.rc[0], -ECANCELED);
        assert_int_equal(line.rc[2], -ECANCELED);
        assert_int_equal(line.order[0], 1);
        assert_int_equal(line.order[1], 3);
        assert_int_equal(line.order[2], 4);
    }
}

static int cancel_all_then_release(void *arg)
{
    struct line *line = arg;

    form_line(line);
    for (int i = 0; i < WAITERS; i++)
        (void)weft_cancel(line->future[i]);
    int rc = weft_sem_release(&line->sem);
    if (rc == 0)
        rc = weft_sem_release(&line->sem);
    if (rc == 0)
        rc = weft_gather_n(line->future, WAITERS, NULL);
    line->tried = weft_sem_try_acquire(&line->sem) == 0;
    line->tried += weft_sem_try_acquire(&line->sem) == 0;
    line->tried += weft_sem_try_acquire(&line->sem) == 0;
    return rc;
}

static void permits_that_only_cancelled_ones_waited_for_are_free(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.sem = WEFT_SEM_INIT(0)};

        int rc = check_run(n, cancel_all_then_release, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.tried, 2);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(line.rc[i], -ECANCELED);
    }
}

/* A permit is given and the waiter cancelled at the same moment, again and again. */
static int release_it(void *arg)
{
    struct line *line = arg;

    return weft_sem_release(&line->sem);
}

static int cancel_it(void *arg)
{
    struct line *line = arg;

    return weft_cancel(line->future[0]);
}

static int grant_against_cancel(void *arg)
{
    struct line *line = arg;

    for (int round = 0; round < 300; round++) {
        check_progress();
        atomic_store(&line->arrived, 0);
        line->future[0] = weft_spawn_val(take_one, ((struct place){line, 0}));
        if (round % 2 == 0)
            until_waiting(1, &line->sem.weft__waiters);

        bool cancel_first = round % 3 == 0;
        int rc =
            weft_gather(weft_spawn(cancel_first ? cancel_it : release_it, line),
                        weft_spawn(cancel_first ? release_it : cancel_it, line), line->future[0]);
        int left = weft_sem_try_acquire(&line->sem) == 0;

        if (rc < 0)
            return rc;
        if (left + atomic_load(&line->arrived) != 1)
            return -EBADMSG;
    }
    return 0;
}

static void a_permit_granted_to_a_cancelled_waiter_is_in_one_place(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.sem = WEFT_SEM_INIT(0)};

        int rc = check_run(n, grant_against_cancel, &line);

        assert_int_equal(rc, 0);
    }
}

static int acquire_when_cancelled(void *arg)
{
    (void)weft_cancel(weft_self());
    return weft_sem_acquire(arg);
}

static void a_cancelled_task_takes_no_permit_although_one_is_free(void **state)
{
    weft_sem sem = WEFT_SEM_INIT(1);

    (void)state;
    int rc = check_run(1, acquire_when_cancelled, &sem);

    assert_int_equal(rc, -ECANCELED);
    assert_int_equal(weft_sem_try_acquire(&sem), 0);
}

static int acquire(void *sem) { return weft_sem_acquire(sem); }

static int acquire_within_a_millisecond(void *sem)
{
    return weft_timeout(weft_ms(1), acquire, sem);
}

static void a_time_out_ends_the_wait_and_takes_nothing(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_sem sem = WEFT_SEM_INIT(0);

        int rc = check_run(n, acquire_within_a_millisecond, &sem);

        assert_int_equal(rc, -ETIMEDOUT);
        assert_int_equal(weft_sem_release(&sem), 0);
        assert_int_equal(weft_sem_try_acquire(&sem), 0);
    }
}

/* Tasks, jobs and plain threads all go through a gate for three. */
#define ROUNDS 200

struct gate {
    weft_sem sem;
    _Atomic int inside, most, passed;
};

static int pass_gate(void *arg)
{
    struct gate *gate = arg;

    for (int i = 0; i < ROUNDS; i++) {
        int rc = weft_sem_acquire(&gate->sem);
        if (rc < 0)
            return rc;
        int inside = atomic_fetch_add(&gate->inside, 1) + 1;
        int most = atomic_load(&gate->most);
        while (inside > most && !atomic_compare_exchange_weak(&gate->most, &most, inside)) {
        }
        let_others_run();
        atomic_fetch_sub(&gate->inside, 1);
        atomic_fetch_add(&gate->passed, 1);
        rc = weft_sem_release(&gate->sem);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void *pass_gate_in_thread(void *gate) { return pass_gate(gate) == 0 ? gate : NULL; }

static int pass_gate_in_many(void *gate)
{
    weft_future future[10];

    for (int i = 0; i < 8; i++)
        future[i] = weft_spawn(pass_gate, gate);
    for (int i = 8; i < 10; i++)
        future[i] = weft_offload(weft_cpu(), pass_gate, gate);
    return weft_gather_n(future, 10, NULL);
}

static void no_more_than_the_permits_are_inside_at_once(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct gate gate = {.sem = WEFT_SEM_INIT(3)};
        pthread_t thread[2];
        void *done[2];

        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_create(&thread[i], NULL, pass_gate_in_thread, &gate), 0);
        int rc = check_run(n, pass_gate_in_many, &gate);
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_join(thread[i], &done[i]), 0);

        assert_int_equal(rc, 0);
        assert_true(done[0] && done[1]);
        assert_int_equal(gate.passed, 12 * ROUNDS);
        assert_in_range(gate.most, 1, 3);
        for (int i = 0; i < 3; i++)
            assert_int_equal(weft_sem_try_acquire(&gate.sem), 0);
        assert_int_equal(weft_sem_try_acquire(&gate.sem), -EAGAIN);
    }
}

/* A semaphore that its only waiter frees at once, while the release may still be at work on it. */
static void *release_in_thread(void *arg)
{
    for (weft_sem **next = arg; *next; next++)
        (void)weft_sem_release(*next);
    return NULL;
}

static int acquire_and_free(void *arg)
{
    for (weft_sem **next = arg; *next; next++) {
        int rc = weft_sem_acquire(*next);
        if (rc < 0)
            return rc;
        free(*next);
    }
    return 0;
}

static void who_got_the_last_permit_may_free_the_semaphore(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_sem *sems[501] = {NULL};
        weft_sem *freed[501] = {NULL};
        pthread_t thread;

        for (int i = 0; i < 500; i++) {
            sems[i] = freed[i] = calloc(1, sizeof *sems[i]);
            assert_non_null(sems[i]);
        }
        assert_int_equal(pthread_create(&thread, NULL, release_in_thread, sems), 0);
        int rc = check_run(n, acquire_and_free, freed);
        assert_int_equal(pthread_join(thread, NULL), 0);

        assert_int_equal(rc, 0);
    }
}

/* The same after a cancelled waiter: the next permit still looks into the line, finds nobody, and
 * goes through the count. */
static int release(void *sem) { return weft_sem_release(sem); }

static int cancel_acquire_and_free(void *arg)
{
    (void)arg;
    for (int round = 0; round < 200; round++) {
        weft_sem *sem = calloc(1, sizeof *sem);
        if (!sem)
            return -ENOMEM;
        weft_future waiter = weft_spawn(acquire, sem);
        until_waiting(1, &sem->weft__waiters);
        (void)weft_cancel(waiter);
        if (weft_await(waiter) != -ECANCELED)
            return -EBADMSG;
        weft_future releaser = weft_spawn(release, sem);
        while (weft_sem_try_acquire(sem) < 0)
            let_others_run();
        free(sem);
        int rc = weft_await(releaser);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void it_may_be_freed_although_others_were_cancelled(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, cancel_acquire_and_free, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_permits_can_be_taken_without_waiting),
        cmocka_unit_test(zeroed_memory_is_a_semaphore_without_permits),
        cmocka_unit_test(a_release_beyond_the_most_fails),
        cmocka_unit_test(permits_go_to_those_who_wait_in_the_order_of_arrival),
        cmocka_unit_test(the_turn_of_a_cancelled_waiter_goes_to_the_next),
        cmocka_unit_test(permits_that_only_cancelled_ones_waited_for_are_free),
        cmocka_unit_test(a_permit_granted_to_a_cancelled_waiter_is_in_one_place),
        cmocka_unit_test(a_cancelled_task_takes_no_permit_although_one_is_free),
        cmocka_unit_test(a_time_out_ends_the_wait_and_takes_nothing),
        cmocka_unit_test(no_more_than_the_permits_are_inside_at_once),
        cmocka_unit_test(who_got_the_last_permit_may_free_the_semaphore),
        cmocka_unit_test(it_may_be_freed_although_others_were_cancelled),
    };
    return CHECK_GROUP(tests);
}
