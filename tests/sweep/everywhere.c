/*
 * everywhere - takes the place of weft_run and weft_run_with in the programs under examples/, which
 * are compiled for this with their calls renamed: what they would run once is cancelled everywhere.
 *
 *     GUIDE_SCALE=0.002 build/release/tests/everywhere_timing
 *
 * A program that shows a mistake on purpose says so in the build: EVERYWHERE_LEAKS is the number of
 * the run in which something must be found, with EVERYWHERE_WORDS in the sentence. A program with
 * very many points sets EVERYWHERE_POINTS in the environment: so many are visited, evenly spread.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft.h>

#include "core/testing.h"

#ifndef EVERYWHERE_LEAKS
#    define EVERYWHERE_LEAKS 0
#    define EVERYWHERE_WORDS ""
#endif

/* The names that the program calls; its headers declare them, renamed. */
int everywhere_run(weft_fn fn, void *arg);
int everywhere_run_with(const weft_options *options, weft_fn fn, void *arg);

/* For a program that does nothing without a client: gives it one. */
weft_fn everywhere_wrap(weft_fn fn) __attribute__((weak));

int everywhere_run(weft_fn fn, void *arg)
{
    static int runs;
    const char *most = getenv("EVERYWHERE_POINTS");
    struct sweep sweep = {.fn = everywhere_wrap ? everywhere_wrap(fn) : fn,
                          .arg = arg,
                          .whens = 1u << PROBE_BEFORE | 1u << PROBE_WAITING | 1u << PROBE_WOKEN,
                          .most = most ? (uint32_t)strtoul(most, NULL, 10) : 0};
    int rc = weft__sweep(&sweep);

    (void)fflush(stdout); /* the program's own words, of all the runs */
    if (++runs == EVERYWHERE_LEAKS) {
        fprintf(stderr, "measured: as it should, run %d: %s\n", runs, weft_why());
        return rc == -ENOTEMPTY && strstr(weft_why(), EVERYWHERE_WORDS) ? 0 : -EPROTO;
    }
    if (rc < 0)
        fprintf(stderr, "run %d: %s: %s\n", runs, weft_strerror(rc), weft_why());
    else
        fprintf(stderr, "measured: run %d passed: %d of %d points, %d cancels\n", runs,
                (int)sweep.points, (int)sweep.counted, (int)sweep.runs);
    return rc;
}

int everywhere_run_with(const weft_options *options, weft_fn fn, void *arg)
{
    (void)options; /* the test has its own */
    return everywhere_run(fn, arg);
}
