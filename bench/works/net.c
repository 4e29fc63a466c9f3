/*
 * net - bench/run on weft: an echo server, with and without a pool that computes; and idleness.
 */
#include <weft.h>

#include "bench/job.h"
#include "bench/works/works.h"

enum { FEEDERS_PER_CORE = 2 };

static int job(void *arg)
{
    *(uint64_t *)arg = do_job();
    return 0;
}

/* One of those who keep the pool busy: as soon as a job has ended it hands over the next. */
static int feed(void *arg)
{
    uint64_t answer;

    (void)arg;
    for (;;) {
        int rc = weft_await(weft_offload(weft_cpu(), job, &answer));
        if (rc < 0)
            return rc;
        count_job(answer);
    }
}

static int echo(void *arg)
{
    int client = *(int *)arg;
    char bytes[4096];
    ssize_t n;

    while ((n = weft_read(client, bytes, sizeof bytes)) > 0 &&
           weft_write_full(client, bytes, (size_t)n) == n)
        ;
    return weft_close(client);
}

static int listen_and_say(void)
{
    weft_address here;
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL);
    int rc = listener < 0 ? listener : weft_local_address(listener, &here);

    if (rc < 0)
        return rc;
    say("port", here.port);
    return listener;
}

/* Echoes until it is killed; with a size, jobs of so many steps keep the pool busy all the time. */
int echo_server(void *arg)
{
    struct run *run = arg;

    listen_to_bench(run->size);
    for (int i = 0; run->size > 0 && i < FEEDERS_PER_CORE * run->workers; i++)
        weft_detach(weft_spawn(feed, NULL));
    int listener = listen_and_say();
    while (listener >= 0) {
        int client = weft_tcp_accept(listener, NULL);
        if (client < 0)
            return client;
        weft_detach(weft_spawn_val(echo, client));
    }
    return listener;
}

static int sleep_an_hour(void *arg)
{
    (void)arg;
    return weft_sleep(weft_s(3600));
}

static int read_silence(void *arg)
{
    char byte;

    return (int)weft_read(*(int *)arg, &byte, 1);
}

static int start_pool(void *arg)
{
    (void)arg;
    return 0;
}

/* `size` timers an hour away and as many connections on which nothing comes; until it is killed. */
int idle(void *arg)
{
    struct run *run = arg;
    weft_address here;

    (void)!weft_await(
        weft_offload(weft_cpu(), sleep_an_hour, NULL)); /* -EPERM; the pool has begun */
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL);
    int rc = listener < 0 ? listener : weft_local_address(listener, &here);
    for (long i = 0; i < run->size && rc >= 0; i++) {
        int near = weft_tcp_connect(here.host, here.port);
        int far = near < 0 ? near : weft_tcp_accept(listener, NULL);
        if (far < 0)
            return far;
        weft_detach(weft_spawn_val(read_silence, far));
        weft_detach(weft_spawn(sleep_an_hour, NULL));
    }
    if (rc >= 0)
        rc = weft_await(weft_offload(weft_cpu(), start_pool, NULL));
    say_result(run->size);
    return rc < 0 ? rc : weft_sleep(weft_s(3600));
}
