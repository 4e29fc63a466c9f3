/*
 * pthread - the works of bench/run with plain threads, mutexes and conditions.
 *
 * Works with one worker bind the whole program to one processor.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "bench/peers/c/program.h"

enum {
    TURNERS = 100,
    PRODUCERS = 8,
    MANY_ROOM = 128,
    LOCKERS = 8,
    HOLD_EVERY = 100,
    FLIGHT = 1000,
    REST_NS = 2000000,
};

static void bind_to_one_processor(void)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((unsigned)sched_getcpu(), &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        die("sched_setaffinity");
}

static pthread_t start(void *(*function)(void *), void *arg)
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, function, arg) != 0)
        die("pthread_create");
    return thread;
}

static void *yield_often(void *arg)
{
    for (long i = 0; i < *(long *)arg; i++)
        sched_yield();
    return NULL;
}

static void yield(struct run *run)
{
    pthread_t threads[TURNERS];
    long turns = run->size / TURNERS;

    bind_to_one_processor();
    for (int i = 0; i < TURNERS; i++)
        threads[i] = start(yield_often, &turns);
    for (int i = 0; i < TURNERS; i++)
        pthread_join(threads[i], NULL);
    run->result = turns * TURNERS;
}

/* A bounded queue of numbers. */
struct queue {
    pthread_mutex_t mutex;
    pthread_cond_t may_put, may_get;
    long items[MANY_ROOM];
    int room, first, count;
    int is_closed;
};

static void queue_init(struct queue *queue, int room)
{
    memset(queue, 0, sizeof *queue);
    pthread_mutex_init(&queue->mutex, NULL);
    pthread_cond_init(&queue->may_put, NULL);
    pthread_cond_init(&queue->may_get, NULL);
    queue->room = room;
}

static void queue_put(struct queue *queue, long item)
{
    pthread_mutex_lock(&queue->mutex);
    while (queue->count == queue->room)
        pthread_cond_wait(&queue->may_put, &queue->mutex);
    queue->items[(queue->first + queue->count++) % queue->room] = item;
    pthread_mutex_unlock(&queue->mutex);
    pthread_cond_signal(&queue->may_get);
}

static int queue_get(struct queue *queue, long *ret_item)
{
    pthread_mutex_lock(&queue->mutex);
    while (queue->count == 0 && !queue->is_closed)
        pthread_cond_wait(&queue->may_get, &queue->mutex);
    int is_there = queue->count > 0;
    if (is_there) {
        *ret_item = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->room;
        queue->count--;
    }
    pthread_mutex_unlock(&queue->mutex);
    pthread_cond_signal(&queue->may_put);
    return is_there;
}

static void queue_close(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    queue->is_closed = 1;
    pthread_mutex_unlock(&queue->mutex);
    pthread_cond_broadcast(&queue->may_get);
}

static struct queue there, back;

static void *echo_items(void *arg)
{
    long item;

    while (queue_get(&there, &item))
        queue_put(&back, item + 1);
    return arg;
}

static void channel_roundtrip(struct run *run)
{
    long item = 0;

    bind_to_one_processor();
    queue_init(&there, 1);
    queue_init(&back, 1);
    pthread_t other = start(echo_items, NULL);
    for (long i = 0; i < run->size; i++) {
        queue_put(&there, item);
        (void)queue_get(&back, &item);
    }
    queue_close(&there);
    pthread_join(other, NULL);
    run->result = item;
}

struct member {
    long first, each;
    long long sum;
};

static void *produce(void *arg)
{
    struct member *me = arg;

    for (long item = me->first; item < me->first + me->each; item++)
        queue_put(&there, item);
    return NULL;
}

static void *consume(void *arg)
{
    struct member *me = arg;
    long item;

    while (queue_get(&there, &item))
        me->sum += item;
    return NULL;
}

static void channel_many(struct run *run)
{
    struct member members[PRODUCERS];
    pthread_t producers[PRODUCERS], consumers[PRODUCERS];

    queue_init(&there, MANY_ROOM);
    for (int i = 0; i < PRODUCERS; i++) {
        long each = run->size / PRODUCERS;
        members[i] = (struct member){i * each, each, 0};
        producers[i] = start(produce, &members[i]);
        consumers[i] = start(consume, &members[i]);
    }
    for (int i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i], NULL);
    queue_close(&there);
    for (int i = 0; i < PRODUCERS; i++) {
        pthread_join(consumers[i], NULL);
        run->result += members[i].sum;
    }
}

static struct {
    pthread_mutex_t mutex;
    long long value;
    long each;
} counter = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void *count_up(void *arg)
{
    for (long i = 0; i < counter.each; i++) {
        pthread_mutex_lock(&counter.mutex);
        counter.value++;
        if (i % HOLD_EVERY == 0)
            sched_yield();
        pthread_mutex_unlock(&counter.mutex);
    }
    return arg;
}

