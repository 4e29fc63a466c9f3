/*
 * io_sweep - wherever a transfer is cancelled: every byte that one side has sent is read by the
 * other or still there, and every descriptor is closed.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sweep.h"

#define BLOCK 300000 /* more than a socket or pipe holds: the writer has to wait */

static char sent[BLOCK], got[BLOCK];
static char path[] = "/tmp/weft-sweep-XXXXXX";

/* What is left in a descriptor that nobody writes to any more. */
static void spill(int fd)
{
    static char rest[65536];
    ssize_t n;

    (void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); /* a pipe or socket takes it */
    while ((n = read(fd, rest, sizeof rest)) > 0)
        atomic_fetch_add(&books.spilt, n);
}

/* --- two ends of a wire ----------------------------------------------------------------------------- */

static int writes_and_closes(void *arg)
{
    int fd = *(int *)arg;
    ssize_t n = weft_write_full(fd, sent, BLOCK);

    atomic_fetch_add(&books.given, n > 0 ? n : 0);
    int rc = n < BLOCK ? -ECANCELED : 0;
    n = weft_write(fd, sent, 10);
    atomic_fetch_add(&books.given, n > 0 ? n : 0);
    (void)HOLDS(weft_close(fd) == 0);
    return rc < 0 ? rc : CUT(n);
}

static int reads_to_the_end(void *arg)
{
    int fd = *(int *)arg;
    ssize_t n;

    while ((n = weft_read(fd, got, BLOCK)) > 0)
        atomic_fetch_add(&books.taken, n);
    return CUT(n);
}

/* Wherever it was cut: the reader's end is closed last, after what is left has been counted. */
static int across(int from, int to)
{
    weft_future writer = sweep_task(writes_and_closes, &from);
    weft_future reader = sweep_task(reads_to_the_end, &to);
    int wrote = -1;
    int rc = weft_await(reader); /* if it was cut, the writer may wait for room for ever */

    if (rc < 0)
        weft_cancel(writer);
    wrote = weft_await(writer);
    spill(to);
    (void)HOLDS(weft_close(to) == 0);
    return rc < 0 ? CUT(rc) : CUT(wrote);
}

static int socket_pair(void *arg)
{
    int ends[2];

    (void)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;
    return across(ends[0], ends[1]);
}

static int pipe_of_two(void *arg)
{
    int ends[2];

    (void)arg;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    return across(ends[1], ends[0]);
}

/* --- TCP --------------------------------------------------------------------------------------------- */

static int serves_one(void *arg)
{
    char byte;
    int listener = *(int *)arg;
    int client = weft_tcp_accept(listener, NULL);

    (void)HOLDS(weft_close(listener) == 0); /* resets who still stands in its queue */
    if (client < 0)
        return CUT(client);
    ssize_t n = weft_read(client, &byte, 1);
    if (n == 1)
        n = weft_write(client, &byte, 1);
    (void)HOLDS(weft_close(client) == 0);
    return n < 0 && n != -ECONNRESET ? CUT(n) : 0;
}

static int asks_one(void *arg)
{
    char byte = 'a';
    int server = weft_tcp_connect("127.0.0.1", *(int *)arg);

    if (server < 0)
        return server == -ECONNREFUSED || server == -ECONNRESET ? 0 : CUT(server);
    ssize_t n = weft_write(server, &byte, 1);
    if (n == 1)
        n = weft_read(server, &byte, 1); /* 0 or a reset: the server was cut */
    (void)HOLDS(n < 1 || byte == 'a');
    (void)HOLDS(weft_close(server) == 0);
    return n < 0 && n != -ECONNRESET && n != -EPIPE ? CUT(n) : 0;
}

static int tcp_exchange(void *arg)
{
    weft_address here = {.port = 0};
    weft_scope scope;
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL);

    (void)arg;
    if (listener < 0)
        return CUT(listener);
    (void)HOLDS(weft_local_address(listener, &here) == 0);
    int rc = weft_scope_open(&scope);
    if (rc == 0) {
        int port = here.port;

        sweep_task_in(&scope, serves_one, &listener);
        rc = weft_await(sweep_task(asks_one, &port));
        weft_scope_stop(&scope); /* if nobody came, the server would wait for ever */
        rc = CUT(weft_scope_close(&scope, rc));
    } else {
        (void)HOLDS(weft_close(listener) == 0);
    }
    return rc;
}

