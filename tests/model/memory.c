/*
 * memory - each location as the list of all that was ever written to it, and who may still see what.
 *
 *     deque->tail   0 ----- 1 ----- 2 ----- 1        the writes, oldest first (modification order)
 *                           ^               ^
 *                  thief may see these:  its floor, up to the newest
 *
 * A load takes any write from the floor of its thread on, and raises the floor. A release write carries the
 * view of its thread (all its floors, and its clocks for plain data); an acquire load that sees it joins
 * that view to its own. A read-modify-write reads the newest write, and passes on the view that this
 * carries (release sequence; plain writes of the same thread do not, as in C++20). A compare-and-swap
 * that fails is a load, and may have seen any older write that differs.
 *
 * Sequentially consistent accesses are both, and more: see total.c.
 *
 * No load sees a write that is executed after it. C11 would let it, if nothing orders the load before the
 * write ("load buffering"). If the write does not depend on the load, another schedule has the write first. If
 * it does, the execution fails here (`check_buffering`): so that no program passes that needs the ban.
 * The modification order of a location is the order of execution. There are no fences, since weft has none.
 */
#include <string.h>

#include "core/atomic.h"
#include "tests/model/undo.h"

struct write {
    uint64_t value, name; /* trace.c */
    uint8_t thread;
    int16_t event; /* the sequentially consistent one that it is; -1: none */
    bool carries;  /* `view` is there */
    struct past past;
    struct view view; /* what it tells who acquires it */
    struct set told;  /* the same, of sequentially consistent accesses */
};

struct location {
    uintptr_t at;
    unsigned bytes;
    unsigned count;
    unsigned last_seq; /* index of the last sequentially consistent write; 0: none */
    /* When each thread loaded it last, since it wrote it; with acquire, and without. 0: it did not. */
    uint16_t acquired[MODEL_THREADS + 1], loaded[MODEL_THREADS + 1];
    uint16_t *writes;
};

/* Who reads and writes an address, over all executions of a scenario: where only one thread comes nobody
 * else can step in between. What is learnt in an execution counts from the next one on. */
struct users {
    uintptr_t at;
    uint8_t readers, writers, new_readers, new_writers;
};

#define WRITES    4096
#define SLOTS     1024 /* a power of two */
#define USER_MASK (4096 - 1)

static struct write writes[WRITES];
static unsigned write_count;
static struct location locations[MODEL_LOCATIONS];
static uint16_t writes_at[MODEL_LOCATIONS][MODEL_WRITES];
static unsigned location_count;
struct view memory_views[MODEL_THREADS + 1];
#define views memory_views
static struct past pasts[MODEL_THREADS + 1];

static struct slot {
    uint32_t execution;
    uint16_t location;
    uintptr_t at;
} slots[SLOTS];
static uint32_t execution;

#define TOKENS 64

/* What stands for a scheduler: who takes has seen all that the poster had. */
static struct token {
    const void *key;
    uint64_t name;
    unsigned count;
    struct view view;
    struct past past;
    struct set told;
} tokens[TOKENS];
static unsigned token_count;

static uintptr_t hints[8];
static unsigned hint_count;

static struct users users[USER_MASK + 1];
static bool has_grown;

/* --- views ----------------------------------------------------------------------------------- */

static void join(struct view *into, const struct view *from)
{
    for (unsigned i = 0; i < MODEL_LOCATIONS; i++)
        into->floor[i] = into->floor[i] > from->floor[i] ? into->floor[i] : from->floor[i];
    for (unsigned i = 0; i < 8; i++)
        into->clock[i] = into->clock[i] > from->clock[i] ? into->clock[i] : from->clock[i];
}

static void join_past(struct past *into, const struct past *from)
{
    for (unsigned i = 0; i < 8; i++)
        into->clock[i] = into->clock[i] > from->clock[i] ? into->clock[i] : from->clock[i];
}

void memory_reset(void)
{
    execution++;
    write_count = location_count = hint_count = token_count = 0;
    total_reset();
    memset(views, 0, sizeof views);
    memset(pasts, 0, sizeof pasts);
    for (unsigned i = 0; i <= MODEL_THREADS; i++)
        views[i].clock[i] = 1;
}

