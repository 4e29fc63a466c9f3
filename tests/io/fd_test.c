/*
 * fd_test - one reader and one writer at a time, closing under them, and numbers that come back.
 */
#include <arpa/inet.h>
#include <pthread.h>

#include "wires.h"

static int read_byte(void *arg)
{
    char byte;

    return (int)weft_read(*(int *)arg, &byte, 1);
}

static int second_reader(void *arg)
{
    int ends[2];

    (void)arg;
    wire(ends);
    weft_future first = weft_spawn_val(read_byte, ends[0]);
    until_in_flight(ends[0], 1);
    EXPECT(read_byte(&ends[0]), -EBUSY);
    EXPECT(weft_write(ends[0], "w", 1), 1); /* the other direction is free */
    EXPECT(weft_write(ends[1], "r", 1), 1);
    EXPECT(weft_await(first), 1);
    EXPECT(weft_write(ends[1], "r", 1), 1);
    EXPECT(read_byte(&ends[0]), 1); /* and so is this one again */
    close_both(ends);
    return 0;
}

static void a_second_reader_is_told_that_it_is_busy(void **state) { RUN_EVERYWHERE(second_reader); }

static int second_accept(void *arg)
{
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL);

    (void)arg;
    weft_future first = weft_spawn_val(accept_one, listener);
    until_in_flight(listener, 1);
    EXPECT(weft_tcp_accept(listener, NULL), -EBUSY);
    EXPECT(weft_cancel(first), 0);
    EXPECT(weft_await(first), -ECANCELED);
    EXPECT(weft_close(listener), 0);
    return 0;
}

static void a_second_accept_is_told_that_it_is_busy(void **state) { RUN_EVERYWHERE(second_accept); }

static void close_under_reader(int ends[2])
{
    weft_future reading = weft_spawn_val(read_byte, ends[0]);

    until_in_flight(ends[0], 1);
    EXPECT(weft_close(ends[0]), 0);
    EXPECT(weft_await(reading), -EBADF);
    EXPECT(read_byte(&ends[1]), 0); /* the end was sent: nothing holds the socket any more */
    EXPECT(weft_close(ends[1]), 0);
}

static int close_under_readers(void *arg)
{
    int ends[2];

    (void)arg;
    wire(ends);
    close_under_reader(ends);
    tcp_wire(ends);
    close_under_reader(ends);
    return 0;
}

static void close_ends_a_read_and_the_peer_sees_the_end(void **state)
{
    RUN_EVERYWHERE(close_under_readers);
}

static int close_under_accept(void *arg)
{
    weft_address at = {.port = 0};
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL);

    (void)arg;
    EXPECT(weft_local_address(listener, &at), 0);
    weft_future accepting = weft_spawn_val(accept_one, listener);
    until_in_flight(listener, 1);
    EXPECT(weft_close(listener), 0);
    EXPECT(weft_await(accepting), -EBADF);
    EXPECT(weft_tcp_connect("127.0.0.1", at.port), -ECONNREFUSED);
    return 0;
}

static void close_ends_an_accept_and_frees_the_port(void **state)
{
    RUN_EVERYWHERE(close_under_accept);
}

/* A writer that fills a socket until something ends it. */
static int write_on(void *arg)
{
    static const char block[65536];
    ssize_t n;

    while ((n = weft_write(*(int *)arg, block, sizeof block)) > 0)
        ;
    return (int)n;
}

static int close_under_both(void *arg)
{
    int ends[2];

    (void)arg;
    wire(ends);
    weft_future reading = weft_spawn_val(read_byte, ends[0]);
    weft_future writing = weft_spawn_val(write_on, ends[0]);
    until_in_flight(ends[0], 2);
    EXPECT(weft_close(ends[0]), 0);
    EXPECT(weft_await(reading), -EBADF);
    EXPECT(weft_await(writing), -EBADF);
    EXPECT(weft_close(ends[1]), 0);
    return 0;
}

static void close_ends_a_reader_and_a_writer_together(void **state)
{
    RUN_EVERYWHERE(close_under_both);
}

static int write_all(void *arg)
{
    static const char block[1 << 20];

    return (int)weft_write_full(*(int *)arg, block, sizeof block);
}

/* Both directions of one descriptor wait at the same time; the one that is served first must not
 * take the other's turn. */
