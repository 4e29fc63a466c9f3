/*
 * tasks - a world in which every model thread is a task, or a plain thread; for what tasks do to each other.
 *
 * The scheduler is replaced by its promise: who is made ready goes on, and has seen what was done before. A
 * task is made ready once for each suspension, and only when its context is saved: else it fails.
 */
#ifndef WEFT_TESTS_MODEL_TASKS_H
#define WEFT_TESTS_MODEL_TASKS_H

#include "core/worker.h"
#include "tests/model/model.h"

extern struct runtime *world;

/* The task that model thread so and so is; NULL: a plain thread. */
extern struct task *tasks[MODEL_THREADS];

/* Set-up: the threads whose bits are set are tasks. */
void tasks_init(unsigned which);

/* The worker that the model thread stands for while it is a task. */
struct worker *tasks_worker(unsigned thread);

/* Set-up: the model thread is a worker that runs the tasks with this function, which core/task.c really
 * spawns and ends. `worker` NULL: one is made. */
void tasks_runner(unsigned thread, weft_fn fn, struct worker *worker);

/* Its function: waits for such a task and runs it. Returns false if there will be no more. */
bool tasks_run(void);
void tasks_run_no_more(unsigned thread);

/* As weft_cancel of that task. */
void tasks_cancel(struct task *task);

/* Where the calling thread has returned from a wait: whatever stood on its stack below is overwritten, so
 * that a touch which comes too late is a race. */
void tasks_scribble(void);

#endif
