/*
 * weft/meet.h - how several meet: capacity limiter, barrier, once, wait group.
 *
 *     weft_wait_group group = WEFT_WAIT_GROUP_INIT;
 *
 *     weft_wait_group_add(&group, 2);
 *     weft_detach(weft_spawn(index_files, &group));   // each ends with weft_wait_group_done(&group)
 *     weft_detach(weft_offload(weft_cpu(), sort, &group));
 *     rc = weft_wait_group_wait(&group);              // until both have said so
 *
 * What weft/sync.h says of its objects holds here too: tasks, jobs and plain threads alike, nothing is
 * allocated for a wait, who waits is served in the order of arrival, and a wait that was cancelled did
 * nothing.
 *
 * Limiter and once must know who calls. A task is itself, a plain thread too; a job counts as the
 * thread that runs it, so it must leave before it ends.
 */
#ifndef WEFT_MEET_H
#define WEFT_MEET_H

#include <weft/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/** So many at once: places that belong to whoever has entered. */
typedef struct weft_limiter {
    weft__waitlist weft__waiters;
    uint32_t weft__capacity;
    uint32_t weft__inside;
    uint64_t *weft__places;
    uint32_t weft__places_mask;
    uint32_t weft__unused;
} weft_limiter;

/** A line that opens when a number of parties has come to it. */
typedef struct weft_barrier {
    weft__waitlist weft__waiters;
    uint32_t weft__parties;
    uint32_t weft__arrived;
} weft_barrier;

/** Something to be done once, by the first who comes. */
typedef struct weft_once {
    weft__waitlist weft__waiters;
    uint32_t weft__state;
    int32_t weft__status;
    uint64_t weft__runner;
} weft_once;

/** A count of work in progress, and a place to wait for its end. */
typedef struct weft_wait_group {
    weft__waitlist weft__waiters;
    uint32_t weft__count;
    uint32_t weft__unused;
} weft_wait_group;

/** Static initialisers; all zero is right too, except for a barrier, which must know its parties. */
#define WEFT_BARRIER_INIT(parties)       \
    {                                    \
        {0, 0, NULL, NULL}, (parties), 0 \
    }
#define WEFT_ONCE_INIT              \
    {                               \
        {0, 0, NULL, NULL}, 0, 0, 0 \
    }
#define WEFT_WAIT_GROUP_INIT     \
    {                            \
        {0, 0, NULL, NULL}, 0, 0 \
    }

/** The most parties of a barrier, and the largest count of a wait group. */
#define WEFT_MEET_MAX 0x7fffffffu

/**
 * Sets up a limiter that lets `capacity` in at once (0: nobody, until weft_limiter_set).
 *
 * It differs from a semaphore in knowing who is inside: nobody enters twice or leaves for another.
 * Returns: 0; -ENOMEM (16 to 32 bytes for each place); -EINVAL (capacity beyond WEFT_MEET_MAX).
 * Owns:    weft_limiter_destroy frees what this allocates.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_limiter_init(weft_limiter *limiter, uint32_t capacity);

/** Frees what weft_limiter_init made; nobody may use the limiter any more. Since: 0.1 */
WEFT_API void weft_limiter_destroy(weft_limiter *limiter);

/**
 * Takes a place for the calling task, job or thread, and waits until there is one.
 *
 * Returns: 0; -ECANCELED (no place was taken); -EDEADLK if the caller has one already.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_limiter_enter(weft_limiter *limiter);

/**
 * Takes a place if there is one and nobody waits for it.
 *
 * Returns: 0; -EAGAIN; -EDEADLK if the caller has one already.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_limiter_try_enter(weft_limiter *limiter);

/**
 * Gives the caller's place back, to the first waiter if there is one.
 *
 * A task that ends inside keeps its place: nobody else can give it back.
 * Returns: 0; -EPERM if the caller has none (nothing has changed).
 * Since:   0.1
 */
WEFT_API int weft_limiter_leave(weft_limiter *limiter);

/**
 * Changes how many may be inside at once. More lets waiters in at once; with fewer, those inside
 * stay, and nobody follows them until fewer than `capacity` are left.
 *
 * Returns: 0; -ENOMEM, -EINVAL as weft_limiter_init (the capacity stays as it was).
 * Since:   0.1
 */
WEFT_API int weft_limiter_set(weft_limiter *limiter, uint32_t capacity);

/**
 * Sets up a barrier for so many parties (1 to WEFT_MEET_MAX).
 *
 * Returns: 0; -EINVAL.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_barrier_init(weft_barrier *barrier, uint32_t parties);

/**
 * Waits until all parties have come; then the barrier is ready for the next time. Who is cancelled
 * while it waits has not come: the others wait for one more.
 *
 * The barrier may be freed when all parties have returned.
 * Returns: the order of arrival among those who pass together: 0 for the first, parties - 1 for the
 *          last; -ECANCELED; -EINVAL (a barrier of zeroed memory).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_barrier_wait(weft_barrier *barrier);

/**
 * Runs fn(arg) in the caller if that has not been done yet; who comes meanwhile waits for its end.
 *
 * Only success counts, a status of 0 or more. After a failure the first who waits, or the next who
 * comes, runs its own fn(arg): that one caller found no memory or was cancelled says nothing about
 * the others.
 * Returns: the status of the run that succeeded, the same to all callers; the failure of the caller's
 *          own run; -ECANCELED; -EDEADLK from inside fn.
 * Waits:   yes, cancellation point, and as fn does.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_once_run(weft_once *once, weft_fn fn, void *arg);

/**
 * Adds n, which may be negative, to the count. At zero all who wait go on.
 *
 * Add before you start the work that will call done, or a wait may find zero too early.
 * Returns: 0; -EINVAL if the count would go below zero, -EOVERFLOW beyond WEFT_MEET_MAX (it stays
 *          as it was).
 * Since:   0.1
 */
WEFT_API int weft_wait_group_add(weft_wait_group *group, int n);

/**
 * Takes one from the count. At zero all who wait go on.
 *
 * Returns: 0; -EINVAL if the count is zero.
 * Since:   0.1
 */
WEFT_API int weft_wait_group_done(weft_wait_group *group);

/**
 * Waits until the count is zero. Then the group may be freed, or used again.
 *
 * Returns: 0, also if somebody has added to the count again right after; -ECANCELED.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_wait_group_wait(weft_wait_group *group);

#ifdef __cplusplus
}
#endif

#endif
