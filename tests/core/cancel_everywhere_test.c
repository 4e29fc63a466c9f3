/*
 * cancel_everywhere_test - weft_test_cancel_everywhere finds what is left behind, says where, and
 * says nothing about a program that is clean.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft/testing.h>

#include "core/testing.h"
#include "tasks.h"

/* --- programs with a leak, each only when it is cancelled ---------------------------------------- */

static weft_sem permits;
static weft_mutex mutex;

static int loses_a_permit(void *arg)
{
    (void)arg;
    int rc = weft_sem_acquire(&permits);
    if (rc < 0)
        return rc;
    rc = weft_sleep(weft_us(20));
    if (rc < 0)
        return rc; /* the mistake */
    return weft_sem_release(&permits);
}

static int gives_a_permit_too_many(void *arg)
{
    (void)arg;
    int rc = weft_sem_acquire(&permits);
    if (rc == 0)
        rc = weft_sleep(weft_us(20));
    (void)weft_sem_release(&permits); /* the mistake: also if none was taken */
    return rc;
}

static int keeps_the_mutex(void *arg)
{
    (void)arg;
    int rc = weft_lock_cancellable(&mutex);
    if (rc < 0)
        return rc;
    rc = weft_yield();
    return rc < 0 ? rc : weft_unlock(&mutex); /* the mistake */
}

static int keeps_a_descriptor(void *arg)
{
    char byte;

    (void)arg;
    int fd = weft_open("/dev/zero", O_RDONLY, 0);
    if (fd < 0)
        return fd;
    ssize_t n = weft_read(fd, &byte, 1);
    return n < 0 ? (int)n : weft_close(fd); /* the mistake */
}

/* What was lost, so that the test itself can free it: the sanitizers count leaks, too. */
static void *lost[100];
static int lost_count;

static void free_lost(void)
{
    while (lost_count > 0)
        free(lost[--lost_count]);
}

static int keeps_memory(void *arg)
{
    void *block = malloc(100);

    (void)arg;
    int rc = weft_sleep(weft_us(20));
    if (rc < 0) {
        lost[lost_count++] = block; /* the mistake */
        return rc;
    }
    free(block);
    return 0;
}

static int keeps_a_queue(void *arg)
{
    weft_queue queue;

    int rc = weft_queue_init(&queue, 4);
    if (rc < 0)
        return rc;
    rc = weft_queue_put(&queue, arg);
    if (rc < 0) {
        lost[lost_count++] = queue.weft__items; /* the mistake */
        return rc;
    }
    weft_queue_destroy(&queue);
    return 0;
}

static int forgets_a_task(void *arg)
{
    (void)arg;
    weft_future child = weft_spawn(sleeps, NULL);
    int rc = weft_sleep(weft_us(20));
    if (rc < 0)
        return rc; /* the mistake */
    weft_cancel(child);
    (void)!weft_await(child); /* cancelled just now */
    return 0;
}

static int leaves_a_scope_open(void *arg)
{
    LEFT_BEHIND weft_scope scope;

    (void)arg;
    int rc = weft_scope_open(&scope);
    if (rc == 0)
        rc = weft_sleep(weft_us(20));
    return rc < 0 ? rc : weft_scope_close(&scope, rc); /* the mistake */
}

/* The same in a child that its parent does not cancel. */
static int awaits(void *child) { return weft_await(*(weft_future *)child); }

static int in_a_child(void *arg)
{
    weft_future child = weft_spawn(loses_a_permit, arg);
    int rc = weft_shield(WEFT_FOREVER, awaits, &child);

    return rc == -ECANCELED ? 0 : rc;
}

static void start_clean(void)
{
    weft_sem_init(&permits, 1);
    mutex = (weft_mutex)WEFT_MUTEX_INIT;
}

static void assert_found(weft_fn fn, const char *words)
{
    start_clean();

    int rc = weft_test_cancel_everywhere(fn, NULL);

    print_message("%s\n", weft_why());
    assert_int_equal(rc, -ENOTEMPTY);
    assert_non_null(strstr(weft_why(), words));
    assert_non_null(strstr(weft_why(), "the function itself"));
    check_progress();
}

static void a_lost_permit_is_found(void **state)
{
    (void)state;
    assert_found(loses_a_permit, "1 x permit");
}

static void a_permit_given_back_without_having_been_taken_is_found(void **state)
{
    (void)state;
    assert_found(gives_a_permit_too_many, "permit given back 1 times more often");
}

static void a_mutex_that_stays_locked_is_found(void **state)
{
    (void)state;
    assert_found(keeps_the_mutex, "held the mutex");
}

