/*
 * worker - see worker.h: where tasks come from, and the loop that runs them.
 */
#include "core/worker.h"

#include <errno.h>

#include "core/sys.h"

CK_STACK_CONTAINER(struct task, ready_entry, task_of_entry)

/* --- the way in ------------------------------------------------------------------------------ */

static __attribute__((noinline)) void inbox_push(struct inbox *inbox, struct task *task)
{
    ck_stack_push_upmc(&inbox->stack, &task->ready_entry);
    add_seq(&inbox->pushed, 1); /* E1 of park.h: after the push, before the look for sleepers */
}

static void push_last(struct worker *worker, struct task *task)
{
    if (!weft__deque_push(&worker->deque, task))
        inbox_push(&worker->inbox, task); /* no memory to grow: this way needs none */
}

/* After pushes by a worker that takes a task next: wakes another if that leaves any. */
static void notify_of_more(struct worker *worker)
{
    /* relaxed: only the owner fills it */
    if (weft__deque_count(&worker->deque) + (load_relaxed(&worker->run_next) != NULL) > 1)
        weft__park_notify(worker->runtime);
}

/* Takes everything, oldest first, into the worker's deque. Returns whether there was anything. */
static bool inbox_take(struct worker *worker, struct inbox *inbox)
{
    uint64_t pushed = load_seq(&inbox->pushed);
    ck_stack_entry_t *entry, *next, *oldest = NULL;

    if (pushed == load_seq(&inbox->taken))
        return false;
    entry = ck_stack_batch_pop_upmc(&inbox->stack);
    /* What was counted before the pop has been popped, by us or by another. */
    store_seq(&inbox->taken, pushed);
    for (; entry; entry = next) { /* the stack gives the newest first */
        next = entry->next;
        entry->next = oldest;
        oldest = entry;
    }
    entry = oldest;
    for (; entry; entry = next) {
        next = entry->next; /* the task may run elsewhere as soon as it is pushed */
        push_last(worker, task_of_entry(entry));
    }
    return oldest != NULL;
}

static void ready_elsewhere(struct runtime *runtime, struct task *task)
{
    struct worker *worker = &runtime->workers[(task->last_worker + 1) % runtime->worker_count];

    inbox_push(&worker->inbox, task);
    weft__park_wake(worker);
}

static void ready_from_outside(struct runtime *runtime, struct task *task)
{
    inbox_push(&runtime->inbox, task);
    weft__park_notify(runtime);
}

void weft__ready_last_from(struct worker *worker, struct runtime *runtime, struct task *task)
{
    if (!worker) {
        ready_from_outside(runtime, task);
        return;
    }
    push_last(worker, task);
    if (!worker->is_gathering)
        weft__park_notify(runtime);
}

/* The calling thread's worker, if it is one of this runtime: a task of an abandoned one may wake others. */
static struct worker *worker_for(struct worker *worker, const struct runtime *runtime)
{
    return worker && worker->runtime == runtime ? worker : NULL;
}

void weft__ready_last(struct runtime *runtime, struct task *task)
{
    struct carrier *carrier = weft__carrier();
    uint32_t was;
    struct worker *worker = worker_for(carrier_enter(carrier, &was), runtime);

    weft__ready_last_from(worker, runtime, task);
    carrier_leave(carrier, was);
}

/* Into the run-next slot; the one that it displaces goes into the line. */
static void ready_next(struct worker *worker, struct runtime *runtime, struct task *task)
{
    if (!load_relaxed(&worker->run_next)) {     /* relaxed: only the owner fills it */
        store_release(&worker->run_next, task); /* pairs with the thief's compare-and-swap */
        return;
    }
    task = xchg_seq(&worker->run_next, task);
    if (task)
        weft__ready_last_from(worker, runtime, task);
}

void weft__ready(struct runtime *runtime, struct task *task)
{
    if (runtime->is_migrating && runtime->worker_count > 1) {
        ready_elsewhere(runtime, task);
        return;
    }
    struct carrier *carrier = weft__carrier();
    uint32_t was;
    struct worker *worker = worker_for(carrier_enter(carrier, &was), runtime);

    /* Whom a task wakes, or what is left to do for it, runs next. */
    if (worker && (carrier->task || was == CARRIER_SETTLES))
        ready_next(worker, runtime, task);
    else /* from outside, or from the worker's timers and events */
        weft__ready_last_from(worker, runtime, task);
    carrier_leave(carrier, was);
}

