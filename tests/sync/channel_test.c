/*
 * channel_test - every item arrives once, in order, or stays with who wanted to send it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/sys.h"
#include "waiting.h"

#define WAITERS 5

/* Takes all that is there; the numbers as digits, in order. */
static int drain(weft_channel *channel)
{
    int got;
    int digits = 0;

    while (weft_try_receive(channel, &got) == 1)
        digits = 10 * digits + got;
    return digits;
}

/* --- what a channel holds ---------------------------------------------------------------------- */

/* A struct whose size is no power of two. */
struct parcel {
    int number;
    char words[16];
};

static struct parcel parcel(int number)
{
    return (struct parcel){.number = number, .words = "a few words"};
}

static void items_come_out_in_the_order_they_went_in(void **state)
{
    static const size_t capacities[] = {3, 10, WEFT_UNBOUNDED};

    (void)state;
    for (size_t kind = 0; kind < 3; kind++) {
        weft_channel channel;

        assert_int_equal(weft_channel_init(&channel, sizeof(struct parcel), capacities[kind]), 0);
        for (int round = 0; round < 5; round++) {
            struct parcel got = parcel(0), first = parcel(10 * round + 1), second = parcel(2);

            assert_int_equal(weft_send(&channel, &first), 0);
            assert_int_equal(weft_try_send(&channel, &second), 0);
            assert_int_equal(weft_channel_count(&channel), 2);
            assert_int_equal(weft_receive(&channel, &got), 1);
            assert_memory_equal(&got, &first, sizeof got);
            assert_int_equal(weft_try_receive(&channel, &got), 1);
            assert_memory_equal(&got, &second, sizeof got);
        }
        weft_channel_destroy(&channel);
    }
}

static void a_full_channel_takes_no_more_and_an_empty_one_has_none(void **state)
{
    weft_channel channel;
    int got = 77;

    (void)state;
    assert_int_equal(weft_channel_init(&channel, sizeof(int), 2), 0);
    assert_int_equal(weft_try_receive(&channel, &got), -EAGAIN);
    assert_int_equal(weft_try_send(&channel, &(int){1}), 0);
    assert_int_equal(weft_try_send(&channel, &(int){2}), 0);
    assert_int_equal(weft_try_send(&channel, &(int){3}), -EAGAIN);
    assert_int_equal(got, 77);
    assert_int_equal(drain(&channel), 12);
    weft_channel_destroy(&channel);
}

static void nobody_sends_into_a_rendezvous_where_nobody_waits(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    int got = 77;

    (void)state;
    assert_int_equal(weft_try_send(&channel, &(int){1}), -EAGAIN);
    assert_int_equal(weft_try_receive(&channel, &got), -EAGAIN);
    assert_int_equal(got, 77);
    assert_int_equal(weft_channel_count(&channel), 0);
}

