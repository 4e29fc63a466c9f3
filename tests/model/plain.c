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
#include "tests/model/undo.h"

struct cell {
    uint32_t execution;
    uint16_t write_clock;
    uint8_t writer;
    bool is_split; /* of a word: its bytes have cells of their own */
    uint16_t read_clock[MODEL_THREADS + 1];
};

/* For the story only: where that was. */
struct where {
    const void *wrote, *read;
};

#define STACKS (MODEL_THREADS * STACK_BYTES)

/* Stacks first, then what is allocated. */
static _Alignas(4096) unsigned char arena[ARENA_BYTES];
static struct cell words[ARENA_BYTES / 4]; /* most accesses are whole words */
static struct cell bytes_of[ARENA_BYTES];  /* of split words */
static struct where places[ARENA_BYTES];
static uint32_t sizes[ARENA_BYTES / 64]; /* of what begins there */
static uint32_t freed[ARENA_BYTES / 64]; /* in which execution */
static uint32_t execution;
static size_t used[MODEL_THREADS + 1];

/* Each thread has a part for itself: where its memory lies depends on nobody else. Set-up has the largest. */
#define PART_BYTES ((size_t)1 << 16)

void plain_reset(void)
{
    execution++;
    for (unsigned i = 0; i <= MODEL_THREADS; i++)
        used[i] = STACKS + i * PART_BYTES;
}

void plain_copy(struct copy *copy) { copy_part(copy, used, sizeof used); }

static size_t part_end(unsigned thread)
{
    return thread == MODEL_MAIN ? ARENA_BYTES : STACKS + (thread + 1) * PART_BYTES;
}

void *plain_stack(unsigned thread) { return arena + thread * STACK_BYTES; }

bool plain_offset(uint64_t value, size_t *ret_offset)
{
    *ret_offset = (size_t)(value - (uint64_t)(uintptr_t)arena);
    return *ret_offset < ARENA_BYTES;
}

static struct cell *word_at(size_t offset)
{
    struct cell *cell = &words[offset / 4];

    if (__builtin_expect(cell->execution != execution, 0))
        *cell = (struct cell){.execution = execution, .writer = MODEL_MAIN};
    return cell;
}

/* The cell of one byte. */
static struct cell *byte_at(size_t offset)
{
    struct cell *word = word_at(offset);

    if (!word->is_split) {
        undo_note(word, sizeof *word);
        word->is_split = true;
        for (size_t i = 0; i < 4; i++)
            bytes_of[offset / 4 * 4 + i] = *word;
    }
    return &bytes_of[offset];
}

static void race(size_t offset, unsigned other, bool other_wrote, const void *pc, const char *did)
{
    const struct where *where = &places[offset];

    model_fail("race: thread %u %s at %p, thread %u %s at %p, in no order", other,
               other_wrote ? "wrote" : "read", other_wrote ? where->wrote : where->read,
               model_self(), did, pc);
}

/* Returns whether no other thread has read it without having told us since. */
static bool readers_are_past(const struct cell *cell, const struct view *view, unsigned *ret_other)
{
    for (unsigned other = 0; other <= MODEL_THREADS; other++)
        if (cell->read_clock[other] > view->clock[other]) {
            *ret_other = other;
            return false;
        }
    return true;
}

/* Returns whether all is well. */
static bool touch_cell(struct cell *cell, size_t offset, bool is_write, const void *pc)
{
    unsigned self = model_self(), other;
    const struct view *view = &memory_views[self];

    if (cell->write_clock > view->clock[cell->writer]) {
        race(offset, cell->writer, true, pc, is_write ? "wrote" : "read");
        return false;
    }
    if (is_write && !readers_are_past(cell, view, &other)) {
        race(offset, other, false, pc, "wrote");
        return false;
    }
    if (!is_write && cell->read_clock[self] == view->clock[self])
        return true;
    undo_note(cell, sizeof *cell);
    if (is_write) {
        cell->writer = (uint8_t)self;
        cell->write_clock = view->clock[self];
        memset(cell->read_clock, 0, sizeof cell->read_clock);
    } else {
        cell->read_clock[self] = view->clock[self];
    }
    if (__builtin_expect(schedule_is_telling, 0))
        *(is_write ? &places[offset].wrote : &places[offset].read) = pc;
    return true;
}

static void touch(uintptr_t at, size_t bytes, bool is_write, const void *pc)
{
    size_t offset = at - (uintptr_t)arena, end = offset + bytes;

    if (schedule_is_failing())
        return;
    if (is_write)
        undo_note((void *)at, bytes);
    if (offset >= ARENA_BYTES) {
        trace_variable(at, bytes, is_write);
        return;
    }
    if (__builtin_expect(freed[offset / 64] == execution, 0))
        model_fail("thread %u uses memory that was freed, at %p", model_self(), pc);
    while (offset < end) {
        struct cell *word = word_at(offset);
        bool is_whole = offset % 4 == 0 && end - offset >= 4 && !word->is_split;

        if (!touch_cell(is_whole ? word : byte_at(offset), offset, is_write, pc))
            return;
        offset += is_whole ? 4 : 1;
    }
}

void plain_touch(const volatile void *at, const char *what)
{
    (void)what;
    touch((uintptr_t)at & ~(uintptr_t)3, 4, false, __builtin_return_address(0));
}

/* --- memory ---------------------------------------------------------------------------------- */

void *model_alloc(size_t bytes)
{
    size_t *mine = &used[model_self()];
    void *memory = arena + *mine;

    bytes = (bytes + 63) & ~(size_t)63;
    if (bytes > part_end(model_self()) - *mine) {
        model_fail("the checker has no more memory");
        return arena + STACKS;
    }
    sizes[*mine / 64] = (uint32_t)bytes;
    *mine += bytes;
    memset(memory, 0, bytes);
    return memory;
}

void model_free(void *memory)
{
    size_t offset = (size_t)((unsigned char *)memory - arena);

    if (!memory)
        return;
    for (size_t at = offset; at < offset + sizes[offset / 64]; at += 4)
        if (words[at / 4].execution == execution) /* else nobody has ever touched it */
            touch((uintptr_t)(arena + at), 4, true, __builtin_return_address(0));
    for (size_t at = offset; at < offset + sizes[offset / 64]; at += 64)
        undo_note(&freed[at / 64], sizeof freed[0]), freed[at / 64] = execution;
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