/* Writes stay as they are: those that are too many are only forgotten. */
void memory_copy(struct copy *copy)
{
    copy_part(copy, &write_count, sizeof write_count);
    copy_part(copy, &location_count, sizeof location_count);
    copy_part(copy, &token_count, sizeof token_count);
    copy_part(copy, locations, location_count * sizeof locations[0]);
    copy_part(copy, tokens, token_count * sizeof tokens[0]);
    copy_part(copy, views, sizeof views);
    copy_part(copy, pasts, sizeof pasts);
}

/* A thread knows all that the set-up did. */
void memory_thread_starts(unsigned thread)
{
    join(&views[thread], &views[MODEL_MAIN]);
    views[MODEL_MAIN].clock[MODEL_MAIN]++;
}

/* The check at the end knows all that the threads did. */
void memory_join_all(void)
{
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        join(&views[MODEL_MAIN], &views[i]);
    for (unsigned i = 0; i < location_count; i++)
        views[MODEL_MAIN].floor[i] = (uint8_t)(locations[i].count - 1);
}

/* --- who uses an address --------------------------------------------------------------------- */

static struct users *users_at(uintptr_t at)
{
    for (size_t i = at * 11400714819323198485u >> 52;; i = (i + 1) & USER_MASK) {
        if (users[i].at == at)
            return &users[i];
        if (!users[i].at) {
            users[i].at = at;
            return &users[i];
        }
    }
}

/* Lets others come before this access, if that can make a difference. */
static void point(const volatile void *at, bool writes_it)
{
    unsigned self = model_self();
    uint8_t me = (uint8_t)(1u << self);

    if (self == MODEL_MAIN)
        return;
    struct users *user = users_at((uintptr_t)at);
    uint8_t others = (uint8_t)((writes_it ? user->readers | user->writers : user->writers) & ~me);
    uint8_t *mine = writes_it ? &user->new_writers : &user->new_readers;
    if (!(*mine & me)) {
        *mine |= me;
        has_grown = true;
    }
    schedule_point(at, writes_it, others != 0);
}

bool memory_has_grown(void) { return has_grown; }

/* What was learnt counts from here on. */
void memory_grown_merge(void)
{
    for (unsigned i = 0; i <= USER_MASK; i++) {
        users[i].readers |= users[i].new_readers;
        users[i].writers |= users[i].new_writers;
    }
    has_grown = false;
}

void memory_forget(void)
{
    memset(users, 0, sizeof users);
    has_grown = false;
}

/* --- locations ------------------------------------------------------------------------------- */

static uint64_t in_memory(const volatile void *at, unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, (const void *)(uintptr_t)at, bytes);
    return value;
}

static uint64_t cut(uint64_t value, unsigned bytes)
{
    return bytes == 8 ? value : value & ((UINT64_C(1) << bytes * 8) - 1);
}

static struct write *newest(struct location *location)
{
    return &writes[location->writes[location->count - 1]];
}

static struct write *append(struct location *location, uint64_t value, unsigned thread)
{
    if (location->count == MODEL_WRITES || write_count == WRITES) {
        model_fail("the checker has no room for more writes");
        location->count--; /* set-up or check: the failure is recorded */
    }
    struct write *write = &writes[write_count];
    location->writes[location->count++] = (uint16_t)write_count++;
    write->value = value;
    write->thread = (uint8_t)thread;
    write->carries = false;
    memset(&write->past, 0, sizeof write->past);
    return write;
}

/* What plain code has put there counts for everybody: nobody may know the object meanwhile, else
 * plain.c finds a race. */
static void write_plainly(struct location *location, uint64_t value)
{
    struct write *write;
    uint64_t before = location->count ? newest(location)->name : location->at;

    write = append(location, value, MODEL_MAIN);
    write->name = trace_mix(before, value);
    for (unsigned i = 0; i <= MODEL_THREADS; i++)
        views[i].floor[location - locations] = (uint8_t)(location->count - 1);
}

