/*
 * class - see class.h.
 */
#include "pool/class.h"

#include <sched.h>

#include "core/sys.h"

#define LOWEST_NICE 19

const char *weft__class_word(enum pool_class class)
{
    switch (class) {
    case CLASS_NORMAL: return "normal";
    case CLASS_NICE: return "nice 19";
    case CLASS_BATCH_NICE: return "SCHED_BATCH, nice 19";
    case CLASS_IDLE: return "SCHED_IDLE";
    }
    return "normal";
}

/* Lowering oneself needs no privilege; only a sandbox that filters system calls refuses. */
const char *weft__class_apply(enum pool_class class)
{
    int tid = weft__sys_gettid();
    int policy_rc = 0;
    int nice_rc = 0;

    if (class == CLASS_BATCH_NICE)
        policy_rc = weft__sys_scheduler(tid, SCHED_BATCH);
    if (class == CLASS_IDLE)
        policy_rc = weft__sys_scheduler(tid, SCHED_IDLE);
    if (class == CLASS_NICE || class == CLASS_BATCH_NICE)
        nice_rc = weft__sys_nice(tid, LOWEST_NICE);

    if (policy_rc < 0 && (nice_rc < 0 || class == CLASS_IDLE))
        return "normal: the system refuses lower classes";
    if (policy_rc < 0)
        return "nice 19: the system refuses SCHED_BATCH";
    if (nice_rc < 0)
        return class == CLASS_NICE ? "normal: the system refuses nice 19"
                                   : "SCHED_BATCH: the system refuses nice 19";
    return weft__class_word(class);
}
