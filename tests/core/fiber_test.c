/*
 * fiber_test - what a task keeps over a wait: callee-saved registers, floating-point control words,
 * its stack, whichever thread it goes on on.
 */
#include "core/fiber.h"

#include <fenv.h>
#include <string.h>

#include "tasks.h"

#define TASKS  24
#define ROUNDS 200

struct seen {
    _Atomic int wrong, moved;
    int rc;
};

struct walker {
    struct seen *seen;
    uint64_t number;
};

/* So many values live over the wait that the compiler keeps some in every callee-saved register. */
static int keeps_registers(void *arg)
{
    struct walker *walker = arg;
    uint64_t a = walker->number, b = a * 3, c = a * 5, d = a * 7, e = a * 11, f = a * 13;

    for (int i = 0; i < ROUNDS; i++) {
        if (weft_yield() < 0)
            return -ECANCELED;
        a += b ^ c;
        b += c ^ d;
        c += d ^ e;
        d += e ^ f;
        e += f ^ a;
        f += a ^ b;
    }
    walker->number = a ^ b ^ c ^ d ^ e ^ f;
    return 0;
}

static uint64_t without_waiting(uint64_t number)
{
    uint64_t a = number, b = a * 3, c = a * 5, d = a * 7, e = a * 11, f = a * 13;

    for (int i = 0; i < ROUNDS; i++) {
        a += b ^ c;
        b += c ^ d;
        c += d ^ e;
        d += e ^ f;
        e += f ^ a;
        f += a ^ b;
    }
    return a ^ b ^ c ^ d ^ e ^ f;
}

static int spawns_walkers(void *arg)
{
    struct seen *seen = arg;
    struct walker walkers[TASKS];
    weft_future futures[TASKS];

    for (uint64_t i = 0; i < TASKS; i++) {
        walkers[i] = (struct walker){seen, i * 0x123456789abcdefu + 1};
        futures[i] = weft_spawn(keeps_registers, &walkers[i]);
    }
    seen->rc = weft_gather_n(futures, TASKS, NULL);
    for (uint64_t i = 0; i < TASKS; i++)
        if (walkers[i].number != without_waiting(i * 0x123456789abcdefu + 1))
            atomic_fetch_add(&seen->wrong, 1);
    return 0;
}

static void registers_survive_waits_and_migration(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, spawns_walkers, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.wrong, 0);
    }
}

/* Each task rounds in its own direction, all the time. */
static int keeps_its_rounding(void *arg)
{
    static const int modes[4] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    struct walker *walker = arg;
    int mode = modes[walker->number % 4];

    if (fegetround() != FE_TONEAREST || fesetround(mode) != 0)
        atomic_fetch_add(&walker->seen->wrong, 1); /* a fresh task begins with the default */
    for (int i = 0; i < ROUNDS; i++) {
        if (weft_yield() < 0)
            return -ECANCELED;

        volatile double third = 1.0, three = 3.0;
        volatile long double long_third = 1.0L;
        double back = third / three * three;

        third = third / three;
        long_third = long_third / three;
        bool is_high = third * 1.0 > 0.33333333333333331; /* the nearest is below a third */
        if (fegetround() != mode || is_high != (mode == FE_UPWARD) || back > 1.1)
            atomic_fetch_add(&walker->seen->wrong, 1);
#if defined(__x86_64__)
        /* The x87 unit has a control word of its own: the nearest is above a third here. */
        bool is_above = long_third > 0.333333333333333333315L;
        if (is_above != (mode == FE_UPWARD || mode == FE_TONEAREST))
            atomic_fetch_add(&walker->seen->wrong, 1);
#endif
    }
    return 0;
}

static int spawns_rounders(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[TASKS];

    for (uint64_t i = 0; i < TASKS; i++)
        futures[i] = weft_spawn_val(keeps_its_rounding, ((struct walker){seen, i}));
    seen->rc = weft_gather_n(futures, TASKS, NULL);
    if (fegetround() != FE_TONEAREST)
        atomic_fetch_add(&seen->wrong, 1);
    return 0;
}

