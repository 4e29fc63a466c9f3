/*
 * weft/time.h - let time pass without holding a thread.
 *
 *     for (int i = 0; i < 3; i++) {
 *         rc = weft_sleep(weft_ms(100));
 *         if (rc < 0)
 *             return rc;
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

#ifdef __cplusplus
}
#endif

#endif
