/*
 * future - see future.h: the life of a slot, from new to freed.
 */
#include "core/future.h"

#include <errno.h>

#include "core/edges.h"
#include "core/group.h"
#include "core/worker.h"

/* Reasons with which a watcher is woken. */
#define WATCH_ENDED 0

static struct slot_cache *cache_of(struct worker *worker, struct runtime *runtime)
{
    return worker && worker->runtime == runtime ? &worker->slots : NULL;
}

/* Nobody finds it yet: it is not LIVE. */
static struct future *new_hidden(struct runtime *runtime, struct slot_cache *cache,
                                 const struct future_kind *kind, const char *site)
{
    struct future *future = weft__slab_take(&runtime->slab, cache);

    if (!future)
        return NULL;
    future_prepare(future, kind, site);
    return future;
}

static struct future *make_known(struct future *future)
{
    if (future)
        or_seq(&future->state, FUTURE_LIVE);
    return future;
}

struct future *weft__future_new_from(struct runtime *runtime, struct slot_cache *cache,
                                     const struct future_kind *kind, const char *site)
{
    return make_known(new_hidden(runtime, cache, kind, site));
}

struct future *weft__future_new_hidden(struct runtime *runtime, const struct future_kind *kind,
                                       const char *site)
{
    struct carrier *carrier = weft__carrier();
    uint32_t was;
    struct worker *worker = carrier_enter(carrier, &was);
    struct future *future = new_hidden(runtime, cache_of(worker, runtime), kind, site);

    carrier_leave(carrier, was);
    return future;
}

struct future *weft__future_new(struct runtime *runtime, const struct future_kind *kind,
                                const char *site)
{
    return make_known(weft__future_new_hidden(runtime, kind, site));
}

void weft__future_free(struct runtime *runtime, struct future *future)
{
    struct carrier *carrier = weft__carrier();
    uint32_t was;
    struct worker *worker = carrier_enter(carrier, &was);

    weft__slab_give(&runtime->slab, cache_of(worker, runtime), future);
    carrier_leave(carrier, was);
}

void weft__future_discard(struct runtime *runtime, struct future *future)
{
    weft__future_free(runtime, future);
}

weft_future weft__future_handle(const struct future *future)
{
    /* relaxed: the generation does not change while it is in use */
    uint64_t state = load_relaxed(&((struct future *)(uintptr_t)future)->state);

    return (weft_future){.slot = future->slot, .generation = future_generation(state)};
}

weft_future weft__future_failed(int error)
{
    return (weft_future){.slot = 0, .generation = (uint32_t)-error};
}

int weft__future_outside(weft_future handle, int error)
{
    if (handle.slot)
        return -ESTALE; /* with the runtime all its futures ended */
    return handle.generation ? -(int)handle.generation : error;
}

int weft__future_find(struct runtime *runtime, weft_future handle, struct future **ret_future,
                      uint64_t *ret_state)
{
    return future_find(runtime, handle, ret_future, ret_state);
}

void weft__future_report_stale(struct runtime *runtime, weft_future handle)
{
    struct future *future = weft__slab_at(&runtime->slab, handle.slot);
    uint64_t state = future ? load_seq(&future->state) : 0;
    bool is_same = future_generation(state) == handle.generation;
    bool is_next = future_generation(state) == handle.generation + 1 && !(state & FUTURE_LIVE);
    /* relaxed: only for people; NULL: the slot was never used, and the handle is an invention */
    const struct future_kind *kind = future ? load_relaxed(&future->kind) : NULL;

    if (kind && (is_same || is_next))
        weft__report(runtime,
                     "the future of %s %s was used after it had been consumed: await, "
                     "gather or detach it once",
                     kind->name, future_site(future));
    else
        weft__report(runtime, "a future was used long after it had been consumed: await, gather or "
                              "detach it once");
}

static void tell_watchers(struct future *future, int status)
{
    lock_acquire(&future->lock);
    for (struct link *link; (link = list_pop_first(&future->watchers));) {
        struct waiter *waiter = container_of(link, struct waiter, link);

        waiter->linked = false;
        waiter->count = (uint32_t)status;
        (void)weft__wake(waiter, WATCH_ENDED); /* false: it was cancelled, and needs nothing */
    }
    uint64_t state = load_seq(&future->state);
    while (!cas_seq(&future->state, &state, state & ~(uint64_t)FUTURE_WATCHED))
        ;
    lock_release(&future->lock);
}

