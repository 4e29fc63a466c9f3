/*
 * meet - bench/run on weft: tasks meet at channels and at a mutex.
 */
#include <errno.h>

#include <weft.h>

#include "bench/works/works.h"

enum { PRODUCERS = 8, MANY_ROOM = 128, LOCKERS = 8, HOLD_EVERY = 100 };

struct pair {
    weft_channel there, back;
};

static int echo_items(void *arg)
{
    struct pair *pair = arg;
    long item;
    int rc;

    while ((rc = weft_receive(&pair->there, &item)) == 1) {
        item++;
        rc = weft_send(&pair->back, &item);
        if (rc < 0)
            return rc;
    }
    return rc;
}

/* One task sends a number and receives it back, one larger, `size` times. */
int channel_roundtrip(void *arg)
{
    struct run *run = arg;
    struct pair pair;
    long item = 0;

    int rc = weft_channel_init(&pair.there, sizeof item, 1);
    if (rc == 0)
        rc = weft_channel_init(&pair.back, sizeof item, 1);
    if (rc < 0)
        return rc;
    weft_future other = weft_spawn(echo_items, &pair);
    for (long i = 0; i < run->size && rc >= 0; i++) {
        rc = weft_send(&pair.there, &item);
        if (rc == 0)
            rc = weft_receive(&pair.back, &item);
    }
    weft_channel_close(&pair.there);
    run->result = item;
    int end = weft_await(other);
    weft_channel_destroy(&pair.there);
    weft_channel_destroy(&pair.back);
    return rc < 0 ? rc : end;
}

struct crowd {
    weft_channel channel;
    long each;
    long long sums[PRODUCERS];
};

struct member {
    struct crowd *crowd;
    int index;
};

static int produce(void *arg)
{
    struct member *me = arg;
    long first = me->index * me->crowd->each;

    for (long item = first; item < first + me->crowd->each; item++) {
        int rc = weft_send(&me->crowd->channel, &item);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int consume(void *arg)
{
    struct member *me = arg;
    long long sum = 0;
    long item;
    int rc;

    while ((rc = weft_receive(&me->crowd->channel, &item)) == 1)
        sum += item;
    me->crowd->sums[me->index] = sum;
    return rc;
}

/* Eight tasks send `size` numbers through one channel, eight others add them up. */
int channel_many(void *arg)
{
    struct run *run = arg;
    struct crowd crowd = {.each = run->size / PRODUCERS};
    weft_future producers[PRODUCERS], consumers[PRODUCERS];

    int rc = weft_channel_init(&crowd.channel, sizeof(long), MANY_ROOM);
    if (rc < 0)
        return rc;
    for (int i = 0; i < PRODUCERS; i++) {
        producers[i] = weft_spawn_val(produce, ((struct member){&crowd, i}));
        consumers[i] = weft_spawn_val(consume, ((struct member){&crowd, i}));
    }
    rc = weft_gather_n(producers, PRODUCERS, NULL);
    weft_channel_close(&crowd.channel);
    int end = weft_gather_n(consumers, PRODUCERS, NULL);
    for (int i = 0; i < PRODUCERS; i++)
        run->result += crowd.sums[i];
    weft_channel_destroy(&crowd.channel);
    return rc < 0 ? rc : end;
}

struct counter {
    weft_mutex mutex;
    long long value;
    long each;
};

static int count_up(void *arg)
{
    struct counter *counter = arg;
    int rc = 0;

    for (long i = 0; i < counter->each && rc >= 0; i++) {
        weft_lock(&counter->mutex);
        counter->value++;
        if (i % HOLD_EVERY == 0)
            rc = weft_yield();
        weft_unlock(&counter->mutex);
    }
    return rc;
}

/* Eight tasks count to `size` together, under one mutex; each hundredth time the others get a turn while
 * it is held, as when its holder waits for something. */
int mutex_contended(void *arg)
{
    struct run *run = arg;
    struct counter counter = {.mutex = WEFT_MUTEX_INIT, .each = run->size / LOCKERS};
    weft_future lockers[LOCKERS];

    for (int i = 0; i < LOCKERS; i++)
        lockers[i] = weft_spawn(count_up, &counter);
    int rc = weft_gather_n(lockers, LOCKERS, NULL);
    run->result = counter.value;
    return rc;
}

static int generate(void *arg)
{
    weft_channel *out = arg;
    long n = 2;

    while (weft_send(out, &n) == 0)
        n++;
    return 0; /* nobody wants more */
}

struct filter {
    weft_channel *in, *out;
    long prime;
};

static int pass_indivisible(void *arg)
{
    struct filter *filter = arg;
    long n;

    while (weft_receive(filter->in, &n) == 1)
        if (n % filter->prime != 0 && weft_send(filter->out, &n) < 0)
            break;
    weft_channel_stop(filter->in, NULL);
    return 0;
}

/* A task for each prime takes its multiples out of the stream: finds the prime number `size`. */
int prime_sieve(void *arg)
{
    struct run *run = arg;
    size_t n = (size_t)run->size;
    weft_channel *channels = calloc(n + 1, sizeof channels[0]);
    weft_future *tasks = calloc(n + 1, sizeof tasks[0]);
    long prime = 0;
    int rc = channels && tasks ? weft_channel_init(&channels[0], sizeof prime, 0) : -ENOMEM;

    if (rc == 0)
        tasks[0] = weft_spawn(generate, &channels[0]);
    for (size_t i = 0; i < n && rc >= 0; i++) {
        rc = weft_receive(&channels[i], &prime);
        if (rc == 1)
            rc = weft_channel_init(&channels[i + 1], sizeof prime, 0);
        if (rc == 0) {
            struct filter filter = {&channels[i], &channels[i + 1], prime};
            tasks[i + 1] = weft_spawn_val(pass_indivisible, filter);
        }
    }
    if (rc < 0)
        die("prime_sieve"); /* the tasks hold the channels: no way back */
    weft_channel_stop(&channels[n], NULL);
    run->result = prime;
    rc = weft_gather_n(tasks, n + 1, NULL);
    for (size_t i = 0; i <= n; i++)
        weft_channel_destroy(&channels[i]);
    free(channels);
    free(tasks);
    return rc;
}
