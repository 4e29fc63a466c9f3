/*
 * gate - plain threads come into the runtime, or are told that it is gone; it is freed when all have left.
 *
 * Of the thread-local variables of core/gate.c there is one here for all threads: they only count.
 */
#define _Thread_local
#include "core/gate.c"

#include "tests/model/model.h"

const char model_subject[] = "gate";

static struct runtime *first, *second;
static int result[MODEL_THREADS];

struct carrier *weft__carrier(void)
{
    static struct carrier plain; /* of all threads: none is a worker's */

    return &plain;
}

bool weft__runtime_is_stopping(const struct runtime *runtime)
{
    (void)runtime;
    return false;
}

static void setup(void)
{
    __builtin_memset((void *)&gate, 0, sizeof gate);
    __builtin_memset(&visit, 0, sizeof visit);
    first = model_alloc(sizeof *first);
    second = model_alloc(sizeof *second);
    __builtin_memset(result, 0, sizeof result);
}

static void opened(void)
{
    setup();
    (void)weft__gate_count_run();
    weft__gate_open(first, 0);
}

/* Comes in, and uses what is there: it must not be freed meanwhile, and must be whole. */
static void visit_it(void)
{
    struct runtime *runtime;
    int rc = weft__runtime_enter(&runtime);

    result[model_self()] = rc;
    if (rc < 0)
        return;
    model_assert(runtime->worker_count == (runtime == first ? 0 : 2));
    runtime->is_migrating = false; /* a plain write: the end of the memory must come after it */
    weft__runtime_leave(runtime);
}

static void read_it(void)
{
    struct runtime *runtime;
    int rc = weft__runtime_enter(&runtime);

    result[model_self()] = rc;
    if (rc < 0)
        return;
    model_assert(runtime->worker_count == (runtime == first ? 0 : 2));
    weft__runtime_leave(runtime);
}

static void read_twice(void)
{
    read_it();
    read_it();
}

static void close_and_free(void)
{
    weft__gate_close(first);
    model_free(first);
}

static void open_second(void)
{
    second->worker_count = 2;
    (void)weft__gate_count_run();
    weft__gate_open(second, 0);
}

static void close_and_open(void)
{
    close_and_free();
    open_second();
}

static void check_opened(void)
{
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        model_assert(result[i] == 0 || result[i] == -ESHUTDOWN);
    model_assert(load_seq(&gate.entering) == 0);
}

static void check_never(void)
{
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        model_assert(result[i] == 0 || result[i] == -ENXIO || result[i] == -ESHUTDOWN);
}

const struct model_scenario model_scenarios[] = {
    {"a visit against the close",
     opened,
     {{"visitor", visit_it, 0}, {"closer", close_and_free, 0}},
     check_opened,
     0},
    {"two visits against the close",
     opened,
     {{"visitor", read_it, 0}, {"visitor", read_it, 0}, {"closer", close_and_free, 0}},
     check_opened,
     0},
    {"a visit comes with the opening",
     setup,
     {{"visitor", read_it, 0}, {"opener", open_second, 0}},
     check_never,
     0},
    {"closed and opened again",
     opened,
     {{"visitor", read_twice, 0}, {"closer", close_and_open, 0}},
     check_opened,
     0},
    {0},
};
