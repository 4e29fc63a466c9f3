/*
 * rwlock - many readers or one writer, served in the order of arrival, neighbouring readers together.
 *
 * One word says who is inside, and one compare-and-swap goes in or out while nobody waits.
 *
 *     state = 0                   free
 *     state = 1 to RW_READERS     so many read
 *     state = RW_WRITTEN          one writes; `writer` says who
 *     either | RW_WAITED          the same, and somebody waits: who goes out looks into the list
 *
 *     2 read | WAITED       list  [write] [read] [read] [write]
 *     1 writes | WAITED     list          [read] [read] [write]       the two have gone out
 *     2 read | WAITED       list                        [write]       the writer has gone out
 *
 * Who lets others in wakes a batch of them at most. Each of these passes the lock before it returns,
 * and goes on with the list there (`let_in`): so the lock is never held for long.
 *
 * Invariants  I1  while RW_WAITED is set, the word changes under the lock of the list only
 *             I2  seen under the lock, RW_WAITED is set exactly while somebody stands in the list: no
 *                 newcomer gets past it, readers included
 *             I3  the first in the list cannot go in beside those inside, or somebody who has been
 *                 woken has still to pass the lock, and will let it in
 *             I4  `writer` is the holder's while it holds the lock, and 0 from its unlocking on: a
 *                 caller finds itself there only if it put itself there
 * Edge        E1  let_in: state release -> try_enter, go_out: state compare-and-swap
 */
#include <errno.h>

#include <weft/rwlock.h>

#include "core/probe.h"
#include "sync/caller.h"
#include "sync/waitlist.h"

#define RW_READERS UINT32_C(0x3fffffff)
#define RW_WAITED  UINT32_C(0x40000000)
#define RW_WRITTEN UINT32_C(0x80000000)

/* What somebody wants: in waiter.count. And what it adds to the word. */
enum rw_want { RW_READ = 1, RW_WRITE = 2 };

/* What weft_rwlock is inside the library. */
struct rwlock {
    struct waitlist list;
    _Atomic uint32_t state; /* (a) see above */
    uint32_t unused;
    _Atomic uint64_t writer; /* (a) 0: none */
};

_Static_assert(sizeof(struct rwlock) == sizeof(weft_rwlock), "one overlays the other");
_Static_assert(_Alignof(struct rwlock) == _Alignof(weft_rwlock), "one overlays the other");
_Static_assert(offsetof(struct rwlock, state) == offsetof(weft_rwlock, weft__state), "same place");
_Static_assert(offsetof(struct rwlock, writer) == offsetof(weft_rwlock, weft__writer),
               "same place");

static struct rwlock *inside(weft_rwlock *lock) { return (struct rwlock *)(void *)lock; }

static uint32_t share_of(uint32_t want) { return want == RW_WRITE ? RW_WRITTEN : 1; }

/* Whether one more fits beside those inside; false too if somebody waits. */
static bool fits(uint32_t state, uint32_t want)
{
    return want == RW_WRITE ? state == 0 : state < RW_READERS;
}

static bool is_writer(struct rwlock *lock, uint64_t me)
{
    /* relaxed: I4, only the caller itself puts itself there and takes itself away */
    return load_relaxed(&lock->writer) == me;
}

static void set_writer(struct rwlock *lock, uint64_t me)
{
    store_relaxed(&lock->writer, me); /* relaxed: of interest to `me` alone (I4) */
}

static bool try_enter(struct rwlock *lock, uint32_t want)
{
    uint32_t state = load_relaxed(&lock->state); /* a guess: the compare-and-swap decides */

    while (fits(state, want)) {
        if (cas_seq(&lock->state, &state, state + share_of(want))) {
            probe_took(lock, "read-write lock", 1);
            return true;
        }
    }
    return false;
}

/* Goes in, or makes sure that who goes out looks into the list. Returns whether it went in. Lock
 * held. */
static bool enter_or_announce(struct rwlock *lock, uint32_t want)
{
    uint32_t state = load_relaxed(&lock->state); /* a guess: the compare-and-swap decides */

    while (!(state & RW_WAITED)) {
        bool goes_in = fits(state, want);

        if (cas_seq(&lock->state, &state, goes_in ? state + share_of(want) : state | RW_WAITED))
            return goes_in;
    }
    return false;
}

/* Lets in beside `holders` those who have waited longest, as many as fit. Lock held, mark set. */
static void let_in(struct rwlock *lock, uint32_t holders)
{
    struct list *waiters = &lock->list.waiters;
    unsigned woken = 0;

    while (woken < WAITLIST_BATCH && !list_is_empty(waiters)) {
        struct waiter *first = container_of(waiters->first, struct waiter, link);
        uint32_t want = first->count;

        if (!fits(holders, want))
            break;
        (void)waitlist_pop(waiters); /* it is `first` */
        if (weft__wake(first, 0)) {
            holders += share_of(want);
            woken++;
        }
    }
    store_release(&lock->state, list_is_empty(waiters) ? holders : holders | RW_WAITED); /* E1 */
}

