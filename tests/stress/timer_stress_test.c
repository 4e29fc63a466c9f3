/*
 * timer_stress_test - a million timers about every power of two, from a nanosecond to the end of the
 * clock: none fires early, none late, none twice, and all in the order of their moments.
 */
#include <stdlib.h>

#include <weft/testing.h>

#include "core/list.h"
#include "core/timer.h"
#include "stress.h"

#define TIMERS   1000000
#define SLEEPERS 3000

/* About a power of two after `start`; saturates. */
static int64_t any_moment(int64_t start, uint64_t random)
{
    int64_t span = (int64_t)((uint64_t)1 << random % 63) + (int64_t)(random >> 8 & 3) - 1;

    return deadline_after(start, span);
}

/* --- the heap ---------------------------------------------------------------------------------------- */

struct bell {
    struct timer timer;
    int64_t moment;
    int rung, expected;
};

static struct {
    struct timers timers;
    int64_t now, last;
    int early, unordered;
} tower;

static void ring(struct timer *timer)
{
    struct bell *bell = container_of(timer, struct bell, timer);

    tower.early += bell->moment > tower.now;
    tower.unordered += bell->moment < tower.last;
    tower.last = bell->moment;
    bell->rung++;
}

/* Hangs up all; one in eight is taken down again, one in eight gets another moment. */
static int hang_up(struct bell *bells, int count, uint64_t *seed)
{
    int refused = 0;

    for (int i = 0; i < count; i++) {
        uint64_t random = check_random(seed);
        struct bell *other = &bells[random % (uint64_t)(i + 1)];

        bells[i].moment = any_moment(0, random >> 8);
        bells[i].expected = 1;
        refused += weft__timer_add(&tower.timers, &bells[i].timer, bells[i].moment, ring) < 0;
        if (random >> 61 == 0) {
            weft__timer_remove(&other->timer);
            other->expected = 0;
        } else if (random >> 61 == 1 && other->expected) {
            other->moment = any_moment(0, random >> 16);
            refused += weft__timer_move(&other->timer, other->moment) < 0;
        }
    }
    return refused;
}

/* On by a nanosecond, or up to twice as far, or to the end. Returns whether as many rang as should. */
static bool jump(struct bell *const *in_order, int count, int *next, uint64_t random)
{
    int due = 0;

    int digits = 64 - __builtin_clzll((uint64_t)tower.now | 1);
    int64_t span = (int64_t)((uint64_t)1 << (random >> 16) % (uint64_t)digits);

    tower.now = deadline_after(tower.now, random % 512 ? span : INT64_MAX);
    for (; *next < count && in_order[*next]->moment <= tower.now; ++*next)
        due += in_order[*next]->expected;
    return weft__timers_fire(&tower.timers, tower.now) == due;
}

static int by_moment(const void *one, const void *other)
{
    const struct bell *a = *(struct bell *const *)one, *b = *(struct bell *const *)other;

    return (a->moment > b->moment) - (a->moment < b->moment);
}

static void each_of_a_million_timers_fires_once_in_order_and_none_early(void **state)
{
    uint64_t seed = check_seed();
    int count = stress_rounds(TIMERS), next = 0, wrong_count = 0, wrong = 0;
    struct bell *bells = calloc((size_t)count, sizeof *bells);
    struct bell **in_order = calloc((size_t)count, sizeof *in_order);

    (void)state;
    assert_non_null(bells);
    assert_non_null(in_order);
    memset(&tower, 0, sizeof tower);
    weft__timers_init(&tower.timers);
    int refused = hang_up(bells, count, &seed);
    for (int i = 0; i < count; i++)
        in_order[i] = &bells[i];
    qsort((void *)in_order, (size_t)count, sizeof *in_order, by_moment);
    while (next < count) {
        wrong_count += !jump(in_order, count, &next, check_random(&seed));
        check_progress();
    }
    for (int i = 0; i < count; i++)
        wrong += bells[i].rung != bells[i].expected;
    weft__timers_destroy(&tower.timers);
    free((void *)in_order);
    free(bells);

    assert_int_equal(refused, 0);
    assert_int_equal(wrong_count, 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(tower.early, 0);
    assert_int_equal(tower.unordered, 0);
}

/* --- sleepers in virtual time ----------------------------------------------------------------------- */

struct night {
    weft_time start;
    uint64_t seed;
    _Atomic int64_t last;
    _Atomic int woken, cancelled, wrong;
};

struct sleeper {
    struct night *night;
    weft_time moment;
};

/* Time stands still while anybody is awake, so all who wake at a moment see just that one. */
static int sleeps_until_its_moment(void *arg)
{
    struct sleeper *sleeper = arg;
    struct night *night = sleeper->night;
    int rc = weft_sleep_until(sleeper->moment); /* suspends: worker, errno stale */

    if (rc < 0) {
        atomic_fetch_add(&night->cancelled, 1);
        return 0;
    }
    bool is_ordered = atomic_exchange(&night->last, sleeper->moment) <= sleeper->moment;
    atomic_fetch_add(&night->woken, 1);
    atomic_fetch_add(&night->wrong, !is_ordered || weft_now() != sleeper->moment);
    return 0;
}

static int a_night_passes(void *arg)
{
    static weft_future futures[SLEEPERS + 1];
    struct night *night = arg;
    struct sleeper longest = {night, WEFT_FOREVER - 1};

    night->start = weft_now();
    for (int i = 0; i < SLEEPERS; i++) {
        uint64_t random = check_random(&night->seed);
        struct sleeper sleeper = {night, any_moment(night->start, random)};

        if (sleeper.moment <= night->start || sleeper.moment == WEFT_FOREVER)
            sleeper.moment = WEFT_FOREVER - 1;
        futures[i] = weft_spawn_val(sleeps_until_its_moment, sleeper);
        if (random >> 61 == 0)
            (void)weft_cancel(futures[check_random(&night->seed) % (uint64_t)(i + 1)]);
    }
    futures[SLEEPERS] = weft_spawn_val(sleeps_until_its_moment, longest); /* nobody cancels it */
    return weft_gather_n(futures, SLEEPERS + 1, NULL);
}

static void sleepers_wake_in_order_at_their_moments_to_the_end_of_the_clock(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n)
        for (int i = stress_rounds(20); i > 0; i--) {
            struct night night = {.seed = check_random(&seed)};

            assert_int_equal(weft_test_clock(0), 0);
            int rc = check_run(n, a_night_passes, &night);

            assert_int_equal(rc, 0);
            assert_int_equal(night.woken + night.cancelled, SLEEPERS + 1);
            assert_int_equal(night.wrong, 0);
            assert_true(night.last == WEFT_FOREVER - 1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_of_a_million_timers_fires_once_in_order_and_none_early),
        cmocka_unit_test(sleepers_wake_in_order_at_their_moments_to_the_end_of_the_clock),
    };

    return CHECK_GROUP(tests);
}
