/*
 * quiet - when everything in a runtime waits: time jumps, or nothing can ever happen again.
 *
 *     the last one that could act falls asleep
 *        '--> looks --> timers, virtual clock:  time jumps to the first, its worker is woken
 *                   --> no timers, in weft_run: a standstill; weft_run ends everything, -EDEADLK
 *                   --> anything else:          it sleeps
 *
 * Who could act, and how it shows that it does not:
 *
 *     worker                        its bell says asleep; nobody has unparked it; nothing is queued
 *     job of a pool                 it has ended, or its thread is listed here as waiting in weft
 *     thread to come to a pool      it has come, or cannot be had
 *     thread inside the gate        it is listed here as waiting in weft
 *     thread in weft_run, weft_stop at_work is 0
 *     kernel                        no operation is in flight
 *     time                          no timer is set
 *     the rest of the process       no other thread exists, and nobody holds weft_waker_hold
 *
 * The first five are weft's own: while one of them acts it alone can make others act, and what it does
 * to them shows (a queue, the counts of park.h, the word of a waiter) before it shows itself as asleep.
 * The last three come from outside. Standstill: all eight. A jump: the first five, no task ready,
 * and, since the kernel knows nothing of virtual time, with operations in flight or a waker held only
 * after `grace` of real time in which nothing was done.
 *
 * Invariants  I1  who stops acting shows it first and looks then, both sequentially consistent: of
 *                 several the last to show it sees all others, so no standstill goes unseen
 *             I2  each time that one of the first five begins or stops acting a counter grows. Two
 *                 glances that find all of them asleep and the same counters prove that at the moment
 *                 between the glances all were asleep at once: then nothing of weft's own goes on,
 *                 and nothing will unless it comes from outside
 *             I3  threads of the process are counted between two such glances, all at one moment
 *                 (sys_threads.c). A thread that was there then is a reason to wait; what one that
 *                 had gone by then has done is seen by the second glance. Weft's own are counted by
 *                 the glances: none comes or leaves meanwhile, and one that has left its pool, and
 *                 has yet to end, is waited for
 *             I4  virtual time moves under `lock`, only forward, to the first deadline and no further:
 *                 timers of different workers fire in the order of their deadlines
 *
 * Who leaves the gate, or ends as a thread of a pool, does not look: a look that found it there is
 * repeated soon. Neither a thread's way into a pool nor its way out may count as one of the program's,
 * which are not waited for so long: below all others on a busy machine it takes seconds. And a
 * standstill is missed, not invented, if a thread of the program ends without having woken anybody later
 * than the second look, which comes AGAIN_NS after the first. After that an idle program is silent.
 *
 * Nothing is asked while a worker runs. When the last one falls asleep, a few loads tell whether there
 * are operations or timers; if not, the glance takes a handful of locks; /proc is read only if all the
 * rest stands still, at most once in AGAIN_NS, but more often while what stood still is being stopped.
 */
#ifndef WEFT_CORE_QUIET_H
#define WEFT_CORE_QUIET_H

#include <stdbool.h>

#include <weft/task.h>

#include "core/list.h"
#include "core/lock.h"

struct runtime;
struct sleeper;
struct waiter;
struct worker;

/* What the thread in the outermost weft_run waits for. Its word is `run`:
 *
 *     from    event     to      who               holds afterwards
 *     NONE    begins    GOES    it                its task was spawned; it waits, or is about to
 *     GOES    stands    STANDS  who looks         it was woken; nothing can happen before it acts
 *     any     ends      NONE    it                nobody looks for a standstill
 *     NONE    drains    DRAINS  it                all is cancelled; it waits for the tasks to end
 *     DRAINS  sticks    STUCK   who looks         what is left will never end
 */
enum run_state { RUN_NONE, RUN_GOES, RUN_STANDS, RUN_DRAINS, RUN_STUCK };

struct quiet {
    bool is_virtual; /* (i) */
    int64_t grace;   /* (i) ns of real time; virtual clock only */

    _Alignas(WEFT_LINE) _Atomic int64_t now; /* (a) the virtual time: I4 */
    _Atomic uint32_t run;                    /* (a) enum run_state */
    _Atomic uint32_t at_work;                /* (a) threads that act in weft_run or weft_stop */

    struct lock threads_lock; /* of the next three */
    struct list threads;      /* struct quiet_thread: these wait in weft */
    uint64_t thread_moves;    /* grows with each change of the list: I2 */
    struct waiter *runner;    /* the wait of the thread in weft_run */

    struct lock lock;   /* who looks; held over the reading of /proc, at most some milliseconds */
    uint64_t seen;      /* what had been done when time was given; under lock */
    int64_t again_at;   /* real time from which /proc may be read again; under lock */
    int64_t grace_ends; /* real time; 0: no grace has begun; under lock */
};

/* A job's thread or a plain thread inside the gate that waits in weft, on its stack. */
struct quiet_thread {
    struct waiter *late; /* (i) what it wakes itself with at `moment`; NULL: it waits for ever */
    int64_t moment;      /* (i) on the runtime's clock; INT64_MAX if late is NULL */
    struct link link;
    struct runtime *runtime; /* (i) NULL: it is in no runtime, and not in the list */
    struct sleeper *sleeper; /* (i) */
    uint32_t depth;          /* (i) how often it is inside the gate; 0: a pool's thread */
    const char *site;        /* (i) of its job, or NULL */
};

void weft__quiet_init(struct runtime *runtime, int64_t grace);

/* The runtime's clock, which its timers follow. */
int64_t weft__quiet_now(const struct runtime *runtime);

/* Around the sleep of a thread that is no worker; `late` and `moment` are set. */
void weft__quiet_thread_begin(struct quiet_thread *thread, struct sleeper *sleeper);
void weft__quiet_thread_end(struct quiet_thread *thread);

/* For how long in real time it may sleep before `moment`; 0: that has come. */
int64_t weft__quiet_thread_left(const struct quiet_thread *thread);

/* Looks, for a thread that has just stopped acting: a job has ended, for example. Not with a lock
 * held. */
void weft__quiet_look(struct runtime *runtime);

/* The same for a worker whose bell says asleep. Returns for how long it may sleep, at most `ns`. */
int64_t weft__quiet_worker_sleeps(struct worker *worker, int64_t ns);

/* Whether nothing can ever happen, except for what the caller does. */
bool weft__quiet_is_for_ever(struct runtime *runtime);

/* Outside the gate the calling thread begins to act on the runtime: it starts, stops or leaves it. Or it
 * is done with that. */
void weft__quiet_act(struct runtime *runtime);
void weft__quiet_rest(struct runtime *runtime);

/* standstill.c, for the thread in the outermost weft_run, inside the gate. Waits until the task has
 * ended, or everything stands still: then reports it and returns true. */
bool weft__standstill_wait(struct runtime *runtime, weft_future task);

/* The same thread has cancelled everything: from here on drain_signal also grows when what is left
 * will never end. Until weft__standstill_forget. */
void weft__standstill_drain(struct runtime *runtime);
bool weft__standstill_is_stuck(struct runtime *runtime);
void weft__standstill_forget(struct runtime *runtime);

#endif
