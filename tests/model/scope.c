/*
 * scope - members are counted; the close waits for the last, and then nobody touches the scope; a cancel
 * reaches all who wait in it, and all who come later.
 *
 * The members are really spawned: threads b and c run them.
 */
#include "core/scope.h"

#include <errno.h>

#include <weft/time.h>

#include "tests/model/tasks.h"

const char model_subject[] = "scope";

static weft_scope *scope, *inner; /* freed as soon as they are closed */
static int result[MODEL_THREADS];
static const char gift_known[] = "gift"; /* keys of tokens */
static const char opened[] = "opened", done[] = "done";
static uint32_t gift_seq;
static struct sleeper *gift_sleeper;

void weft__park_wake(struct worker *worker) { (void)worker; }

static int member_b(void *arg);
static int member_c(void *arg);
static int (*b_does)(void), (*c_does)(void);

static int member_b(void *arg)
{
    (void)arg;
    return result[1] = b_does();
}

static int member_c(void *arg)
{
    (void)arg;
    return result[2] = c_does();
}

static void runner(void) { (void)tasks_run(); }

#define NONE 99

/* Slots that its worker has at hand, so that the slab is nobody's subject here. */
static void fill_cache(unsigned thread)
{
    struct future *slots[2] = {weft__slab_take(&world->slab, NULL),
                               weft__slab_take(&world->slab, NULL)};

    for (int i = 0; i < 2; i++)
        weft__slab_give(&world->slab, &tasks_worker(thread)->slots, slots[i]);
}

static void setup(int (*b)(void), int (*c)(void))
{
    tasks_init(1);
    fill_cache(0);
    b_does = b;
    c_does = c;
    if (b) {
        tasks_runner(1, member_b, NULL);
        fill_cache(1);
    }
    if (c)
        tasks_runner(2, member_c, NULL);
    scope = model_alloc(sizeof *scope);
    inner = model_alloc(sizeof *inner);
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        result[i] = NONE;
}

/* --- what members do ------------------------------------------------------------------------- */

static int end(void) { return 0; }
static int fail(void) { return -EIO; }

/* A wait that nothing but a cancel ends. */
static int wait_for_ever(void)
{
    struct waiter waiter;

    weft__wait_begin(&waiter);
    return weft__wait_commit(&waiter, WAIT_CANCELLABLE);
}

/* A wait that the gift ends. */
static int wait_for_gift(void)
{
    struct waiter waiter;

    weft__wait_begin(&waiter);
    gift_sleeper = waiter.sleeper;
    gift_seq = waiter.seq;
    model_post(gift_known, "waits for the gift");
    return weft__wait_commit(&waiter, WAIT_CANCELLABLE);
}

static bool give_gift(void)
{
    model_take(gift_known, "a gift");
    return weft__wake_sleeper(gift_sleeper, gift_seq, 0);
}

static int cancel(void) { return weft_scope_cancel(scope); }
static int cancel_softly(void) { return weft_scope_cancel_soft(scope, WEFT_FOREVER); }

static void spawn_b(void) { (void)weft_scope_spawn_at(scope, "b", member_b, NULL); }
static void spawn_c(void) { (void)weft_scope_spawn_at(scope, "c", member_c, NULL); }

static int spawn_another(void)
{
    spawn_c();
    return 0;
}

static int in_scope(const weft_scope_options *options, int (*what)(void))
{
    int rc = weft_scope_open_with(inner, options);

    model_assert(rc == 0);
    rc = weft_scope_close(inner, what());
    model_free(inner);
    return rc;
}

static int wait_inside(void) { return in_scope(&(weft_scope_options){0}, wait_for_ever); }
static int gift_in_shield(void)
{
    return in_scope(&(weft_scope_options){.shield = true}, wait_for_gift);
}
static int gift_in_soft(void)
{
    return in_scope(&(weft_scope_options){.soft = true}, wait_for_gift);
}
static int wait_in_soft(void)
{
    return in_scope(&(weft_scope_options){.soft = true}, wait_for_ever);
}

static int end_inside(void) { return in_scope(&(weft_scope_options){0}, end); }

