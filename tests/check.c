/*
 * check - the watchdog, the seed, and the runs of tests/check.h.
 *
 * The watchdog is a plain thread that knows nothing of weft, so that it also sees weft's own hangs.
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/bell.h"
#include "core/gate.h"
#include "core/sys.h"
#include "core/worker.h"

static _Atomic uint64_t progress; /* grows with every sign of life */

void check_progress(void) { atomic_fetch_add(&progress, 1); }

static int bystanders;
static pid_t bystanders_in; /* a child of fork has none of them */

int check_bystanders(void) { return getpid() == bystanders_in ? bystanders : 0; }

int check_run(int workers, weft_fn fn, void *arg)
{
    weft_options options = {.workers = workers, .bystanders = check_bystanders()};

    check_progress();
    int rc = weft_run_with(&options, fn, arg);
    check_progress();
    return rc;
}

static long number_of(const char *variable, long otherwise)
{
    const char *text = getenv(variable);

    return text == NULL || *text == '\0' ? otherwise : strtol(text, NULL, 0);
}

int check_next_workers(int workers)
{
    int only = (int)number_of("CHECK_ONLY_WORKERS", 0);

    check_progress();
    if (only > 0)
        return workers == 0 ? only : 0;
    switch (workers) {
    case 0: return 1;
    case 1: return 2;
    case 2: return 3;
    case 3: return 8;
    default: return 0;
    }
}

uint64_t check_seed(void)
{
    struct timespec now;
    const char *given = getenv("WEFT_SEED");

    (void)clock_gettime(CLOCK_REALTIME, &now); /* this clock is always there */
    uint64_t seed = (uint64_t)now.tv_nsec * 2654435761u ^ (uint64_t)now.tv_sec;
    if (given != NULL && *given != '\0')
        seed = strtoull(given, NULL, 0);
    printf("WEFT_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

uint64_t check_random(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Prints the first line of /proc/self/task/<tid>/<name>. */
static void print_line(const char *tid, const char *name)
{
    char path[300];
    char line[160];
    ssize_t got = -1;

    (void)snprintf(path, sizeof path, "/proc/self/task/%s/%s", tid, name); /* fits */
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        got = read(fd, line, sizeof line - 1);
        (void)close(fd); /* only read from */
    }
    line[got > 0 ? got : 0] = '\0';
    line[strcspn(line, "\n")] = '\0';
    fprintf(stderr, "  %s", line);
}

static void print_threads(void)
{
    DIR *tasks = opendir("/proc/self/task");

    if (tasks == NULL)
        return;
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks)) {
        if (entry->d_name[0] == '.')
            continue;
        fprintf(stderr, "watchdog: thread %s", entry->d_name);
        print_line(entry->d_name, "comm");
        print_line(entry->d_name, "schedstat"); /* ran for, waited for a processor for, how often */
        print_line(entry->d_name, "syscall");
        fprintf(stderr, "\n");
    }
    (void)closedir(tasks); /* only read from */
}

static unsigned long long behind(_Atomic uint64_t *taken, _Atomic uint64_t *pushed)
{
    return atomic_load(pushed) - atomic_load(taken);
}

/* What weft believes: where a task may wait, and who sleeps. */
static void print_workers(void)
{
    struct runtime *runtime = weft__gate_runtime();

    if (runtime == NULL)
        return;
    uint64_t counts = atomic_load(&runtime->idle.counts);

    fprintf(stderr, "watchdog: %u search, %u sleep, injected %llu\n", (unsigned)(counts >> 32),
            (unsigned)counts, behind(&runtime->inbox.taken, &runtime->inbox.pushed));
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        struct worker *worker = &runtime->workers[i];
        struct task *next = atomic_load(&worker->run_next);

        fprintf(stderr,
                "watchdog: worker %u  ran %u  deque %llu  inbox %llu  run-next %s  park state %d  "
                "searching %d  asleep %u  rung %u  turns %u\n",
                i, atomic_load(&worker->ran), behind(&worker->deque.head, &worker->deque.tail),
                behind(&worker->inbox.taken, &worker->inbox.pushed), next ? "full" : "empty",
                (int)worker->park_state, worker->is_searching,
                atomic_load(&worker->loop.bell->asleep), atomic_load(&worker->loop.bell->rung),
                worker->turns_left);
    }
}

/* A signal does not make it shorter. */
static void pass_a_second(void)
{
    struct timespec left = {.tv_sec = 1};

    while (nanosleep(&left, &left) != 0)
        ;
}

static void *watch(void *arg)
{
    long limit = number_of("CHECK_WATCHDOG", 60);
    uint64_t seen = 0;

    (void)arg;
    for (long quiet = 0; quiet < limit; quiet++) {
        uint64_t now = atomic_load(&progress);
        if (now != seen)
            quiet = 0;
        seen = now;
        pass_a_second();
    }
    fprintf(stderr, "watchdog: no progress for %ld s in %s\n", limit, program_invocation_name);
    print_threads();
    print_workers();
    pass_a_second();
    print_threads(); /* who has run meanwhile? */
    abort();
}

static int alive(void **state)
{
    (void)state;
    check_progress();
    return 0;
}

int check_group(const struct CMUnitTest *tests, size_t count)
{
    const char *only = getenv("CHECK_ONLY");
    struct CMUnitTest *watched = malloc(count * sizeof *watched);
    pthread_t watchdog;

    setvbuf(stdout, NULL, _IOLBF, 0); /* a test that dies leaves its name */
    if (watched == NULL || pthread_create(&watchdog, NULL, watch, NULL) != 0) {
        fprintf(stderr, "check: no memory or no thread for the watchdog\n");
        abort();
    }
    if (only != NULL && *only != '\0')
        cmocka_set_test_filter(only);
    (void)pthread_detach(watchdog);        /* it ends with the process */
    bystanders = weft__sys_threads(0) - 1; /* all but this one */
    bystanders_in = getpid();
    for (size_t i = 0; i < count; i++) {
        watched[i] = tests[i];
        if (watched[i].setup_func == NULL)
            watched[i].setup_func = alive;
    }
    int failed = _cmocka_run_group_tests("tests", watched, count, NULL, NULL);
    free(watched);
    return failed;
}
