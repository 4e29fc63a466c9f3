#include "http.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "failure.h"
#include "slow_service/checksum.h"

void http_ask(struct http_text *request, const char *target)
{
    int bytes = snprintf(request->text, sizeof request->text,
                         "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", target);

    request->bytes = (size_t)bytes;
}

/* Gives the body of a good answer whose length is as announced; else NULL, and a sentence. */
static const char *body_of(const struct http_text *answer, struct failure *failure)
{
    const char *end = strstr(answer->text, "\r\n\r\n");
    const char *length = strstr(answer->text, "\r\nContent-Length: ");
    int status = 0;
    size_t announced = 0;

    if (answer->bytes == 0) {
        fail(failure, 0, "slow_service closed the connection without an answer");
        return NULL;
    }
    if (sscanf(answer->text, "HTTP/1.1 %d", &status) != 1 || !end || !length || length > end ||
        sscanf(length, "\r\nContent-Length: %zu", &announced) != 1) {
        fail(failure, 0, "slow_service answered what is no HTTP/1.1: \"%.60s\"", answer->text);
        return NULL;
    }
    const char *body = end + 4;
    if (status != 200) {
        fail(failure, 0, "slow_service answered with status %d: %.200s", status, body);
        return NULL;
    }
    if (strlen(body) != announced) {
        fail(failure, 0, "slow_service announced %zu bytes and sent %zu", announced, strlen(body));
        return NULL;
    }
    return body;
}

int http_check_rates(const struct http_text *answer, unsigned id, struct failure *failure)
{
    const char *body = body_of(answer, failure);
    unsigned answered = 0;
    double usd = 0, gbp = 0;

    if (!body)
        return fail(failure, 0, "no answer");
    int found =
        sscanf(body, "{\"id\":%u,\"base\":\"EUR\",\"usd\":%lf,\"gbp\":%lf}", &answered, &usd, &gbp);
    if (found == 3 && answered == id && usd > 0 && gbp > 0)
        return 0;
    return fail(failure, 0, "slow_service was asked for the rates with id %u and answered %.200s",
                id, body);
}

int http_read_feed(const struct http_text *answer, struct feed_sum *ret_said,
                   struct failure *failure)
{
    const char *body = body_of(answer, failure);

    if (!body)
        return fail(failure, 0, "no answer");
    if (sscanf(body, "{\"bytes\":%" SCNu64 ",\"fnv1a\":\"%" SCNx64 "\"}", &ret_said->bytes,
               &ret_said->checksum) == 2)
        return 0;
    return fail(failure, 0, "slow_service was asked for a feed and answered %.200s", body);
}

struct feed_sum feed_sum_start(void) { return (struct feed_sum){.checksum = CHECKSUM_START}; }

void feed_sum_add(struct feed_sum *sum, const void *data, size_t bytes)
{
    sum->checksum = checksum_add(sum->checksum, data, bytes);
    sum->bytes += bytes;
}

int feed_sum_check(const struct feed_sum *came, const struct feed_sum *said,
                   struct failure *failure)
{
    if (came->bytes == said->bytes && came->checksum == said->checksum)
        return 0;
    return fail(failure, 0,
                "slow_service announced %" PRIu64 " bytes with checksum %016" PRIx64
                ", and %" PRIu64 " bytes with checksum %016" PRIx64 " came through the pipe",
                said->bytes, said->checksum, came->bytes, came->checksum);
}
