/*
 * probe - how a test cancels a program at exactly one of its points, and counts what is held.
 *
 *     a call that is a cancellation point begins     probe_call       a point: before
 *     a wait that can be cancelled is announced      probe_wait       a point: before
 *       its task has left its stack                  probe_suspended    the same point: waiting
 *       it was woken, and goes on                    probe_woken        the same point: woken
 *     a lock or permit was taken, given back         probe_took, probe_gave
 *
 * Points are numbered as they come, whichever task comes to them. When the one that the test has
 * chosen is reached, the task that stands there is cancelled through its own future, as weft_cancel
 * does it: inside a shield that is remembered, and takes effect behind it.
 *
 * Outside tests each hook is one load and one branch that is never taken.
 *
 * Invariants  I1  weft__probe changes only while no runtime stands behind the gate, so no thread of one
 *                 sees it change; others, and those of a run that was given up, look at nothing but
 *                 the pointer
 *             I2  the fields of the chosen point are written once, by who reaches it
 */
#ifndef WEFT_CORE_PROBE_H
#define WEFT_CORE_PROBE_H

#include <weft/task.h>

#include "core/lock.h"

struct task;

/* When the chosen point is cancelled. */
enum probe_when {
    PROBE_BEFORE,  /* before it waits: the call has begun, or the wait is announced */
    PROBE_WAITING, /* while it waits: its task is suspended */
    PROBE_WOKEN,   /* after it was woken, before it runs on */
    PROBE_TWICE,   /* while it waits, and once more after it was woken */
};

/* Objects that are watched for what was taken and not given back; more are not watched. */
#define PROBE_OBJECTS 512u

/* What was taken of one object. */
struct probe_object {
    const void *object; /* NULL: free */
    const char *what;   /* "mutex", "permit" */
    const char *site;   /* of the task that took it last */
    int64_t held;       /* taken minus given back */
    bool is_signal;     /* given before it was ever taken: a semaphore that counts events */
};

struct probe {
    uint64_t chosen;                    /* (i) the number of the point; 0: none, only count */
    enum probe_when when;               /* (i) */
    void (*cancel)(weft_future victim); /* (i) how; NULL: right there */
    _Atomic bool is_counting;           /* (a) while the tested function runs */
    _Atomic uint64_t points;            /* (a) so far */

    _Atomic bool is_cancelled; /* (a) the chosen point, at least once */
    _Atomic bool was_reached;  /* (a) the chosen point; then what is below is there: I2 */
    bool is_wait;              /* it suspends; else it is the beginning of a call */
    weft_future victim;        /* the task that came to it */
    const char *site;          /* its name and place */
    const char *what;          /* it waits for; NULL: unknown */

    struct lock lock; /* of the objects */
    struct probe_object objects[PROBE_OBJECTS];
};

/* What a test has put there; NULL: no test. */
extern _Atomic(struct probe *) weft__probe;

void weft__probe_call(struct task *task);
bool weft__probe_wait(struct task *task);
void weft__probe_suspended(void);
void weft__probe_woken(void);
void weft__probe_took(const void *object, const char *what, uint32_t count);
void weft__probe_gave(const void *object, const char *what, uint32_t count);

static inline bool probe_is_on(void)
{
    /* relaxed: a thread of the runtime was started after it was set: I1 */
    return __builtin_expect(load_relaxed(&weft__probe) != NULL, 0);
}

/* The task has called something that is a cancellation point. */
static inline void probe_call(struct task *task)
{
    if (probe_is_on())
        weft__probe_call(task);
}

/* The task has announced a wait that can be cancelled. Returns whether this is the chosen one: then
 * tell probe_suspended and probe_woken about it. */
static inline bool probe_wait(struct task *task) { return probe_is_on() && weft__probe_wait(task); }

/* So many locks or permits of the object are the caller's now; or no longer. */
static inline void probe_took(const void *object, const char *what, uint32_t count)
{
    if (probe_is_on())
        weft__probe_took(object, what, count);
}

static inline void probe_gave(const void *object, const char *what, uint32_t count)
{
    if (probe_is_on())
        weft__probe_gave(object, what, count);
}

#endif
