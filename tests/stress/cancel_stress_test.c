/*
 * cancel_stress_test - cancel against completion, whatever a task waits for: each task that was
 * accepted ended once, finished or cancelled; no permit, item or wake is lost.
 */
#include "stress.h"

#define TASKS    32
#define PERMITS  3
#define CANCELER 2 /* plain threads that cancel, too */

struct storm {
    weft_sem sem;
    weft_event event;
    weft_queue queue;
    _Atomic int accepted, finished, cancelled, other;
    _Atomic int inside, too_many;
    _Atomic long sent, received;
    _Atomic uint64_t board[TASKS]; /* handles of the victims, for the threads */
    _Atomic bool over;
    uint64_t seed;
    int rounds;
};

struct victim {
    struct storm *storm;
    uint64_t seed;
    int way;
};

static int child(void *arg)
{
    struct victim *victim = arg;

    return weft_sleep(weft_us((int64_t)(victim->seed % 60)));
}

static int through_the_gate(struct storm *storm)
{
    int rc = weft_sem_acquire(&storm->sem); /* suspends: worker, errno stale */

    if (rc < 0)
        return rc;
    if (atomic_fetch_add(&storm->inside, 1) >= PERMITS)
        atomic_fetch_add(&storm->too_many, 1);
    rc = weft_sleep(weft_us(5));
    atomic_fetch_sub(&storm->inside, 1);
    (void)weft_sem_release(&storm->sem); /* it was taken just above */
    return rc;
}

static int sends_one(struct storm *storm)
{
    int rc = weft_queue_put(&storm->queue, storm); /* suspends: worker, errno stale */

    if (rc == 0)
        atomic_fetch_add(&storm->sent, 1);
    return rc;
}

static int receives_one(struct storm *storm)
{
    void *item = NULL;
    int rc = weft_queue_get(&storm->queue, &item); /* suspends: worker, errno stale */

    if (rc == 1)
        atomic_fetch_add(&storm->received, 1);
    if (rc == 1 && item != storm)
        atomic_fetch_add(&storm->other, 1);
    return rc;
}

static int waits_somehow(struct victim *victim)
{
    struct storm *storm = victim->storm;

    switch (victim->way) {
    case 0: return weft_sleep(weft_us((int64_t)(victim->seed % 80)));
    case 1: return weft_await(weft_spawn(child, victim));
    case 2: return through_the_gate(storm);
    case 3: return sends_one(storm);
    case 4: return receives_one(storm);
    case 5: return weft_event_wait(&storm->event);
    case 6: return weft_timeout(weft_us((int64_t)(victim->seed % 40)), child, victim);
    case 7: return weft_gather(weft_spawn(child, victim), weft_spawn(child, victim));
    default: return weft_yield();
    }
}

static int suffers(void *arg)
{
    struct victim *victim = arg;
    struct storm *storm = victim->storm;
    int rc = waits_somehow(victim); /* suspends: worker, errno stale */

    if (rc >= 0 || rc == -ETIMEDOUT)
        atomic_fetch_add(&storm->finished, 1);
    else if (rc == -ECANCELED)
        atomic_fetch_add(&storm->cancelled, 1);
    else
        atomic_fetch_add(&storm->other, 1);
    return rc;
}

static uint64_t packed(weft_future future)
{
    return (uint64_t)future.slot << 32 | future.generation;
}

static void cancel_any(struct storm *storm, uint64_t random)
{
    uint64_t handle = atomic_load(&storm->board[random % TASKS]);

    if (handle) /* it may have ended long ago: then this is -ESTALE, and harmless */
        (void)weft_cancel((weft_future){(uint32_t)(handle >> 32), (uint32_t)handle});
}

static void *cancels_from_outside(void *arg)
{
    struct storm *storm = arg;
    uint64_t seed = (uintptr_t)&seed;

    while (!atomic_load(&storm->over)) {
        cancel_any(storm, check_random(&seed));
        (void)sched_yield(); /* always 0 on Linux */
    }
    return NULL;
}

/* Every so often everybody is let go on: what waits for the event or the queue cannot be alone. */
static void help(struct storm *storm)
{
    void *item;

    weft_event_set(&storm->event);
    weft_event_clear(&storm->event);
    if (weft_queue_try_put(&storm->queue, storm) == 0)
        atomic_fetch_add(&storm->sent, 1);
    else if (weft_queue_try_get(&storm->queue, &item) == 1)
        atomic_fetch_add(&storm->received, 1);
}

static int one_victim_after_the_other(void *arg)
{
    struct victim *self = arg;
    struct storm *storm = self->storm;

    for (int round = 0; round < storm->rounds; round++) {
        uint64_t random = check_random(&self->seed);
        struct victim victim = {storm, random >> 8, (int)(random % 9)};
        weft_future future = weft_spawn(suffers, &victim);

        atomic_fetch_add(&storm->accepted, 1);
        atomic_store(&storm->board[self->way], packed(future));
        for (uint64_t i = random >> 32 & 3; i > 0; i--)
            stress_pause();
        if (random >> 40 & 1)
            (void)weft_cancel(future);
        cancel_any(storm, random >> 48);
        help(storm);
        if (victim.way >= 3 && victim.way <= 5) /* nobody may be there to wake it */
            (void)weft_cancel(future);
        (void)!weft_await(future); /* its end is in the ledger */
        check_progress();
    }
    return 0;
}

