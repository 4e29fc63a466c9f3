/*
 * channel - each item that was accepted comes out once, in order, and whole, or stays; whoever is cancelled, and
 * whoever closes.
 */
#include <errno.h>

#include <weft/channel.h>

#include "tests/model/tasks.h"

const char model_subject[] = "channel";

static weft_channel *channel;
static unsigned sent_count, received_count, last_received;
static unsigned char received[8];
static int send_result[MODEL_THREADS], receive_result;

static void setup(unsigned which, size_t capacity)
{
    tasks_init(which);
    channel = model_alloc(sizeof *channel);
    model_assert(weft_channel_init(channel, sizeof(unsigned *), capacity) == 0);
    sent_count = received_count = last_received = 0;
    __builtin_memset(received, 0, sizeof received);
    __builtin_memset(send_result, 0, sizeof send_result);
    receive_result = 0;
}

static void two_tasks_one_place(void) { setup(3, 1); }
static void two_tasks_meet(void) { setup(3, 0); }
static void task_and_thread_meet(void) { setup(1, 0); }
static void three_tasks_one_place(void) { setup(7, 1); }
static void three_tasks_meet(void) { setup(7, 0); }

/* An item is memory that its sender has filled: its receiver must see that. */
static void send(unsigned number)
{
    unsigned *item = model_alloc(sizeof *item);
    int rc;

    *item = number;
    rc = weft_send(channel, &item);
    sent_count += rc == 0;
    send_result[model_self()] = rc;
    tasks_scribble();
}

static void note(const unsigned *item)
{
    unsigned number = *item;

    model_assert(number < 8 && !received[number]);
    received[number] = 1;
    received_count++;
    last_received = number;
}

static int receive(void)
{
    unsigned *item;
    int rc = weft_receive(channel, &item);

    if (rc == 1)
        note(item);
    receive_result = rc;
    tasks_scribble();
    return rc;
}

static void send_1(void) { send(1); }
static void send_2(void) { send(2); }

static void send_1_2(void)
{
    send_1();
    send_2();
}

static void try_to_send(void)
{
    unsigned *item = model_alloc(sizeof *item);

    *item = 1;
    send_result[model_self()] = weft_try_send(channel, &item);
    sent_count += send_result[model_self()] == 0;
}

static void receive_1(void) { (void)receive(); }

static void receive_2(void)
{
    receive_1();
    unsigned before = last_received;
    receive_1();
    model_assert(received_count < 2 || before < last_received);
}

static void receive_both(void)
{
    receive_1();
    receive_1();
}

static void receive_to_end(void)
{
    while (receive() == 1)
        ;
}

static void cancel_first(void) { tasks_cancel(tasks[0]); }
static void close_it(void) { weft_channel_close(channel); }

static void drop(void *item) { note(*(unsigned **)item); }
static void stop_it(void) { weft_channel_stop(channel, drop); }

/* The closer never waits: who was told that it is closed may free the channel. */
static void receive_and_free(void)
{
    model_assert(receive() == 0);
    weft_channel_destroy(channel);
    model_free(channel);
}

/* What was sent and not received is still there. */
static void check_ledger(void)
{
    unsigned *item;

    while (weft_try_receive(channel, &item) == 1)
        received_count++;
    model_assert(received_count == sent_count);
}

/* At a meeting nothing is between the two. */
static void check_met(void) { model_assert(received_count == sent_count); }

static void check_2(void)
{
    model_assert(sent_count == 2 && received_count == 2);
    check_ledger();
}

static void check_1(void)
{
    model_assert(sent_count == 1 && received_count == 1);
    check_ledger();
}

static void check_closed(void)
{
    model_assert(receive_result == 0);
    model_assert(received_count == sent_count);
}

/* What was accepted has been received, or dropped by who stopped it. */
static void check_stopped(void)
{
    model_assert(send_result[0] == 0 || send_result[0] == -EPIPE);
    model_assert(received_count == sent_count);
}

const struct model_scenario model_scenarios[] = {
    {"two items through one place",
     two_tasks_one_place,
     {{"sender", send_1_2, 0}, {"receiver", receive_2, 0}},
     check_2,
     0},
    {"room that comes free lets the sender in",
     two_tasks_one_place,
     {{"sender", send_1_2, 0}, {"receiver", receive_1, 0}},
     check_ledger,
     0},
    {"they meet",
     two_tasks_meet,
     {{"sender", send_1_2, 0}, {"receiver", receive_2, 0}},
     check_2,
     0},
    {"a task and a plain thread meet",
     task_and_thread_meet,
     {{"sender", send_1, 0}, {"receiver", receive_1, 0}},
     check_1,
     0},
    {"a try meets a receiver, or nobody",
     two_tasks_meet,
     {{"receiver", receive_1, true}, {"sender", try_to_send, 0}},
     check_met,
     0},
    {"two senders, one place",
     three_tasks_one_place,
     {{"sender", send_1, 0}, {"sender", send_2, 0}, {"receiver", receive_to_end, true}},
     check_2,
     0},
    {"two senders meet a receiver",
     three_tasks_meet,
     {{"sender", send_1, 0}, {"sender", send_2, 0}, {"receiver", receive_both, 0}},
     check_2,
     0},
    {"a receiver is cancelled",
     two_tasks_one_place,
     {{"receiver", receive_1, 0}, {"sender", send_1, 0}, {"canceller", cancel_first, 0}},
     check_ledger,
     0},
    {"a receiver that is cancelled is not met",
     two_tasks_meet,
     {{"receiver", receive_1, 0}, {"sender", send_1, true}, {"canceller", cancel_first, 0}},
     check_met,
     0},
    {"a sender is cancelled",
     two_tasks_one_place,
     {{"sender", send_1_2, 0}, {"receiver", receive_1, true}, {"canceller", cancel_first, 0}},
     check_ledger,
     0},
    {"a sender that is cancelled is not met",
     two_tasks_meet,
     {{"sender", send_1, 0}, {"receiver", receive_1, true}, {"canceller", cancel_first, 0}},
     check_met,
     0},
    {"close while a sender waits",
     two_tasks_one_place,
     {{"sender", send_1_2, 0}, {"closer", close_it, 0}},
     check_ledger,
     0},
    {"close against a sender",
     two_tasks_one_place,
     {{"receiver", receive_to_end, 0}, {"sender", send_1_2, 0}, {"closer", close_it, 0}},
     check_closed,
     0},
    {"who is told that it is closed frees it",
     two_tasks_one_place,
     {{"receiver", receive_and_free, 0}, {"closer", close_it, 0}},
     NULL,
     0},
    {"stop against a sender",
     two_tasks_one_place,
     {{"sender", send_1_2, 0}, {"stopper", stop_it, 0}},
     check_stopped,
     0},
    {0},
};