void weft__future_complete(struct runtime *runtime, struct future *future, int status)
{
    uint64_t state = load_seq(&future->state);

    store_release(&future->status, status); /* published by DONE; and pairs with look() */
    do {
        while (state & FUTURE_WATCHED) {
            tell_watchers(future, status); /* all, before anybody can consume it: I2 */
            state = load_seq(&future->state);
        }
    } while (!cas_seq(&future->state, &state, state | FUTURE_DONE));
    /* Whoever consumes it may free the slot from here on, but an owner waits for the word. Which one it
     * is shows only now: one that was told of a circle may have left, and come again. */
    if (state & FUTURE_OWNED)
        future->owner->arrive(future->owner, future, status);
    else if (state & (FUTURE_DETACHED | FUTURE_SCOPED))
        weft__future_free(runtime, future);
}

/* Asks for the end of a future none of whose flags is one of `stale`. */
static int cancel(struct runtime *runtime, weft_future handle, uint64_t stale)
{
    struct future *future;
    uint64_t state;
    int rc = weft__future_find(runtime, handle, &future, &state);

    if (rc < 0)
        return rc;
    do {
        if (future_generation(state) != handle.generation || !(state & FUTURE_LIVE) ||
            state & stale)
            return -ESTALE;
        if (state & (FUTURE_DONE | FUTURE_CANCEL))
            return 0;
    } while (!cas_seq(&future->state, &state, state | FUTURE_CANCEL));
    /* relaxed: came with the handle, or is a later one's, whose hook finds another generation */
    load_relaxed(&future->kind)->cancel(future, handle.generation);
    return 0;
}

int weft__future_cancel(struct runtime *runtime, weft_future handle)
{
    return cancel(runtime, handle, 0);
}

int weft_cancel(weft_future handle)
{
    struct runtime *runtime;
    int rc = weft__runtime_enter(&runtime);

    if (rc < 0)
        return weft__future_outside(handle, rc);
    rc = cancel(runtime, handle, FUTURE_DETACHED);
    weft__runtime_leave(runtime);
    return rc;
}

static int detach(struct runtime *runtime, weft_future handle)
{
    struct future *future;
    uint64_t state;
    int rc = weft__future_find(runtime, handle, &future, &state);

    if (rc < 0)
        return rc;
    do {
        if (future_generation(state) != handle.generation || state & FUTURE_CLAIMED)
            return -ESTALE;
        if (state & FUTURE_SCOPED)
            return -EINVAL;
    } while (!cas_seq(&future->state, &state, state | FUTURE_CLAIMED | FUTURE_DETACHED));
    if (state & FUTURE_DONE)
        weft__future_free(runtime, future);
    return 0;
}

int weft_detach(weft_future handle)
{
    struct runtime *runtime;
    int rc = weft__runtime_enter(&runtime);

    if (rc < 0)
        return weft__future_outside(handle, rc);
    rc = detach(runtime, handle);
    if (rc == -ESTALE)
        weft__future_report_stale(runtime, handle);
    weft__runtime_leave(runtime);
    return rc;
}

/* What a look at the future gives at once. Returns false if it goes on: then WATCHED is set. */
static bool look(struct future *future, uint32_t generation, int *ret_status)
{
    uint64_t state = load_seq(&future->state);

    *ret_status = -ESTALE;
    do {
        if (future_generation(state) != generation || state & FUTURE_DETACHED)
            return true;
        if (state & FUTURE_DONE) {
            int status = load_acquire(&future->status); /* pairs with weft__future_complete() */

            /* It is this generation's only if nobody has freed the slot meanwhile. A later one's status
             * brings along the later generation, since it is acquired; relaxed, it would not. */
            if (future_generation(load_seq(&future->state)) == generation)
                *ret_status = status;
            return true;
        }
    } while (!cas_seq(&future->state, &state, state | FUTURE_WATCHED));
    return false;
}

bool weft__future_watch(struct future *future, uint32_t generation, struct waiter *waiter,
                        int *ret_status)
{
    lock_acquire(&future->lock);
    bool was_here = waiter->item == future;
    bool is_known = was_here ? !waiter->linked : look(future, generation, ret_status);
    if (was_here && is_known)
        *ret_status = (int)waiter->count;
    if (!is_known && !was_here) {
        waiter->item = future;
        waiter->linked = true;
        list_push_last(&future->watchers, &waiter->link);
    }
    lock_release(&future->lock);
    return !is_known;
}

void weft__future_unwatch(struct future *future, struct waiter *waiter)
{
    lock_acquire(&future->lock);
    if (waiter->linked)
        list_remove(&future->watchers, &waiter->link);
    lock_release(&future->lock);
}

