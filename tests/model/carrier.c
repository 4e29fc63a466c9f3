/*
 * carrier - a worker goes from thread to thread under its tasks: never two are inside, and none is lost.
 *
 * A model thread is a thread of the runtime. It carries the worker as core/worker.c does, and plays its tasks:
 * they come into the runtime and leave it, suspend, and end. Others hand the worker over meanwhile. Whoever
 * is inside touches a plain field of it: if two do, that is a race.
 *
 * The kernel's membarrier, and the mark, which is a plain store: between any two instructions of the
 * marking thread the barrier comes before or after. So each carrier has a word that both change, the thread
 * after its mark: whoever is first is seen by the other.
 */
#include <errno.h>
#include <pthread.h>

#include "core/worker.h"
#include "tests/model/model.h"

/* The threads of this model end by a token. */
#define pthread_setname_np(thread, name) 0
#define pthread_join(thread, result)     (model_take(&ended, "joined"), 0)
static const char ended[] = "ended", started[] = "started";

#include "core/handover.c"

const char model_subject[] = "carrier";

#define CARRIERS 2

static struct runtime *world;
static struct worker *worker;
static struct carrier *carriers[MODEL_THREADS];
static _Atomic uint32_t *barriers;   /* of each carrier */
static _Atomic uint32_t *was_taken;  /* 1: from the first, for good */
static unsigned uses[MODEL_THREADS]; /* of the worker by a thread */
static unsigned calls, tasks,
    expected; /* of a task; of a thread; what the hand-over gives if it fails */
static int acting;
static unsigned handed_over;

/* --- the kernel ------------------------------------------------------------------------------ */

#define BARRIER(at) (void)MODEL_CHANGE(at, 1, MODEL_ADD, MODEL_SITE("barrier", at, MODEL_ACQ_REL))

/* Ends a mark, see core/carrier.h. */
void model_barrier(void) { BARRIER(&barriers[model_self()]); }

static bool fails(int error) { return expected == (unsigned)error; }

int weft__sys_membarrier_register(void) { return 0; }

int weft__sys_membarrier(void)
{
    if (fails(EPERM))
        return -EPERM;
    for (unsigned i = 0; i < CARRIERS; i++)
        BARRIER(&barriers[i]);
    return 0;
}

int weft__sys_thread(pthread_t *ret_thread, void *(*fn)(void *), void *arg)
{
    model_assert(fn == spare_thread && arg == world);
    if (fails(ENOMEM))
        return -ENOMEM;
    *ret_thread = 0;
    model_post(started, "started");
    return 0;
}

void *weft__sys_realloc(void *old, size_t bytes)
{
    model_assert(!old);
    return model_alloc(bytes);
}

/* --- a thread that carries -------------------------------------------------------------------- */

struct carrier *weft__carrier(void) { return carriers[model_self()]; }

void weft__quiet_act(struct runtime *runtime) { acting += runtime == world; }
void weft__quiet_rest(struct runtime *runtime) { acting -= runtime == world; }

static void use(const struct worker *its)
{
    model_assert(its == worker);
    worker->streak++;
    uses[model_self()]++;
}

/* A task's call into the runtime. */
static void call(struct carrier *carrier)
{
    bool is_gone = load_seq(was_taken) && carrier == carriers[0];
    uint32_t was;
    struct worker *its = carrier_enter(carrier, &was);

    if (its) {
        model_assert(!is_gone);
        use(its);
    }
    carrier_leave(carrier, was);
}

/* As switch_to in core/worker.c. */
static struct worker *play_task(struct carrier *carrier)
{
    struct worker *its;

    carrier_leave(carrier, CARRIER_IN_TASK);
    for (unsigned i = 0; i < calls; i++)
        call(carrier);
    carrier_mark(carrier, CARRIER_SETTLES);
    its = carrier_kept(carrier);
    if (its)
        use(its);
    carrier_mark(carrier, CARRIER_CALLS);
    return its;
}

static void until_over(void)
{
    while (!load_seq(&world->is_over))
        (void)weft__futex_wait(&world->is_over, 0, WEFT_NO_TIMEOUT);
}

