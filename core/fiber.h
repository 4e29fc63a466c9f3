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
#include <stdint.h>

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

/* How a context rounds, and which exceptions it has met. A fresh task begins with its worker's, not with
 * those of the task that has made room for it. Where they are not known here it is begun by the
 * worker's loop alone. */
#if defined(__x86_64__) || defined(__aarch64__)
#    define FIBER_MODES_KNOWN 1
#else
#    define FIBER_MODES_KNOWN 0
#endif

#if defined(__x86_64__)
struct fiber_modes {
    uint32_t mxcsr;
    uint16_t x87;
};

static inline struct fiber_modes fiber_modes_here(void)
{
    struct fiber_modes modes;

    __asm__ volatile("stmxcsr %0" : "=m"(modes.mxcsr));
    __asm__ volatile("fnstcw %0" : "=m"(modes.x87));
    return modes;
}

static inline void fiber_modes_take(const struct fiber_modes *modes)
{
    struct fiber_modes here = fiber_modes_here();

    if (here.mxcsr != modes->mxcsr) /* to load them costs more than to look */
        __asm__ volatile("ldmxcsr %0" : : "m"(modes->mxcsr));
    if (here.x87 != modes->x87)
        __asm__ volatile("fldcw %0" : : "m"(modes->x87));
}
#elif defined(__aarch64__)
struct fiber_modes {
    uint64_t fpcr;
};

static inline struct fiber_modes fiber_modes_here(void)
{
    struct fiber_modes modes;

    __asm__ volatile("mrs %0, fpcr" : "=r"(modes.fpcr));
    return modes;
}

static inline void fiber_modes_take(const struct fiber_modes *modes)
{
    if (fiber_modes_here().fpcr != modes->fpcr)
        __asm__ volatile("msr fpcr, %0" : : "r"(modes->fpcr));
}
#else
struct fiber_modes {
    int unknown;
};

static inline struct fiber_modes fiber_modes_here(void) { return (struct fiber_modes){0}; }
static inline void fiber_modes_take(const struct fiber_modes *modes) { (void)modes; }
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
