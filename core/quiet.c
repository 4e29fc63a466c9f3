/*
 * quiet - see quiet.h for who could act, and for the proof.
 */
#include "core/quiet.h"

#include <errno.h>
#include <limits.h>

#include "core/bell.h"
#include "core/sys.h"
#include "core/worker.h"

/* How long a second look waits for threads of the program that are about to end; and how often at most
 * /proc is read. Longer than a thread takes to end, short for who waits for the answer. */
#define AGAIN_NS INT64_C(100000000)

/* A thread inside the gate that does not wait leaves soon, and does not say so; nor does one that ends
 * after it has left its pool. */
#define SOON_NS INT64_C(1000000)

#define GRACE_NS INT64_C(10000000)

/* What one look over everybody shows. */
struct glance {
    bool is_asleep;   /* all of weft's own, and nothing is queued */
    bool is_settled;  /* no thread is inside the gate without waiting there, or leaves a pool */
    uint64_t moves;   /* grows with each change: I2 */
    uint64_t done;    /* grows with each task and job that was run */
    uint64_t flights; /* operations of the kernel's */
    int64_t first;    /* the earliest deadline, INT64_MAX if there is none */
    int threads;      /* that are weft's, or wait in it */
};

void weft__quiet_init(struct runtime *runtime, int64_t grace)
{
    runtime->quiet.is_virtual = grace >= 0;
    runtime->quiet.grace = grace > 0 ? grace : GRACE_NS;
    runtime->quiet.seen = UINT64_MAX;
    store_seq(&runtime->quiet.now, weft__sys_now());
}

int64_t weft__quiet_now(const struct runtime *runtime)
{
    struct quiet *quiet = &((struct runtime *)(uintptr_t)runtime)->quiet;

    return quiet->is_virtual ? load_seq(&quiet->now) : weft__sys_now();
}

/* --- threads that wait ----------------------------------------------------------------------- */

void weft__quiet_thread_begin(struct quiet_thread *thread, struct sleeper *sleeper)
{
    thread->runtime = weft__runtime_here(&thread->depth);
    if (!thread->runtime)
        return;
    struct quiet *quiet = &thread->runtime->quiet;
    thread->sleeper = sleeper;
    thread->site = weft__pools_job_site();
    lock_acquire(&quiet->threads_lock);
    list_push_last(&quiet->threads, &thread->link);
    quiet->thread_moves++;
    lock_release(&quiet->threads_lock);
    weft__quiet_look(thread->runtime); /* I1 */
}

int64_t weft__quiet_thread_left(const struct quiet_thread *thread)
{
    struct runtime *runtime = thread->runtime;
    int64_t left = thread->moment - (runtime ? weft__quiet_now(runtime) : weft_now());

    if (left <= 0)
        return 0;
    return runtime && runtime->quiet.is_virtual ? WEFT_NO_TIMEOUT : left;
}

void weft__quiet_thread_end(struct quiet_thread *thread)
{
    if (!thread->runtime)
        return;
    struct quiet *quiet = &thread->runtime->quiet;
    lock_acquire(&quiet->threads_lock);
    list_remove(&quiet->threads, &thread->link);
    quiet->thread_moves++;
    lock_release(&quiet->threads_lock);
    /* Its moment may have come alone, by a jump that woke nobody else: who looked then sleeps. */
    if (thread->late)
        weft__quiet_look(thread->runtime);
}

/* --- looking --------------------------------------------------------------------------------- */

/* Jobs and threads inside the gate. A listed one that was woken acts already, although it may not have
 * noticed yet. */
static void glance_at_threads(struct runtime *runtime, struct glance *glance)
{
    struct quiet *quiet = &runtime->quiet;
    uint32_t inside = load_seq(&runtime->inside);
    uint32_t waiting_inside = 0, waiting_jobs = 0;

    if (load_seq(&quiet->at_work)) { /* starting, too: the pools may not be there yet */
        glance->is_asleep = false;
        return;
    }
    lock_acquire(&quiet->threads_lock);
    for (struct link *link = quiet->threads.first; link; link = link->next) {
        struct quiet_thread *thread = container_of(link, struct quiet_thread, link);

        if (weft__sleeper_is_woken(thread->sleeper)) {
            if (thread->depth == 0) /* a job, which looks later; the others are inside the gate */
                glance->is_asleep = false;
            continue;
        }
        glance->first = thread->moment < glance->first ? thread->moment : glance->first;
        waiting_inside += thread->depth;
        waiting_jobs += thread->depth == 0;
        glance->threads += thread->depth > 0;
    }
    glance->moves += quiet->thread_moves;
    glance->threads += quiet->runner == NULL; /* else it is listed, or inside the gate and awake */
    lock_release(&quiet->threads_lock);
    if (!weft__pools_are_asleep(runtime->pools, waiting_jobs, &glance->moves, &glance->threads))
        glance->is_asleep = false;
    /* after the count: who is in neither has ended */
    glance->is_settled = inside == waiting_inside && !weft__pools_are_left(runtime->pools);
}

