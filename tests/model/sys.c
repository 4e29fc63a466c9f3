/*
 * sys - the little that the sources ask of core/sys.h, for the checker: watched memory.
 */
#include "core/sys.h"

#include "tests/model/model.h"

void *weft__sys_alloc(size_t bytes) { return model_alloc(bytes); }

void weft__sys_free(void *memory) { model_free(memory); }
