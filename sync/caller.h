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

#include "core/task.h"

#define CALLER_THREAD (UINT64_C(1) << 63)

/* Never 0: that is nobody. */
static inline uint64_t caller_identity(void)
{
    struct task *task = weft__current_task();

    if (task) /* relaxed: its own generation, which stays while it runs */
        return (uint64_t)task->future.slot << 32 |
               future_generation(load_relaxed(&task->future.state));
    return (uint64_t)pthread_self() | CALLER_THREAD;
}

#endif