static int serve_both_directions(void *arg)
{
    static char block[65536]; /* a stack is no bigger */
    int ends[2];

    (void)arg;
    for (int round = 0; round < 2; round++) {
        wire(ends);
        weft_future reading = weft_spawn_val(read_byte, ends[0]);
        weft_future writing = weft_spawn_val(write_all, ends[0]);
        until_in_flight(ends[0], 2);
        if (round == 0) {
            EXPECT(weft_write(ends[1], "r", 1), 1);
            EXPECT(weft_await(reading), 1);
        }
        for (int taken = 0; taken < 1 << 20; taken += (int)sizeof block)
            EXPECT(weft_read_full(ends[1], block, sizeof block), sizeof block);
        EXPECT(weft_await(writing), 1 << 20);
        if (round == 1) {
            EXPECT(weft_write(ends[1], "r", 1), 1);
            EXPECT(weft_await(reading), 1);
        }
        close_both(ends);
    }
    return 0;
}

static void one_task_reads_while_another_writes_the_same_descriptor(void **state)
{
    RUN_EVERYWHERE(serve_both_directions);
}

static int close_it(void *arg) { return weft_close(*(int *)arg); }

static int close_twice(void *arg)
{
    int ends[2];

    (void)arg;
    for (int round = 0; round < 20; round++) {
        wire(ends);
        weft_future reading = weft_spawn_val(read_byte, ends[0]);
        weft_future closing[3];
        for (int i = 0; i < 3; i++)
            closing[i] = weft_spawn_val(close_it, ends[0]);
        EXPECT(weft_await(reading), -EBADF);
        int closed = 0;
        for (int i = 0; i < 3; i++) {
            int rc = weft_await(closing[i]);
            EXPECT(rc == 0 || rc == -EBADF, true);
            closed += rc == 0;
        }
        EXPECT(closed, 1);
        EXPECT(weft_close(ends[1]), 0);
    }
    EXPECT(weft_close(-1), -EBADF);
    return 0;
}

static void of_several_closes_one_closes(void **state) { RUN_EVERYWHERE(close_twice); }

/* Numbers come back at once: whatever was in flight on the old one must not touch the new one. */
static int reuse_numbers(void *arg)
{
    (void)arg;
    for (int round = 0; round < 200; round++) {
        int old[2];
        int young[2];
        char byte = 0;

        wire(old);
        weft_future reading = weft_spawn_val(read_byte, old[0]);
        until_in_flight(old[0], 1);
        EXPECT(weft_close(old[0]), 0);
        wire(young); /* one of them has the number that was old[0] */
        EXPECT(young[0] == old[0] || young[1] == old[0], true);
        EXPECT(weft_write(young[1], "y", 1), 1);
        int rc = weft_await(reading);
        EXPECT(rc, -EBADF);
        EXPECT(weft_read(young[0], &byte, 1), 1);
        EXPECT(byte, 'y');
        EXPECT(weft_close(old[1]), 0);
        close_both(young);
    }
    return 0;
}

static void a_number_that_comes_back_is_clean(void **state)
{
    (void)state;
    run_with(1, reuse_numbers); /* one: no other task may take the number in between */
}

/* The reader waits on a description that its number no longer means. */
static int raw_close(void *arg)
{
    (void)arg;
    for (int round = 0; round < 20; round++) {
        int old[2];
        int young[2];

        wire(old);
        weft_future reading = weft_spawn_val(read_byte, old[0]);
        until_in_flight(old[0], 1);
        EXPECT(close(old[0]), 0); /* behind weft's back */
        wire(young);
        EXPECT(weft_cancel(reading), 0);
        EXPECT(weft_await(reading), -ECANCELED);
        EXPECT(weft_write(young[1], "y", 1), 1);
        EXPECT(read_byte(&young[0]), 1);
        EXPECT(weft_write(young[0], "y", 1), 1);
        EXPECT(read_byte(&young[1]), 1);
        EXPECT(weft_close(old[1]), 0);
        close_both(young);
    }
    return 0;
}

static void a_raw_close_leaves_waiters_cancellable_and_the_number_usable(void **state)
{
    (void)state;
    run_with(1, raw_close); /* one: as above */
}

