/*
 * timer - fired or removed, never both, never early; what it stands in may go when it was removed.
 *
 * The worker that fires is a thread of its own here, so that a timer may be added while others fire.
 */
#include "core/timer.h"

#include <errno.h>

#include <weft/time.h>

#include "tests/model/tasks.h"

const char model_subject[] = "timer";

static struct timers *timers;
static struct entry {
    struct timer timer;
    unsigned fired; /* plain: under the lock of the timers */
} * first, *second;
static int result[MODEL_THREADS];
static int fired;
static _Atomic uint32_t *stop; /* the sleep is over */

static void fire(struct timer *timer) { container_of(timer, struct entry, timer)->fired++; }

static void add(struct entry **ret_entry, int64_t deadline)
{
    *ret_entry = model_alloc(sizeof **ret_entry);
    model_assert(weft__timer_add(timers, &(*ret_entry)->timer, deadline, fire) == 0);
}

static void setup(void)
{
    tasks_init(1);
    timers = &tasks_worker(0)->timers;
    stop = model_alloc(sizeof *stop);
    first = second = NULL;
    fired = 0;
    __builtin_memset(result, 0, sizeof result);
}

static void two_timers(void)
{
    setup();
    add(&first, 5);
    add(&second, 7);
}

static void fire_at_6(void) { fired += weft__timers_fire(timers, 6); }

static void fire_at_6_and_9(void)
{
    fired += weft__timers_fire(timers, 6);
    fired += weft__timers_fire(timers, 9);
}

static void remove_first(void)
{
    weft__timer_remove(&first->timer);
    result[1] = (int)first->fired;
    model_free(first);
}

static void remove_second(void)
{
    weft__timer_remove(&second->timer);
    result[2] = (int)second->fired;
    model_free(second);
}

static void move_first(void) { result[1] = weft__timer_move(&first->timer, 8); }
static void move_second(void) { result[1] = weft__timer_move(&second->timer, 3); }

static void check_removed(void)
{
    model_assert(fired == result[1] + result[2]);
    model_assert(load_relaxed(&timers->first) ==
                 (timers->count ? timers->entries[0].deadline : INT64_MAX));
}

static void check_moved_later(void)
{
    model_assert(result[1] == 0 ? first->fired == 0 : result[1] == -ENOENT && first->fired == 1);
    model_assert(second->fired == 0);
}

static void check_moved_earlier(void)
{
    model_assert(result[1] == 1 || (result[1] == 0 && first->fired == 0) || first->fired == 1);
    model_assert(first->fired == 1);
}

/* --- a task that sleeps ----------------------------------------------------------------------- */

static void sleep_to_5(void)
{
    result[0] = weft_sleep_until(5);
    tasks_scribble();
    store_seq(stop, 1);
}

static void fire_when_there(void)
{
    while (fired == 0 && load_seq(stop) == 0) {
        lock_pass(&timers->lock); /* it is the worker that has added the timer, and knows of it */
        fired += weft__timers_fire(timers, 6);
        spin_pause();
    }
}

static void cancel_first(void) { tasks_cancel(tasks[0]); }
static void check_slept(void) { model_assert(result[0] == 0 && fired == 1); }

static void check_slept_or_not(void)
{
    model_assert(result[0] == 0 ? fired == 1 : result[0] == -ECANCELED);
    model_assert(timers->count == 0);
}

const struct model_scenario model_scenarios[] = {
    {"fired against removed",
     two_timers,
     {{"worker", fire_at_6, 0}, {"a", remove_first, 0}},
     check_removed,
     0},
    {"fired against removed, both",
     two_timers,
     {{"worker", fire_at_6_and_9, 0}, {"a", remove_first, 0}, {"b", remove_second, 0}},
     check_removed,
     0},
    {"fired against moved later",
     two_timers,
     {{"worker", fire_at_6, 0}, {"mover", move_first, 0}},
     check_moved_later,
     0},
    {"fired against moved earlier",
     two_timers,
     {{"worker", fire_at_6, 0}, {"mover", move_second, 0}},
     check_moved_earlier,
     0},
    {"a sleep", setup, {{"task", sleep_to_5, 0}, {"worker", fire_when_there, 0}}, check_slept, 0},
    {"a sleep is cancelled",
     setup,
     {{"task", sleep_to_5, 0}, {"worker", fire_when_there, 0}, {"canceller", cancel_first, 0}},
     check_slept_or_not,
     0},
    {0},
};