int weft__timer_add_here(struct timer *timer, int64_t deadline, void (*fire)(struct timer *))
{
    struct carrier *carrier = weft__carrier();
    struct worker *first = &carrier->runtime->workers[0];
    uint32_t was;
    struct worker *worker = carrier_enter(carrier, &was);
    int rc = weft__timer_add(worker ? &worker->timers : &first->timers, timer, deadline, fire);

    carrier_leave(carrier, was);
    if (rc == 0 && !worker)
        weft__park_wake(first); /* it must not sleep past that */
    return rc;
}

/* --- the next task --------------------------------------------------------------------------- */

static struct task *take_run_next(struct worker *worker)
{
    if (!load_relaxed(&worker->run_next)) /* relaxed: only the owner fills it */
        return NULL;
    return xchg_seq(&worker->run_next, NULL); /* a thief may have been quicker */
}

void weft__worker_gather_begin(struct worker *worker) { worker->is_gathering = true; }

void weft__worker_gather_end(struct worker *worker)
{
    worker->is_gathering = false;
    notify_of_more(worker);
}

/* Looks at what comes from outside the worker: timers, injected tasks, and, if it shall, kernel events. */
static void look_out(struct worker *worker, bool polls)
{
    struct runtime *runtime = worker->runtime;

    weft__worker_gather_begin(worker);
    /* Whether anything came, here and below, shows in the deque. */
    if (load_relaxed(&worker->timers.first) != INT64_MAX) /* relaxed: see timer.c */
        (void)weft__timers_fire(&worker->timers, weft__quiet_now(runtime));
    if (polls && worker->loop.ops->is_busy(&worker->loop))
        (void)worker->loop.ops->poll(&worker->loop, 0);
    weft__ward_look(worker);
    (void)inbox_take(worker, &worker->inbox);
    (void)inbox_take(worker, &runtime->inbox);
    weft__worker_gather_end(worker);
}

static __attribute__((noinline)) struct task *take_own_woken(struct worker *worker)
{
    struct task *task;

    if (worker->streak < TUNE_RUN_NEXT_STREAK && (task = take_run_next(worker))) {
        worker->streak++;
        return task;
    }
    worker->streak = 0;
    task = weft__deque_pop(&worker->deque);
    struct task *woken = take_run_next(worker);
    if (!task)
        return woken;
    if (woken) { /* it must not wait in the slot, where nobody looks for it, while this one runs */
        push_last(worker, woken);
        weft__park_notify(worker->runtime);
    }
    return task;
}

static inline struct task *take_own(struct worker *worker)
{
    if (load_relaxed(&worker->run_next)) /* relaxed: only the owner fills it */
        return take_own_woken(worker);
    worker->streak = 0;
    return weft__deque_pop(&worker->deque);
}

/* Half of another's deque: one to run, the rest into the own. */
static struct task *steal_from(struct worker *worker, struct worker *victim)
{
    struct task *tasks[TUNE_STEAL_MOST];
    size_t count = weft__deque_steal(&victim->deque, tasks, TUNE_STEAL_MOST);

    for (size_t i = 1; i < count; i++)
        push_last(worker, tasks[i]);
    return count ? tasks[0] : NULL;
}

/* The task that a busy worker has woken and not yet come to: only from one that has not moved since
 * the last look, since its owner would otherwise run it next, warm. */
static struct task *steal_run_next(struct worker *worker, struct worker *victim)
{
    uint32_t ran = load_relaxed(&victim->ran); /* relaxed: a hint */
    struct task *task = load_seq(&victim->run_next);

    if (!task)
        return NULL;
    if (worker->seen_run_next != task || worker->seen_ran != ran) {
        worker->seen_run_next = task;
        worker->seen_ran = ran;
        return NULL;
    }
    return cas_seq(&victim->run_next, &task, NULL) ? task : NULL;
}

static struct task *steal(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;
    uint32_t count = runtime->worker_count;
    struct task *task = NULL;

    if (count == 1 || !weft__park_search_begin(worker))
        return NULL;
    worker->seed = worker->seed * 1664525u + 1013904223u;
    for (uint32_t i = 0; i < count && !task; i++) {
        struct worker *victim = &runtime->workers[(worker->seed / 65536 + i) % count];

        if (victim != worker)
            task = steal_from(worker, victim);
    }
    for (uint32_t i = 0; i < count && !task; i++)
        if (&runtime->workers[i] != worker)
            task = steal_run_next(worker, &runtime->workers[i]);
    return task;
}

