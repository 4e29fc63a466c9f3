/*
 * drain - the first half of stopping: everything is cancelled, and waited for.
 *
 * Nobody keeps a list of tasks; all of them lie in the slab, and are found by walking through it.
 */
#include "core/drain.h"

#include <errno.h>

#include "core/sys.h"
#include "core/worker.h"

static bool is_task(struct future *future)
{
    return load_relaxed(&future->kind) == &weft__task_kind; /* relaxed: a look, it may be over */
}

/* Cancels a future that is still there. */
static void cancel_leftover(struct runtime *runtime, struct future *future)
{
    uint64_t state = load_seq(&future->state);
    weft_future handle = {future->slot, future_generation(state)};

    if (state & FUTURE_LIVE && !(state & FUTURE_SCOPED)) /* else its scope's owner ends it */
        (void)weft__future_cancel(runtime, handle);      /* stale: it has ended meanwhile */
}

void weft__drain_report_forgotten(struct runtime *runtime)
{
    uint32_t used = weft__slab_used(&runtime->slab);

    for (uint32_t slot = 1; slot <= used; slot++) {
        struct future *future = weft__slab_at(&runtime->slab, slot);
        uint64_t state = load_seq(&future->state);

        if (state & FUTURE_LIVE && !(state & (FUTURE_CLAIMED | FUTURE_SCOPED)))
            weft__report(runtime, "%s %s was never awaited: await, gather or detach its future",
                         load_relaxed(&future->kind)->name, /* relaxed: nobody is left */
                         future_site(future));
    }
}

/* Tasks that have not ended; says which, if it is given the words. */
static uint32_t count_live(struct runtime *runtime, const char *words)
{
    uint32_t used = weft__slab_used(&runtime->slab);
    uint32_t live = 0;

    for (uint32_t slot = 1; slot <= used; slot++) {
        struct future *future = weft__slab_at(&runtime->slab, slot);
        uint64_t state = load_seq(&future->state);

        if (!(state & FUTURE_LIVE) || state & FUTURE_DONE || !is_task(future))
            continue;
        live++;
        if (words)
            weft__report(runtime, "task %s %s, and is abandoned", future_site(future), words);
    }
    return live;
}

/* Waits while draining. A count of none is true only if no task has started meanwhile: a task could
 * spawn one into a slot that had been passed, and end before its own was looked at. */
int weft__drain_wait(struct runtime *runtime, int64_t deadline)
{
    for (;;) {
        uint32_t signal = load_seq(&runtime->drain_signal); /* before the count */
        int64_t left = deadline - weft__sys_now();

        bool is_stuck = weft__standstill_is_stuck(runtime);

        if (count_live(runtime, NULL) == 0 &&
            (is_stuck || load_seq(&runtime->drain_signal) == signal))
            return 0;
        if (is_stuck || left <= 0) {
            (void)count_live(runtime, is_stuck ? "waits for ever, although it was cancelled"
                                               : "did not end within the shutdown time");
            return -ETIMEDOUT;
        }
        (void)weft__futex_wait(&runtime->drain_signal, signal, left); /* time-out: seen above */
    }
}

int weft__drain(struct runtime *runtime, int64_t deadline)
{
    uint32_t used;

    store_seq(&runtime->is_draining, 1); /* before the looks; pairs with start() in task.c */
    used = weft__slab_used(&runtime->slab);
    for (uint32_t slot = 1; slot <= used; slot++)
        cancel_leftover(runtime, weft__slab_at(&runtime->slab, slot));
    if (load_seq(&runtime->has_stood_still))
        weft__standstill_drain(runtime);
    weft__quiet_rest(runtime);
    int rc = weft__drain_wait(runtime, deadline);
    weft__standstill_forget(runtime);
    return rc;
}

bool weft__drain_jobs_are_stuck(struct runtime *runtime, int64_t deadline)
{
    uint64_t moves = 0;
    int threads = 0;

    while (!weft__pools_are_asleep(runtime->pools, 0, &moves, &threads)) {
        if (weft__quiet_is_for_ever(runtime))
            return true;
        if (weft__sys_now() >= deadline)
            return false;
        (void)weft__futex_wait(&runtime->drain_signal, load_seq(&runtime->drain_signal),
                               weft_ms(1)); /* until a job, or a worker, has come to rest */
    }
    return false;
}
