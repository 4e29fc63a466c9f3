/*
 * scopes - S01 to S14: a scope waits for what it owns, and says how that went.
 */
#include <stdlib.h>
#include <string.h>

#include "semantics.h"

/* What children tell about themselves. */
struct family {
    struct check_latch all_here; /* so many children wait */
    _Atomic int started, cut, ended, steps;
    _Atomic int may_go;
    weft_scope scope;
    weft_future parent;
    int rc;
};

/* Waits until it is cancelled, and takes its time to end. */
static int waits(void *arg)
{
    struct family *family = arg;

    check_arrive(&family->all_here);
    int rc = weft_sleep(WEFT_FOREVER);
    linger();
    atomic_fetch_add(&family->cut, rc == -ECANCELED);
    atomic_fetch_add(&family->ended, 1);
    return rc;
}

static int fails_when_all_are_here(void *arg)
{
    struct family *family = arg;
    int rc = check_latch_wait(&family->all_here);

    return rc < 0 ? rc : -EIO;
}

static void s01_a_failing_child_cancels_its_siblings_and_is_told_when_all_have_ended(void)
{
    struct family family = {.all_here = CHECK_LATCH_INIT(3)};
    weft_scope scope;

    EXPECT(weft_scope_open(&scope), 0);
    for (int i = 0; i < 3; i++)
        (void)weft_scope_spawn(&scope, waits, &family);
    (void)weft_scope_spawn(&scope, fails_when_all_are_here, &family);
    int body = weft_sleep(WEFT_FOREVER);
    int rc = weft_scope_close(&scope, body);

    EXPECT(body, -ECANCELED);
    EXPECT(rc, -EIO);
    EXPECT(family.cut, 3);
    EXPECT(family.ended, 3);
    SAY(family.cut == 3 ? "siblings-cancelled" : "siblings-left");
    SAY(status_word(rc));
}

static int fails_first(void *arg) { return fails_when_all_are_here(arg); }

static int fails_when_it_is_cut(void *arg)
{
    check_arrive(&((struct family *)arg)->all_here);
    return weft_sleep(WEFT_FOREVER) == -ECANCELED ? -ENOSPC : 0;
}

static void s02_of_two_failures_the_earlier_is_the_status_and_both_are_listed(void)
{
    struct family family = {.all_here = CHECK_LATCH_INIT(2)};
    weft_failure failures[4] = {{0, ""}, {0, ""}};
    weft_scope scope;

    EXPECT(weft_scope_open(&scope), 0);
    (void)weft_scope_spawn(&scope, fails_when_it_is_cut, &family);
    (void)weft_scope_spawn(&scope, waits, &family); /* cancelled by the scope: no failure */
    (void)weft_scope_spawn(&scope, fails_first, &family);
    int rc = weft_scope_close(&scope, 0);
    size_t count = weft_scope_failures(&scope, failures, 4);

    EXPECT(rc, -EIO);
    EXPECT(count, 2);
    EXPECT(failures[0].status, -EIO);
    EXPECT(strncmp(failures[0].site, "fails_first (", 13), 0);
    EXPECT(failures[1].status, -ENOSPC);
    EXPECT(strncmp(failures[1].site, "fails_when_it_is_cut (", 22), 0);
    SAY(rc == -EIO ? "earlier" : "later");
    SAY(count == 2 ? "both-listed" : "not-listed");
}

static void s03_a_failing_body_cancels_the_children_and_close_says_its_status(void)
{
    struct family family = {.all_here = CHECK_LATCH_INIT(3)};
    weft_scope scope;

    EXPECT(weft_scope_open(&scope), 0);
    for (int i = 0; i < 3; i++)
        (void)weft_scope_spawn(&scope, waits, &family);
    EXPECT(check_latch_wait(&family.all_here), 0);
    int rc = weft_scope_close(&scope, -EIO);

    EXPECT(rc, -EIO);
    EXPECT(family.cut, 3);
    EXPECT(family.ended, 3);
    SAY(family.cut == 3 ? "children-cancelled" : "children-left");
    SAY(status_word(rc));
}