/* Waits for the end of the future in its list of watchers. */
static int watch(struct future *future, weft_future handle, struct waiter *waiter)
{
    static const struct edge_call call = {"weft_wait", EDGE_FUTURES, true};
    struct edge edge = {.call = &call, .futures = &handle, .count = 1};
    int status;

    lock_acquire(&future->lock);
    bool is_known = look(future, handle.generation, &status);
    if (!is_known) {
        edge_lay(weft__current_task(), &edge);
        weft__wait_begin(waiter);
        wait_is_for(waiter, "a future");
        list_push_last(&future->watchers, &waiter->link);
    }
    lock_release(&future->lock);
    if (is_known)
        return status;
    weft__edge_check(waiter, &edge);
    int rc = weft__wait_commit(waiter, WAIT_CANCELLABLE); /* suspends: worker, errno stale */
    edge_lift(waiter);
    weft__future_unwatch(future, waiter);
    if (rc == WAKE_DEADLOCK)
        return weft__edge_answer(waiter);
    return rc < 0 ? rc : (int)waiter->count;
}

int weft_wait(weft_future handle)
{
    struct runtime *runtime;
    struct future *future;
    uint64_t state;
    int rc = weft__wait_check();

    if (rc < 0)
        return rc;
    rc = weft__runtime_enter(&runtime);
    if (rc < 0)
        return weft__future_outside(handle, rc);
    rc = weft__future_find(runtime, handle, &future, &state);
    if (rc == 0) {
        struct waiter waiter;

        rc = (void *)future == (void *)weft__current_task() ? -EDEADLK
                                                            : watch(future, handle, &waiter);
    }
    weft__runtime_leave(runtime);
    return rc;
}

/* --- promises -------------------------------------------------------------------------------- */

/* Ends a promised future, which many may try at once: the first to set ENDING does. Returns whether
 * this call did. */
static bool settle(struct runtime *runtime, struct future *future, uint32_t generation, int status)
{
    uint64_t state = load_seq(&future->state);

    do {
        if (future_generation(state) != generation || state & FUTURE_ENDING)
            return false;
    } while (!cas_seq(&future->state, &state, state | FUTURE_ENDING));
    weft__future_complete(runtime, future, status);
    return true;
}

static void promise_cancel(struct future *future, uint32_t generation)
{
    struct runtime *runtime;

    if (weft__runtime_enter(&runtime) < 0) /* the canceller is inside: it stays */
        return;
    (void)settle(runtime, future, generation, -ECANCELED); /* false: it was fulfilled just now */
    weft__runtime_leave(runtime);
}

const struct future_kind weft__promise_kind = {.name = "promise", .cancel = promise_cancel};

weft_future weft_promise_new_at(const char *site, weft_promise *ret_promise)
{
    struct runtime *runtime;
    int rc = weft__runtime_enter(&runtime);
    struct future *future;
    weft_future handle;

    *ret_promise = (weft_promise){0, 0};
    if (rc < 0)
        return weft__future_failed(rc);
    if (weft__runtime_refuses(runtime)) {
        weft__runtime_leave(runtime);
        return weft__future_failed(-ESHUTDOWN);
    }
    future = weft__future_new(runtime, &weft__promise_kind, site);
    handle = future ? weft__future_handle(future) : weft__future_failed(-ENOMEM);
    if (future)
        *ret_promise = (weft_promise){handle.slot, handle.generation};
    /* Nobody would fulfil it, and who waits for it would keep the runtime from its end. */
    if (future && weft__runtime_is_stopping(runtime)) /* pairs with drain(): all are cancelled */
        (void)weft__future_cancel(runtime, handle); /* stale: drain() and its owner were quicker */
    weft__runtime_leave(runtime);
    return handle;
}

int weft_promise_set(weft_promise promise, int status)
{
    struct runtime *runtime;
    struct future *future;
    uint64_t state;
    int rc;

    if (promise.slot == 0)
        return -EINVAL;
    rc = weft__runtime_enter(&runtime);
    if (rc < 0)
        return -EALREADY; /* stopping the runtime has ended it */
    rc = weft__future_find(runtime, (weft_future){promise.slot, promise.generation}, &future,
                           &state);
    if (rc == 0)
        rc = settle(runtime, future, promise.generation, status) ? 0 : -EALREADY;
    weft__runtime_leave(runtime);
    return rc == -ESTALE ? -EALREADY : rc; /* consumed, so it had been set */
}

int weft_promise_drop(weft_promise promise) { return weft_promise_set(promise, -EPIPE); }
