/*
 * ck_tsan - the operations of concurrencykit that weft uses, in a form that ThreadSanitizer sees.
 *
 * Included before ck's own headers in its builds only: the guard of ck's compiler port is defined
 * here, so that this page stands in for it. Loads acquire and stores release, which is more than ck
 * promises: a missing fence in ck itself would not be found this way.
 */
#ifndef WEFT_CORE_CK_TSAN_H
#define WEFT_CORE_CK_TSAN_H

#define CK_USE_CC_BUILTINS 1
#define CK_PR_GCC_H
#include <ck_cc.h>
#include <ck_md.h>
#include <gcc/ck_f_pr.h>
#include <stdbool.h>
#include <stdint.h>

#define WEFT_CK_FENCE(name) \
    static inline void ck_pr_fence_strict_##name(void) {}
WEFT_CK_FENCE(atomic)
WEFT_CK_FENCE(atomic_atomic)
WEFT_CK_FENCE(atomic_load)
WEFT_CK_FENCE(atomic_store)
WEFT_CK_FENCE(store_atomic)
WEFT_CK_FENCE(load_atomic)
WEFT_CK_FENCE(load)
WEFT_CK_FENCE(load_load)
WEFT_CK_FENCE(load_store)
WEFT_CK_FENCE(load_depends)
WEFT_CK_FENCE(store)
WEFT_CK_FENCE(store_store)
WEFT_CK_FENCE(store_load)
WEFT_CK_FENCE(memory)
WEFT_CK_FENCE(acquire)
WEFT_CK_FENCE(release)
WEFT_CK_FENCE(acqrel)
WEFT_CK_FENCE(lock)
WEFT_CK_FENCE(unlock)
#undef WEFT_CK_FENCE

static inline void ck_pr_barrier(void) { __asm__ volatile("" ::: "memory"); }
static inline void ck_pr_stall(void) { ck_pr_barrier(); }

static inline void *ck_pr_md_load_ptr(const void *at)
{
    return __atomic_load_n((void *const *)at, __ATOMIC_ACQUIRE);
}

static inline void ck_pr_md_store_ptr(void *at, const void *value)
{
    __atomic_store_n((const void **)at, value, __ATOMIC_RELEASE);
}

#define ck_pr_load_ptr(at)         ck_pr_md_load_ptr(at)
#define ck_pr_store_ptr(at, value) ck_pr_md_store_ptr((at), (value))

static inline bool ck_pr_cas_ptr(void *at, void *expected, void *value)
{
    return __atomic_compare_exchange_n((void **)at, &expected, value, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static inline bool ck_pr_cas_ptr_value(void *at, void *expected, void *value, void *ret_was)
{
    bool done = __atomic_compare_exchange_n((void **)at, &expected, value, false, __ATOMIC_SEQ_CST,
                                            __ATOMIC_SEQ_CST);

    *(void **)ret_was = expected;
    return done;
}

#endif
