/*
 * loop_uring - io_uring: what blocks elsewhere goes into the kernel whole, and comes back done.
 *
 *     task     run: slot, submission entry, suspend ........................ result, resumed
 *     worker        poll: submit all -> epoll's poll (sleep) -> completions -> wake tasks
 *     anyone            cancel: key on the list, ring the bell
 *
 * Files at offsets, pipes, devices, opening, accepting and connecting go into the ring. Files in order do not
 * (is_done_otherwise), nor do the bytes of sockets: a request of the ring ends on the thread that made it, when
 * the kernel gives that a processor, and nobody can take it over (ward.h). Sockets wait in an epoll loop inside
 * this one, which shares its bell and slots. The worker sleeps there, and the ring is one of the descriptors
 * that wake it.
 *
 * Only the thread that carries the worker touches the ring, and a cancel by anyone else goes through the list
 * of slots to cancel. What a request needs from a thread (the work after an interrupt, its end at the thread's
 * exit) falls on the one that made it. No set-up flag binds the ring to that thread, nor lets the kernel put
 * this work off: so a worker may change its thread, and the threads stay until the end (handover.h).
 *
 * Invariants  I1  an operation ends with its own completion and nothing else: until then the task is
 *                 suspended and its memory is the kernel's
 *             I2  user_data is the key of a slot, or that of the slot whose cancel it answers, marked
 *             I3  a cancel that finds nothing is asked again until its target has ended. The kernel
 *                 finds only what waits: an operation whose descriptor has just become ready stands in
 *                 a queue of its own, and if somebody else is quicker to take the bytes it goes back
 *                 to waiting, having never heard of the cancel
 */
#include <errno.h>
#include <liburing.h>

#include <weft/task.h>

#include "core/bell.h"
#include "core/fd.h"
#include "core/loop.h"
#include "core/opslot.h"
#include "core/worker.h"

/* Entries of a new ring: halved while the kernel has no memory for it. Ring memory counts against
 * RLIMIT_MEMLOCK: 8 MiB are enough for 292 rings of 256. */
#define MOST_ENTRIES  256
#define LEAST_ENTRIES 64

#define BATCH 64 /* completions handled under one lock */

/* Marks the user_data of a cancel's answer, beside its target's key. */
#define DATA_CANCEL_OF KEY_FREE_BIT

/* How long a poll sleeps if the kernel could not take all, or has not found what was to be cancelled. */
#define HICCUP_NS 1000000

/* One transfer may have more, but the field has 32 bits, and the kernel's own limit is this. */
#define MOST_BYTES 0x7ffff000

struct uring {
    struct io_uring ring;
    struct bell bell;
    struct opslots slots;
    struct loop sockets; /* epoll's: what waits for bytes, with the same bell and slots */
    bool has_missed;     /* a cancel that did not find its target is on the list again: I3 */
};

static int fault(const char *call) { return weft__sys_fault ? weft__sys_fault(call) : 0; }

/* The ring, not enabled yet. */
static int new_ring(struct io_uring *ring)
{
    int rc = fault("uring_setup");

    if (rc < 0)
        return rc;
    for (unsigned entries = MOST_ENTRIES;; entries /= 2) {
        struct io_uring_params params = {.flags = IORING_SETUP_R_DISABLED};

        rc = io_uring_queue_init_params(entries, ring, &params);
        if (rc != -ENOMEM || entries == LEAST_ENTRIES)
            return rc;
    }
}

