/*
 * select_storm_test - a million selects over channels of every kind, tasks, a job and a thread, calm and
 * under a storm of cancels: what was sent was received, once, and nothing else happened.
 *
 * Every arm that sends has a number of its own, used once. The ledger says how often such an arm was
 * done and how often its number was received. All that is left in the channels is received at the end;
 * then the two columns must agree everywhere, and no number may stand there twice. The pump keeps all
 * going: it alone never waits, and does what others wait for; its own items are only counted.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "waiting.h"

#define TASKS    6
#define MEMBERS  (TASKS + 2) /* a job and a thread beside the tasks */
#define CHANNELS 6
#define ARMS     6
#define PUMPED   UINT64_MAX

/* Selects in all runs of a test: a million; a hundredth of that when time is short. */
#define SELECTS 1000000

static const size_t capacities[CHANNELS] = {0, 0, 0, 1, 7, WEFT_UNBOUNDED};

struct item {
    uint64_t number, minus;
};

struct ledger {
    weft_channel channel[CHANNELS];
    weft_event event;
    weft_future never;
    pthread_t thread;
    int each; /* selects of each task */
    bool stormy;
    uint64_t seed, numbers;
    _Atomic uint64_t next;        /* the next number for a sending arm */
    _Atomic int working;          /* members that are not done */
    _Atomic uint64_t pumped, got; /* the pump's items, sent and received */
    _Atomic uint64_t done, cut;   /* selects that did something, and that were cut short */
    _Atomic int wrong;            /* a status or an item that cannot be */
    _Atomic unsigned char *sent, *received;
};

struct member {
    struct ledger *ledger;
    uint64_t seed;
    bool is_task;
};

static struct item item_of(uint64_t number) { return (struct item){number, ~number}; }

static void receive(struct ledger *ledger, const struct item *item)
{
    if (item->minus != ~item->number || (item->number != PUMPED && item->number >= ledger->numbers))
        atomic_fetch_add(&ledger->wrong, 1);
    else if (item->number == PUMPED)
        atomic_fetch_add(&ledger->got, 1);
    else
        atomic_fetch_add(&ledger->received[item->number], 1);
}

/* --- one select over arms drawn by chance ----------------------------------------------------------- */

struct attempt {
    struct ledger *ledger;
    uint64_t seed;
    size_t n;
    weft_arm arm[ARMS];
    struct item item[ARMS];
    bool sends[ARMS], receives[ARMS];
};

static void draw_arm(struct attempt *attempt, size_t i)
{
    struct ledger *ledger = attempt->ledger;
    uint64_t random = check_random(&attempt->seed);
    weft_channel *channel = &ledger->channel[random / 64 % CHANNELS];

    attempt->sends[i] = attempt->receives[i] = false;
    attempt->item[i] = item_of(0);
    switch (random % 16) {
    case 0: attempt->arm[i] = weft_on_event(&ledger->event); break;
    case 1: /* which never comes: not alone */
        attempt->arm[i] =
            i > 0 ? weft_on_future(ledger->never, NULL) : weft_on_event(&ledger->event);
        break;
    case 2:
        attempt->arm[i] = weft_on_time(weft_now() + weft_us((int64_t)(random / 1024 % 500)));
        break;
    case 3:
    case 4:
    case 5:
    case 6:
    case 7:
    case 8:
        attempt->sends[i] = true;
        attempt->item[i] = item_of(atomic_fetch_add(&ledger->next, 1));
        attempt->arm[i] = weft_on_send(channel, &attempt->item[i]);
        break;
    default:
        attempt->receives[i] = true;
        attempt->item[i] = (struct item){7, 7}; /* nothing that could have been received */
        attempt->arm[i] = weft_on_receive(channel, &attempt->item[i]);
    }
}

/* What the arm did goes into the ledger; that the others did nothing shows there too. */
static void enter(struct attempt *attempt, int index)
{
    struct ledger *ledger = attempt->ledger;

    atomic_fetch_add(&ledger->done, 1);
    for (size_t i = 0; i < attempt->n; i++) {
        bool is_done = i == (size_t)index;

        if (is_done && attempt->sends[i])
            atomic_fetch_add(&ledger->sent[attempt->item[i].number], 1);
        else if (is_done && attempt->receives[i])
            receive(ledger, &attempt->item[i]);
        else if (attempt->receives[i] && attempt->item[i].minus != 7)
            atomic_fetch_add(&ledger->wrong, 1); /* an arm that lost received */
    }
    if (attempt->arm[index].result != (attempt->receives[index] ? 1 : 0))
        atomic_fetch_add(&ledger->wrong, 1);
}

static int select_some(void *arg)
{
    struct attempt *attempt = arg;
    int index = attempt->seed % 5 ? weft_select_n(attempt->arm, attempt->n)
                                  : weft_select_biased_n(attempt->arm, attempt->n);

    if (index >= 0)
        enter(attempt, index);
    return index < 0 ? index : 0;
}

