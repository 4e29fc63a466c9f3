/*
 * weft/pool.h - where work goes that would hold a worker up: computing, and C code that blocks.
 *
 *     long n = 5000000;
 *     int rc = weft_await(weft_offload(weft_cpu(), primes, &n));   // other tasks go on meanwhile
 *
 *     rc = weft_blocking(query_database, &query);                  // may block its thread
 *
 * A job is a plain function on a thread of a pool. Its future is the same handle as a task's. The
 * threads of weft_cpu() run below the workers, so that tasks that wait keep their latency.
 *
 * Jobs may call everything that plain threads may, and block their thread. A job that waits inside
 * weft (awaits another job, calls a task, takes a weft_mutex) lends its place to another thread of
 * the pool, so jobs may wait for jobs of the same pool. A job that offloads never waits for room in
 * a queue: jobs that wait for each other's queues would wait for ever. It goes past the bound; one
 * that wants to keep to it uses weft_offload_try.
 *
 * A job that was cancelled before a thread took it never starts. One that runs sees
 * weft_cancelled(), and should look now and then; so should every job when the runtime stops.
 */
#ifndef WEFT_POOL_H
#define WEFT_POOL_H

#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A set of threads with a bounded queue, first in, first out. */
typedef struct weft_pool weft_pool;

/**
 * The pool for computing: as many threads as weft may use cores, below the workers' priority.
 *
 * Returns: the pool, alive while the runtime is; NULL if it does not run.
 * Since:   0.1
 */
WEFT_API weft_pool *weft_cpu(void);

/**
 * The lane for C code that blocks: starts threads as needed up to a limit, and lets them go again.
 *
 * Returns: the pool, alive while the runtime is; NULL if it does not run.
 * Since:   0.1
 */
WEFT_API weft_pool *weft_blocking_lane(void);

/**
 * Hands fn(arg) to a thread of the pool. When the queue of the pool is full, the caller waits for
 * room: that is the backpressure.
 *
 * Returns: its future; await, gather or detach it. A failure travels in the handle: -ENOMEM, -EINVAL
 *          (no fn), -ENXIO (pool is NULL), -ESHUTDOWN, -ECANCELED (the caller was cancelled while
 *          it waited for room); then the job never starts. A job for which the system gives no
 *          thread at all ends with -EAGAIN without having run.
 * Owns:    arg is the caller's, and must live until the job ended.
 * Waits:   only while the queue is full, and never in a job; a task waits at a cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK weft_future weft_offload_at(weft_pool *pool, const char *site, weft_fn fn,
                                                     void *arg);

/**
 * Hands a job to the pool that gets its own copy of `bytes` bytes at `val`.
 *
 * Returns: as weft_offload_at, and -E2BIG for more than WEFT_VAL_BYTES.
 * Waits:   as weft_offload_at.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK weft_future weft_offload_val_at(weft_pool *pool, const char *site,
                                                         weft_fn fn, const void *val, size_t bytes);

/**
 * Hands fn(arg) to the pool if its queue has room.
 *
 * Returns: as weft_offload_at, and -EAGAIN in the handle when the queue is full.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK weft_future weft_offload_try_at(weft_pool *pool, const char *site,
                                                         weft_fn fn, void *arg);

/**
 * Hands a job to the pool with the options of a task, of which stack_bytes does not count.
 *
 * Returns: as weft_offload_at, and -E2BIG; if the job never starts, drop(arg) runs exactly once.
 * Owns:    as weft_offload_at.
 * Waits:   as weft_offload_at.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK weft_future weft_offload_with(weft_pool *pool,
                                                       const weft_task_options *options, weft_fn fn,
                                                       void *arg);

/** Hands fn(arg) to the pool; arg must live until the job ended. */
#define weft_offload(pool, fn, arg) weft_offload_at((pool), WEFT_SITE(fn), (fn), (arg))

/** Hands fn(arg) to the pool, or fails with -EAGAIN in the handle when its queue is full. */
#define weft_offload_try(pool, fn, arg) weft_offload_try_at((pool), WEFT_SITE(fn), (fn), (arg))

#ifndef __cplusplus
/** Hands a job to the pool that gets the address of its own copy of x. */
#    define weft_offload_val(pool, fn, x)                                       \
        weft_offload_val_at((pool), WEFT_SITE(fn), (fn), (__typeof__(x)[1]){x}, \
                            sizeof(char[sizeof(x) <= WEFT_VAL_BYTES ? sizeof(x) : -1]))
#endif

/**
 * Runs C code that blocks on the blocking lane, and waits for it.
 *
 * If the caller is cancelled, a job that has not started never starts; one that runs sees
 * weft_cancelled(), and the call returns only when it has ended. In a job, fn runs right there.
 * Returns: what fn returns, if it ran, also to a caller who was cancelled meanwhile; else -ECANCELED
 *          or the errors of weft_offload.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_blocking_at(const char *site, weft_fn fn, void *arg);

/** Runs fn(arg), which may block, on the blocking lane and waits for it. */
#define weft_blocking(fn, arg) weft_blocking_at(WEFT_SITE(fn), (fn), (arg))

#ifdef __cplusplus
}

template <typename T>
static inline weft_future weft__offload_val(weft_pool *pool, const char *site, weft_fn fn,
                                            const T &val)
{
    static_assert(sizeof(T) <= WEFT_VAL_BYTES, "weft_offload_val copies at most 48 bytes");
    return weft_offload_val_at(pool, site, fn, &val, sizeof(T));
}

#    define weft_offload_val(pool, fn, x) weft__offload_val((pool), WEFT_SITE(fn), (fn), (x))
#endif

#endif
