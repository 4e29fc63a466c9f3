/*
 * scope_move_test - deadlines that are moved while the scope is open, from any worker.
 */
#include <string.h>

#include <weft/testing.h>

#include "core/sys.h"
#include "tasks.h"

struct seen {
    int rc, second, third, fourth;
    bool flag;
    _Atomic int count, started, go;
    weft_scope scope, other;
};

static int opens_with_deadline(weft_scope *scope, weft_time deadline)
{
    return weft_scope_open_with(scope, &(weft_scope_options){.deadline = deadline});
}

static void passes_time_without_waiting(weft_time span)
{
    for (weft_time until = weft_now() + span; weft_now() < until;)
        ;
}

static int moves_it_nearer(void *arg)
{
    struct seen *seen = arg;

    atomic_store(&seen->started, 1);
    passes_time_without_waiting(weft_ms(2)); /* the owner's worker falls asleep, most likely */
    seen->second = weft_scope_deadline(&seen->scope, weft_now() + weft_ms(1));
    return 0;
}

static int waits_under_a_moved_deadline(void *arg)
{
    struct seen *seen = arg;

    seen->rc = opens_with_deadline(&seen->scope, weft_now() + weft_s(100000));
    (void)weft_scope_spawn(&seen->scope, moves_it_nearer, seen);
    while (atomic_load(&seen->go) && !atomic_load(&seen->started))
        ; /* holds its worker, so that another one takes the member */
    seen->third = weft_sleep(WEFT_FOREVER);
    seen->fourth = weft_scope_close(&seen->scope, seen->third);
    seen->flag = weft_scope_expired(&seen->scope);
    return weft_yield();
}

static void a_deadline_moved_nearer_by_a_member_ends_the_wait(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        atomic_store(&seen.go, n > 1);
        int rc = check_run(n, waits_under_a_moved_deadline, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.third, -ECANCELED);
        assert_int_equal(seen.fourth, -ETIMEDOUT);
        assert_true(seen.flag);
    }
}

static int moves_it_away(void *arg)
{
    struct seen *seen = arg;
    weft_time now = weft_now();

    seen->rc = opens_with_deadline(&seen->scope, now + weft_ms(200));
    seen->second = weft_scope_deadline(&seen->scope, now + weft_s(1000));
    seen->third = weft_sleep(weft_ms(250));
    seen->rc += weft_scope_deadline(&seen->scope, weft_now() + weft_ms(200));
    seen->second += weft_scope_deadline(&seen->scope, 0);
    seen->third += weft_sleep(weft_ms(250));
    seen->rc += weft_scope_deadline(&seen->scope, weft_now() + weft_ms(200));
    seen->second += weft_scope_deadline(&seen->scope, WEFT_FOREVER);
    seen->third += weft_sleep(weft_ms(250));
    seen->fourth = weft_scope_close(&seen->scope, 8);
    return weft_yield();
}

static void a_deadline_moved_away_or_taken_away_does_not_act(void **state)
{
    struct seen seen = {0};

    (void)state;
    assert_int_equal(weft_test_clock(0), 0);
    int rc = check_run(1, moves_it_away, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, 0);
    assert_int_equal(seen.third, 0);
    assert_int_equal(seen.fourth, 8);
}

static int gives_the_first_one(void *arg)
{
    struct seen *seen = arg;

    atomic_store(&seen->started, 1);
    seen->second = weft_scope_deadline(&seen->scope, weft_now() + weft_us(300));
    return weft_sleep(WEFT_FOREVER);
}

static int opens_without_deadline(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, gives_the_first_one, seen);
    seen->third = weft_scope_close(&seen->scope, 0);
    seen->flag = weft_scope_expired(&seen->scope);
    return weft_yield();
}

static void a_scope_can_be_given_its_first_deadline_while_open(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, opens_without_deadline, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.third, -ETIMEDOUT);
        assert_true(seen.flag);
    }
}

