/*
 * futures_cancel_test - whoever consumes futures or keeps a pace, cancelled at each of its points.
 */
#include <weft/testing.h>

#include "tasks.h"

#define FEW 4

/* Waits a little, each a little longer; one fails. */
static int ends_in_turn(void *arg)
{
    int turn = *(int *)arg;

    for (int i = 0; i <= turn; i++) {
        int rc = weft_yield(); /* suspends: worker, errno stale */

        if (rc < 0)
            return rc;
    }
    return turn == 1 ? -EIO : turn;
}

static void spawns_a_few(weft_future *ret_futures)
{
    for (int i = 0; i < FEW; i++)
        ret_futures[i] = weft_spawn_val(ends_in_turn, i);
}

static int races(void *arg)
{
    weft_future futures[FEW];
    size_t winner = FEW;

    (void)arg;
    spawns_a_few(futures);
    int rc = weft_race_n(futures, FEW, &winner);
    return rc == (int)winner && winner != 1 ? 0 : rc < 0 ? rc : -EPROTO;
}

static int settles(void *arg)
{
    weft_future futures[FEW];
    int statuses[FEW];

    (void)arg;
    spawns_a_few(futures);
    int rc = weft_gather_settled_n(futures, FEW, statuses);
    return rc < 0 ? rc : statuses[1] == -EIO && statuses[3] == 3 ? 0 : -EPROTO;
}

static int goes_through(void *arg)
{
    int most = *(int *)arg;
    weft_future futures[FEW];
    weft_completed all;
    int told = 0;

    spawns_a_few(futures);
    int rc = weft_completed_init(&all, futures, FEW);
    while (rc >= 0 && told < most && (rc = weft_completed_next(&all, NULL, NULL)) > 0)
        told++;
    (void)weft_completed_end(&all); /* 0: it is this task's */
    return rc < 0 ? rc : told == most ? 0 : -EPROTO;
}

static int ticks(void *arg)
{
    weft_interval interval;
    int rc = weft_interval_init(&interval, weft_us(50), WEFT_MISSED_SKIP);

    (void)arg;
    for (int i = 0; i < 3 && rc >= 0; i++)
        rc = weft_interval_tick(&interval);
    return rc < 0 ? rc : 0;
}

static void nothing_is_left_behind_wherever_the_cancel_comes(void **state)
{
    static int two = 2, all = FEW;
    static const struct {
        weft_fn fn;
        void *arg;
    } table[] = {
        {races, NULL}, {settles, NULL}, {goes_through, &two}, {goes_through, &all}, {ticks, NULL}};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        int points = weft_test_cancel_everywhere(table[i].fn, table[i].arg);

        if (points < 0)
            print_error("program %zu: %s\n", i, weft_why());
        assert_true(points >= 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_left_behind_wherever_the_cancel_comes),
    };

    return CHECK_GROUP(tests);
}
