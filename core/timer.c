/*
 * timer - see timer.h.
 */
#include "core/timer.h"

#include <errno.h>
#include <stddef.h>

#include "core/sys.h"

#define ARITY 4u

void weft__timers_init(struct timers *timers)
{
    *timers = (struct timers){.capacity = 0};
    store_relaxed(&timers->first, INT64_MAX); /* relaxed: nobody else knows it yet */
}

void weft__timers_destroy(struct timers *timers) { weft__sys_free(timers->entries); }

static void put(struct timers *timers, uint32_t place, struct timer_entry entry)
{
    timers->entries[place] = entry;
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

static void remove_locked(struct timers *timers, uint32_t place)
{
    struct timer_entry last = timers->entries[--timers->count];

    timers->entries[place].timer->place = 0;
    if (place == timers->count)
        return;
    place_locked(timers, place, last);
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
        publish_first_locked(timers);
        rc = timers->entries[0].deadline < before;
    }
    lock_release(&timers->lock);
    return rc;
}

void weft__timer_remove(struct timer *timer)
{
    struct timers *timers = timer->timers;

    lock_acquire(&timers->lock);
    if (timer->place) {
        remove_locked(timers, timer->place - 1);
        publish_first_locked(timers);
    }
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
        timer->fire(timer); /* its memory may be gone after this */
        fired++;
    }
    publish_first_locked(timers);
    lock_release(&timers->lock);
    return fired;
}
