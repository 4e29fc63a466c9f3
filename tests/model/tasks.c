/*
 * tasks - see tasks.h.
 */
#include "tests/model/tasks.h"

#include <stdarg.h>

#include "core/gate.h"
#include "core/local.h"
#include "core/probe.h"

struct runtime *world;
struct task *tasks[MODEL_THREADS];

/* What a suspended task's saved context is here: to resume it one must have seen it saved. */
static struct saved {
    bool is_saved;
} * saved;
static struct worker *workers[MODEL_THREADS];
static weft_fn runs[MODEL_THREADS];    /* what the model thread is there to run */
static bool is_between[MODEL_THREADS]; /* the worker's side of a switch */
static struct carrier carriers[MODEL_THREADS + 1];

#define SLOTS 16

/* Some subjects have the real ones. */
#define ELSEWHERE __attribute__((weak))

static void carry(unsigned thread, struct worker *worker)
{
    workers[thread] = worker;
    worker->runtime = world;
    carriers[thread].runtime = world;
    store_relaxed(&carriers[thread].worker, worker);
}

void tasks_init(unsigned which)
{
    world = model_alloc(sizeof *world);
    saved = model_alloc(MODEL_THREADS * sizeof *saved);
    world->slab.first_generation = 1;
    weft__slab_init(&world->slab, 1);
    __builtin_memset((void *)carriers, 0, sizeof carriers);
    store_relaxed(&world->slab.chunks[0], model_alloc((size_t)SLOTS * SLOT_BYTES)); /* none grows */
    for (unsigned i = 0; i < MODEL_THREADS; i++) {
        tasks[i] = NULL;
        workers[i] = NULL;
        runs[i] = NULL;
        is_between[i] = false;
        if (!(which >> i & 1))
            continue;
        carry(i, model_alloc(sizeof *workers[i]));
        tasks[i] = (struct task *)(void *)weft__future_new(world, &weft__task_kind, "a task");
        weft__timers_init(&workers[i]->timers);
    }
}

struct worker *tasks_worker(unsigned thread) { return workers[thread]; }

void tasks_cancel(struct task *task)
{
    model_assert(weft__future_cancel(world, weft__future_handle(&task->future)) == 0);
}

__attribute__((noinline)) void tasks_scribble(void)
{
    unsigned char frame[640];

    model_overwritten(frame, sizeof frame);
    __asm__ volatile("" : : "r"(frame) : "memory");
}

/* --- tasks that are really spawned ----------------------------------------------------------- */

void tasks_runner(unsigned thread, weft_fn fn, struct worker *worker)
{
    carry(thread, worker ? worker : model_alloc(sizeof *worker));
    weft__timers_init(&workers[thread]->timers);
    runs[thread] = fn;
}

void weft__ready_last_from(struct worker *worker, struct runtime *runtime, struct task *task)
{
    unsigned i = 0;

    (void)worker;
    model_assert(runtime == world);
    while (i < MODEL_THREADS && runs[i] != task->fn)
        i++;
    model_assert(i < MODEL_THREADS && !tasks[i]);
    tasks[i] = task;
    model_post(&runs[i], "spawned");
}

bool tasks_run(void)
{
    unsigned self = model_self();
    struct task *task;
    int status;

    model_take(&runs[self], "spawned");
    task = tasks[self];
    if (!task)
        return false;
    status = task->fn(task->arg);
    tasks[self] = NULL; /* from here on it is the worker */
    weft__task_end(world, workers[self], task, status);
    return true;
}

void tasks_run_no_more(unsigned thread) { model_post(&runs[thread], "no more"); }

/* --- the scheduler --------------------------------------------------------------------------- */

struct carrier *weft__carrier(void)
{
    unsigned self = model_self();
    struct carrier *carrier = &carriers[self < MODEL_THREADS ? self : MODEL_THREADS];

    carrier->task = weft__current_task();
    return carrier;
}

struct worker *weft__worker(void)
{
    return model_self() < MODEL_THREADS ? workers[model_self()] : NULL;
}

int weft__timer_add_here(struct timer *timer, int64_t deadline, void (*fire)(struct timer *))
{
    return weft__timer_add(&weft__worker()->timers, timer, deadline, fire);
}

struct task *weft__current_task(void)
{
    unsigned self = model_self();

    return self < MODEL_THREADS && !is_between[self] ? tasks[self] : NULL;
}

