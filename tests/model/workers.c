/*
 * workers - see workers.h.
 *
 * The loop is the few lines that loop_epoll.c and loop_uring.c share: the bell, and a sleep in the kernel that
 * ends with the next edge of its eventfd. An edge that came before the sleep ends it at once.
 */
#include "tests/model/workers.h"

#include "core/bell.h"

struct runtime *world;

struct model_loop {
    struct bell bell;
    uint64_t seen; /* edges of the eventfd that polls have taken */
};

#define EVENTFDS 8
static _Atomic uint64_t *edges; /* of each eventfd, how many it had */
static int eventfd_count;
static struct carrier carriers[MODEL_THREADS + 1];

/* --- the kernel ------------------------------------------------------------------------------ */

int weft__sys_eventfd(void) { return eventfd_count++; }

int weft__sys_eventfd_signal(int fd)
{
    add_seq(&edges[fd], 1);
    model_wake(&edges[fd], 1);
    return 0;
}

/* --- the loop -------------------------------------------------------------------------------- */

static int poll(struct loop *loop, int64_t ns)
{
    struct model_loop *mine = loop->state;
    _Atomic uint64_t *its = &edges[mine->bell.fd];

    if (ns == 0)
        return 0;
    if (bell_may_sleep(&mine->bell)) {
        uint64_t now;

        while ((now = add_seq(its, 0)) == mine->seen) /* the kernel looks under a lock of its own */
            model_sleep(its);
        mine->seen = now;
    }
    bell_awake(&mine->bell);
    return 0;
}

static void wake(struct loop *loop) { bell_ring(&((struct model_loop *)loop->state)->bell); }

static bool is_busy(const struct loop *loop)
{
    (void)loop;
    return false;
}

static const struct loop_ops ops = {.poll = poll, .wake = wake, .is_busy = is_busy};

/* --- what else core asks for ----------------------------------------------------------------- */

struct carrier *weft__carrier(void) { return &carriers[model_self()]; }
struct worker *weft__worker(void) { return carrier_worker(weft__carrier()); }
struct task *weft__current_task(void) { return weft__carrier()->task; }

/* None is handed over here. */
bool weft__spare_wait(struct carrier *carrier)
{
    (void)carrier;
    return false;
}

struct worker *weft__carrier_kept_slow(struct carrier *carrier)
{
    (void)carrier;
    return NULL;
}

int64_t weft__quiet_now(const struct runtime *runtime)
{
    (void)runtime;
    return 0;
}

/* Always: the last worker looks a moment longer before it sleeps. */
bool weft__pools_may_end_soon(struct pools *pools)
{
    (void)pools;
    return true;
}

void weft__overflow_watch_thread(struct carrier *carrier) { (void)carrier; }
void weft__overflow_unwatch_thread(struct carrier *carrier) { (void)carrier; }

void *weft__sys_realloc(void *old, size_t bytes)
{
    model_assert(!old);
    return model_alloc(bytes);
}

#define TASK_STACK ((size_t)4096)

void *weft__stack_take(struct stacks *stacks, struct stack_cache *cache, size_t bytes)
{
    (void)stacks, (void)cache, (void)bytes;
    return model_alloc(TASK_STACK);
}

void weft__ward_look(struct worker *worker) { (void)worker; } /* a thief like others */

bool weft__stacks_trim(struct stacks *stacks)
{
    (void)stacks;
    return false;
}

/* --- fibers ---------------------------------------------------------------------------------- */

static struct fiber *beginning[MODEL_THREADS];

static void begin(void)
{
    weft__task_main(container_of(beginning[model_self()], struct task, fiber));
}

void weft__fiber_init(struct fiber *fiber, void *low, size_t bytes, void (*entry)(void *),
                      void *arg)
{
    model_assert(entry == weft__task_main && arg == container_of(fiber, struct task, fiber));
    coroutine_init(&fiber->coroutine, low, bytes, begin);
}

void weft__fiber_init_thread(struct fiber *fiber) { (void)fiber; }
void weft__fiber_destroy(struct fiber *fiber) { (void)fiber; }

void weft__stack_give(struct stacks *stacks, struct stack_cache *cache, void *low, size_t bytes)
{
    (void)stacks, (void)cache, (void)bytes;
    model_free(low);
}

void weft__fiber_switch(struct fiber *from, struct fiber *to)
{
    beginning[model_self()] = to;
    coroutine_switch(&from->coroutine, &to->coroutine);
}

/* --- tasks ----------------------------------------------------------------------------------- */

void weft__task_main(void *arg)
{
    struct task *task = arg;
    struct carrier *carrier = weft__settle();
    struct fiber *next;
    const volatile char *stack;

    do {
        stack = task->stack;
        carrier_leave(carrier, CARRIER_IN_TASK);
        ((void (*)(void))task->arg)();
        next = weft__end_here(task, 0, &task);
        (void)stack[0]; /* it stands there until the switch */
        carrier = weft__carrier();
    } while (!next);
    weft__fiber_switch(&carrier->dead, next);
}

void weft__task_end(struct runtime *runtime, struct worker *worker, struct task *task, int status)
{
    (void)runtime, (void)worker;
    model_assert(status == 0); /* else it got no stack */
    model_free(task);
}

struct task *world_task(void (*fn)(void))
{
    struct task *task = model_alloc(sizeof *task);

    task->arg = (void *)fn;
    task->stack_bytes = TASK_STACK;
    return task;
}

/* --- the world ------------------------------------------------------------------------------- */

void world_init(uint32_t workers)
{
    eventfd_count = 0;
    __builtin_memset((void *)carriers, 0, sizeof carriers);
    edges = model_alloc(EVENTFDS * sizeof *edges);
    world = model_alloc(sizeof *world);
    world->worker_count = workers;
    world->workers = model_alloc(workers * sizeof *world->workers);
    for (uint32_t i = 0; i < workers; i++) {
        struct worker *worker = &world->workers[i];
        struct model_loop *loop = model_alloc(sizeof *loop);

        worker->runtime = world;
        worker->index = i;
        worker->loop =
            (struct loop){.ops = &ops, .worker = worker, .state = loop, .bell = &loop->bell};
        (void)bell_init(&loop->bell); /* cannot fail here */
        weft__timers_init(&worker->timers);
        model_hint(&worker->ran); /* thieves only compare it with what they saw before */
        model_assert(weft__deque_init(&worker->deque) == 0);
    }
}

void world_worker_0(void) { (void)weft__worker_thread(&world->workers[0]); }
void world_worker_1(void) { (void)weft__worker_thread(&world->workers[1]); }
void world_worker_2(void) { (void)weft__worker_thread(&world->workers[2]); }

void world_check_asleep(void)
{
    model_assert(load_seq(&world->idle.counts) == world->worker_count);
    for (uint32_t i = 0; i < world->worker_count; i++) {
        struct worker *worker = &world->workers[i];

        model_assert(worker->park_state == PARK_ASLEEP);
        model_assert(!worker->is_searching);
        model_assert(!load_seq(&worker->run_next));
        model_assert(weft__deque_is_empty(&worker->deque));
        model_assert(inbox_is_empty(&worker->inbox));
    }
    model_assert(inbox_is_empty(&world->inbox));
}
