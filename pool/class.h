/*
 * class - how the threads of a pool are scheduled against the workers.
 *
 * Threads that compute must not keep a task waiting whose turn has come. The kernel helps if it is
 * told which threads can wait: docs/measurements.md compares what it offers.
 */
#ifndef WEFT_POOL_CLASS_H
#define WEFT_POOL_CLASS_H

enum pool_class {
    CLASS_NORMAL,     /* as the thread that started it: the lanes */
    CLASS_NICE,       /* nice 19 */
    CLASS_BATCH_NICE, /* SCHED_BATCH, nice 19 */
    CLASS_IDLE,       /* SCHED_IDLE */
};

/* The class of the CPU pool: the best of docs/measurements.md. */
#define CLASS_OF_CPU CLASS_BATCH_NICE

/* What the class is called where it could be had. */
const char *weft__class_word(enum pool_class class);

/* Puts the calling thread into the class. A refusal is no failure: the thread goes on as it is.
 * Returns in words how it is scheduled now, a constant. */
const char *weft__class_apply(enum pool_class class);

#endif
