/*
 * io_storm_test - cancel against completion, a great many times, with an exact ledger.
 *
 * Numbered bytes go through sockets and pipes; readers and writers are cut short at random moments,
 * and go on. Every byte arrives once and in order, and a cancelled call has moved none.
 */
#include "wires.h"

#define FLOWS 8

static long rounds(void)
{
    const char *amount = getenv("CHECK_STRESS");

    return amount && strcmp(amount, "short") == 0 ? 2000 : 20000;
}

struct flow {
    int from, to; /* written to, read from */
    uint64_t seed;
    long bytes; /* how many shall go through */
    long read, written;
    long cancelled; /* calls that were cut short */
    unsigned char block[512];
    size_t wanted;
    ssize_t moved;
};

static int read_some(void *arg)
{
    struct flow *flow = arg;

    flow->moved = weft_read(flow->to, flow->block, flow->wanted);
    return flow->moved < 0 ? (int)flow->moved : 0;
}

static int write_some(void *arg)
{
    struct flow *flow = arg;

    flow->moved = weft_write(flow->from, flow->block, flow->wanted);
    return flow->moved < 0 ? (int)flow->moved : 0;
}

/* One call, as a task of its own that is cancelled after some yields, or with next to no time. */
static void cut_short(struct flow *flow, weft_fn call)
{
    uint64_t dice = check_random(&flow->seed);
    int rc;

    flow->moved = -1;
    if (dice % 3 == 0) {
        rc = weft_timeout(weft_us((int64_t)(dice / 3 % 50)), call, flow);
        EXPECT(rc == 0 || rc == -ETIMEDOUT || rc == -ECANCELED, true);
    } else {
        weft_future future = weft_spawn(call, flow);
        for (uint64_t i = 0; i < dice / 3 % 4; i++)
            EXPECT(weft_yield(), 0);
        if (dice % 3 == 1)
            EXPECT(weft_cancel(future), 0);
        rc = weft_await(future);
        EXPECT(rc == 0 || rc == -ECANCELED, true);
    }
    flow->cancelled += rc < 0;
    if (rc < 0 && flow->moved > 0)
        EXPECT(flow->moved, rc);
}

static int keep_reading(void *arg)
{
    struct flow *flow = arg;

    while (flow->read < flow->bytes) {
        flow->wanted = 1 + check_random(&flow->seed) % sizeof flow->block;
        cut_short(flow, read_some);
        for (ssize_t i = 0; i < flow->moved; i++)
            if (!EXPECT(flow->block[i], (unsigned char)(flow->read + i)))
                return -EIO;
        flow->read += flow->moved > 0 ? flow->moved : 0;
        check_progress();
    }
    return 0;
}

static int keep_writing(void *arg)
{
    struct flow *flow = arg;

    while (flow->written < flow->bytes) {
        long left = flow->bytes - flow->written;
        flow->wanted = 1 + check_random(&flow->seed) % sizeof flow->block;
        if ((long)flow->wanted > left)
            flow->wanted = (size_t)left;
        for (size_t i = 0; i < flow->wanted; i++)
            flow->block[i] = (unsigned char)(flow->written + (long)i);
        cut_short(flow, write_some);
        flow->written += flow->moved > 0 ? flow->moved : 0;
        check_progress();
    }
    return 0;
}

static uint64_t seed_of_run;

static void make_wire(int number, int ends[2])
{
    if (number % 3 == 0)
        EXPECT(pipe2(ends, O_CLOEXEC), 0);
    else if (number % 3 == 1)
        wire(ends);
    else
        tcp_wire(ends);
}

static int storm(void *arg)
{
    static struct flow readers[FLOWS], writers[FLOWS];
    weft_future tasks[2 * FLOWS];
    long cancelled = 0;

    (void)arg;
    for (int i = 0; i < FLOWS; i++) {
        int ends[2];
        make_wire(i, ends);
        struct flow flow = {.to = ends[0], .from = ends[1], .bytes = rounds() * 4};
        readers[i] = writers[i] = flow;
        readers[i].seed = check_random(&seed_of_run);
        writers[i].seed = check_random(&seed_of_run);
        tasks[2 * i] = weft_spawn(keep_reading, &readers[i]);
        tasks[2 * i + 1] = weft_spawn(keep_writing, &writers[i]);
    }
    EXPECT(weft_gather_n(tasks, 2 * FLOWS, NULL), 0);
    for (int i = 0; i < FLOWS; i++) {
        EXPECT(readers[i].read, writers[i].written);
        cancelled += readers[i].cancelled + writers[i].cancelled;
        EXPECT(weft_close(readers[i].to), 0);
        EXPECT(weft_close(readers[i].from), 0);
    }
    EXPECT(cancelled > 0, true);
    return 0;
}

static void no_byte_is_lost_or_doubled_by_cancels(void **state)
{
    seed_of_run = check_seed();
    RUN_EVERYWHERE(storm);
}

/* Descriptors closed under their readers, while new ones take their numbers. */
struct marked {
    int fd;
    unsigned char mark; /* what this connection carries, and no other */
};

static int read_once(void *arg)
{
    struct marked *reader = arg;
    unsigned char block[64];
    ssize_t n = weft_read(reader->fd, block, sizeof block);

    for (ssize_t i = 0; i < n; i++)
        EXPECT(block[i], reader->mark);
    return (int)n;
}

static int open_and_close(void *arg)
{
    uint64_t seed = *(uint64_t *)arg;

    for (long round = 0; round < rounds() / 20; round++) {
        int ends[2];
        unsigned char mark = (unsigned char)check_random(&seed);
        unsigned char marks[64];

        wire(ends);
        memset(marks, mark, sizeof marks);
        weft_future reading = weft_spawn_val(read_once, ((struct marked){ends[0], mark}));
        until_in_flight(ends[0], 1);
        for (uint64_t i = check_random(&seed) % 4; i > 0; i--)
            EXPECT(weft_write(ends[1], marks, sizeof marks), sizeof marks);
        EXPECT(weft_close(ends[0]), 0);
        int rc = weft_await(reading);
        EXPECT(rc == -EBADF || (rc > 0 && rc % 64 == 0), true);
        EXPECT(weft_close(ends[1]), 0);
        check_progress();
    }
    return 0;
}

static int close_storm(void *arg)
{
    weft_future tasks[FLOWS];

    (void)arg;
    for (int i = 0; i < FLOWS; i++)
        tasks[i] = weft_spawn_val(open_and_close, check_random(&seed_of_run));
    return weft_gather_n(tasks, FLOWS, NULL);
}

static void no_byte_reaches_another_connection_of_the_same_number(void **state)
{
    seed_of_run = check_seed();
    RUN_EVERYWHERE(close_storm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_byte_is_lost_or_doubled_by_cancels),
        cmocka_unit_test(no_byte_reaches_another_connection_of_the_same_number),
    };

    return CHECK_GROUP(tests);
}
