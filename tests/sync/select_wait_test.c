/*
 * select_wait_test - a select that must wait: whoever comes first ends it, a cancel too.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "check.h"
#include "core/sys.h"
#include "waiting.h"

static weft_time far_away(void) { return weft_now() + weft_s(3600); }

static int no_memory(const char *call) { return strcmp(call, "alloc") == 0 ? -ENOMEM : 0; }

/* --- waiting ---------------------------------------------------------------------------------------- */

enum news {
    NEWS_ITEM,
    NEWS_TAKER,
    NEWS_END,
    NEWS_EVENT,
    NEWS_PULSE,
    NEWS_CLOSE,
    NEWS_STOP,
    NEWS_NONE
};
enum place { IN_TASK, IN_JOB, IN_THREAD };

struct wait {
    weft_channel in, out;
    weft_event event;
    weft_future future;
    weft_promise promise;
    pthread_t thread;
    struct check_latch done; /* the thread is */
    enum news news;
    enum place place;
    weft_arm arms[5];
    int got, item, status; /* of the arms */
    int index, taken;
    int left_over; /* what the arms that lost have had to do with */
};

static int wait_for_news(void *arg)
{
    struct wait *wait = arg;

    wait->index = weft_select_n(wait->arms, 5);
    return 0;
}

static void *wait_in_thread(void *arg)
{
    struct wait *wait = arg;

    (void)wait_for_news(wait);
    check_arrive(&wait->done);
    return NULL;
}

static void tell_news(struct wait *wait)
{
    int rc = 0;

    switch (wait->news) {
    case NEWS_ITEM: rc = weft_try_send(&wait->in, &(int){42}); break;
    case NEWS_TAKER: rc = weft_try_receive(&wait->out, &wait->taken) - 1; break;
    case NEWS_END: rc = weft_promise_set(wait->promise, 6); break;
    case NEWS_EVENT: weft_event_set(&wait->event); break;
    case NEWS_PULSE:
        weft_event_set(&wait->event);
        weft_event_clear(&wait->event);
        break;
    case NEWS_CLOSE: weft_channel_close(&wait->in); break;
    case NEWS_STOP: weft_channel_stop(&wait->out, NULL); break;
    case NEWS_NONE: break;
    }
    wait->left_over += rc != 0;
}

/* What is left of a select when it has returned: nothing. */
static int count_left_over(struct wait *wait)
{
    int got;

    return line_length(&wait->in.weft__lock, &wait->in.weft__receivers[0]) +
           line_length(&wait->out.weft__lock, &wait->out.weft__senders[0]) +
           line_length(&wait->event.weft__waiters.lock, &wait->event.weft__waiters.first) +
           (weft_try_send(&wait->in, &got) == 0) + (weft_try_receive(&wait->out, &got) == 1);
}

static int bring_news(void *arg)
{
    struct wait *wait = arg;
    weft_future waiting = {0, 0};

    wait->future = weft_promise_new(&wait->promise);
    wait->arms[0] = weft_on_receive(&wait->in, &wait->got);
    wait->arms[1] = weft_on_send(&wait->out, &wait->item);
    wait->arms[2] = weft_on_future(wait->future, &wait->status);
    wait->arms[3] = weft_on_event(&wait->event);
    wait->arms[4] = weft_on_time(wait->news == NEWS_NONE ? weft_now() + weft_ms(2) : far_away());
    if (wait->place == IN_TASK)
        waiting = weft_spawn(wait_for_news, wait);
    else if (wait->place == IN_JOB)
        waiting = weft_offload(weft_cpu(), wait_for_news, wait);
    else if (pthread_create(&wait->thread, NULL, wait_in_thread, wait) != 0)
        return -EAGAIN;
    if (wait->news != NEWS_NONE) {
        until_receiving(1, &wait->in);
        until_sending(1, &wait->out);
        until_waiting(1, &wait->event.weft__waiters);
    }
    tell_news(wait);
    int rc = wait->place == IN_THREAD ? check_latch_wait(&wait->done) : weft_await(waiting);
    wait->left_over += count_left_over(wait);
    (void)weft_promise_set(wait->promise, 6); /* -EALREADY if that was the news */
    int status = weft_await(wait->future);    /* a select does not consume */
    return rc != 0 ? -EIO : status;
}

