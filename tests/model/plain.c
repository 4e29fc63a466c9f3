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
#include <stdlib.h>
#include <string.h>

#include "tests/model/engine.h"
#include "tests/model/undo.h"

struct cell {
    uint16_t write_clock;
    uint8_t writer;
    bool is_split; /* of a word: its bytes have cells of their own */
    uint16_t read_clock[MODEL_THREADS + 1];
} __attribute__((aligned(16)));

/* What holds for its words that have no cell yet: nobody has touched one since the whole was written. */
struct line {
    uint32_t execution;
    uint16_t write_clock;
    uint8_t writer;
    bool is_freed;
    uint16_t touched; /* the words that have cells */
} __attribute__((aligned(16)));

#define LINE         ((size_t)64)
#define TOUCHES_MOST 1000000u /* between two steps: it does not end */

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
static struct line lines[ARENA_BYTES / LINE];
static uint32_t sizes[ARENA_BYTES / LINE]; /* of what begins there */
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

static struct line *line_at(size_t offset)
{
    struct line *line = &lines[offset / LINE];

    if (__builtin_expect(line->execution != execution, 0))
        *line = (struct line){.execution = execution, .writer = MODEL_MAIN};
    return line;
}

static struct cell *word_at(struct line *line, size_t offset)
{
    struct cell *cell = &words[offset / 4];
    unsigned bit = 1u << offset % LINE / 4;

    if (!(line->touched & bit)) {
        undo_note(line, sizeof *line);
        line->touched |= (uint16_t)bit;
        undo_note(cell, sizeof *cell); /* it may be that of before the line was overwritten */
        *cell = (struct cell){.write_clock = line->write_clock, .writer = line->writer};
    }
    return cell;
}

/* The cell of one byte. */
static struct cell *byte_at(struct cell *word, size_t offset)
{
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

static bool touch_words(size_t offset, size_t end, bool is_write, const void *pc)
{
    while (offset < end) {
        struct line *line = line_at(offset);

        if (__builtin_expect(line->is_freed, 0))
            model_fail("thread %u uses memory that was freed, at %p", model_self(), pc);

        struct cell *word = word_at(line, offset);
        bool is_whole = offset % 4 == 0 && end - offset >= 4 && !word->is_split;

        if (!touch_cell(is_whole ? word : byte_at(word, offset), offset, is_write, pc))
            return false;
        offset += is_whole ? 4 : 1;
    }
    return true;
}

/* Plain code that goes round in circles never comes to a step. */
static void count_touch(void)
{
    static unsigned last_step, count;

    if (last_step != schedule_steps) {
        last_step = schedule_steps;
        count = 0;
    }
    if (++count == TOUCHES_MOST) {
        count = 0;
        model_fail("no end after %u plain accesses", TOUCHES_MOST);
        if (model_self() == MODEL_MAIN)
            exit(1); /* set-up or check goes round */
    }
}

static void touch(uintptr_t at, size_t bytes, bool is_write, const void *pc)
{
    size_t offset = at - (uintptr_t)arena;

    count_touch();
    if (schedule_is_failing())
        return;
    if (offset >= ARENA_BYTES) {
        if (is_write && undo_is_on && !undo_is_kept(at))
            undo_note((void *)at, bytes);
        trace_variable(at, bytes, is_write);
        return;
    }
    if (is_write)
        undo_note((void *)at, bytes);
    (void)touch_words(offset, offset + bytes, is_write, pc);
}

/* All words of a line are written at once. */
static bool overwrite_line(size_t offset, const void *pc)
{
    struct line *line = line_at(offset);
    const struct view *view = &memory_views[model_self()];

    if (line->write_clock > view->clock[line->writer]) {
        race(offset, line->writer, true, pc, "wrote");
        return false;
    }
    for (unsigned left = line->touched; left; left &= left - 1) {
        size_t word = offset + 4 * (size_t)__builtin_ctz(left);

        if (!touch_words(word, word + 4, true, pc))
            return false;
    }
    undo_note(line, sizeof *line);
    line->write_clock = view->clock[model_self()];
    line->writer = (uint8_t)model_self();
    line->touched = 0;
    return true;
}

static void overwrite(size_t offset, size_t bytes, const void *pc)
{
    size_t end = offset + bytes;

    while (offset < end && !schedule_is_failing()) {
        size_t part = LINE - offset % LINE;

        part = part < end - offset ? part : end - offset;
        if (!(part == LINE ? overwrite_line(offset, pc)
                           : touch_words(offset, offset + part, true, pc)))
            return;
        offset += part;
    }
}

void model_overwritten(void *memory, size_t bytes)
{
    overwrite((size_t)((unsigned char *)memory - arena), bytes, __builtin_return_address(0));
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

    bytes = (bytes + LINE - 1) / LINE * LINE;
    if (bytes > part_end(model_self()) - *mine) {
        model_fail("the checker has no more memory");
        return arena + STACKS;
    }
    sizes[*mine / LINE] = (uint32_t)bytes;
    *mine += bytes;
    memset(memory, 0, bytes);
    return memory;
}

void model_free(void *memory)
{
    size_t offset = (size_t)((unsigned char *)memory - arena);

    if (!memory)
        return;
    overwrite(offset, sizes[offset / LINE], __builtin_return_address(0));
    for (size_t at = offset; at < offset + sizes[offset / LINE]; at += LINE) {
        undo_note(line_at(at), sizeof lines[0]);
        line_at(at)->is_freed = true;
    }
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

/* What the watched sources are compiled with in the place of memcpy. */
void *model_memcpy(void *to, const void *from, size_t bytes);

void *model_memcpy(void *to, const void *from, size_t bytes)
{
    touch((uintptr_t)from, bytes, false, __builtin_return_address(0));
    touch((uintptr_t)to, bytes, true, __builtin_return_address(0));
    return memcpy(to, from, bytes);
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
