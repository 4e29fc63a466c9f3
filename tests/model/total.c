/*
 * total - the order of the sequentially consistent accesses, as C++20 and RC11 have it.
 *
 * C11 speaks of one total order of all these accesses. It is enough that one could be drawn: that the
 * edges which it must respect form no circle. So we keep the edges, not an order. Between two such
 * accesses a and b there is one
 *
 *     if a stands before b in its thread;
 *     if something behind a in its thread happened before something ahead of b in b's;
 *     at one location: if a happened before b; if a wrote before b wrote; if a read what b overwrote.
 *
 * A load that would close a circle may not see that write. So a load may see an old write although a newer
 * one is sequentially consistent and has been executed, if only nothing ties the two together: where other
 * checkers take the order of execution for the total order, they miss what such programs may do.
 *
 * `before` of each event holds all from which a path leads to it.
 */
#include <string.h>

#include "tests/model/engine.h"
#include "tests/model/undo.h"

#define EVENTS (64 * MODEL_SET_WORDS)
#define NONE   0xffff

struct event {
    uint8_t thread, location, index; /* index of the write that it read or made */
    bool writes;
    uint16_t clock;
    uint16_t earlier; /* the one before it at this location */
    struct set before;
};

static struct event events[EVENTS];
static unsigned event_count;
static uint16_t latest[MODEL_LOCATIONS];
static uint16_t own[MODEL_THREADS + 1];        /* the last event of the thread */
static struct set received[MODEL_THREADS + 1]; /* what it knows of others' through happens-before */
static struct set
    fresh[MODEL_THREADS + 1]; /* the same, from its last access: not yet for that location */
static uint8_t fresh_at[MODEL_THREADS + 1];
static unsigned words;  /* of sets, that are in use */
static struct set past; /* from which a path leads to the step that is being made */

static bool has(const struct set *set, unsigned event)
{
    return set->bits[event / 64] >> event % 64 & 1;
}

static void add(struct set *set, unsigned event)
{
    set->bits[event / 64] |= UINT64_C(1) << event % 64;
}

void set_join(struct set *into, const struct set *from)
{
    for (unsigned i = 0; i < words; i++)
        into->bits[i] |= from->bits[i];
}

/* An event and all before it. */
static void add_chain(struct set *set, unsigned event)
{
    if (has(set, event))
        return;
    add(set, event);
    set_join(set, &events[event].before);
}

void total_reset(void)
{
    event_count = 0;
    words = 1;
    memset(latest, 0xff, sizeof latest);
    memset(own, 0xff, sizeof own);
    memset(received, 0, sizeof received);
    memset(fresh, 0, sizeof fresh);
}

void total_copy(struct copy *copy)
{
    copy_part(copy, &event_count, sizeof event_count);
    copy_part(copy, &words, sizeof words);
    copy_part(copy, latest, sizeof latest);
    copy_part(copy, own, sizeof own);
    copy_part(copy, received, sizeof received);
    copy_part(copy, fresh, sizeof fresh);
    copy_part(copy, fresh_at, sizeof fresh_at);
    copy_part(copy, &past, sizeof past); /* a load looks, chooses, and then says what it saw */
}

/* Adds the members of `from` and all before them, newest first: these cover most of the rest. */
static void add_chains(struct set *set, const struct set *from)
{
    for (unsigned word = words; word-- > 0;)
        for (uint64_t left; (left = from->bits[word] & ~set->bits[word]) != 0;)
            add_chain(set, word * 64 + 63 - (unsigned)__builtin_clzll(left));
}

void total_step(unsigned location)
{
    unsigned self = model_self();

    if (fresh_at[self] != location) {
        set_join(&received[self], &fresh[self]);
        memset(&fresh[self], 0, sizeof fresh[self]);
    }
}

/* What ties the step of the running thread at this location to earlier events. Behind a write stand all events
 * that were at the location before it: they need not be looked at. */
void total_look(unsigned location)
{
    unsigned self = model_self();
    const struct view *view = &memory_views[self];

    memset(&past, 0, sizeof past);
    if (self == MODEL_MAIN)
        return;
    if (own[self] != NONE)
        add_chain(&past, own[self]);
    add_chains(&past, &received[self]);
    for (unsigned i = latest[location]; i != NONE; i = events[i].earlier)
        if (events[i].clock <= view->clock[events[i].thread]) {
            add_chain(&past, i);
            if (events[i].writes)
                break;
        }
}

/* Whether the event is not older than the write of that index. */
static bool is_since(unsigned event, unsigned index)
{
    return event != NONE && !(events[event].writes && events[event].index < index);
}

bool total_may_see(unsigned location, unsigned index)
{
    struct set with = past;

    for (unsigned i = latest[location]; is_since(i, index); i = events[i].earlier)
        if (events[i].writes && events[i].index == index)
            add_chain(&with, i);
    for (unsigned i = latest[location]; is_since(i, index); i = events[i].earlier)
        if (events[i].writes && events[i].index > index && has(&with, i))
            return false;
    return true;
}

/* b reads what `later` has overwritten: all before b is before that, and before all behind that. */
static void put_before(unsigned later, unsigned b)
{
    struct set chain = events[b].before;

    add(&chain, b);
    for (unsigned i = 0; i < event_count; i++)
        if (i == later || has(&events[i].before, later))
            undo_note(&events[i].before, words * sizeof chain.bits[0]),
                set_join(&events[i].before, &chain);
}

/* total_look came before. Read: it saw the write of that index. Written: that is its own, the newest. */
void total_event(unsigned location, unsigned index, bool reads, bool writes)
{
    unsigned self = model_self(), number = event_count;
    struct event *event = &events[number];

    if (self == MODEL_MAIN)
        return;
    if (event_count == EVENTS) {
        model_fail("the checker has no room for more sequentially consistent accesses");
        return;
    }
    event_count++;
    words = number / 64 + 1;
    *event = (struct event){(uint8_t)self,
                            (uint8_t)location,
                            (uint8_t)index,
                            writes,
                            memory_views[self].clock[self],
                            latest[location],
                            past};
    for (unsigned i = latest[location]; writes && i != NONE; i = events[i].earlier) {
        add_chain(&event->before, i);
        if (events[i].writes)
            break;
    }
    for (unsigned i = latest[location]; !writes && is_since(i, index); i = events[i].earlier)
        if (events[i].writes && events[i].index == index)
            add_chain(&event->before, i);
    for (unsigned i = latest[location]; reads && !writes && is_since(i, index);
         i = events[i].earlier)
        if (events[i].writes && events[i].index > index)
            put_before(i, number);
    latest[location] = (uint16_t)number;
    own[self] = (uint16_t)number;
}

/* What a release write at this location tells of events; its own event is not yet there. */
void total_tell(struct set *ret_set)
{
    unsigned self = model_self();

    *ret_set = received[self];
    if (self == MODEL_MAIN)
        return;
    set_join(ret_set, &fresh[self]);
    if (own[self] != NONE) /* the others of the thread are before it */
        add(ret_set, own[self]);
}

void total_learn(unsigned location, const struct set *told)
{
    unsigned self = model_self();

    if (self == MODEL_MAIN)
        return;
    fresh_at[self] = (uint8_t)location;
    set_join(&fresh[self], told);
}
