/*
 * broadcast_test - every value to every listener, and to the slow ones how many they have lost.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "core/sys.h"
#include "waiting.h"

#define MANY (2 * WAITLIST_BATCH + 7)

static int send_int(weft_broadcast *broadcast, int value)
{
    return weft_broadcast_send(broadcast, &value);
}

static void set_up(weft_broadcast *broadcast, size_t capacity)
{
    assert_int_equal(weft_broadcast_init(broadcast, sizeof(int), capacity), 0);
}

static void every_listener_gets_every_value_from_its_beginning_on(void **state)
{
    weft_broadcast broadcast;
    weft_listener early, late;
    uint64_t lost = 9;
    int value = -1;

    (void)state;
    set_up(&broadcast, 4);
    weft_listener_init(&early, &broadcast);
    assert_int_equal(send_int(&broadcast, 1), 0);
    weft_listener_init(&late, &broadcast);
    assert_int_equal(send_int(&broadcast, 2), 0);

    assert_int_equal(weft_listener_next(&early, &value, &lost), 1);
    assert_int_equal(value, 1);
    assert_int_equal(lost, 0);
    assert_int_equal(weft_listener_next(&early, &value, NULL), 1);
    assert_int_equal(value, 2);
    assert_int_equal(weft_listener_try_next(&early, &value, &lost), -EAGAIN);
    assert_int_equal(weft_listener_next(&late, &value, &lost), 1);
    assert_int_equal(value, 2);
    assert_int_equal(weft_listener_try_next(&late, &value, &lost), -EAGAIN);
    weft_broadcast_destroy(&broadcast);
    weft_broadcast_destroy(NULL);
}

static void a_slow_listener_is_told_its_loss_and_goes_on_at_the_oldest(void **state)
{
    weft_broadcast broadcast;
    weft_listener listener;
    uint64_t lost = 9;
    int value = -1;

    (void)state;
    set_up(&broadcast, 3);
    weft_listener_init(&listener, &broadcast);
    for (int i = 0; i < 3; i++)
        assert_int_equal(send_int(&broadcast, i), 0);
    assert_int_equal(weft_listener_next(&listener, &value, &lost), 1);
    assert_int_equal(value, 0); /* full is not too slow */
    assert_int_equal(lost, 0);
    for (int i = 3; i < 10; i++)
        assert_int_equal(send_int(&broadcast, i), 0);
    for (int i = 7; i < 10; i++) {
        assert_int_equal(weft_listener_next(&listener, &value, &lost), 1);
        assert_int_equal(value, i);
        assert_int_equal(lost, i == 7 ? 6 : 0);
    }
    assert_int_equal(weft_listener_try_next(&listener, &value, &lost), -EAGAIN);
    weft_broadcast_destroy(&broadcast);
}

static void after_the_close_listeners_get_what_is_left_and_then_the_end(void **state)
{
    weft_broadcast broadcast;
    weft_listener listener, late;
    uint64_t lost;
    int value = -1;

    (void)state;
    set_up(&broadcast, 2);
    weft_listener_init(&listener, &broadcast);
    assert_int_equal(send_int(&broadcast, 5), 0);
    weft_broadcast_close(&broadcast);
    weft_listener_init(&late, &broadcast);

    assert_int_equal(send_int(&broadcast, 6), -EPIPE);
    assert_int_equal(weft_listener_next(&listener, &value, &lost), 1);
    assert_int_equal(value, 5);
    assert_int_equal(weft_listener_next(&listener, &value, &lost), 0);
    assert_int_equal(weft_listener_try_next(&listener, &value, &lost), 0);
    assert_int_equal(weft_listener_next(&late, &value, &lost), 0);
    weft_broadcast_destroy(&broadcast);
}

static int no_memory(const char *call) { return strcmp(call, "alloc") == 0 ? -ENOMEM : 0; }

static void what_cannot_be_set_up_is_refused(void **state)
{
    weft_broadcast broadcast;

    (void)state;
    assert_int_equal(weft_broadcast_init(&broadcast, 0, 1), -EINVAL);
    assert_int_equal(weft_broadcast_init(&broadcast, 1, 0), -EINVAL);
    assert_int_equal(weft_broadcast_init(&broadcast, SIZE_MAX / 2, 3), -EINVAL);
    weft__sys_fault = no_memory;
    int rc = weft_broadcast_init(&broadcast, 4, 4);
    weft__sys_fault = NULL;
    assert_int_equal(rc, -ENOMEM);
}

struct audience {
    weft_broadcast broadcast;
    weft_future future[MANY];
    int status[MANY];
    int heard[MANY];
    _Atomic int count;
};

