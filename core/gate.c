/*
 * gate - the way into the runtime for plain threads, and where the runtime is.
 *
 *     enter   look at the runtime: NULL is refused; entering + 1; look again; its inside + 1; entering - 1
 *     leave   inside - 1
 *     close   the runtime is gone from the gate; wait for entering 0, then for inside 0
 *
 * Who has seen the runtime has been counted in `entering` before, so close waits until it is counted in
 * `inside`, and then until it has left. Who is refused at the first look is not counted: else a flood of
 * them would keep close waiting. The threads of the runtime itself pass freely.
 */
#include "core/gate.h"

#include <errno.h>

#include "core/worker.h"

/* Where the runtime is, and who is inside. */
static struct {
    _Atomic(struct runtime *) runtime; /* (a) NULL: not started, or stopped */
    _Atomic uint32_t entering; /* (a) plain threads between the look at runtime and its count */
    _Atomic uint32_t runs;     /* (a) how often a start was tried */
    _Atomic uint32_t was_open; /* (a) 0 tells -ENXIO */
    _Atomic uint32_t holds;    /* (a) weft_waker_hold minus weft_waker_release */

    _Alignas(WEFT_LINE) _Atomic int64_t virtual_now; /* (a) 0: time is real */
} gate;

/* --- who calls ------------------------------------------------------------------------------- */

static _Thread_local struct runtime *adopted;

/* Not inlined, so that no compiler keeps the thread-local's address over a suspension. */
static __attribute__((noinline)) struct runtime *adopted_here(void)
{
    __asm__ volatile("");
    return adopted;
}

void weft__runtime_adopt_thread(struct runtime *runtime) { adopted = runtime; }

/* Where a plain thread is, and how often it has passed the gate. */
static _Thread_local struct {
    struct runtime *runtime;
    uint32_t depth;
} visit;

static __attribute__((noinline)) __typeof__(&visit) visit_here(void)
{
    __asm__ volatile("");
    return &visit;
}

struct runtime *weft__runtime_here(uint32_t *ret_depth)
{
    *ret_depth = visit_here()->depth;
    return *ret_depth ? visit_here()->runtime : adopted_here();
}

struct runtime *weft__runtime_own(void)
{
    struct runtime *runtime = weft__carrier()->runtime;

    return runtime ? runtime : adopted_here();
}

bool weft__runtime_is_mine(void) { return weft__runtime_own() != NULL; }

/* --- in and out ------------------------------------------------------------------------------ */

/* Returns NULL if it is closed meanwhile. */
static struct runtime *come_in(void)
{
    struct runtime *runtime;

    add_seq(&gate.entering, 1); /* before the look at runtime; pairs with weft__gate_close() */
    runtime = load_seq(&gate.runtime);
    if (runtime) {
        add_seq(&runtime->inside, 1); /* it lives: weft__gate_close() waits for this thread */
        /* Inside already: then in this one, or in one that was abandoned, which stays. */
        if (visit_here()->depth++ == 0)
            visit_here()->runtime = runtime;
    }
    if (sub_seq(&gate.entering, 1) == 1 && !load_seq(&gate.runtime))
        weft__futex_wake(&gate.entering, 1);
    return runtime;
}

int weft__runtime_enter(struct runtime **ret_runtime)
{
    struct runtime *runtime = weft__runtime_own();

    if (!runtime && load_seq(&gate.runtime))
        runtime = come_in();
    if (!runtime)
        return load_seq(&gate.was_open) ? -ESHUTDOWN : -ENXIO;
    *ret_runtime = runtime;
    return 0;
}

void weft__runtime_leave(struct runtime *runtime)
{
    _Atomic uint32_t *inside = &runtime->inside;

    if (weft__runtime_own())
        return;
    visit_here()->depth--;
    /* The last one may find the runtime freed already: then the wake is for nobody. */
    if (sub_seq(inside, 1) == 1 && load_seq(&gate.runtime) != runtime)
        weft__futex_wake(inside, 1);
}

static void until_zero(_Atomic uint32_t *count)
{
    uint32_t left;

    while ((left = load_seq(count)) > 0)
        (void)weft__futex_wait(count, left, WEFT_NO_TIMEOUT); /* spurious: look again */
}

uint32_t weft__gate_count_run(void) { return add_seq(&gate.runs, 1); }

void weft__gate_open(struct runtime *runtime, int64_t virtual_now)
{
    store_seq(&gate.virtual_now, virtual_now);
    store_seq(&gate.was_open, 1);
    store_seq(&gate.runtime, runtime);
}

struct runtime *weft__gate_runtime(void) { return load_seq(&gate.runtime); }

void weft__gate_close(struct runtime *runtime)
{
    store_seq(&gate.runtime, NULL);
    until_zero(&gate.entering);
    until_zero(
        &runtime->inside); /* its own: who is stuck in one that was abandoned holds up no other */
    store_seq(&gate.virtual_now, 0);
}

void weft__gate_abandon(void)
{
    store_seq(&gate.runtime, NULL);
    store_seq(&gate.virtual_now, 0);
}

bool weft__runtime_refuses(const struct runtime *runtime)
{
    return weft__runtime_is_stopping(runtime) && !weft__runtime_own();
}

/* --- wakers from outside, and virtual time --------------------------------------------------- */

bool weft__runtime_is_held(void) { return load_seq(&gate.holds) > 0; }

void weft_waker_hold(void) { add_seq(&gate.holds, 1); }

int weft_waker_release(void)
{
    uint32_t holds = load_seq(&gate.holds);
    struct runtime *runtime;

    do {
        if (holds == 0)
            return -EPERM;
    } while (!cas_seq(&gate.holds, &holds, holds - 1));
    if (holds > 1 || weft__runtime_enter(&runtime) < 0)
        return 0;
    /* Perhaps that was the last hope: a worker looks. This takes no lock, for signal handlers. */
    struct loop *loop = &runtime->workers[0].loop;
    loop->ops->wake(loop);
    weft__runtime_leave(runtime);
    return 0;
}

int64_t weft__runtime_virtual_now(void)
{
    /* relaxed: who was woken by a jump sees it by the wake */
    return load_relaxed(&gate.virtual_now);
}

void weft__runtime_time_jumped(const struct runtime *runtime, int64_t now)
{
    int64_t before = load_seq(&gate.virtual_now);

    /* Else it was abandoned, and what is there is nobody's or another's. */
    if (before != 0 && load_seq(&gate.runtime) == runtime)
        (void)cas_seq(&gate.virtual_now, &before, now);
}
