/*
 * refused - S19: a call that could succeed at once, made in a cancelled scope, does nothing.
 *
 * One line for each call of docs/semantics.md that can be cancelled; afterwards, outside the scope, all
 * that they would have taken, sent or changed must be as it was.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <weft.h>

#include "semantics.h"

/* Everything here is to be had without waiting. */
struct ready {
    weft_mutex mutex;
    weft_rwlock read, write;
    weft_sem sem;
    weft_limiter limiter;
    weft_event event;
    weft_cond cond;
    weft_barrier barrier;
    weft_once once;
    weft_wait_group group;
    weft_queue full, empty;
    weft_channel filled, room;
    weft_broadcast broadcast;
    weft_listener listener;
    weft_watch watch;
    int watched;
    weft_interval interval;
    weft_future waited, done[4];
    int pipe[2], listener_fd, caller, port;
    _Atomic int ran;
};

static int runs(void *arg)
{
    atomic_fetch_add(&((struct ready *)arg)->ran, 1);
    return 5;
}

static void make_meetings(struct ready *ready)
{
    EXPECT(weft_limiter_init(&ready->limiter, 1), 0);
    EXPECT(weft_barrier_init(&ready->barrier, 1), 0);
    weft_sem_init(&ready->sem, 2);
    weft_event_set(&ready->event);
    weft_watch_init(&ready->watch, &ready->watched, sizeof ready->watched);
    EXPECT(weft_watch_set(&ready->watch, &(int){1}), 0);
    EXPECT(weft_interval_init(&ready->interval, weft_s(1000), WEFT_MISSED_SKIP), 0);
}

static void make_channels(struct ready *ready)
{
    EXPECT(weft_queue_init(&ready->full, 1), 0);
    EXPECT(weft_queue_init(&ready->empty, 1), 0);
    EXPECT(weft_queue_put(&ready->full, ready), 0);
    EXPECT(weft_channel_init(&ready->filled, sizeof(int), 1), 0);
    EXPECT(weft_channel_init(&ready->room, sizeof(int), 1), 0);
    EXPECT(weft_send(&ready->filled, &(int){6}), 0);
    EXPECT(weft_broadcast_init(&ready->broadcast, sizeof(int), 2), 0);
    weft_listener_init(&ready->listener, &ready->broadcast);
    EXPECT(weft_broadcast_send(&ready->broadcast, &(int){7}), 0);
}

/* One that nobody has accepted yet. */
static void make_connection(struct ready *ready)
{
    weft_address at = {.port = 0};

    ready->listener_fd = weft_tcp_listen("127.0.0.1", 0, NULL);
    EXPECT(weft_local_address(ready->listener_fd, &at), 0);
    ready->port = at.port;
    ready->caller = weft_tcp_connect("127.0.0.1", at.port);
    EXPECT(ready->caller >= 0, true);
}

static void make_rest(struct ready *ready)
{
    ready->waited = weft_spawn(runs, ready);
    for (int i = 0; i < 4; i++) {
        ready->done[i] = weft_spawn(runs, ready);
        EXPECT(weft_wait(ready->done[i]), 5);
    }
    EXPECT(weft_wait(ready->waited), 5);
    EXPECT(pipe2(ready->pipe, O_CLOEXEC), 0);
    EXPECT(write(ready->pipe[1], "x", 1), 1);
    make_connection(ready);
    atomic_store(&ready->ran, 0);
}

static void try_to_meet(struct ready *ready)
{
    EXPECT(weft_lock_cancellable(&ready->mutex), -ECANCELED);
    EXPECT(weft_read_lock_cancellable(&ready->read), -ECANCELED);
    EXPECT(weft_write_lock_cancellable(&ready->write), -ECANCELED);
    EXPECT(weft_sem_acquire(&ready->sem), -ECANCELED);
    EXPECT(weft_sem_acquire_n(&ready->sem, 2), -ECANCELED);
    EXPECT(weft_limiter_enter(&ready->limiter), -ECANCELED);
    EXPECT(weft_event_wait(&ready->event), -ECANCELED);
    EXPECT(weft_barrier_wait(&ready->barrier), -ECANCELED);
    EXPECT(weft_once_run(&ready->once, runs, ready), -ECANCELED);
    EXPECT(weft_wait_group_wait(&ready->group), -ECANCELED);
    EXPECT(weft_try_lock(&ready->mutex), 0); /* does not wait, so no cancel reaches it */
    EXPECT(weft_cond_wait(&ready->cond, &ready->mutex), -ECANCELED);
    EXPECT(weft_unlock(&ready->mutex), 0); /* it was held all the time */
}

static void try_to_pass(struct ready *ready)
{
    uint64_t version = 0;
    void *pointer = NULL;
    int item = 3;

    EXPECT(weft_queue_get(&ready->full, &pointer), -ECANCELED);
    EXPECT(weft_queue_put(&ready->empty, ready), -ECANCELED);
    EXPECT(weft_send(&ready->room, &item), -ECANCELED);
    EXPECT(weft_receive(&ready->filled, &item), -ECANCELED);
    EXPECT(weft_listener_next(&ready->listener, &item, NULL), -ECANCELED);
    EXPECT(weft_watch_changed(&ready->watch, &version, &item), -ECANCELED);
    EXPECT(weft_select(NULL, weft_on_receive(&ready->filled, &item),
                       weft_on_send(&ready->room, &item), weft_on_event(&ready->event)),
           -ECANCELED);
    EXPECT(pointer == NULL, true);
    EXPECT(item, 3);
    EXPECT(version, 0);
}