static void glance_at_worker(struct worker *worker, struct glance *glance)
{
    uint32_t asleep = load_seq(&worker->loop.bell->asleep);
    int64_t first = load_seq(&worker->timers.first);

    if (!bell_is_asleep(asleep) || !inbox_is_empty(&worker->inbox) ||
        !weft__deque_is_empty(&worker->deque))
        glance->is_asleep = false;
    glance->moves += asleep;
    glance->flights += load_seq(worker->loop.in_flight);
    glance->first = first < glance->first ? first : glance->first;
    /* relaxed: its worker is asleep, or the glance is worth nothing */
    glance->done += load_relaxed(&worker->ran);
}

static struct glance glance_at(struct runtime *runtime)
{
    struct glance glance = {.is_asleep = true,
                            .first = INT64_MAX,
                            .threads =
                                (int)(runtime->worker_count + load_seq(&runtime->spares.count))};

    glance_at_threads(runtime, &glance);
    glance.done = glance.moves;
    for (uint32_t i = 0; i < runtime->worker_count; i++)
        glance_at_worker(&runtime->workers[i], &glance);
    if (!weft__park_all_sleep(runtime) || !inbox_is_empty(&runtime->inbox) ||
        load_seq(&runtime->is_over))
        glance.is_asleep = false;
    return glance;
}

/* Whether all slept at once between two glances: I2. If not, *ret_again is when to look again: soon, if
 * all sleep now. Whoever does not looks when it stops. */
static bool are_same(const struct glance *before, const struct glance *after, int64_t *ret_again)
{
    bool is_asleep = after->is_asleep && after->is_settled;
    bool are = is_asleep && before->moves == after->moves && before->threads == after->threads &&
               before->flights == after->flights && before->first == after->first;

    *ret_again = after->is_asleep && !are ? SOON_NS : WEFT_NO_TIMEOUT;
    return are;
}

/* --- time jumps ------------------------------------------------------------------------------ */

static void wake_due_threads(struct quiet *quiet, int64_t now)
{
    lock_acquire(&quiet->threads_lock);
    for (struct link *link = quiet->threads.first; link; link = link->next) {
        struct quiet_thread *thread = container_of(link, struct quiet_thread, link);

        if (thread->late && thread->moment <= now)
            (void)weft__wake(thread->late, 0); /* false: it was woken already */
    }
    lock_release(&quiet->threads_lock);
}

/* Wakes whose timers are due. Returns whether `self` is one of them, which wakes by itself. */
static bool wake_due(struct runtime *runtime, struct worker *self, int64_t now)
{
    bool is_due = false;

    wake_due_threads(&runtime->quiet, now);
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        struct worker *worker = &runtime->workers[i];

        if (load_seq(&worker->timers.first) > now)
            continue;
        if (worker == self)
            is_due = true;
        else
            weft__park_wake(worker);
    }
    return is_due;
}

/* Operations are in flight: time may jump if nothing has been done for as long as `grace`. Returns for
 * how long that must still be waited for. */
static int64_t grace_left(struct quiet *quiet, const struct glance *glance)
{
    int64_t real = weft__sys_now();

    if (!quiet->grace_ends || quiet->seen != glance->done) {
        quiet->seen = glance->done;
        quiet->grace_ends = deadline_after(real, quiet->grace);
    }
    return quiet->grace_ends - real;
}

/* Everything sleeps, and a timer is set. Returns for how long `self` may sleep. */
static int64_t jump(struct runtime *runtime, struct worker *self, const struct glance *glance)
{
    struct quiet *quiet = &runtime->quiet;
    bool is_outside = glance->flights > 0 || weft__runtime_is_held();
    int64_t left = is_outside ? grace_left(quiet, glance) : 0;

    if (left > 0)
        return left;
    quiet->grace_ends = 0;
    if (glance->first > load_seq(&quiet->now)) {
        /* What weft_now() tells comes first: no timer fires before its moment. */
        weft__runtime_time_jumped(runtime, glance->first);
        store_seq(&quiet->now, glance->first); /* before the wakes: I4 */
    }
    return wake_due(runtime, self, glance->first) ? 0 : WEFT_NO_TIMEOUT;
}

/* --- standstill ------------------------------------------------------------------------------ */

/* Whether somebody outside weft could still wake a task; counted between the two glances: I3. */
static bool has_outsiders(struct runtime *runtime, const struct glance *before)
{
    int bystanders = runtime->options.bystanders;
    int known;

    if (__builtin_add_overflow(before->threads, bystanders, &known))
        known = INT_MAX; /* more than there can be */
    if (weft__runtime_is_held())
        return true; /* who releases it has a worker look again */
    if (bystanders >= 0) {
        int threads = weft__sys_threads(known);

        if (threads < 0 || threads > known)
            return true;
    }
    return weft__runtime_is_held(); /* last: a thread may have left one behind when it ended */
}

/* Everything sleeps, and no timer is set. Returns whether it is for ever; if not, *ret_again is when
 * to look again. */