struct seat {
    struct audience *audience;
    int number;
};

/* One value, and the end. */
static int hear_one(void *arg)
{
    struct seat *seat = arg;
    weft_listener listener;
    int value;

    weft_listener_init(&listener, &seat->audience->broadcast);
    int rc = weft_listener_next(&listener, &seat->audience->heard[seat->number], NULL);
    if (rc == 1)
        atomic_fetch_add(&seat->audience->count, 1);
    if (rc == 1 && weft_listener_next(&listener, &value, NULL) != 0)
        rc = -EBADMSG;
    return rc;
}

static void fill(struct audience *audience)
{
    for (int i = 0; i < MANY; i++)
        audience->future[i] = weft_spawn_val(hear_one, ((struct seat){audience, i}));
    until_waiting(MANY, &audience->broadcast.weft__waiters);
}

static int send_and_close(void *arg)
{
    struct audience *audience = arg;

    fill(audience);
    (void)weft_cancel(audience->future[0]);
    (void)!weft_wait(audience->future[0]); /* its status comes below */
    until_waiting(MANY - 1, &audience->broadcast.weft__waiters);
    for (int i = 3; i < MANY; i += 3)
        (void)weft_cancel(audience->future[i]);
    int rc = send_int(&audience->broadcast, 42);
    while (atomic_load(&audience->count) != MANY - (MANY + 2) / 3)
        let_others_run();
    weft_broadcast_close(&audience->broadcast);
    for (int i = 0; i < MANY; i++)
        audience->status[i] = weft_await(audience->future[i]);
    return rc;
}

static void who_waits_is_woken_by_a_send_by_the_close_and_by_a_cancel(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct audience audience = {.count = 0};

        set_up(&audience.broadcast, 2);
        int rc = check_run(n, send_and_close, &audience);

        assert_int_equal(rc, 0);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(audience.status[i], i % 3 == 0 ? -ECANCELED : 1);
            assert_int_equal(audience.heard[i], i % 3 == 0 ? 0 : 42);
        }
        weft_broadcast_destroy(&audience.broadcast);
    }
}

/* A wait that is cut short takes nothing: the value that comes at that moment is the next one's. */
struct listening {
    weft_listener listener;
    int value;
    uint64_t lost;
};

static int hear(void *arg)
{
    struct listening *listening = arg;

    return weft_listener_next(&listening->listener, &listening->value, &listening->lost);
}

static int hear_when_cancelled(void *arg)
{
    struct listening *listening = arg;

    (void)weft_cancel(weft_self());
    listening->value = -1;
    return hear(listening) == -ECANCELED ? listening->value : -EBADMSG;
}

static void a_cancelled_task_takes_no_value_although_one_is_there(void **state)
{
    weft_broadcast broadcast;
    struct listening listening;

    (void)state;
    set_up(&broadcast, 1);
    weft_listener_init(&listening.listener, &broadcast);
    assert_int_equal(send_int(&broadcast, 8), 0);

    assert_int_equal(check_run(1, hear_when_cancelled, &listening), -1);
    assert_int_equal(hear(&listening), 1);
    assert_int_equal(listening.value, 8);
    weft_broadcast_destroy(&broadcast);
}

static int send_one(void *broadcast) { return send_int(broadcast, 1); }

static int cancel_at_the_send(void *arg)
{
    weft_broadcast *broadcast = arg;
    struct listening listening;

    weft_listener_init(&listening.listener, broadcast);
    for (int round = 0; round < 300; round++) {
        check_progress();
        listening.value = 0;
        weft_future ear = weft_spawn(hear, &listening);
        if (round % 2)
            until_waiting(1, &broadcast->weft__waiters);
        weft_future sender = weft_spawn(send_one, broadcast);
        if (round % 3)
            let_others_run();
        (void)weft_cancel(ear);
        int rc = weft_await(ear);
        int sent = weft_await(sender);
        bool is_taken = rc == 1;
        if (sent < 0 || (!is_taken && rc != -ECANCELED) || listening.value != is_taken)
            return -EBADMSG;
        int left = weft_listener_try_next(&listening.listener, &listening.value, NULL);
        if (left != (is_taken ? -EAGAIN : 1))
            return -EBADMSG;
    }
    return 0;
}

static void a_value_that_comes_with_a_cancel_is_taken_or_left(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_broadcast broadcast;

        set_up(&broadcast, 2);
        assert_int_equal(check_run(n, cancel_at_the_send, &broadcast), 0);
        weft_broadcast_destroy(&broadcast);
    }
}

/* Two senders, and listeners of all kinds: what each hears, and what it is told to have lost, adds up
 * to all that was sent, and each sender's values come in order. */
