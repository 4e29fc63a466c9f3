/*
 * job.h - for the servers of bench/run: a job that computes, how many are done, and the thread that
 * tells bench/run.
 */
#ifndef WEFT_BENCH_JOB_H
#define WEFT_BENCH_JOB_H

#include <pthread.h>
#include <stdatomic.h>

#include "bench/bench.h"

enum { JOB_SEED = 88172645 };

static atomic_long jobs_done;
static long job_steps;        /* of one job; 0: none are wanted */
static uint64_t right_answer; /* of each job */

/* Each step needs the one before, so no compiler makes it shorter. */
static inline uint64_t compute(uint64_t seed, long steps)
{
    uint64_t x = seed;

    for (long i = 0; i < steps; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    return x;
}

static inline uint64_t do_job(void) { return compute(JOB_SEED, job_steps); }

static inline void count_job(uint64_t answer)
{
    if (answer != right_answer)
        die("a job's answer");
    atomic_fetch_add(&jobs_done, 1);
}

/* The load generator writes one byte to the server's standard input when the measured time begins,
 * and one when it ends. The answer is how many jobs ended between the two. */
static inline void *answer_bench(void *unused)
{
    char byte;

    if (read(STDIN_FILENO, &byte, 1) != 1)
        _exit(1); /* bench/run has gone */
    int64_t begin = now_ns();
    long before = atomic_load(&jobs_done);
    if (read(STDIN_FILENO, &byte, 1) != 1)
        _exit(1);
    long done = atomic_load(&jobs_done) - before;
    say("jobs_per_s", (double)done * 1e9 / (double)(now_ns() - begin));
    _exit(0);
    return unused;
}

/* To be called once, before there are jobs. */
static inline void listen_to_bench(long steps)
{
    pthread_t thread;

    job_steps = steps;
    right_answer = do_job();
    if (pthread_create(&thread, NULL, answer_bench, NULL) != 0)
        die("pthread_create");
    (void)pthread_detach(thread);
}

#endif
