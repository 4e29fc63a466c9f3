/*
 * scene - what several scenarios are made of: little tasks, and a place where few may be at once.
 */
#ifndef WEFT_TESTS_SWEEP_SCENE_H
#define WEFT_TESTS_SWEEP_SCENE_H

#include "sweep.h"

static inline int naps(void *arg)
{
    (void)arg;
    return CUT(weft_sleep(weft_us(20)));
}

static inline int naps_for_ever(void *arg)
{
    (void)arg;
    return CUT(weft_sleep(WEFT_FOREVER));
}

static inline int fails(void *arg)
{
    (void)arg;
    (void)!weft_yield(); /* it fails all the same */
    return -EIO;
}

/* Runs `n` tasks with fn in a scope: one that is cancelled leaves the others alone. */
static inline int in_a_scope(int n, weft_fn fn, void *arg)
{
    weft_scope scope;
    int rc = weft_scope_open(&scope);

    if (rc < 0)
        return rc;
    for (int i = 0; i < n; i++)
        sweep_task_in(&scope, fn, arg);
    return CUT(weft_scope_close(&scope, 0));
}

/* What is between taking and giving back; at most `most` may be there. */
static inline int goes_inside(int most)
{
    bool is_short = atomic_fetch_add(&books.entered, 1) % 2 == 0;

    (void)HOLDS(atomic_fetch_add(&books.inside, 1) < most);
    /* A short stay ends before one who waits and has just been cancelled gets its turn. */
    int rc = is_short ? weft_yield() : weft_sleep(weft_us(20));
    atomic_fetch_sub(&books.inside, 1);
    atomic_fetch_add(&books.left, 1);
    return rc;
}

#endif
