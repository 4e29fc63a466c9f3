/*
 * wait - of grant, cancel and time-out exactly one ends a wait, and nothing is lost to the others.
 *
 * The object is the one of core/wait.h's head comment: a lock, a list, and permits. A permit that was given is
 * in somebody's hands, or in the object, at the end; and who waits for one that comes gets it.
 */
#include <errno.h>

#include "core/lock.h"
#include "sync/waitlist.h"
#include "tests/model/tasks.h"

const char model_subject[] = "wait";

struct object {
    struct lock lock;
    struct list waiters;
    unsigned permits; /* plain: under the lock */
};

static struct object *object, *other;
static int result[MODEL_THREADS];
static unsigned held[MODEL_THREADS]; /* permits that the thread has got */

static void setup(unsigned which)
{
    tasks_init(which);
    object = model_alloc(sizeof *object);
    other = model_alloc(sizeof *other);
    __builtin_memset(result, 0, sizeof result);
    __builtin_memset(held, 0, sizeof held);
}

static void one_task(void) { setup(1); }
static void two_tasks(void) { setup(3); }
static void no_task(void) { setup(0); }

/* --- the object ------------------------------------------------------------------------------ */

static bool try_locked(struct object *from)
{
    if (from->permits == 0)
        return false;
    from->permits--;
    return true;
}

static int acquire(struct object *from)
{
    struct waiter waiter;
    int rc;

    lock_acquire(&from->lock);
    if (try_locked(from)) {
        lock_release(&from->lock);
        rc = 0;
    } else {
        waitlist_enter(&from->waiters, &waiter, WAIT_CANCELLABLE, "a permit");
        rc = waitlist_wait(&from->lock, &from->waiters, &waiter);
    }
    held[model_self()] += rc == 0;
    result[model_self()] = rc;
    return rc;
}

static void release(struct object *to)
{
    struct waiter *waiter;
    bool handed = false;

    lock_acquire(&to->lock);
    while (!handed && (waiter = waitlist_pop(&to->waiters)))
        handed = weft__wake(waiter, 0);
    to->permits += !handed;
    lock_release(&to->lock);
}

static void give(void) { release(object); }
static void give_other(void) { release(other); }
static void cancel_first(void) { tasks_cancel(tasks[0]); }

static void take(void)
{
    (void)acquire(object);
    tasks_scribble();
}

static void take_and_give(void)
{
    if (acquire(object) == 0) {
        held[model_self()]--;
        release(object);
    }
    tasks_scribble();
}

static void take_twice(void)
{
    take();
    take();
}

/* The last that needs the object: who woke it must have let go. */
static void take_and_free(void)
{
    if (acquire(object) == 0)
        model_free(object);
    tasks_scribble();
}

static unsigned total(void)
{
    return object->permits + other->permits + held[0] + held[1] + held[2] + held[3];
}

static void check_one_permit(void)
{
    model_assert(total() == 1);
    model_assert(!object->waiters.first && !other->waiters.first);
}

static void check_freed(void) { model_assert(held[0] == 1); }

static void check_granted(void)
{
    check_one_permit();
    model_assert(result[0] == 0);
}

static void check_cancel_or_grant(void)
{
    check_one_permit();
    model_assert(result[0] == (held[0] ? 0 : -ECANCELED));
}

/* The cancel comes in any case, the permit too: the second task must have had it. */
static void check_second_had_it(void)
{
    check_one_permit();
    model_assert(result[1] == 0);
}

static void check_two_permits(void) { model_assert(total() == 2 && held[0] == 2); }

/* --- a wait that can end itself --------------------------------------------------------------- */

#define LATE 1u

static void take_in_time(void)
{
    struct waiter waiter, late;
    int rc = 0;

    lock_acquire(&object->lock);
    if (try_locked(object)) {
        lock_release(&object->lock);
    } else {
        waitlist_enter(&object->waiters, &waiter, WAIT_CANCELLABLE, "a permit");
        lock_release(&object->lock);
        weft__wait_share(&waiter, &late, LATE);
        rc = weft__wait_commit_until(waiter.sleeper == &waiter.own ? &waiter : &late, &late, 0);
        waitlist_leave(&object->lock, &object->waiters, &waiter);
    }
    held[0] += rc == 0;
    result[0] = rc;
    tasks_scribble();
}

