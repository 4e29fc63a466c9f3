/*
 * sweep - cancels a scenario at every point where it can be cancelled, and keeps its books.
 *
 *     static int two_tasks_share(void *arg) { ... sweep_task(takes_a_permit, NULL) ... }
 *
 *     static void permits_survive(void **state) { SWEEP(two_tasks_share); }
 *
 * Twice: with one worker, cancelled where the task stands (before its wait, while it waits, after
 * its wake, and twice); then with two, cancelled by a task on the other worker at the same moments.
 * What core/testing.h looks for must not be left behind, and the books must balance to the unit.
 * The second needs a worker that stands still: not with WEFT_DEBUG=migrate or clock.
 * At last each allocation that the scenario causes fails once, one run each, and the books balance.
 * CHECK_SWEEP in the environment is the most points of each scenario to visit, for slow builds.
 */
#ifndef WEFT_TESTS_SWEEP_H
#define WEFT_TESTS_SWEEP_H

#include <errno.h>
#include <string.h>

#include "check.h"
#include "core/testing.h"

/* Both sides of every account; all are zero again before each run. */
struct books {
    _Atomic int spawned, ended, dropped; /* tasks and jobs: spawned = ended + dropped */
    _Atomic int entered, left;           /* of what is locked, counted, limited */
    _Atomic int inside;                  /* now */
    _Atomic long given, taken;           /* items or bytes: given = taken + spilt */
    _Atomic long spilt;                  /* found by who cleaned up */
    const char *_Atomic wrong;           /* where the first thing stands that must not happen */
};
extern struct books books;

#define SWEEP_HERE              SWEEP_PLACE(__FILE__, __LINE__)
#define SWEEP_PLACE(...)        SWEEP_WORDS(__VA_ARGS__)
#define SWEEP_WORDS(file, line) file ":" #line

/* Notes the place if something does not hold; in tasks, where nothing can be asserted. */
#define HOLDS(condition) sweep_holds((condition), SWEEP_HERE)
bool sweep_holds(bool holds, const char *place);

/* A task that is in the books. `arg` is borrowed. */
weft_future sweep_task(weft_fn fn, void *arg);
void sweep_task_in(weft_scope *scope, weft_fn fn, void *arg);
weft_future sweep_job(weft_pool *pool, weft_fn fn, void *arg);

/* What a task or call may give that was perhaps cancelled: passes success and -ECANCELED through,
 * and notes anything else. */
#define CUT(rc) sweep_cut((rc), SWEEP_HERE)
int sweep_cut(long long rc, const char *place);

/* Sweeps a scenario and asserts. */
#define SWEEP(fn)             \
    do {                      \
        (void)state;          \
        sweep_run(#fn, (fn)); \
    } while (0)
void sweep_run(const char *name, weft_fn fn);

/* The program's main: runs the tests, and says how many points there were in all. */
#define SWEEP_GROUP(tests) sweep_group((tests), sizeof(tests) / sizeof((tests)[0]))
int sweep_group(const struct CMUnitTest *tests, size_t count);

#endif
