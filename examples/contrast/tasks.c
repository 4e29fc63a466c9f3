/*
 * tasks - the other three ways, with weft: each wait is a task, the query goes to the blocking lane.
 * They differ in one line, where the primes are spawned or offloaded, and in the options of main.
 *
 *   the way's task ─┬─ heartbeat      sleeps 10 ms again and again; tells how late it comes back
 *                   ├─ api_request    a socket
 *                   ├─ database_query the blocking lane
 *                   ├─ file_read      a socket and a named pipe
 *                   └─ primes 1..8    tasks, or jobs of the CPU pool
 */
#include <errno.h>
#include <stdio.h>

#include "failure.h"
#include "http.h"
#include "journal.h"
#include "orders.h"
#include "primes.h"

enum { WAITS = 3 };

/* A cancelled task has failed because another did: that one has the sentence. */
static int failed(const struct run *run, int rc, const char *doing)
{
    if (rc == -ECANCELED)
        return rc;
    return fail(run->failure, rc, "%s: %s", doing, weft_strerror(rc));
}

static int exchange(int fd, const char *target, struct http_text *ret_answer)
{
    struct http_text request;

    http_ask(&request, target);
    ssize_t n = weft_write_full(fd, request.text, request.bytes);
    if (n >= 0)
        n = weft_read_full(fd, ret_answer->text, HTTP_BYTES - 1);
    if (n < 0)
        return (int)n;
    ret_answer->text[n] = '\0';
    ret_answer->bytes = (size_t)n;
    return 0;
}

/* One GET request from the connection to the end of the answer. */
static int get(const struct run *run, const char *target, struct http_text *ret_answer)
{
    int fd = weft_tcp_connect("127.0.0.1", run->sources->port);
    if (fd < 0)
        return failed(run, fd, "connecting to slow_service");
    int rc = exchange(fd, target, ret_answer);
    weft_close(fd);
    return rc < 0 ? failed(run, rc, target) : 0;
}

static int api_request(void *arg)
{
    struct run *run = arg;
    struct http_text answer;
    unsigned id = (unsigned)run->way;
    char target[32];
    weft_time begin = weft_now();

    snprintf(target, sizeof target, "/rates?id=%u", id);
    int rc = get(run, target, &answer);
    journal_add(run, EVENT_WAIT, LANE_NONE, "API request", begin);
    if (rc < 0)
        return rc;
    begin = weft_now();
    rc = http_check_rates(&answer, id, run->failure);
    journal_add(run, EVENT_WORK, LANE_WORKER, "API answer checked", begin);
    return rc;
}

/* Runs on the blocking lane. */
static int query_job(void *arg)
{
    struct run *run = arg;
    weft_time begin = weft_now();

    int rc = orders_query(&(struct orders_query){run->sources, run->failure});
    journal_add(run, EVENT_WORK, LANE_BLOCKING, "database query", begin);
    return rc;
}

static int database_query(void *arg)
{
    struct run *run = arg;
    weft_time begin = weft_now();

    int rc = weft_blocking(query_job, run);
    journal_add(run, EVENT_WAIT, LANE_NONE, "database query", begin);
    return rc < 0 ? failed(run, rc, "database query") : 0;
}

/* Reads the pipe until its writer closes it. */
static int read_feed(struct run *run, int fd)
{
    struct feed_sum said, came = feed_sum_start();
    struct http_text answer;
    char bytes[16384];
    ssize_t n;

    int rc = get(run, "/feed", &answer);
    if (rc >= 0)
        rc = http_read_feed(&answer, &said, run->failure);
    if (rc < 0)
        return rc;
    while ((n = weft_read(fd, bytes, sizeof bytes)) > 0) {
        weft_time begin = weft_now();
        feed_sum_add(&came, bytes, (size_t)n);
        journal_add(run, EVENT_WORK, LANE_WORKER, "file bytes summed", begin);
    }
    if (n < 0)
        return failed(run, (int)n, "reading the pipe");
    return feed_sum_check(&came, &said, run->failure);
}

/* The pipe is opened before the feed is asked for: slow_service needs a reader. */
static int file_read(void *arg)
{
    struct run *run = arg;
    weft_time begin = weft_now();

    int fd = weft_open(run->sources->pipe, O_RDONLY, 0);
    if (fd < 0)
        return failed(run, fd, run->sources->pipe);
    int rc = read_feed(run, fd);
    weft_close(fd);
    journal_add(run, EVENT_WAIT, LANE_NONE, "file read", begin);
    return rc;
}

static void start_waits(struct run *run, weft_future futures[WAITS])
{
    futures[0] = weft_spawn(api_request, run);
    futures[1] = weft_spawn(database_query, run);
    futures[2] = weft_spawn(file_read, run);
}

/* Here the ways part: primes in tasks hold the workers, jobs of the pool do not. */
static void start_primes(struct run *run, struct prime_job jobs[PRIME_JOBS],
                         weft_future futures[PRIME_JOBS])
{
    bool pool = run->way == WAY_POOL;

    primes_divide(jobs, run, pool ? LANE_POOL : LANE_WORKER);
    for (int i = 0; i < PRIME_JOBS; i++)
        futures[i] = pool ? weft_offload(weft_cpu(), primes_count, &jobs[i])
                          : weft_spawn(primes_count, &jobs[i]);
}

static int waits(struct run *run)
{
    weft_future futures[WAITS];

    start_waits(run, futures);
    return weft_gather_n(futures, WAITS, NULL);
}

static int primes(struct run *run)
{
    struct prime_job jobs[PRIME_JOBS];
    weft_future futures[PRIME_JOBS];

    start_primes(run, jobs, futures);
    int rc = weft_gather_n(futures, PRIME_JOBS, NULL);
    return rc < 0 ? failed(run, rc, "primes") : primes_check(jobs);
}

static int both(struct run *run)
{
    struct prime_job jobs[PRIME_JOBS];
    weft_future futures[WAITS + PRIME_JOBS];

    start_waits(run, futures);
    start_primes(run, jobs, futures + WAITS);
    int rc = weft_gather_n(futures, WAITS + PRIME_JOBS, NULL);
    return rc < 0 ? failed(run, rc, "waits and primes") : primes_check(jobs);
}

/* Until it is cancelled. A delay counts also if the cancel comes before the heartbeat's turn. */
static int heartbeat(void *arg)
{
    struct run *run = arg;
    int rc;

    do {
        weft_time due = weft_now() + weft_ms(BEAT_MS);
        rc = weft_sleep_until(due);
        weft_time now = weft_now();
        if (now > due)
            run_freeze(run, due, now);
        journal_add(run, EVENT_BEAT, LANE_WORKER, "heartbeat", now);
    } while (rc == 0);
    return rc == -ECANCELED ? 0 : rc;
}

int tasks_run(void *arg)
{
    static int (*const parts[PARTS])(struct run *) = {waits, primes, both};
    struct run *run = arg;

    weft_future beats = weft_spawn(heartbeat, run);
    int rc = 0;
    for (int part = 0; part < PARTS && rc == 0; part++) {
        run_part_begin(run, (enum part)part);
        rc = parts[part](run);
        run_part_end(run, (enum part)part);
        if (rc == 0)
            rc = weft_sleep(weft_ms(2 * BEAT_MS)); /* a freeze ends with its part */
    }
    weft_cancel(beats);
    int beats_rc = weft_await(beats);
    return rc < 0 ? rc : beats_rc < 0 ? failed(run, beats_rc, "heartbeat") : 0;
}
