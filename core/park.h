/*
 * park - how workers fall asleep and are woken, with no wake-up lost and few sent.
 *
 *   from     event        to       who         holds afterwards
 *   RUNNING  park_begin   LOOKING  the worker  it counts as sleeping; it looks at all queues once more
 *   LOOKING  unpark       RUNNING  the worker  it saw work: it searches for that
 *   LOOKING  park_end     RUNNING  the worker  it gave memory back: it looks at what the kernel has
 *   LOOKING  park_commit  ASLEEP   the worker  every queue was empty after LOOKING was visible
 *   LOOKING  unpark       RUNNING  anyone      the worker does not sleep this round
 *   ASLEEP   unpark       RUNNING  anyone      one wake was sent, by the one who made the change
 *   ASLEEP   park_end     RUNNING  the worker  the loop woke it by itself (timer, kernel event)
 *
 * The states change under idle.lock together with the counts, so the two always agree; the counts
 * are also read without it. Who publishes work (a push, sequentially consistent) then reads idle:
 * if nobody searches and somebody sleeps, it wakes one, who counts as searching from that moment,
 * so one batch of work wakes one worker; a searcher that finds work and is the last wakes the next.
 * Who has seen work in its last look searches on: it finds one task, and there may be more, left to it by
 * those who saw it search before.
 * Who goes to sleep announces it in idle (one read-modify-write) and then reads every queue. Both
 * sides are sequentially consistent, so at least one sees the other; acquire and release would not
 * do. Only while others search may who was not allowed to search leave the deques to them: they
 * read every queue when they park, or see the announced sleeper when they find work. That they
 * searched before the announcement is not enough.
 *
 * Edges  E1  push (deque tail, inbox pushed: seq), then counts load seq
 *        E2  counts add seq, then queue loads seq
 *        E3  counts sub seq by the last searcher, then queue loads seq: who pushed and saw it search
 *            left it the push
 *
 * A task in a run-next slot is not looked for: its worker runs it next, and waking another for it
 * would cost more than it gains. For the same reason a worker that looks for what has come, or whose task
 * yields, looks for sleepers once, afterwards, and only if there is more than the one that it runs next.
 * The others lie there when it looks; and if they do not, a thief took them, who searches.
 */
#ifndef WEFT_CORE_PARK_H
#define WEFT_CORE_PARK_H

#include <stdbool.h>

#include "core/lock.h"

struct runtime;
struct worker;

enum park_state { PARK_RUNNING, PARK_LOOKING, PARK_ASLEEP };

struct idle {
    _Atomic uint64_t counts; /* (a) searching:32 | sleeping:32, in one word to change together */
    struct lock lock;        /* of every worker's park_state */
};

/* After work was published: wakes a sleeper unless somebody searches already. */
void weft__park_notify(struct runtime *runtime);

/* Wakes this very worker, for work that only it can do. */
void weft__park_wake(struct worker *worker);

/* Before searching other workers' queues: false if enough do so already. */
bool weft__park_search_begin(struct worker *worker);

/* Work was found: stops counting as searching. The last searcher
 * wakes the next one. Who finds none goes to weft__park, which ends the search itself. */
void weft__park_search_end(struct worker *worker);

/* Whether every worker but the one who asks sleeps, or is about to. */
bool weft__park_others_sleep(struct runtime *runtime);

/* Whether every worker sleeps, or is about to, and none has been unparked. */
bool weft__park_all_sleep(struct runtime *runtime);

/* Sleeps in the worker's loop until woken, or until something is due. */
void weft__park(struct worker *worker);

#endif