static struct location *location_new(const volatile void *at, unsigned bytes)
{
    if (location_count == MODEL_LOCATIONS) {
        model_fail("the checker has no room for more locations");
        location_count--;
    }
    struct location *location = &locations[location_count++];
    location->at = (uintptr_t)at;
    location->bytes = bytes;
    location->writes = writes_at[location - locations];
    location->count = 0;
    location->last_seq = 0;
    memset(location->acquired, 0, sizeof location->acquired);
    memset(location->loaded, 0, sizeof location->loaded);
    write_plainly(location, in_memory(at, bytes));
    return location;
}

static struct location *location_at(const volatile void *at, unsigned bytes)
{
    size_t i = ((uintptr_t)at >> 2) * 11400714819323198485u >> 54;

    for (;; i = (i + 1) & (SLOTS - 1)) {
        struct slot *slot = &slots[i];

        if (slot->execution != execution || slot->location >= location_count ||
            locations[slot->location].at != slot->at) {
            struct location *fresh = location_new(at, bytes);

            *slot = (struct slot){execution, (uint16_t)(fresh - locations), (uintptr_t)at};
            return fresh;
        }
        if (slot->at == (uintptr_t)at) {
            struct location *location = &locations[slot->location];
            uint64_t now = in_memory(at, bytes);

            if (now != newest(location)->value)
                write_plainly(location, now);
            return location;
        }
    }
}

/* New variables live where others did: their former writes must not be seen. */
void memory_renew(const volatile void *at, size_t bytes)
{
    for (unsigned i = 0; i < location_count; i++)
        if (locations[i].at - (uintptr_t)at < bytes) {
            trace_note(newest(&locations[i])->name);
            write_plainly(&locations[i], in_memory((void *)locations[i].at, locations[i].bytes));
        }
}

/* --- accesses -------------------------------------------------------------------------------- */

static bool acquires(enum model_order order)
{
    return order == MODEL_ACQUIRE || order == MODEL_ACQ_REL || order == MODEL_SEQ;
}

static bool releases(enum model_order order)
{
    return order == MODEL_RELEASE || order == MODEL_ACQ_REL || order == MODEL_SEQ;
}

const char *order_name(enum model_order order)
{
    static const char *const names[] = {"relaxed", "acquire", "release", "acq_rel", "seq"};

    return names[order];
}

static unsigned number_of(const struct location *location)
{
    return (unsigned)(location - locations);
}

/* The writes that the running thread may see, newest first. Those older than the last that is sequentially
 * consistent are few, and seldom seen: each costs. Returns how many. */
static unsigned visible(struct location *location, enum model_order order, uint8_t *ret_indices)
{
    unsigned floor = views[model_self()].floor[number_of(location)], count = 0;

    total_step(number_of(location));
    if (order == MODEL_SEQ)
        total_look(number_of(location));
    for (unsigned i = location->count; i-- > floor;) {
        if (order == MODEL_SEQ && i < location->last_seq &&
            (!schedule_can_pay() || !total_may_see(number_of(location), i)))
            continue;
        ret_indices[count++] = (uint8_t)i;
    }
    return count;
}

static void see(struct location *location, unsigned index, enum model_order order)
{
    struct view *view = &views[model_self()];
    struct write *write = &writes[location->writes[index]];

    trace_note(write->name);
    view->floor[location - locations] = (uint8_t)index;
    (acquires(order) ? location->acquired : location->loaded)[model_self()] =
        view->clock[model_self()];
    join_past(&pasts[model_self()], &write->past);
    if (order == MODEL_SEQ && index < location->last_seq)
        schedule_pay();
    if (acquires(order) && write->carries) {
        join(view, &write->view);
        total_learn(number_of(location), &write->told);
    }
}

/* A write that depends on a load of the same location, which nothing orders before it: that load could
 * have seen the write. Unless seeing it would order the load after it: then what the write depends on
 * would have been seen before it was written. */
