/*
 * slab_test - slots of type-stable memory: found by number, one owner each, old handles stale.
 */
#include "core/slab.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "core/sys.h"

static struct slab *fresh_slab(uint32_t generation)
{
    struct slab *slab = weft__sys_alloc(sizeof *slab);

    assert_non_null(slab);
    weft__slab_init(slab, generation);
    return slab;
}

static void slab_end(struct slab *slab)
{
    weft__slab_destroy(slab);
    weft__sys_free(slab);
}

static uint32_t generation_of(struct future *future)
{
    return future_generation(load_seq(&future->state));
}

static void a_slot_is_found_by_its_number_and_grows_a_generation_with_each_use(void **state)
{
    struct slab *slab = fresh_slab(7);

    (void)state;
    struct future *first = weft__slab_take(slab, NULL);
    uint32_t slot = first->slot;
    assert_int_equal(generation_of(first), 7);
    assert_ptr_equal(weft__slab_at(slab, slot), first);
    weft__slab_give(slab, NULL, first);
    struct future *again = weft__slab_take(slab, NULL);

    assert_ptr_equal(again, first);
    assert_int_equal(again->slot, slot);
    assert_int_equal(generation_of(again), 8);
    weft__slab_give(slab, NULL, again);
    slab_end(slab);
}

static void a_generation_that_wraps_skips_zero(void **state)
{
    struct slab *slab = fresh_slab(UINT32_MAX);

    (void)state;
    struct future *future = weft__slab_take(slab, NULL);
    weft__slab_give(slab, NULL, future);
    future = weft__slab_take(slab, NULL);

    assert_int_equal(generation_of(future), 1);
    weft__slab_give(slab, NULL, future);
    slab_end(slab);
}

static void numbers_that_never_were_give_nothing(void **state)
{
    struct slab *slab = fresh_slab(1);

    (void)state;
    assert_null(weft__slab_at(slab, 0));
    assert_null(weft__slab_at(slab, 1));
    assert_null(weft__slab_at(slab, CHUNK_SLOTS * CHUNKS_MOST));
    assert_null(weft__slab_at(slab, UINT32_MAX));
    assert_int_equal(weft__slab_used(slab), 0);
    slab_end(slab);
}

#define HELD   5000
#define CACHES 3

/* Random takes and gives through several caches and without one: nobody gets what another holds. */
static void no_slot_is_handed_out_twice(void **state)
{
    struct slab *slab = fresh_slab(1);
    static struct slot_cache caches[CACHES];
    static struct future *held[HELD];
    uint64_t seed = check_seed();
    int twice = 0, none = 0;
    uint32_t most = 0, count = 0;

    (void)state;
    memset(caches, 0, sizeof caches);
    memset(held, 0, sizeof held);
    for (int step = 0; step < 400000; step++) {
        uint64_t random = check_random(&seed);
        struct slot_cache *cache = random % 4 == 3 ? NULL : &caches[random % 4];
        uint32_t at = (uint32_t)(random >> 8) % HELD;

        if (held[at]) {
            twice += held[at]->site != (const char *)&held[at];
            weft__slab_give(slab, cache, held[at]);
            held[at] = NULL;
            count--;
        } else if ((held[at] = weft__slab_take(slab, cache))) {
            held[at]->site = (const char *)&held[at];
            count++;
        } else {
            none++;
        }
        if (count > most)
            most = count;
    }
    for (int i = 0; i < CACHES; i++)
        weft__slab_flush(slab, &caches[i]);
    uint32_t used = weft__slab_used(slab);
    slab_end(slab);

    assert_int_equal(twice, 0);
    assert_int_equal(none, 0);
    /* Free ones wait in caches, but they are not forgotten. */
    assert_true(used <= most + CACHES * 2 * TUNE_SLOT_BATCH + TUNE_SLOT_BATCH);
}

/* As when a thread spawns detached tasks, which workers free. */
static void slots_given_back_by_a_worker_serve_a_thread_without_a_cache(void **state)
{
    struct slab *slab = fresh_slab(1);
    struct slot_cache cache = {0};

    (void)state;
    for (int i = 0; i < 50000; i++)
        weft__slab_give(slab, &cache, weft__slab_take(slab, NULL));
    uint32_t used = weft__slab_used(slab);
    slab_end(slab);

    assert_true(used <= 4 * TUNE_SLOT_BATCH);
}

static int no_mmap(const char *call) { return strcmp(call, "mmap") == 0 ? -ENOMEM : 0; }

static void without_memory_there_is_no_slot_but_a_free_one_serves(void **state)
{
    struct slab *slab = fresh_slab(1);
    struct slot_cache cache = {0};
    struct future *none, *kept, *got;

    (void)state;
    weft__sys_fault = no_mmap;
    none = weft__slab_take(slab, &cache);
    weft__sys_fault = NULL;
    kept = weft__slab_take(slab, NULL);
    weft__slab_give(slab, NULL, kept);
    weft__sys_fault = no_mmap;
    got = weft__slab_take(slab, NULL);
    weft__sys_fault = NULL;

    assert_null(none);
    assert_ptr_equal(got, kept);
    slab_end(slab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slot_is_found_by_its_number_and_grows_a_generation_with_each_use),
        cmocka_unit_test(a_generation_that_wraps_skips_zero),
        cmocka_unit_test(numbers_that_never_were_give_nothing),
        cmocka_unit_test(no_slot_is_handed_out_twice),
        cmocka_unit_test(slots_given_back_by_a_worker_serve_a_thread_without_a_cache),
        cmocka_unit_test(without_memory_there_is_no_slot_but_a_free_one_serves),
    };

    return CHECK_GROUP(tests);
}
