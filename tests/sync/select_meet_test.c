/*
 * select_meet_test - selects that meet each other, themselves, and those who come in between.
 */
#include <errno.h>

#include "check.h"
#include "core/future.h"
#include "core/runtime.h"
#include "sync/channel.h"
#include "sync/event.h"
#include "waiting.h"

/* --- a select meets a select ------------------------------------------------------------------------ */

#define MEETINGS 300

struct meeting {
    weft_channel first, second;
    int sent[2], received[2], wrong[2];
    int sum_sent[2], sum_received[2];
};

struct side {
    struct meeting *meeting;
    int number;
};

/* Sends on one channel or receives from the other, whichever comes first; the other side has them the
 * other way round. */
static int meet(void *arg)
{
    struct side *side = arg;
    struct meeting *meeting = side->meeting;
    weft_channel *to = side->number ? &meeting->second : &meeting->first;
    weft_channel *from = side->number ? &meeting->first : &meeting->second;

    for (int i = 0; i < MEETINGS; i++) {
        int got = 0;
        int index = weft_select(NULL, weft_on_send(to, &i), weft_on_receive(from, &got));
        if (index == 0) {
            meeting->sent[side->number]++;
            meeting->sum_sent[side->number] += i;
        } else if (index == 1) {
            meeting->received[side->number]++;
            meeting->sum_received[side->number] += got;
        } else {
            return index;
        }
    }
    return 0;
}

static int meet_in_tasks(void *arg)
{
    return weft_gather(weft_spawn_val(meet, ((struct side){arg, 0})),
                       weft_spawn_val(meet, ((struct side){arg, 1})));
}

static int meet_a_job(void *arg)
{
    return weft_gather(weft_spawn_val(meet, ((struct side){arg, 0})),
                       weft_offload_val(weft_cpu(), meet, ((struct side){arg, 1})));
}

static void assert_met(const struct meeting *meeting)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(meeting->sent[i] + meeting->received[i], MEETINGS);
        assert_int_equal(meeting->sent[i], meeting->received[1 - i]);
        assert_int_equal(meeting->sum_sent[i], meeting->sum_received[1 - i]);
    }
}

static void two_selects_meet_at_rendezvous_channels(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        for (int with_job = 0; with_job < 2; with_job++) {
            struct meeting meeting = {.first = WEFT_CHANNEL_INIT_RENDEZVOUS(int),
                                      .second = WEFT_CHANNEL_INIT_RENDEZVOUS(int)};

            int rc = check_run(n, with_job ? meet_a_job : meet_in_tasks, &meeting);

            assert_int_equal(rc, 0);
            assert_met(&meeting);
        }
    }
}

/* --- the same channel in several arms ---------------------------------------------------------------- */

/* Both arms on one channel, in every side: whoever sends, the other receives. */
static int meet_on_one(void *arg)
{
    struct side *side = arg;
    struct meeting *meeting = side->meeting;

    for (int i = 0; i < MEETINGS; i++) {
        int got = -1;
        int item = 1000 * side->number + i;
        int index = weft_select(NULL, weft_on_send(&meeting->first, &item),
                                weft_on_receive(&meeting->first, &got));
        meeting->sent[side->number] += index == 0;
        meeting->received[side->number] += index == 1;
        meeting->wrong[side->number] += index == 1 && got / 1000 == side->number; /* met itself */
    }
    return 0;
}

static int meet_on_one_in_tasks(void *arg)
{
    return weft_gather(weft_spawn_val(meet_on_one, ((struct side){arg, 0})),
                       weft_spawn_val(meet_on_one, ((struct side){arg, 1})));
}

static void a_select_that_sends_and_receives_on_one_channel_meets_others_only(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct meeting meeting = {.first = WEFT_CHANNEL_INIT_RENDEZVOUS(int)};

        int rc = check_run(n, meet_on_one_in_tasks, &meeting);

        assert_int_equal(rc, 0);
        assert_int_equal(meeting.wrong[0] + meeting.wrong[1], 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(meeting.sent[i] + meeting.received[i], MEETINGS);
            assert_int_equal(meeting.sent[i], meeting.received[1 - i]);
        }
    }
}

