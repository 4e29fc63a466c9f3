/*
 * channel_line_test - who waits to send or to receive: in order, until cancelled or sent away.
 */
#include <errno.h>
#include <pthread.h>

#include "check.h"
#include "drain.h"
#include "waiting.h"

#define WAITERS 5

static const size_t capacities[] = {0, 1, WEFT_UNBOUNDED};

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

/* The senders wait behind a 9 in the channel, if it has room for one. */
static int form_line_of_senders(struct line *line)
{
    int rc = line->channel.weft__capacity ? weft_try_send(&line->channel, &(int){9}) : 0;

    if (rc == 0)
        form_line(line, send_own);
    return rc;
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

    int rc = form_line_of_senders(line);
    if (rc < 0)
        return rc;
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

    int rc = form_line_of_senders(line);
    if (rc < 0)
        return rc;
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

    int rc = form_line_of_senders(line);
    if (rc < 0)
        return rc;
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

    int rc = form_line_of_senders(line);
    if (rc < 0)
        return rc;
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

    int rc = form_line_of_senders(line);
    if (rc < 0)
        return rc;
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
    (void)state;
    for (size_t kind = 1; kind < 3; kind++) {
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
