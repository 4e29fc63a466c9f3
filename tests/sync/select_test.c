/*
 * select_test - one of several things happens, and to the others nothing.
 */
#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/future.h"
#include "core/runtime.h"
#include "core/sys.h"
#include "sync/channel.h"
#include "sync/event.h"
#include "waiting.h"

static weft_time far_away(void) { return weft_now() + weft_s(3600); }

/* --- what can be done at once -------------------------------------------------------------------- */

static void the_arm_that_can_be_done_is_done_and_the_others_are_not(void **state)
{
    int room[1], full_room[1], got = 0, other = 77, rc = 77;
    weft_channel ready = WEFT_CHANNEL_INIT(room), full = WEFT_CHANNEL_INIT(full_room);
    weft_channel empty = WEFT_CHANNEL_INIT_UNBOUNDED(int);
    weft_channel nobody = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    weft_event event = WEFT_EVENT_INIT;

    (void)state;
    assert_int_equal(weft_send(&full, &(int){5}), 0);
    for (int round = 0; round < 50; round++) {
        assert_int_equal(weft_send(&ready, &round), 0);

        int index = weft_select(&rc, weft_on_receive(&empty, &other), weft_on_send(&full, &other),
                                weft_on_receive(&ready, &got), weft_on_send(&nobody, &other),
                                weft_on_receive(&nobody, &other), weft_on_event(&event),
                                weft_on_time(far_away()));

        assert_int_equal(index, 2);
        assert_int_equal(rc, 1);
        assert_int_equal(got, round);
        assert_int_equal(other, 77);
    }
    assert_int_equal(weft_channel_count(&full), 1);
    assert_int_equal(weft_channel_count(&ready) + weft_channel_count(&empty), 0);
}

static void each_kind_of_arm_tells_how_it_went(void **state)
{
    int room[1], got = 0, item = 4;
    weft_channel bounded = WEFT_CHANNEL_INIT(room);
    weft_event event = WEFT_EVENT_INIT;

    (void)state;
    weft_event_set(&event);
    weft_arm arms[] = {weft_on_send(&bounded, &item), weft_on_receive(&bounded, &got),
                       weft_on_event(&event), weft_on_time(weft_now()), weft_on_time(-1)};

    for (size_t i = 0; i < 5; i++) {
        arms[i].result = -77;
        assert_int_equal(weft_select_n(&arms[i], 1), 0);
        assert_int_equal(arms[i].result, i == 1 ? 1 : 0);
    }
    assert_int_equal(got, 4);
}

static void a_closed_channel_is_always_ready(void **state)
{
    int got = 77, rc = 77;

    (void)state;
    for (int stop = 0; stop < 2; stop++) {
        weft_channel channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int);

        if (stop)
            weft_channel_stop(&channel, NULL);
        else
            weft_channel_close(&channel);

        assert_int_equal(weft_select(&rc, weft_on_receive(&channel, &got)), 0);
        assert_int_equal(rc, 0);
        assert_int_equal(weft_select(&rc, weft_on_send(&channel, &got)), 0);
        assert_int_equal(rc, -EPIPE);
        assert_int_equal(weft_try_select(&rc, weft_on_receive(&channel, &got)), 0);
        assert_int_equal(got, 77);
    }
}

static void arms_that_are_switched_off_are_never_ready(void **state)
{
    weft_arm arms[] = {weft_on_send(NULL, NULL), weft_on_receive(NULL, NULL), weft_on_event(NULL),
                       weft_on_time(WEFT_FOREVER), weft_on_time(0)};

    (void)state;
    assert_int_equal(weft_try_select_n(arms, 4), -EAGAIN);
    assert_int_equal(weft_select_n(arms, 5), 4);
}

