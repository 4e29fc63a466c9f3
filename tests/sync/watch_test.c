/*
 * watch_test - the latest value, and the moment when it changes.
 */
#include <errno.h>
#include <pthread.h>

#include "check.h"
#include "waiting.h"

#define MANY (2 * WAITLIST_BATCH + 7)

/* Two halves that belong together: a torn copy would show. */
struct pair {
    int64_t one, two;
};

static int set_pair(weft_watch *watch, int64_t value)
{
    struct pair pair = {value, -value};

    return weft_watch_set(watch, &pair);
}

static void the_first_value_is_there_and_has_version_zero(void **state)
{
    struct pair value = {3, -3}, seen;
    weft_watch watch = WEFT_WATCH_INIT(value);
    uint64_t version = weft_watch_get(&watch, &seen);

    (void)state;
    assert_int_equal(version, 0);
    assert_int_equal(seen.one, 3);
    assert_int_equal(weft_watch_get(&watch, NULL), 0);
}

static void a_change_that_came_before_is_not_waited_for(void **state)
{
    struct pair value = {0}, seen;
    weft_watch watch;
    uint64_t version = 0;

    (void)state;
    weft_watch_init(&watch, &value, sizeof value);
    assert_int_equal(set_pair(&watch, 1), 0);
    assert_int_equal(set_pair(&watch, 2), 0);

    assert_int_equal(weft_watch_changed(&watch, &version, &seen), 1);
    assert_int_equal(version, 2); /* the first change is skipped */
    assert_int_equal(seen.one, 2);
    assert_int_equal(set_pair(&watch, 3), 0);
    assert_int_equal(weft_watch_changed(&watch, &version, NULL), 1);
    assert_int_equal(version, 3);
}

static void after_the_close_the_last_value_comes_and_then_the_end(void **state)
{
    struct pair value = {0}, seen;
    weft_watch watch = WEFT_WATCH_INIT(value);
    uint64_t version = 0;

    (void)state;
    assert_int_equal(set_pair(&watch, 1), 0);
    weft_watch_close(&watch);

    assert_int_equal(set_pair(&watch, 2), -EPIPE);
    assert_int_equal(weft_watch_changed(&watch, &version, &seen), 1);
    assert_int_equal(seen.one, 1);
    assert_int_equal(weft_watch_changed(&watch, &version, &seen), 0);
    assert_int_equal(weft_watch_get(&watch, &seen), 1);
}

struct audience {
    weft_watch watch;
    struct pair value;
    weft_future future[MANY];
    int status[MANY];
    int64_t seen[MANY];
    _Atomic int count;
};

struct seat {
    struct audience *audience;
    int number;
};

/* One change, and the end. */
static int see_one(void *arg)
{
    struct seat *seat = arg;
    struct audience *audience = seat->audience;
    struct pair pair = {0};
    uint64_t version = 0;

    int rc = weft_watch_changed(&audience->watch, &version, &pair);
    audience->seen[seat->number] = pair.one;
    if (rc == 1)
        atomic_fetch_add(&audience->count, 1);
    if (rc == 1 && weft_watch_changed(&audience->watch, &version, &pair) != 0)
        rc = -EBADMSG;
    return rc;
}

static int change_and_close(void *arg)
{
    struct audience *audience = arg;

    for (int i = 0; i < MANY; i++)
        audience->future[i] = weft_spawn_val(see_one, ((struct seat){audience, i}));
    until_waiting(MANY, &audience->watch.weft__waiters);
    (void)weft_cancel(audience->future[0]);
    (void)!weft_wait(audience->future[0]); /* its status comes below */
    until_waiting(MANY - 1, &audience->watch.weft__waiters);
    for (int i = 3; i < MANY; i += 3)
        (void)weft_cancel(audience->future[i]);
    int rc = set_pair(&audience->watch, 42);
    while (atomic_load(&audience->count) != MANY - (MANY + 2) / 3)
        let_others_run();
    weft_watch_close(&audience->watch);
    for (int i = 0; i < MANY; i++)
        audience->status[i] = weft_await(audience->future[i]);
    return rc;
}

