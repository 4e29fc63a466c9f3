/*
 * clocks.c - the clock on the wall and the clock that only goes forward.
 */
#include "guide.h"

/* The time of day, in seconds: whoever may set the date can move it. */
static double wall_seconds(void)
{
    struct timespec now;

    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One wait, measured on both clocks. They agree, unless somebody sets the date meanwhile. */
static int both_clocks(void)
{
    double wall = wall_seconds();
    weft_time start = weft_now();

    int rc = weft_sleep(guide_s(1));
    printf("Wall clock:      %.2f seconds\n", wall_seconds() - wall);
    printf("Monotonic clock: %.2f seconds\n", weft_seconds(weft_now() - start));
    return rc;
}

/* Five beats 0.2 s apart; each one works for 0.05 s before it waits again. */
static int beats(bool by_moment)
{
    weft_time period = guide_s(0.2);
    weft_time start = weft_now();

    for (int i = 1; i <= 5; i++) {
        weft_time until = weft_now() + guide_s(0.05);
        while (weft_now() < until)
            ; /* work */
        int rc = by_moment ? weft_sleep_until(start + i * period) : weft_sleep(period);
        if (rc < 0)
            return rc;
    }
    printf("%s five beats took %.2f seconds\n",
           by_moment ? "weft_sleep_until:" : "weft_sleep:      ", weft_seconds(weft_now() - start));
    return 0;
}

/* How late the most punctual of a hundred sleeps comes. Below zero would be early. */
static int never_early(void)
{
    weft_time least = WEFT_FOREVER;

    for (int i = 0; i < 100; i++) {
        weft_time due = weft_now() + weft_ms(1);
        int rc = weft_sleep_until(due);
        if (rc < 0)
            return rc;
        weft_time late = weft_now() - due;
        least = late < least ? late : least;
    }
    printf("The best of 100 sleeps: %.3f ms late, so %s\n", weft_seconds(least) * 1e3,
           least >= 0 ? "never early" : "EARLY");
    return 0;
}

static int program(void *arg)
{
    int rc = both_clocks();
    rc = rc < 0 ? rc : beats(false);
    rc = rc < 0 ? rc : beats(true);
    return rc < 0 ? rc : never_early();
}

int main(void) { return guide_exit(weft_run(program, NULL)); }
