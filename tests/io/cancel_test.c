/*
 * cancel_test - a cancelled call has consumed nothing and left nothing behind, wherever it was.
 *
 * Each test cancels before the call, at many moments around its beginning, and while it waits.
 */
#include <sys/ioctl.h>

#include "wires.h"

#define MOMENTS 40 /* yields between the start of a task and its cancel, at most */

struct reader {
    int fd;
    ssize_t got;
    char byte;
};

static int read_one(void *arg)
{
    struct reader *reader = arg;

    reader->got = weft_read(reader->fd, &reader->byte, 1);
    return reader->got < 0 ? (int)reader->got : 0;
}

/* Cancels a reader after some yields, sends a byte, and looks where the byte is. */
static void cancel_reader_of(int ends[2], int yields)
{
    struct reader reader = {.fd = ends[0], .got = -1};
    weft_future future = weft_spawn(read_one, &reader);

    for (int i = 0; i < yields; i++)
        EXPECT(weft_yield(), 0);
    EXPECT(weft_cancel(future), 0);
    if (yields % 2) /* sometimes the byte and the cancel race */
        EXPECT(write(ends[1], "b", 1), 1);
    int rc = weft_await(future);
    if (yields % 2 == 0)
        EXPECT(write(ends[1], "b", 1), 1);
    if (reader.got != 1) {
        EXPECT(rc, -ECANCELED);
        EXPECT(reader.got, -ECANCELED);
        reader.byte = 0;
        EXPECT(weft_read(ends[0], &reader.byte, 1), 1);
    }
    EXPECT(reader.byte, 'b');
}

static int cancel_socket_reads(void *arg)
{
    int ends[2];

    (void)arg;
    wire(ends);
    for (int i = 0; i < MOMENTS; i++)
        cancel_reader_of(ends, i);
    close_both(ends);
    return 0;
}

static void a_cancelled_read_of_a_socket_leaves_the_byte_there(void **state)
{
    RUN_EVERYWHERE(cancel_socket_reads);
}

static int cancel_tcp_reads(void *arg)
{
    int ends[2];

    (void)arg;
    tcp_wire(ends);
    for (int i = 0; i < MOMENTS; i++)
        cancel_reader_of(ends, i);
    close_both(ends);
    return 0;
}

static void a_cancelled_read_of_a_connection_leaves_the_byte_there(void **state)
{
    RUN_EVERYWHERE(cancel_tcp_reads);
}

