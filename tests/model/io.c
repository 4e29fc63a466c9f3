/*
 * io - a call on a descriptor ends once: by bytes, by a cancel or by weft_close, which waits for it; the number is
 * closed when nobody uses it any more; and what has ended is not touched.
 *
 * The loop of epoll is the real one, over a kernel of a few lines; that of io_uring is a ring of one entry here,
 * which uses the table of operations (opslot.h) as the real one does.
 */
#include "core/loop_epoll.c"
#include "io/call.h"
#include "tests/model/tasks.h"

const char model_subject[] = "io";

static int result[MODEL_THREADS];

/* --- the kernel: each call is one step -------------------------------------------------------- */

#define FDS 4

/* Not watched: the kernel has locks of its own. */
static struct description {
    bool is_closed;
    int bytes;
    uint64_t armed; /* with this key; 0: not */
} descriptions[FDS];

/* For a call that goes on: weft_close waits for it. */
static struct description *description_of(int fd)
{
    model_assert(!descriptions[fd].is_closed);
    return &descriptions[fd];
}

ssize_t weft__sys_recv(int fd, void *buffer, size_t bytes, int flags)
{
    (void)buffer, (void)bytes, (void)flags;
    model_step("recv", (uint64_t)fd);
    if (description_of(fd)->bytes == 0)
        return -EAGAIN;
    return descriptions[fd].bytes--, 1;
}

int weft__sys_close(int fd)
{
    model_step("close", (uint64_t)fd);
    if (descriptions[fd].is_closed)
        return -EBADF;
    descriptions[fd].is_closed = true;
    return 0;
}

int weft__sys_epoll_ctl(int set, int op, int fd, struct epoll_event *event)
{
    (void)set;
    model_step(op == EPOLL_CTL_DEL ? "disarm" : "arm", (uint64_t)fd);
    description_of(fd)->armed = event ? event->data.u64 : 0;
    if (event && descriptions[fd].bytes > 0)
        model_wake(descriptions, 1);
    return 0;
}

int weft__sys_epoll_wait(int set, struct epoll_event *events, int count, int64_t ns)
{
    (void)set, (void)count, (void)ns;
    model_step("epoll_wait", 0);
    for (;;) {
        for (int fd = 0; fd < FDS; fd++)
            if (descriptions[fd].armed && descriptions[fd].bytes > 0) {
                events[0] = (struct epoll_event){.events = EPOLLIN};
                events[0].data.u64 = descriptions[fd].armed;
                descriptions[fd].armed = 0;
                return 1;
            }
        model_sleep(descriptions);
    }
}

static void bytes_come(int fd)
{
    model_step("bytes come", (uint64_t)fd);
    descriptions[fd].bytes++;
    model_wake(descriptions, 1);
}

/* Nobody comes here. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#define NEVER(type, name, arguments)           \
    __attribute__((noipa)) type name arguments \
    {                                          \
        model_fail("%s was called", __func__); \
        return 0;                              \
    }

NEVER(int, weft__sys_eventfd, (void))
NEVER(int, weft__sys_eventfd_signal, (int fd))
NEVER(int, weft__sys_epoll_create, (void))
NEVER(int, weft__sys_poll, (int fd, short events))
NEVER(int, weft__sys_fcntl, (int fd, int command, int arg))
NEVER(int, weft__sys_fstat, (int fd, struct stat *ret_stat))
NEVER(mode_t, weft__loop_mode, (int fd))
NEVER(ssize_t, weft__sys_read, (int fd, void *buffer, size_t bytes))
NEVER(ssize_t, weft__sys_write, (int fd, const void *buffer, size_t bytes))
NEVER(ssize_t, weft__sys_send, (int fd, const void *buffer, size_t bytes, int flags))
NEVER(int, weft__sys_accept, (int fd, struct sockaddr *ret_address, uint32_t *bytes, int flags))
NEVER(int, weft__sys_connect, (int fd, const struct sockaddr *address, uint32_t bytes))
NEVER(int, weft__sys_socket_error, (int fd))
NEVER(int64_t, weft__quiet_worker_sleeps, (struct worker * worker, int64_t ns))
NEVER(ssize_t, weft__loop_block, (const struct op *op))
#pragma GCC diagnostic pop

ssize_t weft__loop_run(struct op *op)
{
    struct loop *loop = &weft__worker()->loop;
    int rc = weft__wait_check();

    return rc < 0 ? rc : loop->ops->run(loop, op);
}

void weft__loop_leave(void) {}

/* --- a ring of one entry ---------------------------------------------------------------------- */

