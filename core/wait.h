/*
 * wait - how a task or a thread waits, and how exactly one of grant, cancel and time-out wins.
 *
 * Every task has one sleeper, in its descriptor; a plain thread has one inside its waiter. Its word
 * is the state machine of the wait, and every change of it is a compare-and-swap:
 *
 *     from       event        to         who               holds afterwards
 *     IDLE       wait_begin   ANNOUNCED  the waiter        seq is new; it may be woken from now on
 *     ANNOUNCED  commit       SUSPENDED  its worker        its context is saved: the waker resumes it
 *     ANNOUNCED  wake         WOKEN      anyone who wins   the waiter sees it before or after the switch
 *     SUSPENDED  wake         WOKEN      anyone who wins   the winner made the task ready
 *     WOKEN      commit ends  IDLE       the waiter        a thread's stays WOKEN: nobody looks again
 *
 * Invariants  I1  seq grows with each wait_begin: a waker that comes late with an old seq does nothing
 *             I2  between wait_begin and the return of wait_commit exactly one wake succeeds
 *             I3  the loser of the race hands on what it holds (a permit, an item)
 *             I4  a task's sleeper lives in type-stable memory: waking an ended task is harmless
 *             I5  a plain thread wakes a task only inside the gate (runtime.h), or under a lock that
 *                 the woken one takes before it goes on: else the task could end, and with it the
 *                 runtime, while the waker still looks for a worker that sleeps
 *
 * How an object waits, with its own lock around its list:
 *
 *     rc = weft__wait_check();                  cancelled already? then nothing happens at all
 *     lock; if it can be had: take it, unlock, return 0
 *     weft__wait_begin(&waiter); list_push_last(&object->waiters, &waiter.link); unlock
 *     rc = weft__wait_commit(&waiter, WAIT_CANCELLABLE);       suspends: worker, errno stale
 *     lock; if (waiter.linked) remove it from the list; unlock; return rc     also when granted: I5
 *
 * and how it grants: under the lock pop the first waiter, set linked to false, weft__wake(waiter, 0);
 * if that is false, the waiter has been cancelled: go on with the next.
 */
#ifndef WEFT_CORE_WAIT_H
#define WEFT_CORE_WAIT_H

#include <stdbool.h>

#include "core/atomic.h"
#include "core/list.h"

struct future;
struct task;

struct sleeper {
    _Atomic uint64_t word;      /* (a) seq:32 | reason:16 | flags:8 | state:8 */
    _Atomic uint32_t thread_go; /* (a) plain thread: 1 when woken, what its futex waits for */
    struct task *task;          /* NULL for a plain thread; set before the first announcement */
    struct runtime *runtime;    /* the task's */
    _Atomic(const char *) what; /* (w+) what it waits for, in words; NULL: unknown. For people */
};

/* One wait, on the stack of who waits. */
struct waiter {
    struct link link;        /* for the object's list, under the object's lock */
    struct sleeper *sleeper; /* (i) of the task, or `own` */
    uint32_t seq;            /* (i) this wait's number */
    bool linked;             /* the object's: still in its list; under the object's lock */
    uint16_t arm;            /* (i) added to the reason: which of a select's waiters; else 0 */
    uint32_t count;          /* the object's: how much it wants */
    void *item;              /* the object's: what is handed over */
    struct sleeper own;      /* a plain thread's sleeper */
};

enum wait_kind {
    WAIT_FOR_SURE,    /* cancellation does not end it */
    WAIT_CANCELLABLE, /* cancellation ends it with -ECANCELED */
    WAIT_OP,          /* cancellation asks the loop to end the operation, whose end then wakes it */
};

struct loop;

/* Who calls: the running task, NULL on a plain thread or in a job. */
struct task *weft__current_task(void);

/* Returns 0, or -ECANCELED if the calling task is cancelled; then the other ready tasks have run
 * once, so that a loop that ignores it cannot spin. Suspends in that case, and if the task has lost its
 * worker. */
