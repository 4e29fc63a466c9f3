/*
 * http.h - the words that contrast and slow_service exchange, without the exchanging: plain.c does
 * that with blocking sockets, tasks.c with weft.
 */
#ifndef CONTRAST_HTTP_H
#define CONTRAST_HTTP_H

#include "contrast.h"

/** Room for a request, and for an answer. */
enum { HTTP_BYTES = 2048 };

/** A request or an answer. */
struct http_text {
    char text[HTTP_BYTES];
    size_t bytes;
};

/** What slow_service says about the bytes that it is going to feed, and what came. */
struct feed_sum {
    uint64_t bytes;
    uint64_t checksum;
};

/** Writes a GET request. */
void http_ask(struct http_text *request, const char *target);

/** Checks the answer to /rates?id=`id`. Returns: 0; -EPROTO and a sentence. */
int http_check_rates(const struct http_text *answer, unsigned id, struct failure *failure);

/** Reads the answer to /feed. Returns: 0; -EPROTO and a sentence. */
int http_read_feed(const struct http_text *answer, struct feed_sum *ret_said,
                   struct failure *failure);

/** Starts to sum up what comes through the pipe, and takes more into the sum. */
struct feed_sum feed_sum_start(void);
void feed_sum_add(struct feed_sum *sum, const void *data, size_t bytes);

/** Compares what came with what was said. Returns: 0; -EPROTO and a sentence. */
int feed_sum_check(const struct feed_sum *came, const struct feed_sum *said,
                   struct failure *failure);

#endif
