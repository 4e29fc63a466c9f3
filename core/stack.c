/*
 * stack - see stack.h. A worker's cache is its own; region and pool are shared, under the lock.
 */
#include "core/stack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/sys.h"

#ifndef MADV_GUARD_INSTALL
#    define MADV_GUARD_INSTALL 102
#endif

#define REGION_STACKS_FIRST ((size_t)16)
#define REGION_STACKS_MOST  ((size_t)8192)

/* Mappings left to the rest of the program when guards are made by mprotect. */
#define MAPPINGS_LEFT 768

/* Heads a list of mappings; lies in ordinary memory, so that no stack page is touched for it. */
struct stack_region {
    struct stack_region *next;
    void *at;
    size_t bytes;
};

static int guard_install(weft_guard kind, void *at)
{
    return kind == WEFT_GUARD_MADVISE ? weft__sys_madvise(at, STACK_GUARD_BYTES, MADV_GUARD_INSTALL)
                                      : weft__sys_mprotect(at, STACK_GUARD_BYTES, PROT_NONE);
}

/* Each mprotect'ed guard splits a mapping in two, and the kernel limits their number. */
static uint64_t limit_by_mappings(void)
{
    char text[32] = {0};
    int fd = weft__sys_open("/proc/sys/vm/max_map_count", O_RDONLY | O_CLOEXEC, 0);
    long most = 65530;

    if (fd >= 0) {
        if (weft__sys_read(fd, text, sizeof text - 1) > 0)
            most = strtol(text, NULL, 10);
        (void)weft__sys_close(fd); /* it was only read */
    }
    return most > 4 * MAPPINGS_LEFT ? (uint64_t)(most / 2 - MAPPINGS_LEFT) : MAPPINGS_LEFT;
}

void weft__stacks_init(struct stacks *stacks)
{
    void *probe;

    *stacks = (struct stacks){.guard = WEFT_GUARD_MPROTECT};
    if (weft__sys_mmap(STACK_GUARD_BYTES, &probe) == 0) {
        if (guard_install(WEFT_GUARD_MADVISE, probe) == 0)
            stacks->guard = WEFT_GUARD_MADVISE;
        weft__sys_munmap(probe, STACK_GUARD_BYTES);
    }
    if (stacks->guard == WEFT_GUARD_MPROTECT)
        stacks->limit = limit_by_mappings();
}

void weft__stacks_destroy(struct stacks *stacks)
{
    while (stacks->regions) {
        struct stack_region *region = stacks->regions;

        stacks->regions = region->next;
        weft__sys_munmap(region->at, region->bytes);
        weft__sys_free(region);
    }
    weft__sys_free(stacks->pool);
    *stacks = (struct stacks){0};
}

size_t weft__stack_size(size_t asked)
{
    size_t bytes = STACK_BYTES;

    while (bytes < asked)
        bytes *= 2;
    return bytes;
}

static bool region_add_locked(struct stacks *stacks)
{
    size_t count = stacks->region_stacks ? stacks->region_stacks * 2 : REGION_STACKS_FIRST;
    struct stack_region *region = weft__sys_alloc(sizeof *region);

    if (!region)
        return false;
    if (count > REGION_STACKS_MOST)
        count = REGION_STACKS_MOST;
    region->bytes = count * (STACK_GUARD_BYTES + STACK_BYTES);
    if (weft__sys_mmap(region->bytes, &region->at) < 0) {
        weft__sys_free(region);
        return false;
    }
    /* A huge page would make the first touch of one stack the memory of sixteen. */
    (void)weft__sys_madvise(region->at, region->bytes, MADV_NOHUGEPAGE); /* kernels without: fine */
    region->next = stacks->regions;
    stacks->regions = region;
    stacks->region_stacks = count;
    stacks->next = region->at;
    stacks->left = count;
    return true;
}

/* Carves a new stack; its guard is still missing. */
static char *carve_locked(struct stacks *stacks)
{
    char *base;

    if (stacks->limit && stacks->made >= stacks->limit)
        return NULL;
    if (stacks->left == 0 && !region_add_locked(stacks))
        return NULL;
    base = stacks->next;
    stacks->next += STACK_GUARD_BYTES + STACK_BYTES;
    stacks->left--;
    stacks->made++;
    return base;
}

static void pool_give(struct stacks *stacks, void *low)
{
    lock_acquire(&stacks->lock);
    size_t count = load_relaxed(&stacks->pool_count); /* relaxed: under the lock */

    if (count == stacks->pool_capacity) {
        size_t capacity = stacks->pool_capacity ? stacks->pool_capacity * 2 : 256;
        void **pool = weft__sys_realloc(stacks->pool, capacity * sizeof *pool);

        if (!pool) { /* forgotten until the runtime ends: memory is short, but nothing breaks */
            lock_release(&stacks->lock);
            return;
        }
        stacks->pool = pool;
        stacks->pool_capacity = capacity;
    }
    stacks->pool[count] = low;
    store_relaxed(&stacks->pool_count, count + 1); /* relaxed: under the lock */
    lock_release(&stacks->lock);
}

static void *take_shared(struct stacks *stacks)
{
    char *base = NULL;
    void *low = NULL;

    lock_acquire(&stacks->lock);
    size_t count = load_relaxed(&stacks->pool_count); /* relaxed: under the lock */

    if (count > 0) {
        low = stacks->pool[count - 1];
        store_relaxed(&stacks->pool_count, count - 1); /* relaxed: under the lock */
    } else {
        base = carve_locked(stacks);
    }
    lock_release(&stacks->lock);
    if (!base)
        return low;
    if (guard_install(stacks->guard, base) < 0) {
        /* An unguarded stack is never used: its guard would be missing silently. */
        return NULL;
    }
    return base + STACK_GUARD_BYTES;
}

/* A stack larger than usual has a mapping of its own. */
static void *take_large(struct stacks *stacks, size_t bytes)
{
    void *at;

    if (weft__sys_mmap(STACK_GUARD_BYTES + bytes, &at) < 0)
        return NULL;
    if (guard_install(stacks->guard, at) < 0) {
        weft__sys_munmap(at, STACK_GUARD_BYTES + bytes);
        return NULL;
    }
    return (char *)at + STACK_GUARD_BYTES;
}

void *weft__stack_take(struct stacks *stacks, struct stack_cache *cache, size_t bytes)
{
    if (bytes != STACK_BYTES)
        return take_large(stacks, bytes);
    if (cache->count > 0)
        return cache->stacks[--cache->count];
    return take_shared(stacks);
}

void weft__stack_give(struct stacks *stacks, struct stack_cache *cache, void *low, size_t bytes)
{
    if (bytes != STACK_BYTES) {
        weft__sys_munmap((char *)low - STACK_GUARD_BYTES, STACK_GUARD_BYTES + bytes);
        return;
    }
    if (cache->count < TUNE_STACK_CACHE) {
        cache->stacks[cache->count++] = low;
        return;
    }
    if (load_relaxed(&stacks->pool_count) >= TUNE_STACK_POOL)     /* relaxed: only a hint */
        (void)weft__sys_madvise(low, STACK_BYTES, MADV_DONTNEED); /* else the pages stay: no harm */
    pool_give(stacks, low);
}
