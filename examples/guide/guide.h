/*
 * guide.h - what the programs of the guide share: how long a second is, something to compute, and a
 * heartbeat that feels when a worker is frozen.
 *
 * GUIDE_SCALE in the environment stretches or shrinks every wait of the guide: with
 * GUIDE_SCALE=0.1 a wait of 2 s takes 0.2 s. The words that are printed stay as they are, and the
 * times that are measured follow. What is computed does not change.
 */
#ifndef GUIDE_H
#define GUIDE_H

#include <stdio.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

#include <weft.h>

/* Task functions have an argument, also those of the guide that do not need one. */
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* So many seconds, scaled. */
static inline weft_time guide_s(double seconds)
{
    const char *text = getenv("GUIDE_SCALE");
    double scale = text ? atof(text) : 1;

    if (!(scale > 0)) {
        fprintf(stderr, "GUIDE_SCALE is \"%s\": use a number above 0, such as 0.1\n", text);
        exit(2);
    }
    return weft_s(seconds * scale);
}

/* Blocks the calling thread, as time.sleep does in Python. In a task: the wrong thing to do. */
static inline void guide_block(double seconds)
{
    weft_time ns = guide_s(seconds);

    thrd_sleep(&(struct timespec){.tv_sec = ns / weft_s(1), .tv_nsec = ns % weft_s(1)}, NULL);
}

/* How many primes there are below `limit`, by trial division: nothing but computing. */
static inline long count_primes(long limit)
{
    long count = limit > 2; /* the 2 */

    for (long n = 3; n < limit; n += 2) {
        long divisor = 3;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor += 2;
        count += divisor * divisor > n;
    }
    return count;
}

/* Sleeps 10 ms again and again; its longest delay is how long its worker stood frozen. */
static inline int guide_heartbeat(void *arg)
{
    weft_time *longest = arg;

    for (;;) {
        weft_time due = weft_now() + weft_ms(10);
        int rc = weft_sleep_until(due);
        if (rc < 0)
            return rc;
        weft_time late = weft_now() - due;
        *longest = late > *longest ? late : *longest;
    }
}

/* Runs fn with a heartbeat beside it, and tells how long it took and what the heart felt. */
static inline int guide_watch(const char *what, weft_fn fn)
{
    weft_time longest = 0;
    weft_scope scope;
    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;

    weft_scope_spawn(&scope, guide_heartbeat, &longest);
    rc = weft_sleep(weft_ms(15)); /* the heart begins to beat */
    weft_time start = weft_now();
    rc = rc < 0 ? rc : fn(NULL);
    weft_time end = weft_now();
    rc = rc < 0 ? rc : weft_sleep(weft_ms(15)); /* one beat more */
    weft_scope_stop(&scope);                    /* the heart has done nothing wrong */
    rc = weft_scope_close(&scope, rc);
    printf("%s %.2f seconds, frozen for %.0f ms\n", what, weft_seconds(end - start),
           weft_seconds(longest) * 1e3);
    return rc;
}

/* What main returns after weft_run returned `rc`: a failure is told on stderr. */
static inline int guide_exit(int rc)
{
    if (rc < 0)
        fprintf(stderr, "failed: %s. %s\n", weft_strerror(rc), weft_why());
    return rc < 0;
}

#endif
