/*
 * pool - bench/run on weft: jobs for the CPU pool.
 */
#include <weft.h>

#include "bench/works/works.h"

enum { FLIGHT = 1000 };

static int one(void *arg)
{
    (void)arg;
    return 1;
}

/* Hands one job over and awaits it, `size` times. */
int offload_roundtrip(void *arg)
{
    struct run *run = arg;

    for (long i = 0; i < run->size; i++) {
        int rc = weft_await(weft_offload(weft_cpu(), one, NULL));
        if (rc < 0)
            return rc;
        run->result += rc;
    }
    return 0;
}

/* Hands a thousand jobs over and awaits them all, until it were `size`. */
int offload_1000(void *arg)
{
    static weft_future jobs[FLIGHT];
    static int statuses[FLIGHT];
    struct run *run = arg;

    for (long i = 0; i < run->size / FLIGHT; i++) {
        for (int job = 0; job < FLIGHT; job++)
            jobs[job] = weft_offload(weft_cpu(), one, NULL);
        int rc = weft_gather_n(jobs, FLIGHT, statuses);
        if (rc < 0)
            return rc;
        for (int job = 0; job < FLIGHT; job++)
            run->result += statuses[job];
    }
    return 0;
}
