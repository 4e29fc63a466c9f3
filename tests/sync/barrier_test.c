/*
 * barrier_test - a line that opens when all have come, again and again, whoever gives up.
 */
#include <errno.h>
#include <pthread.h>

#include "check.h"
#include "waiting.h"

#define MANY (2 * WAITLIST_BATCH + 7)

static void a_barrier_needs_parties(void **state)
{
    weft_barrier barrier = {0};

    (void)state;
    assert_int_equal(weft_barrier_wait(&barrier), -EINVAL);
    assert_int_equal(weft_barrier_init(&barrier, 0), -EINVAL);
    assert_int_equal(weft_barrier_init(&barrier, WEFT_MEET_MAX + 1), -EINVAL);
}

static void a_barrier_for_one_is_always_open(void **state)
{
    weft_barrier barrier = WEFT_BARRIER_INIT(1);

    (void)state;
    assert_int_equal(weft_barrier_wait(&barrier), 0);
    assert_int_equal(weft_barrier_wait(&barrier), 0);
}

/* Up to MANY tasks come one after the other. */
struct line {
    weft_barrier barrier;
    int count;
    _Atomic int passed;
    int rc[MANY];
    weft_future future[MANY];
    int seen[4]; /* what a program wants to tell the test */
};

struct place {
    struct line *line;
    int number;
};

static int come(void *arg)
{
    struct place *place = arg;

    place->line->rc[place->number] = weft_barrier_wait(&place->line->barrier);
    atomic_fetch_add(&place->line->passed, 1);
    return 0;
}

static void form_line(struct line *line)
{
    for (int i = 0; i < line->count; i++) {
        line->future[i] = weft_spawn_val(come, ((struct place){line, i}));
        until_waiting(i + 1, &line->barrier.weft__waiters);
    }
}

static int come_last(void *arg)
{
    struct line *line = arg;

    form_line(line);
    line->seen[0] = atomic_load(&line->passed);
    line->seen[1] = weft_barrier_wait(&line->barrier);
    return weft_gather_n(line->future, (size_t)line->count, NULL);
}

static void all_go_on_when_the_last_has_come_each_with_its_number(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.barrier = WEFT_BARRIER_INIT(MANY + 1), .count = MANY};

        int rc = check_run(n, come_last, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.seen[0], 0);
        assert_int_equal(line.seen[1], MANY);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(line.rc[i], i);
    }
}

/* Three wait for a fourth; the second is cancelled. With the next who comes there are three again. */
static int replace_a_cancelled_one(void *arg)
{
    struct line *line = arg;

    form_line(line);
    (void)weft_cancel(line->future[1]);
    (void)!weft_wait(line->future[1]); /* its own rc tells */
    line->future[3] = weft_spawn_val(come, ((struct place){line, 3}));
    until_waiting(3, &line->barrier.weft__waiters);
    line->seen[0] = atomic_load(&line->passed);
    line->seen[1] = weft_barrier_wait(&line->barrier);
    return weft_gather_n(line->future, 4, NULL);
}

static void who_is_cancelled_has_not_come(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.barrier = WEFT_BARRIER_INIT(4), .count = 3};

        int rc = check_run(n, replace_a_cancelled_one, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc[1], -ECANCELED);
        assert_int_equal(line.seen[0], 1); /* nobody but the cancelled one has returned */
        assert_int_equal(line.rc[0], 0);
        assert_int_equal(line.rc[2], 1);
        assert_int_equal(line.rc[3], 2);
        assert_int_equal(line.seen[1], 3);
    }
}

/* The same, but with one worker the cancelled one has not run since, when the next comes. */
static int come_right_after_the_cancel(void *arg)
{
    struct line *line = arg;

    form_line(line);
    (void)weft_cancel(line->future[1]);
    line->future[3] = weft_spawn_val(come, ((struct place){line, 3}));
    line->seen[1] = weft_barrier_wait(&line->barrier);
    return weft_gather_n(line->future, 4, NULL);
}

static void who_was_cancelled_just_before_has_not_come_either(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.barrier = WEFT_BARRIER_INIT(4), .count = 3};

        int rc = check_run(n, come_right_after_the_cancel, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc[0], 0);
        assert_int_equal(line.rc[1], -ECANCELED);
        assert_int_equal(line.rc[2], 1);
        assert_int_equal(line.rc[3] + line.seen[1], 2 + 3);
    }
}

static int come_when_cancelled(void *arg)
{
    struct line *line = arg;

    line->future[0] = weft_spawn_val(come, ((struct place){line, 0}));
    until_waiting(1, &line->barrier.weft__waiters);
    (void)weft_cancel(weft_self());
    line->seen[0] = weft_barrier_wait(&line->barrier);
    line->seen[1] =
        line_length(&line->barrier.weft__waiters.lock, &line->barrier.weft__waiters.first);
    line->seen[2] = weft_await(line->future[0]); /* cancelled with the one who awaits it */
    return 0;
}

static void a_cancelled_task_does_not_open_the_line_although_it_is_the_last(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.barrier = WEFT_BARRIER_INIT(2)};

        int rc = check_run(n, come_when_cancelled, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.seen[0], -ECANCELED);
        assert_int_equal(line.seen[1], 1);
        assert_int_equal(line.rc[0], -ECANCELED);
    }
}

/* The last comes, and one of the others is cancelled, at the same moment. Either all have passed, or
 * that one has not, and the others wait for one more. */
