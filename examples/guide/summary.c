/*
 * summary.c - the table at the end of the guide, with reasons that were measured.
 */
#include <errno.h>

#include "guide.h"

enum { TIMES = 4 };

static int wait(void *arg) { return weft_sleep(guide_s(1)); }

static int compute(void *arg) { return count_primes(3000000) == 216816 ? 0 : -EPROTO; }

/* fn four times in turn, in the calling task. Gives the seconds, or -errno. */
static int in_turn(weft_fn fn, double *ret_seconds)
{
    weft_time start = weft_now();

    for (int i = 0; i < TIMES; i++) {
        int rc = fn(NULL);
        if (rc < 0)
            return rc;
    }
    *ret_seconds = weft_seconds(weft_now() - start);
    return 0;
}

/* fn four times at once: in tasks, or, if there is a pool, as jobs of the pool. */
static int at_once(weft_fn fn, weft_pool *pool, double *ret_seconds)
{
    weft_time start = weft_now();
    weft_future futures[TIMES];

    for (int i = 0; i < TIMES; i++)
        futures[i] = pool ? weft_offload(pool, fn, NULL) : weft_spawn(fn, NULL);
    int rc = weft_gather_n(futures, TIMES, NULL);
    *ret_seconds = weft_seconds(weft_now() - start);
    return rc;
}

static int row(const char *type, weft_fn fn, weft_pool *pool)
{
    double before, after;
    int rc = in_turn(fn, &before);
    if (rc >= 0)
        rc = at_once(fn, pool, &after);
    if (rc < 0)
        return rc;

    double ratio = before / after;
    printf("| %-21s | %-12s | %.2f s in turn, %.2f s at once: %.1f times as fast |\n", type,
           ratio > 1.2 ? "Yes" : "No", before, after, ratio);
    return 0;
}

static int program(void *arg)
{
    printf("| Work type             | Async helps? | Why? |\n");
    printf("|-----------------------|--------------|------|\n");
    int rc = row("I/O-bound", wait, NULL);
    rc = rc < 0 ? rc : row("CPU-bound", compute, NULL);
    return rc < 0 ? rc : row("CPU-bound with a pool", compute, weft_cpu());
}

/* One worker, as in Python; the pool has as many threads as there are cores to use. */
int main(void) { return guide_exit(weft_run_with(&(weft_options){.workers = 1}, program, NULL)); }
