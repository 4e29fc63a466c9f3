/*
 * ward - see ward.h.
 */
#include "core/ward.h"

#include "core/bell.h"
#include "core/sys.h"
#include "core/tuning.h"
#include "core/worker.h"

/* Changes with each task that it runs, and with each sleep and waking. */
static uint32_t progress_of(const struct worker *worker)
{
    return load_relaxed(&worker->ran) +              /* relaxed: a hint, both; a look that is */
           load_relaxed(&worker->loop.bell->asleep); /* wrong costs a system call */
}

static void look_after_next(struct worker *worker, int64_t now)
{
    struct runtime *runtime = worker->runtime;
    struct ward *ward = &worker->ward;

    ward->index = (ward->index + 1) % runtime->worker_count;
    if (ward->index == worker->index)
        ward->index = (ward->index + 1) % runtime->worker_count;
    ward->progress = progress_of(&runtime->workers[ward->index]);
    ward->since = now;
}

/* Takes over what waits with it: half of its ready tasks, as a thief would, and what has come for it. */
static void relieve(struct runtime *runtime, struct worker *other)
{
    struct task *tasks[TUNE_STEAL_MOST];
    size_t count = weft__deque_steal(&other->deque, tasks, TUNE_STEAL_MOST);

    for (size_t i = 0; i < count; i++)
        weft__ready_last(runtime, tasks[i]);
    if (load_relaxed(&other->loop.sockets->waits) > 0) /* relaxed: a hint */
        (void)other->loop.ops->help(&other->loop); /* whether anything came shows in the deque */
}

void weft__ward_look(struct worker *worker)
{
    struct runtime *runtime = worker->runtime;
    struct ward *ward = &worker->ward;

    if (runtime->worker_count == 1)
        return;
    int64_t now = weft__sys_now();
    struct worker *other = &runtime->workers[ward->index];

    if (ward->since != 0 && progress_of(other) == ward->progress) {
        if (now - ward->since < TUNE_HELD_OFF_NS)
            return;
        relieve(runtime, other);
    }
    look_after_next(worker, now);
}
