/*
 * circles_test - many that lock, await and gather at once: every circle is told once, and nothing
 * else is.
 *
 * Who is told lets go of all and tries again. A circle that nobody were told of would stop the test for
 * good.
 */
#include "circle.h"

#define LOCKS 64

struct storm {
    weft_mutex mutex[LOCKS];
    int value[LOCKS]; /* under the mutex of that number */
    uint64_t seed;
    _Atomic long locked;
    _Atomic int told, wrong, reports, circles;
    _Atomic int planted, lines; /* circles made on purpose, and their reports */
};

struct visitor {
    struct storm *storm;
    uint64_t seed;
    int above; /* locks greater numbers only */
    int depth; /* of its family; or which of many it is */
};

static void count_report(void *context, const char *sentence)
{
    struct storm *storm = context;

    atomic_fetch_add(&storm->reports, 1);
    if (strstr(sentence, " a circle"))
        atomic_fetch_add(&storm->circles, 1);
}

static int run_storm(int workers, weft_fn fn, struct storm *storm)
{
    const weft_options options = {
        .workers = workers, .report = count_report, .report_context = storm};

    check_progress();
    int rc = weft_run_with(&options, fn, storm);
    check_progress();
    return rc;
}

/* Whoever held a lock has added one to its value. */
static long sum_of_values(const struct storm *storm)
{
    long sum = 0;

    for (int i = 0; i < LOCKS; i++)
        sum += storm->value[i];
    return sum;
}

static int visit(void *arg);

/* Waits, in one of several ways, for children that lock greater numbers only. */
static int with_children(struct visitor *visitor, int above)
{
    weft_future child[3];
    weft_scope scope;
    uint64_t random = check_random(&visitor->seed);
    struct visitor next = {visitor->storm, random, above, visitor->depth + 1};

    if (random % 3 == 0) {
        if (weft_scope_open(&scope) < 0)
            return -EPROTO;
        for (int i = 0; i < 3; i++, next.seed++)
            (void)weft_scope_spawn_val(&scope, visit, next);
        return weft_scope_close(&scope, 0);
    }
    for (int i = 0; i < 3; i++, next.seed++)
        child[i] = weft_spawn_val(visit, next);
    if (random % 3 == 1)
        return weft_gather_n(child, 3, NULL);
    int rc = weft_wait(child[0]);
    for (int i = 0; i < 3; i++) {
        int status = weft_await(child[i]);

        rc = rc < 0 ? rc : status;
    }
    return rc;
}

/* Locks up to three, in ascending order, so that no circle can be; lets others run; has children. */
static int visit(void *arg)
{
    struct visitor *visitor = arg;
    struct storm *storm = visitor->storm;
    int held[3], count = 0, rc = 0;

    for (int at = visitor->above; count < 3 && rc == 0; count++) {
        at += 1 + (int)(check_random(&visitor->seed) % 12);
        if (at >= LOCKS)
            break;
        held[count] = at;
        if (check_random(&visitor->seed) % 4 == 0)
            weft_lock(&storm->mutex[at]);
        else
            rc = weft_lock_cancellable(&storm->mutex[at]);
        if (rc < 0)
            break;
        storm->value[at]++;
        atomic_fetch_add(&storm->locked, 1);
        if (check_random(&visitor->seed) % 4 == 0)
            (void)!weft_yield();
        else if (check_random(&visitor->seed) % 8 == 0)
            (void)!weft_sleep(1);
    }
    if (rc == 0 && visitor->depth < 2 && check_random(&visitor->seed) % 4 == 0)
        rc = with_children(visitor, count ? held[count - 1] : visitor->above);
    while (count-- > 0)
        if (weft_unlock(&storm->mutex[held[count]]) < 0)
            atomic_fetch_add(&storm->wrong, 1);
    check_progress();
    return rc;
}

#define HEALTHY 10000

/* Makes circles of philosophers while the others visit. */
static int plant(void *arg)
{
    struct storm *storm = arg;
    int sizes[] = {2, 5, 3};

    for (int i = 0; i < 30; i++) {
        struct round round = {.size = sizes[i % 3], .is_void = i % 2};
        int told = 0;

        int rc = dine(&round);
        for (int j = 0; j < round.size; j++)
            told += round.rc[j] == -EDEADLK;
        if (rc < 0 || told != 1)
            atomic_fetch_add(&storm->wrong, 1);
        atomic_fetch_add(&storm->planted, 1);
        atomic_fetch_add(&storm->lines, 1 + round.size);
    }
    return 0;
}

