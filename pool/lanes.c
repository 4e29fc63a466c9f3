/*
 * lanes - the pools that every runtime has: the CPU pool, the blocking lane, the lane for names.
 *
 * Each has a queue and threads of its own, so that none stalls another: a name that takes 5 s to be
 * looked up does not hold up a file, and computing holds up neither.
 */
#include <errno.h>

#include <weft/pool.h>

#include "core/loop.h"
#include "core/runtime.h"
#include "core/sys.h"
#include "core/tuning.h"
#include "core/wait.h"
#include "pool/job.h"
#include "pool/pool.h"
#include "pool/thread.h"

enum { POOL_CPU, POOL_BLOCKING, POOL_NAMES, POOLS };

struct pools {
    struct weft_pool all[POOLS];
};

int weft__pools_start(struct runtime *runtime, struct pools **ret_pools)
{
    const weft_options *options = weft__runtime_options(runtime);
    int cpu = options->pool_threads;
    int blocking = options->blocking_threads;
    const struct pool_shape shapes[POOLS] = {
        {.label = "cpu",
         .limit = cpu > 0 ? (uint32_t)cpu : 1,
         .linger = WEFT_NO_TIMEOUT,
         .spins = TUNE_POOL_SPINS,
         .class = CLASS_OF_CPU},
        {.label = "block",
         .limit = blocking > 0 ? (uint32_t)blocking : TUNE_BLOCKING_THREADS,
         .linger = TUNE_LANE_LINGER_NS},
        {.label = "name", .limit = TUNE_NAMES_THREADS, .linger = TUNE_LANE_LINGER_NS},
    };
    struct pools *pools = weft__sys_alloc_lines(sizeof *pools);

    if (!pools)
        return -ENOMEM;
    for (int i = 0; i < POOLS; i++)
        weft__pool_init(&pools->all[i], runtime, &shapes[i]);
    *ret_pools = pools;
    return 0;
}

int weft__pools_stop(struct pools *pools, int64_t deadline)
{
    bool all_ended = true;

    for (int i = 0; i < POOLS; i++)
        weft__pool_close(&pools->all[i]);
    for (int i = 0; i < POOLS; i++)
        all_ended &= weft__pool_wait_empty(&pools->all[i], deadline);
    if (all_ended)
        return 0;
    for (int i = 0; i < POOLS; i++) {
        weft__threads_report(&pools->all[i]);
        weft__threads_abandon(&pools->all[i]);
    }
    return -ETIMEDOUT;
}

void weft__pools_free(struct pools *pools)
{
    if (!pools)
        return;
    for (int i = 0; i < POOLS; i++)
        weft__threads_join(&pools->all[i]);
    weft__sys_free(pools);
}

bool weft__pools_may_end_soon(struct pools *pools)
{
    struct weft_pool *pool = &pools->all[POOL_CPU];

    return load_relaxed(&pool->entry.offered) != load_relaxed(&pool->ended); /* relaxed: a hint */
}

bool weft__pools_are_asleep(struct pools *pools, uint32_t waiting, uint64_t *moves, int *threads)
{
    uint64_t live = 0;
    bool is_coming = false;

    for (int i = 0; i < POOLS; i++) {
        struct weft_pool *pool = &pools->all[i];

        lock_acquire(&pool->lock);
        uint64_t in_pool = weft__pool_live_locked(pool);
        live += in_pool;
        is_coming |= pool->starting;
        /* relaxed: under the lock; twice what has ended, and what has been offered and has not */
        *moves += pool->moves + 2 * load_relaxed(&pool->ended) + in_pool;
        *threads += (int)pool->count;
        lock_release(&pool->lock);
    }
    return live == waiting && !is_coming;
}

bool weft__pools_are_left(struct pools *pools)
{
    bool are_left = false;

    for (int i = 0; i < POOLS; i++) {
        struct weft_pool *pool = &pools->all[i];

        lock_acquire(&pool->lock);
        are_left |= weft__threads_leave_locked(pool);
        lock_release(&pool->lock);
    }
    return are_left;
}

const char *weft__pools_class(const struct pools *pools)
{
    return load_seq(&pools->all[POOL_CPU].class_word);
}

int weft__pools_threads(const struct pools *pools) { return (int)pools->all[POOL_CPU].shape.limit; }

bool weft__pools_have(struct runtime *runtime, const struct weft_pool *pool)
{
    const struct pools *pools = weft__runtime_pools(runtime);

    for (int i = 0; i < POOLS; i++)
        if (pool == &pools->all[i])
            return true;
    return false;
}

/* A pool of the runtime that the caller is in; NULL if none runs. */
static struct weft_pool *pool_at(int index)
{
    struct runtime *runtime;

    if (weft__runtime_enter(&runtime) < 0)
        return NULL;
    struct weft_pool *pool = &weft__runtime_pools(runtime)->all[index];
    weft__runtime_leave(runtime);
    return pool;
}

weft_pool *weft_cpu(void) { return pool_at(POOL_CPU); }

weft_pool *weft_blocking_lane(void) { return pool_at(POOL_BLOCKING); }

/* A call on a lane, on the stack of who waits for it. */
struct lane_call {
    weft_fn fn;
    void *arg;
    bool ran;
    int status;
};

static int lane_call_run(void *arg)
{
    struct lane_call *call = arg;

    call->status = call->fn(call->arg);
    call->ran = true;
    return 0;
}

/* Runs fn(arg) on the lane and waits for it. What ran counts, also for a caller who was cancelled
 * meanwhile: the status is the only trace of what the call has done. A job calls fn itself: its
 * thread may block, and jobs that wait for a full lane could wait for each other. A plain thread passes the
 * gate once for both steps, as in runtime.c: what runs on its stack must not outlive the call. */
static int lane_call(struct weft_pool *lane, const char *site, weft_fn fn, void *arg)
{
    struct lane_call call = {.fn = fn, .arg = arg};
    struct runtime *runtime;

    if (weft__pool_thread())
        return fn(arg);
    int rc = weft__wait_check(); /* suspends: worker, errno stale */
    if (rc == 0)
        rc = weft__runtime_enter(&runtime);
    if (rc < 0)
        return rc;
    weft_future future = weft_offload_at(lane, site, lane_call_run, &call); /* suspends, too */
    if (weft__current_task())
        rc = weft_await(future); /* suspends: worker, errno stale */
    else
        rc = weft__gather(runtime, &future, 1, NULL); /* no second gate */
    weft__runtime_leave(runtime);
    return call.ran ? call.status : rc;
}

int weft_blocking_at(const char *site, weft_fn fn, void *arg)
{
    if (!fn)
        return -EINVAL;
    return lane_call(weft_blocking_lane(), site, fn, arg); /* suspends: worker, errno stale */
}

int weft__lane_run(enum lane lane, int (*fn)(void *arg), void *arg)
{
    switch (lane) {
    case LANE_BLOCKING: return lane_call(pool_at(POOL_BLOCKING), "blocking call of weft", fn, arg);
    case LANE_NAMES: return lane_call(pool_at(POOL_NAMES), "name look-up of weft", fn, arg);
    }
    return -EINVAL;
}