static void on_a_channel_with_room_for_one_both_arms_take_turns(void **state)
{
    int room[1], got = 0, rc;
    weft_channel channel = WEFT_CHANNEL_INIT(room);

    (void)state;
    for (int i = 0; i < 100; i++) {
        int index = weft_select(&rc, weft_on_send(&channel, &i), weft_on_receive(&channel, &got));
        assert_int_equal(index, i % 2);
        assert_int_equal(rc, i % 2);
        assert_true(i % 2 == 0 || got == i - 1);
    }
}

struct twice {
    weft_channel channel;
    weft_event event;
    weft_future future;
    int index, got[2], rc;
};

static int wait_twice(void *arg)
{
    struct twice *twice = arg;
    weft_arm arms[] = {weft_on_receive(&twice->channel, &twice->got[0]),
                       weft_on_receive(&twice->channel, &twice->got[1]),
                       weft_on_event(&twice->event),
                       weft_on_event(&twice->event),
                       weft_on_future(twice->future, NULL),
                       weft_on_future(twice->future, NULL)};

    twice->index = weft_select_n(arms, 6);
    return 0;
}

static int send_once(void *arg)
{
    struct twice *twice = arg;
    weft_promise promise;

    twice->future = weft_promise_new(&promise);
    weft_future waiting = weft_spawn(wait_twice, twice);
    until_receiving(2, &twice->channel);
    until_waiting(2, &twice->event.weft__waiters);
    twice->rc = weft_try_send(&twice->channel, &(int){3});
    int rc = weft_await(waiting);
    twice->rc += weft_try_send(&twice->channel, &(int){4}) != -EAGAIN;
    (void)weft_promise_set(promise, 0);
    return rc < 0 ? rc : weft_await(twice->future);
}

static void the_same_thing_may_stand_in_several_arms(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct twice twice = {.channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int), .index = -1};

        int rc = check_run(n, send_once, &twice);

        assert_int_equal(rc, 0);
        assert_int_equal(twice.rc, 0);
        assert_in_range(twice.index, 0, 1);
        assert_int_equal(twice.got[twice.index], 3);
        assert_int_equal(twice.got[1 - twice.index], 0);
    }
}

/* --- the moment in which a select has won its own wait, step by step --------------------------------- */

/* A select's wait with one arm, as select.c makes it; a plain thread may have several at a time. */
struct hand_made {
    struct waiter wait, arm;
    int item;
};

static void begin_by_hand(struct hand_made *made, int item)
{
    made->item = item;
    weft__wait_begin_cancellable(&made->wait);
    weft__wait_share(&made->wait, &made->arm, 3);
    made->arm.item = &made->item;
}

static void two_that_miss_each_other_meet_at_the_next_look(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    struct hand_made receiver, sender;

    (void)state;
    begin_by_hand(&receiver, 0);
    begin_by_hand(&sender, 5);
    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait),
                     MEET_WAITS);
    assert_true(weft__wake(&receiver.arm, 0)); /* it is trying something elsewhere */

    assert_int_equal(weft__channel_meet_receiver(&channel, &sender.arm, &sender.wait), MEET_MISSED);
    weft__wait_again(&receiver.wait); /* and that came to nothing */
    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait), MEET_DONE);

    assert_int_equal(receiver.item, 5);
    assert_int_equal(receiver.arm.count, CHANNEL_MET);
    assert_int_equal(sender.arm.count, CHANNEL_MET);
    assert_int_equal(weft__wait_commit(&receiver.wait, WAIT_CANCELLABLE), 3);
    assert_int_equal(weft__wait_commit(&sender.wait, WAIT_CANCELLABLE), 3);
    assert_null(channel.weft__senders[0]);
    assert_null(channel.weft__receivers[0]);
}

