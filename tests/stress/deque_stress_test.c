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
    _Atomic uint32_t stolen, unordered, refused;
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

    while (!atomic_load(&race->over)) {
        size_t count = weft__deque_steal(&race->deque, tasks, TUNE_STEAL_MOST);

        for (size_t i = 0; i < count; i++)
            take(race, tasks[i], &last);
        atomic_fetch_add(&race->stolen, (uint32_t)count);
        if (count == 0)
            (void)sched_yield(); /* always 0 on Linux */
    }
    return NULL;
}

static void owns(struct race *race, uint64_t seed)
{
    uintptr_t next = 1, last = 0;

    while (next <= race->count) {
        uint64_t random = check_random(&seed);
        /* Long bursts make it grow; short ones leave it all but empty. */
        uint32_t pushes = (uint32_t)(random % (random >> 32 & 63 ? 8 : 3000));
        uint32_t pops = (uint32_t)(random >> 16) % 4;

        for (; pushes > 0 && next <= race->count; pushes--)
            if (!weft__deque_push(&race->deque, (struct task *)next++))
                atomic_fetch_add(&race->refused, 1);
        for (struct task *task; pops > 0 && (task = weft__deque_pop(&race->deque)); pops--)
            take(race, task, &last);
        if ((random >> 40 & 255) == 0)
            (void)sched_yield(); /* on one core the thieves want their turn */
        check_progress();
    }
    for (struct task *task; (task = weft__deque_pop(&race->deque));)
        take(race, task, &last);
}

static void each_number_comes_out_once_and_in_order(void **state)
{
    struct race race = {.count = (uint32_t)stress_rounds(4000000)};
    pthread_t thieves[THIEVES];
    uint32_t missing = 0, twice = 0;
    uint64_t seed = check_seed();

    (void)state;
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

    print_message("%u of %u were stolen\n", race.stolen, race.count);
    assert_int_equal(race.refused, 0);
    assert_int_equal(missing, 0);
    assert_int_equal(twice, 0);
    assert_int_equal(race.unordered, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_number_comes_out_once_and_in_order),
    };

    return CHECK_GROUP(tests);
}
