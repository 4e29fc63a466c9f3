/*
 * run - running a scenario, and the string that repeats one execution of it.
 */
#ifndef WEFT_TESTS_MODEL_RUN_H
#define WEFT_TESTS_MODEL_RUN_H

#include "tests/model/engine.h"

/* What the command line says. */
struct model_run {
    unsigned bound; /* of preemptions */
    uint64_t limit; /* of executions of a scenario */
    bool is_quiet;
    bool is_slow; /* each execution from the beginning */
};

extern struct model_run model_run;

/* Visits all executions. Returns false after the first that fails, whose story was printed. */
bool model_run_scenario(const struct model_scenario *scenario, uint64_t *ret_executions);
bool model_replay(const struct model_scenario *scenario, const char *script);

/* schedule.c: the running thread lets others go on at its next step. */
void model_pause(void);

/* script.c: a schedule as a string. */
bool script_read(const char *text);
bool script_is_on(void);
unsigned script_thread(unsigned step);
unsigned script_choice(unsigned step, char kind);
void script_begin(void);
void script_note_step(unsigned thread);
void script_note_choice(unsigned step, char kind, unsigned taken);
const char *script_string(void);

#endif
