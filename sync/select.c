/*
 * select - waits for several things at once, and does exactly one of them.
 *
 *     try every arm in turn      as the try_ calls do, one lock at a time
 *     begin one wait             a waiter for each arm, all with the same sleeper and number
 *     visit every arm            can be done now? win the wait, do it.  else stand in its line
 *     commit                     the wake's reason is the arm that has won
 *     leave every line           under each object's lock once more: see sync/waitlist.h
 *
 * One word decides: that of the wait. Whoever does something with one of the arms, a sender, a timer,
 * a future's end, the canceller, or the select itself when it finds something to be had, must win it
 * first, and only one can. So no two locks are ever held together, no order among objects is needed,
 * and an arm that loses has taken nothing: nothing was taken before the word was won.
 *
 * Invariants  I1  an arm is done by who has won the wait with it, under the lock of the arm's object
 *             I2  before the commit every arm stands in its line, or has been popped by somebody who
 *                 tried to win the wait after the last time that it was given back
 *             I3  no line, timer or lock has seen the last of an arm before leave() was there: then
 *                 nobody touches the arms any more
 *
 * A select that wins its own wait at a rendezvous needs the other's wait too. If that one is gone, it
 * gives its own back and visits all arms again (MEET_MISSED; see sync/channel.c for why no meeting is
 * missed). Whoever came between has popped an arm and found the wait won; so a popped arm is looked at
 * anew, and for an event or a future having been popped means that it has happened: the wake of an
 * event that was set and cleared meanwhile is not lost. A cancel that came between is seen by the
 * commit, a timer that fired by the clock.
 *
 * Two selects can each win their own wait and then miss each other at two channels again and again;
 * so each pauses for a random moment before it looks again. Whatever it was that made one miss
 * otherwise, another wait has ended by it.
 */
#include <errno.h>

#include <weft/select.h>

#include "core/future.h"
#include "core/sys.h"
#include "core/worker.h"
#include "sync/channel.h"
#include "sync/event.h"

enum arm_kind { ARM_NEVER, ARM_SEND, ARM_RECEIVE, ARM_FUTURE, ARM_TIME, ARM_EVENT };

/* What weft_arm is inside the library. */
struct arm {
    int result;
    enum arm_kind kind;
    uint32_t turn; /* of the arms in the order in which they are tried: the index of one */
    uint32_t unused;
    void *object; /* the channel, event or future */
    void *item;   /* to be sent; where the item or the status goes */
    int64_t moment;
    weft_future future;
    struct waiter waiter;
};

_Static_assert(sizeof(struct arm) <= sizeof(weft_arm), "one overlays the other");
_Static_assert(_Alignof(struct arm) == _Alignof(weft_arm), "one overlays the other");
_Static_assert(sizeof(enum arm_kind) == sizeof(uint32_t), "same size");
_Static_assert(offsetof(struct arm, turn) == offsetof(weft_arm, weft__turn), "same place");
_Static_assert(offsetof(struct arm, item) == offsetof(weft_arm, weft__item), "same place");
_Static_assert(offsetof(struct arm, future) == offsetof(weft_arm, weft__future), "same place");
_Static_assert(offsetof(struct arm, waiter) == offsetof(weft_arm, weft__waiter), "same place");

/* One call. */
struct select {
    weft_arm *arms;
    size_t n;
    struct runtime *runtime; /* for the futures among them; NULL if there is none, or no runtime */
    int outside;             /* why there is no runtime */
    bool has_futures, has_times;
    int64_t now;            /* at the first look */
    uint64_t random;        /* state of a small generator (splitmix64) */
    struct waiter wait;     /* in no line: the one that all arms share */
    struct arm *first_time; /* the arm whose moment comes first; NULL: none comes */
    struct timer timer;     /* a task's, for first_time */
};

static struct arm *arm_at(const struct select *select, size_t index)
{
    return (struct arm *)(void *)&select->arms[index];
}

