/*
 * answer - one connection of slow_service, from the first byte to the close: just as much HTTP/1.1
 * as its two addresses need. Every answer is JSON and ends the connection.
 *
 *   GET /rates?id=N   after 2 s * scale: exchange rates, and the N again
 *   GET /feed         at once: how many bytes the pipe will get and their checksum; then feeds it
 *   other             400, 404, 405, 409 (no feed is possible now), 431, with a sentence
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "service.h"

enum { REQUEST_BYTES = 4096, BODY_BYTES = 512, ANSWER_BYTES = 1024 };

/* Reads up to the empty line that ends the head of a request. There is no time limit: a client that
 * computes between connecting and asking is one of the things that contrast shows. */
static int read_request(int fd, char text[REQUEST_BYTES])
{
    size_t have = 0;

    while (have < REQUEST_BYTES - 1) {
        ssize_t n = weft_read(fd, text + have, REQUEST_BYTES - 1 - have);
        if (n <= 0)
            return n < 0 ? (int)n : -ECONNRESET;
        have += (size_t)n;
        text[have] = '\0';
        if (strstr(text, "\r\n\r\n"))
            return 0;
    }
    return -E2BIG;
}

/* Sends a whole answer. That the client may have left meanwhile is no concern of the service. */
static int send_json(int fd, const char *status, const char *body)
{
    char text[ANSWER_BYTES];
    int bytes = snprintf(text, sizeof text,
                         "HTTP/1.1 %s\r\n"
                         "Content-Type: application/json\r\n"
                         "Content-Length: %zu\r\n"
                         "Connection: close\r\n\r\n%s",
                         status, strlen(body), body);

    ssize_t written = weft_write_full(fd, text, (size_t)bytes);
    return written < 0 ? (int)written : 0;
}

static int send_error(int fd, const char *status, const char *sentence)
{
    char body[BODY_BYTES];

    snprintf(body, sizeof body, "{\"error\":\"%s\"}", sentence);
    return send_json(fd, status, body);
}

static int answer_rates(const struct visit *visit, unsigned id)
{
    char body[BODY_BYTES];

    int rc = weft_sleep(weft_s(2 * visit->service->scale));
    if (rc < 0)
        return rc;
    snprintf(body, sizeof body, "{\"id\":%u,\"base\":\"EUR\",\"usd\":1.0842,\"gbp\":0.8571}", id);
    return send_json(visit->fd, "200 OK", body);
}

/* Announces the next feed, lets the client go, and feeds. */
static int announce_and_feed(struct service *service, int client, int pipe)
{
    struct feed feed = feed_next(service->feeds++);
    char body[BODY_BYTES];

    snprintf(body, sizeof body, "{\"bytes\":%" PRIu64 ",\"fnv1a\":\"%016" PRIx64 "\"}", feed.bytes,
             feed.checksum);
    int rc = send_json(client, "200 OK", body);
    if (rc < 0)
        return rc;
    (void)weft_shutdown(client, SHUT_WR); /* fails only if the client has left, which is fine */
    return feed_write(&feed, pipe, weft_s(service->scale));
}

static int answer_feed(const struct visit *visit)
{
    struct service *service = visit->service;

    if (!service->pipe)
        return send_error(visit->fd, "409 Conflict", "started without --pipe");
    if (weft_try_lock(&service->feeding) < 0)
        return send_error(visit->fd, "409 Conflict", "the pipe is being fed already");

    int pipe = weft_open(service->pipe, O_WRONLY, 0);
    int rc = pipe;
    if (pipe >= 0) {
        rc = announce_and_feed(service, visit->fd, pipe);
        weft_close(pipe);
    }
    weft_unlock(&service->feeding);
    if (pipe < 0)
        rc = send_error(visit->fd, "409 Conflict",
                        pipe == -ENXIO ? "nobody reads the pipe: open it first"
                                       : "the pipe cannot be opened");
    return rc;
}

static int answer_request(const struct visit *visit, const char *text)
{
    char method[16], target[256];
    unsigned id;
    int end = 0;

    if (sscanf(text, "%15s %255s HTTP/1.%*1[01]%n", method, target, &end) != 2 || end == 0)
        return send_error(visit->fd, "400 Bad Request", "this is no HTTP/1.1 request");
    if (strcmp(method, "GET") != 0)
        return send_error(visit->fd, "405 Method Not Allowed", "use GET");
    if (sscanf(target, "/rates?id=%u", &id) == 1)
        return answer_rates(visit, id);
    if (strcmp(target, "/feed") == 0)
        return answer_feed(visit);
    return send_error(visit->fd, "404 Not Found", "there is /rates?id=N and /feed");
}

int answer_visit(void *arg)
{
    const struct visit *visit = arg;
    char text[REQUEST_BYTES];

    int rc = read_request(visit->fd, text);
    if (rc == 0)
        rc = answer_request(visit, text);
    else if (rc == -E2BIG)
        rc = send_error(visit->fd, "431 Request Header Fields Too Large", "at most 4095 bytes");
    weft_close(visit->fd);
    return rc;
}
