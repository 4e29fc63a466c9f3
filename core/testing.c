/*
 * testing - see testing.h and weft/testing.h.
 */
#include "core/testing.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <weft/testing.h>

#include "core/runtime.h"
#include "core/sys.h"

#define DESCRIPTORS 1024
#define PATIENCE_NS INT64_C(20000000000) /* longer than any step of a program under a sanitizer */
#define REPEATS     12 /* of a run that made the heap grow, before that counts: caches hold less */

/* What is there while no runtime runs. */
struct stock {
    int64_t pieces; /* of weft's own memory */
    size_t heap;    /* bytes of the C library's */
    int count;      /* of descriptors */
    int fds[DESCRIPTORS];
};

/* Words that are added one after the other; what does not fit is cut. */
struct words {
    size_t used;
    char text[360];
};

/* One run, and the thread that carries it. */
struct trial {
    struct probe probe;
    const struct sweep *sweep;
    bool has_run;               /* fn; else the runtime did not start */
    weft_future first;          /* the task that runs fn */
    int status;                 /* of fn, or why it could not run */
    int stopped;                /* what stopping the runtime gave the carrier */
    bool is_hung;               /* it had to be stopped from outside */
    bool is_abandoned;          /* some of it goes on: its memory may be in use */
    _Atomic uint32_t has_ended; /* (a) what the futex of who waits for it looks at */
    int bystanders;             /* threads that were there before */
    struct stock before, after;
    struct lock lock;  /* of what is reported */
    uint32_t reports;  /* how many */
    struct words said; /* the first */
    char why[160];     /* why it could not run */
};

/* What an uncancelled run holds at its end: some programs never give back what they take. */
struct usual {
    int64_t held;     /* locks and permits, of all objects that hold any */
    bool has_signals; /* some semaphore was released before it was ever taken */
    bool is_overpaid; /* some other got more than was taken from it */
};

__attribute__((format(printf, 2, 3))) static void add(struct words *words, const char *format, ...)
{
    size_t room = sizeof words->text - words->used;
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(words->text + words->used, room, format, arguments);
    va_end(arguments);
    if (length > 0)
        words->used += (size_t)length < room ? (size_t)length : room - 1;
}

/* --- one run ----------------------------------------------------------------------------------- */

static void take_stock(struct stock *stock)
{
    stock->pieces = weft__sys_live();
    stock->heap = weft__sys_heap();
    stock->count = weft__sys_descriptors(stock->fds, DESCRIPTORS);
}

static void hear(void *context, const char *sentence)
{
    struct trial *trial = context;

    lock_acquire(&trial->lock);
    if (trial->reports++ == 0)
        add(&trial->said, "%s", sentence);
    lock_release(&trial->lock);
}

static int first_task(void *arg)
{
    struct trial *trial = arg;

    trial->has_run = true;
    trial->first = weft_self();
    store_seq(&trial->probe.is_counting, true);
    int rc = trial->sweep->fn(trial->sweep->arg); /* suspends: worker, errno stale */
    store_seq(&trial->probe.is_counting, false);
    return rc;
}

static void *carry(void *arg)
{
    struct trial *trial = arg;
    const weft_options options = {.workers = trial->sweep->workers ? trial->sweep->workers : 1,
                                  .report = hear,
                                  .report_context = trial,
                                  .bystanders = trial->bystanders};

    trial->status = weft__run(&options, first_task, trial, &trial->stopped);
    (void)snprintf(trial->why, sizeof trial->why, "%s", weft_why()); /* a cut one is still one */
    store_seq(&trial->has_ended, 1);
    weft__futex_wake(&trial->has_ended, 1);
    return NULL;
}

/* Waits for the end of the run. Returns false if it came to no new point for too long. */
static bool wait_for_end(struct trial *trial, int64_t patience)
{
    int64_t last = weft__sys_now();
    uint64_t seen = 0;

    while (!load_seq(&trial->has_ended)) {
        uint64_t points = load_seq(&trial->probe.points);
        int64_t now = weft__sys_now();

        if (points != seen)
            last = now;
        seen = points;
        if (now - last >= patience)
            return false;
        (void)weft__futex_wait(&trial->has_ended, 0, patience / 8 + 1); /* late: looks again */
    }
    return true;
}

