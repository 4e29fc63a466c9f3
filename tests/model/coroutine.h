/*
 * coroutine - the checker's own switch, so that a change of the library's cannot bend its judge.
 */
#ifndef WEFT_TESTS_MODEL_COROUTINE_H
#define WEFT_TESTS_MODEL_COROUTINE_H

#include <stdbool.h>
#include <stddef.h>

#if defined(__x86_64__)

struct coroutine {
    void *sp;
};

#else
#    include <ucontext.h>

struct coroutine {
    ucontext_t *context; /* NULL: none yet */
};

#endif

/* Makes `coroutine` begin with entry(), which never returns, on this stack. */
void coroutine_init(struct coroutine *coroutine, void *low, size_t bytes, void (*entry)(void));

/* Whether stacks can be copied and put back, with undo.h. */
extern const bool coroutine_can_copy;

/* All stacks are given up. */
void coroutine_reset(void);

/* Goes on with `to`; returns when somebody switches to `from`. */
void coroutine_switch(struct coroutine *from, struct coroutine *to);

#endif
