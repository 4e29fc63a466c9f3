/*
 * rwlock_line_test - who waits for a read-write lock goes in by arrival, whoever is cancelled.
 */
#include <errno.h>

#include "check.h"
#include "waiting.h"

#define MANY (2 * WAITLIST_BATCH + 7)

/* Up to MANY tasks queue; 'r' reads, 'w' writes. Each goes in, and out when told. */
struct line {
    weft_rwlock lock;
    const char *kinds;
    int count;
    bool is_sure; /* by the calls that no cancel ends */
    _Atomic int inside, came_in, may_leave;
    int order[MANY]; /* who came in first, second, ... */
    int rc[MANY];
    weft_future future[MANY];
    int seen[8]; /* what a program wants to tell the test */
};

struct place {
    struct line *line;
    int number;
};

static int enter(struct line *line, bool writes)
{
    if (line->is_sure && writes)
        weft_write_lock(&line->lock);
    else if (line->is_sure)
        weft_read_lock(&line->lock);
    else
        return writes ? weft_write_lock_cancellable(&line->lock)
                      : weft_read_lock_cancellable(&line->lock);
    return 0;
}

static int go_through(void *arg)
{
    struct place *place = arg;
    struct line *line = place->line;
    bool writes = line->kinds[place->number] == 'w';

    int rc = enter(line, writes);
    line->rc[place->number] = rc;
    if (rc < 0)
        return 0;
    atomic_fetch_add(&line->inside, 1);
    int turn = atomic_fetch_add(&line->came_in, 1);
    line->order[turn] = place->number;
    while (atomic_load(&line->may_leave) <= turn)
        let_others_run();
    atomic_fetch_sub(&line->inside, 1);
    return writes ? weft_write_unlock(&line->lock) : weft_read_unlock(&line->lock);
}

static void form_line(struct line *line)
{
    for (int i = 0; i < line->count; i++) {
        line->future[i] = weft_spawn_val(go_through, ((struct place){line, i}));
        until_waiting(i + 1, &line->lock.weft__waiters);
    }
}

static void until_inside(struct line *line, int inside, int waiting)
{
    while (atomic_load(&line->inside) != inside)
        let_others_run();
    until_waiting(waiting, &line->lock.weft__waiters);
}

/* "rrwrr" behind a writer: two, one, two. Not one more may be inside at any of the three moments. */
static int serve_line(void *arg)
{
    struct line *line = arg;

    weft_write_lock(&line->lock);
    form_line(line);
    int rc = weft_write_unlock(&line->lock);
    until_inside(line, 2, 3);
    line->seen[0] = weft_try_read_lock(&line->lock);
    atomic_store(&line->may_leave, 1);
    until_inside(line, 1, 3); /* one reader is left, and nobody may follow it */
    atomic_store(&line->may_leave, 2);
    while (atomic_load(&line->came_in) != 3)
        let_others_run();
    until_inside(line, 1, 2);
    line->seen[1] = weft_try_read_lock(&line->lock);
    atomic_store(&line->may_leave, 3);
    until_inside(line, 2, 0);
    line->seen[2] = weft_try_read_lock(&line->lock);
    atomic_store(&line->may_leave, 5);
    int end = weft_gather_n(line->future, 5, NULL);
    if (line->seen[2] == 0)
        end = weft_read_unlock(&line->lock);
    return rc < 0 ? rc : end;
}

static void who_waits_goes_in_by_arrival_and_neighbouring_readers_together(void **state)
{
    (void)state;
    for (int sure = 0; sure < 2; sure++) {
        CHECK_WORKERS(n) {
            struct line line = {.kinds = "rrwrr", .count = 5, .is_sure = sure};

            int rc = check_run(n, serve_line, &line);

            assert_int_equal(rc, 0);
            assert_int_equal(line.seen[0], -EAGAIN);
            assert_int_equal(line.seen[1], -EAGAIN);
            assert_int_equal(line.seen[2], 0); /* readers inside, nobody waits: it may join them */
            assert_int_equal(line.order[2], 2);
            assert_int_equal(weft_try_write_lock(&line.lock), 0);
        }
    }
}

/* "w" behind a writer that unlocks twice: the second time it would be the other's. */
static int unlock_twice(void *arg)
{
    struct line *line = arg;

    weft_write_lock(&line->lock);
    form_line(line);
    line->seen[0] = weft_write_unlock(&line->lock);
    line->seen[1] = weft_write_unlock(&line->lock);
    until_inside(line, 1, 0);
    line->seen[2] = weft_write_unlock(&line->lock);
    line->seen[3] = weft_try_read_lock(&line->lock);
    atomic_store(&line->may_leave, 1);
    return weft_await(line->future[0]);
}

