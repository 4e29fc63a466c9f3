/*
 * local_test - values that a task sets and that its tasks inherit; each is destroyed once.
 */
#include <stdlib.h>
#include <string.h>

#include "core/sys.h"
#include "tasks.h"

static _Atomic int destroyed;

static void counts_destruction(void *value)
{
    (void)value;
    atomic_fetch_add(&destroyed, 1);
}

static weft_local name = WEFT_LOCAL_INIT(NULL);
static weft_local counted = WEFT_LOCAL_INIT(counts_destruction);
static weft_local freed = WEFT_LOCAL_INIT(free);

struct seen {
    int rc;
    const void *first, *second, *third, *fourth;
    int counts[8];
    _Atomic int count, started, go;
    weft_scope scope;
};

static int sets_and_gets(void *arg)
{
    struct seen *seen = arg;

    seen->first = weft_local_get(&name);
    seen->rc = weft_local_set(&name, "a");
    seen->second = weft_local_get(&name);
    seen->rc += weft_local_set(&counted, "b") + weft_local_set(&name, "c");
    seen->third = weft_local_get(&name);
    seen->rc += weft_local_set(&name, NULL) + weft_local_set(&name, NULL);
    seen->fourth = weft_local_get(&name);
    seen->rc += strcmp(weft_local_get(&counted), "b");
    return weft_yield();
}

static void a_value_can_be_set_replaced_and_taken_away(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {.first = "x", .fourth = "x"};

        int rc = check_run(n, sets_and_gets, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_null(seen.first);
        assert_string_equal(seen.second, "a");
        assert_string_equal(seen.third, "c");
        assert_null(seen.fourth);
    }
}

static int looks_and_sets_its_own(void *arg)
{
    struct seen *seen = arg;

    until_set(&seen->go); /* the spawner has set another meanwhile */
    seen->first = weft_local_get(&name);
    seen->rc += weft_local_set(&name, "child's");
    seen->second = weft_local_get(&name);
    return 0;
}

static int spawns_heirs(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_local_set(&name, "first");
    weft_future child = weft_spawn(looks_and_sets_its_own, seen);
    seen->rc += weft_local_set(&name, "second");
    atomic_store(&seen->go, 1);
    seen->rc += weft_await(child);
    seen->third = weft_local_get(&name);
    return 0;
}

static void a_task_inherits_what_its_spawner_had_then_and_neither_sees_later_ones(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        int rc = check_run(n, spawns_heirs, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_string_equal(seen.first, "first");
        assert_string_equal(seen.second, "child's");
        assert_string_equal(seen.third, "second");
    }
}

static int looks(void *arg)
{
    const void **ret_value = arg;

    *ret_value = weft_local_get(&name);
    return 0;
}

static int spawns_in_every_way(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_local_set(&name, "mine") + weft_scope_open(&seen->scope);
    (void)weft_scope_spawn(&seen->scope, looks, (void *)&seen->first);
    seen->rc += weft_scope_start(&seen->scope, looks, (void *)&seen->second) == -EPROTO ? 0 : -1;
    seen->rc += weft_run(looks, (void *)&seen->third); /* as a child */
    seen->rc += weft_scope_close(&seen->scope, 0);
    seen->rc += weft_timeout(weft_s(1000), looks, (void *)&seen->fourth); /* the same task */
    return seen->rc;
}

static void members_and_nested_runs_inherit_too(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(2, spawns_in_every_way, &seen);

    assert_int_equal(rc, 0);
    assert_string_equal(seen.first, "mine");
    assert_string_equal(seen.second, "mine");
    assert_string_equal(seen.third, "mine");
    assert_string_equal(seen.fourth, "mine");
}

static int lives_on(void *arg)
{
    struct seen *seen = arg;

    atomic_fetch_add(&seen->started, 1);
    until_set(&seen->go);
    return 0;
}

static int counts_destructions(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_local_set(&counted, "1");
    seen->counts[0] = atomic_load(&destroyed);
    seen->rc += weft_local_set(&counted, "2"); /* nobody else had the first */
    seen->counts[1] = atomic_load(&destroyed);
    weft_future heir = weft_spawn(lives_on, seen);
    seen->rc += weft_local_set(&counted, "3"); /* the heir has the second */
    seen->counts[2] = atomic_load(&destroyed);
    atomic_store(&seen->go, 1);
    seen->rc += weft_await(heir);
    seen->counts[3] = atomic_load(&destroyed);
    seen->rc += weft_local_set(&counted, NULL);
    seen->counts[4] = atomic_load(&destroyed);
    return weft_local_set(&counted, "4"); /* dies with the task */
}

