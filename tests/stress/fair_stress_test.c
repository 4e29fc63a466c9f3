/*
 * fair_stress_test - how long a ready task waits for its turn, in turns of others: bounded, whatever
 * the others do.
 *
 * One worker; every task counts each of its turns, so the count between two moments says how many
 * others came first. No clock is asked but to see that a timer is due. Counted is against the bounds
 * that follow from core/worker.c: first in, first out; before each of the line at most
 * TUNE_RUN_NEXT_STREAK tasks that were just woken; a look outside every TUNE_LOOK_OUT turns.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "core/tuning.h"
#include "stress.h"

#define TASKS         1000 /* bystanders */
#define CROWD         50   /* tasks that are always ready */
#define SLOW          200  /* sockets that are slow */
#define READS_AT_ONCE 32   /* of a task whose bytes are there: core/loop_epoll.c */

/* Turns that each of so many tasks in line may cost: its own, and those of tasks just woken. */
#define LINE(tasks) ((long)(tasks) * (1 + TUNE_RUN_NEXT_STREAK))

struct town {
    long turns;   /* of all: there is one worker */
    long longest; /* that anybody waited, in turns */
    long rounds;  /* to go */
    weft_sem there, back;
    bool is_over;
    weft_time due; /* when the sleeper is; 0: it does not sleep */
    long due_turn; /* in which somebody saw that; 0: not yet */
};

static void note(struct town *town, long since)
{
    long waited = town->turns - since;

    town->longest = waited > town->longest ? waited : town->longest;
}

/* --- a pair that wakes each other ----------------------------------------------------------------- */

static int plays(struct town *town, weft_sem *mine, weft_sem *others)
{
    while (!town->is_over) {
        if (weft_sem_acquire(mine) < 0)
            return -ECANCELED;
        town->turns++;
        (void)weft_sem_release(others); /* cannot overflow: one ball */
    }
    return 0;
}

static int plays_here(void *arg)
{
    struct town *town = arg;

    (void)weft_sem_release(&town->back); /* serves */
    return plays(town, &town->there, &town->back);
}

static int plays_there(void *arg)
{
    struct town *town = arg;

    return plays(town, &town->back, &town->there);
}

static int stands_by(void *arg)
{
    struct town *town = arg;

    for (long i = 0; i < town->rounds; i++) {
        long since = ++town->turns;

        if (weft_yield() < 0)
            return -ECANCELED;
        if (i > 0) /* before that some have not begun */
            note(town, since);
    }
    check_progress();
    return 0;
}

static int has_a_pair_and_bystanders(void *arg)
{
    static weft_future bystanders[TASKS];
    struct town *town = arg;
    weft_future here = weft_spawn(plays_here, town), there = weft_spawn(plays_there, town);

    for (int i = 0; i < TASKS; i++)
        bystanders[i] = weft_spawn(stands_by, town);
    int rc = weft_gather_n(bystanders, TASKS, NULL); /* suspends: worker, errno stale */
    town->is_over = true;
    return rc | weft_gather(here, there);
}

static void a_pair_that_wakes_each_other_does_not_hold_up_the_line(void **state)
{
    struct town town = {
        .there = WEFT_SEM_INIT(0), .back = WEFT_SEM_INIT(0), .rounds = stress_rounds(1000)};

    (void)state;
    int rc = check_run(1, has_a_pair_and_bystanders, &town);

    print_message("the longest wait was %ld turns of %ld\n", town.longest, town.turns);
    assert_int_equal(rc, 0);
    assert_true(town.longest >= TASKS);
    assert_true(town.longest <=
                TASKS + 2 + TUNE_RUN_NEXT_STREAK); /* no more than one row of them */
}

/* --- a timer among tasks that are always ready ---------------------------------------------------- */

static int is_always_ready(void *arg)
{
    struct town *town = arg;

    while (!town->is_over) {
        town->turns++;
        if (town->due != 0 && town->due_turn == 0 && weft_now() >= town->due)
            town->due_turn = town->turns;
        if (weft_yield() < 0)
            return -ECANCELED;
    }
    return 0;
}

static int sleeps_among_them(void *arg)
{
    struct town *town = arg;
    uint64_t seed = 0;

    for (; town->rounds > 0; town->rounds--) {
        town->due_turn = 0;
        town->due = weft_now() + (weft_time)(check_random(&seed) % 200000);
        int rc = weft_sleep_until(town->due); /* suspends: worker, errno stale */
        if (rc < 0 || weft_now() < town->due)
            return -EPROTO;
        if (town->due_turn != 0)
            note(town, town->due_turn);
        check_progress();
    }
    town->is_over = true;
    return 0;
}

