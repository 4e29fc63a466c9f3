/*
 * first_worker_test - while the first worker sleeps the others wait in its loop: one hears of all messages, and
 * nobody else is woken for them. Close and cancel find such a wait where it is.
 */
#include <sched.h>

#include "core/bell.h"
#include "wires.h"

#define MESSAGES 100

enum ending { BY_BYTE, BY_CLOSE, BY_CANCEL };

static struct {
    struct runtime *runtime;
    int ends[2];
    weft_future tasks[2]; /* on a worker each */
    _Atomic int begun;
    _Atomic int reader; /* which of them reads, + 1 */
    int status;         /* of its read */
} both;

static struct loop *loop_of(int index) { return &both.runtime->workers[index].loop; }

static bool sleeps(int index) { return bell_is_asleep(load_seq(&loop_of(index)->bell->asleep)); }

static uint32_t waits_with(int index) { return load_seq(&loop_of(index)->sockets->waits); }

static void until_asleep(int index)
{
    while (!sleeps(index))
        (void)sched_yield();
}

/* How often it is tried: who wakes a worker late ends some later sleep of it for nothing, and the wait
 * then finds another loop (bell.h). */
#define TRIES 10

/* Two of these hold a worker each until both have begun. The one on the second worker reads, once the
 * first worker has fallen asleep. */
static int read_on_second(void *arg)
{
    char byte;

    both.begun++;
    while (both.begun < 2)
        (void)sched_yield();
    if (weft__worker()->index == 0)
        return 0;
    both.reader = *(int *)arg + 1;
    until_asleep(0);
    both.status = (int)weft_read(both.ends[0], &byte, 1);
    return 0;
}

static int begin(void *arg)
{
    (void)arg;
    both.runtime = weft__worker()->runtime;
    wire(both.ends);
    for (int i = 0; i < 2; i++)
        both.tasks[i] = weft_spawn_val(read_on_second, i);
    return 0;
}

static int end_by(void *arg)
{
    switch (*(enum ending *)arg) {
    case BY_BYTE: EXPECT(weft_write(both.ends[1], "e", 1), 1); break;
    case BY_CLOSE: EXPECT(weft_close(both.ends[0]), 0); break;
    case BY_CANCEL: EXPECT(weft_cancel(both.tasks[both.reader - 1]), 0); break;
    }
    for (int i = 0; i < 2; i++)
        (void)!weft_await(both.tasks[i]); /* -ECANCELED perhaps */
    return 0;
}

static void until_it_waits(void)
{
    while (weft__fd_in_flight(both.runtime->fds, both.ends[0]) != 1)
        (void)sched_yield();
}

static void start_two(weft_fn first)
{
    atomic_store(&verdict.line, 0);
    both.begun = both.reader = 0;
    assert_int_equal(weft_start(&(weft_options){.workers = 2}), 0);
    assert_int_equal(weft_call(first, NULL), 0);
}

static void stop_two(void)
{
    assert_int_equal(weft_stop(), 0);
    assert_int_equal(atomic_load(&verdict.line), 0);
    (void)close(both.ends[0]); /* unless the test did */
    (void)close(both.ends[1]);
}

static int status_when_ended(enum ending ending)
{
    enum ending anew = BY_BYTE;

    start_two(begin);
    until_it_waits();
    for (int i = 1; i < TRIES && waits_with(0) != 1; i++) {
        assert_int_equal(weft_call(end_by, &anew), 0);
        stop_two();
        start_two(begin);
        until_it_waits();
    }
    assert_int_equal(waits_with(0), 1);
    assert_int_equal(waits_with(1), 0);
    assert_int_equal(weft_call(end_by, &ending), 0);
    assert_int_equal(waits_with(0), 0);
    stop_two();
    return both.status;
}

static void a_wait_goes_to_the_first_worker_while_that_sleeps(void **state)
{
    (void)state;
    assert_int_equal(status_when_ended(BY_BYTE), 1);
}

static void close_ends_a_wait_in_another_workers_loop(void **state)
{
    (void)state;
    assert_int_equal(status_when_ended(BY_CLOSE), -EBADF);
}

static void cancel_ends_a_wait_in_another_workers_loop(void **state)
{
    (void)state;
    assert_int_equal(status_when_ended(BY_CANCEL), -ECANCELED);
}

/* --- messages that come one by one ------------------------------------------------------------- */

static int echo(void *arg)
{
    char byte;

    (void)arg;
    while (weft_read(both.ends[0], &byte, 1) == 1)
        EXPECT(weft_write(both.ends[0], &byte, 1), 1);
    return 0;
}

static int begin_echo(void *arg)
{
    (void)arg;
    both.runtime = weft__worker()->runtime;
    wire(both.ends);
    both.tasks[0] = weft_spawn(echo, NULL);
    return 0;
}

static int end_echo(void *arg)
{
    (void)arg;
    EXPECT(weft_shutdown(both.ends[1], SHUT_WR), 0);
    return weft_await(both.tasks[0]);
}

/* One that was woken, but has not got a processor yet, does not sleep. */
static void until_all_sleep(void)
{
    until_it_waits();
    while (!weft__park_all_sleep(both.runtime) || !sleeps(0) || !sleeps(1))
        (void)sched_yield();
}

static void send_when_all_sleep(void)
{
    char byte;

    until_all_sleep();
    assert_int_equal(send(both.ends[1], "m", 1, 0), 1);
    assert_int_equal(recv(both.ends[1], &byte, 1, 0), 1);
}

static void messages_one_by_one_wake_one_worker(void **state)
{
    (void)state;
    start_two(begin_echo);
    until_it_waits();
    while (waits_with(0) != 1) /* the first ones may find it elsewhere */
        send_when_all_sleep();
    uint32_t before, after;
    int tries = 0;
    do {
        until_all_sleep();
        before = load_seq(&loop_of(1)->bell->asleep);
        for (int i = 0; i < MESSAGES; i++)
            send_when_all_sleep();
        after = load_seq(&loop_of(1)->bell->asleep);
    } while (after != before && ++tries < TRIES);

    if (!both.runtime->is_migrating) /* then each task goes elsewhere */
        assert_int_equal(after, before);
    assert_int_equal(weft_call(end_echo, NULL), 0);
    stop_two();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_goes_to_the_first_worker_while_that_sleeps),
        cmocka_unit_test(close_ends_a_wait_in_another_workers_loop),
        cmocka_unit_test(cancel_ends_a_wait_in_another_workers_loop),
        cmocka_unit_test(messages_one_by_one_wake_one_worker),
    };
    return CHECK_GROUP(tests);
}
