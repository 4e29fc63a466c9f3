/*
 * sleep_test - time: never early, in the order of deadlines, and odd amounts of it.
 */
#include <pthread.h>

#include "tasks.h"

struct seen {
    int rc, second, third;
    _Atomic int early, late, count;
    _Atomic int order[16];
    weft_future future;
};

struct nap {
    struct seen *seen;
    weft_time length;
    int place;
};

static int checks_its_sleep(void *arg)
{
    struct nap *nap = arg;
    weft_time start = weft_now();

    if (weft_sleep(nap->length) < 0)
        return -EPROTO;
    if (weft_now() - start < nap->length)
        atomic_fetch_add(&nap->seen->early, 1);
    atomic_fetch_add(&nap->seen->count, 1);
    return 0;
}

static int sleeps_a_thousand_ways(void *arg)
{
    struct seen *seen = arg;
    static weft_future futures[1000];
    uint64_t seed = check_seed();

    for (int i = 0; i < 1000; i++) {
        weft_time length = (weft_time)(check_random(&seed) % 20000000); /* up to 20 ms */
        futures[i] = weft_spawn_val(checks_its_sleep, ((struct nap){seen, length, i}));
    }
    seen->rc = weft_gather_n(futures, 1000, NULL);
    return 0;
}

static void no_sleep_ends_early(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, sleeps_a_thousand_ways, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.early, 0);
        assert_int_equal(seen.count, 1000);
    }
}

static int sleeps_until_its_place(void *arg)
{
    struct nap *nap = arg;

    nap->seen->late += weft_now() >= nap->length; /* then it does not sleep */
    if (weft_sleep_until(nap->length) < 0)
        return -EPROTO;
    nap->seen->order[atomic_fetch_add(&nap->seen->count, 1)] = nap->place;
    return 0;
}

/* The first moment comes after `lead`. */
static void sleep_in_turn(struct seen *seen, weft_time lead)
{
    static const int places[16] = {7, 3, 15, 0, 12, 5, 9, 1, 14, 2, 8, 6, 13, 4, 11, 10};
    weft_future futures[16];
    weft_time start = weft_now() + lead;

    for (int i = 0; i < 16; i++) {
        weft_time moment = start + weft_us(places[i] * 200);
        futures[i] =
            weft_spawn_val(sleeps_until_its_place, ((struct nap){seen, moment, places[i]}));
    }
    seen->rc = weft_gather_n(futures, 16, NULL);
}

/* Until all have fallen asleep in time: the machine may keep the worker from its processor. */
static int sleeps_in_turn(void *arg)
{
    struct seen *seen = arg;
    weft_time lead = weft_ms(15);

    do {
        *seen = (struct seen){.rc = -1};
        sleep_in_turn(seen, lead *= 2);
    } while (seen->late > 0);
    return 0;
}

static void sleepers_of_one_worker_wake_in_the_order_of_their_moments(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = check_run(1, sleeps_in_turn, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    for (int i = 0; i < 16; i++)
        assert_int_equal(seen.order[i], i);
}

static int sleeps_no_time(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_sleep(0);
    seen->second = weft_sleep(-1);
    seen->third = weft_sleep(INT64_MIN);
    return weft_sleep_until(INT64_MIN) + weft_sleep_until(0) + weft_sleep_until(weft_now());
}

static void zero_and_negative_sleeps_yield(void **state)
{
    struct seen seen = {.rc = -1, .second = -1, .third = -1};

    (void)state;
    int rc = check_run(1, sleeps_no_time, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, 0);
    assert_int_equal(seen.third, 0);
}

static int sleeps_for_ever(void *arg) { return weft_sleep(*(weft_time *)arg); }

static int sleeps_until_for_ever(void *arg)
{
    (void)arg;
    return weft_sleep_until(INT64_MAX);
}

static int sleeps_too_long(void *arg)
{
    struct seen *seen = arg;
    weft_time lengths[3] = {INT64_MAX, INT64_MAX - 1, INT64_MAX / 2};
    weft_future futures[4];
    int rounds = 200;

    for (int i = 0; i < 3; i++)
        futures[i] = weft_spawn(sleeps_for_ever, &lengths[i]);
    futures[3] = weft_spawn(sleeps_until_for_ever, NULL);
    seen->rc = weft_await(weft_spawn(yields, &rounds));
    seen->second = weft_sleep(weft_ms(3)); /* the far timers leave the near one alone */
    for (int i = 0; i < 4; i++) {
        (void)weft_cancel(futures[i]);
        seen->third += weft_await(futures[i]) == -ECANCELED;
    }
    return 0;
}

static void the_longest_sleeps_never_end_by_themselves(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, sleeps_too_long, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.third, 4);
    }
}

/* Sleeps so shortly that a cancel comes about when the timer fires. */
static int naps(void *arg)
{
    struct seen *seen = arg;

    switch (weft_sleep(weft_us(20))) {
    case 0: atomic_fetch_add(&seen->count, 1); return 0;
    case -ECANCELED: atomic_fetch_add(&seen->early, 1); return -ECANCELED;
    default: return -EPROTO;
    }
}

static int cancels_about_when_it_fires(void *arg)
{
    struct seen *seen = arg;
    uint64_t seed = check_seed();

    for (int round = 0; round < 2000; round++) {
        weft_future nap = weft_spawn(naps, seen);
        weft_time until = weft_now() + (weft_time)(check_random(&seed) % 60000);

        while (weft_now() < until)
            if (weft_yield() < 0)
                return -EPROTO;
        (void)weft_cancel(nap);
        int rc = weft_await(nap);
        if (rc != 0 && rc != -ECANCELED)
            return -EPROTO;
    }
    return 0;
}

static void cancel_against_timer_has_one_winner(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, cancels_about_when_it_fires, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.count + seen.early, 2000);
    }
}

static int keeps_a_pace(void *arg)
{
    struct seen *seen = arg;
    weft_time moment = weft_now();

    for (int i = 0; i < 20; i++) {
        moment += weft_ms(1);
        if (weft_sleep_until(moment) < 0)
            return -EPROTO;
        seen->rc += weft_now() < moment;
    }
    return 0;
}

static void sleep_until_keeps_a_pace_and_is_never_early(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = 0};

        int rc = check_run(n, keeps_a_pace, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
    }
}

static void spans_saturate(void **state)
{
    (void)state;
    assert_true(weft_s(1e300) == INT64_MAX);
    assert_true(weft_s(-1e300) == -INT64_MAX);
    assert_true(weft_ms(INT64_MAX) == INT64_MAX);
    assert_true(weft_ms(INT64_MIN) == -INT64_MAX);
    assert_true(weft_us(INT64_MAX) == INT64_MAX);
    assert_true(weft_us(INT64_MIN) == -INT64_MAX);
    assert_true(weft_ms(-3) == -3000000);
    assert_true(weft_s(0.5) == 500000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_sleep_ends_early),
        cmocka_unit_test(sleepers_of_one_worker_wake_in_the_order_of_their_moments),
        cmocka_unit_test(zero_and_negative_sleeps_yield),
        cmocka_unit_test(the_longest_sleeps_never_end_by_themselves),
        cmocka_unit_test(cancel_against_timer_has_one_winner),
        cmocka_unit_test(sleep_until_keeps_a_pace_and_is_never_early),
        cmocka_unit_test(spans_saturate),
    };

    return CHECK_GROUP(tests);
}
