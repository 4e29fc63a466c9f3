/*
 * local - the values that a task inherits: a counted list, shared until somebody changes it.
 *
 *     task a --+--> locals (2 sharers) --> value "request 7" (1)      a has set it, b has inherited it
 *     task b --+
 *     task c -----> locals (1)         --> value "request 8" (1)      c has set its own
 *                                      \-> value "user" (2)           and shares the rest
 *
 * To inherit is to count one sharer more. Who sets a value in a list of its own replaces it there;
 * in a shared one, or for a new key, it makes a list that holds the same values, each counted once
 * more. So a value dies with the last list that holds it, and a loop that sets and spawns for ever
 * keeps nothing.
 *
 * Invariants  I1  a list is changed only by the task that alone has it: sharers == 1, which only
 *                 that task could make more
 *             I2  a value's sharers are the lists that hold it
 */
#ifndef WEFT_CORE_LOCAL_H
#define WEFT_CORE_LOCAL_H

#include <weft/local.h>

struct task;
struct locals;

/* One sharer more. */
void weft__locals_share(struct locals *locals);

/* Gives the task's values up, at its end; destroy functions may run. */
void weft__locals_drop(struct task *task);

#endif
