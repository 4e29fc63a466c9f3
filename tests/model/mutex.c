/*
 * mutex - one at a time holds it, each who waits for it gets it, and nothing of it is touched too late.
 */
#include <errno.h>

#include <weft/sync.h>

#include "tests/model/tasks.h"

const char model_subject[] = "mutex";

static struct shared {
    weft_mutex mutex;
    unsigned count; /* plain: under the mutex */
} * shared;

static int result[MODEL_THREADS];

static void setup(unsigned which)
{
    tasks_init(which);
    shared = model_alloc(sizeof *shared);
    __builtin_memset(result, 0, sizeof result);
}

static void two_tasks(void) { setup(3); }
static void task_and_thread(void) { setup(1); }
static void three_tasks(void) { setup(7); }

static void once(void)
{
    weft_lock(&shared->mutex);
    shared->count++;
    model_assert(weft_unlock(&shared->mutex) == 0);
    tasks_scribble();
}

static void twice(void)
{
    once();
    once();
}

static void once_cancellable(void)
{
    int rc = weft_lock_cancellable(&shared->mutex);

    result[model_self()] = rc;
    if (rc == 0) {
        shared->count++;
        model_assert(weft_unlock(&shared->mutex) == 0);
    }
    tasks_scribble();
}

static void try_once(void)
{
    int rc = weft_try_lock(&shared->mutex);

    result[model_self()] = rc;
    if (rc == 0) {
        shared->count++;
        model_assert(weft_unlock(&shared->mutex) == 0);
    }
}

static void cancel_first(void) { tasks_cancel(tasks[0]); }

/* The one that has it tells the next, who gives back the memory when it has had the mutex. */
static void lock_first(void)
{
    weft_lock(&shared->mutex);
    model_post(shared, "it is locked");
    shared->count++;
    model_assert(weft_unlock(&shared->mutex) == 0);
}

static void lock_and_free(void)
{
    model_take(shared, "it is locked");
    weft_lock(&shared->mutex);
    model_assert(shared->count == 1);
    model_assert(weft_unlock(&shared->mutex) == 0);
    model_free(shared);
    tasks_scribble();
}

static void try_and_free(void)
{
    model_take(shared, "it is locked");
    if (weft_try_lock(&shared->mutex) < 0)
        return;
    model_assert(shared->count == 1);
    model_assert(weft_unlock(&shared->mutex) == 0);
    model_free(shared);
}

/* The owner lets go when the only waiter has been cancelled; a third takes it at once, and frees it. */
static void wait_and_be_cancelled(void)
{
    model_take(shared, "it is locked");
    result[0] = weft_lock_cancellable(&shared->mutex);
    if (result[0] == 0)
        model_assert(weft_unlock(&shared->mutex) == 0);
    model_post(result, "the waiter is gone");
}

static void cancel_and_free(void)
{
    tasks_cancel(tasks[0]);
    model_take(result, "the waiter is gone");
    if (weft_try_lock(&shared->mutex) < 0)
        return;
    model_assert(shared->count == 1);
    model_assert(weft_unlock(&shared->mutex) == 0);
    model_free(shared);
}

/* A task ends with the mutex: the next is told, and sees what it did. */
static void end_with_it(void)
{
    weft_lock(&shared->mutex);
    shared->count++;
    weft__mutexes_abandon(tasks[0]);
}

static void take_over(void)
{
    int rc = weft_lock_cancellable(&shared->mutex);

    model_assert(rc == (shared->count ? -EOWNERDEAD : 0));
    shared->count++;
    model_assert(weft_unlock(&shared->mutex) == 0);
}

static void try_to_take_over(void)
{
    int rc = weft_try_lock(&shared->mutex);

    if (rc == -EAGAIN)
        return;
    model_assert(rc == (shared->count ? -EOWNERDEAD : 0));
    shared->count++;
    model_assert(weft_unlock(&shared->mutex) == 0);
}

/* Holds it until others stand in line. */
static void hold_and_let_go(void)
{
    weft_lock(&shared->mutex);
    shared->count++;
    model_take(&shared->count, "they stand in line");
    model_assert(weft_unlock(&shared->mutex) == 0);
}

static void tell_and_cancel(void)
{
    model_post(&shared->count, "they stand in line");
    cancel_first();
}

static void check(unsigned count)
{
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        model_assert(result[i] == 0 || result[i] == -ECANCELED || result[i] == -EAGAIN);
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        count -= result[i] != 0;
    model_assert(shared->count == count);
    model_assert(weft_try_lock(&shared->mutex) == 0); /* nobody holds it */
}

static void check_2(void) { check(2); }
static void check_3(void) { check(3); }

const struct model_scenario model_scenarios[] = {
    {"two tasks", two_tasks, {{"a", once, 0}, {"b", once, 0}}, check_2, 0},
    {"two tasks, one twice", two_tasks, {{"a", twice, 0}, {"b", once, 0}}, check_3, 0},
    {"a task and a plain thread",
     task_and_thread,
     {{"task", twice, 0}, {"thread", once, 0}},
     check_3,
     0},
    {"three tasks", three_tasks, {{"a", once, 0}, {"b", once, 0}, {"c", once, 0}}, check_3, 0},
    {"a waiter is cancelled",
     two_tasks,
     {{"a", once_cancellable, 0}, {"b", once, 0}, {"canceller", cancel_first, 0}},
     check_2,
     0},
    {"a waiter is cancelled, another waits, both are in line",
     three_tasks,
     {{"a", once_cancellable, 0, 1},
      {"b", once, 0, 2},
      {"c", hold_and_let_go, 0, 0},
      {"canceller", tell_and_cancel, 0, 3}},
     check_3,
     0},
    {"a waiter is cancelled, another comes",
     three_tasks,
     {{"a", once_cancellable, 0, 1},
      {"b", once, 0, 2},
      {"c", hold_and_let_go, 0, 0},
      {"canceller", tell_and_cancel, 0, 2}},
     check_3,
     0},
    {"try against unlock", two_tasks, {{"a", try_once, 0}, {"b", twice, 0}}, check_3, 0},
    {"the next owner frees it",
     two_tasks,
     {{"a", lock_first, 0}, {"b", lock_and_free, 0}},
     NULL,
     0},
    {"the next owner, by try, frees it",
     two_tasks,
     {{"a", lock_first, 0}, {"b", try_and_free, 0}},
     NULL,
     0},
    {"the waiter is cancelled, and a third frees it",
     two_tasks,
     {{"a", wait_and_be_cancelled, 0}, {"b", lock_first, 0}, {"c", cancel_and_free, 0}},
     NULL,
     0},
    {"the owner ends", two_tasks, {{"a", end_with_it, 0}, {"b", take_over, 0}}, NULL, 0},
    {"the owner ends, by try",
     two_tasks,
     {{"a", end_with_it, 0}, {"b", try_to_take_over, 0}},
     NULL,
     0},
    {"a waiter is cancelled, another waits",
     three_tasks,
     {{"a", once_cancellable, 0}, {"b", once, 0}, {"c", once, 0}, {"canceller", cancel_first, 0}},
     check_3,
     2},
    {0},
};
