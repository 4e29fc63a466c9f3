/*
 * select - S45 to S48: the first of several, and what becomes of the others.
 */
#include <math.h>

#include <weft/channel.h>
#include <weft/select.h>

#include "semantics.h"

struct seen {
    struct check_latch here;
    _Atomic int ended, others;
};

static int waits_and_ends_slowly(void *arg)
{
    struct seen *seen = arg;

    check_arrive(&seen->here);
    int rc = weft_sleep(WEFT_FOREVER);
    linger();
    atomic_fetch_add(&seen->ended, 1);
    return rc;
}

static int fails_at_once(void *arg)
{
    (void)arg;
    return -EIO;
}

static int wins_when_all_are_here(void *arg)
{
    int rc = check_latch_wait(&((struct seen *)arg)->here);

    return rc < 0 ? rc : 21;
}

static void s45_race_ends_the_losers_and_select_leaves_them_running(void)
{
    struct seen seen = {.here = CHECK_LATCH_INIT(2)}, left = {.here = CHECK_LATCH_INIT(2)};
    size_t winner = 9;
    int status = -1;

    const weft_future futures[] = {
        weft_spawn(waits_and_ends_slowly, &seen), weft_spawn(fails_at_once, NULL),
        weft_spawn(wins_when_all_are_here, &seen), weft_spawn(waits_and_ends_slowly, &seen)};
    EXPECT(weft_race_n(futures, 4, &winner), 21);
    EXPECT(winner, 2);
    EXPECT(seen.ended, 2);
    EXPECT(weft_race(weft_spawn(fails_at_once, NULL), weft_spawn(fails_at_once, NULL)), -EIO);

    weft_future loser = weft_spawn(waits_and_ends_slowly, &left);
    check_arrive(&left.here);
    weft_future first = weft_spawn(wins_when_all_are_here, &left);
    int arm = weft_select(&status, weft_on_future(loser, NULL), weft_on_future(first, NULL));
    linger();
    int ended = atomic_load(&left.ended);
    EXPECT(arm, 1);
    EXPECT(status, 21);
    EXPECT(ended, 0);
    EXPECT(weft_await(first), 21); /* select consumes nothing */
    EXPECT(weft_cancel(loser), 0);
    EXPECT(weft_await(loser), -ECANCELED);
    SAY(ended ? "losers-ended" : "losers-run");
}

/* --- several at once ------------------------------------------------------------------------- */

/* The statement says 3 sigma; a test that runs a thousand times a day must allow 6. */
static bool is_fair(int count, int rounds, int arms)
{
    double expected = (double)rounds / arms;
    double sigma = sqrt(expected * (1 - 1.0 / arms));

    return fabs(count - expected) < 6 * sigma;
}

static void s46_of_several_ready_arms_each_is_taken_alike_and_biased_takes_the_first(void)
{
    const int rounds = 4000; /* times four numbers of workers, times every configuration */
    weft_event set = WEFT_EVENT_INIT;
    weft_channel closed;
    weft_promise promise;
    weft_future done = weft_promise_new(&promise);
    int taken[4] = {0, 0, 0, 0}, first = 0, item;

    weft_event_set(&set);
    EXPECT(weft_promise_set(promise, 1), 0);
    EXPECT(weft_channel_init(&closed, sizeof item, 1), 0);
    weft_channel_close(&closed);
    for (int i = 0; i < rounds; i++) {
        int arm = weft_select(NULL, weft_on_event(&set), weft_on_receive(&closed, &item),
                              weft_on_future(done, NULL), weft_on_time(1));
        if (EXPECT(arm >= 0 && arm < 4, true))
            taken[arm]++;
    }
    for (int i = 0; i < 4; i++)
        EXPECT(is_fair(taken[i], rounds, 4), true);
    for (int i = 0; i < 100; i++)
        first +=
            weft_select_biased(NULL, weft_on_receive(&closed, &item), weft_on_event(&set)) == 0;
    EXPECT(first, 100);
    EXPECT(weft_await(done), 1);
    weft_channel_destroy(&closed);
}

/* --- losing arms ----------------------------------------------------------------------------- */

#define SENDS 300

struct market {
    weft_channel one, other;
    _Atomic int sent[2], received[2];
};

static int sends_to_either(void *arg)
{
    struct market *market = arg;
    const int one = 1, other = 2;

    for (int i = 0; i < SENDS; i++) {
        int rc;
        int arm = weft_select(&rc, weft_on_send(&market->one, &one),
                              weft_on_send(&market->other, &other));

        EXPECT(rc, 0);
        if (EXPECT(arm == 0 || arm == 1, true))
            atomic_fetch_add(&market->sent[arm], 1);
    }
    return 0;
}

