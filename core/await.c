/*
 * await - consuming futures together: weft_gather, weft_gather_settled and weft_race. For weft_await by a
 * task there is a shorter way, await_one.c.
 *
 * All three wait until every future of a group has ended, whatever happens: in C what they run may
 * hold pointers into the stack of who waits. They differ in what makes them cancel the rest first.
 *
 *     gather   the first failure             its status is the result, else 0
 *     settled  nothing                       0
 *     race     the first success             its status is the result, else the first failure's
 *     and all  a cancel of who waits, unless one of the above came before it: -ECANCELED
 *
 * The gather lies on the stack of who waits, and nothing is allocated, however many there are.
 *
 * Invariants  I1  left counts the futures that will still arrive
 *             I2  a task's gather is not touched after left reached 0: the wake goes to its
 *                 sleeper, which is type-stable; a thread's is touched only under its lock, which
 *                 the thread takes once more before it returns
 *             I3  first[o] is whoever was first to end so, and never changes again, but for I4
 *             I4  of what decides and a cancel the first to wake who waits counts, so that the result
 *                 is as if both had come in that order
 */
#include <errno.h>

#include <weft/task.h>

#include "core/edges.h"
#include "core/group.h"
#include "core/worker.h"

/* How a future ended; and, as a verdict, which end makes a gather cancel the others. */
enum outcome { FAILED, SUCCEEDED, NEITHER };

/* In place of a future's: the caller was cancelled before anything else was decided. */
#define CUT UINT32_MAX

struct gather {
    struct group group; /* first */
    struct waiter waiter;
    struct edge edge;          /* (i) to all its futures */
    struct lock lock;          /* only for a plain thread's: I2 */
    enum outcome verdict;      /* (i) */
    _Atomic uint32_t left;     /* (a) I1 */
    _Atomic uint32_t first[3]; /* (a) by outcome: place + 1, CUT, or 0: none yet; I3 */
};

static bool is_thread(const struct gather *gather)
{
    return gather->waiter.sleeper == &gather->waiter.own;
}

/* Puts down how one ended. Returns whether that decides. */
static bool note(struct gather *gather, uint32_t place, int status)
{
    enum outcome outcome = status < 0 ? FAILED : SUCCEEDED;
    uint32_t none = 0;

    if (outcome == SUCCEEDED && gather->verdict != SUCCEEDED)
        return false; /* the usual case, in which nobody asks who was first */
    return cas_seq(&gather->first[outcome], &none, place + 1) && outcome == gather->verdict;
}

static void arrive(struct gather *gather, uint32_t place, int status)
{
    struct sleeper *sleeper = gather->waiter.sleeper; /* before left can reach 0: I2 */
    uint32_t seq = gather->waiter.seq;
    bool decides = note(gather, place, status);
    bool is_last = sub_seq(&gather->left, 1) == 1;

    if (decides || is_last)
        (void)weft__wake_sleeper(sleeper, seq, 0); /* false: it is awake, and looks for itself */
}

static void on_arrival(struct group *group, struct future *future, int status)
{
    struct gather *gather = container_of(group, struct gather, group);

    if (!is_thread(gather)) {
        arrive(gather, future->place, status);
        return;
    }
    lock_acquire(&gather->lock);
    arrive(gather, future->place, status);
    lock_release(&gather->lock);
}

/* Waits for the next news: all have ended, or it is decided, or the caller is cancelled. Returns
 * WAKE_DEADLOCK if it is never to come. */
static int wait_for_news(struct gather *gather, bool until_all)
{
    bool has_lock = is_thread(gather);
    bool needs_all = until_all || gather->verdict != SUCCEEDED; /* a race needs one of them */

    if (has_lock)
        lock_acquire(&gather->lock);
    if (needs_all) {
        if (gather->edge.call->answers)
            gather->edge.told = false; /* as in await_one.c; else it would only be told once more */
        edge_lay(gather->waiter.sleeper->task, &gather->edge);
    }
    if (until_all)
        weft__wait_again(&gather->waiter);
    else
        weft__wait_again_cancellable(&gather->waiter);
    wait_is_for(&gather->waiter, "the futures that it awaits");
    bool is_news =
        load_seq(&gather->left) == 0 || (!until_all && load_seq(&gather->first[gather->verdict]));
    if (is_news)
        (void)weft__wake(&gather->waiter, 0); /* by ourselves, unless somebody was quicker */
    if (has_lock)
        lock_release(&gather->lock);
    if (needs_all && !is_news)
        weft__edge_check(&gather->waiter, &gather->edge);
    int rc = weft__wait_commit(&gather->waiter, until_all ? WAIT_FOR_SURE : WAIT_CANCELLABLE);
    edge_lift(&gather->waiter);                  /* suspended: worker, errno stale */
    return is_news && rc == -ECANCELED ? 0 : rc; /* the news were there before the cancel: I4 */
}

static void start(struct runtime *runtime, struct gather *gather, const weft_future *futures,
                  size_t n)
{
    weft__wait_prepare(&gather->waiter);
    store_relaxed(&gather->left, (uint32_t)n); /* relaxed: published by OWNED */
    for (size_t i = 0; i < n; i++) {
        struct future *future = group_member(runtime, futures[i]);

        if (future && weft__group_join(&gather->group, future, (uint32_t)i))
            continue;
        (void)note(gather, (uint32_t)i, group_status(futures[i], future)); /* nobody waits yet */
        sub_seq(&gather->left, 1);
    }
}

