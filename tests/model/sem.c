/*
 * sem - no permit is lost or invented, no waiter is forgotten, and nothing is touched too late.
 */
#include <errno.h>

#include <weft/sync.h>

#include "tests/model/tasks.h"

const char model_subject[] = "sem";

static weft_sem *sem;
static struct shared {
    unsigned count; /* plain: with the only permit */
} * shared;
static unsigned held, permits;
static int result[MODEL_THREADS];

static void setup(unsigned which, uint32_t free)
{
    tasks_init(which);
    sem = model_alloc(sizeof *sem);
    shared = model_alloc(sizeof *shared);
    weft_sem_init(sem, free);
    permits = free;
    held = 0;
    __builtin_memset(result, 0, sizeof result);
}

static void two_tasks_1(void) { setup(3, 1); }
static void two_tasks_0(void) { setup(3, 0); }
static void three_tasks_1(void) { setup(7, 1); }

static int acquire(uint32_t n)
{
    int rc = n == 1 ? weft_sem_acquire(sem) : weft_sem_acquire_n(sem, n);

    if (rc == 0)
        held += n;
    result[model_self()] = rc;
    tasks_scribble();
    return rc;
}

static void release(uint32_t n)
{
    held -= n;
    model_assert((n == 1 ? weft_sem_release(sem) : weft_sem_release_n(sem, n)) == 0);
}

static void bring(uint32_t n)
{
    permits += n;
    held += n;
    release(n);
}

static void use_once(void)
{
    if (acquire(1) == 0) {
        shared->count++;
        release(1);
    }
}

static void use_twice(void)
{
    use_once();
    use_once();
}

static void take_1(void) { (void)acquire(1); }
static void take_2(void) { (void)acquire(2); }
static void bring_1(void) { bring(1); }
static void bring_2(void) { bring(2); }
static void bring_3(void) { bring(3); }

static void bring_2_and_1(void)
{
    bring_2();
    bring_1();
}

static void cancel_first(void) { tasks_cancel(tasks[0]); }

static void take_1_then_2(void)
{
    take_1();
    take_2();
}

static void try_1(void)
{
    if (weft_sem_try_acquire(sem) == 0) {
        held++;
        release(1);
    }
}

static void take_and_free(void)
{
    take_1();
    model_free(sem);
}

static void check_ledger(void)
{
    uint32_t left = permits - held;

    model_assert(weft_sem_try_acquire_n(sem, left) == 0);
    model_assert(weft_sem_try_acquire(sem) == -EAGAIN);
}

static void check_all_used(void)
{
    model_assert(shared->count == 2 && held == 0);
    check_ledger();
}

static void check_3_used(void)
{
    model_assert(shared->count == 3 && held == 0);
    check_ledger();
}

static void check_both(void)
{
    model_assert(result[0] == 0 && result[1] == 0);
    check_ledger();
}

/* The first wanted two, and was cancelled or not; one permit comes, which fits the second. */
static void check_second(void)
{
    model_assert(result[0] == -ECANCELED ? result[1] == 0 : result[0] == 0);
    check_ledger();
}

static void check_first_or_second(void)
{
    model_assert(held == 1);
    model_assert(result[0] == 0 || result[0] == -ECANCELED);
    check_ledger();
}

const struct model_scenario model_scenarios[] = {
    {"two tasks, one permit",
     two_tasks_1,
     {{"a", use_once, 0}, {"b", use_once, 0}},
     check_all_used,
     0},
    {"two tasks, one twice",
     two_tasks_1,
     {{"a", use_twice, 0}, {"b", use_once, 0}},
     check_3_used,
     0},
    {"three tasks, one permit",
     three_tasks_1,
     {{"a", use_once, 0}, {"b", use_once, 0}, {"c", use_once, 0}},
     check_3_used,
     0},
    {"two permits at once, from two",
     two_tasks_0,
     {{"a", take_2, 0}, {"b", bring_1, 0}, {"c", bring_1, 0}},
     check_ledger,
     0},
    {"two waiters in line, three permits",
     two_tasks_0,
     {{"a", take_2, 0, 0}, {"b", take_1, 0, 1}, {"c", bring_2, 0, 2}, {"d", bring_1, 0, 2}},
     check_both,
     0},
    {"a waiter in line, another comes, two permits and then one",
     two_tasks_0,
     {{"a", take_2, 0, 0}, {"b", take_1, 0, 1}, {"c", bring_2_and_1, 0, 1}},
     check_both,
     0},
    {"a waiter in line, another comes, three permits at once",
     two_tasks_0,
     {{"a", take_2, 0, 0}, {"b", take_1, 0, 1}, {"c", bring_3, 0, 1}},
     check_both,
     0},
    {"a cancelled first lets the second in",
     two_tasks_0,
     {{"a", take_2, 0}, {"b", take_1, 0}, {"c", bring_1, 0}, {"canceller", cancel_first, 0}},
     check_second,
     0},
    {"a permit for a cancelled first goes to the second",
     two_tasks_0,
     {{"a", take_1, 0}, {"b", take_1, true}, {"c", bring_1, 0}, {"canceller", cancel_first, 0}},
     check_first_or_second,
     0},
    {"one permit and then two",
     two_tasks_0,
     {{"a", take_1_then_2, 0}, {"b", bring_2, 0}, {"c", bring_1, 0}},
     check_ledger,
     0},
    {"try against a waiter",
     two_tasks_1,
     {{"a", use_once, 0}, {"b", use_once, 0}, {"c", try_1, 0}},
     check_all_used,
     0},
    {"who takes frees it", two_tasks_0, {{"a", take_and_free, 0}, {"b", bring_1, 0}}, NULL, 0},
    {"two waiters, three permits",
     two_tasks_0,
     {{"a", take_2, 0}, {"b", take_1, 0}, {"c", bring_2, 0}, {"d", bring_1, 0}},
     check_both,
     1},
    {0},
};