static void an_open_descriptor_is_found(void **state)
{
    (void)state;
    assert_found(keeps_a_descriptor, "/dev/zero");
}

static void memory_that_is_not_freed_is_found(void **state)
{
    (void)state;
    assert_found(keeps_memory, "bytes of the heap");
    free_lost();
}

static void a_queue_that_is_not_destroyed_is_found(void **state)
{
    (void)state;
    assert_found(keeps_a_queue, "memory allocated by weft: 1 more");
    free_lost();
}

static void a_forgotten_task_is_found(void **state)
{
    (void)state;
    assert_found(forgets_a_task, "never awaited");
}

static void an_open_scope_is_found(void **state)
{
    (void)state;
    assert_found(leaves_a_scope_open, "scope open");
}

static void the_task_that_was_cancelled_is_named_with_its_site(void **state)
{
    (void)state;
    start_clean();

    int rc = weft_test_cancel_everywhere(in_a_child, NULL);

    print_message("%s\n", weft_why());
    assert_int_equal(rc, -ENOTEMPTY);
    assert_non_null(strstr(weft_why(), "in loses_a_permit ("));
    assert_non_null(strstr(weft_why(), "cancel_everywhere_test.c:"));
}

/* The child says so when it is done, and nothing when it is cancelled: the mistake. */
static int says_when_it_is_done(void *done)
{
    int rc = weft_yield();

    if (rc == 0)
        weft_event_set(done);
    return rc;
}

static int waits_for_ever(void *arg)
{
    weft_event done = WEFT_EVENT_INIT;
    weft_future child = weft_spawn(says_when_it_is_done, &done);

    (void)arg;
    int rc = weft_event_wait(&done);
    int child_rc = weft_await(child);
    return rc < 0 ? rc : child_rc;
}

static void a_run_that_stands_still_is_ended_and_told(void **state)
{
    (void)state;
    int rc = weft_test_cancel_everywhere(waits_for_ever, NULL);

    print_message("%s\n", weft_why());
    assert_int_equal(rc, -EDEADLK);
    assert_non_null(strstr(weft_why(), "says_when_it_is_done"));
    assert_non_null(strstr(weft_why(), "nothing can wake anything"));
}

static int computes_until_asked(void *arg)
{
    (void)arg;
    while (!weft_cancelled())
        (void)sched_yield(); /* always 0 on Linux */
    return 0;
}

/* The mistake: what it does after a cancel has no end of its own. */
static int goes_on(void *arg)
{
    int rc = weft_yield();

    if (rc < 0) {
        weft_future job = weft_offload(weft_cpu(), computes_until_asked, arg);

        (void)!weft_shield(WEFT_FOREVER, awaits, &job); /* as above */
    }
    return rc;
}

static void a_run_that_goes_on_and_on_is_stopped_and_told(void **state)
{
    struct sweep sweep = {.fn = goes_on, .whens = 1u << PROBE_BEFORE, .patience = weft_s(5)};

    (void)state;
    int rc = weft__sweep(&sweep);

    print_message("%s\n", weft_why());
    assert_int_equal(rc, -EDEADLK);
    assert_non_null(strstr(weft_why(), "did not end"));
}

static _Atomic int may_end;

/* Will not end when it is cancelled. */
static int looks_until_told(void *arg)
{
    (void)arg;
    until_set(&may_end);
    return 0;
}

/* The mistake comes without a cancel: all of it lives on. */
static int leaves_a_stubborn_task(void *arg)
{
    atomic_fetch_add((_Atomic int *)arg, 1);
    return weft_detach(weft_spawn(looks_until_told, NULL));
}

static void what_outlives_its_run_ends_the_test_at_once(void **state)
{
    static _Atomic int runs;

    (void)state;
    int rc = weft_test_cancel_everywhere(leaves_a_stubborn_task, &runs);
    print_message("%s\n", weft_why());
    atomic_store(&may_end, 1);

    assert_int_equal(rc, -ENOTEMPTY);
    assert_int_equal(runs, 1);
    assert_non_null(strstr(weft_why(), "did not end within the shutdown time"));
}

/* --- clean programs --------------------------------------------------------------------------------- */

static int cleans_up(void *arg)
{
    weft_queue queue;
    void *item = arg;

    int rc = weft_queue_init(&queue, 4);
    if (rc < 0)
        return rc;
    char *block = malloc(100);
    rc = weft_sem_acquire(&permits);
    if (rc == 0) {
        weft_lock(&mutex);
        rc = weft_queue_put(&queue, item);
        rc = rc < 0 ? rc : weft_sleep(weft_us(10));
        weft_unlock(&mutex);
        weft_sem_release(&permits);
    }
    free(block);
    weft_queue_destroy(&queue);
    return rc;
}

