/*
 * deque - what the owner pushes is taken exactly once, by pop or steal, whatever grows meanwhile.
 *
 * A task is a number here. Each take is marked: twice, or a task that nobody pushed, fails at once; at the
 * end the owner pops what is left, and none may be missing. Capacity 2 grows with the third task.
 */
#include "core/deque.h"

#include "tests/model/model.h"

#define TASKS 8

const char model_subject[] = "deque";

static struct deque *deque;
static unsigned char seen[TASKS + 1];
static unsigned pushed;

static void setup(void)
{
    deque = model_alloc(sizeof *deque);
    pushed = 0;
    __builtin_memset(seen, 0, sizeof seen);
    model_assert(weft__deque_init(deque) == 0);
}

static void push(void)
{
    pushed++;
    model_assert(weft__deque_push(deque, (struct task *)(uintptr_t)pushed));
}

static void mark(struct task *task)
{
    uintptr_t number = (uintptr_t)task;

    model_assert(number >= 1 && number <= TASKS);
    model_assert(!seen[number]);
    seen[number] = 1;
}

static bool pop(void)
{
    struct task *task = weft__deque_pop(deque);

    if (task)
        mark(task);
    return task;
}

static void steal(size_t most)
{
    struct task *tasks[TASKS];
    size_t count = weft__deque_steal(deque, tasks, most);

    model_assert(count <= most);
    for (size_t i = 0; i < count; i++)
        mark(tasks[i]);
}

static void check(void)
{
    while (pop())
        ;
    for (unsigned i = 1; i <= pushed; i++)
        model_assert(seen[i]);
    weft__deque_destroy(deque);
}

static void steal_one(void) { steal(1); }
static void steal_half(void) { steal(4); }
static void steal_twice(void)
{
    steal(4);
    steal(4);
}

/* --- owners ---------------------------------------------------------------------------------- */

static void push_pop_push(void)
{
    push();
    push();
    pop();
    push();
}

static void push_pop_pop(void)
{
    push();
    pop();
    pop();
}

/* The ring of 2 goes round: slots are used again. */
static void go_round(void)
{
    for (int i = 0; i < 4; i++) {
        push();
        pop();
    }
}

static void grow(void)
{
    push();
    push();
    pop();
    push();
    push();
    pop();
}

/* Grows while half is full of tasks that were moved. */
static void grow_twice(void)
{
    for (int i = 0; i < 5; i++)
        push();
    pop();
    pop();
}

const struct model_scenario model_scenarios[] = {
    {"the last task: pop against steal",
     setup,
     {{"owner", push_pop_pop, 0}, {"thief", steal_one, 0}},
     check,
     0},
    {"push, pop, push against steal",
     setup,
     {{"owner", push_pop_push, 0}, {"thief", steal_twice, 0}},
     check,
     0},
    {"slots used again against steal",
     setup,
     {{"owner", go_round, 0}, {"thief", steal_half, 0}},
     check,
     0},
    {"growth against steal", setup, {{"owner", grow, 0}, {"thief", steal_twice, 0}}, check, 0},
    {"growth, twice, against steal half",
     setup,
     {{"owner", grow_twice, 0}, {"thief", steal_twice, 0}},
     check,
     0},
    {"pop against two thieves",
     setup,
     {{"owner", push_pop_push, 0}, {"thief", steal_one, 0}, {"thief", steal_half, 0}},
     check,
     0},
    {"growth against two thieves",
     setup,
     {{"owner", grow, 0}, {"thief", steal_half, 0}, {"thief", steal_half, 0}},
     check,
     0},
    {0},
};
