/*
 * workers - a small runtime for subjects: real workers that really park, tasks that are a function, and
 * outside threads. What is not judged there (slots, stacks of tasks, clocks, the kernel) is a stub.
 */
#ifndef WEFT_TESTS_MODEL_WORKERS_H
#define WEFT_TESTS_MODEL_WORKERS_H

#include "core/worker.h"
#include "tests/model/model.h"

extern struct runtime *world;

/* Set-up: so many workers; their loops sleep on the real bell. */
void world_init(uint32_t workers);

/* A task that is known to nobody yet. */
struct task *world_task(void (*fn)(void));

/* The function of a model thread that is worker 0, 1 or 2. Never ends. */
void world_worker_0(void);
void world_worker_1(void);
void world_worker_2(void);

/* At the end: every worker sleeps, and the counts say so. */
void world_check_asleep(void);

#endif