static struct opslots *ring_slots;
static uint64_t ring_keys[FDS];    /* in flight; not watched */
static const char news[] = "news"; /* for who polls */

static ssize_t ring_run(struct loop *loop, struct op *op)
{
    struct waiter waiter;
    ssize_t answer = -ECANCELED;
    uint64_t key;

    model_assert(weft__opslot_take(ring_slots, &key) == 0);
    weft__wait_begin(&waiter);
    weft__opslot_aim(ring_slots, key, &waiter, &answer);
    weft__wait_set_op(loop, key);
    weft__fd_publish(op->use, loop, key);
    model_step("submit", key);
    ring_keys[op->fd] = key;
    model_post(news, "submitted");
    (void)weft__wait_commit(&waiter, WAIT_OP);
    return answer;
}

static void ring_cancel(struct loop *loop, uint64_t key)
{
    (void)loop;
    weft__opslot_ask_cancel(ring_slots, key);
    model_post(news, "a cancel");
}

static const struct loop_ops ring_ops = {.run = ring_run, .cancel = ring_cancel};

static void ring_end(uint64_t key, ssize_t answer)
{
    struct opslot ended = {.sleeper = NULL};

    lock_acquire(&ring_slots->lock);
    struct opslot *slot = weft__opslot_find(ring_slots, key);
    model_assert(slot);
    ended = *slot;
    *slot->result = answer;
    weft__opslot_give(ring_slots, key);
    lock_release(&ring_slots->lock);
    model_assert(weft__wake_sleeper(ended.sleeper, ended.seq, 0)); /* nothing else ends it */
}

/* What is in flight ends by itself only if that is wanted; a cancel ends it in any case. One that comes before
 * its operation is asked again. */
static void ring_poll(bool ends_itself)
{
    for (;;) {
        uint64_t cancelled;
        bool is_there = false;

        model_take(news, "news");
        cancelled = weft__opslot_next_cancel(ring_slots);
        model_step("look into the ring", cancelled);
        for (int fd = 0; fd < FDS; fd++) {
            uint64_t key = ring_keys[fd];

            if (key == 0 || (cancelled != key && !ends_itself))
                continue;
            model_assert(cancelled != key || fd == 0); /* nobody cancels another's */
            is_there |= cancelled == key;
            ring_keys[fd] = 0;
            ring_end(key, cancelled == key ? -ECANCELED : 1);
        }
        if (cancelled && !is_there)
            weft__opslot_ask_cancel(ring_slots, cancelled);
    }
}

static void ring_completes(void) { ring_poll(true); }
static void ring_waits(void) { ring_poll(false); }

/* --- set-up ----------------------------------------------------------------------------------- */

static struct epolls *epolls_new(void)
{
    struct epolls *epolls = model_alloc(sizeof *epolls);

    epolls->slots = &epolls->own_slots;
    return epolls;
}

/* Gives a task's worker a loop; its own sockets wait there, and the bell never says that it sleeps. */
static void loop_set(unsigned thread, const struct loop_ops *ops, struct epolls *epolls)
{
    struct loop *loop = &tasks_worker(thread)->loop;

    *loop = (struct loop){.ops = ops, .worker = tasks_worker(thread), .state = epolls};
    loop->sockets = loop;
    loop->bell = model_alloc(sizeof *loop->bell);
}

static void setup(unsigned which, bool is_ring)
{
    tasks_init(which);
    __builtin_memset(descriptions, 0, sizeof descriptions);
    world->fds = weft__fd_table_new();
    ring_slots = model_alloc(sizeof *ring_slots);
    __builtin_memset(ring_keys, 0, sizeof ring_keys);
    struct epolls *epolls = epolls_new();
    for (unsigned i = 0; i < MODEL_THREADS; i++) {
        result[i] = 0;
        if (tasks[i])
            loop_set(i, is_ring ? &ring_ops : &weft__loop_epoll, epolls);
    }
    world->workers = tasks_worker(0);
}

static void one_task(void) { setup(1, false); }
static void two_tasks(void) { setup(3, false); }

/* Two that use the descriptor at once have a loop each, as on two workers. */
static void three_tasks(void)
{
    setup(7, false);
    loop_set(2, &weft__loop_epoll, epolls_new());
}

/* The first worker sleeps, so the second task waits in its loop. */
static void first_sleeps(void)
{
    setup(3, false);
    loop_set(1, &weft__loop_epoll, epolls_new());
    store_relaxed(&tasks_worker(0)->loop.bell->asleep, 1);
}