/* Runs fn once. Returns 0, and the trial tells the rest; -errno if there is no thread for it. */
static int run_trial(struct trial *trial, const struct sweep *sweep, uint64_t chosen,
                     enum probe_when when)
{
    pthread_t carrier;

    memset(trial, 0, sizeof *trial);
    trial->sweep = sweep;
    trial->probe.chosen = chosen;
    trial->probe.when = when;
    trial->probe.cancel = sweep->cancel;
    if (sweep->is_virtual)
        (void)weft_test_clock(sweep->grace); /* checked when it was asked for */
    /* Before any other descriptor is opened: TSan keeps some bytes for each number. */
    take_stock(&trial->before);
    int threads = weft__sys_threads(0);
    trial->bystanders = threads < 0 ? 0 : threads; /* unknown: no standstill is invented */
    store_seq(&weft__probe, &trial->probe);
    int rc = weft__sys_thread(&carrier, carry, trial);
    if (rc == 0 && !wait_for_end(trial, sweep->patience ? sweep->patience : PATIENCE_NS)) {
        trial->is_hung = true;
        trial->is_abandoned = weft_stop() == -ETIMEDOUT; /* cancels it, and waits */
    }
    if (trial->is_abandoned)
        (void)pthread_detach(carrier); /* stuck for good; fails only for a wrong thread */
    else if (rc == 0)
        (void)pthread_join(carrier, NULL); /* as above */
    if (!trial->is_abandoned)              /* it has been joined: its own stop may have given up */
        trial->is_abandoned = trial->stopped == -ETIMEDOUT;
    store_seq(&weft__probe, NULL);
    take_stock(&trial->after);
    return rc;
}

/* --- what it left ------------------------------------------------------------------------------ */

static void look_at_descriptors(const struct trial *trial, struct words *left)
{
    const struct stock *before = &trial->before, *after = &trial->after;
    int old = 0, fd = -1;
    char what[80];

    if (after->count <= before->count)
        return;
    for (int i = 0; i < after->count && i < DESCRIPTORS && fd < 0; i++) {
        while (old < before->count && old < DESCRIPTORS && before->fds[old] < after->fds[i])
            old++;
        if (old >= before->count || before->fds[old] != after->fds[i])
            fd = after->fds[i];
    }
    weft__sys_describe(fd, what, sizeof what);
    add(left, "; open descriptors: %d more, the first is %d (%s)", after->count - before->count, fd,
        what);
}

/* Compares what is held with what an uncancelled run holds. */
static void look_at_objects(const struct probe *probe, const struct usual *usual,
                            struct words *left)
{
    const struct probe_object *most = NULL, *least = NULL;
    int64_t held = 0;

    for (size_t i = 0; i < PROBE_OBJECTS; i++) {
        const struct probe_object *object = &probe->objects[i];

        held += object->held > 0 ? object->held : 0;
        if (object->held > 0 && (!most || object->held > most->held))
            most = object;
        if (object->held < 0 && !(object->is_signal && usual->has_signals))
            least = object;
    }
    if (held > usual->held)
        add(left, "; %lld x %s, last taken by %s", (long long)most->held, most->what, most->site);
    if (least && !usual->is_overpaid)
        add(left, "; %s given back %lld times more often than taken", least->what,
            -(long long)least->held);
}

static void note_usual(const struct probe *probe, struct usual *ret_usual)
{
    *ret_usual = (struct usual){0};
    for (size_t i = 0; i < PROBE_OBJECTS; i++) {
        const struct probe_object *object = &probe->objects[i];

        ret_usual->held += object->held > 0 ? object->held : 0;
        ret_usual->has_signals |= object->is_signal;
        ret_usual->is_overpaid |= object->held < 0 && !object->is_signal;
    }
}

