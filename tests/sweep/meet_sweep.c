/*
 * meet_sweep - read-write locks, limiters, barriers, onces, wait groups, broadcasts and watches: who
 * is cancelled there keeps nothing, and holds nobody up.
 */
#include "scene.h"

/* --- read-write lock --------------------------------------------------------------------------------- */

static int reads(void *lock)
{
    int rc = CUT(weft_read_lock_cancellable(lock));

    if (rc < 0)
        return rc;
    rc = goes_inside(3);
    (void)HOLDS(weft_read_unlock(lock) == 0);
    return rc;
}

static int writes(void *lock)
{
    int rc = CUT(weft_write_lock_cancellable(lock));

    if (rc < 0)
        return rc;
    rc = goes_inside(1);
    (void)HOLDS(weft_write_unlock(lock) == 0);
    return rc;
}

static int writes_for_sure(void *lock)
{
    weft_write_lock(lock);
    int rc = goes_inside(1);
    (void)HOLDS(weft_write_unlock(lock) == 0);
    return rc;
}

static int read_write_lock(void *arg)
{
    weft_rwlock lock = WEFT_RWLOCK_INIT;
    weft_scope scope;

    (void)arg;
    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    sweep_task_in(&scope, reads, &lock);
    sweep_task_in(&scope, reads, &lock);
    sweep_task_in(&scope, writes, &lock);
    sweep_task_in(&scope, reads, &lock);
    sweep_task_in(&scope, writes_for_sure, &lock);
    sweep_task_in(&scope, writes, &lock);
    rc = CUT(weft_scope_close(&scope, 0));
    (void)HOLDS(weft_try_write_lock(&lock) == 0 && weft_write_unlock(&lock) == 0);
    return rc;
}

/* --- limiter ------------------------------------------------------------------------------------------ */

static int is_limited(void *limiter)
{
    int rc = CUT(weft_limiter_enter(limiter));

    if (rc < 0)
        return rc;
    rc = goes_inside(2);
    (void)HOLDS(weft_limiter_leave(limiter) == 0);
    return rc;
}

static int limiter_of_two(void *arg)
{
    weft_limiter limiter;
    int rc = weft_limiter_init(&limiter, 1);

    (void)arg;
    if (rc < 0)
        return rc;
    weft_future early = sweep_task(is_limited, &limiter);
    int grown = weft_limiter_set(&limiter, 2);
    (void)HOLDS(grown == 0);
    rc = in_a_scope(4, is_limited, &limiter);
    int early_rc = weft_await(early);
    (void)HOLDS(weft_limiter_try_enter(&limiter) == 0 && weft_limiter_leave(&limiter) == 0);
    weft_limiter_destroy(&limiter);
    return rc < 0 ? rc : CUT(early_rc);
}

/* --- barrier, once, wait group ------------------------------------------------------------------------- */

static int meets_twice(void *barrier)
{
    int rc = CUT(weft_barrier_wait(barrier));

    return rc < 0 ? rc : CUT(weft_barrier_wait(barrier));
}

/* Who does not come holds up the others: a gather ends them. */
static int barrier_of_three(void *arg)
{
    weft_barrier barrier = WEFT_BARRIER_INIT(3);

    (void)arg;
    return CUT(weft_gather(sweep_task(meets_twice, &barrier), sweep_task(meets_twice, &barrier),
                           sweep_task(meets_twice, &barrier)));
}

struct beginning {
    weft_once once;
    _Atomic int tries, done;
};

static int begins(void *arg)
{
    struct beginning *beginning = arg;
    bool is_first = atomic_fetch_add(&beginning->tries, 1) == 0;
    int rc = is_first ? weft_yield() : weft_sleep(weft_us(20));

    if (is_first)
        return rc < 0 ? rc : -EIO; /* so that the turn passes on */
    if (rc == 0)
        atomic_fetch_add(&beginning->done, 1);
    return rc;
}

static int needs_the_beginning(void *arg)
{
    struct beginning *beginning = arg;
    int rc = weft_once_run(&beginning->once, begins, beginning);

    (void)HOLDS(beginning->done <= 1 && (rc < 0 || beginning->done == 1));
    return rc == -EIO ? 0 : CUT(rc);
}

static int once_for_all(void *arg)
{
    struct beginning beginning = {.once = WEFT_ONCE_INIT};

    (void)arg;
    return in_a_scope(4, needs_the_beginning, &beginning);
}

static int is_waited_for(void *group)
{
    int rc = CUT(weft_sleep(weft_us(20)));

    atomic_fetch_add(&books.left, 1);
    (void)HOLDS(weft_wait_group_done(group) == 0);
    return rc;
}

