/*
 * weft/select.h - wait for several things at once, and do the one that can be done first.
 *
 *     int rc;
 *     switch (weft_select(&rc, weft_on_receive(&jobs, &job), weft_on_event(&quit),
 *                         weft_on_time(weft_now() + weft_s(1)))) {
 *     case 0: return rc == 1 ? work_on(&job) : 0; // rc as weft_receive returns it
 *     case 1: return 0;                           // the event is set
 *     case 2: return -ETIMEDOUT;                  // a second has passed, and nothing came
 *     default: return rc;                         // -ECANCELED
 *     }
 *
 * What may happen are the arms. Exactly one of them does, and then the others did nothing: no item was
 * taken or sent, no future consumed, no wake swallowed. If several can be done at once, chance decides,
 * each with the same probability; weft_select_biased takes the first. A closed channel is always ready.
 * An arm whose channel or event is NULL is never ready, nor is the time WEFT_FOREVER: so that a loop
 * can switch arms off.
 *
 * The same channel may stand in several arms, also to send and to receive: a select never meets itself.
 * It may meet another select on a rendezvous channel. Nothing is allocated: the arms are the caller's
 * memory, and so is what they point to, both until the call returns. Arms may be used again.
 */
#ifndef WEFT_SELECT_H
#define WEFT_SELECT_H

#include <weft/channel.h>
#include <weft/sync.h>
#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One of the things that a select waits for: made by weft_on_send and its like. */
typedef struct weft_arm {
    int result; /* of the arm that was done; see each weft_on_ function */
    uint32_t weft__kind;
    uint32_t weft__turn;
    uint32_t weft__unused;
    void *weft__object;
    void *weft__item;
    weft_time weft__moment;
    weft_future weft__future;
    uint64_t weft__waiter[12];
} weft_arm;

/** The most arms of one select. */
#define WEFT_ARMS_MOST 65535

/**
 * Makes an arm that sends a copy of the item as it is when the arm is done.
 *
 * Returns: the arm; its result: 0; -EPIPE (closed or stopped); -ENOMEM (unbounded only).
 * Owns:    the item is the caller's, and must live until the select has returned.
 * Since:   0.1
 */
WEFT_API weft_arm weft_on_send(weft_channel *channel, const void *item);

/**
 * Makes an arm that receives an item.
 *
 * Returns: the arm; its result: 1 and the item; 0 if the channel is closed and nothing is left.
 * Owns:    as weft_on_send.
 * Since:   0.1
 */
WEFT_API weft_arm weft_on_receive(weft_channel *channel, void *ret_item);

/**
 * Makes an arm that waits for the end of a task, job or promise. The future is not consumed.
 *
 * Returns: the arm; its result, which ret_status gets too unless it is NULL: what weft_wait returns.
 * Owns:    as weft_on_send.
 * Since:   0.1
 */
WEFT_API weft_arm weft_on_future(weft_future future, int *ret_status);

/**
 * Makes an arm that waits until weft_now() has reached `moment`, never shorter.
 *
 * Returns: the arm; its result: 0.
 * Since:   0.1
 */
WEFT_API weft_arm weft_on_time(weft_time moment);

/**
 * Makes an arm that waits until the event is set.
 *
 * Returns: the arm; its result: 0, also if the event was cleared again right after.
 * Since:   0.1
 */
WEFT_API weft_arm weft_on_event(weft_event *event);

/**
 * Waits until one of n arms can be done, and does it; weft_select(&rc, arm, ...) wraps it.
 *
 * Returns: the index of the arm, whose `result` tells how it went; -ECANCELED, -ENOMEM (no timer),
 *          -EINVAL (no arm, or more than WEFT_ARMS_MOST): then no arm was done.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_select_n(weft_arm *arms, size_t n);

/**
 * The same, but of several arms that can be done at once it does the first in the array.
 *
 * Returns: as weft_select_n.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_select_biased_n(weft_arm *arms, size_t n);

/**
 * Does one of the arms that can be done at once.
 *
 * Returns: the index of the arm; -EAGAIN if there is none: the default case; -EINVAL.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_try_select_n(weft_arm *arms, size_t n);

/* Private: what a select passes on as the result of its arm, or its own failure. */
static inline int weft__select_result(int *ret_result, const weft_arm *arms, int index)
{
    if (ret_result)
        *ret_result = index < 0 ? index : arms[index].result;
    return index;
}

WEFT_MUST_CHECK static inline int weft__select(int *ret_result, weft_arm *arms, size_t n)
{
    return weft__select_result(ret_result, arms, weft_select_n(arms, n));
}

WEFT_MUST_CHECK static inline int weft__select_biased(int *ret_result, weft_arm *arms, size_t n)
{
    return weft__select_result(ret_result, arms, weft_select_biased_n(arms, n));
}

WEFT_MUST_CHECK static inline int weft__try_select(int *ret_result, weft_arm *arms, size_t n)
{
    return weft__select_result(ret_result, arms, weft_try_select_n(arms, n));
}

#ifndef __cplusplus
/** weft_select(&rc, arm, ...): weft_select_n over the arms named. rc, unless the pointer is NULL, is the
 * result of the arm that was done, or the failure that is returned. */
#    define weft_select(ret_result, ...)                      \
        weft__select((ret_result), (weft_arm[]){__VA_ARGS__}, \
                     sizeof((weft_arm[]){__VA_ARGS__}) / sizeof(weft_arm))

/** weft_select_biased(&rc, arm, ...): the first of those that can be done at once. */
#    define weft_select_biased(ret_result, ...)                      \
        weft__select_biased((ret_result), (weft_arm[]){__VA_ARGS__}, \
                            sizeof((weft_arm[]){__VA_ARGS__}) / sizeof(weft_arm))

/** weft_try_select(&rc, arm, ...): -EAGAIN if none can be done at once. */
#    define weft_try_select(ret_result, ...)                      \
        weft__try_select((ret_result), (weft_arm[]){__VA_ARGS__}, \
                         sizeof((weft_arm[]){__VA_ARGS__}) / sizeof(weft_arm))
#endif

#ifdef __cplusplus
}

template <typename... A>
static inline int weft__select_of(int (*select)(int *, weft_arm *, size_t), int *ret_result,
                                  A... arms)
{
    weft_arm list[] = {arms...};
    return select(ret_result, list, sizeof...(arms));
}

#    define weft_select(...)        weft__select_of(weft__select, __VA_ARGS__)
#    define weft_select_biased(...) weft__select_of(weft__select_biased, __VA_ARGS__)
#    define weft_try_select(...)    weft__select_of(weft__try_select, __VA_ARGS__)
#endif

#endif
