/*
 * cancellation - S15 to S18 and S20 to S27: a cancel is a state and not an event, and nothing is lost
 * to it. S19 stands in refused.c.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "semantics.h"

struct seen {
    struct check_latch here;
    _Atomic int ended, may_end;
    _Atomic int returned;
    int first, second;
    weft_future target;
    weft_sem sem;
    weft_event event;
    int fd;
};

/* --- reach ----------------------------------------------------------------------------------- */

static int ends_it(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
    return 0;
}

/* A loop that does not look at its status lets the others run all the same. */
static void retry_until_another_has_run(void)
{
    _Atomic int others = 0;
    weft_sem free = WEFT_SEM_INIT(1);
    weft_future other = weft_spawn(ends_it, (void *)&others);

    while (atomic_load(&others) == 0)
        EXPECT(weft_sem_acquire(&free), -ECANCELED);
    EXPECT(weft_detach(other), 0);
}

static void s15_from_the_cancel_on_every_wait_of_the_scope_is_refused(void)
{
    weft_sem none = WEFT_SEM_INIT(0);
    weft_event never = WEFT_EVENT_INIT;
    weft_scope scope;

    for (int cancels = 1; cancels <= 2; cancels++) {
        EXPECT(weft_scope_open(&scope), 0);
        for (int i = 0; i < cancels; i++)
            EXPECT(weft_scope_cancel(&scope), 0);
        int first = weft_sleep(WEFT_FOREVER);
        int second = weft_sleep(WEFT_FOREVER);
        EXPECT(first, -ECANCELED);
        EXPECT(second, -ECANCELED);
        EXPECT(weft_yield(), -ECANCELED);
        EXPECT(weft_sem_acquire(&none), -ECANCELED);
        EXPECT(weft_event_wait(&never), -ECANCELED);
        retry_until_another_has_run();
        EXPECT(weft_scope_close(&scope, second), -ECANCELED);
        EXPECT(weft_yield(), 0);
        if (cancels == 2)
            SAY(second == -ECANCELED ? "every-wait" : "one-wait");
    }
}

static int waits(void *arg)
{
    struct seen *seen = arg;

    check_arrive(&seen->here);
    int rc = weft_sleep(WEFT_FOREVER);
    atomic_fetch_add(&seen->ended, rc == -ECANCELED);
    return rc;
}

/* Waits in a scope of its own, as its child does. */
static int waits_with_a_child(void *arg)
{
    weft_scope own;

    EXPECT(weft_scope_open(&own), 0);
    (void)weft_scope_spawn(&own, waits, arg);
    return weft_scope_close(&own, waits(arg));
}

static void s16_a_cancel_reaches_all_descendants_also_later_ones_and_no_sibling(void)
{
    struct seen seen = {.here = CHECK_LATCH_INIT(4)};
    struct seen beside = {.here = CHECK_LATCH_INIT(1)};
    weft_future sibling = weft_spawn(waits, &beside);
    weft_scope scope, later;

    EXPECT(weft_scope_open(&scope), 0);
    (void)weft_scope_spawn(&scope, waits_with_a_child, &seen);
    (void)weft_scope_spawn(&scope, waits_with_a_child, &seen);
    EXPECT(check_latch_wait(&seen.here), 0);
    EXPECT(weft_scope_cancel(&scope), 0);
    (void)weft_scope_spawn(&scope, waits_with_a_child, &seen);
    EXPECT(weft_scope_open(&later), 0);
    int later_rc = weft_scope_close(&later, weft_sleep(WEFT_FOREVER));
    EXPECT(later_rc, -ECANCELED);
    EXPECT(weft_scope_close(&scope, 0), -ECANCELED);

    EXPECT(seen.ended, 6);
    EXPECT(beside.ended, 0);
    SAY(seen.ended >= 4 ? "all-below" : "not-all");
    SAY(later_rc < 0 ? "later-too" : "later-not");
    SAY(beside.ended ? "sibling-too" : "sibling-not");
    EXPECT(weft_cancel(sibling), 0);
    EXPECT(weft_await(sibling), -ECANCELED);
}

/* --- shields --------------------------------------------------------------------------------- */

static int sleeps_a_moment(void *arg)
{
    weft_time moment = weft_us(200);

    (void)arg;
    return sleeps_for(&moment);
}

static int waits_for_the_event(void *arg)
{
    struct seen *seen = arg;

    check_arrive(&seen->here);
    return weft_event_wait(&seen->event);
}

/* Under a shield waits for what the canceller does after its cancel. */
static int waits_shielded(void *arg)
{
    struct seen *seen = arg;

    seen->first = weft_shield(WEFT_FOREVER, waits_for_the_event, seen);
    seen->second = weft_yield();
    return seen->second;
}

