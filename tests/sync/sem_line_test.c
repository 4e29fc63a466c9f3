/*
 * sem_line_test - who waits for several permits is served by arrival, whoever is cancelled.
 */
#include <errno.h>

#include "check.h"
#include "waiting.h"

#define MANY (3 * WAITLIST_BATCH + 1)

static int permits_left(weft_sem *sem)
{
    int count = 0;

    while (weft_sem_try_acquire(sem) == 0)
        count++;
    return count;
}

/* Up to MANY tasks queue for so many permits each, and keep what they get. */
struct line {
    weft_sem sem;
    _Atomic int arrived;
    int count;
    uint32_t wants[MANY];
    int order[MANY]; /* who got through first, second, ... */
    int rc[MANY];
    weft_future future[MANY];
    int seen[8]; /* what a program wants to tell the test */
};

struct place {
    struct line *line;
    int number;
};

static int take_some(void *arg)
{
    struct place *place = arg;
    struct line *line = place->line;

    int rc = weft_sem_acquire_n(&line->sem, line->wants[place->number]);
    line->rc[place->number] = rc;
    if (rc == 0)
        line->order[atomic_fetch_add(&line->arrived, 1)] = place->number;
    return 0;
}

static void form_line(struct line *line)
{
    for (int i = 0; i < line->count; i++) {
        line->future[i] = weft_spawn_val(take_some, ((struct place){line, i}));
        until_waiting(i + 1, &line->sem.weft__waiters);
    }
}

static void until_arrived(struct line *line, int count)
{
    while (atomic_load(&line->arrived) != count)
        let_others_run();
}

static int release_for_the_big_one(void *arg)
{
    struct line *line = arg;

    form_line(line);
    int rc = weft_sem_release_n(&line->sem, 2);
    line->seen[0] = line_length(&line->sem.weft__waiters.lock, &line->sem.weft__waiters.first);
    line->seen[1] = weft_sem_try_acquire(&line->sem);
    if (rc == 0)
        rc = weft_sem_release(&line->sem);
    until_arrived(line, 1);
    line->seen[2] = line_length(&line->sem.weft__waiters.lock, &line->sem.weft__waiters.first);
    if (rc == 0)
        rc = weft_sem_release_n(&line->sem, 2);
    int end = weft_gather_n(line->future, 3, NULL);
    return rc < 0 ? rc : end;
}

static void small_requests_wait_behind_a_big_one(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.sem = WEFT_SEM_INIT(0), .count = 3, .wants = {3, 1, 1}};

        int rc = check_run(n, release_for_the_big_one, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.seen[0], 3); /* two are free, and nobody got them */
        assert_int_equal(line.seen[1], -EAGAIN);
        assert_int_equal(line.seen[2], 2);
        assert_int_equal(line.order[0], 0);
        assert_int_equal(permits_left(&line.sem), 0);
    }
}

static int release_four(void *arg)
{
    struct line *line = arg;

    form_line(line);
    int rc = weft_sem_release_n(&line->sem, 4);
    until_arrived(line, 2);
    line->seen[0] = line_length(&line->sem.weft__waiters.lock, &line->sem.weft__waiters.first);
    line->seen[1] = weft_sem_try_acquire(&line->sem);
    if (rc == 0)
        rc = weft_sem_release(&line->sem);
    int end = weft_gather_n(line->future, 3, NULL);
    return rc < 0 ? rc : end;
}

static void a_release_of_several_wakes_as_many_as_fit(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.sem = WEFT_SEM_INIT(0), .count = 3, .wants = {1, 2, 2}};

        int rc = check_run(n, release_four, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.seen[0], 1);
        assert_int_equal(line.seen[1], -EAGAIN); /* the one that is free is the third's */
        assert_int_equal(line.order[2], 2);
        assert_int_equal(permits_left(&line.sem), 0);
    }
}

static int release_past_the_most(void *arg)
{
    struct line *line = arg;

    form_line(line);
    line->seen[0] = weft_sem_release_n(&line->sem, 4); /* two are free already */
    line->seen[1] = line_length(&line->sem.weft__waiters.lock, &line->sem.weft__waiters.first);
    int rc = weft_sem_release_n(&line->sem, 3);
    int end = weft_gather_n(line->future, 1, NULL);
    return rc < 0 ? rc : end;
}

static void a_release_past_the_most_changes_nothing_for_those_who_wait(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.sem = WEFT_SEM_INIT_MAX(2, 5), .count = 1, .wants = {5}};

        int rc = check_run(n, release_past_the_most, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.seen[0], -EOVERFLOW);
        assert_int_equal(line.seen[1], 1);
        assert_int_equal(permits_left(&line.sem), 0);
    }
}

static int cancel_the_head(void *arg)
{
    struct line *line = arg;

    form_line(line);
    (void)weft_cancel(line->future[0]);
    int rc = weft_gather_n(line->future, (size_t)line->count, NULL);
    return rc;
}