/* What the number meant before, a pipe, says nothing about the socket that it means now. */
static int raw_reuse_by_another_kind(void *arg)
{
    int pipes[2];
    int ends[2];

    (void)arg;
    for (int round = 0; round < 4; round++) {
        EXPECT(pipe2(pipes, O_CLOEXEC), 0);
        EXPECT(weft_write(pipes[1], "p", 1), 1);
        EXPECT(read_byte(&pipes[0]), 1);
        EXPECT(close(pipes[0]), 0);
        EXPECT(close(pipes[1]), 0);
        wire(ends);
        EXPECT(weft_write(ends[0], "s", 1), 1);
        EXPECT(read_byte(&ends[1]), 1);
        weft_future reading = weft_spawn_val(read_byte, ends[1]);
        until_in_flight(ends[1], 1);
        EXPECT(weft_write(ends[0], "s", 1), 1);
        EXPECT(weft_await(reading), 1);
        EXPECT(close(ends[1]), 0);
        EXPECT(weft_write(ends[0], "s", 1), -EPIPE); /* and no signal */
        EXPECT(close(ends[0]), 0);
    }
    return 0;
}

static void a_number_may_change_its_kind_behind_our_back(void **state)
{
    (void)state;
    run_with(1, raw_reuse_by_another_kind); /* one: as above */
}

static int keep_flags(void *arg)
{
    int ends[2];
    int pipes[2];
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    (void)arg;
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    EXPECT(pipe(pipes), 0);
    EXPECT(listen(listener, 1), 0);
    int fds[] = {ends[0], ends[1], pipes[0], pipes[1], listener};
    int status[5];
    for (int i = 0; i < 5; i++)
        status[i] = fcntl(fds[i], F_GETFL);
    weft_future reading = weft_spawn_val(read_byte, ends[0]);
    weft_future piping = weft_spawn_val(read_byte, pipes[0]);
    weft_future accepting = weft_spawn_val(accept_one, listener);
    until_in_flight(ends[0], 1);
    until_in_flight(pipes[0], 1);
    until_in_flight(listener, 1);
    for (int i = 0; i < 5; i++) {
        EXPECT(fcntl(fds[i], F_GETFL), status[i]);
        EXPECT(fcntl(fds[i], F_GETFD), 0);
    }
    EXPECT(weft_write(ends[1], "e", 1), 1);
    EXPECT(weft_write(pipes[1], "p", 1), 1);
    EXPECT(weft_cancel(accepting), 0);
    EXPECT(weft_await(reading), 1);
    EXPECT(weft_await(piping), 1);
    EXPECT(weft_await(accepting), -ECANCELED);
    for (int i = 0; i < 5; i++) {
        EXPECT(fcntl(fds[i], F_GETFL), status[i]);
        EXPECT(fcntl(fds[i], F_GETFD), 0);
        EXPECT(weft_close(fds[i]), 0);
    }
    return 0;
}

static void descriptors_of_the_host_keep_their_flags(void **state) { RUN_EVERYWHERE(keep_flags); }

static int own_sockets(void *arg)
{
    int ends[2];

    (void)arg;
    tcp_wire(ends);
    for (int i = 0; i < 2; i++)
        EXPECT(fcntl(ends[i], F_GETFD), FD_CLOEXEC);
    int file = weft_open("/dev/null", O_RDONLY, 0);
    EXPECT(fcntl(file, F_GETFD), FD_CLOEXEC);
    EXPECT(weft_close(file), 0);
    close_both(ends);
    return 0;
}

static void what_weft_opens_does_not_survive_exec(void **state) { RUN_EVERYWHERE(own_sockets); }

/* A description that a child of fork would keep: closing the number here does not end it. */
static int close_a_duplicate(void *arg)
{
    int ends[2];

    (void)arg;
    for (int round = 0; round < 20; round++) {
        wire(ends);
        int kept = dup(ends[0]);
        weft_future reading = weft_spawn_val(read_byte, ends[0]);
        until_in_flight(ends[0], 1);
        EXPECT(weft_close(ends[0]), 0);
        EXPECT(weft_await(reading), -EBADF);
        EXPECT(weft_write(ends[1], "d", 1), 1);
        EXPECT(read_byte(&kept), 1);
        EXPECT(weft_close(kept), 0);
        EXPECT(weft_close(ends[1]), 0);
    }
    return 0;
}

static void a_duplicate_goes_on_after_close(void **state) { RUN_EVERYWHERE(close_a_duplicate); }