void weft__suspend(weft__after *after, void *arg)
{
    unsigned self = model_self();

    model_assert(tasks[self] && !is_between[self]);
    saved[self].is_saved = true;
    is_between[self] = true;
    after(world, workers[self], tasks[self], arg);
    model_take(&tasks[self], "suspended");
    is_between[self] = false;
    model_assert(!saved[self].is_saved);
}

void weft__ready(struct runtime *runtime, struct task *task)
{
    unsigned i = 0;

    model_assert(runtime == world);
    while (i < MODEL_THREADS && tasks[i] != task)
        i++;
    model_assert(i < MODEL_THREADS && saved[i].is_saved);
    saved[i].is_saved = false;
    model_post(&tasks[i], "ready");
}

void weft__ready_last(struct runtime *runtime, struct task *task) { weft__ready(runtime, task); }
void weft__yield(void) {}

/* The watched sources are compiled with this in the place of pthread_self: one thread runs them all. */
pthread_t model_pthread_self(void)
{
    static uint64_t threads[MODEL_THREADS + 1];

    return (pthread_t)&threads[model_self()];
}

/* --- what else core asks for ----------------------------------------------------------------- */

_Atomic(struct probe *) weft__probe;

void weft__probe_call(struct task *task) { (void)task; }
void weft__probe_suspended(void) {}
void weft__probe_woken(void) {}
void weft__pools_wait_begin(void) {}
void weft__pools_wait_end(void) {}

bool weft__probe_wait(struct task *task)
{
    (void)task;
    return false;
}

void weft__probe_took(const void *object, const char *what, uint32_t count)
{
    (void)object, (void)what, (void)count;
}

void weft__probe_gave(const void *object, const char *what, uint32_t count)
{
    (void)object, (void)what, (void)count;
}

void weft__quiet_thread_begin(struct quiet_thread *thread, struct sleeper *sleeper)
{
    thread->runtime = NULL;
    (void)sleeper;
}

void weft__quiet_thread_end(struct quiet_thread *thread) { (void)thread; }

/* Its moment comes at once, or never. */
int64_t weft__quiet_thread_left(const struct quiet_thread *thread)
{
    return model_choose(2) ? WEFT_NO_TIMEOUT : thread->moment;
}

int64_t weft__quiet_now(const struct runtime *runtime)
{
    (void)runtime;
    return 0;
}

ELSEWHERE struct runtime *weft__runtime_own(void) { return world; }

ELSEWHERE int weft__runtime_enter(struct runtime **ret_runtime)
{
    *ret_runtime = world;
    return 0;
}

ELSEWHERE void weft__runtime_leave(struct runtime *runtime) { (void)runtime; }

ELSEWHERE bool weft__runtime_refuses(const struct runtime *runtime)
{
    (void)runtime;
    return false;
}

ELSEWHERE bool weft__runtime_is_stopping(const struct runtime *runtime)
{
    (void)runtime;
    return false;
}

/* As in core/scope_cancel.c, for a task without scopes. */
ELSEWHERE bool weft__task_is_cancelled(struct task *task)
{
    return load_relaxed(&task->future.shields) == 0 && future_is_cancelled(&task->future);
}

void weft__report(struct runtime *runtime, const char *format, ...) { (void)runtime, (void)format; }

void weft__explain(const char *format, ...) { (void)format; }

void weft__edge_check(struct waiter *waiter, const struct edge *edge) { (void)waiter, (void)edge; }
void weft__edge_check_one(struct waiter *waiter, const struct edge *edge, struct future *future)
{
    (void)waiter, (void)edge, (void)future;
}
int weft__edge_answer(const struct waiter *waiter) { return (int)waiter->count; }
void weft__edge_unpin(struct sleeper *sleeper) { (void)sleeper; }

int64_t weft_now(void) { return 0; }

void *weft__sys_realloc(void *old, size_t bytes)
{
    model_assert(!old);
    return model_alloc(bytes);
}

int weft__sys_mmap(size_t bytes, void **ret_at)
{
    (void)bytes, (void)ret_at;
    model_fail("more slots than there are");
    return -1;
}

void *weft__sys_alloc_lines(size_t bytes) { return model_alloc(bytes); }

size_t weft__stack_size(size_t bytes) { return bytes; }
void weft__locals_share(struct locals *locals) { (void)locals; }
void weft__locals_drop(struct task *task) { (void)task; }
