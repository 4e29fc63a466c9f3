/*
 * contrast - one report needs three waits and some computation; made in four ways, it shows what
 * tasks and a CPU pool are for.
 *
 *   options.c   the command line             plain.c     the way without weft
 *   folder.c    the temporary folder         tasks.c     the three ways with weft
 *   service.c   slow_service's process       orders.c    SQLite, on a slow disk
 *   watch.c     Ctrl-C, the progress line    primes.c    the computation
 *   journal.c   who did what when            http.c      what is said to slow_service
 *   report.c    the figures in words         terminal.c, json.c, page.c + timeline.c
 *
 * Start here for the order of things: set up, measure way by way, report, clean up.
 */
#include "contrast.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "failure.h"
#include "folder.h"
#include "journal.h"
#include "json.h"
#include "options.h"
#include "orders.h"
#include "page.h"
#include "report.h"
#include "service.h"
#include "terminal.h"
#include "watch.h"

/* What must be gone at the end. The lock is held while it comes into being: Ctrl-C waits for that,
 * and then finds all of it. */
struct house {
    pthread_mutex_t lock;
    struct folder folder;
    struct service service;
};

struct contrast {
    struct options options;
    struct house house;
    struct watch watch;
    struct sources sources;
    struct journal journal;
    struct failure failure;
    struct report report;
};

static const char NO_OUTPUT[] = "standard output cannot be written";

static void clean_up(void *arg)
{
    struct house *house = arg;

    pthread_mutex_lock(&house->lock);
    service_stop(&house->service);
    folder_remove(&house->folder);
    pthread_mutex_unlock(&house->lock);
}

/* The places below are held by something, so that no pipe of ours becomes a standard stream. */
static int hold_standard_streams(void)
{
    int fd;

    while ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) >= 0 && fd <= STDERR_FILENO)
        ;
    return fd < 0 ? -errno : close(fd);
}

static int furnish(struct contrast *contrast)
{
    struct house *house = &contrast->house;
    struct sources *sources = &contrast->sources;
    struct failure *failure = &contrast->failure;

    int rc = folder_make(&house->folder, failure);
    if (rc < 0)
        return rc;
    snprintf(sources->pipe, sizeof sources->pipe, "%s/pipe", house->folder.path);
    snprintf(sources->database, sizeof sources->database, "%s/orders.db", house->folder.path);
    sources->scale = contrast->options.scale;
    if (mkfifo(sources->pipe, 0600) < 0)
        return fail(failure, -errno, "%s: %s", sources->pipe, strerror(errno));
    rc = service_start(&house->service, sources->pipe, sources->scale, failure);
    if (rc < 0)
        return rc;
    sources->port = house->service.port;
    return orders_make(sources->database, &sources->sales, failure);
}

static int set_up(struct contrast *contrast)
{
    watch_show(&contrast->watch, "making a database of 200,000 orders");
    pthread_mutex_lock(&contrast->house.lock);
    int rc = furnish(contrast);
    pthread_mutex_unlock(&contrast->house.lock);
    watch_hide(&contrast->watch);
    return rc;
}

static int ask_info(void *info) { return weft_info(info); }

static weft_options options_of(const struct contrast *contrast, enum way way)
{
    return (weft_options){.workers = way == WAY_ONE_WORKER ? 1 : contrast->options.workers,
                          .pool_threads = contrast->options.pool,
                          .loop = contrast->options.loop};
}

/* Starts weft once to see what it will be like: a wrong variable shows here, before the waits. */
static int look_at_weft(struct contrast *contrast)
{
    weft_options options = options_of(contrast, WAY_POOL);
    weft_info_data info = {0};

    int rc = weft_run_with(&options, ask_info, &info);
    if (rc < 0)
        return fail(&contrast->failure, rc, "weft does not start: %s%s%s", weft_strerror(rc),
                    *weft_why() ? ": " : "", weft_why());
    report_about(&contrast->report, &info, contrast->options.scale);
    return 0;
}

