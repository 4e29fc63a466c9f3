#include "report.h"

#include <math.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

const char *const way_titles[WAYS] = {"one after another", "tasks, one worker, primes in tasks",
                                      "tasks on all workers, primes in tasks", "tasks + CPU pool"};

const char *const way_names[WAYS] = {"sequential", "one_worker", "all_workers", "pool"};

const char report_note[] = "Without a runtime there is no heartbeat: there the freeze is the "
                           "longest step, during which the program can do nothing else.";

void report_about(struct report *report, const weft_info_data *info, double scale)
{
    struct utsname system;

    report->cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (uname(&system) == 0)
        snprintf(report->system, sizeof report->system, "%s %.60s, %.60s", system.sysname,
                 system.release, system.machine);
    report->scale = scale;
    report->info = *info;
}

double report_part_s(const struct report *report, enum way way, enum part part)
{
    const struct figures *figures = &report->figures[way];

    return weft_seconds(figures->end[part] - figures->begin[part]);
}

double report_freeze_ms(const struct report *report, enum way way)
{
    return weft_seconds(report->figures[way].freeze) * 1e3;
}

bool report_freezes(const struct report *report, enum way way)
{
    return report->figures[way].freeze > weft_ms(FREEZE_MS);
}

const char *report_loop_title(const struct report *report)
{
    switch (report->info.loop) {
    case WEFT_LOOP_URING: return "io_uring";
    case WEFT_LOOP_EPOLL: return "epoll";
    case WEFT_LOOP_AUTO: break;
    }
    return "io_uring on some workers, epoll on others";
}

const char *report_loop_name(const struct report *report)
{
    switch (report->info.loop) {
    case WEFT_LOOP_URING: return "uring";
    case WEFT_LOOP_EPOLL: return "epoll";
    case WEFT_LOOP_AUTO: break;
    }
    return "auto";
}

/* Worth the name of help: a fifth faster, at least. */
static bool helps(double ratio) { return ratio >= 1.2; }

void report_verdicts(const struct report *report, struct verdict ret_verdicts[VERDICTS])
{
    double waits = report_part_s(report, WAY_SEQUENTIAL, PART_WAITS);
    double waits_in_tasks = report_part_s(report, WAY_ONE_WORKER, PART_WAITS);
    double primes = report_part_s(report, WAY_SEQUENTIAL, PART_PRIMES);
    double primes_in_tasks = report_part_s(report, WAY_ONE_WORKER, PART_PRIMES);
    double primes_in_pool = report_part_s(report, WAY_POOL, PART_PRIMES);
    double frozen = report_freeze_ms(report, WAY_ONE_WORKER);
    double frozen_with_pool = report_freeze_ms(report, WAY_POOL);

    /* A gain that freezes all else is none. On a single core a pool makes nothing faster, but the
     * freezes end all the same. */
    bool tasks_help = helps(primes / primes_in_tasks) && !report_freezes(report, WAY_ONE_WORKER);
    bool pool_helps = helps(primes / primes_in_pool) || frozen_with_pool * 10 < frozen;
    ret_verdicts[0] = (struct verdict){.work = "I/O-bound", .helps = helps(waits / waits_in_tasks)};
    ret_verdicts[1] = (struct verdict){.work = "CPU-bound", .helps = tasks_help};
    ret_verdicts[2] = (struct verdict){.work = "CPU-bound with a pool", .helps = pool_helps};
    snprintf(ret_verdicts[0].why, sizeof ret_verdicts[0].why,
             "%.2f s instead of %.2f s, %.1f times as fast: waits overlap", waits_in_tasks, waits,
             waits / waits_in_tasks);
    snprintf(ret_verdicts[1].why, sizeof ret_verdicts[1].why,
             "%.2f s instead of %.2f s, %.1f times as fast: all else froze for %.0f ms",
             primes_in_tasks, primes, primes / primes_in_tasks, frozen);
    snprintf(ret_verdicts[2].why, sizeof ret_verdicts[2].why,
             "%.2f s instead of %.2f s, %.1f times as fast: longest freeze %.1f ms", primes_in_pool,
             primes, primes / primes_in_pool, frozen_with_pool);
}

void report_clocks(const struct report *report, char ret_sentence[CLOCKS_BYTES])
{
    double apart_ms = (report->wall_s - report->monotonic_s) * 1e3;

    if (fabs(apart_ms) < 10)
        snprintf(ret_sentence, CLOCKS_BYTES,
                 "The wall clock says %.3f s, the monotonic clock %.3f s: nobody set the date "
                 "meanwhile.",
                 report->wall_s, report->monotonic_s);
    else
        snprintf(
            ret_sentence, CLOCKS_BYTES,
            "The wall clock says %.3f s, the monotonic clock %.3f s: the date was moved by "
            "%.0f ms meanwhile. The figures are from the monotonic clock, which does not care.",
            report->wall_s, report->monotonic_s, apart_ms);
}
