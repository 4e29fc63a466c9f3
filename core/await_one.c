/*
 * await_one - weft_await by a task: one future, of which nothing but its end is to be told.
 *
 *     who awaits                               whose end it is
 *     claims it; DONE already: that is all     sets DONE
 *     announces its wait                       OWNED: wakes that wait
 *     sets OWNED, unless DONE                      it was on: this is the news
 *     suspends                                     it was over: arrived = 1, and wakes once more
 *
 * A gather of one would do the same; here it takes half of the instructions. And since the wait is
 * announced before the future knows of it, the wake itself is the message, and nobody need count.
 * Who was cancelled waits once more, under the same number, until the future has ended.
 *
 * Read-modify-writes of a task that is spawned and awaited on one worker, 10: LIVE (future.c), the
 * deque's tail and head, CLAIMED, the announcement, OWNED (here), the suspension (wait.c), DONE
 * (future.c), the wake (wait.c), and the run-next slot (worker.c).
 *
 * Invariants  I1  the end touches what lies on the awaiting stack only before it has won the wake, or
 *                 has set arrived
 *             I2  a wake with reason 0 comes from the end, or from the awaiting task itself, which has
 *                 then seen DONE or arrived
 */
#include <errno.h>

#include <weft/task.h>

#include "core/edges.h"
#include "core/group.h"
#include "core/probe.h"
#include "core/worker.h"

struct lone {
    struct group group; /* first */
    struct waiter waiter;
    struct edge edge;         /* (i) to the future */
    _Atomic uint32_t arrived; /* (a) 1: its end has found the wait over */
};

static void on_end(struct group *group, struct future *future, int status)
{
    struct lone *lone = container_of(group, struct lone, group);
    struct sleeper *sleeper = lone->waiter.sleeper; /* before the wake: I1 */
    uint32_t seq = lone->waiter.seq;

    (void)future, (void)status; /* it is there to be read */
    if (weft__wake_sleeper(sleeper, seq, 0))
        return;
    store_seq(&lone->arrived, 1); /* before the second look; pairs with wait_once_more() */
    (void)weft__wake_sleeper(sleeper, seq, 0); /* false: it does not wait yet, and will look */
}

/* Until the future has ended, whatever happens. Returns 0, or WAKE_DEADLOCK: it never will. */
static int wait_once_more(struct lone *lone, struct future *future)
{
    lone->edge.told =
        false; /* a circle was found, perhaps, but the wait ended before it could be answered */
    edge_lay(lone->waiter.sleeper->task, &lone->edge);
    weft__wait_again(&lone->waiter);
    wait_is_for(&lone->waiter, "the futures that it awaits");
    if (load_seq(&lone->arrived))           /* pairs with on_end() */
        (void)weft__wake(&lone->waiter, 0); /* false: the end has done so */
    else
        weft__edge_check_one(&lone->waiter, &lone->edge, future);
    int rc = weft__wait_commit(&lone->waiter, WAIT_FOR_SURE); /* suspends: worker, errno stale */
    edge_lift(&lone->waiter);
    return rc;
}

/* It would wait for ever: gives the future back as if it had not been claimed. */
static int withdraw(struct runtime *runtime, struct lone *lone, weft_future handle,
                    struct future *future)
{
    lone->edge.count = 0; /* from here on it waits for nobody */
    if (!weft__group_leave(future))
        (void)wait_once_more(lone, future); /* suspends: worker, errno stale */
    weft__group_unclaim(runtime, &handle, 1);
    return weft__edge_answer(&lone->waiter);
}

/* Returns the future's status, or what has ended the wait for it. */
static __attribute__((noinline)) int wait_for_end(struct runtime *runtime, struct task *task,
                                                  weft_future handle, struct future *future)
{
    static const struct edge_call call = {"weft_await", EDGE_FUTURES, true};
    struct lone lone;

    lone.group.arrive = on_end;
    lone.edge = (struct edge){.call = &call, .futures = &handle, .count = 1};
    store_relaxed(&lone.arrived, 0); /* relaxed: published by OWNED */
    edge_lay(task, &lone.edge);
    weft__wait_begin_cancellable(&lone.waiter); /* before OWNED: I2 */
    wait_is_for(&lone.waiter, "the futures that it awaits");
    bool has_joined = weft__group_join(&lone.group, future, 0);
    if (!has_joined)
        (void)weft__wake(&lone.waiter, 0); /* false: it was cancelled after the end */
    else
        weft__edge_check_one(&lone.waiter, &lone.edge, future);
    int rc = weft__wait_commit(&lone.waiter, WAIT_CANCELLABLE); /* suspends: worker, errno stale */
    edge_lift(&lone.waiter);
    if (rc == 0 || !has_joined)
        return 0;
    if (rc == -ECANCELED) {
        (void)weft__future_cancel(runtime, handle); /* ended already: fine */
        if (wait_once_more(&lone, future) == 0)     /* suspends: worker, errno stale */
            return -ECANCELED;
    }
    return withdraw(runtime, &lone, handle, future); /* suspends: worker, errno stale */
}

static int await_one(struct runtime *runtime, struct task *task, weft_future handle)
{
    struct future *future;
    int rc = group_claim_one(runtime, task, handle, &future);

    if (rc == -ESTALE)
        weft__future_report_stale(runtime, handle);
    if (rc < 0)
        return rc;
    if (!(load_seq(&future->state) & FUTURE_DONE)) {
        rc = wait_for_end(runtime, task, handle, future); /* suspends: worker, errno stale */
        if (rc == -EDEADLK)
            return rc; /* it is not consumed */
    }
    int status = load_relaxed(&future->status); /* relaxed: published by DONE, or by the wake */
    weft__future_free(runtime, future);
    return rc < 0 ? rc : status;
}

int weft_await(weft_future handle)
{
    struct carrier *carrier = weft__carrier();
    struct task *task = carrier->task;

    /* Without a worker it goes the other way, which leads back into line. */
    if (task && carrier_worker(carrier) && !probe_is_on() && !weft__task_is_cancelled(task))
        return await_one(carrier->runtime, task, handle); /* suspends: carrier, errno stale */

    int status;
    int rc = weft_gather_n(&handle, 1, &status); /* suspends: worker, errno stale */

    return rc < 0 ? rc : status;
}
