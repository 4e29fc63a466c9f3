/*
 * loop_epoll - epoll: operations are tried at once, and tasks wait for readiness.
 *
 * Nothing is ever in the kernel's hands: a task that waits for OP_READY can be cancelled like one that
 * waits for a semaphore. What can only block goes to the blocking lane: files, and opening by path.
 *
 * A descriptor stands in two sets, one for reading and one for writing, so that each one-shot
 * registration belongs to one wait and its key names that wait:
 *
 *     in  <- bell, descriptors to read from, out, the ring that it is a part of (loop_uring.c)
 *     out <- descriptors to write to
 *
 * Invariants  I1  an event whose key means no wait any more is dropped (a description that lives on
 *                 in a child keeps its registration after we closed the number)
 *             I2  a registration that has not fired is removed by the task that made it
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <weft/task.h>

#include "core/bell.h"
#include "core/fd.h"
#include "core/loop.h"
#include "core/opslot.h"
#include "core/worker.h"

#define BATCH 64 /* events per call */

/* Operations in a row that may succeed without a wait before the other tasks get their turn. */
#define TURN 32

/* Data of events that belong to no wait; keys are greater. */
#define DATA_BELL 0
#define DATA_OUT  1
#define DATA_ALSO 2 /* the loop that it is part of looks itself */

struct epolls {
    int in, out;
    struct bell *bell;     /* its own, or that of the loop that it is part of */
    struct opslots *slots; /* the same */
    struct bell own_bell;
    struct opslots own_slots;
    uint32_t tries; /* operations tried so far */
};

static int set_up(struct epolls *epolls, int also)
{
    struct epoll_event bell = {.events = EPOLLIN | EPOLLET, .data.u64 = DATA_BELL};
    struct epoll_event out = {.events = EPOLLIN, .data.u64 = DATA_OUT};
    struct epoll_event other = {.events = EPOLLIN, .data.u64 = DATA_ALSO};
    int rc = weft__sys_epoll_ctl(epolls->in, EPOLL_CTL_ADD, epolls->bell->fd, &bell);

    if (rc == 0)
        rc = weft__sys_epoll_ctl(epolls->in, EPOLL_CTL_ADD, epolls->out, &out);
    if (rc == 0 && also >= 0)
        rc = weft__sys_epoll_ctl(epolls->in, EPOLL_CTL_ADD, also, &other);
    return rc;
}

static int open_sets(struct epolls *epolls, int also)
{
    int rc = epolls->in = weft__sys_epoll_create();

    if (rc < 0)
        return rc;
    rc = epolls->out = weft__sys_epoll_create();
    if (rc < 0)
        goto close_in;
    rc = set_up(epolls, also);
    if (rc < 0)
        goto close_out;
    return 0;
close_out:
    (void)weft__sys_close(epolls->out); /* nothing to flush, here and below */
close_in:
    (void)weft__sys_close(epolls->in);
    return rc;
}

static void close_sets(struct epolls *epolls)
{
    (void)weft__sys_close(epolls->out); /* nothing to flush, here and below */
    (void)weft__sys_close(epolls->in);
}

static int init(struct loop *loop)
{
    struct epolls *epolls = weft__sys_alloc(sizeof *epolls);

    if (!epolls)
        return -ENOMEM;
    epolls->bell = &epolls->own_bell;
    epolls->slots = &epolls->own_slots;
    int rc = bell_init(epolls->bell);
    if (rc < 0)
        goto free_state;
    rc = open_sets(epolls, -1);
    if (rc < 0)
        goto destroy_bell;
    loop->state = epolls;
    loop->sockets = loop;
    loop->bell = epolls->bell;
    loop->in_flight = &epolls->slots->used;
    return 0;
destroy_bell:
    bell_destroy(epolls->bell);
free_state:
    weft__sys_free(epolls);
    return rc;
}

int weft__loop_epoll_inside(struct loop *loop, struct bell *bell, struct opslots *slots, int also)
{
    struct epolls *epolls = weft__sys_alloc(sizeof *epolls);

    if (!epolls)
        return -ENOMEM;
    epolls->bell = bell;
    epolls->slots = slots;
    int rc = open_sets(epolls, also);
    if (rc < 0) {
        weft__sys_free(epolls);
        return rc;
    }
    loop->ops = &weft__loop_epoll;
    loop->state = epolls;
    loop->sockets = loop;
    loop->bell = bell;
    loop->in_flight = &slots->used;
    return 0;
}

static void destroy(struct loop *loop)
{
    struct epolls *epolls = loop->state;

    close_sets(epolls);
    if (epolls->bell == &epolls->own_bell) {
        bell_destroy(&epolls->own_bell);
        weft__opslots_destroy(&epolls->own_slots);
    }
    weft__sys_free(epolls);
}

