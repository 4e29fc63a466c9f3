/*
 * drain - a stop against work that comes in: a spawn or a promise is refused with -ESHUTDOWN, or it ends
 * before the stop returns; then all is freed, and nobody touches it.
 *
 * Start and stop are those of core/runtime.c, the gate that of core/gate.c. The workers' threads are model
 * threads that run one task each (tasks.h), and are joined.
 */
#define _Thread_local
#define pthread_join       join_runner
#define weft__slab_destroy free_slots
#include <weft/task.h>

#include "core/gate.c"
#include "core/runtime.c"
#include "core/scope.h"
#include "tests/model/tasks.h"

const char model_subject[] = "drain";

static int result[MODEL_THREADS], second;
static struct record {
    unsigned ended[MODEL_THREADS]; /* plain: by each task at its end */
} * record;
static const char joined[MODEL_THREADS]; /* keys of tokens */

/* --- what else the runtime asks for ---------------------------------------------------------- */

void free_slots(struct slab *slab) { (void)slab; }

int join_runner(pthread_t thread, void **ret)
{
    (void)ret;
    model_take(&joined[thread + 1], "joined");
    return 0;
}

/* The end of the workers begins: no task may be left. */
void weft__park_wake(struct worker *worker)
{
    model_assert(!tasks[1] && (world->worker_count == 1 || !tasks[2]));
    tasks_run_no_more((unsigned)worker->thread + 1);
}
void weft__loop_destroy(struct loop *loop) { (void)loop; }
void weft__deque_destroy(struct deque *deque) { (void)deque; }
void weft__stacks_destroy(struct stacks *stacks) { (void)stacks; }
void weft__fd_table_free(struct fd_table *table) { (void)table; }
void weft__overflow_unwatch(void) {}
void weft__spares_end(struct runtime *runtime) { (void)runtime; }
int64_t weft__sys_now(void) { return 0; }
void weft__quiet_act(struct runtime *runtime) { (void)runtime; }
void weft__quiet_rest(struct runtime *runtime) { (void)runtime; }
void weft__standstill_drain(struct runtime *runtime) { (void)runtime; }
void weft__standstill_forget(struct runtime *runtime) { (void)runtime; }
void weft__pools_free(struct pools *pools) { (void)pools; }

bool weft__standstill_is_stuck(struct runtime *runtime)
{
    (void)runtime;
    return false;
}

int weft__pools_stop(struct pools *pools, int64_t deadline)
{
    (void)pools, (void)deadline;
    return 0;
}

bool weft__pools_are_asleep(struct pools *pools, uint32_t waiting, uint64_t *moves, int *threads)
{
    (void)pools, (void)waiting, (void)moves, (void)threads;
    return true;
}

bool weft__quiet_is_for_ever(struct runtime *runtime)
{
    (void)runtime;
    return false;
}

/* No task here stands in a scope. */
int weft__scope_adopt(struct scope *scope, struct task *task)
{
    (void)scope, (void)task;
    return -EPERM;
}

void weft__scope_spawn_failed(struct scope *scope, const char *site, int error)
{
    (void)scope, (void)site, (void)error;
}

void weft__scope_task_ended(struct runtime *runtime, struct task *task, int status)
{
    (void)runtime, (void)task, (void)status;
}

/* --- the tasks: threads 1 and 2 run them ------------------------------------------------------ */

static int task_a(void *arg);
static int task_b(void *arg);
static int (*a_does)(void), (*b_does)(void);

static int task_a(void *arg)
{
    (void)arg;
    result[1] = a_does();
    record->ended[1]++;
    return result[1];
}

static int task_b(void *arg)
{
    (void)arg;
    result[2] = b_does();
    record->ended[2]++;
    return result[2];
}

static void runner(void)
{
    while (tasks_run())
        ;
    model_post(&joined[model_self()], "ends");
}

#define NONE 99

/* A slot that the worker has at hand, below those that plain threads get. */
static void fill_cache(struct worker *worker, struct future *slot)
{
    weft__slab_give(&world->slab, &worker->slots, slot);
}

static void setup(int (*a)(void), int (*b)(void))
{
    struct future *low, *high;

    __builtin_memset((void *)&gate, 0, sizeof gate);
    __builtin_memset(&visit, 0, sizeof visit);
    __builtin_memset(&control, 0, sizeof control);
    tasks_init(0);
    a_does = a;
    b_does = b;
    world->options.shutdown = 1000;
    world->worker_count = b ? 2 : 1;
    world->workers = model_alloc(world->worker_count * sizeof *world->workers);
    for (unsigned i = 0; i < world->worker_count; i++) {
        world->workers[i].thread = i;
        tasks_runner(i + 1, i == 0 ? task_a : task_b, &world->workers[i]);
    }
    low = weft__slab_take(&world->slab, NULL);
    high = weft__slab_take(&world->slab, NULL);
    fill_cache(&world->workers[0], low);
    weft__slab_give(&world->slab, NULL, high);
    control.starts = 1;
    (void)weft__gate_count_run();
    weft__gate_open(world, 0);
    record = model_alloc(sizeof *record);
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        result[i] = NONE;
    second = NONE;
}

static int end(void) { return 0; }

static int wait_for_ever(void)
{
    struct waiter waiter;

    weft__wait_begin(&waiter);
    return weft__wait_commit(&waiter, WAIT_CANCELLABLE);
}

