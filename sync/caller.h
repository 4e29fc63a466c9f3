/*
 * caller - who calls, as a number that is never used again for another task.
 *
 * A task is its handle, so that one that comes later to the same slot is somebody else. A plain thread
 * is its descriptor, and a job is the thread that runs it: slots have 24 bits, and no address of a
 * program has the top bit, so the two never meet.
 */
#ifndef WEFT_SYNC_CALLER_H
#define WEFT_SYNC_CALLER_H

#include <pthread.h>

#include <weft/task.h>

#define CALLER_THREAD (UINT64_C(1) << 63)

/* Never 0: that is nobody. */
static inline uint64_t caller_identity(void)
{
    weft_future self = weft_self();

    if (self.slot != 0)
        return (uint64_t)self.slot << 32 | self.generation;
    return (uint64_t)pthread_self() | CALLER_THREAD;
}

#endif
