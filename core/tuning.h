/*
 * tuning - the measured or chosen constants, with unit and reason. The test build replaces this page
 * by one with tiny values (WEFT_TUNING_HEADER), so that rare paths become common ones.
 */
#ifndef WEFT_CORE_TUNING_H
#define WEFT_CORE_TUNING_H

#ifdef WEFT_TUNING_HEADER
#    include WEFT_TUNING_HEADER
#else

/* Tasks between two looks at timers, kernel events and the way in from outside: about 61 in Go and
 * Tokio; a prime, so that it does not fall in step with a program's own rhythm. */
#    define TUNE_LOOK_OUT         61

/* How long a worker may show no sign of life before another looks into its loop for it: many times
 * the length of a task, and short beside the scheduler's tick. */
#    define TUNE_HELD_OFF_NS      INT64_C(100000)

/* Times in a row that a worker takes the task it has just woken before the others get their turn. */
#    define TUNE_RUN_NEXT_STREAK  3

/* Tasks that a new deque holds before it grows (a power of two). */
#    define TUNE_DEQUE_CAPACITY   256

/* The most tasks that one steal takes. */
#    define TUNE_STEAL_MOST       64

/* Stacks that a worker keeps warm for itself; that all keep together while they sleep, and at the most
 * while they work (512 MiB if each has used one page); and whose pages go back at a time. */
#    define TUNE_STACK_CACHE      64
#    define TUNE_STACK_POOL       1024
#    define TUNE_STACK_WARM       131072
#    define TUNE_STACK_BATCH      256

/* Free task slots that a worker passes to the others, or takes from them, at a time. */
#    define TUNE_SLOT_BATCH       64

/* Waiting tasks that a search for a circle remembers, and tasks that it looks at in the lists of
 * others before it gives up: 10,000 members of a scope, and a millisecond at most. */
#    define TUNE_WALK_STEPS       2048
#    define TUNE_WALK_LOOKS       16384

/* Spins of such a search before each task that it reads: none; in tests it shall be overtaken. */
#    define TUNE_WALK_PAUSE       0

/* An unbounded channel grows by a chunk of so many bytes, but at least so many items: a page, and few
 * allocations for large ones. */
#    define TUNE_CHUNK_BYTES      4064
#    define TUNE_CHUNK_ITEMS      8

/* Spins on a lock before its futex, four times as long as the longest holder needs; and so many of them
 * between two looks, at first and at last. */
#    define TUNE_LOCK_SPINS       256
#    define TUNE_LOCK_PAUSE_LEAST 8
#    define TUNE_LOCK_PAUSE_MOST  32

/* Spins of a thread of the CPU pool without work before it sleeps: about what sleep and wake cost. Of
 * several such threads one spins. */
#    define TUNE_POOL_SPINS       400

/* So many times as long, after a sleep so short that it was not worth its price. */
#    define TUNE_POOL_SPINS_MORE  5
#    define TUNE_POOL_NAP_NS      INT64_C(50000)

/* Spins of the last worker before it sleeps while a job of the CPU pool is on; so many in vain in a
 * row, and from there on it tries each so-many-th time only. */
#    define TUNE_PARK_SPINS       200
#    define TUNE_PARK_SPINS_LOST  4
#    define TUNE_PARK_SPINS_AGAIN 32

/* Jobs that may wait in one pool's queue before its callers wait for room. */
#    define TUNE_POOL_BOUND       1024

/* Jobs in a row that a thread has got from the processor on which it runs itself before it moves; in what
 * time at most, for long ones lose nothing there; and how often at most it does, which costs some 10 us. */
#    define TUNE_POOL_CLOSE       32
#    define TUNE_POOL_CLOSE_NS    INT64_C(10000000)

/* Of the permits for it a part so large is kept before it goes back to the semaphore. */
#    define TUNE_POOL_ROOM_PARTS  16

/* The most threads of the blocking lane unless the options say otherwise, and of the lane for names:
 * look-ups that hang must not take more. */
#    define TUNE_BLOCKING_THREADS 64
#    define TUNE_NAMES_THREADS    4

/* Threads that may stand in for jobs that wait inside weft, beyond a pool's limit. */
#    define TUNE_POOL_STAND_INS   1024

/* How long a lane's thread without work stays: longer than the pauses of a busy program. */
#    define TUNE_LANE_LINGER_NS   INT64_C(10000000000)

#endif
#endif