static void s17_in_a_shield_waits_work_though_the_outer_is_cancelled(void)
{
    struct seen seen = {.here = CHECK_LATCH_INIT(1)};
    const weft_scope_options shield = {.shield = true};
    weft_scope outer, inner;
    weft_future shielded = weft_spawn(waits_shielded, &seen);

    EXPECT(check_latch_wait(&seen.here), 0);
    EXPECT(weft_cancel(shielded), 0);
    linger();
    weft_event_set(&seen.event);
    EXPECT(weft_await(shielded), -ECANCELED);
    EXPECT(seen.first, 0);
    EXPECT(seen.second, -ECANCELED);

    EXPECT(weft_scope_open(&outer), 0);
    EXPECT(weft_scope_cancel(&outer), 0);
    EXPECT(weft_shield(weft_us(300), sleeps, NULL), -ETIMEDOUT); /* its own deadline acts */
    EXPECT(weft_scope_open_with(&inner, &shield), 0);
    EXPECT(sleeps_a_moment(NULL), 0);
    EXPECT(weft_scope_cancel(&inner), 0); /* its own cancel acts */
    EXPECT(weft_scope_close(&inner, weft_sleep(WEFT_FOREVER)), -ECANCELED);
    EXPECT(weft_scope_close(&outer, weft_yield()), -ECANCELED);
    SAY(seen.first == 0 ? "works-inside" : "cut-inside");
    SAY(seen.second == 0 ? "value" : "then-cancelled");
}

static void s18_a_body_that_does_not_wait_keeps_its_status_though_cancelled(void)
{
    weft_scope scope;

    EXPECT(weft_scope_open(&scope), 0);
    EXPECT(weft_scope_cancel(&scope), 0);
    int rc = weft_scope_close(&scope, 17);

    EXPECT(rc, 17);
    EXPECT(weft_scope_cancelled(&scope), true);
    SAY(status_word(rc));
}

/* --- races ----------------------------------------------------------------------------------- */

/* The cancel comes, before this wait or in it. */
static int until_cancelled(void)
{
    int rc = 0;

    while (rc == 0)
        rc = weft_yield();
    return rc;
}

/* The one that a race is about: reads, then waits on. */
static int reads_one(void *arg)
{
    struct seen *seen = arg;
    char byte;

    check_arrive(&seen->here);
    seen->first = (int)weft_read(seen->fd, &byte, 1);
    seen->second = until_cancelled();
    return 0;
}

static int cancels(void *arg) { return weft_cancel(((struct seen *)arg)->target); }

static int lowest_free_fd(void)
{
    int fd = dup(0);

    EXPECT(close(fd), 0);
    return fd;
}

static int opens_and_closes(void *arg)
{
    struct seen *seen = arg;

    check_arrive(&seen->here);
    int fd = weft_open("/dev/null", O_RDONLY | O_NONBLOCK, 0);
    if (fd >= 0)
        EXPECT(weft_close(fd), 0);
    seen->first = fd < 0 ? fd : 0;
    seen->second = until_cancelled();
    return 0;
}

/* Runs `fn` with the latch passed, cancels it from another task, and waits for it. */
static void cancel_in_flight(weft_fn fn, struct seen *seen, bool write_first, int write_fd)
{
    seen->target = weft_spawn(fn, seen);
    EXPECT(check_latch_wait(&seen->here), 0);
    weft_future canceller = weft_spawn(cancels, seen);
    if (write_first)
        EXPECT(write(write_fd, "x", 1), 1);
    EXPECT(weft_await(canceller), 0);
    EXPECT(weft_await(seen->target), 0);
}

static void s20_an_operation_in_flight_is_waited_for_and_what_it_did_is_told(void)
{
    int pipe[2], bytes = 0;
    char byte;

    EXPECT(pipe2(pipe, O_CLOEXEC), 0);
    for (int i = 0; i < 40; i++) {
        struct seen seen = {.here = CHECK_LATCH_INIT(1), .fd = pipe[0]};

        cancel_in_flight(reads_one, &seen, i % 2, pipe[1]);
        EXPECT(ioctl(pipe[0], FIONREAD, &bytes), 0);
        EXPECT(seen.first == 1 || seen.first == -ECANCELED, true);
        EXPECT((seen.first == 1) + bytes, i % 2); /* read, or still there */
        EXPECT(seen.second, -ECANCELED);
        if (bytes)
            EXPECT(read(pipe[0], &byte, 1), 1);
    }
    EXPECT(weft_close(pipe[0]), 0);
    EXPECT(weft_close(pipe[1]), 0);

    int lowest = lowest_free_fd();
    for (int i = 0; i < 40; i++) {
        struct seen seen = {.here = CHECK_LATCH_INIT(1)};

        cancel_in_flight(opens_and_closes, &seen, false, -1);
        EXPECT(seen.first == 0 || seen.first == -ECANCELED, true);
        EXPECT(seen.second, -ECANCELED);
    }
    EXPECT(lowest_free_fd(), lowest);
}