static void try_the_rest(struct ready *ready)
{
    weft_completed all;
    char byte = 'y';

    EXPECT(weft_sleep(0), -ECANCELED);
    EXPECT(weft_sleep_until(1), -ECANCELED);
    EXPECT(weft_yield(), -ECANCELED);
    EXPECT(weft_interval_tick(&ready->interval), -ECANCELED);
    EXPECT(weft_wait(ready->waited), -ECANCELED);
    EXPECT(weft_await(ready->done[0]), -ECANCELED); /* consumed all the same, as all below */
    EXPECT(weft_gather_settled_n(&ready->done[1], 1, NULL), -ECANCELED);
    EXPECT(weft_race_n(&ready->done[2], 1, NULL), -ECANCELED);
    EXPECT(weft_completed_init(&all, &ready->done[3], 1), 0);
    EXPECT(weft_completed_next(&all, NULL, NULL), -ECANCELED);
    EXPECT(weft_completed_end(&all), 0);
    EXPECT(weft_read(ready->pipe[0], &byte, 1), -ECANCELED);
    EXPECT(weft_read_full(ready->pipe[0], &byte, 1), -ECANCELED);
    EXPECT(weft_write(ready->pipe[1], &byte, 1), -ECANCELED);
    EXPECT(weft_write_full(ready->pipe[1], &byte, 1), -ECANCELED);
    EXPECT(weft_open("/dev/null", O_RDONLY, 0), -ECANCELED);
    EXPECT(weft_tcp_accept(ready->listener_fd, NULL), -ECANCELED);
    EXPECT(weft_tcp_connect("127.0.0.1", ready->port), -ECANCELED);
    EXPECT(weft_blocking(runs, ready), -ECANCELED);
    EXPECT(byte, 'y');
    EXPECT(ready->ran, 0);
    EXPECT(weft_call(runs, ready),
           -ECANCELED); /* its task has run to its first wait, and had none */
}

static void expect_meetings_untouched(struct ready *ready)
{
    EXPECT(weft_try_lock(&ready->mutex), 0);
    EXPECT(weft_unlock(&ready->mutex), 0);
    EXPECT(weft_try_write_lock(&ready->read), 0);
    EXPECT(weft_write_unlock(&ready->read), 0);
    EXPECT(weft_try_write_lock(&ready->write), 0);
    EXPECT(weft_write_unlock(&ready->write), 0);
    EXPECT(weft_sem_try_acquire_n(&ready->sem, 2), 0);
    EXPECT(weft_limiter_try_enter(&ready->limiter), 0);
    EXPECT(weft_limiter_leave(&ready->limiter), 0);
    EXPECT(weft_once_run(&ready->once, runs, ready), 5); /* not done before */
    EXPECT(weft_interval_tick(&ready->interval), 0);     /* the first, at once */
    weft_limiter_destroy(&ready->limiter);
}

static void expect_channels_untouched(struct ready *ready)
{
    uint64_t version = 0, lost = 9;
    void *pointer = NULL;
    int item = 0;

    EXPECT(weft_queue_try_get(&ready->full, &pointer), 1);
    EXPECT(pointer == ready, true);
    EXPECT(weft_queue_try_get(&ready->empty, &pointer), -EAGAIN);
    EXPECT(weft_try_receive(&ready->filled, &item), 1);
    EXPECT(item, 6);
    EXPECT(weft_try_receive(&ready->room, &item), -EAGAIN);
    EXPECT(weft_listener_try_next(&ready->listener, &item, &lost), 1);
    EXPECT(item, 7);
    EXPECT(lost, 0);
    EXPECT(weft_watch_changed(&ready->watch, &version, &item), 1);
    EXPECT(item, 1);
    weft_queue_destroy(&ready->full);
    weft_queue_destroy(&ready->empty);
    weft_channel_destroy(&ready->filled);
    weft_channel_destroy(&ready->room);
    weft_broadcast_destroy(&ready->broadcast);
}

static void expect_rest_untouched(struct ready *ready)
{
    int bytes = 0;
    char byte = 0;

    EXPECT(ioctl(ready->pipe[0], FIONREAD, &bytes), 0);
    EXPECT(bytes, 1);
    EXPECT(weft_await(ready->waited), 5);
    int accepted = weft_tcp_accept(ready->listener_fd, NULL); /* it is there still */
    EXPECT(weft_write(ready->caller, "z", 1), 1);
    EXPECT(weft_read(accepted, &byte, 1), 1);
    EXPECT(byte, 'z');
    EXPECT(weft_close(accepted), 0);
    EXPECT(weft_close(ready->caller), 0);
    EXPECT(weft_close(ready->listener_fd), 0);
    EXPECT(weft_close(ready->pipe[0]), 0);
    EXPECT(weft_close(ready->pipe[1]), 0);
}

static void s19_a_call_that_could_succeed_at_once_does_nothing_in_a_cancelled_scope(void)
{
    struct ready ready = {.ran = 0};
    weft_sem free = WEFT_SEM_INIT(1);
    weft_scope scope;

    make_meetings(&ready);
    make_channels(&ready);
    make_rest(&ready);
    EXPECT(weft_scope_open(&scope), 0);
    EXPECT(weft_scope_cancel(&scope), 0);
    int rc = weft_sem_acquire(&free);
    try_to_meet(&ready);
    try_to_pass(&ready);
    try_the_rest(&ready);
    EXPECT(weft_scope_close(&scope, -ECANCELED), -ECANCELED);
    expect_meetings_untouched(&ready);
    expect_channels_untouched(&ready);
    expect_rest_untouched(&ready);
    SAY(rc == 0 ? "taken" : "refused");
}

const struct statement semantics_refused[] = {
    STATEMENT(s19_a_call_that_could_succeed_at_once_does_nothing_in_a_cancelled_scope),
    {.name = NULL},
};