static void two_that_miss_each_other_meet_the_other_way_round_too(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    struct hand_made receiver, sender;

    (void)state;
    begin_by_hand(&receiver, 0);
    begin_by_hand(&sender, 5);
    assert_int_equal(weft__channel_meet_receiver(&channel, &sender.arm, &sender.wait), MEET_WAITS);
    assert_true(weft__wake(&sender.arm, 0)); /* it is trying something elsewhere */

    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait),
                     MEET_MISSED);
    weft__wait_again(&sender.wait); /* and that came to nothing */
    assert_int_equal(weft__channel_meet_receiver(&channel, &sender.arm, &sender.wait), MEET_DONE);

    assert_int_equal(receiver.item, 5);
    assert_int_equal(weft__wait_commit(&receiver.wait, WAIT_CANCELLABLE), 3);
    assert_int_equal(weft__wait_commit(&sender.wait, WAIT_CANCELLABLE), 3);
}

static void a_select_that_another_arm_has_won_takes_nothing(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_UNBOUNDED(int);
    weft_channel meeting = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    struct hand_made late, other, taker;
    int room[1];
    weft_channel free = WEFT_CHANNEL_INIT(room), elsewhere = WEFT_CHANNEL_INIT_RENDEZVOUS(int);

    (void)state;
    assert_int_equal(weft_send(&channel, &(int){5}), 0);
    begin_by_hand(&taker, 0);
    assert_int_equal(weft__channel_meet_sender(&elsewhere, &taker.arm, &taker.wait), MEET_WAITS);
    begin_by_hand(&late, 77);
    begin_by_hand(&other, 6);
    assert_int_equal(weft__channel_meet_receiver(&meeting, &other.arm, &other.wait), MEET_WAITS);
    assert_true(weft__wake(&late.arm, 0)); /* by somebody else */

    assert_int_equal(weft__channel_meet_sender(&channel, &late.arm, &late.wait), MEET_LOST);
    assert_int_equal(weft__channel_meet_sender(&meeting, &late.arm, &late.wait), MEET_LOST);

    assert_int_equal(late.item, 77);
    assert_int_equal(weft_channel_count(&channel), 1);
    assert_true(weft__wake(&other.arm, 0)); /* it was left alone */

    assert_int_equal(weft__channel_meet_receiver(&free, &late.arm, &late.wait), MEET_LOST);
    assert_int_equal(weft__channel_meet_receiver(&elsewhere, &late.arm, &late.wait), MEET_LOST);

    assert_int_equal(weft_channel_count(&free), 0);
    assert_int_equal(taker.item, 0);
    assert_true(weft__wake(&taker.arm, 0));
    weft_channel_destroy(&channel);
}

static void what_was_handed_over_between_two_looks_stays_so(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    struct hand_made receiver, sender;
    int got = 0;

    (void)state;
    begin_by_hand(&receiver, 0);
    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait),
                     MEET_WAITS);
    assert_int_equal(weft_try_send(&channel, &(int){4}), 0);
    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait), MEET_LOST);
    assert_int_equal(receiver.arm.count, CHANNEL_MET);
    assert_int_equal(receiver.item, 4);

    begin_by_hand(&sender, 6);
    assert_int_equal(weft__channel_meet_receiver(&channel, &sender.arm, &sender.wait), MEET_WAITS);
    assert_int_equal(weft_try_receive(&channel, &got), 1);
    assert_int_equal(weft__channel_meet_receiver(&channel, &sender.arm, &sender.wait), MEET_LOST);
    assert_int_equal(sender.arm.count, CHANNEL_MET);
    assert_int_equal(got, 6);
    assert_null(channel.weft__senders[0]);
    assert_null(channel.weft__receivers[0]);
}

static void a_channel_that_was_closed_before_the_second_look_ends_the_wait(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    struct hand_made receiver, sender;

    (void)state;
    weft_channel_close(&channel);
    begin_by_hand(&receiver, 0);
    begin_by_hand(&sender, 6);

    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait), MEET_DONE);
    assert_int_equal(weft__channel_meet_receiver(&channel, &sender.arm, &sender.wait), MEET_DONE);

    assert_int_equal(receiver.arm.count, 0);
    assert_int_equal(sender.arm.count, 0);
}