static void rounding_modes_belong_to_their_task(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, spawns_rounders, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.wrong, 0);
        assert_int_equal(fegetround(), FE_TONEAREST);
    }
}

/* Fills its stack with its own number, waits, and looks whether it is still there. */
static int keeps_its_stack(void *arg)
{
    struct walker *walker = arg;
    volatile uint64_t own[1000];

    for (size_t i = 0; i < 1000; i++)
        own[i] = walker->number + i;
    for (int round = 0; round < 20; round++) {
        if (weft_yield() < 0)
            return -ECANCELED;
        for (size_t i = 0; i < 1000; i++)
            if (own[i] != walker->number + i)
                atomic_fetch_add(&walker->seen->wrong, 1);
    }
    return 0;
}

static int spawns_stack_users(void *arg)
{
    struct seen *seen = arg;
    static weft_future futures[400];

    for (int wave = 0; wave < 3; wave++) {
        for (uint64_t i = 0; i < 400; i++)
            futures[i] = weft_spawn_val(keeps_its_stack, ((struct walker){seen, i << 32}));
        seen->rc = weft_gather_n(futures, 400, NULL);
        if (seen->rc < 0)
            break;
    }
    return 0;
}

static void stacks_are_not_shared(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, spawns_stack_users, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.wrong, 0);
    }
}

static int errno_is_its_own(void *arg)
{
    struct walker *walker = arg;

    errno = (int)walker->number;
    (void)!weft_sleep(-1); /* suspends: worker, errno stale */
    return 0;
}

static int spawns_errno_setters(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[TASKS];

    for (uint64_t i = 0; i < TASKS; i++)
        futures[i] = weft_spawn_val(errno_is_its_own, ((struct walker){seen, 1000 + i}));
    seen->rc = weft_gather_n(futures, TASKS, NULL);
    return 0;
}

static void the_callers_errno_is_untouched_by_a_run(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    errno = 4711;
    int rc = check_run(3, spawns_errno_setters, &seen);
    int saved = errno;

    assert_int_equal(rc, 0);
    assert_int_equal(saved, 4711);
}

/* --- the switch alone, without workers -------------------------------------------------------- */

static struct fiber main_fiber, other_fiber;
static int steps[8], step_count;
static char other_stack[256 * 1024] __attribute__((aligned(64)));

static void other_entry(void *arg)
{
    weft__fiber_arrive(&other_fiber);
    for (int i = 0; i < 3; i++) {
        steps[step_count++] = *(int *)arg + i;
        weft__fiber_switch(&other_fiber, &main_fiber);
    }
    steps[step_count++] = (int)((uintptr_t)__builtin_frame_address(0) % 16);
    weft__fiber_leave(&other_fiber, &main_fiber);
}

static void two_contexts_take_turns_on_an_aligned_stack(void **state)
{
    int base = 100;

    (void)state;
    step_count = 0;
    weft__fiber_init_thread(&main_fiber);
    weft__fiber_init(&other_fiber, other_stack, sizeof other_stack, other_entry, &base);
    for (int i = 0; i < 4; i++)
        weft__fiber_switch(&main_fiber, &other_fiber);
    weft__fiber_destroy(&other_fiber);

    assert_int_equal(step_count, 4);
    assert_int_equal(steps[0], 100);
    assert_int_equal(steps[1], 101);
    assert_int_equal(steps[2], 102);
    assert_int_equal(steps[3], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_survive_waits_and_migration),
        cmocka_unit_test(rounding_modes_belong_to_their_task),
        cmocka_unit_test(stacks_are_not_shared),
        cmocka_unit_test(the_callers_errno_is_untouched_by_a_run),
        cmocka_unit_test(two_contexts_take_turns_on_an_aligned_stack),
    };

    return CHECK_GROUP(tests);
}
