/*
 * drain - what is left in a channel of small numbers.
 */
#ifndef WEFT_TESTS_SYNC_DRAIN_H
#define WEFT_TESTS_SYNC_DRAIN_H

#include "check.h"

/* Takes all that is there; the numbers as digits, in order. */
static inline int drain(weft_channel *channel)
{
    int got;
    int digits = 0;

    while (weft_try_receive(channel, &got) == 1)
        digits = 10 * digits + got;
    return digits;
}

#endif