/* Whether the heap grows with each repetition of the run: then it is no cache that fills. */
static bool heap_grows(const struct trial *first, struct trial *again)
{
    const struct sweep *sweep = first->sweep;
    bool grows = true;

    for (int i = 0; i < REPEATS && grows; i++) {
        int rc = run_trial(again, sweep, first->probe.chosen, first->probe.when);

        /* What goes on in an abandoned run may still look at the trial: that is not used again. */
        grows = rc == 0 && !again->is_abandoned && again->after.heap > again->before.heap;
        if (rc == 0 && sweep->settle)
            (void)sweep->settle(sweep->arg); /* said already, the first time */
    }
    return grows;
}

/* Whether the run ended because nothing could ever happen in it any more. */
static bool stood_still(const struct trial *trial)
{
    return trial->status == -EDEADLK && strstr(trial->said.text, "nothing can ever wake it");
}

/* Says what the run left behind; nothing if it left nothing. */
static void judge(struct trial *trial, struct trial *spare, const struct usual *usual,
                  struct words *left)
{
    const struct sweep *sweep = trial->sweep;

    if (trial->is_hung)
        add(left, "; it did not end, and had to be stopped");
    else if (stood_still(trial))
        add(left, "; %s", trial->why);
    else if (trial->is_abandoned)
        add(left, "; %s", trial->said.text);
    if (left->used)
        return; /* what it holds is no surprise */
    look_at_objects(&trial->probe, usual, left);
    look_at_descriptors(trial, left);
    if (trial->after.pieces > trial->before.pieces)
        add(left, "; memory allocated by weft: %lld more pieces",
            (long long)(trial->after.pieces - trial->before.pieces));
    if (trial->reports)
        add(left, "; %s", trial->said.text);
    const char *wrong = sweep->settle ? sweep->settle(sweep->arg) : NULL;
    if (wrong)
        add(left, "; %s", wrong);
    if (left->used == 0 && trial->after.heap > trial->before.heap && heap_grows(trial, spare))
        add(left, "; %zu bytes of the heap", trial->after.heap - trial->before.heap);
    if (spare->is_abandoned)
        add(left, "; the same run once more did not end");
}

/* --- all runs ---------------------------------------------------------------------------------- */

struct visit {
    struct sweep *sweep;
    struct usual usual;
    struct trial trial, spare;
};

static int explain_left(const struct trial *trial, const struct words *left)
{
    static const char *const moments[] = {
        [PROBE_BEFORE] = "before it waited",
        [PROBE_WAITING] = "while it waited",
        [PROBE_WOKEN] = "when it had been woken from waiting",
        [PROBE_TWICE] = "twice, in and after waiting",
    };
    const struct probe *probe = &trial->probe;
    bool is_first = probe->victim.slot == trial->first.slot &&
                    probe->victim.generation == trial->first.generation;

    if (!load_seq(&probe->is_cancelled))
        weft__explain("left behind without any cancel: %s", left->text + 2);
    else
        weft__explain("cancelled at point %llu, %s%s%s, in %s: left behind: %s",
                      (unsigned long long)probe->chosen, moments[probe->when],
                      probe->is_wait ? probe->what ? " for " : "" : " (the call had just begun)",
                      probe->is_wait && probe->what ? probe->what : "",
                      is_first ? "the function itself" : probe->site, left->text + 2);
    return trial->is_hung || stood_still(trial) ? -EDEADLK : -ENOTEMPTY;
}

/* What the run that was made left behind. Returns 0; -errno: explained. */
static int verdict(struct visit *visit)
{
    struct words left = {0};

    judge(&visit->trial, &visit->spare, &visit->usual, &left);
    return left.used ? explain_left(&visit->trial, &left) : 0;
}

