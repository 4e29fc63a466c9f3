/*
 * engine - what the files of the checker share.
 */
#ifndef WEFT_TESTS_MODEL_ENGINE_H
#define WEFT_TESTS_MODEL_ENGINE_H

#include "tests/model/model.h"

#define MODEL_MAIN      MODEL_THREADS /* the number of set-up and check */
#define MODEL_LOCATIONS 128
#define MODEL_WRITES    250 /* of one location */

/* What a thread knows, or a write tells: of each location the oldest write that may still be seen,
 * and of each thread how far its accesses have happened before. */
struct view {
    uint8_t floor[MODEL_LOCATIONS];
    uint16_t clock[8];
};

/* Of each thread, how far the values depend on what it did, whatever the orders. */
struct past {
    uint16_t clock[8];
};

enum model_order { MODEL_RELAXED, MODEL_ACQUIRE, MODEL_RELEASE, MODEL_ACQ_REL, MODEL_SEQ };

/* One place in the sources with an atomic access. All lie in one section, so that they can be listed. */
struct model_site {
    const char *file;
    int line;
    const char *function;
    const char *call; /* "load", "cas" ... */
    const char *at;   /* as it stands there */
    enum model_order order;
    bool was_reached;
    bool is_dup; /* one of an inline function that stands in several objects */
    unsigned unused;
};

extern struct model_site __start_model_sites[], __stop_model_sites[];

/* memory.c */
void memory_reset(void);
void memory_thread_starts(unsigned thread);
void memory_join_all(void);
void memory_grown_merge(void);
bool memory_has_grown(void);
void memory_forget(void);
void memory_renew(const volatile void *at, size_t bytes);
struct view *memory_view(unsigned thread);
const char *order_name(enum model_order order);

/* plain.c */
#define ARENA_BYTES ((size_t)1 << 19)
#define STACK_BYTES ((size_t)1 << 15)
void plain_reset(void);
void plain_touch(const volatile void *at, const char *what);
void *plain_stack(unsigned thread);
bool plain_offset(uint64_t value, size_t *ret_offset);

/* schedule.c */
void schedule_point(bool matters);
unsigned schedule_read(unsigned of);
bool schedule_is_told(void);
bool schedule_is_failing(void);

/* story.c */
void story_begin(void);
void story_add(unsigned thread, const struct model_site *site, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void story_print(const struct model_scenario *scenario);

#endif