static int visit_often(void *arg)
{
    struct storm *storm = arg;
    weft_future task[100];
    weft_future planter = weft_spawn(plant, storm);

    for (int left = HEALTHY; left > 0; left -= 100) {
        for (int i = 0; i < 100; i++)
            task[i] =
                weft_spawn_val(visit, ((struct visitor){storm, check_random(&storm->seed), -1, 0}));
        int rc = weft_gather_n(task, 100, NULL);
        if (rc < 0)
            return rc;
    }
    return weft_await(planter);
}

static void among_ten_thousand_tasks_that_lock_in_order_only_true_circles_are_told(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        static struct storm storm;

        memset(&storm, 0, sizeof storm);
        storm.seed = seed;
        int rc = run_storm(n, visit_often, &storm);

        assert_int_equal(rc, 0);
        assert_int_equal(storm.wrong, 0);
        assert_int_equal(storm.circles, storm.planted);
        assert_int_equal(storm.reports, storm.lines);
        assert_int_equal(sum_of_values(&storm), storm.locked);
    }
}

#define PATIENT       12
#define PATIENT_LOCKS 6
#define PATIENT_TURNS 500

/* Locks three of six in ascending order, over and over: who let go of a lock a moment ago may wait for
 * one that a waiter of that lock holds. */
static int lock_in_order(void *arg)
{
    struct visitor *visitor = arg;
    struct storm *storm = visitor->storm;

    for (int turn = 0; turn < PATIENT_TURNS; turn++) {
        int held[PATIENT_LOCKS], count = 0, rc = 0;

        for (int at = 0; at < PATIENT_LOCKS && rc == 0; at++) {
            uint64_t random = check_random(&visitor->seed);

            if (random % 2)
                continue;
            rc = weft_lock_cancellable(&storm->mutex[at]);
            if (rc < 0)
                break;
            held[count++] = at;
            storm->value[at]++;
            atomic_fetch_add(&storm->locked, 1);
            if (random / 2 % 4 == 0)
                (void)!weft_yield();
        }
        while (count-- > 0)
            if (weft_unlock(&storm->mutex[held[count]]) < 0)
                atomic_fetch_add(&storm->wrong, 1);
        if (rc < 0)
            return rc;
        check_progress();
    }
    return 0;
}

static int lock_many_in_order(void *arg)
{
    struct storm *storm = arg;
    weft_future task[PATIENT];

    for (int i = 0; i < PATIENT; i++)
        task[i] = weft_spawn_val(lock_in_order,
                                 ((struct visitor){storm, check_random(&storm->seed), -1, 0}));
    return weft_gather_n(task, PATIENT, NULL);
}

static void a_chain_whose_parts_held_at_different_times_is_no_circle(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        static struct storm storm;

        memset(&storm, 0, sizeof storm);
        storm.seed = seed;
        int rc = run_storm(n, lock_many_in_order, &storm);

        assert_int_equal(rc, 0);
        assert_int_equal(storm.wrong, 0);
        assert_int_equal(storm.reports, 0);
    }
}

#define GREEDY       12
#define GREEDY_LOCKS 5
#define GREEDY_TURNS 500

static int lock_now(void *mutex) { return weft_lock_cancellable(mutex); }

/* Mostly as long as it takes; sometimes the time is short. One of them, and no other, or a circle could
 * have none that can answer, also uses weft_lock: then it is another's wait that is ended. */
static int lock_somehow(struct visitor *visitor, int at)
{
    uint64_t random = check_random(&visitor->seed);

    if (visitor->depth == 0 && random % 2) {
        weft_lock(&visitor->storm->mutex[at]);
        return 0;
    }

    if (random % 4)
        return weft_lock_cancellable(&visitor->storm->mutex[at]);
    return weft_timeout(weft_us((int64_t)(random / 4 % 50)), lock_now, &visitor->storm->mutex[at]);
}

/* Locks three of five in any order; when told, lets go of all and tries again. A circle that nobody
 * were told of would stop the test for good. */
static int grab(void *arg)
{
    struct visitor *visitor = arg;
    struct storm *storm = visitor->storm;

    for (int turn = 0; turn < GREEDY_TURNS;) {
        int held[3], count = 0, rc = 0;

        while (count < 3 && rc == 0) {
            int at = (int)(check_random(&visitor->seed) % GREEDY_LOCKS);
            bool is_mine = false;

            for (int i = 0; i < count; i++)
                is_mine |= held[i] == at;
            if (is_mine)
                continue;
            rc = lock_somehow(visitor, at);
            if (rc < 0)
                break;
            held[count++] = at;
            storm->value[at]++;
            atomic_fetch_add(&storm->locked, 1);
            if (check_random(&visitor->seed) % 2)
                (void)!weft_yield();
        }
        while (count-- > 0)
            if (weft_unlock(&storm->mutex[held[count]]) < 0)
                atomic_fetch_add(&storm->wrong, 1);
        if (rc == -EDEADLK)
            atomic_fetch_add(&storm->told, 1);
        else if (rc < 0 && rc != -ETIMEDOUT)
            return rc;
        else
            turn++;
        check_progress();
    }
    return 0;
}

