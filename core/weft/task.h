/*
 * weft/task.h - start tasks, wait for them, stop them.
 *
 *     weft_future a = weft_spawn_val(fetch, 2);
 *     weft_future b = weft_spawn_val(fetch, 3);
 *     int rc = weft_gather(a, b);             // both run; the first failure cancels the other
 *
 * A task is a C function on a small stack of its own. It may move to another thread wherever it
 * waits, so it must not keep the address of errno or of a thread-local variable across a wait.
 *
 * A future is the handle of a task, of an offloaded job, or of a promise. It is a value: copy it
 * freely. One owner consumes it, by weft_await, weft_gather, weft_race, weft_completed_next or
 * weft_detach; after that every copy answers -ESTALE. A spawn that fails travels in the handle:
 * awaiting it gives the error.
 */
#ifndef WEFT_TASK_H
#define WEFT_TASK_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A handle: the place of a task, job or promise, and which of the many that lived there. */
typedef struct weft_future {
    uint32_t slot;       /* 0: no task; then `generation` holds the errno of the failed spawn */
    uint32_t generation; /* grows each time that the slot is used again */
} weft_future;

/** The other end of a promised future: whoever holds it may fulfil it, once. */
typedef struct weft_promise {
    uint32_t slot;
    uint32_t generation;
} weft_promise;

/** The most bytes that weft_spawn_val and weft_offload_val copy. */
#define WEFT_VAL_BYTES 48

/** Options of weft_spawn_with; zero means default. */
typedef struct weft_task_options {
    size_t stack_bytes;      /* 0: 64 KiB; the size is rounded up to a power of two */
    void (*drop)(void *arg); /* runs exactly once instead of the task if the task never starts;
                                it must not wait */
    const char *site;        /* name and place to report; must outlive the task */
    const void *val;         /* val_bytes bytes are copied, and the task gets their copy as arg */
    size_t val_bytes;        /* at most WEFT_VAL_BYTES */
} weft_task_options;

/**
 * Starts a task that runs fn(arg), with options.
 *
 * Returns: its future; await, gather or detach it. A failure travels in the handle: -ENOMEM,
 *          -E2BIG (val_bytes over WEFT_VAL_BYTES), -EINVAL (stack_bytes over 1 GiB, no fn),
 *          -ENXIO (no runtime), -ESHUTDOWN (it is stopping); then drop(arg) has run. A task that
 *          finds no memory for its stack when its turn comes ends with -ENOMEM without having run.
 * Owns:    arg is the caller's, and must live until the task ended.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK weft_future weft_spawn_with(const weft_task_options *options, weft_fn fn,
                                                     void *arg);

/**
 * Starts a task that runs fn(arg); weft_spawn(fn, arg) fills in the site.
 *
 * Returns: as weft_spawn_with.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK weft_future weft_spawn_at(const char *site, weft_fn fn, void *arg);

/**
 * Starts a task that gets its own copy of `bytes` bytes at `val`; weft_spawn_val(fn, x) wraps it.
 *
 * Returns: as weft_spawn_with.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK weft_future weft_spawn_val_at(const char *site, weft_fn fn,
                                                       const void *val, size_t bytes);

/** Starts a task that runs fn(arg); arg must live until the task ended. */
#define weft_spawn(fn, arg) weft_spawn_at(WEFT_SITE(fn), (fn), (arg))

#ifndef __cplusplus
/** Starts a task that gets the address of its own copy of x (at most WEFT_VAL_BYTES). */
#    define weft_spawn_val(fn, x)                                     \
        weft_spawn_val_at(WEFT_SITE(fn), (fn), (__typeof__(x)[1]){x}, \
                          sizeof(char[sizeof(x) <= WEFT_VAL_BYTES ? sizeof(x) : -1]))
#endif