static int starts_clean_tasks(void *arg)
{
    weft_scope scope;
    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;

    for (int i = 0; i < 3; i++)
        weft_scope_spawn(&scope, cleans_up, arg);
    rc = weft_gather(weft_spawn(cleans_up, arg), weft_spawn(cleans_up, arg));
    return weft_scope_close(&scope, rc);
}

static void a_clean_program_passes(void **state)
{
    (void)state;
    start_clean();

    int rc = weft_test_cancel_everywhere(starts_clean_tasks, &rc);

    if (rc < 0)
        print_message("%s\n", weft_why());
    print_message("%d points\n", rc);
    assert_true(rc > 20);
}

/* A semaphore as a count of events may keep some when nobody comes for them. */
static int posts(void *sem) { return weft_sem_release(sem); }

static int counts_events(void *arg)
{
    weft_sem events = WEFT_SEM_INIT(0);

    (void)arg;
    weft_future child = weft_spawn(posts, &events);
    int rc = weft_sem_acquire(&events);
    int child_rc = weft_await(child);
    return rc < 0 ? rc : child_rc;
}

static void an_event_that_nobody_took_is_no_leak(void **state)
{
    (void)state;
    int rc = weft_test_cancel_everywhere(counts_events, NULL);

    if (rc < 0)
        print_message("%s\n", weft_why());
    assert_true(rc > 0);
}

/* --- which points, which moments ------------------------------------------------------------------ */

/* What a wait gave, and whether the task was cancelled afterwards. */
static struct {
    _Atomic int undisturbed; /* 0, not cancelled */
    _Atomic int too_late;    /* 0, but cancelled */
    _Atomic int cancelled;   /* -ECANCELED */
} seen;

static int sets(void *event)
{
    weft_event_set(event);
    return 0;
}

static int waits_once(void *event)
{
    int rc = weft_event_wait(event);

    if (rc < 0)
        atomic_fetch_add(&seen.cancelled, 1);
    else
        atomic_fetch_add(weft_cancelled() ? &seen.too_late : &seen.undisturbed, 1);
    return rc;
}

static int waits_for_a_task(void *arg)
{
    static weft_event event;

    (void)arg;
    weft_event_clear(&event);
    weft_detach(weft_spawn(sets, &event));
    return waits_once(&event);
}

static void a_wait_is_cancelled_before_it_while_it_lasts_and_after_its_wake(void **state)
{
    (void)state;
    memset(&seen, 0, sizeof seen);

    int points = weft_test_cancel_everywhere(waits_for_a_task, NULL);

    assert_int_equal(points, 2);           /* the call, and its wait */
    assert_int_equal(seen.undisturbed, 2); /* warming up, counting */
    assert_int_equal(seen.cancelled, 3);   /* the call begins; announced; suspended */
    assert_int_equal(seen.too_late, 1);    /* woken */
}

static int two_children_wait(void *arg)
{
    weft_event event = WEFT_EVENT_INIT;

    (void)arg;
    return weft_gather(weft_spawn(waits_once, &event), weft_spawn(waits_once, &event),
                       weft_spawn(sets, &event));
}

static void the_waits_of_children_count(void **state)
{
    (void)state;
    int points = weft_test_cancel_everywhere(two_children_wait, NULL);

    assert_int_equal(points, 6); /* a call and a wait each: the gather, and two children */
}

static int never_waits(void *arg)
{
    (void)arg;
    return 0;
}

static void a_program_that_never_waits_has_no_points(void **state)
{
    (void)state;
    assert_int_equal(weft_test_cancel_everywhere(never_waits, NULL), 0);
}

static int waits_ever_more_often(void *arg)
{
    int times = ++*(int *)arg;
    int rc = 0;

    for (int i = 0; i < times && rc == 0; i++)
        rc = weft_yield();
    return rc;
}

static void a_program_whose_waits_grow_in_number_is_visited_as_often_as_was_counted(void **state)
{
    int runs = 0;

    (void)state;
    int points = weft_test_cancel_everywhere(waits_ever_more_often, &runs);

    assert_int_equal(points, 2);
}

static int sleeps_an_hour(void *arg)
{
    (void)arg;
    return weft_sleep(weft_s(3600));
}

