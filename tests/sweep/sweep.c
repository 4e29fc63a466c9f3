/*
 * sweep - see sweep.h.
 */
#include "sweep.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/gate.h"
#include "core/sys.h"
#include "core/worker.h"

#define ALL_WHENS (1u << PROBE_BEFORE | 1u << PROBE_WAITING | 1u << PROBE_WOKEN | 1u << PROBE_TWICE)

struct books books;

static struct {
    uint64_t points, runs, scenarios, starved;
} total;

/* --- the books ----------------------------------------------------------------------------------- */

/* What runs short: the k-th piece of memory that the scenario asks weft for. */
static struct {
    _Atomic bool is_on; /* the runtime's own start is tried in fault_test */
    _Atomic int asked;
    int fail_at; /* 1: the first */
    _Atomic bool has_failed;
} memory;

bool sweep_holds(bool holds, const char *place)
{
    const char *none = NULL;

    /* Without memory other things happen than the scenario expects; the accounts balance all the same. */
    if (!holds && !atomic_load(&memory.has_failed))
        (void)atomic_compare_exchange_strong(&books.wrong, &none, place); /* the first counts */
    return holds;
}

int sweep_cut(long long rc, const char *place)
{
    if ((rc != -ENOMEM && rc != -EAGAIN) || !atomic_load(&memory.has_failed))
        (void)sweep_holds(rc >= 0 || rc == -ECANCELED, place);
    return rc < 0 ? (int)rc : 0;
}

/* After each run: whether every account balances. Opens new books. */
static const char *settle(void *arg)
{
    static char words[400];
    const struct books end = books;

    (void)arg;
    check_progress();
    memset(&books, 0, sizeof books);
    if (end.spawned == end.ended + end.dropped && end.entered == end.left && end.inside == 0 &&
        end.given == end.taken + end.spilt && !end.wrong)
        return NULL;
    (void)snprintf(words, sizeof words,
                   "books: %d spawned, %d ended, %d dropped; %d entered, %d left, %d inside; %ld "
                   "given, %ld taken, %ld spilt; %s",
                   end.spawned, end.ended, end.dropped, end.entered, end.left, end.inside,
                   end.given, end.taken, end.spilt, end.wrong ? end.wrong : "all holds");
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
    struct runtime *runtime = weft__runtime_own();

    (void)arg;
    atomic_store(&other.is_there, true);
    check_sem_wait(&other.go);
    if (other.victim.slot)
        (void)weft__future_cancel(runtime, other.victim); /* it cannot end before */
    (void)sem_post(&other.done);                          /* cannot overflow */
    return 0;
}

/* Stands in for the cancel: has it done by the other worker, and waits until it is. */
static void cancel_from_there(weft_future victim)
{
    if (atomic_exchange(&other.was_used, true)) {
        (void)weft__future_cancel(weft__runtime_own(), victim); /* once more, from here */
        return;
    }
    other.victim = victim;
    (void)sem_post(&other.go); /* cannot overflow */
    check_sem_wait(&other.done);
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

/* --- out of memory ------------------------------------------------------------------------------ */

static int fails_the_kth(const char *call)
{
    if (!atomic_load(&memory.is_on) || (strcmp(call, "alloc") != 0 && strcmp(call, "mmap") != 0))
        return 0;
    if (atomic_fetch_add(&memory.asked, 1) + 1 != memory.fail_at)
        return 0;
    atomic_store(&memory.has_failed, true);
    return -ENOMEM;
}

static int runs_short(void *arg)
{
    atomic_store(&memory.is_on, true);
    int rc = other.fn(arg); /* suspends: worker, errno stale */
    atomic_store(&memory.is_on, false);
    return rc;
}

/* Runs the scenario with its first allocation failing, then its second, until there are no more. */
static void run_out_of_memory(const char *name)
{
    const weft_options options = {.workers = 1, .shutdown = weft_s(3600)};

    weft__sys_fault = fails_the_kth;
    for (memory.fail_at = 1;; memory.fail_at++) {
        int64_t before = weft__sys_live();
        atomic_store(&memory.asked, 0);
        atomic_store(&memory.has_failed, false);
        memset(&books, 0, sizeof books);

        int rc = weft_run_with(&options, runs_short, NULL);
        bool has_failed = atomic_load(&memory.has_failed);
        const char *words = settle(NULL);

        /* -EAGAIN: a pool without memory for its first thread */
        bool is_plain =
            rc >= 0 || (has_failed && (rc == -ENOMEM || rc == -ECANCELED || rc == -EAGAIN));

        if (words || weft__sys_live() != before || !is_plain)
            print_message("%s, allocation %d fails: %s, %lld pieces left; %s\n", name,
                          memory.fail_at, weft_strerror(rc), (long long)(weft__sys_live() - before),
                          words ? words : "the books balance");
        assert_null(words);
        assert_int_equal(weft__sys_live(), before);
        assert_true(is_plain);
        if (!has_failed)
            break;
        total.starved++;
    }
    weft__sys_fault = NULL;
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
    run_out_of_memory(name);
    total.points += here.points;
    total.scenarios++;
    print_message("%s: %d points, %d runs\n", name, (int)here.points,
                  (int)(here.runs + there.runs));
}

int sweep_group(const struct CMUnitTest *tests, size_t count)
{
    int failed = check_group(tests, count);

    printf("measured: %llu suspension points of %llu scenarios, cancelled in %llu runs; %llu runs "
           "short "
           "of memory\n",
           (unsigned long long)total.points, (unsigned long long)total.scenarios,
           (unsigned long long)total.runs, (unsigned long long)total.starved);
    return failed;
}
