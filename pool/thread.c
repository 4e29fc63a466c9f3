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
    thread->current = job;
    /* pairs with next_running() */
    store_release(&thread->site, job ? future_site(&job->future) : NULL);
}

bool weft__pools_job_is_cancelled(void)
{
    struct pool_thread *thread = weft__pool_thread();

    if (!thread || !thread->current)
        return false;
    /* One that was made after the stop had told all the others hears of it here. */
    return future_is_cancelled(&thread->current->future) ||
           weft__runtime_is_stopping(thread->pool->runtime);
}

const char *weft__pools_job_site(void)
{
    struct pool_thread *thread = weft__pool_thread();

    return thread && thread->current ? future_site(&thread->current->future) : NULL;
}

struct pool_thread *weft__thread_pop_idle_locked(struct weft_pool *pool)
{
    struct link *link = list_pop_first(&pool->idle);

    if (!link)
        return NULL;
    struct pool_thread *thread = container_of(link, struct pool_thread, idle_link);
    store_seq(&thread->go, GO_GOES); /* pairs with sleep_locked() */
    return thread;
}

/* Waits a moment for work to come: one thread at a time, so that who brings work need wake nobody.
 * Returns false if it shall not. */
static bool spin_locked(struct pool_thread *thread)
{
    struct weft_pool *pool = thread->pool;
    uint64_t moved = pool->moved;
    bool saw = false;

    if (pool->shape.spins == 0 || thread->has_spun || pool->has_spinner || pool->quitting)
        return false;
    pool->has_spinner = true;
    weft__pool_show_locked(pool);
    lock_release(&pool->lock);
    for (int spins = thread->spins; spins > 0 && !saw; spins--) {
        spin_pause();
        saw = load_relaxed(&pool->entry.offered) != moved; /* relaxed: looked at under the lock */
    }
    lock_acquire(&pool->lock);
    pool->has_spinner = false;
    thread->has_spun = !saw;
    weft__pool_show_locked(pool); /* before it looks: P4 */
    return true;
}

/* It has stopped acting: that shows, so it looks. Returns false if it has done so already. */
static bool look_locked(struct pool_thread *thread)
{
    if (!thread->must_look)
        return false;
    thread->must_look = false;
    lock_release(&thread->pool->lock);
    weft__quiet_look(thread->pool->runtime); /* I1 there */
    lock_acquire(&thread->pool->lock);
    return true;
}

/* Sleeps until there may be work. False: no work for so long that the thread shall leave. A job that it
 * sees at first may be another's by then: it must look again. */
static bool sleep_locked(struct pool_thread *thread)
{
    struct weft_pool *pool = thread->pool;
    int64_t linger = pool->shape.linger;
    int64_t begin = weft__sys_now();
    int64_t until = linger == WEFT_NO_TIMEOUT ? WEFT_NO_TIMEOUT : begin + linger;
    int64_t left = linger;

    store_seq(&thread->go, GO_SLEEPS);
    list_push_first(&pool->idle, &thread->idle_link);
    weft__pool_show_locked(pool); /* before it looks: P4 */
    bool had_jobs = weft__pool_has_jobs_locked(pool);
    if (had_jobs)
        left = 0;
    lock_release(&pool->lock);
    while (load_seq(&thread->go) == GO_SLEEPS && left > 0) {
        (void)weft__futex_wait(&thread->go, GO_SLEEPS, left); /* woken or late: looked at again */
        if (until != WEFT_NO_TIMEOUT)
            left = until - weft__sys_now();
    }
    /* So short a sleep costs more than to look for as long: next time it does. */
    thread->spins = pool->shape.spins;
    if (weft__sys_now() - begin < TUNE_POOL_NAP_NS)
        thread->spins *= TUNE_POOL_SPINS_MORE;
    lock_acquire(&pool->lock);
    bool goes = load_seq(&thread->go) == GO_GOES;
    if (goes)
        pool->called--;
    else
        list_remove(&pool->idle, &thread->idle_link); /* P2: it does not go, so it stands there */
    weft__pool_show_locked(pool);
    return goes || had_jobs || weft__pool_has_jobs_locked(pool);
}

/* The next job for this thread; NULL: it shall leave. */
static struct job *next_job_locked(struct pool_thread *thread, uint32_t *ret_room)
{
    struct weft_pool *pool = thread->pool;

    for (;;) {
        bool is_one_too_many = pool->count - pool->lent > pool->shape.limit; /* a place came back */
        struct job *job = is_one_too_many ? NULL : weft__pool_take_locked(pool, ret_room);

        if (job) {
            thread->has_spun = false;
            return job;
        }
        if ((!is_one_too_many && spin_locked(thread)) || look_locked(thread))
            continue;
        if (is_one_too_many || pool->quitting || !sleep_locked(thread))
            return NULL;
    }
}

/* Kernels that take a processor at rest for a busy one, as in a virtual machine, wake a thread where its
 * waker runs, and leave it there: offerer and thread take turns, while another processor has
 * nothing to do. So a thread that has met its jobs' offerer so many times in so short a time goes elsewhere. */
