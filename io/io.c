/*
 * io - open, read, write, close: see weft/io.h.
 */
#include <errno.h>
#include <limits.h>
#include <sys/stat.h>

#include <weft/io.h>

#include "core/gate.h"
#include "core/runtime.h"
#include "core/sys.h"
#include "core/wait.h"
#include "core/worker.h"
#include "io/call.h"

/* A named pipe opens without waiting because of O_NONBLOCK, and a device too; both keep it. A file
 * must not: io_uring would say -EAGAIN for what is not in memory. */
static void unblock_files_only(int fd)
{
    struct stat stat;

    if (weft__sys_fstat(fd, &stat) < 0 || S_ISFIFO(stat.st_mode) || S_ISCHR(stat.st_mode))
        return;
    int flags = weft__sys_fcntl(fd, F_GETFL, 0);
    if (flags >= 0)
        (void)weft__sys_fcntl(fd, F_SETFL, flags & ~O_NONBLOCK); /* O_PATH refuses: no matter */
}

/* Opens; tries again if it was interrupted for no reason that concerns the caller. */
static int open_in_loop(struct op *op)
{
    int rc = 0;
    ssize_t fd;

    do {
        fd = weft__loop_run(op); /* suspends: worker, errno stale */
        if (fd != -EINTR && fd != -ECANCELED)
            return (int)fd;
        rc = weft__wait_check(); /* suspends if the task is cancelled */
    } while (rc == 0);
    return rc;
}

int weft_open(const char *path, int flags, mode_t mode)
{
    struct op op = {
        .kind = OP_OPEN, .path = path, .flags = flags | O_CLOEXEC | O_NONBLOCK, .mode = mode};

    if (!weft__current_task())
        return -EPERM;
    if (!path)
        return -EFAULT;         /* as the kernel would say; open() may take it for impossible */
    int fd = open_in_loop(&op); /* suspends: worker, errno stale */
    if (fd >= 0 && !(flags & O_NONBLOCK))
        unblock_files_only(fd);
    return fd;
}

/* Bytes that the result can count. */
static size_t countable(size_t bytes) { return bytes > SSIZE_MAX ? SSIZE_MAX : bytes; }

static struct op read_op(int fd, void *buffer, size_t bytes, off_t offset)
{
    return (struct op){
        .kind = OP_READ, .fd = fd, .buffer = buffer, .bytes = countable(bytes), .offset = offset};
}

static struct op write_op(int fd, const void *buffer, size_t bytes, off_t offset)
{
    return (struct op){.kind = OP_WRITE,
                       .fd = fd,
                       .buffer = (void *)(uintptr_t)buffer, /* only read from */
                       .bytes = countable(bytes),
                       .offset = offset};
}

/* Transfers until all bytes are there (or one call's worth, unless is_full), the stream ends, or a
 * failure comes. Returns the bytes, or the failure if there are none. */
static ssize_t transfer(struct op *op, bool is_full)
{
    size_t wanted = op->bytes;
    size_t done = 0;
    ssize_t result;

    do {
        result = weft__call_run(op); /* suspends: worker, errno stale */
        if (result <= 0)
            break;
        done += (size_t)result;
        op->buffer = (char *)op->buffer + result;
        op->bytes = wanted - done;
    } while (is_full && done < wanted);
    if (result < 0 && result != -ECANCELED && done > 0 && op->kind == OP_READ)
        weft__fd_defer(op->use, op->fd, (int)result);
    return done > 0 ? (ssize_t)done : result;
}

/* Of no bytes: a socket would wait for some all the same. Returns 0, or what is wrong. */
static ssize_t no_transfer(const struct op *op)
{
    int rc = weft__wait_check(); /* suspends if the task is cancelled */

    if (rc == 0)
        rc = weft__sys_fcntl(op->fd, F_GETFD, 0);
    return rc < 0 ? rc : 0;
}

static ssize_t stream(struct op *op, bool is_full)
{
    enum fd_seat seat = op->kind == OP_READ ? FD_SEAT_READER : FD_SEAT_WRITER;
    struct fd_use use;
    ssize_t result = weft__call_begin(op, seat, &use);

    if (result < 0)
        return result;
    if (op->kind == OP_READ)
        result = weft__fd_take_deferred(&use, op->fd);
    if (result == 0)
        result = op->bytes > 0 ? transfer(op, is_full) : no_transfer(op); /* may suspend */
    weft__call_end(op);
    return result;
}

ssize_t weft_read(int fd, void *buffer, size_t bytes)
{
    struct op op = read_op(fd, buffer, bytes, -1);

    return stream(&op, false); /* suspends: worker, errno stale */
}

ssize_t weft_write(int fd, const void *buffer, size_t bytes)
{
    struct op op = write_op(fd, buffer, bytes, -1);

    return stream(&op, false); /* suspends: worker, errno stale */
}

ssize_t weft_read_full(int fd, void *buffer, size_t bytes)
{
    struct op op = read_op(fd, buffer, bytes, -1);

    return stream(&op, true); /* suspends: worker, errno stale */
}

ssize_t weft_write_full(int fd, const void *buffer, size_t bytes)
{
    struct op op = write_op(fd, buffer, bytes, -1);

    return stream(&op, true); /* suspends: worker, errno stale */
}

static ssize_t at_offset(struct op *op)
{
    return op->offset < 0 ? -EINVAL
                          : weft__call(op, FD_SEAT_NONE); /* suspends: worker, errno stale */
}

ssize_t weft_pread(int fd, void *buffer, size_t bytes, off_t offset)
{
    struct op op = read_op(fd, buffer, bytes, offset);

    return at_offset(&op); /* suspends: worker, errno stale */
}

ssize_t weft_pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
{
    struct op op = write_op(fd, buffer, bytes, offset);

    return at_offset(&op); /* suspends: worker, errno stale */
}

int weft_close(int fd)
{
    struct runtime *runtime;

    if (weft__current_task())
        return weft__fd_close(weft__runtime_own()->fds, fd); /* suspends: worker, errno stale */
    if (weft__runtime_enter(&runtime) < 0)
        return weft__sys_close(fd); /* so nothing waits on it */
    int rc = weft__fd_close(runtime->fds, fd);
    weft__runtime_leave(runtime);
    return rc;
}
