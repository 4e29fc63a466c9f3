/*
 * io_fault_test - calls that fail for a moment, and calls that fail for good.
 */
#include <pthread.h>

#include "core/sys.h"
#include "wires.h"

static _Atomic uint64_t fault_seed;
static _Atomic(const char *) fault_call; /* which call fails for good */
static _Atomic int fault_error, fault_count, fault_skip;

/* Every third call or so of those that may be interrupted is, or must be tried again. */
static int interrupt(const char *call)
{
    const char *calls[] = {"recv", "send", "read", "write", "accept", "epoll_wait", "uring_enter"};
    uint64_t seed = atomic_fetch_add(&fault_seed, 0x9e3779b97f4a7c15u);
    uint64_t dice = check_random(&seed) >> 20;

    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (strcmp(call, calls[i]) == 0 && dice % 3 == 0)
            return i < 5 && dice % 2 ? -EAGAIN : -EINTR;
    return 0;
}

struct stream {
    int from, to;
    long bytes;
};

static int send_all(void *arg)
{
    struct stream *stream = arg;
    unsigned char block[1000];

    for (long sent = 0; sent < stream->bytes; sent += (long)sizeof block) {
        for (size_t i = 0; i < sizeof block; i++)
            block[i] = (unsigned char)((sent + (long)i) * 31);
        EXPECT(weft_write_full(stream->from, block, sizeof block), sizeof block);
    }
    return weft_close(stream->from);
}

static int receive_all(void *arg)
{
    struct stream *stream = arg;
    unsigned char block[777];
    long received = 0;
    ssize_t n;

    while ((n = weft_read(stream->to, block, sizeof block)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            EXPECT(block[i], (unsigned char)((received + i) * 31));
        received += n;
    }
    EXPECT(n, 0);
    EXPECT(received, stream->bytes);
    return weft_close(stream->to);
}

static int stream_while_interrupted(void *arg)
{
    weft_future tasks[6];

    (void)arg;
    for (int i = 0; i < 3; i++) {
        int ends[2];
        if (i == 0)
            EXPECT(pipe2(ends, O_CLOEXEC), 0);
        else if (i == 1)
            wire(ends);
        else
            tcp_wire(ends);
        struct stream stream = {.to = ends[0], .from = ends[1], .bytes = 400000};
        tasks[2 * i] = weft_spawn_val(send_all, stream);
        tasks[2 * i + 1] = weft_spawn_val(receive_all, stream);
    }
    return weft_gather_n(tasks, 6, NULL);
}

static void interruptions_are_never_seen(void **state)
{
    atomic_store(&fault_seed, check_seed());
    weft__sys_fault = NULL;
    (void)state;
    CHECK_WORKERS(n) {
        weft__sys_fault = interrupt;
        atomic_store(&verdict.line, 0);
        int rc = check_run(n, stream_while_interrupted, NULL);
        weft__sys_fault = NULL;

        assert_int_equal(atomic_load(&verdict.line), 0);
        assert_int_equal(rc, 0);
    }
}

/* After so many calls of one kind that succeed, so many fail. */
static int fail_call(const char *call)
{
    const char *wanted = atomic_load(&fault_call);

    if (!wanted || strcmp(call, wanted) != 0 || atomic_load(&fault_count) <= 0)
        return 0;
    if (atomic_fetch_sub(&fault_skip, 1) > 0)
        return 0;
    atomic_fetch_sub(&fault_count, 1);
    return atomic_load(&fault_error);
}

static void fail_next(const char *call, int error)
{
    atomic_store(&fault_skip, 0);
    atomic_store(&fault_error, error);
    atomic_store(&fault_call, call);
    atomic_store(&fault_count, 1);
}

static int read_byte(void *arg)
{
    char byte = 0;
    int rc = (int)weft_read(*(int *)arg, &byte, 1);

    return rc == 1 ? byte : rc;
}

/* No memory to wait with: the call says so, the byte stays, and the next call works. */
static int want_memory_to_wait(void *arg)
{
    int ends[2];

    (void)arg;
    wire(ends);
    fail_next("epoll_ctl", -ENOMEM);
    weft_future reading = weft_spawn_val(read_byte, ends[0]);
    EXPECT(weft_await(reading), -ENOMEM); /* on both loops: sockets wait with epoll */
    atomic_store(&fault_count, 0);
    EXPECT(weft_write(ends[1], "m", 1), 1);
    EXPECT(read_byte(&ends[0]), 'm');
    close_both(ends);
    return 0;
}

static void want_of_memory_to_wait_with_loses_nothing(void **state)
{
    weft__sys_fault = fail_call;
    RUN_EVERYWHERE(want_memory_to_wait);
    weft__sys_fault = NULL;
}

/* Each allocation of a read fails in its turn; whoever else asks for memory may be hit instead. */
static int want_memory_to_read(void *arg)
{
    int ends[2];
    int rc = -ENOMEM;

    (void)arg;
    wire(ends);
    EXPECT(write(ends[1], "a", 1), 1);
    for (int skip = 0; skip < 4 && rc == -ENOMEM; skip++) {
        fail_next("alloc", -ENOMEM);
        atomic_store(&fault_skip, skip);
        rc = read_byte(&ends[0]);
        atomic_store(&fault_count, 0);
    }
    EXPECT(rc, 'a');
    close_both(ends);
    return 0;
}

static void a_read_without_memory_has_read_nothing(void **state)
{
    weft__sys_fault = fail_call;
    RUN_EVERYWHERE(want_memory_to_read);
    weft__sys_fault = NULL;
}

/* Each step of a connect fails in its turn, and leaves nothing behind. */
static int fail_to_connect(void *arg)
{
    weft_address at = {.port = 0};
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL);

    (void)arg;
    EXPECT(weft_local_address(listener, &at), 0);
    int free_before = dup(0);
    EXPECT(close(free_before), 0);
    fail_next("socket", -ENFILE);
    EXPECT(weft_tcp_connect("127.0.0.1", at.port), -ENFILE);
    EXPECT(strstr(weft_why(), "cannot connect") != NULL, true);
    if (weft__worker()->loop.ops->kind == WEFT_LOOP_EPOLL) {
        fail_next("connect", -EAGAIN);
        EXPECT(weft_tcp_connect("127.0.0.1", at.port), -EAGAIN);
    }
    int free_after = dup(0);
    EXPECT(close(free_after), 0);
    EXPECT(free_after, free_before);
    return weft_close(listener);
}