static void check_time(void)
{
    check_one_permit();
    model_assert(result[0] == 0 || result[0] == LATE);
}

/* --- a wait for one of two -------------------------------------------------------------------- */

static void enlist(struct object *at, struct waiter *waiter)
{
    lock_acquire(&at->lock);
    if (at->permits > 0 && weft__wake(waiter, 0)) {
        at->permits--;
    } else if (at->permits == 0) {
        waiter->linked = true;
        list_push_last(&at->waiters, &waiter->link);
    }
    lock_release(&at->lock);
}

static void take_either(void)
{
    struct waiter waiter, also;

    weft__wait_begin(&waiter);
    waiter.linked = false;
    weft__wait_share(&waiter, &also, 1);
    enlist(object, &waiter);
    enlist(other, &also);

    int rc = weft__wait_commit(&waiter, WAIT_CANCELLABLE);

    waitlist_leave(&object->lock, &object->waiters, &waiter);
    waitlist_leave(&other->lock, &other->waiters, &also);
    held[0] += rc >= 0;
    result[0] = rc;
    tasks_scribble();
}

static void check_either(void)
{
    model_assert(total() == 2);
    model_assert(held[0] == (result[0] >= 0));
    if (held[0])
        model_assert((result[0] == 0 ? object : other)->permits == 0);
}

/* --- a waker that comes late ------------------------------------------------------------------ */

static struct sleeper *known;
static _Atomic uint32_t *known_seq, *second_seq;
static unsigned wins;

static void late_setup(void)
{
    setup(1);
    known = &tasks[0]->future.sleeper;
    known_seq = model_alloc(sizeof *known_seq);
    second_seq = model_alloc(sizeof *second_seq);
    wins = 0;
}

static int wait_known(_Atomic uint32_t *ret_seq, unsigned wakers)
{
    struct waiter waiter;

    weft__wait_begin(&waiter);
    store_seq(ret_seq, waiter.seq);
    while (wakers-- > 0)
        model_post(ret_seq, "the number of the wait");
    return weft__wait_commit(&waiter, WAIT_FOR_SURE);
}

static void wait_twice(void)
{
    result[0] = wait_known(known_seq, 2);
    result[1] = wait_known(second_seq, 1);
    tasks_scribble();
}

static void wake_known(_Atomic uint32_t *seq, unsigned reason)
{
    model_take(seq, "the number of the wait");
    wins += weft__wake_sleeper(known, load_seq(seq), reason);
}

static void wake_1(void) { wake_known(known_seq, 1); }
static void wake_1_too(void) { wake_known(known_seq, 2); }
static void wake_2(void) { wake_known(second_seq, 3); }

static void check_late(void)
{
    model_assert(wins == 2);
    model_assert(result[0] == 1 || result[0] == 2);
    model_assert(result[1] == 3);
}

/* --- an operation of the loop ----------------------------------------------------------------- */

/* The kernel's side: an operation is in flight from its submission to its end, which wakes its task.
 * A cancel with its key makes it end; one with another key is harmless, but must not be for a later one. */
static struct loop *loops;                      /* one for each key */
static _Atomic uint32_t *submitted, *cancelled; /* keys; plain words of the kernel's own lock */

static void cancel_op(struct loop *its, uint64_t key)
{
    model_assert(key >= 1 && key <= 2 && its == &loops[key - 1]);
    or_seq(cancelled, (uint32_t)key);
}

static const struct loop_ops loop_ops = {.cancel = cancel_op};

static void op_setup(void)
{
    setup(1);
    loops = model_alloc(2 * sizeof *loops);
    loops[0].ops = loops[1].ops = &loop_ops;
    submitted = model_alloc(sizeof *submitted);
    cancelled = model_alloc(sizeof *cancelled);
}

static int run_op(uint32_t key)
{
    struct waiter waiter;

    weft__wait_begin(&waiter);
    weft__wait_set_op(&loops[key - 1], key);
    store_seq(submitted, waiter.seq << 8 | key);
    model_post(submitted, "an operation");
    return weft__wait_commit(&waiter, WAIT_OP);
}

