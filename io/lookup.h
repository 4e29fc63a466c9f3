/*
 * lookup - names to addresses, on the lane for look-ups.
 */
#ifndef WEFT_IO_LOOKUP_H
#define WEFT_IO_LOOKUP_H

#include "io/address.h"

/* Addresses of one host that are tried at most. */
#define LOOKUP_MOST 8

struct lookup {
    const char *host;
    int port;
    int count;
    struct address found[LOOKUP_MOST];
    int status;  /* -errno of the look-up, and */
    int problem; /* EAI_*, what getaddrinfo said */
};

/* Looks up lookup->host, for the calling task; a numeric one at once. Returns 0; -ENOENT, -EAGAIN and
 * others, explained by weft_why(); -ECANCELED. Suspends. */
int weft__lookup(struct lookup *lookup);

#endif
