/*
 * mutex - mutual exclusion between tasks, jobs and threads, handed over in the order of arrival.
 *
 * One word says who holds it, and one compare-and-swap locks or unlocks a mutex that nobody waits
 * for. The waiters stand in a list under a lock of their own.
 *
 *     owner = 0                     free
 *     owner = OWNER_DEAD            free, and whoever gets it is to be told that its owner has ended
 *     owner = identity              held, nobody waits
 *     owner = ... | OWNER_WAITED    held, and somebody may wait: unlock looks into the list
 *     owner = ... | OWNER_DEAD      held by somebody who could not be told
 *
 * An identity is slot and generation of the task, or the thread's descriptor with OWNER_THREAD where
 * no task runs (plain threads, jobs). A task keeps its identity when it changes the thread, and one
 * that comes later to the same slot has another.
 *
 *     task->held --> mutex <--> mutex <--> mutex     what the task holds, the latest first
 *
 * The list is for the task that ends and still holds one. Only its task touches it: whoever is handed
 * a mutex links it when it comes back from its wait. A program may have given back the memory of a
 * mutex that it had not unlocked; so a neighbour in the list is written to, and followed, only while
 * its word names the task.
 *
 * Invariants  I1  while OWNER_WAITED is set, the word changes under the lock of the list only
 *             I2  whoever stands in the list finds OWNER_WAITED set: no newcomer gets past it
 *             I3  unlock makes the next waiter the owner, under the lock; it need not compete
 *             I4  OWNER_DEAD stays until a caller that can be told has got the mutex
 */
#include "sync/mutex.h"

#include <errno.h>
#include <pthread.h>

#include "core/edges.h"
#include "core/gate.h"
#include "core/worker.h"
#include "sync/waitlist.h"

/* What weft_mutex is inside the library. */
struct mutex {
    struct waitlist list;
    _Atomic uint64_t owner; /* (a) see above */
    struct link held;       /* in the list of the task that holds it; the owner's */
};

_Static_assert(sizeof(struct mutex) == sizeof(weft_mutex), "one overlays the other");
_Static_assert(_Alignof(struct mutex) == _Alignof(weft_mutex), "one overlays the other");
_Static_assert(offsetof(struct mutex, owner) == offsetof(weft_mutex, weft__owner), "same place");
_Static_assert(offsetof(struct mutex, held) == offsetof(weft_mutex, weft__next), "same place");

/* Reasons with which a waiter is woken: it holds the mutex. */
enum { TURN, TURN_OWNER_ENDED };

static struct mutex *inside(const weft_mutex *mutex)
{
    return (struct mutex *)(void *)(uintptr_t)mutex;
}

/* Who calls; task is NULL where no task runs. A descriptor of a thread is aligned: no flag is set. */
static uint64_t identity_of(struct task *task)
{
    return task ? owner_word(&task->future) : (uint64_t)pthread_self() | OWNER_THREAD;
}

static bool is_owner(struct mutex *mutex, uint64_t me)
{
    /* relaxed: `me` is there only if the caller put it there, or saw it put there (I3) */
    return (load_relaxed(&mutex->owner) & ~OWNER_FLAGS) == me;
}

/* --- what a task holds ----------------------------------------------------------------------- */

/* The mutex of a link, unless that has been given back or made anew while it was held. */
static struct mutex *held_at(struct link *link, uint64_t me)
{
    struct mutex *mutex = link ? container_of(link, struct mutex, held) : NULL;

    return mutex && is_owner(mutex, me) ? mutex : NULL;
}

static void hold(struct mutex *mutex, struct task *task, uint64_t me)
{
    struct mutex *next;

    if (!task)
        return;
    next = held_at(task->held, me);
    mutex->held = (struct link){.next = next ? &next->held : NULL};
    if (next)
        next->held.previous = &mutex->held;
    task->held = &mutex->held;
}

static void unhold(struct mutex *mutex, struct task *task, uint64_t me)
{
    struct mutex *next, *previous;

    if (!task)
        return;
    next = held_at(mutex->held.next, me);
    previous = held_at(mutex->held.previous, me);
    if (next)
        next->held.previous = mutex->held.previous;
    if (previous)
        previous->held.next = mutex->held.next;
    if (task->held == &mutex->held)
        task->held = mutex->held.next;
}

/* --- taking it ------------------------------------------------------------------------------- */

static bool try_take(struct mutex *mutex, uint64_t me)
{
    uint64_t owner = load_relaxed(&mutex->owner); /* a guess: the compare-and-swap decides */

    return owner == 0 && cas_seq(&mutex->owner, &owner, me);
}

/* Takes the mutex if it is free, or makes sure that its owner will look into the list. Returns
 * whether it was taken, and the word that was there before. Lock held. */
static bool take_or_announce(struct mutex *mutex, uint64_t me, bool is_told, uint64_t *ret_was)
{
    uint64_t owner = load_relaxed(&mutex->owner); /* a guess: the compare-and-swap decides */

    while (!(owner & OWNER_WAITED)) {
        bool is_free = !(owner & ~OWNER_FLAGS);
        uint64_t mine = is_told ? me : me | (owner & OWNER_DEAD);

        if (cas_seq(&mutex->owner, &owner, is_free ? mine : owner | OWNER_WAITED)) {
            *ret_was = owner;
            return is_free;
        }
    }
    return false;
}

