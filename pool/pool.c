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
    store_seq(&pool->call, POOL_CALLS); /* to have the first thread started */
}

/* --- who comes for a job ----------------------------------------------------------------------- */

bool weft__pool_is_stuck_locked(const struct weft_pool *pool)
{
    return pool->lent > TUNE_POOL_STAND_INS && pool->count == pool->lent;
}

static bool may_grow_locked(const struct weft_pool *pool)
{
    return !pool->starting && pool->count - pool->lent < pool->shape.limit &&
           pool->lent <= TUNE_POOL_STAND_INS;
}

static enum pool_call call_locked(const struct weft_pool *pool)
{
    if (weft__pool_is_stuck_locked(pool))
        return POOL_IS_STUCK;
    if (pool->has_spinner || pool->called > 0)
        return POOL_IS_SERVED; /* P3 */
    return !list_is_empty(&pool->idle) || may_grow_locked(pool) ? POOL_CALLS : POOL_IS_SERVED;
}

void weft__pool_show_locked(struct weft_pool *pool)
{
    uint32_t call = call_locked(pool);

    if (load_relaxed(&pool->call) != call) /* relaxed: written under this lock */
        store_relaxed(&pool->call, call);  /* relaxed: P4, the lock of the entry orders it */
}

bool weft__pool_has_jobs_locked(struct weft_pool *pool)
{
    if (!list_is_empty(&pool->queue))
        return true;
    lock_acquire(&pool->entry.lock);
    bool has = !list_is_empty(&pool->entry.jobs);
    lock_release(&pool->entry.lock);
    return has;
}

struct summons weft__pool_summon_locked(struct weft_pool *pool)
{
    struct summons summons = {0};

    if (call_locked(pool) != POOL_CALLS)
        return summons;
    summons.sleeper = weft__thread_pop_idle_locked(pool);
    if (summons.sleeper) {
        pool->called++;
    } else {
        summons.grow = pool->starting = true;
        pool->moves++;
        pool->count++;
    }
    weft__pool_show_locked(pool);
    return summons;
}

void weft__pool_bring(struct weft_pool *pool, const struct summons *summons)
{
    if (summons->sleeper)
        weft__futex_wake(&summons->sleeper->go, 1); /* it may have ended: a wake of nobody */
    if (summons->grow)
        weft__thread_start(pool);
}

/* A job was put into the entry, and nobody was on his way. */
static void summon(struct weft_pool *pool)
{
    struct summons summons = {0};

    lock_acquire(&pool->lock);
    if (weft__pool_has_jobs_locked(pool))
        summons = weft__pool_summon_locked(pool);
    lock_release(&pool->lock);
    weft__pool_bring(pool, &summons);
}

/* --- the queue --------------------------------------------------------------------------------- */

int weft__pool_push(struct weft_pool *pool, struct job *job)
{
    struct pool_entry *entry = &pool->entry;

    int cpu = weft__sys_cpu();
    if (load_relaxed(&pool->cpu) != cpu) /* relaxed: a hint */
        store_relaxed(&pool->cpu, cpu);  /* relaxed: as above */
    lock_acquire(&entry->lock);
    uint32_t call = load_relaxed(&pool->call); /* relaxed: P4, the lock orders it */
    int rc = load_seq(&pool->closed) ? -ESHUTDOWN : call == POOL_IS_STUCK ? -EAGAIN : 0;
    if (rc == 0) {
        uint64_t state = load_relaxed(&job->future.state); /* relaxed: nobody else knows it */
        list_push_last(&entry->jobs, &job->link);
        job->linked = true;
        /* From here on a cancel may find and take it. Release: pairs with job_take(). */
        store_release(&job->future.state, state | FUTURE_LIVE | FUTURE_QUEUED);
        /* relaxed: written under this lock; a hint to who spins */
        store_relaxed(&entry->offered, load_relaxed(&entry->offered) + 1);
    }
    lock_release(&entry->lock);
    if (rc == 0 && call == POOL_CALLS)
        summon(pool);
    return rc;
}

/* All of the entry becomes the queue, which is empty. */
static void move_in_locked(struct weft_pool *pool)
{
    lock_acquire(&pool->entry.lock);
    pool->queue = pool->entry.jobs;
    pool->entry.jobs = (struct list){0};
    pool->moved = load_relaxed(&pool->entry.offered); /* relaxed: under its lock */
    lock_release(&pool->entry.lock);
}

/* The first job of the queue, out of it; NULL: none. */
static struct job *pop_locked(struct weft_pool *pool)
{
    if (list_is_empty(&pool->queue))
        move_in_locked(pool);
    struct link *link = list_pop_first(&pool->queue);
    if (!link)
        return NULL;
    struct job *job = container_of(link, struct job, link);
    job->linked = false;
    if (pool->queue.first) { /* it comes from afar: who takes it next need not wait for that */
        struct job *next = container_of(pool->queue.first, struct job, link);
        __builtin_prefetch(&next->future, 1);
        __builtin_prefetch(&next->fn, 1);
    }
    return job;
}

