/*
 * fiber_ucontext - the switch for processors without one in assembly: slower (two system calls for
 * the signal mask), same meaning. The stack pointer of a fiber is the address of its context, which
 * lies at the top of its stack, or in thread-own memory for the stack of a thread.
 */
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

void weft__switch(void **save_sp, void *load_sp);
void *weft__switch_prepare(void *low, size_t bytes, void (*entry)(void *), void *arg);

struct saved {
    ucontext_t context;
    void (*entry)(void *);
    void *arg;
};

void weft__switch(void **save_sp, void *load_sp)
{
    struct saved here;

    *save_sp = &here; /* lives in this frame, which stays until the switch back */
    (void)swapcontext(&here.context, &((struct saved *)load_sp)->context); /* cannot fail here */
}

/* makecontext passes ints only: the address travels in two halves. */
static void start(unsigned high, unsigned low)
{
    struct saved *saved = (struct saved *)(((uintptr_t)high << 16 << 16) | (uintptr_t)low);

    saved->entry(saved->arg);
}

void *weft__switch_prepare(void *low, size_t bytes, void (*entry)(void *), void *arg)
{
    uintptr_t top = ((uintptr_t)low + bytes - sizeof(struct saved)) & ~(uintptr_t)63;
    struct saved *saved = (struct saved *)top;

    (void)getcontext(&saved->context); /* cannot fail on Linux */
    saved->entry = entry;
    saved->arg = arg;
    saved->context.uc_stack.ss_sp = low;
    saved->context.uc_stack.ss_size = (size_t)(top - (uintptr_t)low);
    saved->context.uc_link = NULL;
    makecontext(&saved->context, (void (*)(void))start, 2, (unsigned)((uintptr_t)saved >> 16 >> 16),
                (unsigned)(uintptr_t)saved);
    return saved;
}
