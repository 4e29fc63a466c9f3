/*
 * bench.h - what the C and C++ programs of bench/run share: the clock and the words that they print.
 *
 *     PROGRAM WORK WORKERS SIZE     the three arguments of every program, in every language
 *
 * It does the work twice and prints lines of a key and a value: `result N`, which bench/run compares
 * with what the work should give, and what was measured in the second round: `ns N`, the time of the
 * whole work, or figures of its own such as `p99_ns N`.
 */
#ifndef WEFT_BENCH_H
#define WEFT_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* One round of a work. */
struct run {
    int workers;
    long size;
    long long result;
};

static inline int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline void say(const char *key, double value)
{
    printf("%s %.1f\n", key, value);
    fflush(stdout);
}

static inline void say_result(long long result)
{
    printf("result %lld\n", result);
    fflush(stdout);
}

static inline void die(const char *what)
{
    perror(what);
    _exit(1);
}

static inline int compare_spans(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;

    return a < b ? -1 : a > b;
}

/* Prints the median and the 99th percentile of `count` times; sorts them. */
static inline void say_spans(int64_t *spans, long count)
{
    qsort(spans, (size_t)count, sizeof spans[0], compare_spans);
    say("p50_ns", (double)spans[count / 2]);
    say("p99_ns", (double)spans[count - 1 - count / 100]);
}

static inline void pause_ns(int64_t ns)
{
    struct timespec span = {ns / 1000000000, ns % 1000000000};

    (void)nanosleep(&span, NULL);
}

#endif