static void keep_apart(struct pool_thread *thread)
{
    struct weft_pool *pool = thread->pool;

    if (pool->shape.spins == 0)
        return;
    int cpu = weft__sys_cpu();
    if (cpu != load_relaxed(&pool->cpu)) { /* relaxed: a hint */
        thread->close = 0;
        return;
    }
    if (thread->close++ == 0)
        thread->close_since = weft__sys_now();
    if (thread->close < TUNE_POOL_CLOSE)
        return;
    thread->close = 0;
    int64_t now = weft__sys_now();
    if (now - thread->close_since > TUNE_POOL_CLOSE_NS || now < thread->close_until)
        return; /* long jobs lose nothing there; or it has just moved */
    thread->close_until = now + TUNE_POOL_CLOSE_NS;
    (void)weft__sys_leave_cpu(cpu); /* or stays: it works there, too */
}

static void run(struct pool_thread *thread, struct job *job)
{
    thread->must_look = true;
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

    struct summons summons = {0};
    pool->count--;
    weft__pool_show_locked(pool);
    if (!pool->quitting && weft__pool_has_jobs_locked(pool))
        summons = weft__pool_summon_locked(pool); /* it was on its way, and is one too many: P1 */
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
    weft__pool_bring(pool, &summons);
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
    weft__pool_show_locked(pool);
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
    uint32_t room;
    for (struct job *job; (job = next_job_locked(thread, &room)) != NULL;) {
        struct summons summons = {0};

        /* relaxed: written under the lock. The entry, too: P4, `call` may have been set only now */
        if (load_relaxed(&pool->call) == POOL_CALLS && weft__pool_has_jobs_locked(pool))
            summons = weft__pool_summon_locked(pool);
        lock_release(&pool->lock);
        weft__pool_bring(pool, &summons);
        if (room)
            weft__pool_give_room(pool, room);
        keep_apart(thread);
        run(thread, job);
        lock_acquire(&pool->lock);
        weft__pool_count_end_locked(pool);
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
    thread->spins = pool->shape.spins;
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
    weft__pool_show_locked(pool);
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

static void start_without_task(void *arg) { start_here(arg); }

/* A new thread inherits how its creator is scheduled, and a lowered one may not be raised again
 * without privilege. So a lane's thread that a CPU job needs is started by a task, or in its place. */
void weft__thread_start(struct weft_pool *pool)
{
    struct pool_thread *thread = weft__pool_thread();
    bool lowered = thread && thread->pool->shape.class != CLASS_NORMAL;

    const weft_task_options options = {.drop = start_without_task,
                                       .site = "start of a lane's thread"};

    if (lowered && pool->shape.class == CLASS_NORMAL)
        (void)weft_detach(
            weft_spawn_with(&options, start_in_task, pool)); /* failed: it was dropped */
    else
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
    struct summons summons = {0};
    pool->lent++;
    weft__pool_show_locked(pool); /* before it looks: P4 */
    if (weft__pool_has_jobs_locked(pool))
        summons = weft__pool_summon_locked(pool);
    bool stuck = weft__pool_is_stuck_locked(pool);
    lock_release(&pool->lock);
    weft__pool_bring(pool, &summons);
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
    weft__pool_show_locked(thread->pool);
    lock_release(&thread->pool->lock);
}

/* Wakes all idle threads, so that they leave. */
static void quit(struct weft_pool *pool, bool abandon)
{
    struct pool_thread *idle;

    lock_acquire(&pool->lock);
    pool->quitting = true;
    pool->abandoned = abandon;
    lock_release(&pool->lock);
    do {
        lock_acquire(&pool->lock);
        idle = weft__thread_pop_idle_locked(pool);
        pool->called += idle != NULL;
        lock_release(&pool->lock);
        if (idle)
            weft__futex_wake(&idle->go, 1); /* it may have ended: a wake of nobody */
    } while (idle);
}

/* The last thread that has left early, whose join is the caller's from here on. False: there is none. */
static bool take_left(struct weft_pool *pool, pthread_t *ret_left)
{
    lock_acquire(&pool->lock);
    bool has_left = pool->has_left;
    *ret_left = pool->left;
    pool->has_left = false;
    lock_release(&pool->lock);
    return has_left;
}

void weft__threads_join(struct weft_pool *pool)
{
    pthread_t left;

    quit(pool, false); /* from here on nobody leaves early */
    /* The last that did may still be starting another: only when it has ended, and those before it, which
     * it joins, does nobody but this thread change pool->threads. */
    if (take_left(pool, &left))
        (void)pthread_join(left, NULL);
    for (struct link *link; (link = list_pop_first(&pool->threads)) != NULL;) {
        struct pool_thread *thread = container_of(link, struct pool_thread, link);

        (void)pthread_join(thread->handle, NULL); /* it leaves by itself */
        weft__sys_free(thread);
    }
}

void weft__threads_abandon(struct weft_pool *pool)
{
    pthread_t left;

    quit(pool, true); /* from here on those who leave detach themselves */
    if (take_left(pool, &left))
        (void)pthread_detach(left); /* it was not joined */
}

/* The site of a running job that was not reported yet. False if there is none. */
static bool next_running(struct weft_pool *pool, char *ret_site, size_t bytes)
{
    bool found = false;

    lock_acquire(&pool->lock);
    for (struct link *link = pool->threads.first; link && !found; link = link->next) {
        struct pool_thread *thread = container_of(link, struct pool_thread, link);

        const char *site = load_acquire(&thread->site); /* pairs with set_current() */
        if (site && !thread->reported) {
            (void)snprintf(ret_site, bytes, "%s", site); /* may cut */
            thread->reported = found = true;
        }
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
