/*
 * through - going through futures as they end: what both tests of weft_completed do.
 */
#ifndef WEFT_TESTS_CORE_THROUGH_H
#define WEFT_TESTS_CORE_THROUGH_H

#include "later.h"
#include "owned.h"

#define MANY 16

struct seen {
    int rc, second, third, ended, told;
    size_t order[MANY];
    int statuses[MANY];
    bool is_early; /* ends the iteration instead of going through */
    struct slow slow;
    weft_promise promises[MANY];
    weft_future futures[MANY];
    weft_completed all;
};

/* Goes through what has been begun, and writes down whom it is told of. */
static inline int goes_through(struct seen *seen)
{
    int rc;
    size_t index;
    int status;

    while ((rc = weft_completed_next(&seen->all, &index, &status)) > 0) {
        if (seen->told < MANY) {
            seen->order[seen->told] = index;
            seen->statuses[index] = status;
        }
        seen->told++;
    }
    return rc;
}

static const size_t shuffled[MANY] = {7, 3, 15, 0, 12, 5, 9, 1, 14, 2, 8, 6, 13, 4, 11, 10};

/* Keeps each promise once the iteration waits for all, and the next when it has been told. */
static inline int keeps_promises(void *arg)
{
    struct seen *seen = arg;

    until_owned(seen->futures[MANY - 1]);
    for (int i = 0; i < MANY; i++)
        if (weft_promise_set(seen->promises[shuffled[i]], (int)shuffled[i]) < 0)
            return -EPROTO;
    return 0;
}

static inline void makes_promises(struct seen *seen)
{
    for (int i = 0; i < MANY; i++)
        seen->futures[i] = weft_promise_new(&seen->promises[i]);
}

static inline int goes_through_promises(void *arg)
{
    struct seen *seen = arg;

    makes_promises(seen);
    weft_future keeper = weft_spawn(keeps_promises, seen);
    seen->rc = weft_completed_init(&seen->all, seen->futures, MANY);
    seen->second = goes_through(seen);
    seen->third = weft_completed_next(&seen->all, NULL, NULL);
    return weft_await(keeper);
}

/* One that has ended, and slow ones. */
static inline int begins_slow_ones(struct seen *seen)
{
    for (int i = 0; i < MANY; i++)
        seen->futures[i] =
            i == 4 ? weft_promise_new(&seen->promises[4]) : weft_spawn(ends_slowly, &seen->slow);
    (void)weft_promise_set(seen->promises[4], 3); /* nobody else sets it */
    return weft_completed_init(&seen->all, seen->futures, MANY);
}

static inline int ends_early(void *arg)
{
    struct seen *seen = arg;

    seen->rc = begins_slow_ones(seen);
    seen->second = weft_completed_next(&seen->all, &seen->order[0], &seen->statuses[0]);
    seen->third = weft_completed_end(&seen->all);
    seen->ended = atomic_load(&seen->slow.ended);
    for (int i = 0; i < MANY; i++)
        seen->told += weft_cancel(seen->futures[i]) == -ESTALE;
    return weft_completed_next(&seen->all, NULL, NULL) + weft_completed_end(&seen->all);
}

#endif