static int moves_it_into_the_past(void *arg)
{
    struct seen *seen = arg;

    seen->rc = opens_with_deadline(&seen->scope, weft_now() + weft_s(1000));
    seen->rc += weft_scope_deadline(&seen->scope, weft_now() - 1);
    seen->flag = weft_cancelled() && weft_scope_expired(&seen->scope);
    seen->second = weft_scope_deadline(&seen->scope, weft_now() + weft_s(1000)); /* too late */
    seen->second += weft_scope_deadline(&seen->scope, 0) == -EALREADY ? 0 : 1000;
    seen->third = weft_scope_close(&seen->scope, weft_yield());

    seen->rc += weft_scope_open(&seen->scope);
    seen->rc += weft_scope_deadline(&seen->scope, -1);
    seen->fourth = weft_scope_close(&seen->scope, weft_yield());
    return weft_yield();
}

static void a_deadline_moved_into_the_past_acts_at_once_and_stays(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, moves_it_into_the_past, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_true(seen.flag);
    assert_int_equal(seen.second, -EALREADY);
    assert_int_equal(seen.third, -ETIMEDOUT);
    assert_int_equal(seen.fourth, -ETIMEDOUT);
}

static int moves_what_cannot_be_moved(void *arg)
{
    struct seen *seen = arg;

    seen->rc = opens_with_deadline(&seen->scope, weft_now() + weft_s(1000));
    seen->rc += weft_scope_cancel(&seen->scope);
    seen->second = weft_scope_deadline(&seen->scope, weft_now() + weft_us(1));
    seen->rc += weft_scope_close(&seen->scope, 0);
    seen->third = weft_scope_deadline(&seen->scope, weft_now() + weft_us(1));
    seen->flag = weft_scope_expired(&seen->scope);
    return weft_yield();
}

static void the_deadline_of_a_cancelled_or_closed_scope_cannot_be_moved(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, moves_what_cannot_be_moved, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, -EALREADY);
    assert_int_equal(seen.third, -EINVAL);
    assert_false(seen.flag);
    assert_int_equal(weft_scope_deadline(&seen.scope, 1), -EPERM);
}

static int shields_with_a_moved_deadline(void *arg)
{
    struct seen *seen = arg;
    const weft_scope_options shield = {.shield = true, .deadline = weft_now() + weft_s(1000)};

    seen->rc = weft_scope_open(&seen->scope);
    seen->rc += weft_scope_open_with(&seen->other, &shield);
    seen->rc += weft_scope_cancel(&seen->scope);
    seen->second = weft_sleep(weft_us(100)); /* the outer cancel does not reach in */
    seen->rc += weft_scope_deadline(&seen->other, weft_now() + weft_us(300));
    seen->third = weft_scope_close(&seen->other, weft_sleep(WEFT_FOREVER));
    seen->fourth = weft_scope_close(&seen->scope, weft_yield());
    return weft_yield();
}

static void a_shields_own_deadline_acts_and_can_be_moved(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, shields_with_a_moved_deadline, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, 0);
    assert_int_equal(seen.third, -ETIMEDOUT);
    assert_int_equal(seen.fourth, -ECANCELED);
}

/* --- no memory ------------------------------------------------------------------------------- */

#define TIMERS_MOST 100

static int no_alloc(const char *call) { return strcmp(call, "alloc") == 0 ? -ENOMEM : 0; }

/* Fills the heap of timers until it would have to grow. Returns how many scopes are open. */
static int fills_the_timers(weft_scope *scopes)
{
    int count = 0;

    weft__sys_fault = no_alloc;
    while (count < TIMERS_MOST &&
           opens_with_deadline(&scopes[count], weft_now() + weft_s(1000)) == 0)
        count++;
    return count;
}

static int moves_without_memory(void *arg)
{
    struct seen *seen = arg;
    static weft_scope scopes[TIMERS_MOST];

    seen->rc = weft_scope_open(&seen->scope);
    seen->rc += opens_with_deadline(&seen->other, weft_now() + weft_s(1000));
    int count = fills_the_timers(scopes);
    seen->second = weft_scope_deadline(&seen->scope, weft_now() + weft_s(1000));
    seen->third = weft_scope_cancel_soft(&seen->scope, weft_us(1));
    seen->flag = weft_scope_cancelled(&seen->scope) || weft_cancelled();
    seen->fourth = weft_scope_deadline(&seen->other, weft_now() + weft_s(2000)); /* needs none */
    weft__sys_fault = NULL;
    seen->rc += count < TIMERS_MOST ? 0 : -EPROTO;
    while (count-- > 0)
        seen->rc += weft_scope_close(&scopes[count], 0);
    seen->rc += weft_scope_close(&seen->other, 0) + weft_scope_close(&seen->scope, 0);
    return weft_yield();
}