static void a_cancelled_head_lets_the_next_ones_in(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.sem = WEFT_SEM_INIT(2), .count = 3, .wants = {3, 1, 1}};

        int rc = check_run(n, cancel_the_head, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc[0], -ECANCELED);
        assert_int_equal(line.arrived, 2);
        assert_int_equal(permits_left(&line.sem), 0);
    }
}

static void what_only_a_cancelled_one_waited_for_is_free_to_all(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.sem = WEFT_SEM_INIT(2), .count = 1, .wants = {3}};

        int rc = check_run(n, cancel_the_head, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc[0], -ECANCELED);
        assert_int_equal(permits_left(&line.sem), 2);
    }
}

static int cancel_inside_the_line(void *arg)
{
    struct line *line = arg;

    form_line(line);
    (void)weft_cancel(line->future[1]);
    int rc = weft_await(line->future[1]);
    if (rc == 0)
        rc = weft_sem_release_n(&line->sem, 4);
    if (rc == 0)
        rc = weft_await(line->future[0]);
    return rc < 0 ? rc : weft_await(line->future[2]);
}

static void a_cancelled_one_in_the_line_takes_nothing(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.sem = WEFT_SEM_INIT(0), .count = 3, .wants = {2, 3, 1}};

        int rc = check_run(n, cancel_inside_the_line, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc[1], -ECANCELED);
        assert_int_equal(permits_left(&line.sem), 1);
    }
}

static int release_for_all(void *arg)
{
    struct line *line = arg;

    form_line(line);
    for (int i = 5; i < line->count && line->seen[0]; i += 7)
        (void)weft_cancel(line->future[i]);
    int rc = weft_sem_release_n(&line->sem, MANY);
    int end = weft_gather_n(line->future, MANY, NULL);
    return rc < 0 ? rc : end;
}

static void a_release_for_many_reaches_every_one_of_them(void **state)
{
    (void)state;
    for (int cancels = 0; cancels < 2; cancels++) { /* those carry the work on, too */
        CHECK_WORKERS(n) {
            struct line line = {.sem = WEFT_SEM_INIT(0), .count = MANY, .seen[0] = cancels};
            int cancelled = 0;

            for (int i = 0; i < MANY; i++)
                line.wants[i] = 1;
            int rc = check_run(n, release_for_all, &line);

            assert_int_equal(rc, 0);
            for (int i = 0; i < MANY; i++)
                cancelled += line.rc[i] == -ECANCELED;
            assert_int_equal(line.arrived, MANY - cancelled);
            assert_int_equal(permits_left(&line.sem), cancelled);
        }
    }
}

/* Permits for the first are given, and it is cancelled, at the same moment; the second waits. */
static int release_two(void *arg) { return weft_sem_release_n(&((struct line *)arg)->sem, 2); }

static int cancel_first(void *arg) { return weft_cancel(((struct line *)arg)->future[0]); }

static int grant_against_cancel(void *arg)
{
    struct line *line = arg;

    for (int round = 0; round < 300; round++) {
        check_progress();
        atomic_store(&line->arrived, 0);
        form_line(line);

        bool cancel_first_of_all = round % 3 == 0;
        int rc = weft_gather(weft_spawn(cancel_first_of_all ? cancel_first : release_two, line),
                             weft_spawn(cancel_first_of_all ? release_two : cancel_first, line),
                             line->future[0]);

        if (rc == 0 && line->rc[0] == 0) /* then the second waits for another one */
            rc = weft_sem_release(&line->sem);
        if (rc == 0)
            rc = weft_await(line->future[1]);
        if (rc < 0)
            return rc;

        int left = permits_left(&line->sem);

        if (line->rc[1] != 0 || left != (line->rc[0] == 0 ? 0 : 1))
            return -EBADMSG;
    }
    return 0;
}

static void permits_granted_to_a_cancelled_one_go_to_the_next(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.sem = WEFT_SEM_INIT(0), .count = 2, .wants = {2, 1}};

        int rc = check_run(n, grant_against_cancel, &line);

        assert_int_equal(rc, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_requests_wait_behind_a_big_one),
        cmocka_unit_test(a_release_of_several_wakes_as_many_as_fit),
        cmocka_unit_test(a_release_past_the_most_changes_nothing_for_those_who_wait),
        cmocka_unit_test(a_cancelled_head_lets_the_next_ones_in),
        cmocka_unit_test(what_only_a_cancelled_one_waited_for_is_free_to_all),
        cmocka_unit_test(a_cancelled_one_in_the_line_takes_nothing),
        cmocka_unit_test(a_release_for_many_reaches_every_one_of_them),
        cmocka_unit_test(permits_granted_to_a_cancelled_one_go_to_the_next),
    };
    return CHECK_GROUP(tests);
}
