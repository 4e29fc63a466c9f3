/*
 * cancellation.c - to cancel is to ask: every wait of the task answers -ECANCELED from then on.
 */
#include <errno.h>

#include "guide.h"

static int say_goodbye(void *arg)
{
    int rc = weft_sleep(guide_s(0.5)); /* such as telling a server that we leave */
    printf("Cleaned up\n");
    return rc;
}

/* Wants to wait for 10 s. Asked to end, it cleans up first; a shield lets it wait for that. */
static int async_task(void *arg)
{
    int rc = weft_sleep(guide_s(*(int *)arg));
    if (rc == -ECANCELED) {
        int cleaned = weft_shield(guide_s(5), say_goodbye, NULL);
        return cleaned < 0 ? cleaned : rc;
    }
    return rc;
}

/* A job computes and never waits: it has to look for itself, every now and then. */
static int endless_job(void *arg)
{
    long *primes = arg;

    while (!weft_cancelled())
        *primes += count_primes(1000);
    return -ECANCELED;
}

static int cancel_a_task(void)
{
    weft_time start = weft_now();
    weft_future task = weft_spawn_val(async_task, 10);

    int rc = weft_sleep(guide_s(2));
    weft_cancel(task);            /* asks, and does not wait */
    int ended = weft_await(task); /* waits until the task has really ended */
    printf("Task: %s after %.2f seconds\n", weft_strerror(ended), weft_seconds(weft_now() - start));
    return rc;
}

static int cancel_a_job(void)
{
    weft_time start = weft_now();
    long primes = 0;
    weft_future job = weft_offload(weft_cpu(), endless_job, &primes);

    int rc = weft_sleep(guide_s(1));
    weft_cancel(job);
    int ended = weft_await(job); /* only now may `primes` go out of scope */
    printf("Job: %s after %.2f seconds\n", weft_strerror(ended), weft_seconds(weft_now() - start));
    return rc;
}

static int program(void *arg)
{
    int rc = cancel_a_task();

    return rc < 0 ? rc : cancel_a_job();
}

int main(void) { return guide_exit(weft_run(program, NULL)); }