static void who_was_the_writer_cannot_end_the_next_ones_writing(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.kinds = "w", .count = 1};

        int rc = check_run(n, unlock_twice, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.seen[0], 0);
        assert_int_equal(line.seen[1], -EPERM);
        assert_int_equal(line.seen[2], -EPERM);
        assert_int_equal(line.seen[3], -EAGAIN);
    }
}

/* "wrr" behind a reader; the writer gives up. */
static int cancel_first(void *arg)
{
    struct line *line = arg;

    weft_read_lock(&line->lock);
    form_line(line);
    line->seen[0] = weft_try_read_lock(&line->lock);
    (void)weft_cancel(line->future[0]);
    atomic_store(&line->may_leave, MANY);
    int rc = weft_gather_n(line->future, (size_t)line->count, NULL);
    line->seen[1] = weft_try_read_lock(&line->lock);
    line->seen[2] = weft_read_unlock(&line->lock);
    line->seen[3] = weft_read_unlock(&line->lock);
    return rc;
}

static void a_writer_that_gives_up_lets_the_readers_behind_it_in(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.kinds = "wrr", .count = 3};

        int rc = check_run(n, cancel_first, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.seen[0], -EAGAIN);
        assert_int_equal(line.rc[0], -ECANCELED);
        assert_int_equal(line.came_in, 2);
        assert_int_equal(line.seen[3], 0);
        assert_int_equal(weft_try_write_lock(&line.lock), 0);
    }
}

static void after_the_only_writer_has_given_up_readers_come_in_at_once(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.kinds = "w", .count = 1};

        int rc = check_run(n, cancel_first, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc[0], -ECANCELED);
        assert_int_equal(line.seen[1], 0);
        assert_int_equal(line.seen[2], 0);
        assert_int_equal(line.seen[3], 0);
        assert_int_equal(weft_try_write_lock(&line.lock), 0);
    }
}

/* "rwr" behind a writer, all of them cancelled before it unlocks, or while it does. */
static int cancel_all(void *arg)
{
    struct line *line = arg;

    weft_write_lock(&line->lock);
    form_line(line);
    for (int i = 0; i < line->count; i++)
        (void)weft_cancel(line->future[i]);
    int rc = weft_write_unlock(&line->lock);
    line->seen[0] = weft_try_write_lock(&line->lock);
    int end = weft_gather_n(line->future, (size_t)line->count, NULL);
    return rc < 0 ? rc : end;
}

static void a_lock_that_only_cancelled_ones_waited_for_is_free(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.kinds = "rwr", .count = 3, .may_leave = MANY};

        int rc = check_run(n, cancel_all, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.seen[0], 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(line.rc[i], -ECANCELED);
    }
}

static int cancel_who_cannot_be(void *arg)
{
    struct line *line = arg;

    line->is_sure = true;
    weft_write_lock(&line->lock);
    form_line(line);
    for (int i = 0; i < line->count; i++)
        (void)weft_cancel(line->future[i]);
    int rc = weft_write_unlock(&line->lock);
    int end = weft_gather_n(line->future, (size_t)line->count, NULL);
    return rc < 0 ? rc : end;
}

static void a_cancel_does_not_end_the_wait_of_the_sure_forms(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.kinds = "rwr", .count = 3, .may_leave = MANY};

        int rc = check_run(n, cancel_who_cannot_be, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.came_in, 3);
        assert_int_equal(line.order[1], 1);
    }
}

static int lock_when_cancelled(void *lock)
{
    (void)weft_cancel(weft_self());
    int read = weft_read_lock_cancellable(lock);
    int write = weft_write_lock_cancellable(lock);
    return read == -ECANCELED && write == -ECANCELED ? weft_try_write_lock(lock) : -EBADMSG;
}

static void a_cancelled_task_does_not_lock_although_it_could(void **state)
{
    weft_rwlock lock = WEFT_RWLOCK_INIT;

    (void)state;
    assert_int_equal(check_run(1, lock_when_cancelled, &lock), 0);
}

