/*
 * schedule - every order of the threads' steps, and every choice, depth first.
 *
 * Each execution is a path of choices (path.c). Who could have gone on but was stopped costs a preemption, of
 * which a bounded number is spent; to sleep and to end cost nothing.
 *
 * Who is stopped before a step rests until another thread has done something that the step depends on
 * (the same location, and one of them writes). If it went on earlier, the step could as well have come
 * first: that execution is visited too, and costs no more preemptions. So where all rest there is nothing
 * new to see.
 *
 * For the story a failing path is run once more. The string that is printed with it names the thread of
 * each step and the choices by the number of the step, so that it means the same under every bound:
 *
 *     0x5.1x3.0x2/7r1.9c2      5 steps of thread 0, 3 of thread 1 ...; step 7 reads one write older than the newest,
 *                              after step 9 the second of the free choices is 2
 */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/model/coroutine.h"
#include "tests/model/engine.h"
#include "tests/model/path.h"
#include "tests/model/run.h"
#include "tests/model/undo.h"

#define STEPS_MOST  3000 /* more: it does not end */
#define SPIN_MOST   200 /* steps in a row: it may wait for another in a loop, which comes free then */
#define LONELY_MOST 20

enum state { READY, ASLEEP, ENDED, LATER };

struct thread {
    struct coroutine coroutine;
    enum state state;
    const volatile void *key;
    bool rests;       /* stopped before a step that nothing has touched since */
    bool is_at_point; /* and not at the beginning, or just woken */
    const volatile void *next_at;
    bool next_writes;
};

static struct thread threads[MODEL_THREADS];
static unsigned thread_count;
unsigned model_running = MODEL_MAIN;
#define self model_running
static struct coroutine outside;
static const struct model_scenario *running;

static bool wants_keep;
unsigned schedule_steps;
#define steps schedule_steps
static unsigned preemptions, steps_in_row;
static unsigned lonely_pauses; /* by which nobody came */
static bool is_pruned;
static bool pauses; /* the running thread lets others go on */

bool schedule_is_telling, schedule_failed;
#define is_failing schedule_failed
#define is_told    schedule_is_telling
static char failure[512];

struct model_run model_run = {.bound = 3, .limit = UINT64_MAX};

/* --- choices --------------------------------------------------------------------------------- */

/* A load that could as well see an old write costs as much as a preemption where a preemption would do the
 * same in most programs. */
bool schedule_can_pay(void) { return preemptions < model_run.bound || script_is_on(); }
void schedule_pay(void) { preemptions++; }

unsigned schedule_read(unsigned of)
{
    unsigned taken = script_is_on() ? script_choice(steps, 'r') : path_choose(of);

    if (taken >= of)
        taken = 0;
    if (is_told && taken)
        script_note_choice(steps, 'r', taken);
    return taken;
}

unsigned model_choose(unsigned of)
{
    unsigned taken = script_is_on() ? script_choice(steps, 'c') : path_choose(of);

    if (taken >= of)
        taken = 0;
    if (is_told) /* also the first: a step may have several */
        script_note_choice(steps, 'c', taken);
    if (of > 1)
        trace_note(taken);
    return taken;
}

/* --- threads --------------------------------------------------------------------------------- */

static void go(unsigned next)
{
    unsigned before = self;

    if (next == before)
        return;
    self = next;
    steps_in_row = lonely_pauses = 0;
    coroutine_switch(before == MODEL_MAIN ? &outside : &threads[before].coroutine,
                     next == MODEL_MAIN ? &outside : &threads[next].coroutine);
}

static bool all_may_stay(void)
{
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i].state == ASLEEP && !running->threads[i].is_daemon)
            return false;
    return true;
}

static unsigned resting(void)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < thread_count; i++)
        mask |= (unsigned)threads[i].rests << i;
    return mask;
}

static uint64_t state_now(void)
{
    uint64_t state = trace_of(MODEL_MAIN);

    for (unsigned i = 0; i < thread_count; i++)
        state = trace_mix(state, trace_of(i) + threads[i].state + 4 * threads[i].is_at_point);
    return state;
}

/* Chooses one of the threads in the mask. Returns false if each of them leads to what was visited. */
static bool choose_thread(unsigned options, bool self_ready, bool is_free, unsigned *ret_next)
{
    struct choice choice = {.left = (uint8_t)options,
                            .from = (uint8_t)(self_ready ? self : MODEL_MAIN),
                            .rests = (uint8_t)resting(),
                            .costs = self_ready && !is_free,
                            .may_rest = threads[self % MODEL_THREADS].next_at != NULL,
                            .spent = (uint8_t)preemptions,
                            .state = state_now()};

    choice.patience = lonely_pauses << 8 | (steps_in_row > SPIN_MOST / 2 ? steps_in_row : 0);
    return path_choose_thread(&choice, ret_next);
}

