/*
 * path - see path.h.
 *
 * The last choice that can be is changed, and the execution goes on from there: its state was copied
 * when it came there first, and what has changed since is undone (undo.h). Where stacks cannot be copied, and when
 * a failure is told, it is run again from the beginning instead.
 *
 * A choice of a thread that leads to a state which was visited is not taken (trace.c).
 */
#include "tests/model/path.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/model/undo.h"

#define PATH_MOST     4096
#define GOING_ON_KEPT 4 /* one of so many */

static struct choice path[PATH_MOST];
static struct kept {
    struct copy copy;
    size_t mark;
} kept[PATH_MOST];
static unsigned depth, known;

void path_forget(void) { known = 0; }
void path_begin(void) { depth = 0; }

/* Both ways. */
static void copy_all(struct kept *all, bool is_back)
{
    all->copy.used = 0;
    all->copy.is_back = is_back;
    if (is_back)
        undo_back(all->mark);
    else
        all->mark = undo_mark();
    schedule_copy(&all->copy);
    coroutine_copy(&all->copy);
    memory_copy(&all->copy);
    total_copy(&all->copy);
    plain_copy(&all->copy);
    trace_copy(&all->copy);
}

void path_keep(void) { copy_all(&kept[depth - 1], false); }

unsigned path_go_back(void)
{
    copy_all(&kept[known - 1], true);
    depth = known;
    return path[known - 1].taken;
}

static struct choice *choice_new(const struct choice *like)
{
    if (depth == PATH_MOST) {
        fprintf(stderr, "model: a path is too long\n");
        exit(2);
    }
    known++;
    path[depth] = *like;
    return &path[depth++];
}

static unsigned choice_again(unsigned of)
{
    if (path[depth].of != of) {
        fprintf(stderr, "model: the scenario did not repeat itself\n");
        exit(2);
    }
    return path[depth++].taken;
}

unsigned path_choose(unsigned of)
{
    struct choice *choice;

    if (of == 1)
        return 0;
    if (depth < known)
        return choice_again(of);
    choice = choice_new(&(struct choice){.of = (uint8_t)of});
    if (undo_is_on)
        schedule_keep();
    return choice->taken;
}

/* Returns false if nothing new comes of it. Where the same thread goes on only some states are looked up and
 * kept: two executions that meet are soon at one of these. */
static bool may_take(const struct choice *choice, unsigned thread)
{
    bool goes_on = thread == choice->from;
    unsigned rests = choice->rests, spent = choice->spent;

    if (goes_on && choice->state % GOING_ON_KEPT != 0)
        return true;
    if (!goes_on && choice->costs) {
        spent++;
        rests |= (unsigned)choice->may_rest << choice->from;
    }
    return trace_visit(trace_mix(choice->state, thread | (goes_on ? choice->patience << 4 : 0)),
                       rests, spent);
}

/* The running thread first: without a preemption. */
static bool take_thread(struct choice *choice)
{
    while (choice->left) {
        unsigned next = choice->from;

        if (next == MODEL_MAIN || !(choice->left >> next & 1))
            next = (unsigned)__builtin_ctz(choice->left);
        choice->left &= (uint8_t) ~(1u << next);
        choice->taken = (uint8_t)next;
        if (may_take(choice, next))
            return true;
    }
    return false;
}

bool path_choose_thread(const struct choice *like, unsigned *ret_next)
{
    bool is_single = (like->left & (like->left - 1)) == 0;
    struct choice alone = *like, *choice = &alone;

    if (depth < known || schedule_is_told()) {
        *ret_next = is_single ? (unsigned)__builtin_ctz(like->left) : choice_again(0);
        return true;
    }
    if (!is_single)
        choice = choice_new(like);
    if (!take_thread(choice))
        return false;
    if (choice->left && undo_is_on)
        schedule_keep();
    *ret_next = choice->taken;
    return true;
}

bool path_next(void)
{
    for (; known > 0; known--) {
        struct choice *last = &path[known - 1];

        if (last->of == 0 ? take_thread(last) : last->taken + 1 < last->of) {
            last->taken += last->of != 0;
            return true;
        }
    }
    return false;
}
