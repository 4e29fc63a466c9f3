/*
 * weft/testing.h - for the tests of programs that use weft. Not part of <weft.h>.
 *
 *     weft_test_clock(0);                     // in the next run time does not pass, it jumps
 *     rc = weft_run(waits_an_hour, NULL);     // over in no time
 *
 *     rc = weft_test_cancel_everywhere(program, NULL);    // does it leak when it is cancelled?
 *     if (rc < 0)
 *         puts(weft_why());
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

/** The most points that weft_test_cancel_everywhere visits; of more, evenly spread ones. */
#define WEFT_TEST_POINTS_MOST 10000

/**
 * Cancels a program at every point where it can be cancelled, one per run, and looks whether it
 * leaves anything behind. For tests: from a plain thread, while nothing else goes on in the process.
 *
 * Runs fn(arg) as the first task of a runtime of its own with one worker: once to warm up, once to
 * count the points, and then, for each point, once for each moment at which a cancel can come. A
 * point is the beginning of a call that is a cancellation point (before it waits) and each wait in
 * it (when it is announced, while it waits, and after it was woken but before it goes on), in
 * whichever task: the task that stands there is cancelled as by weft_cancel, be it fn's own or one
 * that it has started. Inside a shield the cancel is remembered until the shield ends.
 *
 * After each run nothing may be left of: memory that weft allocated (a queue not destroyed), memory
 * of the C heap, descriptors, locks and permits taken and not given back or given back without
 * having been taken, open scopes, tasks that do not end when they are cancelled, futures neither
 * awaited nor detached, and anything else that weft reports. Counts are compared with those before
 * the run; locks and permits with what an uncancelled run keeps; the C heap, whose caches come and
 * go, must grow with each of several repetitions of the run. Semaphores that are released before
 * they are first taken count events and may keep some.
 *
 * fn must be able to run any number of times, each time from the same state; what it returns when
 * it is cancelled is its own affair. If the number of points varies, those of the counting run are
 * visited as far as they are reached, and of more than WEFT_TEST_POINTS_MOST an even choice. A
 * virtual clock that was asked for (weft_test_clock, WEFT_DEBUG=clock) is that of every run.
 * Returns: how many points were visited; -ENOTEMPTY if something was left behind; -EDEADLK if a run
 *          stood still, or came to no new point for 20 s and had to be stopped. Then weft_why() tells
 *          the point (its number, what was waited for, the task and where that was spawned), the
 *          moment, and what was left. The failure of fn if it fails without being cancelled; -EINVAL
 *          (no fn), -EBUSY (a runtime runs), the errors of weft_run.
 * From:    plain threads (-EPERM in a task or job).
 * Waits:   yes, for all the runs.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_test_cancel_everywhere(weft_fn fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif
