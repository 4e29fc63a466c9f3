/*
 * deque_stress_test - one owner and three thieves: each number that went in comes out once, and each
 * thief sees them in rising order.
 */
#include "core/deque.h"
#include "core/tuning.h"
#include "stress.h"

#define THIEVES 3

struct race {
    struct deque deque;
    uint32_t count; /* numbers 1 to count go in */
    _Atomic uint8_t *seen;
    _Atomic uint32_t taken;
    _Atomic uint32_t unordered, refused;
    _Atomic bool over;
};

static void take(struct race *race, struct task *task, uintptr_t *last)
{
    uintptr_t number = (uintptr_t)task;

    if (number <= *last)
        atomic_fetch_add(&race->unordered, 1);
    *last = number;
    atomic_fetch_add(&race->seen[number], 1);
    atomic_fetch_add(&race->taken, 1);
}

static void *steals(void *arg)
{
    struct race *race = arg;
    struct task *tasks[TUNE_STEAL_MOST];
    uintptr_t last = 0;

    for (uint32_t idle = 0; !atomic_load(&race->over);) {
        size_t count = weft__deque_steal(&race->deque, tasks, TUNE_STEAL_MOST);

        for (size_t i = 0; i < count; i++)
            take(race, tasks[i], &last);
        idle = count ? 0 : idle + 1;
        if (idle > 200)
            (void)sched_yield(); /* always 0 on Linux */
    }
    return NULL;
}

/* Mostly there are only a few in it, so that owner and thieves reach for the same one; now and then a
 * burst makes it grow. */
static void owns(struct race *race, uint64_t seed)
{
    uintptr_t next = 1, last = 0;

    while (next <= race->count) {
        uint64_t random = check_random(&seed);
        uint32_t pushes = (uint32_t)(random % (random >> 32 & 1023 ? 4 : 3000));
        uint32_t pops = (uint32_t)(random >> 16) % 4;

        for (; pushes > 0 && next <= race->count; pushes--)
            if (!weft__deque_push(&race->deque, (struct task *)next++))
                atomic_fetch_add(&race->refused, 1);
        for (struct task *task; pops > 0 && (task = weft__deque_pop(&race->deque)); pops--)
            take(race, task, &last);
        if ((random >> 40 & 4095) == 0) {
            (void)sched_yield(); /* on one core the thieves want their turn */
            check_progress();
        }
    }
    for (struct task *task; (task = weft__deque_pop(&race->deque));)
        take(race, task, &last);
}

static void one_lap(uint64_t seed)
{
    struct race race = {.count = 4000000};
    pthread_t thieves[THIEVES];
    uint32_t missing = 0, twice = 0;

    race.seen = calloc(race.count + 1, 1);
    assert_non_null(race.seen);
    assert_int_equal(weft__deque_init(&race.deque), 0);
    for (int i = 0; i < THIEVES; i++)
        assert_int_equal(pthread_create(&thieves[i], NULL, steals, &race), 0);
    owns(&race, seed);
    while (atomic_load(&race.taken) < race.count && atomic_load(&race.refused) == 0)
        (void)sched_yield(); /* thieves count what they hold; the watchdog looks for the rest */
    atomic_store(&race.over, true);
    for (int i = 0; i < THIEVES; i++)
        assert_int_equal(pthread_join(thieves[i], NULL), 0);
    for (uint32_t i = 1; i <= race.count; i++) {
        missing += race.seen[i] == 0;
        twice += race.seen[i] > 1;
    }
    weft__deque_destroy(&race.deque);
    free((void *)race.seen);

    assert_int_equal(race.refused, 0);
    assert_int_equal(missing, 0);
    assert_int_equal(twice, 0);
    assert_int_equal(race.unordered, 0);
}

static void each_number_comes_out_once_and_in_order(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    for (int lap = stress_rounds(19); lap > 0; lap--)
        one_lap(check_random(&seed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_comes_out_once_and_in_order),
    };

    return CHECK_GROUP(tests);
}
