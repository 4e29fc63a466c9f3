/*
 * pool_class - how should the threads of the CPU pool be scheduled, so that tasks keep their latency
 * while all cores compute, and computing still gets what is left?
 *
 * For each class in turn, again and again: as many jobs as the pool has threads compute without a
 * pause, one task sleeps 1 ms in a loop, and the lateness of each wake-up is kept. A line per class
 * at the end: the medians over all rounds. Usage: bench_pool_class [ROUNDS [SECONDS]]
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <weft.h>

#include "pool/pool.h"

#define CLASSES     4
#define ROUNDS_MOST 50
#define NAPS_MOST   100000
#define NAP_NS      INT64_C(1000000)
#define JOB_STEPS   400000 /* about a millisecond of computing */

struct figures {
    double median_us, p99_us, max_us;
    double jobs_per_s;
    double naps_per_s;
};

struct round {
    enum pool_class class;
    weft_time end;
    _Atomic uint64_t jobs;
    int64_t late[NAPS_MOST];
    int naps;
    struct figures figures;
};

static volatile uint64_t sink;

static int compute(void *arg)
{
    uint64_t x = (uint64_t)(uintptr_t)arg | 1;

    for (int i = 0; i < JOB_STEPS; i++)
        x = x * 6364136223846793005u + 1442695040888963407u;
    sink = x;
    return 0;
}

/* Keeps one thread of the pool busy. */
static int feed(void *arg)
{
    struct round *round = arg;

    while (weft_now() < round->end) {
        int rc = weft_await(weft_offload(weft_cpu(), compute, round));
        if (rc < 0)
            return rc;
        __atomic_fetch_add(&round->jobs, 1, __ATOMIC_RELAXED);
    }
    return 0;
}

static int nap(void *arg)
{
    struct round *round = arg;

    while (weft_now() < round->end && round->naps < NAPS_MOST) {
        weft_time due = weft_now() + NAP_NS;
        int rc = weft_sleep_until(due);
        if (rc < 0)
            return rc;
        round->late[round->naps++] = weft_now() - due;
    }
    return 0;
}

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

static int play_round(void *arg)
{
    struct round *round = arg;
    double seconds = weft_seconds(round->end);
    weft_info_data info;
    int rc = weft_info(&info);

    if (rc < 0)
        return rc;
    weft_cpu()->shape.class = round->class; /* before its first thread starts */
    weft_scope scope;
    rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    round->end += weft_now();
    for (int i = 0; i < 2 * info.pool_threads; i++)
        (void)weft_scope_spawn(&scope, feed, round);
    (void)weft_scope_spawn(&scope, nap, round);
    rc = weft_scope_close(&scope, 0);
    if (rc < 0 || round->naps == 0)
        return rc < 0 ? rc : -ENODATA;
    qsort(round->late, (size_t)round->naps, sizeof round->late[0], compare_times);
    round->figures = (struct figures){
        .median_us = (double)round->late[round->naps / 2] / 1e3,
        .p99_us = (double)round->late[(int64_t)round->naps * 99 / 100] / 1e3,
        .max_us = (double)round->late[round->naps - 1] / 1e3,
        .jobs_per_s = (double)round->jobs / seconds,
        .naps_per_s = (double)round->naps / seconds,
    };
    return 0;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The median over the rounds of the figure that lies `offset` bytes into each. */
static double median(const struct figures *figures, int rounds, size_t offset)
{
    double sorted[ROUNDS_MOST];

    for (int i = 0; i < rounds; i++)
        sorted[i] = *(const double *)(const void *)((const char *)&figures[i] + offset);
    qsort(sorted, (size_t)rounds, sizeof sorted[0], compare_doubles);
    return sorted[rounds / 2];
}

static void print_class(enum pool_class class, const struct figures *figures, int rounds)
{
    printf("%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\n", weft__class_word(class),
           median(figures, rounds, offsetof(struct figures, median_us)),
           median(figures, rounds, offsetof(struct figures, p99_us)),
           median(figures, rounds, offsetof(struct figures, max_us)),
           median(figures, rounds, offsetof(struct figures, jobs_per_s)),
           median(figures, rounds, offsetof(struct figures, naps_per_s)));
}

int main(int argc, char **argv)
{
    static struct figures figures[CLASSES][ROUNDS_MOST];
    static struct round round;
    int rounds = argc > 1 ? atoi(argv[1]) : 7;
    double seconds = argc > 2 ? atof(argv[2]) : 3;

    if (rounds < 1 || rounds > ROUNDS_MOST || !(seconds > 0)) {
        fprintf(stderr, "usage: %s [ROUNDS (1 to %d) [SECONDS]]\n", argv[0], ROUNDS_MOST);
        return 2;
    }
    for (int i = 0; i < rounds * CLASSES; i++) {
        round = (struct round){.class = (enum pool_class)(i % CLASSES), .end = weft_s(seconds)};
        int rc = weft_run(play_round, &round);
        if (rc < 0) {
            fprintf(stderr, "%s: %s %s\n", argv[0], weft_strerror(rc), weft_why());
            return 1;
        }
        figures[i % CLASSES][i / CLASSES] = round.figures;
    }
    printf("class\tmedian us\tp99 us\tmax us\tjobs/s\tnaps/s\n");
    for (int i = 0; i < CLASSES; i++)
        print_class((enum pool_class)i, figures[i], rounds);
    return 0;
}
