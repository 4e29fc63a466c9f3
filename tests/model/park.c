/*
 * park - workers fall asleep and are woken: no ready task is ever left while they sleep.
 *
 * The workers are real: core/worker.c looks for tasks everywhere, searches, and parks. A scenario ends when
 * all workers sleep; then every task must have run, once. A task that blocks its worker (as one that
 * computes for ever does) shows that the other worker comes for what it has left.
 */
#include "tests/model/workers.h"

const char model_subject[] = "park";

static unsigned ran[4];
static struct task *first, *second, *third, *fourth;
static _Atomic uint32_t *has_second_run;

static void run_first(void) { ran[0]++; }
static void run_third(void) { ran[2]++; }
static void run_fourth(void) { ran[3]++; }

static void run_second(void)
{
    ran[1]++;
    store_seq(has_second_run, 1);
    weft__futex_wake(has_second_run, 1);
}

/* Makes two ready: the later one goes into the run-next slot, the earlier one into the line. */
static void run_waker(void)
{
    ran[0]++;
    weft__ready(world, second);
    weft__ready(world, third);
}

/* The same, and does not end before somebody else has run the second. */
static void run_blocker(void)
{
    run_waker();
    while (!load_seq(has_second_run))
        (void)weft__futex_wait(has_second_run, 0, WEFT_NO_TIMEOUT);
}

static void run_blocked_fourth(void)
{
    ran[3]++;
    while (!load_seq(has_second_run))
        (void)weft__futex_wait(has_second_run, 0, WEFT_NO_TIMEOUT);
}

static void run_and_tell(void)
{
    ran[0]++;
    model_post(ran, "the task has run");
}

static void run_alone_blocker(void)
{
    ran[0]++;
    while (!load_seq(has_second_run))
        (void)weft__futex_wait(has_second_run, 0, WEFT_NO_TIMEOUT);
}

/* One that was woken wakes the second; then it is the line's turn, in which one blocks its worker until the
 * second has run. */
static void run_chain_end(void)
{
    ran[2]++;
    weft__ready(world, second);
}

static void run_chain(void)
{
    ran[0]++;
    weft__ready(world, third);
}

/* As run_waker, with tasks that it makes itself: a thief must see all of them. */
static void run_maker(void)
{
    ran[0]++;
    weft__ready(world, world_task(run_second));
    weft__ready(world, world_task(run_third));
}

static void run_yielder(void)
{
    ran[0]++;
    weft__yield();
    ran[1]++;
}

/* Wakes another and lets it go first: that one does not end before this one has gone on. */
static void run_yielding_waker(void)
{
    ran[0]++;
    weft__ready(world, third);
    weft__yield();
    run_second();
}

static void run_blocked_third(void)
{
    ran[2]++;
    while (!load_seq(has_second_run))
        (void)weft__futex_wait(has_second_run, 0, WEFT_NO_TIMEOUT);
}

static void run_other_yielder(void)
{
    ran[2]++;
    weft__yield();
    ran[3]++;
}

static void setup(uint32_t workers, void (*one)(void))
{
    world_init(workers);
    has_second_run = model_alloc(sizeof *has_second_run);
    __builtin_memset(ran, 0, sizeof ran);
    first = world_task(one);
    second = world_task(run_second);
    third = world_task(run_third);
}

static void one_worker(void) { setup(1, run_first); }
static void two_workers(void) { setup(2, run_first); }
static void two_workers_blocked(void) { setup(2, run_alone_blocker); }
static void three_workers(void) { setup(3, run_first); }

/* The first worker has the first task in its line when it begins. */
static void begin_with_first(void (*one)(void), bool is_migrating)
{
    setup(2, one);
    world->is_migrating = is_migrating;
    model_assert(weft__deque_push(&world->workers[0].deque, first));
}

static void waker(void) { begin_with_first(run_waker, false); }
static void blocker(void) { begin_with_first(run_blocker, false); }
static void migrating_waker(void) { begin_with_first(run_waker, true); }
static void migrating_yielder(void) { begin_with_first(run_yielder, true); }

