/*
 * futures - S38 to S48: one end for each future, told to all who ask; lists of them; select.
 */
#include <pthread.h>

#include <weft/pool.h>

#include "semantics.h"

struct seen {
    struct check_latch here;
    _Atomic int ended, cut, others;
    weft_future future;
    int statuses[8];
    int rc;
    int thread_status;
};

/* --- one future ------------------------------------------------------------------------------ */

static int looks(void *arg)
{
    struct seen *seen = arg;

    check_arrive(&seen->here);
    return weft_wait(seen->future);
}

static void *looks_from_a_thread(void *arg)
{
    struct seen *seen = arg;

    seen->thread_status = looks(seen);
    return NULL;
}

static int counts_itself(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
    return 0;
}

static void s38_all_who_wait_get_the_same_status_and_a_done_future_suspends_nobody(void)
{
    struct seen seen = {.here = CHECK_LATCH_INIT(9)};
    weft_promise promise;
    weft_future lookers[7];
    pthread_t thread;
    int same = 0;

    seen.future = weft_promise_new(&promise);
    EXPECT(pthread_create(&thread, NULL, looks_from_a_thread, &seen), 0);
    for (int i = 0; i < 7; i++)
        lookers[i] = weft_spawn(looks, &seen);
    weft_future job = weft_offload(weft_cpu(), looks, &seen);
    EXPECT(check_latch_wait(&seen.here), 0);
    EXPECT(weft_promise_set(promise, 33), 0);
    for (int i = 0; i < 7; i++)
        same += weft_await(lookers[i]) == 33;
    EXPECT(weft_await(job), 33);
    EXPECT(pthread_join(thread, NULL), 0); /* it waits for nothing any more */
    EXPECT(same, 7);
    EXPECT(seen.thread_status, 33);

    /* With one worker, another ready task would have run, had one of these suspended. */
    weft_future other = weft_spawn(counts_itself, (void *)&seen.others);
    EXPECT(weft_wait(seen.future), 33);
    EXPECT(weft_await(seen.future), 33);
    if (semantics_workers == 1)
        EXPECT(seen.others, 0);
    EXPECT(weft_await(other), 0);
    SAY(same == 7 ? "same" : "differ");
}

static void expect_stale(weft_future future)
{
    EXPECT(weft_await(future), -ESTALE);
    EXPECT(weft_wait(future), -ESTALE);
    EXPECT(weft_cancel(future), -ESTALE);
    EXPECT(weft_detach(future), -ESTALE);
}

static void s39_a_consumed_handle_is_stale_and_never_means_another_task(void)
{
    int status = 1;
    weft_future awaited = weft_spawn(ends_with, &status);
    weft_future gathered = weft_spawn(ends_with, &status);
    weft_future detached = weft_spawn(ends_with, &status);

    EXPECT(weft_await(awaited), 1);
    EXPECT(weft_gather_n(&gathered, 1, NULL), 0);
    EXPECT(weft_wait(detached), 1);
    EXPECT(weft_detach(detached), 0);
    for (int i = 0; i < 300; i++) { /* their slots are used again */
        int other = 1000 + i;
        weft_future later = weft_spawn(ends_with, &other);

        if (i % 50 == 0) {
            expect_stale(awaited);
            expect_stale(gathered);
            expect_stale(detached);
        }
        EXPECT(weft_await(later), other);
    }
}

static void s40_a_promise_given_up_is_epipe_and_one_is_set_only_once(void)
{
    struct seen seen = {.here = CHECK_LATCH_INIT(3)};
    weft_future lookers[3];
    weft_promise dropped, set;

    seen.future = weft_promise_new(&dropped);
    for (int i = 0; i < 3; i++)
        lookers[i] = weft_spawn(looks, &seen);
    EXPECT(check_latch_wait(&seen.here), 0);
    EXPECT(weft_promise_drop(dropped), 0);
    for (int i = 0; i < 3; i++)
        EXPECT(weft_await(lookers[i]), -EPIPE);
    EXPECT(weft_await(seen.future), -EPIPE);
    EXPECT(weft_promise_set(dropped, 1), -EALREADY);

    seen.future = weft_promise_new(&set);
    EXPECT(weft_promise_set(set, 4), 0);
    int second = weft_promise_set(set, 5);
    EXPECT(second, -EALREADY);
    EXPECT(weft_promise_drop(set), -EALREADY);
    EXPECT(weft_await(seen.future), 4);
    SAY(second < 0 ? "refused" : "taken");
}

/* --- gather ---------------------------------------------------------------------------------- */

struct link_in_chain {
    weft_event *before, *after;
    int status;
};

/* Ends when the one before has ended. */
static int ends_in_turn(void *arg)
{
    struct link_in_chain *at = arg;
    int rc = weft_event_wait(at->before);

    weft_event_set(at->after);
    return rc < 0 ? rc : at->status;
}