static void check_buffering(struct location *location, enum model_order order)
{
    unsigned self = model_self();

    for (unsigned i = 0; i < hint_count; i++)
        if (hints[i] == location->at)
            return;
    for (unsigned i = 0; i < MODEL_THREADS; i++) {
        uint16_t when = location->loaded[i];

        if (!releases(order) && location->acquired[i] > when)
            when = location->acquired[i];
        if (i != self && when && pasts[self].clock[i] >= when && views[self].clock[i] < when)
            model_fail("an earlier load of thread %u could see this write, which depends on it", i);
    }
    location->loaded[self] = location->acquired[self] = 0;
}

/* Appends a write of the running thread; `read` is the one that it replaces in one step, or NULL. */
static void put(struct location *location, uint64_t value, enum model_order order,
                const struct write *read, volatile void *at)
{
    unsigned self = model_self();
    struct view *view = &views[self];

    check_buffering(location, order);

    trace_note(newest(location)->name);

    struct write *write = append(location, value, self);
    unsigned index = location->count - 1;

    write->name = trace_own();
    view->floor[location - locations] = (uint8_t)index;
    if (order == MODEL_SEQ)
        location->last_seq = index;
    if (releases(order)) {
        write->carries = true;
        write->view = *view;
        total_tell(&write->told);
        if (read && read->carries) {
            join(&write->view, &read->view);
            set_join(&write->told, &read->told);
        }
    } else if (read && read->carries) {
        write->carries = true;
        write->view = read->view;
        write->told = read->told;
        if (write->view.floor[location - locations] < index)
            write->view.floor[location - locations] = (uint8_t)index;
    }
    pasts[self].clock[self] = view->clock[self]++;
    write->past = pasts[self];
    undo_note(at, location->bytes);
    memcpy((void *)(uintptr_t)at, &value, location->bytes);
}

uint64_t model_load(struct model_site *site, const volatile void *at, unsigned bytes)
{
    point(at, false);
    plain_touch(at, site->at);
    site->was_reached = true;

    struct location *location = location_at(at, bytes);
    uint8_t indices[MODEL_WRITES];
    unsigned index = indices[schedule_read(visible(location, site->order, indices))];
    unsigned back = location->count - 1 - index;
    uint64_t value = writes[location->writes[index]].value;

    if (schedule_is_told())
        story_add(model_self(), site, back ? "%#lx, %u old" : "%#lx", value, back);
    see(location, index, site->order);
    if (site->order == MODEL_SEQ)
        total_event(number_of(location), index, true, false);
    return value;
}

void model_store(struct model_site *site, volatile void *at, unsigned bytes, uint64_t value)
{
    point(at, true);
    plain_touch(at, site->at);
    site->was_reached = true;
    value = cut(value, bytes);
    if (schedule_is_told())
        story_add(model_self(), site, "%#lx", value);

    struct location *location = location_at(at, bytes);

    total_step(number_of(location));
    if (site->order == MODEL_SEQ)
        total_look(number_of(location));
    put(location, value, site->order, NULL, at);
    if (site->order == MODEL_SEQ)
        total_event(number_of(location), location->count - 1, false, true);
}

static uint64_t changed(uint64_t old, int what, uint64_t value)
{
    switch (what) {
    case MODEL_XCHG: return value;
    case MODEL_ADD: return old + value;
    case MODEL_SUB: return old - value;
    default: return old | value;
    }
}

uint64_t model_change(struct model_site *site, volatile void *at, unsigned bytes, int what,
                      uint64_t value)
{
    point(at, true);
    plain_touch(at, site->at);
    site->was_reached = true;

    struct location *location = location_at(at, bytes);
    struct write *read = newest(location);
    uint64_t old = read->value, new = cut(changed(old, what, value), bytes);

    if (schedule_is_told())
        story_add(model_self(), site, "%#lx -> %#lx", old, new);
    total_step(number_of(location));
    if (site->order == MODEL_SEQ)
        total_look(number_of(location));
    see(location, location->count - 1, site->order);
    put(location, new, site->order, read, at);
    if (site->order == MODEL_SEQ)
        total_event(number_of(location), location->count - 1, true, true);
    return old;
}

/* Which write a compare-and-swap reads: the newest, or an older one with which it fails. */
static unsigned choose_compared(struct location *location, enum model_order order,
                                uint64_t expected)
{
    uint8_t indices[MODEL_WRITES];
    unsigned count = visible(location, order, indices), options = 0;

    for (unsigned i = 0; i < count; i++)
        if (i == 0 || writes[location->writes[indices[i]]].value != expected)
            indices[options++] = indices[i];
    return indices[schedule_read(options)];
}

