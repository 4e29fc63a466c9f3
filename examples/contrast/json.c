#include "json.h"

#include <stdio.h>

#include "output.h"

static void write_way(FILE *file, const struct report *report, enum way way)
{
    fprintf(file,
            "%s\n  {\"name\":\"%s\",\"waits_s\":%.4f,\"primes_s\":%.4f,\"both_s\":%.4f,"
            "\"cpu_s\":%.4f,\"longest_freeze_ms\":%.3f}",
            way == 0 ? "" : ",", way_names[way], report_part_s(report, way, PART_WAITS),
            report_part_s(report, way, PART_PRIMES), report_part_s(report, way, PART_BOTH),
            report->figures[way].cpu_s, report_freeze_ms(report, way));
}

static void write(FILE *file, const struct report *report)
{
    fprintf(file, "{\"loop\":\"%s\",\"workers\":%d,\"pool\":%d,\"primes\":%d,\"modes\":[",
            report_loop_name(report), report->info.workers, report->info.pool_threads,
            PRIMES_COUNT);
    for (int way = 0; way < WAYS; way++)
        write_way(file, report, (enum way)way);
    fputs("]}\n", file);
}

int json_write(const struct report *report, const char *path)
{
    return output_write(path, write, report);
}