static int has_a_sleeper_and_a_crowd(void *arg)
{
    weft_future crowd[CROWD];
    weft_future sleeper = weft_spawn(sleeps_among_them, arg);

    for (int i = 0; i < CROWD; i++)
        crowd[i] = weft_spawn(is_always_ready, arg);
    return weft_await(sleeper) | weft_gather_n(crowd, CROWD, NULL);
}

static void a_timer_fires_among_tasks_that_are_always_ready(void **state)
{
    struct town town = {.rounds = stress_rounds(5000)};

    (void)state;
    int rc = check_run(1, has_a_sleeper_and_a_crowd, &town);

    print_message("the longest delay was %ld turns of %ld\n", town.longest, town.turns);
    assert_int_equal(rc, 0);
    assert_true(town.turns >= 1000);                        /* they were there */
    assert_true(town.longest <= TUNE_LOOK_OUT + CROWD + 1); /* nobody there is woken by a task */
}

/* --- a socket at full speed among slow ones --------------------------------------------------------- */

struct street {
    struct town town;
    weft_sem read; /* by the slow ones, in this round */
    struct line {
        struct street *street;
        int fds[2];
        long sent_turn; /* in which the last byte was written */
    } fast, slow[SLOW];
};

/* Always finds bytes; each of its reads is a turn. */
static int hurries(void *arg)
{
    static const char pieces[4096];
    struct line *line = arg;
    struct town *town = &line->street->town;
    char byte;

    for (long reads = 0; !town->is_over; reads++, town->turns++) {
        if (reads % (long)sizeof pieces == 0 &&
            write(line->fds[0], pieces, sizeof pieces) != (ssize_t)sizeof pieces)
            return -EIO;
        if (weft_read(line->fds[1], &byte, 1) != 1)
            return -EIO;
    }
    return 0;
}

static int reads_slowly(void *arg)
{
    struct line *line = arg;
    struct town *town = &line->street->town;
    char byte;

    while (weft_read(line->fds[1], &byte, 1) == 1) {
        town->turns++;
        note(town, line->sent_turn);
        (void)weft_sem_release(&line->street->read); /* cannot overflow: taken each round */
    }
    return 0;
}

/* One byte on each slow line, and the next when all have been read. */
static int writes_to_the_slow_ones(void *arg)
{
    struct street *street = arg;
    struct town *town = &street->town;

    for (; town->rounds > 0; town->rounds--) {
        for (int i = 0; i < SLOW; i++) {
            street->slow[i].sent_turn = town->turns;
            if (write(street->slow[i].fds[0], "s", 1) != 1)
                return -EIO;
        }
        if (weft_sem_acquire_n(&street->read, SLOW) < 0)
            return -ECANCELED;
        check_progress();
    }
    for (int i = 0; i < SLOW; i++)
        (void)shutdown(street->slow[i].fds[0], SHUT_RDWR); /* the reader reads the end */
    town->is_over = true;
    return 0;
}

static int lives_in_the_street(void *arg)
{
    struct street *street = arg;
    weft_future readers[SLOW];

    for (int i = 0; i < SLOW; i++)
        readers[i] = weft_spawn(reads_slowly, &street->slow[i]);
    weft_future hasty = weft_spawn(hurries, &street->fast);
    weft_future writer = weft_spawn(writes_to_the_slow_ones, street);
    return weft_gather(writer, hasty) | weft_gather_n(readers, SLOW, NULL);
}

static int open_line(struct street *street, struct line *line)
{
    line->street = street;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line->fds);
}

static void a_socket_that_always_has_bytes_does_not_hold_up_slow_ones(void **state)
{
    static struct street street;
    int failed;

    (void)state;
    street = (struct street){.town = {.rounds = stress_rounds(1000)}, .read = WEFT_SEM_INIT(0)};
    failed = open_line(&street, &street.fast);
    for (int i = 0; i < SLOW; i++)
        failed |= open_line(&street, &street.slow[i]);
    assert_int_equal(failed, 0);
    int rc = check_run(1, lives_in_the_street, &street);
    for (int i = 0; i < SLOW; i++)
        failed |= close(street.slow[i].fds[0]) | close(street.slow[i].fds[1]);
    failed |= close(street.fast.fds[0]) | close(street.fast.fds[1]);

    print_message("the longest wait was %ld turns of %ld\n", street.town.longest,
                  street.town.turns);
    assert_int_equal(rc, 0);
    assert_int_equal(failed, 0);
    assert_true(street.town.longest <= READS_AT_ONCE * TUNE_LOOK_OUT * 4 + LINE(SLOW + 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_that_wakes_each_other_does_not_hold_up_the_line),
        cmocka_unit_test(a_timer_fires_among_tasks_that_are_always_ready),
        cmocka_unit_test(a_socket_that_always_has_bytes_does_not_hold_up_slow_ones),
    };

    return CHECK_GROUP(tests);
}
