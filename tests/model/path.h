/*
 * path - the choices of an execution, each of which is taken in turn.
 */
#ifndef WEFT_TESTS_MODEL_PATH_H
#define WEFT_TESTS_MODEL_PATH_H

#include "tests/model/engine.h"

/* A free choice of one of so many; or of a thread, `of` 0. */
struct choice {
    uint8_t taken, of;
    uint8_t left;  /* the threads that were not yet taken */
    uint8_t from;  /* the running thread, where it could go on; else MODEL_MAIN */
    uint8_t rests; /* the threads that rest */
    uint8_t spent; /* preemptions, until now */
    bool costs;    /* to take another than the running thread; */
    bool may_rest; /* that rests then */
    uint64_t state;
    uint32_t patience; /* of the running thread, if it goes round in circles */
};

void path_forget(void); /* all is to be visited */
void path_begin(void);  /* an execution, from the beginning */
unsigned path_choose(unsigned of);

/* One of the threads that are left. Returns false if each of them leads to what was visited. */
bool path_choose_thread(const struct choice *like, unsigned *ret_next);

/* Changes the last choice that can be changed. Returns false if there is none. */
bool path_next(void);

/* Copies the state, and puts it back: what was taken is returned. Nobody runs meanwhile. */
void path_keep(void);
unsigned path_go_back(void);

/* schedule.c: has path_keep() called. It returns then, and once more after each path_go_back(). */
void schedule_keep(void);

#endif
