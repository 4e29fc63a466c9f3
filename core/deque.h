/*
 * deque - a worker's ready tasks: the owner pushes at the tail, owner and thieves take at the head.
 *
 * First in, first out for everybody: a ready task waits for no more than the tasks before it. All who
 * take, the owner too, take by compare-and-swap on head, so there is no last-item special case, and
 * a thief takes half with one swap: it reads the slots first, and a swap that succeeds proves that
 * none of them had been taken, hence none overwritten, meanwhile.
 *
 * Invariants  I1  head and tail only grow and never wrap (64 bits); head <= tail <= head + capacity
 *             I2  the owner alone writes tail and array
 *             I3  a slot is overwritten only after head has moved past it
 *             I4  old arrays live until the deque dies, their contents frozen from the growth on
 * Edges       E1  push:  tail seq    -> pop, steal: tail acquire   what the slot holds
 *             E2  grow:  array release -> steal: array acquire     what the copied slots hold
 *             E3  pop, steal: head CAS -> push: head acquire       the slot is free again
 *             E4  push: tail seq, then look for sleepers  ||  park: announce, then look at tail (seq)
 */
#ifndef WEFT_CORE_DEQUE_H
#define WEFT_CORE_DEQUE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/atomic.h"

struct task;

struct deque_array {
    uint64_t capacity;        /* (i) a power of two */
    struct deque_array *next; /* (i) the older one that this replaced */
    _Atomic(struct task *) slots[];
};

struct deque {
    _Alignas(WEFT_LINE) _Atomic uint64_t head; /* (a) next to take */
    _Alignas(WEFT_LINE) _Atomic uint64_t tail; /* (w+) next to push */
    _Atomic(struct deque_array *) array;       /* (w+) */
};

/* Returns 0 or -ENOMEM. */
int weft__deque_init(struct deque *deque);
void weft__deque_destroy(struct deque *deque);

/* Owner: adds a task at the tail. Returns false if it is full and there is no memory to grow. */
bool weft__deque_push(struct deque *deque, struct task *task);

/* Owner: takes the task at the head; NULL if there is none. */
struct task *weft__deque_pop(struct deque *deque);

/* Anyone but the owner: moves up to half of the tasks, and at most `most`, into `tasks`. Returns how
 * many; 0 if there are none, or if somebody else was quicker (then another look is worth it). */
size_t weft__deque_steal(struct deque *deque, struct task **tasks, size_t most);

/* Owner: how many there are, at most: thieves may have come. */
size_t weft__deque_count(const struct deque *deque);

/* Anyone: whether a task is there now. Sequentially consistent: for the last look before sleep. */
bool weft__deque_is_empty(const struct deque *deque);

#endif
