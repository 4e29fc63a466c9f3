/*
 * epoll - the works of bench/run that one thread with epoll does, and plain threads beside it.
 *
 * BENCH_JOB_NICE=19 lets the threads that compute run at that niceness.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#include "bench/job.h"
#include "bench/peers/c/net.h"
#include "bench/peers/c/program.h"

enum { EVENTS = 128, REST_NS = 2000000 };

static int watch(int epoll, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

static void *compute_for_ever(void *arg)
{
    const char *nice = getenv("BENCH_JOB_NICE");

    if (nice && setpriority(PRIO_PROCESS, 0, atoi(nice)) < 0) /* of this thread */
        die("setpriority");
    for (;;)
        count_job(do_job());
    return arg;
}

static void take_client(int epoll, int listener)
{
    int one = 1, client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (client < 0 || setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0 ||
        watch(epoll, client) < 0)
        die("accept");
}

/* A peer that does not read its echoes is none of ours: the load generator always does. */
static void echo(int client)
{
    char bytes[4096];
    ssize_t n = read(client, bytes, sizeof bytes);

    for (ssize_t sent = 0, part; sent<n; sent += part> 0 ? part : 0) {
        part = write(client, bytes + sent, (size_t)(n - sent));
        if (part < 0 && errno != EAGAIN)
            n = -1;
    }
    if (n == 0 || (n < 0 && errno != EAGAIN))
        close(client);
}

static void echo_server(struct run *run)
{
    struct epoll_event events[EVENTS];
    struct sockaddr_in here;
    pthread_t thread;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_anywhere(SOCK_NONBLOCK, &here);

    listen_to_bench(run->size);
    for (int i = 0; run->size > 0 && i < run->workers; i++)
        if (pthread_create(&thread, NULL, compute_for_ever, NULL) != 0)
            die("pthread_create");
    if (epoll < 0 || watch(epoll, listener) < 0)
        die("epoll");
    say("port", ntohs(here.sin_port));
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++)
            if (events[i].data.fd == listener)
                take_client(epoll, listener);
            else
                echo(events[i].data.fd);
    }
}

static int bell;
static _Atomic int64_t rung_ns; /* 0: it was heard */

static void *ring(void *arg)
{
    uint64_t one = 1;

    for (long i = 0; i < *(long *)arg; i++) {
        do
            pause_ns(REST_NS);
        while (atomic_load(&rung_ns) != 0);
        atomic_store(&rung_ns, now_ns());
        if (write(bell, &one, sizeof one) < 0)
            die("write");
    }
    return NULL;
}

static void wake_latency(struct run *run)
{
    int64_t *spans = calloc((size_t)run->size, sizeof spans[0]);
    struct epoll_event event;
    uint64_t count;
    pthread_t ringer;
    int epoll = epoll_create1(EPOLL_CLOEXEC);

    bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!spans || epoll < 0 || bell < 0 || watch(epoll, bell) < 0 ||
        pthread_create(&ringer, NULL, ring, &run->size) != 0)
        die("wake_latency");
    while (run->result < run->size) {
        if (epoll_wait(epoll, &event, 1, -1) != 1 || read(bell, &count, sizeof count) < 0)
            continue;
        spans[run->result++] = now_ns() - atomic_load(&rung_ns);
        atomic_store(&rung_ns, 0);
    }
    pthread_join(ringer, NULL);
    say_spans(spans, run->size);
    free(spans);
}

/* An epoll program keeps its timers itself and has the kernel wait for the first one. */
static void idle(struct run *run)
{
    struct itimerspec hour = {.it_value.tv_sec = 3600};
    struct epoll_event event;
    struct sockaddr_in here;
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_anywhere(0, &here);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);

    if (epoll < 0 || timer < 0 || timerfd_settime(timer, 0, &hour, NULL) < 0 ||
        watch(epoll, timer) < 0)
        die("idle");
    for (long i = 0; i < run->size; i++) {
        (void)connect_to(&here);
        if (watch(epoll, accept(listener, NULL, NULL)) < 0)
            die("accept");
    }
    say_result(run->size);
    (void)epoll_wait(epoll, &event, 1, -1);
}

static const struct work works[] = {
    {"echo_server", echo_server, 0},
    {"wake_latency", wake_latency, 0},
    {"idle", idle, 0},
};

int main(int argc, char **argv) { return RUN_WORK(works, argc, argv); }
