/*
 * gate - holds a thread of a pool where weft does not see it: a wait inside weft would lend the
 * thread's place to another.
 */
#ifndef WEFT_TESTS_GATE_H
#define WEFT_TESTS_GATE_H

#include "check.h"

struct gate {
    struct check_latch reached; /* so many jobs stand at the gate */
    sem_t passes;
    _Atomic int passed;
};

static inline void gate_init(struct gate *gate, uint32_t jobs)
{
    check_latch_init(&gate->reached, jobs);
    (void)sem_init(&gate->passes, 0, 0); /* cannot fail for these numbers */
    atomic_store(&gate->passed, 0);
}

static inline void gate_open(struct gate *gate, int jobs)
{
    for (int i = 0; i < jobs; i++)
        (void)sem_post(&gate->passes); /* cannot fail for these numbers */
}

/* A job: says that it runs, then blocks its thread until it is let through. */
static inline int stand_at_gate(void *arg)
{
    struct gate *gate = arg;

    check_arrive(&gate->reached);
    check_sem_wait(&gate->passes);
    return atomic_fetch_add(&gate->passed, 1);
}

/* A job that counts that it ran, and a drop that counts that it did not. */
static inline int count_run(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
    return 0;
}

#endif
