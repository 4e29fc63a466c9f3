/*
 * context_test - from where each call may be made: the table of docs/reference.md, cell by cell.
 *
 * Every public call with a line "From:" in its docstring stands here (tests/places.awk looks whether
 * one is missing), and the calls that need a runtime. A call that may be made is made so that it
 * comes back at once.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>

#include <weft/testing.h>

#include "tasks.h"

/* Not asked here: it may be made, and what it does there has tests of its own. */
#define ANY 12345

static const weft_future none = {0, 0};
static char byte;

static int five(void *arg)
{
    (void)arg;
    return 5;
}

/* What a spawn answers. */
static int answer_of(weft_future future) { return weft_await(future); }

/* --- time and tasks -------------------------------------------------------------------------- */

static int yields_once(void) { return weft_yield(); }
static int sleeps_no_time(void) { return weft_sleep(0); }
static int sleeps_until_now(void) { return weft_sleep_until(weft_now()); }
static int is_cancelled(void) { return weft_cancelled(); }
static int has_no_self(void) { return weft_self().slot == 0 ? -ENOENT : 0; }

static int ticks(void)
{
    weft_interval interval;
    int rc = weft_interval_init(&interval, 1, WEFT_MISSED_BURST);

    return rc < 0 ? rc : weft_interval_tick(&interval);
}

static int spawns(void) { return answer_of(weft_spawn(five, NULL)); }
static int spawns_val(void) { return answer_of(weft_spawn_val(five, none)); }

static int spawns_with(void)
{
    return answer_of(weft_spawn_with(&(weft_task_options){.stack_bytes = 0}, five, NULL));
}

static int promises(void)
{
    weft_promise promise;
    weft_future future = weft_promise_new(&promise);

    (void)weft_promise_set(promise, 5); /* -EINVAL if there is none */
    return answer_of(future);
}

/* --- waiting for futures --------------------------------------------------------------------- */

static int awaits(void) { return weft_await(none); }
static int waits(void) { return weft_wait(none); }
static int cancels(void) { return weft_cancel(none); }
static int detaches(void) { return weft_detach(none); }
static int gathers(void) { return weft_gather_n(NULL, 0, NULL); }
static int settles(void) { return weft_gather_settled_n(NULL, 0, NULL); }
static int races(void) { return weft_race_n(&none, 1, NULL); }

static int begins_completed(void)
{
    weft_completed all;

    return weft_completed_init(&all, NULL, 0);
}

static int goes_through(void)
{
    weft_completed all;
    int rc = weft_completed_init(&all, NULL, 0);
    int next = weft_completed_next(&all, NULL, NULL);
    int end = weft_completed_end(&all);

    return rc < 0 ? rc : next < 0 ? next : end;
}

/* --- scopes ---------------------------------------------------------------------------------- */

static int opens_a_scope(void)
{
    weft_scope scope;
    int rc = weft_scope_open(&scope);

    return rc < 0 ? rc : weft_scope_close(&scope, 0);
}

static int opens_a_scope_with(void)
{
    weft_scope scope;
    int rc = weft_scope_open_with(&scope, &(weft_scope_options){.shield = true});

    return rc < 0 ? rc : weft_scope_close(&scope, 0);
}

/* A scope of nobody, as one is that could not be opened. */
static int closes_a_scope(void)
{
    weft_scope scope = {{0}};

    return weft_scope_close(&scope, 0);
}

/* A scope that was never opened, too. */
static int spawns_into_a_scope(void)
{
    weft_scope scope = {{0}};

    return answer_of(weft_scope_spawn(&scope, five, NULL));
}

static int spawns_val_into_a_scope(void)
{
    weft_scope scope = {{0}};

    return answer_of(weft_scope_spawn_val(&scope, five, none));
}

static int starts_in_a_scope(void)
{
    weft_scope scope = {{0}};

    return weft_scope_start(&scope, five, NULL);
}

static int starts_val_in_a_scope(void)
{
    weft_scope scope = {{0}};

    return weft_scope_start_val(&scope, five, none);
}

static int cancels_a_scope(void)
{
    weft_scope scope = {{0}};

    return weft_scope_cancel(&scope);
}

static int stops_a_scope(void)
{
    weft_scope scope = {{0}};

    return weft_scope_stop(&scope);
}

