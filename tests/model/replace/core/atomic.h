/*
 * atomic, for the model checker - takes the place of core/atomic.h: each access is a call of the checker,
 * which knows file, line and words of the place.
 */
#ifndef WEFT_CORE_ATOMIC_H
#define WEFT_CORE_ATOMIC_H

#include <stdint.h>

#include "tests/model/engine.h"

uint64_t model_load(struct model_site *site, const volatile void *at, unsigned bytes);
void model_store(struct model_site *site, volatile void *at, unsigned bytes, uint64_t value);
uint64_t model_change(struct model_site *site, volatile void *at, unsigned bytes, int what,
                      uint64_t value);
bool model_cas(struct model_site *site, volatile void *at, unsigned bytes, uint64_t *expected,
               uint64_t desired);

enum { MODEL_XCHG, MODEL_ADD, MODEL_SUB, MODEL_OR };

#define MODEL_SITE(call, at, order)                                               \
    __extension__({                                                               \
        static struct model_site site_                                            \
            __attribute__((section("model_sites"), used, aligned(8))) = {         \
                __FILE__, __LINE__, __func__, call, #at, order, false, false, 0}; \
        &site_;                                                                   \
    })

/* The type of *at without _Atomic. */
#define MODEL_TYPE(at) __typeof__((void)0, *(at))

#define MODEL_LOAD(at, site)                                                         \
    __extension__({                                                                  \
        __auto_type at_ = (at);                                                      \
        (MODEL_TYPE(at_)) model_load(site, (const volatile void *)at_, sizeof *at_); \
    })
#define MODEL_STORE(at, value, site)                                            \
    __extension__({                                                             \
        __auto_type at_ = (at);                                                 \
        MODEL_TYPE(at_) value_ = (value);                                       \
        model_store(site, (volatile void *)at_, sizeof *at_, (uint64_t)value_); \
    })
#define MODEL_CHANGE(at, value, what, site)                                                \
    __extension__({                                                                        \
        __auto_type at_ = (at);                                                            \
        MODEL_TYPE(at_) value_ = (MODEL_TYPE(at_))(value);                                 \
        (MODEL_TYPE(at_))                                                                  \
            model_change(site, (volatile void *)at_, sizeof *at_, what, (uint64_t)value_); \
    })
#define MODEL_CAS(at, expected, desired, site)                                             \
    __extension__({                                                                        \
        __auto_type at_ = (at);                                                            \
        __auto_type expected_ = (expected);                                                \
        MODEL_TYPE(at_) desired_ = (desired);                                              \
        uint64_t was_ = (uint64_t)*expected_;                                              \
        bool done_ =                                                                       \
            model_cas(site, (volatile void *)at_, sizeof *at_, &was_, (uint64_t)desired_); \
        if (!done_)                                                                        \
            *expected_ = (MODEL_TYPE(at_))was_;                                            \
        done_;                                                                             \
    })

#define load_relaxed(at) MODEL_LOAD(at, MODEL_SITE("load", at, MODEL_RELAXED))
#define load_acquire(at) MODEL_LOAD(at, MODEL_SITE("load", at, MODEL_ACQUIRE))
#define load_seq(at)     MODEL_LOAD(at, MODEL_SITE("load", at, MODEL_SEQ))

#define store_relaxed(at, value) MODEL_STORE(at, value, MODEL_SITE("store", at, MODEL_RELAXED))
#define store_release(at, value) MODEL_STORE(at, value, MODEL_SITE("store", at, MODEL_RELEASE))
#define store_seq(at, value)     MODEL_STORE(at, value, MODEL_SITE("store", at, MODEL_SEQ))

#define xchg_seq(at, value) MODEL_CHANGE(at, value, MODEL_XCHG, MODEL_SITE("xchg", at, MODEL_SEQ))
#define add_seq(at, value)  MODEL_CHANGE(at, value, MODEL_ADD, MODEL_SITE("add", at, MODEL_SEQ))
#define sub_seq(at, value)  MODEL_CHANGE(at, value, MODEL_SUB, MODEL_SITE("sub", at, MODEL_SEQ))
#define or_seq(at, value)   MODEL_CHANGE(at, value, MODEL_OR, MODEL_SITE("or", at, MODEL_SEQ))
#define add_relaxed(at, value) \
    MODEL_CHANGE(at, value, MODEL_ADD, MODEL_SITE("add", at, MODEL_RELAXED))

#define cas_seq(at, expected, desired) \
    MODEL_CAS(at, expected, desired, MODEL_SITE("cas", at, MODEL_SEQ))

/* Each access above is a call. A subject may say what else it means (carrier.c). */
extern __attribute__((weak)) void model_barrier(void);
#define compiler_barrier() (model_barrier ? model_barrier() : (void)0)

#define WEFT_LINE 64

/* Who spins lets the others go on. */
void model_pause(void);
static inline void spin_pause(void) { model_pause(); }

#define WEFT_NO_TIMEOUT INT64_MAX

int weft__futex_wait(_Atomic uint32_t *at, uint32_t expected, int64_t ns);
void weft__futex_wake(_Atomic uint32_t *at, int count);

#endif
