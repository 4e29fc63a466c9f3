/*
 * tasks - bench/run on weft: tasks are started, awaited, and take turns.
 */
#include <weft.h>

#include "bench/works/works.h"

enum { TURNERS = 100 };

static int one(void *arg)
{
    (void)arg;
    return 1;
}

/* Starts `size` tasks, then awaits them all. */
int spawn_join(void *arg)
{
    static weft_future *futures; /* kept from the round that warms up */
    static int *statuses;
    struct run *run = arg;
    size_t n = (size_t)run->size;

    if (!futures) {
        futures = malloc(n * sizeof futures[0]);
        statuses = malloc(n * sizeof statuses[0]);
    }
    if (!futures || !statuses)
        die("malloc");
    for (size_t i = 0; i < n; i++)
        futures[i] = weft_spawn(one, NULL);
    int rc = weft_gather_n(futures, n, statuses);
    for (size_t i = 0; i < n; i++)
        run->result += statuses[i];
    return rc;
}

/* Starts one task and awaits it, `size` times. */
int spawn_await(void *arg)
{
    struct run *run = arg;

    for (long i = 0; i < run->size; i++) {
        int rc = weft_await(weft_spawn(one, NULL));
        if (rc < 0)
            return rc;
        run->result += rc;
    }
    return 0;
}

static int yield_often(void *arg)
{
    long turns = *(long *)arg;

    for (long i = 0; i < turns; i++) {
        int rc = weft_yield();
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* A hundred tasks take turns, `size` in all. */
int yield(void *arg)
{
    struct run *run = arg;
    weft_future turners[TURNERS];
    long turns = run->size / TURNERS;

    for (int i = 0; i < TURNERS; i++)
        turners[i] = weft_spawn(yield_often, &turns);
    run->result = turns * TURNERS;
    return weft_gather_n(turners, TURNERS, NULL);
}

struct node {
    long long first, leaves;
    long long *ret_sum;
};

/* A task for every node of a tree with ten children each; the sum of the leaves' numbers comes up. */
static int grow(void *arg)
{
    struct node *node = arg;
    weft_future children[10];
    long long sums[10], sum = 0;

    if (node->leaves == 1) {
        *node->ret_sum = node->first;
        return 0;
    }
    for (int i = 0; i < 10; i++) {
        long long leaves = node->leaves / 10;
        struct node child = {node->first + i * leaves, leaves, &sums[i]};
        children[i] = weft_spawn_val(grow, child);
    }
    int rc = weft_gather_n(children, 10, NULL);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 10; i++)
        sum += sums[i];
    *node->ret_sum = sum;
    return 0;
}

int skynet(void *arg)
{
    struct run *run = arg;
    struct node root = {0, run->size, &run->result};

    return weft_await(weft_spawn_val(grow, root));
}