/* Takes a step whenever it may; cancelled, it takes some more before it ends. */
static int steps_on(void *arg)
{
    struct family *family = arg;

    while (weft_yield() == 0)
        atomic_fetch_add(&family->steps, 1);
    for (int i = 0; i < 20; i++) {
        atomic_fetch_add(&family->steps, 1);
        (void)!weft_yield(); /* cancelled */
    }
    return -ECANCELED;
}

/* A child with a scope and two children of its own. */
static int steps_with_children(void *arg)
{
    weft_scope own;

    EXPECT(weft_scope_open(&own), 0);
    (void)weft_scope_spawn(&own, steps_on, arg);
    (void)weft_scope_spawn(&own, steps_on, arg);
    return weft_scope_close(&own, steps_on(arg));
}

static void s04_after_close_no_child_or_grandchild_takes_a_step(void)
{
    struct family family = {.steps = 0};
    weft_scope scope;

    EXPECT(weft_scope_open(&scope), 0);
    for (int i = 0; i < 3; i++)
        (void)weft_scope_spawn(&scope, steps_with_children, &family);
    linger();
    EXPECT(weft_scope_close(&scope, -EIO), -EIO);
    int at_close = atomic_load(&family.steps);
    linger();
    linger();
    int later = atomic_load(&family.steps);

    EXPECT(later, at_close);
    SAY(later == at_close ? "still" : "goes-on");
}

static int is_started(void *arg)
{
    atomic_fetch_add(&((struct family *)arg)->started, 1);
    return 0;
}

static int spawns_a_sibling(void *arg)
{
    struct family *family = arg;

    until_asleep(family->parent); /* inside close */
    (void)weft_scope_spawn(&family->scope, is_started, family);
    return 0;
}

static void s05_a_closing_scope_takes_a_sibling_and_a_closed_one_drops_it(void)
{
    struct family family = {.parent = weft_self()};
    _Atomic int dropped = 0;
    const weft_task_options options = {.drop = counts_drop};

    EXPECT(weft_scope_open(&family.scope), 0);
    (void)weft_scope_spawn(&family.scope, spawns_a_sibling, &family);
    EXPECT(weft_scope_close(&family.scope, 0), 0);
    int while_closing = family.started;
    weft_future late =
        weft_scope_spawn_with(&family.scope, &options, sleeps_and_counts, (void *)&dropped);
    linger();

    EXPECT(while_closing, 1);
    EXPECT(weft_await(late), -ESHUTDOWN);
    EXPECT(dropped, 1); /* by drop: the task has not run */
    SAY(while_closing ? "taken" : "refused");
    SAY(late.slot ? "taken" : "refused");
}

/* Grows two heads, and waits. Cancelled before that, it is one more that must end. */
static int hydra(void *arg)
{
    struct family *family = arg;

    if (atomic_fetch_add(&family->started, 1) == 200)
        return -EIO;
    if (weft_yield() < 0)
        return -ECANCELED;
    (void)weft_scope_spawn(&family->scope, hydra, family);
    (void)weft_scope_spawn(&family->scope, hydra, family);
    return weft_sleep(WEFT_FOREVER);
}

static void s06_a_scope_ends_though_each_child_spawns_two_more(void)
{
    struct family family = {.started = 0};

    EXPECT(weft_scope_open(&family.scope), 0);
    (void)weft_scope_spawn(&family.scope, hydra, &family);
    int rc = weft_scope_close(&family.scope, 0);

    EXPECT(rc, -EIO);
    SAY("ended");
    SAY(status_word(rc));
}

struct owned {
    struct family *family;
    char *memory;
};

