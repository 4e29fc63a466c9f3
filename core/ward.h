/*
 * ward - each worker looks after another one, whose ready operations wait while the kernel holds it off.
 *
 * What comes for a task comes to the loop of the worker that the task waited on. If the kernel has
 * given that worker's processor to somebody else, to a thread of real-time priority for example, the
 * event lies there until the scheduler thinks again: a tick of 4 ms later. So a worker that runs looks
 * at one other at a time, its ward. One that has neither run a task nor gone to sleep or woken for
 * TUNE_HELD_OFF_NS is held off, or computes, or sleeps because there is nothing: which of these cannot
 * be told, and need not be. Its loop is looked at for it, and its tasks go on here.
 *
 * Only what any thread may take can be taken over: readiness, not the requests of io_uring, each of
 * which ends on the thread that made it (loop_uring.c). Workers that sleep look after nobody.
 */
#ifndef WEFT_CORE_WARD_H
#define WEFT_CORE_WARD_H

#include <stdint.h>

struct worker;

struct ward {
    uint32_t index;    /* whom it looks after: runtime->workers[] */
    uint32_t progress; /* of that one, when it was looked at first */
    int64_t since;     /* when that was; 0: not yet */
};

/* Looks after the ward of the worker, the caller; tasks may have become ready. */
void weft__ward_look(struct worker *worker);

#endif