/* Allows the operations that weft uses, and no others, before the ring is enabled. */
static int enable(struct io_uring *ring)
{
    static const uint8_t ops[] = {
        IORING_OP_NOP,     IORING_OP_READ,   IORING_OP_WRITE,        IORING_OP_ACCEPT,
        IORING_OP_CONNECT, IORING_OP_OPENAT, IORING_OP_ASYNC_CANCEL,
    };
    struct io_uring_restriction allowed[sizeof ops];
    int rc = fault("uring_register");

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < sizeof ops; i++)
        allowed[i] =
            (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = ops[i]};
    /* By hand: Debian's liburing 2.3 forgets to export its functions for these two. */
    unsigned fd = (unsigned)ring->ring_fd;
    rc = io_uring_register(fd, IORING_REGISTER_RESTRICTIONS, allowed, sizeof ops);
    return rc < 0 ? rc : io_uring_register(fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/* Whether it also works: a no-operation goes in and comes out. */
static int probe(struct io_uring *ring)
{
    struct io_uring_cqe *cqe;
    int rc = fault("uring_enter");

    if (rc < 0)
        return rc;
    io_uring_prep_nop(io_uring_get_sqe(ring));
    rc = io_uring_submit(ring);
    if (rc < 0)
        return rc;
    do
        rc = io_uring_wait_cqe(ring, &cqe);
    while (rc == -EINTR);
    if (rc < 0)
        return rc;
    rc = cqe->res;
    io_uring_cqe_seen(ring, cqe);
    return rc;
}

static int init(struct loop *loop)
{
    /* The last of these came with Linux 5.13, as polls did that stay armed. */
    const unsigned needed = IORING_FEAT_NODROP | IORING_FEAT_RW_CUR_POS | IORING_FEAT_FAST_POLL |
                            IORING_FEAT_EXT_ARG | IORING_FEAT_RSRC_TAGS;
    struct uring *uring = weft__sys_alloc(sizeof *uring);

    loop->refused_by = "memory for io_uring";
    if (!uring)
        return -ENOMEM;
    loop->refused_by = "eventfd";
    int rc = bell_init(&uring->bell);
    if (rc < 0)
        goto free_state;
    loop->refused_by = "io_uring_setup";
    rc = new_ring(&uring->ring);
    if (rc < 0)
        goto destroy_bell;
    loop->refused_by = "io_uring_setup: old kernel";
    rc = (uring->ring.features & needed) == needed ? 0 : -EOPNOTSUPP;
    if (rc < 0)
        goto exit_ring;
    loop->refused_by = "io_uring_register";
    rc = enable(&uring->ring);
    if (rc < 0)
        goto exit_ring;
    loop->refused_by = "io_uring_enter";
    rc = probe(&uring->ring);
    if (rc < 0)
        goto exit_ring;
    loop->refused_by = "epoll";
    rc = weft__loop_epoll_inside(&uring->sockets, &uring->bell, &uring->slots, uring->ring.ring_fd);
    if (rc < 0)
        goto exit_ring;
    uring->sockets.worker = loop->worker;
    loop->state = uring;
    loop->sockets = &uring->sockets;
    loop->bell = &uring->bell;
    loop->in_flight = &uring->slots.used;
    return 0;
exit_ring:
    io_uring_queue_exit(&uring->ring);
destroy_bell:
    bell_destroy(&uring->bell);
free_state:
    weft__sys_free(uring);
    return rc;
}

static void destroy(struct loop *loop)
{
    struct uring *uring = loop->state;

    uring->sockets.ops->destroy(&uring->sockets);
    io_uring_queue_exit(&uring->ring);
    bell_destroy(&uring->bell);
    weft__opslots_destroy(&uring->slots);
    weft__sys_free(uring);
}

/* Gives the kernel what is queued. False if something had to stay: completions must be taken, or
 * memory be found, first. */
static bool submit(struct uring *uring)
{
    while (io_uring_sq_ready(&uring->ring) > 0) {
        int rc = fault("uring_enter");

        if (rc == 0)
            rc = io_uring_submit(&uring->ring);
        if (rc == -EINTR)
            continue;
        if (rc <= 0)
            return false;
    }
    return true;
}

/* False if there was no room, and some may have to wait. */
static bool queue_cancels(struct uring *uring)
{
    uring->has_missed = false;
    for (;;) {
        /* Room first: a key taken from the list must go in. */
        if (io_uring_sq_space_left(&uring->ring) == 0 && !submit(uring))
            return false;

        uint64_t key = weft__opslot_next_cancel(&uring->slots);

        if (key == 0)
            return true;

        struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);

        io_uring_prep_cancel64(sqe, fault("uring_cancel") < 0 ? 0 : key, 0); /* 0 finds nothing */
        io_uring_sqe_set_data64(sqe, key | DATA_CANCEL_OF);
    }
}