static void who_waits_is_woken_by_a_change_by_the_close_and_by_a_cancel(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct audience audience = {.count = 0};

        weft_watch_init(&audience.watch, &audience.value, sizeof audience.value);
        int rc = check_run(n, change_and_close, &audience);

        assert_int_equal(rc, 0);
        for (int i = 0; i < MANY; i++) {
            assert_int_equal(audience.status[i], i % 3 == 0 ? -ECANCELED : 1);
            assert_int_equal(audience.seen[i], i % 3 == 0 ? 0 : 42);
        }
    }
}

static int look_when_cancelled(void *arg)
{
    struct pair seen = {-1, 0};
    uint64_t version = 0;

    (void)weft_cancel(weft_self());
    int rc = weft_watch_changed(arg, &version, &seen);
    return rc == -ECANCELED && version == 0 && seen.one == -1 ? 0 : -EBADMSG;
}

static void a_cancelled_task_sees_no_change_although_there_is_one(void **state)
{
    struct pair value = {0};
    weft_watch watch = WEFT_WATCH_INIT(value);

    (void)state;
    assert_int_equal(set_pair(&watch, 1), 0);
    assert_int_equal(check_run(1, look_when_cancelled, &watch), 0);
}

/* Two tasks change it, watchers of all kinds follow: no value is torn, versions only grow, and all see
 * the last one. */
#define CHANGES 1500

struct fair {
    weft_watch watch;
    struct pair value;
    _Atomic int wrong;
};

static int follow(void *arg)
{
    struct fair *fair = arg;
    struct pair pair = {0};
    uint64_t version = 0, before = 0;
    int rc;

    while ((rc = weft_watch_changed(&fair->watch, &version, &pair)) == 1) {
        if (version <= before || pair.one != -pair.two)
            atomic_fetch_add(&fair->wrong, 1);
        before = version;
    }
    if (rc != 0 || version != (uint64_t)2 * CHANGES)
        atomic_fetch_add(&fair->wrong, 1);
    return 0;
}

static void *follow_in_thread(void *arg)
{
    (void)follow(arg);
    return NULL;
}

static int change_often(void *arg)
{
    struct fair *fair = arg;

    for (int i = 1; i <= CHANGES; i++) {
        int rc = set_pair(&fair->watch, i);
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
    weft_future eyes[4];

    for (int i = 0; i < 3; i++)
        eyes[i] = weft_spawn(follow, fair);
    eyes[3] = weft_offload(weft_cpu(), follow, fair);
    int rc = weft_gather(weft_spawn(change_often, fair), weft_spawn(change_often, fair));
    weft_watch_close(&fair->watch);
    int end = weft_gather_n(eyes, 4, NULL);
    return rc < 0 ? rc : end;
}

static void nobody_sees_half_a_value_and_all_see_the_last(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct fair fair = {.wrong = 0};
        pthread_t thread;

        weft_watch_init(&fair.watch, &fair.value, sizeof fair.value);
        assert_int_equal(pthread_create(&thread, NULL, follow_in_thread, &fair), 0);
        int rc = check_run(n, hold_fair, &fair);
        assert_int_equal(pthread_join(thread, NULL), 0);

        assert_int_equal(rc, 0);
        assert_int_equal(fair.wrong, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_value_is_there_and_has_version_zero),
        cmocka_unit_test(a_change_that_came_before_is_not_waited_for),
        cmocka_unit_test(after_the_close_the_last_value_comes_and_then_the_end),
        cmocka_unit_test(who_waits_is_woken_by_a_change_by_the_close_and_by_a_cancel),
        cmocka_unit_test(a_cancelled_task_sees_no_change_although_there_is_one),
        cmocka_unit_test(nobody_sees_half_a_value_and_all_see_the_last),
    };
    return CHECK_GROUP(tests);
}
