/*
 * edges - see edges.h: the walk from one edge, and what is told of a circle.
 */
#include "core/edges.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/scope.h"
#include "core/worker.h"

/* So many edges of a circle are named one by one. */
#define NAMED_MOST 12u

/* In place of a step. */
#define NOWHERE UINT32_MAX

/* What a circle looked like; for the time after the lock. */
struct circle {
    uint32_t length;
    uint32_t answers;                 /* the first step whose call can answer; NOWHERE: none */
    const char *victim, *victim_call; /* its task and call; NULL: none */
    bool is_news;                     /* false: two closed it at once, and the other has told it */
    struct {
        const char *site;
        const struct edge_call *call;
        const void *object;
    } named[NAMED_MOST];
};

typedef bool (*visitor)(void *context, struct future *task);

/* --- what an edge leads to ------------------------------------------------------------------- */

static struct future *owner_of(struct runtime *runtime, uint64_t owner)
{
    uint32_t slot = (uint32_t)owner >> OWNER_SLOT_SHIFT;
    struct future *future =
        owner & OWNER_THREAD || !slot ? NULL : weft__slab_at(&runtime->slab, slot);

    if (future && future_generation(load_seq(&future->state)) != (uint32_t)(owner >> 32))
        return NULL;
    return future;
}

static bool each_future(struct runtime *runtime, const struct edge *edge, visitor visit,
                        void *context)
{
    for (size_t i = 0; i < edge->count; i++) {
        weft_future handle = edge->futures[i];
        struct future *future = handle.slot ? weft__slab_at(&runtime->slab, handle.slot) : NULL;

        if (future && future_generation(load_seq(&future->state)) == handle.generation &&
            visit(context, future))
            return true;
    }
    return false;
}

static bool each_member(struct scope *scope, visitor visit, void *context)
{
    bool found = false;

    lock_acquire(scope->tree);
    for (struct link *link = scope->members.first; link && !found; link = link->next)
        found = visit(context, &container_of(link, struct task, home_link)->future);
    lock_release(scope->tree);
    return found;
}

/* Shows each task that the edge leads to until one is the right one. Returns whether one was. */
static bool each_task(struct runtime *runtime, const struct edge *edge, visitor visit,
                      void *context)
{
    struct future *owner;

    switch (edge->call->kind) {
    case EDGE_MUTEX:
        owner = owner_of(runtime, load_seq(edge->owner));
        return owner && visit(context, owner);
    case EDGE_FUTURES: return each_future(runtime, edge, visit, context);
    case EDGE_SCOPE: return each_member(edge->scope, visit, context);
    }
    return false;
}

/* Whether the task is a member of the scope that is being closed: told without its list, which may be
 * long. */
static bool is_member(struct future *task, const struct edge *edge)
{
    return edge->call->kind == EDGE_SCOPE && ((struct task *)(void *)task)->home == edge->scope;
}

/* --- the walk -------------------------------------------------------------------------------- */

/* Lets the others go on between two looks of a walk, in tests. */
static void be_slow(void)
{
    for (int i = 0; i < TUNE_WALK_PAUSE; i++)
        spin_pause();
}

/* Whether the task waits, and has laid an edge; and in which wait. */
static bool has_edge(struct future *task, uint32_t *ret_seq)
{
    return weft__sleeper_waits(&task->sleeper, ret_seq) &&
           load_relaxed(&task->waits_for); /* relaxed: published by the word, E2 */
}

/* The edge of a task that is still in that wait, pinned; NULL if it is over. Under the lock. */
static struct edge *pin(struct future *task, uint32_t seq)
{
    uint32_t now;

    be_slow();
    store_seq(&task->pinned, 1); /* E1: before the look at the word */
    if (has_edge(task, &now) && now == seq) {
        struct edge *edge = load_relaxed(&task->waits_for); /* relaxed: as in has_edge */

        if (edge) /* else the wait has ended just now */
            return edge;
    }
    store_seq(&task->pinned, 0);
    return NULL;
}

static void unpin(struct future *task) { store_seq(&task->pinned, 0); }

void weft__edge_unpin(struct sleeper *sleeper)
{
    struct edges *edges = &sleeper->runtime->edges;

    lock_acquire(&edges->lock); /* the walker has let go of everything when it lets go of this */
    lock_release(&edges->lock);
}

struct walk {
    struct edges *edges;
    uint32_t at;   /* the step whose edge is being looked at */
    uint32_t last; /* the step that leads back to the walker */
};

/* Remembers a task that waits as well. The place of a task in steps[] is believed only if that step
 * is the task's: so nothing is cleared between walks. */
