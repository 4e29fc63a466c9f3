/*
 * loop - chooses the loop of a worker, and says why it is this one.
 */
#include "core/loop.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/sys.h"
#include "core/worker.h"

#define WHY_BYTES 96

static int set_up(struct loop *loop, const struct loop_ops *ops)
{
    loop->ops = ops;
    return ops->init(loop);
}

/* Which call refused io_uring: the loop's state is gone, the error tells enough. */
static void say_refused(char *why, const char *call, int rc)
{
    const char *name = strerrorname_np(-rc);
    const char *words = strerrordesc_np(-rc);

    (void)snprintf(why, WHY_BYTES, "%s: %s (%s); using epoll", call,
                   words ? words : "unknown error",
                   name ? name : "?"); /* a cut sentence is still one */
}

int weft__loop_init(struct loop *loop, struct worker *worker, weft_loop asked, char *why)
{
    loop->worker = worker;
    if (asked == WEFT_LOOP_EPOLL) {
        (void)snprintf(why, WHY_BYTES, "asked for");
        return set_up(loop, &weft__loop_epoll);
    }
    loop->refused_by = "io_uring";
    int rc = set_up(loop, &weft__loop_uring);
    if (rc == 0) {
        (void)snprintf(why, WHY_BYTES,
                       asked == WEFT_LOOP_URING ? "asked for" : "the kernel has it");
        return 0;
    }
    say_refused(why, loop->refused_by, rc);
    return set_up(loop, &weft__loop_epoll);
}

void weft__loop_destroy(struct loop *loop) { loop->ops->destroy(loop); }

struct loop *weft__loop_enter(void)
{
    for (;;) {
        uint32_t was;
        struct worker *worker = carrier_enter(weft__carrier(), &was);

        if (worker)
            return &worker->loop;
        weft__yield(); /* back into line; suspends: carrier, errno stale */
    }
}

void weft__loop_leave(void) { carrier_leave(weft__carrier(), CARRIER_IN_TASK); }

ssize_t weft__loop_run(struct op *op)
{
    int rc = weft__wait_check(); /* suspends if the task is cancelled: and then it ends here */

    if (rc < 0)
        return rc;
    struct loop *loop = weft__loop_enter();    /* may suspend: carrier, errno stale */
    ssize_t result = loop->ops->run(loop, op); /* suspends: carrier, errno stale */
    weft__loop_leave();
    return result;
}

/* An operation that blocks, for the lane. */
struct blocking {
    const struct op *op;
    ssize_t result;
};

static ssize_t block(const struct op *op)
{
    switch (op->kind) {
    case OP_READ:
        return op->offset < 0 ? weft__sys_read(op->fd, op->buffer, op->bytes)
                              : weft__sys_pread(op->fd, op->buffer, op->bytes, op->offset);
    case OP_WRITE:
        return op->offset < 0 ? weft__sys_write(op->fd, op->buffer, op->bytes)
                              : weft__sys_pwrite(op->fd, op->buffer, op->bytes, op->offset);
    case OP_OPEN: return weft__sys_open(op->path, op->flags, op->mode);
    case OP_ACCEPT:
    case OP_CONNECT:
    case OP_READY: break; /* these can wait without a thread */
    }
    return -EOPNOTSUPP;
}

static int run_in_lane(void *arg)
{
    struct blocking *blocking = arg;

    do
        blocking->result = block(blocking->op);
    while (blocking->result == -EINTR);
    return 0;
}

mode_t weft__loop_mode(int fd)
{
    struct stat stat;

    return weft__sys_fstat(fd, &stat) == 0 ? stat.st_mode : 0;
}

ssize_t weft__loop_block(const struct op *op)
{
    struct blocking blocking = {.op = op};
    int rc =
        weft__lane_run(LANE_BLOCKING, run_in_lane, &blocking); /* suspends: worker, errno stale */

    if (rc == -EAGAIN)
        return -ENOMEM; /* no thread is to be had: not the "it would block" of the call itself */
    return rc < 0 ? rc : blocking.result;
}
