/*
 * fiber - the C half: the first frame of a stack, and what the sanitizers want to know.
 *
 * This file is compiled without instrumentation by ThreadSanitizer (core/CMakeLists.txt): its
 * switch call must stand in such a function directly before the real switch.
 */
#include "core/fiber.h"

#include <stdint.h>

#include "core/sys.h"

#if defined(WEFT_ASAN)
#    include <sanitizer/asan_interface.h>
#    include <sanitizer/common_interface_defs.h>
#endif
#if defined(WEFT_TSAN)
#    include <sanitizer/tsan_interface.h>
#endif

/* In switch_<arch>.S or fiber_ucontext.c. */
void *weft__switch_prepare(void *low, size_t bytes, void (*entry)(void *), void *arg);

void weft__fiber_init(struct fiber *fiber, void *low, size_t bytes, void (*entry)(void *),
                      void *arg)
{
    fiber->sp = weft__switch_prepare(low, bytes, entry, arg);
#if defined(WEFT_ASAN)
    fiber->fake_stack = NULL;
    fiber->stack_low = low;
    fiber->stack_bytes = bytes;
    __asan_unpoison_memory_region(low, bytes); /* what its last user left poisoned */
#endif
#if defined(WEFT_TSAN)
    fiber->tsan = __tsan_create_fiber(0);
#endif
}

void weft__fiber_init_thread(struct fiber *fiber)
{
    fiber->sp = NULL;
#if defined(WEFT_ASAN)
    pthread_attr_t attributes;
    void *low = NULL;
    size_t bytes = 0;

    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        (void)pthread_attr_getstack(&attributes, &low, &bytes); /* only for diagnostics */
        (void)pthread_attr_destroy(&attributes);
    }
    fiber->fake_stack = NULL;
    fiber->stack_low = low;
    fiber->stack_bytes = bytes;
#endif
#if defined(WEFT_TSAN)
    fiber->tsan = __tsan_get_current_fiber();
#endif
}

void weft__fiber_destroy(struct fiber *fiber)
{
    (void)fiber;
#if defined(WEFT_TSAN)
    __tsan_destroy_fiber(fiber->tsan);
    fiber->tsan = NULL;
#endif
}

#if defined(WEFT_ASAN)
void weft__fiber_arrive(struct fiber *fiber)
{
    __sanitizer_finish_switch_fiber(fiber->fake_stack, NULL, NULL);
}
#endif

#if defined(WEFT_ASAN) || defined(WEFT_TSAN)
void weft__fiber_switch(struct fiber *from, struct fiber *to)
{
#    if defined(WEFT_ASAN)
    __sanitizer_start_switch_fiber(&from->fake_stack, to->stack_low, to->stack_bytes);
#    else
    __tsan_switch_to_fiber(to->tsan, 0);
#    endif
    context_switch(&from->sp, to->sp);
    weft__fiber_arrive(from);
}

void weft__fiber_leave(struct fiber *from, struct fiber *to)
{
#    if defined(WEFT_ASAN)
    __sanitizer_start_switch_fiber(NULL, to->stack_low, to->stack_bytes);
#    else
    __tsan_switch_to_fiber(to->tsan, 0);
#    endif
    context_switch(&from->sp, to->sp);
    __builtin_unreachable();
}
#endif
