/*
 * probe - see probe.h.
 */
#include "core/probe.h"

#include "core/gate.h"
#include "core/worker.h"

_Atomic(struct probe *) weft__probe;

/* The probe, for threads that belong to the runtime; the others are none of the test's: I1. NULL in a run
 * that would not end and was given up: the next one's probe is none of its business. */
static struct probe *probe_here(void)
{
    struct runtime *runtime = weft__runtime_own();
    /* Before the look at the gate: the next run's is set when this one has left the gate (run_trial()). */
    struct probe *probe = load_seq(&weft__probe);

    return runtime && runtime == weft__gate_runtime() ? probe : NULL;
}

static void cancel(struct probe *probe)
{
    /* The task may come to its next moment, on another worker, while this one is at work. */
    if (xchg_seq(&probe->is_cancelled, true) && probe->when != PROBE_TWICE)
        return;
    if (probe->cancel)
        probe->cancel(probe->victim);
    else /* stale: it has ended meanwhile */
        (void)weft__future_cancel(weft__runtime_own(), probe->victim);
}

/* Counts a point. Returns whether it is the chosen one. */
static bool reach(struct probe *probe, struct task *task, bool is_wait)
{
    if (!load_seq(&probe->is_counting) || add_seq(&probe->points, 1) + 1 != probe->chosen)
        return false;
    probe->is_wait = is_wait;
    probe->victim = weft__future_handle(&task->future);
    probe->site = future_site(&task->future);
    if (is_wait) /* relaxed: the task itself is here */
        probe->what = load_relaxed(&task->future.sleeper.what);
    store_seq(&probe->was_reached, true);
    return true;
}

void weft__probe_call(struct task *task)
{
    struct probe *probe = probe_here();

    if (probe && reach(probe, task, false) && probe->when == PROBE_BEFORE)
        cancel(probe);
}

bool weft__probe_wait(struct task *task)
{
    struct probe *probe = probe_here();

    if (!probe || !reach(probe, task, true))
        return false;
    if (probe->when == PROBE_BEFORE)
        cancel(probe);
    return true;
}

/* On the other side of the switch: the task may run elsewhere by now, or have ended. */
void weft__probe_suspended(void)
{
    struct probe *probe = probe_here();

    if (probe && (probe->when == PROBE_WAITING || probe->when == PROBE_TWICE))
        cancel(probe);
}

/* A wait that was over before it began has not been suspended: then all cancels come here. */
void weft__probe_woken(void)
{
    struct probe *probe = probe_here();

    if (probe)
        cancel(probe);
}

/* --- what is held ------------------------------------------------------------------------------ */

/* The entry of an object, made if it is new; NULL: no room. Lock held. */
static struct probe_object *object_at(struct probe *probe, const void *object)
{
    size_t at = (size_t)((uintptr_t)object >> 3) * 2654435761u % PROBE_OBJECTS;

    for (size_t i = 0; i < PROBE_OBJECTS; i++) {
        struct probe_object *entry = &probe->objects[(at + i) % PROBE_OBJECTS];

        if (!entry->object)
            entry->object = object;
        if (entry->object == object)
            return entry;
    }
    return NULL;
}

void weft__probe_took(const void *object, const char *what, uint32_t count)
{
    struct probe *probe = probe_here();
    struct task *task = weft__current_task();

    if (!probe)
        return;
    lock_acquire(&probe->lock);
    struct probe_object *entry = object_at(probe, object);
    if (entry) {
        entry->what = what;
        entry->site = task ? future_site(&task->future) : "a job";
        entry->held += count;
    }
    lock_release(&probe->lock);
}

void weft__probe_gave(const void *object, const char *what, uint32_t count)
{
    struct probe *probe = probe_here();

    if (!probe)
        return;
    lock_acquire(&probe->lock);
    struct probe_object *entry = object_at(probe, object);
    if (entry) {
        entry->is_signal |= !entry->what;
        entry->what = what;
        entry->held -= count;
    }
    lock_release(&probe->lock);
}