static void check_news(const struct wait *wait)
{
    static const int index[] = {0, 1, 2, 3, 3, 0, 1, 4};
    static const int result[] = {1, 0, 6, 0, 0, 0, -EPIPE, 0};

    assert_int_equal(wait->index, index[wait->news]);
    assert_int_equal(wait->arms[wait->index].result, result[wait->news]);
    assert_int_equal(wait->got, wait->news == NEWS_ITEM ? 42 : 0);
    assert_int_equal(wait->taken, wait->news == NEWS_TAKER ? 17 : 0);
    assert_int_equal(wait->status, wait->news == NEWS_END ? 6 : 0);
    assert_int_equal(wait->left_over, 0);
}

static void whoever_comes_first_ends_the_wait_and_the_others_lose_nothing(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        for (int place = IN_TASK; place <= IN_THREAD; place++) {
            for (int news = NEWS_ITEM; news <= NEWS_NONE; news++) {
                struct wait wait = {.in = WEFT_CHANNEL_INIT_RENDEZVOUS(int),
                                    .out = WEFT_CHANNEL_INIT_RENDEZVOUS(int),
                                    .news = (enum news)news,
                                    .place = (enum place)place,
                                    .done = CHECK_LATCH_INIT(1),
                                    .item = 17,
                                    .index = -77};

                int rc = check_run(n, bring_news, &wait);
                if (place == IN_THREAD)
                    assert_int_equal(pthread_join(wait.thread, NULL), 0);

                assert_int_equal(rc, 6);
                check_news(&wait);
            }
        }
    }
}

/* --- in line with others --------------------------------------------------------------------------- */

#define LINE 6

struct line {
    weft_channel channel;
    weft_event never;
    int index[LINE], got[LINE];
    weft_future future[LINE];
};

struct member {
    struct line *line;
    int number;
};

static int receive_in_line(void *arg)
{
    struct member *member = arg;
    struct line *line = member->line;
    int *got = &line->got[member->number];

    line->index[member->number] =
        member->number % 2
            ? weft_receive(&line->channel, got)
            : weft_select(NULL, weft_on_event(&line->never), weft_on_receive(&line->channel, got));
    return 0;
}

static int serve_the_line(void *arg)
{
    struct line *line = arg;

    for (int i = 0; i < LINE; i++) {
        line->future[i] = weft_spawn_val(receive_in_line, ((struct member){line, i}));
        until_receiving(i + 1, &line->channel);
    }
    (void)weft_cancel(line->future[2]);
    for (int i = 1; i < LINE; i++) {
        int rc = weft_try_send(&line->channel, &i);
        if (rc < 0)
            return rc;
    }
    return weft_gather_n(line->future, LINE, NULL);
}

static void selects_stand_in_line_with_everybody_else(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct line line = {.channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int)};

        int rc = check_run(n, serve_the_line, &line);

        assert_int_equal(rc, 0);
        for (int i = 0; i < LINE; i++) {
            assert_int_equal(line.index[i], i == 2 ? -ECANCELED : 1);
            assert_int_equal(line.got[i], i < 2 ? i + 1 : i == 2 ? 0 : i);
        }
    }
}

/* --- cancel ------------------------------------------------------------------------------------------ */

struct cut {
    weft_channel channel, out;
    weft_event event;
    int index, rc, got, other, sent;
};

static int select_when_cancelled(void *arg)
{
    struct cut *cut = arg;

    (void)weft_cancel(weft_self());
    cut->index = weft_select(&cut->rc, weft_on_receive(&cut->channel, &cut->got),
                             weft_on_event(&cut->event), weft_on_time(0));
    cut->other = weft_try_select(NULL, weft_on_receive(&cut->channel, &cut->got));
    return 0;
}

static void a_cancelled_task_selects_nothing_even_if_it_could(void **state)
{
    struct cut cut = {.channel = WEFT_CHANNEL_INIT_UNBOUNDED(int), .got = 77};

    (void)state;
    weft_event_set(&cut.event);
    assert_int_equal(weft_send(&cut.channel, &(int){1}), 0);
    int rc = check_run(1, select_when_cancelled, &cut);
    assert_int_equal(rc, 0);
    assert_int_equal(cut.index, -ECANCELED);
    assert_int_equal(cut.rc, -ECANCELED);
    assert_int_equal(cut.other, 0);
    assert_int_equal(cut.got, 1);
    weft_channel_destroy(&cut.channel);
}