static void a_select_has_arms_but_not_too_many(void **state)
{
    weft_arm *arms = calloc(WEFT_ARMS_MOST + 1, sizeof *arms);

    (void)state;
    assert_non_null(arms);
    arms[WEFT_ARMS_MOST - 1] = weft_on_time(0);
    assert_int_equal(weft_select_n(arms, 0), -EINVAL);
    assert_int_equal(weft_try_select_n(arms, 0), -EINVAL);
    assert_int_equal(weft_select_n(arms, WEFT_ARMS_MOST + 1), -EINVAL);
    assert_int_equal(weft_select_n(arms, WEFT_ARMS_MOST), WEFT_ARMS_MOST - 1);
    assert_int_equal(weft_select_biased_n(arms, WEFT_ARMS_MOST), WEFT_ARMS_MOST - 1);
    free(arms);
}

static int no_memory(const char *call) { return strcmp(call, "alloc") == 0 ? -ENOMEM : 0; }

static void without_memory_an_unbounded_send_is_done_and_has_failed(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_UNBOUNDED(int);
    int rc = 77;

    (void)state;
    weft__sys_fault = no_memory;
    int index = weft_select(&rc, weft_on_send(&channel, &(int){1}), weft_on_time(far_away()));
    weft__sys_fault = NULL;
    assert_int_equal(index, 0);
    assert_int_equal(rc, -ENOMEM);
    assert_int_equal(weft_channel_count(&channel), 0);
}

/* --- chance and bias ------------------------------------------------------------------------------ */

#define DRAWS 100000
#define READY 6

struct draws {
    int rc;
    int wrong;
    int count[2 * READY];
};

/* Six ready arms of every kind, each followed by one that is not ready: were the order only turned
 * around by chance, those after a gap would win too often. */
static int draw(void *arg)
{
    struct draws *draws = arg;
    weft_channel closed = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    weft_channel sink = WEFT_CHANNEL_INIT_UNBOUNDED(int), source = WEFT_CHANNEL_INIT_UNBOUNDED(int);
    weft_event event = WEFT_EVENT_INIT;
    weft_promise promise;
    weft_future future = weft_promise_new(&promise);
    int got = 0;

    (void)weft_promise_set(promise, 5);
    weft_event_set(&event);
    weft_channel_close(&closed);
    weft_arm arms[2 * READY] = {
        weft_on_send(&sink, &got),
        weft_on_time(WEFT_FOREVER),
        weft_on_receive(&source, &got),
        weft_on_receive(NULL, &got),
        weft_on_future(future, NULL),
        weft_on_receive(&closed, &got),
        weft_on_event(&event),
        weft_on_time(0),
        weft_on_event(NULL),
        weft_on_send(NULL, &got),
        weft_on_time(far_away()),
        weft_on_event(NULL),
    };
    for (int i = 0; i < DRAWS && draws->rc == 0; i++) {
        draws->rc = weft_try_send(&source, &i);
        int index = weft_select_n(arms, 2 * READY);
        draws->count[index < 0 ? 0 : index]++;
        draws->wrong += index < 0;
        if (index == 0)
            draws->rc = weft_try_receive(&sink, &got) < 0;
        if (index != 2)
            draws->rc |= weft_try_receive(&source, &got) < 0;
    }
    weft_channel_destroy(&sink);
    weft_channel_destroy(&source);
    return weft_await(future);
}

/* Each of the ready ones within so many standard deviations. */
static void assert_even(const struct draws *draws, double sigmas)
{
    static const int ready[READY] = {0, 2, 4, 5, 6, 7};
    double p = 1.0 / READY, mean = DRAWS * p, sigma = sqrt(DRAWS * p * (1 - p));
    int sum = 0;

    for (int i = 0; i < READY; i++) {
        sum += draws->count[ready[i]];
        if (fabs(draws->count[ready[i]] - mean) > sigmas * sigma)
            fail_msg("arm %d: %d times of %d", ready[i], draws->count[ready[i]], DRAWS);
    }
    assert_int_equal(sum, DRAWS);
}

