/*
 * slot - the run-next slot alone: a task in it is taken once, by its worker or by a thief, and seen whole.
 *
 * The same task comes into the slot again after it has run: a thief that looked before must not take it for
 * the one that it saw. Functions of core/worker.c are called one by one, without its loop.
 */
#include "core/worker.c"
#include "tests/model/workers.h"

const char model_subject[] = "slot";

static struct worker *owner, *thief;
static struct task *task, *second;
static unsigned taken;

static void setup(void)
{
    world_init(2);
    owner = &world->workers[0];
    thief = &world->workers[1];
    task = NULL;
    taken = 0;
}

/* A part of the task's life: whoever runs it reads and changes what the one before has left. */
static void run_part(struct task *its)
{
    model_assert(its->last_worker == its->stack_bytes);
    its->last_worker++;
    its->stack_bytes++;
}

static void owner_begins(void)
{
    store_relaxed(&weft__carrier()->worker, owner);
    weft__carrier()->task = world_task(NULL); /* what it wakes goes into the slot */
    task = world_task(NULL);
    task->last_worker = task->stack_bytes = 1;
    weft__ready(world, task);
}

static void take_and_count(void)
{
    struct task *its = take_run_next(owner);

    if (its) {
        taken++;
        run_part(its);
    }
}

static void put_and_take(void)
{
    owner_begins();
    take_and_count();
}

/* Runs it, and it becomes ready again. */
static void put_run_put_take(void)
{
    struct task *its;

    owner_begins();
    its = take_run_next(owner);
    if (!its)
        return;
    run_part(its);
    weft__ready(world, its);
    take_and_count();
}

/* The second displaces the first, which goes into the line. */
static void put_two(void)
{
    owner_begins();
    second = world_task(NULL);
    second->last_worker = second->stack_bytes = 7;
    weft__ready(world, second);
}

static void steal_twice(void)
{
    struct task *its = NULL;

    store_relaxed(&weft__carrier()->worker, thief);
    for (int i = 0; i < 3 && !its; i++)
        its = steal_run_next(thief, owner);
    if (its) {
        taken++;
        run_part(its);
    }
}

static void check_one(void) { model_assert(taken + (load_seq(&owner->run_next) != NULL) == 1); }

static void check_two(void)
{
    model_assert(weft__deque_pop(&owner->deque) == task || taken == 1);
    model_assert(taken <= 1);
}

const struct model_scenario model_scenarios[] = {
    {"put and taken against a thief",
     setup,
     {{"owner", put_and_take, 0}, {"thief", steal_twice, 0}},
     check_one,
     0},
    {"taken, run and put again against a thief",
     setup,
     {{"owner", put_run_put_take, 0}, {"thief", steal_twice, 0}},
     check_one,
     0},
    {"two against a thief",
     setup,
     {{"owner", put_two, 0}, {"thief", steal_twice, 0}},
     check_two,
     0},
    {0},
};
