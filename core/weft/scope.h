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
 *
 * A server that is to finish its requests cancels softly, and puts each request into a soft block:
 *
 *     while ((rc = weft_accept(...)) >= 0)                     // ends at once
 *         rc = weft_soft(serve_request, connection);           // goes on until the grace is over
 *
 *     weft_scope_cancel_soft(&server, weft_s(5));              // by somebody else
 */
#ifndef WEFT_SCOPE_H
#define WEFT_SCOPE_H

#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A scope, in the memory of the task that opens it; all of it is private. */
typedef struct weft_scope {
    uint64_t weft__private[32];
} weft_scope;

/** One failure inside a scope: what, and whose. */
typedef struct weft_failure {
    int status;       /* below 0 */
    const char *site; /* of the task, as its spawn gave it: it must outlive the list, too */
} weft_failure;

/** Options of weft_scope_open_with; zero means default. */
typedef struct weft_scope_options {
    weft_time deadline; /* moment at which the scope is cancelled; 0: never, negative: at once */
    bool shield;        /* cancellation from outside does not reach in */
    bool soft;          /* a soft cancel from outside reaches in only when its grace is over */
    /* Where failures are listed, in place of the few that the scope itself has room for; must live
     * as long as the scope's memory. NULL: there. */
    weft_failure *failures;
    size_t failures_room;
} weft_scope_options;

/**
 * Opens a scope inside the innermost open scope of the calling task.
 *
 * Returns: 0; -EINVAL if it is the caller's innermost open scope already.
 * From:    a task (-EPERM elsewhere).
 * Owns:    the memory must stay where it is until the scope is closed, by the same task.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_scope_open(weft_scope *scope);

/**
 * Opens a scope with a deadline, as a shield, as a soft block, or with a list for failures.
 *
 * Returns: as weft_scope_open; -ENOMEM (no timer for the deadline).
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
 * After a soft cancel it waits for what still goes on in soft blocks. If a task waits for the caller,
 * for a mutex that it holds, that is a failure of the body, -EDEADLK: the tasks are cancelled.
 * Returns: the earliest failure of body or tasks; -ETIMEDOUT if the scope's own deadline cut
 *          something short; -ECANCELED if a cancel did; else rc. -EINVAL if the scope is not the
 *          caller's innermost open one, -EPERM outside its task (then nothing happened).
 * From:    the task that opened it (-EPERM elsewhere).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_scope_close(weft_scope *scope, int rc);

/**
 * Starts a task that belongs to the scope: the scope waits for it, and its failure (also the
 * failure to start it) cancels the scope.
 *
 * Into a cancelled scope, too: the task then runs up to its first wait, so that it can free what it
 * owns.
 * Returns: a future that may be cancelled and waited for while the task lives, but not awaited,
 *          gathered or detached (-EINVAL); it need not be kept. Besides the errors of
 *          weft_spawn_with: -ESHUTDOWN if the scope is closed, -EPERM outside a task.
 * From:    the tasks inside the scope (-EPERM outside a task).
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
 * From:    the tasks inside the scope (-EPERM outside a task).
 * Since:   0.1
 */
WEFT_API weft_future weft_scope_spawn_at(weft_scope *scope, const char *site, weft_fn fn,
                                         void *arg);

/**
 * Starts a task in the scope that gets its own copy of `bytes` bytes at `val`.
 *
 * Returns: as weft_scope_spawn_with.
 * From:    the tasks inside the scope (-EPERM outside a task).
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
 * Starts a task in the scope, and waits until it says by weft_ready that others may rely on it: a
 * server that listens, a table that is filled. The task then goes on as a member of the scope.
 *
 * Until it is ready its failure is the caller's to handle, and does not cancel the scope. If the
 * caller is cancelled first, the task is cancelled too, and the call returns when that has ended.
 * The task runs in any case, if only to its first wait, unless the spawn itself fails.
 * Returns: what it gave to weft_ready; its status if it failed before; -EPROTO if it ended well
 *          without having been ready; -ECANCELED; the errors of weft_scope_spawn_with.
 * From:    the tasks inside the scope (-EPERM outside a task).
 * Waits:   yes, cancellation point.
 * Owns:    as weft_scope_spawn_with.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_scope_start_with(weft_scope *scope,
                                                   const weft_task_options *options, weft_fn fn,
                                                   void *arg);

/** Starts a task that runs fn(arg) in the scope, and waits until it is ready. Since: 0.1 */
#define weft_scope_start(scope, fn, arg) weft_scope_start_at((scope), WEFT_SITE(fn), (fn), (arg))