static struct arm *arm_in_turn(const struct select *select, size_t turn)
{
    return arm_at(select, arm_at(select, turn)->turn);
}

/* --- the order in which the arms are tried ---------------------------------------------------- */

static uint32_t next_random(struct select *select)
{
    uint64_t z = (select->random += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

static void seed(struct select *select)
{
    struct carrier *carrier = weft__carrier();
    uint32_t was;
    struct worker *worker = carrier_enter(carrier, &was);

    if (worker) {
        worker->seed = worker->seed * 1664525u + 1013904223u; /* own field */
        select->random = (uint64_t)worker->index << 32 | worker->seed;
    } else {
        select->random = (uint64_t)weft__sys_now() ^ (uintptr_t)select;
    }
    carrier_leave(carrier, was);
}

/* Every order with the same probability, or that of the array. */
static void choose_order(struct select *select, bool is_biased)
{
    for (size_t i = 0; i < select->n; i++)
        arm_at(select, i)->turn = (uint32_t)i;
    if (is_biased)
        return;
    for (size_t i = select->n - 1; i > 0; i--) {
        size_t j = (size_t)((uint64_t)next_random(select) * (i + 1) >> 32);
        uint32_t turn = arm_at(select, i)->turn;

        arm_at(select, i)->turn = arm_at(select, j)->turn;
        arm_at(select, j)->turn = turn;
    }
}

/* --- the first look: nothing is announced ------------------------------------------------------ */

/* Whether there is nothing to wait for; then ret_status is what weft_wait would return. */
static bool has_ended(const struct select *select, weft_future handle, struct future **ret_future,
                      int *ret_status)
{
    uint64_t state;

    *ret_status = select->runtime ? weft__future_find(select->runtime, handle, ret_future, &state)
                                  : weft__future_outside(handle, select->outside);
    if (*ret_status < 0)
        return true;
    if (state & FUTURE_DETACHED || (void *)*ret_future == (void *)weft__current_task()) {
        *ret_status = state & FUTURE_DETACHED ? -ESTALE : -EDEADLK;
        return true;
    }
    if (!(state & FUTURE_DONE))
        return false;
    int status = load_acquire(&(*ret_future)->status); /* pairs with weft__future_complete() */

    /* It is this generation's only if nobody has freed the slot meanwhile. */
    if (weft__future_find(select->runtime, handle, ret_future, &state) < 0)
        status = -ESTALE;
    *ret_status = status;
    return true;
}

/* Whether the arm could be done, and then was. */
static bool try_arm(const struct select *select, struct arm *arm)
{
    switch (arm->kind) {
    case ARM_NEVER: return false;
    case ARM_SEND: arm->result = weft_try_send(arm->object, arm->item); break;
    case ARM_RECEIVE: arm->result = weft_try_receive(arm->object, arm->item); break;
    case ARM_FUTURE: {
        struct future *future = NULL;

        if (!has_ended(select, arm->future, &future, &arm->result)) {
            arm->object = future;
            return false;
        }
        if (arm->item)
            *(int *)arm->item = arm->result;
        return true;
    }
    case ARM_TIME: arm->result = arm->moment <= select->now ? 0 : -EAGAIN; break;
    case ARM_EVENT: arm->result = weft__event_look(arm->object) ? 0 : -EAGAIN; break;
    }
    return arm->result != -EAGAIN;
}

/* Returns the index of the arm that was done, or -EAGAIN. */
static int try_all(const struct select *select)
{
    for (size_t i = 0; i < select->n; i++)
        if (try_arm(select, arm_in_turn(select, i)))
            return (int)arm_at(select, i)->turn;
    return -EAGAIN;
}

/* --- the wait ----------------------------------------------------------------------------------- */

/* Wins the wait for an arm that can be done, unless somebody was quicker. */
static enum meet win(struct arm *arm, int result)
{
    if (!weft__wake(&arm->waiter, 0))
        return MEET_LOST;
    arm->waiter.count = (uint32_t)result; /* in no line: nobody else looks at it */
    return MEET_DONE;
}

/* Does the arm if it can be done, or sees to it that it stands in its line. */
static enum meet visit(struct select *select, struct arm *arm)
{
    int status;

    switch (arm->kind) {
    case ARM_NEVER: break;
    case ARM_SEND: return weft__channel_meet_receiver(arm->object, &arm->waiter, &select->wait);
    case ARM_RECEIVE: return weft__channel_meet_sender(arm->object, &arm->waiter, &select->wait);
    case ARM_FUTURE:
        if (!weft__future_watch(arm->object, arm->future.generation, &arm->waiter, &status))
            return win(arm, status);
        break;
    case ARM_TIME:
        if (arm->moment <= weft_now())
            return win(arm, 0);
        break;
    case ARM_EVENT:
        if (!weft__event_watch(arm->object, &arm->waiter))
            return win(arm, 0);
        break;
    }
    return MEET_WAITS;
}

/* Visits all arms until each stands in its line, or one has won the wait. */
static void visit_all(struct select *select)
{
    uint32_t pause = 1;
    bool again = true;

    while (again) {
        again = false;
        for (size_t i = 0; i < select->n; i++) {
            enum meet meet = visit(select, arm_in_turn(select, i));

            if (meet == MEET_DONE || meet == MEET_LOST)
                return;
            again |= meet == MEET_MISSED;
        }
        if (again) {
            for (uint32_t i = next_random(select) % pause; i > 0; i--)
                spin_pause();
            pause = pause < 1024 ? pause * 2 : pause;
        }
    }
}

static void leave(struct arm *arm)
{
    switch (arm->kind) {
    case ARM_NEVER:
    case ARM_TIME: break;
    case ARM_SEND: weft__channel_leave_senders(arm->object, &arm->waiter); break;
    case ARM_RECEIVE: weft__channel_leave_receivers(arm->object, &arm->waiter); break;
    case ARM_FUTURE: weft__future_unwatch(arm->object, &arm->waiter); break;
    case ARM_EVENT: weft__event_unwatch(arm->object, &arm->waiter); break;
    }
}

static void on_moment(struct timer *timer)
{
    struct select *select = container_of(timer, struct select, timer);

    (void)weft__wake(&select->first_time->waiter, 0); /* false: won; it waits for our lock */
}

static int start_timer(struct select *select)
{
    if (!select->first_time || !select->wait.sleeper->task)
        return 0;
    return weft__timer_add_here(&select->timer, select->first_time->moment, on_moment);
}

/* Waits for the wake. Returns the index of the arm, or -ECANCELED. */
static int commit(struct select *select)
{
    bool is_task = select->wait.sleeper->task != NULL;

    if (select->first_time && !is_task) /* a plain thread has no timers */
        return weft__wait_commit_until(&select->wait, &select->first_time->waiter,
                                       select->first_time->moment);
    int rc = weft__wait_commit(&select->wait, WAIT_CANCELLABLE); /* suspends: worker, errno stale */
    if (select->first_time && is_task)
        weft__timer_remove(&select->timer);
    return rc;
}

static void finish(struct arm *arm)
{
    int count = (int)arm->waiter.count;

    arm->result = 0;
    if (arm->kind == ARM_SEND)
        arm->result = count == CHANNEL_MET ? 0 : -EPIPE;
    else if (arm->kind == ARM_RECEIVE)
        arm->result = count == CHANNEL_MET ? 1 : 0;
    else if (arm->kind == ARM_FUTURE)
        arm->result = count;
    if (arm->kind == ARM_FUTURE && arm->item)
        *(int *)arm->item = count;
}

static void begin(struct select *select)
{
    weft__wait_begin_cancellable(&select->wait);
    wait_is_for(&select->wait, "one of several");
    select->first_time = NULL;
    for (size_t i = 0; i < select->n; i++) {
        struct arm *arm = arm_in_turn(select, i);

        weft__wait_share(&select->wait, &arm->waiter, (uint16_t)arm_at(select, i)->turn);
        if (arm->kind == ARM_SEND || arm->kind == ARM_RECEIVE)
            arm->waiter.item = arm->item;
        if (arm->kind == ARM_TIME && arm->moment != WEFT_FOREVER &&
            (!select->first_time || arm->moment < select->first_time->moment))
            select->first_time = arm;
    }
}

static int wait_for_one(struct select *select)
{
    begin(select);
    int rc = start_timer(select);
    if (rc < 0) { /* nobody knows the waiters yet: ends the wait at once */
        (void)weft__wake(&select->wait, 0); /* false: cancelled */
        (void)weft__wait_commit(&select->wait, WAIT_FOR_SURE);
        return rc;
    }
    visit_all(select);
    rc = commit(select); /* suspends: worker, errno stale */
    for (size_t i = 0; i < select->n; i++)
        leave(arm_at(select, i));
    if (rc >= 0)
        finish(arm_at(select, (size_t)rc));
    return rc;
}

/* --- the calls ----------------------------------------------------------------------------------- */

enum how { HOW_FAIR, HOW_BIASED, HOW_AT_ONCE };

/* What the arms need is looked up once, and kept until the call returns. */
static void look_over(struct select *select)
{
    for (size_t i = 0; i < select->n; i++) {
        select->has_futures |= arm_at(select, i)->kind == ARM_FUTURE;
        select->has_times |= arm_at(select, i)->kind == ARM_TIME;
    }
    if (select->has_times)
        select->now = weft_now();
    if (select->has_futures) {
        select->outside = weft__runtime_enter(&select->runtime);
        if (select->outside < 0)
            select->runtime = NULL;
    }
}

static int select_one(weft_arm *arms, size_t n, enum how how)
{
    struct select select;

    if (n == 0 || n > WEFT_ARMS_MOST) {
        weft__explain("a select of %zu arms: 1 to %d are possible", n, WEFT_ARMS_MOST);
        return -EINVAL;
    }

    int rc = how == HOW_AT_ONCE ? 0 : weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    select.arms = arms;
    select.n = n;
    select.runtime = NULL;
    select.has_futures = select.has_times = false;
    look_over(&select);
    seed(&select);
    choose_order(&select, how == HOW_BIASED);
    rc = try_all(&select);
    if (rc == -EAGAIN && how != HOW_AT_ONCE)
        rc = wait_for_one(&select); /* suspends: worker, errno stale */
    if (select.runtime)
        weft__runtime_leave(select.runtime);
    return rc;
}

int weft_select_n(weft_arm *arms, size_t n) { return select_one(arms, n, HOW_FAIR); }

int weft_select_biased_n(weft_arm *arms, size_t n) { return select_one(arms, n, HOW_BIASED); }

int weft_try_select_n(weft_arm *arms, size_t n) { return select_one(arms, n, HOW_AT_ONCE); }

/* --- the arms ------------------------------------------------------------------------------------ */

static weft_arm arm_for(enum arm_kind kind, void *object, void *item)
{
    return (weft_arm){
        .weft__kind = object ? kind : ARM_NEVER, .weft__object = object, .weft__item = item};
}

weft_arm weft_on_send(weft_channel *channel, const void *item)
{
    return arm_for(ARM_SEND, channel, (void *)(uintptr_t)item); /* only read */
}

weft_arm weft_on_receive(weft_channel *channel, void *ret_item)
{
    return arm_for(ARM_RECEIVE, channel, ret_item);
}

weft_arm weft_on_future(weft_future future, int *ret_status)
{
    return (weft_arm){.weft__kind = ARM_FUTURE, .weft__item = ret_status, .weft__future = future};
}

weft_arm weft_on_time(weft_time moment)
{
    return (weft_arm){.weft__kind = moment == WEFT_FOREVER ? ARM_NEVER : ARM_TIME,
                      .weft__moment = moment};
}

weft_arm weft_on_event(weft_event *event) { return arm_for(ARM_EVENT, event, NULL); }
