/*
 * select_test - of several things that can be done at once one is, by chance, and the others are not.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/sys.h"

static weft_time far_away(void) { return weft_now() + weft_s(3600); }

/* --- what can be done at once -------------------------------------------------------------------- */

static void the_arm_that_can_be_done_is_done_and_the_others_are_not(void **state)
{
    int room[1], full_room[1], got = 0, other = 77, rc = 77;
    weft_channel ready = WEFT_CHANNEL_INIT(room), full = WEFT_CHANNEL_INIT(full_room);
    weft_channel empty = WEFT_CHANNEL_INIT_UNBOUNDED(int);
    weft_channel nobody = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    weft_event event = WEFT_EVENT_INIT;

    (void)state;
    assert_int_equal(weft_send(&full, &(int){5}), 0);
    for (int round = 0; round < 50; round++) {
        assert_int_equal(weft_send(&ready, &round), 0);

        int index = weft_select(&rc, weft_on_receive(&empty, &other), weft_on_send(&full, &other),
                                weft_on_receive(&ready, &got), weft_on_send(&nobody, &other),
                                weft_on_receive(&nobody, &other), weft_on_event(&event),
                                weft_on_time(far_away()));

        assert_int_equal(index, 2);
        assert_int_equal(rc, 1);
        assert_int_equal(got, round);
        assert_int_equal(other, 77);
    }
    assert_int_equal(weft_channel_count(&full), 1);
    assert_int_equal(weft_channel_count(&ready) + weft_channel_count(&empty), 0);
}

static void each_kind_of_arm_tells_how_it_went(void **state)
{
    int room[1], got = 0, item = 4;
    weft_channel bounded = WEFT_CHANNEL_INIT(room);
    weft_event event = WEFT_EVENT_INIT;

    (void)state;
    weft_event_set(&event);
    weft_arm arms[] = {weft_on_send(&bounded, &item), weft_on_receive(&bounded, &got),
                       weft_on_event(&event), weft_on_time(weft_now()), weft_on_time(-1)};

    for (size_t i = 0; i < 5; i++) {
        arms[i].result = -77;
        assert_int_equal(weft_select_n(&arms[i], 1), 0);
        assert_int_equal(arms[i].result, i == 1 ? 1 : 0);
    }
    assert_int_equal(got, 4);
}

static void a_closed_channel_is_always_ready(void **state)
{
    int got = 77, rc = 77;

    (void)state;
    for (int stop = 0; stop < 2; stop++) {
        weft_channel channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int);

        if (stop)
            weft_channel_stop(&channel, NULL);
        else
            weft_channel_close(&channel);

        assert_int_equal(weft_select(&rc, weft_on_receive(&channel, &got)), 0);
        assert_int_equal(rc, 0);
        assert_int_equal(weft_select(&rc, weft_on_send(&channel, &got)), 0);
        assert_int_equal(rc, -EPIPE);
        assert_int_equal(weft_try_select(&rc, weft_on_receive(&channel, &got)), 0);
        assert_int_equal(got, 77);
    }
}

static void arms_that_are_switched_off_are_never_ready(void **state)
{
    weft_arm arms[] = {weft_on_send(NULL, NULL), weft_on_receive(NULL, NULL), weft_on_event(NULL),
                       weft_on_time(WEFT_FOREVER), weft_on_time(0)};

    (void)state;
    assert_int_equal(weft_try_select_n(arms, 4), -EAGAIN);
    assert_int_equal(weft_select_n(arms, 5), 4);
}

static void a_select_has_arms_but_not_too_many(void **state)
{
    weft_arm *arms = calloc(WEFT_ARMS_MOST + 1, sizeof *arms);

    (void)state;
    assert_non_null(arms);
    arms[WEFT_ARMS_MOST - 1] = weft_on_time(0);
    assert_int_equal(weft_select_n(arms, 0), -EINVAL);
    assert_int_equal(weft_try_select_n(arms, 0), -EINVAL);
    assert_int_equal(weft_select_n(arms, WEFT_ARMS_MOST + 1), -EINVAL);
    assert_non_null(strstr(weft_why(), "65536 arms"));
    assert_int_equal(weft_select_n(arms, WEFT_ARMS_MOST), WEFT_ARMS_MOST - 1);
    assert_int_equal(weft_select_biased_n(arms, WEFT_ARMS_MOST), WEFT_ARMS_MOST - 1);
    free(arms);
}

static int no_memory(const char *call) { return strcmp(call, "alloc") == 0 ? -ENOMEM : 0; }

static void without_memory_an_unbounded_send_is_done_and_has_failed(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_UNBOUNDED(int);
    int rc = 77;

    (void)state;
    weft__sys_fault = no_memory;
    int index = weft_select(&rc, weft_on_send(&channel, &(int){1}), weft_on_time(far_away()));
    weft__sys_fault = NULL;
    assert_int_equal(index, 0);
    assert_int_equal(rc, -ENOMEM);
    assert_int_equal(weft_channel_count(&channel), 0);
}

/* --- chance and bias ------------------------------------------------------------------------------ */

#define DRAWS 100000
#define READY 6

struct draws {
    int rc;
    int wrong;
    int count[2 * READY];
};

/* Six ready arms of every kind, each followed by one that is not ready: were the order only turned
 * around by chance, those after a gap would win too often. */