static void of_several_ready_arms_each_has_the_same_chance(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct draws draws = {.rc = 0};

        int rc = check_run(n, draw, &draws);

        assert_int_equal(rc, 5);
        assert_int_equal(draws.rc, 0);
        assert_int_equal(draws.wrong, 0);
        assert_even(&draws, n == 1 ? 3 : 5); /* one worker draws the same numbers every time */
    }
}

static void a_biased_select_does_the_first_that_can_be_done(void **state)
{
    weft_channel closed = WEFT_CHANNEL_INIT_RENDEZVOUS(int), open = closed;
    weft_event event = WEFT_EVENT_INIT;
    int got, wrong = 0;

    (void)state;
    weft_event_set(&event);
    weft_channel_close(&closed);
    for (int i = 0; i < 1000; i++)
        wrong += weft_select_biased(NULL, weft_on_receive(&open, &got), weft_on_event(&event),
                                    weft_on_receive(&closed, &got), weft_on_time(0)) != 1;
    assert_int_equal(wrong, 0);
}

/* --- the default case ------------------------------------------------------------------------------ */

struct glance {
    weft_channel channel;
    weft_event event;
    int ran, ran_before, rc;
};

static int note_a_run(void *arg)
{
    struct glance *glance = arg;

    glance->ran++;
    return 0;
}

static int look_without_waiting(void *arg)
{
    struct glance *glance = arg;
    weft_promise promise;
    weft_future open = weft_promise_new(&promise), other = weft_spawn(note_a_run, glance);
    int got;

    for (int i = 0; i < 100; i++)
        glance->rc +=
            weft_try_select(NULL, weft_on_receive(&glance->channel, &got),
                            weft_on_send(&glance->channel, &got), weft_on_future(open, NULL),
                            weft_on_event(&glance->event), weft_on_time(far_away())) == -EAGAIN;
    glance->ran_before = glance->ran; /* on one worker it runs only when this task waits */
    (void)weft_promise_set(promise, 0);
    return weft_gather(open, other);
}

static void a_try_select_never_waits(void **state)
{
    struct glance glance = {.ran = 0};

    (void)state;
    assert_int_equal(check_run(1, look_without_waiting, &glance), 0);
    assert_int_equal(glance.rc, 100);
    assert_int_equal(glance.ran_before, 0);
    assert_int_equal(glance.ran, 1);
    assert_null(glance.channel.weft__receivers[0]);
    assert_null(glance.channel.weft__senders[0]);
}

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
    (void)wait_for_news(arg);
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
    pthread_t thread;

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
    else if (pthread_create(&thread, NULL, wait_in_thread, wait) != 0)
        return -EAGAIN;
    if (wait->news != NEWS_NONE) {
        until_receiving(1, &wait->in);
        until_sending(1, &wait->out);
        until_waiting(1, &wait->event.weft__waiters);
    }
    tell_news(wait);
    int rc = wait->place == IN_THREAD ? pthread_join(thread, NULL) : weft_await(waiting);
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
                                    .item = 17,
                                    .index = -77};

                int rc = check_run(n, bring_news, &wait);

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

/* --- a select meets a select ------------------------------------------------------------------------ */

#define MEETINGS 300

struct meeting {
    weft_channel first, second;
    int sent[2], received[2], wrong;
    int sum_sent[2], sum_received[2];
};

struct side {
    struct meeting *meeting;
    int number;
};

/* Sends on one channel or receives from the other, whichever comes first; the other side has them the
 * other way round. */
static int meet(void *arg)
{
    struct side *side = arg;
    struct meeting *meeting = side->meeting;
    weft_channel *to = side->number ? &meeting->second : &meeting->first;
    weft_channel *from = side->number ? &meeting->first : &meeting->second;

    for (int i = 0; i < MEETINGS; i++) {
        int got = 0;
        int index = weft_select(NULL, weft_on_send(to, &i), weft_on_receive(from, &got));
        if (index == 0) {
            meeting->sent[side->number]++;
            meeting->sum_sent[side->number] += i;
        } else if (index == 1) {
            meeting->received[side->number]++;
            meeting->sum_received[side->number] += got;
        } else {
            return index;
        }
    }
    return 0;
}