static int select_three(void *arg)
{
    struct cut *cut = arg;

    cut->index = weft_select(&cut->rc, weft_on_receive(&cut->channel, &cut->got),
                             weft_on_send(&cut->out, &cut->other), weft_on_event(&cut->event),
                             weft_on_time(far_away()));
    return 0;
}

static int cancel_the_wait(void *arg)
{
    struct cut *cut = arg;
    weft_future waiting = weft_spawn(select_three, cut);

    until_receiving(1, &cut->channel);
    until_sending(1, &cut->out);
    (void)weft_cancel(waiting);
    cut->sent = weft_try_send(&cut->channel, &(int){5});
    cut->sent |= weft_try_receive(&cut->out, &cut->other);
    return weft_await(waiting);
}

static void a_select_that_is_cancelled_took_nothing(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct cut cut = {.channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int),
                          .out = WEFT_CHANNEL_INIT_RENDEZVOUS(int),
                          .other = 17};

        int rc = check_run(n, cancel_the_wait, &cut);

        assert_int_equal(rc, 0);
        assert_int_equal(cut.index, -ECANCELED);
        assert_int_equal(cut.rc, -ECANCELED);
        assert_int_equal(cut.sent, -EAGAIN);
        assert_int_equal(cut.got, 0);
        assert_null(cut.channel.weft__receivers[0]);
        assert_null(cut.out.weft__senders[0]);
        assert_null(cut.event.weft__waiters.first);
    }
}

static int grant_and_cancel(void *arg)
{
    struct cut *cut = arg;
    weft_future waiting = weft_spawn(select_three, cut);

    until_receiving(1, &cut->channel);
    cut->sent = weft_try_send(&cut->channel, &(int){5});
    (void)weft_cancel(waiting);
    return weft_await(waiting);
}

static void who_was_granted_before_the_cancel_has_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct cut cut = {.channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int),
                          .out = WEFT_CHANNEL_INIT_RENDEZVOUS(int)};

        int rc = check_run(n, grant_and_cancel, &cut);

        assert_int_equal(rc, 0);
        assert_int_equal(cut.sent, 0);
        assert_int_equal(cut.index, 0);
        assert_int_equal(cut.rc, 1);
        assert_int_equal(cut.got, 5);
    }
}

static int select_in_time(void *arg)
{
    struct cut *cut = arg;

    cut->rc = weft_timeout(weft_ms(1), select_three, cut);
    return 0;
}

static void a_time_out_around_a_select_ends_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct cut cut = {.channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int),
                          .out = WEFT_CHANNEL_INIT_RENDEZVOUS(int)};

        int rc = check_run(n, select_in_time, &cut);

        assert_int_equal(rc, 0);
        assert_int_equal(cut.index, -ECANCELED);
    }
}

/* --- time --------------------------------------------------------------------------------------------- */

static int early;

static int select_on_times(void *arg)
{
    weft_channel never = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    int got;

    (void)arg;
    for (int i = 0; i < 20; i++) {
        weft_time moment = weft_now() + weft_us(50 * i);
        int index = weft_select(NULL, weft_on_time(far_away()), weft_on_time(moment),
                                weft_on_receive(&never, &got), weft_on_time(moment + weft_s(1000)));
        early += weft_now() < moment;
        if (index != 1)
            return -EIO;
    }
    return 0;
}

static int select_on_times_in_job(void *arg)
{
    return weft_await(weft_offload(weft_cpu(), select_on_times, arg));
}

static void the_earliest_moment_counts_and_never_too_early(void **state)
{
    (void)state;
    early = 0;
    CHECK_WORKERS(n) {
        assert_int_equal(check_run(n, select_on_times, NULL), 0);
        assert_int_equal(check_run(n, select_on_times_in_job, NULL), 0);
    }
    assert_int_equal(select_on_times(NULL), 0);
    assert_int_equal(early, 0);
}

static int select_without_timer(void *arg)
{
    weft_channel never = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    int got, rc = 0;
    int *index = arg;

    weft__sys_fault = no_memory;
    *index = weft_select(&rc, weft_on_receive(&never, &got), weft_on_time(far_away()));
    weft__sys_fault = NULL;
    return never.weft__receivers[0] ? -EIO : rc;
}

