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

/* Of sequentially consistent accesses, by number. */
#define MODEL_SET_WORDS 8

struct set {
    uint64_t bits[MODEL_SET_WORDS];
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
extern struct view memory_views[MODEL_THREADS + 1];
const char *order_name(enum model_order order);

/* total.c: total_step at each access of a thread; total_look, then total_event at one that is sequentially
 * consistent; total_tell and total_learn at releases and acquires. */
void total_reset(void);
void total_step(unsigned location);
void total_look(unsigned location);
bool total_may_see(unsigned location, unsigned index);
void total_event(unsigned location, unsigned index, bool reads, bool writes);
void total_tell(struct set *ret_set);
void total_learn(unsigned location, const struct set *told);
void set_join(struct set *into, const struct set *from);

/* plain.c */
#define ARENA_BYTES ((size_t)1 << 19)
#define STACK_BYTES ((size_t)1 << 15)
void plain_reset(void);
void plain_touch(const volatile void *at, const char *what);
void *plain_stack(unsigned thread);
bool plain_offset(uint64_t value, size_t *ret_offset);

/* trace.c */
void trace_reset(void);
void trace_note(uint64_t what); /* the running thread sees it */
uint64_t trace_own(void);       /* names what the running thread has just done */
uint64_t trace_of(unsigned thread);
uint64_t trace_mix(uint64_t a, uint64_t b);
void trace_wake(unsigned thread);
void trace_variable(uintptr_t at, size_t bytes, bool is_write);
void trace_forget(void);
bool trace_visit(uint64_t state, unsigned resting, unsigned spent);
uint64_t trace_states(void);

/* schedule.c */
void schedule_point(const volatile void *at, bool writes, bool matters);
unsigned schedule_read(unsigned of);
bool schedule_can_pay(void); /* for an execution that is less likely than others */
void schedule_pay(void);
extern unsigned schedule_steps;
extern bool schedule_is_telling, schedule_failed;
static inline bool schedule_is_told(void) { return schedule_is_telling; }
static inline bool schedule_is_failing(void) { return schedule_failed; }

/* story.c */
void story_begin(void);
void story_add(unsigned thread, const struct model_site *site, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void story_print(const struct model_scenario *scenario);
void story_places(const char *failure);

#endif
