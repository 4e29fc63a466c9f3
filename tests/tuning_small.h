/*
 * tuning_small - takes the place of core/tuning.h in the `small` build: queues and caches so tiny that
 * growing, stealing, refilling and giving back happen in every test.
 */
#ifndef WEFT_TESTS_TUNING_SMALL_H
#define WEFT_TESTS_TUNING_SMALL_H

#define TUNE_LOOK_OUT         2
#define TUNE_HELD_OFF_NS      INT64_C(0)
#define TUNE_RUN_NEXT_STREAK  1
#define TUNE_DEQUE_CAPACITY   4
#define TUNE_STEAL_MOST       2
#define TUNE_STACK_CACHE      1
#define TUNE_STACK_POOL       2
#define TUNE_STACK_WARM       4
#define TUNE_STACK_BATCH      2
#define TUNE_SLOT_BATCH       2
#define TUNE_LOCK_SPINS       0
#define TUNE_LOCK_PAUSE_LEAST 1
#define TUNE_LOCK_PAUSE_MOST  1
#define TUNE_CHUNK_BYTES      16
#define TUNE_CHUNK_ITEMS      2
#define TUNE_WALK_STEPS       16
#define TUNE_WALK_LOOKS       64
#define TUNE_WALK_PAUSE       200

#define TUNE_POOL_SPINS       2
#define TUNE_POOL_SPINS_MORE  2
#define TUNE_POOL_NAP_NS      INT64_C(50000)
#define TUNE_PARK_SPINS       2
#define TUNE_PARK_SPINS_LOST  1
#define TUNE_PARK_SPINS_AGAIN 2

#define TUNE_POOL_BOUND       4
#define TUNE_POOL_CLOSE       2
#define TUNE_POOL_CLOSE_NS    INT64_C(1000000)
#define TUNE_POOL_ROOM_PARTS  2
#define TUNE_BLOCKING_THREADS 8
#define TUNE_NAMES_THREADS    1
#define TUNE_POOL_STAND_INS   1024
#define TUNE_LANE_LINGER_NS   INT64_C(1000000)

#endif
