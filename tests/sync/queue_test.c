/*
 * queue_test - every item arrives once, in order, or stays with who wanted to put it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/sys.h"
#include "waiting.h"

/* Items are small numbers in the clothes of pointers. */
static void *item(uintptr_t number) { return (void *)number; } /* NOLINT: never dereferenced */
static uintptr_t number(void *item) { return (uintptr_t)item; }

static void items_come_out_in_the_order_they_went_in(void **state)
{
    weft_queue queue;
    void *got = NULL;

    (void)state;
    assert_int_equal(weft_queue_init(&queue, 3), 0);
    for (uintptr_t round = 0; round < 5; round++) {
        assert_int_equal(weft_queue_put(&queue, item(10 * round + 1)), 0);
        assert_int_equal(weft_queue_try_put(&queue, item(10 * round + 2)), 0);
        assert_int_equal(weft_queue_get(&queue, &got), 1);
        assert_int_equal(number(got), 10 * round + 1);
        assert_int_equal(weft_queue_try_get(&queue, &got), 1);
        assert_int_equal(number(got), 10 * round + 2);
    }
    weft_queue_destroy(&queue);
}

static void a_full_queue_takes_no_more_and_an_empty_one_has_none(void **state)
{
    weft_queue queue;
    void *got = item(77);

    (void)state;
    assert_int_equal(weft_queue_init(&queue, 2), 0);
    assert_int_equal(weft_queue_try_get(&queue, &got), -EAGAIN);
    assert_int_equal(weft_queue_try_put(&queue, item(1)), 0);
    assert_int_equal(weft_queue_try_put(&queue, NULL), 0);
    assert_int_equal(weft_queue_try_put(&queue, item(3)), -EAGAIN);
    assert_int_equal(number(got), 77);
    assert_int_equal(weft_queue_try_get(&queue, &got), 1);
    assert_int_equal(number(got), 1);
    assert_int_equal(weft_queue_try_get(&queue, &got), 1);
    assert_null(got);
    weft_queue_destroy(&queue);
}

static void a_closed_queue_takes_nothing_and_gives_what_is_left(void **state)
{
    weft_queue queue;
    void *got = NULL;

    (void)state;
    assert_int_equal(weft_queue_init(&queue, 3), 0);
    assert_int_equal(weft_queue_put(&queue, item(1)), 0);
    assert_int_equal(weft_queue_put(&queue, item(2)), 0);
    weft_queue_close(&queue);
    weft_queue_close(&queue);
    assert_int_equal(weft_queue_put(&queue, item(3)), -EPIPE);
    assert_int_equal(weft_queue_try_put(&queue, item(3)), -EPIPE);
    assert_int_equal(weft_queue_get(&queue, &got), 1);
    assert_int_equal(number(got), 1);
    assert_int_equal(weft_queue_try_get(&queue, &got), 1);
    assert_int_equal(number(got), 2);
    assert_int_equal(weft_queue_get(&queue, &got), 0);
    assert_int_equal(weft_queue_try_get(&queue, &got), 0);
    weft_queue_destroy(&queue);
}

static int no_memory(const char *call) { return strcmp(call, "alloc") == 0 ? -ENOMEM : 0; }

static void a_queue_that_cannot_be_set_up_says_why(void **state)
{
    weft_queue queue;

    (void)state;
    assert_int_equal(weft_queue_init(&queue, 0), -EINVAL);
    assert_int_equal(weft_queue_init(&queue, SIZE_MAX), -EINVAL);
    assert_int_equal(weft_queue_init(&queue, SIZE_MAX / sizeof(void *)), -EINVAL);
    weft__sys_fault = no_memory;
    int rc = weft_queue_init(&queue, 8);
    weft__sys_fault = NULL;
    assert_int_equal(rc, -ENOMEM);
    weft_queue_destroy(NULL);
}

#define WAITERS 5