static int meet_in_tasks(void *arg)
{
    return weft_gather(weft_spawn_val(meet, ((struct side){arg, 0})),
                       weft_spawn_val(meet, ((struct side){arg, 1})));
}

static int meet_a_job(void *arg)
{
    return weft_gather(weft_spawn_val(meet, ((struct side){arg, 0})),
                       weft_offload_val(weft_cpu(), meet, ((struct side){arg, 1})));
}

static void assert_met(const struct meeting *meeting)
{
    for (int i = 0; i < 2; i++) {
        assert_int_equal(meeting->sent[i] + meeting->received[i], MEETINGS);
        assert_int_equal(meeting->sent[i], meeting->received[1 - i]);
        assert_int_equal(meeting->sum_sent[i], meeting->sum_received[1 - i]);
    }
}

static void two_selects_meet_at_rendezvous_channels(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        for (int with_job = 0; with_job < 2; with_job++) {
            struct meeting meeting = {.first = WEFT_CHANNEL_INIT_RENDEZVOUS(int),
                                      .second = WEFT_CHANNEL_INIT_RENDEZVOUS(int)};

            int rc = check_run(n, with_job ? meet_a_job : meet_in_tasks, &meeting);

            assert_int_equal(rc, 0);
            assert_met(&meeting);
        }
    }
}

/* --- the same channel in several arms ---------------------------------------------------------------- */

/* Both arms on one channel, in every side: whoever sends, the other receives. */
static int meet_on_one(void *arg)
{
    struct side *side = arg;
    struct meeting *meeting = side->meeting;

    for (int i = 0; i < MEETINGS; i++) {
        int got = -1;
        int item = 1000 * side->number + i;
        int index = weft_select(NULL, weft_on_send(&meeting->first, &item),
                                weft_on_receive(&meeting->first, &got));
        meeting->sent[side->number] += index == 0;
        meeting->received[side->number] += index == 1;
        meeting->wrong += index == 1 && got / 1000 == side->number; /* it met itself */
    }
    return 0;
}

static int meet_on_one_in_tasks(void *arg)
{
    return weft_gather(weft_spawn_val(meet_on_one, ((struct side){arg, 0})),
                       weft_spawn_val(meet_on_one, ((struct side){arg, 1})));
}

static void a_select_that_sends_and_receives_on_one_channel_meets_others_only(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct meeting meeting = {.first = WEFT_CHANNEL_INIT_RENDEZVOUS(int)};

        int rc = check_run(n, meet_on_one_in_tasks, &meeting);

        assert_int_equal(rc, 0);
        assert_int_equal(meeting.wrong, 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(meeting.sent[i] + meeting.received[i], MEETINGS);
            assert_int_equal(meeting.sent[i], meeting.received[1 - i]);
        }
    }
}

static void on_a_channel_with_room_for_one_both_arms_take_turns(void **state)
{
    int room[1], got = 0, rc;
    weft_channel channel = WEFT_CHANNEL_INIT(room);

    (void)state;
    for (int i = 0; i < 100; i++) {
        int index = weft_select(&rc, weft_on_send(&channel, &i), weft_on_receive(&channel, &got));
        assert_int_equal(index, i % 2);
        assert_int_equal(rc, i % 2);
        assert_true(i % 2 == 0 || got == i - 1);
    }
}

struct twice {
    weft_channel channel;
    weft_event event;
    weft_future future;
    int index, got[2], rc;
};

static int wait_twice(void *arg)
{
    struct twice *twice = arg;
    weft_arm arms[] = {weft_on_receive(&twice->channel, &twice->got[0]),
                       weft_on_receive(&twice->channel, &twice->got[1]),
                       weft_on_event(&twice->event),
                       weft_on_event(&twice->event),
                       weft_on_future(twice->future, NULL),
                       weft_on_future(twice->future, NULL)};

    twice->index = weft_select_n(arms, 6);
    return 0;
}

