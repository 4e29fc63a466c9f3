/*
 * weft/sync.h - how tasks meet: mutex, semaphore, event, condition, bounded queue.
 *
 *     static weft_sem five = WEFT_SEM_INIT(5);
 *
 *     rc = weft_sem_acquire(&five);           // suspends while five others hold a permit
 *     if (rc < 0)
 *         return rc;
 *     rc = weft_sleep(weft_s(2));
 *     weft_sem_release(&five);
 *
 * Every object serves tasks, pool jobs and plain threads alike: a task suspends, the others block
 * their thread. All hand over in the order of arrival. A wait that is cancelled did nothing: no
 * permit, no lock, no item was taken. Only tasks are cancelled while they wait: jobs and threads wait
 * until they get what they wait for. Nothing here allocates, except weft_queue_init.
 *
 * The objects are the caller's memory, and must outlive every call on them. But whoever has got the
 * last lock, permit or event that the object had to give may free it at once (a mutex: once it has
 * unlocked it), even if the call that gave it has not returned yet: that call will not touch the object
 * any more. A queue may be destroyed when all puts that had to wait have returned.
 */
#ifndef WEFT_SYNC_H
#define WEFT_SYNC_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Private: a list of waiters under a small lock. */
typedef struct weft__waitlist {
    uint32_t lock;
    uint32_t unused;
    void *first;
    void *last;
} weft__waitlist;

/**
 * Mutual exclusion between tasks, jobs and threads.
 *
 * A task that ends while it holds one is reported, and who gets it next is told -EOWNERDEAD. If a job
 * or a plain thread ends so, it stays locked. Unlock a mutex before its memory is given back.
 */
typedef struct weft_mutex {
    weft__waitlist weft__waiters;
    uint64_t weft__owner;
    void *weft__next; /* among those that its task holds */
    void *weft__previous;
} weft_mutex;

/** A number of permits. */
typedef struct weft_sem {
    weft__waitlist weft__waiters;
    uint32_t weft__permits;
    uint32_t weft__max;
} weft_sem;

/** A flag to wait for. */
typedef struct weft_event {
    weft__waitlist weft__waiters;
    uint32_t weft__set;
    uint32_t weft__unused;
} weft_event;

/** A place to wait, under a mutex, until something has changed. */
typedef struct weft_cond {
    weft__waitlist weft__waiters;
} weft_cond;

/** A bounded first-in-first-out queue of pointers, any number of senders and receivers. */
typedef struct weft_queue {
    uint32_t weft__lock;
    uint32_t weft__closed;
    void *weft__putters[2];
    void *weft__getters[2];
    void **weft__items;
    size_t weft__capacity;
    size_t weft__first;
    size_t weft__count;
} weft_queue;

/** Static initialisers; all zero is right too (a semaphore then has no permit). */
#define WEFT_MUTEX_INIT                   \
    {                                     \
        {0, 0, NULL, NULL}, 0, NULL, NULL \
    }
#define WEFT_SEM_INIT(n)           \
    {                              \
        {0, 0, NULL, NULL}, (n), 0 \
    }
#define WEFT_SEM_INIT_MAX(n, max)      \
    {                                  \
        {0, 0, NULL, NULL}, (n), (max) \
    }
#define WEFT_EVENT_INIT          \
    {                            \
        {0, 0, NULL, NULL}, 0, 0 \
    }
#define WEFT_COND_INIT       \
    {                        \
        {                    \
            0, 0, NULL, NULL \
        }                    \
    }

/** The most permits that a semaphore can hold. */
#define WEFT_SEM_MAX 0x7fffffffu

/**
 * Locks the mutex, and waits until it can. Not cancellable, so that nobody runs on without it.
 *
 * It cannot tell anything either. Locked twice by the same task it waits for ever, and that is
 * reported. If its wait closes a circle of waits (see weft_lock_cancellable), another call of the
 * circle answers -EDEADLK in its place; where none can, that is reported, and they all wait. A mutex
 * whose owner has ended it simply locks: the next call that can tell tells it.
 * Waits:   yes, but it is no cancellation point.
 * Since:   0.1
 */
WEFT_API void weft_lock(weft_mutex *mutex);

/**
 * Locks the mutex, unless the caller is cancelled first.
 *
 * A circle of waits is answered at once, also if a deadline would end one of them later: the call
 * that closes it returns -EDEADLK and has done nothing, the others wait on, and all waits of the
 * circle are reported, with their tasks and spawn sites; weft_why() has them too. What counts is
 * tasks that wait for a mutex of another task, for its end (weft_await, weft_gather, weft_wait), for
 * it to be ready (weft_scope_start), or for the members of a scope that they close. Jobs and plain
 * threads take no part, and a circle of thousands of tasks may be missed.
 * Returns: 0; -ECANCELED (it is not locked); -EDEADLK if the caller holds it already, or if it would
 *          wait for a task that waits for the caller (it is not locked); -EOWNERDEAD if a task has
 *          ended while it held the mutex: it *is* locked now, what it protects may be half changed,
 *          and nobody else will be told.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_lock_cancellable(weft_mutex *mutex);

/**
 * Locks the mutex if nobody holds it.
 *
 * Returns: 0; -EAGAIN if somebody does; -EOWNERDEAD as weft_lock_cancellable: it *is* locked.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_try_lock(weft_mutex *mutex);

/**
 * Unlocks the mutex, and hands it to the first waiter.
 *
 * Returns: 0; -EPERM if the caller does not hold it (it stays as it was).
 * Since:   0.1
 */
