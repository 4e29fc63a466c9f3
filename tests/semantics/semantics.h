/*
 * semantics - what the files of this folder share.
 *
 * Each of the sixty statements of docs/semantics.md is one function here, named after it:
 *
 *     static void s23_a_cancel_after_the_end_changes_nothing(void)
 *     {
 *         int status = 42;
 *         weft_future task = weft_spawn(ends_with, &status);
 *
 *         EXPECT(weft_wait(task), 42);
 *         EXPECT(weft_cancel(task), 0);
 *         EXPECT(weft_await(task), 42);
 *         SAY("unchanged");
 *     }
 *
 * It runs as the program of a weft_run with 1, 2, 3 and 8 workers (CHECK_ONLY_WORKERS: with so many),
 * or, as an OUTSIDE statement, on the main thread where no runtime is. weft must have nothing to
 * report about it, unless it stands in the list with MISUSE.
 *
 * SAY gives the word that tests/run oracle compares with what asyncio and Trio say; it is made from
 * what happened, never from what should have.
 */
#ifndef WEFT_TESTS_SEMANTICS_H
#define WEFT_TESTS_SEMANTICS_H

#include <errno.h>
#include <sched.h>

#include "core/slab.h"
#include "core/tasks.h"
#include "core/worker.h"

struct statement {
    const char *name;
    void (*program)(void);
    bool is_outside; /* it starts the runtime itself, if it wants one */
    bool is_misuse;  /* weft may report what it does */
};

#define STATEMENT(function)                 \
    {                                       \
#        function, (function), false, false \
    }
#define MISUSE(function)                   \
    {                                      \
#        function, (function), false, true \
    }
#define OUTSIDE(function)                  \
    {                                      \
#        function, (function), true, false \
    }

/* The lists; a name of NULL ends each. */
extern const struct statement semantics_scopes[], semantics_cancellation[], semantics_deadlines[],
    semantics_futures[], semantics_refused[], semantics_select[], semantics_sync[],
    semantics_queues_io_run[];

/* With how many workers the statement runs. */
extern int semantics_workers;

/* Whether weft has run in this process before the statement that runs now. */
extern bool semantics_has_run;

bool semantics_expect(long long got, long long wanted, const char *what, const char *file,
                      int line);
void semantics_say(const char *word);
int semantics_reports(void);

/* Records, on any thread, whether two numbers are equal; tells it too. */
#define EXPECT(got, wanted) \
    semantics_expect((long long)(got), (long long)(wanted), #got, __FILE__, __LINE__)

/* Adds a word to what the statement says; several are joined with "+". Not from two tasks at once. */
#define SAY(word) semantics_say(word)

/* How many sentences weft has reported since the statement began. */
#define REPORTS() semantics_reports()

/* A status as a word for SAY. */
static inline const char *status_word(int status)
{
    switch (status) {
    case -ECANCELED: return "cancelled";
    case -ETIMEDOUT: return "timed-out";
    case -EIO: return "failure";
    default: return status < 0 ? "error" : "value";
    }
}

/* Lets the others run for a while: what they do at once they have then done, most likely. Only for
 * statements that must hold whether they have or not. */
static inline void linger(void)
{
    for (int i = 0; i < 20; i++)
        (void)!weft_yield(); /* -ECANCELED has let them run too */
}

/* Returns when the task is suspended in a wait (a yield is none): no public call tells. From tasks,
 * jobs and threads. */
static inline void until_asleep(weft_future task)
{
    const uint64_t suspended = 2; /* WAIT_SUSPENDED of core/wait.c */
    struct runtime *runtime;

    if (weft__runtime_enter(&runtime) < 0)
        return;
    struct future *future = weft__slab_at(&runtime->slab, task.slot);
    while ((atomic_load(&future->sleeper.word) & 0xff) != suspended)
        if (weft_yield() == -EPERM)
            (void)sched_yield(); /* always 0 on Linux */
    weft__runtime_leave(runtime);
}

/* Sleeps, whatever cancels it: the way to let a moment pass without being told. */
static inline int sleeps_for(void *arg) { return weft_sleep(*(weft_time *)arg); }

static inline void let_pass(weft_time ns) { EXPECT(weft_shield(WEFT_FOREVER, sleeps_for, &ns), 0); }

#endif