/* What the kernel says of a cancel; that it was heard is told by the target's own end. Slots locked. */
static void cancel_answered(struct uring *uring, uint64_t key, int rc)
{
    if ((rc == -ENOENT || rc == -EALREADY) && weft__opslot_find(&uring->slots, key)) {
        weft__opslot_ask_cancel_locked(&uring->slots, key);
        uring->has_missed = true;
    }
}

/* The waiting task of a completion; its sleeper is NULL if there is none. Slots locked. */
static struct opslot take_ended(struct uring *uring, const struct io_uring_cqe *cqe)
{
    struct opslot *slot = weft__opslot_find(&uring->slots, cqe->user_data);
    struct opslot ended = {.sleeper = NULL};

    if (cqe->user_data & DATA_CANCEL_OF)
        cancel_answered(uring, cqe->user_data & ~DATA_CANCEL_OF, cqe->res);
    else if (slot) {
        ended = *slot;
        *slot->result = cqe->res;
        weft__opslot_give(&uring->slots, cqe->user_data);
    }
    return ended;
}

/* Handles the completions that are there. Returns how many tasks it made ready. */
static int take_completions(struct uring *uring)
{
    struct io_uring_cqe *cqes[BATCH];
    struct opslot ended[BATCH];
    unsigned count;
    int woken = 0;

    do {
        count = io_uring_peek_batch_cqe(&uring->ring, cqes, BATCH);
        if (count == 0)
            break;
        lock_acquire(&uring->slots.lock);
        for (unsigned i = 0; i < count; i++)
            ended[i] = take_ended(uring, cqes[i]);
        lock_release(&uring->slots.lock);
        io_uring_cq_advance(&uring->ring, count);
        for (unsigned i = 0; i < count; i++)
            woken += ended[i].sleeper &&
                     weft__wake_sleeper(ended[i].sleeper, ended[i].seq, 0); /* I1: always wins */
    } while (count == BATCH);
    return woken;
}

static int poll_ring(struct loop *loop, int64_t ns)
{
    struct uring *uring = loop->state;
    struct loop *sockets = &uring->sockets;

    bool is_submitted = queue_cancels(uring);

    is_submitted &= submit(uring);
    int woken = take_completions(uring);

    if (woken > 0 || ns <= 0)
        return woken + sockets->ops->poll(sockets, 0);
    if ((!is_submitted || uring->has_missed) && ns > HICCUP_NS)
        ns = HICCUP_NS;
    woken = sockets->ops->poll(sockets, ns);
    return woken + take_completions(uring);
}

/* By another worker: with what is in the ring it can do nothing. */
static int help(struct loop *loop)
{
    struct uring *uring = loop->state;

    return uring->sockets.ops->help(&uring->sockets);
}

static void ring_bell(struct loop *loop)
{
    struct uring *uring = loop->state;

    bell_ring(&uring->bell);
}

static void cancel(struct loop *loop, uint64_t key)
{
    struct uring *uring = loop->state;

    weft__opslot_ask_cancel(&uring->slots, key);
    bell_ring(&uring->bell);
}

static bool is_busy(const struct loop *loop)
{
    const struct uring *uring = loop->state;

    return load_relaxed(&uring->slots.used) > 0 || /* relaxed: a hint, as in loop_epoll.c */
           io_uring_sq_ready(&uring->ring) > 0;
}

static unsigned transfer_bytes(const struct op *op)
{
    return op->bytes < MOST_BYTES ? (unsigned)op->bytes : MOST_BYTES;
}

/* What goes to the epoll loop: the bytes of sockets, and waiting to be ready. */
static bool is_for_sockets(const struct op *op)
{
    switch (op->kind) {
    case OP_READ:
    case OP_WRITE: return op->offset < 0 && !op->is_no_socket;
    case OP_READY: return true;
    case OP_ACCEPT:
    case OP_CONNECT:
    case OP_OPEN: break;
    }
    return false;
}

