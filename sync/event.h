/*
 * event - the inside of a weft_event, for sync/select.c: wait for it among other things.
 */
#ifndef WEFT_SYNC_EVENT_H
#define WEFT_SYNC_EVENT_H

#include <weft/sync.h>

#include "core/wait.h"

/* Puts a waiter, whose wait has begun and whose item is NULL, among those that are woken when the
 * event is set, with reason 0. Returns false, and does not link it, if the event is set, or has been
 * since the first call in this wait. weft__event_unwatch follows, on every way out of the wait. */
bool weft__event_watch(weft_event *event, struct waiter *waiter);
void weft__event_unwatch(weft_event *event, struct waiter *waiter);

/* Whether it is set; the call that has set it has left it by then. */
bool weft__event_look(weft_event *event);

#endif
