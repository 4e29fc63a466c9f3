/*
 * switch, aarch64 AAPCS: saves x19-x30, d8-d15 and fpcr.
 *
 * It ends in br instead of ret, as on x86-64. Its targets have bti, but it returns to where a call has returned
 * before, which has none: so weft does not ask for branch protection there (cmake/flags.cmake).
 *
 * A saved stack, from its sp upwards:
 *     0 x19..x28, 80 x29, 88 x30, 96 d8..d15, 160 fpcr, 168 unused
 */
        .text

/* void weft__switch(void **save_sp, void *load_sp) */
        .globl  weft__switch
        .hidden weft__switch
        .type   weft__switch, %function
        .p2align 4
weft__switch:
        .cfi_startproc
        hint    #34
        sub     sp, sp, #176
        .cfi_adjust_cfa_offset 176
        stp     x19, x20, [sp]
        stp     x21, x22, [sp, #16]
        stp     x23, x24, [sp, #32]
        stp     x25, x26, [sp, #48]
        stp     x27, x28, [sp, #64]
        stp     x29, x30, [sp, #80]
        stp     d8, d9, [sp, #96]
        stp     d10, d11, [sp, #112]
        stp     d12, d13, [sp, #128]
        stp     d14, d15, [sp, #144]
        mrs     x2, fpcr
        str     x2, [sp, #160]
        mov     x3, sp
        str     x3, [x0]
        mov     sp, x1
        ldp     x19, x20, [sp]
        ldp     x21, x22, [sp, #16]
        ldp     x23, x24, [sp, #32]
        ldp     x25, x26, [sp, #48]
        ldp     x27, x28, [sp, #64]
        ldp     x29, x30, [sp, #80]
        ldp     d8, d9, [sp, #96]
        ldp     d10, d11, [sp, #112]
        ldp     d12, d13, [sp, #128]
        ldp     d14, d15, [sp, #144]
        ldr     x2, [sp, #160]
        msr     fpcr, x2
        add     sp, sp, #176
        .cfi_adjust_cfa_offset -176
        mov     x16, x30
        br      x16
        .cfi_endproc
        .size   weft__switch, . - weft__switch

/* The first frame: x19 holds the entry function, x20 its argument. No caller: the unwinder stops. */
        .globl  weft__switch_start
        .hidden weft__switch_start
        .type   weft__switch_start, %function
        .p2align 4
weft__switch_start:
        .cfi_startproc
        .cfi_undefined x30
        hint    #38
        mov     x29, #0
        mov     x0, x20
        blr     x19
        brk     #1
        .cfi_endproc
        .size   weft__switch_start, . - weft__switch_start

/* void *weft__switch_prepare(void *low, size_t bytes, void (*entry)(void *), void *arg) */
        .globl  weft__switch_prepare
        .hidden weft__switch_prepare
        .type   weft__switch_prepare, %function
        .p2align 4
weft__switch_prepare:
        .cfi_startproc
        hint    #34
        add     x4, x0, x1
        and     x4, x4, #-16
        sub     x4, x4, #176
        stp     x2, x3, [x4]
        stp     xzr, xzr, [x4, #16]
        stp     xzr, xzr, [x4, #32]
        stp     xzr, xzr, [x4, #48]
        stp     xzr, xzr, [x4, #64]
        adr     x5, weft__switch_start
        stp     xzr, x5, [x4, #80]
        stp     xzr, xzr, [x4, #96]
        stp     xzr, xzr, [x4, #112]
        stp     xzr, xzr, [x4, #128]
        stp     xzr, xzr, [x4, #144]
        mrs     x6, fpcr
        stp     x6, xzr, [x4, #160]
        mov     x0, x4
        ret
        .cfi_endproc
        .size   weft__switch_prepare, . - weft__switch_prepare

        .section .note.GNU-stack, "", %progbits
