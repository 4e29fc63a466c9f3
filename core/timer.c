/*
 * timer - see timer.h.
 */
#include "core/timer.h"

#include <errno.h>
#include <stddef.h>

#include "core/sys.h"
#include "core/worker.h"

#define ARITY 4u

/* So many struck out entries are never too many. */
#define STRUCK_MOST 64u

void weft__timers_init(struct timers *timers)
{
    *timers = (struct timers){.capacity = 0};
    store_relaxed(&timers->first, INT64_MAX); /* relaxed: nobody else knows it yet */
}

void weft__timers_destroy(struct timers *timers) { weft__sys_free(timers->entries); }

static void put(struct timers *timers, uint32_t place, struct timer_entry entry)
{
    timers->entries[place] = entry;
    if (entry.timer)
        entry.timer->place = place + 1;
}

static void sift_up(struct timers *timers, uint32_t place, struct timer_entry entry)
{
    while (place > 0) {
        uint32_t parent = (place - 1) / ARITY;

        if (timers->entries[parent].deadline <= entry.deadline)
            break;
        put(timers, place, timers->entries[parent]);
        place = parent;
    }
    put(timers, place, entry);
}

static void sift_down(struct timers *timers, uint32_t place, struct timer_entry entry)
{
    for (;;) {
        uint32_t least = place;
        int64_t deadline = entry.deadline;
        uint64_t child = (uint64_t)place * ARITY + 1;

        for (uint64_t end = child + ARITY; child < end && child < timers->count; child++)
            if (timers->entries[child].deadline < deadline) {
                least = (uint32_t)child;
                deadline = timers->entries[child].deadline;
            }
        if (least == place)
            break;
        put(timers, place, timers->entries[least]);
        place = least;
    }
    put(timers, place, entry);
}

static void publish_first_locked(struct timers *timers)
{
    /* relaxed: the worker itself reads it. Others make it later, which wakes it too early, or earlier:
     * then they wake it under idle.lock (park.c), which it takes before it reads this and sleeps */
    store_relaxed(&timers->first, timers->count ? timers->entries[0].deadline : INT64_MAX);
}

static void place_locked(struct timers *timers, uint32_t place, struct timer_entry entry)
{
    if (place > 0 && entry.deadline < timers->entries[(place - 1) / ARITY].deadline)
        sift_up(timers, place, entry);
    else
        sift_down(timers, place, entry);
}

static uint32_t count_struck_locked(struct timers *timers, int change)
{
    /* relaxed: under the lock; without it the worker reads what it has written itself, or what somebody
     * has made less since */
    uint32_t struck = load_relaxed(&timers->struck) + (uint32_t)change;

    store_relaxed(&timers->struck, struck); /* relaxed: as above */
    return struck;
}

static void remove_locked(struct timers *timers, uint32_t place)
{
    struct timer *timer = timers->entries[place].timer;
    struct timer_entry last = timers->entries[--timers->count];

    if (timer)
        timer->place = 0;
    else
        count_struck_locked(timers, -1);
    if (place < timers->count)
        place_locked(timers, place, last);
}

/* Those that are struck out leave the top. */
static void tidy_locked(struct timers *timers)
{
    while (timers->count > 0 && !timers->entries[0].timer)
        remove_locked(timers, 0);
}

/* And all others. */
static void compact_locked(struct timers *timers)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < timers->count; i++)
        if (timers->entries[i].timer)
            timers->entries[count++] = timers->entries[i];
    timers->count = count;
    store_relaxed(&timers->struck, 0); /* relaxed: see count_struck_locked */
    while (count-- > 0)
        sift_down(timers, count, timers->entries[count]);
}

static void strike_out_locked(struct timers *timers, struct timer *timer)
{
    uint32_t place = timer->place - 1;

    timer->place = 0;
    if (place == timers->count - 1) {
        timers->count--;
        return;
    }
    timers->entries[place].timer = NULL;
    uint32_t struck = count_struck_locked(timers, 1);
    if (struck > STRUCK_MOST && struck > timers->count / 2)
        compact_locked(timers);
}

static int grow_locked(struct timers *timers)
{
    uint32_t capacity = timers->capacity ? timers->capacity * 2 : 64;
    struct timer_entry *entries = weft__sys_realloc(timers->entries, capacity * sizeof *entries);

    if (!entries)
        return -ENOMEM;
    timers->entries = entries;
    timers->capacity = capacity;
    return 0;
}

int weft__timer_add(struct timers *timers, struct timer *timer, int64_t deadline,
                    void (*fire)(struct timer *))
{
    int rc = 0;

    timer->deadline = deadline;
    timer->timers = timers;
    timer->fire = fire;
    lock_acquire(&timers->lock);
    if (timers->count == timers->capacity)
        rc = grow_locked(timers);
    if (rc == 0) {
        sift_up(timers, timers->count++, (struct timer_entry){deadline, timer});
        publish_first_locked(timers);
    }
    lock_release(&timers->lock);
    return rc;
}

int weft__timer_move(struct timer *timer, int64_t deadline)
{
    struct timers *timers = timer->timers;
    int rc = -ENOENT;

    lock_acquire(&timers->lock);
    if (timer->place) {
        int64_t before = timers->entries[0].deadline;

        timer->deadline = deadline;
        place_locked(timers, timer->place - 1, (struct timer_entry){deadline, timer});
        tidy_locked(timers);
        publish_first_locked(timers);
        rc = timers->entries[0].deadline < before;
    }
    lock_release(&timers->lock);
    return rc;
}

void weft__timer_remove(struct timer *timer)
{
    struct timers *timers = timer->timers;
    struct carrier *carrier = weft__carrier();
    uint32_t was;
    struct worker *worker = carrier_enter(carrier, &was);

    lock_acquire(&timers->lock);
    if (timer->place) {
        if (worker && timers == &worker->timers) { /* it is awake, and will tidy before it sleeps */
            strike_out_locked(timers, timer);
        } else {
            remove_locked(timers, timer->place - 1);
            tidy_locked(timers);
        }
        publish_first_locked(timers);
    }
    lock_release(&timers->lock);
    carrier_leave(carrier, was);
}

void weft__timers_tidy(struct timers *timers)
{
    if (load_relaxed(&timers->struck) == 0) /* relaxed: see count_struck_locked */
        return;
    lock_acquire(&timers->lock);
    tidy_locked(timers);
    publish_first_locked(timers);
    lock_release(&timers->lock);
}

int weft__timers_fire(struct timers *timers, int64_t now)
{
    int fired = 0;

    if (load_relaxed(&timers->first) > now) /* relaxed: see publish_first_locked */
        return 0;
    lock_acquire(&timers->lock);
    while (timers->count > 0 && timers->entries[0].deadline <= now) {
        struct timer *timer = timers->entries[0].timer;

        remove_locked(timers, 0);
        if (!timer)
            continue;
        timer->fire(timer); /* its memory may be gone after this */
        fired++;
    }
    publish_first_locked(timers);
    lock_release(&timers->lock);
    return fired;
}
