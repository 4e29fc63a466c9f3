/*
 * channel - the inside of a weft_channel, for sync/select.c: one of several things to wait for.
 */
#ifndef WEFT_SYNC_CHANNEL_H
#define WEFT_SYNC_CHANNEL_H

#include <weft/channel.h>

#include "core/wait.h"

/* What came of a look at a channel by a select that has begun its wait. */
enum meet {
    MEET_WAITS,  /* nothing to be had: the arm stands in line */
    MEET_DONE,   /* the select has won its own wait with this arm: count is as after a wake */
    MEET_LOST,   /* another arm, or a cancel, has won it */
    MEET_MISSED, /* it was won, but the other side was gone: it goes on, the arm stands in line, and
                  * every arm that is not in line any more must be looked at once more */
};

/* What a waiter's count says after the wake: 0 (as the line is entered with) that the channel was
 * closed, or that the item changed hands. */
#define CHANNEL_MET 1u

/* `arm` shares the wait that `wait` has begun (weft__wait_share); its item is what to send, or where
 * to receive. Not for the senders of an unbounded channel, who never wait. An arm in line stays. */
enum meet weft__channel_meet_receiver(weft_channel *channel, struct waiter *arm,
                                      struct waiter *wait);
enum meet weft__channel_meet_sender(weft_channel *channel, struct waiter *arm, struct waiter *wait);

/* Takes the arm out of its line, if it still stands there. On every way out of the wait. */
void weft__channel_leave_senders(weft_channel *channel, struct waiter *arm);
void weft__channel_leave_receivers(weft_channel *channel, struct waiter *arm);

#endif
