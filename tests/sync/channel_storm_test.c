/*
 * channel_storm_test - many senders and receivers, calm and under a storm of cancels: an exact ledger.
 *
 * Every item has a number. Its column in the ledger says how often a send of it returned 0, how often
 * a receive returned it, and how often it was dropped. At the end what was sent was received or
 * dropped, once; where nobody stops the channel, everything was sent and received. Each receiver also
 * watches that the items of one sender come in the order of their numbers.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "waiting.h"

#define TASKS   4
#define SENDERS (TASKS + 2) /* a job and a thread beside the tasks; as many receivers */
#define EACH    250
#define ITEMS   (SENDERS * EACH)

static const size_t capacities[] = {0, 1, 7, WEFT_UNBOUNDED};

/* Three words, to see one that was torn apart. */
struct item {
    uint64_t number, twice, thrice;
};

enum weather { CALM, STORMY, STOPPED };

struct ledger {
    weft_channel channel;
    enum weather weather;
    uint64_t seed;
    _Atomic int sending; /* senders that are not done; the last one closes */
    _Atomic int failed, out_of_order, torn, moved;
    _Atomic unsigned char sent[ITEMS], got[ITEMS], dropped[ITEMS];
};

static struct ledger *ledger; /* of this run; a drop function has no argument of its own */

struct member {
    int number;
    bool is_task;
    uint64_t seed;
};

static struct item item_of(int number)
{
    uint64_t n = (uint64_t)number;

    return (struct item){n, 2 * n, 3 * n};
}

/* The number; -1, and noted, if it is none. */
static int number_of(const struct item *item)
{
    if (item->number < ITEMS && item->twice == 2 * item->number && item->thrice == 3 * item->number)
        return (int)item->number;
    atomic_fetch_add(&ledger->torn, 1);
    return -1;
}

static void drop(void *at)
{
    int number = number_of(at);

    if (number >= 0)
        atomic_fetch_add(&ledger->dropped[number], 1);
}

static int send_it(void *item) { return weft_send(&ledger->channel, item); }

static int receive_it(void *item) { return weft_receive(&ledger->channel, item); }

/* Does it in a task that is cancelled after a few yields. */
static int do_and_cancel(weft_fn fn, struct item *item, uint64_t random)
{
    weft_future future = weft_spawn(fn, item);

    for (uint64_t i = random % 4; i > 0; i--)
        let_others_run();
    (void)weft_cancel(future);
    return weft_await(future);
}

/* Does it until it is done, however often it is cut short. */
static int insist(weft_fn fn, struct item *item, struct member *member)
{
    int rc;

    if (ledger->weather == CALM || !member->is_task)
        return fn(item);
    do {
        uint64_t random = check_random(&member->seed);
        if (random % 2)
            rc = weft_timeout(weft_us((int64_t)(random % 199)), fn, item);
        else
            rc = do_and_cancel(fn, item, random / 2);
    } while (rc == -ETIMEDOUT || rc == -ECANCELED);
    return rc;
}

static int send(void *arg)
{
    struct member *member = arg;

    for (int i = 0; i < EACH; i++) {
        struct item item = item_of(member->number * EACH + i);
        int rc = insist(send_it, &item, member);

        if (rc == 0)
            atomic_fetch_add(&ledger->sent[item.number], 1);
        else if (rc != -EPIPE || ledger->weather != STOPPED)
            atomic_fetch_add(&ledger->failed, 1);
        check_progress();
    }
    if (atomic_fetch_sub(&ledger->sending, 1) == 1)
        weft_channel_close(&ledger->channel);
    return 0;
}

static int receive(void *arg)
{
    struct member *member = arg;
    int next[SENDERS] = {0};
    struct item item;
    int rc;

    while ((rc = insist(receive_it, &item, member)) == 1) {
        int number = number_of(&item);
        if (number < 0)
            continue;
        atomic_fetch_add(&ledger->got[number], 1);
        if (number % EACH < next[number / EACH])
            atomic_fetch_add(&ledger->out_of_order, 1);
        next[number / EACH] = number % EACH + 1;
        if (atomic_fetch_add(&ledger->moved, 1) == ITEMS / 3 && ledger->weather == STOPPED)
            weft_channel_stop(&ledger->channel, drop);
    }
    if (rc < 0)
        atomic_fetch_add(&ledger->failed, 1);
    return rc;
}

static struct member member_of(int number, bool is_task)
{
    return (struct member){number, is_task, ledger->seed + (uint64_t)number};
}