static int let_many_in(void *arg)
{
    struct line *line = arg;

    weft_write_lock(&line->lock);
    form_line(line);
    int cancelled = 0;
    for (int i = 3; i < line->count && line->seen[0]; i += 5) {
        (void)weft_cancel(line->future[i]);
        cancelled++;
    }
    int rc = weft_write_unlock(&line->lock);
    while (atomic_load(&line->inside) != line->count - cancelled)
        let_others_run(); /* until all are inside at once */
    atomic_store(&line->may_leave, MANY);
    int end = weft_gather_n(line->future, (size_t)line->count, NULL);
    return rc < 0 ? rc : end;
}

static void any_number_of_neighbouring_readers_goes_in_together(void **state)
{
    char kinds[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++)
        kinds[i] = 'r';
    for (int cancels = 0; cancels < 2; cancels++) { /* those carry the work on, too */
        CHECK_WORKERS(n) {
            struct line line = {.kinds = kinds, .count = MANY, .seen[0] = cancels};

            int rc = check_run(n, let_many_in, &line);

            assert_int_equal(rc, 0);
            assert_int_equal(weft_try_write_lock(&line.lock), 0);
        }
    }
}

/* The lock is granted to the first, and that one cancelled, at the same moment. */
static int unlock_it(void *arg) { return weft_read_unlock(&((struct line *)arg)->lock); }

static int cancel_it(void *arg) { return weft_cancel(((struct line *)arg)->future[0]); }

static int grant_against_cancel(void *arg)
{
    struct line *line = arg;

    for (int round = 0; round < 300; round++) {
        check_progress();
        atomic_store(&line->came_in, 0);
        line->kinds = round % 2 ? "wwr" : "wrw";
        weft_read_lock(&line->lock);
        form_line(line);

        bool cancel_first = round % 3 == 0;
        int rc = weft_gather(weft_spawn(cancel_first ? cancel_it : unlock_it, line),
                             weft_spawn(cancel_first ? unlock_it : cancel_it, line),
                             line->future[0], line->future[1], line->future[2]);
        if (rc < 0)
            return rc;
        if (line->rc[1] != 0 || line->rc[2] != 0 || weft_try_write_lock(&line->lock) != 0)
            return -EBADMSG;
        (void)weft_write_unlock(&line->lock); /* it is ours */
    }
    return 0;
}

static void a_lock_granted_to_a_cancelled_one_goes_to_the_next(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.count = 3, .may_leave = MANY};

        assert_int_equal(check_run(n, grant_against_cancel, &line), 0);
    }
}

/* The only one who waits is cancelled, and the lock is unlocked, at the same moment. */
static int unlock_against_cancel(void *arg)
{
    struct line *line = arg;

    for (int round = 0; round < 1500; round++) {
        check_progress();
        weft_read_lock(&line->lock);
        form_line(line);

        bool cancel_first = round % 2 == 0;
        int rc =
            weft_gather(weft_spawn(cancel_first ? cancel_it : unlock_it, line),
                        weft_spawn(cancel_first ? unlock_it : cancel_it, line), line->future[0]);
        if (rc < 0)
            return rc;
        if (weft_try_write_lock(&line->lock) != 0)
            return -EBADMSG;
        (void)weft_write_unlock(&line->lock); /* it is ours */
        atomic_store(&line->came_in, 0);
    }
    return 0;
}

static void a_lock_that_is_unlocked_as_its_only_waiter_leaves_is_free(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.kinds = "w", .count = 1, .may_leave = MANY};

        assert_int_equal(check_run(n, unlock_against_cancel, &line), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_goes_in_by_arrival_and_neighbouring_readers_together),
        cmocka_unit_test(who_was_the_writer_cannot_end_the_next_ones_writing),
        cmocka_unit_test(a_writer_that_gives_up_lets_the_readers_behind_it_in),
        cmocka_unit_test(after_the_only_writer_has_given_up_readers_come_in_at_once),
        cmocka_unit_test(a_lock_that_only_cancelled_ones_waited_for_is_free),
        cmocka_unit_test(a_cancel_does_not_end_the_wait_of_the_sure_forms),
        cmocka_unit_test(a_cancelled_task_does_not_lock_although_it_could),
        cmocka_unit_test(any_number_of_neighbouring_readers_goes_in_together),
        cmocka_unit_test(a_lock_granted_to_a_cancelled_one_goes_to_the_next),
        cmocka_unit_test(a_lock_that_is_unlocked_as_its_only_waiter_leaves_is_free),
    };
    return CHECK_GROUP(tests);
}
