/*
 * fiber, for the model checker - takes the place of core/fiber.h: its own switch. A fiber runs on the model
 * thread that switches to it.
 */
#ifndef WEFT_CORE_FIBER_H
#define WEFT_CORE_FIBER_H

#include <stddef.h>

#include "tests/model/coroutine.h"

#define FIBER_IS_BARE     1
#define FIBER_MODES_KNOWN 1

struct fiber_modes {
    int none;
};

static inline struct fiber_modes fiber_modes_here(void) { return (struct fiber_modes){0}; }
static inline void fiber_modes_take(const struct fiber_modes *modes) { (void)modes; }

struct fiber {
    struct coroutine coroutine;
};

void weft__fiber_init(struct fiber *fiber, void *low, size_t bytes, void (*entry)(void *),
                      void *arg);
void weft__fiber_init_thread(struct fiber *fiber);
void weft__fiber_destroy(struct fiber *fiber);
void weft__fiber_switch(struct fiber *from, struct fiber *to);
void weft__fiber_leave(struct fiber *from, struct fiber *to);
void weft__fiber_arrive(struct fiber *fiber);

#endif