static int grab_many(void *arg)
{
    struct storm *storm = arg;
    weft_future task[GREEDY];

    for (int i = 0; i < GREEDY; i++)
        task[i] =
            weft_spawn_val(grab, ((struct visitor){storm, check_random(&storm->seed), -1, i}));
    return weft_gather_n(task, GREEDY, NULL);
}

static void tasks_that_lock_in_any_order_all_come_through(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        static struct storm storm;

        memset(&storm, 0, sizeof storm);
        storm.seed = seed;
        int rc = run_storm(n, grab_many, &storm);

        assert_int_equal(rc, 0);
        assert_int_equal(storm.wrong, 0);
        assert_true(storm.told > 0);
        assert_int_equal(storm.circles, storm.told); /* one circle, one answer */
        assert_int_equal(sum_of_values(&storm), storm.locked);
    }
}

/* A parent holds a lock that some of its children want, by weft_lock, so that the parent is told. */
#define FAMILY   6
#define FAMILIES 50

struct family {
    struct storm *storm;
    int lock;
    uint64_t seed;
    _Atomic int ended;
};

struct child {
    struct family *family;
    uint64_t seed;
};

static int grow_up(void *arg)
{
    struct child *child = arg;
    struct family *family = child->family;
    uint64_t random = check_random(&child->seed);

    for (uint64_t i = random / 8 % 4; i > 0; i--)
        (void)!weft_yield();
    if (random % 2) {
        weft_lock(&family->storm->mutex[family->lock]);
        family->storm->value[family->lock]++;
        (void)weft_unlock(&family->storm->mutex[family->lock]); /* it is ours */
        atomic_fetch_add(&family->storm->locked, 1);
    }
    atomic_fetch_add(&family->ended, 1);
    return (int)(random % 2);
}

static int raise(void *arg)
{
    struct visitor *visitor = arg;
    struct storm *storm = visitor->storm;

    for (int turn = 0; turn < FAMILIES; turn++) {
        struct family family = {.storm = storm, .lock = visitor->above};
        weft_future child[FAMILY];
        int status[FAMILY];

        weft_lock(&storm->mutex[family.lock]);
        for (int i = 0; i < FAMILY; i++)
            child[i] =
                weft_spawn_val(grow_up, ((struct child){&family, check_random(&visitor->seed)}));
        int rc = weft_gather_n(child, FAMILY, status);
        (void)weft_unlock(&storm->mutex[family.lock]); /* it is ours */
        if (rc == -EDEADLK) {
            atomic_fetch_add(&storm->told, 1);
            rc = weft_gather_settled_n(child, FAMILY, status);
        }
        if (rc < 0 || family.ended != FAMILY)
            atomic_fetch_add(&storm->wrong, 1);
        check_progress();
    }
    return 0;
}

static int raise_many(void *arg)
{
    struct storm *storm = arg;
    weft_future task[16];

    for (int i = 0; i < 16; i++) /* four for each lock: chains of families */
        task[i] =
            weft_spawn_val(raise, ((struct visitor){storm, check_random(&storm->seed), i / 4, 0}));
    return weft_gather_n(task, 16, NULL);
}

static void parents_that_are_told_lose_no_child(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        static struct storm storm;

        memset(&storm, 0, sizeof storm);
        storm.seed = seed;
        int rc = run_storm(n, raise_many, &storm);

        assert_int_equal(rc, 0);
        assert_int_equal(storm.wrong, 0);
        assert_true(storm.told > 0);
        assert_int_equal(storm.circles, storm.told);
        assert_int_equal(sum_of_values(&storm), storm.locked);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(among_ten_thousand_tasks_that_lock_in_order_only_true_circles_are_told),
        cmocka_unit_test(a_chain_whose_parts_held_at_different_times_is_no_circle),
        cmocka_unit_test(tasks_that_lock_in_any_order_all_come_through),
        cmocka_unit_test(parents_that_are_told_lose_no_child),
    };
    return CHECK_GROUP(tests);
}
