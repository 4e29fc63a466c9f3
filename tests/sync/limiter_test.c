/*
 * limiter_test - places that belong to who entered: not twice, not for another, as many as are set.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "core/sys.h"
#include "waiting.h"

#define MANY (2 * WAITLIST_BATCH + 7)

static void nobody_enters_twice_and_nobody_leaves_without_a_place(void **state)
{
    weft_limiter limiter;

    (void)state;
    assert_int_equal(weft_limiter_init(&limiter, 2), 0);
    assert_int_equal(weft_limiter_leave(&limiter), -EPERM);
    assert_int_equal(weft_limiter_enter(&limiter), 0);
    assert_int_equal(weft_limiter_enter(&limiter), -EDEADLK);
    assert_int_equal(weft_limiter_try_enter(&limiter), -EDEADLK);
    assert_int_equal(weft_limiter_leave(&limiter), 0);
    assert_int_equal(weft_limiter_leave(&limiter), -EPERM);
    assert_int_equal(weft_limiter_try_enter(&limiter), 0);
    weft_limiter_destroy(&limiter);
}

static void a_limiter_without_room_lets_nobody_in(void **state)
{
    weft_limiter limiter;

    (void)state;
    assert_int_equal(weft_limiter_init(&limiter, 0), 0);
    assert_int_equal(weft_limiter_try_enter(&limiter), -EAGAIN);
    assert_int_equal(weft_limiter_set(&limiter, 1), 0);
    assert_int_equal(weft_limiter_try_enter(&limiter), 0);
    weft_limiter_destroy(&limiter);
    weft_limiter_destroy(NULL);
}

static int no_memory(const char *call) { return strcmp(call, "alloc") == 0 ? -ENOMEM : 0; }

static void without_memory_the_capacity_stays_as_it_was(void **state)
{
    weft_limiter limiter;
    int rc[3];

    (void)state;
    weft__sys_fault = no_memory;
    rc[0] = weft_limiter_init(&limiter, 1);
    weft__sys_fault = NULL;
    assert_int_equal(weft_limiter_init(&limiter, 0), 0);
    weft__sys_fault = no_memory;
    rc[1] = weft_limiter_set(&limiter, 1000);
    rc[2] = weft_limiter_try_enter(&limiter);
    weft__sys_fault = NULL;

    assert_int_equal(rc[0], -ENOMEM);
    assert_int_equal(rc[1], -ENOMEM);
    assert_int_equal(rc[2], -EAGAIN);
    assert_int_equal(weft_limiter_set(&limiter, WEFT_MEET_MAX + 1), -EINVAL);
    assert_int_equal(weft_limiter_init(&limiter, UINT32_MAX), -EINVAL);
    weft_limiter_destroy(&limiter);
}

static int leave_anothers(void *limiter) { return weft_limiter_leave(limiter); }

static int enter_and_let_others_leave(void *limiter)
{
    int rc = weft_limiter_enter(limiter);
    if (rc < 0)
        return rc;
    int task = weft_await(weft_spawn(leave_anothers, limiter));
    int job = weft_await(weft_offload(weft_cpu(), leave_anothers, limiter));
    int mine = weft_limiter_leave(limiter);
    return task == -EPERM && job == -EPERM ? mine : -EBADMSG;
}

static void a_place_is_given_back_only_by_who_has_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_limiter limiter;

        assert_int_equal(weft_limiter_init(&limiter, 5), 0);
        assert_int_equal(check_run(n, enter_and_let_others_leave, &limiter), 0);
        weft_limiter_destroy(&limiter);
    }
}

/* Up to MANY tasks queue; each goes in, and out when told. */
struct line {
    weft_limiter limiter;
    int count;
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

static int go_through(void *arg)
{
    struct place *place = arg;
    struct line *line = place->line;

    int rc = weft_limiter_enter(&line->limiter);
    line->rc[place->number] = rc;
    if (rc < 0)
        return 0;
    atomic_fetch_add(&line->inside, 1);
    int turn = atomic_fetch_add(&line->came_in, 1);
    line->order[turn] = place->number;
    while (atomic_load(&line->may_leave) <= turn)
        let_others_run();
    atomic_fetch_sub(&line->inside, 1);
    return weft_limiter_leave(&line->limiter);
}

/* The first `room` go in, the others wait. */
static void form_line(struct line *line, int room)
{
    for (int i = 0; i < line->count; i++) {
        line->future[i] = weft_spawn_val(go_through, ((struct place){line, i}));
        while (atomic_load(&line->came_in) < (i < room ? i + 1 : room))
            let_others_run();
        until_waiting(i < room ? 0 : i + 1 - room, &line->limiter.weft__waiters);
    }
}

static void until_came_in(struct line *line, int came_in, int waiting)
{
    while (atomic_load(&line->came_in) != came_in)
        let_others_run();
    until_waiting(waiting, &line->limiter.weft__waiters);
}

static int leave_one_by_one(void *arg)
{
    struct line *line = arg;

    form_line(line, 2);
    for (int i = 1; i <= 3; i++) {
        atomic_store(&line->may_leave, i);
        until_came_in(line, 2 + i, 3 - i);
        line->seen[0] += weft_limiter_try_enter(&line->limiter) == -EAGAIN;
    }
    atomic_store(&line->may_leave, MANY);
    return weft_gather_n(line->future, 5, NULL);
}

static void places_go_to_those_who_wait_in_the_order_of_arrival(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.count = 5};

