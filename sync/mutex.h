/*
 * mutex - what the condition needs to know of the mutex.
 */
#ifndef WEFT_SYNC_MUTEX_H
#define WEFT_SYNC_MUTEX_H

#include <weft/sync.h>

/* Whether the calling task, job or thread holds the mutex. */
bool weft__mutex_is_mine(const weft_mutex *mutex);

#endif
