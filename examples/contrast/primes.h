/*
 * primes.h - the computation: count the primes of 2..PRIMES_LAST in eight jobs.
 */
#ifndef CONTRAST_PRIMES_H
#define CONTRAST_PRIMES_H

#include "journal.h"

/** One eighth of the numbers. */
struct prime_job {
    struct run *run;
    enum lane lane; /* whose thread runs it */
    const char *name;
    uint32_t first;
    uint32_t last;
    long count; /* the result */
};

/** Divides the numbers among the jobs, the most expensive eighth first. */
void primes_divide(struct prime_job jobs[PRIME_JOBS], struct run *run, enum lane lane);

/** Does one job, in a task, in a pool, or plainly. `job` is a struct prime_job. Returns: 0. */
int primes_count(void *job);

/** Checks the sum. Returns: 0; -EPROTO and a sentence. */
int primes_check(const struct prime_job jobs[PRIME_JOBS]);

#endif