#define SENT 1500

struct fair {
    weft_broadcast broadcast;
    weft_listener listeners[6];
    weft_listener *shared; /* by two */
    _Atomic int wrong;
    _Atomic uint64_t shared_count;
};

struct stand {
    struct fair *fair;
    int number;
};

struct word {
    int sender, number;
};

static uint64_t listen_to_the_end(struct fair *fair, weft_listener *listener)
{
    int last[2] = {-1, -1};
    uint64_t count = 0;
    uint64_t lost = 0;
    struct word word;
    int rc;

    while ((rc = weft_listener_next(listener, &word, &lost)) == 1) {
        count += 1 + lost;
        if (word.number <= last[word.sender])
            atomic_fetch_add(&fair->wrong, 1);
        last[word.sender] = word.number;
        if (count % 64 == 0)
            let_others_run();
    }
    if (rc != 0)
        atomic_fetch_add(&fair->wrong, 1);
    return count;
}

static int listen_alone(struct fair *fair, int number)
{
    return listen_to_the_end(fair, &fair->listeners[number]) == 2 * SENT ? 0 : -EBADMSG;
}

static int listen_as_task(void *arg)
{
    struct stand *stand = arg;

    return listen_alone(stand->fair, stand->number);
}

static int listen_together(void *arg)
{
    struct fair *fair = arg;

    atomic_fetch_add(&fair->shared_count, listen_to_the_end(fair, fair->shared));
    return 0;
}

static int listen_as_job(void *arg) { return listen_alone(arg, 3); }

static void *listen_as_thread(void *arg) { return listen_alone(arg, 4) == 0 ? arg : NULL; }

static int call_out(void *arg)
{
    struct stand *stand = arg;

    for (int i = 0; i < SENT; i++) {
        struct word word = {stand->number, i};
        int rc = weft_broadcast_send(&stand->fair->broadcast, &word);
        if (rc < 0)
            return rc;
        if (i % 5 == 0)
            let_others_run();
        check_progress();
    }
    return 0;
}

static int hold_fair(void *arg)
{
    struct fair *fair = arg;
    weft_future ears[6];

    for (int i = 0; i < 3; i++)
        ears[i] = weft_spawn_val(listen_as_task, ((struct stand){fair, i}));
    ears[3] = weft_offload(weft_cpu(), listen_as_job, fair);
    ears[4] = weft_spawn(listen_together, fair);
    ears[5] = weft_spawn(listen_together, fair);
    int rc = weft_gather(weft_spawn_val(call_out, ((struct stand){fair, 0})),
                         weft_spawn_val(call_out, ((struct stand){fair, 1})));
    weft_broadcast_close(&fair->broadcast);
    int end = weft_gather_n(ears, 6, NULL);
    return rc < 0 ? rc : end;
}

static void what_is_heard_and_what_is_lost_is_all_that_was_sent(void **state)
{
    (void)state;
    for (size_t capacity = 1; capacity <= 64; capacity *= 8) {
        CHECK_WORKERS(n) {
            struct fair fair = {.wrong = 0};
            pthread_t thread;
            void *done;

            assert_int_equal(weft_broadcast_init(&fair.broadcast, sizeof(struct word), capacity),
                             0);
            for (int i = 0; i < 6; i++)
                weft_listener_init(&fair.listeners[i], &fair.broadcast);
            fair.shared = &fair.listeners[5];
            assert_int_equal(pthread_create(&thread, NULL, listen_as_thread, &fair), 0);
            int rc = check_run(n, hold_fair, &fair);
            assert_int_equal(pthread_join(thread, &done), 0);

            assert_int_equal(rc, 0);
            assert_non_null(done);
            assert_int_equal(fair.wrong, 0);
            assert_int_equal(fair.shared_count, 2 * SENT);
            weft_broadcast_destroy(&fair.broadcast);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_listener_gets_every_value_from_its_beginning_on),
        cmocka_unit_test(a_slow_listener_is_told_its_loss_and_goes_on_at_the_oldest),
        cmocka_unit_test(after_the_close_listeners_get_what_is_left_and_then_the_end),
        cmocka_unit_test(what_cannot_be_set_up_is_refused),
        cmocka_unit_test(who_waits_is_woken_by_a_send_by_the_close_and_by_a_cancel),
        cmocka_unit_test(a_cancelled_task_takes_no_value_although_one_is_there),
        cmocka_unit_test(a_value_that_comes_with_a_cancel_is_taken_or_left),
        cmocka_unit_test(what_is_heard_and_what_is_lost_is_all_that_was_sent),
    };
    return CHECK_GROUP(tests);
}
