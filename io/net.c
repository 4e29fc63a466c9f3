/*
 * net - TCP: see weft/net.h.
 *
 * weft's own sockets have O_NONBLOCK: accept and connect have no flag for a single call that would
 * keep epoll from blocking, and io_uring waits all the same (where it does not, io/call.c does).
 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>

#include <weft/net.h>

#include "core/runtime.h"
#include "core/sys.h"
#include "core/wait.h"
#include "io/address.h"
#include "io/call.h"
#include "io/lookup.h"

#define OWN_SOCKET (SOCK_CLOEXEC | SOCK_NONBLOCK)

/* Small messages leave at once. Not every stream is TCP: then there is nothing to set. */
static void send_at_once(int fd) { (void)weft__sys_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1); }

static int new_socket(int family)
{
    int fd = weft__sys_socket(family, SOCK_STREAM | OWN_SOCKET, IPPROTO_TCP);

    if (fd >= 0)
        send_at_once(fd);
    return fd;
}

static int check_port(int port, int least)
{
    if (port >= least && port <= 65535)
        return 0;
    weft__explain("%d is no port: use %d to 65535", port, least);
    return -EINVAL;
}

static int set_up_listener(int fd, const struct address *address,
                           const weft_listen_options *options)
{
    int backlog = options && options->backlog > 0 ? options->backlog : INT_MAX;
    int rc = weft__sys_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);

    if (rc == 0 && options && options->reuse_port)
        rc = weft__sys_setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (rc == 0 && address->any.sa_family == AF_INET6) /* all means all: IPv4 too */
        rc = weft__sys_setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (rc == 0)
        rc = weft__sys_bind(fd, &address->any, address->bytes);
    if (rc == 0)
        rc = weft__sys_listen(fd, backlog);
    return rc;
}

/* A listening socket, or the error. */
static int listen_on(const struct address *address, const weft_listen_options *options)
{
    int fd = new_socket(address->any.sa_family);

    if (fd < 0)
        return fd;
    int rc = set_up_listener(fd, address, options);
    if (rc == 0)
        return fd;
    (void)weft__sys_close(fd); /* nobody has seen it */
    return rc;
}

static int explain_listen(const char *host, int port, int rc)
{
    const char *way_out = rc == -EADDRINUSE      ? "choose another port, or 0 for any free one"
                          : rc == -EADDRNOTAVAIL ? "use an address of this machine"
                          : rc == -EACCES        ? "ports below 1024 need a privilege"
                                                 : "see listen(2)";

    weft__explain("cannot listen on %s port %d: %s: %s", host, port, weft_strerror(rc), way_out);
    return rc;
}

int weft_tcp_listen(const char *host, int port, const weft_listen_options *options)
{
    struct address address;
    int fd = check_port(port, 0);

    if (fd < 0)
        return fd;
    if (!weft__address_parse(host ? host : "::", port, &address)) {
        weft__explain("\"%s\" is no numeric address: use one such as \"127.0.0.1\" or \"::1\"",
                      host);
        return -EINVAL;
    }
    fd = listen_on(&address, options);
    if (!host && (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)) { /* a machine without IPv6 */
        (void)weft__address_parse("0.0.0.0", port, &address);     /* it is one */
        fd = listen_on(&address, options);
    }
    return fd < 0 ? explain_listen(host ? host : "all addresses", port, fd) : fd;
}

int weft_tcp_accept(int listener, weft_address *ret_peer)
{
    struct address peer;
    struct op op = {.kind = OP_ACCEPT,
                    .fd = listener,
                    .address = &peer.any,
                    .address_bytes = &peer.bytes,
                    .flags = OWN_SOCKET};
    int fd;

    do {
        peer.bytes = sizeof peer.storage;
        fd = (int)weft__call(&op, FD_SEAT_READER);  /* suspends: worker, errno stale */
    } while (fd == -ECONNABORTED || fd == -EPROTO); /* it went away again: the next one */
    if (fd < 0)
        return fd;
    send_at_once(fd);
    if (ret_peer && weft__address_words(&peer, ret_peer) < 0)
        *ret_peer = (weft_address){.port = 0}; /* another family: no words */
    return fd;
}

/* A connected socket, or the error. */
static int connect_to(struct address *address)
{
    int fd = new_socket(address->any.sa_family);

    if (fd < 0)
        return fd;
    struct op op = {
        .kind = OP_CONNECT, .fd = fd, .address = &address->any, .address_bytes = &address->bytes};
    int rc = (int)weft__call_run(&op); /* suspends: worker, errno stale */
    if (rc == 0)
        return fd;
    (void)weft__sys_close(fd); /* nobody has seen it */
    return rc;
}

/* Whether a failure tells of the way there, not of the host: another address's tells more. */
static bool is_unreachable(int rc)
{
    return rc == -ENETUNREACH || rc == -EADDRNOTAVAIL || rc == -EAFNOSUPPORT;
}

static int explain_connect(const char *host, int port, int rc)
{
    const char *way_out = rc == -ECONNREFUSED ? "nobody listens there: is the server running?"
                          : rc == -EMFILE     ? "too many descriptors are open: raise ulimit -n"
                                              : "check host, port and network";

    weft__explain("cannot connect to %s port %d: %s: %s", host, port, weft_strerror(rc), way_out);
    return rc;
}

int weft_tcp_connect(const char *host, int port)
{
    struct lookup lookup = {.host = host, .port = port};
    int failure = 0;

    if (!weft__current_task())
        return -EPERM;
    int rc = check_port(port, 1);
    if (rc < 0)
        return rc;
    if (!host || !*host) {
        weft__explain("no host to connect to: give a name or a numeric address");
        return -EINVAL;
    }
    rc = weft__lookup(&lookup); /* suspends: worker, errno stale */
    if (rc < 0)
        return rc;
    for (int i = 0; i < lookup.count; i++) {
        rc = connect_to(&lookup.found[i]); /* suspends: worker, errno stale */
        if (rc >= 0 || rc == -ECANCELED)
            return rc;
        if (failure == 0 || is_unreachable(failure))
            failure = rc;
    }
    return explain_connect(host, port, failure);
}

int weft_shutdown(int fd, int how) { return weft__sys_shutdown(fd, how); }

int weft_local_address(int fd, weft_address *ret_address)
{
    struct address address = {.bytes = sizeof address.storage};
    weft_address words = {.port = 0};
    int rc = weft__sys_getsockname(fd, &address.any, &address.bytes);

    if (rc == 0)
        rc = weft__address_words(&address, &words);
    if (rc == 0)
        *ret_address = words;
    return rc;
}