        assert_int_equal(weft_limiter_init(&line.limiter, 2), 0);
        int rc = check_run(n, leave_one_by_one, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.seen[0], 3);
        for (int i = 0; i < 5; i++)
            assert_int_equal(line.order[i], i);
        weft_limiter_destroy(&line.limiter);
    }
}

static int change_capacity(void *arg)
{
    struct line *line = arg;

    form_line(line, 4); /* four inside, MANY - 4 wait */
    int rc = weft_limiter_set(&line->limiter, 2);
    atomic_store(&line->may_leave, 2); /* two of the four go, two stay: still nobody may follow */
    while (atomic_load(&line->inside) != 2)
        let_others_run();
    line->seen[0] = weft_limiter_try_enter(&line->limiter);
    until_came_in(line, 4, MANY - 4);
    atomic_store(&line->may_leave, 3);
    until_came_in(line, 5, MANY - 5);
    if (rc == 0)
        rc = weft_limiter_set(&line->limiter, MANY - 3);    /* just enough for all who wait */
    line->seen[4] = weft_limiter_try_enter(&line->limiter); /* not all of them are in yet */
    until_came_in(line, MANY, 0); /* and the table has grown beneath them */
    if (rc == 0)
        rc = weft_limiter_set(&line->limiter, 3 * MANY);
    line->seen[1] = weft_limiter_try_enter(&line->limiter);
    line->seen[2] = weft_limiter_try_enter(&line->limiter);
    line->seen[3] = weft_limiter_leave(&line->limiter);
    atomic_store(&line->may_leave, MANY);
    int end = weft_gather_n(line->future, MANY, NULL);
    return rc < 0 ? rc : end;
}

static void the_capacity_can_be_changed_while_it_is_in_use(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.count = MANY};

        assert_int_equal(weft_limiter_init(&line.limiter, 4), 0);
        int rc = check_run(n, change_capacity, &line);

        assert_int_equal(rc, 0); /* so every one of them could leave: its place was found */
        assert_int_equal(line.seen[0], -EAGAIN);
        assert_int_equal(line.seen[1], 0);
        assert_int_equal(line.seen[2], -EDEADLK);
        assert_int_equal(line.seen[3], 0);
        assert_int_equal(line.seen[4], -EAGAIN);
        weft_limiter_destroy(&line.limiter);
    }
}

static int cancel_some(void *arg)
{
    struct line *line = arg;

    form_line(line, 1);
    (void)weft_cancel(line->future[1]);
    (void)weft_cancel(line->future[3]);
    atomic_store(&line->may_leave, MANY);
    int rc = weft_gather_n(line->future, 5, NULL);
    line->seen[0] = weft_limiter_try_enter(&line->limiter);
    return rc;
}

static void the_turn_of_a_cancelled_one_goes_to_the_next(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.count = 5};

        assert_int_equal(weft_limiter_init(&line.limiter, 1), 0);
        int rc = check_run(n, cancel_some, &line);

        assert_int_equal(rc, 0);
        assert_int_equal(line.rc[1], -ECANCELED);
        assert_int_equal(line.rc[3], -ECANCELED);
        assert_int_equal(line.order[1], 2);
        assert_int_equal(line.order[2], 4);
        assert_int_equal(line.seen[0], 0); /* no place was lost */
        weft_limiter_destroy(&line.limiter);
    }
}

static int enter_when_cancelled(void *limiter)
{
    (void)weft_cancel(weft_self());
    int rc = weft_limiter_enter(limiter);
    return rc == -ECANCELED ? weft_limiter_leave(limiter) : -EBADMSG;
}

static void a_cancelled_task_takes_no_place_although_one_is_free(void **state)
{
    weft_limiter limiter;

    (void)state;
    assert_int_equal(weft_limiter_init(&limiter, 1), 0);
    assert_int_equal(check_run(1, enter_when_cancelled, &limiter), -EPERM);
    weft_limiter_destroy(&limiter);
}

/* The only place is given to the second, and that one cancelled, at the same moment; a third waits. */
static int cancel_second(void *arg) { return weft_cancel(((struct line *)arg)->future[1]); }

static int let_first_leave(void *arg)
{
    atomic_store(&((struct line *)arg)->may_leave, MANY);
    return 0;
}