static void a_virtual_clock_is_that_of_every_run(void **state)
{
    (void)state;
    assert_int_equal(weft_test_clock(0), 0);
    assert_int_equal(weft_test_cancel_everywhere(sleeps_an_hour, NULL), 2); /* or it takes hours */
}

static int yields_often(void *arg)
{
    int rc = 0;

    (void)arg;
    for (int i = 0; i < 1000 && rc == 0; i++)
        rc = weft_yield();
    return rc;
}

static void of_too_many_points_an_even_choice_is_visited(void **state)
{
    struct sweep sweep = {.fn = yields_often, .whens = 1u << PROBE_BEFORE, .most = 30};

    (void)state;
    assert_int_equal(weft__sweep(&sweep), 0);

    assert_int_equal(sweep.counted, 1000);
    assert_in_range(sweep.points, 25, 30);
}

/* What the caller's own books count; and a cache that one run fills. */
struct books {
    int runs, settled;
    void *cache;
};

static int fills_a_cache(void *arg)
{
    struct books *books = arg;

    books->runs++;
    int rc = weft_yield();
    if (rc < 0 && !books->cache)
        books->cache = malloc(10000);
    return rc;
}

static const char *settles_books(void *arg)
{
    struct books *books = arg;

    books->settled++;
    return NULL;
}

static void the_books_are_settled_after_every_run_also_after_one_that_was_repeated(void **state)
{
    struct books books = {.runs = 0};
    struct sweep sweep = {
        .fn = fills_a_cache, .arg = &books, .whens = 1u << PROBE_BEFORE, .settle = settles_books};

    (void)state;
    int rc = weft__sweep(&sweep);
    free(books.cache);

    assert_int_equal(rc, 0);
    assert_int_equal(books.settled, books.runs);
}

/* --- from where -------------------------------------------------------------------------------------- */

static int fails(void *arg)
{
    (void)arg;
    return -EIO;
}

static void a_function_that_fails_by_itself_is_given_back(void **state)
{
    (void)state;
    assert_int_equal(weft_test_cancel_everywhere(fails, NULL), -EIO);
    assert_int_equal(weft_test_cancel_everywhere(NULL, NULL), -EINVAL);
}

static int tests_inside(void *arg)
{
    *(int *)arg = weft_test_cancel_everywhere(never_waits, NULL);
    return 0;
}

static void a_test_inside_a_runtime_is_refused(void **state)
{
    int rc = 0;

    (void)state;
    assert_int_equal(weft_run(tests_inside, &rc), 0);
    assert_int_equal(rc, -EPERM);

    assert_int_equal(weft_start(NULL), 0);
    rc = weft_test_cancel_everywhere(never_waits, NULL);
    assert_int_equal(weft_stop(), 0);
    assert_int_equal(rc, -EBUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_permit_is_found),
        cmocka_unit_test(a_permit_given_back_without_having_been_taken_is_found),
        cmocka_unit_test(a_mutex_that_stays_locked_is_found),
        cmocka_unit_test(an_open_descriptor_is_found),
        cmocka_unit_test(memory_that_is_not_freed_is_found),
        cmocka_unit_test(a_queue_that_is_not_destroyed_is_found),
        cmocka_unit_test(a_forgotten_task_is_found),
        cmocka_unit_test(an_open_scope_is_found),
        cmocka_unit_test(the_task_that_was_cancelled_is_named_with_its_site),
        cmocka_unit_test(a_run_that_stands_still_is_ended_and_told),
        cmocka_unit_test(a_run_that_goes_on_and_on_is_stopped_and_told),
        cmocka_unit_test(what_outlives_its_run_ends_the_test_at_once),
        cmocka_unit_test(a_clean_program_passes),
        cmocka_unit_test(an_event_that_nobody_took_is_no_leak),
        cmocka_unit_test(a_wait_is_cancelled_before_it_while_it_lasts_and_after_its_wake),
        cmocka_unit_test(the_waits_of_children_count),
        cmocka_unit_test(a_program_that_never_waits_has_no_points),
        cmocka_unit_test(a_program_whose_waits_grow_in_number_is_visited_as_often_as_was_counted),
        cmocka_unit_test(a_virtual_clock_is_that_of_every_run),
        cmocka_unit_test(of_too_many_points_an_even_choice_is_visited),
        cmocka_unit_test(the_books_are_settled_after_every_run_also_after_one_that_was_repeated),
        cmocka_unit_test(a_function_that_fails_by_itself_is_given_back),
        cmocka_unit_test(a_test_inside_a_runtime_is_refused),
    };

    return CHECK_GROUP(tests);
}
