/*
 * thread - see thread.h.
 */
#include "pool/thread.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <weft/task.h>

#include "core/quiet.h"
#include "core/runtime.h"
#include "core/sys.h"
#include "core/tuning.h"
#include "pool/job.h"

#define NAME_BYTES 16  /* of a thread, as the kernel has it */
#define SITE_BYTES 200 /* of a job in a report */

static _Thread_local struct pool_thread *self __attribute__((tls_model("initial-exec")));

/* Not inlined: a caller that moves between threads must not keep the address of `self`. */
__attribute__((noinline)) struct pool_thread *weft__pool_thread(void)
{
    __asm__ volatile("");
    return self;
}

static void set_current(struct pool_thread *thread, struct job *job)
{
    lock_acquire(&thread->lock);
    thread->current = job;
    lock_release(&thread->lock);
}

bool weft__pools_job_is_cancelled(void)
{
    struct pool_thread *thread = weft__pool_thread();

    if (!thread || !thread->current)
        return false;
    return future_is_cancelled(&thread->current->future) || load_seq(&thread->pool->closed);
}

const char *weft__pools_job_site(void)
{
    struct pool_thread *thread = weft__pool_thread();

    return thread && thread->current ? future_site(&thread->current->future) : NULL;
}

struct pool_thread *weft__thread_pop_idle_locked(struct weft_pool *pool,
                                                 struct pool_thread **ret_sleeper)
{
    struct link *link = list_pop_first(&pool->idle);

    *ret_sleeper = NULL;
    if (!link)
        return NULL;
    struct pool_thread *thread = container_of(link, struct pool_thread, idle_link);
    if (xchg_seq(&thread->go, GO_GOES) == GO_SLEEPS) /* pairs with spin() */
        *ret_sleeper = thread;
    return thread;
}

/* Whether a thread that becomes idle shall wait a moment before it sleeps: one of them does. */
static bool may_spin_locked(const struct weft_pool *pool)
{
    if (pool->shape.spins == 0 || pool->quitting)
        return false;
    return list_is_empty(&pool->idle) ||
           /* relaxed: a hint */
           load_relaxed(&container_of(pool->idle.first, struct pool_thread, idle_link)->go) !=
               GO_SPINS;
}

/* Waits a moment for work to come; who brings it meanwhile need not wake the thread. */
static void spin(struct pool_thread *thread)
{
    uint32_t go = GO_SPINS;

    for (int spins = thread->pool->shape.spins; spins > 0; spins--) {
        if (load_relaxed(&thread->go) != GO_SPINS) /* relaxed: looked at again under the lock */
            return;
        spin_pause();
    }
    (void)cas_seq(&thread->go, &go, GO_SLEEPS); /* pairs with pop_idle; false: it goes */
}

/* Sleeps until there may be work. False: no work for so long that the thread shall leave. */
static bool sleep_locked(struct pool_thread *thread)
{
    struct weft_pool *pool = thread->pool;
    int64_t linger = pool->shape.linger;
    int64_t until = linger == WEFT_NO_TIMEOUT ? WEFT_NO_TIMEOUT : weft__sys_now() + linger;
    int64_t left = linger;

    bool spins = may_spin_locked(pool);
    store_seq(&thread->go, spins ? GO_SPINS : GO_SLEEPS);
    list_push_first(&pool->idle, &thread->idle_link);
    lock_release(&pool->lock);
    if (spins)
        spin(thread);
    while (load_seq(&thread->go) == GO_SLEEPS && left > 0) {
        (void)weft__futex_wait(&thread->go, GO_SLEEPS, left); /* woken or late: looked at again */
        if (until != WEFT_NO_TIMEOUT)
            left = until - weft__sys_now();
    }
    lock_acquire(&pool->lock);
    if (load_seq(&thread->go) == GO_GOES)
        return true;
    list_remove(&pool->idle, &thread->idle_link); /* P2: it does not go, so it stands there */
    return false;
}

/* The next job for this thread; NULL: it shall leave. */
static struct job *next_job_locked(struct pool_thread *thread)
{
    struct weft_pool *pool = thread->pool;

    for (;;) {
        if (pool->count - pool->lent > pool->shape.limit)
            return NULL; /* a lent place came back */
        struct job *job = weft__pool_take_locked(pool);
        if (job)
            return job;
        if (pool->quitting || !sleep_locked(thread))
            return NULL;
    }
}

