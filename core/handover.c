/*
 * handover - see handover.h and carrier.h.
 */
#include "core/handover.h"

#include <errno.h>
#include <limits.h>

#include "core/carrier.h"
#include "core/quiet.h"
#include "core/sys.h"
#include "core/worker.h"

void weft__spares_init(struct spares *spares)
{
    spares->is_supported = weft__sys_membarrier_register() == 0;
}

/* --- spare threads --------------------------------------------------------------------------- */

/* Returns false if the runtime is over: nobody looks into the list any more. */
static bool become_idle(struct runtime *runtime, struct carrier *carrier)
{
    struct spares *spares = &runtime->spares;
    bool is_over;

    store_seq(&carrier->go, 0);
    lock_acquire(&spares->lock);
    is_over = load_seq(&runtime->is_over); /* pairs with weft__spares_end(): set, then the lock */
    if (!is_over) {
        carrier->next_idle = spares->idle;
        spares->idle = carrier;
    }
    lock_release(&spares->lock);
    if (is_over)
        return false;
    add_seq(&spares->arrivals, 1); /* after the push; pairs with spare_get() */
    weft__futex_wake(&spares->arrivals, 1);
    return true;
}

static bool until_given(struct carrier *carrier)
{
    if (!become_idle(carrier->runtime, carrier))
        return false;
    while (load_seq(&carrier->go) == 0)
        (void)weft__futex_wait(&carrier->go, 0, WEFT_NO_TIMEOUT); /* spurious: again */
    return load_relaxed(&carrier->worker) != NULL;                /* relaxed: published by go */
}

bool weft__spare_wait(struct carrier *carrier)
{
    weft__quiet_rest(carrier->runtime); /* it has acted since it lost its worker */
    return until_given(carrier);
}

static void *spare_thread(void *arg)
{
    struct carrier *carrier = weft__carrier(); /* this stack stays on its thread */

    carrier->runtime = arg;
    carrier_mark(carrier, CARRIER_CALLS);
    if (until_given(carrier))
        weft__carry(carrier);
    carrier->runtime = NULL;
    return NULL;
}

static struct carrier *idle_pop(struct spares *spares)
{
    struct carrier *carrier;

    lock_acquire(&spares->lock);
    carrier = spares->idle;
    if (carrier)
        spares->idle = carrier->next_idle;
    lock_release(&spares->lock);
    return carrier;
}

/* Back into the list: it was not needed. */
static void idle_push(struct spares *spares, struct carrier *carrier)
{
    lock_acquire(&spares->lock);
    carrier->next_idle = spares->idle;
    spares->idle = carrier;
    lock_release(&spares->lock);
}

static int spare_start(struct runtime *runtime)
{
    struct spares *spares = &runtime->spares;
    uint32_t count = load_seq(&spares->count);
    int rc;

    if (count == spares->capacity) {
        uint32_t capacity = count ? 2 * count : 8;
        pthread_t *threads = weft__sys_realloc(spares->threads, capacity * sizeof *threads);

        if (!threads)
            return -ENOMEM;
        spares->threads = threads;
        spares->capacity = capacity;
    }
    rc = weft__sys_thread(&spares->threads[count], spare_thread, runtime);
    if (rc < 0)
        return rc;
    (void)pthread_setname_np(spares->threads[count], "weft-spare"); /* only for people */
    store_seq(&spares->count, count + 1); /* before the act ends: see glance_at() in quiet.c */
    return 0;
}

/* An idle spare, out of the list; started, if there is none. */
static int spare_get(struct runtime *runtime, struct carrier **ret_carrier)
{
    struct spares *spares = &runtime->spares;
    struct carrier *carrier = idle_pop(spares);
    int rc = carrier ? 0 : spare_start(runtime);

    if (rc < 0)
        return rc;
    while (!carrier) {
        uint32_t arrivals = load_seq(&spares->arrivals); /* before the look; see become_idle() */

        carrier = idle_pop(spares);
        if (!carrier)
            (void)weft__futex_wait(&spares->arrivals, arrivals, WEFT_NO_TIMEOUT);
    }
    *ret_carrier = carrier;
    return 0;
}

void weft__spares_end(struct runtime *runtime)
{
    struct spares *spares = &runtime->spares;
    uint32_t count = load_seq(&spares->count);

    /* is_over has been set: who is not in the list now will not be */
    for (struct carrier *idle; (idle = idle_pop(spares));) {
        store_seq(&idle->go, 1);
        weft__futex_wake(&idle->go, 1);
    }
    for (uint32_t i = 0; i < count; i++)
        (void)pthread_join(spares->threads[i], NULL); /* fails only for a wrong thread */
    weft__sys_free(spares->threads);
}

/* --- the hand-over --------------------------------------------------------------------------- */

struct worker *weft__carrier_kept_slow(struct carrier *carrier)
{
    while (load_seq(&carrier->taking)) /* pairs with take() */
        (void)weft__futex_wait(&carrier->taking, 1, WEFT_NO_TIMEOUT);
    return load_relaxed(&carrier->worker); /* relaxed: published by taking; its own, or NULL */
}

/* Takes the worker away from the thread if that is not inside. */
static int take(struct worker *worker, struct carrier *from)
{
    int rc;

    if (load_acquire(&from->place)) /* a guess; the one below decides, and has the same partner */
        return -EAGAIN;
    store_seq(&from->taking, 1);
    store_seq(&from->worker, NULL);
    rc = weft__sys_membarrier();
    /* acquire: pairs with carrier_leave(): what the thread did to the worker has been done */
    if (rc == 0 && load_acquire(&from->place))
        rc = -EAGAIN;
    if (rc < 0)
        store_seq(&from->worker, worker);
    store_seq(&from->taking, 0);
    weft__futex_wake(&from->taking, INT_MAX); /* the address may have died: its thread went on */
    return rc;
}

static void give(struct worker *worker, struct carrier *to)
{
    store_seq(&worker->carrier, to);
    store_relaxed(&to->worker, worker); /* relaxed: published by go */
    store_seq(&to->go, 1);
    weft__futex_wake(&to->go, 1);
}

static int hand_over_locked(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;
    struct carrier *from = load_seq(&worker->carrier);
    struct carrier *to;
    int rc;

    if (!from || load_acquire(&from->place)) /* as in take() */
        return -EAGAIN;
    rc = spare_get(runtime, &to);
    if (rc < 0)
        return rc;
    rc = take(worker, from);
    if (rc < 0)
        idle_push(&runtime->spares, to);
    else
        give(worker, to);
    return rc;
}

int weft__hand_over(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;
    int rc;

    if (!runtime->spares.is_supported)
        return -ENOTSUP;
    weft__quiet_act(runtime); /* until the thread rests that has lost the worker */
    lock_acquire(&runtime->spares.taker);
    rc = hand_over_locked(worker);
    lock_release(&runtime->spares.taker);
    if (rc < 0)
        weft__quiet_rest(runtime);
    return rc;
}
