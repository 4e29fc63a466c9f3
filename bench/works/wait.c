/*
 * wait - bench/run on weft: timers, sleeping tasks, and how soon somebody begins.
 */
#include <pthread.h>
#include <stdatomic.h>

#include <weft.h>

#include "bench/memory.h"
#include "bench/works/works.h"

enum { CHURNERS = 1000, REST_NS = 2000000, GIVE_UP_NS = 5000000 };

struct churn {
    long each;
};

/* A wait under a time limit that never comes: sets a timer, waits, takes the timer back. */
static int wait_under_limit(void *arg)
{
    struct churn *churn = arg;
    int rc = 0;

    for (long i = 0; i < churn->each && rc >= 0; i++) {
        WEFT_WITHIN(rc, weft_s(10) + weft_us(i)) { rc = weft_yield(); }
    }
    return rc;
}

/* A thousand tasks set and cancel `size` timers. */
int timer_churn(void *arg)
{
    struct run *run = arg;
    struct churn churn = {run->size / CHURNERS};
    weft_future tasks[CHURNERS];

    for (int i = 0; i < CHURNERS; i++)
        tasks[i] = weft_spawn(wait_under_limit, &churn);
    run->result = churn.each * CHURNERS;
    return weft_gather_n(tasks, CHURNERS, NULL);
}

static int sleep_long(void *arg)
{
    int rc = weft_sem_release(arg);
    return rc < 0 ? rc : weft_sleep(weft_s(3600));
}

/* `size` tasks sleep; what they hold of memory and of mappings. */
int sleepers_1m(void *arg)
{
    struct run *run = arg;
    static weft_sem arrived; /* the tasks outlive this function's frame */
    double before = resident_bytes();

    for (long i = 0; i < run->size; i++) {
        int rc = weft_detach(weft_spawn(sleep_long, &arrived));
        if (rc < 0)
            return rc;
    }
    for (; run->result < run->size; run->result++) {
        int rc = weft_sem_acquire(&arrived);
        if (rc < 0)
            return rc;
    }
    say_memory(before, run->size);
    say_result(run->result);
    _exit(0); /* to wake them all again is not the question */
}

static _Atomic int64_t begun_ns;

static int note_begin(void *arg)
{
    (void)arg;
    atomic_store(&begun_ns, now_ns());
    return 0;
}

/* A busy task starts another one: how long until an idle worker has begun it? */
int steal_latency(void *arg)
{
    struct run *run = arg;
    int64_t *spans = calloc((size_t)run->size, sizeof spans[0]);
    int rc = spans ? 0 : -1;

    for (; run->result < run->size && rc >= 0; run->result++) {
        rc = weft_sleep(REST_NS); /* both workers fall asleep */
        if (rc < 0)
            break;
        atomic_store(&begun_ns, 0);
        int64_t start = now_ns();
        weft_future other = weft_spawn(note_begin, NULL);
        while (!atomic_load(&begun_ns) && now_ns() - start < GIVE_UP_NS)
            ;
        rc = weft_await(other);
        spans[run->result] = atomic_load(&begun_ns) - start;
    }
    if (rc >= 0)
        say_spans(spans, run->size);
    free(spans);
    return rc;
}

struct bell {
    weft_sem rung;
    _Atomic int64_t rung_ns; /* 0: it was heard */
    long times;
};

/* A plain thread of the program's own. */
static void *ring(void *arg)
{
    struct bell *bell = arg;

    for (long i = 0; i < bell->times; i++) {
        do
            pause_ns(REST_NS);
        while (atomic_load(&bell->rung_ns) != 0);
        atomic_store(&bell->rung_ns, now_ns());
        weft_sem_release(&bell->rung);
    }
    return NULL;
}

/* A foreign thread wakes a task whose workers sleep. */
int wake_latency(void *arg)
{
    struct run *run = arg;
    struct bell bell = {.times = run->size};
    int64_t *spans = calloc((size_t)run->size, sizeof spans[0]);
    pthread_t ringer;
    int rc = 0;

    if (!spans || pthread_create(&ringer, NULL, ring, &bell) != 0)
        die("wake_latency");
    for (; run->result < run->size && rc >= 0; run->result++) {
        rc = weft_sem_acquire(&bell.rung);
        spans[run->result] = now_ns() - atomic_load(&bell.rung_ns);
        atomic_store(&bell.rung_ns, 0);
    }
    if (rc < 0)
        die("wake_latency"); /* the ringer uses this frame */
    (void)pthread_join(ringer, NULL);
    say_spans(spans, run->size);
    free(spans);
    return rc;
}
