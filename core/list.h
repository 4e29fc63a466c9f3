/*
 * list - a doubly linked list whose links live in the members.
 */
#ifndef WEFT_CORE_LIST_H
#define WEFT_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
    struct link *next, *previous; /* NULL at the ends; meaningless while not in a list */
};

struct list {
    struct link *first, *last; /* both NULL when empty, so zeroed memory is an empty list */
};

static inline bool list_is_empty(const struct list *list) { return !list->first; }

static inline void list_push_last(struct list *list, struct link *link)
{
    link->next = NULL;
    link->previous = list->last;
    if (list->last)
        list->last->next = link;
    else
        list->first = link;
    list->last = link;
}

static inline void list_push_first(struct list *list, struct link *link)
{
    link->previous = NULL;
    link->next = list->first;
    if (list->first)
        list->first->previous = link;
    else
        list->last = link;
    list->first = link;
}

static inline void list_remove(struct list *list, struct link *link)
{
    if (link->previous)
        link->previous->next = link->next;
    else
        list->first = link->next;
    if (link->next)
        link->next->previous = link->previous;
    else
        list->last = link->previous;
    link->next = link->previous = NULL;
}

static inline struct link *list_pop_first(struct list *list)
{
    struct link *link = list->first;

    if (link)
        list_remove(list, link);
    return link;
}

/* The struct of `type` whose member `member` is at `at`. */
#define container_of(at, type, member) ((type *)(void *)((char *)(at)-offsetof(type, member)))

#endif