static int get_ready(void) { return weft_ready(3); }
static int end_unready(void) { return -EIO; }

/* --- what the owner does --------------------------------------------------------------------- */

static void open_it(void)
{
    int rc = weft_scope_open(scope);

    model_assert(rc == 0);
}

/* Closes it; from here on the memory may be anything's. */
static void close_it(int rc)
{
    result[0] = weft_scope_close(scope, rc);
    model_free(scope);
    tasks_scribble();
}

static void own_one(void)
{
    open_it();
    spawn_b();
    close_it(0);
}

static void own_two(void)
{
    open_it();
    spawn_b();
    spawn_c();
    close_it(0);
}

/* Another cancels it meanwhile. */
static void own_one_and_show(void)
{
    open_it();
    model_post(opened, "the scope is open");
    spawn_b();
    model_take(done, "the cancel is done");
    close_it(0);
}

static void cancel_from_outside(void)
{
    model_take(opened, "the scope is open");
    (void)weft_scope_cancel(scope);
    model_post(done, "the cancel is done");
}

static void own_and_cancel(void)
{
    open_it();
    spawn_b();
    (void)weft_scope_cancel(scope);
    close_it(0);
}

static void own_cancel_and_give(void)
{
    open_it();
    spawn_b();
    (void)weft_scope_cancel(scope);
    model_assert(give_gift());
    close_it(0);
}

static void own_soften_and_give(void)
{
    open_it();
    spawn_b();
    (void)cancel_softly();
    model_assert(give_gift());
    close_it(0);
}

static void own_and_soften(void)
{
    open_it();
    spawn_b();
    (void)cancel_softly();
    close_it(0);
}

static void own_and_fail(void)
{
    open_it();
    spawn_b();
    close_it(-EIO);
}

/* The body waits for what only the end of the scope brings. */
static void own_and_wait(void)
{
    open_it();
    spawn_b();
    close_it(wait_for_ever());
}

static void cancel_owner(void) { tasks_cancel(tasks[0]); }

static void own_in_time(void)
{
    int rc = weft_scope_open_with(scope, &(weft_scope_options){.deadline = 5});

    model_assert(rc == 0);
    model_post(opened, "a deadline");
    spawn_b();
    close_it(0);
}

/* The deadline comes when it has been cancelled already. */
static void own_and_cancel_in_time(void)
{
    int rc = weft_scope_open_with(scope, &(weft_scope_options){.deadline = 5});

    model_assert(rc == 0);
    spawn_b();
    (void)weft_scope_cancel(scope);
    (void)weft__timers_fire(&tasks_worker(0)->timers, 6);
    close_it(0);
}

/* The cancel of the task finds its wait in a shield, or the one after it. */
static void wait_in_shield_and_outside(void)
{
    result[0] = gift_in_shield();
    result[3] = wait_for_ever();
}

static void give(void) { model_assert(give_gift()); }

static void own_and_postpone(void)
{
    int rc = weft_scope_open_with(scope, &(weft_scope_options){.deadline = 5});

    model_assert(rc == 0);
    model_post(opened, "a deadline");
    result[3] = weft_scope_deadline(scope, 9);
    spawn_b();
    if (result[3] == 0)
        model_assert(give_gift());
    close_it(0);
}

static void fire(void)
{
    model_take(opened, "a deadline");
    (void)weft__timers_fire(&tasks_worker(0)->timers, 6);
}

static void start_b(void)
{
    open_it();
    result[3] = weft_scope_start_at(scope, "b", member_b, NULL);
    tasks_scribble();
    close_it(0);
}

/* --- what must hold -------------------------------------------------------------------------- */

static void check_0(void) { model_assert(result[0] == 0); }
static void check_in_time_or_not(void) { model_assert(result[0] == 0 || result[0] == -ETIMEDOUT); }
static void check_b_cancelled(void) { model_assert(result[1] == -ECANCELED); }

static void check_cancelled(void)
{
    check_b_cancelled();
    model_assert(result[0] == -ECANCELED);
}

static void check_failed(void) { model_assert(result[0] == -EIO && result[1] == -EIO); }
static void check_body_cancelled(void) { model_assert(result[0] == -ECANCELED && result[1] == 0); }

