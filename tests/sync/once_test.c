/*
 * once_test - done once, by one, and tried again by the next if it failed.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "waiting.h"

#define WAITERS 5

static int count_and_give_seven(void *count)
{
    atomic_fetch_add((_Atomic int *)count, 1);
    return 7;
}

static int count_and_fail(void *count)
{
    atomic_fetch_add((_Atomic int *)count, 1);
    return -EIO;
}

static void it_runs_once_and_all_get_its_status(void **state)
{
    weft_once once = WEFT_ONCE_INIT;
    _Atomic int count = 0;

    (void)state;
    assert_int_equal(weft_once_run(&once, count_and_give_seven, &count), 7);
    assert_int_equal(weft_once_run(&once, count_and_give_seven, &count), 7);
    assert_int_equal(weft_once_run(&once, count_and_fail, &count), 7);
    assert_int_equal(count, 1);
}

static void a_failed_run_is_told_and_the_next_caller_tries_again(void **state)
{
    weft_once once = {0};
    _Atomic int count = 0;

    (void)state;
    assert_int_equal(weft_once_run(&once, count_and_fail, &count), -EIO);
    assert_int_equal(weft_once_run(&once, count_and_give_seven, &count), 7);
    assert_int_equal(count, 2);
}

static int run_it_inside(void *once)
{
    _Atomic int count = 0;

    return weft_once_run(once, count_and_give_seven, &count);
}

static int run_it_in_itself(void *once)
{
    return weft_once_run(once, run_it_inside, once) == -EDEADLK ? 0 : -EBADMSG;
}

static void who_runs_it_inside_itself_is_told(void **state)
{
    weft_once once = WEFT_ONCE_INIT;

    (void)state;
    assert_int_equal(check_run(1, run_it_in_itself, &once), 0);
    assert_int_equal(run_it_in_itself(&once), 0);
}

/* The second's turn comes when the first has failed: it is as much the runner as the first was, and
 * the first is so no longer. */
struct pair {
    weft_once once;
    _Atomic int runs;
};

static int fail_when_the_other_waits(void *arg)
{
    struct pair *pair = arg;

    atomic_fetch_add(&pair->runs, 1);
    until_waiting(1, &pair->once.weft__waiters);
    return -EIO;
}

static int fail_and_come_again(void *arg)
{
    struct pair *pair = arg;

    if (weft_once_run(&pair->once, fail_when_the_other_waits, pair) != -EIO)
        return -EBADMSG;
    return weft_once_run(&pair->once, count_and_fail, &pair->runs); /* the other's turn has come */
}

static int take_over(void *arg)
{
    struct pair *pair = arg;
    weft_future first = weft_spawn(fail_and_come_again, pair);

    while (atomic_load(&pair->runs) == 0)
        let_others_run();
    int rc = weft_once_run(&pair->once, run_it_in_itself, &pair->once);
    int end = weft_await(first);
    return rc < 0 ? rc : end;
}

static void so_is_one_whose_turn_has_come(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct pair pair = {.runs = 0};

        assert_int_equal(check_run(n, take_over, &pair), 0);
    }
}

/* The first runs until it is told how to end; the others queue behind it. */
struct line {
    weft_once once;
    weft_event may_end;
    int plan[WAITERS]; /* how the run of each ends */
    _Atomic int runs;
    int ran[WAITERS]; /* who ran first, second, ... */
    int rc[WAITERS];
    weft_future future[WAITERS];
};

struct place {
    struct line *line;
    int number;
};

static int run_as_planned(void *arg)
{
    struct place *place = arg;
    struct line *line = place->line;

    line->ran[atomic_fetch_add(&line->runs, 1)] = place->number;
    int rc = weft_event_wait(&line->may_end);
    return rc < 0 ? rc : line->plan[place->number];
}

static int come(void *arg)
{
    struct place *place = arg;

    place->line->rc[place->number] = weft_once_run(&place->line->once, run_as_planned, place);
    return 0;
}

static void form_line(struct line *line)
{
    for (int i = 0; i < WAITERS; i++) {
        line->future[i] = weft_spawn_val(come, ((struct place){line, i}));
        until_waiting(i, &line->once.weft__waiters);
        while (atomic_load(&line->runs) == 0)
            let_others_run();
    }
}

static int end_the_run(void *arg)
{
    struct line *line = arg;

    form_line(line);
    weft_event_set(&line->may_end);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void the_others_wait_for_the_end_of_the_run(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.plan = {5}};

        int rc = check_run(n, end_the_run, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.runs, 1);
        for (int i = 0; i < WAITERS; i++)
            assert_int_equal(line.rc[i], 5);
    }
}