struct line {
    weft_queue queue;
    int status[WAITERS];
    void *got[WAITERS];
    int tried;
    weft_future future[WAITERS];
};

struct place {
    struct line *line;
    int number;
};

static int put_own(void *arg)
{
    struct place *place = arg;
    struct line *line = place->line;

    line->status[place->number] = weft_queue_put(&line->queue, item((uintptr_t)place->number + 1));
    return 0;
}

static int get_own(void *arg)
{
    struct place *place = arg;
    struct line *line = place->line;

    line->status[place->number] = weft_queue_get(&line->queue, &line->got[place->number]);
    return 0;
}

/* Spawns the waiters so that they queue in the order of their numbers. */
static void form_line(struct line *line, weft_fn fn)
{
    for (int i = 0; i < WAITERS; i++) {
        line->future[i] = weft_spawn_val(fn, ((struct place){line, i}));
        if (fn == put_own)
            until_putting(i + 1, &line->queue);
        else
            until_getting(i + 1, &line->queue);
    }
}

/* Runs the program on a queue with room for one. */
static int run_line(int workers, weft_fn program, struct line *line)
{
    *line = (struct line){.tried = 0};
    int rc = weft_queue_init(&line->queue, 1);
    if (rc < 0)
        return rc;
    rc = check_run(workers, program, line);
    weft_queue_destroy(&line->queue);
    return rc;
}

static int put_to_those_who_wait(void *arg)
{
    struct line *line = arg;

    form_line(line, get_own);
    for (uintptr_t i = 0; i < WAITERS; i++) {
        void *stolen;
        int rc = weft_queue_try_put(&line->queue, item(i + 1));
        if (rc < 0)
            return rc;
        line->tried += weft_queue_try_get(&line->queue, &stolen) == -EAGAIN;
    }
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void an_item_belongs_to_the_one_who_has_waited_longest(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line;

        int rc = run_line(n, put_to_those_who_wait, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.tried, WAITERS);
        for (uintptr_t i = 0; i < WAITERS; i++) {
            assert_int_equal(line.status[i], 1);
            assert_int_equal(number(line.got[i]), i + 1);
        }
    }
}

/* Takes all that is there; returns the numbers as digits, in order. */
static int drain(weft_queue *queue)
{
    void *got;
    int digits = 0;

    while (weft_queue_try_get(queue, &got) == 1)
        digits = 10 * digits + (int)number(got);
    return digits;
}

static int get_from_those_who_wait(void *arg)
{
    struct line *line = arg;

    int rc = weft_queue_try_put(&line->queue, item(9));
    if (rc < 0)
        return rc;
    form_line(line, put_own);
    line->tried = drain(&line->queue);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void puts_that_wait_go_in_in_the_order_of_arrival(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line;

        int rc = run_line(n, get_from_those_who_wait, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.tried, 912345);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(line.status[i], 0);
    }
}

static int cancel_puts(void *arg)
{
    struct line *line = arg;

    int rc = weft_queue_try_put(&line->queue, item(9));
    if (rc < 0)
        return rc;
    form_line(line, put_own);
    (void)weft_cancel(line->future[0]);
    (void)weft_cancel(line->future[3]);
    line->tried = drain(&line->queue);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void cancelled_puts_put_nothing_and_leave_the_order(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line;

        int rc = run_line(n, cancel_puts, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.tried, 9235);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(line.status[i], i == 0 || i == 3 ? -ECANCELED : 0);
    }
}

static int cancel_gets(void *arg)
{
    struct line *line = arg;

    form_line(line, get_own);
    for (int i = 0; i < WAITERS; i++) {
        if (i != 1)
            (void)weft_cancel(line->future[i]);
    }
    for (uintptr_t i = 1; i <= 2; i++) {
        int rc = weft_queue_try_put(&line->queue, item(i));
        if (rc < 0)
            return rc;
    }
    line->tried = drain(&line->queue);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void cancelled_gets_take_nothing(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line;

        int rc = run_line(n, cancel_gets, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.tried, 2);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(line.status[i], i == 1 ? 1 : -ECANCELED);
        assert_int_equal(number(line.got[1]), 1);
    }
}

