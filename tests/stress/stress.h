/*
 * stress - how long a stress program races, and the workers it races on.
 */
#ifndef WEFT_TESTS_STRESS_STRESS_H
#define WEFT_TESTS_STRESS_STRESS_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

/* So many rounds; a twentieth with CHECK_STRESS=short, for builds that are slow; twenty times as many
 * with CHECK_STRESS=long, for a night. */
static inline int stress_rounds(int full)
{
    const char *effort = getenv("CHECK_STRESS");

    if (effort && strcmp(effort, "short") == 0)
        return (full + 19) / 20;
    return effort && strcmp(effort, "long") == 0 ? full * 20 : full;
}

/* Lets the others run: tasks on this worker, or threads on this core. */
static inline void stress_pause(void)
{
    if (weft_self().slot == 0)
        (void)sched_yield(); /* always 0 on Linux */
    else
        (void)!weft_yield(); /* -ECANCELED has let them run too */
}

#endif