int weft__wait_check(void);

/* For a call that may suspend, but need not: a task that has lost its worker comes back into line
 * (handover.h). The check above does the same. */
void weft__line_up(void);

/* One more waiter for the wait that `waiter` has begun: whichever is woken first ends it, with its
 * `arm` added to the reason. Not linked. */
void weft__wait_share(const struct waiter *waiter, struct waiter *also, uint16_t arm);

/* From here on the wait can be woken. Prepares `waiter` whole but for count and item, and sets
 * linked. Follow with weft__wait_commit, whatever happens. */
void weft__wait_begin(struct waiter *waiter);

/* The same for a wait that will be WAIT_CANCELLABLE: a cancel reaches it from here on, so that one
 * that comes before a wake also wins over it. Saves wait_commit a step. */
void weft__wait_begin_cancellable(struct waiter *waiter);

/* Takes a new seq, but cannot be woken yet: for who lets others know the waiter before it waits, and
 * looks at its condition after weft__wait_again. */
void weft__wait_prepare(struct waiter *waiter);

/* The same waiter, task and seq once more, after wait_prepare or wait_commit: for waits whose condition
 * must be looked at again (a late wake for the same seq is then a spurious one, not lost). */
void weft__wait_again(struct waiter *waiter);

/* As weft__wait_again, for a wait that will be WAIT_CANCELLABLE: see weft__wait_begin_cancellable. */
void weft__wait_again_cancellable(struct waiter *waiter);

/* Tasks, between wait_begin and a wait_commit with WAIT_OP: which operation the wait is for. */
void weft__wait_set_op(struct loop *loop, uint64_t key);

/* Between the beginning of a wait and its commit: what it waits for, "a mutex", a constant. For the
 * report of a standstill (quiet.h). */
static inline void wait_is_for(struct waiter *waiter, const char *what)
{
    store_relaxed(&waiter->sleeper->what, what); /* relaxed: read when nothing goes on any more */
}

/* Waits until woken. Returns the reason that weft__wake gave (0 or more), or -ECANCELED (only
 * for WAIT_CANCELLABLE). Suspends a task: worker and errno are stale; blocks a thread. */
int weft__wait_commit(struct waiter *waiter, enum wait_kind kind);

/* A plain thread's weft__wait_commit with an end: at `moment` of weft_now() it wakes itself through
 * `late`, the same waiter or one that shares its wait, with reason 0. */
int weft__wait_commit_until(struct waiter *waiter, struct waiter *late, int64_t moment);

/* Wakes the wait that `waiter` describes with a reason (0 to 65534, its arm included). Returns
 * whether this call is the one that woke it; false: it was cancelled or woken before. After true,
 * *waiter may be gone. */
bool weft__wake(struct waiter *waiter, unsigned reason);

/* Whether nothing has woken or cancelled the wait yet: for who must know that of several waiters before
 * it wakes any. Under the object's lock. */
bool weft__is_waiting(const struct waiter *waiter);

/* As weft__wake, for who keeps only sleeper and seq: safe for a task's sleeper at any time. */
bool weft__wake_sleeper(struct sleeper *sleeper, uint32_t seq, unsigned reason);

/* Whether the task whose sleeper it is waits now, and in which wait. For tasks only. */
bool weft__sleeper_waits(struct sleeper *sleeper, uint32_t *ret_seq);

/* Whether a wake has won the wait that the sleeper was in last. */
bool weft__sleeper_is_woken(struct sleeper *sleeper);

/* Cancels the wait that the task is in, if it is one that can be. The caller has made sure that
 * the task is cancelled (see core/scope.h); a wait begun later looks for itself. */
void weft__wait_interrupt(struct task *task);

/* The same for the wait that the word, read earlier, stands for; a later wait, or a later user of the
 * slot, is left alone. */
void weft__wait_interrupt_word(struct future *future, uint64_t word);

#endif