static int takes_a_permit(void *arg)
{
    struct seen *seen = arg;

    check_arrive(&seen->here);
    seen->first = weft_sem_acquire(&seen->sem);
    return 0;
}

static int releases(void *arg) { return weft_sem_release(&((struct seen *)arg)->sem); }

/* A grant and a cancel, at once or in either order. */
static void s21_of_a_cancel_and_a_completion_exactly_one_wins(void)
{
    int wins[2] = {0, 0};

    for (int i = 0; i < 120; i++) {
        struct seen seen = {.here = CHECK_LATCH_INIT(1)};

        weft_sem_init(&seen.sem, 0);
        seen.target = weft_spawn(takes_a_permit, &seen);
        EXPECT(check_latch_wait(&seen.here), 0);
        if (i % 4 >= 2)
            until_asleep(seen.target);
        weft_future one = weft_spawn(i % 2 ? cancels : releases, &seen);
        weft_future other = weft_spawn(i % 2 ? releases : cancels, &seen);
        EXPECT(weft_gather(one, other, seen.target), 0);

        EXPECT(seen.first == 0 || seen.first == -ECANCELED, true);
        EXPECT(weft_sem_try_acquire(&seen.sem), seen.first == 0 ? -EAGAIN : 0);
        wins[seen.first == 0]++;
    }
    EXPECT(wins[0] + wins[1], 120);
}

static int cancels_when_asleep(void *arg)
{
    struct seen *seen = arg;

    until_asleep(seen->target);
    return weft_cancel(seen->target);
}

static void s22_a_sleeper_wakes_when_it_is_cancelled_though_nothing_else_happens(void)
{
    struct seen seen = {.target = weft_spawn(sleeps, NULL)};
    weft_future job = weft_offload(weft_cpu(), cancels_when_asleep, &seen); /* by another thread */
    int rc = weft_wait(seen.target);

    EXPECT(rc, -ECANCELED);
    EXPECT(weft_await(seen.target), -ECANCELED);
    EXPECT(weft_await(job), 0);
    SAY(status_word(rc));
}

static void s23_a_cancel_after_the_end_changes_nothing(void)
{
    int status = 42;
    weft_future task = weft_spawn(ends_with, &status);

    EXPECT(weft_wait(task), 42);
    EXPECT(weft_cancel(task), 0);
    int rc = weft_await(task);

    EXPECT(rc, 42);
    EXPECT(weft_yield(), 0);
    SAY(status_word(rc));
}

/* --- waiting for what is cancelled ----------------------------------------------------------- */

static int ends_slowly(void *arg)
{
    struct seen *seen = arg;
    int rc = weft_sleep(WEFT_FOREVER);

    linger();
    linger();
    atomic_store(&seen->ended, 1);
    return rc;
}

static int awaits_the_slow(void *arg)
{
    struct seen *seen = arg;
    weft_future child = weft_spawn(ends_slowly, seen);

    check_arrive(&seen->here);
    seen->first = weft_await(child);
    seen->second = atomic_load(&seen->ended);
    return 0;
}

static void s24_a_cancelled_await_cancels_the_child_and_returns_after_its_end(void)
{
    struct seen seen = {.here = CHECK_LATCH_INIT(1)};
    weft_future waiter = weft_spawn(awaits_the_slow, &seen);

    EXPECT(check_latch_wait(&seen.here), 0);
    until_asleep(waiter);
    EXPECT(weft_cancel(waiter), 0);
    EXPECT(weft_await(waiter), 0);

    EXPECT(seen.first, -ECANCELED);
    EXPECT(seen.second, 1);
    SAY(status_word(seen.first));
    SAY(seen.second ? "child-ended" : "child-goes-on");
}

/* Ignores that it is cancelled until it is told to end. */
static int refuses_to_end(void *arg)
{
    struct seen *seen = arg;

    check_arrive(&seen->here);
    until_set(&seen->may_end);
    atomic_store(&seen->ended, 1);
    return 0;
}

static int awaits_the_refusing(void *arg)
{
    struct seen *seen = arg;

    seen->first = weft_await(weft_spawn(refuses_to_end, seen));
    EXPECT(seen->ended, 1);
    atomic_fetch_add(&seen->returned, 1);
    return 0;
}

