/*
 * trace - what each thread has seen, as a number; and which states of the whole were visited.
 *
 * A thread is a function of what its steps have read. So its whole past is named by a number, into which
 * each step mixes the name of what it saw: of the write that it read, of the write that its own write stands
 * behind, of who woke it. A write is named by the past of its thread. These numbers, one per thread, say which
 * writes there are, in which order at each location, and who has read which: all else that the checker
 * knows (views, clocks, the edges of total.c, plain data, of which each access is in order) follows from that, in
 * whatever order the steps were made. Two executions that come to the same numbers have the same future, and
 * it is visited once.
 *
 * Plain variables of a scenario that lie outside the watched memory may be used by several threads in no
 * order: each access to them is a step here, too.
 *
 * Numbers have 64 bits. Two states that differ could have the same by chance: among a million
 * states with a probability of 3 in 100,000,000.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/model/engine.h"
#include "tests/model/run.h"
#include "tests/model/undo.h"

static uint64_t traces[MODEL_THREADS + 1];

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t both = (a + UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xbf58476d1ce4e5b9) ^ b;

    both ^= both >> 30;
    both *= UINT64_C(0x94d049bb133111eb);
    return both ^ both >> 31;
}

uint64_t trace_mix(uint64_t a, uint64_t b) { return mix(a, b); }

void trace_note(uint64_t what) { traces[model_self()] = mix(traces[model_self()], what); }

uint64_t trace_own(void) { return traces[model_self()]; }

void trace_wake(unsigned thread) { traces[thread] = mix(traces[thread], traces[model_self()]); }

uint64_t trace_of(unsigned thread) { return traces[thread]; }

/* --- variables that are not watched ---------------------------------------------------------- */

#define CELLS 8192 /* a power of two */

/* Four bytes each. */
static struct cell {
    uintptr_t at;
    uint32_t execution;
    uint64_t name; /* of the last write in this execution */
} cells[CELLS];
static uint32_t execution;
static unsigned cell_count;

static struct cell *cell_at(uintptr_t at)
{
    for (size_t i = at * 11400714819323198485u >> 51;; i = (i + 1) & (CELLS - 1)) {
        if (cells[i].at == at)
            return &cells[i];
        if (!cells[i].at) {
            if (++cell_count == CELLS / 2) {
                fprintf(stderr, "model: too many variables\n");
                exit(2);
            }
            cells[i].at = at;
            return &cells[i];
        }
    }
}

void trace_variable(uintptr_t at, size_t bytes, bool is_write)
{
    if (model_self() == MODEL_MAIN)
        return;
    for (uintptr_t end = at + bytes, word = at & ~(uintptr_t)3; word < end; word += 4) {
        struct cell *cell = cell_at(word);
        bool is_written = cell->execution == execution;

        if (is_written)
            trace_note(cell->name);
        if (is_write) {
            if (!is_written)
                trace_note(word);
            undo_note(cell, sizeof *cell);
            *cell = (struct cell){word, execution, trace_own()};
        }
    }
}

void trace_reset(void)
{
    execution++;
    for (unsigned i = 0; i <= MODEL_THREADS; i++)
        traces[i] = i + 1;
}

void trace_copy(struct copy *copy) { copy_part(copy, traces, sizeof traces); }

/* --- states ---------------------------------------------------------------------------------- */

#define STATES_FIRST ((size_t)1 << 12)
#define STATES_MOST  ((size_t)1 << 24) /* more are not kept, and visited again */
#define NEVER        UINT64_MAX

/* With how many preemptions spent at least it was visited, four bits for each set of threads that rested. */
static struct visited {
    uint64_t state, spent;
} * table;
static size_t room, count;

static struct visited *visited_at(uint64_t state)
{
    size_t i = state & (room - 1);

    while (table[i].state && table[i].state != state)
        i = (i + 1) & (room - 1);
    return &table[i];
}

static void make_room(size_t wanted)
{
    struct visited *old = table;
    size_t old_room = room;

    table = mmap(NULL, wanted * sizeof *table, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == MAP_FAILED) {
        fprintf(stderr, "model: no memory\n");
        exit(2);
    }
    (void)madvise(table, wanted * sizeof *table, MADV_HUGEPAGE); /* else it is slower */
    room = wanted;
    for (size_t i = 0; i < old_room; i++)
        if (old[i].state)
            *visited_at(old[i].state) = old[i];
    if (old)
        (void)munmap(old, old_room * sizeof *old);
}

void trace_forget(void)
{
    if (table)
        (void)munmap(table, room * sizeof *table);
    table = NULL;
    room = count = 0;
    make_room(STATES_FIRST);
}

uint64_t trace_states(void) { return count; }

/* Whoever rests, and each preemption that is spent, only take executions away: a state that was visited
 * with less of both holds nothing new. */
bool trace_visit(uint64_t state, unsigned resting, unsigned spent)
{
    struct visited *visited;

    state += !state;
    visited = visited_at(state);
    if (!visited->state) {
        if (count >= STATES_MOST / 2)
            return true;
        if (++count > room / 2) {
            make_room(room * 2);
            visited = visited_at(state);
        }
        *visited = (struct visited){state, NEVER};
    }
    for (unsigned others = resting;; others = (others - 1) & resting) {
        if ((visited->spent >> 4 * others & 15) <= spent)
            return false;
        if (others == 0)
            break;
    }
    visited->spent &= ~(UINT64_C(15) << 4 * resting);
    visited->spent |= (uint64_t)(spent < 14 ? spent : 14) << 4 * resting;
    return true;
}
