/*
 * queue - each item that was accepted comes out once, in order, and to whom it was given; whoever is cancelled.
 */
#include <errno.h>

#include <weft/sync.h>

#include "tests/model/tasks.h"

const char model_subject[] = "queue";

static weft_queue *queue;
static unsigned put_count, got_count, last_got;
static unsigned char got[8];
static int put_result, get_result;

static void setup(unsigned which)
{
    tasks_init(which);
    queue = model_alloc(sizeof *queue);
    model_assert(weft_queue_init(queue, 1) == 0);
    put_count = got_count = last_got = 0;
    __builtin_memset(got, 0, sizeof got);
    put_result = get_result = 0;
}

static void two_tasks(void) { setup(3); }
static void three_tasks(void) { setup(7); }

/* An item is memory that its putter has filled: its getter must see that. */
static int put(unsigned number)
{
    unsigned *item = model_alloc(sizeof *item);
    int rc;

    *item = number;
    rc = weft_queue_put(queue, item);
    put_count += rc == 0;
    put_result = rc;
    tasks_scribble();
    return rc;
}

static int get(void)
{
    void *item;
    int rc = weft_queue_get(queue, &item);

    if (rc == 1) {
        unsigned number = *(unsigned *)item;

        model_assert(number < 8 && !got[number]);
        got[number] = 1;
        got_count++;
        last_got = number;
    }
    get_result = rc;
    tasks_scribble();
    return rc;
}

static void put_1(void) { (void)put(1); }
static void put_2(void) { (void)put(2); }

static void put_1_2(void)
{
    put_1();
    put_2();
}

static void put_1_2_3(void)
{
    put_1_2();
    (void)put(3);
}

static void get_1(void) { (void)get(); }

static void get_2(void)
{
    (void)get();
    unsigned before = last_got;
    (void)get();
    model_assert(got_count < 2 || before < last_got);
}

static void get_to_end(void)
{
    while (get() == 1)
        ;
}

static void cancel_first(void) { tasks_cancel(tasks[0]); }
static void close_it(void) { weft_queue_close(queue); }

/* What was put and not got is still there. */
static void check_ledger(void)
{
    void *item;

    while (weft_queue_try_get(queue, &item) == 1)
        got_count++;
    model_assert(got_count == put_count);
}

static void check_2(void)
{
    model_assert(put_count == 2 && got_count == 2);
    check_ledger();
}

static void check_3(void)
{
    model_assert(put_count == 3 && got_count == 2);
    check_ledger();
}

static void check_closed(void)
{
    model_assert(get_result == 0);
    model_assert(got_count == put_count);
}

const struct model_scenario model_scenarios[] = {
    {"two items through one place",
     two_tasks,
     {{"putter", put_1_2, 0}, {"getter", get_2, 0}},
     check_2,
     0},
    {"three items, two are got",
     two_tasks,
     {{"putter", put_1_2_3, 0}, {"getter", get_2, 0}},
     check_3,
     0},
    {"two putters, a getter",
     three_tasks,
     {{"putter", put_1, 0}, {"putter", put_2, 0}, {"getter", get_to_end, true}},
     check_2,
     0},
    {"a getter is cancelled",
     two_tasks,
     {{"getter", get_1, 0}, {"putter", put_1, 0}, {"canceller", cancel_first, 0}},
     check_ledger,
     0},
    {"a putter is cancelled",
     two_tasks,
     {{"putter", put_1_2, 0}, {"getter", get_1, true}, {"canceller", cancel_first, 0}},
     check_ledger,
     0},
    {"a cancelled getter passes the item to the next",
     three_tasks,
     {{"getter", get_1, 0},
      {"getter", get_1, true},
      {"putter", put_1, 0},
      {"canceller", cancel_first, 0}},
     check_ledger,
     0},
    {"close while a putter waits",
     two_tasks,
     {{"putter", put_1_2, 0}, {"closer", close_it, 0}},
     check_ledger,
     0},
    {"close against a putter",
     two_tasks,
     {{"getter", get_to_end, 0}, {"putter", put_1_2, 0}, {"closer", close_it, 0}},
     check_closed,
     0},
    {0},
};
