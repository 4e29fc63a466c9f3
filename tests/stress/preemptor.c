/*
 * preemptor - see preemptor.h.
 */
#include "preemptor.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "core/fiber.h"

#define STOP_SIGNAL  (SIGRTMIN + 5)
#define SHORTEST_US  100
#define LONGEST_US   5000
#define TARGETS_MOST 256

static _Atomic bool is_on;
static _Atomic long stops;
static pthread_t helper;

static struct target {
    _Atomic int tid;      /* 0: free */
    _Atomic int tid_sent; /* that of the thread which has a stop before it or stands still, or 0 */
    _Atomic bool sleeps;
} targets[TARGETS_MOST];

static _Thread_local struct target *own; /* of a thread that is one */

/* --- the handler: everything in it may be called in one ----------------------------------------- */

static int64_t now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void nap(int us)
{
    const struct timespec span = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

    (void)pselect(0, NULL, NULL, NULL, &span, NULL); /* a signal may cut it short */
}

static void stand_still(int number, siginfo_t *info, void *context)
{
    int saved = errno, us = info->si_value.sival_int;

    (void)number;
    (void)context;
    if (us > 0)
        nap(us);
    else
        for (int64_t end = now_us() - us; now_us() < end;)
            ;
    atomic_fetch_add(&stops, 1);
    atomic_store(&own->tid_sent, 0); /* only a target is stopped */
    errno = saved;
}

/* --- the helper ----------------------------------------------------------------------------------- */

/* Short ones are as frequent as long ones, octave by octave; one in eight spins instead. */
static int some_span(uint64_t random)
{
    int octave = SHORTEST_US << random % 6;
    int us = octave + (int)(random >> 8 & 0xffff) % octave;

    us = us < LONGEST_US ? us : LONGEST_US;
    return random >> 40 & 7 ? us : -us;
}

/* Returns whether the thread was still there. */
static bool stop_thread(int tid, int span)
{
    siginfo_t info;

    memset(&info, 0, sizeof info);
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = span;
    return syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, STOP_SIGNAL, &info) == 0;
}

/* Returns whether the thread was still there. */
static bool stop_target(struct target *target, int span)
{
    int tid = atomic_load(&target->tid);

    if (tid == 0)
        return false;
    atomic_store(&target->tid_sent, tid); /* before the handler takes it back */
    if (stop_thread(tid, span))
        return true;
    atomic_store(&target->tid_sent, 0);
    return false;
}

/* All that may be stopped now: none that has not come to its last stop yet, or is still in it. A thread
 * that gets the processor more rarely than it is stopped would have more and more of them before it.
 * Returns how many. */
static int list_targets(struct target **ret_list)
{
    int count = 0;

    for (int i = 0; i < TARGETS_MOST; i++) {
        int tid = atomic_load(&targets[i].tid);

        ret_list[count] = &targets[i];
        count += tid != 0 && atomic_load(&targets[i].tid_sent) != tid &&
                 !atomic_load(&targets[i].sleeps);
    }
    return count;
}

/* Half of the threads' time goes by standing still, at most. */
static void *stops_threads(void *arg)
{
    uint64_t *seed = arg;
    struct target *list[TARGETS_MOST];

    while (atomic_load(&is_on)) {
        uint64_t random = check_random(seed);
        int count = list_targets(list), span = some_span(random);

        if (count > 0 && stop_target(list[(random >> 48) % (uint64_t)count], span))
            nap(2 * abs(span) / count + (int)(random >> 32 & 127));
        else
            nap(SHORTEST_US); /* nobody is there, or that one has just ended */
    }
    return NULL;
}

bool preemptor_start(uint64_t seed)
{
    static uint64_t seed_of_helper;
    struct sigaction action = {.sa_sigaction = stand_still, .sa_flags = SA_SIGINFO | SA_ONSTACK};

#if defined(WEFT_TSAN)
    return false;
#endif
    if (atomic_exchange(&is_on, true))
        return true;
    seed_of_helper = seed;
    if (sigaction(STOP_SIGNAL, &action, NULL) == 0 &&
        pthread_create(&helper, NULL, stops_threads, &seed_of_helper) == 0)
        return true;
    atomic_store(&is_on, false);
    return false;
}

long preemptor_stop(void)
{
    if (getenv("CHECK_PREEMPT") == NULL && atomic_exchange(&is_on, false))
        (void)pthread_join(helper, NULL); /* fails only for a wrong thread */
    return atomic_load(&stops);
}

/* --- threads that may be stopped -------------------------------------------------------------------- */

struct first {
    void *(*fn)(void *);
    void *arg;
};

static void block(int how, sigset_t *ret_old)
{
    sigset_t only;

    (void)sigemptyset(&only); /* these cannot fail */
    (void)sigaddset(&only, STOP_SIGNAL);
    (void)pthread_sigmask(how, &only, ret_old);
}

/* A thread that finds no room is never stopped. */
static struct target *announce(int tid)
{
    for (int i = 0; i < TARGETS_MOST; i++) {
        int empty = 0;

        if (atomic_compare_exchange_strong(&targets[i].tid, &empty, tid))
            return &targets[i];
    }
    return NULL;
}

static void *may_be_stopped(void *arg)
{
    struct first first = *(struct first *)arg;

    free(arg);
    own = announce(gettid());
    block(SIG_UNBLOCK, NULL);
    void *result = first.fn(first.arg);
    block(SIG_BLOCK, NULL);
    if (own)
        atomic_store(&own->tid, 0);
    return result;
}

int __real_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
int __wrap_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);

int __wrap_pthread_create(pthread_t *ret_thread, const pthread_attr_t *attr, void *(*fn)(void *),
                          void *arg)
{
    struct first *first = atomic_load(&is_on) ? malloc(sizeof *first) : NULL;

    if (first == NULL)
        return __real_pthread_create(ret_thread, attr, fn, arg);
    *first = (struct first){fn, arg};
    int rc = __real_pthread_create(ret_thread, attr, may_be_stopped, first);
    if (rc != 0)
        free(first);
    return rc;
}

/* --- threads that sleep: a signal would wake them ------------------------------------------------- */

static void fall_asleep(sigset_t *ret_old)
{
    atomic_store(&own->sleeps, true);
    block(SIG_BLOCK, ret_old);
}

static void wake_up(const sigset_t *old)
{
    atomic_store(&own->sleeps, false);
    (void)pthread_sigmask(SIG_SETMASK, old, NULL); /* cannot fail */
}

long __real_syscall(long, ...);
long __wrap_syscall(long, ...);

long __wrap_syscall(long number, ...)
{
    bool may_sleep = own && (number == SYS_futex || number == SYS_epoll_pwait2);
    sigset_t old;
    va_list list;
    long args[6]; /* as many as there can be; the kernel looks at those that count */

    va_start(list, number);
    for (int i = 0; i < 6; i++)
        args[i] = va_arg(list, long);
    va_end(list);
    if (may_sleep)
        fall_asleep(&old);
    long rc = __real_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
    if (may_sleep)
        wake_up(&old);
    return rc;
}

/* --- programs that are run with it ------------------------------------------------------------------ */

static void tell(void) { printf("measured: threads stood still %ld times\n", atomic_load(&stops)); }

__attribute__((constructor)) static void begin_with_the_program(void)
{
    if (getenv("CHECK_PREEMPT") != NULL && preemptor_start(check_seed()))
        (void)atexit(tell); /* refused: it is not told */
}
