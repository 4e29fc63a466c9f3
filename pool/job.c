/*
 * job - see job.h.
 */
#include "pool/job.h"

#include <errno.h>
#include <string.h>

#include "core/runtime.h"
#include "pool/thread.h"

void weft__job_complete(struct job *job, int status)
{
    weft__future_complete(job->pool->runtime, &job->future,
                          status); /* the slot may be another's now */
}

void weft__job_end_unrun(struct job *job, int status)
{
    if (job->drop)
        job->drop(job->arg);
    weft__job_complete(job, status);
}

/* The end of a job was asked for. If it still stands in the queue, it ends here and now. One that
 * runs sees FUTURE_CANCEL by itself; one that is being made is ended by the thread that takes it. */
static void job_cancel(struct future *future, uint32_t generation)
{
    if (!job_take(future, generation))
        return;
    struct job *job = container_of(future, struct job, future); /* J1: ours */
    struct weft_pool *pool = job->pool;
    weft__pool_unlink(pool, job);
    weft__job_end_unrun(job, -ECANCELED);
    weft__pool_job_ended(pool);
}

static const struct future_kind job_kind = {.name = "job", .cancel = job_cancel};

/* The handle of a job that was not accepted; drop gets what fn would have got a copy of. */
static weft_future refuse(const weft_task_options *options, void *arg, int error)
{
    if (options->drop)
        options->drop(options->val_bytes ? (void *)(uintptr_t)options->val : arg);
    return weft__future_failed(error);
}

static int check(const struct weft_pool *pool, const weft_task_options *options, weft_fn fn)
{
    if (!pool)
        return -ENXIO;
    if (!fn)
        return -EINVAL;
    return options->val_bytes > WEFT_VAL_BYTES ? -E2BIG : 0;
}

/* Gets a place in the queue. A job that offers jobs never waits for one: jobs that wait for each
 * other's queues would wait for ever; it goes past the bound instead. */
static int take_room(struct weft_pool *pool, enum job_manner manner, bool *ret_has_room)
{
    bool waits = manner == JOB_WAITS;

    *ret_has_room = false;
    if (load_seq(&pool->closed))
        return -ESHUTDOWN;
    if (waits && weft__pool_thread())
        return 0;
    int rc = weft_sem_try_acquire(&pool->room);
    if (rc == -EAGAIN) {
        weft__pool_want_room(pool);
        /* suspends: worker, errno stale */
        rc = waits ? weft_sem_acquire(&pool->room) : weft_sem_try_acquire(&pool->room);
        weft__pool_want_no_room(pool);
    }
    *ret_has_room = rc == 0;
    return rc;
}

static struct job *job_new(struct weft_pool *pool, const weft_task_options *options, weft_fn fn,
                           void *arg)
{
    struct future *future =
        weft__future_new_hidden(pool->runtime, &job_kind, options->site ? options->site : "job");

    if (!future)
        return NULL;
    struct job *job = container_of(future, struct job, future);
    job->fn = fn;
    job->arg = options->val_bytes ? job->val : arg;
    job->drop = options->drop;
    job->pool = pool;
    job->linked = false;
    if (options->val_bytes)
        memcpy(job->val, options->val, options->val_bytes);
    return job;
}

/* Makes the job and queues it. Inside the gate. */
static int offer(struct weft_pool *pool, enum job_manner manner, const weft_task_options *options,
                 weft_fn fn, void *arg, weft_future *ret_handle)
{
    bool has_room;
    int rc = take_room(pool, manner, &has_room); /* suspends: worker, errno stale */

    if (rc < 0)
        return rc;
    rc = -ENOMEM;
    struct job *job = job_new(pool, options, fn, arg);
    if (!job)
        goto give_room;
    job->has_room = has_room;
    *ret_handle = weft__future_handle(&job->future);
    rc = weft__pool_push(pool, job);
    if (rc < 0)
        goto discard;
    return 0;
discard:
    weft__future_discard(pool->runtime, &job->future);
give_room:
    if (has_room)
        (void)weft_sem_release(&pool->room); /* cannot overflow: the permit came from there */
    return rc;
}

weft_future weft__job_offer(struct weft_pool *pool, enum job_manner manner,
                            const weft_task_options *options, weft_fn fn, void *arg)
{
    struct runtime *runtime;
    weft_future handle = {0};
    int rc = check(pool, options, fn);

    if (rc < 0)
        return refuse(options, arg, rc);
    rc = weft__runtime_enter(&runtime);
    if (rc < 0)
        return refuse(options, arg, rc);
    rc = -ESHUTDOWN; /* it is being stopped, or the pool was another's, which has stopped */
    if (!weft__runtime_refuses(runtime) && weft__pools_have(runtime, pool))
        rc = offer(pool, manner, options, fn, arg, &handle); /* suspends: worker, errno stale */
    if (rc < 0)
        handle = refuse(options, arg, rc);
    weft__runtime_leave(runtime);
    return handle;
}

weft_future weft_offload_with(weft_pool *pool, const weft_task_options *options, weft_fn fn,
                              void *arg)
{
    return weft__job_offer(pool, JOB_WAITS, options, fn, arg);
}

weft_future weft_offload_at(weft_pool *pool, const char *site, weft_fn fn, void *arg)
{
    const weft_task_options options = {.site = site};

    return weft__job_offer(pool, JOB_WAITS, &options, fn, arg);
}

weft_future weft_offload_val_at(weft_pool *pool, const char *site, weft_fn fn, const void *val,
                                size_t bytes)
{
    const weft_task_options options = {.site = site, .val = val, .val_bytes = bytes};

    return weft__job_offer(pool, JOB_WAITS, &options, fn, NULL);
}

weft_future weft_offload_try_at(weft_pool *pool, const char *site, weft_fn fn, void *arg)
{
    const weft_task_options options = {.site = site};

    return weft__job_offer(pool, JOB_TRIES, &options, fn, arg);
}
