/*
 * weft/net.h - TCP: listen, accept, connect by name.
 *
 *     int server = weft_tcp_listen("127.0.0.1", 8080, NULL);
 *     for (;;) {
 *         int client = weft_tcp_accept(server, NULL);
 *         if (client < 0)
 *             break;
 *         weft_detach(weft_spawn_val(serve, client));
 *     }
 *
 * Read and write what comes back with weft/io.h. All sockets are close-on-exec, TCP_NODELAY, and have
 * O_NONBLOCK. A listener of your own works as well; if it is shared with other processes, it should
 * have O_NONBLOCK too.
 */
#ifndef WEFT_NET_H
#define WEFT_NET_H

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Options of weft_tcp_listen; zero means default. */
typedef struct weft_listen_options {
    int backlog;     /* 0: the system's limit */
    bool reuse_port; /* several sockets, also of several processes, share the port */
} weft_listen_options;

/** An address in words: "127.0.0.1" or "::1", and the port. */
typedef struct weft_address {
    char host[64];
    int port;
} weft_address;

/**
 * Opens a socket that listens on a numeric address (NULL: all) and port (0: the kernel chooses).
 *
 * Returns: a descriptor; -EADDRINUSE (port in use), -EADDRNOTAVAIL, -EACCES, -EMFILE; -EINVAL
 *          (not a numeric address, or no port number; weft_why() names it).
 * Owns:    close it with weft_close.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_tcp_listen(const char *host, int port,
                                             const weft_listen_options *options);

/**
 * Takes the next connection.
 *
 * Out of descriptors it answers -EMFILE or -ENFILE at once: let some close before the next call.
 * Returns: a descriptor, and who it is unless ret_peer is NULL; -ECANCELED (the connection stays in
 *          the queue); -EBUSY (another task accepts here); -EBADF, also when closed meanwhile.
 * From:    a task (-EPERM elsewhere).
 * Owns:    close it with weft_close.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_tcp_accept(int listener, weft_address *ret_peer);

/**
 * Connects to a host by name or number, trying its addresses one after the other. Names are looked
 * up on a lane of their own.
 *
 * Returns: a descriptor; -ECONNREFUSED, -ETIMEDOUT, -EHOSTUNREACH; -ENOENT if the name has no
 *          address, -EAGAIN if the look-up failed for now, -EIO if for good (weft_why() says
 *          more); -EMFILE; -EINVAL (no host, or no port number); -ECANCELED (no connection is left
 *          behind).
 * From:    a task (-EPERM elsewhere).
 * Owns:    close it with weft_close.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_tcp_connect(const char *host, int port);

/**
 * Ends one direction of a connection: SHUT_RD, SHUT_WR or SHUT_RDWR of <sys/socket.h>.
 *
 * Returns: 0; -ENOTCONN, -EBADF, -EINVAL.
 * Since:   0.1
 */
WEFT_API int weft_shutdown(int fd, int how);

/**
 * Tells the address that a socket is bound to: the port that the kernel chose.
 *
 * Returns: 0; -EBADF, -ENOTSOCK, -EAFNOSUPPORT.
 * Since:   0.1
 */
WEFT_API int weft_local_address(int fd, weft_address *ret_address);

#ifdef __cplusplus
}
#endif

#endif