static void ring_task(void) { setup(1, true); }
static void ring_two_tasks(void) { setup(3, true); }

/* --- what threads do -------------------------------------------------------------------------- */

static int call_on(int fd, enum fd_seat seat)
{
    char byte;
    struct op op = {.kind = OP_READ, .fd = fd, .buffer = &byte, .bytes = 1, .offset = -1};
    struct fd_use use;
    int rc = weft__call_begin(&op, seat, &use);

    if (rc < 0)
        return rc;
    rc =
        -EBADF; /* if it was closed before, the kernel would say so; from here on it must not be closed */
    if (!descriptions[fd].is_closed)
        rc = (int)weft__call_run(&op);
    weft__call_end(&op);
    tasks_scribble();
    return rc;
}

static void read_one(void) { result[model_self()] = call_on(0, FD_SEAT_READER); }

static void read_two(void)
{
    result[0] = call_on(0, FD_SEAT_READER);
    result[3] = call_on(1, FD_SEAT_READER);
}

static void read_beside(void) { result[2] = call_on(0, FD_SEAT_WRITER); }
static void read_other(void) { result[1] = call_on(1, FD_SEAT_READER); }
static void close_one(void) { result[model_self()] = weft__fd_close(world->fds, 0); }

static void send_and_poll(void)
{
    bytes_come(0);
    for (;;)
        (void)poll_sets(&tasks_worker(0)->loop, 0);
}

static void send_both_and_poll(void)
{
    bytes_come(1);
    send_and_poll();
}

static void send_two_and_poll(void)
{
    bytes_come(0);
    send_and_poll();
}

static void cancel_first(void) { tasks_cancel(tasks[0]); }

/* --- what must hold --------------------------------------------------------------------------- */

#define SLOTS_SEEN 4 /* fewer are ever in use at once: the others stand behind them in the list */

/* Each slot is in one place: in use, to be cancelled, or free. */
static void check_slots(struct opslots *slots)
{
    unsigned seen = 0, next = slots->free;

    if (slots->chunk_count == 0)
        return;
    for (unsigned i = 0; i < SLOTS_SEEN; i++)
        seen |= (unsigned)slots->chunks[0][i].is_used << i;
    for (unsigned i = slots->to_cancel; i; i = slots->chunks[0][i - 1].next) {
        model_assert(i <= SLOTS_SEEN && !(seen >> (i - 1) & 1));
        seen |= 1u << (i - 1);
    }
    while (seen != (1u << SLOTS_SEEN) - 1) {
        model_assert(next && next <= SLOTS_SEEN && !(seen >> (next - 1) & 1));
        if (schedule_is_failing())
            return;
        seen |= 1u << (next - 1);
        next = slots->chunks[0][next - 1].next;
    }
}

static void check_end(void)
{
    check_slots(ring_slots);
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        if (tasks[i])
            check_slots(((struct epolls *)tasks_worker(i)->loop.state)->slots);
}

static void check_read(void)
{
    check_end();
    model_assert(result[0] == 1);
}

static void check_cancel(void)
{
    check_end();
    model_assert(result[0] == 1 || result[0] == -ECANCELED);
}

static void check_cancelled(void)
{
    check_end();
    model_assert(result[0] == -ECANCELED);
}

static void check_closed(void)
{
    check_end();
    model_assert(descriptions[0].is_closed && result[1] == 0);
    model_assert(result[0] == -EBADF);
}

static void check_close(void)
{
    check_end();
    model_assert(descriptions[0].is_closed && result[1] == 0);
    model_assert(result[0] == 1 || result[0] == -EBADF);
}

static void check_close_or_cancel(void)
{
    check_end();
    model_assert(descriptions[0].is_closed && result[1] == 0);
    model_assert(result[0] == -EBADF || result[0] == -ECANCELED);
}

static void check_one_closes(void)
{
    check_end();
    model_assert((result[1] == 0) + (result[2] == 0) == 1);
    model_assert(result[1] + result[2] == -EBADF && result[0] == -EBADF);
}

static void check_both_closed(void)
{
    check_closed();
    model_assert(result[2] == -EBADF);
}

static void check_close_elsewhere(void)
{
    check_end();
    model_assert(descriptions[0].is_closed && result[0] == 0);
    model_assert(result[1] == -EBADF);
}

static void check_other(void)
{
    check_cancel();
    model_assert(result[1] == 1);
}

static void check_second(void)
{
    check_close();
    model_assert(result[3] == 1);
}

