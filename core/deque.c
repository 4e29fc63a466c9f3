/*
 * deque - see deque.h for the invariants and edges.
 */
#include "core/deque.h"

#include <errno.h>

#include "core/sys.h"
#include "core/tuning.h"

static struct deque_array *array_new(uint64_t capacity)
{
    struct deque_array *array =
        weft__sys_alloc(sizeof *array + (size_t)capacity * sizeof array->slots[0]);

    if (array)
        array->capacity = capacity;
    return array;
}

static _Atomic(struct task *) *slot_at(struct deque_array *array, uint64_t index)
{
    return &array->slots[index & (array->capacity - 1)];
}

int weft__deque_init(struct deque *deque)
{
    struct deque_array *array = array_new(TUNE_DEQUE_CAPACITY);

    if (!array)
        return -ENOMEM;
    store_relaxed(&deque->head, 0); /* relaxed: nobody else knows the deque yet */
    store_relaxed(&deque->tail, 0);
    store_relaxed(&deque->array, array); /* relaxed: as above */
    return 0;
}

void weft__deque_destroy(struct deque *deque)
{
    struct deque_array *array = load_relaxed(&deque->array); /* relaxed: nobody else is left */

    while (array) {
        struct deque_array *older = array->next;

        weft__sys_free(array);
        array = older;
    }
    store_relaxed(&deque->array, NULL); /* relaxed: as above */
}

/* Doubles the array. The old one stays as it is for thieves that still read it: I4. */
static struct deque_array *grow(struct deque *deque, struct deque_array *old, uint64_t head,
                                uint64_t tail)
{
    struct deque_array *array = array_new(old->capacity * 2);

    if (!array)
        return NULL;
    for (uint64_t i = head; i < tail; i++) /* relaxed: own writes; published by E2 */
        store_relaxed(slot_at(array, i), load_relaxed(slot_at(old, i)));
    array->next = old;
    store_release(&deque->array, array); /* E2: pairs with weft__deque_steal() */
    return array;
}

static void put(struct deque *deque, struct deque_array *array, uint64_t tail, struct task *task)
{
    store_relaxed(slot_at(array, tail), task); /* published by E1 */
    store_seq(&deque->tail, tail + 1);         /* E1, and E4: before the look for sleepers */
}

static __attribute__((noinline)) bool push_slow(struct deque *deque, struct task *task,
                                                uint64_t head, uint64_t tail)
{
    struct deque_array *array = grow(deque, load_relaxed(&deque->array), head, tail); /* own: I2 */

    if (array)
        put(deque, array, tail, task);
    return array != NULL;
}

bool weft__deque_push(struct deque *deque, struct task *task)
{
    uint64_t tail = load_relaxed(&deque->tail);              /* own field: I2 */
    uint64_t head = load_acquire(&deque->head);              /* E3: the slot is free */
    struct deque_array *array = load_relaxed(&deque->array); /* own field: I2 */

    if (tail - head == array->capacity)
        return push_slow(deque, task, head, tail);
    put(deque, array, tail, task);
    return true;
}

struct task *weft__deque_pop(struct deque *deque)
{
    uint64_t tail = load_relaxed(&deque->tail);              /* own field: I2 */
    struct deque_array *array = load_relaxed(&deque->array); /* own field: I2 */
    uint64_t head = load_relaxed(&deque->head);              /* relaxed: the CAS decides */

    while (head < tail) {
        struct task *task = load_relaxed(slot_at(array, head)); /* own write, before the CAS */

        if (cas_seq(&deque->head, &head, head + 1)) /* E3 */
            return task;
    }
    return NULL;
}

size_t weft__deque_steal(struct deque *deque, struct task **tasks, size_t most)
{
    uint64_t head = load_seq(&deque->head);
    uint64_t tail = load_seq(&deque->tail); /* E1; after head, so that tail >= head */
    uint64_t count = tail > head ? (tail - head + 1) / 2 : 0;

    if (count > most)
        count = most;
    if (count == 0)
        return 0;
    struct deque_array *array = load_acquire(&deque->array); /* E2: after tail, so not too old */
    for (uint64_t i = 0; i < count; i++) /* before the CAS, which proves that they were ours: I3 */
        tasks[i] = load_relaxed(slot_at(array, head + i));
    return cas_seq(&deque->head, &head, head + count) ? (size_t)count : 0; /* E3 */
}

bool weft__deque_is_empty(const struct deque *deque)
{
    uint64_t head = load_seq(&deque->head); /* E4 */

    return load_seq(&deque->tail) <= head; /* E4: pairs with weft__deque_push() */
}

size_t weft__deque_count(const struct deque *deque)
{
    /* own field: I2; relaxed: thieves move the head on at any time */
    return (size_t)(load_relaxed(&deque->tail) - load_relaxed(&deque->head));
}