static int let_live(weft_future b)
{
    model_assert(b.slot); /* a task is never refused */
    (void)weft_detach(b); /* it lives */
    return 0;
}

static int spawn_b(void) { return let_live(weft_spawn_at("b", task_b, NULL)); }

/* The long way: it has options. */
static int spawn_b_with(void)
{
    return let_live(weft_spawn_with(&(weft_task_options){.site = "b"}, task_b, NULL));
}

/* --- what plain threads do ------------------------------------------------------------------- */

static int error_of(weft_future future) { return future.slot ? 0 : -(int)future.generation; }

static void spawn_a(void) { result[0] = error_of(weft_spawn_at("a", task_a, NULL)); }

static void spawn_and_detach(void)
{
    weft_future a = weft_spawn_at("a", task_a, NULL);

    result[0] = error_of(a);
    if (a.slot)
        second = weft_detach(a);
}

/* It waits inside the gate, so the stop must end the promise. */
static void wait_for_promise(void)
{
    weft_promise promise;
    weft_future future = weft_promise_new_at("a promise", &promise);

    result[0] = error_of(future);
    if (future.slot)
        second = weft_wait(future);
}

static void stop_it(void)
{
    int rc = weft_stop();

    model_assert(rc == 0);
    for (unsigned i = 1; i < MODEL_THREADS;
         i++) /* what had begun has ended, and nothing begins any more */
        model_assert(record->ended[i] == (result[i] != NONE));
}

static void spawn_and_stop(void)
{
    spawn_a();
    stop_it();
}

/* The first wait of a stop alone: the later ones must not be needed. */
static void spawn_and_drain(void)
{
    spawn_a();
    int rc = weft__drain(world, 1000);

    model_assert(rc == 0 && !tasks[1] && !tasks[2]);
}

/* --- what must hold -------------------------------------------------------------------------- */

static void check_ended_or_refused(void)
{
    model_assert(result[0] == 0 || result[0] == -ESHUTDOWN);
    model_assert(record->ended[1] == (result[0] == 0));
}

static void check_waited_or_refused(void)
{
    check_ended_or_refused();
    model_assert(result[1] == (result[0] == 0 ? -ECANCELED : NONE));
}

static void check_detached(void)
{
    check_ended_or_refused();
    model_assert(second == NONE || second == 0 || second == -ESTALE);
}

static void check_both_ended(void)
{
    model_assert(result[0] == 0 && record->ended[1] == 1 && record->ended[2] == 1);
}

static void check_b_cancelled(void)
{
    check_both_ended();
    model_assert(result[2] == -ECANCELED);
}

static void check_promise(void)
{
    if (result[0] == 0)
        model_assert(second == -ECANCELED || second == -ESTALE);
    else
        model_assert(result[0] == -ESHUTDOWN);
}

#define SETUP(name, a, b) \
    static void name(void) { setup(a, b); }

SETUP(a_ends, end, NULL)
SETUP(a_waits, wait_for_ever, NULL)
SETUP(a_spawns, spawn_b, end)
SETUP(a_spawns_one_that_waits, spawn_b, wait_for_ever)
SETUP(a_spawns_one_with_options, spawn_b_with, wait_for_ever)

const struct model_scenario model_scenarios[] = {
    {"a task that ends against the stop",
     a_ends,
     {{"stopper", spawn_and_stop, 0}, {"a", runner, 0}},
     check_ended_or_refused,
     0},
    {"a task that waits against the stop",
     a_waits,
     {{"stopper", spawn_and_stop, 0}, {"a", runner, 0}},
     check_waited_or_refused,
     0},
    {"a task spawns another against the stop",
     a_spawns,
     {{"stopper", spawn_and_stop, 0}, {"a", runner, 0}, {"b", runner, 0}},
     check_both_ended,
     0},
    {"a task spawns one that waits against the stop",
     a_spawns_one_that_waits,
     {{"stopper", spawn_and_stop, 0}, {"a", runner, 0}, {"b", runner, 0}},
     check_b_cancelled,
     0},
    {"a task spawns one with options that waits against the stop",
     a_spawns_one_with_options,
     {{"stopper", spawn_and_stop, 0}, {"a", runner, 0}, {"b", runner, 0}},
     check_b_cancelled,
     0},
    {"a task spawns another against the drain",
     a_spawns,
     {{"stopper", spawn_and_drain, 0}, {"a", runner, 1}, {"b", runner, 1}},
     check_both_ended,
     0},
    {"a spawn from outside against the stop",
     a_ends,
     {{"spawner", spawn_a, 0}, {"a", runner, 0}, {"stopper", stop_it, 0}},
     check_ended_or_refused,
     0},
    {"a spawn from outside of one that waits against the stop",
     a_waits,
     {{"spawner", spawn_a, 0}, {"a", runner, 0}, {"stopper", stop_it, 0}},
     check_waited_or_refused,
     0},
    {"a spawn and a detach from outside against the stop",
     a_ends,
     {{"spawner", spawn_and_detach, 0}, {"a", runner, 0}, {"stopper", stop_it, 0}},
     check_detached,
     0},
    {"a promise that is made and waited for outside against the stop",
     a_ends,
     {{"thread", wait_for_promise, 0}, {"a", runner, 0}, {"stopper", stop_it, 0}},
     check_promise,
     0},
    {0},
};
