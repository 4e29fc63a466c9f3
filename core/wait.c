/*
 * wait - see wait.h for the state machine and its invariants.
 */
#include "core/wait.h"

#include <errno.h>

#include "core/loop.h"
#include "core/probe.h"
#include "core/worker.h"

/* word = seq:32 | reason:16 | flags:8 | state:8 */
enum wait_state { WAIT_IDLE, WAIT_ANNOUNCED, WAIT_SUSPENDED, WAIT_WOKEN };
#define STATE_MASK    ((uint64_t)0xff)
#define FLAG_CANCEL   ((uint64_t)0x100) /* a cancel may wake it */
#define FLAG_OP       ((uint64_t)0x200) /* a cancel asks the loop */
#define REASON_SHIFT  16
#define REASON_CANCEL 0xffffu /* reserved; weft__wake is never called with it */

static uint64_t word_of(uint32_t seq, uint64_t rest) { return (uint64_t)seq << 32 | rest; }
static uint32_t seq_in(uint64_t word) { return (uint32_t)(word >> 32); }
static uint64_t state_in(uint64_t word) { return word & STATE_MASK; }
static unsigned reason_in(uint64_t word) { return (unsigned)(word >> REASON_SHIFT & 0xffff); }

static bool is_waiting(uint64_t word)
{
    return state_in(word) == WAIT_ANNOUNCED || state_in(word) == WAIT_SUSPENDED;
}

static struct runtime *runtime_of(void) { return weft__carrier()->runtime; }

/* Goes from a waiting word to WOKEN, and resumes whose it is. */
static bool wake_from(struct sleeper *sleeper, uint64_t word, unsigned reason)
{
    uint64_t woken = word_of(seq_in(word), (uint64_t)reason << REASON_SHIFT | WAIT_WOKEN);
    struct task *task =
        sleeper->task; /* before the swap: a thread's sleeper may be gone after it */
    struct runtime *runtime = sleeper->runtime;

    if (!cas_seq(&sleeper->word, &word, woken))
        return false;
    if (!task) {
        store_seq(&sleeper->thread_go, 1);
        weft__futex_wake(&sleeper->thread_go, 1);
    } else if (state_in(word) == WAIT_SUSPENDED) {
        weft__ready(runtime, task);
    } /* ANNOUNCED: the task has not left its stack yet, and will see the word itself */
    return true;
}

bool weft__wake_sleeper(struct sleeper *sleeper, uint32_t seq, unsigned reason)
{
    for (;;) {
        uint64_t word = load_seq(&sleeper->word);

        if (seq_in(word) != seq || !is_waiting(word))
            return false;
        if (wake_from(sleeper, word, reason))
            return true; /* else it went from ANNOUNCED to SUSPENDED, got a flag, or was woken */
    }
}

bool weft__wake(struct waiter *waiter, unsigned reason)
{
    return weft__wake_sleeper(waiter->sleeper, waiter->seq, waiter->arm + reason);
}

bool weft__sleeper_waits(struct sleeper *sleeper, uint32_t *ret_seq)
{
    uint64_t word = load_seq(&sleeper->word);

    *ret_seq = seq_in(word);
    return is_waiting(word);
}

bool weft__is_waiting(const struct waiter *waiter)
{
    uint64_t word = load_seq(&waiter->sleeper->word);

    return seq_in(word) == waiter->seq && is_waiting(word);
}

void weft__line_up(void)
{
    struct carrier *carrier = weft__carrier();

    if (carrier->task && !carrier_worker(carrier))
        weft__yield(); /* suspends: carrier, errno stale */
}

int weft__wait_check(void)
{
    struct carrier *carrier = weft__carrier();
    struct task *task = carrier->task;

    if (!task)
        return 0;
    if (!carrier_worker(carrier)) /* it was handed over: back into line */
        weft__yield();            /* suspends: carrier, errno stale */
    probe_call(task);
    if (!weft__task_is_cancelled(task))
        return 0;
    weft__yield(); /* suspends: worker, errno stale */
    return -ECANCELED;
}