static int send_once(void *arg)
{
    struct twice *twice = arg;
    weft_promise promise;

    twice->future = weft_promise_new(&promise);
    weft_future waiting = weft_spawn(wait_twice, twice);
    until_receiving(2, &twice->channel);
    until_waiting(2, &twice->event.weft__waiters);
    twice->rc = weft_try_send(&twice->channel, &(int){3});
    int rc = weft_await(waiting);
    twice->rc += weft_try_send(&twice->channel, &(int){4}) != -EAGAIN;
    (void)weft_promise_set(promise, 0);
    return rc < 0 ? rc : weft_await(twice->future);
}

static void the_same_thing_may_stand_in_several_arms(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct twice twice = {.channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int), .index = -1};

        int rc = check_run(n, send_once, &twice);

        assert_int_equal(rc, 0);
        assert_int_equal(twice.rc, 0);
        assert_in_range(twice.index, 0, 1);
        assert_int_equal(twice.got[twice.index], 3);
        assert_int_equal(twice.got[1 - twice.index], 0);
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

/* --- the moment in which a select has won its own wait, step by step --------------------------------- */

/* A select's wait with one arm, as select.c makes it; a plain thread may have several at a time. */
struct hand_made {
    struct waiter wait, arm;
    int item;
};

static void begin_by_hand(struct hand_made *made, int item)
{
    made->item = item;
    weft__wait_begin_cancellable(&made->wait);
    weft__wait_share(&made->wait, &made->arm, 3);
    made->arm.item = &made->item;
}

static void two_that_miss_each_other_meet_at_the_next_look(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    struct hand_made receiver, sender;

    (void)state;
    begin_by_hand(&receiver, 0);
    begin_by_hand(&sender, 5);
    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait),
                     MEET_WAITS);
    assert_true(weft__wake(&receiver.arm, 0)); /* it is trying something elsewhere */

    assert_int_equal(weft__channel_meet_receiver(&channel, &sender.arm, &sender.wait), MEET_MISSED);
    weft__wait_again(&receiver.wait); /* and that came to nothing */
    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait), MEET_DONE);

    assert_int_equal(receiver.item, 5);
    assert_int_equal(receiver.arm.count, CHANNEL_MET);
    assert_int_equal(sender.arm.count, CHANNEL_MET);
    assert_int_equal(weft__wait_commit(&receiver.wait, WAIT_CANCELLABLE), 3);
    assert_int_equal(weft__wait_commit(&sender.wait, WAIT_CANCELLABLE), 3);
    assert_null(channel.weft__senders[0]);
    assert_null(channel.weft__receivers[0]);
}

static void two_that_miss_each_other_meet_the_other_way_round_too(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    struct hand_made receiver, sender;

    (void)state;
    begin_by_hand(&receiver, 0);
    begin_by_hand(&sender, 5);
    assert_int_equal(weft__channel_meet_receiver(&channel, &sender.arm, &sender.wait), MEET_WAITS);
    assert_true(weft__wake(&sender.arm, 0)); /* it is trying something elsewhere */

    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait),
                     MEET_MISSED);
    weft__wait_again(&sender.wait); /* and that came to nothing */
    assert_int_equal(weft__channel_meet_receiver(&channel, &sender.arm, &sender.wait), MEET_DONE);

    assert_int_equal(receiver.item, 5);
    assert_int_equal(weft__wait_commit(&receiver.wait, WAIT_CANCELLABLE), 3);
    assert_int_equal(weft__wait_commit(&sender.wait, WAIT_CANCELLABLE), 3);
}