static int wait_group_of_three(void *arg)
{
    weft_wait_group group = WEFT_WAIT_GROUP_INIT;
    weft_scope scope;

    (void)arg;
    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    (void)HOLDS(weft_wait_group_add(&group, 3) == 0);
    atomic_fetch_add(&books.entered, 3);
    for (int i = 0; i < 3; i++)
        sweep_task_in(&scope, is_waited_for, &group);
    rc = CUT(weft_wait_group_wait(&group));
    (void)HOLDS(rc < 0 || books.left == 3);
    return CUT(weft_scope_close(&scope, rc));
}

/* --- broadcast, watch ------------------------------------------------------------------------------------ */

#define VALUES 5

struct hearer {
    weft_listener listener;
};

static int hears(void *arg)
{
    struct hearer *hearer = arg;
    uint64_t lost = 0, all = 0;
    int value, rc;

    while ((rc = weft_listener_next(&hearer->listener, &value, &lost)) == 1) {
        all += 1 + lost;
        (void)HOLDS(value == (int)all); /* the values are 1, 2, ... */
    }
    (void)HOLDS(rc < 0 || all == (uint64_t)books.given);
    return CUT(rc);
}

static int speaks(void *arg)
{
    weft_broadcast *broadcast = arg;
    int rc = 0;

    for (int i = 1; i <= VALUES && rc == 0; i++) {
        (void)HOLDS(weft_broadcast_send(broadcast, &i) == 0);
        atomic_fetch_add(&books.given, 1);
        atomic_fetch_add(&books.spilt, 1); /* nobody owns it */
        if (i % 2)
            rc = CUT(weft_yield());
    }
    weft_broadcast_close(broadcast);
    return rc;
}

static int broadcast_to_two(void *arg)
{
    weft_broadcast broadcast;
    struct hearer hearers[2];
    weft_scope scope;
    int rc = weft_broadcast_init(&broadcast, sizeof(int), 2);

    (void)arg;
    if (rc < 0)
        return rc;
    for (int i = 0; i < 2; i++)
        weft_listener_init(&hearers[i].listener, &broadcast);
    rc = weft_scope_open(&scope);
    if (rc == 0) {
        sweep_task_in(&scope, hears, &hearers[0]);
        sweep_task_in(&scope, speaks, &broadcast);
        sweep_task_in(&scope, hears, &hearers[1]);
        rc = CUT(weft_scope_close(&scope, 0));
    }
    weft_broadcast_destroy(&broadcast);
    return rc;
}

static int watches(void *arg)
{
    weft_watch *watch = arg;
    uint64_t version = 0;
    int value = 0, last = 0, rc;

    while ((rc = weft_watch_changed(watch, &version, &value)) == 1) {
        (void)HOLDS(value > last && value == (int)version);
        last = value;
    }
    (void)HOLDS(rc < 0 || last == books.spilt);
    return CUT(rc);
}

static int changes(void *arg)
{
    weft_watch *watch = arg;
    int rc = 0;

    for (int i = 1; i <= VALUES && rc == 0; i++) {
        (void)HOLDS(weft_watch_set(watch, &i) == 0);
        atomic_fetch_add(&books.given, 1);
        atomic_fetch_add(&books.spilt, 1); /* as above */
        if (i % 2)
            rc = CUT(weft_yield());
    }
    weft_watch_close(watch);
    return rc;
}

static int watch_of_two(void *arg)
{
    int value = 0;
    weft_watch watch = WEFT_WATCH_INIT(value);
    weft_scope scope;

    (void)arg;
    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    sweep_task_in(&scope, watches, &watch);
    sweep_task_in(&scope, changes, &watch);
    sweep_task_in(&scope, watches, &watch);
    return CUT(weft_scope_close(&scope, 0));
}

static void no_reading_or_writing_stays_locked(void **state) { SWEEP(read_write_lock); }
static void no_place_of_a_limiter_is_lost(void **state) { SWEEP(limiter_of_two); }
static void who_meets_at_a_barrier_goes_on(void **state) { SWEEP(barrier_of_three); }
static void what_is_done_once_is_done_once(void **state) { SWEEP(once_for_all); }
static void who_waits_for_a_group_goes_on(void **state) { SWEEP(wait_group_of_three); }
static void who_listens_hears_all_or_how_many_not(void **state) { SWEEP(broadcast_to_two); }
static void who_watches_sees_the_latest(void **state) { SWEEP(watch_of_two); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_reading_or_writing_stays_locked),
        cmocka_unit_test(no_place_of_a_limiter_is_lost),
        cmocka_unit_test(who_meets_at_a_barrier_goes_on),
        cmocka_unit_test(what_is_done_once_is_done_once),
        cmocka_unit_test(who_waits_for_a_group_goes_on),
        cmocka_unit_test(who_listens_hears_all_or_how_many_not),
        cmocka_unit_test(who_watches_sees_the_latest),
    };

    return SWEEP_GROUP(tests);
}