/* A job gives its permit back. Returns how many are to be released now: J2. */
static uint32_t room_back_locked(struct weft_pool *pool, const struct job *job)
{
    pool->room_kept += job->has_room;
    if (pool->room_wanted == 0 && pool->room_kept < TUNE_POOL_BOUND / TUNE_POOL_ROOM_PARTS)
        return 0;
    uint32_t room = pool->room_kept;
    pool->room_kept = 0;
    return room;
}

struct job *weft__pool_take_locked(struct weft_pool *pool, uint32_t *ret_room)
{
    struct job *job;

    *ret_room = 0;
    while ((job = pop_locked(pool)) != NULL) {
        if (job_take(&job->future, future_generation(load_seq(&job->future.state)))) {
            *ret_room = room_back_locked(pool, job);
            return job;
        }
        /* a cancel has it, and ends it as soon as it gets the lock: hands off */
    }
    return NULL;
}

void weft__pool_give_room(struct weft_pool *pool, uint32_t room)
{
    (void)weft_sem_release_n(&pool->room, room); /* cannot overflow: they came from there */
}

void weft__pool_want_room(struct weft_pool *pool)
{
    lock_acquire(&pool->lock);
    pool->room_wanted++;
    uint32_t room = pool->room_kept;
    pool->room_kept = 0;
    lock_release(&pool->lock);
    weft__pool_give_room(pool, room);
}

void weft__pool_want_no_room(struct weft_pool *pool)
{
    lock_acquire(&pool->lock);
    pool->room_wanted--;
    lock_release(&pool->lock);
}

void weft__pool_unlink(struct weft_pool *pool, struct job *job)
{
    struct list *entry = &pool->entry.jobs;

    lock_acquire(&pool->lock);
    lock_acquire(&pool->entry.lock);
    if (job->linked) {
        /* which list it is in counts only where it stands at an end */
        bool is_outside = entry->first == &job->link || entry->last == &job->link;

        list_remove(is_outside ? entry : &pool->queue, &job->link);
        job->linked = false;
    }
    uint32_t room = room_back_locked(pool, job);
    lock_release(&pool->entry.lock);
    lock_release(&pool->lock);
    weft__pool_give_room(pool, room);
}

void weft__pool_drain(struct weft_pool *pool, int status)
{
    struct job *job;
    uint32_t room;

    do {
        lock_acquire(&pool->lock);
        job = weft__pool_take_locked(pool, &room);
        lock_release(&pool->lock);
        weft__pool_give_room(pool, room);
        if (job) {
            weft__job_end_unrun(job, status);
            weft__pool_job_ended(pool);
        }
    } while (job);
}

/* --- how many there are ------------------------------------------------------------------------ */

uint64_t weft__pool_live_locked(struct weft_pool *pool)
{
    lock_acquire(&pool->entry.lock);
    /* relaxed: under their locks */
    uint64_t live = load_relaxed(&pool->entry.offered) - load_relaxed(&pool->ended);
    lock_release(&pool->entry.lock);
    return live;
}

uint64_t weft__pool_live(struct weft_pool *pool)
{
    lock_acquire(&pool->lock);
    uint64_t live = weft__pool_live_locked(pool);
    lock_release(&pool->lock);
    return live;
}

void weft__pool_count_end_locked(struct weft_pool *pool)
{
    store_relaxed(&pool->ended, load_relaxed(&pool->ended) + 1); /* relaxed: under the lock */
    if (!load_seq(&pool->closed) || weft__pool_live_locked(pool) > 0)
        return;
    add_seq(&pool->rest, 1); /* the stopper has looked at live before, or looks after the unlock */
    weft__futex_wake(&pool->rest, 1);
}

void weft__pool_job_ended(struct weft_pool *pool)
{
    lock_acquire(&pool->lock);
    weft__pool_count_end_locked(pool);
    lock_release(&pool->lock);
    weft__quiet_look(pool->runtime); /* I1 there: it may have been the last that could act */
}

void weft__pool_close(struct weft_pool *pool)
{
    lock_acquire(&pool->lock);
    lock_acquire(&pool->entry.lock);
    store_seq(&pool->closed, 1); /* under the lock: after it, nothing is queued any more */
    lock_release(&pool->entry.lock);
    lock_release(&pool->lock);
    weft__pool_drain(pool, -ECANCELED);
}

bool weft__pool_wait_empty(struct weft_pool *pool, int64_t deadline)
{
    for (;;) {
        uint32_t rest = load_seq(&pool->rest); /* before the look */

        if (weft__pool_live(pool) == 0)
            return true;
        int64_t left = deadline == WEFT_NO_TIMEOUT ? WEFT_NO_TIMEOUT : deadline - weft__sys_now();
        if (left <= 0)
            return false;
        (void)weft__futex_wait(&pool->rest, rest, left); /* woken or late: look again */
    }
}