/* Chooses who goes on. MODEL_MAIN: nobody can. `free`: the running thread does not mind. */
static unsigned pick(bool is_free)
{
    unsigned options = 0, next;
    bool self_ready = self != MODEL_MAIN && threads[self].state == READY, some_rest = false;

    if (self_ready && !pauses)
        options |= 1u << self;
    if (is_free || !self_ready || preemptions < model_run.bound)
        for (unsigned i = 0; i < thread_count; i++)
            if (i != self && threads[i].state == READY) {
                if (!threads[i].rests || script_is_on())
                    options |= 1u << i;
                else
                    some_rest = true;
            }
    if (options == 0) {
        /* Who goes round in circles waits for one that rests: nothing new will come of it. */
        is_pruned = some_rest && (!self_ready || lonely_pauses > LONELY_MOST);
        lonely_pauses += pauses;
        return self_ready && !is_pruned ? self : MODEL_MAIN;
    }
    if (script_is_on()) {
        unsigned told = script_thread(steps);

        if (told < thread_count && threads[told].state == READY)
            return told;
        return self_ready && !pauses ? self : (unsigned)__builtin_ctz(options);
    }
    if (!choose_thread(options, self_ready, is_free, &next)) {
        is_pruned = true;
        return MODEL_MAIN;
    }
    if (self_ready && next != self && !is_free) {
        preemptions++;
        threads[self].rests = threads[self].next_at != NULL;
    }
    return next;
}

/* A step touches a location: who waits to step there need not rest any more. NULL: all locations. */
static void rouse(const volatile void *at, bool writes)
{
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i].rests &&
            (!at || (threads[i].next_at == at && (writes || threads[i].next_writes))))
            threads[i].rests = false;
}

/* Where all that have begun sleep or have ended, those that come next begin. */
static void begin_next(void)
{
    unsigned next = UINT_MAX;

    for (unsigned i = 0; i < thread_count; i++) {
        if (threads[i].state == READY)
            return;
        if (threads[i].state == LATER && running->threads[i].later < next)
            next = running->threads[i].later;
    }
    for (unsigned i = 0; i < thread_count; i++)
        if (threads[i].state == LATER && running->threads[i].later == next)
            threads[i].state = READY;
}

/* The running thread sleeps or has ended. */
static void leave(void)
{
    unsigned next;

    begin_next();
    next = pick(true);

    if (next == MODEL_MAIN && !is_pruned && !all_may_stay())
        model_fail("nobody can go on: a wake-up was lost");
    go(next);
}

void schedule_point(const volatile void *at, bool writes, bool matters)
{
    if (self == MODEL_MAIN)
        return;
    threads[self].next_at = at;
    threads[self].next_writes = writes;
    threads[self].is_at_point = true;
    if (steps >= STEPS_MOST)
        model_fail("no end after %u steps", steps);
    if (++steps_in_row > SPIN_MOST) {
        steps_in_row = 0;
        lonely_pauses += LONELY_MOST / 2;
        pauses = true;
    }
    if (matters || pauses || script_is_on()) {
        unsigned next = pick(pauses);

        pauses = false;
        go(next);
    }
    rouse(at, writes);
    trace_note(1);
    if (is_told)
        script_note_step(self);
    steps++;
}

void model_pause(void) { pauses = self != MODEL_MAIN; }

void model_step(const char *what, uint64_t value)
{
    schedule_point(NULL, true, true);
    if (is_told && self != MODEL_MAIN)
        story_add(self, NULL, "%s %#lx", what, value);
}

void model_sleep(const volatile void *key)
{
    if (self == MODEL_MAIN) {
        model_fail("set-up or check would sleep");
        return;
    }
    threads[self].state = ASLEEP;
    threads[self].key = key;
    threads[self].is_at_point = false;
    leave();
}

/* Any of those who sleep may be first. */
void model_wake(const volatile void *key, unsigned count)
{
    for (; count > 0; count--) {
        unsigned sleepers[MODEL_THREADS], n = 0;

        for (unsigned i = 0; i < thread_count; i++)
            if (threads[i].state == ASLEEP && threads[i].key == key)
                sleepers[n++] = i;
        if (n == 0)
            return;
        unsigned next = sleepers[model_choose(n)];

        threads[next].state = READY;
        trace_wake(next);
    }
}

static void thread_main(void)
{
    running->threads[self].fn();
    threads[self].state = ENDED;
    leave();
}

