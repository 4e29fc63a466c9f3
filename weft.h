/*
 * weft.h - asyncio for C, on every core: the whole interface on one page.
 *
 *   weft/base.h      time, errors, version
 *   weft/runtime.h   weft_run, weft_start/weft_stop, weft_call, weft_waker_hold, weft_info
 *   weft/task.h      weft_spawn, weft_await, weft_gather, weft_race, weft_completed, weft_wait,
 *                    weft_cancel, weft_detach, weft_yield, promises
 *   weft/time.h      weft_sleep, weft_sleep_until, weft_interval
 *   weft/scope.h     scopes, deadlines, soft cancel, weft_timeout, weft_shield, WEFT_WITHIN
 *   weft/local.h     values that tasks inherit
 *   weft/sync.h      mutex, semaphore, event, condition, queue
 *   weft/rwlock.h    a lock for many readers or one writer
 *   weft/channel.h   weft_send, weft_receive, weft_channel_close, weft_channel_stop
 *   weft/select.h    weft_select: several things at once
 *   weft/meet.h      capacity limiter, barrier, once, wait group
 *   weft/broadcast.h a value for all listeners, the latest value to watch
 *   weft/pool.h      weft_offload, weft_blocking
 *   weft/io.h        open, read, write, close
 *   weft/net.h       TCP: listen, accept, connect
 *
 * What holds for every function unless its docstring says otherwise: it is callable from tasks and
 * threads; it does not wait; pointers are borrowed for the call; times are nanoseconds of
 * weft_now(); a negative int is -errno, and then nothing happened and no output was written.
 *
 * Across any call that waits, a task may change its thread: never keep errno, the address of a
 * thread-local variable, or a pthread mutex over it.
 */
#ifndef WEFT_H
#define WEFT_H

#include <weft/base.h>
#include <weft/broadcast.h>
#include <weft/channel.h>
#include <weft/io.h>
#include <weft/local.h>
#include <weft/meet.h>
#include <weft/net.h>
#include <weft/pool.h>
#include <weft/runtime.h>
#include <weft/rwlock.h>
#include <weft/scope.h>
#include <weft/select.h>
#include <weft/sync.h>
#include <weft/task.h>
#include <weft/time.h>

#endif
