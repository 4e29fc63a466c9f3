/*
 * stack - see stack.h. A worker's cache is its own; region and pool are shared, under the lock.
 */
#include "core/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
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

static int guard_by_madvise(void *at)
{
    return weft__sys_madvise(at, STACK_GUARD_BYTES, MADV_GUARD_INSTALL);
}

/* Memory that the program locks (mlockall) takes no guard but mprotect's: -EINVAL. */
static int guard_install(weft_guard kind, void *at)
{
    int rc = kind == WEFT_GUARD_MADVISE ? guard_by_madvise(at) : -EINVAL;

    return rc == -EINVAL ? weft__sys_mprotect(at, STACK_GUARD_BYTES, PROT_NONE) : rc;
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
        if (guard_by_madvise(probe) == 0)
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

/* Carves up to `most` new stacks, side by side; their guards are still missing. */
static char *carve_locked(struct stacks *stacks, size_t most, size_t *ret_count)
{
    char *base;

    *ret_count = 0;
    if (stacks->limit && most > stacks->limit - stacks->made)
        most = (size_t)(stacks->limit - stacks->made);
    if (most == 0 || (stacks->left == 0 && !region_add_locked(stacks)))
        return NULL;
    if (most > stacks->left)
        most = stacks->left;
    base = stacks->next;
    stacks->next += most * (STACK_GUARD_BYTES + STACK_BYTES);
    stacks->left -= most;
    stacks->made += most;
    *ret_count = most;
    return base;
}

/* --- the pool: cold ones first, whose pages have been given back, then warm ones -------------- */

static bool pool_push_locked(struct stacks *stacks, void *low)
{
    if (stacks->pool_count == stacks->pool_capacity) {
        size_t capacity = stacks->pool_capacity ? stacks->pool_capacity * 2 : 256;
        void **pool = weft__sys_realloc(stacks->pool, capacity * sizeof *pool);

        if (!pool)
            return false; /* forgotten until the runtime ends: memory is short, but nothing breaks */
        stacks->pool = pool;
        stacks->pool_capacity = capacity;
    }
    stacks->pool[stacks->pool_count++] = low;
    return true;
}

static void *pool_pop_locked(struct stacks *stacks)
{
    void *low = stacks->pool[--stacks->pool_count];

    if (stacks->cold_count > stacks->pool_count)
        stacks->cold_count = stacks->pool_count;
    return low;
}

/* Takes warm ones that have waited longest out of the pool, if there are more than `most`. */
static size_t pool_take_warm_locked(struct stacks *stacks, size_t most, void **lows)
{
    size_t warm = stacks->pool_count - stacks->cold_count;
    size_t count = warm > most ? warm - most : 0;

    if (count > TUNE_STACK_BATCH)
        count = TUNE_STACK_BATCH;
    for (size_t i = 0; i < count; i++) {
        lows[i] = stacks->pool[stacks->cold_count + i];
        stacks->pool[stacks->cold_count + i] = stacks->pool[--stacks->pool_count];
    }
    return count;
}

static void pool_add_cold_locked(struct stacks *stacks, void *low)
{
    if (!pool_push_locked(stacks, low))
        return;
    stacks->pool[stacks->pool_count - 1] = stacks->pool[stacks->cold_count];
    stacks->pool[stacks->cold_count++] = low;
}

static int by_address(const void *left, const void *right)
{
    uintptr_t a = (uintptr_t) * (void *const *)left, b = (uintptr_t) * (void *const *)right;

    return (a > b) - (a < b);
}

/* Gives the pages back, with one call for neighbours: each call interrupts the other processors. A
 * guard between two of them survives that (MADV_DONTNEED leaves guards alone). */
static void give_pages_back(struct stacks *stacks, void **lows, size_t count)
{
    size_t stride = STACK_GUARD_BYTES + STACK_BYTES;

    qsort(lows, count, sizeof *lows, by_address);
    for (size_t i = 0, next; i < count; i = next) {
        for (next = i + 1; next < count && (char *)lows[next] == (char *)lows[next - 1] + stride;)
            next++;
        (void)weft__sys_madvise(lows[i], (next - i - 1) * stride + STACK_BYTES,
                                MADV_DONTNEED); /* else they stay: no harm */
    }
    lock_acquire(&stacks->lock);
    for (size_t i = 0; i < count; i++)
        pool_add_cold_locked(stacks, lows[i]);
    lock_release(&stacks->lock);
}

static void pool_give(struct stacks *stacks, void *low)
{
    void *lows[TUNE_STACK_BATCH];
    size_t warm, count = 0;

    lock_acquire(&stacks->lock);
    (void)pool_push_locked(stacks, low);
    warm = stacks->pool_count - stacks->cold_count;
    if (warm >= TUNE_STACK_WARM + TUNE_STACK_BATCH)
        count = pool_take_warm_locked(stacks, TUNE_STACK_WARM, lows);
    store_relaxed(&stacks->warm, (uint32_t)(warm - count)); /* relaxed: a hint */
    lock_release(&stacks->lock);
    if (count > 0)
        give_pages_back(stacks, lows, count);
}

bool weft__stacks_trim(struct stacks *stacks)
{
    void *lows[TUNE_STACK_BATCH];
    size_t count;

    if (load_relaxed(&stacks->warm) <= TUNE_STACK_POOL) /* relaxed: a hint */
        return false;
    lock_acquire(&stacks->lock);
    count = pool_take_warm_locked(stacks, TUNE_STACK_POOL, lows);
    /* relaxed: a hint */
    store_relaxed(&stacks->warm, (uint32_t)(stacks->pool_count - stacks->cold_count));
    lock_release(&stacks->lock);
    if (count > 0)
        give_pages_back(stacks, lows, count);
    return count > 0;
}

/* Guards a stack and puts it into the worker's cache. One whose guard cannot be made now is never
 * used, and waits for the next try: it counts against the limit. */
static void guard(struct stacks *stacks, struct stack_cache *cache, char *low)
{
    if (guard_install(stacks->guard, low - STACK_GUARD_BYTES) == 0) {
        cache->stacks[cache->count++] = low;
        return;
    }
    lock_acquire(&stacks->lock);
    *(void **)(void *)low = stacks->bare;
    stacks->bare = low;
    lock_release(&stacks->lock);
}

static void *bare_pop_locked(struct stacks *stacks)
{
    void *low = stacks->bare;

    if (low)
        stacks->bare = *(void **)low;
    return low;
}

/* Fills the worker's cache with fresh neighbours: whoever uses them together gives them back
 * together, so that their pages can go in one call. */
static void carve(struct stacks *stacks, struct stack_cache *cache)
{
    size_t count = 0;
    char *base = NULL;

    lock_acquire(&stacks->lock);
    void *bare = bare_pop_locked(stacks);
    if (!bare)
        base = carve_locked(stacks, TUNE_STACK_CACHE / 2 + 1, &count);
    lock_release(&stacks->lock);
    if (bare)
        guard(stacks, cache, bare);
    while (count-- > 0) /* the last first, so that they are taken in order */
        guard(stacks, cache, base + count * (STACK_GUARD_BYTES + STACK_BYTES) + STACK_GUARD_BYTES);
}

static void *take_shared(struct stacks *stacks, struct stack_cache *cache)
{
    void *low = NULL;

    lock_acquire(&stacks->lock);
    if (stacks->pool_count > 0)
        low = pool_pop_locked(stacks);
    lock_release(&stacks->lock);
    if (low)
        return low;
    carve(stacks, cache);
    return cache->count > 0 ? cache->stacks[--cache->count] : NULL;
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
    return take_shared(stacks, cache);
}

void weft__stack_give(struct stacks *stacks, struct stack_cache *cache, void *low, size_t bytes)
{
    if (bytes != STACK_BYTES) {
        weft__sys_munmap((char *)low - STACK_GUARD_BYTES, STACK_GUARD_BYTES + bytes);
        return;
    }
    if (cache && cache->count < TUNE_STACK_CACHE) {
        cache->stacks[cache->count++] = low;
        return;
    }
    pool_give(stacks, low);
}