/* Ends a wait: granted or cancelled, the next may fit now (I3). */
static void leave(struct rwlock *lock, struct waiter *waiter)
{
    lock_acquire(&lock->list.lock);
    if (waiter->linked)
        list_remove(&lock->list.waiters, &waiter->link);

    uint32_t state = load_relaxed(&lock->state); /* relaxed: under its lock */

    if (state & RW_WAITED)
        let_in(lock, state & ~RW_WAITED);
    lock_release(&lock->list.lock);
}

/* Returns 0, or what ended the wait. */
static int wait_for_turn(struct rwlock *lock, uint32_t want, enum wait_kind kind)
{
    struct waiter waiter;

    lock_acquire(&lock->list.lock);
    if (enter_or_announce(lock, want)) {
        lock_release(&lock->list.lock);
        probe_took(lock, "read-write lock", 1);
        return 0;
    }
    waitlist_enter(&lock->list.waiters, &waiter, kind, "a read-write lock");
    waiter.count = want;
    lock_release(&lock->list.lock);

    int rc = weft__wait_commit(&waiter, kind); /* suspends: worker, errno stale */

    leave(lock, &waiter);
    if (rc == 0)
        probe_took(lock, "read-write lock", 1);
    return rc;
}

/* Whether a share of that kind is in the word. */
static bool has_share(uint32_t state, uint32_t want)
{
    return (state & (want == RW_WRITE ? RW_WRITTEN : RW_READERS)) != 0;
}

/* Goes out past the list. Returns 0, -EPERM, or -EAGAIN if nobody waits any more: then the caller is
 * still inside. Lock held. */
static int exit_past_list(struct rwlock *lock, uint32_t want)
{
    uint32_t state = load_relaxed(&lock->state); /* relaxed: under its lock if marked */

    if (!(state & RW_WAITED))
        return -EAGAIN;
    if (!has_share(state, want))
        return -EPERM;

    let_in(lock, (state & ~RW_WAITED) - share_of(want));
    return 0;
}

/* Who comes next may free the lock at once. So to change the word is the last access where nobody
 * waits. And where somebody did, it may change under the lock of the list: that one, cancelled or not,
 * has still to pass that, and nobody frees a lock for which somebody waits. */
static int go_out(struct rwlock *lock, uint32_t want)
{
    int rc = -EAGAIN;

    while (rc == -EAGAIN) {
        uint32_t state = load_relaxed(&lock->state); /* a guess: the compare-and-swap decides */

        while (!(state & RW_WAITED)) {
            if (!has_share(state, want))
                return -EPERM;
            if (cas_seq(&lock->state, &state, state - share_of(want)))
                return 0;
        }
        lock_acquire(&lock->list.lock);
        rc = exit_past_list(lock, want);
        lock_release(&lock->list.lock);
    }
    return rc;
}

static int unlock(struct rwlock *lock, uint32_t want)
{
    int rc = go_out(lock, want);

    if (rc == 0)
        probe_gave(lock, "read-write lock", 1); /* which may be gone: only its address counts */
    return rc;
}

void weft_read_lock(weft_rwlock *lock)
{
    if (!try_enter(inside(lock), RW_READ))
        (void)wait_for_turn(inside(lock), RW_READ, WAIT_FOR_SURE); /* only a grant ends it */
}

int weft_read_lock_cancellable(weft_rwlock *lock)
{
    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;
    if (try_enter(inside(lock), RW_READ))
        return 0;
    if (is_writer(inside(lock), caller_identity()))
        return -EDEADLK;
    return wait_for_turn(inside(lock), RW_READ, WAIT_CANCELLABLE);
}

int weft_try_read_lock(weft_rwlock *lock) { return try_enter(inside(lock), RW_READ) ? 0 : -EAGAIN; }

int weft_read_unlock(weft_rwlock *lock) { return unlock(inside(lock), RW_READ); }

void weft_write_lock(weft_rwlock *lock)
{
    if (!try_enter(inside(lock), RW_WRITE))
        (void)wait_for_turn(inside(lock), RW_WRITE, WAIT_FOR_SURE); /* only a grant ends it */
    set_writer(inside(lock), caller_identity());
}

int weft_write_lock_cancellable(weft_rwlock *lock)
{
    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    uint64_t me = caller_identity();

    if (!try_enter(inside(lock), RW_WRITE)) {
        if (is_writer(inside(lock), me))
            return -EDEADLK;
        rc = wait_for_turn(inside(lock), RW_WRITE, WAIT_CANCELLABLE);
    }
    if (rc == 0)
        set_writer(inside(lock), me);
    return rc;
}

int weft_try_write_lock(weft_rwlock *lock)
{
    if (!try_enter(inside(lock), RW_WRITE))
        return -EAGAIN;
    set_writer(inside(lock), caller_identity());
    return 0;
}

int weft_write_unlock(weft_rwlock *lock)
{
    if (!is_writer(inside(lock), caller_identity()))
        return -EPERM;
    set_writer(inside(lock), 0);
    return unlock(inside(lock), RW_WRITE);
}