/* A new wait with a new seq, of which nobody knows yet: the word is still that of the one before,
 * which nobody can wake. */
static void fill(struct waiter *waiter)
{
    struct task *task = weft__current_task();

    if (task) {
        waiter->sleeper = &task->future.sleeper;
        if (waiter->sleeper->task != task) { /* once: a late waker of an earlier wait reads it */
            waiter->sleeper->task = task;
            waiter->sleeper->runtime = runtime_of();
        }
    } else {
        waiter->own = (struct sleeper){.task = NULL};
        waiter->sleeper = &waiter->own;
    }
    wait_is_for(waiter, NULL);
    waiter->link = (struct link){0};
    waiter->linked = false;
    waiter->arm = 0;
    waiter->seq = seq_in(load_seq(&waiter->sleeper->word)) + 1;
}

void weft__wait_prepare(struct waiter *waiter)
{
    fill(waiter);
    /* relaxed: idle before and after; who learns of the waiter is shown it by what tells him */
    store_relaxed(&waiter->sleeper->word, word_of(waiter->seq, WAIT_IDLE));
}

void weft__wait_share(const struct waiter *waiter, struct waiter *also, uint16_t arm)
{
    also->link = (struct link){0};
    also->sleeper = waiter->sleeper;
    also->seq = waiter->seq;
    also->linked = false;
    also->arm = arm;
    also->count = 0;
    also->item = NULL;
}

static void announce(struct waiter *waiter, uint64_t flag)
{
    waiter->linked = true;
    store_relaxed(&waiter->sleeper->thread_go, 0); /* relaxed: published by the word */
    store_seq(&waiter->sleeper->word, word_of(waiter->seq, flag | WAIT_ANNOUNCED));
}

void weft__wait_again(struct waiter *waiter) { announce(waiter, 0); }

void weft__wait_again_cancellable(struct waiter *waiter) { announce(waiter, FLAG_CANCEL); }

void weft__wait_begin(struct waiter *waiter)
{
    fill(waiter);
    announce(waiter, 0);
}

void weft__wait_begin_cancellable(struct waiter *waiter)
{
    fill(waiter);
    announce(waiter, FLAG_CANCEL);
}

void weft__wait_set_op(struct loop *loop, uint64_t key)
{
    struct task *task = weft__current_task();

    store_seq(&task->future.op_loop, loop);
    store_seq(&task->future.op_key, key);
}

/* On the other side of the switch: the context is saved, so from here on the waker resumes it. */
static void after_commit(struct runtime *runtime, struct worker *worker, struct task *task,
                         void *arg)
{
    uint64_t word = load_seq(&task->future.sleeper.word);
    uint64_t suspended = (word & ~STATE_MASK) | WAIT_SUSPENDED;

    (void)arg;
    if (state_in(word) == WAIT_ANNOUNCED && cas_seq(&task->future.sleeper.word, &word, suspended))
        return;
    /* Woken between its last look and the switch. In the slot it would wait for the one that the worker
     * has taken already. */
    if (worker_has_next(worker) && !runtime->is_migrating)
        weft__ready_last(runtime, task);
    else
        weft__ready(runtime, task);
}

/* The same for the wait that a test has chosen to cancel. */
static void after_probed_commit(struct runtime *runtime, struct worker *worker, struct task *task,
                                void *arg)
{
    after_commit(runtime, worker, task, arg);
    weft__probe_suspended(); /* the task may run elsewhere by now */
}

bool weft__sleeper_is_woken(struct sleeper *sleeper)
{
    return state_in(load_seq(&sleeper->word)) == WAIT_WOKEN;
}

/* Sleeps until woken, or until it is `late` and the caller wakes itself. A virtual clock wakes it by
 * its jump. */
