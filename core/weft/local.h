/*
 * weft/local.h - values that belong to a task and to all that it starts: a request's number, a
 * user's name, a logger.
 *
 *     static weft_local request = WEFT_LOCAL_INIT(free);
 *
 *     rc = weft_local_set(&request, strdup("GET /index"));   // in the task that serves it
 *     ...
 *     printf("%s\n", (char *)weft_local_get(&request));      // there, and in the tasks it spawned
 *
 * A task inherits the values that its spawner had at that moment, at the price of one pointer;
 * what either sets later, the other does not see.
 */
#ifndef WEFT_LOCAL_H
#define WEFT_LOCAL_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The name of a value: its address counts, so it stays where it is, usually as a static. */
typedef struct weft_local {
    void (*weft__destroy)(void *value);
} weft_local;

/** A key; destroy(value) runs once for each value, when no task can see it any more. Or NULL. */
#define WEFT_LOCAL_INIT(destroy) \
    {                            \
        (destroy)                \
    }

/**
 * Gives the calling task a value under this key, in place of the one that it had; NULL takes it
 * away. The tasks that it spawns from here on inherit it.
 *
 * Returns: 0; -ENOMEM (the old value stays, and the new one is still the caller's).
 * From:    a task (-EPERM elsewhere).
 * Owns:    the value belongs to the tasks that see it, and must not be freed by hand. destroy(value)
 *          runs when the last of them has ended or has replaced it, on any thread; it must not wait.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_local_set(weft_local *key, void *value);

/**
 * Gives the value that the calling task has under this key, set or inherited.
 *
 * Returns: the value; NULL if there is none, and outside a task.
 * Owns:    the value lives until the task ends or sets another.
 * Since:   0.1
 */
WEFT_API void *weft_local_get(const weft_local *key);

#ifdef __cplusplus
}
#endif

#endif
