/*
 * stack - guarded stacks for tasks, cached while warm.
 *
 *     low - STACK_GUARD_BYTES      low                          low + bytes
 *     | guard: any access faults   | <- the task's frames grow down |
 *
 * Stacks of the usual size are carved from large regions, so that a million of them are a handful of
 * mappings; larger ones are mapped alone. A guard costs no mapping where the kernel has
 * MADV_GUARD_INSTALL (Linux 6.13), else mprotect makes it, and the number of mappings per process
 * limits the number of stacks. A region is never given back before the end. The pages of free stacks
 * are, when the last worker falls asleep: a busy program takes them again at once, and a page that comes
 * anew costs more than all else that a task does.
 */
#ifndef WEFT_CORE_STACK_H
#define WEFT_CORE_STACK_H

#include <stdbool.h>
#include <stddef.h>

#include <weft/runtime.h>

#include "core/lock.h"
#include "core/tuning.h"

#define STACK_GUARD_BYTES ((size_t)64 * 1024)

/* Sanitizers make frames two to four times as large. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define STACK_BYTES ((size_t)256 * 1024)
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define STACK_BYTES ((size_t)256 * 1024)
#    endif
#endif
#ifndef STACK_BYTES
#    define STACK_BYTES ((size_t)64 * 1024)
#endif
#define STACK_BYTES_MOST ((size_t)1 << 30)

struct stack_region;

/* The stacks of a runtime. */
struct stacks {
    weft_guard guard; /* (i) */
    uint64_t limit;   /* (i) how many can be had at once; 0: as memory allows */
    struct lock lock; /* of all below */
    struct stack_region *regions;
    char *next;           /* the part of the newest region that has not been used */
    size_t left;          /* how many stacks that part holds */
    size_t region_stacks; /* how many the newest region holds */
    uint64_t made;        /* how many have been carved in all */
    void *bare;           /* carved, but no guard could be made: linked through their lowest word */
    void **pool;          /* free ones, by their low end */
    size_t pool_count;
    size_t cold_count; /* the first so many of the pool have no pages */
    size_t pool_capacity;
    _Atomic uint32_t warm; /* (a) about how many of the pool have pages; read without the lock */
};

/* Warm stacks of one worker. */
struct stack_cache {
    size_t count;
    void *stacks[TUNE_STACK_CACHE];
};

/* Finds out how guards can be made. */
void weft__stacks_init(struct stacks *stacks);
void weft__stacks_destroy(struct stacks *stacks);

/* What a size asked for becomes: 0 is the usual size; rounded up to a power of two. */
size_t weft__stack_size(size_t asked);

/* Returns the low end of a stack of that size (as weft__stack_size gives it); NULL: no memory. */
void *weft__stack_take(struct stacks *stacks, struct stack_cache *cache, size_t bytes);

/* cache is the calling worker's; NULL: there is none. */
void weft__stack_give(struct stacks *stacks, struct stack_cache *cache, void *low, size_t bytes);

/* Gives back the pages of some free stacks, if many have any. Returns whether there were: then call it
 * again. For who has nothing else to do. */
bool weft__stacks_trim(struct stacks *stacks);

#endif