static void a_value_is_destroyed_once_when_the_last_task_has_let_go_of_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        atomic_store(&destroyed, 0);
        int rc = check_run(n, counts_destructions, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.rc, 0);
        assert_int_equal(seen.counts[0], 0);
        assert_int_equal(seen.counts[1], 1);
        assert_int_equal(seen.counts[2], 1);
        assert_int_equal(seen.counts[3], 2);
        assert_int_equal(seen.counts[4], 3);
        assert_int_equal(destroyed, 4);
    }
}

static int serves_for_long(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_local_set(&name, "server");
    for (int i = 0; i < 1000; i++) {
        int rc = weft_local_set(&counted, "request");

        if (rc == 0)
            rc = weft_await(weft_spawn(yields, &(int){1}));
        if (rc < 0)
            return rc;
    }
    seen->counts[0] = atomic_load(&destroyed);
    return 0;
}

static void a_loop_that_sets_and_spawns_keeps_nothing(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        atomic_store(&destroyed, 0);
        int rc = check_run(n, serves_for_long, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.counts[0], 999); /* all but the present one */
        assert_int_equal(destroyed, 1000);
    }
}

#define KEYS 40

static weft_local many[KEYS];

static int uses_many_keys(void *arg)
{
    struct seen *seen = arg;
    char *values = arg; /* any addresses do */

    for (int i = 0; i < KEYS; i++)
        seen->rc += weft_local_set(&many[i], values + i);
    for (int i = 0; i < KEYS; i += 2)
        seen->rc += weft_local_set(&many[i], NULL);
    for (int i = 0; i < KEYS; i++)
        seen->count += weft_local_get(&many[i]) == (i % 2 ? values + i : NULL);
    return 0;
}

static void many_keys_do_not_get_in_each_others_way(void **state)
{
    struct seen seen = {0};

    (void)state;
    int rc = check_run(1, uses_many_keys, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.rc, 0);
    assert_int_equal(seen.count, KEYS);
}

static int sets_again(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_local_set(&freed, strdup("a request"));
    return 0;
}

static weft_local late = WEFT_LOCAL_INIT(counts_destruction);

static void sets_another(void *value)
{
    (void)value;
    (void)!weft_local_set(&late, "late");
}

static weft_local first_to_go = WEFT_LOCAL_INIT(sets_another);

static int leaves_values(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_await(weft_spawn(sets_again, seen));
    return weft_local_set(&first_to_go, "x");
}

static void a_destroy_function_may_set_a_value_which_is_destroyed_too(void **state)
{
    struct seen seen = {0};

    (void)state;
    atomic_store(&destroyed, 0);
    int rc = check_run(1, leaves_values, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(destroyed, 1);
}

static void outside_a_task_there_are_no_values(void **state)
{
    (void)state;

    assert_int_equal(weft_local_set(&name, "x"), -EPERM);
    assert_null(weft_local_get(&name));
}

/* --- no memory ------------------------------------------------------------------------------- */

static _Atomic int fail_at; /* 1: the next allocation; 0: none */

static int fails_an_allocation(const char *call)
{
    if (strcmp(call, "alloc") != 0 || atomic_load(&fail_at) == 0)
        return 0;
    return atomic_fetch_sub(&fail_at, 1) == 1 ? -ENOMEM : 0;
}

static int sets_without_memory(void *arg)
{
    struct seen *seen = arg;

    seen->rc = weft_local_set(&counted, "old");
    for (int i = 1; i <= 2; i++) {
        atomic_store(&fail_at, i);
        seen->counts[i] = weft_local_set(i == 1 ? &counted : &name, "new");
        atomic_store(&fail_at, 0);
    }
    seen->first = weft_local_get(&counted);
    seen->second = weft_local_get(&name);
    seen->counts[0] = atomic_load(&destroyed);
    return 0;
}

static void without_memory_the_old_values_stay(void **state)
{
    struct seen seen = {0};

    (void)state;
    atomic_store(&destroyed, 0);
    weft__sys_fault = fails_an_allocation;
    int rc = check_run(1, sets_without_memory, &seen);
    weft__sys_fault = NULL;

    assert_int_equal(rc, 0);
    assert_int_equal(seen.counts[1], -ENOMEM);
    assert_int_equal(seen.counts[2], -ENOMEM);
    assert_string_equal(seen.first, "old");
    assert_null(seen.second);
    assert_int_equal(seen.counts[0], 0);
    assert_int_equal(destroyed, 1);
}

/* --- many tasks ------------------------------------------------------------------------------ */

struct node {
    struct seen *seen;
    int depth;
};

/* A tree of tasks; each looks at what it inherited, and every other one sets its own. */
static int grows(void *arg)
{
    struct node *node = arg;
    struct node next = {node->seen, node->depth + 1};
    const char *inherited = weft_local_get(&freed);

    if (!inherited || inherited[0] != 'v')
        return -EPROTO;
    if (node->depth % 2 && weft_local_set(&freed, strdup("value")) < 0)
        return -ENOMEM;
    atomic_fetch_add(&node->seen->count, 1);
    if (node->depth == 9)
        return 0;
    weft_future left = weft_spawn_val(grows, next);
    if (weft_local_set(&counted, "x") < 0)
        return -ENOMEM;
    weft_future right = weft_spawn_val(grows, next);
    return weft_gather(left, right);
}

static int plants(void *arg)
{
    int rc = weft_local_set(&freed, strdup("value"));

    return rc < 0 ? rc : weft_await(weft_spawn_val(grows, ((struct node){arg, 0})));
}

static void a_tree_of_tasks_shares_values_and_each_is_destroyed_once(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        struct seen seen = {0};

        atomic_store(&destroyed, 0);
        int rc = check_run(n, plants, &seen);

        assert_int_equal(rc, 0);
        assert_int_equal(seen.count, 1023);
        assert_int_equal(destroyed, 511);
    }
}