static int send_and_receive(void *arg)
{
    weft_future future[2 * (TASKS + 1)];

    (void)arg;
    for (int i = 0; i < TASKS; i++) {
        future[2 * i] = weft_spawn_val(send, member_of(i, true));
        future[2 * i + 1] = weft_spawn_val(receive, member_of(SENDERS + i, true));
    }
    future[2 * TASKS] = weft_offload_val(weft_cpu(), send, member_of(TASKS, false));
    future[2 * TASKS + 1] = weft_offload_val(weft_cpu(), receive, member_of(0, false));
    return weft_gather_n(future, 2 * (TASKS + 1), NULL);
}

static void *send_in_thread(void *arg)
{
    struct member member = member_of(TASKS + 1, false);

    (void)arg;
    (void)send(&member); /* the ledger tells */
    return NULL;
}

static void *receive_in_thread(void *arg)
{
    struct member member = member_of(0, false);

    (void)arg;
    (void)receive(&member); /* the ledger tells */
    return NULL;
}

/* Every item: sent 0 or 1 times, and if so received or dropped once. Returns how many were dropped. */
static int assert_balanced(void)
{
    int dropped = 0;

    assert_int_equal(ledger->failed, 0);
    assert_int_equal(ledger->torn, 0);
    assert_int_equal(ledger->out_of_order, 0);
    for (int i = 0; i < ITEMS; i++) {
        assert_in_range(ledger->sent[i], ledger->weather == STOPPED ? 0 : 1, 1);
        assert_int_equal(ledger->got[i] + ledger->dropped[i], ledger->sent[i]);
        dropped += ledger->dropped[i];
    }
    return dropped;
}

/* One run. */
static void balance(int workers, size_t capacity, enum weather weather, uint64_t seed)
{
    pthread_t thread[2];

    ledger = calloc(1, sizeof *ledger);
    assert_non_null(ledger);
    ledger->weather = weather;
    ledger->seed = seed;
    ledger->sending = SENDERS;
    assert_int_equal(weft_channel_init(&ledger->channel, sizeof(struct item), capacity), 0);
    assert_int_equal(pthread_create(&thread[0], NULL, send_in_thread, NULL), 0);
    assert_int_equal(pthread_create(&thread[1], NULL, receive_in_thread, NULL), 0);
    int rc = check_run(workers, send_and_receive, NULL);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    weft_channel_destroy(&ledger->channel);

    assert_int_equal(rc, 0);
    int dropped = assert_balanced();
    assert_true(dropped == 0 || weather == STOPPED);
    free(ledger);
}

static void every_item_of_many_senders_reaches_one_receiver(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        for (size_t kind = 0; kind < 4; kind++)
            balance(n, capacities[kind], CALM, 0);
}

static void every_item_arrives_once_under_a_storm_of_cancels(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n)
        for (size_t kind = 0; kind < 4; kind++)
            balance(n, capacities[kind], STORMY, seed + 1000 * kind);
}

static void an_item_is_received_or_dropped_or_stays_when_a_receiver_stops_in_a_storm(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n)
        for (size_t kind = 0; kind < 8; kind++)
            balance(n, capacities[kind % 4], STOPPED, seed + 1000 * kind);
}

/* --- a channel that goes as soon as its receiver has been told, or has got its item, from a sender that
 * did not have to wait ------------------------------------------------------------------------------- */

struct short_lived {
    weft_channel channel;
    bool close;
};

static int give_the_last(void *arg)
{
    struct short_lived *it = arg;

    if (!it->close)
        return weft_send(&it->channel, &(int){3});
    weft_channel_close(&it->channel);
    return 0;
}

static int receive_and_destroy(void *arg)
{
    struct short_lived *it = arg;
    int item = 0, rc = weft_receive(&it->channel, &item);

    rc = rc == (it->close ? 0 : 1) && item == (it->close ? 0 : 3) ? 0 : -EIO;
    weft_channel_destroy(&it->channel);
    free(it);
    return rc;
}

static int again_and_again(void *arg)
{
    (void)arg;
    for (int round = 0; round < 1200; round++) {
        struct short_lived *it = malloc(sizeof *it);
        if (!it || weft_channel_init(&it->channel, sizeof(int), capacities[round % 4]) < 0) {
            free(it);
            return -ENOMEM;
        }
        it->close = round % 8 < 4 || round % 4 == 0;
        int rc = weft_gather(weft_spawn(receive_and_destroy, it), weft_spawn(give_the_last, it));
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void the_last_receiver_may_destroy_the_channel_at_once(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, again_and_again, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_of_many_senders_reaches_one_receiver),
        cmocka_unit_test(every_item_arrives_once_under_a_storm_of_cancels),
        cmocka_unit_test(an_item_is_received_or_dropped_or_stays_when_a_receiver_stops_in_a_storm),
        cmocka_unit_test(the_last_receiver_may_destroy_the_channel_at_once),
    };
    return CHECK_GROUP(tests);
}
