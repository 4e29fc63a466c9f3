/*
 * timing.c - three waits: one after another, then all at once.
 */
#include "guide.h"

/* Plain C: the thread stands still. */
static int blocking_task(int seconds)
{
    guide_block(seconds);
    return seconds;
}

/* A task function: it suspends where it waits, and the thread does something else meanwhile. */
static int async_task(void *arg)
{
    int seconds = *(int *)arg;
    int rc = weft_sleep(guide_s(seconds));

    return rc < 0 ? rc : seconds; /* a status of 0 or more is ours to give a meaning */
}

static void print_results(const int *results, int n, weft_time start)
{
    weft_time end = weft_now();

    for (int i = 0; i < n; i++)
        printf("Done after %ds\n", results[i]);
    printf("Total time: %.2f seconds\n", weft_seconds(end - start));
}

static void one_after_another(void)
{
    weft_time start = weft_now();
    int results[3];

    results[0] = blocking_task(2);
    results[1] = blocking_task(3);
    results[2] = blocking_task(1);
    print_results(results, 3, start);
}

static int all_at_once(void *arg)
{
    weft_time start = weft_now();
    int results[3];
    weft_future tasks[] = {
        weft_spawn_val(async_task, 2),
        weft_spawn_val(async_task, 3),
        weft_spawn_val(async_task, 1),
    };

    int rc = weft_gather_n(tasks, 3, results);
    if (rc < 0)
        return rc;
    print_results(results, 3, start);
    return 0;
}

int main(void)
{
    printf("Synchronous\n");
    one_after_another();
    printf("Asynchronous\n");
    return guide_exit(weft_run(all_at_once, NULL));
}
