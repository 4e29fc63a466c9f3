/*
 * net.h - what the servers of epoll and libuv share: a listening socket, connections to oneself.
 */
#ifndef WEFT_BENCH_NET_H
#define WEFT_BENCH_NET_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "bench/bench.h"

/* Listens on a port that the kernel chooses. */
static inline int listen_anywhere(int flags, struct sockaddr_in *ret_here)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof here;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

    if (listener < 0 || bind(listener, (struct sockaddr *)&here, sizeof here) < 0 ||
        listen(listener, 1024) < 0 || getsockname(listener, (struct sockaddr *)&here, &bytes) < 0)
        die("listen");
    *ret_here = here;
    return listener;
}

static inline int connect_to(const struct sockaddr_in *there)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)there, sizeof *there) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) < 0)
        die("connect");
    return fd;
}

#endif