static int frees_what_it_owns(void *arg)
{
    struct owned *owned = arg;

    atomic_fetch_add(&owned->family->started, 1);
    owned->family->rc = weft_sleep(0);
    free(owned->memory);
    return owned->family->rc;
}

static void s07_a_task_spawned_into_a_cancelled_scope_runs_to_its_first_wait(void)
{
    struct family family = {.rc = 0};
    struct owned owned = {&family, malloc(100)};

    EXPECT(weft_scope_open(&family.scope), 0);
    EXPECT(weft_scope_cancel(&family.scope), 0);
    (void)weft_scope_spawn_val(&family.scope, frees_what_it_owns, owned);
    EXPECT(weft_scope_close(&family.scope, 0), -ECANCELED);

    EXPECT(family.started, 1);
    EXPECT(family.rc, -ECANCELED);
    SAY(family.started ? "runs" : "never-runs");
}

static int closes_over_three(void *arg)
{
    struct family *family = arg;
    weft_scope scope;

    EXPECT(weft_scope_open(&scope), 0);
    for (int i = 0; i < 3; i++)
        (void)weft_scope_spawn(&scope, waits, family);
    family->rc = weft_scope_close(&scope, 0);
    return weft_yield();
}

static void s08_a_cancel_of_who_closes_cancels_the_children_and_close_says_so(void)
{
    struct family family = {.all_here = CHECK_LATCH_INIT(3)};
    weft_future closer = weft_spawn(closes_over_three, &family);

    EXPECT(check_latch_wait(&family.all_here), 0);
    until_asleep(closer);
    EXPECT(weft_cancel(closer), 0);
    EXPECT(weft_await(closer), -ECANCELED);

    EXPECT(family.cut, 3);
    EXPECT(family.ended, 3);
    EXPECT(family.rc, -ECANCELED);
    SAY(family.cut == 3 ? "children-cancelled" : "children-left");
    SAY(status_word(family.rc));
}

static int fails_when_cancelled(void *arg)
{
    (void)arg;
    return weft_sleep(WEFT_FOREVER) == -ECANCELED ? -EIO : 0;
}

static int closes_over_one_that_fails(void *arg)
{
    struct family *family = arg;
    weft_scope scope;

    EXPECT(weft_scope_open(&scope), 0);
    (void)weft_scope_spawn(&scope, fails_when_cancelled, NULL);
    family->rc = weft_scope_close(&scope, 0);
    return weft_yield();
}

static void s09_close_says_a_failure_beside_a_cancel_and_the_next_wait_the_cancel(void)
{
    struct family family = {.rc = 0};
    weft_future closer = weft_spawn(closes_over_one_that_fails, &family);

    until_asleep(closer);
    EXPECT(weft_cancel(closer), 0);
    int next = weft_await(closer);

    EXPECT(family.rc, -EIO);
    EXPECT(next, -ECANCELED);
    SAY(status_word(family.rc));
    SAY(status_word(next));
}

static void s10_a_scope_that_failed_does_not_cancel_what_comes_after_it(void)
{
    struct family family = {.all_here = CHECK_LATCH_INIT(1)};
    weft_sem sem = WEFT_SEM_INIT(1);
    weft_scope scope;

    EXPECT(weft_scope_open(&scope), 0);
    (void)weft_scope_spawn(&scope, waits, &family);
    (void)weft_scope_spawn(&scope, fails_when_all_are_here, &family);
    EXPECT(weft_scope_close(&scope, weft_sleep(WEFT_FOREVER)), -EIO);
    int rc = weft_sleep(1);

    EXPECT(rc, 0);
    EXPECT(weft_yield(), 0);
    EXPECT(weft_sem_acquire(&sem), 0);
    EXPECT(weft_cancelled(), false);
    SAY(status_word(rc));
}

/* The inner scope of `family` with a child, inside whatever stands around. */
static int closes_an_inner_scope(struct family *family, weft_fn child)
{
    weft_scope inner;

    EXPECT(weft_scope_open(&inner), 0);
    (void)weft_scope_spawn(&inner, child, family);
    return weft_scope_close(&inner, 0);
}

