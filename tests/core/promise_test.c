/*
 * promise_test - futures that somebody fulfils: once, from anywhere, and whoever waits agrees.
 */
#include <pthread.h>
#include <sched.h>

#include "core/future.h"
#include "core/runtime.h"
#include "tasks.h"

struct seen {
    int rc, second, third;
    weft_promise promise;
    weft_future future;
    _Atomic int won, wrong, go;
};

static void *fulfils(void *arg)
{
    struct seen *seen = arg;

    seen->second = weft_promise_set(seen->promise, 12);
    seen->third = weft_promise_set(seen->promise, 13);
    return NULL;
}

static int awaits_a_promise(void *arg)
{
    struct seen *seen = arg;
    pthread_t thread;
    weft_future future = weft_promise_new(&seen->promise);

    if (pthread_create(&thread, NULL, fulfils, seen) != 0)
        return -EAGAIN;
    seen->rc = weft_await(future);
    (void)pthread_join(thread, NULL); /* fails only for a wrong thread */
    return 0;
}

static void a_thread_fulfils_a_promise_once(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, awaits_a_promise, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 12);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.third, -EALREADY);
    }
}

static int drops_a_promise(void *arg)
{
    struct seen *seen = arg;
    weft_future future = weft_promise_new(&seen->promise);

    seen->second = weft_promise_drop(seen->promise);
    seen->third = weft_promise_set(seen->promise, 0);
    seen->rc = weft_await(future);
    return 0;
}

static void a_dropped_promise_is_epipe(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, drops_a_promise, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -EPIPE);
    assert_int_equal(seen.second, 0);
    assert_int_equal(seen.third, -EALREADY);
}

static int cancels_a_promise(void *arg)
{
    struct seen *seen = arg;
    weft_future future = weft_promise_new(&seen->promise);

    seen->second = weft_cancel(future);
    seen->third = weft_promise_set(seen->promise, 0);
    seen->rc = weft_await(future);
    return 0;
}

static void a_cancelled_promise_is_ecanceled_and_cannot_be_set(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, cancels_a_promise, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -ECANCELED);
    assert_int_equal(seen.second, 0);
    assert_int_equal(seen.third, -EALREADY);
}

static int cancels_a_kept_promise(void *arg)
{
    struct seen *seen = arg;
    weft_future future = weft_promise_new(&seen->promise);

    seen->second = weft_promise_set(seen->promise, 4);
    seen->third = weft_cancel(future);
    seen->rc = weft_await(future);
    return 0;
}

static void a_promise_that_was_set_keeps_its_status_through_a_cancel(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, cancels_a_kept_promise, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 4);
    assert_int_equal(seen.second, 0);
    assert_int_equal(seen.third, 0);
}

static int sets_a_consumed_promise(void *arg)
{
    struct seen *seen = arg;
    weft_future future = weft_promise_new(&seen->promise);

    seen->rc = weft_detach(future);
    seen->second = weft_promise_set(seen->promise, 4);
    seen->third = weft_promise_set(seen->promise, 4);
    return weft_promise_set((weft_promise){0, 0}, 1);
}

static void a_detached_promise_can_still_be_set_once_and_a_void_one_never(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, sets_a_consumed_promise, &seen);

    assert_int_equal(rc, -EINVAL);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, 0);
    assert_int_equal(seen.third, -EALREADY);
}

static void a_promise_outside_any_runtime_is_void(void **state)
{
    weft_promise promise = {1, 1};

    (void)state;
    int rc = weft_await(weft_promise_new(&promise));

    assert_true(rc == -ENXIO || rc == -ESHUTDOWN);
    assert_int_equal(promise.slot, 0);
    assert_int_equal(weft_promise_set(promise, 0), -EINVAL);
}

#define ROUNDS 6000

/* Two threads in step: one set against another, or against a cancel, while a third thread watches. */
struct race {
    _Atomic uint32_t step; /* how often a racer has come to the line */
    weft_promise promise;
    weft_future future;
    int answers[2];    /* what each was told */
    bool cancels;      /* the second one cancels */
    _Atomic int heard; /* by the watcher of this round */
    _Atomic uint32_t watching, has_heard;
    _Atomic bool over;
    int wrong;
};

