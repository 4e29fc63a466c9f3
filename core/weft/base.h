/*
 * weft/base.h - what every other header needs: attributes, time, errors, version.
 *
 *     weft_time start = weft_now();
 *     ...
 *     printf("%.2f s\n", weft_seconds(weft_now() - start));
 */
#ifndef WEFT_BASE_H
#define WEFT_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 1
#define WEFT_VERSION_PATCH 0
#define WEFT_VERSION       "0.1.0"

#define WEFT_API        __attribute__((visibility("default")))
#define WEFT_MUST_CHECK __attribute__((warn_unused_result))

#define WEFT__TEXT(x) #x
#define WEFT__LINE(x) WEFT__TEXT(x)
/* Name and place of a spawn in one string literal: "fetch (src/main.c:12)". */
#define WEFT_SITE(what) #what " (" __FILE__ ":" WEFT__LINE(__LINE__) ")"

/** What a task or a job runs: 0 or more is success, below is -errno. */
typedef int (*weft_fn)(void *arg);

/** Nanoseconds, either a span or a moment on the clock of weft_now(). */
typedef int64_t weft_time;

/** Longer than any program runs: a wait of this length has no end of its own. */
#define WEFT_FOREVER INT64_MAX

/** Turns seconds into a span; too large or too small saturates. Since: 0.1 */
static inline weft_time weft_s(double seconds)
{
    return seconds >= 9.2e9    ? INT64_MAX
           : seconds <= -9.2e9 ? -INT64_MAX
                               : (weft_time)(seconds * 1e9);
}

/** Turns milliseconds into a span; too large or too small saturates. Since: 0.1 */
static inline weft_time weft_ms(int64_t ms)
{
    return ms > INT64_MAX / 1000000    ? INT64_MAX
           : ms < -INT64_MAX / 1000000 ? -INT64_MAX
                                       : ms * 1000000;
}

/** Turns microseconds into a span; too large or too small saturates. Since: 0.1 */
static inline weft_time weft_us(int64_t us)
{
    return us > INT64_MAX / 1000 ? INT64_MAX : us < -INT64_MAX / 1000 ? -INT64_MAX : us * 1000;
}

/** Turns a span into seconds, to print it. Since: 0.1 */
static inline double weft_seconds(weft_time span) { return (double)span / 1e9; }

/**
 * Tells the time of the monotonic clock: setting the computer's date does not move it.
 *
 * Returns: nanoseconds since some fixed moment (CLOCK_MONOTONIC).
 * Since:   0.1
 */
WEFT_API weft_time weft_now(void);

/**
 * Names a status in words: "success" for 0 and more, "Connection refused" for -ECONNREFUSED.
 *
 * Returns: a constant string.
 * From:    anywhere, also signal handlers.
 * Since:   0.1
 */
WEFT_API const char *weft_strerror(int status);

/**
 * Explains the last failed start, run or look-up of this thread in a sentence that names the wrong
 * value and the way out, such as: WEFT_LOOP is "foo": use auto, uring or epoll.
 *
 * Returns: the sentence, "" if there is none; valid until the next failing call on this thread.
 * Since:   0.1
 */
WEFT_API const char *weft_why(void);

/**
 * Tells the version of the library that is linked, to compare with WEFT_VERSION of the headers.
 *
 * Returns: a constant string such as "0.1.0".
 * From:    anywhere, also signal handlers.
 * Since:   0.1
 */
WEFT_API const char *weft_version(void);

#ifdef __cplusplus
}
#endif

#endif