static void after_a_failure_the_first_who_waits_runs_its_own(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.plan = {-EIO, -ENOMEM, 3, -EIO, -EIO}};

        int rc = check_run(n, end_the_run, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.runs, 3);
        assert_int_equal(line.ran[1], 1);
        assert_int_equal(line.ran[2], 2);
        assert_int_equal(line.rc[0], -EIO);
        assert_int_equal(line.rc[1], -ENOMEM);
        assert_int_equal(line.rc[2], 3);
        assert_int_equal(line.rc[3], 3);
        assert_int_equal(line.rc[4], 3);
    }
}

static void after_all_have_failed_the_next_who_comes_tries(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.plan = {-1, -2, -3, -4, -5}};
        _Atomic int count = 0;

        int rc = check_run(n, end_the_run, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.runs, WAITERS);
        assert_int_equal(line.rc[4], -5);
        assert_int_equal(weft_once_run(&line.once, count_and_give_seven, &count), 7);
    }
}

static int cancel_runner_and_a_waiter(void *arg)
{
    struct line *line = arg;

    form_line(line);
    (void)weft_cancel(line->future[1]);
    (void)weft_cancel(line->future[0]);
    while (atomic_load(&line->runs) != 2)
        let_others_run();
    weft_event_set(&line->may_end);
    return weft_gather_n(line->future, WAITERS, NULL);
}

static void after_a_cancelled_run_the_first_who_is_not_cancelled_runs(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.plan = {-1, -2, 4, -4, -5}};

        int rc = check_run(n, cancel_runner_and_a_waiter, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.ran[1], 2);
        assert_int_equal(line.rc[0], -ECANCELED);
        assert_int_equal(line.rc[1], -ECANCELED);
        for (int i = 2; i < WAITERS; i++)
            assert_int_equal(line.rc[i], 4);
    }
}

static int come_when_cancelled(void *arg)
{
    struct line *line = arg;
    _Atomic int count = 0;

    (void)weft_cancel(weft_self());
    int before = weft_once_run(&line->once, count_and_give_seven, &count);
    atomic_store(&line->runs, atomic_load(&count));
    return before;
}

static void a_cancelled_task_runs_nothing(void **state)
{
    struct line line = {.plan = {0}};
    _Atomic int count = 0;

    (void)state;
    assert_int_equal(check_run(1, come_when_cancelled, &line), -ECANCELED);
    assert_int_equal(line.runs, 0);
    assert_int_equal(weft_once_run(&line.once, count_and_give_seven, &count), 7);
    assert_int_equal(check_run(1, come_when_cancelled, &line),
                     -ECANCELED); /* although it is done */
}

/* The run fails, and the one whose turn it then is gets cancelled, at the same moment. */
static int fail_it(void *arg)
{
    weft_event_set(&((struct line *)arg)->may_end);
    return 0;
}

static int cancel_it(void *arg) { return weft_cancel(((struct line *)arg)->future[1]); }

static int turn_against_cancel(void *arg)
{
    struct line *line = arg;

    for (int round = 0; round < 200; round++) {
        check_progress();
        line->once = (weft_once)WEFT_ONCE_INIT;
        weft_event_clear(&line->may_end);
        atomic_store(&line->runs, 0);
        form_line(line);

        bool cancel_first = round % 3 == 0;
        int rc = weft_gather(weft_spawn(cancel_first ? cancel_it : fail_it, line),
                             weft_spawn(cancel_first ? fail_it : cancel_it, line));
        int end = weft_gather_n(line->future, WAITERS, NULL);

        if (rc < 0 || end < 0)
            return -EBADMSG;
        for (int i = 2; i < WAITERS; i++) {
            if (line->rc[i] != 9)
                return -EBADMSG;
        }
    }
    return 0;
}

static void a_turn_given_to_a_cancelled_one_goes_to_the_next(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.plan = {-EIO, -EIO, 9, 9, 9}};

        assert_int_equal(check_run(n, turn_against_cancel, &line), 0);
    }
}

/* Tasks, jobs and a plain thread come at once, to a fresh once each time; the last frees it. */
#define ROUNDS  150
#define PARTIES 6

struct shared {
    weft_once *once;
    int made; /* by the run, and not atomic: who returns must see it */
    _Atomic int runs, left;
};

struct rush {
    struct shared shared[ROUNDS];
    _Atomic int wrong;
};