static void s11_an_outer_failure_ends_the_inner_scope_first_an_inner_one_stays_inside(void)
{
    struct family cut = {.all_here = CHECK_LATCH_INIT(1)};
    struct family apart = {.all_here = CHECK_LATCH_INIT(2)};
    weft_scope outer;

    EXPECT(weft_scope_open(&outer), 0);
    (void)weft_scope_spawn(&outer, fails_when_all_are_here, &cut);
    int inner_rc = closes_an_inner_scope(&cut, waits);
    int ended_before = cut.ended;
    EXPECT(weft_scope_close(&outer, inner_rc), -EIO);
    EXPECT(inner_rc, -ECANCELED);
    EXPECT(ended_before, 1);

    EXPECT(weft_scope_open(&outer), 0);
    weft_future beside = weft_scope_spawn(&outer, waits, &apart);
    check_arrive(&apart.all_here);
    inner_rc = closes_an_inner_scope(&apart, fails_when_all_are_here);
    EXPECT(inner_rc, -EIO);
    EXPECT(weft_scope_cancelled(&outer), false);
    EXPECT(apart.ended, 0);
    int still_waits = weft_yield();
    EXPECT(still_waits, 0);
    EXPECT(weft_cancel(beside), 0);
    EXPECT(weft_scope_close(&outer, 0), 0);
    SAY(ended_before ? "inner-first" : "outer-first");
    SAY(still_waits == 0 ? "outer-alone" : "outer-cancelled");
}

static int closes_anothers(void *arg) { return weft_scope_close(arg, 0); }

static int leaves_one_open(void *arg)
{
    struct family *family = arg;

    EXPECT(weft_scope_open(&family->scope), 0); /* not on this stack: its frame is left before */
    (void)weft_scope_spawn(&family->scope, waits, family);
    return 7;
}

static void s12_closing_out_of_order_twice_or_by_another_is_refused_and_harms_nothing(void)
{
    static struct family left; /* static: see leaves_one_open */
    weft_scope outer, inner;

    left = (struct family){.all_here = CHECK_LATCH_INIT(1)};
    EXPECT(weft_scope_open(&outer), 0);
    EXPECT(weft_scope_open(&inner), 0);
    int early = weft_scope_close(&outer, 0);
    EXPECT(early, -EINVAL);
    EXPECT(weft_await(weft_spawn(closes_anothers, &inner)), -EPERM);
    EXPECT(weft_yield(), 0);
    EXPECT(weft_scope_close(&inner, 3), 3);
    EXPECT(weft_scope_close(&inner, 3), -EINVAL);
    EXPECT(weft_scope_close(&outer, 4), 4);
    EXPECT(weft_scope_close(&outer, 4), -EINVAL);

    int before = REPORTS();
    EXPECT(weft_await(weft_spawn(leaves_one_open, &left)), 7);
    EXPECT(left.ended, 1);
    EXPECT(REPORTS() > before, true);
    SAY(early < 0 ? "refused" : "allowed");
}

static void s13_a_stopped_scope_ends_early_and_close_says_0(void)
{
    for (int stops = 0; stops < 3; stops++) {
        struct family family = {.all_here = CHECK_LATCH_INIT(1)};
        weft_scope scope;

        EXPECT(weft_scope_open(&scope), 0);
        if (stops > 0)
            (void)weft_scope_spawn(&scope, waits, &family);
        for (int i = 0; i < stops; i++)
            EXPECT(weft_scope_stop(&scope), 0);
        EXPECT(weft_scope_close(&scope, stops ? weft_yield() : 0), 0);
        EXPECT(weft_scope_cancelled(&scope), stops > 0);
        EXPECT(family.cut, stops > 0);
        EXPECT(weft_scope_stop(&scope), 0);
    }

    struct family late = {.all_here = CHECK_LATCH_INIT(1)};
    EXPECT(weft_scope_open(&late.scope), 0);
    EXPECT(weft_scope_stop(&late.scope), 0);
    (void)weft_scope_spawn(&late.scope, waits, &late); /* stopped before the first spawn */
    EXPECT(weft_scope_close(&late.scope, 0), 0);
    EXPECT(late.cut, 1);
    EXPECT(weft_yield(), 0);
}

