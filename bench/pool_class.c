/*
 * pool_class - how should the threads of the CPU pool be scheduled, so that tasks keep their latency
 * while all cores compute, and computing still gets what is left?
 *
 * For each class in turn, again and again: the threads of the pool compute without a pause, one task
 * sleeps 1 ms in a loop, and the lateness of each wake-up is kept. A round begins when other programs
 * leave the machine alone, and is played again if they took more than OTHERS_MOST of the processors
 * after all. A line per class at the end: the medians over all rounds. With rivals, so many other
 * processes compute all the time, as on a machine that is shared, and no round waits or is repeated.
 * Usage: bench_pool_class [ROUNDS [SECONDS [RIVALS]]]
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <weft.h>

#include "core/atomic.h"
#include "pool/pool.h"

#define CLASSES     4
#define ROUNDS_MOST 50
#define RIVALS_MOST 64
#define NAPS_MOST   100000
#define NAP_NS      INT64_C(1000000)
#define JOB_STEPS   400000 /* about half a millisecond of computing */
#define OTHERS_MOST 0.05
#define TRIES       40
#define LOOKS       6000 /* for a quiet machine, before each round */
#define LOOK_US     100000

struct figures {
    double median_us, p99_us, max_us;
    double jobs_per_s;
    double naps_per_s;
    double others; /* share of all processors that other programs took */
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
        add_relaxed(&round->jobs, 1); /* relaxed: read when all have ended */
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

/* Seconds that the processors spent on other programs, and that the hypervisor kept for itself. */
static double others_s(void)
{
    double busy[8] = {0}; /* user, nice, system, idle, iowait, irq, softirq, steal */
    struct rusage own;
    FILE *stat = fopen("/proc/stat", "re");

    if (stat) {
        if (fscanf(stat, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &busy[0], &busy[1], &busy[2],
                   &busy[3], &busy[4], &busy[5], &busy[6], &busy[7]) != 8)
            busy[0] = 0;
        (void)fclose(stat); /* only read from */
    }
    (void)getrusage(RUSAGE_SELF, &own); /* cannot fail for these arguments */
    return (busy[0] + busy[1] + busy[2] + busy[5] + busy[6] + busy[7]) /
               (double)sysconf(_SC_CLK_TCK) -
           (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) -
           (double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
}

static double share_of_others(double since_s, double seconds)
{
    return (others_s() - since_s) / seconds / (double)sysconf(_SC_NPROCESSORS_ONLN);
}

/* Sleeps until other programs rest, or for so long that they will not. */
static void wait_until_quiet(void)
{
    double since;

    for (int i = 0; i < LOOKS; i++) {
        since = others_s();
        (void)usleep(LOOK_US); /* early or late does not matter */
        if (share_of_others(since, LOOK_US / 1e6) <= OTHERS_MOST)
            return;
    }
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
    double others = others_s();
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
        .others = share_of_others(others, seconds),
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
    printf("%s\t%.0f\t%.0f\t%.0f\t%.0f\t%.0f\t%.1f\n", weft__class_word(class),
           median(figures, rounds, offsetof(struct figures, median_us)),
           median(figures, rounds, offsetof(struct figures, p99_us)),
           median(figures, rounds, offsetof(struct figures, max_us)),
           median(figures, rounds, offsetof(struct figures, jobs_per_s)),
           median(figures, rounds, offsetof(struct figures, naps_per_s)),
           100 * median(figures, rounds, offsetof(struct figures, others)));
}

/* Plays the round until the machine was quiet, or for `tries` times. */
static int play(enum pool_class class, double seconds, int tries, struct figures *ret_figures)
{
    static struct round round;

    for (int i = 0; i < tries; i++) {
        if (tries > 1)
            wait_until_quiet();
        round = (struct round){.class = class, .end = weft_s(seconds)};
        int rc = weft_run(play_round, &round);
        if (rc < 0) {
            (void)fprintf(stderr, "a round failed: %s %s\n", weft_strerror(rc), weft_why());
            return rc;
        }
        if (i == 0 || round.figures.others < ret_figures->others)
            *ret_figures = round.figures;
        if (ret_figures->others <= OTHERS_MOST)
            break;
    }
    return 0;
}

static int play_all(int rounds, double seconds, int tries)
{
    static struct figures figures[CLASSES][ROUNDS_MOST];

    for (int i = 0; i < rounds * CLASSES; i++) {
        int class = i % CLASSES;
        int rc = play((enum pool_class) class, seconds, tries, &figures[class][i / CLASSES]);
        if (rc < 0)
            return rc;
    }
    printf("class\tmedian us\tp99 us\tmax us\tjobs/s\tnaps/s\tothers %%\n");
    for (int i = 0; i < CLASSES; i++)
        print_class((enum pool_class)i, figures[i], rounds);
    return 0;
}

/* Another program that computes, until this one ends. */
static pid_t start_rival(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* cannot fail for a valid signal */
        for (;;)
            (void)compute(&pid);
    }
    return pid;
}

int main(int argc, char **argv)
{
    pid_t rival[RIVALS_MOST];
    int rounds = argc > 1 ? atoi(argv[1]) : 7;
    double seconds = argc > 2 ? atof(argv[2]) : 3;
    int rivals = argc > 3 ? atoi(argv[3]) : 0;

    if (rounds < 1 || rounds > ROUNDS_MOST || !(seconds > 0) || rivals < 0 ||
        rivals > RIVALS_MOST) {
        (void)fprintf(stderr, "usage: %s [ROUNDS (to %d) [SECONDS [RIVALS (to %d)]]]\n", argv[0],
                      ROUNDS_MOST, RIVALS_MOST);
        return 2;
    }
    for (int i = 0; i < rivals; i++)
        rival[i] = start_rival();
    int rc = play_all(rounds, seconds, rivals > 0 ? 1 : TRIES);
    for (int i = 0; i < rivals; i++)
        if (rival[i] > 0)
            (void)kill(rival[i], SIGKILL); /* our own child, still there */
    return rc < 0;
}