static void run(struct pool_thread *thread, struct job *job)
{
    weft__job_give_room(job);
    if (future_is_cancelled(&job->future)) {
        weft__job_end_unrun(job, -ECANCELED); /* asked for before it started */
        return;
    }
    set_current(thread, job);
    int status = job->fn(job->arg);
    set_current(thread, NULL);
    weft__job_complete(job, status);
}

/* Takes itself off the books. A thread that leaves early joins its predecessor; the others are
 * joined by weft__threads_join(). */
static void leave_locked(struct pool_thread *thread)
{
    struct weft_pool *pool = thread->pool;
    bool joins = false;
    pthread_t predecessor;

    pool->count--;
    if (pool->quitting && !pool->abandoned) {
        lock_release(&pool->lock);
        return;
    }
    list_remove(&pool->threads, &thread->link);
    if (pool->abandoned) {
        (void)pthread_detach(pthread_self()); /* cannot fail: nobody joins it */
    } else {
        joins = pool->has_left;
        predecessor = pool->left;
        pool->left = pthread_self();
        pool->has_left = true;
    }
    lock_release(&pool->lock);
    if (joins)
        (void)pthread_join(predecessor, NULL); /* has left: a moment at most */
    weft__sys_free(thread);
}

static void introduce(struct pool_thread *thread)
{
    struct weft_pool *pool = thread->pool;
    char name[NAME_BYTES];

    self = thread;
    weft__runtime_adopt_thread(pool->runtime);
    (void)snprintf(name, sizeof name, "weft-%s-%u", pool->shape.label,
                   thread->serial);                 /* may cut */
    (void)pthread_setname_np(pthread_self(), name); /* only for people */
    if (pool->shape.class != CLASS_NORMAL)
        store_seq(&pool->class_word, weft__class_apply(pool->shape.class));
}

/* The last to leave ends after those before it: each joins its predecessor. */
bool weft__threads_leave_locked(struct weft_pool *pool)
{
    if (pool->has_left && pthread_tryjoin_np(pool->left, NULL) == 0)
        pool->has_left = false;
    return pool->has_left;
}

/* The thread that was being started has come, or could not be had. */
static void started_locked(struct weft_pool *pool)
{
    pool->starting = false;
    pool->moves++;
}

/* Looks, since what it comes for may be over: another thread was quicker, or a cancel. */
static void arrive(struct weft_pool *pool)
{
    lock_acquire(&pool->lock);
    started_locked(pool);
    lock_release(&pool->lock);
    weft__quiet_look(pool->runtime); /* I1 there */
}

static void *thread_main(void *arg)
{
    struct pool_thread *thread = arg;
    struct weft_pool *pool = thread->pool;

    introduce(thread);
    arrive(pool);
    lock_acquire(&pool->lock);
    for (struct job *job; (job = next_job_locked(thread)) != NULL;) {
        bool grow = weft__pool_wants_thread_locked(pool);

        lock_release(&pool->lock);
        if (grow)
            weft__thread_start(pool);
        run(thread, job);
        lock_acquire(&pool->lock);
    }
    leave_locked(thread);
    return NULL;
}

static struct pool_thread *thread_new(struct weft_pool *pool)
{
    struct pool_thread *thread = weft__sys_alloc(sizeof *thread);

    if (!thread)
        return NULL;
    thread->pool = pool;
    lock_acquire(&pool->lock);
    thread->serial = pool->serial++;
    list_push_last(&pool->threads, &thread->link);
    lock_release(&pool->lock);
    return thread;
}

/* The thread could not be had. The others go on without it; if there is none that could take a job,
 * the jobs must not wait for ever. */
static void start_failed(struct weft_pool *pool, struct pool_thread *thread)
{
    lock_acquire(&pool->lock);
    started_locked(pool);
    pool->count--;
    if (thread)
        list_remove(&pool->threads, &thread->link);
    bool alone = pool->count == pool->lent;
    lock_release(&pool->lock);
    weft__sys_free(thread);
    if (alone)
        weft__pool_drain(pool, -EAGAIN);
    weft__quiet_look(pool->runtime); /* I1 there */
}

