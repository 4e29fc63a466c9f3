/*
 * drain - what stopping does before the runtime may be taken apart.
 */
#ifndef WEFT_CORE_DRAIN_H
#define WEFT_CORE_DRAIN_H

#include <stdbool.h>
#include <stdint.h>

struct runtime;

/* Refuses new work from outside, cancels every future that has not ended, and waits for the tasks. Returns
 * 0, or -ETIMEDOUT if some go on at `deadline` (weft_now), or wait for ever: they were reported. */
int weft__drain(struct runtime *runtime, int64_t deadline);

/* The wait alone, for the tasks that the last jobs have spawned. */
int weft__drain_wait(struct runtime *runtime, int64_t deadline);

/* After a standstill, with all tasks ended: whether the jobs that are left wait for ever. Returns as
 * soon as that is known. */
bool weft__drain_jobs_are_stuck(struct runtime *runtime, int64_t deadline);

/* Says which futures nobody has asked for. Everything has ended, so nobody will any more. */
void weft__drain_report_forgotten(struct runtime *runtime);

#endif
