/*
 * testing - the engine of weft_test_cancel_everywhere: runs a function again and again, each time in
 * a fresh runtime, cancels one point of each run (probe.h), and looks what is left behind.
 *
 *     warm up:  once, so that the C library has opened and allocated what it keeps
 *     count:    once, uncancelled: so many points
 *     visit:    for each point and each moment: run, cancel there, stop the runtime, compare
 *
 * Each run has a thread of its own, which starts the runtime, calls the function, and stops the
 * runtime: what weft and the C library keep per thread is gone with it. So weft's own memory must be
 * back at exactly what it was. The heap of the C library has caches: bytes that are more than
 * before count only if they are more after every repetition of the same run.
 */
#ifndef WEFT_CORE_TESTING_H
#define WEFT_CORE_TESTING_H

#include "core/probe.h"

struct sweep {
    weft_fn fn;
    void *arg;
    int workers;    /* 0: 1 */
    unsigned whens; /* a bit for each enum probe_when */
    /* How a task is cancelled, called where it stands; NULL: at once, and there. */
    void (*cancel)(weft_future victim);
    /* After each run, on the caller's thread, outside any runtime: what is wrong with the caller's
     * own books, NULL: nothing. May be NULL. */
    const char *(*settle)(void *arg);
    int64_t patience; /* ns without a new point after which a run hangs; 0: 20 s */
    uint32_t most;    /* points to visit, evenly spread over all; 0: WEFT_TEST_POINTS_MOST */

    bool is_virtual;  /* private: weft_test_clock was called before, */
    int64_t grace;    /* with this */
    uint64_t counted; /* out: points of the uncancelled run */
    uint64_t points;  /* out: points that were cancelled at least once */
    uint64_t runs;    /* out: in which a point was cancelled */
};

/* Returns 0; -ENOTEMPTY (something was left behind), -EDEADLK (a run did not end), and weft_why() says
 * where and what; fn's own failure if it fails uncancelled; -EBUSY if a runtime runs, -EPERM in a task or
 * job, -EINVAL, the errors of weft_start. */
int weft__sweep(struct sweep *sweep);

#endif