/* Goes on when both have come so often. */
static void line_up(struct race *race)
{
    uint32_t until = (atomic_fetch_add(&race->step, 1) / 2 + 1) * 2;

    for (int i = 0; atomic_load(&race->step) < until; i++)
        if (i > 500)
            (void)sched_yield(); /* always 0 on Linux */
}

static void sets(struct race *race, int number)
{
    line_up(race);
    if (number == 1 && race->cancels)
        race->answers[number] = weft_cancel(race->future);
    else
        race->answers[number] = weft_promise_set(race->promise, number);
    line_up(race);
}

static void *races_on(void *arg)
{
    for (int round = 0; round < ROUNDS; round++)
        sets(arg, 1);
    return NULL;
}

/* Looks inside, since no public call tells: returns when the watcher stands in the list. */
static void until_watched(weft_future handle)
{
    struct runtime *runtime;
    struct future *future = NULL;
    uint64_t state = 0;

    if (weft__runtime_enter(&runtime) < 0)
        return;
    while (weft__future_find(runtime, handle, &future, &state) == 0 && !(state & FUTURE_WATCHED))
        (void)sched_yield(); /* always 0 on Linux */
    weft__runtime_leave(runtime);
}

static void *hears(void *arg)
{
    struct race *race = arg;

    for (uint32_t round = 2; round <= ROUNDS; round += 2) {
        while (atomic_load(&race->watching) < round && !atomic_load(&race->over))
            (void)sched_yield(); /* always 0 on Linux */
        if (atomic_load(&race->over))
            break;
        atomic_store(&race->heard, weft_wait(race->future));
        atomic_store(&race->has_heard, round);
    }
    return NULL;
}

/* Whether the answers, the status and what the watcher heard fit together. */
static bool fits(const struct race *race, int status, int heard)
{
    if (heard != status)
        return false;
    if (race->cancels)
        return status == -ECANCELED ? race->answers[0] == -EALREADY
                                    : status == 0 && race->answers[0] == 0;
    return race->answers[status == 1] == 0 && race->answers[status != 1] == -EALREADY;
}

static int races(struct race *race)
{
    pthread_t other, watcher;

    if (pthread_create(&other, NULL, races_on, race) != 0)
        return -EAGAIN;
    if (pthread_create(&watcher, NULL, hears, race) != 0)
        return -EAGAIN;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        bool watched = round % 2 == 0;
        int heard, status;

        check_progress();
        race->future = weft_promise_new(&race->promise);
        if (watched) {
            atomic_store(&race->watching, round);
            until_watched(race->future);
        }
        sets(race, 0);
        status = heard = weft_wait(race->future);
        while (watched && atomic_load(&race->has_heard) < round)
            (void)sched_yield(); /* always 0 on Linux */
        if (watched)
            heard = atomic_load(&race->heard);
        race->wrong += !fits(race, weft_await(race->future), heard) || status != heard;
    }
    atomic_store(&race->over, true);
    (void)pthread_join(other, NULL); /* fails only for a wrong thread */
    (void)pthread_join(watcher, NULL);
    return 0;
}

static void assert_that_one_wins(bool cancels)
{
    const weft_options options = {.workers = 1};
    struct race race = {.cancels = cancels};

    assert_int_equal(weft_start(&options), 0);
    int rc = races(&race);
    assert_int_equal(weft_stop(), 0);

    assert_int_equal(rc, 0);
    assert_int_equal(race.wrong, 0);
}

static void of_two_threads_that_set_one_promise_one_wins(void **state)
{
    (void)state;
    assert_that_one_wins(false);
}

static void of_set_and_cancel_one_wins(void **state)
{
    (void)state;
    assert_that_one_wins(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_promise_outside_any_runtime_is_void),
        cmocka_unit_test(a_thread_fulfils_a_promise_once),
        cmocka_unit_test(a_dropped_promise_is_epipe),
        cmocka_unit_test(a_cancelled_promise_is_ecanceled_and_cannot_be_set),
        cmocka_unit_test(a_promise_that_was_set_keeps_its_status_through_a_cancel),
        cmocka_unit_test(a_detached_promise_can_still_be_set_once_and_a_void_one_never),
        cmocka_unit_test(of_two_threads_that_set_one_promise_one_wins),
        cmocka_unit_test(of_set_and_cancel_one_wins),
    };

    return CHECK_GROUP(tests);
}
