/*
 * group - see group.h: claiming futures, joining and ending them.
 */
#include "core/group.h"

#include <errno.h>

#include "core/worker.h"

static void unclaim(struct future *future)
{
    uint64_t state = load_seq(&future->state);

    while (!cas_seq(&future->state, &state, state & ~(uint64_t)(FUTURE_CLAIMED | FUTURE_OWNED)))
        ;
}

static bool stands_in(weft_future handle, const weft_future *futures, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (futures[i].slot == handle.slot && futures[i].generation == handle.generation)
            return true;
    return false;
}

int weft__group_claim(struct runtime *runtime, const weft_future *futures, size_t n)
{
    struct task *self = weft__current_task();

    if (n >= UINT32_MAX) /* there are not so many slots: a place fits 32 bits, and one more does */
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        struct future *future;
        int rc =
            is_failed_spawn(futures[i]) ? 0 : group_claim_one(runtime, self, futures[i], &future);

        if (rc == 0)
            continue;
        if (rc == -ESTALE && stands_in(futures[i], futures, i))
            rc = -EINVAL; /* not consumed before: it stands in the list twice */
        if (rc == -ESTALE)
            weft__future_report_stale(runtime, futures[i]);
        while (i-- > 0)
            if (!is_failed_spawn(futures[i]))
                unclaim(group_member(runtime, futures[i]));
        return rc;
    }
    return 0;
}

bool weft__group_join(struct group *group, struct future *future, uint32_t place)
{
    uint64_t state = load_seq(&future->state);

    future->owner = group; /* before OWNED, as is place */
    future->place = place;
    do {
        if (state & FUTURE_DONE)
            return false;
    } while (!cas_seq(&future->state, &state, state | FUTURE_OWNED));
    return true;
}

bool weft__group_leave(struct future *future)
{
    uint64_t state = load_seq(&future->state);

    do {
        if (state & FUTURE_DONE)
            return false;
    } while (!cas_seq(&future->state, &state, state & ~(uint64_t)FUTURE_OWNED));
    return true;
}

void weft__group_unclaim(struct runtime *runtime, const weft_future *futures, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_failed_spawn(futures[i]))
            unclaim(group_member(runtime, futures[i]));
}

void weft__group_cancel(struct runtime *runtime, const weft_future *futures, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_failed_spawn(futures[i]))
            (void)weft__future_cancel(runtime, futures[i]); /* stale: its owner has consumed it */
}
