/*
 * queue_storm_test - many senders and receivers, calm and under a storm of cancels: an exact ledger.
 *
 * Every item has a number. Its column in the ledger says how often a put of it returned 0 and how
 * often a get returned it: both must be 1 at the end. Each receiver also watches that the items of
 * one sender come in the order of their numbers.
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

struct ledger {
    weft_queue queue;
    bool stormy; /* the tasks among them are cancelled all the time */
    uint64_t seed;
    _Atomic int sending; /* senders that are not done; the last one closes */
    _Atomic int failed, out_of_order;
    _Atomic unsigned char put[ITEMS], got[ITEMS];
};

struct member {
    struct ledger *ledger;
    int number;
    bool stormy;
    uint64_t seed;
};

/* One put or get, as a task of its own or under a time-out. */
struct move {
    weft_queue *queue;
    void *item;
};

static int put_it(void *arg)
{
    struct move *move = arg;

    return weft_queue_put(move->queue, move->item);
}

static int get_it(void *arg)
{
    struct move *move = arg;

    return weft_queue_get(move->queue, &move->item);
}

/* Does it in a task that is cancelled after a few yields. */
static int do_and_cancel(weft_fn fn, struct move *move, uint64_t random)
{
    weft_future future = weft_spawn(fn, move);

    for (uint64_t i = random % 4; i > 0; i--)
        let_others_run();
    (void)weft_cancel(future);
    return weft_await(future);
}

/* Does it until it is done, however often it is cut short. */
static int insist(weft_fn fn, struct move *move, struct member *member)
{
    int rc;

    if (!member->stormy)
        return fn(move);
    do {
        uint64_t random = check_random(&member->seed);
        if (random % 2)
            rc = weft_timeout(weft_us((int64_t)(random % 199)), fn, move);
        else
            rc = do_and_cancel(fn, move, random / 2);
    } while (rc == -ETIMEDOUT || rc == -ECANCELED);
    return rc;
}

static int send(void *arg)
{
    struct member *member = arg;
    struct ledger *ledger = member->ledger;

    for (int i = 0; i < EACH; i++) {
        uintptr_t id = (uintptr_t)(member->number * EACH + i);
        struct move move = {&ledger->queue, (void *)id};

        if (insist(put_it, &move, member) == 0)
            atomic_fetch_add(&ledger->put[id], 1);
        else
            atomic_fetch_add(&ledger->failed, 1);
        check_progress();
    }
    if (atomic_fetch_sub(&ledger->sending, 1) == 1)
        weft_queue_close(&ledger->queue);
    return 0;
}

static int receive(void *arg)
{
    struct member *member = arg;
    struct ledger *ledger = member->ledger;
    int next[SENDERS] = {0};
    struct move move = {&ledger->queue, NULL};
    int rc;

    while ((rc = insist(get_it, &move, member)) == 1) {
        int id = (int)(uintptr_t)move.item;

        atomic_fetch_add(&ledger->got[id], 1);
        if (id % EACH < next[id / EACH])
            atomic_fetch_add(&ledger->out_of_order, 1);
        next[id / EACH] = id % EACH + 1;
    }
    if (rc < 0)
        atomic_fetch_add(&ledger->failed, 1);
    return rc;
}

static struct member member_of(struct ledger *ledger, int number, bool is_task)
{
    return (struct member){ledger, number, ledger->stormy && is_task,
                           ledger->seed + (uint64_t)number};
}

static int send_and_receive(void *arg)
{
    struct ledger *ledger = arg;
    weft_future future[2 * (TASKS + 1)];

    for (int i = 0; i < TASKS; i++) {
        future[2 * i] = weft_spawn_val(send, member_of(ledger, i, true));
        future[2 * i + 1] = weft_spawn_val(receive, member_of(ledger, SENDERS + i, true));
    }
    future[2 * TASKS] = weft_offload_val(weft_cpu(), send, member_of(ledger, TASKS, false));
    future[2 * TASKS + 1] = weft_offload_val(weft_cpu(), receive, member_of(ledger, 0, false));
    return weft_gather_n(future, 2 * (TASKS + 1), NULL);
}

static void *send_in_thread(void *ledger)
{
    struct member member = member_of(ledger, TASKS + 1, false);

    (void)send(&member); /* the ledger tells */
    return NULL;
}

static void *receive_in_thread(void *ledger)
{
    struct member member = member_of(ledger, 0, false);

    (void)receive(&member); /* the ledger tells */
    return NULL;
}

/* One run; the ledger must balance. */
static void balance(int workers, size_t capacity, bool stormy, uint64_t seed)
{
    struct ledger ledger = {.stormy = stormy, .seed = seed, .sending = SENDERS};
    pthread_t thread[2];

    assert_int_equal(weft_queue_init(&ledger.queue, capacity), 0);
    assert_int_equal(pthread_create(&thread[0], NULL, send_in_thread, &ledger), 0);
    assert_int_equal(pthread_create(&thread[1], NULL, receive_in_thread, &ledger), 0);
    int rc = check_run(workers, send_and_receive, &ledger);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    weft_queue_destroy(&ledger.queue);

    assert_int_equal(rc, 0);
    assert_int_equal(ledger.failed, 0);
    assert_int_equal(ledger.out_of_order, 0);
    for (int i = 0; i < ITEMS; i++) {
        assert_int_equal(ledger.put[i], 1);
        assert_int_equal(ledger.got[i], 1);
    }
}

static void every_item_of_many_senders_reaches_one_receiver(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        balance(n, 1, false, 0);
        balance(n, 7, false, 0);
    }
}

static void every_item_arrives_once_under_a_storm_of_cancels(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        balance(n, 1, true, seed);
        balance(n, 7, true, seed + 1000);
    }
}

/* A queue whose only receiver frees it as soon as it is told that it is closed. */
static int close_it(void *queue)
{
    weft_queue_close(queue);
    return 0;
}

static int receive_and_destroy(void *queue)
{
    void *item;
    int rc = weft_queue_get(queue, &item);

    weft_queue_destroy(queue);
    free(queue);
    return rc;
}

static int close_again_and_again(void *arg)
{
    (void)arg;
    for (int round = 0; round < 300; round++) {
        weft_queue *queue = malloc(sizeof *queue);
        if (!queue || weft_queue_init(queue, 1) < 0) {
            free(queue);
            return -ENOMEM;
        }
        int rc = weft_gather(weft_spawn(receive_and_destroy, queue), weft_spawn(close_it, queue));
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void the_last_receiver_may_destroy_a_closed_queue(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, close_again_and_again, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_of_many_senders_reaches_one_receiver),
        cmocka_unit_test(every_item_arrives_once_under_a_storm_of_cancels),
        cmocka_unit_test(the_last_receiver_may_destroy_a_closed_queue),
    };
    return CHECK_GROUP(tests);
}
