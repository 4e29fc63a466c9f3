/*
 * waiting - who stands in line at an object of sync/: the only thing that its tests ask the inside.
 *
 * A test that says "while B waits" must know that B does, and no public call tells. until_waiting
 * looks at the list, under its lock, and lets the others run in between.
 */
#ifndef WEFT_TESTS_SYNC_WAITING_H
#define WEFT_TESTS_SYNC_WAITING_H

#include <sched.h>

#include "check.h"
#include "sync/waitlist.h"

/* Lets the others run: tasks on this worker, or threads on this core. */
static inline void let_others_run(void)
{
    if (weft_self().slot == 0)
        (void)sched_yield(); /* always 0 on Linux */
    else
        (void)!weft_yield(); /* -ECANCELED has let them run too */
}

static inline int line_length(uint32_t *lock, void **list)
{
    struct lock *at = (struct lock *)(void *)lock;
    int length = 0;

    lock_acquire(at);
    for (struct link *link = *list; link; link = link->next)
        length++;
    lock_release(at);
    return length;
}

static inline void until_line_is(int length, uint32_t *lock, void **list)
{
    while (line_length(lock, list) != length)
        let_others_run();
}

/* Returns when `length` wait in the list. */
static inline void until_waiting(int length, weft__waitlist *list)
{
    until_line_is(length, &list->lock, &list->first);
}

/* Returns when `length` wait to put, or to get. */
static inline void until_putting(int length, weft_queue *queue)
{
    until_line_is(length, &queue->weft__lock, &queue->weft__putters[0]);
}

static inline void until_getting(int length, weft_queue *queue)
{
    until_line_is(length, &queue->weft__lock, &queue->weft__getters[0]);
}

/* Returns when `length` wait to send, or to receive. */
static inline void until_sending(int length, weft_channel *channel)
{
    until_line_is(length, &channel->weft__lock, &channel->weft__senders[0]);
}

static inline void until_receiving(int length, weft_channel *channel)
{
    until_line_is(length, &channel->weft__lock, &channel->weft__receivers[0]);
}

#endif
