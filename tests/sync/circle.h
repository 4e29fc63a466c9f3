/*
 * circle - tasks that wait for each other in a circle, and what is said of it.
 */
#ifndef WEFT_TESTS_SYNC_CIRCLE_H
#define WEFT_TESTS_SYNC_CIRCLE_H

#include <errno.h>
#include <stdio.h>

#include "check.h"
#include "core/worker.h"
#include "reports.h"
#include "waiting.h"

#define MOST 5

/* What the tasks of one test share. */
struct round {
    int size;
    bool is_void; /* who closes the circle uses weft_lock */
    weft_mutex mutex[MOST];
    struct check_latch held;
    weft_future task[MOST];
    weft_promise promise;
    int rc[MOST];
    int first, second;
    char why[1024];
    struct reports reports;
};

struct place {
    struct round *round;
    int number;
};

static inline int run_reported(int workers, weft_fn fn, struct round *round)
{
    return run_with_reports((weft_options){.workers = workers}, &round->reports, fn, round);
}

/* Returns when the task is suspended in a wait for what only another task can end. One that has only
 * announced it may still look for a circle itself. */
static inline void until_waits(weft_future handle)
{
    struct runtime *runtime = weft__worker()->runtime;
    struct future *future = weft__slab_at(&runtime->slab, handle.slot);
    enum { SUSPENDED = 2 }; /* as in wait.c */

    while (!load_seq(&future->waits_for) || (load_seq(&future->sleeper.word) & 0xff) != SUSPENDED)
        let_others_run();
}

static inline void keep_why(struct round *round)
{
    (void)snprintf(round->why, sizeof round->why, "%s", weft_why()); /* fits */
}

/* Holds its own mutex and waits for the next one's; the last of them closes the circle. */
static inline int philosopher(void *arg)
{
    struct place *place = arg;
    struct round *round = place->round;
    int number = place->number;
    weft_mutex *left = &round->mutex[number];
    weft_mutex *right = &round->mutex[(number + 1) % round->size];
    bool closes = number == round->size - 1;

    weft_lock(left);
    check_arrive(&round->held);
    int rc = check_latch_wait(&round->held);
    for (int i = 0; closes && i < round->size - 1; i++)
        until_waits(round->task[i]);
    if (closes && round->is_void)
        weft_lock(right);
    else if (rc == 0)
        rc = weft_lock_cancellable(right);
    if (closes)
        keep_why(round);
    if (rc == 0)
        (void)weft_unlock(right); /* it is ours */
    (void)weft_unlock(left);      /* it is ours */
    round->rc[number] = rc;
    return 0;
}

static inline int dine(void *arg)
{
    struct round *round = arg;

    check_latch_init(&round->held, (uint32_t)round->size);
    for (int i = 0; i < round->size; i++)
        round->task[i] = weft_spawn_val(philosopher, ((struct place){round, i}));
    return weft_gather_n(round->task, (size_t)round->size, NULL);
}

#endif