static void show_part(const struct run *run, enum part part)
{
    static const char *const names[PARTS] = {"waits alone", "primes alone", "both at once"};
    struct contrast *contrast = run->context;
    char text[100];

    snprintf(text, sizeof text, "%d %s: %s", (int)run->way + 1, way_titles[run->way], names[part]);
    watch_show(&contrast->watch, text);
}

static int go(struct contrast *contrast, enum way way)
{
    struct run run = {.way = way,
                      .sources = &contrast->sources,
                      .figures = &contrast->report.figures[way],
                      .journal = &contrast->journal,
                      .failure = &contrast->failure,
                      .on_part = show_part,
                      .context = contrast};
    weft_options options = options_of(contrast, way);

    int rc = way == WAY_SEQUENTIAL ? plain_run(&run) : weft_run_with(&options, tasks_run, &run);
    watch_hide(&contrast->watch);
    if (rc < 0)
        return fail(&contrast->failure, rc, "%s: %s", way_titles[way], weft_strerror(rc));
    terminal_row(&contrast->report, way);
    return ferror(stdout) ? fail(&contrast->failure, -EIO, "%s", NO_OUTPUT) : 0;
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int measure(struct contrast *contrast)
{
    double wall = seconds_of(CLOCK_REALTIME);
    double monotonic = seconds_of(CLOCK_MONOTONIC);
    int rc = 0;

    for (int way = 0; way < WAYS && rc == 0; way++)
        rc = go(contrast, (enum way)way);
    contrast->report.wall_s = seconds_of(CLOCK_REALTIME) - wall;
    contrast->report.monotonic_s = seconds_of(CLOCK_MONOTONIC) - monotonic;
    return rc;
}

static int write_files(struct contrast *contrast)
{
    const char *json = contrast->options.json, *html = contrast->options.html;

    int rc = json ? json_write(&contrast->report, json) : 0;
    if (rc < 0)
        return fail(&contrast->failure, rc, "%s cannot be written: %s", json, strerror(-rc));
    rc = page_write(&contrast->report, html);
    if (rc < 0)
        return fail(&contrast->failure, rc, "%s cannot be written: %s", html, strerror(-rc));
    printf("The timelines are in %s\n", html);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return 0;
    return fail(&contrast->failure, -EIO, "%s", NO_OUTPUT);
}

static int run(struct contrast *contrast)
{
    int rc = look_at_weft(contrast);
    if (rc == 0)
        rc = set_up(contrast);
    if (rc < 0)
        return rc;
    terminal_header(&contrast->report);
    rc = measure(contrast);
    if (rc < 0)
        return rc;
    terminal_summary(&contrast->report);
    return write_files(contrast);
}

int main(int argc, char **argv)
{
    static struct contrast contrast; /* large, and zero */

    int status = options_read(&contrast.options, argc, argv);
    if (status != OPTIONS_GO_ON)
        return status;
    signal(SIGPIPE, SIG_IGN);
    if (contrast.options.loop != WEFT_LOOP_AUTO) /* slow_service takes the same loop */
        setenv("WEFT_LOOP", contrast.options.loop == WEFT_LOOP_URING ? "uring" : "epoll", 1);
    pthread_mutex_init(&contrast.house.lock, NULL);
    contrast.report.journal = &contrast.journal;
    int rc = hold_standard_streams();
    if (rc == 0)
        rc = journal_init(&contrast.journal);
    if (rc == 0)
        rc = watch_start(&contrast.watch, clean_up, &contrast.house);
    if (rc == 0) {
        rc = run(&contrast);
        watch_stop(&contrast.watch);
        clean_up(&contrast.house);
    }
    journal_free(&contrast.journal);
    if (rc >= 0)
        return 0;
    fprintf(stderr, "contrast: %s\n",
            contrast.failure.taken ? contrast.failure.sentence : strerror(-rc));
    return rc == -EINVAL ? 2 : 1;
}