static void s41_gathered_statuses_stand_in_the_order_of_the_arguments(void)
{
    /* ends third, last, first, second */
    const int turn[4] = {2, 3, 0, 1};
    weft_event events[5] = {WEFT_EVENT_INIT};
    weft_future futures[4];
    int statuses[4];
    int right = 0;

    for (int i = 0; i < 4; i++) {
        struct link_in_chain at = {&events[turn[i]], &events[turn[i] + 1], 10 + i};
        futures[i] = weft_spawn_val(ends_in_turn, at);
    }
    weft_event_set(&events[0]);
    EXPECT(weft_gather_n(futures, 4, statuses), 0);
    for (int i = 0; i < 4; i++)
        right += EXPECT(statuses[i], 10 + i);
    SAY(right == 4 ? "argument-order" : "other-order");
}

static int waits_and_ends_slowly(void *arg)
{
    struct seen *seen = arg;

    check_arrive(&seen->here);
    int rc = weft_sleep(WEFT_FOREVER);
    linger();
    atomic_fetch_add(&seen->cut, rc == -ECANCELED);
    atomic_fetch_add(&seen->ended, 1);
    return rc;
}

static int fails_when_all_are_here(void *arg)
{
    struct seen *seen = arg;
    int rc = check_latch_wait(&seen->here);

    return rc < 0 ? rc : -EIO;
}

static void s42_when_one_fails_gather_returns_with_all_the_others_cancelled_and_ended(void)
{
    struct seen seen = {.here = CHECK_LATCH_INIT(2)};
    int statuses[3];

    const weft_future futures[] = {weft_spawn(waits_and_ends_slowly, &seen),
                                   weft_spawn(fails_when_all_are_here, &seen),
                                   weft_spawn(waits_and_ends_slowly, &seen)};
    int rc = weft_gather_n(futures, 3, statuses);
    int ended = atomic_load(&seen.ended);

    EXPECT(rc, -EIO);
    EXPECT(ended, 2);
    EXPECT(seen.cut, 2);
    EXPECT(statuses[0], -ECANCELED);
    EXPECT(statuses[1], -EIO);
    EXPECT(statuses[2], -ECANCELED);
    SAY(status_word(rc));
    SAY(ended == 2 ? "others-ended" : "others-go-on");
}

static int gathers_two(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_gather(weft_spawn(waits_and_ends_slowly, seen),
                           weft_spawn(waits_and_ends_slowly, seen));
    EXPECT(seen->ended, 2);
    return seen->rc;
}

static int settles_two(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_gather_settled(seen->statuses, weft_spawn(waits_and_ends_slowly, seen),
                                   weft_spawn(waits_and_ends_slowly, seen));
    EXPECT(seen->ended, 2);
    EXPECT(seen->statuses[0], -ECANCELED);
    EXPECT(seen->statuses[1], -ECANCELED);
    return seen->rc;
}

static void s43_a_cancelled_gather_cancels_all_its_children_and_says_so_settled_or_not(void)
{
    const weft_fn gatherers[] = {settles_two, gathers_two};
    struct seen seen;
    int rc = 0;

    for (int i = 0; i < 2; i++) {
        seen = (struct seen){.here = CHECK_LATCH_INIT(2)};
        weft_future gatherer = weft_spawn_at(WEFT_SITE(gatherer), gatherers[i], &seen);

        EXPECT(check_latch_wait(&seen.here), 0);
        EXPECT(weft_cancel(gatherer), 0);
        rc = weft_await(gatherer);

        EXPECT(rc, -ECANCELED);
        EXPECT(seen.cut, 2);
    }
    SAY(status_word(rc));
    SAY(seen.cut == 2 ? "children-cancelled" : "children-left");
}

static void s44_none_is_0_one_twice_is_refused_a_failed_spawn_gives_its_error(void)
{
    struct seen seen = {.here = CHECK_LATCH_INIT(1)};
    const weft_task_options too_much = {.stack_bytes = (size_t)1 << 40};
    int status = 6;

    int none = weft_gather_n(NULL, 0, NULL);
    EXPECT(none, 0);
    weft_future task = weft_spawn(ends_with, &status);
    int twice = weft_gather(task, task);
    EXPECT(twice, -EINVAL);
    EXPECT(weft_await(task), 6); /* nothing was consumed */

    weft_future failed = weft_spawn_with(&too_much, ends_with, &status);
    EXPECT(weft_gather(weft_spawn(waits_and_ends_slowly, &seen), failed), -EINVAL);
    EXPECT(seen.cut, 1);
    EXPECT(weft_await(failed), -EINVAL);
    SAY(status_word(none));
    SAY(status_word(twice));
}

const struct statement semantics_futures[] = {
    STATEMENT(s38_all_who_wait_get_the_same_status_and_a_done_future_suspends_nobody),
    MISUSE(s39_a_consumed_handle_is_stale_and_never_means_another_task),
    STATEMENT(s40_a_promise_given_up_is_epipe_and_one_is_set_only_once),
    STATEMENT(s41_gathered_statuses_stand_in_the_order_of_the_arguments),
    STATEMENT(s42_when_one_fails_gather_returns_with_all_the_others_cancelled_and_ended),
    STATEMENT(s43_a_cancelled_gather_cancels_all_its_children_and_says_so_settled_or_not),
    STATEMENT(s44_none_is_0_one_twice_is_refused_a_failed_spawn_gives_its_error),
    {.name = NULL},
};