static int close_before_getters(void *arg)
{
    struct line *line = arg;

    form_line(line, get_own);
    weft_queue_close(&line->queue);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static int close_before_putters(void *arg)
{
    struct line *line = arg;

    int rc = weft_queue_try_put(&line->queue, item(9));
    if (rc < 0)
        return rc;
    form_line(line, put_own);
    weft_queue_close(&line->queue);
    line->tried = drain(&line->queue);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void closing_ends_the_gets_that_wait_with_0(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line;

        int rc = run_line(n, close_before_getters, &line);

        assert_int_equal(rc, 0);
        for (int i = 0; i < WAITERS; i++) {
            assert_int_equal(line.status[i], 0);
            assert_null(line.got[i]);
        }
    }
}

static void closing_ends_the_puts_that_wait_with_epipe(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line;

        int rc = run_line(n, close_before_putters, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.tried, 9);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(line.status[i], -EPIPE);
    }
}

static int put_and_get_when_cancelled(void *arg)
{
    struct line *line = arg;

    (void)weft_cancel(weft_self());
    line->status[0] = weft_queue_put(&line->queue, item(1));
    line->tried = drain(&line->queue);
    int rc = weft_queue_try_put(&line->queue, item(2));
    line->status[1] = weft_queue_get(&line->queue, &line->got[1]);
    return rc < 0 ? rc : drain(&line->queue);
}

static void a_cancelled_task_neither_puts_nor_gets(void **state)
{
    struct line line;

    (void)state;
    int rc = run_line(1, put_and_get_when_cancelled, &line);

    assert_int_equal(line.status[0], -ECANCELED);
    assert_int_equal(line.tried, 0);
    assert_int_equal(line.status[1], -ECANCELED);
    assert_int_equal(rc, 2);
}

static int get_from(void *arg)
{
    struct line *line = arg;

    return weft_queue_get(&line->queue, &line->got[0]);
}

static int put_into(void *arg)
{
    struct line *line = arg;

    return weft_queue_put(&line->queue, item(8));
}

static int get_and_put_a_millisecond(void *arg)
{
    struct line *line = arg;

    line->status[0] = weft_timeout(weft_ms(1), get_from, line);
    int rc = weft_queue_try_put(&line->queue, item(7));
    line->status[1] = weft_timeout(weft_ms(1), put_into, line);
    line->tried = drain(&line->queue);
    return rc;
}

static void a_time_out_ends_a_get_and_a_put_that_wait(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line;

        int rc = run_line(n, get_and_put_a_millisecond, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.status[0], -ETIMEDOUT);
        assert_int_equal(line.status[1], -ETIMEDOUT);
        assert_int_equal(line.tried, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_they_went_in),
        cmocka_unit_test(a_full_queue_takes_no_more_and_an_empty_one_has_none),
        cmocka_unit_test(a_closed_queue_takes_nothing_and_gives_what_is_left),
        cmocka_unit_test(a_queue_that_cannot_be_set_up_says_why),
        cmocka_unit_test(an_item_belongs_to_the_one_who_has_waited_longest),
        cmocka_unit_test(puts_that_wait_go_in_in_the_order_of_arrival),
        cmocka_unit_test(cancelled_puts_put_nothing_and_leave_the_order),
        cmocka_unit_test(cancelled_gets_take_nothing),
        cmocka_unit_test(closing_ends_the_gets_that_wait_with_0),
        cmocka_unit_test(closing_ends_the_puts_that_wait_with_epipe),
        cmocka_unit_test(a_cancelled_task_neither_puts_nor_gets),
        cmocka_unit_test(a_time_out_ends_a_get_and_a_put_that_wait),
    };
    return CHECK_GROUP(tests);
}
