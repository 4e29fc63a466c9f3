/*
 * channel_test - what a channel holds: in order, until it is closed or stopped.
 */
#include <errno.h>
#include <string.h>

#include "check.h"
#include "core/sys.h"
#include "drain.h"

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

static void a_bounded_channel_is_filled_again_wherever_its_first_item_is(void **state)
{
    weft_channel channel;

    (void)state;
    assert_int_equal(weft_channel_init(&channel, sizeof(int), 4), 0);
    for (int gone = 0; gone < 9; gone++) {
        for (int i = 1; i <= 4; i++)
            assert_int_equal(weft_try_send(&channel, &i), 0);
        assert_int_equal(weft_try_send(&channel, &(int){5}), -EAGAIN);
        assert_int_equal(drain(&channel), 1234);
        assert_int_equal(weft_try_send(&channel, &gone), 0); /* the next round begins elsewhere */
        assert_int_equal(drain(&channel), gone);
    }
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
    assert_non_null(strstr(weft_why(), "items of 8 bytes"));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_they_went_in),
        cmocka_unit_test(a_full_channel_takes_no_more_and_an_empty_one_has_none),
        cmocka_unit_test(a_bounded_channel_is_filled_again_wherever_its_first_item_is),
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
    };
    return CHECK_GROUP(tests);
}