static void check_both_read(void)
{
    check_end();
    model_assert(result[0] == 1 || result[0] == -EBUSY);
    model_assert(result[1] == 1 || result[1] == -EBUSY);
    model_assert(result[0] == 1 || result[1] == 1);
}

const struct model_scenario model_scenarios[] = {
    {"bytes come for a call",
     one_task,
     {{"task", read_one, 0}, {"worker", send_and_poll, 1}},
     check_read,
     0},
    {"bytes against the cancel of the task",
     one_task,
     {{"task", read_one, 0}, {"worker", send_and_poll, 1}, {"canceller", cancel_first, 0}},
     check_cancel,
     0},
    {"two readers and one seat",
     two_tasks,
     {{"a", read_one, 0}, {"b", read_one, 0}, {"worker", send_two_and_poll, 1}},
     check_both_read,
     0},
    {"a close against a call that waits",
     two_tasks,
     {{"task", read_one, 0}, {"closer", close_one, 0}},
     check_closed,
     0},
    {"a close against bytes",
     two_tasks,
     {{"task", read_one, 0}, {"closer", close_one, 0}, {"worker", send_and_poll, 1}},
     check_close,
     0},
    {"a close against the cancel of the task",
     two_tasks,
     {{"task", read_one, 0}, {"closer", close_one, 0}, {"canceller", cancel_first, 0}},
     check_close_or_cancel,
     0},
    {"two closes and a call",
     three_tasks,
     {{"task", read_one, 0}, {"a", close_one, 0}, {"b", close_one, 0}},
     check_one_closes,
     0},
    {"a close against two calls",
     three_tasks,
     {{"task", read_one, 0}, {"closer", close_one, 0}, {"other", read_beside, 0}},
     check_both_closed,
     0},
    {"a close against a call that waits with the first worker",
     first_sleeps,
     {{"closer", close_one, 0}, {"task", read_one, 0}},
     check_close_elsewhere,
     0},
    {"a late event, when another call goes on",
     two_tasks,
     {{"task", read_two, 0}, {"closer", close_one, 0}, {"worker", send_both_and_poll, 1}},
     check_second,
     0},
    {"the ring: an operation ends",
     ring_task,
     {{"task", read_one, 0}, {"kernel", ring_completes, 1}},
     check_read,
     0},
    {"the ring: an operation that only a cancel ends",
     ring_task,
     {{"task", read_one, 0}, {"kernel", ring_waits, 1}, {"canceller", cancel_first, 0}},
     check_cancelled,
     0},
    {"the ring: an operation against the cancel of the task",
     ring_task,
     {{"task", read_one, 0}, {"kernel", ring_completes, 1}, {"canceller", cancel_first, 0}},
     check_cancel,
     0},
    {"the ring: an operation that only a close ends",
     ring_two_tasks,
     {{"task", read_one, 0}, {"closer", close_one, 0}, {"kernel", ring_waits, 1}},
     check_closed,
     0},
    {"the ring: an operation against a close",
     ring_two_tasks,
     {{"task", read_one, 0}, {"closer", close_one, 0}, {"kernel", ring_completes, 1}},
     check_close,
     0},
    {"the ring: a late cancel of what was submitted, when another task has the slot",
     ring_two_tasks,
     {{"task", read_one, 0, 0},
      {"other", read_other, 0, 1},
      {"kernel", ring_completes, 1, 1},
      {"canceller", cancel_first, 0, 1}},
     check_other,
     0},
    {"the ring: a close and a cancel of what was submitted",
     ring_two_tasks,
     {{"task", read_one, 0, 0},
      {"closer", close_one, 0, 1},
      {"kernel", ring_waits, 1, 1},
      {"canceller", cancel_first, 0, 1}},
     check_close_or_cancel,
     0},
    {"the ring: a close while another operation goes on",
     ring_two_tasks,
     {{"task", read_two, 0}, {"closer", close_one, 0}, {"kernel", ring_completes, 1}},
     check_second,
     0},
    {"the ring: a close and a cancel",
     ring_two_tasks,
     {{"task", read_one, 0},
      {"closer", close_one, 0},
      {"kernel", ring_waits, 1},
      {"canceller", cancel_first, 0}},
     check_close_or_cancel,
     2},
    {"the ring: a late cancel, when another task has the slot",
     ring_two_tasks,
     {{"task", read_one, 0},
      {"other", read_other, 0},
      {"kernel", ring_completes, 1},
      {"canceller", cancel_first, 0}},
     check_other,
     2},
    {0},
};
