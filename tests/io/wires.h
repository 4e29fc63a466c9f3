/*
 * wires - what the tests of io/ share: verdicts of tasks, pairs of connected sockets, and knowing
 * that an operation is in flight.
 *
 *     static int program(void *arg)
 *     {
 *         EXPECT(weft_read(-1, NULL, 0), -EBADF);
 *         return 0;
 *     }
 *
 *     static void a_read_of_nothing_fails(void **state) { RUN_EVERYWHERE(program); }
 */
#ifndef WEFT_TESTS_IO_WIRES_H
#define WEFT_TESTS_IO_WIRES_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "core/fd.h"
#include "core/worker.h"

/* The first expectation that failed, of any task. */
static struct verdict {
    _Atomic int line;
    _Atomic long long got, wanted;
} verdict;

static inline bool expect(long long got, long long wanted, int line)
{
    int none = 0;

    if (got == wanted)
        return true;
    if (atomic_compare_exchange_strong(&verdict.line, &none, line)) {
        atomic_store(&verdict.got, got);
        atomic_store(&verdict.wanted, wanted);
    }
    return false;
}

/* Records, in a task, whether two numbers are equal; tells it too. */
#define EXPECT(got, wanted) expect((long long)(got), (long long)(wanted), __LINE__)

static inline void run_with(int workers, weft_fn program)
{
    atomic_store(&verdict.line, 0);
    int rc = check_run(workers, program, NULL);
    if (atomic_load(&verdict.line) != 0)
        fail_msg("%d workers, line %d: got %lld, wanted %lld", workers, atomic_load(&verdict.line),
                 atomic_load(&verdict.got), atomic_load(&verdict.wanted));
    assert_int_equal(rc, 0);
}

#define RUN_EVERYWHERE(program)     \
    do {                            \
        (void)state;                \
        CHECK_WORKERS(n) {          \
            run_with(n, (program)); \
        }                           \
    } while (0)

/* Returns when so many operations on fd are in flight: the one thing that no public call tells. */
static inline void until_in_flight(int fd, int count)
{
    while (weft__fd_in_flight(weft__worker()->runtime->fds, fd) != count)
        (void)!weft_yield(); /* -ECANCELED has let the others run too */
}

/* Two sockets of the kernel's own making, that block, one connected to the other. */
static inline void wire(int ends[2])
{
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static inline int accept_one(void *arg) { return weft_tcp_accept(*(int *)arg, NULL); }

/* A TCP connection of weft's making: ends[0] connected to ends[1]. */
static inline void tcp_wire(int ends[2])
{
    weft_address at = {.port = 0};
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL);

    EXPECT(weft_local_address(listener, &at), 0);
    weft_future accepted = weft_spawn_val(accept_one, listener);
    ends[0] = weft_tcp_connect("127.0.0.1", at.port);
    ends[1] = weft_await(accepted);
    EXPECT(ends[0] >= 0, true);
    EXPECT(ends[1] >= 0, true);
    EXPECT(weft_close(listener), 0);
}

static inline void close_both(int ends[2])
{
    EXPECT(weft_close(ends[0]), 0);
    EXPECT(weft_close(ends[1]), 0);
}

/* A folder for one test, gone at its end. */
static inline void folder_new(char path[32])
{
    (void)snprintf(path, 32, "/tmp/weft-io-XXXXXX"); /* fits */
    EXPECT(mkdtemp(path) != NULL, true);
}

/* The path of a file in it, in static memory: for one task at a time. */
static inline const char *in_folder(const char *folder, const char *name)
{
    static char path[64];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name); /* fits */
    return path;
}

static inline void folder_remove(const char *folder, const char *name)
{
    if (name)
        EXPECT(unlink(in_folder(folder, name)), 0);
    EXPECT(rmdir(folder), 0);
}

#endif