static int cancel_last(void *arg) { return weft_cancel(((struct line *)arg)->future[MANY - 2]); }

static int come_as_last(void *arg)
{
    struct line *line = arg;

    return come(&(struct place){line, MANY - 1});
}

static int open_against_cancel(void *arg)
{
    struct line *line = arg;

    for (int round = 0; round < 150; round++) {
        check_progress();
        form_line(line);
        line->future[MANY - 1] = weft_spawn(come_as_last, line);
        weft_future cancel = weft_spawn(cancel_last, line);
        if (round % 3 == 0)
            let_others_run();
        (void)!weft_wait(line->future[MANY - 2]); /* its own rc tells */
        if (line->rc[MANY - 2] == -ECANCELED)
            line->rc[MANY - 2] = weft_barrier_wait(&line->barrier); /* in its place */
        int rc = weft_await(cancel);
        int end = weft_gather_n(line->future, MANY, NULL);
        if (rc < 0 || end < 0)
            return -EBADMSG;
        for (int i = 0; i < MANY - 2; i++) {
            if (line->rc[i] != i)
                return -EBADMSG;
        }
        if (line->rc[MANY - 2] + line->rc[MANY - 1] != MANY - 2 + MANY - 1)
            return -EBADMSG;
    }
    return 0;
}

static void a_cancel_as_the_line_opens_stops_nobody_or_itself_only(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.barrier = WEFT_BARRIER_INIT(MANY), .count = MANY - 1};

        assert_int_equal(check_run(n, open_against_cancel, &line), 0);
    }
}

/* More than are woken at once, who come again at once. */
static int come_often(void *arg)
{
    struct line *line = arg;

    for (int round = 0; round < 60; round++) {
        int rc = weft_barrier_wait(&line->barrier);
        if (rc < 0)
            return rc;
        atomic_fetch_add(&line->passed, rc);
    }
    return 0;
}

static int come_all_often(void *arg)
{
    struct line *line = arg;

    for (int i = 0; i < MANY; i++)
        line->future[i] = weft_spawn(come_often, line);
    return weft_gather_n(line->future, MANY, NULL);
}

static void who_comes_again_while_others_are_still_being_woken_waits_anew(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.barrier = WEFT_BARRIER_INIT(MANY)};

        int rc = check_run(n, come_all_often, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.passed, 60 * (MANY * (MANY - 1) / 2));
    }
}

/* Tasks, a job and a plain thread in step, round after round: nobody is ever a round ahead. */
#define PARTIES 6
#define ROUNDS  200

struct march {
    weft_barrier barrier;
    _Atomic int steps[PARTIES];
    _Atomic int out_of_step, firsts, lasts;
};

struct walker {
    struct march *march;
    int number;
};

static int walk(struct march *march, int number)
{
    for (int round = 1; round <= ROUNDS; round++) {
        atomic_store(&march->steps[number], round);
        int rc = weft_barrier_wait(&march->barrier);
        if (rc < 0)
            return rc;
        atomic_fetch_add(&march->firsts, rc == 0);
        atomic_fetch_add(&march->lasts, rc == PARTIES - 1);
        for (int i = 0; i < PARTIES; i++) {
            int step = atomic_load(&march->steps[i]);
            if (step < round || step > round + 1)
                atomic_fetch_add(&march->out_of_step, 1);
        }
        check_progress();
    }
    return 0;
}

static int walk_as_task(void *arg)
{
    struct walker *walker = arg;

    return walk(walker->march, walker->number);
}

static int walk_as_job(void *arg) { return walk(arg, 4); }

static void *walk_as_thread(void *arg) { return walk(arg, 5) == 0 ? arg : NULL; }

static int walk_as_all(void *arg)
{
    weft_future future[5];

    for (int i = 0; i < 4; i++)
        future[i] = weft_spawn_val(walk_as_task, ((struct walker){arg, i}));
    future[4] = weft_offload(weft_cpu(), walk_as_job, arg);
    return weft_gather_n(future, 5, NULL);
}

static void tasks_jobs_and_threads_keep_in_step(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct march march = {.barrier = WEFT_BARRIER_INIT(PARTIES)};
        pthread_t thread;
        void *done;

        assert_int_equal(pthread_create(&thread, NULL, walk_as_thread, &march), 0);
        int rc = check_run(n, walk_as_all, &march);
        assert_int_equal(pthread_join(thread, &done), 0);

        assert_int_equal(rc, 0);
        assert_non_null(done);
        assert_int_equal(march.out_of_step, 0);
        assert_int_equal(march.firsts, ROUNDS);
        assert_int_equal(march.lasts, ROUNDS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_barrier_needs_parties),
        cmocka_unit_test(a_barrier_for_one_is_always_open),
        cmocka_unit_test(all_go_on_when_the_last_has_come_each_with_its_number),
        cmocka_unit_test(who_is_cancelled_has_not_come),
        cmocka_unit_test(who_was_cancelled_just_before_has_not_come_either),
        cmocka_unit_test(a_cancelled_task_does_not_open_the_line_although_it_is_the_last),
        cmocka_unit_test(a_cancel_as_the_line_opens_stops_nobody_or_itself_only),
        cmocka_unit_test(who_comes_again_while_others_are_still_being_woken_waits_anew),
        cmocka_unit_test(tasks_jobs_and_threads_keep_in_step),
    };
    return CHECK_GROUP(tests);
}
