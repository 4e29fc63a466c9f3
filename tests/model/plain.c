/*
 * plain - memory that is watched: races between plain accesses, and the use of what was freed.
 *
 * The sources are compiled with -fsanitize=thread but linked without its library: the calls that the
 * compiler has put before each plain access come here. For each byte we keep who wrote it last and
 * when, and when each thread read it last, in the clocks of memory.c. An access that the last one did
 * not happen before is a race, whatever the order of this execution. Atomic accesses count as reads here:
 * so plain writes, and the end of the memory, must come after them.
 */
#include <stdio.h>
#include <string.h>

#include "tests/model/engine.h"

struct cell {
    uint32_t execution;
    uint16_t write_clock;
    uint8_t writer;
    bool is_freed;
    uint16_t read_clock[MODEL_THREADS + 1];
    const void *write_pc;
    const void *read_pc;
};

#define STACKS (MODEL_THREADS * STACK_BYTES)

/* Stacks first, then what is allocated. */
static _Alignas(4096) unsigned char arena[ARENA_BYTES];
static struct cell cells[ARENA_BYTES];
static uint32_t execution;
static size_t used;

void plain_reset(void)
{
    execution++;
    used = STACKS;
}

void *plain_stack(unsigned thread) { return arena + thread * STACK_BYTES; }

bool plain_offset(uint64_t value, size_t *ret_offset)
{
    *ret_offset = (size_t)(value - (uint64_t)(uintptr_t)arena);
    return *ret_offset < ARENA_BYTES;
}

static struct cell *cell_at(size_t offset)
{
    struct cell *cell = &cells[offset];

    if (cell->execution != execution)
        *cell = (struct cell){.execution = execution, .writer = MODEL_MAIN};
    return cell;
}

static void race(const struct cell *cell, unsigned other, const void *other_pc,
                 const char *other_did, const void *pc, const char *did)
{
    (void)cell;
    model_fail("race: thread %u %s at %p, thread %u %s at %p, in no order", other, other_did,
               other_pc, model_self(), did, pc);
}

static void touch(uintptr_t at, size_t bytes, bool is_write, const void *pc)
{
    size_t offset = at - (uintptr_t)arena;
    unsigned self = model_self();
    const struct view *view = memory_view(self);

    if (offset >= ARENA_BYTES || schedule_is_failing())
        return;
    for (size_t i = offset; i < offset + bytes; i++) {
        struct cell *cell = cell_at(i);

        if (cell->is_freed) {
            model_fail("thread %u uses memory that was freed, at %p", self, pc);
            return;
        }
        if (cell->write_clock > view->clock[cell->writer]) {
            race(cell, cell->writer, cell->write_pc, "wrote", pc, is_write ? "wrote" : "read");
            return;
        }
        if (!is_write) {
            cell->read_clock[self] = view->clock[self];
            cell->read_pc = pc;
            continue;
        }
        for (unsigned other = 0; other <= MODEL_THREADS; other++)
            if (cell->read_clock[other] > view->clock[other]) {
                race(cell, other, cell->read_pc, "read", pc, "wrote");
                return;
            }
        cell->writer = (uint8_t)self;
        cell->write_clock = view->clock[self];
        cell->write_pc = pc;
        memset(cell->read_clock, 0, sizeof cell->read_clock);
    }
}

void plain_touch(const volatile void *at, const char *what)
{
    (void)what;
    touch((uintptr_t)at, 1, false, __builtin_return_address(0));
}

/* --- memory ---------------------------------------------------------------------------------- */

void *model_alloc(size_t bytes)
{
    void *memory = arena + used;

    bytes = (bytes + 63) & ~(size_t)63;
    if (bytes > ARENA_BYTES - used) {
        model_fail("the checker has no more memory");
        return arena + STACKS;
    }
    used += bytes;
    memset(memory, 0, bytes);
    if (bytes > 0)
        cell_at((size_t)((unsigned char *)memory - arena))->write_pc = (void *)bytes;
    return memory;
}

void model_free(void *memory)
{
    size_t offset = (size_t)((unsigned char *)memory - arena);

    if (!memory)
        return;
    touch((uintptr_t)memory, 1, true, __builtin_return_address(0));
    cell_at(offset)->is_freed = true;
}

void model_renew(void *memory, size_t bytes) { memory_renew(memory, bytes); }

/* --- what the compiler calls ----------------------------------------------------------------- */

void __tsan_init(void);
void __tsan_func_entry(void *pc);
void __tsan_func_exit(void);
void __tsan_read_range(void *at, size_t bytes);
void __tsan_write_range(void *at, size_t bytes);

void __tsan_init(void) {}
void __tsan_func_entry(void *pc) { (void)pc; }
void __tsan_func_exit(void) {}

void __tsan_read_range(void *at, size_t bytes)
{
    touch((uintptr_t)at, bytes, false, __builtin_return_address(0));
}

void __tsan_write_range(void *at, size_t bytes)
{
    touch((uintptr_t)at, bytes, true, __builtin_return_address(0));
}

#define ACCESS(name, bytes, is_write) \
    void name(void *at);              \
    void name(void *at) { touch((uintptr_t)at, bytes, is_write, __builtin_return_address(0)); }

ACCESS(__tsan_read1, 1, false)
ACCESS(__tsan_read2, 2, false)
ACCESS(__tsan_read4, 4, false)
ACCESS(__tsan_read8, 8, false)
ACCESS(__tsan_read16, 16, false)
ACCESS(__tsan_write1, 1, true)
ACCESS(__tsan_write2, 2, true)
ACCESS(__tsan_write4, 4, true)
ACCESS(__tsan_write8, 8, true)
ACCESS(__tsan_write16, 16, true)
ACCESS(__tsan_unaligned_read2, 2, false)
ACCESS(__tsan_unaligned_read4, 4, false)
ACCESS(__tsan_unaligned_read8, 8, false)
ACCESS(__tsan_unaligned_read16, 16, false)
ACCESS(__tsan_unaligned_write2, 2, true)
ACCESS(__tsan_unaligned_write4, 4, true)
ACCESS(__tsan_unaligned_write8, 8, true)
ACCESS(__tsan_unaligned_write16, 16, true)