static void whom_a_select_passed_over_while_it_tried_is_found_again(void **state)
{
    int room[1], item = 0;
    weft_channel channel = WEFT_CHANNEL_INIT(room);
    struct hand_made receiver;

    (void)state;
    begin_by_hand(&receiver, 0);
    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait),
                     MEET_WAITS);
    assert_true(weft__wake(&receiver.arm, 0)); /* it is trying something elsewhere */
    assert_int_equal(weft_try_send(&channel, &(int){8}), 0);
    assert_int_equal(weft_channel_count(&channel), 1);

    weft__wait_again(&receiver.wait); /* and that came to nothing */
    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait), MEET_DONE);

    assert_int_equal(receiver.item, 8);
    assert_int_equal(weft_try_receive(&channel, &item), -EAGAIN);
}

static void a_pulse_that_came_while_a_select_tried_something_is_not_lost(void **state)
{
    weft_event event = WEFT_EVENT_INIT;
    struct hand_made made;

    (void)state;
    begin_by_hand(&made, 0);
    made.arm.item = NULL;
    assert_true(weft__event_watch(&event, &made.arm));
    assert_true(weft__event_watch(&event, &made.arm));
    assert_true(weft__wake(&made.arm, 0)); /* it is trying something elsewhere */
    weft_event_set(&event);
    weft_event_clear(&event);
    weft__wait_again(&made.wait); /* and that came to nothing */

    assert_false(weft__event_watch(&event, &made.arm));
    weft__event_unwatch(&event, &made.arm);
}

static int watch_by_hand(void *arg)
{
    int *seen = arg;
    struct runtime *runtime;
    struct hand_made made;
    struct future *future;
    uint64_t state;
    weft_promise promise;
    weft_future handle = weft_promise_new(&promise);
    int rc = weft__runtime_enter(&runtime);

    if (rc == 0)
        rc = weft__future_find(runtime, handle, &future, &state);
    if (rc < 0)
        return rc;
    begin_by_hand(&made, 0);
    made.arm.item = NULL;
    seen[0] = weft__future_watch(future, handle.generation, &made.arm, &rc);
    seen[1] = weft__future_watch(future, handle.generation, &made.arm, &rc);
    seen[2] = weft__wake(&made.arm, 0); /* it is trying something elsewhere */
    (void)weft_promise_set(promise, 7);
    (void)weft__wait_commit(&made.wait, WAIT_FOR_SURE); /* woken already: does not suspend */
    seen[3] = weft_await(handle);                       /* its slot may be another's now */
    seen[4] = weft__future_watch(future, handle.generation, &made.arm, &rc);
    weft__future_unwatch(future, &made.arm);
    weft__runtime_leave(runtime);
    return rc;
}

static void an_end_that_came_while_a_select_tried_something_is_not_lost(void **state)
{
    int seen[5] = {-1, -1, -1, -1, -1};

    (void)state;
    assert_int_equal(check_run(1, watch_by_hand, seen), 7);
    assert_true(seen[0] && seen[1] && seen[2]);
    assert_int_equal(seen[3], 7);
    assert_false(seen[4]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_selects_meet_at_rendezvous_channels),
        cmocka_unit_test(a_select_that_sends_and_receives_on_one_channel_meets_others_only),
        cmocka_unit_test(on_a_channel_with_room_for_one_both_arms_take_turns),
        cmocka_unit_test(the_same_thing_may_stand_in_several_arms),
        cmocka_unit_test(two_that_miss_each_other_meet_at_the_next_look),
        cmocka_unit_test(two_that_miss_each_other_meet_the_other_way_round_too),
        cmocka_unit_test(a_select_that_another_arm_has_won_takes_nothing),
        cmocka_unit_test(what_was_handed_over_between_two_looks_stays_so),
        cmocka_unit_test(a_channel_that_was_closed_before_the_second_look_ends_the_wait),
        cmocka_unit_test(whom_a_select_passed_over_while_it_tried_is_found_again),
        cmocka_unit_test(a_pulse_that_came_while_a_select_tried_something_is_not_lost),
        cmocka_unit_test(an_end_that_came_while_a_select_tried_something_is_not_lost),
    };
    return CHECK_GROUP(tests);
}
