/*
 * limiter - a number of places, each of which belongs to the task, job or thread that entered.
 *
 * Who is inside stands in a table with open addressing, under the lock, as a number that no later
 * task shares (caller.h). So to enter and to leave allocates nothing; to set up, and to make the
 * capacity larger than it ever was, does.
 *
 *     places  [ . | 7f00.. | . | 12:34 | 12:35 | . | . | . ]      at most half full
 *
 * A token in the frame of the caller would need no table. But C lets a function return without giving
 * it back, and the limiter would then link to a frame that is gone: one forgotten leave would break
 * the memory of others. Here it costs a place.
 *
 * Who lets others in wakes a batch of them at most; each of these passes the lock before it returns,
 * and goes on with the list there.
 *
 * Invariants  I1  all changes under the lock
 *             I2  inside counts those in the table, and those who have been let in and have still to
 *                 pass the lock: they write themselves down then
 *             I3  nobody waits while there is room, or one of the latter will let the first in
 *             I4  more than half of the table is free, whatever was let in and has not left
 */
#include <errno.h>

#include <weft/meet.h>

#include "core/probe.h"
#include "core/sys.h"
#include "sync/caller.h"
#include "sync/waitlist.h"

/* What weft_limiter is inside the library. */
struct limiter {
    struct waitlist list;
    uint32_t capacity;
    uint32_t inside;      /* may be more, after the capacity was lowered */
    uint64_t *places;     /* 0: free */
    uint32_t places_mask; /* their number - 1, which only grows */
    uint32_t unused;
};

_Static_assert(sizeof(struct limiter) == sizeof(weft_limiter), "one overlays the other");
_Static_assert(_Alignof(struct limiter) == _Alignof(weft_limiter), "one overlays the other");
_Static_assert(offsetof(struct limiter, places) == offsetof(weft_limiter, weft__places), "same");

static struct limiter *inside_of(weft_limiter *limiter)
{
    return (struct limiter *)(void *)limiter;
}