/* Waits until all have ended, and cancels them first if it comes to that. Returns 0; -EDEADLK if they
 * never will. */
static int finish(struct runtime *runtime, struct gather *gather, const weft_future *futures,
                  size_t n)
{
    bool is_ending = false;

    while (load_seq(&gather->left) > 0) {
        if (!is_ending && load_seq(&gather->first[gather->verdict])) {
            is_ending = true;
            weft__group_cancel(runtime, futures, n);
        }
        int rc = wait_for_news(gather, is_ending); /* suspends: worker, errno stale */
        if (rc == WAKE_DEADLOCK)
            return -EDEADLK;
        if (rc < 0)
            store_seq(&gather->first[gather->verdict], CUT); /* it came before what decides: I4 */
    }
    if (is_thread(gather)) { /* I2: the last to arrive has left */
        lock_acquire(&gather->lock);
        lock_release(&gather->lock);
    }
    return 0;
}

/* Gives all back as if they had not been claimed. */
static int withdraw(struct runtime *runtime, struct gather *gather, const weft_future *futures,
                    size_t n)
{
    gather->edge.count = 0; /* from here on it waits for none of them */
    for (size_t i = 0; i < n; i++) {
        struct future *future = group_member(runtime, futures[i]);

        if (future && weft__group_leave(future))
            sub_seq(&gather->left, 1);
    }
    while (load_seq(&gather->left) > 0)       /* those that are ending just now */
        (void)wait_for_news(gather, true);    /* suspends: worker, errno stale */
    weft__group_unclaim(runtime, futures, n); /* I1: none will arrive any more */
    return weft__edge_answer(&gather->waiter);
}

/* What all of it gives, before the futures are freed. */
static int result(struct runtime *runtime, struct gather *gather, const weft_future *futures,
                  size_t *ret_winner)
{
    uint32_t chosen = load_seq(&gather->first[gather->verdict]);

    if (chosen == CUT)
        return -ECANCELED;
    if (chosen && ret_winner)
        *ret_winner = chosen - 1;
    if (!chosen && gather->verdict == SUCCEEDED)
        chosen = load_seq(&gather->first[FAILED]); /* a race that nobody has won */
    if (!chosen)
        return 0;
    return group_status(futures[chosen - 1], group_member(runtime, futures[chosen - 1]));
}

/* Claims, waits and frees. Inside the gate. The caller has filled in verdict, and what its edge says
 * of the call. */
static int consume(struct runtime *runtime, struct gather *gather, const weft_future *futures,
                   size_t n, int *ret_statuses, size_t *ret_winner)
{
    gather->group.arrive = on_arrival;
    gather->edge.futures = futures;
    gather->edge.count = n;
    int rc = weft__group_claim(runtime, futures, n);

    if (rc < 0)
        return rc;
    if (weft__wait_check() < 0)                          /* suspends if so: worker, errno stale */
        store_seq(&gather->first[gather->verdict], CUT); /* before any that has ended already */
    start(runtime, gather, futures, n);
    rc = finish(runtime, gather, futures, n); /* suspends: worker, errno stale */
    if (rc < 0)
        return withdraw(runtime, gather, futures, n); /* suspends: worker, errno stale */
    rc = result(runtime, gather, futures, ret_winner);
    for (size_t i = 0; i < n; i++) {
        struct future *future = group_member(runtime, futures[i]);

        if (ret_statuses)
            ret_statuses[i] = group_status(futures[i], future);
        if (future)
            weft__future_free(runtime, future);
    }
    return rc;
}

int weft__gather(struct runtime *runtime, const weft_future *futures, size_t n, int *ret_statuses)
{
    static const struct edge_call edge_call = {"weft_call", EDGE_FUTURES, false};
    struct gather gather = {.verdict = FAILED, .edge = {.call = &edge_call}};

    return consume(runtime, &gather, futures, n, ret_statuses, NULL);
}

/* The same from anywhere. */
static int enter_and_consume(const weft_future *futures, size_t n, enum outcome verdict,
                             int *ret_statuses, size_t *ret_winner)
{
    static const struct edge_call calls[] = {{"weft_gather", EDGE_FUTURES, true},
                                             {"weft_race", EDGE_FUTURES, true},
                                             {"weft_gather_settled", EDGE_FUTURES, true}};
    struct gather gather = {.verdict = verdict, .edge = {.call = &calls[verdict]}};
    struct runtime *runtime;
    int rc = weft__runtime_enter(&runtime);

    if (rc < 0)
        return n ? weft__future_outside(futures[0], rc) : rc;
    /* suspends: worker, errno stale */
    rc = consume(runtime, &gather, futures, n, ret_statuses, ret_winner);
    weft__runtime_leave(runtime);
    return rc;
}

int weft_gather_n(const weft_future *futures, size_t n, int *ret_statuses)
{
    return enter_and_consume(futures, n, FAILED, ret_statuses, NULL);
}

int weft_gather_settled_n(const weft_future *futures, size_t n, int *ret_statuses)
{
    return enter_and_consume(futures, n, NEITHER, ret_statuses, NULL);
}

int weft_race_n(const weft_future *futures, size_t n, size_t *ret_winner)
{
    return n ? enter_and_consume(futures, n, SUCCEEDED, NULL, ret_winner) : -EINVAL;
}
