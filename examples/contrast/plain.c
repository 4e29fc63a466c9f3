/*
 * plain - the first way: one after another, in plain C with blocking calls on one thread. The same
 * in tasks.c, with weft.
 *
 * There is no runtime and so no heartbeat. What it would show is known all the same: while a step
 * lasts the program can do nothing else, so the freeze is the longest step.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "failure.h"
#include "http.h"
#include "journal.h"
#include "orders.h"
#include "primes.h"

static int connect_to_service(const struct run *run)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)run->sources->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        return fd;
    int rc = fail(run->failure, -errno, "connecting to slow_service: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return rc;
}

/* One GET request from the connection to the end of the answer. */
static int get(const struct run *run, const char *target, struct http_text *ret_answer)
{
    struct http_text request;

    int fd = connect_to_service(run);
    if (fd < 0)
        return fd;
    http_ask(&request, target);
    ssize_t n = send(fd, request.text, request.bytes, MSG_NOSIGNAL);
    size_t have = 0;
    while (n > 0 && have < HTTP_BYTES - 1) {
        n = recv(fd, ret_answer->text + have, HTTP_BYTES - 1 - have, 0);
        have += n > 0 ? (size_t)n : 0;
    }
    int rc = n < 0 ? fail(run->failure, -errno, "GET %s: %s", target, strerror(errno)) : 0;
    ret_answer->text[have] = '\0';
    ret_answer->bytes = have;
    close(fd);
    return rc;
}

static int api_request(struct run *run)
{
    struct http_text answer;
    unsigned id = (unsigned)run->way;
    char target[32];

    snprintf(target, sizeof target, "/rates?id=%u", id);
    int rc = get(run, target, &answer);
    return rc < 0 ? rc : http_check_rates(&answer, id, run->failure);
}

static int database_query(struct run *run)
{
    return orders_query(&(struct orders_query){run->sources, run->failure});
}

/* Reads the pipe until its writer closes it. It was opened without waiting, so poll waits: a read
 * that comes before the writer would take the pipe for ended. */
static int read_feed(struct run *run, int fd)
{
    struct feed_sum said, came = feed_sum_start();
    struct pollfd pipe = {.fd = fd, .events = POLLIN};
    struct http_text answer;
    char bytes[16384];
    ssize_t n;

    int rc = get(run, "/feed", &answer);
    if (rc >= 0)
        rc = http_read_feed(&answer, &said, run->failure);
    if (rc < 0)
        return rc;
    do {
        poll(&pipe, 1, -1);
        n = read(fd, bytes, sizeof bytes);
        feed_sum_add(&came, bytes, n > 0 ? (size_t)n : 0);
    } while (n > 0);
    if (n < 0)
        return fail(run->failure, -errno, "reading the pipe: %s", strerror(errno));
    return feed_sum_check(&came, &said, run->failure);
}

/* The pipe is opened before the feed is asked for: slow_service needs a reader. */
static int file_read(struct run *run)
{
    int fd = open(run->sources->pipe, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return fail(run->failure, -errno, "%s: %s", run->sources->pipe, strerror(errno));
    int rc = read_feed(run, fd);
    close(fd);
    return rc;
}

static int step(struct run *run, const char *name, int (*fn)(struct run *))
{
    weft_time begin = weft_now();

    int rc = fn(run);
    journal_add(run, EVENT_WORK, LANE_MAIN, name, begin);
    run_freeze(run, begin, weft_now());
    return rc;
}

static int waits(struct run *run)
{
    int rc = step(run, "API request", api_request);
    if (rc == 0)
        rc = step(run, "database query", database_query);
    return rc < 0 ? rc : step(run, "file read", file_read);
}

static int primes(struct run *run)
{
    struct prime_job jobs[PRIME_JOBS];

    primes_divide(jobs, run, LANE_MAIN);
    for (int i = 0; i < PRIME_JOBS; i++) {
        weft_time begin = weft_now();
        primes_count(&jobs[i]);
        run_freeze(run, begin, weft_now());
    }
    return primes_check(jobs);
}

static int both(struct run *run)
{
    int rc = waits(run);
    return rc < 0 ? rc : primes(run);
}

int plain_run(struct run *run)
{
    static int (*const parts[PARTS])(struct run *) = {waits, primes, both};
    int rc = 0;

    for (int part = 0; part < PARTS && rc == 0; part++) {
        run_part_begin(run, (enum part)part);
        rc = parts[part](run);
        run_part_end(run, (enum part)part);
    }
    return rc;
}
