/*
 * program.h - the main function that the peers in C and C++ share: PROGRAM WORK WORKERS SIZE.
 */
#ifndef WEFT_BENCH_PROGRAM_H
#define WEFT_BENCH_PROGRAM_H

#include "bench/bench.h"

struct work {
    const char *name;
    void (*run)(struct run *run);
    int is_timed; /* done twice, the second time counts; the others print figures of their own */
};

static inline int run_work(const struct work *works, size_t count, int argc, char **argv)
{
    for (size_t i = 0; argc == 4 && i < count; i++) {
        struct run run = {atoi(argv[2]), atol(argv[3]), 0};
        if (strcmp(works[i].name, argv[1]) != 0)
            continue;
        for (int round = 0; round <= works[i].is_timed; round++) {
            run.result = 0;
            int64_t begin = now_ns();
            works[i].run(&run);
            if (round == 1)
                say("ns", (double)(now_ns() - begin));
        }
        say_result(run.result);
        return 0;
    }
    fprintf(stderr, "usage: %s WORK WORKERS SIZE\n", argv[0]);
    return 2;
}

#define RUN_WORK(works, argc, argv) \
    run_work((works), sizeof(works) / sizeof((works)[0]), (argc), (argv))

#endif