/* Ends the wait with this key, if it goes on: result is what is ready, or -ECANCELED. The task may
 * be cancelled at the same time: so its sleeper is copied, and nothing on its stack touched later. */
static bool end_wait(struct epolls *epolls, uint64_t key, ssize_t result)
{
    struct opslot ended = {.sleeper = NULL};

    lock_acquire(&epolls->slots->lock);
    struct opslot *slot = weft__opslot_find(epolls->slots, key);
    if (slot && slot->sleeper) {
        *slot->result = result;
        ended = *slot;
    }
    lock_release(&epolls->slots->lock);
    return ended.sleeper && weft__wake_sleeper(ended.sleeper, ended.seq, 0);
}

/* Handles the events of one set. Returns how many tasks it made ready. */
static int take_events(struct epolls *epolls, const struct epoll_event *events, int count)
{
    struct epoll_event more[BATCH];
    int woken = 0;

    for (int i = 0; i < count; i++) { /* interrupted: none, and the worker looks at its clock */
        uint64_t key = events[i].data.u64;

        if (key == DATA_OUT) /* no deeper than this */
            woken += take_events(epolls, more, weft__sys_epoll_wait(epolls->out, more, BATCH, 0));
        else if (key != DATA_BELL && key != DATA_ALSO)
            woken += end_wait(epolls, key, (ssize_t)events[i].events); /* I1 */
    }
    return woken;
}

/* Sleeps until there are events, the bell rings, or the time is over. Returns how many events. */
static int sleep_in_set(struct loop *loop, struct epoll_event *events, int64_t ns)
{
    struct epolls *epolls = loop->state;

    ns = bell_may_sleep(epolls->bell) ? weft__quiet_worker_sleeps(loop->worker, ns) : 0;
    int count = weft__sys_epoll_wait(epolls->in, events, BATCH, ns);
    bell_awake(epolls->bell);
    return count;
}

static int poll_sets(struct loop *loop, int64_t ns)
{
    struct epolls *epolls = loop->state;
    struct epoll_event events[BATCH];
    int count = ns > 0 ? sleep_in_set(loop, events, ns)
                       : weft__sys_epoll_wait(epolls->in, events, BATCH, 0);

    return take_events(epolls, events, count);
}

/* By another worker. The bell's edge is for the owner: whoever takes it away has to ring again. */
static int help(struct loop *loop)
{
    struct epolls *epolls = loop->state;
    struct epoll_event events[BATCH];
    int count = weft__sys_epoll_wait(epolls->in, events, BATCH, 0);

    for (int i = 0; i < count; i++)
        if (events[i].data.u64 == DATA_BELL)
            (void)weft__sys_eventfd_signal(epolls->bell->fd); /* cannot fail before 2^64 rings */
    return take_events(epolls, events, count);
}

static void ring_bell(struct loop *loop)
{
    struct epolls *epolls = loop->state;

    bell_ring(epolls->bell);
}

static void cancel(struct loop *loop, uint64_t key)
{
    (void)end_wait(loop->state, key, -ECANCELED); /* false: it has ended */
}

static bool is_busy(const struct loop *loop)
{
    const struct epolls *epolls = loop->state;

    return load_relaxed(&epolls->slots->used) > 0; /* relaxed: a hint; polls that wait do not ask */
}

/* Registers one shot. Returns 0; -EPERM: always ready, such as a file. */
static int arm(int set, int fd, uint32_t events, uint64_t key)
{
    struct epoll_event event = {.events = events | EPOLLONESHOT, .data.u64 = key};
    int rc = weft__sys_epoll_ctl(set, EPOLL_CTL_MOD, fd, &event); /* it waited here before? */

    if (rc == -ENOENT)
        rc = weft__sys_epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
    return rc;
}

/* Where to wait: with the first worker if that sleeps, else here. So while few messages come, one worker
 * hears of them all, and the others sleep on; while many come, each keeps what it has handled. */
static struct loop *loop_to_wait_in(struct loop *own)
{
    struct loop *first = own->worker->runtime->workers[0].loop.sockets;

    /* relaxed: a hint; any loop will do */
    return bell_is_asleep(load_relaxed(&first->bell->asleep)) ? first : own;
}