static void run_one_op(void)
{
    result[0] = run_op(1);
    tasks_scribble();
}

static void run_two_ops(void)
{
    result[0] = run_op(1);
    result[1] = run_op(2);
    tasks_scribble();
}

/* Ends one operation: by itself, or because it was cancelled. */
static void complete(void)
{
    model_take(submitted, "an operation");

    uint32_t word = load_seq(submitted);
    bool by_cancel = load_seq(cancelled) & (word & 0xff);

    model_assert(weft__wake_sleeper(&tasks[0]->future.sleeper, word >> 8, by_cancel ? 2 : 1));
}

static void complete_two(void)
{
    complete();
    complete();
}

/* An operation that nothing but a cancel ends. */
static void cancel_op_and_tell(struct loop *its, uint64_t key)
{
    cancel_op(its, key);
    model_post(cancelled, "a cancel");
}

static const struct loop_ops telling_ops = {.cancel = cancel_op_and_tell};

static void endless_setup(void)
{
    op_setup();
    loops[0].ops = &telling_ops;
}

static void complete_when_cancelled(void)
{
    model_take(cancelled, "a cancel");
    complete();
}

/* The second stands in a shield: a cancel that came late must not reach it. */
static void cancel_op_unshielded(struct loop *its, uint64_t key)
{
    model_assert(its == &loops[0] && key == 1);
    or_seq(cancelled, (uint32_t)key);
}

static const struct loop_ops shield_ops = {.cancel = cancel_op_unshielded};

static void shield_setup(void)
{
    op_setup();
    loops[0].ops = loops[1].ops = &shield_ops;
}

static void run_one_and_a_shielded(void)
{
    result[0] = run_op(1);
    store_seq(&tasks[0]->future.shields, 1);
    result[1] = run_op(2);
}

/* As a scope does it: the request first, then the wait of the task. */
static void interrupt_first(void)
{
    or_seq(&tasks[0]->future.state, FUTURE_CANCEL);
    weft__wait_interrupt(tasks[0]);
}

/* --- a condition that is looked at again ------------------------------------------------------ */

static struct waiter *again;
static _Atomic uint32_t *condition;

static void again_setup(unsigned which)
{
    setup(which);
    again = model_alloc(sizeof *again);
    condition = model_alloc(sizeof *condition);
}

static void again_task(void) { again_setup(1); }
static void again_thread(void) { again_setup(0); }

static void wait_for_condition(void)
{
    weft__wait_prepare(again);
    model_post(again, "the waiter is known");
    for (;;) {
        weft__wait_again(again);
        if (load_seq(condition) == 2)
            (void)weft__wake(again, 0);
        (void)weft__wait_commit(again, WAIT_FOR_SURE);
        if (load_seq(condition) == 2)
            return;
    }
}

static void fulfil(void)
{
    model_take(again, "the waiter is known");
    add_seq(condition, 1);
    (void)weft__wake(again, 0);
    add_seq(condition, 1);
    (void)weft__wake(again, 0);
}

/* The first is cancelled, or gets a permit and gives it back; the others must get one each. */
static void cancel_and_give_two(void)
{
    cancel_first();
    give();
    give();
}

static void three_tasks(void) { setup(7); }

static void check_others_had_it(void)
{
    model_assert(total() == 2 && result[1] == 0 && result[2] == 0);
}

static void check_two_had_it(void)
{
    model_assert(total() == 2 && result[0] == 0 && result[1] == 0);
}
static void check_cancelled(void) { model_assert(result[0] == -ECANCELED); }

static void check_op(void) { model_assert(result[0] == 1 || result[0] == 2); }
static void check_ops(void)
{
    check_op();
    model_assert(result[1] == 1 || result[1] == 2);
}