static int draw(void *arg)
{
    struct draws *draws = arg;
    weft_channel closed = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    weft_channel sink = WEFT_CHANNEL_INIT_UNBOUNDED(int), source = WEFT_CHANNEL_INIT_UNBOUNDED(int);
    weft_event event = WEFT_EVENT_INIT;
    weft_promise promise;
    weft_future future = weft_promise_new(&promise);
    int got = 0;

    (void)weft_promise_set(promise, 5);
    weft_event_set(&event);
    weft_channel_close(&closed);
    weft_arm arms[2 * READY] = {
        weft_on_send(&sink, &got),
        weft_on_time(WEFT_FOREVER),
        weft_on_receive(&source, &got),
        weft_on_receive(NULL, &got),
        weft_on_future(future, NULL),
        weft_on_receive(&closed, &got),
        weft_on_event(&event),
        weft_on_time(0),
        weft_on_event(NULL),
        weft_on_send(NULL, &got),
        weft_on_time(far_away()),
        weft_on_event(NULL),
    };
    for (int i = 0; i < DRAWS && draws->rc == 0; i++) {
        draws->rc = weft_try_send(&source, &i);
        int index = weft_select_n(arms, 2 * READY);
        draws->count[index < 0 ? 0 : index]++;
        draws->wrong += index < 0;
        if (index == 0)
            draws->rc = weft_try_receive(&sink, &got) < 0;
        if (index != 2)
            draws->rc |= weft_try_receive(&source, &got) < 0;
    }
    weft_channel_destroy(&sink);
    weft_channel_destroy(&source);
    return weft_await(future);
}

/* Each of the ready ones within so many standard deviations. */
static void assert_even(const struct draws *draws, double sigmas)
{
    static const int ready[READY] = {0, 2, 4, 5, 6, 7};
    double p = 1.0 / READY, mean = DRAWS * p, sigma = sqrt(DRAWS * p * (1 - p));
    int sum = 0;

    for (int i = 0; i < READY; i++) {
        sum += draws->count[ready[i]];
        if (fabs(draws->count[ready[i]] - mean) > sigmas * sigma)
            fail_msg("arm %d: %d times of %d", ready[i], draws->count[ready[i]], DRAWS);
    }
    assert_int_equal(sum, DRAWS);
}

static void of_several_ready_arms_each_has_the_same_chance(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct draws draws = {.rc = 0};

        int rc = check_run(n, draw, &draws);

        assert_int_equal(rc, 5);
        assert_int_equal(draws.rc, 0);
        assert_int_equal(draws.wrong, 0);
        assert_even(&draws, n == 1 ? 3 : 6); /* one worker draws the same numbers every time */
    }
}

static void a_biased_select_does_the_first_that_can_be_done(void **state)
{
    weft_channel closed = WEFT_CHANNEL_INIT_RENDEZVOUS(int), open = closed;
    weft_event event = WEFT_EVENT_INIT;
    int got, wrong = 0;

    (void)state;
    weft_event_set(&event);
    weft_channel_close(&closed);
    for (int i = 0; i < 1000; i++)
        wrong += weft_select_biased(NULL, weft_on_receive(&open, &got), weft_on_event(&event),
                                    weft_on_receive(&closed, &got), weft_on_time(0)) != 1;
    assert_int_equal(wrong, 0);
}

/* --- the default case ------------------------------------------------------------------------------ */

struct glance {
    weft_channel channel;
    weft_event event;
    int ran, ran_before, rc;
};

static int note_a_run(void *arg)
{
    struct glance *glance = arg;

    glance->ran++;
    return 0;
}

static int look_without_waiting(void *arg)
{
    struct glance *glance = arg;
    weft_promise promise;
    weft_future open = weft_promise_new(&promise), other = weft_spawn(note_a_run, glance);
    int got;

    for (int i = 0; i < 100; i++)
        glance->rc +=
            weft_try_select(NULL, weft_on_receive(&glance->channel, &got),
                            weft_on_send(&glance->channel, &got), weft_on_future(open, NULL),
                            weft_on_event(&glance->event), weft_on_time(far_away())) == -EAGAIN;
    glance->ran_before = glance->ran; /* on one worker it runs only when this task waits */
    (void)weft_promise_set(promise, 0);
    return weft_gather(open, other);
}

static void a_try_select_never_waits(void **state)
{
    struct glance glance = {.ran = 0};

    (void)state;
    assert_int_equal(check_run(1, look_without_waiting, &glance), 0);
    assert_int_equal(glance.rc, 100);
    assert_int_equal(glance.ran_before, 0);
    assert_int_equal(glance.ran, 1);
    assert_null(glance.channel.weft__receivers[0]);
    assert_null(glance.channel.weft__senders[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_arm_that_can_be_done_is_done_and_the_others_are_not),
        cmocka_unit_test(each_kind_of_arm_tells_how_it_went),
        cmocka_unit_test(a_closed_channel_is_always_ready),
        cmocka_unit_test(arms_that_are_switched_off_are_never_ready),
        cmocka_unit_test(a_select_has_arms_but_not_too_many),
        cmocka_unit_test(without_memory_an_unbounded_send_is_done_and_has_failed),
        cmocka_unit_test(of_several_ready_arms_each_has_the_same_chance),
        cmocka_unit_test(a_biased_select_does_the_first_that_can_be_done),
        cmocka_unit_test(a_try_select_never_waits),
    };
    return CHECK_GROUP(tests);
}