static void prepare(struct io_uring_sqe *sqe, const struct op *op)
{
    uint64_t offset = op->offset < 0 ? UINT64_MAX : (uint64_t)op->offset;

    switch (op->kind) {
    case OP_READ: io_uring_prep_read(sqe, op->fd, op->buffer, transfer_bytes(op), offset); break;
    case OP_WRITE: io_uring_prep_write(sqe, op->fd, op->buffer, transfer_bytes(op), offset); break;
    case OP_ACCEPT:
        io_uring_prep_accept(sqe, op->fd, op->address, op->address_bytes, op->flags);
        break;
    case OP_CONNECT: io_uring_prep_connect(sqe, op->fd, op->address, *op->address_bytes); break;
    case OP_OPEN: io_uring_prep_openat(sqe, AT_FDCWD, op->path, op->flags, op->mode); break;
    case OP_READY: break; /* never: see above */
    }
}

static ssize_t run_in_ring(struct loop *loop, struct op *op)
{
    struct uring *uring = loop->state;
    struct waiter waiter;
    ssize_t result = -ECANCELED;
    uint64_t key;
    int rc;

    while (io_uring_sq_space_left(&uring->ring) == 0 && !submit(uring)) {
        rc = weft_yield(); /* suspends: worker, errno stale */
        if (rc < 0)
            return rc;
        loop = weft__loop_enter(); /* may suspend: as above */
        if (loop->ops != &weft__loop_uring)
            return loop->ops->run(loop, op);
        uring = loop->state;
    }
    rc = weft__opslot_take(&uring->slots, &key);
    if (rc < 0)
        return rc;
    weft__wait_begin(&waiter);
    weft__opslot_aim(&uring->slots, key, &waiter, &result);
    weft__wait_set_op(loop, key);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    prepare(sqe, op);
    io_uring_sqe_set_data64(sqe, key);
    weft__fd_publish(op->use, loop, key);
    (void)weft__wait_commit(&waiter, WAIT_OP); /* suspends: worker, errno stale */
    return result;
}

/* What a ring would do wrong with bytes. It takes and moves a file's position without the lock of read(2), so that
 * two descriptors with one position would write over each other; and it takes bytes from a stream, whatever the
 * offset. Returns true with the result if it is done otherwise. Not inside: fstat(2) may wait. */
static bool is_done_otherwise(struct op *op, ssize_t *ret_result)
{
    bool is_file = mode_is_file(weft__loop_mode(op->fd));
    bool is_in_order = op->offset < 0;

    if (is_file && is_in_order)
        *ret_result = weft__loop_block(op); /* suspends: worker, errno stale */
    else if (!is_file && !is_in_order && weft__sys_position(op->fd) == -ESPIPE)
        *ret_result = -ESPIPE; /* a file is not asked: that waits for whoever is in read(2) */
    else
        return false;
    return true;
}

static ssize_t run(struct loop *loop, struct op *op)
{
    struct uring *uring = loop->state;
    ssize_t result;

    if (is_for_sockets(op))
        return uring->sockets.ops->run(&uring->sockets, op); /* suspends: worker, errno stale */
    if (op_is_transfer(op)) {
        weft__loop_leave();
        if (is_done_otherwise(op, &result)) /* may suspend: worker, errno stale */
            return result;
        loop = weft__loop_enter(); /* may suspend: as above */
        if (loop->ops != &weft__loop_uring)
            return loop->ops->run(loop, op);
    }
    return run_in_ring(loop, op); /* suspends: worker, errno stale */
}

const struct loop_ops weft__loop_uring = {
    .kind = WEFT_LOOP_URING,
    .init = init,
    .destroy = destroy,
    .poll = poll_ring,
    .help = help,
    .wake = ring_bell,
    .run = run,
    .cancel = cancel,
    .is_busy = is_busy,
};
