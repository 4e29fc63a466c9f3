/*
 * future - the slot behind every handle: task, job or promise, and how its end reaches who waits.
 *
 * Slots are type-stable: once a slot, always a slot, so a handle can be looked up at any time; the
 * generation in the state word tells whether it still means the same. One word decides everything:
 *
 *     state = generation:32 | flags
 *     DONE      the status is there
 *     CLAIMED   an owner consumes it (await, gather, detach): nobody else may
 *     OWNED     future->owner is the group to tell at the end
 *     DETACHED  nobody will ask: whoever sees DONE and DETACHED together frees the slot
 *     WATCHED   future->watchers is not empty
 *     CANCEL    its end was asked for
 *     SCOPED    a scope owns it: freed at its end, cannot be consumed
 *     LIVE      the slot is in use
 *     ENDING    promises: who set it, and nobody else, ends it
 *     QUEUED    a job's: it waits for a thread; whoever clears this runs it or ends it unrun
 *
 * Invariants  I1  a slot is freed once: by its consumer after DONE, or at its end if DETACHED, SCOPED
 *             I2  DONE is set once, with WATCHED clear: all watchers have been told before
 *             I3  OWNED implies that owner is set, and that the group lives until it was told
 */
#ifndef WEFT_CORE_FUTURE_H
#define WEFT_CORE_FUTURE_H

#include <weft/task.h>

#include "core/fiber.h"
#include "core/list.h"
#include "core/lock.h"
#include "core/wait.h"

enum future_flag {
    FUTURE_DONE = 1,
    FUTURE_CLAIMED = 2,
    FUTURE_OWNED = 4,
    FUTURE_DETACHED = 8,
    FUTURE_WATCHED = 16,
    FUTURE_CANCEL = 32,
    FUTURE_SCOPED = 64,
    FUTURE_LIVE = 128,
    FUTURE_QUEUED = 256,
    FUTURE_ENDING = 512,
};

struct edge;
struct future;
struct loop;
struct runtime;
struct slot_cache;

/* What differs between tasks, jobs and promises. */
struct future_kind {
    const char *name; /* for reports: "task", "job", "promise" */
    /* Its end was asked for: CANCEL has just been set in this generation. The slot may be used
     * again meanwhile, so look at the generation under a lock of your own before you act. */
    void (*cancel)(struct future *future, uint32_t generation);
};

struct future {
    _Atomic uint64_t state;                   /* (a) see above */
    _Atomic(const struct future_kind *) kind; /* (i) while in use; a late cancel reads it, too */
    _Atomic(const char *) site;               /* "name (file:line)"; late reports read it too */
    union {
        struct group *owner;       /* written by the claimer before OWNED */
        struct future *next_ended; /* after it has told the owner: the owner's; see completed.c */
    };
    struct list watchers; /* under lock */
    struct lock lock;
    _Atomic int status; /* written before DONE */
    uint32_t slot;      /* (i) for ever */
    uint32_t place;     /* among the owner's futures; written with owner */
    /* A task's; here, since a cancel that comes late reads them whatever lives in the slot by then. */
    _Atomic uint32_t shields; /* (w+) open shields of its own: weft_cancel does not reach in */
    _Atomic uint64_t op_key;  /* (w+) the operation it waits for; 0: none */
    _Atomic(struct loop *) op_loop;   /* (w+) where that operation is in flight */
    struct sleeper sleeper;           /* its word only grows */
    _Atomic(struct edge *) waits_for; /* (w+) what the wait is for; see edges.h */
    _Atomic uint32_t pinned;          /* (a) 1: a walker reads *waits_for */
    uint32_t walk_place;              /* of walkers, under their lock */
};

/* The size of a slot: task, job and promise all fit (asserted where they are defined). The sanitizers
 * keep more of each fiber. */
#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
#    define SLOT_BYTES 384
#else
#    define SLOT_BYTES 320
#endif

