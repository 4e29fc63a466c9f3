/*
 * bench_weft - the works of bench/run on weft: bench_weft WORK WORKERS SIZE. See bench/bench.h.
 */
#include <weft.h>

#include "bench/works/works.h"

static const struct work {
    const char *name;
    weft_fn run;
    int is_timed; /* done twice, the second time counts; the others print figures of their own */
} works[] = {
    {"spawn_join", spawn_join, 1},
    {"spawn_await", spawn_await, 1},
    {"yield", yield, 1},
    {"channel_roundtrip", channel_roundtrip, 1},
    {"skynet", skynet, 1},
    {"channel_many", channel_many, 1},
    {"mutex_contended", mutex_contended, 1},
    {"prime_sieve", prime_sieve, 1},
    {"timer_churn", timer_churn, 1},
    {"sleepers_1m", sleepers_1m, 0},
    {"steal_latency", steal_latency, 0},
    {"wake_latency", wake_latency, 0},
    {"offload_roundtrip", offload_roundtrip, 1},
    {"offload_1000", offload_1000, 1},
    {"echo_server", echo_server, 0},
    {"idle", idle, 0},
};

struct plan {
    const struct work *work;
    struct run run;
};

static int do_work(void *arg)
{
    struct plan *plan = arg;
    int rc = 0;

    for (int round = 0; round <= plan->work->is_timed && rc >= 0; round++) {
        plan->run.result = 0;
        weft_time begin = weft_now();
        rc = plan->work->run(&plan->run);
        if (rc >= 0 && round == 1)
            say("ns", (double)(weft_now() - begin));
    }
    if (rc >= 0)
        say_result(plan->run.result);
    return rc;
}

static const struct work *find(const char *name)
{
    for (size_t i = 0; i < sizeof works / sizeof works[0]; i++)
        if (strcmp(works[i].name, name) == 0)
            return &works[i];
    return NULL;
}

int main(int argc, char **argv)
{
    struct plan plan = {0};

    if (argc == 4) {
        plan.work = find(argv[1]);
        plan.run.workers = atoi(argv[2]);
        plan.run.size = atol(argv[3]);
    }
    if (!plan.work)
        return fprintf(stderr, "usage: bench_weft WORK WORKERS SIZE\n"), 2;
    int rc = weft_run_with(&(weft_options){.workers = plan.run.workers}, do_work, &plan);
    if (rc < 0)
        fprintf(stderr, "bench_weft: %s %s\n", weft_strerror(rc), weft_why());
    return rc < 0;
}
