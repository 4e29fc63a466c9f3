/*
 * current - what the calling thread carries: the only thread-local of core's hot paths.
 *
 * A task may be resumed on another thread, and compilers keep the address of a thread-local over a
 * call. So nobody touches the variable but these functions, which are not inlined: each call computes
 * the address anew.
 */
#include "core/worker.h"

static _Thread_local struct carrier carrier;

__attribute__((noinline)) struct carrier *weft__carrier(void)
{
    __asm__ volatile(""); /* keeps the call from being merged with an earlier one */
    return &carrier;
}

/* Not by way of weft__carrier(), here and below: every lock and unlock asks. */
__attribute__((noinline)) struct worker *weft__worker(void)
{
    __asm__ volatile(""); /* as above */
    return carrier_worker(&carrier);
}

__attribute__((noinline)) struct task *weft__current_task(void)
{
    __asm__ volatile(""); /* as above */
    return carrier.task;
}