/* Draws the arms and selects; in a storm it may be cut short. */
static void attempt(struct member *member)
{
    struct ledger *ledger = member->ledger;
    struct attempt attempt = {.ledger = ledger, .seed = check_random(&member->seed)};
    uint64_t random = check_random(&member->seed);
    int rc;

    attempt.n = 1 + random / 8 % ARMS;
    for (size_t i = 0; i < attempt.n; i++)
        draw_arm(&attempt, i);
    if (!ledger->stormy || !member->is_task || random % 8 > 3) {
        rc = select_some(&attempt);
    } else if (random % 8 == 3) {
        rc = weft_timeout(weft_us((int64_t)(random / 64 % 99)), select_some, &attempt);
    } else {
        weft_future future = weft_spawn(select_some, &attempt);
        for (uint64_t i = random / 64 % 3; i > 0; i--)
            let_others_run();
        (void)weft_cancel(future);
        rc = weft_await(future);
    }
    if (rc == -ECANCELED || rc == -ETIMEDOUT)
        atomic_fetch_add(&ledger->cut, 1);
    else if (rc != 0)
        atomic_fetch_add(&ledger->wrong, 1);
}

/* A thread that blocks is slow where the machine is busy: it and the job do a twentieth of a task's. */
static int selects_of(const struct ledger *ledger, bool is_task)
{
    return is_task ? ledger->each : ledger->each / 20;
}

static int work(void *arg)
{
    struct member *member = arg;

    for (int i = selects_of(member->ledger, member->is_task); i > 0; i--) {
        attempt(member);
        check_progress();
    }
    atomic_fetch_sub(&member->ledger->working, 1);
    return 0;
}

/* Never waits, so that somebody always sends, receives and sets what the others wait for. */
static int pump(struct ledger *ledger)
{
    struct item item = item_of(PUMPED);

    while (atomic_load(&ledger->working) > 0) {
        bool was_useful = false;

        for (int i = 0; i < CHANNELS; i++) {
            struct item got;
            int index = weft_try_select(NULL, weft_on_send(&ledger->channel[i], &item),
                                        weft_on_receive(&ledger->channel[i], &got));
            was_useful |= index >= 0;
            if (index == 0)
                atomic_fetch_add(&ledger->pumped, 1);
            else if (index == 1)
                receive(ledger, &got);
        }
        if (!was_useful)
            (void)sched_yield(); /* always 0 on Linux; for the thread and the job */
        weft_event_set(&ledger->event);
        weft_event_clear(&ledger->event);
        let_others_run();
    }
    return 0;
}

static void *work_in_thread(void *arg)
{
    struct ledger *ledger = arg;

    (void)work(&(struct member){ledger, ledger->seed + TASKS + 1, false}); /* the ledger tells */
    return NULL;
}

static int work_together(void *arg)
{
    struct ledger *ledger = arg;
    weft_future future[TASKS + 1];
    weft_promise promise;

    ledger->never = weft_promise_new(&promise);
    for (uint64_t i = 0; i < TASKS; i++)
        future[i] = weft_spawn_val(work, ((struct member){ledger, ledger->seed + i, true}));
    future[TASKS] =
        weft_offload_val(weft_cpu(), work, ((struct member){ledger, ledger->seed + TASKS, false}));
    if (pthread_create(&ledger->thread, NULL, work_in_thread, ledger) != 0)
        abort(); /* the others would wait for it */
    int rc = pump(ledger);
    if (rc == 0)
        rc = weft_gather_n(future, TASKS + 1, NULL);
    (void)weft_promise_set(promise, 0);
    return rc < 0 ? rc : weft_await(ledger->never);
}

/* --- the ledger -------------------------------------------------------------------------------------- */

static void open_ledger(struct ledger *ledger)
{
    ledger->numbers = (uint64_t)ledger->each * MEMBERS * ARMS;
    ledger->working = MEMBERS;
    ledger->sent = calloc(ledger->numbers, 1);
    ledger->received = calloc(ledger->numbers, 1);
    assert_true(ledger->sent && ledger->received);
    for (int i = 0; i < CHANNELS; i++)
        assert_int_equal(weft_channel_init(&ledger->channel[i], sizeof(struct item), capacities[i]),
                         0);
}

