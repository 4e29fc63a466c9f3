/*
 * deque_test - the deque in one thread: first in, first out, growth, thieves that take half.
 */
#include "core/deque.h"

#include <errno.h>
#include <string.h>

#include "check.h"
#include "core/sys.h"
#include "core/tuning.h"

static struct task *numbered(uintptr_t number) { return (struct task *)number; }

static void what_goes_in_first_comes_out_first_through_growth(void **state)
{
    struct deque deque;
    int wrong = 0;

    (void)state;
    assert_int_equal(weft__deque_init(&deque), 0);
    for (uintptr_t i = 1; i <= 10000; i++)
        wrong += !weft__deque_push(&deque, numbered(i));
    for (uintptr_t i = 1; i <= 10000; i++)
        wrong += weft__deque_pop(&deque) != numbered(i);

    assert_int_equal(wrong, 0);
    assert_null(weft__deque_pop(&deque));
    assert_true(weft__deque_is_empty(&deque));
    weft__deque_destroy(&deque);
}

static void a_thief_takes_the_older_half_and_no_more_than_it_may(void **state)
{
    static const size_t cases[][3] = {{0, 64, 0}, {1, 64, 1},    {2, 64, 1}, {3, 64, 2},
                                      {9, 64, 5}, {200, 64, 64}, {9, 2, 2},  {100, 0, 0}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct task *tasks[64];
        struct deque deque;
        int wrong = 0;

        assert_int_equal(weft__deque_init(&deque), 0);
        for (uintptr_t n = 1; n <= cases[i][0]; n++)
            wrong += !weft__deque_push(&deque, numbered(n));
        size_t got = weft__deque_steal(&deque, tasks, cases[i][1]);
        for (size_t n = 0; n < got; n++)
            wrong += tasks[n] != numbered(n + 1);
        for (uintptr_t n = got + 1; n <= cases[i][0]; n++)
            wrong += weft__deque_pop(&deque) != numbered(n);
        weft__deque_destroy(&deque);

        assert_int_equal(got, cases[i][2]);
        assert_int_equal(wrong, 0);
    }
}

static void pushes_pops_and_steals_in_any_order_keep_the_order(void **state)
{
    uint64_t seed = check_seed();
    uintptr_t pushed = 0, taken = 0;
    struct deque deque;
    int wrong = 0;

    (void)state;
    assert_int_equal(weft__deque_init(&deque), 0);
    for (int step = 0; step < 300000; step++) {
        struct task *tasks[TUNE_STEAL_MOST], *task;

        switch (check_random(&seed) % 4) {
        case 0:
        case 1: wrong += !weft__deque_push(&deque, numbered(++pushed)); break;
        case 2:
            task = weft__deque_pop(&deque);
            wrong += task ? task != numbered(++taken) : taken != pushed;
            break;
        default:
            for (size_t i = 0, n = weft__deque_steal(&deque, tasks, TUNE_STEAL_MOST); i < n; i++)
                wrong += tasks[i] != numbered(++taken);
        }
        wrong += weft__deque_is_empty(&deque) != (pushed == taken);
    }
    weft__deque_destroy(&deque);

    assert_int_equal(wrong, 0);
}

static int no_alloc(const char *call) { return strcmp(call, "alloc") == 0 ? -ENOMEM : 0; }

static void without_memory_to_grow_a_push_is_refused_and_nothing_is_lost(void **state)
{
    struct deque deque;
    uintptr_t pushed = 0;
    int wrong = 0;

    (void)state;
    assert_int_equal(weft__deque_init(&deque), 0);
    weft__sys_fault = no_alloc;
    while (pushed < 1000000 && weft__deque_push(&deque, numbered(pushed + 1)))
        pushed++;
    weft__sys_fault = NULL;
    for (uintptr_t i = 1; i <= pushed; i++)
        wrong += weft__deque_pop(&deque) != numbered(i);
    bool works_again = weft__deque_push(&deque, numbered(1));
    weft__deque_destroy(&deque);

    assert_int_equal(pushed, TUNE_DEQUE_CAPACITY);
    assert_int_equal(wrong, 0);
    assert_true(works_again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_in_first_comes_out_first_through_growth),
        cmocka_unit_test(a_thief_takes_the_older_half_and_no_more_than_it_may),
        cmocka_unit_test(pushes_pops_and_steals_in_any_order_keep_the_order),
        cmocka_unit_test(without_memory_to_grow_a_push_is_refused_and_nothing_is_lost),
    };

    return CHECK_GROUP(tests);
}