static void start_here(struct weft_pool *pool)
{
    struct pool_thread *thread = thread_new(pool);

    if (!thread || weft__sys_thread(&thread->handle, thread_main, thread) < 0)
        start_failed(pool, thread);
}

static int start_in_task(void *arg)
{
    start_here(arg);
    return 0;
}

/* A new thread inherits how its creator is scheduled, and a lowered one may not be raised again
 * without privilege. So a lane's thread that a CPU job needs is started by a task. */
void weft__thread_start(struct weft_pool *pool)
{
    struct pool_thread *thread = weft__pool_thread();
    bool lowered = thread && thread->pool->shape.class != CLASS_NORMAL;

    if (lowered && pool->shape.class == CLASS_NORMAL &&
        weft_detach(weft_spawn(start_in_task, pool)) == 0)
        return;
    start_here(pool);
}

/* A job is about to wait inside weft: another thread may run in its place meanwhile. */
void weft__pools_wait_begin(void)
{
    struct pool_thread *thread = weft__pool_thread();

    if (!thread || !thread->current)
        return;
    struct weft_pool *pool = thread->pool;
    lock_acquire(&pool->lock);
    pool->lent++;
    bool grow = weft__pool_wants_thread_locked(pool);
    bool stuck = weft__pool_is_stuck_locked(pool);
    lock_release(&pool->lock);
    if (grow)
        weft__thread_start(pool);
    if (stuck)
        weft__pool_drain(pool, -EAGAIN);
}

void weft__pools_wait_end(void)
{
    struct pool_thread *thread = weft__pool_thread();

    if (!thread || !thread->current)
        return;
    lock_acquire(&thread->pool->lock);
    thread->pool->lent--;
    lock_release(&thread->pool->lock);
}

/* Wakes all idle threads, so that they leave. */
static void quit(struct weft_pool *pool, bool abandon)
{
    struct pool_thread *idle, *sleeper;

    lock_acquire(&pool->lock);
    pool->quitting = true;
    pool->abandoned = abandon;
    lock_release(&pool->lock);
    do {
        lock_acquire(&pool->lock);
        idle = weft__thread_pop_idle_locked(pool, &sleeper);
        lock_release(&pool->lock);
        if (sleeper)
            weft__futex_wake(&sleeper->go, 1);
    } while (idle);
}

void weft__threads_join(struct weft_pool *pool)
{
    quit(pool, false); /* from here on nobody but this thread changes pool->threads */
    for (struct link *link; (link = list_pop_first(&pool->threads)) != NULL;) {
        struct pool_thread *thread = container_of(link, struct pool_thread, link);

        (void)pthread_join(thread->handle, NULL); /* it leaves by itself */
        weft__sys_free(thread);
    }
    if (pool->has_left)
        (void)pthread_join(pool->left, NULL); /* which has joined those before it */
}

void weft__threads_abandon(struct weft_pool *pool)
{
    lock_acquire(&pool->lock);
    bool detaches = pool->has_left;
    pthread_t left = pool->left;
    pool->has_left = false;
    lock_release(&pool->lock);
    if (detaches)
        (void)pthread_detach(left); /* it was not joined */
    quit(pool, true);
}

/* The site of a running job that was not reported yet. False if there is none. */
static bool next_running(struct weft_pool *pool, char *ret_site, size_t bytes)
{
    bool found = false;

    lock_acquire(&pool->lock);
    for (struct link *link = pool->threads.first; link && !found; link = link->next) {
        struct pool_thread *thread = container_of(link, struct pool_thread, link);

        lock_acquire(&thread->lock);
        if (thread->current && !thread->reported) {
            const char *site = future_site(&thread->current->future);
            (void)snprintf(ret_site, bytes, "%s", site ? site : "?"); /* may cut */
            thread->reported = found = true;
        }
        lock_release(&thread->lock);
    }
    lock_release(&pool->lock);
    return found;
}

void weft__threads_report(struct weft_pool *pool)
{
    char site[SITE_BYTES];

    while (next_running(pool, site, sizeof site)) /* the report is user code: outside the locks */
        weft__report(pool->runtime,
                     "job %s still runs when the time to stop is over: its thread is abandoned; "
                     "let it look at weft_cancelled()",
                     site);
}
