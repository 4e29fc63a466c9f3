/*
 * fiber - a saved context: where a task, or a worker between tasks, goes on.
 *
 * fiber_switch saves the registers that must outlive a call and the floating-point control words on the
 * running stack, stores the stack pointer in the one fiber and loads it from the other. The sanitizers
 * are told about each switch (fiber.c); without them it is the bare switch of the processor.
 */
#ifndef WEFT_CORE_FIBER_H
#define WEFT_CORE_FIBER_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#    define WEFT_ASAN 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define WEFT_ASAN 1
#    endif
#endif
#if defined(__SANITIZE_THREAD__)
#    define WEFT_TSAN 1
#elif defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define WEFT_TSAN 1
#    endif
#endif

/* Whether nobody but the processor knows which stack it is on: then a new task may go on, on the stack of
 * one that has ended, without a switch. */
#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
#    define FIBER_IS_BARE 0
#else
#    define FIBER_IS_BARE 1
#endif

#if defined(__x86_64__) && !defined(WEFT_UCONTEXT)
#    include "core/switch_x86_64.h"
#else
void weft__switch(void **save_sp, void *load_sp); /* switch_<arch>.S or fiber_ucontext.c */

static inline void context_switch(void **save_sp, void *load_sp) { weft__switch(save_sp, load_sp); }
#endif

struct fiber {
    void *sp; /* where its registers lie; meaningless while it runs */
#if defined(WEFT_ASAN)
    void *fake_stack;
    const void *stack_low;
    size_t stack_bytes;
#endif
#if defined(WEFT_TSAN)
    void *tsan;
#endif
};

/* Makes `fiber` start in entry(arg) on the stack of `bytes` bytes from `low` when it is first
 * switched to. entry must not return: it switches away for good with fiber_leave. */
void weft__fiber_init(struct fiber *fiber, void *low, size_t bytes, void (*entry)(void *),
                      void *arg);

/* Describes the running thread's own stack, so that fibers can switch back to it. */
void weft__fiber_init_thread(struct fiber *fiber);

/* Frees what the sanitizers keep for a fiber that has ended. From another fiber. */
void weft__fiber_destroy(struct fiber *fiber);

#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
void weft__fiber_switch(struct fiber *from, struct fiber *to);
_Noreturn void weft__fiber_leave(struct fiber *from, struct fiber *to);
#else
/* Saves the running context in `from`, and goes on with `to`. Returns when somebody switches to
 * `from`, perhaps on another thread. */
static inline void weft__fiber_switch(struct fiber *from, struct fiber *to)
{
    context_switch(&from->sp, to->sp);
}

/* As weft__fiber_switch, when `from` never runs again. */
_Noreturn static inline void weft__fiber_leave(struct fiber *from, struct fiber *to)
{
    context_switch(&from->sp, to->sp);
    __builtin_unreachable();
}
#endif

/* First thing in an entry function: tells the sanitizers that the switch has arrived. */
#if defined(WEFT_ASAN)
void weft__fiber_arrive(struct fiber *fiber);
#else
static inline void weft__fiber_arrive(struct fiber *fiber) { (void)fiber; }
#endif

#endif
