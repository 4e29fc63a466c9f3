/*
 * tree_stress_test - random trees of tasks: spawned, awaited, gathered, detached, failing here and
 * there. Every task ends once, and every waiter hears what the task said.
 */
#include "stress.h"

struct forest {
    _Atomic uint64_t begun, ended, heard_wrong;
    _Atomic int detached;
    uint64_t seed;
};

struct node {
    struct forest *forest;
    uint64_t seed;
    int depth;
    int status; /* what it will say */
};

static int grows(void *arg);

static struct node sprout(struct node *parent)
{
    uint64_t random = check_random(&parent->seed);

    return (struct node){.forest = parent->forest,
                         .seed = random,
                         .depth = parent->depth - 1,
                         .status = (int)(random >> 20 & 1023)};
}

static void hear(struct node *node, int heard, int said)
{
    if (heard != said)
        atomic_fetch_add(&node->forest->heard_wrong, 1);
}

static void awaits_each(struct node *node, int count)
{
    weft_future futures[8] = {{0, 0}};
    struct node children[8];

    for (int i = 0; i < count; i++) {
        children[i] = sprout(node);
        futures[i] = i % 2 ? weft_spawn(grows, &children[i]) : weft_spawn_val(grows, children[i]);
    }
    for (int i = count - 1; i >= 0; i--) {
        if (children[i].seed & 4)
            hear(node, weft_wait(futures[i]), children[i].status);
        hear(node, weft_await(futures[i]), children[i].status);
    }
}

static void gathers_all(struct node *node, int count)
{
    weft_future futures[8] = {{0, 0}};
    struct node children[8];
    int statuses[8];

    for (int i = 0; i < count; i++) {
        children[i] = sprout(node);
        futures[i] = weft_spawn_val(grows, children[i]);
    }
    hear(node, weft_gather_n(futures, (size_t)count, statuses), 0);
    for (int i = 0; i < count; i++)
        hear(node, statuses[i], children[i].status);
}

static void scopes_all(struct node *node, int count)
{
    weft_scope scope;

    if (weft_scope_open(&scope) < 0)
        atomic_fetch_add(&node->forest->heard_wrong, 1);
    for (int i = 0; i < count; i++)
        (void)weft_scope_spawn_val(&scope, grows, sprout(node));
    hear(node, weft_scope_close(&scope, 77), 77);
}

static void detaches_all(struct node *node, int count)
{
    for (int i = 0; i < count; i++) {
        atomic_fetch_add(&node->forest->detached, 1);
        if (weft_detach(weft_spawn_val(grows, sprout(node))) != 0)
            atomic_fetch_add(&node->forest->heard_wrong, 1);
    }
}

static int grows(void *arg)
{
    struct node node = *(struct node *)arg;
    uint64_t random = check_random(&node.seed);
    int count = (int)(random >> 8 & 7);

    atomic_fetch_add(&node.forest->begun, 1);
    if (random >> 12 & 1)
        hear(&node, weft_yield(), 0);
    if (node.depth > 0)
        switch (random & 3) {
        case 0: awaits_each(&node, count); break;
        case 1: gathers_all(&node, count); break;
        case 2: scopes_all(&node, count); break;
        default: (node.depth > 2 ? detaches_all : awaits_each)(&node, count);
        }
    atomic_fetch_add(&node.forest->ended, 1);
    return node.status;
}

static int plants(void *arg)
{
    struct forest *forest = arg;
    weft_info_data info;

    for (int i = stress_rounds(60); i > 0; i--) {
        struct node root = {forest, check_random(&forest->seed), 6, 5};

        if (weft_await(weft_spawn(grows, &root)) != 5)
            return -EPROTO;
        check_progress();
    }
    do { /* the detached ones end by themselves */
        if (weft_yield() < 0)
            return -ECANCELED;
    } while (weft_info(&info) == 0 && info.tasks_live > 1);
    return 0;
}

static void random_trees_end_and_say_what_they_said(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        struct forest forest = {.seed = seed};

        int rc = check_run(n, plants, &forest);

        assert_int_equal(rc, 0);
        assert_true(forest.begun >= (uint64_t)stress_rounds(60));
        assert_true(forest.begun == forest.ended);
        assert_true(forest.heard_wrong == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_trees_end_and_say_what_they_said),
    };

    return CHECK_GROUP(tests);
}