static void sleep_thread(struct sleeper *sleeper, struct waiter *late, int64_t moment)
{
    _Atomic uint32_t *go = &sleeper->thread_go;
    struct quiet_thread thread = {.late = late, .moment = moment};
    int64_t left = WEFT_NO_TIMEOUT;

    weft__pools_wait_begin(); /* a job that waits lends its place in the pool to another */
    weft__quiet_thread_begin(&thread, sleeper);
    while (load_seq(go) == 0) {
        if (late)
            left = weft__quiet_thread_left(&thread);
        /* Due: it wakes itself, if nobody else has done so, who is about to set `go`. */
        if (left > 0 || !weft__wake(late, 0))
            (void)weft__futex_wait(go, 0, left > 0 ? left : WEFT_NO_TIMEOUT); /* spurious: again */
    }
    weft__quiet_thread_end(&thread);
    weft__pools_wait_end();
}

static int wait_thread(struct sleeper *sleeper, struct waiter *late, int64_t moment)
{
    if (load_seq(&sleeper->thread_go) == 0)
        sleep_thread(sleeper, late, moment);
    return (int)reason_in(load_seq(&sleeper->word));
}

int weft__wait_commit_until(struct waiter *waiter, struct waiter *late, int64_t moment)
{
    struct runtime *runtime;
    int outside = weft__runtime_enter(&runtime);

    /* Only a virtual clock must know who waits for it. A stop waits for who is inside, and would for hours. */
    if (outside == 0 && !runtime->quiet.is_virtual) {
        weft__runtime_leave(runtime);
        outside = -ENXIO;
    }
    int rc = wait_thread(waiter->sleeper, late, moment);

    if (outside == 0)
        weft__runtime_leave(runtime);
    return rc;
}

/* Lets a cancel reach the wait from here on, and looks whether one has come before. The order, flag
 * first and then the look, pairs with the canceller's: request first, then look for the flag. */
static void make_cancellable(struct task *task, uint64_t flag)
{
    uint64_t word = load_seq(&task->future.sleeper.word);

    if (!is_waiting(word))
        return; /* woken already */
    if (!(word & flag) && !cas_seq(&task->future.sleeper.word, &word, word | flag))
        return; /* woken just now */
    if (weft__task_is_cancelled(task))
        weft__wait_interrupt(task);
}

int weft__wait_commit(struct waiter *waiter, enum wait_kind kind)
{
    struct task *task = waiter->sleeper->task;
    bool is_probed;
    uint64_t word;

    if (!task)
        return wait_thread(waiter->sleeper, NULL, INT64_MAX);
    is_probed = kind != WAIT_FOR_SURE && probe_wait(task);
    if (kind != WAIT_FOR_SURE)
        make_cancellable(task, kind == WAIT_OP ? FLAG_OP : FLAG_CANCEL);
    if (state_in(load_seq(&task->future.sleeper.word)) != WAIT_WOKEN) /* suspends: as below */
        weft__suspend(is_probed ? after_probed_commit : after_commit, NULL);
    if (is_probed)
        weft__probe_woken(); /* suspended, perhaps: worker, errno stale */
    word = load_seq(&task->future.sleeper.word);
    /* relaxed: nobody changes a woken word, and none that reads it tells the two states apart */
    store_relaxed(&task->future.sleeper.word, word_of(waiter->seq, WAIT_IDLE));
    return reason_in(word) == REASON_CANCEL ? -ECANCELED : (int)reason_in(word);
}

void weft__wait_interrupt_word(struct future *future, uint64_t word)
{
    if (!is_waiting(word))
        return;
    if (word & FLAG_OP) {
        struct loop *loop = load_seq(&future->op_loop);
        uint64_t key = load_seq(&future->op_key);
        uint64_t now = load_seq(&future->sleeper.word);

        /* The same wait still, so loop and key are its operation's and not a later one's, nor those
         * of a later user of the slot. */
        if (seq_in(now) == seq_in(word) && is_waiting(now))
            loop->ops->cancel(loop, key);
        return;
    }
    while (word & FLAG_CANCEL) {
        if (wake_from(&future->sleeper, word, REASON_CANCEL))
            return;
        uint64_t now = load_seq(&future->sleeper.word);

        if (seq_in(now) != seq_in(word) || !is_waiting(now))
            return;
        word = now; /* it was suspended just now */
    }
}

void weft__wait_interrupt(struct task *task)
{
    weft__wait_interrupt_word(&task->future, load_seq(&task->future.sleeper.word));
}