static void a_select_that_another_arm_has_won_takes_nothing(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_UNBOUNDED(int);
    weft_channel meeting = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    struct hand_made late, other;

    (void)state;
    assert_int_equal(weft_send(&channel, &(int){5}), 0);
    begin_by_hand(&late, 77);
    begin_by_hand(&other, 6);
    assert_int_equal(weft__channel_meet_receiver(&meeting, &other.arm, &other.wait), MEET_WAITS);
    assert_true(weft__wake(&late.arm, 0)); /* by somebody else */

    assert_int_equal(weft__channel_meet_sender(&channel, &late.arm, &late.wait), MEET_LOST);
    assert_int_equal(weft__channel_meet_sender(&meeting, &late.arm, &late.wait), MEET_LOST);

    assert_int_equal(late.item, 77);
    assert_int_equal(weft_channel_count(&channel), 1);
    assert_true(weft__wake(&other.arm, 0)); /* it was left alone */
    weft_channel_destroy(&channel);
}

static void what_was_handed_over_between_two_looks_stays_so(void **state)
{
    weft_channel channel = WEFT_CHANNEL_INIT_RENDEZVOUS(int);
    struct hand_made receiver, sender;
    int got = 0;

    (void)state;
    begin_by_hand(&receiver, 0);
    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait),
                     MEET_WAITS);
    assert_int_equal(weft_try_send(&channel, &(int){4}), 0);
    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait), MEET_LOST);
    assert_int_equal(receiver.arm.count, CHANNEL_MET);
    assert_int_equal(receiver.item, 4);

    begin_by_hand(&sender, 6);
    assert_int_equal(weft__channel_meet_receiver(&channel, &sender.arm, &sender.wait), MEET_WAITS);
    assert_int_equal(weft_try_receive(&channel, &got), 1);
    assert_int_equal(weft__channel_meet_receiver(&channel, &sender.arm, &sender.wait), MEET_LOST);
    assert_int_equal(sender.arm.count, CHANNEL_MET);
    assert_int_equal(got, 6);
    assert_null(channel.weft__senders[0]);
    assert_null(channel.weft__receivers[0]);
}

static void whom_a_select_passed_over_while_it_tried_is_found_again(void **state)
{
    int room[1], item = 0;
    weft_channel channel = WEFT_CHANNEL_INIT(room);
    struct hand_made receiver;

    (void)state;
    begin_by_hand(&receiver, 0);
    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait),
                     MEET_WAITS);
    assert_true(weft__wake(&receiver.arm, 0)); /* it is trying something elsewhere */
    assert_int_equal(weft_try_send(&channel, &(int){8}), 0);
    assert_int_equal(weft_channel_count(&channel), 1);

    weft__wait_again(&receiver.wait); /* and that came to nothing */
    assert_int_equal(weft__channel_meet_sender(&channel, &receiver.arm, &receiver.wait), MEET_DONE);

    assert_int_equal(receiver.item, 8);
    assert_int_equal(weft_try_receive(&channel, &item), -EAGAIN);
}

static void a_pulse_that_came_while_a_select_tried_something_is_not_lost(void **state)
{
    weft_event event = WEFT_EVENT_INIT;
    struct hand_made made;

    (void)state;
    begin_by_hand(&made, 0);
    made.arm.item = NULL;
    assert_true(weft__event_watch(&event, &made.arm));
    assert_true(weft__event_watch(&event, &made.arm));
    assert_true(weft__wake(&made.arm, 0)); /* it is trying something elsewhere */
    weft_event_set(&event);
    weft_event_clear(&event);
    weft__wait_again(&made.wait); /* and that came to nothing */

    assert_false(weft__event_watch(&event, &made.arm));
    weft__event_unwatch(&event, &made.arm);
}

