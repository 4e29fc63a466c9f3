/*
 * opslot_test - keys of operations: unique, found while in flight, never found again.
 */
#include "core/opslot.h"

#include "check.h"

#define MANY 1000 /* more than one chunk */

static bool is_found(struct opslots *slots, uint64_t key)
{
    lock_acquire(&slots->lock);
    bool found = weft__opslot_find(slots, key) != NULL;
    lock_release(&slots->lock);
    return found;
}

static void give(struct opslots *slots, uint64_t key)
{
    lock_acquire(&slots->lock);
    weft__opslot_give(slots, key);
    lock_release(&slots->lock);
}

static void a_key_is_found_until_it_is_given_back(void **state)
{
    struct opslots slots = {.free = 0};
    uint64_t keys[MANY];

    (void)state;
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(weft__opslot_take(&slots, &keys[i]), 0);
        assert_true(keys[i] > UINT32_MAX);
    }
    for (int i = 0; i < MANY; i += 2)
        give(&slots, keys[i]);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(is_found(&slots, keys[i]), i % 2);
    weft__opslots_destroy(&slots);
}

static void a_slot_that_is_used_again_has_another_key(void **state)
{
    struct opslots slots = {.free = 0};
    uint64_t old, young;

    (void)state;
    assert_int_equal(weft__opslot_take(&slots, &old), 0);
    give(&slots, old);
    assert_int_equal(weft__opslot_take(&slots, &young), 0);

    assert_int_equal((uint32_t)old, (uint32_t)young);
    assert_true(old != young);
    assert_false(is_found(&slots, old));
    assert_true(is_found(&slots, young));
    weft__opslots_destroy(&slots);
}

static void a_cancel_is_handed_out_once_and_only_while_in_flight(void **state)
{
    struct opslots slots = {.free = 0};
    uint64_t kept, ended, again;

    (void)state;
    assert_int_equal(weft__opslot_take(&slots, &kept), 0);
    assert_int_equal(weft__opslot_take(&slots, &ended), 0);
    weft__opslot_ask_cancel(&slots, ended);
    weft__opslot_ask_cancel(&slots, kept);
    weft__opslot_ask_cancel(&slots, kept);
    give(&slots, ended);
    weft__opslot_ask_cancel(&slots, ended);

    assert_int_equal(weft__opslot_next_cancel(&slots), kept);
    assert_int_equal(weft__opslot_next_cancel(&slots), 0);
    assert_int_equal(weft__opslot_take(&slots, &again), 0); /* the slot is free again */
    assert_int_equal((uint32_t)again, (uint32_t)ended);
    assert_int_equal(load_relaxed(&slots.used), 2); /* relaxed: one thread */
    weft__opslots_destroy(&slots);
}

static void keys_that_never_were_are_not_found(void **state)
{
    struct opslots slots = {.free = 0};

    (void)state;
    assert_false(is_found(&slots, 0));
    assert_false(is_found(&slots, UINT64_MAX));
    weft__opslot_ask_cancel(&slots, (uint64_t)1 << 32);
    assert_int_equal(weft__opslot_next_cancel(&slots), 0);
    weft__opslots_destroy(&slots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_is_found_until_it_is_given_back),
        cmocka_unit_test(a_slot_that_is_used_again_has_another_key),
        cmocka_unit_test(a_cancel_is_handed_out_once_and_only_while_in_flight),
        cmocka_unit_test(keys_that_never_were_are_not_found),
    };

    return CHECK_GROUP(tests);
}
