/*
 * cond - what was changed under the mutex and then notified is not missed; a cancelled waiter takes no notify
 * with it, and whoever returns holds the mutex.
 */
#include <errno.h>

#include <weft/sync.h>

#include "tests/model/tasks.h"

const char model_subject[] = "cond";

static struct shared {
    weft_mutex mutex;
    weft_cond cond;
    unsigned items; /* plain: under the mutex */
    weft_mutex own; /* of the one who waits for the notify alone */
} * shared;
static int result[MODEL_THREADS];

static void setup(unsigned which)
{
    tasks_init(which);
    shared = model_alloc(sizeof *shared);
    __builtin_memset(result, 0, sizeof result);
}

static void one_task(void) { setup(1); }
static void two_tasks(void) { setup(3); }

static void take(void)
{
    int rc = 0;

    weft_lock(&shared->mutex);
    while (shared->items == 0 && rc == 0)
        rc = weft_cond_wait(&shared->cond, &shared->mutex);
    if (rc == 0)
        shared->items--;
    result[model_self()] = rc;
    model_assert(weft_unlock(&shared->mutex) == 0);
    tasks_scribble();
}

/* Waits once, with a mutex that nobody else has. */
static void wait_once(void)
{
    weft_lock(&shared->own);
    result[model_self()] = weft_cond_wait(&shared->cond, &shared->own);
    model_assert(weft_unlock(&shared->own) == 0);
    tasks_scribble();
}

static void bring(void)
{
    weft_lock(&shared->mutex);
    shared->items++;
    model_assert(weft_unlock(&shared->mutex) == 0);
    weft_cond_notify(&shared->cond);
}

static void bring_two(void)
{
    weft_lock(&shared->mutex);
    shared->items += 2;
    model_assert(weft_unlock(&shared->mutex) == 0);
    weft_cond_notify_all(&shared->cond);
}

static void bring_and_notify_all(void)
{
    weft_lock(&shared->mutex);
    shared->items++;
    model_assert(weft_unlock(&shared->mutex) == 0);
    weft_cond_notify_all(&shared->cond);
}

static void bring_and_notify_twice(void)
{
    bring();
    weft_cond_notify(&shared->cond);
}

static void bring_twice(void)
{
    bring();
    bring();
}

static void cancel_first(void) { tasks_cancel(tasks[0]); }

static void cancel_and_bring(void)
{
    cancel_first();
    bring();
}

static void check_taken(void) { model_assert(result[0] == 0 && shared->items == 0); }
static void check_both(void)
{
    model_assert(result[0] == 0 && result[1] == 0 && shared->items == 0);
}

/* One item for two, of whom one is cancelled or not: it does not lie there while the other waits. */
static void check_not_left(void)
{
    model_assert(result[0] == 0 || result[0] == -ECANCELED);
    model_assert(shared->items == 0);
}

/* The first was in line and was cancelled before the notify: that is for the second. */
static void check_passed_on(void)
{
    model_assert(result[0] == -ECANCELED && result[1] == 0 && shared->items == 0);
}

static void check_cancelled(void)
{
    model_assert(result[0] == 0 ? shared->items == 0 : result[0] == -ECANCELED);
}

const struct model_scenario model_scenarios[] = {
    {"a notify", one_task, {{"taker", take, 0}, {"bringer", bring, 0}}, check_taken, 0},
    {"a notify against a cancel",
     one_task,
     {{"taker", take, 0}, {"bringer", bring, 0}, {"canceller", cancel_first, 0}},
     check_cancelled,
     0},
    {"two wait, all are notified, the first is in line",
     two_tasks,
     {{"a", wait_once, 0, 0}, {"b", take, 0, 1}, {"bringer", bring_and_notify_all, 0, 1}},
     check_both,
     0},
    {"two wait, all are notified, both are in line",
     two_tasks,
     {{"a", take, 0, 0}, {"b", take, 0, 1}, {"bringer", bring_two, 0, 2}},
     check_both,
     0},
    {"two notifies, the first is in line",
     two_tasks,
     {{"a", wait_once, 0, 0}, {"b", take, 0, 1}, {"bringer", bring_and_notify_twice, 0, 1}},
     check_both,
     0},
    {"two notifies, both are in line",
     two_tasks,
     {{"a", take, 0, 0}, {"b", take, 0, 1}, {"bringer", bring_twice, 0, 2}},
     check_both,
     0},
    {"a cancelled first passes the notify on, the first is in line",
     two_tasks,
     {{"a", wait_once, 0, 0}, {"b", take, 0, 1}, {"other", cancel_and_bring, 0, 1}},
     check_passed_on,
     0},
    {"a cancelled first passes the notify on, both are in line",
     two_tasks,
     {{"a", take, 0, 0}, {"b", take, true, 1}, {"other", cancel_and_bring, 0, 2}},
     check_not_left,
     0},
    {"two wait, all are notified",
     two_tasks,
     {{"a", take, 0}, {"b", take, 0}, {"bringer", bring_two, 0}},
     check_both,
     2},
    {"two notifies",
     two_tasks,
     {{"a", take, 0}, {"b", take, 0}, {"bringer", bring_twice, 0}},
     check_both,
     1},
    {"a cancelled first passes the notify on",
     two_tasks,
     {{"a", take, 0}, {"b", take, true}, {"other", cancel_and_bring, 0}},
     check_not_left,
     2},
    {0},
};