/* As there: until the runtime is over, or for ever. */
void weft__carry(struct carrier *carrier)
{
    do {
        struct worker *its = carrier_worker(carrier);

        for (unsigned i = 0; i < tasks && its; i++) {
            use(its);
            its = play_task(carrier);
        }
        if (its) {
            until_over();
            use(its);
            return;
        }
    } while (weft__spare_wait(carrier));
    model_assert(load_seq(&world->is_over));
}

static void owner(void) { weft__carry(carriers[0]); }

static void spare(void)
{
    model_take(started, "started");
    (void)spare_thread(world);
    model_post(ended, "ended");
}

/* --- who takes ------------------------------------------------------------------------------- */

static bool take_it(void)
{
    int rc = weft__hand_over(worker);

    model_assert(rc == 0 || rc == -EAGAIN || rc == -(int)expected);
    handed_over += rc == 0;
    return rc == 0;
}

static void taker(void) { (void)take_it(); }

/* Nobody gives it back to the first. */
static void taker_for_good(void)
{
    if (take_it())
        store_seq(was_taken, 1);
}

static void taker_and_stop(void)
{
    (void)take_it();
    store_seq(&world->is_over, 1);
    weft__futex_wake(&world->is_over, CARRIERS);
    weft__spares_end(world);
}

/* --- worlds ---------------------------------------------------------------------------------- */

static void world_of(unsigned task_count, unsigned call_count, unsigned error)
{
    world = model_alloc(sizeof *world);
    worker = model_alloc(sizeof *worker);
    barriers = model_alloc(CARRIERS * sizeof *barriers);
    was_taken = model_alloc(sizeof *was_taken);
    for (unsigned i = 0; i < MODEL_THREADS; i++) {
        carriers[i] = model_alloc(sizeof *carriers[i]);
        uses[i] = 0;
    }
    tasks = task_count;
    calls = call_count;
    expected = error;
    acting = 0;
    handed_over = 0;
    worker->runtime = world;
    weft__spares_init(&world->spares);
    carriers[0]->runtime = world;
    store_relaxed(&carriers[0]->place, CARRIER_CALLS);
    store_relaxed(&carriers[0]->worker, worker);
    store_seq(&worker->carrier, carriers[0]);
}

static void one_task(void) { world_of(1, 2, 0); }
static void two_tasks(void) { world_of(2, 1, 0); }
static void without_calls(void) { world_of(1, 0, 0); }
static void without_barrier(void) { world_of(1, 1, EPERM); }
static void without_thread(void) { world_of(1, 1, ENOMEM); }

static void check_carried(void)
{
    struct carrier *its = load_seq(&worker->carrier);

    for (unsigned i = 0; i < CARRIERS; i++)
        model_assert(load_seq(&carriers[i]->worker) == (carriers[i] == its ? worker : NULL));
    model_assert(load_seq(&its->place) && !load_seq(&its->taking));
    model_assert(acting == 0);
    model_assert(handed_over == 0 || uses[1] > 0);
    model_assert(worker->streak == uses[0] + uses[1]);
}

static void check_over(void)
{
    model_assert(acting == 0);
    model_assert(handed_over == 0 || uses[1] > 0);
}

static void check_kept(void)
{
    model_assert(handed_over == 0 && uses[1] == 0);
    check_carried();
}

const struct model_scenario model_scenarios[] = {
    {"calls of a task against who takes its worker",
     one_task,
     {{"owner", owner, true}, {"spare", spare, true}, {"taker", taker_for_good, 0}},
     check_carried,
     0},
    {"two tasks against who takes the worker",
     two_tasks,
     {{"owner", owner, true}, {"spare", spare, true}, {"taker", taker_for_good, 0}},
     check_carried,
     2},
    {"two who take the worker",
     without_calls,
     {{"owner", owner, true}, {"spare", spare, true}, {"taker", taker, 0}, {"taker", taker, 0}},
     check_carried,
     2},
    {"the runtime ends while a thread has lost its worker",
     without_calls,
     {{"owner", owner, 0}, {"spare", spare, true}, {"taker", taker_and_stop, 0}},
     check_over,
     0},
    {"no barrier can be had",
     without_barrier,
     {{"owner", owner, true}, {"spare", spare, true}, {"taker", taker, 0}},
     check_kept,
     0},
    {"no thread can be had",
     without_thread,
     {{"owner", owner, true}, {"spare", spare, true}, {"taker", taker, 0}},
     check_kept,
     0},
    {0},
};
