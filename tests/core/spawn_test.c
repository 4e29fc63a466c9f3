/*
 * spawn_test - how tasks come into being: arguments, copies, refusals, and what drop is for.
 */
#include <string.h>

#include "core/sys.h"
#include "tasks.h"

struct seen {
    int rc, other;
    _Atomic int drops, runs;
    size_t sum;
    const void *address;
    weft_future future;
};

static int writes_through_its_pointer(void *arg)
{
    ((struct seen *)arg)->other = 42;
    return 7;
}

static int spawns_with_a_pointer(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_await(weft_spawn(writes_through_its_pointer, seen));
    return 0;
}

static void a_task_gets_its_pointer_and_gives_its_status(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, spawns_with_a_pointer, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 7);
        assert_int_equal(seen.other, 42);
    }
}

static int gives_its_copy(void *arg) { return *(int *)arg; }

static int spawns_in_a_loop(void *arg)
{
    struct seen *seen = arg;
    weft_future futures[100];
    int statuses[100];

    for (int i = 0; i < 100; i++)
        futures[i] = weft_spawn_val(gives_its_copy, i);
    seen->rc = weft_gather_n(futures, 100, statuses);
    for (int i = 0; i < 100; i++)
        seen->other += statuses[i] == i;
    return 0;
}

static void a_value_is_copied_when_the_task_is_spawned(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, spawns_in_a_loop, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.other, 100);
    }
}

struct block {
    unsigned char bytes[WEFT_VAL_BYTES];
};

static int sums_its_block(void *arg)
{
    struct block *block = arg;
    int sum = (uintptr_t)arg % 16 ? -EFAULT : 0;

    for (size_t i = 0; i < sizeof block->bytes; i++) {
        sum += block->bytes[i];
        block->bytes[i] = 0; /* it is the task's own */
    }
    return sum;
}

static int spawns_a_full_block(void *arg)
{
    struct seen *seen = arg;
    struct block block;

    memset(block.bytes, 3, sizeof block.bytes);
    weft_future future = weft_spawn_val(sums_its_block, block);
    memset(block.bytes, 0, sizeof block.bytes);
    seen->rc = weft_await(future);
    return 0;
}

static void forty_eight_bytes_are_copied_whole_and_aligned(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = check_run(2, spawns_a_full_block, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 3 * WEFT_VAL_BYTES);
}

static void remembers_what_it_dropped(void *arg)
{
    struct seen **seen = arg;

    atomic_fetch_add(&(*seen)->drops, 1);
}

static int spawns_too_large_a_value(void *arg)
{
    struct seen *seen = arg;
    struct seen *large[8] = {seen};
    const weft_task_options options = {
        .drop = remembers_what_it_dropped, .val = large, .val_bytes = WEFT_VAL_BYTES + 1};

    seen->future = weft_spawn_with(&options, ends_with, NULL);
    seen->rc = weft_await(seen->future);
    seen->other = weft_await(seen->future);
    return 0;
}

static void a_value_too_large_is_e2big_each_time_and_dropped_once(void **state)
{
    struct seen seen = {.rc = 1};

    (void)state;
    int rc = check_run(1, spawns_too_large_a_value, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -E2BIG);
    assert_int_equal(seen.other, -E2BIG);
    assert_int_equal(seen.future.slot, 0);
    assert_int_equal(seen.drops, 1);
}

static int spawns_wrongly(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options options = {.stack_bytes = ((size_t)1 << 30) + 1, .drop = counts_drop};
    const weft_task_options no_function = {.drop = counts_drop};

    seen->rc = weft_await(weft_spawn_with(&options, ends_with, (void *)&seen->drops));
    seen->other = weft_await(weft_spawn_with(&no_function, NULL, (void *)&seen->drops));
    return 0;
}

static void too_large_a_stack_and_no_function_are_refused(void **state)
{
    struct seen seen = {.rc = 1};

    (void)state;
    int rc = check_run(1, spawns_wrongly, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -EINVAL);
    assert_int_equal(seen.other, -EINVAL);
    assert_int_equal(seen.drops, 2);
}

static int counts_its_run(void *arg)
{
    atomic_fetch_add(&((struct seen *)arg)->runs, 1);
    return 0;
}

static void counts_its_drop(void *arg) { atomic_fetch_add(&((struct seen *)arg)->drops, 1); }

static int spawns_with_drop(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options options = {.drop = counts_its_drop};

    seen->rc = weft_await(weft_spawn_with(&options, counts_its_run, seen));
    return 0;
}