static void without_memory_a_first_timer_is_refused_and_a_move_succeeds(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, moves_without_memory, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.second, -ENOMEM);
    assert_int_equal(seen.third, -ENOMEM);
    assert_false(seen.flag); /* nothing happened */
    assert_int_equal(seen.fourth, 0);
}

/* --- many at once ---------------------------------------------------------------------------- */

#define MOVERS 8
#define MOVES  300

static int moves_it_to_and_fro(void *arg)
{
    struct seen *seen = arg;
    uint64_t seed = (uint64_t)atomic_fetch_add(&seen->started, 1) + 1;

    for (int i = 0; i < MOVES; i++) {
        weft_time span = (weft_time)(check_random(&seed) % 2000000000u) + weft_s(100);
        int rc = weft_scope_deadline(&seen->scope, i % 7 == 3 ? 0 : weft_now() + span);

        if (rc < 0 || weft_yield() < 0)
            return -EPROTO;
        if (i % 5 == 0)
            rc = weft_timeout(weft_s(1000), yields, &(int){1}); /* others stand in the same heaps */
        if (rc < 0)
            return -EPROTO;
    }
    atomic_fetch_add(&seen->count, 1);
    return 0;
}

static int lets_many_move_it(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_scope_open(&seen->scope);
    for (int i = 0; i < MOVERS; i++)
        (void)weft_scope_spawn(&seen->scope, moves_it_to_and_fro, seen);
    while (atomic_load(&seen->count) < MOVERS && !weft_cancelled())
        if (weft_sleep(weft_us(50)) < 0)
            break;
    seen->second = weft_scope_deadline(&seen->scope, weft_now() + weft_us(100));
    seen->third = weft_sleep(WEFT_FOREVER);
    seen->fourth = weft_scope_close(&seen->scope, seen->third);
    return weft_yield();
}

static void many_tasks_move_one_deadline_and_the_last_counts(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, lets_many_move_it, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.count, MOVERS);
        assert_int_equal(seen.second, 0);
        assert_int_equal(seen.fourth, -ETIMEDOUT);
    }
}

static int races_the_firing(void *arg)
{
    struct seen *seen = arg;

    for (;;) {
        int rc = weft_scope_deadline(&seen->scope, weft_now() + weft_us(20));

        atomic_fetch_add(&seen->count, 1);
        if (rc == -EALREADY)
            return 0;
        if (rc < 0)
            return rc;
        passes_time_without_waiting(weft_us(atomic_load(&seen->count) % 40));
        (void)!weft_yield(); /* goes on until the deadline was quicker */
    }
}

static int lets_them_race(void *arg)
{
    struct seen *seen = arg;

    for (int round = 0; round < 50; round++) {
        seen->rc += opens_with_deadline(&seen->scope, weft_now() + weft_us(20));
        for (int i = 0; i < 3; i++)
            (void)weft_scope_spawn(&seen->scope, races_the_firing, seen);
        seen->second += weft_scope_close(&seen->scope, 0) == -ETIMEDOUT;
        seen->third += weft_scope_expired(&seen->scope);
    }
    return weft_yield();
}

static void a_deadline_that_fires_while_it_is_moved_acts_once(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, lets_them_race, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.third, 50);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deadline_moved_nearer_by_a_member_ends_the_wait),
        cmocka_unit_test(a_deadline_moved_away_or_taken_away_does_not_act),
        cmocka_unit_test(a_scope_can_be_given_its_first_deadline_while_open),
        cmocka_unit_test(a_deadline_moved_into_the_past_acts_at_once_and_stays),
        cmocka_unit_test(the_deadline_of_a_cancelled_or_closed_scope_cannot_be_moved),
        cmocka_unit_test(a_shields_own_deadline_acts_and_can_be_moved),
        cmocka_unit_test(without_memory_a_first_timer_is_refused_and_a_move_succeeds),
        cmocka_unit_test(many_tasks_move_one_deadline_and_the_last_counts),
        cmocka_unit_test(a_deadline_that_fires_while_it_is_moved_acts_once),
    };

    return CHECK_GROUP(tests);
}
