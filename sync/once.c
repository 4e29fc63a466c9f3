/*
 * once - a function that is run by the first who comes, while the others wait for its end.
 *
 *   from     event           to       who            holds afterwards
 *   IDLE     run             RUNNING  the first      it is the runner
 *   RUNNING  it succeeds     DONE     the runner     status is there, all who waited are woken
 *   RUNNING  it fails        RUNNING  the runner     the first who waits is woken as the new runner
 *   RUNNING  it fails        IDLE     the runner     nobody waits
 *
 * A failure is not kept. That one caller ran out of memory, or was cancelled in the middle, is a fact
 * about that caller: if it were everybody's, one cancelled request would break the program for good.
 *
 * Invariants  I1  status and runner change under the lock; status is there before DONE
 *             I2  RUNNING: somebody is in fn, or was woken to be the next in it
 */
#include <errno.h>

#include <weft/meet.h>

#include "sync/caller.h"
#include "sync/waitlist.h"

enum once_state { ONCE_IDLE, ONCE_RUNNING, ONCE_DONE };

/* Why a waiter was woken. */
enum once_reason { REASON_DONE, REASON_YOUR_TURN };

/* What weft_once is inside the library. */
struct once {
    struct waitlist list;
    _Atomic uint32_t state; /* (a) enum once_state; written under the lock */
    int32_t status;
    uint64_t runner; /* 0: none, or it has not come to the lock yet */
};

_Static_assert(sizeof(struct once) == sizeof(weft_once), "one overlays the other");
_Static_assert(_Alignof(struct once) == _Alignof(weft_once), "one overlays the other");
_Static_assert(offsetof(struct once, state) == offsetof(weft_once, weft__state), "same place");

static struct once *inside(weft_once *once) { return (struct once *)(void *)once; }

/* Whether it is done, and who has done it has let go of the lock after that: who sees both may free
 * the once. The other way round the lock could be looked at before it was taken for the end. */
static bool is_over(struct once *once)
{
    return load_seq(&once->state) == ONCE_DONE && load_seq(&once->list.lock.state) == 0;
}

/* Waits for the end of a run, or for the turn to make one. Lock held; it is let go. */
static int wait_for_end(struct once *once, uint64_t me)
{
    struct waiter waiter;

    waitlist_enter(&once->list.waiters, &waiter, WAIT_CANCELLABLE, "the one who runs it");
    lock_release(&once->list.lock);

    int rc = weft__wait_commit(&waiter, WAIT_CANCELLABLE); /* suspends: worker, errno stale */

    lock_acquire(&once->list.lock);
    if (waiter.linked)
        list_remove(&once->list.waiters, &waiter.link);
    if (rc == REASON_YOUR_TURN)
        once->runner = me;
    lock_release(&once->list.lock);
    return rc;
}

/* Returns REASON_YOUR_TURN: the caller is the runner; REASON_DONE; -EDEADLK; -ECANCELED. */
static int take_turn(struct once *once)
{
    uint64_t me = caller_identity();
    int rc = REASON_DONE;

    lock_acquire(&once->list.lock);
    switch ((enum once_state)load_relaxed(&once->state)) { /* relaxed: under its lock */
    case ONCE_IDLE:
        store_seq(&once->state, ONCE_RUNNING);
        once->runner = me;
        rc = REASON_YOUR_TURN;
        break;
    case ONCE_RUNNING:
        if (once->runner != me)
            return wait_for_end(once, me); /* suspends: worker, errno stale */
        rc = -EDEADLK;
        break;
    case ONCE_DONE: break;
    }
    lock_release(&once->list.lock);
    return rc;
}

/* Makes the first who waits and has not been cancelled the runner, if there is one. Lock held. */
static void pass_turn(struct once *once)
{
    struct waiter *waiter;

    while ((waiter = waitlist_pop(&once->list.waiters))) {
        if (weft__wake(waiter, REASON_YOUR_TURN))
            return;
    }
    store_seq(&once->state, ONCE_IDLE);
}

static void end_run(struct once *once, int status)
{
    lock_acquire(&once->list.lock);
    once->runner = 0;
    if (status < 0) {
        pass_turn(once);
    } else {
        once->status = status;
        store_seq(&once->state, ONCE_DONE);
        waitlist_wake_all(&once->list.waiters, REASON_DONE);
    }
    lock_release(&once->list.lock);
}

int weft_once_run(weft_once *handle, weft_fn fn, void *arg)
{
    struct once *once = inside(handle);

    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;
    if (is_over(once))
        return once->status;

    rc = take_turn(once); /* suspends: worker, errno stale */
    if (rc < 0)
        return rc;
    if (rc == REASON_DONE)
        return once->status; /* it will not change, and who waits here has held the lock */

    rc = fn(arg); /* suspends: worker, errno stale */
    end_run(once, rc);
    return rc;
}
