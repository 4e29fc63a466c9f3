/*
 * atomic - every atomic access of weft, with the memory order in the name.
 *
 * The same sources compile against the real thing (here) and, later, against a model checker that
 * replaces this header; so nothing in the library uses <stdatomic.h> or a futex on its own. There
 * are no stand-alone fences on purpose: ThreadSanitizer does not see them. The default is `_seq`;
 * a weaker order stands where a comment names its partner.
 */
#ifndef WEFT_CORE_ATOMIC_H
#define WEFT_CORE_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

#define load_relaxed(at) atomic_load_explicit((at), memory_order_relaxed)
#define load_acquire(at) atomic_load_explicit((at), memory_order_acquire)
#define load_seq(at)     atomic_load_explicit((at), memory_order_seq_cst)

#define store_relaxed(at, value) atomic_store_explicit((at), (value), memory_order_relaxed)
#define store_release(at, value) atomic_store_explicit((at), (value), memory_order_release)
#define store_seq(at, value)     atomic_store_explicit((at), (value), memory_order_seq_cst)

#define xchg_seq(at, value)    atomic_exchange_explicit((at), (value), memory_order_seq_cst)
#define add_seq(at, value)     atomic_fetch_add_explicit((at), (value), memory_order_seq_cst)
#define sub_seq(at, value)     atomic_fetch_sub_explicit((at), (value), memory_order_seq_cst)
#define or_seq(at, value)      atomic_fetch_or_explicit((at), (value), memory_order_seq_cst)
#define add_relaxed(at, value) atomic_fetch_add_explicit((at), (value), memory_order_relaxed)

/* True if *at was *expected and is now `desired`; else *expected is what it was. */
#define cas_seq(at, expected, desired)                                                         \
    atomic_compare_exchange_strong_explicit((at), (expected), (desired), memory_order_seq_cst, \
                                            memory_order_seq_cst)

/* Keeps the compiler, and it alone, from moving accesses across. */
#define compiler_barrier() atomic_signal_fence(memory_order_seq_cst)

/* The line that two writers must not share. */
#define WEFT_LINE 64

/* Tells the core that this is a short spin. */
static inline void spin_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#define WEFT_NO_TIMEOUT INT64_MAX

/* Sleeps while *at is `expected`, for `ns` at most. Returns 0 when woken (also for no reason) or
 * when the value differs, -ETIMEDOUT when the time is over. */
int weft__futex_wait(_Atomic uint32_t *at, uint32_t expected, int64_t ns);

/* Wakes up to `count` sleepers. The address may have died already: then nobody is woken. */
void weft__futex_wake(_Atomic uint32_t *at, int count);

#endif
