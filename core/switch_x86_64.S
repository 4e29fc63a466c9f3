/*
 * switch, x86-64 System V: the first frame of a stack. The switch itself: switch_x86_64.h.
 */
        .text

/* The first frame: entry function and argument lie on the stack. No caller: the unwinder stops. Entered
 * by a jump, since an entry function never returns: a call would leave a return address behind in the
 * processor's own stack of them, and mispredict the returns of the task that goes on afterwards. */
        .globl  weft__switch_start
        .hidden weft__switch_start
        .type   weft__switch_start, @function
        .p2align 4
weft__switch_start:
        .cfi_startproc
        .cfi_undefined %rip
        endbr64
        popq    %rax
        popq    %rdi
        leaq    1f(%rip), %rcx
        pushq   %rcx
        jmp     *%rax
1:      ud2
        .cfi_endproc
        .size   weft__switch_start, . - weft__switch_start

/* void *weft__switch_prepare(void *low, size_t bytes, void (*entry)(void *), void *arg) */
        .globl  weft__switch_prepare
        .hidden weft__switch_prepare
        .type   weft__switch_prepare, @function
        .p2align 4
weft__switch_prepare:
        .cfi_startproc
        endbr64
        leaq    (%rdi,%rsi), %rax
        andq    $-16, %rax
        subq    $56, %rax
        leaq    weft__switch_start(%rip), %r8
        movq    %rcx, 32(%rax)
        movq    %rdx, 24(%rax)
        movq    %r8, 16(%rax)
        movq    $0, 8(%rax)
        stmxcsr (%rax)
        fnstcw  4(%rax)
        ret
        .cfi_endproc
        .size   weft__switch_prepare, . - weft__switch_prepare

        .section .note.GNU-stack, "", @progbits
