/*
 * lookup - see lookup.h. getaddrinfo blocks for as long as it likes: so it has threads of its own,
 * and a look-up that hangs holds up other look-ups only.
 */
#include "io/lookup.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "core/loop.h"
#include "core/runtime.h"

static int status_of(int problem)
{
    switch (problem) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY: return -ENOENT;
    case EAI_AGAIN: return -EAGAIN;
    case EAI_MEMORY: return -ENOMEM;
    case EAI_SYSTEM: return errno > 0 ? -errno : -EIO; /* no suspension since the call */
    default: return -EIO;
    }
}

/* The job: fills in lookup->found. */
static int look_up(void *arg)
{
    struct lookup *lookup = arg;
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[16];

    (void)snprintf(port, sizeof port, "%d", lookup->port); /* fits */
    lookup->problem = getaddrinfo(lookup->host, port, &hints, &list);
    if (lookup->problem != 0) {
        lookup->status = status_of(lookup->problem);
        return 0;
    }
    for (struct addrinfo *at = list; at && lookup->count < LOOKUP_MOST; at = at->ai_next) {
        struct address *found = &lookup->found[lookup->count];

        if (at->ai_addrlen > sizeof found->storage)
            continue;
        memcpy(&found->storage, at->ai_addr, at->ai_addrlen);
        found->bytes = at->ai_addrlen;
        lookup->count++;
    }
    freeaddrinfo(list);
    lookup->status = lookup->count > 0 ? 0 : -ENOENT;
    return 0;
}

static int explain(const struct lookup *lookup)
{
    const char *way_out = lookup->status == -EAGAIN
                              ? "the name server does not answer: try again later"
                              : "check the spelling, or use a numeric address";

    weft__explain("cannot look up \"%s\": %s: %s", lookup->host,
                  lookup->problem ? gai_strerror(lookup->problem) : "it has no address", way_out);
    return lookup->status;
}

int weft__lookup(struct lookup *lookup)
{
    lookup->count = 1;
    if (weft__address_parse(lookup->host, lookup->port, &lookup->found[0]))
        return 0;
    lookup->count = 0;
    int rc = weft__lane_run(LANE_NAMES, look_up, lookup); /* suspends: worker, errno stale */
    if (rc < 0)
        return rc;
    return lookup->status < 0 ? explain(lookup) : 0;
}