/* Returns 0; -EOWNERDEAD (it is locked); or why it is not. Not cancellable: cannot be told either. */
static int wait_for_turn(struct mutex *mutex, struct task *task, uint64_t me, enum wait_kind kind)
{
    static const struct edge_call calls[] = {{"weft_lock", EDGE_MUTEX, false},
                                             {"weft_lock_cancellable", EDGE_MUTEX, true}};
    bool is_told = kind == WAIT_CANCELLABLE;
    struct edge edge = {.call = &calls[is_told], .owner = &mutex->owner, .mutex = mutex};
    struct waiter waiter;
    uint64_t was;

    lock_acquire(&mutex->list.lock);
    if (take_or_announce(mutex, me, is_told, &was)) {
        lock_release(&mutex->list.lock);
        hold(mutex, task, me);
        return is_told && was & OWNER_DEAD ? -EOWNERDEAD : 0;
    }
    edge_lay(task, &edge);
    waitlist_enter(&mutex->list.waiters, &waiter, kind, "a mutex");
    waiter.item = (void *)(uintptr_t)me;
    waiter.count = is_told;
    lock_release(&mutex->list.lock);
    weft__edge_check(&waiter, &edge);

    int rc = weft__wait_commit(&waiter, kind); /* suspends: worker, errno stale */

    edge_lift(&waiter);
    if (rc < 0 || rc == WAKE_DEADLOCK) {
        waitlist_leave(&mutex->list.lock, &mutex->list.waiters, &waiter);
        return rc < 0 ? rc : weft__edge_answer(&waiter);
    }
    lock_pass(&mutex->list.lock); /* granted: it is in the list no more */
    hold(mutex, task, me);
    return rc == TURN_OWNER_ENDED ? -EOWNERDEAD : 0;
}

void weft_lock(weft_mutex *handle)
{
    struct mutex *mutex = inside(handle);
    struct task *task = weft__current_task();
    uint64_t me = identity_of(task);

    if (try_take(mutex, me))
        hold(mutex, task, me);
    else
        (void)wait_for_turn(mutex, task, me, WAIT_FOR_SURE); /* nothing but a grant ends it */
}

int weft_lock_cancellable(weft_mutex *handle)
{
    struct mutex *mutex = inside(handle);
    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    struct task *task = weft__current_task();
    uint64_t me = identity_of(task);

    if (try_take(mutex, me)) {
        hold(mutex, task, me);
        return 0;
    }
    if (is_owner(mutex, me)) {
        weft__explain("the caller holds the mutex at %p already", (void *)mutex);
        return -EDEADLK;
    }
    return wait_for_turn(mutex, task, me, WAIT_CANCELLABLE);
}

int weft_try_lock(weft_mutex *handle)
{
    struct mutex *mutex = inside(handle);
    struct task *task = weft__current_task();
    uint64_t me = identity_of(task);
    uint64_t dead = OWNER_DEAD;
    int rc = 0;

    if (!try_take(mutex, me)) {
        if (!cas_seq(&mutex->owner, &dead, me))
            return -EAGAIN;
        rc = -EOWNERDEAD;
    }
    hold(mutex, task, me);
    return rc;
}

/* --- giving it back -------------------------------------------------------------------------- */

/* Hands the mutex to the first waiter that has not been cancelled. Returns whether there was one;
 * if not, the caller still holds it, and nobody waits any more. Lock held. */
static bool hand_over(struct mutex *mutex, uint64_t me, uint64_t dead)
{
    struct list *waiters = &mutex->list.waiters;
    struct waiter *waiter;

    while ((waiter = waitlist_pop(waiters))) {
        uint64_t next = (uint64_t)(uintptr_t)waiter->item;
        bool tells = dead && waiter->count;

        if (weft__wake(waiter, tells ? TURN_OWNER_ENDED : TURN)) {
            next |= tells ? 0 : dead;
            /* release: pairs with the lock of the list, which the next owner passes before it returns; who
             * else changes the word holds that lock, or does so by compare-and-swap */
            store_release(&mutex->owner, list_is_empty(waiters) ? next : next | OWNER_WAITED);
            return true;
        }
    }
    store_seq(&mutex->owner, me | dead);
    return false;
}

/* Lets a mutex go, marked with `dead` (OWNER_DEAD, or 0) on top of what it was marked with.
 *
 * To free it is the last access: the next owner may free its memory at once. So if all who waited
 * have been cancelled, the lock of the list is let go first. */
static void let_go(struct mutex *mutex, uint64_t me, uint64_t dead)
{
    uint64_t owner = load_relaxed(&mutex->owner); /* a guess: the compare-and-swap decides */
    bool done = false;

    while (!done) {
        if (!(owner & OWNER_WAITED)) {
            done = cas_seq(&mutex->owner, &owner, (owner & OWNER_DEAD) | dead);
            continue; /* else owner is now what it was */
        }
        lock_acquire(&mutex->list.lock);
        done = hand_over(mutex, me, (owner & OWNER_DEAD) | dead);
        lock_release(&mutex->list.lock);
        owner = me | (owner & OWNER_DEAD) | dead;
    }
}

int weft_unlock(weft_mutex *handle)
{
    struct mutex *mutex = inside(handle);
    struct task *task = weft__current_task();
    uint64_t me = identity_of(task);

    if (!is_owner(mutex, me))
        return -EPERM;
    unhold(mutex, task, me);
    let_go(mutex, me, 0);
    return 0;
}

bool weft__mutex_is_mine(const weft_mutex *mutex)
{
    return is_owner(inside(mutex), identity_of(weft__current_task()));
}

void weft__mutexes_abandon(struct task *task)
{
    struct runtime *runtime = weft__runtime_own();
    uint64_t me = identity_of(task);
    struct mutex *mutex;

    while ((mutex = held_at(task->held, me))) {
        unhold(mutex, task, me);
        weft__report(runtime,
                     "task %s ended while it held the mutex at %p: unlock it on every way out; "
                     "who gets it next is told -EOWNERDEAD",
                     future_site(&task->future), (void *)mutex);
        let_go(mutex, me, OWNER_DEAD);
    }
    task->held = NULL;
}
