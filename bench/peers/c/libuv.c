/*
 * libuv - the works of bench/run with libuv: its timers, its thread pool, its sockets.
 */
#include <stdatomic.h>
#include <uv.h>

#include "bench/job.h"
#include "bench/peers/c/net.h"
#include "bench/peers/c/program.h"

enum { TIMERS = 1000, FLIGHT = 1000, REST_NS = 2000000, FEEDERS_PER_CORE = 2, HOUR_MS = 3600000 };

static uv_loop_t *loop;

/* The pool has as many threads as there are workers; to be called before its first job. */
static void begin(const struct run *run)
{
    char threads[16];

    snprintf(threads, sizeof threads, "%d", run->workers);
    setenv("UV_THREADPOOL_SIZE", threads, 1);
    loop = uv_default_loop();
}

static void expect(int rc)
{
    if (rc < 0) {
        fprintf(stderr, "libuv: %s\n", uv_strerror(rc));
        _exit(1);
    }
}

static void never(uv_timer_t *timer) { (void)timer; }

/* Callbacks need no wait between the two: a thousand timers stand in the heap all the time. */
static void timer_churn(struct run *run)
{
    static uv_timer_t timers[TIMERS];

    begin(run);
    for (int i = 0; i < TIMERS; i++) {
        expect(uv_timer_init(loop, &timers[i]));
        expect(uv_timer_start(&timers[i], never, 10000, 0));
    }
    for (long turn = 0; turn < run->size / TIMERS; turn++)
        for (int i = 0; i < TIMERS; i++) {
            expect(uv_timer_stop(&timers[i]));
            expect(uv_timer_start(&timers[i], never, 10000 + (uint64_t)turn, 0));
            run->result++;
        }
    for (int i = 0; i < TIMERS; i++)
        uv_close((uv_handle_t *)&timers[i], NULL);
    expect(uv_run(loop, UV_RUN_DEFAULT));
}

static uv_async_t bell;
static _Atomic int64_t rung_ns; /* 0: it was heard */
static int64_t *spans;
static struct run *latency_run;

static void *ring(void *arg)
{
    for (long i = 0; i < *(long *)arg; i++) {
        do
            pause_ns(REST_NS);
        while (atomic_load(&rung_ns) != 0);
        atomic_store(&rung_ns, now_ns());
        expect(uv_async_send(&bell));
    }
    return NULL;
}

static void hear(uv_async_t *async)
{
    spans[latency_run->result++] = now_ns() - atomic_load(&rung_ns);
    atomic_store(&rung_ns, 0);
    if (latency_run->result == latency_run->size)
        uv_close((uv_handle_t *)async, NULL);
}

static void wake_latency(struct run *run)
{
    pthread_t ringer;

    begin(run);
    latency_run = run;
    spans = calloc((size_t)run->size, sizeof spans[0]);
    expect(uv_async_init(loop, &bell, hear));
    if (!spans)
        die("calloc");
    if (pthread_create(&ringer, NULL, ring, &run->size) != 0)
        die("pthread_create");
    expect(uv_run(loop, UV_RUN_DEFAULT));
    pthread_join(ringer, NULL);
    say_spans(spans, run->size);
    free(spans);
}

struct task {
    uv_work_t work;
    struct run *run;
    uint64_t answer;
    long flight;
};

static struct task tasks[FLIGHT];
static long back; /* of the flight under way */

static void do_one(uv_work_t *work) { ((struct task *)work->data)->answer = 1; }

static void fly(struct run *run, long flight);

static void after_one(uv_work_t *work, int status)
{
    struct task *task = work->data;

    expect(status);
    task->run->result += (long long)task->answer;
    if (++back == task->flight && task->run->result < task->run->size)
        fly(task->run, task->flight);
}

static void fly(struct run *run, long flight)
{
    back = 0;
    for (long i = 0; i < flight; i++) {
        tasks[i] = (struct task){.run = run, .flight = flight};
        tasks[i].work.data = &tasks[i];
        expect(uv_queue_work(loop, &tasks[i].work, do_one, after_one));
    }
}

static void offload_by(struct run *run, long flight)
{
    begin(run);
    fly(run, flight);
    expect(uv_run(loop, UV_RUN_DEFAULT));
}

static void offload_roundtrip(struct run *run) { offload_by(run, 1); }
static void offload_1000(struct run *run) { offload_by(run, FLIGHT); }