/**
 * Waits until the task, job or promise has ended, and consumes the future.
 *
 * If the waiting task is cancelled meanwhile, what it waits for is cancelled too, and the call
 * still returns only when that has ended: it may hold pointers into the waiter's stack.
 * Returns: its status; -ESTALE if the future was consumed or detached before; -EDEADLK for oneself,
 *          or for what waits for the caller (nothing is consumed, and it goes on: let go of what it
 *          waits for, and await it again; weft_why() names the circle, see weft_lock_cancellable);
 *          -ECANCELED if the caller was cancelled (then it is consumed all the same, and has ended);
 *          the error of the spawn if that failed.
 * From:    tasks, jobs and plain threads (they block).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_await(weft_future future);

/**
 * Waits for n futures, and consumes all. The first that fails cancels the others, and the call
 * returns when every one of them has ended.
 *
 * Returns: 0; the status of the earliest failure; -ECANCELED if the caller was cancelled; -EINVAL
 *          if a handle stands in the list twice or is zero, -ESTALE if one was consumed before,
 *          -EDEADLK if one is the caller or waits for it (after these three nothing was consumed).
 *          ret_statuses, unless NULL, gets n statuses in the order of the futures.
 * From:    tasks, jobs and plain threads (they block).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_gather_n(const weft_future *futures, size_t n, int *ret_statuses);

/**
 * Waits for n futures, whatever their statuses, and consumes all. A failure cancels nothing.
 *
 * Returns: 0, also if some or all failed: ret_statuses, unless NULL, gets n statuses in the order of
 *          the futures; -ECANCELED if the caller was cancelled (then all were cancelled, have ended,
 *          and are told all the same); -EINVAL, -ESTALE, -EDEADLK as for weft_gather_n.
 * From:    tasks, jobs and plain threads (they block).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_gather_settled_n(const weft_future *futures, size_t n,
                                                   int *ret_statuses);

/**
 * Waits for the first of n futures that succeeds, cancels the others, and consumes all. Returns when
 * every one of them has ended; what a loser still made of it is thrown away. Of those that have
 * ended before the call the first in the list counts as the first.
 *
 * Returns: the status of the winner, and ret_winner, unless NULL, gets its place in the list. If all
 *          failed, the status of the earliest failure; -ECANCELED if the caller was cancelled before
 *          anybody had won; -EINVAL if n is 0 (nobody can win); -EINVAL, -ESTALE, -EDEADLK as for
 *          weft_gather_n.
 * From:    tasks, jobs and plain threads (they block).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_race_n(const weft_future *futures, size_t n, size_t *ret_winner);

#ifndef __cplusplus
/* An array of the futures named, which are made left to right, and its length. */
#    define WEFT__LIST(...) \
        (weft_future[]){__VA_ARGS__}, sizeof((weft_future[]){__VA_ARGS__}) / sizeof(weft_future)

/** weft_gather(a, b, ...): weft_gather_n over the futures named, which are made left to right. */
#    define weft_gather(...) weft_gather_n(WEFT__LIST(__VA_ARGS__), NULL)

/** weft_gather_settled(ret_statuses, a, b, ...): weft_gather_settled_n over the futures named. */
#    define weft_gather_settled(ret_statuses, ...) \
        weft_gather_settled_n(WEFT__LIST(__VA_ARGS__), (ret_statuses))

/** weft_race(a, b, ...): weft_race_n over the futures named. */
#    define weft_race(...) weft_race_n(WEFT__LIST(__VA_ARGS__), NULL)
#endif

/** Goes through futures in the order in which they end; all of it is private. */
typedef struct weft_completed {
    uint64_t weft__private[14];
} weft_completed;

/**
 * Begins to consume n futures one by one, as they end:
 *
 *     rc = weft_completed_init(&all, futures, n);
 *     while (rc >= 0 && (rc = weft_completed_next(&all, &i, &status)) > 0)
 *         ...                                      // futures[i] has ended with status
 *
 * Returns: 0; -EINVAL, -ESTALE, -EDEADLK as for weft_gather_n (nothing is consumed, and the
 *          iteration is over); -ENXIO or -ESHUTDOWN without a runtime.
 * Owns:    the iterator and the list must stay where they are until weft_completed_next has returned
 *          0 or less, or weft_completed_end has returned 0: do not leave the block before.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_completed_init(weft_completed *all, const weft_future *futures,
                                                 size_t n);

/**
 * Waits for the next future that ends, and consumes it. Spawns that failed come first, then those
 * that had ended before the iteration began, in the order of the list; then each as it ends.
 *
 * Returns: 1, and unless they are NULL ret_index gets its place in the list and ret_status how it
 *          ended; 0 when all have been told; -ECANCELED if the caller was cancelled: then the rest
 *          was cancelled too, has ended and is consumed; -ESHUTDOWN in a plain thread if the runtime
 *          was stopped meanwhile, and all ended with it; -EDEADLK if the last ones wait for the
 *          caller: then they are the caller's again. After these four the iteration is over.
 *          -EPERM for another task than the one that began, -EBUSY if another thread waits here.
 * From:    the task that began; if that was a job or a thread, one at a time (they block).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_completed_next(weft_completed *all, size_t *ret_index,
                                                 int *ret_status);

/**
 * Ends an iteration early: cancels the futures that were not told, waits until they have ended, and
 * consumes them. Harmless when the iteration is over.
 *
 * Returns: 0; -EPERM, -EBUSY as weft_completed_next.
 * From:    as weft_completed_next.
 * Waits:   yes, but it is no cancellation point.
 * Since:   0.1
 */