bool model_cas(struct model_site *site, volatile void *at, unsigned bytes, uint64_t *expected,
               uint64_t desired)
{
    point(at, true);
    plain_touch(at, site->at);
    site->was_reached = true;

    uint64_t wanted = cut(*expected, bytes);
    struct location *location = location_at(at, bytes);
    unsigned index = choose_compared(location, site->order, wanted);
    struct write *read = &writes[location->writes[index]];
    bool done = read->value == wanted;

    if (schedule_is_told())
        story_add(model_self(), site, done ? "%#lx -> %#lx" : "%#lx, not %#lx: fails", read->value,
                  done ? cut(desired, bytes) : wanted);
    see(location, index, site->order);
    if (done)
        put(location, cut(desired, bytes), site->order, read, at);
    else
        *expected = read->value;
    if (site->order == MODEL_SEQ)
        total_event(number_of(location), done ? location->count - 1 : index, true, done);
    return done;
}

/* --- futex ----------------------------------------------------------------------------------- */

int weft__futex_wait(_Atomic uint32_t *at, uint32_t expected, int64_t ns)
{
    static struct model_site site = {"futex",       0,     "",    "wait", "word",
                                     MODEL_RELAXED, false, false, 0};

    (void)ns;
    point(at, true);
    plain_touch(at, "futex");

    struct write *write = newest(location_at(at, 4));
    uint64_t value = write->value;

    trace_note(write->name);
    if (schedule_is_told())
        story_add(model_self(), &site, value == expected ? "%#lx: sleeps" : "%#lx: goes on", value);
    if (value == expected)
        model_sleep(at);
    return 0;
}

void weft__futex_wake(_Atomic uint32_t *at, int count)
{
    static struct model_site site = {"futex",       0,     "",    "wake", "word",
                                     MODEL_RELAXED, false, false, 0};

    point(at, true);
    if (schedule_is_told())
        story_add(model_self(), &site, "%lu", (unsigned long)count);
    model_wake(at, (unsigned)count);
}

void model_hint(const volatile void *at)
{
    if (hint_count == sizeof hints / sizeof hints[0])
        model_fail("the checker has no room for more hints");
    else
        hints[hint_count++] = (uintptr_t)at;
}

/* --- tokens ---------------------------------------------------------------------------------- */

static struct token *token_at(const void *key)
{
    for (unsigned i = 0; i < token_count; i++)
        if (tokens[i].key == key)
            return &tokens[i];
    if (token_count == TOKENS) {
        model_fail("the checker has no room for more tokens");
        token_count--;
    }
    tokens[token_count] = (struct token){.key = key};
    return &tokens[token_count++];
}

void model_post(const void *key, const char *what)
{
    static struct model_site site = {"token", 0, "", "post", "", MODEL_RELEASE, false, false, 0};
    unsigned self = model_self();

    point(key, true);
    if (schedule_is_told())
        story_add(self, &site, "%s", what);

    struct token *token = token_at(key);
    struct set told;

    trace_note(token->name);
    token->name = trace_own();
    total_tell(&told);
    set_join(&token->told, &told);
    join(&token->view, &views[self]);
    pasts[self].clock[self] = views[self].clock[self]++;
    join_past(&token->past, &pasts[self]);
    token->count++;
    model_wake(token, 1);
}

void model_take(const void *key, const char *what)
{
    static struct model_site site = {"token", 0, "", "take", "", MODEL_ACQUIRE, false, false, 0};
    unsigned self = model_self();

    point(key, true);
    if (schedule_is_told())
        story_add(self, &site, "%s", what);

    struct token *token = token_at(key);

    while (token->count == 0)
        model_sleep(token);

    trace_note(token->name);
    token->name = trace_own();
    token->count--;
    join(&views[self], &token->view);
    join_past(&pasts[self], &token->past);
    total_learn(MODEL_LOCATIONS, &token->told);
}