static void remember(struct walk *walk, struct future *task)
{
    struct edges *edges = walk->edges;
    uint32_t seq;

    if (task->walk_place < edges->count && edges->steps[task->walk_place].task == task)
        return;
    be_slow();
    if (edges->count == TUNE_WALK_STEPS || !has_edge(task, &seq))
        return;
    task->walk_place = edges->count;
    edges->steps[edges->count++] = (struct step){.task = task, .seq = seq, .from = walk->at};
}

/* Returns true to end the walk: back at the walker, or too far. */
static bool meet(void *context, struct future *task)
{
    struct walk *walk = context;

    if (task == walk->edges->steps[0].task) {
        walk->last = walk->at;
        return true;
    }
    if (walk->at > 0) { /* one's own list may be as long as one likes */
        if (walk->edges->looks == 0)
            return true;
        walk->edges->looks--;
    }
    remember(walk, task);
    return false;
}

/* Returns the step that leads back to the walker, or NOWHERE. Under the lock. */
static uint32_t search(struct runtime *runtime, struct waiter *waiter, const struct edge *edge)
{
    struct edges *edges = &runtime->edges;
    struct walk walk = {.edges = edges, .last = NOWHERE};
    struct future *self = (struct future *)(void *)waiter->sleeper->task;
    bool over = false;

    edges->steps[0] = (struct step){.task = self, .seq = waiter->seq};
    edges->count = 1;
    edges->looks = TUNE_WALK_LOOKS;
    self->walk_place = 0;
    for (; walk.at < edges->count && !over; walk.at++) {
        struct step *step = &edges->steps[walk.at];
        const struct edge *its = walk.at == 0 ? edge : pin(step->task, step->seq);

        if (!its)
            continue; /* it goes on */
        over = is_member(self, its) ? meet(&walk, self) : each_task(runtime, its, meet, &walk);
        if (walk.at > 0)
            unpin(step->task);
    }
    return walk.last;
}

/* --- believing it ---------------------------------------------------------------------------- */

/* Chains the steps of the circle in the order of waiting. Returns how many they are. */
static uint32_t chain(struct edges *edges, uint32_t last)
{
    uint32_t length = 1;

    edges->steps[last].next = 0;
    for (uint32_t at = last; at != 0; at = edges->steps[at].from, length++)
        edges->steps[edges->steps[at].from].next = at;
    return length;
}

/* Whether the pinned edge of a step still leads to the next one. A future that has not ended and a
 * member stay what they are; only a mutex can have changed hands. */
static bool still_leads(struct runtime *runtime, const struct edge *edge, struct future *next)
{
    return edge->call->kind != EDGE_MUTEX || owner_of(runtime, load_seq(edge->owner)) == next;
}

static void put_down(struct circle *circle, uint32_t place, uint32_t at, struct future *task,
                     struct edge *edge)
{
    circle->is_news |= !edge->told;
    edge->told = true;
    if (edge->call->answers && circle->answers == NOWHERE) {
        circle->answers = at;
        circle->victim = future_site(task);
        circle->victim_call = edge->call->name;
    }
    if (place >= NAMED_MOST)
        return;
    circle->named[place].site = future_site(task);
    circle->named[place].call = edge->call;
    circle->named[place].object = edge->call->kind == EDGE_MUTEX ? edge->mutex : edge->scope;
}

/* The second reading (I2). Returns whether the circle is real, and has not been told before: where no
 * call can answer it stays. Under the lock. */
static bool read_again(struct runtime *runtime, uint32_t last, struct circle *ret_circle)
{
    struct edges *edges = &runtime->edges;
    uint32_t at = 0;

    *ret_circle = (struct circle){.length = chain(edges, last), .answers = NOWHERE};
    for (uint32_t place = 0; place < ret_circle->length; place++) {
        struct step *step = &edges->steps[at];
        struct edge *edge = pin(step->task, step->seq);
        bool leads = edge && still_leads(runtime, edge, edges->steps[step->next].task);

        if (leads)
            put_down(ret_circle, place, at, step->task, edge);
        if (edge)
            unpin(step->task);
        if (!leads)
            return false;
        at = step->next;
    }
    return ret_circle->is_news;
}

/* --- telling it ------------------------------------------------------------------------------ */

/* "task a (x.c:12) waits in weft_lock for the mutex at 0x5555 of task b (x.c:15)" */
static void describe(const struct circle *circle, uint32_t place, char *ret_words, size_t bytes)
{
    uint32_t next = place + 1 == circle->length ? 0 : place + 1;
    const char *from = circle->named[place].site;
    const char *to = next < NAMED_MOST ? circle->named[next].site : "one more";
    const char *call = circle->named[place].call->name;
    const void *object = circle->named[place].object;

    /* a cut sentence is still one */
    switch (circle->named[place].call->kind) {
    case EDGE_MUTEX:
        (void)snprintf(ret_words, bytes, "task %s waits in %s for the mutex at %p of task %s", from,
                       call, object, to);
        break;
    case EDGE_FUTURES:
        (void)snprintf(ret_words, bytes, "task %s waits in %s for task %s", from, call, to);
        break;
    case EDGE_SCOPE:
        (void)snprintf(ret_words, bytes, "task %s waits in %s, scope at %p, for task %s", from,
                       call, object, to);
        break;
    }
}