static struct task *next_task(struct worker *worker)
{
    struct task *task = worker->unstarted;

    if (task) { /* its turn has come already */
        worker->unstarted = NULL;
        return task;
    }
    if (--worker->turns_left == 0) {
        worker->turns_left = TUNE_LOOK_OUT;
        look_out(worker, true);
    }
    task = take_own(worker);
    if (!task) {
        look_out(worker, false); /* the loop is polled when it parks */
        task = take_own(worker);
    }
    if (!task)
        task = steal(worker);
    if (task)
        weft__park_search_end(worker);
    return task;
}

bool weft__worker_sees_work(struct worker *worker, bool everywhere)
{
    struct runtime *runtime = worker->runtime;

    if (!inbox_is_empty(&worker->inbox) || !inbox_is_empty(&runtime->inbox) ||
        load_seq(&runtime->is_over))
        return true;
    for (uint32_t i = 0; everywhere && i < runtime->worker_count; i++)
        if (!weft__deque_is_empty(&runtime->workers[i].deque))
            return true;
    return false;
}

/* --- running --------------------------------------------------------------------------------- */

static __attribute__((noinline)) bool stack_attach(struct worker *worker, struct task *task)
{
    void *low = weft__stack_take(&worker->runtime->stacks, &worker->stacks, task->stack_bytes);

    if (!low)
        return false;
    task->stack = low;
    weft__fiber_init(&task->fiber, low, task->stack_bytes, weft__task_main, task);
    return true;
}

/* A test wants it never to go on where it has left. Then it has been sent elsewhere. */
static bool must_migrate(struct worker *worker, struct task *task)
{
    struct runtime *runtime = worker->runtime;

    if (__builtin_expect(!runtime->is_migrating, 1) || runtime->worker_count == 1 || !task->stack ||
        task->last_worker != worker->index)
        return false;
    ready_elsewhere(runtime, task);
    return true;
}

/* From here on it counts as running. */
static void board(struct carrier *carrier, struct worker *worker, struct task *task)
{
    task->last_worker = worker->index;
    store_relaxed(&worker->ran, load_relaxed(&worker->ran) + 1); /* own field; a hint to thieves */
    carrier->task = task;
}

/* No memory for its stack: the loop refuses it, unless there is some by then; or it must be begun there. */
static __attribute__((noinline, cold)) struct task *leave_to_loop(struct carrier *carrier,
                                                                  struct worker *worker,
                                                                  struct task *task)
{
    worker->unstarted = task;
    carrier->task = NULL;
    return NULL;
}

/* The next task, if it is one of the worker's own and its turn is nothing special; NULL: the loop must
 * look. It may have no stack yet. */
static inline __attribute__((always_inline)) struct task *next_at_hand(struct carrier *carrier,
                                                                       struct worker *worker)
{
    struct task *task;

    if (!worker || worker->turns_left == 1)
        return NULL;
    task = take_own(worker);
    if (!task || must_migrate(worker, task))
        return NULL;
    worker->turns_left--;
    if (!FIBER_MODES_KNOWN && !task->stack)
        return leave_to_loop(carrier, worker, task);
    board(carrier, worker, task);
    return task;
}

static struct fiber *fiber_of(struct carrier *carrier, struct task *task)
{
    return task ? &task->fiber : &carrier->fiber;
}

void weft__suspend(weft__after *after, void *arg)
{
    struct carrier *carrier = weft__carrier();
    struct task *task = carrier->task;

    carrier_mark(carrier, CARRIER_SETTLES); /* I2 of carrier.h: until the next task runs */
    carrier->after = after;
    carrier->after_arg = arg;
    carrier->left = task;
    carrier->task = NULL;
    struct worker *worker = carrier_kept(carrier);
    struct task *next = next_at_hand(carrier, worker);
    if (next && !next->stack && !stack_attach(worker, next))
        next = leave_to_loop(carrier, worker, next);
    weft__fiber_switch(&task->fiber, fiber_of(carrier, next)); /* suspends: carrier, errno stale */
    carrier_leave(weft__settle(), CARRIER_IN_TASK); /* from here on it may lose the worker */
}

static void after_yield(struct runtime *runtime, struct worker *worker, struct task *task,
                        void *arg)
{
    (void)arg;
    if (runtime->is_migrating && runtime->worker_count > 1) {
        ready_elsewhere(runtime, task);
    } else if (worker) {
        push_last(worker, task);
        if (worker_has_next(worker)) /* the worker has taken its next one already: this is more */
            weft__park_notify(runtime);
        else
            notify_of_more(worker);
    } else {
        ready_from_outside(runtime, task);
    }
}

