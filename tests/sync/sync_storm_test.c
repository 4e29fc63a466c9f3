/*
 * sync_storm_test - permits, locks and notifies under a storm of cancels: nothing lost, nothing
 * doubled.
 */
#include <errno.h>

#include "check.h"
#include "waiting.h"

#define VISITORS 16
#define VISITS   100
#define PERMITS  3

struct storm {
    weft_sem sem;
    weft_mutex mutex;
    weft_cond cond;
    uint64_t seed;
    _Atomic int inside, too_many;
    _Atomic int done; /* visits that came through, as the visitors count them */
    int seen;         /* the same, counted under the mutex */
    int tokens;       /* under the mutex: each was notified once */
    bool over;        /* under the mutex */
};

struct visitor {
    struct storm *storm;
    uint64_t seed;
};

/* Runs fn(storm) and cuts it short at a random moment: by time-out or by cancel. */
static int cut_short(weft_fn fn, struct visitor *visitor)
{
    uint64_t random = check_random(&visitor->seed);

    check_progress();
    if (random % 2)
        return weft_timeout(weft_us((int64_t)(random % 97)), fn, visitor->storm);

    weft_future future = weft_spawn(fn, visitor->storm);

    for (uint64_t i = random / 2 % 5; i > 0; i--)
        let_others_run();
    (void)weft_cancel(future);
    return weft_await(future);
}

/* Through the gate for three, and then through the one for one. */
static int visit(void *arg)
{
    struct storm *storm = arg;

    int rc = weft_sem_acquire(&storm->sem);
    if (rc < 0)
        return rc;
    if (atomic_fetch_add(&storm->inside, 1) >= PERMITS)
        atomic_fetch_add(&storm->too_many, 1);
    rc = weft_lock_cancellable(&storm->mutex);
    if (rc == 0) {
        int seen = storm->seen;
        let_others_run();
        storm->seen = seen + 1;
        atomic_fetch_add(&storm->done, 1);
        rc = weft_unlock(&storm->mutex);
    }
    atomic_fetch_sub(&storm->inside, 1);
    if (weft_sem_release(&storm->sem) < 0)
        atomic_fetch_add(&storm->too_many, 1);
    return rc;
}

static int visit_often(void *arg)
{
    struct visitor *visitor = arg;

    for (int i = 0; i < VISITS; i++) {
        int rc = i % 4 == 0 ? visit(visitor->storm) : cut_short(visit, visitor);
        if (rc < 0 && rc != -ETIMEDOUT && rc != -ECANCELED)
            return rc;
    }
    return 0;
}

static int visits(void *arg)
{
    struct storm *storm = arg;
    weft_future future[VISITORS];

    for (uint64_t i = 0; i < VISITORS; i++)
        future[i] = weft_spawn_val(visit_often, ((struct visitor){storm, storm->seed + i}));
    return weft_gather_n(future, VISITORS, NULL);
}

static void permits_and_lock_are_all_there_after_a_storm_of_cancels(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        struct storm storm = {.sem = WEFT_SEM_INIT(PERMITS), .seed = seed};

        int rc = check_run(n, visits, &storm);

        assert_int_equal(rc, 0);
        assert_int_equal(storm.too_many, 0);
        assert_int_equal(storm.seen, storm.done);
        assert_in_range(storm.done, VISITORS * VISITS / 4, VISITORS * VISITS);
        for (int i = 0; i < PERMITS; i++)
            assert_int_equal(weft_sem_try_acquire(&storm.sem), 0);
        assert_int_equal(weft_sem_try_acquire(&storm.sem), -EAGAIN);
        assert_int_equal(weft_try_lock(&storm.mutex), 0);
    }
}

/* Waits for a token until there is one or all is over; goes on waiting if another was faster. */
static int take_tokens(void *arg)
{
    struct storm *storm = arg;
    int rc = 0;

    weft_lock(&storm->mutex);
    while (!storm->over) {
        while (storm->tokens == 0 && !storm->over && rc == 0)
            rc = weft_cond_wait(&storm->cond, &storm->mutex);
        if (rc < 0)
            break; /* without a look at the tokens: a notify must not have been for us */
        storm->seen += storm->tokens > 0;
        storm->tokens -= storm->tokens > 0;
    }
    (void)weft_unlock(&storm->mutex); /* it is ours */
    return rc;
}

static int take_impatiently(void *arg)
{
    struct visitor *visitor = arg;
    int rc;

    do {
        rc = cut_short(take_tokens, visitor);
    } while (rc == -ETIMEDOUT || rc == -ECANCELED);
    return rc;
}

/* Lays tokens down one by one, each time with one notify, and waits until all have been taken: for
 * ever, if a notify went to somebody who left. */
static int give_tokens(struct storm *storm)
{
    bool left = true;

    for (int i = 0; i < 10 * VISITS; i++) {
        weft_lock(&storm->mutex);
        storm->tokens++;
        weft_cond_notify(&storm->cond);
        int rc = weft_unlock(&storm->mutex);
        if (rc < 0)
            return rc;
        if (i % 3 == 0)
            let_others_run();
        check_progress();
    }
    while (left) {
        let_others_run();
        weft_lock(&storm->mutex);
        left = storm->tokens > 0;
        (void)weft_unlock(&storm->mutex); /* it is ours */
    }
    weft_lock(&storm->mutex);
    storm->over = true;
    weft_cond_notify_all(&storm->cond);
    return weft_unlock(&storm->mutex);
}

static int tokens(void *arg)
{
    struct storm *storm = arg;
    weft_future future[8];

    for (uint64_t i = 0; i < 8; i++)
        future[i] =
            i < 2 ? weft_spawn(take_tokens, storm)
                  : weft_spawn_val(take_impatiently, ((struct visitor){storm, storm->seed + i}));
    int rc = give_tokens(storm);
    return rc < 0 ? rc : weft_gather_n(future, 8, NULL);
}

static void no_notify_is_lost_in_a_storm_of_cancels(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        struct storm storm = {.seed = seed};

        int rc = check_run(n, tokens, &storm);

        assert_int_equal(rc, 0);
        assert_int_equal(storm.tokens, 0);
        assert_int_equal(storm.seen, 10 * VISITS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(permits_and_lock_are_all_there_after_a_storm_of_cancels),
        cmocka_unit_test(no_notify_is_lost_in_a_storm_of_cancels),
    };
    return CHECK_GROUP(tests);
}