/* --- spawn and wait until ready -------------------------------------------------------------- */

static int gets_ready(void *arg)
{
    struct family *family = arg;

    linger();
    EXPECT(weft_ready(7), 0);
    EXPECT(weft_ready(8), -EALREADY);
    atomic_store(&family->started, 1);
    return waits(family);
}

static int fails_before(void *arg)
{
    linger();
    return arg ? -EIO : 0;
}

static int starts_a_slow_one(void *arg)
{
    struct family *family = arg;

    family->rc = weft_scope_start(&family->scope, gets_ready, family);
    atomic_store(&family->may_go, 1);
    EXPECT(weft_scope_stop(&family->scope), 0);
    return 0;
}

static void s14_a_start_returns_when_the_child_is_ready_has_failed_or_has_ended(void)
{
    struct family family = {.all_here = CHECK_LATCH_INIT(1)};
    weft_scope scope;

    EXPECT(weft_scope_open(&scope), 0);
    int ready = weft_scope_start(&scope, gets_ready, &family);
    EXPECT(ready, 7);
    EXPECT(weft_scope_start(&scope, fails_before, &family), -EIO);
    EXPECT(weft_scope_start(&scope, fails_before, NULL), -EPROTO);
    EXPECT(family.ended, 0); /* the first goes on as a member */
    EXPECT(weft_scope_stop(&scope), 0);
    EXPECT(weft_scope_close(&scope, 0), 0);
    EXPECT(family.ended, 1);

    struct family slow = {.all_here = CHECK_LATCH_INIT(1)}; /* a pending start keeps it open */
    EXPECT(weft_scope_open(&slow.scope), 0);
    (void)weft_scope_spawn(&slow.scope, starts_a_slow_one, &slow);
    EXPECT(weft_scope_close(&slow.scope, 0), 0);
    EXPECT(slow.may_go, 1);
    EXPECT(slow.rc, 7);
    EXPECT(slow.ended, 1);
}

const struct statement semantics_scopes[] = {
    STATEMENT(s01_a_failing_child_cancels_its_siblings_and_is_told_when_all_have_ended),
    STATEMENT(s02_of_two_failures_the_earlier_is_the_status_and_both_are_listed),
    STATEMENT(s03_a_failing_body_cancels_the_children_and_close_says_its_status),
    STATEMENT(s04_after_close_no_child_or_grandchild_takes_a_step),
    STATEMENT(s05_a_closing_scope_takes_a_sibling_and_a_closed_one_drops_it),
    STATEMENT(s06_a_scope_ends_though_each_child_spawns_two_more),
    STATEMENT(s07_a_task_spawned_into_a_cancelled_scope_runs_to_its_first_wait),
    STATEMENT(s08_a_cancel_of_who_closes_cancels_the_children_and_close_says_so),
    STATEMENT(s09_close_says_a_failure_beside_a_cancel_and_the_next_wait_the_cancel),
    STATEMENT(s10_a_scope_that_failed_does_not_cancel_what_comes_after_it),
    STATEMENT(s11_an_outer_failure_ends_the_inner_scope_first_an_inner_one_stays_inside),
    MISUSE(s12_closing_out_of_order_twice_or_by_another_is_refused_and_harms_nothing),
    STATEMENT(s13_a_stopped_scope_ends_early_and_close_says_0),
    STATEMENT(s14_a_start_returns_when_the_child_is_ready_has_failed_or_has_ended),
    {.name = NULL},
};