static int cancels_a_scope_softly(void)
{
    weft_scope scope = {{0}};

    return weft_scope_cancel_soft(&scope, 0);
}

static int moves_a_deadline(void)
{
    weft_scope scope = {{0}};

    return weft_scope_deadline(&scope, 0);
}

static int counts_failures(void)
{
    weft_scope scope = {{0}};

    return (int)weft_scope_failures(&scope, NULL, 0);
}

static int is_ready(void) { return weft_ready(0); }
static int goes_softly(void) { return weft_soft(five, NULL); }

static int sets_a_local(void)
{
    static weft_local key = WEFT_LOCAL_INIT(NULL);

    return weft_local_set(&key, NULL);
}

static int times_out(void) { return weft_timeout(WEFT_FOREVER, five, NULL); }
static int shields(void) { return weft_shield(WEFT_FOREVER, five, NULL); }

/* --- the runtime ----------------------------------------------------------------------------- */

static int calls(void) { return weft_call(five, NULL); }
static int runs(void) { return weft_run(five, NULL); }
static int runs_with(void) { return weft_run_with(&(weft_options){.workers = 1}, five, NULL); }
static int stops(void) { return weft_stop(); }

static int informs(void)
{
    weft_info_data info;

    return weft_info(&info);
}

static int starts(void)
{
    int rc = weft_start(NULL);

    return rc < 0 ? rc : weft_stop();
}

static int cancels_everywhere(void) { return weft_test_cancel_everywhere(five, NULL); }
static int sets_a_clock(void) { return weft_test_clock(0); }

static int holds_a_waker(void)
{
    weft_waker_hold();
    return weft_waker_release();
}

/* --- pools, bytes and sockets ---------------------------------------------------------------- */

static int offloads(void) { return answer_of(weft_offload(weft_blocking_lane(), five, NULL)); }
static int blocks(void) { return weft_blocking(five, NULL); }
static int opens(void) { return weft_open("/dev/null", O_RDONLY, 0); }
static int reads(void) { return (int)weft_read(-1, &byte, 1); }
static int writes(void) { return (int)weft_write(-1, &byte, 1); }
static int preads(void) { return (int)weft_pread(-1, &byte, 1, 0); }
static int pwrites(void) { return (int)weft_pwrite(-1, &byte, 1, 0); }
static int reads_full(void) { return (int)weft_read_full(-1, &byte, 1); }
static int writes_full(void) { return (int)weft_write_full(-1, &byte, 1); }
static int accepts(void) { return weft_tcp_accept(-1, NULL); }
static int connects(void) { return weft_tcp_connect("127.0.0.1", 1); }
static int closes(void) { return weft_close(-1); }

/* --- the table ------------------------------------------------------------------------------- */

struct row {
    const char *name;
    int (*call)(void);
    int task, job, thread, before, after; /* what it answers there; ANY: not asked */
};

