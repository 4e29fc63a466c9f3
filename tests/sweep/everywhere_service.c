/*
 * everywhere_service - a client for slow_service, in the same runtime, so that there is something to
 * cancel: it asks once, and then ends the service's standard input. It has a limit of its own: a
 * service whose accepting was cancelled leaves it in the queue.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "service.h"

weft_fn everywhere_wrap(weft_fn fn);

static weft_fn program;

static int asks_once(void *arg)
{
    static const char request[] = "GET /rates?id=7 HTTP/1.1\r\n\r\n";
    const struct service *service = arg;
    weft_address address;
    char answer[1024];

    if (service->listener <= 0 || weft_local_address(service->listener, &address) < 0)
        return 0; /* the service was cancelled before it could listen */
    int fd = weft_tcp_connect("127.0.0.1", address.port);
    if (fd < 0)
        return fd;
    ssize_t n = weft_write_full(fd, request, strlen(request));
    if (n > 0)
        n = weft_read_full(fd, answer, sizeof answer);
    weft_close(fd);
    return n < 0 ? (int)n : 0;
}

static int asks(void *arg)
{
    int rc = weft_timeout(weft_ms(200), asks_once, arg);

    return rc == -ETIMEDOUT ? 0 : rc;
}

/* The service is started first, and listens before it waits: with one worker the client finds it. */
static int serves_one_client(void *arg)
{
    struct service *service = arg;
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0 || dup2(ends[0], STDIN_FILENO) < 0)
        return -1;
    close(ends[0]);
    service->listener = 0;
    weft_future server = weft_spawn(program, service);
    int rc = weft_await(weft_spawn(asks, service));
    close(ends[1]);
    int served = weft_await(server);
    return rc < 0 ? rc : served;
}

weft_fn everywhere_wrap(weft_fn fn)
{
    program = fn;
    return serves_one_client;
}
