/*
 * ck, for the model checker - takes the place of core/ck.h: the stack of concurrencykit that inboxes are made
 * of, with the orders that its code has (a swap is acquire and release in one).
 */
#ifndef WEFT_CORE_CK_H
#define WEFT_CORE_CK_H

#include "core/atomic.h"

struct ck_stack_entry {
    struct ck_stack_entry *next;
};
typedef struct ck_stack_entry ck_stack_entry_t;

typedef struct ck_stack {
    _Atomic(struct ck_stack_entry *) head;
} ck_stack_t;

#define CK_STACK_CONTAINER(type, member, name)                           \
    static inline type *name(ck_stack_entry_t *entry)                    \
    {                                                                    \
        return (type *)(void *)((char *)entry - offsetof(type, member)); \
    }

static inline void ck_stack_init(ck_stack_t *stack) { store_relaxed(&stack->head, NULL); }

static inline void ck_stack_push_upmc(ck_stack_t *stack, ck_stack_entry_t *entry)
{
    ck_stack_entry_t *head = load_relaxed(&stack->head);

    do
        entry->next = head;
    while (!MODEL_CAS(&stack->head, &head, entry, MODEL_SITE("cas", &stack->head, MODEL_ACQ_REL)));
}

static inline ck_stack_entry_t *ck_stack_batch_pop_upmc(ck_stack_t *stack)
{
    return MODEL_CHANGE(&stack->head, NULL, MODEL_XCHG,
                        MODEL_SITE("xchg", &stack->head, MODEL_ACQ_REL));
}

#endif
