/*
 * switch_x86_64 - the switch between two stacks, where the compiler can see it.
 *
 * It stands in the middle of its caller, with no call and no ret: so the processor's stack of return
 * addresses stays that of the running function, and the returns after it are predicted. A function
 * of its own cannot have that: whatever it ends with, the returns that follow in the task that goes
 * on are mispredicted, 15 cycles each (docs/measurements.md). The compiler is told that all registers
 * change; it saves those that it needs itself. What is left to save: rbp (which may be the frame
 * pointer), mxcsr, the x87 control word, and where to go on. The control words are loaded only if they are not
 * those of the task before: to load them costs more than to look.
 *
 * The indirect target carries endbr64 for IBT; shadow stacks are not supported, and the runtime
 * refuses to start where they are active. A saved stack, from its sp upwards:
 *
 *     0 mxcsr, 4 x87 control word, 8 rbp, 16 where to go on, 24 the 128 bytes below the caller's sp
 *
 * which a function that calls no other may use for itself.
 */
#ifndef WEFT_CORE_SWITCH_X86_64_H
#define WEFT_CORE_SWITCH_X86_64_H

/* What only wide vectors have: named where the compiler may keep something there. */
#if defined(__AVX512F__)
#    define SWITCH_CHANGES_WIDE                                                                    \
        , "xmm16", "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",         \
            "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31", "k0", "k1", "k2", "k3", \
            "k4", "k5", "k6", "k7"
#else
#    define SWITCH_CHANGES_WIDE
#endif

static inline __attribute__((always_inline)) void context_switch(void **save_sp, void *load_sp)
{
    __asm__ volatile("leaq    1f(%%rip), %%rax\n\t"
                     "leaq    -128(%%rsp), %%rsp\n\t"
                     "pushq   %%rax\n\t"
                     "pushq   %%rbp\n\t"
                     "pushq   %%rax\n\t" /* room for the two control words */
                     "stmxcsr (%%rsp)\n\t"
                     "fnstcw  4(%%rsp)\n\t"
                     "movl    (%%rsp), %%ecx\n\t"
                     "movzwl  4(%%rsp), %%edx\n\t"
                     "movq    %%rsp, (%[save])\n\t"
                     "movq    %[load], %%rsp\n\t"
                     "cmpl    (%%rsp), %%ecx\n\t"
                     "jne     2f\n\t"
                     "cmpw    4(%%rsp), %%dx\n\t"
                     "je      3f\n"
                     "2:\n\t"
                     "ldmxcsr (%%rsp)\n\t"
                     "fldcw   4(%%rsp)\n"
                     "3:\n\t"
                     "popq    %%rax\n\t"
                     "popq    %%rbp\n\t"
                     "popq    %%rax\n\t"
                     "jmp     *%%rax\n"
                     "1:\n\t"
                     "endbr64\n\t"
                     "leaq    128(%%rsp), %%rsp"
                     : [save] "+D"(save_sp), [load] "+S"(load_sp)
                     :
                     : "rax", "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
                       "r15", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
                       "memory", "cc" SWITCH_CHANGES_WIDE);
}

#endif
