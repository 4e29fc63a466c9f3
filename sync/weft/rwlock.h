/*
 * weft/rwlock.h - a lock that many may hold to read, or one to write.
 *
 *     static weft_rwlock lock = WEFT_RWLOCK_INIT;
 *
 *     weft_read_lock(&lock);                  // beside other readers
 *     struct route route = table[i];
 *     weft_read_unlock(&lock);
 *
 *     weft_write_lock(&lock);                 // alone
 *     table[i] = better;
 *     weft_write_unlock(&lock);
 *
 * Who waits is served in the order of arrival, neighbouring readers together. So neither side can keep
 * the other out: a reader that comes after a waiting writer waits too, and so does a writer that comes
 * after waiting readers. For the same reason nobody may lock for reading what he holds already: a
 * writer may have come to stand between the two, and both would wait for ever. Nor can a reader become
 * a writer without unlocking first.
 *
 * What weft/sync.h says of its objects holds here too: tasks, jobs and plain threads alike, nothing is
 * allocated, and a wait that was cancelled did nothing.
 */
#ifndef WEFT_RWLOCK_H
#define WEFT_RWLOCK_H

#include <weft/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A lock for many readers or one writer. It stays locked if its holder ends. */
typedef struct weft_rwlock {
    weft__waitlist weft__waiters;
    uint32_t weft__state;
    uint32_t weft__unused;
    uint64_t weft__writer;
} weft_rwlock;

/** Static initialiser; all zero is right too. */
#define WEFT_RWLOCK_INIT            \
    {                               \
        {0, 0, NULL, NULL}, 0, 0, 0 \
    }

/**
 * Locks for reading, and waits until it can. Not cancellable, so that nobody runs on without it.
 *
 * Waits:   yes, but it is no cancellation point.
 * Since:   0.1
 */
WEFT_API void weft_read_lock(weft_rwlock *lock);

/**
 * Locks for reading, unless the caller is cancelled first.
 *
 * Returns: 0; -ECANCELED (it is not locked); -EDEADLK if the caller holds it for writing.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_read_lock_cancellable(weft_rwlock *lock);

/**
 * Locks for reading if nobody writes and nobody waits.
 *
 * Returns: 0; -EAGAIN.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_try_read_lock(weft_rwlock *lock);

/**
 * Ends one reading; the last reader lets in who waits. Readers are counted, not known: another's
 * reading must not be ended.
 *
 * Returns: 0; -EPERM if nobody holds it for reading (it stays as it was).
 * Since:   0.1
 */
WEFT_API int weft_read_unlock(weft_rwlock *lock);

/**
 * Locks for writing, and waits until it can. Not cancellable, so that nobody runs on without it.
 *
 * Waits:   yes, but it is no cancellation point.
 * Since:   0.1
 */
WEFT_API void weft_write_lock(weft_rwlock *lock);

/**
 * Locks for writing, unless the caller is cancelled first.
 *
 * Returns: 0; -ECANCELED (it is not locked); -EDEADLK if the caller holds it for writing already.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_write_lock_cancellable(weft_rwlock *lock);

/**
 * Locks for writing if nobody holds it.
 *
 * Returns: 0; -EAGAIN.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_try_write_lock(weft_rwlock *lock);

/**
 * Ends the writing, and lets in who waits.
 *
 * Returns: 0; -EPERM if the caller does not hold it for writing (it stays as it was).
 * Since:   0.1
 */
WEFT_API int weft_write_unlock(weft_rwlock *lock);

#ifdef __cplusplus
}
#endif

#endif