static int grant_against_cancel(void *arg)
{
    struct line *line = arg;

    for (int round = 0; round < 300; round++) {
        check_progress();
        atomic_store(&line->came_in, 0);
        atomic_store(&line->may_leave, 0);
        form_line(line, 1);

        bool cancel_first = round % 3 == 0;
        int rc = weft_gather(weft_spawn(cancel_first ? cancel_second : let_first_leave, line),
                             weft_spawn(cancel_first ? let_first_leave : cancel_second, line),
                             line->future[0], line->future[1], line->future[2]);
        if (rc < 0)
            return rc;
        if (line->rc[2] != 0 || weft_limiter_try_enter(&line->limiter) != 0)
            return -EBADMSG;
        rc = weft_limiter_leave(&line->limiter);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void a_place_granted_to_a_cancelled_one_goes_to_the_next(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.count = 3};

        assert_int_equal(weft_limiter_init(&line.limiter, 1), 0);
        assert_int_equal(check_run(n, grant_against_cancel, &line), 0);
        weft_limiter_destroy(&line.limiter);
    }
}

/* Tasks, jobs and plain threads go through a limiter for four, some of them impatiently, while
 * somebody turns the capacity up and down between two and six. */
#define ROUNDS 150

struct storm {
    weft_limiter limiter;
    uint64_t seed;
    _Atomic int inside, too_many, passed;
};

static int visit(void *arg)
{
    struct storm *storm = arg;

    int rc = weft_limiter_enter(&storm->limiter);
    if (rc < 0)
        return rc;
    if (atomic_fetch_add(&storm->inside, 1) >= 6)
        atomic_fetch_add(&storm->too_many, 1);
    let_others_run();
    atomic_fetch_sub(&storm->inside, 1);
    atomic_fetch_add(&storm->passed, 1);
    return weft_limiter_leave(&storm->limiter);
}

static int visit_often(struct storm *storm, uint64_t seed, bool can_time_out)
{
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t random = check_random(&seed);
        bool is_impatient = can_time_out && random & 1;

        check_progress();
        int rc = is_impatient ? weft_timeout(weft_us((int64_t)(random >> 32) % 60), visit, storm)
                              : visit(storm);
        if (rc == 0 && random % 11 == 0)
            rc = weft_limiter_set(&storm->limiter, (uint32_t)(random >> 8) % 5 + 2);
        if (rc < 0 && !(is_impatient && rc == -ETIMEDOUT))
            return rc;
    }
    return 0;
}

struct guest {
    struct storm *storm;
    uint64_t number;
};

static int visit_as_task(void *arg)
{
    struct guest *guest = arg;

    return visit_often(guest->storm, guest->storm->seed + guest->number, true);
}

static int visit_as_job(void *arg) { return visit_often(arg, 61, false); }

static void *visit_as_thread(void *arg) { return visit_often(arg, 62, false) == 0 ? arg : NULL; }

static int visit_as_all(void *arg)
{
    struct storm *storm = arg;
    weft_future future[12];

    for (uint64_t i = 0; i < 11; i++)
        future[i] = weft_spawn_val(visit_as_task, ((struct guest){storm, i}));
    future[11] = weft_offload(weft_cpu(), visit_as_job, storm);
    return weft_gather_n(future, 12, NULL);
}

static int fill_it(void *arg)
{
    struct line *line = arg;

    form_line(line, line->count);
    atomic_store(&line->may_leave, MANY);
    return weft_gather_n(line->future, (size_t)line->count, NULL);
}

static void all_places_are_there_after_a_storm_of_time_outs(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        struct storm storm = {.seed = seed};
        struct line line = {.count = 6};
        pthread_t thread;
        void *done;

        assert_int_equal(weft_limiter_init(&storm.limiter, 4), 0);
        assert_int_equal(pthread_create(&thread, NULL, visit_as_thread, &storm), 0);
        int rc = check_run(n, visit_as_all, &storm);
        assert_int_equal(pthread_join(thread, &done), 0);

        assert_int_equal(rc, 0);
        assert_non_null(done);
        assert_int_equal(storm.too_many, 0);
        assert_int_equal(weft_limiter_set(&storm.limiter, 6), 0);
        line.limiter = storm.limiter;
        assert_int_equal(check_run(1, fill_it, &line), 0); /* six can be inside at once */
        weft_limiter_destroy(&line.limiter);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_enters_twice_and_nobody_leaves_without_a_place),
        cmocka_unit_test(a_limiter_without_room_lets_nobody_in),
        cmocka_unit_test(without_memory_the_capacity_stays_as_it_was),
        cmocka_unit_test(a_place_is_given_back_only_by_who_has_it),
        cmocka_unit_test(places_go_to_those_who_wait_in_the_order_of_arrival),
        cmocka_unit_test(the_capacity_can_be_changed_while_it_is_in_use),
        cmocka_unit_test(the_turn_of_a_cancelled_one_goes_to_the_next),
        cmocka_unit_test(a_cancelled_task_takes_no_place_although_one_is_free),
        cmocka_unit_test(a_place_granted_to_a_cancelled_one_goes_to_the_next),
        cmocka_unit_test(all_places_are_there_after_a_storm_of_time_outs),
    };
    return CHECK_GROUP(tests);
}
