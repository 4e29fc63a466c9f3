/*
 * service.h - what the parts of slow_service share.
 */
#ifndef SLOW_SERVICE_SERVICE_H
#define SLOW_SERVICE_SERVICE_H

#include <stdint.h>

#include <weft.h>

/* (i) fixed by main  (m) under `feeding` */
struct service {
    double scale;       /* (i) stretches both waits */
    int port;           /* (i) 0: the kernel chooses */
    const char *pipe;   /* (i) the named pipe to feed, NULL: none */
    int listener;       /* (i) */
    weft_mutex feeding; /* one feed at a time */
    uint64_t feeds;     /* (m) so that no feed is like the one before */
};

/** A connection, as its task gets it. */
struct visit {
    struct service *service;
    int fd;
};

/** Serves one connection: reads the request, waits, answers, closes. A task of its own. */
int answer_visit(void *visit);

/** What a feed will consist of. */
struct feed {
    uint64_t seed;
    uint64_t bytes;
    uint64_t checksum;
};

/** Makes up the next feed. */
struct feed feed_next(uint64_t number);

/** Writes the feed into the pipe `fd` at an even pace, so that its last byte comes after `ns`. */
int feed_write(const struct feed *feed, int fd, weft_time ns);

#endif
