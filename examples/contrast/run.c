/*
 * run - what every way does with its figures.
 */
#include <sys/resource.h>

#include "journal.h"

static double cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void run_part_begin(struct run *run, enum part part)
{
    run->on_part(run, part);
    run->figures->cpu_s -= cpu_seconds();
    run->figures->begin[part] = weft_now();
}

void run_part_end(struct run *run, enum part part)
{
    run->figures->end[part] = weft_now();
    run->figures->cpu_s += cpu_seconds();
}

void run_freeze(struct run *run, weft_time begin, weft_time end)
{
    if (end - begin > run->figures->freeze)
        run->figures->freeze = end - begin;
    if (end - begin > weft_ms(FREEZE_MS))
        journal_add_freeze(run, begin, end);
}
