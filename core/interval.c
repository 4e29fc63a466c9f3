/*
 * interval - a steady pace: ticks at start, start + period, start + 2 periods ...
 *
 *     plan      |1        |2        |3        |4        |5        |6
 *     burst     1 -work-- 2 -------work-------34 -work- 5         6          all, as fast as it can
 *     delay     1 -work-- 2 -------work-------3 -work-- - 4         5        a period from now on
 *     skip      1 -work-- 2 -------work-------3 -work-  5         6          4 is left out
 *
 * A tick is missed if its moment has passed when the caller comes for it, or by a whole period when
 * its worker wakes it. A wake that comes a little late, as every wake does, does not move the plan.
 * Moments are computed from the one before, so nothing drifts, and saturate: a moment that cannot be
 * represented never comes.
 */
#include <errno.h>
#include <limits.h>

#include <weft/time.h>

#include "core/runtime.h"
#include "core/timer.h"
#include "core/wait.h"

int weft_interval_init(weft_interval *interval, weft_time period, weft_missed policy)
{
    if (period <= 0) {
        weft__explain("the period of an interval is %lld ns: it must be at least 1",
                      (long long)period);
        return -EINVAL;
    }
    if (policy != WEFT_MISSED_BURST && policy != WEFT_MISSED_DELAY && policy != WEFT_MISSED_SKIP) {
        weft__explain("%d is no policy for missed ticks: use WEFT_MISSED_BURST, _DELAY or _SKIP",
                      (int)policy);
        return -EINVAL;
    }
    *interval = (weft_interval){weft_now(), period, policy};
    return 0;
}

/* Moves on to the next tick. Returns how many are left out. */
static weft_time move_on(weft_interval *interval, weft_time now, bool was_late)
{
    weft_time moment = interval->weft__next;
    weft_time period = interval->weft__period;
    weft_time behind = (now - moment) / period; /* whole periods; 0 or more */

    interval->weft__next = deadline_after(moment, period);
    if (interval->weft__missed == WEFT_MISSED_DELAY && (was_late || behind > 0))
        interval->weft__next = deadline_after(now, period);
    if (interval->weft__missed != WEFT_MISSED_SKIP)
        return 0;
    interval->weft__next = deadline_after(interval->weft__next, behind * period);
    return behind;
}

int weft_interval_tick(weft_interval *interval)
{
    bool was_late = weft_now() > interval->weft__next;

    if (interval->weft__period <= 0)
        return -EINVAL; /* never set up */

    int rc = weft_sleep_until(interval->weft__next); /* suspends: worker, errno stale */
    if (rc < 0)
        return rc;

    weft_time left_out = move_on(interval, weft_now(), was_late);
    return left_out < INT_MAX ? (int)left_out : INT_MAX;
}