/* Read-modify-writes of a turn, from one task of the worker to the next: two, the deque's tail (push) and
 * head (pop). */
void weft__yield(void) { weft__suspend(after_yield, NULL); }

static void give_stack(struct runtime *runtime, struct worker *worker, struct task *task, void *low)
{
    struct carrier *carrier = weft__carrier();

    (void)task; /* ended, and perhaps another by now */
    weft__fiber_destroy(&carrier->dead);
    weft__stack_give(&runtime->stacks, worker ? &worker->stacks : NULL, low, carrier->dead_bytes);
}

struct fiber *weft__end_here(struct task *task, int status, struct task **ret_next)
{
    struct carrier *carrier = weft__carrier();
    void *low = task->stack;
    size_t bytes = task->stack_bytes;

    carrier_mark(carrier,
                 CARRIER_SETTLES); /* whom this wakes runs next, as if the task itself had */
    carrier->dead = task->fiber;
    task->stack = NULL;
    carrier->task = NULL;
    struct worker *worker = carrier_kept(carrier);
    weft__task_end(carrier->runtime, worker, task, status);
    struct task *next = next_at_hand(carrier, worker);
    *ret_next = next;
    if (next && !next->stack) {
        if (FIBER_IS_BARE && next->stack_bytes == bytes) {
            next->stack = low;
            return NULL;
        }
        if (!stack_attach(worker, next))
            next = leave_to_loop(carrier, worker, next);
    }
    carrier->after = give_stack;
    carrier->after_arg = low;
    carrier->dead_bytes = bytes;
    return fiber_of(carrier, next);
}

/* A task that never starts: its drop function stands in for it. */
static void refuse(struct worker *worker, struct task *task, int error)
{
    if (task->drop)
        task->drop(task->arg);
    weft__task_end(worker->runtime, worker, task, error);
}

/* Returns the worker that the thread carries then; NULL: it was taken. The carrier is the same: this stack
 * stays on its thread. */
static struct worker *run(struct carrier *carrier, struct worker *worker, struct task *task)
{
    if (must_migrate(worker, task))
        return worker;
    if (!task->stack && !stack_attach(worker, task)) {
        refuse(worker, task, -ENOMEM);
        return worker;
    }
    board(carrier, worker, task);
    carrier->after = NULL;
    weft__fiber_switch(&carrier->fiber, &task->fiber); /* comes back marked: weft__suspend() */
    worker = carrier_kept(carrier);
    (void)weft__settle(); /* it is the same one */
    carrier_mark(carrier, CARRIER_CALLS);
    return worker;
}

/* Memory goes back when nobody has anything else to do. Returns whether some did: then look again, at what the
 * kernel has, too. */
static bool trim(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;

    if (!weft__park_others_sleep(runtime) || !weft__stacks_trim(&runtime->stacks))
        return false;
    worker->turns_left = 1;
    return true;
}

/* Carries the worker until it is taken: returns false; or until the runtime is over. */
static bool carry_until_over(struct carrier *carrier)
{
    struct worker *worker = carrier_worker(carrier);

    while (worker) {
        struct task *task = next_task(worker);

        if (task)
            worker = run(carrier, worker, task);
        else if (load_seq(&worker->runtime->is_over))
            return true;
        else if (!trim(worker))
            weft__park(worker);
    }
    return false;
}

void weft__carry(struct carrier *carrier)
{
    weft__fiber_init_thread(&carrier->fiber);
    carrier->modes = fiber_modes_here();
    weft__overflow_watch_thread(carrier);
    while (!carry_until_over(carrier) && weft__spare_wait(carrier))
        ;
    weft__overflow_unwatch_thread(carrier);
    store_relaxed(&carrier->worker, NULL); /* relaxed: nobody takes it any more */
}

void *weft__worker_thread(void *arg)
{
    struct worker *worker = arg;
    struct carrier *carrier = weft__carrier(); /* this stack stays on its thread */

    worker->turns_left = TUNE_LOOK_OUT;
    carrier->runtime = worker->runtime;
    carrier_mark(carrier, CARRIER_CALLS);    /* published by worker->carrier, this and */
    store_relaxed(&carrier->worker, worker); /* relaxed: that */
    store_seq(&worker->carrier, carrier);
    weft__carry(carrier);
    carrier->runtime = NULL;
    return NULL;
}
