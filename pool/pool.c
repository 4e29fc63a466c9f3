/*
 * pool - see pool.h. Here: the queue. The threads are in thread.c.
 */
#include "pool/pool.h"

#include <errno.h>

#include "core/quiet.h"
#include "core/runtime.h"
#include "core/sys.h"
#include "core/tuning.h"
#include "pool/job.h"
#include "pool/thread.h"

void weft__pool_init(struct weft_pool *pool, struct runtime *runtime,
                     const struct pool_shape *shape)
{
    pool->runtime = runtime;
    pool->shape = *shape;
    store_seq(&pool->class_word, weft__class_word(shape->class));
    weft_sem_init(&pool->room, TUNE_POOL_BOUND);
}

bool weft__pool_is_stuck_locked(const struct weft_pool *pool)
{
    return pool->lent > TUNE_POOL_STAND_INS && pool->count == pool->lent;
}

bool weft__pool_wants_thread_locked(struct weft_pool *pool)
{
    if (pool->starting || list_is_empty(&pool->queue) || !list_is_empty(&pool->idle))
        return false;
    if (pool->count - pool->lent >= pool->shape.limit || pool->lent > TUNE_POOL_STAND_INS)
        return false;
    pool->starting = true;
    pool->moves++;
    pool->count++;
    return true;
}

int weft__pool_push(struct weft_pool *pool, struct job *job)
{
    struct pool_thread *woken = NULL, *sleeper = NULL;
    bool grow = false;

    lock_acquire(&pool->lock);
    int rc = load_seq(&pool->closed) ? -ESHUTDOWN : 0;
    if (rc == 0 && weft__pool_is_stuck_locked(pool))
        rc = -EAGAIN;
    if (rc == 0) {
        list_push_last(&pool->queue, &job->link);
        pool->moves++;
        job->linked = true;
        or_seq(&job->future.state, FUTURE_QUEUED); /* from here on a cancel may take it */
        add_seq(&pool->live, 1);
        woken = weft__thread_pop_idle_locked(pool, &sleeper);
        grow = !woken && weft__pool_wants_thread_locked(pool);
    }
    lock_release(&pool->lock);
    if (sleeper)
        weft__futex_wake(&sleeper->go, 1); /* it may have ended meanwhile: a wake of nobody */
    if (grow)
        weft__thread_start(pool);
    return rc;
}

struct job *weft__pool_take_locked(struct weft_pool *pool)
{
    for (struct link *link; (link = list_pop_first(&pool->queue)) != NULL;) {
        struct job *job = container_of(link, struct job, link);

        job->linked = false;
        if (job_take(&job->future, future_generation(load_seq(&job->future.state))))
            return job;
        /* a cancel has it, and ends it as soon as it gets the lock: hands off */
    }
    return NULL;
}

void weft__pool_unlink(struct weft_pool *pool, struct job *job)
{
    lock_acquire(&pool->lock);
    if (job->linked) {
        list_remove(&pool->queue, &job->link);
        job->linked = false;
    }
    lock_release(&pool->lock);
}

void weft__pool_drain(struct weft_pool *pool, int status)
{
    struct job *job;

    do {
        lock_acquire(&pool->lock);
        job = weft__pool_take_locked(pool);
        lock_release(&pool->lock);
        if (job) {
            weft__job_give_room(job);
            weft__job_end_unrun(job, status);
        }
    } while (job);
}

void weft__pool_job_ended(struct weft_pool *pool)
{
    /* The last one tells the stopper: it has set closed before it looks at live. */
    if (sub_seq(&pool->live, 1) == 1 && load_seq(&pool->closed))
        weft__futex_wake(&pool->live, 1);
    weft__quiet_look(pool->runtime); /* I1 there: it may have been the last that could act */
}

void weft__pool_close(struct weft_pool *pool)
{
    lock_acquire(&pool->lock);
    store_seq(&pool->closed, 1); /* under the lock: after it, nothing is queued any more */
    lock_release(&pool->lock);
    weft__pool_drain(pool, -ECANCELED);
}

bool weft__pool_wait_empty(struct weft_pool *pool, int64_t deadline)
{
    for (uint32_t live; (live = load_seq(&pool->live)) != 0;) {
        int64_t left = deadline == WEFT_NO_TIMEOUT ? WEFT_NO_TIMEOUT : deadline - weft__sys_now();

        if (left <= 0)
            return false;
        (void)weft__futex_wait(&pool->live, live, left); /* woken or late: look again */
    }
    return true;
}