/**
 * Starts a task and waits until it is ready; weft_scope_start(scope, fn, arg) fills in the site.
 *
 * Returns: as weft_scope_start_with.
 * From:    the tasks inside the scope (-EPERM outside a task).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_scope_start_at(weft_scope *scope, const char *site, weft_fn fn,
                                                 void *arg);

/**
 * Starts a task that gets its own copy of `bytes` bytes at `val`, and waits until it is ready.
 *
 * Returns: as weft_scope_start_with.
 * From:    the tasks inside the scope (-EPERM outside a task).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_scope_start_val_at(weft_scope *scope, const char *site,
                                                     weft_fn fn, const void *val, size_t bytes);

#ifndef __cplusplus
/** weft_scope_start for a task that gets the address of its own copy of x. */
#    define weft_scope_start_val(scope, fn, x)                                       \
        weft_scope_start_val_at((scope), WEFT_SITE(fn), (fn), (__typeof__(x)[1]){x}, \
                                sizeof(char[sizeof(x) <= WEFT_VAL_BYTES ? sizeof(x) : -1]))
#endif

/**
 * Says that the calling task is ready: who started it by weft_scope_start gets `value`, 0 or more.
 *
 * In a task that was started otherwise nobody hears of it.
 * Returns: 0; -EALREADY if the task has said so before; -ECANCELED if the starter has given up;
 *          -EINVAL for a negative value.
 * From:    a task (-EPERM elsewhere).
 * Since:   0.1
 */
WEFT_API int weft_ready(int value);

/**
 * Cancels everything inside the scope, its body included; the scope stays open.
 *
 * Returns: 0, also when it was cancelled before.
 * From:    any task while the scope is open.
 * Since:   0.1
 */
WEFT_API int weft_scope_cancel(weft_scope *scope);

/**
 * Cancels in two phases: waits inside the scope end now, but those in a soft block, opened before
 * or after this call, when `grace` nanoseconds are over. Then the scope is cancelled as by
 * weft_scope_cancel.
 *
 * What stands in a soft block is the block, the scopes opened inside it, and the tasks of those
 * scopes; a task spawned from there into a scope further out stands where that scope stands. A
 * task of plain weft_spawn is reached through who awaits it, and is then cancelled at once: await it
 * in the block. A grace of 0 or less is over at once, WEFT_FOREVER never. Calling it again moves the
 * end of the grace. A cancel, a failure or a deadline meanwhile ends both phases.
 * Returns: 0, also when it was cancelled before; -ENOMEM (no timer for the grace: nothing happened).
 * From:    any task while the scope is open (-EPERM elsewhere).
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_scope_cancel_soft(weft_scope *scope, weft_time grace);

/**
 * Ends a scope early without calling that a failure: as weft_scope_cancel, but close returns 0
 * unless something really failed.
 *
 * Returns: 0, also when it was stopped before.
 * From:    any task while the scope is open.
 * Since:   0.1
 */
WEFT_API int weft_scope_stop(weft_scope *scope);

/**
 * Moves the deadline of a scope: earlier, later, or away; also gives it its first one.
 *
 * `deadline` is a moment on the clock of weft_now(); 0: none, negative or past: now.
 * Returns: 0; -EALREADY if the scope has been cancelled, by its deadline or otherwise: that stays;
 *          -EINVAL if it is closed; -ENOMEM (no timer: the old deadline holds).
 * From:    who opened it and the tasks inside, while it is open (-EPERM elsewhere).
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_scope_deadline(weft_scope *scope, weft_time deadline);

/**
 * Lists the failures of the scope's body and tasks, the earliest first. The -ECANCELED of what the
 * scope itself had cancelled is none, nor what weft_scope_start has told its caller.
 *
 * Returns: how many there were; ret_failures gets the first of them, at most `room`, and no more
 *          than the scope has kept: 4, or failures_room of its options.
 * From:    who opened it and the tasks inside, while it is open; also after close.
 * Since:   0.1
 */
