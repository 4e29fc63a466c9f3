/*
 * load - sends 64-byte messages to an echo server over 50 connections, and times the echoes.
 *
 *     load closed PORT MILLISECONDS CONTROL          each connection sends as soon as it has its echo
 *     load open PORT MILLISECONDS CONTROL RATE       so many messages a second, come what may
 *     load calibrate                                 how many steps of bench/job.h take 10 ms
 *
 * An open loop counts from the moment at which a message was to be sent: a server that stands still
 * pays for every message that was due meanwhile. CONTROL is a descriptor; one byte goes there when the
 * time that counts begins, after a quarter of it more to warm up, and one when the last echo has come.
 *
 *     message i:  due at begin + i / rate, by connection i mod 50, so the k-th echo of connection c
 *                 belongs to message c + 50 k, and nothing needs to be kept of what is under way
 *
 * Prints per_s, p50_ns, p99_ns, p999_ns, and as result how many echoes were wrong or never came.
 * bench/run starts it at real-time priority, so that its own waiting for a processor is not measured.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>

#include "bench/job.h"
#include "bench/peers/c/net.h"

enum { CONNECTIONS = 50, MESSAGE = 64, LOST_AFTER_MS = 5000 };

struct connection {
    int fd;
    long echoes; /* complete ones */
    int part;    /* bytes of the next */
    unsigned char bytes[MESSAGE];
};

static struct {
    struct connection connections[CONNECTIONS];
    int epoll, control;
    bool is_open;
    int64_t begin, counts_from, end;
    double rate;
    long sent, answered, wrong, room, timed;
    int64_t *spans;
    int64_t sent_at[CONNECTIONS]; /* closed loop: one message under way on each */
} load;

static void fill(unsigned char *bytes, long message)
{
    uint64_t x = (uint64_t)message * 0x9e3779b97f4a7c15u + 1;

    for (size_t i = 0; i < MESSAGE; i += sizeof x) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(bytes + i, &x, sizeof x);
    }
}

static int64_t due(long message)
{
    return load.begin + (int64_t)((double)message * 1e9 / load.rate);
}

static void control(void)
{
    if (write(load.control, "x", 1) != 1)
        die("write to the server's standard input");
}

static void send_message(int index, long message)
{
    unsigned char bytes[MESSAGE];

    fill(bytes, message);
    ssize_t n = send(load.connections[index].fd, bytes, MESSAGE, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n != MESSAGE) {
        errno = n < 0 ? errno : EAGAIN;
        die("the server does not read, send");
    }
    load.sent++;
}

static void note(int64_t from, int64_t now)
{
    if (from >= load.counts_from && from < load.end && load.timed < load.room)
        load.spans[load.timed++] = now - from;
}

static void take_echo(int index, int64_t now)
{
    struct connection *connection = &load.connections[index];
    long message = index + CONNECTIONS * connection->echoes++;
    unsigned char right[MESSAGE];

    fill(right, message);
    load.wrong += memcmp(right, connection->bytes, MESSAGE) != 0;
    load.answered++;
    note(load.is_open ? due(message) : load.sent_at[index], now);
    if (!load.is_open && now < load.end) {
        load.sent_at[index] = now;
        send_message(index, message + CONNECTIONS);
    }
}

static void receive(int index)
{
    struct connection *connection = &load.connections[index];
    unsigned char bytes[4096];
    ssize_t n = recv(connection->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    int64_t now = now_ns();

    if (n == 0 || (n < 0 && errno != EAGAIN))
        die("the server closed a connection, recv");
    for (ssize_t used = 0; used < n;) {
        ssize_t take = MESSAGE - connection->part;
        if (take > n - used)
            take = n - used;
        memcpy(connection->bytes + connection->part, bytes + used, (size_t)take);
        used += take;
        connection->part += (int)take;
        if (connection->part == MESSAGE) {
            connection->part = 0;
            take_echo(index, now);
        }
    }
}

/* Takes what has come, or waits for it: not longer than until `moment`. */
static void receive_until(int64_t moment)
{
    struct epoll_event events[CONNECTIONS];
    int64_t ns = moment - now_ns();
    struct timespec span = {ns / 1000000000, ns % 1000000000};

    if (ns < 0)
        span = (struct timespec){0, 0};
    int n = epoll_pwait2(load.epoll, events, CONNECTIONS, &span, NULL);
    for (int i = 0; i < n; i++)
        receive((int)events[i].data.u32);
}

static void connect_all(int port)
{
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < CONNECTIONS; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u32 = (uint32_t)i};
        load.connections[i].fd = connect_to(&there);
        if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, load.connections[i].fd, &event) < 0)
            die("epoll_ctl");
    }
}

/* Sends what is due, and listens in between. */
static void run_load(void)
{
    bool counts = false;

    for (int64_t now = now_ns(); now < load.end; now = now_ns()) {
        if (!counts && now >= load.counts_from) {
            counts = true;
            control();
        }
        while (load.is_open && due(load.sent) <= now && due(load.sent) < load.end)
            send_message((int)(load.sent % CONNECTIONS), load.sent);
        receive_until(load.is_open && due(load.sent) < load.end ? due(load.sent) : load.end);
    }
    int64_t lost_at = load.end + (int64_t)LOST_AFTER_MS * 1000000;
    while (load.answered < load.sent && now_ns() < lost_at)
        receive_until(lost_at);
    control();
}

static void say_load(int64_t span)
{
    qsort(load.spans, (size_t)load.timed, sizeof load.spans[0], compare_spans);
    if (load.timed == 0)
        die("no echo came, so");
    say("per_s", (double)load.timed * 1e9 / (double)span);
    say("p50_ns", (double)load.spans[load.timed / 2]);
    say("p99_ns", (double)load.spans[load.timed - 1 - load.timed / 100]);
    say("p999_ns", (double)load.spans[load.timed - 1 - load.timed / 1000]);
    say_result(load.wrong + load.sent - load.answered);
}

/* The least of several tries: what the machine can do when nobody disturbs it. */
static void calibrate(void)
{
    const long steps = 1000000;
    int64_t least = INT64_MAX;
    volatile uint64_t answer;

    for (int i = 0; i < 50; i++) {
        int64_t begin = now_ns();
        answer = compute(JOB_SEED, steps);
        int64_t ns = now_ns() - begin;
        least = ns < least ? ns : least;
    }
    (void)answer;
    say("steps", (double)(long)((double)steps * 1e7 / (double)least));
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "calibrate") == 0)
        return calibrate(), 0;
    load.is_open = argc == 6 && strcmp(argv[1], "open") == 0;
    if (!load.is_open && !(argc == 5 && strcmp(argv[1], "closed") == 0))
        return fprintf(stderr, "usage: see the head of bench/load.c\n"), 2;
    int64_t span = atol(argv[3]) * 1000000;
    load.control = atoi(argv[4]);
    load.rate = load.is_open ? atof(argv[5]) : 0;
    load.room = load.is_open ? (long)(load.rate * (double)span / 1e9) + 1 : 4000000;
    load.spans = malloc((size_t)load.room * sizeof load.spans[0]);
    if (!load.spans)
        die("malloc");
    memset(load.spans, 0, (size_t)load.room * sizeof load.spans[0]); /* no page is new later */
    connect_all(atoi(argv[2]));
    load.begin = now_ns();
    load.counts_from = load.begin + span / 4;
    load.end = load.counts_from + span;
    for (int i = 0; !load.is_open && i < CONNECTIONS; i++) {
        load.sent_at[i] = now_ns();
        send_message(i, i);
    }
    run_load();
    say_load(span);
    return 0;
}
