/*
 * weft/time.h - let time pass without holding a thread.
 *
 *     weft_interval second;
 *     int rc = weft_interval_init(&second, weft_s(1), WEFT_MISSED_SKIP);
 *     while (rc >= 0) {
 *         sample();                           // now, and then once a second, without drift
 *         rc = weft_interval_tick(&second);
 *     }
 */
#ifndef WEFT_TIME_H
#define WEFT_TIME_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Waits until `ns` nanoseconds have passed on the clock of weft_now().
 *
 * Never early. Zero or less lets the other ready tasks run once, then returns.
 * Returns: 0; -ECANCELED if the task or its scope was cancelled first.
 * From:    a task (-EPERM elsewhere).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_sleep(weft_time ns);

/**
 * Waits until weft_now() has reached `moment`; for a steady pace without drift.
 *
 * Returns: 0; -ECANCELED if the task or its scope was cancelled first.
 * From:    a task (-EPERM elsewhere).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_sleep_until(weft_time moment);

/** What an interval does when its ticks were missed: the task came too late for them. */
typedef enum weft_missed {
    WEFT_MISSED_BURST, /* all of them come, one right after the other, until it has caught up */
    WEFT_MISSED_DELAY, /* one comes at once, and the next a period after it: the plan moves */
    WEFT_MISSED_SKIP,  /* one comes at once, the others are left out: the plan stays */
} weft_missed;

/** A steady pace, in the caller's memory; may be copied and dropped at any time. */
typedef struct weft_interval {
    weft_time weft__next;
    weft_time weft__period;
    weft_missed weft__missed;
} weft_interval;

/**
 * Sets up an interval whose ticks come now, and then every `period` nanoseconds. One so long that
 * the next moment lies beyond the clock ticks once, and then never again.
 *
 * Returns: 0; -EINVAL if the period is zero or less, or there is no such policy (weft_why() says).
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_interval_init(weft_interval *interval, weft_time period,
                                                weft_missed policy);

/**
 * Waits for the next tick. The first one comes at once; a tick whose moment has passed lets the
 * other ready tasks run, then returns.
 *
 * Never early, and without drift: how long a tick takes does not move the later ones.
 * Returns: 0; with WEFT_MISSED_SKIP how many ticks have been left out before the next; -ECANCELED
 *          (the tick has not been taken: it is the next one still); -EINVAL if it is not set up.
 * From:    a task (-EPERM elsewhere).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_interval_tick(weft_interval *interval);

#ifdef __cplusplus
}
#endif

#endif