/* An arm that lost has received nothing; one that is closed is switched off. */
static int receives_from_either(void *arg)
{
    struct market *market = arg;
    weft_channel *open[2] = {&market->one, &market->other};

    while (open[0] || open[1]) {
        int items[2] = {0, 0}, rc;
        int arm = weft_select(&rc, weft_on_receive(open[0], &items[0]),
                              weft_on_receive(open[1], &items[1]),
                              weft_on_time(weft_now() + weft_us(50)));

        EXPECT(items[0], arm == 0 && rc == 1 ? 1 : 0);
        EXPECT(items[1], arm == 1 && rc == 1 ? 2 : 0);
        if (arm == 0 || arm == 1) {
            atomic_fetch_add(&market->received[arm], rc);
            if (rc == 0)
                open[arm] = NULL;
        }
    }
    return 0;
}

/* One bounded channel and one where the two must meet. */
static void s47_arms_that_lose_take_nothing(void)
{
    struct market market = {.sent = {0}};

    EXPECT(weft_channel_init(&market.one, sizeof(int), 3), 0);
    EXPECT(weft_channel_init(&market.other, sizeof(int), 0), 0);
    weft_future receivers[] = {weft_spawn(receives_from_either, &market),
                               weft_spawn(receives_from_either, &market)};
    EXPECT(weft_gather(weft_spawn(sends_to_either, &market), weft_spawn(sends_to_either, &market)),
           0);
    weft_channel_close(&market.one);
    weft_channel_close(&market.other);
    EXPECT(weft_gather_n(receivers, 2, NULL), 0);

    EXPECT(market.sent[0] + market.sent[1], 2 * SENDS);
    EXPECT(market.received[0], market.sent[0]);
    EXPECT(market.received[1], market.sent[1]);
    weft_channel_destroy(&market.one);
    weft_channel_destroy(&market.other);
}

/* --- corners --------------------------------------------------------------------------------- */

static int counts_itself(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
    return 0;
}

/* Meets another of its kind: one sends, the other receives. */
static int meets(void *arg)
{
    int out = 5, in = 0, rc;
    int arm = weft_select(&rc, weft_on_send(arg, &out), weft_on_receive(arg, &in));

    EXPECT(in, arm == 1 ? 5 : 0);
    return arm;
}

static void s48_a_try_never_suspends_and_one_channel_may_stand_in_two_arms(void)
{
    struct seen seen = {.others = 0};
    weft_channel channel, meeting;
    int out = 4, in = 0, rc;

    EXPECT(weft_channel_init(&channel, sizeof(int), 1), 0);
    EXPECT(weft_channel_init(&meeting, sizeof(int), 0), 0);
    weft_future other = weft_spawn(counts_itself, (void *)&seen.others);
    EXPECT(weft_try_select(NULL, weft_on_receive(&channel, &in), weft_on_time(WEFT_FOREVER)),
           -EAGAIN);
    EXPECT(weft_try_select(NULL, weft_on_send(&meeting, &out), weft_on_receive(&meeting, &in)),
           -EAGAIN); /* it does not meet itself */
    if (semantics_workers == 1)
        EXPECT(seen.others, 0); /* else it would have run */
    EXPECT(weft_await(other), 0);

    EXPECT(weft_select(&rc, weft_on_send(&channel, &out), weft_on_receive(&channel, &in)), 0);
    EXPECT(weft_select(&rc, weft_on_send(&channel, &out), weft_on_receive(&channel, &in)), 1);
    EXPECT(rc, 1);
    EXPECT(in, 4);

    weft_future one = weft_spawn(meets, &meeting), two = weft_spawn(meets, &meeting);
    int statuses[2];
    EXPECT(weft_gather_n((weft_future[]){one, two}, 2, statuses), 0);
    EXPECT(statuses[0] + statuses[1], 1); /* one sent, one received */

    weft_channel_close(&channel);
    EXPECT(weft_try_select(&rc, weft_on_receive(&channel, &in)), 0);
    EXPECT(rc, 0);
    EXPECT(weft_try_select(&rc, weft_on_send(&channel, &out)), 0);
    EXPECT(rc, -EPIPE);
    weft_channel_destroy(&channel);
    weft_channel_destroy(&meeting);
}

const struct statement semantics_select[] = {
    STATEMENT(s45_race_ends_the_losers_and_select_leaves_them_running),
    STATEMENT(s46_of_several_ready_arms_each_is_taken_alike_and_biased_takes_the_first),
    STATEMENT(s47_arms_that_lose_take_nothing),
    STATEMENT(s48_a_try_never_suspends_and_one_channel_may_stand_in_two_arms),
    {.name = NULL},
};
