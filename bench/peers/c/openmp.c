/*
 * openmp - the works of bench/run with OpenMP's tasks (gcc's libgomp).
 */
#include <omp.h>
#include <stdatomic.h>

#include "bench/peers/c/program.h"

enum { REST_NS = 2000000, GIVE_UP_NS = 5000000 };

static void spawn_join(struct run *run)
{
    static unsigned char *ones; /* kept from the round that warms up */

    if (!ones && !(ones = malloc((size_t)run->size)))
        die("malloc");
    memset(ones, 0, (size_t)run->size);
#pragma omp parallel num_threads(run->workers)
#pragma omp single
    {
        for (long i = 0; i < run->size; i++) {
#pragma omp task firstprivate(i)
            ones[i] = 1;
        }
#pragma omp taskwait
    }
    for (long i = 0; i < run->size; i++)
        run->result += ones[i];
}

static void spawn_await(struct run *run)
{
    long long sum = 0;

#pragma omp parallel num_threads(run->workers)
#pragma omp single
    for (long i = 0; i < run->size; i++) {
#pragma omp task shared(sum)
        sum++;
#pragma omp taskwait
    }
    run->result = sum;
}

static long long grow(long long first, long long leaves)
{
    long long sums[10], sum = 0;

    if (leaves == 1)
        return first;
    for (int i = 0; i < 10; i++) {
#pragma omp task shared(sums) firstprivate(i)
        sums[i] = grow(first + i * leaves / 10, leaves / 10);
    }
#pragma omp taskwait
    for (int i = 0; i < 10; i++)
        sum += sums[i];
    return sum;
}

static void skynet(struct run *run)
{
#pragma omp parallel num_threads(run->workers)
#pragma omp single
    run->result = grow(0, run->size);
}

static void steal_latency(struct run *run)
{
    int64_t *spans = calloc((size_t)run->size, sizeof spans[0]);
    _Atomic int64_t begun_ns;

    if (!spans)
        die("calloc");
#pragma omp parallel num_threads(run->workers) shared(begun_ns)
#pragma omp single
    for (; run->result < run->size; run->result++) {
        pause_ns(REST_NS);
        atomic_store(&begun_ns, 0);
        int64_t start = now_ns();
#pragma omp task shared(begun_ns)
        atomic_store(&begun_ns, now_ns());
        while (!atomic_load(&begun_ns) && now_ns() - start < GIVE_UP_NS)
            ;
#pragma omp taskwait
        spans[run->result] = atomic_load(&begun_ns) - start;
    }
    say_spans(spans, run->size);
    free(spans);
}

static const struct work works[] = {
    {"spawn_join", spawn_join, 1},
    {"spawn_await", spawn_await, 1},
    {"skynet", skynet, 1},
    {"steal_latency", steal_latency, 0},
};

int main(int argc, char **argv) { return RUN_WORK(works, argc, argv); }
