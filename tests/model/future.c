/*
 * future - a slot is ended once and freed once; whoever waits or consumes it gets its status; a handle that
 * is old never reaches who lives in the slot next.
 */
#include <errno.h>

#include <weft/task.h>

#include "tests/model/tasks.h"

const char model_subject[] = "future";

static weft_future handle, second;
static weft_promise promise, second_promise;
static struct future *slot;
static int result[MODEL_THREADS];
static struct shared {
    unsigned said; /* plain: before the promise is fulfilled */
} * shared;

#define NONE 99

static void setup(unsigned which)
{
    tasks_init(which);
    handle = weft_promise_new_at("a promise", &promise);
    second = weft_promise_new_at("another", &second_promise);
    slot = weft__slab_at(&world->slab, handle.slot);
    shared = model_alloc(sizeof *shared);
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        result[i] = NONE;
}

static void no_task(void) { setup(0); }
static void one_task(void) { setup(1); }
static void two_tasks(void) { setup(3); }

static void set_7(void)
{
    shared->said = 1;
    result[model_self()] = weft_promise_set(promise, 7);
}

static void set_8(void) { result[model_self()] = weft_promise_set(promise, 8); }
static void set_second(void) { result[model_self()] = weft_promise_set(second_promise, 9); }
static void cancel_it(void) { result[model_self()] = weft_cancel(handle); }
static void detach_it(void) { result[model_self()] = weft_detach(handle); }
static void cancel_first(void) { tasks_cancel(tasks[0]); }

static void set_both(void)
{
    set_7();
    (void)weft_promise_set(second_promise, 9); /* the only one */
}

static void wait_for_it(void)
{
    int rc = weft_wait(handle);

    result[model_self()] = rc;
    if (rc == 7)
        model_assert(shared->said == 1);
    tasks_scribble();
}

static void await_it(void)
{
    int rc = weft_await(handle);

    result[model_self()] = rc;
    if (rc == 7)
        model_assert(shared->said == 1);
    tasks_scribble();
}

static void gather_both(void)
{
    weft_future both[] = {handle, second};
    int statuses[2] = {NONE, NONE};

    result[0] = weft_gather_n(both, 2, statuses);
    if (statuses[0] == 7)
        model_assert(shared->said == 1);
    model_assert(result[0] < 0 || (statuses[0] == 7 && statuses[1] == 9));
    tasks_scribble();
}

/* The first that succeeds ends the other. */
static void race_both(void)
{
    weft_future both[] = {handle, second};
    size_t winner = NONE;

    result[0] = weft_race_n(both, 2, &winner);
    model_assert(winner < 2 && result[0] == (winner == 0 ? 7 : 9));
    tasks_scribble();
}

/* The first that fails ends the other, which nobody else ever would. */
static void gather_one_fails(void)
{
    weft_future both[] = {handle, second};

    result[0] = weft_gather_n(both, 2, NULL);
    tasks_scribble();
}

static void fail_it(void) { result[model_self()] = weft_promise_set(promise, -EIO); }

/* What comes next in the slot begins with a clean one. */
static void detach_and_reuse(void)
{
    weft_future next;
    weft_promise next_promise;

    model_assert(weft_detach(handle) == 0);
    next = weft_promise_new_at("the next in the slot", &next_promise);
    model_assert(weft_promise_set(next_promise, 11) == 0);
    model_assert(weft_await(next) == 11);
}

/* Consumes it, and whatever comes next takes the slot. */
static void await_and_reuse(void)
{
    weft_future next;
    weft_promise next_promise;

    await_it();
    next = weft_promise_new_at("the next in the slot", &next_promise);
    model_assert(weft_promise_set(next_promise, 11) == 0);
    model_assert(weft_await(next) == 11);
}

static uint32_t generation(void) { return future_generation(load_seq(&slot->state)); }

static void check_freed(void)
{
    model_assert(load_seq(&slot->state) == (uint64_t)(handle.generation + 1) << 32);
}

static void check_waited(void)
{
    model_assert(generation() == handle.generation);
    model_assert(result[0] == 7);
    model_assert(load_seq(&slot->state) & FUTURE_DONE);
}

static void check_two_waited(void)
{
    check_waited();
    model_assert(result[1] == 7);
}

static void check_awaited(void)
{
    check_freed();
    model_assert(result[0] == 7);
}

/* One of two has set it, and the other was told. */
static void check_one_won(void)
{
    model_assert((result[1] == 0) + (result[2] == 0) == 1);
    model_assert(result[0] == (result[1] == 0 ? 7 : 8));
    check_freed();
}

static void check_set_or_cancelled(void)
{
    model_assert(result[0] == (result[1] == 0 ? 7 : -ECANCELED));
    check_freed();
}

static void check_wait_or_cancelled(void)
{
    model_assert(result[0] == 7 || result[0] == -ECANCELED);
    model_assert(generation() == handle.generation);
}

/* A cancelled await cancels what it awaits, and consumes it. */
static void check_await_cancelled(void)
{
    model_assert(result[0] == 7 || result[0] == -ECANCELED);
    check_freed();
}