const struct model_scenario model_scenarios[] = {
    {"a grant", one_task, {{"task", take, 0}, {"granter", give, 0}}, check_granted, 0},
    {"a grant to a plain thread",
     no_task,
     {{"thread", take, 0}, {"granter", give, 0}},
     check_granted,
     0},
    {"a grant, and the object is gone",
     one_task,
     {{"task", take_and_free, 0}, {"granter", give, 0}},
     check_freed,
     0},
    {"the same for a plain thread",
     no_task,
     {{"thread", take_and_free, 0}, {"granter", give, 0}},
     check_freed,
     0},
    {"two grants to one task",
     one_task,
     {{"task", take_twice, 0}, {"granter", give, 0}, {"granter", give, 0}},
     check_two_permits,
     0},
    {"two grants to a plain thread",
     no_task,
     {{"thread", take_twice, 0}, {"granter", give, 0}, {"granter", give, 0}},
     check_two_permits,
     0},
    {"grant against cancel",
     one_task,
     {{"task", take, 0}, {"granter", give, 0}, {"canceller", cancel_first, 0}},
     check_cancel_or_grant,
     0},
    {"a cancelled first passes the permit to the second",
     two_tasks,
     {{"first", take_and_give, 0},
      {"second", take, 0},
      {"granter", give, 0},
      {"canceller", cancel_first, 0}},
     check_second_had_it,
     0},
    {"a plain thread's own time-out against the grant",
     no_task,
     {{"thread", take_in_time, 0}, {"granter", give, 0}},
     check_time,
     0},
    {"one of two grants",
     one_task,
     {{"task", take_either, 0}, {"granter", give, 0}, {"granter", give_other, 0}},
     check_either,
     0},
    {"a waker that comes late",
     late_setup,
     {{"task", wait_twice, 0},
      {"waker", wake_1, 0},
      {"waker", wake_1_too, 0},
      {"second", wake_2, 0}},
     check_late,
     0},
    {"an operation against its cancel",
     op_setup,
     {{"task", run_one_op, 0}, {"kernel", complete, 0}, {"canceller", cancel_first, 0}},
     check_op,
     0},
    {"two operations against a cancel",
     op_setup,
     {{"task", run_two_ops, 0}, {"kernel", complete_two, 0}, {"canceller", cancel_first, 0}},
     check_ops,
     0},
    {"two operations, the second in a shield",
     shield_setup,
     {{"task", run_one_and_a_shielded, 0},
      {"kernel", complete_two, 0},
      {"canceller", cancel_first, 0}},
     check_ops,
     0},
    {"an operation that only a cancel ends",
     endless_setup,
     {{"task", run_one_op, 0},
      {"kernel", complete_when_cancelled, 0},
      {"canceller", cancel_first, 0}},
     check_op,
     0},
    {"a wait that only a cancel ends",
     one_task,
     {{"task", take, 0}, {"canceller", cancel_first, 0}},
     check_cancelled,
     0},
    {"the same, cancelled as by a scope",
     one_task,
     {{"task", take, 0}, {"canceller", interrupt_first, 0}},
     check_cancelled,
     0},
    {"two waits, two grants",
     two_tasks,
     {{"a", take, 0}, {"b", take, 0}, {"granter", give, 0}, {"granter", give, 0}},
     check_two_had_it,
     0},
    {"a cancelled first leaves the others, all are in line",
     three_tasks,
     {{"first", take_and_give, 0, 0},
      {"b", take, 0, 1},
      {"c", take, 0, 2},
      {"other", cancel_and_give_two, 0, 3}},
     check_others_had_it,
     0},
    {"a cancelled first leaves one in line, another comes",
     three_tasks,
     {{"first", take_and_give, 0, 0},
      {"b", take, 0, 2},
      {"c", take, 0, 1},
      {"other", cancel_and_give_two, 0, 2}},
     check_others_had_it,
     0},
    {"a condition that is looked at again",
     again_task,
     {{"task", wait_for_condition, 0}, {"other", fulfil, 0}},
     NULL,
     0},
    {"the same on a plain thread",
     again_thread,
     {{"thread", wait_for_condition, 0}, {"other", fulfil, 0}},
     NULL,
     0},
    {"a cancelled first leaves the others in the list",
     three_tasks,
     {{"first", take_and_give, 0},
      {"b", take, 0},
      {"c", take, 0},
      {"other", cancel_and_give_two, 0}},
     check_others_had_it,
     2},
    {0},
};