static void check_never_ready(void)
{
    model_assert(result[3] == -ECANCELED && result[1] == -ECANCELED);
}

/* Whether the end of its member or the cancel came first. */
static void check_cut_or_not(void) { model_assert(result[0] == 0 || result[0] == -ECANCELED); }

static void check_c_cancelled(void)
{
    model_assert(result[2] == -ECANCELED && result[0] == -ECANCELED);
}

static void check_c_failed(void) { model_assert(result[2] == -ECANCELED && result[0] == -EIO); }

static void check_b_failed(void) { model_assert(result[1] == -ECANCELED && result[0] == -EIO); }

static void check_given(void) { model_assert(result[0] == 0 && result[1] == 0); }

static void check_shielded(void) { model_assert(result[0] == 0 && result[3] == -ECANCELED); }

static void check_expired(void)
{
    check_b_cancelled();
    model_assert(result[0] == -ETIMEDOUT);
}

static void check_postponed(void)
{
    if (result[3] == 0)
        model_assert(result[0] == 0 && result[1] == 0);
    else
        model_assert(result[3] == -EALREADY && result[1] == -ECANCELED && result[0] == -ETIMEDOUT);
}

static void check_started(void) { model_assert(result[3] == 3 && result[0] == 0); }
static void check_unready(void) { model_assert(result[3] == -EIO && result[0] == 0); }

static void check_started_or_not(void)
{
    model_assert(result[3] == (result[1] == 0 ? 3 : -ECANCELED));
    model_assert(result[1] == 0 || result[1] == -ECANCELED);
}

#define SETUP(name, b, c) \
    static void name(void) { setup(b, c); }

SETUP(one_ends, end, NULL)
SETUP(two_end, end, end)
SETUP(one_waits, wait_for_ever, NULL)
SETUP(one_only_fails, fail, NULL)
SETUP(one_only_cancels, cancel, NULL)
SETUP(one_fails, fail, wait_for_ever)
SETUP(one_cancels, cancel, wait_for_ever)
SETUP(one_softens, cancel_softly, wait_for_ever)
SETUP(one_spawns, spawn_another, end)
SETUP(one_spawns_one_that_waits, spawn_another, wait_for_ever)
SETUP(one_inside, wait_inside, NULL)
SETUP(one_ends_inside, end_inside, NULL)
SETUP(nobody, NULL, NULL)
SETUP(one_in_shield, gift_in_shield, NULL)
SETUP(one_in_soft, gift_in_soft, NULL)
SETUP(one_waits_in_soft, wait_in_soft, NULL)
SETUP(one_waits_for_gift, wait_for_gift, NULL)
SETUP(one_gets_ready, get_ready, NULL)
SETUP(one_never_ready, end_unready, NULL)

