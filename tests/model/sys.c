/*
 * sys - the little that the sources ask of core/sys.h, for the checker: watched memory.
 */
#include "core/sys.h"

#include "tests/model/model.h"

void __tsan_write_range(void *at, size_t bytes);

/* Zeroed by who allocates: the first line stands for all. */
void *weft__sys_alloc(size_t bytes)
{
    void *memory = model_alloc(bytes);

    __tsan_write_range(memory, bytes < 64 ? bytes : 64);
    return memory;
}

void weft__sys_free(void *memory) { model_free(memory); }