WEFT_API size_t weft_scope_failures(const weft_scope *scope, weft_failure *ret_failures,
                                    size_t room);

/** Tells whether the scope's own deadline has cancelled it; also after close. Since: 0.1 */
WEFT_API bool weft_scope_expired(const weft_scope *scope);

/** Tells whether the scope has been cancelled, by whomever, also softly; also after close.
 * Since: 0.1 */
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

/**
 * Runs fn(arg) in the calling task as a soft block: a soft cancel from outside lets it go on until
 * the grace is over.
 *
 * Returns: what fn returns.
 * From:    a task (-EPERM elsewhere).
 * Waits:   as fn does.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_soft(weft_fn fn, void *arg);

/** What WEFT_SCOPE calls at the end of the block: closes the scope unless it is closed. */
WEFT_API void weft__scope_leave(weft_scope *scope);

/** Declares and opens a scope that is closed on every way out of the block, early returns too. */
#define WEFT_SCOPE(name)                                         \
    weft_scope name __attribute__((cleanup(weft__scope_leave))); \
    (void)!weft_scope_open(&name)

/** What WEFT_WITHIN keeps; all of it is private. */
typedef struct weft_within {
    weft_scope weft__scope;
    int *weft__rc;
} weft_within;

/** What WEFT_WITHIN calls before the block; false: it is left out, and *rc tells why. */
WEFT_API bool weft__within_enter(weft_within *within, int *rc, weft_time ns);

/** What WEFT_WITHIN calls on every way out of the block. */
WEFT_API void weft__within_leave(weft_within *within);

/**
 * WEFT_WITHIN(rc, ns) { ... }: a block that is cancelled when `ns` nanoseconds have passed.
 *
 *     WEFT_WITHIN(rc, weft_ms(100)) {
 *         rc = weft_read_full(stream, header, sizeof header);
 *         if (rc < 0)
 *             break;
 *         rc = weft_write(stream, "ok\n", 3);
 *     }
 *
 * rc is an int variable. It is 0 at the start of the block, and the block puts its status there;
 * after it, rc is -ETIMEDOUT if the time was over and the block was cut short by it: if rc was
 * -ECANCELED. break and continue leave the block, and so do return and goto; a return gives its
 * value as it stands. Outside a task the block is left out, and rc is -EPERM.
 * Since: 0.1
 */
#define WEFT_WITHIN(rc, ns)           WEFT__WITHIN_ON(__LINE__, rc, ns)
#define WEFT__WITHIN_ON(line, rc, ns) WEFT__WITHIN_LINE(line, rc, ns)
#define WEFT__WITHIN_LINE(line, rc, ns)                                                          \
    for (weft_within weft__in_##line __attribute__((cleanup(weft__within_leave))),               \
         *weft__go_##line = weft__within_enter(&weft__in_##line, &(rc), (ns)) ? &weft__in_##line \
                                                                              : NULL;            \
         weft__go_##line; weft__go_##line = NULL)

#ifdef __cplusplus
}

template <typename T>
static inline weft_future weft__scope_spawn_val(weft_scope *scope, const char *site, weft_fn fn,
                                                const T &val)
{
    static_assert(sizeof(T) <= WEFT_VAL_BYTES, "weft_scope_spawn_val copies at most 48 bytes");
    return weft_scope_spawn_val_at(scope, site, fn, &val, sizeof(T));
}

template <typename T>
WEFT_MUST_CHECK static inline int weft__scope_start_val(weft_scope *scope, const char *site,
                                                        weft_fn fn, const T &val)
{
    static_assert(sizeof(T) <= WEFT_VAL_BYTES, "weft_scope_start_val copies at most 48 bytes");
    return weft_scope_start_val_at(scope, site, fn, &val, sizeof(T));
}

#    define weft_scope_spawn_val(scope, fn, x) \
        weft__scope_spawn_val((scope), WEFT_SITE(fn), (fn), (x))
#    define weft_scope_start_val(scope, fn, x) \
        weft__scope_start_val((scope), WEFT_SITE(fn), (fn), (x))
#endif

#endif