const struct model_scenario model_scenarios[] = {
    {"the last member ends against the close",
     one_ends,
     {{"owner", own_one, 0}, {"b", runner, 0}},
     check_0,
     0},
    {"two members end against the close",
     two_end,
     {{"owner", own_two, 0}, {"b", runner, 0}, {"c", runner, 0}},
     check_0,
     0},
    {"a member spawns another while the scope closes",
     one_spawns,
     {{"owner", own_one, 0}, {"b", runner, 0}, {"c", runner, 0}},
     check_0,
     0},
    {"a member's wait against the cancel",
     one_waits,
     {{"owner", own_and_cancel, 0}, {"b", runner, 0}},
     check_cancelled,
     0},
    {"a member's end against the cancel",
     one_ends,
     {{"owner", own_and_cancel, 0}, {"b", runner, 0}},
     check_0,
     0},
    {"a member's wait when the body has failed",
     one_waits,
     {{"owner", own_and_fail, 0}, {"b", runner, 0}},
     check_b_failed,
     0},
    {"a member fails while the body waits",
     one_only_fails,
     {{"owner", own_and_wait, 0}, {"b", runner, 0}},
     check_failed,
     0},
    {"a member cancels while the body waits",
     one_only_cancels,
     {{"owner", own_and_wait, 0}, {"b", runner, 0}},
     check_body_cancelled,
     0},
    {"a member cancels while the scope closes",
     one_only_cancels,
     {{"owner", own_one, 0}, {"b", runner, 0}},
     check_cut_or_not,
     0},
    {"a member is adopted against the cancel",
     one_waits,
     {{"owner", own_one_and_show, 0}, {"b", runner, 0}, {"canceller", cancel_from_outside, 0}},
     check_cancelled,
     0},
    {"a member cancels while the scope closes, and another waits",
     one_cancels,
     {{"owner", own_two, 0}, {"b", runner, 0}, {"c", runner, 0}},
     check_c_cancelled,
     0},
    {"a member fails while another waits",
     one_fails,
     {{"owner", own_two, 0}, {"b", runner, 0}, {"c", runner, 0}},
     check_c_failed,
     0},
    {"the owner is cancelled while it closes",
     one_waits,
     {{"owner", own_one, 0}, {"b", runner, 0}, {"canceller", cancel_owner, 0}},
     check_cancelled,
     0},
    {"the same, and a member spawns another",
     one_spawns_one_that_waits,
     {{"owner", own_one, 0}, {"b", runner, 0}, {"c", runner, 0}, {"canceller", cancel_owner, 0}},
     check_c_cancelled,
     0},
    {"a scope is opened inside against the cancel",
     one_inside,
     {{"owner", own_and_cancel, 0}, {"b", runner, 0}},
     check_cancelled,
     0},
    {"a scope inside is closed against the cancel",
     one_ends_inside,
     {{"owner", own_and_cancel, 0}, {"b", runner, 0}},
     check_given,
     0},
    {"a wait in a shield, and one after it, against the cancel of the task",
     nobody,
     {{"task", wait_in_shield_and_outside, 0}, {"giver", give, 0}, {"canceller", cancel_owner, 0}},
     check_shielded,
     0},
    {"a wait in a shield against the cancel",
     one_in_shield,
     {{"owner", own_cancel_and_give, 0}, {"b", runner, 0}},
     check_given,
     0},
    {"a member cancels softly while another waits",
     one_softens,
     {{"owner", own_two, 0}, {"b", runner, 0}, {"c", runner, 0}},
     check_c_cancelled,
     0},
    {"a wait in a soft block against the soft cancel",
     one_in_soft,
     {{"owner", own_soften_and_give, 0}, {"b", runner, 0}},
     check_given,
     0},
    {"the owner is cancelled while it closes what it has cancelled softly",
     one_waits_in_soft,
     {{"owner", own_and_soften, 0}, {"b", runner, 0}, {"canceller", cancel_owner, 0}},
     check_cancelled,
     0},
    {"a deadline ends a wait",
     one_waits,
     {{"owner", own_in_time, 0}, {"b", runner, 0}, {"worker", fire, 0}},
     check_expired,
     0},
    {"a deadline after the cancel",
     one_waits,
     {{"owner", own_and_cancel_in_time, 0}, {"b", runner, 0}},
     check_cancelled,
     0},
    {"a deadline against the close",
     one_ends,
     {{"owner", own_in_time, 0}, {"b", runner, 0}, {"worker", fire, 0}},
     check_in_time_or_not,
     0},
    {"a deadline is postponed against its end",
     one_waits_for_gift,
     {{"owner", own_and_postpone, 0}, {"b", runner, 0}, {"worker", fire, 0}},
     check_postponed,
     0},
    {"a start, until it is ready",
     one_gets_ready,
     {{"owner", start_b, 0}, {"b", runner, 0}},
     check_started,
     0},
    {"a start that ends before it is ready",
     one_never_ready,
     {{"owner", start_b, 0}, {"b", runner, 0}},
     check_unready,
     0},
    {"a start of one that never is ready is cancelled",
     one_waits,
     {{"owner", start_b, 0}, {"b", runner, 0}, {"canceller", cancel_owner, 0}},
     check_never_ready,
     0},
    {"a start against the cancel of the starter",
     one_gets_ready,
     {{"owner", start_b, 0}, {"b", runner, 0}, {"canceller", cancel_owner, 0}},
     check_started_or_not,
     0},
    {0},
};