static void mutex_contended(struct run *run)
{
    pthread_t lockers[LOCKERS];

    counter.value = 0;
    counter.each = run->size / LOCKERS;
    for (int i = 0; i < LOCKERS; i++)
        lockers[i] = start(count_up, NULL);
    for (int i = 0; i < LOCKERS; i++)
        pthread_join(lockers[i], NULL);
    run->result = counter.value;
}

static sem_t rung;
static _Atomic int64_t rung_ns; /* 0: it was heard */

static void *ring(void *arg)
{
    for (long i = 0; i < *(long *)arg; i++) {
        do
            pause_ns(REST_NS);
        while (atomic_load(&rung_ns) != 0);
        atomic_store(&rung_ns, now_ns());
        sem_post(&rung);
    }
    return NULL;
}

static void wake_latency(struct run *run)
{
    int64_t *spans = calloc((size_t)run->size, sizeof spans[0]);

    if (!spans || sem_init(&rung, 0, 0) < 0)
        die("wake_latency");
    pthread_t ringer = start(ring, &run->size);
    for (; run->result < run->size; run->result++) {
        while (sem_wait(&rung) < 0)
            ;
        spans[run->result] = now_ns() - atomic_load(&rung_ns);
        atomic_store(&rung_ns, 0);
    }
    pthread_join(ringer, NULL);
    say_spans(spans, run->size);
    free(spans);
}

/* A pool: threads take jobs from a list; who waits for a number of them sleeps until they are done. */
struct job {
    int (*run)(void);
    struct job *next;
};

static struct {
    pthread_mutex_t mutex;
    pthread_cond_t may_take, are_done;
    struct job *first, **end;
    long awaited; /* jobs that have to end before the waiter goes on */
    long long sum;
    int is_closed;
} pool;

static int one(void) { return 1; }

static void *work_off(void *arg)
{
    pthread_mutex_lock(&pool.mutex);
    for (;;) {
        struct job *job = pool.first;

        if (!job && pool.is_closed)
            break;
        if (!job) {
            pthread_cond_wait(&pool.may_take, &pool.mutex);
            continue;
        }
        pool.first = job->next;
        if (!pool.first)
            pool.end = &pool.first;
        pthread_mutex_unlock(&pool.mutex);
        int answer = job->run();
        pthread_mutex_lock(&pool.mutex);
        pool.sum += answer;
        if (--pool.awaited == 0)
            pthread_cond_signal(&pool.are_done);
    }
    pthread_mutex_unlock(&pool.mutex);
    return arg;
}

static void offload(struct job *job)
{
    *job = (struct job){one, NULL};
    pthread_mutex_lock(&pool.mutex);
    *pool.end = job;
    pool.end = &job->next;
    pthread_mutex_unlock(&pool.mutex);
    pthread_cond_signal(&pool.may_take);
}

static void offload_by(struct run *run, long flight)
{
    static struct job jobs[FLIGHT];
    pthread_t threads[64];

    memset(&pool, 0, sizeof pool);
    pthread_mutex_init(&pool.mutex, NULL);
    pthread_cond_init(&pool.may_take, NULL);
    pthread_cond_init(&pool.are_done, NULL);
    pool.end = &pool.first;
    for (int i = 0; i < run->workers && i < 64; i++)
        threads[i] = start(work_off, NULL);
    for (long done = 0; done + flight <= run->size; done += flight) {
        pthread_mutex_lock(&pool.mutex);
        pool.awaited = flight;
        pthread_mutex_unlock(&pool.mutex);
        for (long i = 0; i < flight; i++)
            offload(&jobs[i]);
        pthread_mutex_lock(&pool.mutex);
        while (pool.awaited > 0)
            pthread_cond_wait(&pool.are_done, &pool.mutex);
        pthread_mutex_unlock(&pool.mutex);
    }
    pthread_mutex_lock(&pool.mutex);
    pool.is_closed = 1;
    run->result = pool.sum;
    pthread_mutex_unlock(&pool.mutex);
    pthread_cond_broadcast(&pool.may_take);
    for (int i = 0; i < run->workers && i < 64; i++)
        pthread_join(threads[i], NULL);
}

static void offload_roundtrip(struct run *run) { offload_by(run, 1); }
static void offload_1000(struct run *run) { offload_by(run, FLIGHT); }

static const struct work works[] = {
    {"yield", yield, 1},
    {"channel_roundtrip", channel_roundtrip, 1},
    {"channel_many", channel_many, 1},
    {"mutex_contended", mutex_contended, 1},
    {"wake_latency", wake_latency, 0},
    {"offload_roundtrip", offload_roundtrip, 1},
    {"offload_1000", offload_1000, 1},
};

int main(int argc, char **argv) { return RUN_WORK(works, argc, argv); }
