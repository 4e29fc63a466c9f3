/*
 * model - runs a few threads in every order, and with every value that C11 lets their loads see.
 *
 *     sources of core/, sync/ --- compiled against replace/core/atomic.h ---.
 *     tests/model/<subject>.c: objects, what each thread does, what must hold  '--> build/model/<subject>
 *
 * A model thread is a coroutine. Before each atomic access the checker chooses who goes on; a load then
 * chooses among the writes that it may see. All choices are visited depth first (path.c), but for those that
 * lead to a state which was visited (trace.c). Futexes and other sleeps block truly: a state in which
 * all sleep is a lost wake-up. Plain data of the sources is watched through the calls that the compiler
 * inserts for ThreadSanitizer, which plain.c answers instead: each race, and each access to freed memory,
 * is a failure.
 *
 * A failure prints its story, a column per thread, and a string: `build/model/deque --replay STRING`.
 * How weak the memory is: memory.c and docs/memory-model.md.
 */
#ifndef WEFT_TESTS_MODEL_H
#define WEFT_TESTS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Threads of a scenario. */
#define MODEL_THREADS 4

struct model_thread {
    const char *name;
    void (*fn)(void);
    bool is_daemon; /* may sleep for ever at the end */
    unsigned later; /* begins when all that have a smaller number here sleep or have ended */
};

struct model_scenario {
    const char *name; /* a sentence */
    void (*setup)(void);
    struct model_thread threads[MODEL_THREADS]; /* fn NULL: no more */
    void (*check)(void); /* when all have ended or sleep for ever; may be NULL */
    unsigned bound;      /* of preemptions; 0: as the command line says */
    bool (*holds)(void); /* asked when all was visited; may be NULL */
};

/* The subject's: its name, and its scenarios up to one without a name. */
extern const char model_subject[];
extern const struct model_scenario model_scenarios[];

/* Zeroed memory that is watched, the same addresses in each execution; and its end. */
void *model_alloc(size_t bytes);
void model_free(void *memory);

/* As a write of all of it: for what a function leaves on the stack. */
void model_overwritten(void *memory, size_t bytes);

/* Gives watched memory a new life, as a new variable on the stack does: what was there is forgotten. */
void model_renew(void *memory, size_t bytes);

/* An atomic variable of which any value is good enough, also one that is written later ("load buffering",
 * memory.c). In the set-up. */
void model_hint(const volatile void *at);

/* A variable that lives longer than an execution, as what was seen in all of them. */
void model_keep(const volatile void *at, size_t bytes);

/* Ends this execution as a failure. Returns only outside threads (setup, check). */
void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define model_assert(condition)                                                \
    do {                                                                       \
        if (!(condition))                                                      \
            model_fail("%s:%d: not true: %s", __FILE__, __LINE__, #condition); \
    } while (0)

/* Which thread runs, from 0; MODEL_THREADS: set-up or check. */
extern unsigned model_running;
static inline unsigned model_self(void) { return model_running; }

/* A free choice of one of so many, each visited. */
unsigned model_choose(unsigned of);

/* Sleeps until somebody calls model_wake with the same key; then *any* of those who sleep may be woken
 * in turn. For stubs of system calls. */
void model_sleep(const volatile void *key);
void model_wake(const volatile void *key, unsigned count);

/* A count of tokens, from none: who takes one waits for it, and has then seen all that the poster had. */
void model_post(const void *key, const char *what);
void model_take(const void *key, const char *what);

/* A step that others may come before: for stubs whose effect others can see. */
void model_step(const char *what, uint64_t value);

#endif
