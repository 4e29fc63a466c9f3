/*
 * loop - one event loop per worker: io_uring (loop_uring.c) or epoll (loop_epoll.c).
 *
 * The worker polls it between tasks and sleeps in it. Tasks run operations through weft__loop_run;
 * the memory of an operation may live on the task's stack, since the task stays suspended until the
 * operation has truly ended, cancelled or not.
 *
 * The two loops differ in what they call done: io_uring ends an operation when it has happened (the bytes
 * of sockets apart, which wait in an epoll loop inside it: loop_uring.c tells why); epoll
 * tries at once, and answers -EAGAIN (-EINPROGRESS to a connect) if it must wait for OP_READY first.
 * io_uring says -EAGAIN too, for a descriptor with O_NONBLOCK. So the caller handles it for both (see
 * io/call.c).
 *
 * A socket's wait lies in the loop of the worker that the task is on, or in the first worker's if that
 * sleeps: a waking costs several times what an echo does, so while few messages come one worker hears of
 * all, and the others sleep on. Cancel and close find it by its loop and key, wherever it is.
 */
#ifndef WEFT_CORE_LOOP_H
#define WEFT_CORE_LOOP_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <weft/runtime.h>

#include "core/atomic.h"

struct bell;
struct fd_use;
struct opslots;
struct sockaddr;
struct worker;
struct loop;

enum op_kind {
    OP_READ,    /* fd, buffer, bytes, offset (-1: in order), is_no_socket */
    OP_WRITE,   /* fd, buffer, bytes, offset (-1: in order), is_no_socket */
    OP_ACCEPT,  /* fd, address, address_bytes, flags (SOCK_*) */
    OP_CONNECT, /* fd, address, *address_bytes */
    OP_OPEN,    /* path, flags, mode */
    OP_READY,   /* fd, flags (POLLIN or POLLOUT): gives what is ready */
};

/* An operation of the kernel's, on the stack of the task that runs it. */
struct op {
    enum op_kind kind;
    int fd;
    void *buffer;
    size_t bytes;
    off_t offset;
    bool is_no_socket; /* false: if it is none, the answer is -ENOTSOCK */
    const char *path;
    int flags;
    mode_t mode;
    struct sockaddr *address;
    uint32_t *address_bytes;
    struct fd_use
        *use; /* to be told while it is in flight, so that close can end it; may be NULL */
};

static inline bool op_is_transfer(const struct op *op)
{
    return op->kind == OP_READ || op->kind == OP_WRITE;
}

struct loop_ops {
    weft_loop kind;
    int (*init)(struct loop *loop);
    void (*destroy)(struct loop *loop);
    /* Handles what has happened, waiting up to `ns` for something (0: not at all, WEFT_NO_TIMEOUT:
     * until woken). Returns how many tasks it made ready. Only from the worker. */
    int (*poll)(struct loop *loop, int64_t ns);
    /* Handles what has happened in the loop of another worker, as far as its own is not needed for
     * that, without waiting; returns as poll. From any worker. */
    int (*help)(struct loop *loop);
    /* Ends a poll that waits, or the next one. From any thread. */
    void (*wake)(struct loop *loop);
    /* Runs one operation for the calling task; suspends. The result; -ECANCELED (the task was, or
     * the operation by `cancel`) and -EINTR: it had no effect. `loop` is that of the worker which
     * carries the task when the call begins, and the thread is inside then, not at the end. */
    ssize_t (*run)(struct loop *loop, struct op *op);
    /* Asks for the end of the operation in flight with this key, which run has given to
     * weft__wait_set_op and to weft__fd_publish. From any thread; harmless if it has ended. */
    void (*cancel)(struct loop *loop, uint64_t key);
    /* True if a poll could find anything at all: operations in flight or not yet submitted. Only
     * from the worker. */
    bool (*is_busy)(const struct loop *loop);
};

struct loop {
    const struct loop_ops *ops;
    struct worker *worker; /* (i) whose it is */
    void *state;           /* (i) of loop_uring.c or loop_epoll.c */
    struct loop *sockets;  /* (i) the epoll loop in which sockets wait: it, or its part */
    struct bell *bell;     /* (i) the loop's: tells whether it sleeps */
    const _Atomic uint32_t *in_flight; /* (i) the loop's: how many operations are */
    _Atomic uint32_t waits; /* (a) of `sockets`: how many of those anybody can help with */
    const char *refused_by; /* (i) the call that refused io_uring, if one did */
};

extern const struct loop_ops weft__loop_uring;
extern const struct loop_ops weft__loop_epoll;

/* Sets up an epoll loop as part of another one, whose bell and slots it uses; `also` is one more
 * descriptor whose readiness ends its sleep. Only its ops may be called, and destroyed first. */
int weft__loop_epoll_inside(struct loop *loop, struct bell *bell, struct opslots *slots, int also);

/* Sets up the loop that was asked for; AUTO and URING fall back to epoll. `why` (at least 96 bytes)
 * says in words why it is this one. */
int weft__loop_init(struct loop *loop, struct worker *worker, weft_loop asked, char *why);
void weft__loop_destroy(struct loop *loop);

/* Runs one operation of the calling task in the loop of its worker: as ops->run. A cancellation point. */
ssize_t weft__loop_run(struct op *op);

/* The loop of the calling task's worker, which nobody takes until weft__loop_leave or a suspension.
 * May suspend, to get a worker. */
struct loop *weft__loop_enter(void);
void weft__loop_leave(void);

/* Runs one operation of the calling task on the blocking lane: for files where the loop cannot. */
ssize_t weft__loop_block(const struct op *op);

/* What the descriptor is: st_mode of fstat(2); 0 if that fails. */
mode_t weft__loop_mode(int fd);

/* A file, a disk or a folder is always ready, while what is done to it may block. */
static inline bool mode_is_file(mode_t mode)
{
    return S_ISREG(mode) || S_ISBLK(mode) || S_ISDIR(mode);
}

/* Runs fn(arg), which may block its thread, on the blocking lane or on the lane for name look-ups,
 * and waits for it. core and io own this interface; pool implements it, above them. Cancelled: a
 * job that had not started gives -ECANCELED; one that had completes first and gives its status. */
enum lane { LANE_BLOCKING, LANE_NAMES };
int weft__lane_run(enum lane lane, int (*fn)(void *arg), void *arg);

#endif
