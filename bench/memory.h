/*
 * memory.h - what a process holds: resident bytes and mappings.
 */
#ifndef WEFT_BENCH_MEMORY_H
#define WEFT_BENCH_MEMORY_H

#include "bench/bench.h"

static inline double resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%*s %ld", &pages) != 1)
        die("/proc/self/statm");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Prints what `count` sleepers added to `before`, each, and the mappings of the whole process. */
static inline void say_memory(double before, long count)
{
    double now = resident_bytes();
    long lines = 0;
    FILE *file = fopen("/proc/self/maps", "r");

    if (!file)
        die("/proc/self/maps");
    for (int c; (c = getc(file)) != EOF;)
        lines += c == '\n';
    fclose(file);
    say("bytes_each", (now - before) / (double)count);
    say("mappings", (double)lines);
}

#endif
