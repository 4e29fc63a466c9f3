/*
 * park - see park.h for the states and the argument.
 */
#include "core/park.h"

#include "core/sys.h"
#include "core/tuning.h"
#include "core/worker.h"

#define SEARCHING ((uint64_t)1 << 32)
#define SLEEPING  ((uint64_t)1)

static uint32_t searching_in(uint64_t counts) { return (uint32_t)(counts >> 32); }
static uint32_t sleeping_in(uint64_t counts) { return (uint32_t)counts; }

/* Takes a worker out of its sleep, or keeps it from falling asleep. Returns whether its loop must be
 * woken. It counts as searching from here on. */
static bool unpark_locked(struct runtime *runtime, struct worker *worker)
{
    bool was_asleep = worker->park_state == PARK_ASLEEP;

    worker->park_state = PARK_RUNNING;
    add_seq(&runtime->idle.counts, SEARCHING - SLEEPING);
    return was_asleep;
}

/* The one to wake, or NULL: one that has not fallen asleep yet needs no system call. */
static struct worker *unpark_one_locked(struct runtime *runtime)
{
    struct worker *sleeper = NULL;

    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        struct worker *worker = &runtime->workers[i];

        if (worker->park_state == PARK_LOOKING) {
            (void)unpark_locked(runtime, worker); /* false: it does not sleep */
            return NULL;
        }
        if (worker->park_state == PARK_ASLEEP && !sleeper)
            sleeper = worker;
    }
    if (sleeper)
        (void)unpark_locked(runtime, sleeper); /* true: it sleeps */
    return sleeper;
}

static void notify_slow(struct runtime *runtime)
{
    struct worker *woken = NULL;

    lock_acquire(&runtime->idle.lock);
    uint64_t counts = load_seq(&runtime->idle.counts); /* E1, once more now that it is stable */

    if (searching_in(counts) == 0 && sleeping_in(counts) > 0)
        woken = unpark_one_locked(runtime);
    lock_release(&runtime->idle.lock);
    if (woken)
        woken->loop.ops->wake(&woken->loop);
}

void weft__park_notify(struct runtime *runtime)
{
    uint64_t counts = load_seq(&runtime->idle.counts); /* E1: after the push */

    if (sleeping_in(counts) > 0 && searching_in(counts) == 0)
        notify_slow(runtime);
}

void weft__park_wake(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;
    bool must_wake = false;

    lock_acquire(&runtime->idle.lock);
    if (worker->park_state != PARK_RUNNING)
        must_wake = unpark_locked(runtime, worker);
    lock_release(&runtime->idle.lock);
    if (must_wake)
        worker->loop.ops->wake(&worker->loop);
}

bool weft__park_search_begin(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;

    if (worker->is_searching)
        return true;
    if (2 * searching_in(load_seq(&runtime->idle.counts)) >= runtime->worker_count)
        return false;
    add_seq(&runtime->idle.counts, SEARCHING);
    worker->is_searching = true;
    return true;
}

void weft__park_search_end(struct worker *worker)
{
    uint64_t before;

    if (!worker->is_searching)
        return;
    worker->is_searching = false;
    before = sub_seq(&worker->runtime->idle.counts, SEARCHING); /* E3: then the queues */
    if (searching_in(before) == 1 && weft__worker_sees_work(worker, true))
        weft__park_notify(worker->runtime); /* more lies there, and nobody looks any more */
}

/* Announces the sleep. From here on whoever publishes work sees this worker: E2. */
static void park_begin(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;

    lock_acquire(&runtime->idle.lock);
    worker->park_state = PARK_LOOKING;
    add_seq(&runtime->idle.counts, worker->is_searching ? SLEEPING - SEARCHING : SLEEPING);
    worker->is_searching = false;
    lock_release(&runtime->idle.lock);
}

/* LOOKING to ASLEEP. Returns false if it was unparked meanwhile. */
static bool park_commit(struct worker *worker)
{
    struct idle *idle = &worker->runtime->idle;

    lock_acquire(&idle->lock);
    if (worker->park_state == PARK_LOOKING)
        worker->park_state = PARK_ASLEEP;
    bool asleep = worker->park_state == PARK_ASLEEP;
    lock_release(&idle->lock);
    return asleep;
}