static int spawns_the_refused(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options wrong = {.val_bytes = 1000, .val = seen};

    seen->rc = weft_local_set(&counted, "x");
    for (int i = 0; i < 10; i++)
        seen->count += weft_await(weft_spawn_with(&wrong, ends_with, NULL)) == -E2BIG;
    return 0;
}

static void a_spawn_that_fails_keeps_no_value(void **state)
{
    struct seen seen = {0};

    (void)state;
    atomic_store(&destroyed, 0);
    int rc = check_run(1, spawns_the_refused, &seen);

    assert_int_equal(rc, 0);
    assert_int_equal(seen.count, 10);
    assert_int_equal(destroyed, 1);
}

static int fails_a_stack(const char *call)
{
    return strcmp(call, "mmap") == 0 && atomic_load(&fail_at) ? -ENOMEM : 0;
}

static int spawns_without_stacks(void *arg)
{
    struct seen *seen = arg;
    const weft_task_options large = {.stack_bytes = 16u << 20};

    seen->rc = weft_local_set(&counted, "x");
    atomic_store(&fail_at, 1);
    seen->count = weft_await(weft_spawn_with(&large, sleeps, NULL)) == -ENOMEM;
    atomic_store(&fail_at, 0);
    return 0;
}

static void a_task_that_never_ran_lets_go_of_what_it_inherited(void **state)
{
    struct seen seen = {0};

    (void)state;
    atomic_store(&destroyed, 0);
    weft__sys_fault = fails_a_stack;
    int rc = check_run(1, spawns_without_stacks, &seen);
    weft__sys_fault = NULL;

    assert_int_equal(rc, 0);
    assert_int_equal(seen.count, 1);
    assert_int_equal(destroyed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_can_be_set_replaced_and_taken_away),
        cmocka_unit_test(a_task_inherits_what_its_spawner_had_then_and_neither_sees_later_ones),
        cmocka_unit_test(members_and_nested_runs_inherit_too),
        cmocka_unit_test(a_value_is_destroyed_once_when_the_last_task_has_let_go_of_it),
        cmocka_unit_test(a_loop_that_sets_and_spawns_keeps_nothing),
        cmocka_unit_test(many_keys_do_not_get_in_each_others_way),
        cmocka_unit_test(a_destroy_function_may_set_a_value_which_is_destroyed_too),
        cmocka_unit_test(outside_a_task_there_are_no_values),
        cmocka_unit_test(without_memory_the_old_values_stay),
        cmocka_unit_test(a_tree_of_tasks_shares_values_and_each_is_destroyed_once),
        cmocka_unit_test(a_spawn_that_fails_keeps_no_value),
        cmocka_unit_test(a_task_that_never_ran_lets_go_of_what_it_inherited),
    };

    return CHECK_GROUP(tests);
}