static int storms(void *arg)
{
    struct storm *storm = arg;
    struct victim drivers[TASKS];
    weft_future futures[TASKS];
    pthread_t threads[CANCELER];

    for (int i = 0; i < CANCELER; i++)
        if (pthread_create(&threads[i], NULL, cancels_from_outside, storm) != 0)
            return -EAGAIN;
    for (int i = 0; i < TASKS; i++) {
        drivers[i] = (struct victim){storm, check_random(&storm->seed), i};
        futures[i] = weft_spawn(one_victim_after_the_other, &drivers[i]);
    }
    int rc = weft_gather_n(futures, TASKS, NULL); /* suspends: worker, errno stale */
    atomic_store(&storm->over, true);
    for (int i = 0; i < CANCELER; i++)
        (void)pthread_join(threads[i], NULL); /* fails only for a wrong thread */
    return rc;
}

static int permits_left(weft_sem *sem)
{
    int left = 0;

    while (weft_sem_try_acquire(sem) == 0)
        left++;
    return left;
}

static void whatever_a_task_waits_for_it_ends_once_and_nothing_is_lost(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        struct storm storm = {.sem = WEFT_SEM_INIT(PERMITS),
                              .event = WEFT_EVENT_INIT,
                              .seed = seed,
                              .rounds = stress_rounds(1500)};
        void *item;
        long left = 0;

        assert_int_equal(weft_queue_init(&storm.queue, 4), 0);
        int rc = check_run(n, storms, &storm);
        while (weft_queue_try_get(&storm.queue, &item) == 1)
            left++;
        weft_queue_destroy(&storm.queue);

        print_message("%d workers: %d finished, %d cancelled\n", n, storm.finished,
                      storm.cancelled);
        assert_int_equal(rc, 0);
        assert_int_equal(storm.other, 0);
        assert_int_equal(storm.too_many, 0);
        assert_int_equal(storm.accepted, TASKS * storm.rounds);
        assert_int_equal(storm.accepted, storm.finished + storm.cancelled);
        assert_int_equal(storm.sent, storm.received + left);
        assert_int_equal(permits_left(&storm.sem), PERMITS);
    }
}

/* --- a cancel in the very moment in which a wait begins ------------------------------------------ */

struct moment {
    _Atomic uint64_t victim; /* handle of who is about to wait; 0: nobody */
    _Atomic bool over;
    weft_sem never;
    weft_event event;
    uint64_t seed;
    int rounds, wrong;
};

/* Spins, so as to be there within nanoseconds; then waits a random little while. */
static void *cancels_at_once(void *arg)
{
    struct moment *moment = arg;
    uint64_t seed = (uintptr_t)&seed;

    for (int idle = 0; !atomic_load(&moment->over);) {
        uint64_t handle = atomic_exchange(&moment->victim, 0);

        if (handle) {
            for (volatile uint64_t i = check_random(&seed) % 256; i > 0;)
                i = i - 1;
            (void)weft_cancel((weft_future){(uint32_t)(handle >> 32), (uint32_t)handle});
            idle = 0;
        } else if (++idle > 5000) {
            (void)sched_yield(); /* always 0 on Linux */
        }
    }
    return NULL;
}

static int waits_for_its_cancel(void *arg)
{
    struct moment *moment = arg;

    atomic_store(&moment->victim, packed(weft_self()));
    switch (check_random(&moment->seed) % 4) {
    case 0: return weft_sleep(WEFT_FOREVER);
    case 1: return weft_sem_acquire(&moment->never);
    case 2: return weft_event_wait(&moment->event);
    default: return weft_await(weft_spawn(waits_for_its_cancel, moment));
    }
}

static int one_moment_after_the_other(void *arg)
{
    struct moment *moment = arg;
    pthread_t thread;

    if (pthread_create(&thread, NULL, cancels_at_once, moment) != 0)
        return -EAGAIN;
    for (int i = 0; i < moment->rounds; i++) {
        weft_future future = weft_spawn(waits_for_its_cancel, moment);

        moment->wrong += weft_await(future) != -ECANCELED; /* a lost one hangs here */
        if (i % 256 == 0)
            check_progress();
    }
    atomic_store(&moment->over, true);
    (void)pthread_join(thread, NULL); /* fails only for a wrong thread */
    return 0;
}

static void a_cancel_that_comes_as_a_wait_begins_is_not_lost(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    for (int workers = 1; workers <= 2; workers++) {
        struct moment moment = {.seed = seed,
                                .never = WEFT_SEM_INIT(0),
                                .event = WEFT_EVENT_INIT,
                                .rounds = stress_rounds(60000)};

        int rc = check_run(workers, one_moment_after_the_other, &moment);

        assert_int_equal(rc, 0);
        assert_int_equal(moment.wrong, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_a_task_waits_for_it_ends_once_and_nothing_is_lost),
        cmocka_unit_test(a_cancel_that_comes_as_a_wait_begins_is_not_lost),
    };

    return CHECK_GROUP(tests);
}
