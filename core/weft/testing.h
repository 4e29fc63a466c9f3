/*
 * weft/testing.h - for the tests of programs that use weft. Not part of <weft.h>.
 *
 *     weft_test_clock(0);                     // in the next run time does not pass, it jumps
 *     rc = weft_run(waits_an_hour, NULL);     // over in no time
 */
#ifndef WEFT_TESTING_H
#define WEFT_TESTING_H

#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Asks for a virtual clock in the runtime that is started next, and only there: weft_now() stands
 * still while anything goes on, and when every task waits it jumps to the earliest moment that one
 * of them waits for. Sleeps, deadlines and intervals then take no time, and end in the order of
 * their moments, whatever the number of workers.
 *
 * It never jumps while a task is ready, while a job is queued or runs (unless the job itself waits
 * in weft), or while a thread is inside a call of weft that does not wait. The kernel does not know
 * virtual time: while bytes are waited for, or somebody holds weft_waker_hold, nothing must have
 * been done for `grace` of real time before each jump (0: 10 ms). The clock begins with the time of the real one, which weft_now()
 * tells again after the runtime has stopped. A loop that only looks at weft_now() waits for ever.
 * WEFT_DEBUG=clock asks for the same in every start, with the default grace.
 * Returns: 0; -EINVAL if grace is negative.
 * From:    plain threads (-EPERM in a task or job).
 * Since:   0.1
 */
WEFT_API int weft_test_clock(weft_time grace);

#ifdef __cplusplus
}
#endif

#endif
