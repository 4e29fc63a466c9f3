/*
 * sweep - see sweep.h.
 */
#include "sweep.h"

#include <sched.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/worker.h"

#define ALL_WHENS (1u << PROBE_BEFORE | 1u << PROBE_WAITING | 1u << PROBE_WOKEN | 1u << PROBE_TWICE)

struct books books;

static struct {
    uint64_t points, runs, scenarios;
} total;

/* --- the books ----------------------------------------------------------------------------------- */

bool sweep_holds(bool holds, int line)
{
    int none = 0;

    if (!holds)
        (void)atomic_compare_exchange_strong(&books.wrong, &none, line); /* the first counts */
    return holds;
}

int sweep_cut(long long rc, int line)
{
    (void)sweep_holds(rc >= 0 || rc == -ECANCELED, line);
    return rc < 0 ? (int)rc : 0;
}

/* After each run: whether every account balances. Opens new books. */
static const char *settle(void *arg)
{
    static char words[200];
    const struct books end = books;

    (void)arg;
    memset(&books, 0, sizeof books);
    if (end.spawned == end.ended + end.dropped && end.entered == end.left && end.inside == 0 &&
        end.given == end.taken + end.spilt && end.wrong == 0)
        return NULL;
    (void)snprintf(words, sizeof words,
                   "books: %d spawned, %d ended, %d dropped; %d entered, %d left, %d inside; %ld "
                   "given, %ld taken, %ld spilt; line %d",
                   end.spawned, end.ended, end.dropped, end.entered, end.left, end.inside,
                   end.given, end.taken, end.spilt, end.wrong); /* fits */
    return words;
}

struct counted {
    weft_fn fn;
    void *arg;
};

static int counted(void *arg)
{
    const struct counted *call = arg;
    int rc = call->fn(call->arg); /* suspends: worker, errno stale */

    atomic_fetch_add(&books.ended, 1);
    return rc;
}

static void dropped(void *arg)
{
    (void)arg;
    atomic_fetch_add(&books.dropped, 1);
}

static weft_task_options booked(const struct counted *call)
{
    atomic_fetch_add(&books.spawned, 1);
    return (weft_task_options){
        .site = "a task of the scenario", .val = call, .val_bytes = sizeof *call, .drop = dropped};
}

weft_future sweep_task(weft_fn fn, void *arg)
{
    const weft_task_options options = booked(&(struct counted){fn, arg});

    return weft_spawn_with(&options, counted, NULL);
}

void sweep_task_in(weft_scope *scope, weft_fn fn, void *arg)
{
    const weft_task_options options = booked(&(struct counted){fn, arg});

    (void)weft_scope_spawn_with(scope, &options, counted, NULL); /* the scope hears of a failure */
}

weft_future sweep_job(weft_pool *pool, weft_fn fn, void *arg)
{
    const weft_task_options options = booked(&(struct counted){fn, arg});

    return weft_offload_with(pool, &options, counted, NULL);
}

/* --- cancelled from the other worker ------------------------------------------------------------ */

/* A task that holds the other worker until it is told whom to cancel. */
static struct {
    weft_fn fn;
    weft_future victim;
    _Atomic bool is_there, was_used;
    sem_t go, done;
} other;

static int cancels_once(void *arg)
{
    struct runtime *runtime = weft__worker()->runtime;

    (void)arg;
    atomic_store(&other.is_there, true);
    while (sem_wait(&other.go) != 0)
        ; /* interrupted: again */
    if (other.victim.slot)
        (void)weft__future_cancel(runtime, other.victim); /* it cannot end before */
    (void)sem_post(&other.done);                          /* cannot overflow */
    return 0;
}

/* Stands in for the cancel: has it done by the other worker, and waits until it is. */
static void cancel_from_there(weft_future victim)
{
    if (atomic_exchange(&other.was_used, true)) {
        (void)weft__future_cancel(weft__worker()->runtime, victim); /* once more, from here */
        return;
    }
    other.victim = victim;
    (void)sem_post(&other.go); /* cannot overflow */
    while (sem_wait(&other.done) != 0)
        ; /* interrupted: again */
}

/* Not one call of weft here waits, so that all points are the scenario's. */
static int runs_beside_the_other(void *arg)
{
    other.victim = (weft_future){0, 0};
    atomic_store(&other.is_there, false);
    atomic_store(&other.was_used, false);
    (void)sem_init(&other.go, 0, 0); /* fails only for wrong values */
    (void)sem_init(&other.done, 0, 0);
    weft_future canceller = weft_spawn(cancels_once, NULL);
    while (!atomic_load(&other.is_there))
        (void)sched_yield(); /* always 0 on Linux */

    int rc = other.fn(arg); /* suspends: worker, errno stale */

    if (!atomic_exchange(&other.was_used, true))
        (void)sem_post(&other.go);
    int detached = weft_detach(canceller); /* it ends by itself */
    return rc < 0 ? rc : detached;
}

/* --- sweeping ------------------------------------------------------------------------------------- */

static void sweep_with(const char *name, struct sweep *sweep)
{
    const char *most = getenv("CHECK_SWEEP");

    sweep->whens = ALL_WHENS;
    sweep->settle = settle;
    sweep->most = most ? (uint32_t)strtoul(most, NULL, 10) : 0;
    memset(&books, 0, sizeof books);
    check_progress();

    int rc = weft__sweep(sweep);

    if (rc < 0)
        print_message("%s, %d workers: %s: %s\n", name, sweep->workers, weft_strerror(rc),
                      weft_why());
    assert_int_equal(rc, 0);
    assert_true(sweep->points > 0);
    total.runs += sweep->runs;
}

void sweep_run(const char *name, weft_fn fn)
{
    struct sweep here = {.fn = fn, .workers = 1};
    struct sweep there = {.fn = runs_beside_the_other, .workers = 2, .cancel = cancel_from_there};

    sweep_with(name, &here);
    other.fn = fn;
    sweep_with(name, &there);
    total.points += here.points;
    total.scenarios++;
    print_message("%s: %d points, %d runs\n", name, (int)here.points,
                  (int)(here.runs + there.runs));
}

int sweep_group(const struct CMUnitTest *tests, size_t count)
{
    int failed = check_group(tests, count);

    printf("measured: %llu suspension points of %llu scenarios, cancelled in %llu runs\n",
           (unsigned long long)total.points, (unsigned long long)total.scenarios,
           (unsigned long long)total.runs);
    return failed;
}