/* A plain thread may close what nobody waits on. */
struct from_thread {
    int ends[2];
    int busy, idle;
};

static void *close_from_thread(void *arg)
{
    struct from_thread *from = arg;

    from->busy = weft_close(from->ends[0]);
    from->idle = weft_close(from->ends[1]);
    return NULL;
}

static int let_thread_close(void *arg)
{
    struct from_thread from = {.busy = 0};
    pthread_t thread;

    (void)arg;
    wire(from.ends);
    weft_future reading = weft_spawn_val(read_byte, from.ends[0]);
    until_in_flight(from.ends[0], 1);
    EXPECT(pthread_create(&thread, NULL, close_from_thread, &from), 0);
    EXPECT(pthread_join(thread, NULL), 0);
    EXPECT(from.busy, -EBUSY);
    EXPECT(from.idle, 0);
    EXPECT(weft_await(reading), 0); /* the end: its peer is closed */
    EXPECT(weft_close(from.ends[0]), 0);
    return 0;
}

static void a_thread_closes_only_what_nobody_waits_on(void **state)
{
    RUN_EVERYWHERE(let_thread_close);
}

static void outside_a_task_only_close_works(void **state)
{
    char byte;

    (void)state;
    assert_int_equal(weft_open("/dev/null", O_RDONLY, 0), -EPERM);
    assert_int_equal(weft_read(0, &byte, 1), -EPERM);
    assert_int_equal(weft_write(0, &byte, 1), -EPERM);
    assert_int_equal(weft_pread(0, &byte, 1, 0), -EPERM);
    assert_int_equal(weft_pwrite(0, &byte, 1, 0), -EPERM);
    assert_int_equal(weft_read_full(0, &byte, 1), -EPERM);
    assert_int_equal(weft_write_full(0, &byte, 1), -EPERM);
    assert_int_equal(weft_tcp_accept(0, NULL), -EPERM);
    assert_int_equal(weft_tcp_connect("127.0.0.1", 1), -EPERM);
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(weft_close(fd), 0);
    assert_int_equal(weft_close(fd), -EBADF);
}

static int no_descriptor(void *arg)
{
    char byte;
    int gone = open("/dev/null", O_RDONLY | O_CLOEXEC);

    (void)arg;
    EXPECT(close(gone), 0);
    EXPECT(weft_read(-1, &byte, 1), -EBADF);
    EXPECT(weft_write(-1, &byte, 1), -EBADF);
    EXPECT(weft_read(gone, &byte, 1), -EBADF);
    EXPECT(weft_pread(gone, &byte, 1, 0), -EBADF);
    EXPECT(weft_tcp_accept(gone, NULL), -EBADF);
    EXPECT(weft_shutdown(gone, SHUT_WR), -EBADF);
    EXPECT(weft_close(gone), -EBADF);
    return 0;
}

static void what_is_no_descriptor_is_named_so(void **state)
{
    (void)state;
    run_with(1, no_descriptor); /* one: nobody else may take the number */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_second_reader_is_told_that_it_is_busy),
        cmocka_unit_test(a_second_accept_is_told_that_it_is_busy),
        cmocka_unit_test(one_task_reads_while_another_writes_the_same_descriptor),
        cmocka_unit_test(close_ends_a_read_and_the_peer_sees_the_end),
        cmocka_unit_test(close_ends_an_accept_and_frees_the_port),
        cmocka_unit_test(close_ends_a_reader_and_a_writer_together),
        cmocka_unit_test(of_several_closes_one_closes),
        cmocka_unit_test(a_number_that_comes_back_is_clean),
        cmocka_unit_test(a_raw_close_leaves_waiters_cancellable_and_the_number_usable),
        cmocka_unit_test(a_number_may_change_its_kind_behind_our_back),
        cmocka_unit_test(descriptors_of_the_host_keep_their_flags),
        cmocka_unit_test(what_weft_opens_does_not_survive_exec),
        cmocka_unit_test(a_duplicate_goes_on_after_close),
        cmocka_unit_test(a_thread_closes_only_what_nobody_waits_on),
        cmocka_unit_test(outside_a_task_only_close_works),
        cmocka_unit_test(what_is_no_descriptor_is_named_so),
    };

    return CHECK_GROUP(tests);
}