static int cancel_pipe_reads(void *arg)
{
    int ends[2];

    (void)arg;
    EXPECT(pipe2(ends, O_CLOEXEC), 0);
    for (int i = 0; i < MOMENTS; i++)
        cancel_reader_of(ends, i);
    close_both(ends);
    EXPECT(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    for (int i = 0; i < MOMENTS; i++)
        cancel_reader_of(ends, i);
    close_both(ends);
    return 0;
}

static void a_cancelled_read_of_a_pipe_leaves_the_byte_there(void **state)
{
    RUN_EVERYWHERE(cancel_pipe_reads);
}

static int cancel_waiting_read(void *arg)
{
    int ends[2];
    struct reader reader = {.got = 0};

    (void)arg;
    wire(ends);
    reader.fd = ends[0];
    weft_future future = weft_spawn(read_one, &reader);
    until_in_flight(ends[0], 1);
    EXPECT(weft_cancel(future), 0);
    EXPECT(weft_await(future), -ECANCELED);
    EXPECT(weft__fd_in_flight(weft__worker()->runtime->fds, ends[0]), 0);
    close_both(ends);
    return 0;
}

static void a_read_that_waits_ends_when_it_is_cancelled(void **state)
{
    RUN_EVERYWHERE(cancel_waiting_read);
}

/* A terminal has neither the flags of a socket nor the ease of a pipe. */
static int cancel_terminal_read(void *arg)
{
    int ends[2] = {-1, posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
    struct reader reader = {.got = 0};

    (void)arg;
    EXPECT(grantpt(ends[1]), 0);
    EXPECT(unlockpt(ends[1]), 0);
    reader.fd = ends[0] = open(ptsname(ends[1]), O_RDWR | O_NOCTTY | O_CLOEXEC);
    for (int i = 0; i < 4; i++) {
        weft_future future = weft_spawn(read_one, &reader);
        until_in_flight(ends[0], 1);
        for (int k = 0; k < 10 * i; k++)
            EXPECT(weft_yield(), 0);
        EXPECT(weft_cancel(future), 0);
        EXPECT(weft_await(future), -ECANCELED);
        EXPECT(weft_write(ends[1], "\n", 1), 1);
        EXPECT(read_one(&reader), 0);
        EXPECT(reader.byte, '\n');
    }
    weft_future future = weft_spawn(read_one, &reader);
    until_in_flight(ends[0], 1);
    EXPECT(weft_close(ends[0]), 0);
    EXPECT(weft_await(future), -EBADF);
    EXPECT(weft_close(ends[1]), 0);
    return 0;
}

static void a_cancelled_read_of_a_terminal_leaves_the_line_there(void **state)
{
    RUN_EVERYWHERE(cancel_terminal_read);
}

static int read_within_a_moment(void *arg) { return weft_timeout(weft_ms(1), read_one, arg); }

static int time_out_read(void *arg)
{
    int ends[2];
    struct reader reader = {.got = 0};

    (void)arg;
    wire(ends);
    reader.fd = ends[0];
    EXPECT(read_within_a_moment(&reader), -ETIMEDOUT);
    EXPECT(write(ends[1], "t", 1), 1);
    EXPECT(read_one(&reader), 0);
    EXPECT(reader.byte, 't');
    close_both(ends);
    return 0;
}

static void a_read_that_runs_out_of_time_has_read_nothing(void **state)
{
    RUN_EVERYWHERE(time_out_read);
}

/* A writer whose other end is full: what it writes is either there whole or not at all. */
struct writer {
    int fd;
    ssize_t put;
};

static int write_one(void *arg)
{
    struct writer *writer = arg;

    writer->put = weft_write(writer->fd, "w", 1);
    return writer->put < 0 ? (int)writer->put : 0;
}

/* Fills a descriptor, whose own flag is put back. Returns the bytes. */
static long fill(int fd)
{
    char block[4096] = {0};
    int flags = fcntl(fd, F_GETFL);
    long total = 0;
    ssize_t n;

    EXPECT(fcntl(fd, F_SETFL, flags | O_NONBLOCK), 0);
    for (size_t piece = sizeof block; piece >= 1; piece /= 2)
        while ((n = write(fd, block, piece)) > 0)
            total += n;
    EXPECT(fcntl(fd, F_SETFL, flags), 0);
    return total;
}

static void cancel_writer_of(int from, int to)
{
    char block[4096];
    long filled = fill(from);
    struct writer writer = {.fd = from, .put = 0};
    weft_future future = weft_spawn(write_one, &writer);
    ssize_t n;
    long taken = 0;

    until_in_flight(from, 1);
    EXPECT(weft_cancel(future), 0);
    EXPECT(weft_await(future), -ECANCELED);
    EXPECT(writer.put, -ECANCELED);
    EXPECT(weft_close(from), 0);
    while ((n = weft_read(to, block, sizeof block)) > 0)
        taken += n;
    EXPECT(n, 0);
    EXPECT(taken, filled);
    EXPECT(weft_close(to), 0);
}

static int cancel_writes(void *arg)
{
    int ends[2];

    (void)arg;
    wire(ends);
    cancel_writer_of(ends[0], ends[1]);
    EXPECT(pipe2(ends, O_CLOEXEC), 0);
    cancel_writer_of(ends[1], ends[0]);
    return 0;
}

static void a_cancelled_write_has_written_nothing(void **state) { RUN_EVERYWHERE(cancel_writes); }

static int cancel_accepts(void *arg)
{
    weft_address at = {.port = 0};
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL);

    (void)arg;
    EXPECT(weft_local_address(listener, &at), 0);
    for (int i = 0; i < MOMENTS; i++) {
        weft_future accepting = weft_spawn_val(accept_one, listener);
        for (int k = 0; k < i; k++)
            EXPECT(weft_yield(), 0);
        if (i % 4 == 3)
            until_in_flight(listener, 1);
        EXPECT(weft_cancel(accepting), 0);
        int client = weft_tcp_connect("127.0.0.1", at.port);
        EXPECT(client >= 0, true);
        int server = weft_await(accepting);
        if (server < 0) {
            EXPECT(server, -ECANCELED);
            server = weft_tcp_accept(listener, NULL); /* the connection is still in the queue */
        }
        EXPECT(weft_write(client, "c", 1), 1);
        char byte = 0;
        EXPECT(weft_read(server, &byte, 1), 1);
        EXPECT(byte, 'c');
        EXPECT(weft_close(client), 0);
        EXPECT(weft_close(server), 0);
    }
    EXPECT(weft_close(listener), 0);
    return 0;
}

static void a_cancelled_accept_leaves_the_connection_in_the_queue(void **state)
{
    RUN_EVERYWHERE(cancel_accepts);
}

static int lowest_free_descriptor(void)
{
    int fd = dup(0);

    EXPECT(close(fd), 0);
    return fd;
}

static int connect_to_port(void *arg) { return weft_tcp_connect("127.0.0.1", *(int *)arg); }

/* A listener whose queue is full: the kernel lets further ones wait for seconds. */
static int cancel_connects(void *arg)
{
    weft_address at = {.port = 0};
    int listener = weft_tcp_listen("127.0.0.1", 0, &(weft_listen_options){.backlog = 1});
    int queued[8];

    (void)arg;
    EXPECT(weft_local_address(listener, &at), 0);
    for (int i = 0; i < 8; i++) {
        queued[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        struct sockaddr_storage where;
        socklen_t bytes = sizeof where;
        EXPECT(getsockname(listener, (struct sockaddr *)&where, &bytes), 0);
        (void)connect(queued[i], (struct sockaddr *)&where, bytes); /* goes on in the kernel */
    }
    int free_before = lowest_free_descriptor();
    for (int i = 0; i < MOMENTS; i++) {
        weft_future connecting = weft_spawn_val(connect_to_port, at.port);
        for (int k = 0; k < i; k++)
            EXPECT(weft_yield(), 0);
        EXPECT(weft_cancel(connecting), 0);
        EXPECT(weft_await(connecting), -ECANCELED);
    }
    EXPECT(lowest_free_descriptor(), free_before);
    for (int i = 0; i < 8; i++)
        EXPECT(weft_close(queued[i]), 0);
    EXPECT(weft_close(listener), 0);
    return 0;
}

static void a_cancelled_connect_leaves_no_descriptor_behind(void **state)
{
    RUN_EVERYWHERE(cancel_connects);
}

/* In a cancelled task nothing happens at all, although it could at once. */
static int touch_nothing(void *arg)
{
    int *ends = arg;
    char byte;
    int waiting;

    while (!weft_cancelled())
        (void)!weft_yield();
    EXPECT(weft_read(ends[0], &byte, 1), -ECANCELED);
    EXPECT(weft_write(ends[0], "x", 1), -ECANCELED);
    EXPECT(weft_read_full(ends[0], &byte, 1), -ECANCELED);
    EXPECT(weft_open("/dev/null", O_RDONLY, 0), -ECANCELED);
    EXPECT(weft_tcp_accept(ends[0], NULL), -ECANCELED);
    EXPECT(weft_tcp_connect("127.0.0.1", 9), -ECANCELED);
    EXPECT(ioctl(ends[1], FIONREAD, &waiting), 0);
    EXPECT(waiting, 0);
    return 0;
}

static int cancel_before(void *arg)
{
    int ends[2];
    char byte = 0;

    (void)arg;
    wire(ends);
    EXPECT(write(ends[1], "k", 1), 1);
    weft_future future = weft_spawn(touch_nothing, ends);
    EXPECT(weft_cancel(future), 0);
    EXPECT(weft_await(future), 0);
    EXPECT(weft_read(ends[0], &byte, 1), 1);
    EXPECT(byte, 'k');
    close_both(ends);
    return 0;
}

static void a_cancelled_task_begins_no_operation(void **state) { RUN_EVERYWHERE(cancel_before); }

static int close_it(void *arg) { return weft_close(*(int *)arg); }

static int close_while_cancelled(void *arg)
{
    int ends[2];
    char byte;

    (void)arg;
    wire(ends);
    weft_future future = weft_spawn_val(close_it, ends[0]);
    EXPECT(weft_cancel(future), 0);
    EXPECT(weft_await(future), 0);
    EXPECT(weft_read(ends[1], &byte, 1), 0);
    EXPECT(weft_close(ends[1]), 0);
    return 0;
}

static void a_cancelled_close_closes_all_the_same(void **state)
{
    RUN_EVERYWHERE(close_while_cancelled);
}

static int read_four(void *arg)
{
    struct reader *reader = arg;
    char bytes[4];

    reader->got = weft_read_full(reader->fd, bytes, sizeof bytes);
    reader->byte = bytes[1];
    return (int)weft_read(reader->fd, bytes, 1); /* the cancel is still there */
}

static int cancel_full_read(void *arg)
{
    int ends[2];
    struct reader reader = {.got = 0};
    int waiting = -1;

    (void)arg;
    wire(ends);
    reader.fd = ends[0];
    EXPECT(write(ends[1], "12", 2), 2);
    weft_future future = weft_spawn(read_four, &reader);
    do
        EXPECT(weft_yield(), 0);
    while (ioctl(ends[0], FIONREAD, &waiting) == 0 && waiting > 0);
    EXPECT(weft_cancel(future), 0);
    EXPECT(weft_await(future), -ECANCELED);
    EXPECT(reader.got, 2);
    EXPECT(reader.byte, '2');
    close_both(ends);
    return 0;
}

static void a_cancelled_full_read_gives_what_it_has_read(void **state)
{
    RUN_EVERYWHERE(cancel_full_read);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancelled_read_of_a_socket_leaves_the_byte_there),
        cmocka_unit_test(a_cancelled_read_of_a_connection_leaves_the_byte_there),
        cmocka_unit_test(a_cancelled_read_of_a_pipe_leaves_the_byte_there),
        cmocka_unit_test(a_read_that_waits_ends_when_it_is_cancelled),
        cmocka_unit_test(a_cancelled_read_of_a_terminal_leaves_the_line_there),
        cmocka_unit_test(a_read_that_runs_out_of_time_has_read_nothing),
        cmocka_unit_test(a_cancelled_write_has_written_nothing),
        cmocka_unit_test(a_cancelled_accept_leaves_the_connection_in_the_queue),
        cmocka_unit_test(a_cancelled_connect_leaves_no_descriptor_behind),
        cmocka_unit_test(a_cancelled_task_begins_no_operation),
        cmocka_unit_test(a_cancelled_close_closes_all_the_same),
        cmocka_unit_test(a_cancelled_full_read_gives_what_it_has_read),
    };

    return CHECK_GROUP(tests);
}