WEFT_API int weft_unlock(weft_mutex *mutex);

/** Sets up a semaphore with `permits` permits (at most WEFT_SEM_MAX). Since: 0.1 */
WEFT_API void weft_sem_init(weft_sem *sem, uint32_t permits);

/**
 * Sets up a semaphore that never holds more than `max` permits: one release too many is told.
 *
 * Returns: 0; -EINVAL (max 0 or beyond WEFT_SEM_MAX, permits beyond max).
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_sem_init_max(weft_sem *sem, uint32_t permits, uint32_t max);

/**
 * Takes a permit, and waits until there is one.
 *
 * Returns: 0; -ECANCELED (no permit was taken).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_sem_acquire(weft_sem *sem);

/**
 * Takes n permits together, and waits until there are so many. Who comes later waits behind it, also
 * for fewer. Nothing is held meanwhile: who takes n at once does not lock up with others who do.
 *
 * Returns: 0 (at once if n is 0); -ECANCELED (no permit was taken); -EINVAL if n is more than the
 *          semaphore can ever hold.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_sem_acquire_n(weft_sem *sem, uint32_t n);

/**
 * Takes a permit if there is one and nobody waits.
 *
 * Returns: 0; -EAGAIN.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_sem_try_acquire(weft_sem *sem);

/**
 * Takes n permits if there are so many and nobody waits.
 *
 * Returns: 0; -EAGAIN; -EINVAL as weft_sem_acquire_n.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_sem_try_acquire_n(weft_sem *sem, uint32_t n);

/**
 * Gives a permit back, to the first waiter if there is one.
 *
 * Returns: 0; -EOVERFLOW if there would be more than the semaphore may hold (nothing has changed).
 * Since:   0.1
 */
WEFT_API int weft_sem_release(weft_sem *sem);

/**
 * Gives n permits back: to those who have waited longest, as many as they are enough for.
 *
 * Returns: as weft_sem_release.
 * Since:   0.1
 */
WEFT_API int weft_sem_release_n(weft_sem *sem, uint32_t n);

/** Sets the event: all who wait go on, and later waits do not wait. Since: 0.1 */
WEFT_API void weft_event_set(weft_event *event);

/** Clears the event: later waits wait again. Since: 0.1 */
WEFT_API void weft_event_clear(weft_event *event);

/** Tells whether the event is set. Who sets it may still be at work on it then: to free it, wait for
 * it. Since: 0.1 */
WEFT_API bool weft_event_is_set(const weft_event *event);

/**
 * Waits until the event is set.
 *
 * Returns: 0, also if it was cleared again right after; -ECANCELED.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_event_wait(weft_event *event);

/**
 * Unlocks the mutex, waits to be notified, and locks it again.
 *
 * Returns: 0 when notified; -ECANCELED; -EPERM if the caller does not hold the mutex. Except after
 *          -EPERM the caller holds the mutex again, whatever it returns.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_cond_wait(weft_cond *cond, weft_mutex *mutex);

/** Wakes the one who has waited longest; a wake is not lost to a cancelled waiter. Since: 0.1 */
WEFT_API void weft_cond_notify(weft_cond *cond);

/** Wakes all who wait now. Since: 0.1 */
WEFT_API void weft_cond_notify_all(weft_cond *cond);

/**
 * Sets up a queue that holds up to `capacity` items.
 *
 * Returns: 0; -EINVAL (capacity 0 or absurdly large); -ENOMEM.
 * Owns:    weft_queue_destroy frees what this allocates.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_queue_init(weft_queue *queue, size_t capacity);

/** Frees what weft_queue_init made; nobody may use the queue any more. Items left are the
 * caller's: get them first. Since: 0.1 */
WEFT_API void weft_queue_destroy(weft_queue *queue);

/**
 * Puts an item at the end, and waits while the queue is full.
 *
 * Returns: 0; -ECANCELED or -EPIPE (closed): then the item is still the caller's.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_queue_put(weft_queue *queue, void *item);

/**
 * Puts an item at the end if there is room.
 *
 * Returns: 0; -EAGAIN (full), -EPIPE (closed).
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_queue_try_put(weft_queue *queue, void *item);

/**
 * Takes the first item, and waits while the queue is empty.
 *
 * Returns: 1 and the item; 0 if the queue is closed and empty; -ECANCELED (nothing was taken).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_queue_get(weft_queue *queue, void **ret_item);

/**
 * Takes the first item if there is one.
 *
 * Returns: 1 and the item; 0 if the queue is closed and empty; -EAGAIN if it is only empty.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_queue_try_get(weft_queue *queue, void **ret_item);

/** Closes the queue: puts fail from now on, gets drain what is left. Since: 0.1 */
WEFT_API void weft_queue_close(weft_queue *queue);

#ifdef __cplusplus
}
#endif

#endif