static int watch_by_hand(void *arg)
{
    int *seen = arg;
    struct runtime *runtime;
    struct hand_made made;
    struct future *future;
    uint64_t state;
    weft_promise promise;
    weft_future handle = weft_promise_new(&promise);
    int rc = weft__runtime_enter(&runtime);

    if (rc == 0)
        rc = weft__future_find(runtime, handle, &future, &state);
    if (rc < 0)
        return rc;
    begin_by_hand(&made, 0);
    made.arm.item = NULL;
    seen[0] = weft__future_watch(future, handle.generation, &made.arm, &rc);
    seen[1] = weft__future_watch(future, handle.generation, &made.arm, &rc);
    seen[2] = weft__wake(&made.arm, 0); /* it is trying something elsewhere */
    (void)weft_promise_set(promise, 7);
    (void)weft__wait_commit(&made.wait, WAIT_FOR_SURE); /* woken already: does not suspend */
    seen[3] = weft_await(handle);                       /* its slot may be another's now */
    seen[4] = weft__future_watch(future, handle.generation, &made.arm, &rc);
    weft__future_unwatch(future, &made.arm);
    weft__runtime_leave(runtime);
    return rc;
}

static void an_end_that_came_while_a_select_tried_something_is_not_lost(void **state)
{
    int seen[5] = {-1, -1, -1, -1, -1};

    (void)state;
    assert_int_equal(check_run(1, watch_by_hand, seen), 7);
    assert_true(seen[0] && seen[1] && seen[2]);
    assert_int_equal(seen[3], 7);
    assert_false(seen[4]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_arm_that_can_be_done_is_done_and_the_others_are_not),
        cmocka_unit_test(each_kind_of_arm_tells_how_it_went),
        cmocka_unit_test(a_closed_channel_is_always_ready),
        cmocka_unit_test(arms_that_are_switched_off_are_never_ready),
        cmocka_unit_test(a_select_has_arms_but_not_too_many),
        cmocka_unit_test(without_memory_an_unbounded_send_is_done_and_has_failed),
        cmocka_unit_test(of_several_ready_arms_each_has_the_same_chance),
        cmocka_unit_test(a_biased_select_does_the_first_that_can_be_done),
        cmocka_unit_test(a_try_select_never_waits),
        cmocka_unit_test(whoever_comes_first_ends_the_wait_and_the_others_lose_nothing),
        cmocka_unit_test(selects_stand_in_line_with_everybody_else),
        cmocka_unit_test(two_selects_meet_at_rendezvous_channels),
        cmocka_unit_test(a_select_that_sends_and_receives_on_one_channel_meets_others_only),
        cmocka_unit_test(on_a_channel_with_room_for_one_both_arms_take_turns),
        cmocka_unit_test(the_same_thing_may_stand_in_several_arms),
        cmocka_unit_test(a_cancelled_task_selects_nothing_even_if_it_could),
        cmocka_unit_test(a_select_that_is_cancelled_took_nothing),
        cmocka_unit_test(who_was_granted_before_the_cancel_has_it),
        cmocka_unit_test(a_time_out_around_a_select_ends_it),
        cmocka_unit_test(the_earliest_moment_counts_and_never_too_early),
        cmocka_unit_test(without_memory_for_a_timer_nothing_happens),
        cmocka_unit_test(a_future_tells_what_weft_wait_would_and_is_not_consumed),
        cmocka_unit_test(without_a_runtime_a_future_has_ended),
        cmocka_unit_test(arms_may_be_used_again_and_replaced),
        cmocka_unit_test(two_that_miss_each_other_meet_at_the_next_look),
        cmocka_unit_test(two_that_miss_each_other_meet_the_other_way_round_too),
        cmocka_unit_test(a_select_that_another_arm_has_won_takes_nothing),
        cmocka_unit_test(what_was_handed_over_between_two_looks_stays_so),
        cmocka_unit_test(whom_a_select_passed_over_while_it_tried_is_found_again),
        cmocka_unit_test(a_pulse_that_came_while_a_select_tried_something_is_not_lost),
        cmocka_unit_test(an_end_that_came_while_a_select_tried_something_is_not_lost),
    };
    return CHECK_GROUP(tests);
}