/* --- files ------------------------------------------------------------------------------------------- */

static int file_there_and_back(void *arg)
{
    char back[100] = "";
    int fd = weft_open(path, O_RDWR | O_TRUNC, 0);

    (void)arg;
    if (fd < 0)
        return CUT(fd);
    memset(sent, 'f', sizeof back);
    ssize_t n = weft_write_full(fd, sent, sizeof back);
    if (n == sizeof back)
        n = weft_pread(fd, back, sizeof back, 0);
    if (n == sizeof back)
        (void)HOLDS(memcmp(back, sent, sizeof back) == 0);
    if (n == sizeof back)
        n = weft_pwrite(fd, "x", 1, 3);
    (void)HOLDS(weft_close(fd) == 0);
    return n >= 0 ? 0 : CUT(n);
}

/* --- closing under a reader, waiting with a limit ------------------------------------------------------ */

static int reads_one(void *arg)
{
    char byte;
    ssize_t n = weft_read(*(int *)arg, &byte, 1);

    (void)HOLDS(n == -EBADF || n == -ECANCELED);
    return (int)n;
}

static int close_under_a_reader(void *arg)
{
    int ends[2];

    (void)arg;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return -errno;
    weft_future reader = sweep_task(reads_one, &ends[0]);
    int rc = CUT(weft_sleep(weft_us(50)));
    (void)HOLDS(weft_close(ends[0]) == 0);
    int ended = weft_await(reader);
    (void)HOLDS(ended == -EBADF || ended == -ECANCELED);
    (void)HOLDS(weft_close(ends[1]) == 0);
    return rc;
}

static int reads_in_vain(void *arg)
{
    char byte;
    ssize_t n = weft_read(*(int *)arg, &byte, 1);

    (void)HOLDS(n == -ECANCELED);
    return (int)n;
}

static int read_with_a_limit(void *arg)
{
    int ends[2];
    char byte = 0;

    (void)arg;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return -errno;
    int rc = weft_timeout(weft_us(50), reads_in_vain, &ends[0]);
    (void)HOLDS(rc == -ETIMEDOUT || rc == -ECANCELED);
    (void)HOLDS(write(ends[1], "b", 1) == 1);
    ssize_t n = weft_read(ends[0], &byte, 1); /* it is still there: the first has taken nothing */
    if (n < 0)
        (void)HOLDS(read(ends[0], &byte, 1) == 1);
    (void)HOLDS(byte == 'b');
    (void)HOLDS(weft_close(ends[0]) == 0 && weft_close(ends[1]) == 0);
    return n < 0 ? CUT(n) : 0;
}

static void no_byte_of_a_socket_is_lost(void **state) { SWEEP(socket_pair); }
static void no_byte_of_a_pipe_is_lost(void **state) { SWEEP(pipe_of_two); }
static void no_connection_stays_open(void **state) { SWEEP(tcp_exchange); }
static void no_file_stays_open(void **state) { SWEEP(file_there_and_back); }
static void a_close_ends_a_reader(void **state) { SWEEP(close_under_a_reader); }
static void a_read_that_ran_out_of_time_took_nothing(void **state) { SWEEP(read_with_a_limit); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_byte_of_a_socket_is_lost),
        cmocka_unit_test(no_byte_of_a_pipe_is_lost),
        cmocka_unit_test(no_connection_stays_open),
        cmocka_unit_test(no_file_stays_open),
        cmocka_unit_test(a_close_ends_a_reader),
        cmocka_unit_test(a_read_that_ran_out_of_time_took_nothing),
    };
    int fd = mkstemp(path);

    if (fd < 0)
        return 1;
    (void)close(fd); /* empty as yet */
    int failed = SWEEP_GROUP(tests);
    (void)unlink(path); /* else it stays: no harm */
    return failed;
}