static void check_gathered(void)
{
    check_freed();
    model_assert(result[0] == 0 || result[0] == -ECANCELED);
    model_assert(!weft__slab_at(&world->slab, second.slot) ||
                 future_generation(load_seq(&weft__slab_at(&world->slab, second.slot)->state)) ==
                     second.generation + 1);
}

static void check_raced(void) { check_freed(); }

/* One of two consumers has it; the other finds it stale. */
static void check_one_consumer(void)
{
    model_assert((result[0] == 7) + (result[1] == 7) == 1 || result[1] == 0);
    model_assert(result[0] == 7 || result[0] == -ESTALE);
    check_freed();
}

static void check_wait_or_stale(void)
{
    model_assert(result[0] == 7);
    model_assert(result[1] == 7 || result[1] == -ESTALE);
    check_freed();
}

static void check_reused(void)
{
    model_assert(result[0] == 7 || result[0] == -ECANCELED);
    model_assert(result[1] == 0 || result[1] == -ESTALE);
}

static void late_setup(void) { setup(2); }

static void check_late_look(void)
{
    model_assert(result[0] == 7);
    model_assert(result[1] == 7 || result[1] == -ESTALE);
}

static void check_failed(void)
{
    model_assert(result[0] == -EIO);
    check_freed();
}

static void check_detached(void) { model_assert(result[1] == 7 || result[1] == -ESTALE); }

const struct model_scenario model_scenarios[] = {
    {"a task waits", one_task, {{"task", wait_for_it, 0}, {"setter", set_7, 0}}, check_waited, 0},
    {"a plain thread waits",
     no_task,
     {{"thread", wait_for_it, 0}, {"setter", set_7, 0}},
     check_waited,
     0},
    {"two wait",
     two_tasks,
     {{"a", wait_for_it, 0}, {"b", wait_for_it, 0}, {"setter", set_7, 0}},
     check_two_waited,
     0},
    {"one awaits", one_task, {{"task", await_it, 0}, {"setter", set_7, 0}}, check_awaited, 0},
    {"a plain thread awaits",
     no_task,
     {{"thread", await_it, 0}, {"setter", set_7, 0}},
     check_awaited,
     0},
    {"two set it",
     one_task,
     {{"task", await_it, 0}, {"a", set_7, 0}, {"b", set_8, 0}},
     check_one_won,
     0},
    {"set against detach",
     no_task,
     {{"setter", set_7, 0}, {"owner", detach_it, 0}},
     check_freed,
     0},
    {"set against cancel",
     one_task,
     {{"task", await_it, 0}, {"setter", set_7, 0}, {"canceller", cancel_it, 0}},
     check_set_or_cancelled,
     0},
    {"the waiter is cancelled",
     one_task,
     {{"task", wait_for_it, 0}, {"setter", set_7, 0}, {"canceller", cancel_first, 0}},
     check_wait_or_cancelled,
     0},
    {"the one that awaits is cancelled",
     one_task,
     {{"task", await_it, 0}, {"setter", set_7, 0}, {"canceller", cancel_first, 0}},
     check_await_cancelled,
     0},
    {"await against detach",
     one_task,
     {{"task", await_it, 0}, {"owner", detach_it, 0}, {"setter", set_7, 0}},
     check_one_consumer,
     0},
    {"one awaits, another waits",
     two_tasks,
     {{"a", await_it, 0}, {"b", wait_for_it, 0}, {"setter", set_7, 0}},
     check_wait_or_stale,
     0},
    {"gather two",
     one_task,
     {{"task", gather_both, 0}, {"a", set_7, 0}, {"b", set_second, 0}},
     check_gathered,
     0},
    {"gather two on a plain thread",
     no_task,
     {{"thread", gather_both, 0}, {"a", set_7, 0}, {"b", set_second, 0}},
     check_gathered,
     0},
    {"race two", one_task, {{"task", race_both, 0}, {"setter", set_both, 0}}, check_raced, 0},
    {"a late cancel, when the slot is used again",
     no_task,
     {{"owner", await_and_reuse, 0}, {"late", cancel_it, 0}, {"setter", set_7, 0}},
     check_reused,
     0},
    {"a late look, when the slot is used again",
     late_setup,
     {{"owner", await_and_reuse, 0}, {"late", wait_for_it, 0}, {"setter", set_7, 0}},
     check_late_look,
     0},
    {"a gather of one that fails and one that never ends",
     one_task,
     {{"task", gather_one_fails, 0}, {"setter", fail_it, 0}},
     check_failed,
     0},
    {"a race of one that is set and one that never is",
     one_task,
     {{"task", race_both, 0}, {"setter", set_second, 0}},
     check_raced,
     0},
    {"detached while one waits, and the slot is used again",
     late_setup,
     {{"owner", detach_and_reuse, 0}, {"late", wait_for_it, 0}, {"setter", set_7, 0}},
     check_detached,
     0},
    {0},
};