static void compute_one(uv_work_t *work) { ((struct task *)work->data)->answer = do_job(); }

/* As soon as a job has ended the next one goes to the pool. */
static void after_compute(uv_work_t *work, int status)
{
    expect(status);
    count_job(((struct task *)work->data)->answer);
    expect(uv_queue_work(loop, work, compute_one, after_compute));
}

struct client {
    uv_tcp_t tcp; /* first: its address is the client's */
    char bytes[4096];
};

static void free_client(uv_handle_t *handle) { free(handle); }

static void lend_buffer(uv_handle_t *handle, size_t bytes, uv_buf_t *buffer)
{
    struct client *client = (struct client *)handle;

    (void)bytes;
    *buffer = uv_buf_init(client->bytes, sizeof client->bytes);
}

static void after_write(uv_write_t *request, int status)
{
    (void)status; /* a broken connection shows in the next read */
    free(request);
}

/* Nearly always the socket takes it at once; what it does not take is copied and waits. */
static void echo(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    if (n < 0) {
        uv_close((uv_handle_t *)stream, free_client);
        return;
    }
    uv_buf_t bytes = uv_buf_init(buffer->base, (unsigned)n);
    int sent = uv_try_write(stream, &bytes, 1);
    if (sent == n)
        return;
    size_t rest = (size_t)n - (size_t)(sent < 0 ? 0 : sent);
    uv_write_t *request = malloc(sizeof *request + rest);
    if (!request)
        die("malloc");
    bytes = uv_buf_init((char *)(request + 1), (unsigned)rest);
    memcpy(bytes.base, buffer->base + (size_t)n - rest, rest);
    expect(uv_write(request, stream, &bytes, 1, after_write));
}

static void take_client(uv_stream_t *listener, int status)
{
    struct client *client = malloc(sizeof *client);

    expect(status);
    if (!client)
        die("malloc");
    expect(uv_tcp_init(loop, &client->tcp));
    expect(uv_accept(listener, (uv_stream_t *)&client->tcp));
    expect(uv_tcp_nodelay(&client->tcp, 1));
    expect(uv_read_start((uv_stream_t *)&client->tcp, lend_buffer, echo));
}

static struct sockaddr_in listen_on(uv_tcp_t *listener)
{
    struct sockaddr_in here;
    int bytes = sizeof here;

    expect(uv_ip4_addr("127.0.0.1", 0, &here));
    expect(uv_tcp_init(loop, listener));
    expect(uv_tcp_bind(listener, (const struct sockaddr *)&here, 0));
    expect(uv_listen((uv_stream_t *)listener, 1024, take_client));
    expect(uv_tcp_getsockname(listener, (struct sockaddr *)&here, &bytes));
    return here;
}

static void echo_server(struct run *run)
{
    uv_tcp_t listener;

    begin(run);
    listen_to_bench(run->size);
    for (int i = 0; run->size > 0 && i < FEEDERS_PER_CORE * run->workers; i++) {
        tasks[i].work.data = &tasks[i];
        expect(uv_queue_work(loop, &tasks[i].work, compute_one, after_compute));
    }
    struct sockaddr_in here = listen_on(&listener);
    say("port", ntohs(here.sin_port));
    expect(uv_run(loop, UV_RUN_DEFAULT));
}

static void idle(struct run *run)
{
    uv_timer_t *timers = calloc((size_t)run->size, sizeof timers[0]);
    uv_tcp_t listener;

    if (!timers)
        die("calloc");
    begin(run);
    struct sockaddr_in here = listen_on(&listener);
    for (long i = 0; i < run->size; i++) {
        (void)connect_to(&here); /* the backlog takes it; the loop accepts it later */
        expect(uv_timer_init(loop, &timers[i]));
        expect(uv_timer_start(&timers[i], never, HOUR_MS, 0));
    }
    say_result(run->size);
    expect(uv_run(loop, UV_RUN_DEFAULT));
}

static const struct work works[] = {
    {"timer_churn", timer_churn, 1},
    {"wake_latency", wake_latency, 0},
    {"offload_roundtrip", offload_roundtrip, 1},
    {"offload_1000", offload_1000, 1},
    {"echo_server", echo_server, 0},
    {"idle", idle, 0},
};

int main(int argc, char **argv) { return RUN_WORK(works, argc, argv); }