/* Empties the channels; then both columns must agree. */
static void close_ledger(struct ledger *ledger)
{
    uint64_t sent = 0;
    struct item item;

    for (int i = 0; i < CHANNELS; i++) {
        assert_null(ledger->channel[i].weft__senders[0]);
        assert_null(ledger->channel[i].weft__receivers[0]);
        while (weft_try_receive(&ledger->channel[i], &item) == 1)
            receive(ledger, &item);
        weft_channel_destroy(&ledger->channel[i]);
    }
    assert_null(ledger->event.weft__waiters.first);
    for (uint64_t i = 0; i < ledger->numbers; i++) {
        assert_int_equal(ledger->received[i], ledger->sent[i]);
        assert_in_range(ledger->sent[i], 0, 1);
        sent += ledger->sent[i];
    }
    assert_int_equal(ledger->got, ledger->pumped);
    assert_int_equal(ledger->wrong, 0);
    assert_int_equal(ledger->done + ledger->cut,
                     TASKS * selects_of(ledger, true) + 2 * selects_of(ledger, false));
    assert_true(sent > 0);
    free((void *)(uintptr_t)ledger->sent);
    free((void *)(uintptr_t)ledger->received);
}

/* Both kinds of weather: a quarter of the selects for each number of workers. */
static void balance(bool stormy)
{
    const char *length = getenv("CHECK_STRESS");
    int selects = length && strcmp(length, "short") == 0 ? SELECTS / 100 : SELECTS;
    uint64_t seed = check_seed();

    CHECK_WORKERS(n) {
        struct ledger ledger = {.each = selects / 4 / TASKS + 1, .stormy = stormy, .seed = seed};

        open_ledger(&ledger);
        int rc = check_run(n, work_together, &ledger);
        assert_int_equal(pthread_join(ledger.thread, NULL), 0);
        assert_int_equal(rc, 0);
        close_ledger(&ledger);
    }
}

static void losing_arms_take_nothing_in_a_million_selects(void **state)
{
    (void)state;
    balance(false);
}

static void losing_arms_take_nothing_under_a_storm_of_cancels(void **state)
{
    (void)state;
    balance(true);
}

/* --- two that have nobody but each other ------------------------------------------------------------- */

/* Selects of each side in all runs; a hundredth of that when time is short. */
#define MEETINGS 40000

struct pair {
    weft_channel there, back;
    int each;
    int patience;                          /* spins */
    _Atomic uint64_t round[2];             /* where each side is */
    _Atomic uint64_t sent[2], received[2]; /* sums, by side */
};

struct side {
    struct pair *pair;
    int number;
};

/* Both begin most rounds at the same moment; but nobody waits long for one who is not there. */
static void begin_round(struct side *side, uint64_t round)
{
    struct pair *pair = side->pair;

    atomic_store(&pair->round[side->number], round);
    for (int i = 0; i < pair->patience && atomic_load(&pair->round[1 - side->number]) < round; i++)
        spin_pause();
}

/* Whatever the one can do, the other can take, in one way or the other; and nobody else helps. If they
 * miss each other at both channels at once and do not look again, both wait for ever. */
static int meet(void *arg)
{
    struct side *side = arg;
    struct pair *pair = side->pair;
    weft_channel *to = side->number ? &pair->back : &pair->there;
    weft_channel *from = side->number ? &pair->there : &pair->back;

    for (uint64_t i = 1; i <= (uint64_t)pair->each; i++) {
        uint64_t got = 0;

        begin_round(side, i);
        int index = weft_select(NULL, weft_on_send(to, &i), weft_on_receive(from, &got));
        if (index < 0)
            return index;
        atomic_fetch_add(index ? &pair->received[side->number] : &pair->sent[side->number],
                         index ? got : i);
        check_progress();
    }
    return 0;
}

static int meet_in_task_and_job(void *arg)
{
    return weft_gather(weft_spawn_val(meet, ((struct side){arg, 0})),
                       weft_offload_val(weft_cpu(), meet, ((struct side){arg, 1})));
}

static int meet_in_tasks(void *arg)
{
    return weft_gather(weft_spawn_val(meet, ((struct side){arg, 0})),
                       weft_spawn_val(meet, ((struct side){arg, 1})));
}

static void two_selects_that_meet_nobody_else_never_miss_each_other_for_good(void **state)
{
    const char *length = getenv("CHECK_STRESS");
    int meetings = length && strcmp(length, "short") == 0 ? MEETINGS / 100 : MEETINGS;

    (void)state;
    CHECK_WORKERS(n) {
        for (int with_job = 0; with_job < 2; with_job++) {
            struct pair pair = {.there = WEFT_CHANNEL_INIT_RENDEZVOUS(uint64_t),
                                .back = WEFT_CHANNEL_INIT_RENDEZVOUS(uint64_t),
                                .each = meetings / 8,
                                .patience = n > 1 || with_job ? 5000 : 0};

            int rc = check_run(n, with_job ? meet_in_task_and_job : meet_in_tasks, &pair);

            assert_int_equal(rc, 0);
            assert_int_equal(pair.sent[0], pair.received[1]);
            assert_int_equal(pair.sent[1], pair.received[0]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(losing_arms_take_nothing_in_a_million_selects),
        cmocka_unit_test(losing_arms_take_nothing_under_a_storm_of_cancels),
        cmocka_unit_test(two_selects_that_meet_nobody_else_never_miss_each_other_for_good),
    };
    return CHECK_GROUP(tests);
}