static int make(void *arg)
{
    struct shared *shared = arg;

    if (atomic_fetch_add(&shared->runs, 1) == 0)
        return -EAGAIN; /* the first run always fails */
    let_others_run();
    shared->made++;
    return 0;
}

static int rush_through(void *arg)
{
    struct rush *rush = arg;

    for (int i = 0; i < ROUNDS; i++) {
        struct shared *shared = &rush->shared[i];

        check_progress();
        while (weft_once_run(shared->once, make, shared) == -EAGAIN) {
        }
        if (shared->made != 1)
            atomic_fetch_add(&rush->wrong, 1);
        if (atomic_fetch_sub(&shared->left, 1) == 1)
            free(shared->once);
    }
    return 0;
}

static void *rush_in_thread(void *rush) { return rush_through(rush) == 0 ? rush : NULL; }

static int rush_all(void *rush)
{
    weft_future future[PARTIES - 1];

    for (int i = 0; i < PARTIES - 2; i++)
        future[i] = weft_spawn(rush_through, rush);
    future[PARTIES - 2] = weft_offload(weft_cpu(), rush_through, rush);
    return weft_gather_n(future, PARTIES - 1, NULL);
}

static void whoever_comes_it_is_made_once_and_all_see_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct rush *rush = calloc(1, sizeof *rush);
        pthread_t thread;
        void *done;

        assert_non_null(rush);
        for (int i = 0; i < ROUNDS; i++) {
            rush->shared[i].once = calloc(1, sizeof *rush->shared[i].once);
            rush->shared[i].left = PARTIES;
            assert_non_null(rush->shared[i].once);
        }
        assert_int_equal(pthread_create(&thread, NULL, rush_in_thread, rush), 0);
        int rc = check_run(n, rush_all, rush);
        assert_int_equal(pthread_join(thread, &done), 0);

        assert_int_equal(rc, 0);
        assert_non_null(done);
        assert_int_equal(rush->wrong, 0);
        for (int i = 0; i < ROUNDS; i++)
            assert_int_equal(rush->shared[i].runs, 2);
        free(rush);
    }
}

/* One does it, the other tries in vain until it finds it done, and frees it, while the one who has
 * done it may still be at work on it. */
#define FREED 1000

static int succeed(void *arg)
{
    (void)arg;
    return 0;
}

static int do_not(void *arg)
{
    (void)arg;
    return -EAGAIN;
}

static void *do_all(void *arg)
{
    for (weft_once **next = arg; *next; next++)
        (void)!weft_once_run(*next, succeed, NULL); /* not cancelled, so it succeeds */
    return NULL;
}

static int find_done_and_free(void *arg)
{
    for (weft_once **next = arg; *next; next++) {
        int rc;

        while ((rc = weft_once_run(*next, do_not, NULL)) == -EAGAIN) {
        }
        if (rc < 0)
            return rc;
        free(*next);
    }
    return 0;
}

static void who_finds_it_done_may_free_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_once *onces[FREED + 1] = {NULL};
        weft_once *freed[FREED + 1] = {NULL};
        pthread_t thread;

        for (int i = 0; i < FREED; i++) {
            onces[i] = freed[i] = calloc(1, sizeof *onces[i]);
            assert_non_null(onces[i]);
        }
        assert_int_equal(pthread_create(&thread, NULL, do_all, onces), 0);
        int rc = check_run(n, find_done_and_free, freed);
        assert_int_equal(pthread_join(thread, NULL), 0);

        assert_int_equal(rc, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_runs_once_and_all_get_its_status),
        cmocka_unit_test(a_failed_run_is_told_and_the_next_caller_tries_again),
        cmocka_unit_test(who_runs_it_inside_itself_is_told),
        cmocka_unit_test(so_is_one_whose_turn_has_come),
        cmocka_unit_test(the_others_wait_for_the_end_of_the_run),
        cmocka_unit_test(after_a_failure_the_first_who_waits_runs_its_own),
        cmocka_unit_test(after_all_have_failed_the_next_who_comes_tries),
        cmocka_unit_test(after_a_cancelled_run_the_first_who_is_not_cancelled_runs),
        cmocka_unit_test(a_cancelled_task_runs_nothing),
        cmocka_unit_test(a_turn_given_to_a_cancelled_one_goes_to_the_next),
        cmocka_unit_test(who_finds_it_done_may_free_it),
        cmocka_unit_test(whoever_comes_it_is_made_once_and_all_see_it),
    };
    return CHECK_GROUP(tests);
}
