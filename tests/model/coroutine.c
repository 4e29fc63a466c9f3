/*
 * coroutine - saves the registers that a call must keep, and takes those of the other; elsewhere than on
 * x86-64 ucontext does, with system calls.
 */
#include "tests/model/coroutine.h"

#include <stdint.h>

#include "tests/model/undo.h"

#if defined(__x86_64__)

void model__switch(void **save_sp, void *load_sp);

__asm__(".text\n"
        ".globl model__switch\n"
        ".type model__switch, @function\n"
        "model__switch:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size model__switch, . - model__switch\n");

const bool coroutine_can_copy = true;

/* Each stack, and from where on it is in use while nobody runs on it. */
#    define STACKS 64
static struct stack {
    char *low, *high, *used;
} stacks[STACKS];
static unsigned stack_count;

#    define BELOW 256 /* what coroutine_switch uses itself, and more */

void coroutine_reset(void) { stack_count = 0; }

void coroutine_init(struct coroutine *coroutine, void *low, size_t bytes, void (*entry)(void))
{
    void **top = (void **)(void *)((char *)low + bytes);

    if (stack_count == STACKS)
        __builtin_trap();
    stacks[stack_count++] = (struct stack){low, (char *)low + bytes, (char *)(top - 8)};
    *--top = NULL; /* keeps the stack aligned as after a call */
    *--top = (void *)entry;
    for (int i = 0; i < 6; i++)
        *--top = NULL;
    undo_note(&coroutine->sp, sizeof coroutine->sp);
    coroutine->sp = top;
}

void coroutine_switch(struct coroutine *from, struct coroutine *to)
{
    char *here = __builtin_frame_address(0);

    for (unsigned i = 0; i < stack_count; i++)
        if (here > stacks[i].low && here <= stacks[i].high)
            stacks[i].used = here - BELOW;
    undo_note(&from->sp, sizeof from->sp);
    model__switch(&from->sp, to->sp);
}

void coroutine_copy(struct copy *copy)
{
    copy_part(copy, &stack_count, sizeof stack_count);
    copy_part(copy, stacks, stack_count * sizeof stacks[0]);
    for (unsigned i = 0; i < stack_count; i++)
        copy_part(copy, stacks[i].used, (size_t)(stacks[i].high - stacks[i].used));
}

#else

const bool coroutine_can_copy = false;

void coroutine_reset(void) {}
void coroutine_copy(struct copy *copy) { (void)copy; }

/* More than there are stacks in an execution; the oldest are used again. */
#    define CONTEXTS 256

static ucontext_t contexts[CONTEXTS];
static unsigned context_count;

static ucontext_t *context_new(void) { return &contexts[context_count++ % CONTEXTS]; }

void coroutine_init(struct coroutine *coroutine, void *low, size_t bytes, void (*entry)(void))
{
    coroutine->context = context_new();
    (void)getcontext(coroutine->context); /* cannot fail */
    coroutine->context->uc_stack.ss_sp = low;
    coroutine->context->uc_stack.ss_size = bytes;
    coroutine->context->uc_link = NULL;
    makecontext(coroutine->context, entry, 0);
}

void coroutine_switch(struct coroutine *from, struct coroutine *to)
{
    if (!from->context)
        from->context = context_new();
    (void)swapcontext(from->context, to->context); /* cannot fail: the context is whole */
}

#endif
