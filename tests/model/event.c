/*
 * event - who waits sees the flag go up, also if it comes down again at once.
 */
#include <errno.h>

#include <weft/sync.h>

#include "tests/model/tasks.h"

const char model_subject[] = "event";

static weft_event *event;
static struct shared {
    unsigned said; /* plain: before the event is set */
} * shared;
static int result[MODEL_THREADS];

static void setup(unsigned which)
{
    tasks_init(which);
    event = model_alloc(sizeof *event);
    shared = model_alloc(sizeof *shared);
    __builtin_memset(result, 1, sizeof result);
}

static void one_task(void) { setup(1); }

static _Atomic uint32_t *gone; /* so many have waited, and need it no more */

static void two_with_an_end(void)
{
    setup(3);
    gone = model_alloc(sizeof *gone);
}
static void two_tasks(void) { setup(3); }

static void wait(void)
{
    result[model_self()] = weft_event_wait(event);
    if (result[model_self()] == 0)
        model_assert(shared->said == 1);
    tasks_scribble();
}

static void wait_and_free(void)
{
    wait();
    model_free(event);
}

static void wait_and_the_last_frees(void)
{
    wait();
    if (add_seq(gone, 1) == 1)
        model_free(event);
}

static void say_and_set(void)
{
    shared->said = 1;
    weft_event_set(event);
}

static void set_and_clear(void)
{
    model_take(event, "somebody waits");
    shared->said = 1;
    weft_event_set(event);
    weft_event_clear(event);
}

/* In its list before the other is let go: then it must be woken although the flag is down again. */
static void wait_known(void)
{
    struct task *task = tasks[0];
    uint32_t seq;

    (void)weft__sleeper_waits(&task->future.sleeper, &seq);
    wait();
}

static void tell_when_waiting(void)
{
    uint32_t seq;

    if (weft__sleeper_waits(&tasks[0]->future.sleeper, &seq))
        model_post(event, "somebody waits");
    else
        say_and_set();
}

/* A consumer that clears the flag, then looks for work, must not miss what came before a set. */
static _Atomic uint32_t *work;
static unsigned seen;

static void consumer_setup(void)
{
    setup(1);
    work = model_alloc(sizeof *work);
    seen = 0;
}

static void produce(void)
{
    for (uint32_t i = 1; i <= 2; i++) {
        store_relaxed(work, i); /* relaxed: the event orders it */
        weft_event_set(event);
    }
}

static void consume(void)
{
    while (seen < 2) {
        model_assert(weft_event_wait(event) == 0);
        weft_event_clear(event);
        seen = load_relaxed(work);
    }
}

static void look(void)
{
    if (weft_event_is_set(event))
        model_assert(shared->said == 1);
}

static void cancel_first(void) { tasks_cancel(tasks[0]); }
static void cancel_second(void) { tasks_cancel(tasks[1]); }

static void check_seen(void) { model_assert(seen == 2); }
static void check_1(void) { model_assert(result[0] == 0); }
static void check_2(void) { model_assert(result[0] == 0 && result[1] == 0); }
static void check_cancel(void) { model_assert(result[0] == 0 || result[0] == -ECANCELED); }
static void check_cancel_second(void)
{
    model_assert(result[0] == 0 && (result[1] == 0 || result[1] == -ECANCELED));
}

const struct model_scenario model_scenarios[] = {
    {"a wait", one_task, {{"task", wait, 0}, {"setter", say_and_set, 0}}, check_1, 0},
    {"two waits",
     two_tasks,
     {{"a", wait, 0}, {"b", wait, 0}, {"setter", say_and_set, 0}},
     check_2,
     0},
    {"who has waited frees it",
     one_task,
     {{"task", wait_and_free, 0}, {"setter", say_and_set, 0}},
     check_1,
     0},
    {"up and down while one waits",
     one_task,
     {{"task", wait_known, 0}, {"looker", tell_when_waiting, 0}, {"setter", set_and_clear, true}},
     check_1,
     0},
    {"a look at the flag", one_task, {{"looker", look, 0}, {"setter", say_and_set, 0}}, NULL, 0},
    {"a consumer clears and looks",
     consumer_setup,
     {{"consumer", consume, 0}, {"producer", produce, 0}},
     check_seen,
     0},
    {"a cancel against a set",
     one_task,
     {{"task", wait, 0}, {"setter", say_and_set, 0}, {"canceller", cancel_first, 0}},
     check_cancel,
     0},
    {"one of two is cancelled, and the last frees it",
     two_with_an_end,
     {{"a", wait_and_the_last_frees, 0, 0},
      {"b", wait_and_the_last_frees, 0, 0},
      {"setter", say_and_set, 0, 1},
      {"canceller", cancel_second, 0, 1}},
     check_cancel_second,
     0},
    {0},
};