static void yielding_waker(void)
{
    begin_with_first(run_yielding_waker, false);
    third = world_task(run_blocked_third);
}

/* Of three workers the first computes; `outside` puts down what it has made ready. */
static void busy_maker(void)
{
    setup(3, run_first);
    third = world_task(run_blocked_third);
}

/* Two that go on where the other has just left. */
static void turns(void)
{
    setup(1, run_yielder);
    second = world_task(run_other_yielder);
    model_assert(weft__deque_push(&world->workers[0].deque, first));
    model_assert(weft__deque_push(&world->workers[0].deque, second));
}

static void one_to_stop(void) { setup(1, run_and_tell); }
static void two_to_stop(void) { setup(2, run_and_tell); }

static void line_to_stop(void) { begin_with_first(run_and_tell, false); }

static void chain(void)
{
    begin_with_first(run_chain, false);
    third = world_task(run_chain_end);
    fourth = world_task(run_blocked_fourth);
    model_assert(weft__deque_push(&world->workers[0].deque, fourth));
}

static void maker(void)
{
    begin_with_first(run_maker, false);
    fourth = world_task(run_fourth);
}

static void inject_fourth(void) { weft__ready(world, fourth); }

/* As threads_end() of core/runtime.c. */
static void stop(void)
{
    store_seq(&world->is_over, 1);
    for (uint32_t i = 0; i < world->worker_count; i++)
        weft__park_wake(&world->workers[i]);
}

static void await_and_stop(void)
{
    model_take(ran, "the task has run");
    stop();
}

static void inject_and_stop(void)
{
    weft__ready(world, first);
    await_and_stop();
}

static void inject_two(void)
{
    weft__ready(world, first);
    weft__ready(world, second);
}

static void inject_one(void) { weft__ready(world, first); }

/* Two that must run at the same time, in different places. */
static void make_and_inject(void)
{
    model_assert(weft__deque_push(&world->workers[0].deque, second));
    weft__park_notify(world);
    weft__ready(world, third);
}

static void inject_other(void) { weft__ready(world, second); }

static void check_ran(unsigned tasks)
{
    for (unsigned i = 0; i < tasks; i++)
        model_assert(ran[i] == 1);
    world_check_asleep();
}

static void check_1(void) { check_ran(1); }
static void check_2(void) { check_ran(2); }
static void check_3(void) { check_ran(3); }
static void check_4(void) { check_ran(4); }
static void check_busy_maker(void) { model_assert(ran[1] == 1 && ran[2] == 1); }
static void check_stopped(void) { model_assert(ran[0] == 1); }

#define WORKER(number, later)                                 \
    {                                                         \
        "worker " #number, world_worker_##number, true, later \
    }
#define ENDING(number, later)                                  \
    {                                                          \
        "worker " #number, world_worker_##number, false, later \
    }