static void a_task_that_runs_is_not_dropped(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = check_run(2, spawns_with_drop, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.runs, 1);
    assert_int_equal(seen.drops, 0);
}

static int no_mmap(const char *call) { return strcmp(call, "mmap") == 0 ? -ENOMEM : 0; }

static int spawns_without_memory_for_stacks(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options options = {.drop = counts_its_drop, .stack_bytes = 1 << 20};

    weft__sys_fault = no_mmap;
    seen->rc = weft_await(weft_spawn_with(&options, counts_its_run, seen));
    weft__sys_fault = NULL;
    return 0;
}

static void a_task_without_memory_for_its_stack_is_dropped_once_and_ends_with_enomem(void **state)
{
    struct seen seen = {.rc = 1};

    (void)state;
    int rc = check_run(1, spawns_without_memory_for_stacks, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, -ENOMEM);
    assert_int_equal(seen.runs, 0);
    assert_int_equal(seen.drops, 1);
}

static void a_spawn_outside_any_runtime_is_refused_and_dropped(void **state)
{
    struct seen seen = {.rc = 1};
    const weft_task_options options = {.drop = counts_its_drop};

    (void)state;
    weft_future future = weft_spawn_with(&options, counts_its_run, &seen);

    assert_int_equal(future.slot, 0);
    int rc = weft_await(future);
    assert_true(rc == -ENXIO || rc == -ESHUTDOWN); /* other tests have run before, or not */
    assert_int_equal(seen.runs, 0);
    assert_int_equal(seen.drops, 1);
}

/* Frames of about 4 KiB each. */
static int sinks(int depth)
{
    volatile char frame[4096];

    frame[0] = (char)depth;
    frame[sizeof frame - 1] = (char)depth;
    int below = depth > 0 ? sinks(depth - 1) : weft_yield(); /* suspends: worker, errno stale */
    return below < 0 ? below : below + (frame[0] == frame[sizeof frame - 1]);
}

static int sinks_deep(void *arg) { return sinks(*(int *)arg); }

static int spawns_deep_tasks(void *arg)
{
    struct seen *seen = arg;
    int small = 6, large = 400;
    const weft_task_options options = {.stack_bytes = 8 << 20};

    seen->rc = weft_await(weft_spawn_with(&options, sinks_deep, &large));
    seen->other = weft_await(weft_spawn(sinks_deep, &small));
    return 0;
}

static void a_task_waits_deep_down_on_a_larger_stack(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, spawns_deep_tasks, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 401);
        assert_int_equal(seen.other, 7);
    }
}

static int knows_itself(void *arg)
{
    struct seen *seen = arg;

    seen->future = weft_self();
    return 0;
}

static int asks_who_it_is(void *arg)
{
    struct seen *seen = arg;
    weft_future child = weft_spawn(knows_itself, seen);

    seen->rc = weft_await(child);
    seen->other = child.slot == seen->future.slot && child.generation == seen->future.generation;
    return 0;
}

static void a_task_knows_its_own_handle(void **state)
{
    struct seen seen = {.rc = -1};

    (void)state;
    int rc = check_run(2, asks_who_it_is, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_true(seen.other);
    assert_int_equal(weft_self().slot, 0);
}

static int spawns_many(void *arg)
{
    struct seen *seen = arg;
    enum { COUNT = 20000 };
    static weft_future futures[COUNT];

    for (int i = 0; i < COUNT; i++)
        futures[i] = weft_spawn(counts_its_run, seen);
    seen->rc = weft_gather_n(futures, COUNT, NULL);
    return 0;
}

static void twenty_thousand_tasks_run_once_each(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.rc = -1};

        int rc = check_run(n, spawns_many, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.runs, 20000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spawn_outside_any_runtime_is_refused_and_dropped),
        cmocka_unit_test(a_task_gets_its_pointer_and_gives_its_status),
        cmocka_unit_test(a_value_is_copied_when_the_task_is_spawned),
        cmocka_unit_test(forty_eight_bytes_are_copied_whole_and_aligned),
        cmocka_unit_test(a_value_too_large_is_e2big_each_time_and_dropped_once),
        cmocka_unit_test(too_large_a_stack_and_no_function_are_refused),
        cmocka_unit_test(a_task_that_runs_is_not_dropped),
        cmocka_unit_test(a_task_without_memory_for_its_stack_is_dropped_once_and_ends_with_enomem),
        cmocka_unit_test(a_task_waits_deep_down_on_a_larger_stack),
        cmocka_unit_test(a_task_knows_its_own_handle),
        cmocka_unit_test(twenty_thousand_tasks_run_once_each),
    };

    return CHECK_GROUP(tests);
}