static void without_memory_for_a_timer_nothing_happens(void **state)
{
    int index = 0;

    (void)state;
    assert_int_equal(check_run(1, select_without_timer, &index), -ENOMEM);
    assert_int_equal(index, -ENOMEM);
}

/* --- futures ------------------------------------------------------------------------------------------ */

struct ends {
    int consumed, failed, self, done, zero;
    int after;
};

static int end_with_9(void *arg)
{
    (void)arg;
    return 9;
}

static int look_at_ends(void *arg)
{
    struct ends *ends = arg;
    weft_future done = weft_spawn(end_with_9, NULL), old = weft_spawn(end_with_9, NULL);
    weft_future failed =
        weft_spawn_with(&(weft_task_options){.stack_bytes = SIZE_MAX}, end_with_9, NULL);
    int rc = weft_await(old);

    if (rc < 0)
        return rc;
    rc = weft_select(&ends->consumed, weft_on_future(old, NULL));
    rc |= weft_select(&ends->failed, weft_on_future(failed, NULL));
    rc |= weft_select(&ends->self, weft_on_future(weft_self(), NULL));
    rc |= weft_select(&ends->zero, weft_on_future((weft_future){0, 0}, NULL));
    rc |= weft_select(&ends->done, weft_on_future(done, NULL));
    rc |= weft_select(NULL, weft_on_future(done, &ends->after));
    return rc == 0 ? weft_await(done) : -EIO;
}

static void a_future_tells_what_weft_wait_would_and_is_not_consumed(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct ends ends = {.done = 0};

        int rc = check_run(n, look_at_ends, &ends);

        assert_int_equal(rc, 9);
        assert_int_equal(ends.consumed, -ESTALE);
        assert_int_equal(ends.failed, -EINVAL);
        assert_int_equal(ends.self, -EDEADLK);
        assert_int_equal(ends.zero, -EINVAL);
        assert_int_equal(ends.done, 9);
        assert_int_equal(ends.after, 9);
    }
}

static void without_a_runtime_a_future_has_ended(void **state)
{
    int rc = 0;

    (void)state;
    assert_int_equal(weft_select(&rc, weft_on_future((weft_future){0, ENOMEM}, NULL)), 0);
    assert_int_equal(rc, -ENOMEM);
}

static int one_more(void *arg)
{
    weft_event *gate = arg;

    return weft_event_wait(gate);
}

static int until_all_have_ended(void *arg)
{
    weft_event gate[LINE] = {WEFT_EVENT_INIT};
    weft_future future[LINE];
    weft_arm arms[LINE];
    int order = 0;

    (void)arg;
    for (int i = 0; i < LINE; i++) {
        future[i] = weft_spawn(one_more, &gate[i]);
        arms[i] = weft_on_future(future[i], NULL);
    }
    for (int i = LINE - 1; i >= 0; i--) {
        weft_event_set(&gate[i]);
        int index = weft_select_n(arms, LINE);
        if (index < 0)
            return index;
        order = 10 * order + index;
        arms[index] = weft_on_event(NULL);
    }
    int rc = weft_gather_n(future, LINE, NULL);
    return rc < 0 ? rc : order;
}

static void arms_may_be_used_again_and_replaced(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, until_all_have_ended, NULL), 543210);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_comes_first_ends_the_wait_and_the_others_lose_nothing),
        cmocka_unit_test(selects_stand_in_line_with_everybody_else),
        cmocka_unit_test(a_cancelled_task_selects_nothing_even_if_it_could),
        cmocka_unit_test(a_select_that_is_cancelled_took_nothing),
        cmocka_unit_test(who_was_granted_before_the_cancel_has_it),
        cmocka_unit_test(a_time_out_around_a_select_ends_it),
        cmocka_unit_test(the_earliest_moment_counts_and_never_too_early),
        cmocka_unit_test(without_memory_for_a_timer_nothing_happens),
        cmocka_unit_test(a_future_tells_what_weft_wait_would_and_is_not_consumed),
        cmocka_unit_test(without_a_runtime_a_future_has_ended),
        cmocka_unit_test(arms_may_be_used_again_and_replaced),
    };
    return CHECK_GROUP(tests);
}