// clang-format off
static const struct row table[] = {
    /* what                         how                      task      job       thread   before   after the runtime */
    {"weft_yield",                  yields_once,             0,        -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_sleep",                  sleeps_no_time,          0,        -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_sleep_until",            sleeps_until_now,        0,        -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_interval_tick",          ticks,                   0,        -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_cancelled",              is_cancelled,            0,        0,        0,       0,       0},
    {"weft_self",                   has_no_self,             0,        -ENOENT,  -ENOENT, -ENOENT, -ENOENT},
    {"weft_spawn",                  spawns,                  5,        5,        5,       -ENXIO,  -ESHUTDOWN},
    {"weft_spawn_val",              spawns_val,              5,        5,        5,       -ENXIO,  -ESHUTDOWN},
    {"weft_spawn_with",             spawns_with,             5,        5,        5,       -ENXIO,  -ESHUTDOWN},
    {"weft_promise_new",            promises,                5,        5,        5,       -ENXIO,  -ESHUTDOWN},

    {"weft_await",                  awaits,                  -EINVAL,  -EINVAL,  -EINVAL, -ENXIO,  -ESHUTDOWN},
    {"weft_wait",                   waits,                   -EINVAL,  -EINVAL,  -EINVAL, -ENXIO,  -ESHUTDOWN},
    {"weft_cancel",                 cancels,                 -EINVAL,  -EINVAL,  -EINVAL, -ENXIO,  -ESHUTDOWN},
    {"weft_detach",                 detaches,                -EINVAL,  -EINVAL,  -EINVAL, -ENXIO,  -ESHUTDOWN},
    {"weft_gather_n",               gathers,                 0,        0,        0,       -ENXIO,  -ESHUTDOWN},
    {"weft_gather_settled_n",       settles,                 0,        0,        0,       -ENXIO,  -ESHUTDOWN},
    {"weft_race_n",                 races,                   -EINVAL,  -EINVAL,  -EINVAL, -ENXIO,  -ESHUTDOWN},
    {"weft_completed_init",         begins_completed,        0,        0,        0,       -ENXIO,  -ESHUTDOWN},
    {"weft_completed_next",         goes_through,            0,        0,        0,       -ENXIO,  -ESHUTDOWN},
    {"weft_completed_end",          goes_through,            0,        0,        0,       -ENXIO,  -ESHUTDOWN},

    {"weft_scope_open",             opens_a_scope,           0,        -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_scope_open_with",        opens_a_scope_with,      0,        -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_scope_close",            closes_a_scope,          -EINVAL,  -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_scope_spawn_with",       spawns_into_a_scope,     -EINVAL,  -EPERM,   -EPERM,  -ENXIO,  -ESHUTDOWN},
    {"weft_scope_spawn_at",         spawns_into_a_scope,     -EINVAL,  -EPERM,   -EPERM,  -ENXIO,  -ESHUTDOWN},
    {"weft_scope_spawn_val_at",     spawns_val_into_a_scope, -EINVAL,  -EPERM,   -EPERM,  -ENXIO,  -ESHUTDOWN},
    {"weft_scope_start_with",       starts_in_a_scope,       -EINVAL,  -EPERM,   -EPERM,  -ENXIO,  -ESHUTDOWN},
    {"weft_scope_start_at",         starts_in_a_scope,       -EINVAL,  -EPERM,   -EPERM,  -ENXIO,  -ESHUTDOWN},
    {"weft_scope_start_val_at",     starts_val_in_a_scope,   -EINVAL,  -EPERM,   -EPERM,  -ENXIO,  -ESHUTDOWN},
    {"weft_ready",                  is_ready,                ANY,      -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_scope_cancel",           cancels_a_scope,         0,        ANY,      ANY,     ANY,     ANY},
    {"weft_scope_stop",             stops_a_scope,           0,        ANY,      ANY,     ANY,     ANY},
    {"weft_scope_cancel_soft",      cancels_a_scope_softly,  0,        -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_scope_deadline",         moves_a_deadline,        -EINVAL,  -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_scope_failures",         counts_failures,         0,        ANY,      ANY,     ANY,     ANY},
    {"weft_soft",                   goes_softly,             5,        -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_local_set",              sets_a_local,            0,        -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_timeout",                times_out,               5,        -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_shield",                 shields,                 5,        -EPERM,   -EPERM,  -EPERM,  -EPERM},

    {"weft_start",                  starts,                  -EPERM,   -EPERM,   0,       ANY,     ANY},
    {"weft_stop",                   stops,                   -EDEADLK, -EDEADLK, ANY,     -ENXIO,  -ENXIO},
    {"weft_call",                   calls,                   5,        5,        5,       -ENXIO,  -ESHUTDOWN},
    {"weft_run",                    runs,                    5,        5,        5,       ANY,     5},
    {"weft_run_with",               runs_with,               5,        5,        5,       ANY,     5},
    {"weft_info",                   informs,                 0,        0,        0,       -ENXIO,  -ESHUTDOWN},
    {"weft_test_cancel_everywhere", cancels_everywhere,      -EPERM,   -EPERM,   -EBUSY,  ANY,     ANY},
    {"weft_test_clock",             sets_a_clock,            -EPERM,   -EPERM,   ANY,     ANY,     ANY},
    {"weft_waker_hold",             holds_a_waker,           0,        0,        0,       0,       0},
    {"weft_waker_release",          holds_a_waker,           0,        0,        0,       0,       0},

    {"weft_offload",                offloads,                5,        5,        5,       -ENXIO,  -ENXIO},
    {"weft_blocking",               blocks,                  5,        5,        5,       -ENXIO,  -ESHUTDOWN},
    {"weft_open",                   opens,                   ANY,      -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_read",                   reads,                   -EBADF,   -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_write",                  writes,                  -EBADF,   -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_pread",                  preads,                  -EBADF,   -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_pwrite",                 pwrites,                 -EBADF,   -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_read_full",              reads_full,              -EBADF,   -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_write_full",             writes_full,             -EBADF,   -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_close",                  closes,                  -EBADF,   -EBADF,   -EBADF,  -EBADF,  -EBADF},
    {"weft_tcp_accept",             accepts,                 -EBADF,   -EPERM,   -EPERM,  -EPERM,  -EPERM},
    {"weft_tcp_connect",            connects,                ANY,      -EPERM,   -EPERM,  -EPERM,  -EPERM},
};
// clang-format on

#define ROWS (sizeof table / sizeof table[0])

enum place { TASK, JOB, THREAD, BEFORE, AFTER };

static int expected(const struct row *row, enum place place)
{
    switch (place) {
    case TASK: return row->task;
    case JOB: return row->job;
    case THREAD: return row->thread;
    case BEFORE: return row->before;
    case AFTER: return row->after;
    }
    return ANY;
}

struct answers {
    enum place place;
    int of[ROWS];
};

/* Makes every call of the table where it stands. */
static int makes_all_calls(void *arg)
{
    struct answers *answers = arg;

    for (size_t i = 0; i < ROWS; i++)
        if (expected(&table[i], answers->place) != ANY)
            answers->of[i] = table[i].call();
    return 0;
}

static void compare(const struct answers *answers)
{
    int wrong = 0;

    for (size_t i = 0; i < ROWS; i++) {
        int right = expected(&table[i], answers->place);

        if (right == ANY || right == answers->of[i])
            continue;
        print_error("%s: %d instead of %d\n", table[i].name, answers->of[i], right);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

static void before_the_first_start(void **state)
{
    struct answers answers = {.place = BEFORE};

    (void)state;
    (void)makes_all_calls(&answers); /* 0 */

    compare(&answers);
}

static void in_a_task(void **state)
{
    struct answers answers = {.place = TASK};

    (void)state;
    int rc = check_run(2, makes_all_calls, &answers);

    assert_int_equal(rc, 0);
    compare(&answers);
}

static int makes_them_in_a_job(void *arg)
{
    return weft_await(weft_offload(weft_cpu(), makes_all_calls, arg));
}

static void in_a_job(void **state)
{
    struct answers answers = {.place = JOB};

    (void)state;
    int rc = check_run(2, makes_them_in_a_job, &answers);

    assert_int_equal(rc, 0);
    compare(&answers);
}

static void *makes_them_on_a_thread(void *arg)
{
    (void)makes_all_calls(arg); /* 0 */
    return NULL;
}

static void on_a_plain_thread(void **state)
{
    struct answers answers = {.place = THREAD};
    pthread_t thread;

    (void)state;
    assert_int_equal(weft_start(&(weft_options){.workers = 2}), 0);
    assert_int_equal(pthread_create(&thread, NULL, makes_them_on_a_thread, &answers), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(weft_stop(), 0);

    compare(&answers);
}

static void after_the_last_stop(void **state)
{
    struct answers answers = {.place = AFTER};

    (void)state;
    assert_int_equal(check_run(1, five, NULL), 5);
    (void)makes_all_calls(&answers); /* 0 */

    compare(&answers);
}

static volatile sig_atomic_t heard;

static void on_signal(int number)
{
    heard = weft_version()[0] == '0' && weft_strerror(-number)[0] != '\0' && holds_a_waker() == 0;
}

static void in_a_signal_handler(void **state)
{
    struct sigaction action = {.sa_handler = on_signal};

    (void)state;
    assert_int_equal(sigaction(SIGUSR1, &action, NULL), 0);
    assert_int_equal(raise(SIGUSR1), 0);

    assert_int_equal(heard, 1); /* weft_version, weft_strerror, weft_waker_hold and _release */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(before_the_first_start), /* first: nothing has started yet */
        cmocka_unit_test(in_a_task),
        cmocka_unit_test(in_a_job),
        cmocka_unit_test(on_a_plain_thread),
        cmocka_unit_test(after_the_last_stop),
        cmocka_unit_test(in_a_signal_handler),
    };

    return CHECK_GROUP(tests);
}
