/*
 * gate - what starting and stopping do with the gate that plain threads pass (runtime.h).
 */
#ifndef WEFT_CORE_GATE_H
#define WEFT_CORE_GATE_H

#include "core/runtime.h"

/* Counts one more start, be it that it fails. Returns how many there were before. */
uint32_t weft__gate_count_run(void);

/* From here on plain threads come in, at this virtual time; 0: time is real. */
void weft__gate_open(struct runtime *runtime, int64_t virtual_now);

/* The runtime behind the gate; NULL: none. */
struct runtime *weft__gate_runtime(void);

/* Nobody comes in any more; waits until everybody has left. */
void weft__gate_close(struct runtime *runtime);

/* The same without the wait, for a runtime that is never freed. */
void weft__gate_abandon(void);

/* The runtime that the calling thread belongs to; NULL for a plain thread. */
struct runtime *weft__runtime_own(void);

#endif