/* A fresh slot for something of this kind; what lies beyond struct future is left over from its last
 * use. NULL: no memory. From a worker, or inside the gate of core/runtime.h, or on a pool thread. */
struct future *weft__future_new(struct runtime *runtime, const struct future_kind *kind,
                                const char *site);

/* What a fresh slot begins with. */
static inline void future_prepare(struct future *future, const struct future_kind *kind,
                                  const char *site)
{
    store_relaxed(&future->kind, kind);    /* relaxed: published with the handle */
    store_relaxed(&future->site, site);    /* relaxed: only for people */
    store_relaxed(&future->shields, 0);    /* relaxed: as above */
    store_relaxed(&future->op_key, 0);     /* relaxed: as above */
    store_relaxed(&future->op_loop, NULL); /* relaxed: as above */
}

/* The same; from the last step on it is known to who walks over all slots. */
static inline void future_begin(struct future *future, const struct future_kind *kind,
                                const char *site)
{
    future_prepare(future, kind, site);
    or_seq(&future->state, FUTURE_LIVE);
}

/* The same where the caller knows the free slots of its thread; NULL: it has none. */
struct future *weft__future_new_from(struct runtime *runtime, struct slot_cache *cache,
                                     const struct future_kind *kind, const char *site);

/* A fresh slot that nobody finds yet, by its handle or otherwise; its maker adds LIVE to the state. */
struct future *weft__future_new_hidden(struct runtime *runtime, const struct future_kind *kind,
                                       const char *site);

/* Gives back a slot that never became known to anybody. */
void weft__future_discard(struct runtime *runtime, struct future *future);

/* The handle of a future in use; and the handle that carries the error of a failed spawn. */
weft_future weft__future_handle(const struct future *future);
weft_future weft__future_failed(int error);

/* Ends it: stores the status, tells owner and watchers, frees the slot if nobody will consume it.
 * Once only, by who runs it. The future must not be touched afterwards. */
void weft__future_complete(struct runtime *runtime, struct future *future, int status);

/* The future that a handle means, and its state now. Returns 0; -ESTALE; -EINVAL for a zero handle;
 * the error that travels in the handle. */
int weft__future_find(struct runtime *runtime, weft_future handle, struct future **ret_future,
                      uint64_t *ret_state);

/* What a handle answers where no runtime is, with the error that says so: the error of the failed
 * spawn that it carries comes first, since it tells why there is nothing. */
int weft__future_outside(weft_future handle, int error);

/* Frees the slot of a future that is DONE, or that nobody knows. */
void weft__future_free(struct runtime *runtime, struct future *future);

/* Puts a waiter, whose wait has begun and whose item is NULL, among those who are told at the end:
 * woken with reason 0, the status in its count. Returns false if there is nothing to wait for, or the
 * end has come since the first call in this wait: ret_status says how, and the waiter is not linked.
 * weft__future_unwatch follows, on every way out of the wait. */
bool weft__future_watch(struct future *future, uint32_t generation, struct waiter *waiter,
                        int *ret_status);
void weft__future_unwatch(struct future *future, struct waiter *waiter);

/* Asks for its end: sets CANCEL and calls the kind's hook. Returns as weft__future_find. */
int weft__future_cancel(struct runtime *runtime, weft_future handle);

/* weft_gather_n inside the gate. In await.c. */
int weft__gather(struct runtime *runtime, const weft_future *futures, size_t n, int *ret_statuses);

/* Says, where reports are wanted, that a handle was used after it had been consumed. */
void weft__future_report_stale(struct runtime *runtime, weft_future handle);

/* Name and place, for people. */
static inline const char *future_site(struct future *future)
{
    const char *site = load_relaxed(&future->site); /* relaxed: a constant string */

    return site ? site : "(no site given)";
}

static inline uint32_t future_generation(uint64_t state) { return (uint32_t)(state >> 32); }

/* Whether its end was asked for. */
static inline bool future_is_cancelled(struct future *future)
{
    return (load_seq(&future->state) & FUTURE_CANCEL) != 0;
}

#endif