static void items_of_no_bytes_are_counted(void **state)
{
    static const size_t capacities[] = {3, WEFT_UNBOUNDED};

    (void)state;
    for (size_t kind = 0; kind < 2; kind++) {
        weft_channel channel;

        assert_int_equal(weft_channel_init(&channel, 0, capacities[kind]), 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(weft_send(&channel, NULL), 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(weft_receive(&channel, NULL), 1);
        assert_int_equal(weft_try_receive(&channel, NULL), -EAGAIN);
        weft_channel_destroy(&channel);
    }
}

static void an_unbounded_channel_grows_and_shrinks_and_keeps_the_order(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_UNBOUNDED(struct parcel);
    int next_in = 0, next_out = 0;
    struct parcel got;

    (void)state;
    for (int round = 1; round < 40; round++) {
        for (int i = 0; i < 97 * (round % 7); i++) {
            struct parcel item = parcel(next_in++);

            assert_int_equal(weft_try_send(&channel, &item), 0);
        }
        for (int i = 0; i < 89 * (round % 6) && next_out < next_in; i++) {
            assert_int_equal(weft_try_receive(&channel, &got), 1);
            assert_int_equal(got.number, next_out++);
        }
    }
    for (; next_out < next_in; next_out++) {
        assert_int_equal(weft_try_receive(&channel, &got), 1);
        assert_int_equal(got.number, next_out);
    }
    assert_int_equal(weft_try_receive(&channel, &got), -EAGAIN);
    weft_channel_destroy(&channel);
}

static int allocations;

static int count_allocations(const char *call)
{
    allocations += strcmp(call, "alloc") == 0;
    return 0;
}

static void an_unbounded_channel_that_is_drained_in_time_allocates_once(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_UNBOUNDED(int);
    int failed = 0, got;

    (void)state;
    allocations = 0;
    weft__sys_fault = count_allocations;
    for (int i = 0; i < 5000; i++)
        failed += weft_try_send(&channel, &i) != 0 || weft_try_receive(&channel, &got) != 1;
    weft__sys_fault = NULL;
    assert_int_equal(failed, 0);
    assert_int_equal(allocations, 1);
    weft_channel_destroy(&channel);
}

static int no_memory(const char *call) { return strcmp(call, "alloc") == 0 ? -ENOMEM : 0; }

static void without_memory_an_unbounded_send_fails_and_the_channel_goes_on(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_UNBOUNDED(int);
    int rc = 0, sent = 0;

    (void)state;
    weft__sys_fault = no_memory;
    int first = weft_send(&channel, &(int){1});
    weft__sys_fault = NULL;
    assert_int_equal(first, -ENOMEM);
    assert_int_equal(weft_channel_count(&channel), 0);

    assert_int_equal(weft_send(&channel, &sent), 0);
    weft__sys_fault = no_memory;
    while (rc == 0 && sent < 100000) {
        sent++;
        rc = weft_try_send(&channel, &sent);
    }
    weft__sys_fault = NULL;
    assert_int_equal(rc, -ENOMEM);
    assert_int_equal(weft_channel_count(&channel), sent);
    assert_int_equal(weft_send(&channel, &sent), 0);
    for (int i = 0, got; i <= sent; i++) {
        assert_int_equal(weft_receive(&channel, &got), 1);
        assert_int_equal(got, i);
    }
    weft_channel_destroy(&channel);
}

static void a_channel_that_cannot_be_set_up_says_why(void **state)
{
    weft_channel channel;

    (void)state;
    assert_int_equal(weft_channel_init(&channel, 8, SIZE_MAX / 8), -EINVAL);
    assert_int_equal(weft_channel_init(&channel, SIZE_MAX, 2), -EINVAL);
    assert_int_equal(weft_channel_init(&channel, 0, SIZE_MAX - 1), -EINVAL);
    assert_int_equal(weft_channel_init(&channel, SIZE_MAX / 2, WEFT_UNBOUNDED), -EINVAL);
    weft__sys_fault = no_memory;
    int rc = weft_channel_init(&channel, 8, 8);
    weft__sys_fault = NULL;
    assert_int_equal(rc, -ENOMEM);
    weft_channel_destroy(NULL);
}

static void a_static_channel_lives_in_its_array(void **state)
{
    static int room[3];
    static weft_channel channel = WEFT_CHANNEL_INIT(room);

    (void)state;
    for (int i = 1; i <= 3; i++)
        assert_int_equal(weft_try_send(&channel, &i), 0);
    assert_int_equal(weft_try_send(&channel, &(int){4}), -EAGAIN);
    assert_int_equal(room[2], 3);
    assert_int_equal(drain(&channel), 123);
    weft_channel_destroy(&channel);
    assert_int_equal(weft_try_send(&channel, &(int){5}), -EPIPE);
}

/* --- closing and stopping ---------------------------------------------------------------------- */

static void a_closed_channel_takes_nothing_and_gives_what_is_left(void **state)
{
    static const size_t capacities[] = {3, WEFT_UNBOUNDED};

    (void)state;
    for (size_t kind = 0; kind < 2; kind++) {
        weft_channel channel;
        int got = 0;

        assert_int_equal(weft_channel_init(&channel, sizeof(int), capacities[kind]), 0);
        assert_int_equal(weft_send(&channel, &(int){1}), 0);
        assert_int_equal(weft_send(&channel, &(int){2}), 0);
        weft_channel_close(&channel);
        weft_channel_close(&channel);
        assert_int_equal(weft_send(&channel, &(int){3}), -EPIPE);
        assert_int_equal(weft_try_send(&channel, &(int){3}), -EPIPE);
        assert_int_equal(weft_receive(&channel, &got), 1);
        assert_int_equal(got, 1);
        assert_int_equal(weft_try_receive(&channel, &got), 1);
        assert_int_equal(got, 2);
        assert_int_equal(weft_receive(&channel, &got), 0);
        assert_int_equal(weft_try_receive(&channel, &got), 0);
        weft_channel_destroy(&channel);
    }
}

#define DROPS_MOST 3000

static weft_channel *stopped; /* drop_item looks into it: it may call the channel */
static int drops, drop_order_bad, drop_calls_bad;

static void drop_item(void *item)
{
    int number, got;

    memcpy(&number, item, sizeof number);
    drop_order_bad += number != drops;
    drops++;
    drop_calls_bad += weft_try_receive(stopped, &got) != 0;
    drop_calls_bad += weft_try_send(stopped, &got) != -EPIPE;
}

/* Sends `items` numbers and stops the channel, twice; each must be dropped once, in order. */
static void send_and_stop(weft_channel *channel, int items)
{
    int got = 77;

    for (int i = 0; i < items; i++)
        assert_int_equal(weft_try_send(channel, &i), 0);
    stopped = channel;
    drops = drop_order_bad = drop_calls_bad = 0;
    weft_channel_stop(channel, drop_item);
    weft_channel_stop(channel, drop_item);
    weft_channel_close(channel);

    assert_int_equal(drops, items);
    assert_int_equal(drop_order_bad, 0);
    assert_int_equal(drop_calls_bad, 0);
    assert_int_equal(weft_send(channel, &got), -EPIPE);
    assert_int_equal(weft_receive(channel, &got), 0);
    assert_int_equal(got, 77);
    weft_channel_destroy(channel);
}

static void stopping_drops_each_item_left_exactly_once(void **state)
{
    int room[4];
    weft_channel in_array = WEFT_CHANNEL_INIT(room);
    weft_channel bounded, unbounded = WEFT_CHANNEL_INIT_UNBOUNDED(int);

    (void)state;
    assert_int_equal(weft_channel_init(&bounded, sizeof(int), 5), 0);
    send_and_stop(&in_array, 4);
    send_and_stop(&bounded, 3);
    send_and_stop(&unbounded, DROPS_MOST);
}

static void what_was_closed_and_not_drained_is_dropped_by_stopping(void **state)
{
    weft_channel channel;

    (void)state;
    assert_int_equal(weft_channel_init(&channel, sizeof(int), 5), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(weft_send(&channel, &i), 0);
    weft_channel_close(&channel);
    stopped = &channel;
    drops = drop_order_bad = drop_calls_bad = 0;
    weft_channel_stop(&channel, drop_item);
    assert_int_equal(drops, 2);
    assert_int_equal(drop_order_bad + drop_calls_bad, 0);
    weft_channel_destroy(&channel);
}

static void stopping_without_a_drop_function_forgets_the_items(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_UNBOUNDED(int);
    int got;

    (void)state;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(weft_send(&channel, &i), 0);
    weft_channel_stop(&channel, NULL);
    assert_int_equal(weft_receive(&channel, &got), 0);
    assert_int_equal(weft_channel_count(&channel), 0);
    weft_channel_destroy(&channel);
}

/* --- lines of waiters --------------------------------------------------------------------------- */

struct line {
    weft_channel channel;
    int status[WAITERS];
    int got[WAITERS];
    int tried;
    weft_future future[WAITERS];
};

struct place {
    struct line *line;
    int number;
};

static int send_own(void *arg)
{
    struct place *place = arg;
    int item = place->number + 1;

    place->line->status[place->number] = weft_send(&place->line->channel, &item);
    item = 99; /* it must have been copied */
    return item - 99;
}

static int receive_own(void *arg)
{
    struct place *place = arg;
    struct line *line = place->line;

    line->status[place->number] = weft_receive(&line->channel, &line->got[place->number]);
    return 0;
}

/* Spawns the waiters so that they stand in line in the order of their numbers. */
static void form_line(struct line *line, weft_fn fn)
{
    for (int i = 0; i < WAITERS; i++) {
        line->future[i] = weft_spawn_val(fn, ((struct place){line, i}));
        if (fn == send_own)
            until_sending(i + 1, &line->channel);
        else
            until_receiving(i + 1, &line->channel);
    }
}

/* Runs the program on a channel of that capacity. */
static int run_line(int workers, size_t capacity, weft_fn program, struct line *line)
{
    *line = (struct line){.tried = 0};
    int rc = weft_channel_init(&line->channel, sizeof(int), capacity);
    if (rc < 0)
        return rc;
    rc = check_run(workers, program, line);
    weft_channel_destroy(&line->channel);
    return rc;
}

static int send_to_those_who_wait(void *arg)
{
    struct line *line = arg;

    form_line(line, receive_own);
    for (int i = 0; i < WAITERS; i++) {
        int item = i + 1, stolen;
        int rc = weft_try_send(&line->channel, &item);
        if (rc < 0)
            return rc;
        line->tried += weft_try_receive(&line->channel, &stolen) == -EAGAIN;
    }
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void an_item_belongs_to_the_one_who_has_waited_longest(void **state)
{
    static const size_t capacities[] = {0, 1, WEFT_UNBOUNDED};

    (void)state;
    CHECK_WORKERS(n) {
        for (size_t kind = 0; kind < 3; kind++) {
            struct line line;

            int rc = run_line(n, capacities[kind], send_to_those_who_wait, &line);

            assert_int_equal(rc, 0);
            assert_int_equal(line.tried, WAITERS);
            for (int i = 0; i < WAITERS; i++) {
                assert_int_equal(line.status[i], 1);
                assert_int_equal(line.got[i], i + 1);
            }
        }
    }
}

static int receive_from_those_who_wait(void *arg)
{
    struct line *line = arg;

    if (line->channel.weft__capacity) {
        int rc = weft_try_send(&line->channel, &(int){9});
        if (rc < 0)
            return rc;
    }
    form_line(line, send_own);
    line->tried = drain(&line->channel);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void sends_that_wait_go_in_in_the_order_of_arrival(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        for (size_t capacity = 0; capacity <= 1; capacity++) {
            struct line line;

            int rc = run_line(n, capacity, receive_from_those_who_wait, &line);

            assert_int_equal(rc, 0);
            assert_int_equal(line.tried, capacity ? 912345 : 12345);
            for (int i = 0; i < WAITERS; i++)
                assert_int_equal(line.status[i], 0);
        }
    }
}

static int free_one_place(void *arg)
{
    struct line *line = arg;
    int got;

    int rc = weft_try_send(&line->channel, &(int){9});
    if (rc < 0)
        return rc;
    form_line(line, send_own);
    rc = weft_try_receive(&line->channel, &got);
    line->tried = weft_try_send(&line->channel, &(int){8}); /* the room is the first one's */
    weft_channel_stop(&line->channel, NULL);
    return rc < 0 ? rc : weft_gather_n(line->future, WAITERS, NULL);
}

static void room_belongs_to_the_one_who_has_waited_longest(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line;

        int rc = run_line(n, 1, free_one_place, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.tried, -EAGAIN);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(line.status[i], i == 0 ? 0 : -EPIPE);
    }
}

static int cancel_sends(void *arg)
{
    struct line *line = arg;

    if (line->channel.weft__capacity) {
        int rc = weft_try_send(&line->channel, &(int){9});
        if (rc < 0)
            return rc;
    }
    form_line(line, send_own);
    (void)weft_cancel(line->future[0]);
    (void)weft_cancel(line->future[3]);
    line->tried = drain(&line->channel);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void cancelled_sends_send_nothing_and_leave_the_order(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        for (size_t capacity = 0; capacity <= 1; capacity++) {
            struct line line;

            int rc = run_line(n, capacity, cancel_sends, &line);

            assert_int_equal(rc, 0);
            assert_int_equal(line.tried, capacity ? 9235 : 235);
            for (int i = 0; i < WAITERS; i++)
                assert_int_equal(line.status[i], i == 0 || i == 3 ? -ECANCELED : 0);
        }
    }
}

static int cancel_receives(void *arg)
{
    struct line *line = arg;

    form_line(line, receive_own);
    for (int i = 0; i < WAITERS; i++) {
        if (i != 1)
            (void)weft_cancel(line->future[i]);
    }
    for (int i = 1; i <= 2; i++)
        line->tried = weft_try_send(&line->channel, &i);
    if (line->tried == 0)
        line->tried = drain(&line->channel);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void cancelled_receives_take_nothing(void **state)
{
    static const size_t capacities[] = {0, 1, WEFT_UNBOUNDED};

    (void)state;
    CHECK_WORKERS(n) {
        for (size_t kind = 0; kind < 3; kind++) {
            struct line line;

            int rc = run_line(n, capacities[kind], cancel_receives, &line);

            assert_int_equal(rc, 0);
            assert_int_equal(line.tried, kind ? 2 : -EAGAIN);
            for (int i = 0; i < WAITERS; i++) {
                assert_int_equal(line.status[i], i == 1 ? 1 : -ECANCELED);
                assert_int_equal(line.got[i], i == 1 ? 1 : 0);
            }
        }
    }
}

static int close_before_receivers(void *arg)
{
    struct line *line = arg;

    form_line(line, receive_own);
    weft_channel_close(&line->channel);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static int stop_before_receivers(void *arg)
{
    struct line *line = arg;

    form_line(line, receive_own);
    weft_channel_stop(&line->channel, NULL);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void the_end_of_a_channel_ends_the_receives_that_wait_with_0(void **state)
{
    static const size_t capacities[] = {0, 1, WEFT_UNBOUNDED};

    (void)state;
    CHECK_WORKERS(n) {
        for (size_t kind = 0; kind < 6; kind++) {
            struct line line;

            int rc = run_line(n, capacities[kind % 3],
                              kind < 3 ? close_before_receivers : stop_before_receivers, &line);

            assert_int_equal(rc, 0);
            for (int i = 0; i < WAITERS; i++) {
                assert_int_equal(line.status[i], 0);
                assert_int_equal(line.got[i], 0);
            }
        }
    }
}

static int close_before_senders(void *arg)
{
    struct line *line = arg;

    if (line->channel.weft__capacity) {
        int rc = weft_try_send(&line->channel, &(int){9});
        if (rc < 0)
            return rc;
    }
    form_line(line, send_own);
    weft_channel_close(&line->channel);
    line->tried = drain(&line->channel);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void closing_ends_the_sends_that_wait_with_epipe(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        for (size_t capacity = 0; capacity <= 1; capacity++) {
            struct line line;

            int rc = run_line(n, capacity, close_before_senders, &line);

            assert_int_equal(rc, 0);
            assert_int_equal(line.tried, capacity ? 9 : 0);
            for (int i = 0; i < WAITERS; i++)
                assert_int_equal(line.status[i], -EPIPE);
        }
    }
}

static _Atomic int dropped_sum;

static void drop_and_add(void *item) { atomic_fetch_add(&dropped_sum, *(int *)item); }

static int stop_before_senders(void *arg)
{
    struct line *line = arg;

    if (line->channel.weft__capacity) {
        int rc = weft_try_send(&line->channel, &(int){9});
        if (rc < 0)
            return rc;
    }
    form_line(line, send_own);
    weft_channel_stop(&line->channel, drop_and_add);
    line->tried = drain(&line->channel);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void stopping_ends_the_sends_that_wait_and_leaves_them_their_items(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        for (size_t capacity = 0; capacity <= 1; capacity++) {
            struct line line;

            dropped_sum = 0;
            int rc = run_line(n, capacity, stop_before_senders, &line);

            assert_int_equal(rc, 0);
            assert_int_equal(line.tried, 0);
            assert_int_equal(dropped_sum, capacity ? 9 : 0);
            for (int i = 0; i < WAITERS; i++)
                assert_int_equal(line.status[i], -EPIPE);
        }
    }
}

/* --- cancelled callers and time-outs ------------------------------------------------------------- */

static int send_and_receive_when_cancelled(void *arg)
{
    struct line *line = arg;

    (void)weft_cancel(weft_self());
    line->status[0] = weft_send(&line->channel, &(int){1});
    line->tried = drain(&line->channel);
    int rc = weft_try_send(&line->channel, &(int){2});
    line->status[1] = weft_receive(&line->channel, &line->got[1]);
    return rc < 0 ? rc : drain(&line->channel);
}

static void a_cancelled_task_neither_sends_nor_receives(void **state)
{
    static const size_t capacities[] = {1, WEFT_UNBOUNDED};

    (void)state;
    for (size_t kind = 0; kind < 2; kind++) {
        struct line line;

        int rc = run_line(1, capacities[kind], send_and_receive_when_cancelled, &line);

        assert_int_equal(line.status[0], -ECANCELED);
        assert_int_equal(line.tried, 0);
        assert_int_equal(line.status[1], -ECANCELED);
        assert_int_equal(rc, 2);
    }
}

static int hand_over_and_cancel(void *arg)
{
    struct line *line = arg;

    line->future[0] = weft_spawn_val(receive_own, ((struct place){line, 0}));
    until_receiving(1, &line->channel);
    int rc = weft_try_send(&line->channel, &(int){7});
    (void)weft_cancel(line->future[0]); /* it has the item already */
    return rc < 0 ? rc : weft_await(line->future[0]);
}

static void who_was_given_an_item_before_the_cancel_has_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line;

        int rc = run_line(n, 0, hand_over_and_cancel, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.status[0], 1);
        assert_int_equal(line.got[0], 7);
    }
}

static int receive_from(void *arg)
{
    struct line *line = arg;

    return weft_receive(&line->channel, &line->got[0]);
}

static int send_into(void *arg)
{
    struct line *line = arg;

    return weft_send(&line->channel, &(int){8});
}

static int wait_a_millisecond_each(void *arg)
{
    struct line *line = arg;

    line->status[0] = weft_timeout(weft_ms(1), receive_from, line);
    while (weft_try_send(&line->channel, &(int){7}) == 0)
        ;
    line->status[1] = weft_timeout(weft_ms(1), send_into, line);
    line->tried = drain(&line->channel);
    return 0;
}

static void a_time_out_ends_a_receive_and_a_send_that_wait(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        for (size_t capacity = 0; capacity <= 1; capacity++) {
            struct line line;

            int rc = run_line(n, capacity, wait_a_millisecond_each, &line);

            assert_int_equal(rc, 0);
            assert_int_equal(line.status[0], -ETIMEDOUT);
            assert_int_equal(line.status[1], -ETIMEDOUT);
            assert_int_equal(line.tried, capacity ? 7 : 0);
        }
    }
}

/* --- tasks, jobs and threads --------------------------------------------------------------------- */

struct pair {
    weft_channel there, back;
    int wrong;
};

#define ROUNDS 200

static int echo(void *arg)
{
    struct pair *pair = arg;
    int got, rc;

    while ((rc = weft_receive(&pair->there, &got)) == 1) {
        rc = weft_send(&pair->back, &got);
        if (rc < 0)
            return rc;
    }
    weft_channel_close(&pair->back);
    return rc;
}

static int ask(void *arg)
{
    struct pair *pair = arg;

    for (int i = 0, got = -1; i < ROUNDS; i++) {
        int rc = weft_send(&pair->there, &i);
        if (rc == 0)
            rc = weft_receive(&pair->back, &got);
        if (rc < 0)
            return rc;
        pair->wrong += got != i;
    }
    weft_channel_close(&pair->there);
    return weft_receive(&pair->back, &(int){0});
}

static void *echo_in_thread(void *arg)
{
    return (void *)(intptr_t)echo(arg); /* NOLINT: a small number */
}

static int ask_a_job(void *arg)
{
    return weft_gather(weft_spawn(ask, arg), weft_offload(weft_cpu(), echo, arg));
}

static void tasks_jobs_and_threads_send_to_each_other(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        for (size_t capacity = 0; capacity <= 1; capacity++) {
            struct pair pair = {.wrong = 0};
            void *status = (void *)1;
            pthread_t thread;

            for (int with_thread = 0; with_thread < 2; with_thread++) {
                assert_int_equal(weft_channel_init(&pair.there, sizeof(int), capacity), 0);
                assert_int_equal(weft_channel_init(&pair.back, sizeof(int), capacity), 0);
                if (with_thread)
                    assert_int_equal(pthread_create(&thread, NULL, echo_in_thread, &pair), 0);
                assert_int_equal(check_run(n, with_thread ? ask : ask_a_job, &pair), 0);
                if (with_thread) {
                    assert_int_equal(pthread_join(thread, &status), 0);
                    assert_null(status);
                }
                weft_channel_destroy(&pair.there);
                weft_channel_destroy(&pair.back);
            }
            assert_int_equal(pair.wrong, 0);
        }
    }
}

static void threads_need_no_runtime_to_meet(void **state)
{
    struct pair pair = {.there = WEFT_CHANNEL_INIT_RENDEZVOUS(int),
                        .back = WEFT_CHANNEL_INIT_RENDEZVOUS(int)};
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, echo_in_thread, &pair), 0);
    int rc = ask(&pair);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(rc, 0);
    assert_int_equal(pair.wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_they_went_in),
        cmocka_unit_test(a_full_channel_takes_no_more_and_an_empty_one_has_none),
        cmocka_unit_test(nobody_sends_into_a_rendezvous_where_nobody_waits),
        cmocka_unit_test(items_of_no_bytes_are_counted),
        cmocka_unit_test(an_unbounded_channel_grows_and_shrinks_and_keeps_the_order),
        cmocka_unit_test(an_unbounded_channel_that_is_drained_in_time_allocates_once),
        cmocka_unit_test(without_memory_an_unbounded_send_fails_and_the_channel_goes_on),
        cmocka_unit_test(a_channel_that_cannot_be_set_up_says_why),
        cmocka_unit_test(a_static_channel_lives_in_its_array),
        cmocka_unit_test(a_closed_channel_takes_nothing_and_gives_what_is_left),
        cmocka_unit_test(stopping_drops_each_item_left_exactly_once),
        cmocka_unit_test(what_was_closed_and_not_drained_is_dropped_by_stopping),
        cmocka_unit_test(stopping_without_a_drop_function_forgets_the_items),
        cmocka_unit_test(an_item_belongs_to_the_one_who_has_waited_longest),
        cmocka_unit_test(sends_that_wait_go_in_in_the_order_of_arrival),
        cmocka_unit_test(room_belongs_to_the_one_who_has_waited_longest),
        cmocka_unit_test(cancelled_sends_send_nothing_and_leave_the_order),
        cmocka_unit_test(cancelled_receives_take_nothing),
        cmocka_unit_test(the_end_of_a_channel_ends_the_receives_that_wait_with_0),
        cmocka_unit_test(closing_ends_the_sends_that_wait_with_epipe),
        cmocka_unit_test(stopping_ends_the_sends_that_wait_and_leaves_them_their_items),
        cmocka_unit_test(a_cancelled_task_neither_sends_nor_receives),
        cmocka_unit_test(who_was_given_an_item_before_the_cancel_has_it),
        cmocka_unit_test(a_time_out_ends_a_receive_and_a_send_that_wait),
        cmocka_unit_test(tasks_jobs_and_threads_send_to_each_other),
        cmocka_unit_test(threads_need_no_runtime_to_meet),
    };
    return CHECK_GROUP(tests);
}