WEFT_API int weft_completed_end(weft_completed *all);

/**
 * Waits until the future has ended, without consuming it: any number may wait at once.
 *
 * Returns: its status; -ECANCELED if the caller was cancelled (the future goes on); -ESTALE,
 *          -EDEADLK, the error of a failed spawn as for weft_await.
 * From:    tasks, jobs and plain threads (they block).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_wait(weft_future future);

/**
 * Asks a task, job or promised future to end: from now on every wait of the task answers
 * -ECANCELED; a job that has not started never starts; a promise ends with -ECANCELED.
 *
 * Returns: 0, also if it has already ended (its status stays); -ESTALE if it was consumed.
 * Since:   0.1
 */
WEFT_API int weft_cancel(weft_future future);

/**
 * Lets a task, job or promise go on without anybody waiting for it; its status is thrown away.
 *
 * Returns: 0; -ESTALE if it was consumed before; the error of a failed spawn.
 * Owns:    what the task uses must be its own from here on.
 * Since:   0.1
 */
WEFT_API int weft_detach(weft_future future);

/**
 * Tells whether the caller has been asked to end: a task that computes, or a job, looks here.
 *
 * Returns: true in a task whose next wait would answer -ECANCELED, and in a job that was cancelled.
 * From:    tasks and jobs (false elsewhere).
 * Since:   0.1
 */
WEFT_API bool weft_cancelled(void);

/**
 * Lets the other ready tasks run, then goes on.
 *
 * Returns: 0; -ECANCELED if the caller was cancelled.
 * From:    a task (-EPERM elsewhere).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API int weft_yield(void);

/**
 * Tells which task is running.
 *
 * Returns: its future, for weft_cancel and weft_wait by others; slot 0 outside a task.
 * Since:   0.1
 */
WEFT_API weft_future weft_self(void);

/**
 * Makes a future that somebody fulfils later: any task or thread that has the promise.
 *
 * Returns: the future, to be awaited or detached like a task's; a failure travels in it (-ENOMEM,
 *          -ENXIO without a runtime, -ESHUTDOWN) and the promise is then void. In a task or job of
 *          a runtime that is stopping it is cancelled from the start.
 * Owns:    the promise must be set or dropped once.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK weft_future weft_promise_new_at(const char *site,
                                                         weft_promise *ret_promise);

/** Makes a promise, and fills in the site. */
#define weft_promise_new(ret_promise) weft_promise_new_at(WEFT_SITE(promise), (ret_promise))

/**
 * Fulfils a promise: who waits for its future gets this status.
 *
 * Returns: 0; -EALREADY if it was set, dropped or cancelled before; -EINVAL for a void promise.
 * Since:   0.1
 */
WEFT_API int weft_promise_set(weft_promise promise, int status);

/**
 * Gives a promise up: who waits for its future gets -EPIPE.
 *
 * Returns: as weft_promise_set.
 * Since:   0.1
 */
WEFT_API int weft_promise_drop(weft_promise promise);

#ifdef __cplusplus
}

template <typename T>
static inline weft_future weft__spawn_val(const char *site, weft_fn fn, const T &val)
{
    static_assert(sizeof(T) <= WEFT_VAL_BYTES, "weft_spawn_val copies at most 48 bytes");
    return weft_spawn_val_at(site, fn, &val, sizeof(T));
}

template <typename... F> static inline int weft__gather(F... futures)
{
    const weft_future list[] = {futures...};
    return weft_gather_n(list, sizeof...(futures), nullptr);
}

template <typename... F> static inline int weft__gather_settled(int *ret_statuses, F... futures)
{
    const weft_future list[] = {futures...};
    return weft_gather_settled_n(list, sizeof...(futures), ret_statuses);
}

template <typename... F> static inline int weft__race(F... futures)
{
    const weft_future list[] = {futures...};
    return weft_race_n(list, sizeof...(futures), nullptr);
}

#    define weft_spawn_val(fn, x)                  weft__spawn_val(WEFT_SITE(fn), (fn), (x))
#    define weft_gather(...)                       weft__gather(__VA_ARGS__)
#    define weft_race(...)                         weft__race(__VA_ARGS__)
#    define weft_gather_settled(ret_statuses, ...) weft__gather_settled((ret_statuses), __VA_ARGS__)
#endif

#endif
