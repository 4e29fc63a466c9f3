/*
 * channel_sweep - whoever is cancelled at a channel or in a select: each item has one owner, arms that
 * lose took nothing, and both ends can be closed.
 */
#include "scene.h"

struct belt {
    weft_channel channel, other;
    weft_event quit;
    _Atomic int senders;
};

/* Returns 0; 1 if nobody receives any more; -ECANCELED. */
static int sends(weft_channel *channel, long item)
{
    int rc = weft_send(channel, &item);

    if (rc == 0)
        atomic_fetch_add(&books.given, item);
    return rc == -EPIPE ? 1 : CUT(rc);
}

static void sender_ends(struct belt *belt)
{
    if (atomic_fetch_sub(&belt->senders, 1) == 1) {
        weft_channel_close(&belt->channel);
        weft_channel_close(&belt->other);
    }
}

static int sends_three(void *arg)
{
    struct belt *belt = arg;
    int rc = 0;

    for (long item = 1; item <= 3 && rc == 0; item++)
        rc = sends(&belt->channel, item);
    sender_ends(belt);
    return rc;
}

static int receives_all(void *arg)
{
    struct belt *belt = arg;
    long item;
    int rc;

    while ((rc = weft_receive(&belt->channel, &item)) == 1)
        atomic_fetch_add(&books.taken, item);
    return CUT(rc);
}

static void spill(weft_channel *channel)
{
    long item;

    while (weft_try_receive(channel, &item) == 1)
        atomic_fetch_add(&books.spilt, item);
    weft_channel_destroy(channel);
}

static int belt_init(struct belt *belt, size_t capacity, int senders)
{
    *belt = (struct belt){.quit = WEFT_EVENT_INIT, .senders = senders};
    int rc = weft_channel_init(&belt->channel, sizeof(long), capacity);

    if (rc < 0)
        return rc;
    rc = weft_channel_init(&belt->other, sizeof(long), 1);
    if (rc < 0)
        weft_channel_destroy(&belt->channel);
    return rc;
}

/* Runs two tasks of each kind; one that is cancelled leaves the others alone. */
static int two_and_two(struct belt *belt, weft_fn sender, weft_fn receiver)
{
    weft_scope scope;
    int rc = weft_scope_open(&scope);

    if (rc < 0)
        return rc;
    for (int i = 0; i < 2; i++) {
        sweep_task_in(&scope, sender, belt);
        sweep_task_in(&scope, receiver, belt);
    }
    rc = CUT(weft_scope_close(&scope, 0));
    spill(&belt->channel);
    spill(&belt->other);
    return rc;
}

static int bounded(void *arg)
{
    struct belt belt;
    int rc = belt_init(&belt, 1, 2);

    (void)arg;
    return rc < 0 ? rc : two_and_two(&belt, sends_three, receives_all);
}

static int rendezvous(void *arg)
{
    struct belt belt;
    int rc = belt_init(&belt, 0, 2);

    (void)arg;
    return rc < 0 ? rc : two_and_two(&belt, sends_three, receives_all);
}

static int unbounded(void *arg)
{
    struct belt belt;
    int rc = belt_init(&belt, WEFT_UNBOUNDED, 2);

    (void)arg;
    return rc < 0 ? rc : two_and_two(&belt, sends_three, receives_all);
}

/* --- stopped by a receiver ---------------------------------------------------------------------------- */

static void is_dropped(void *item) { atomic_fetch_add(&books.spilt, *(long *)item); }

static int receives_one_and_stops(void *arg)
{
    struct belt *belt = arg;
    long item;
    int rc = weft_receive(&belt->channel, &item);

    if (rc == 1)
        atomic_fetch_add(&books.taken, item);
    weft_channel_stop(&belt->channel, is_dropped);
    return CUT(rc);
}

static int stopped(void *arg)
{
    struct belt belt;
    int rc = belt_init(&belt, 2, 2);

    (void)arg;
    return rc < 0 ? rc : two_and_two(&belt, sends_three, receives_one_and_stops);
}

/* --- select ------------------------------------------------------------------------------------------- */

static int selects_what_to_send(void *arg)
{
    struct belt *belt = arg;
    int rc = 0;

    for (long item = 1; item <= 3 && rc >= 0; item++) {
        int arm = weft_select(&rc, weft_on_send(&belt->channel, &item),
                              weft_on_send(&belt->other, &item));

        if (arm >= 0 && HOLDS(rc == 0 || rc == -EPIPE) && rc == 0)
            atomic_fetch_add(&books.given, item);
    }
    sender_ends(belt);
    return CUT(rc);
}

static int selects_what_comes(void *arg)
{
    struct belt *belt = arg;
    weft_channel *channel = &belt->channel, *other = &belt->other;
    long item;
    int rc = 0;

    while (channel || other) {
        int arm = weft_select(&rc, weft_on_receive(channel, &item), weft_on_receive(other, &item),
                              weft_on_event(&belt->quit), weft_on_time(weft_now() + weft_s(1000)));

        if (arm < 0)
            break;
        (void)HOLDS(arm < 2); /* neither of the others comes */
        if (rc == 1)
            atomic_fetch_add(&books.taken, item);
        else if (arm == 0)
            channel = NULL; /* closed, and empty: the arm is switched off */
        else
            other = NULL;
    }
    return CUT(rc);
}

static int select_both_ways(void *arg)
{
    struct belt belt;
    int rc = belt_init(&belt, 0, 2);

    (void)arg;
    return rc < 0 ? rc : two_and_two(&belt, selects_what_to_send, selects_what_comes);
}

static int select_of_everything(void *arg)
{
    weft_event event = WEFT_EVENT_INIT;
    weft_future future = sweep_task(naps, arg);
    int status = 0;
    int rc;
    int arm = weft_select(&rc, weft_on_event(&event), weft_on_future(future, &status),
                          weft_on_time(weft_now() + weft_s(1000)));

    (void)HOLDS(arm == 1 || arm == -ECANCELED);
    arm = weft_select(&rc, weft_on_event(&event), weft_on_time(weft_now() + weft_us(20)));
    (void)HOLDS(arm == 1 || arm == -ECANCELED);
    return CUT(weft_await(future)); /* a select consumes no future */
}

static void no_item_of_a_bounded_channel_is_lost(void **state) { SWEEP(bounded); }
static void no_item_of_a_rendezvous_is_lost(void **state) { SWEEP(rendezvous); }
static void no_item_of_an_unbounded_channel_is_lost(void **state) { SWEEP(unbounded); }
static void items_of_a_stopped_channel_are_dropped_once(void **state) { SWEEP(stopped); }
static void arms_that_lose_took_nothing(void **state) { SWEEP(select_both_ways); }
static void a_select_leaves_futures_events_and_timers_alone(void **state)
{
    SWEEP(select_of_everything);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_item_of_a_bounded_channel_is_lost),
        cmocka_unit_test(no_item_of_a_rendezvous_is_lost),
        cmocka_unit_test(no_item_of_an_unbounded_channel_is_lost),
        cmocka_unit_test(items_of_a_stopped_channel_are_dropped_once),
        cmocka_unit_test(arms_that_lose_took_nothing),
        cmocka_unit_test(a_select_leaves_futures_events_and_timers_alone),
    };

    return SWEEP_GROUP(tests);
}
