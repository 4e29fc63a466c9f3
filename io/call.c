/*
 * call - see call.h.
 */
#include "io/call.h"

#include <errno.h>
#include <poll.h>

#include "core/gate.h"
#include "core/sys.h"
#include "core/wait.h"
#include "core/worker.h"

/* Between the functions here: try it again. No errno. */
#define AGAIN (-5000)

int weft__call_begin(struct op *op, enum fd_seat seat, struct fd_use *use)
{
    if (!weft__current_task())
        return -EPERM;
    int rc = weft__fd_begin(weft__runtime_own()->fds, op->fd, seat, use);
    if (rc < 0)
        return rc;
    op->use = use;
    op->is_no_socket = use->is_no_socket;
    return 0;
}

void weft__call_end(struct op *op) { weft__fd_end(op->use); }

/* Waits until the descriptor is ready for the operation. Returns what is ready. */
static ssize_t wait_ready(const struct op *op)
{
    bool is_inward = op->kind == OP_READ || op->kind == OP_ACCEPT;
    struct op ready = {
        .kind = OP_READY, .fd = op->fd, .flags = is_inward ? POLLIN : POLLOUT, .use = op->use};

    return weft__loop_run(&ready); /* suspends: worker, errno stale */
}

/* The same at an offset, on a device. Any number may read there at a time, but one may wait: the loops know
 * one who waits for a descriptor in each direction. */
static ssize_t wait_in_seat(const struct op *op)
{
    struct op ready = *op;
    struct fd_use use;
    enum fd_seat seat = op->kind == OP_READ ? FD_SEAT_READER : FD_SEAT_WRITER;
    ssize_t rc = weft__call_begin(&ready, seat, &use);

    if (rc < 0)
        return rc;
    rc = wait_ready(&ready); /* suspends: worker, errno stale */
    weft__call_end(&ready);
    return rc;
}

/* The operation would have had to wait. Returns its result, or AGAIN. */
static ssize_t go_on_when_ready(const struct op *op)
{
    if (op_is_transfer(op) && (op->is_no_socket || op->offset >= 0) &&
        mode_is_file(weft__loop_mode(op->fd)))
        return weft__loop_block(op); /* it has O_NONBLOCK; suspends: worker, errno stale */

    /* both suspend: worker, errno stale */
    ssize_t ready = op_is_transfer(op) && op->offset >= 0 ? wait_in_seat(op) : wait_ready(op);

    if (ready < 0)
        return ready;
    return op->kind == OP_CONNECT ? weft__sys_socket_error(op->fd) : AGAIN;
}

/* A read gave 0: the end, or a named pipe that no writer has opened yet? Returns 0 (the end), a
 * failure, or AGAIN; has waited in between, if the pipe was silent. */
static ssize_t go_on_at_end(const struct op *op)
{
    struct stat stat;

    if (op->bytes == 0 || !op->is_no_socket || weft__sys_fstat(op->fd, &stat) < 0 ||
        !S_ISFIFO(stat.st_mode))
        return 0;

    int ready = weft__sys_poll(op->fd, POLLIN); /* says "hung up" only if a writer has been there */

    if (ready < 0)
        return ready;
    if (ready > 0)
        return ready & POLLIN ? AGAIN : 0;
    ssize_t rc = wait_ready(op); /* suspends: worker, errno stale */
    return rc < 0 ? rc : AGAIN;
}

/* The operation was ended before it had an effect. Returns why, or AGAIN: for no reason that
 * concerns the caller. */
static ssize_t why_cancelled(const struct op *op)
{
    if (op->use && weft__fd_is_closing(op->use))
        return -EBADF;
    int rc = weft__wait_check(); /* suspends if the task is cancelled */
    return rc < 0 ? rc : AGAIN;
}

static bool needs_ready(const struct op *op, ssize_t result)
{
    if (op->kind == OP_CONNECT) /* -EALREADY: the second try of one that was interrupted */
        return result == -EINPROGRESS || result == -EALREADY;
    return result == -EAGAIN;
}

/* Makes of the loop's answer what the caller gets, or AGAIN. May suspend. */
static ssize_t settle(struct op *op, ssize_t result)
{
    if (result == -ENOTSOCK && op_is_transfer(op) && !op->is_no_socket) {
        weft__fd_hint_no_socket(op->use);
        op->is_no_socket = true;
        return AGAIN;
    }
    if (needs_ready(op, result))
        result = go_on_when_ready(op); /* suspends: worker, errno stale */
    else if (result == 0 && op->kind == OP_READ && op->offset < 0)
        result = go_on_at_end(op); /* may suspend: worker, errno stale */
    if (result == -ECANCELED || result == -EINTR)
        result = why_cancelled(op);
    return result;
}

ssize_t weft__call_run(struct op *op)
{
    ssize_t result;

    do {
        result = weft__loop_run(op); /* suspends: worker, errno stale */
        result = settle(op, result); /* may suspend: worker, errno stale */
    } while (result == AGAIN);
    return result;
}

ssize_t weft__call(struct op *op, enum fd_seat seat)
{
    struct fd_use use;
    int rc = weft__call_begin(op, seat, &use);

    if (rc < 0)
        return rc;
    ssize_t result = weft__call_run(op); /* suspends: worker, errno stale */
    weft__call_end(op);
    return result;
}