/* Where a search for the caller begins: the upper bits of a product with 2^64 / the golden ratio. */
static uint32_t home_of(uint64_t who, uint32_t mask)
{
    return (uint32_t)(who * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;
}

/* Its place, or the free one that it would get. */
static uint32_t place_of(const uint64_t *places, uint32_t mask, uint64_t who)
{
    uint32_t at = home_of(who, mask);

    while (places[at] != 0 && places[at] != who)
        at = (at + 1) & mask;
    return at;
}

static bool has_place(struct limiter *limiter, uint64_t who)
{
    return limiter->places[place_of(limiter->places, limiter->places_mask, who)] == who;
}

static void write_down(struct limiter *limiter, uint64_t who)
{
    limiter->places[place_of(limiter->places, limiter->places_mask, who)] = who;
}

/* Frees the place at `at`, and moves up who would no longer be found behind the gap. */
static void strike_out(uint64_t *places, uint32_t mask, uint32_t at)
{
    uint32_t gap = at;

    for (uint32_t next = (at + 1) & mask; places[next] != 0; next = (next + 1) & mask) {
        uint32_t way = (next - home_of(places[next], mask)) & mask; /* it stands so far from home */

        if (way >= ((next - gap) & mask)) {
            places[gap] = places[next];
            gap = next;
        }
    }
    places[gap] = 0;
}

/* Lets in those who have waited longest, as many as there is room for. Lock held. */
static void let_in(struct limiter *limiter)
{
    struct waiter *waiter;
    unsigned woken = 0;

    while (woken < WAITLIST_BATCH && limiter->inside < limiter->capacity &&
           (waiter = waitlist_pop(&limiter->list.waiters))) {
        if (weft__wake(waiter, 0)) {
            limiter->inside++;
            woken++;
        }
    }
}

/* Lock held. Returns 0, -EDEADLK, or -EAGAIN if there is no room. */
static int enter_now(struct limiter *limiter, uint64_t me)
{
    if (has_place(limiter, me))
        return -EDEADLK;
    if (limiter->inside >= limiter->capacity || !list_is_empty(&limiter->list.waiters))
        return -EAGAIN;
    limiter->inside++;
    write_down(limiter, me);
    probe_took(limiter, "place", 1);
    return 0;
}

/* Ends a wait. */
static void end_wait(struct limiter *limiter, struct waiter *waiter, uint64_t me, bool is_granted)
{
    lock_acquire(&limiter->list.lock);
    if (waiter->linked)
        list_remove(&limiter->list.waiters, &waiter->link);
    if (is_granted) {
        write_down(limiter, me);
        probe_took(limiter, "place", 1);
    }
    let_in(limiter); /* I3 */
    lock_release(&limiter->list.lock);
}

int weft_limiter_enter(weft_limiter *handle)
{
    struct limiter *limiter = inside_of(handle);
    struct waiter waiter;

    int rc = weft__wait_check(); /* suspends if cancelled */
    if (rc < 0)
        return rc;

    uint64_t me = caller_identity();

    lock_acquire(&limiter->list.lock);
    rc = enter_now(limiter, me);
    if (rc != -EAGAIN) {
        lock_release(&limiter->list.lock);
        return rc;
    }
    waitlist_enter(&limiter->list.waiters, &waiter, WAIT_CANCELLABLE, "a place in a limiter");
    lock_release(&limiter->list.lock);

    rc = weft__wait_commit(&waiter, WAIT_CANCELLABLE); /* suspends: worker, errno stale */

    end_wait(limiter, &waiter, me, rc == 0);
    return rc;
}

int weft_limiter_try_enter(weft_limiter *handle)
{
    struct limiter *limiter = inside_of(handle);
    uint64_t me = caller_identity();

    lock_acquire(&limiter->list.lock);
    int rc = enter_now(limiter, me);
    lock_release(&limiter->list.lock);
    return rc;
}

int weft_limiter_leave(weft_limiter *handle)
{
    struct limiter *limiter = inside_of(handle);
    uint64_t me = caller_identity();

    lock_acquire(&limiter->list.lock);
    uint32_t at = place_of(limiter->places, limiter->places_mask, me);
    bool is_inside = limiter->places[at] == me;
    if (is_inside) {
        strike_out(limiter->places, limiter->places_mask, at);
        limiter->inside--;
        probe_gave(limiter, "place", 1);
        let_in(limiter);
    }
    lock_release(&limiter->list.lock);
    return is_inside ? 0 : -EPERM;
}

/* How many places a table for this capacity has, less one: twice as many, and a power of two. */
static uint32_t mask_for(uint32_t capacity)
{
    uint32_t mask = 7;

    while (mask / 2 < capacity)
        mask = mask * 2 + 1;
    return mask;
}

static uint64_t *places_new(uint32_t mask)
{
    size_t count = (size_t)mask + 1;

    return count <= SIZE_MAX / sizeof(uint64_t) ? weft__sys_alloc(count * sizeof(uint64_t)) : NULL;
}

/* Puts a larger table in the place of the old one, which is returned, or not: then the new one is.
 * Lock held. */
static uint64_t *exchange_places(struct limiter *limiter, uint64_t *places, uint32_t mask)
{
    uint64_t *old = limiter->places;

    if (mask <= limiter->places_mask)
        return places; /* somebody else was faster */
    for (uint32_t i = 0; i <= limiter->places_mask; i++) {
        if (old[i] != 0)
            places[place_of(places, mask, old[i])] = old[i];
    }
    limiter->places = places;
    limiter->places_mask = mask;
    return old;
}

int weft_limiter_init(weft_limiter *handle, uint32_t capacity)
{
    struct limiter *limiter = inside_of(handle);

    if (capacity > WEFT_MEET_MAX)
        return -EINVAL;

    uint32_t mask = mask_for(capacity);
    uint64_t *places = places_new(mask);

    if (!places)
        return -ENOMEM;
    *limiter = (struct limiter){.capacity = capacity, .places = places, .places_mask = mask};
    return 0;
}

void weft_limiter_destroy(weft_limiter *limiter)
{
    if (!limiter)
        return;
    weft__sys_free(limiter->weft__places);
    *limiter = (weft_limiter){.weft__places = NULL};
}

int weft_limiter_set(weft_limiter *handle, uint32_t capacity)
{
    struct limiter *limiter = inside_of(handle);
    uint32_t mask = mask_for(capacity <= WEFT_MEET_MAX ? capacity : 0);
    uint64_t *spare = NULL;

    if (capacity > WEFT_MEET_MAX)
        return -EINVAL;

    lock_acquire(&limiter->list.lock);
    bool must_grow = mask > limiter->places_mask;
    lock_release(&limiter->list.lock);
    if (must_grow) { /* not under the lock: that is held for a few instructions only */
        spare = places_new(mask);
        if (!spare)
            return -ENOMEM;
    }

    lock_acquire(&limiter->list.lock);
    if (spare)
        spare = exchange_places(limiter, spare, mask);
    limiter->capacity = capacity;
    let_in(limiter);
    lock_release(&limiter->list.lock);
    weft__sys_free(spare);
    return 0;
}