void model_fail(const char *format, ...)
{
    va_list rest;

    if (is_failing)
        return;
    is_failing = true;
    va_start(rest, format);
    (void)vsnprintf(failure, sizeof failure, format, rest);
    va_end(rest);
    if (self != MODEL_MAIN)
        go(MODEL_MAIN);
}

/* --- executions ------------------------------------------------------------------------------ */

void schedule_copy(struct copy *copy)
{
    copy_part(copy, threads, sizeof threads);
    copy_part(copy, &self, sizeof self);
    copy_part(copy, &preemptions, sizeof preemptions);
    copy_part(copy, &steps, sizeof steps);
    copy_part(copy, &steps_in_row, sizeof steps_in_row);
    copy_part(copy, &lonely_pauses, sizeof lonely_pauses);
    copy_part(copy, &pauses, sizeof pauses);
}

/* From here it goes on once for each choice. */
void schedule_keep(void)
{
    if (self == MODEL_MAIN) {
        path_keep();
        return;
    }
    wants_keep = true;
    coroutine_switch(&threads[self].coroutine, &outside);
}

/* Until all have ended or sleep, or it fails. */
static void run_threads(void)
{
    do {
        wants_keep = false;
        coroutine_switch(&outside, &threads[self].coroutine);
        if (wants_keep)
            path_keep();
    } while (wants_keep);
    self = MODEL_MAIN;
    if (is_failing || is_pruned)
        return;
    memory_join_all();
    if (running->check)
        running->check();
}

static void execute(void)
{
    undo_is_on = false;
    undo_reset();
    coroutine_reset();
    memory_reset();
    plain_reset();
    trace_reset();
    path_begin();
    preemptions = steps = steps_in_row = lonely_pauses = thread_count = 0;
    is_failing = is_pruned = pauses = false;
    self = MODEL_MAIN;
    running->setup();
    for (unsigned i = 0; i < MODEL_THREADS && running->threads[i].fn; i++) {
        threads[i].state = LATER;
        threads[i].rests = threads[i].is_at_point = false;
        coroutine_init(&threads[i].coroutine, plain_stack(i), STACK_BYTES, thread_main);
        memory_thread_starts(i);
        thread_count++;
    }
    begin_next();
    undo_is_on = coroutine_can_copy && !model_run.is_slow && !is_told;
    self = pick(true);
    run_threads();
}

/* From the last choice of the path on. */
static void execute_rest(void)
{
    if (!undo_is_on) {
        execute();
        return;
    }
    is_failing = is_pruned = false;

    unsigned taken = path_go_back();

    if (self == MODEL_MAIN)
        self = taken;
    run_threads();
}

static void tell(void)
{
    is_told = true;
    story_begin();
    script_begin();
    execute();
    is_told = false;
    printf("FAILED %s: %s\n  %s\n", model_subject, running->name, failure);
    story_places(failure);
    story_print(running);
    printf("  again: --replay %s\n", script_string());
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool model_run_scenario(const struct model_scenario *scenario, uint64_t *ret_executions)
{
    int64_t start = now_ms();
    uint64_t count = 0;
    unsigned bound = model_run.bound;

    running = scenario;
    if (scenario->bound && scenario->bound < bound)
        model_run.bound = scenario->bound;
    path_forget();
    memory_forget();
    trace_forget();
    execute();
    for (;;) {
        count++;
        if (is_failing)
            break;
        if (memory_has_grown()) { /* it was seen with too few choices: from the beginning */
            memory_grown_merge();
            trace_forget();
            path_forget();
            execute();
            continue;
        }
        if (count >= model_run.limit || !path_next())
            break;
        execute_rest();
    }
    if (is_failing && !model_run.is_quiet)
        tell();
    else if (!model_run.is_quiet)
        printf("  %-62s %10lu executions %6.1f s%s\n", scenario->name, (unsigned long)count,
               (double)(now_ms() - start) / 1000,
               count >= model_run.limit ? ", stopped at the limit" : "");
    model_run.bound = bound;
    *ret_executions += count;
    if (!is_failing && scenario->holds && !scenario->holds()) {
        printf("FAILED %s: %s\n  not what C11 allows and forbids\n", model_subject, scenario->name);
        return false;
    }
    return !is_failing;
}

bool model_replay(const struct model_scenario *scenario, const char *script)
{
    running = scenario;
    if (!script_read(script)) {
        fprintf(stderr, "model: this is no schedule: %s\n", script);
        return false;
    }
    is_told = true;
    story_begin();
    script_begin();
    execute();
    printf("%s %s: %s\n  %s\n", is_failing ? "FAILED" : "passed", model_subject, scenario->name,
           is_failing ? failure : "");
    story_print(scenario);
    return !is_failing;
}