static ssize_t wait_ready(struct loop *own, struct op *op)
{
    struct loop *loop = loop_to_wait_in(own);
    struct epolls *epolls = loop->state;
    int set = op->flags & POLLOUT ? epolls->out : epolls->in;
    struct waiter waiter;
    ssize_t result = 0;
    uint64_t key;
    int rc = weft__opslot_take(epolls->slots, &key);

    if (rc < 0)
        return rc;
    add_seq(&loop->waits, 1);
    weft__wait_begin(&waiter);
    weft__opslot_aim(epolls->slots, key, &waiter, &result);
    weft__fd_publish(op->use, loop, key);
    int armed = arm(set, op->fd, (uint32_t)op->flags, key);
    if (armed < 0)
        (void)weft__wake(&waiter, 0);                  /* nobody else will; or close did already */
    rc = weft__wait_commit(&waiter, WAIT_CANCELLABLE); /* suspends: worker, errno stale */

    sub_seq(&loop->waits, 1);
    lock_acquire(&epolls->slots->lock);
    weft__opslot_give(epolls->slots, key);
    lock_release(&epolls->slots->lock);
    if (armed < 0)
        return armed == -EPERM ? op->flags : armed;
    if (rc < 0)
        result = rc;
    if (result < 0)
        (void)weft__sys_epoll_ctl(set, EPOLL_CTL_DEL, op->fd, NULL); /* I2; it may be gone */
    return result;
}

/* A pipe or a device: only once it is ready, and no more than a ready pipe takes without blocking,
 * since its O_NONBLOCK is not ours to set. A ready terminal may have room for one byte, and block then. */
static ssize_t transfer_if_ready(const struct op *op)
{
    mode_t mode = weft__loop_mode(op->fd);

    if (mode_is_file(mode))
        return weft__loop_block(op); /* suspends: worker, errno stale */
    int rc = weft__sys_poll(op->fd, op->kind == OP_READ ? POLLIN : POLLOUT);
    if (rc <= 0)
        return rc < 0 ? rc : -EAGAIN;
    if (op->kind == OP_READ)
        return weft__sys_read(op->fd, op->buffer, op->bytes);

    bool is_blocking = !(weft__sys_fcntl(op->fd, F_GETFL, 0) & O_NONBLOCK);

    if (is_blocking && !S_ISFIFO(mode) && !S_ISSOCK(mode))
        return weft__loop_block(op); /* suspends: worker, errno stale */
    return weft__sys_write(op->fd, op->buffer,
                           is_blocking && op->bytes > PIPE_BUF ? PIPE_BUF : op->bytes);
}

/* A listener that may block is asked first; one shared with other processes should not block. */
static ssize_t accept_if_ready(const struct op *op)
{
    int flags = weft__sys_fcntl(op->fd, F_GETFL, 0);

    if (flags < 0)
        return flags;
    if (!(flags & O_NONBLOCK)) {
        int rc = weft__sys_poll(op->fd, POLLIN);
        if (rc <= 0)
            return rc < 0 ? rc : -EAGAIN;
    }
    return weft__sys_accept(op->fd, op->address, op->address_bytes, op->flags);
}

/* A read that gives less than was asked for has taken all there was. The next one then waits at once,
 * instead of hearing from the kernel that it has to. */
static ssize_t receive(const struct op *op, int flags)
{
    if (op->use && op->use->is_drained) {
        op->use->is_drained = false;
        return -EAGAIN;
    }
    ssize_t result = weft__sys_recv(op->fd, op->buffer, op->bytes, flags);
    if (op->use)
        op->use->is_drained = result > 0 && (size_t)result < op->bytes;
    return result;
}

static ssize_t attempt(const struct op *op)
{
    const int now = MSG_DONTWAIT | MSG_NOSIGNAL;

    switch (op->kind) {
    case OP_READ:
    case OP_WRITE:
        if (op->offset >= 0)
            return weft__loop_block(op);
        if (op->is_no_socket)
            return transfer_if_ready(op);
        return op->kind == OP_READ ? receive(op, now)
                                   : weft__sys_send(op->fd, op->buffer, op->bytes, now);
    case OP_ACCEPT: return accept_if_ready(op);
    case OP_CONNECT: return weft__sys_connect(op->fd, op->address, *op->address_bytes);
    case OP_OPEN: return weft__loop_block(op);
    case OP_READY: break; /* not tried */
    }
    return -EOPNOTSUPP;
}

static ssize_t run(struct loop *loop, struct op *op)
{
    struct epolls *epolls = loop->state;
    bool is_others_turn = op->kind != OP_READY && ++epolls->tries % TURN == 0;

    weft__loop_leave(); /* the rest is under locks: it may go on without a worker */
    if (op->kind == OP_READY)
        return wait_ready(loop, op); /* suspends: worker, errno stale */
    if (is_others_turn) {
        int rc = weft_yield(); /* suspends: worker, errno stale */
        if (rc < 0)
            return rc;
    }
    return attempt(op); /* may suspend: worker, errno stale */
}

const struct loop_ops weft__loop_epoll = {
    .kind = WEFT_LOOP_EPOLL,
    .init = init,
    .destroy = destroy,
    .poll = poll_sets,
    .help = help,
    .wake = ring_bell,
    .run = run,
    .cancel = cancel,
    .is_busy = is_busy,
};