/* One run and its verdict. Returns 0; -errno: explained. */
static int visit(struct visit *visit, uint64_t chosen, enum probe_when when)
{
    int rc = run_trial(&visit->trial, visit->sweep, chosen, when);

    if (rc == 0 && !visit->trial.is_hung && !visit->trial.has_run)
        rc = visit->trial.status;
    if (rc < 0) {
        weft__explain("a run could not start: %s. %s", weft_strerror(rc), visit->trial.why);
        return rc;
    }
    if (chosen == 0)
        note_usual(&visit->trial.probe, &visit->usual);
    return verdict(visit);
}

/* The uncancelled runs. Returns 0, the failure of fn, or what it left behind without a cancel. */
static int count(struct visit *all)
{
    const struct trial *trial = &all->trial;
    struct sweep *sweep = all->sweep;
    int rc = run_trial(&all->trial, sweep, 0, PROBE_BEFORE); /* warms up */

    if (rc == 0 && sweep->settle)
        (void)sweep->settle(sweep->arg);
    if (rc == 0 && !trial->is_hung)
        rc = trial->status < 0 ? trial->status : 0;
    if (rc == 0 && trial->is_hung)
        rc = -EDEADLK;
    if (rc < 0) {
        weft__explain("it fails without a cancel: %s. %s", weft_strerror(rc), trial->why);
        return rc;
    }
    if (trial->is_abandoned) /* what goes on there may look at the trial: that is not used again */
        return verdict(all);
    rc = visit(all, 0, PROBE_BEFORE);
    sweep->counted = load_seq(&trial->probe.points);
    return rc;
}

/* All moments of one point. */
static int visit_point(struct visit *all, uint64_t point)
{
    struct sweep *sweep = all->sweep;
    bool is_visited = false;
    bool can_wait = true; /* until it is known that this point is the beginning of a call */

    for (unsigned when = PROBE_BEFORE; when <= PROBE_TWICE; when++) {
        if (!(sweep->whens >> when & 1) || (when != PROBE_BEFORE && !can_wait))
            continue;
        int rc = visit(all, point, when);
        if (rc < 0)
            return rc;
        const struct probe *probe = &all->trial.probe;
        if (!load_seq(&probe->was_reached))
            continue; /* this time it went another way */
        can_wait = probe->is_wait;
        bool is_cancelled = load_seq(&probe->is_cancelled);
        is_visited |= is_cancelled;
        sweep->runs += is_cancelled;
    }
    sweep->points += is_visited;
    return 0;
}

static int sweep_all(struct visit *all)
{
    uint64_t most = all->sweep->most ? all->sweep->most : WEFT_TEST_POINTS_MOST;
    int rc = count(all);
    uint64_t step = (all->sweep->counted + most - 1) / most;

    for (uint64_t point = 1; rc == 0 && point <= all->sweep->counted; point += step)
        rc = visit_point(all, point);
    return rc;
}

int weft__sweep(struct sweep *sweep)
{
    struct runtime *runtime;

    sweep->counted = sweep->points = sweep->runs = 0;
    if (!sweep->fn || weft__runtime_is_mine())
        return sweep->fn ? -EPERM : -EINVAL;
    if (weft__runtime_enter(&runtime) == 0) {
        weft__runtime_leave(runtime);
        weft__explain("weft runs already: the test starts a runtime of its own for each run");
        return -EBUSY;
    }
    struct visit *all = weft__sys_alloc(sizeof *all);
    if (!all)
        return -ENOMEM;
    all->sweep = sweep;
    sweep->is_virtual = weft__runtime_clock_wanted(&sweep->grace);
    int rc = sweep_all(all);
    if (!all->trial.is_abandoned && !all->spare.is_abandoned) /* else somebody still runs there */
        weft__sys_free(all);
    return rc;
}

int weft_test_cancel_everywhere(weft_fn fn, void *arg)
{
    struct sweep sweep = {.fn = fn,
                          .arg = arg,
                          .whens = 1u << PROBE_BEFORE | 1u << PROBE_WAITING | 1u << PROBE_WOKEN};
    int rc = weft__sweep(&sweep);

    return rc < 0 ? rc : (int)sweep.points;
}
