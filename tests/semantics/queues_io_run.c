/*
 * queues_io_run - S56 to S60: items, descriptors, jobs, and the life of the runtime.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <weft/channel.h>
#include <weft/io.h>
#include <weft/pool.h>
#include <weft/sync.h>

#include "core/fd.h"
#include "pool/gate.h"
#include "semantics.h"

/* --- queues ---------------------------------------------------------------------------------- */

static _Atomic int dropped_sum; /* drop gets no context */

static void adds_up(void *item) { atomic_fetch_add(&dropped_sum, *(int *)item); }

static int sends_a_third(void *arg)
{
    int item = 4;

    return weft_send(arg, &item);
}

static void s56_a_closed_channel_drains_a_stopped_one_drops_each_item_once(void)
{
    const int items[] = {1, 2};
    weft_channel channel;
    int item = 0, got = 0;

    EXPECT(weft_channel_init(&channel, sizeof(int), 2), 0);
    EXPECT(weft_send(&channel, &items[0]), 0);
    EXPECT(weft_send(&channel, &items[1]), 0);
    weft_future sender = weft_spawn(sends_a_third, &channel);
    until_asleep(sender);
    weft_channel_close(&channel);
    EXPECT(weft_await(sender), -EPIPE);
    while (weft_receive(&channel, &item) == 1)
        EXPECT(item, ++got);
    EXPECT(got, 2);
    EXPECT(weft_receive(&channel, &item), 0);
    EXPECT(weft_send(&channel, &item), -EPIPE);
    weft_channel_destroy(&channel);

    atomic_store(&dropped_sum, 0);
    EXPECT(weft_channel_init(&channel, sizeof(int), 2), 0);
    EXPECT(weft_send(&channel, &items[0]), 0);
    EXPECT(weft_send(&channel, &items[1]), 0);
    sender = weft_spawn(sends_a_third, &channel);
    until_asleep(sender);
    weft_channel_stop(&channel, adds_up);
    weft_channel_stop(&channel, adds_up);
    EXPECT(weft_await(sender), -EPIPE);
    int late = weft_send(&channel, &items[0]);
    EXPECT(late, -EPIPE);
    EXPECT(weft_receive(&channel, &item), 0);
    EXPECT(dropped_sum, 3);
    weft_channel_destroy(&channel);
    SAY(got == 2 ? "drained" : "lost");
    SAY(late < 0 ? "refused" : "taken");
}

struct getter {
    weft_queue *queue;
    void *item;
    int rc;
    weft_future task;
};

static int gets(void *arg)
{
    struct getter *getter = arg;

    getter->rc = weft_queue_get(getter->queue, &getter->item);
    return 0;
}

static int puts_one(void *arg)
{
    struct getter *putter = arg;

    putter->rc = weft_queue_put(putter->queue, putter->item);
    return 0;
}

static void start(struct getter *getter, weft_queue *queue, weft_fn fn, void *item)
{
    *getter = (struct getter){.queue = queue, .item = item};
    getter->task = weft_spawn_at(WEFT_SITE(at_the_queue), fn, getter);
    until_asleep(getter->task);
}

static void s57_an_item_belongs_to_who_waited_and_a_cancel_leaves_the_order(void)
{
    int items[5];
    void *item = NULL;
    struct getter first, second;
    weft_queue queue;

    EXPECT(weft_queue_init(&queue, 1), 0);
    start(&first, &queue, gets, NULL);
    EXPECT(weft_queue_put(&queue, &items[0]), 0);
    int third_party = weft_queue_try_get(&queue, &item);
    EXPECT(third_party, -EAGAIN);
    EXPECT(weft_await(first.task), 0);
    EXPECT(first.rc, 1);
    EXPECT(first.item == &items[0], true);

    start(&first, &queue, gets, NULL); /* a cancelled get takes nothing */
    start(&second, &queue, gets, NULL);
    EXPECT(weft_cancel(first.task), 0);
    EXPECT(weft_queue_put(&queue, &items[1]), 0);
    EXPECT(weft_gather(first.task, second.task), 0);
    EXPECT(first.rc, -ECANCELED);
    EXPECT(second.rc, 1);
    EXPECT(second.item == &items[1], true);

    EXPECT(weft_queue_put(&queue, &items[2]), 0); /* full; a cancelled put leaves nothing */
    start(&first, &queue, puts_one, &items[3]);
    start(&second, &queue, puts_one, &items[4]);
    EXPECT(weft_cancel(first.task), 0);
    EXPECT(weft_await(first.task), 0);
    EXPECT(first.rc, -ECANCELED);
    EXPECT(weft_queue_get(&queue, &item), 1);
    EXPECT(item == &items[2], true);
    EXPECT(weft_queue_get(&queue, &item), 1);
    EXPECT(item == &items[4], true);
    EXPECT(weft_await(second.task), 0);
    EXPECT(second.rc, 0);
    EXPECT(weft_queue_try_get(&queue, &item), -EAGAIN);
    weft_queue_destroy(&queue);
    SAY(third_party < 0 ? "owned" : "stolen");
}