const struct model_scenario model_scenarios[] = {
    {"two tasks from outside, one worker",
     one_worker,
     {WORKER(0, 0), {"outside", inject_two, 0}},
     check_2,
     0},
    {"a task from outside, two workers",
     two_workers,
     {WORKER(0, 0), WORKER(1, 0), {"outside", inject_one, 0}},
     check_1,
     0},
    {"a task wakes two", waker, {WORKER(0, 0), WORKER(1, 0)}, check_3, 0},
    {"a task wakes two and blocks its worker", blocker, {WORKER(0, 0), WORKER(1, 0)}, check_3, 0},
    {"a task wakes two, all must move", migrating_waker, {WORKER(0, 0), WORKER(1, 0)}, check_3, 0},
    {"a task yields and must move", migrating_yielder, {WORKER(0, 0), WORKER(1, 0)}, check_2, 0},
    {"a task yields to one that blocks its worker",
     yielding_waker,
     {WORKER(0, 0), WORKER(1, 0)},
     check_3,
     0},
    {"two tasks take turns", turns, {WORKER(0, 0)}, check_4, 0},
    {"a task in the slot does not wait behind one that blocks",
     chain,
     {WORKER(0, 0), WORKER(1, 0)},
     check_4,
     0},
    {"a task and then the stop, one worker",
     one_to_stop,
     {ENDING(0, 0), {"stopper", inject_and_stop, 0}},
     check_stopped,
     0},
    {"a task from outside blocks its worker before the next, both asleep",
     two_workers_blocked,
     {WORKER(0, 0), WORKER(1, 1), {"outside", inject_two, 0, 2}},
     check_2,
     0},
    {"a task from outside blocks its worker before the next, one asleep",
     two_workers_blocked,
     {WORKER(0, 0), WORKER(1, 1), {"outside", inject_two, 0, 1}},
     check_2,
     0},
    {"run-next is stolen by a worker that was asleep",
     maker,
     {WORKER(0, 1), WORKER(1, 0), {"outside", inject_fourth, 0, 1}},
     check_4,
     0},
    {"run-next is stolen, none from outside", maker, {WORKER(0, 0), WORKER(1, 0)}, check_3, 0},
    {"a task and then the stop, two workers, both asleep",
     two_to_stop,
     {ENDING(0, 0), ENDING(1, 1), {"stopper", inject_and_stop, 0, 2}},
     check_stopped,
     0},
    {"a task and then the stop, two workers, one asleep",
     two_to_stop,
     {ENDING(0, 0), ENDING(1, 1), {"stopper", inject_and_stop, 0, 1}},
     check_stopped,
     0},
    {"a task in line and then the stop, two workers",
     line_to_stop,
     {ENDING(0, 0), ENDING(1, 0), {"stopper", await_and_stop, 0, 0}},
     check_stopped,
     0},
    {"the stop, two workers",
     two_to_stop,
     {ENDING(0, 0), ENDING(1, 0), {"stopper", stop, 0, 0}},
     NULL,
     0},
    {"tasks from two threads, one worker",
     one_worker,
     {WORKER(0, 0), {"outside", inject_one, 0, 0}, {"outside", inject_other, 0, 0}},
     check_2,
     0},
    {"tasks from two threads, two workers, both asleep",
     two_workers,
     {WORKER(0, 0), WORKER(1, 1), {"outside", inject_one, 0, 2}, {"outside", inject_other, 0, 2}},
     check_2,
     0},
    {"two tasks from outside, three workers, all asleep",
     three_workers,
     {WORKER(0, 0), WORKER(1, 1), WORKER(2, 2), {"outside", inject_two, 0, 3}},
     check_2,
     0},
    {"a task from outside, three workers, two asleep",
     three_workers,
     {WORKER(0, 0), WORKER(1, 1), WORKER(2, 2), {"outside", inject_one, 0, 2}},
     check_1,
     0},
    {"two tasks are left to a worker that is about to sleep",
     busy_maker,
     {WORKER(1, 1), WORKER(2, 0), {"outside", make_and_inject, 0, 1}},
     check_busy_maker,
     0},
    {"a task from outside blocks its worker before the next",
     two_workers_blocked,
     {WORKER(0, 0), WORKER(1, 0), {"outside", inject_two, 0}},
     check_2,
     2},
    {"run-next is stolen from a worker that stands still",
     maker,
     {WORKER(0, 0), WORKER(1, 0), {"outside", inject_fourth, 0}},
     check_4,
     2},
    {"a task and then the stop, two workers",
     two_to_stop,
     {ENDING(0, 0), ENDING(1, 0), {"stopper", inject_and_stop, 0}},
     check_stopped,
     2},
    {"tasks from two threads, two workers",
     two_workers,
     {WORKER(0, 0), WORKER(1, 0), {"outside", inject_one, 0}, {"outside", inject_other, 0}},
     check_2,
     1},
    {"two tasks from outside, three workers",
     three_workers,
     {WORKER(0, 0), WORKER(1, 0), WORKER(2, 0), {"outside", inject_two, 0}},
     check_2,
     1},
    {0},
};