/* Back to RUNNING. A worker that somebody unparked was counted as searching by that; one that woke
 * by itself has its own work, and need not look for others'. */
static void park_end(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;

    lock_acquire(&runtime->idle.lock);
    worker->is_searching = worker->park_state == PARK_RUNNING;
    if (!worker->is_searching) {
        worker->park_state = PARK_RUNNING;
        sub_seq(&runtime->idle.counts, SLEEPING);
    }
    lock_release(&runtime->idle.lock);
}

bool weft__park_others_sleep(struct runtime *runtime)
{
    return sleeping_in(load_seq(&runtime->idle.counts)) + 1 >= runtime->worker_count;
}

bool weft__park_all_sleep(struct runtime *runtime)
{
    return load_seq(&runtime->idle.counts) == runtime->worker_count * SLEEPING;
}

static int64_t time_to_first_timer(struct worker *worker)
{
    int64_t first = load_relaxed(&worker->timers.first); /* relaxed: see timer.c */

    if (first == INT64_MAX)
        return WEFT_NO_TIMEOUT;
    int64_t left = first - weft__quiet_now(worker->runtime);
    if (left > 0 && worker->runtime->quiet.is_virtual)
        return WEFT_NO_TIMEOUT; /* the jump to that moment wakes it */
    return left > 0 ? left : 0;
}

/* Whether the last look before sleep must take in the others' deques. Not while somebody searches:
 * that one looks itself when it parks, or wakes us, who are announced, when it has found something. */
static bool must_look_everywhere(struct worker *worker, bool was_searching)
{
    return was_searching || searching_in(load_seq(&worker->runtime->idle.counts)) == 0; /* E2 */
}

/* Who looks once more has seen work. From here on it searches for that, as who was unparked: those who bring more
 * leave it to a searcher, and it wakes another for what it leaves behind. */
static void search_for_it(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;

    lock_acquire(&runtime->idle.lock);
    if (worker->park_state == PARK_LOOKING)
        (void)unpark_locked(runtime, worker); /* false: it does not sleep */
    lock_release(&runtime->idle.lock);
}

/* The last worker that would fall asleep waits a moment for the end of a job of the CPU pool, if the
 * kernel owes it nothing: so the ender of a short job finds it LOOKING, and needs no system call. */
static void look_for_jobs(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;
    bool saw = false;

    if (worker->spins_lost >= TUNE_PARK_SPINS_LOST &&
        ++worker->spins_lost % TUNE_PARK_SPINS_AGAIN != 0)
        return; /* jobs take longer than that */
    if (load_seq(&runtime->quiet.at_work))
        return; /* starting, or stopping: the pools may not be there */
    if (worker->loop.ops->is_busy(&worker->loop) || !weft__park_all_sleep(runtime) ||
        !weft__pools_may_end_soon(runtime->pools))
        return;
    for (int spin = 0; spin < TUNE_PARK_SPINS && !saw; spin++) {
        spin_pause();
        saw = weft__worker_sees_work(worker, true);
    }
    worker->spins_lost = saw ? 0 : worker->spins_lost + 1;
    if (saw)
        search_for_it(worker); /* nobody need be woken for what it saw */
}

/* Of several workers that fall asleep at the same time each has seen another awake when it was about to give memory
 * back (worker.c): the last that is announced does it. Returns whether there was any. */
static bool trim_last(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;

    if (!weft__park_all_sleep(runtime) || !weft__stacks_trim(&runtime->stacks))
        return false;
    worker->turns_left = 1; /* the kernel's events come first then */
    return true;
}

void weft__park(struct worker *worker)
{
    bool was_searching = worker->is_searching;

    /* Before it shows that it sleeps: then others act on the first deadline. */
    weft__timers_tidy(&worker->timers);
    park_begin(worker);
    look_for_jobs(worker);
    bool sees = weft__worker_sees_work(worker, must_look_everywhere(worker, was_searching));
    if (sees)
        search_for_it(worker);
    if (sees || trim_last(worker) || !park_commit(worker)) {
        park_end(worker);
        return;
    }
    weft__worker_gather_begin(worker);
    (void)worker->loop.ops->poll(&worker->loop,
                                 time_to_first_timer(worker)); /* errors: look again */
    park_end(worker);
    weft__worker_gather_end(worker);
}
