/*
 * weft/scope.h - structured concurrency: a scope owns the tasks spawned into it.
 *
 *     weft_scope scope;
 *     int rc = weft_scope_open(&scope);
 *     if (rc < 0)
 *         return rc;
 *     for (int i = 0; i < 3; i++)
 *         weft_scope_spawn_val(&scope, visit, i);
 *     return weft_scope_close(&scope, 0);     // waits for all; the first failure cancels the rest
 *
 * Scopes nest. Cancelling one cancels all that stands inside it, until a shield. Cancellation is a
 * state, not an event: from the request on, every wait inside answers -ECANCELED and did nothing.
 */
#ifndef WEFT_SCOPE_H
#define WEFT_SCOPE_H

#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A scope, in the memory of the task that opens it; all of it is private. */
typedef struct weft_scope {
    uint64_t weft__private[24];
} weft_scope;

/** Options of weft_scope_open_with; zero means default. */
typedef struct weft_scope_options {
    weft_time deadline; /* moment at which the scope is cancelled; 0: never, negative: at once */
    bool shield;        /* cancellation from outside does not reach in */
} weft_scope_options;

/**
 * Opens a scope inside the innermost open scope of the calling task.
 *
 * Returns: 0.
 * From:    a task (-EPERM elsewhere).
 * Owns:    the memory must stay where it is until the scope is closed, by the same task.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_scope_open(weft_scope *scope);

/**
 * Opens a scope with a deadline or as a shield.
 *
 * Returns: 0; -ENOMEM (no timer for the deadline).
 * From:    a task (-EPERM elsewhere).
 * Owns:    as weft_scope_open.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_scope_open_with(weft_scope *scope,
                                                  const weft_scope_options *options);

/**
 * Waits until every task of the scope has ended, and closes it. `rc` is how the body went: a
 * negative one cancels the tasks first.
 *
 * If the caller is cancelled meanwhile, the tasks are cancelled, and the call still waits for them.
 * Returns: the earliest failure of body or tasks; -ETIMEDOUT if the scope's own deadline cut
 *          something short; -ECANCELED if a cancel did; else rc. -EINVAL if the scope is not the
 *          caller's innermost open one, -EPERM outside its task (then nothing happened).
 * From:    the task that opened it.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_scope_close(weft_scope *scope, int rc);

/**
 * Starts a task that belongs to the scope: the scope waits for it, and its failure (also the
 * failure to start it) cancels the scope.
 *
 * Returns: a future that may be cancelled and waited for while the task lives, but not awaited,
 *          gathered or detached (-EINVAL); it need not be kept.
 * From:    the tasks inside the scope.
 * Owns:    arg must live until the scope is closed.
 * Since:   0.1
 */
WEFT_API weft_future weft_scope_spawn_with(weft_scope *scope, const weft_task_options *options,
                                           weft_fn fn, void *arg);

/** Starts a task that runs fn(arg) in the scope. Since: 0.1 */
#define weft_scope_spawn(scope, fn, arg) weft_scope_spawn_at((scope), WEFT_SITE(fn), (fn), (arg))

/**
 * Starts a task in the scope; weft_scope_spawn(scope, fn, arg) fills in the site.
 *
 * Returns: as weft_scope_spawn_with.
 * From:    the tasks inside the scope.
 * Since:   0.1
 */
WEFT_API weft_future weft_scope_spawn_at(weft_scope *scope, const char *site, weft_fn fn,
                                         void *arg);

/**
 * Starts a task in the scope that gets its own copy of `bytes` bytes at `val`.
 *
 * Returns: as weft_scope_spawn_with.
 * From:    the tasks inside the scope.
 * Since:   0.1
 */
WEFT_API weft_future weft_scope_spawn_val_at(weft_scope *scope, const char *site, weft_fn fn,
                                             const void *val, size_t bytes);

#ifndef __cplusplus
/** Starts a task in the scope that gets the address of its own copy of x. */
#    define weft_scope_spawn_val(scope, fn, x)                                       \
        weft_scope_spawn_val_at((scope), WEFT_SITE(fn), (fn), (__typeof__(x)[1]){x}, \
                                sizeof(char[sizeof(x) <= WEFT_VAL_BYTES ? sizeof(x) : -1]))
#endif

/**
 * Cancels everything inside the scope, its body included; the scope stays open.
 *
 * Returns: 0, also when it was cancelled before.
 * From:    any task while the scope is open.
 * Since:   0.1
 */
WEFT_API int weft_scope_cancel(weft_scope *scope);

/**
 * Ends a scope early without calling that a failure: as weft_scope_cancel, but close returns 0
 * unless something really failed.
 *
 * Returns: 0, also when it was stopped before.
 * From:    any task while the scope is open.
 * Since:   0.1
 */
WEFT_API int weft_scope_stop(weft_scope *scope);

/** Tells whether the scope's own deadline has cancelled it; also after close. Since: 0.1 */
WEFT_API bool weft_scope_expired(const weft_scope *scope);

/** Tells whether the scope has been cancelled, by whomever; also after close. Since: 0.1 */
WEFT_API bool weft_scope_cancelled(const weft_scope *scope);

/**
 * Runs fn(arg) in the calling task, and cancels it when `ns` nanoseconds have passed.
 *
 * Returns: what fn returns; -ETIMEDOUT if the time was over and fn was cut short by it.
 * From:    a task (-EPERM elsewhere).
 * Waits:   as fn does.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_timeout(weft_time ns, weft_fn fn, void *arg);

/**
 * Runs fn(arg) in the calling task out of reach of cancellation, for `ns` nanoseconds at most (or
 * WEFT_FOREVER): the place for clean-up that must wait.
 *
 * Returns: what fn returns; -ETIMEDOUT if the time was over and fn was cut short by it.
 * From:    a task (-EPERM elsewhere).
 * Waits:   as fn does.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_shield(weft_time ns, weft_fn fn, void *arg);

/** What WEFT_SCOPE calls at the end of the block: closes the scope unless it is closed. */
WEFT_API void weft__scope_leave(weft_scope *scope);

/** Declares and opens a scope that is closed on every way out of the block, early returns too. */
#define WEFT_SCOPE(name)                                         \
    weft_scope name __attribute__((cleanup(weft__scope_leave))); \
    (void)!weft_scope_open(&name)

#ifdef __cplusplus
}

template <typename T>
static inline weft_future weft__scope_spawn_val(weft_scope *scope, const char *site, weft_fn fn,
                                                const T &val)
{
    static_assert(sizeof(T) <= WEFT_VAL_BYTES, "weft_scope_spawn_val copies at most 48 bytes");
    return weft_scope_spawn_val_at(scope, site, fn, &val, sizeof(T));
}

#    define weft_scope_spawn_val(scope, fn, x) \
        weft__scope_spawn_val((scope), WEFT_SITE(fn), (fn), (x))
#endif

#endif