/* All of it in one sentence, for weft_why() of who answers. Under the lock. */
static void keep_sentence(struct edges *edges, const struct circle *circle)
{
    size_t used =
        (size_t)snprintf(edges->why, sizeof edges->why, "%u waits form a circle", circle->length);

    for (uint32_t i = 0; i < circle->length && i < NAMED_MOST; i++) {
        if (used + 3 >= sizeof edges->why)
            return; /* cut */
        memcpy(edges->why + used, i ? "; " : ": ", 3);
        describe(circle, i, edges->why + used + 2, sizeof edges->why - used - 2);
        used += strlen(edges->why + used);
    }
}

static void report(struct runtime *runtime, const struct circle *circle)
{
    const char *form = circle->length == 1 ? "wait forms" : "waits form";

    if (circle->victim)
        weft__report(runtime, "deadlock: %u %s a circle; %s of task %s answers -EDEADLK",
                     circle->length, form, circle->victim_call, circle->victim);
    else
        weft__report(runtime,
                     "deadlock: %u %s a circle, and none of the calls can answer: they wait until "
                     "something else ends one of them",
                     circle->length, form);
    for (uint32_t i = 0; i < circle->length && i < NAMED_MOST; i++) {
        char words[400];

        describe(circle, i, words, sizeof words);
        weft__report(runtime, "deadlock, wait %u of %u: %s", i + 1, circle->length, words);
    }
}

int weft__edge_answer(const struct waiter *waiter)
{
    struct edges *edges = &waiter->sleeper->runtime->edges;
    struct future *self = (struct future *)(void *)waiter->sleeper->task;

    lock_acquire(&edges->lock);
    if (edges->victim == self && edges->victim_seq == waiter->seq)
        weft__explain("%s", edges->why);
    else
        weft__explain("this wait was part of a circle of waits: see the reports");
    lock_release(&edges->lock);
    return -EDEADLK;
}

/* --- the check ------------------------------------------------------------------------------- */

/* Wakes the call that is to answer, if any can. Returns false if its wait has just ended otherwise:
 * then there is no circle any more. Under the lock. */
static bool choose(struct edges *edges, const struct circle *circle)
{
    if (circle->answers == NOWHERE)
        return true;

    struct step *step = &edges->steps[circle->answers];

    edges->victim = step->task; /* before the wake: it asks for the sentence */
    edges->victim_seq = step->seq;
    keep_sentence(edges, circle);
    be_slow();
    return weft__wake_sleeper(&step->task->sleeper, step->seq, WAKE_DEADLOCK);
}

static bool waits_too(void *self, struct future *task)
{
    uint32_t seq;

    return task == self || has_edge(task, &seq);
}

/* As each_task with waits_too, short: most waits for a mutex end here. */
static bool owner_waits_too(struct runtime *runtime, _Atomic uint64_t *word, struct future *self)
{
    uint64_t owner = load_seq(word);
    uint32_t slot = (uint32_t)owner >> OWNER_SLOT_SHIFT;
    struct future *task = owner & OWNER_THREAD ? NULL : weft__slab_at(&runtime->slab, slot);

    return task && waits_too(self, task); /* of a later user of the slot: no harm */
}

static __attribute__((noinline)) void walk_slow(struct runtime *runtime, struct waiter *waiter,
                                                const struct edge *edge)
{
    struct circle circle;

    lock_acquire(&runtime->edges.lock);
    uint32_t last = search(runtime, waiter, edge);
    bool is_real =
        last != NOWHERE && read_again(runtime, last, &circle) && choose(&runtime->edges, &circle);
    lock_release(&runtime->edges.lock);
    if (is_real)
        report(runtime, &circle);
}

void weft__edge_check(struct waiter *waiter, const struct edge *edge)
{
    struct task *task = waiter->sleeper->task;
    struct runtime *runtime = waiter->sleeper->runtime;

    if (task &&
        (edge->call->kind == EDGE_MUTEX ? owner_waits_too(runtime, edge->owner, &task->future)
                                        : each_task(runtime, edge, waits_too, &task->future)))
        walk_slow(runtime, waiter, edge);
}

void weft__edge_check_one(struct waiter *waiter, const struct edge *edge, struct future *future)
{
    struct sleeper *sleeper = waiter->sleeper;

    if (sleeper->task && waits_too(&sleeper->task->future, future))
        walk_slow(sleeper->runtime, waiter, edge);
}
