/*
 * io_vs_cpu.c - four waits for a slow server overlap; four computations overlap only in the pool.
 */
#include <errno.h>

#include "guide.h"

/* The slow server: answers each of its four clients after a second. */
static int answer(void *arg)
{
    int client = *(int *)arg;
    int rc = weft_sleep(guide_s(1));

    if (rc >= 0)
        rc = weft_write_full(client, "hello", 5) == 5 ? 0 : -EPIPE;
    weft_close(client);
    return rc;
}

static int serve(void *arg)
{
    int listener = *(int *)arg;
    int rc = 0;

    for (int i = 0; i < 4 && rc >= 0; i++) {
        rc = weft_tcp_accept(listener, NULL);
        if (rc >= 0)
            rc = weft_detach(weft_spawn_val(answer, rc)); /* it closes its client */
    }
    weft_close(listener); /* whoever still stands in line is turned away, and does not wait on */
    return rc;
}

/* I/O-bound: it spends nearly all its time waiting for the answer. */
static int request(void *arg)
{
    char text[5];
    int server = weft_tcp_connect("127.0.0.1", (int)*(long *)arg);
    if (server < 0)
        return server;

    ssize_t n = weft_read_full(server, text, sizeof text);
    weft_close(server);
    return n == sizeof text ? 0 : -EPROTO;
}

/* CPU-bound: it never waits, so its worker can do nothing else until it is done. */
static int compute(void *arg) { return count_primes(*(long *)arg) == 216816 ? 0 : -EPROTO; }

static int four_times(const char *what, weft_pool *pool, weft_fn fn, long value)
{
    weft_time start = weft_now();
    weft_future futures[4];

    for (int i = 0; i < 4; i++)
        futures[i] = pool ? weft_offload_val(pool, fn, value) : weft_spawn_val(fn, value);
    int rc = weft_gather_n(futures, 4, NULL);
    printf("%s %.2f seconds\n", what, weft_seconds(weft_now() - start));
    return rc;
}

static int program(void *arg)
{
    weft_scope scope; /* owns the server: whatever fails below, the server ends too */
    weft_address here = {0};
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL); /* 0: the kernel chooses the port */
    int rc = listener < 0 ? listener : weft_local_address(listener, &here);
    if (rc < 0 || (rc = weft_scope_open(&scope)) < 0)
        return rc;

    weft_scope_spawn_val(&scope, serve, listener); /* it closes the listener */
    rc = four_times("4 requests of 1s in tasks:  ", NULL, request, here.port);
    rc = weft_scope_close(&scope, rc);
    rc = rc < 0 ? rc : four_times("4 computations in tasks:    ", NULL, compute, 3000000);
    return rc < 0 ? rc : four_times("4 computations in the pool: ", weft_cpu(), compute, 3000000);
}

/* One worker: what the event loop of Python has. The pool has a thread for each core. */
int main(void) { return guide_exit(weft_run_with(&(weft_options){.workers = 1}, program, NULL)); }