static bool stands_still(struct runtime *runtime, const struct glance *before, int64_t *ret_again)
{
    struct quiet *quiet = &runtime->quiet;
    int64_t real = weft__sys_now();

    *ret_again = WEFT_NO_TIMEOUT;
    quiet->grace_ends = 0; /* there is no timer to jump to */
    if (before->flights > 0)
        return false;
    if (real < quiet->again_at) {
        *ret_again = quiet->again_at - real;
        return false;
    }
    bool has_others = has_outsiders(runtime, before);
    struct glance after = glance_at(runtime);
    if (!are_same(before, &after, ret_again))
        return false;
    if (!has_others)
        return true;
    quiet->again_at = deadline_after(real, AGAIN_NS);
    if (quiet->seen != after.done)
        *ret_again = AGAIN_NS;
    quiet->seen = after.done;
    return false;
}

/* Tells the thread in weft_run, which does the rest. */
static void end_wait(struct runtime *runtime)
{
    struct quiet *quiet = &runtime->quiet;
    uint32_t run = RUN_GOES;

    if (cas_seq(&quiet->run, &run, RUN_STANDS)) {
        lock_acquire(&quiet->threads_lock);
        if (quiet->runner)
            (void)weft__wake(quiet->runner, 0); /* cannot be lost: nothing else goes on */
        lock_release(&quiet->threads_lock);
        return;
    }
    run = RUN_DRAINS;
    if (cas_seq(&quiet->run, &run, RUN_STUCK)) {
        add_seq(&runtime->drain_signal, 1);
        weft__futex_wake(&runtime->drain_signal, 1);
    }
}

/* --- both ------------------------------------------------------------------------------------ */

static bool wants_standstill(struct quiet *quiet)
{
    uint32_t run = load_seq(&quiet->run);

    return run == RUN_GOES || run == RUN_DRAINS;
}

/* Something is in flight or due: no standstill, and told from nothing but the workers. */
static bool is_hopeful(struct runtime *runtime)
{
    for (uint32_t i = 0; i < runtime->worker_count; i++) {
        struct worker *worker = &runtime->workers[i];

        if (load_seq(worker->loop.in_flight) > 0 || load_seq(&worker->timers.first) != INT64_MAX)
            return true;
    }
    return false;
}

static int64_t look_locked(struct runtime *runtime, struct worker *self)
{
    struct quiet *quiet = &runtime->quiet;
    struct glance before = glance_at(runtime);
    int64_t again = WEFT_NO_TIMEOUT;

    if (!before.is_asleep)
        return WEFT_NO_TIMEOUT;
    if (!before.is_settled)
        return SOON_NS;
    if (before.first != INT64_MAX && !quiet->is_virtual)
        return WEFT_NO_TIMEOUT; /* that moment comes by itself */
    if (before.first != INT64_MAX) {
        struct glance after = glance_at(runtime);

        return are_same(&before, &after, &again) ? jump(runtime, self, &after) : again;
    }
    if (wants_standstill(quiet) && stands_still(runtime, &before, &again))
        end_wait(runtime);
    return again;
}

/* Returns for how long `self` may sleep; NULL: the caller is no worker. */
static int64_t look(struct runtime *runtime, struct worker *self)
{
    struct quiet *quiet = &runtime->quiet;

    if (!weft__park_all_sleep(runtime))
        return WEFT_NO_TIMEOUT; /* who is awake looks later: I1 */
    if (!quiet->is_virtual && (!wants_standstill(quiet) || is_hopeful(runtime)))
        return WEFT_NO_TIMEOUT;
    lock_acquire(&quiet->lock);
    int64_t left = look_locked(runtime, self);
    lock_release(&quiet->lock);
    return left;
}

int64_t weft__quiet_worker_sleeps(struct worker *worker, int64_t ns)
{
    if (ns != WEFT_NO_TIMEOUT && !worker->runtime->quiet.is_virtual)
        return ns; /* it waits for a timer */
    int64_t left = look(worker->runtime, worker);

    return left < ns ? left : ns;
}

void weft__quiet_look(struct runtime *runtime)
{
    int64_t left = look(runtime, NULL);

    if (left != WEFT_NO_TIMEOUT) /* a worker can wait for the next look; it looks, too */
        weft__park_wake(&runtime->workers[0]);
}

bool weft__quiet_is_for_ever(struct runtime *runtime)
{
    struct quiet *quiet = &runtime->quiet;
    int64_t again;

    lock_acquire(&quiet->lock);
    quiet->again_at = 0; /* the runtime is being stopped: /proc is read each time */
    struct glance before = glance_at(runtime);
    bool is_for_ever = before.is_asleep && before.is_settled && before.first == INT64_MAX &&
                       stands_still(runtime, &before, &again);
    lock_release(&quiet->lock);
    return is_for_ever;
}

void weft__quiet_act(struct runtime *runtime) { add_seq(&runtime->quiet.at_work, 1); }

void weft__quiet_rest(struct runtime *runtime)
{
    sub_seq(&runtime->quiet.at_work, 1);
    weft__quiet_look(runtime); /* I1 */
}