/* --- descriptors ----------------------------------------------------------------------------- */

struct use {
    int fd;
    bool writes;
    ssize_t rc;
};

static int uses(void *arg)
{
    static char much[1 << 20];
    struct use *use = arg;
    char byte;

    if (!use->writes) {
        use->rc = weft_read(use->fd, &byte, 1);
        return 0;
    }
    do /* as long as the socket takes some; the failure comes after that */
        use->rc = weft_write(use->fd, much, sizeof much);
    while (use->rc > 0);
    return 0;
}

/* Returns when so many calls on fd are in flight: no public call tells. */
static void until_in_flight(int fd, int count)
{
    while (weft__fd_in_flight(weft__worker()->runtime->fds, fd) != count)
        (void)!weft_yield(); /* -ECANCELED has let the others run too */
}

static void wire(int ends[2])
{
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static void s58_a_second_reader_is_refused_and_close_wakes_both_sides(void)
{
    int ends[2];
    char byte;

    wire(ends);
    struct use reader = {.fd = ends[0]}, writer = {.fd = ends[0], .writes = true};
    weft_future reading = weft_spawn(uses, &reader), writing = weft_spawn(uses, &writer);
    until_in_flight(ends[0], 2);
    int second = (int)weft_read(ends[0], &byte, 1);
    EXPECT(second, -EBUSY);
    EXPECT(weft_close(ends[0]), 0);
    EXPECT(weft_gather(reading, writing), 0);
    EXPECT(reader.rc, -EBADF);
    EXPECT(writer.rc, -EBADF);
    EXPECT(weft_close(ends[1]), 0);

    /* Closed behind weft's back: who waits can still be cancelled, unless the kernel has not seen the
     * read before the close. */
    wire(ends);
    reader = (struct use){.fd = ends[0]};
    reading = weft_spawn(uses, &reader);
    until_asleep(reading); /* what it does with the descriptor itself is done */
    EXPECT(close(ends[0]), 0);
    EXPECT(weft_cancel(reading), 0);
    EXPECT(weft_await(reading), 0);
    EXPECT(reader.rc == -ECANCELED || reader.rc == -EBADF, true);
    EXPECT(close(ends[1]), 0);
    SAY(second < 0 ? "second-refused" : "second-waits");
}

/* --- jobs ------------------------------------------------------------------------------------ */

struct jobs {
    struct gate gate;
    struct check_latch running;
    _Atomic int ran, dropped, ended, saw_cancel;
    int rc, ended_at_return;
};

static int runs_until_cancelled(void *arg)
{
    struct jobs *jobs = arg;

    check_arrive(&jobs->running);
    while (!weft_cancelled())
        (void)sched_yield(); /* always 0 on Linux */
    atomic_store(&jobs->saw_cancel, 1);
    atomic_store(&jobs->ended, 1);
    return 17;
}

static int awaits_a_running_job(void *arg)
{
    struct jobs *jobs = arg;

    jobs->rc = weft_await(weft_offload(weft_cpu(), runs_until_cancelled, jobs));
    jobs->ended_at_return = atomic_load(&jobs->ended);
    return 0;
}

static void s59_a_job_cancelled_before_its_start_never_runs_one_that_runs_is_waited_for(void)
{
    struct jobs jobs = {.running = CHECK_LATCH_INIT(1)};
    const weft_task_options options = {.drop = counts_drop};
    weft_info_data info;
    weft_future blockers[64];

    EXPECT(weft_info(&info), 0);
    int threads = info.pool_threads < 64 ? info.pool_threads : 64;
    gate_init(&jobs.gate, (uint32_t)threads);
    for (int i = 0; i < threads; i++)
        blockers[i] = weft_offload(weft_cpu(), stand_at_gate, &jobs.gate);
    EXPECT(check_latch_wait(&jobs.gate.reached), 0);
    weft_future queued = weft_offload_with(weft_cpu(), &options, count_run, (void *)&jobs.dropped);
    EXPECT(weft_cancel(queued), 0);
    EXPECT(weft_await(queued), -ECANCELED); /* while no thread is free */
    EXPECT(jobs.dropped, 1);
    gate_open(&jobs.gate, threads);
    EXPECT(weft_gather_n(blockers, (size_t)threads, NULL), 0);
    EXPECT(jobs.dropped, 1); /* by drop: had it run too, it would be 2 */

    weft_future waiter = weft_spawn(awaits_a_running_job, &jobs);
    EXPECT(check_latch_wait(&jobs.running), 0);
    EXPECT(weft_cancel(waiter), 0);
    EXPECT(weft_await(waiter), 0);
    EXPECT(jobs.saw_cancel, 1);
    EXPECT(jobs.ended_at_return, 1);
    EXPECT(jobs.rc, -ECANCELED);
    SAY(jobs.dropped == 1 ? "never-starts" : "starts");
    SAY(jobs.ended_at_return ? "waited-for" : "left-running");
}

/* --- the runtime ----------------------------------------------------------------------------- */

struct calls {
    _Atomic int called, answered, heartbeats, enough;
    int while_stopping, offered_while_stopping, blocking_while_stopping;
    struct check_latch dry; /* the flood is over */
};

static int answers(void *arg)
{
    atomic_fetch_add(&((struct calls *)arg)->answered, 1);
    return 9;
}

static void *floods(void *arg)
{
    struct calls *calls = arg;

    while (!atomic_load(&calls->enough)) {
        EXPECT(weft_call(answers, calls), 9);
        atomic_fetch_add(&calls->called, 1);
    }
    check_arrive(&calls->dry);
    return NULL;
}

static int beats(void *arg)
{
    struct calls *calls = arg;

    while (weft_yield() == 0)
        atomic_fetch_add(&calls->heartbeats, 1);
    return -ECANCELED;
}

/* Cancelled by the stop, lets a thread call in before it ends. */
static void *calls_while_stopping(void *arg)
{
    struct calls *calls = arg;

    calls->while_stopping = weft_call(answers, arg);
    calls->offered_while_stopping = weft_await(weft_offload(weft_cpu(), answers, arg));
    calls->blocking_while_stopping = weft_blocking(answers, arg);
    return NULL;
}

static int asks_a_thread_at_the_stop(void *arg)
{
    pthread_t thread;

    if (weft_sleep(WEFT_FOREVER) == -ECANCELED) {
        EXPECT(pthread_create(&thread, NULL, calls_while_stopping, arg), 0);
        EXPECT(pthread_join(thread, NULL), 0); /* it is refused at once, so this ends */
    }
    return 0;
}

static int floods_and_beats(void *arg)
{
    struct calls *calls = arg;
    weft_future heart = weft_spawn(beats, calls);
    pthread_t threads[2];

    (void)weft_detach(weft_spawn(asks_a_thread_at_the_stop, calls));
    for (int i = 0; i < 2; i++)
        EXPECT(pthread_create(&threads[i], NULL, floods, calls), 0);
    while (atomic_load(&calls->answered) < 100 || atomic_load(&calls->heartbeats) < 100)
        (void)!weft_yield(); /* nobody cancels this one; it runs, too */
    atomic_store(&calls->enough, 1);
    EXPECT(check_latch_wait(&calls->dry), 0);
    for (int i = 0; i < 2; i++)
        EXPECT(pthread_join(threads[i], NULL), 0); /* they are on their way out */
    EXPECT(weft_cancel(heart), 0);
    EXPECT(weft_await(heart), -ECANCELED);
    EXPECT(weft_run(answers, calls), 9); /* nested: a child */
    return 11;
}

static void s60_threads_call_in_only_while_it_runs_and_runs_repeat_and_nest(void)
{
    weft_options options = {.workers = semantics_workers};

    for (int i = 0; i < 2; i++) {
        struct calls calls = {.dry = CHECK_LATCH_INIT(2)};

        EXPECT(weft_call(answers, &calls), semantics_has_run ? -ESHUTDOWN : -ENXIO);
        EXPECT(weft_run_with(&options, floods_and_beats, &calls), 11);
        semantics_has_run = true;
        EXPECT(calls.while_stopping, -ESHUTDOWN);
        EXPECT(calls.offered_while_stopping, -ESHUTDOWN);
        EXPECT(calls.blocking_while_stopping, -ESHUTDOWN);
        EXPECT(weft_call(answers, &calls), -ESHUTDOWN);
        EXPECT(calls.answered, calls.called + 1); /* and the nested one */
    }
    SAY("nested-child");
}

const struct statement semantics_queues_io_run[] = {
    STATEMENT(s56_a_closed_channel_drains_a_stopped_one_drops_each_item_once),
    STATEMENT(s57_an_item_belongs_to_who_waited_and_a_cancel_leaves_the_order),
    STATEMENT(s58_a_second_reader_is_refused_and_close_wakes_both_sides),
    STATEMENT(s59_a_job_cancelled_before_its_start_never_runs_one_that_runs_is_waited_for),
    OUTSIDE(s60_threads_call_in_only_while_it_runs_and_runs_repeat_and_nest),
    {.name = NULL},
};
