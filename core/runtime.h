/*
 * runtime - the one runtime of the process, and the gate through which plain threads come in.
 *
 * Workers and pool threads belong to the runtime and live no longer than it does. Any other thread
 * passes the gate for the length of its call: the runtime is freed only when the gate is empty.
 */
#ifndef WEFT_CORE_RUNTIME_H
#define WEFT_CORE_RUNTIME_H

#include <weft/runtime.h>

#include "core/atomic.h"
#include "core/lock.h"

struct runtime;
struct worker;
struct task;

/* Enters from any thread. Returns 0 and the runtime; -ENXIO (never started), -ESHUTDOWN (stopped).
 * While it is stopping calls still come in, to settle what they have; new work is refused by
 * weft__runtime_refuses. After 0, leave. */
int weft__runtime_enter(struct runtime **ret_runtime);
void weft__runtime_leave(struct runtime *runtime);

/* Whether the calling thread belongs to the runtime: a worker, or a pool's. */
bool weft__runtime_is_mine(void);

/* weft_run_with from a plain thread; *ret_stopped is what weft_stop gave. */
int weft__run(const weft_options *options, weft_fn fn, void *arg, int *ret_stopped);

/* Whether weft_test_clock was called for the next start, and with which grace. */
bool weft__runtime_clock_wanted(int64_t *ret_grace);

/* The runtime in which the calling thread, no worker, is now: its pool's, or that whose gate it has
 * passed so many times. NULL: none. */
struct runtime *weft__runtime_here(uint32_t *ret_depth);

/* The virtual time, for weft_now(); 0: time is real. And its other side: it has jumped. */
int64_t weft__runtime_virtual_now(void);
void weft__runtime_time_jumped(const struct runtime *runtime, int64_t now);

/* Whether somebody holds weft_waker_hold. */
bool weft__runtime_is_held(void);

/* A thread of the runtime's own that is no worker (a pool thread) says so once, at its start; until
 * its end it passes the gate freely. */
void weft__runtime_adopt_thread(struct runtime *runtime);

/* The options as they count: environment and defaults filled in. */
const weft_options *weft__runtime_options(const struct runtime *runtime);

/* True once stopping has begun. */
bool weft__runtime_is_stopping(const struct runtime *runtime);

/* True if new work from the calling thread must be refused with -ESHUTDOWN: stopping has begun, and
 * it is neither a worker nor a pool's thread, which may still need some to clean up. */
bool weft__runtime_refuses(const struct runtime *runtime);

/* Tells the host's report function (or stderr, if asked for) a sentence. From any thread. */
void weft__report(struct runtime *runtime, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Sets what weft_why() answers on this thread. */
void weft__explain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The floor above: pool/ defines these, core calls them at start and stop. */
struct pools;

/* Starts the pools. Returns 0 or the error; then nothing is left behind. */
int weft__pools_start(struct runtime *runtime, struct pools **ret_pools);

/* Cancels what is queued, asks what runs to end, waits until `deadline` (weft_now). Returns 0, or
 * -ETIMEDOUT if jobs go on: they were reported, and nothing may be freed. */
int weft__pools_stop(struct pools *pools, int64_t deadline);
void weft__pools_free(struct pools *pools);

/* How the CPU pool's threads are scheduled, and how many there are, for weft_info. */
const char *weft__pools_class(const struct pools *pools);
int weft__pools_threads(const struct pools *pools);

/* Around the sleep of a plain thread: a job that waits inside weft lends its place in the pool to
 * another, so that jobs that wait for each other make progress. Does nothing on other threads. */
void weft__pools_wait_begin(void);
void weft__pools_wait_end(void);

/* Whether no job goes on by itself, if `waiting` of them wait inside weft, and no thread is about to
 * come (quiet.h). Adds to *moves what grows with each job and thread, to *threads how many there are. */
bool weft__pools_are_asleep(struct pools *pools, uint32_t waiting, uint64_t *moves, int *threads);

/* Whether a thread has left, is counted no more, and has yet to end. */
bool weft__pools_are_left(struct pools *pools);

/* Whether a job of the CPU pool is on, so that a worker that waits for it may be woken soon: a hint. */
bool weft__pools_may_end_soon(struct pools *pools);

/* Name and place of the job that the calling thread runs; NULL: none. */
const char *weft__pools_job_site(void);

/* True on a thread of a pool whose current job was cancelled. */
bool weft__pools_job_is_cancelled(void);

/* The pools of the runtime. */
struct pools *weft__runtime_pools(struct runtime *runtime);

#endif
