/*
 * errors.c - a failure is a value: returned, passed on, looked at where it matters.
 */
#include <errno.h>

#include "guide.h"

/* Fails at once: there is no such file. The caller gets what open(2) would say. */
static int read_settings(void *arg)
{
    int fd = weft_open("/no/such/settings", O_RDONLY, 0);
    if (fd < 0)
        return fd;
    return weft_close(fd);
}

static int async_task(void *arg)
{
    int seconds = *(int *)arg;
    int rc = weft_sleep(guide_s(seconds));

    return rc < 0 ? rc : seconds;
}

/* Where Python says try and except: look at the status. */
static void one_failure(void)
{
    int rc = weft_await(weft_spawn(read_settings, NULL));
    if (rc < 0)
        printf("Error: %s\n", weft_strerror(rc));
}

/* The first failure ends the others: they need not run for their 10 s. */
static void one_of_three(void)
{
    int statuses[3];
    weft_future tasks[] = {
        weft_spawn_val(async_task, 10),
        weft_spawn(read_settings, NULL),
        weft_spawn_val(async_task, 10),
    };
    weft_time start = weft_now();

    int rc = weft_gather_n(tasks, 3, statuses);
    printf("Gather: %s, after %.2f seconds\n", weft_strerror(rc), weft_seconds(weft_now() - start));
    for (int i = 0; i < 3; i++)
        printf("  Task %d: %s\n", i + 1, weft_strerror(statuses[i]));
}

/* A time limit is one more way to fail; what it cuts short has ended when the call returns. */
static void too_late(void)
{
    int seconds = 10;
    int rc = weft_timeout(guide_s(1), async_task, &seconds);

    printf("Timeout: %s\n", rc == -ETIMEDOUT ? "the task was given 1s and wanted 10s" : "none?");
}

/* A task that could not even be started: the handle carries the error to whoever awaits it. */
static void never_started(void)
{
    weft_task_options options = {.stack_bytes = (size_t)1 << 40, .site = "too large"};
    int rc = weft_await(weft_spawn_with(&options, read_settings, NULL));

    printf("Spawn: %s\n", weft_strerror(rc));
}

static int program(void *arg)
{
    one_failure();
    one_of_three();
    too_late();
    never_started();
    return 0;
}

int main(void) { return guide_exit(weft_run(program, NULL)); }
