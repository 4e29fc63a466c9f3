/*
 * late_worker - does a worker ever sit still while tasks are ready, and if so, does the kernel hold it?
 *
 * Round after round: all workers fall asleep for a random moment, then a task spawns JOBS tasks that
 * only compute, and each notes who ran it and when. Afterwards, for each worker, the longest gap between
 * two of its tasks (while others had not begun yet) stands beside the time that the worker's thread
 * was ready to run but had no processor, as the kernel counts it. A gap over LATE_NS that the kernel
 * does not explain is a wake-up that was lost, or came late: such a round is printed.
 *
 *     WEFT_LOOP=uring build/release/bench/bench_late_worker [SECONDS] [MS_PER_JOB] [0|1 heartbeat]
 *
 * Prints, tab separated: rounds, unexplained gaps, the longest gap and the longest hold in ms.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <weft.h>

enum { JOBS = 12, MOST_THREADS = 64, LATE_NS = 8000000, PAUSE_NS = 20000000 };

struct job {
    int thread;
    weft_time begin, end;
};

/* Time that a thread of this process was ready without a processor, before and after a round. */
struct hold {
    int thread;
    int64_t before, after;
};

struct bench {
    weft_time end, job_ns;
    bool has_heartbeat;
    struct job jobs[JOBS];
    struct hold holds[MOST_THREADS];
    int threads;
    long rounds, unexplained;
    int64_t longest_gap, longest_hold;
};

/* From the second number of the thread's schedstat; 0 if it has ended. */
static int64_t held_ns(int thread)
{
    char path[64];
    long long ran = 0, held = 0;

    snprintf(path, sizeof path, "/proc/self/task/%d/schedstat", thread);
    FILE *file = fopen(path, "r");
    if (!file)
        return 0;
    if (fscanf(file, "%lld %lld", &ran, &held) != 2)
        held = 0;
    fclose(file);
    return held;
}

static void note_holds_before(struct bench *bench)
{
    DIR *tasks = opendir("/proc/self/task");

    bench->threads = 0;
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
        int thread = atoi(entry->d_name);

        if (thread > 0 && bench->threads < MOST_THREADS)
            bench->holds[bench->threads++] = (struct hold){thread, held_ns(thread), 0};
    }
    if (tasks)
        closedir(tasks);
}

static int compute(void *arg)
{
    struct bench *bench = *(struct bench **)arg;
    struct job *job = ((struct job **)arg)[1];

    job->thread = (int)syscall(SYS_gettid);
    job->begin = weft_now();
    while (weft_now() < job->begin + bench->job_ns)
        ;
    job->end = weft_now();
    return 0;
}

static int heartbeat(void *arg)
{
    (void)arg;
    while (weft_sleep(weft_ms(10)) == 0)
        ;
    return 0;
}

/* The longest time without a task between `start` and the moment when the last one began. */
static int64_t longest_gap(const struct bench *bench, int thread, weft_time start)
{
    weft_time last_begin = start, at = start;
    int64_t longest = 0;

    for (int i = 0; i < JOBS; i++)
        if (bench->jobs[i].begin > last_begin)
            last_begin = bench->jobs[i].begin;
    while (at < last_begin) {
        const struct job *next = NULL;

        for (int i = 0; i < JOBS; i++) {
            const struct job *job = &bench->jobs[i];

            if (job->thread == thread && job->begin >= at && (!next || job->begin < next->begin))
                next = job;
        }
        int64_t gap = (next ? next->begin : last_begin) - at;
        if (gap > longest)
            longest = gap;
        at = next ? next->end : last_begin;
    }
    return longest;
}

static bool is_worker(const struct bench *bench, int thread)
{
    for (int i = 0; i < JOBS; i++)
        if (bench->jobs[i].thread == thread)
            return true;
    return false;
}

static void print_round(const struct bench *bench, weft_time start)
{
    printf("round %ld:\n", bench->rounds);
    for (int i = 0; i < JOBS; i++)
        printf("  thread %d  %.3f to %.3f ms\n", bench->jobs[i].thread,
               weft_seconds(bench->jobs[i].begin - start) * 1e3,
               weft_seconds(bench->jobs[i].end - start) * 1e3);
}

/* A worker that ran nothing at all in this round cannot be told from other threads by its tasks: then
 * all ran on one, and its gap is the whole round. */
static void judge(struct bench *bench, weft_time start)
{
    int workers = 0;
    bool is_unexplained = false;

    for (int i = 0; i < bench->threads; i++) {
        struct hold *hold = &bench->holds[i];

        if (!is_worker(bench, hold->thread))
            continue;
        int64_t gap = longest_gap(bench, hold->thread, start);
        int64_t held = held_ns(hold->thread) - hold->before;
        workers++;
        if (gap > bench->longest_gap)
            bench->longest_gap = gap;
        if (held > bench->longest_hold)
            bench->longest_hold = held;
        is_unexplained |= gap > LATE_NS && held < gap / 2;
    }
    if (is_unexplained || workers < 2) {
        bench->unexplained++;
        print_round(bench, start);
    }
}

static int measure(void *arg)
{
    struct bench *bench = arg;
    weft_future beat = {0}, futures[JOBS];
    int rc = 0;

    if (bench->has_heartbeat)
        beat = weft_spawn(heartbeat, NULL);
    while (rc == 0 && weft_now() < bench->end) {
        rc = weft_sleep(rand() % PAUSE_NS);
        if (rc < 0)
            break;
        note_holds_before(bench);
        weft_time start = weft_now();
        for (int i = 0; i < JOBS; i++) {
            void *both[2] = {bench, &bench->jobs[i]};
            futures[i] = weft_spawn_val_at(WEFT_SITE(compute), compute, both, sizeof both);
        }
        rc = weft_gather_n(futures, JOBS, NULL);
        bench->rounds++;
        judge(bench, start);
    }
    if (bench->has_heartbeat) {
        weft_cancel(beat);
        (void)!weft_await(beat); /* it was cancelled by us */
    }
    return rc;
}

int main(int argc, char **argv)
{
    static struct bench bench;

    bench.end = weft_now() + weft_s(argc > 1 ? atof(argv[1]) : 10);
    bench.job_ns = (weft_time)((argc > 2 ? atof(argv[2]) : 4) * 1e6);
    bench.has_heartbeat = argc > 3 && atoi(argv[3]);
    int rc = weft_run(measure, &bench);
    if (rc < 0)
        return fprintf(stderr, "bench_late_worker: %s %s\n", weft_strerror(rc), weft_why()), 1;
    printf("rounds\tunexplained\tlongest_gap_ms\tlongest_hold_ms\n%ld\t%ld\t%.1f\t%.1f\n",
           bench.rounds, bench.unexplained, (double)bench.longest_gap / 1e6,
           (double)bench.longest_hold / 1e6);
    return 0;
}