static int closes_over_the_refusing(void *arg)
{
    struct seen *seen = arg;
    weft_scope scope;

    EXPECT(weft_scope_open(&scope), 0);
    (void)weft_scope_spawn(&scope, refuses_to_end, seen);
    seen->first = weft_scope_close(&scope, 0);
    EXPECT(seen->ended, 1);
    atomic_fetch_add(&seen->returned, 1);
    return 0;
}

static void s25_await_and_close_wait_for_a_child_that_refuses_to_end(void)
{
    const weft_fn waiters[] = {awaits_the_refusing, closes_over_the_refusing};
    int early = 0;

    for (int i = 0; i < 2; i++) {
        struct seen seen = {.here = CHECK_LATCH_INIT(1)};
        weft_future waiter = weft_spawn_at(WEFT_SITE(waiter), waiters[i], &seen);

        EXPECT(check_latch_wait(&seen.here), 0);
        until_asleep(waiter); /* else all may be over when it comes to its close */
        EXPECT(weft_cancel(waiter), 0);
        linger();
        linger();
        early += atomic_load(&seen.returned);
        atomic_store(&seen.may_end, 1);
        EXPECT(weft_await(waiter), 0);
        EXPECT(seen.first, -ECANCELED);
    }
    EXPECT(early, 0);
    SAY(early ? "returns-early" : "waits");
}

static int cancels_itself(void *arg)
{
    struct seen *seen = arg;

    seen->first = weft_cancel(weft_self());
    EXPECT(weft_cancelled(), true);
    seen->second = weft_sleep(WEFT_FOREVER);
    return seen->second;
}

static void s26_a_task_that_cancels_itself_goes_on_to_its_next_wait(void)
{
    struct seen seen = {.first = -1};

    EXPECT(weft_await(weft_spawn(cancels_itself, &seen)), -ECANCELED);
    EXPECT(seen.first, 0);
    EXPECT(seen.second, -ECANCELED);
    SAY(seen.first == 0 ? "goes-on" : "cut");
    SAY(status_word(seen.second));
}

#define DEEP 10000

/* A walk that recursed would leave a stack of 64 KiB. tests/core/scope_cancel_test.c takes ten times
 * as many, which a walk that is not linear would not survive. */
static void s27_ten_thousand_nested_scopes_are_cancelled_from_the_outermost(void)
{
    struct seen seen = {.here = CHECK_LATCH_INIT(1)};
    weft_scope *scopes = calloc(DEEP, sizeof *scopes);
    int cut = 0;

    if (!EXPECT(scopes != NULL, true))
        return;
    for (int i = 0; i < DEEP; i++)
        EXPECT(weft_scope_open(&scopes[i]), 0);
    (void)weft_scope_spawn(&scopes[DEEP - 1], waits, &seen);
    EXPECT(weft_scope_cancel(&scopes[0]), 0);
    int rc = weft_sleep(WEFT_FOREVER);
    for (int i = DEEP - 1; i >= 0; i--)
        cut += weft_scope_close(&scopes[i], rc) == -ECANCELED;

    EXPECT(cut, DEEP);
    EXPECT(seen.ended, 1);
    EXPECT(weft_yield(), 0);
    free(scopes);
    SAY(cut == DEEP ? "all" : "not-all");
}

const struct statement semantics_cancellation[] = {
    STATEMENT(s15_from_the_cancel_on_every_wait_of_the_scope_is_refused),
    STATEMENT(s16_a_cancel_reaches_all_descendants_also_later_ones_and_no_sibling),
    STATEMENT(s17_in_a_shield_waits_work_though_the_outer_is_cancelled),
    STATEMENT(s18_a_body_that_does_not_wait_keeps_its_status_though_cancelled),
    STATEMENT(s20_an_operation_in_flight_is_waited_for_and_what_it_did_is_told),
    STATEMENT(s21_of_a_cancel_and_a_completion_exactly_one_wins),
    STATEMENT(s22_a_sleeper_wakes_when_it_is_cancelled_though_nothing_else_happens),
    STATEMENT(s23_a_cancel_after_the_end_changes_nothing),
    STATEMENT(s24_a_cancelled_await_cancels_the_child_and_returns_after_its_end),
    STATEMENT(s25_await_and_close_wait_for_a_child_that_refuses_to_end),
    STATEMENT(s26_a_task_that_cancels_itself_goes_on_to_its_next_wait),
    STATEMENT(s27_ten_thousand_nested_scopes_are_cancelled_from_the_outermost),
    {.name = NULL},
};
