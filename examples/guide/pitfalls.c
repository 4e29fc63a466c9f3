/*
 * pitfalls.c - three mistakes, seen happening on one worker, and the way out of each.
 */
#include <errno.h>

#include "guide.h"

/* 1. A call that blocks its thread. */
static int block(void *arg)
{
    guide_block(1);
    return 0;
}

static int block_elsewhere(void *arg) { return weft_blocking(block, NULL); }

/* 2. A task that nobody waits for. */
static int save(void *arg)
{
    int rc = weft_sleep(guide_s(1));

    printf("%s\n", rc < 0 ? "Not saved" : "Saved");
    return rc;
}

static int forget(void *arg)
{
    weft_future forgotten = weft_spawn(save, NULL);
    (void)forgotten; /* gcc warns about one that has no name */
    return 0;
}

static int remember(void *arg) { return weft_await(weft_spawn(save, NULL)); }

/* 3. Computing in tasks, in the hope that it runs in parallel. */
static int compute(void *arg) { return count_primes(3000000) == 216816 ? 0 : -EPROTO; }

static int in_tasks(void *arg)
{
    return weft_gather(weft_spawn(compute, NULL), weft_spawn(compute, NULL));
}

static int in_pool(void *arg)
{
    return weft_gather(weft_offload(weft_cpu(), compute, NULL),
                       weft_offload(weft_cpu(), compute, NULL));
}

static int freezes(void *arg)
{
    int rc = guide_watch("Blocking in a task:    ", block);
    rc = rc < 0 ? rc : guide_watch("Blocking in the lane:  ", block_elsewhere);
    rc = rc < 0 ? rc : guide_watch("Computing in two tasks:", in_tasks);
    return rc < 0 ? rc : guide_watch("Computing in the pool: ", in_pool);
}

static void told(void *context, const char *sentence) { printf("Report: %s\n", sentence); }

int main(void)
{
    const weft_options options = {.workers = 1, .report = told};
    int rc = weft_run_with(&options, freezes, NULL);
    rc = rc < 0 ? rc : weft_run_with(&options, forget, NULL);
    return guide_exit(rc < 0 ? rc : weft_run_with(&options, remember, NULL));
}