static void a_connect_that_fails_half_way_leaves_nothing(void **state)
{
    weft__sys_fault = fail_call;
    RUN_EVERYWHERE(fail_to_connect);
    weft__sys_fault = NULL;
}

static int cancel_what_is_not_found(void *arg)
{
    int ends[2];

    (void)arg;
    EXPECT(pipe2(ends, O_CLOEXEC), 0);
    weft_future reader = weft_spawn(read_byte, &ends[0]);
    until_in_flight(ends[0], 1);
    fail_next("uring_cancel", -ENOENT);
    EXPECT(weft_cancel(reader), 0);
    EXPECT(weft_await(reader), -ECANCELED);
    close_both(ends);
    return 0;
}

/* The kernel does not find a read whose bytes have just come; and if somebody else takes them, it goes
 * on waiting. */
static void a_cancel_that_the_kernel_did_not_find_is_asked_again(void **state)
{
    weft__sys_fault = fail_call;
    RUN_EVERYWHERE(cancel_what_is_not_found);
    weft__sys_fault = NULL;
}

static void a_listen_that_fails_half_way_leaves_nothing(void **state)
{
    const char *calls[] = {"socket", "setsockopt", "bind", "listen"};
    int free_before = dup(0);

    (void)state;
    assert_int_equal(close(free_before), 0);
    weft__sys_fault = fail_call;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        fail_next(calls[i], -ENOBUFS);
        int fd = weft_tcp_listen("127.0.0.1", 0, NULL);
        if (strcmp(calls[i], "setsockopt") == 0 && fd >= 0) /* the first only asks for speed */
            assert_int_equal(weft_close(fd), 0);
        else
            assert_int_equal(fd, -ENOBUFS);
    }
    weft__sys_fault = NULL;
    int free_after = dup(0);
    assert_int_equal(close(free_after), 0);
    assert_int_equal(free_after, free_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(interruptions_are_never_seen),
        cmocka_unit_test(want_of_memory_to_wait_with_loses_nothing),
        cmocka_unit_test(a_read_without_memory_has_read_nothing),
        cmocka_unit_test(a_connect_that_fails_half_way_leaves_nothing),
        cmocka_unit_test(a_listen_that_fails_half_way_leaves_nothing),
        cmocka_unit_test(a_cancel_that_the_kernel_did_not_find_is_asked_again),
    };

    return CHECK_GROUP(tests);
}
