/*
 * weft/runtime.h - start weft, run a program in it, stop it.
 *
 *     int main(void) { return weft_run(program, NULL) < 0; }
 *
 * A program with a main thread of its own calls weft_start, then weft_call, then weft_stop.
 * The environment overrides nothing that the options say: WEFT_WORKERS, WEFT_POOL, WEFT_LOOP
 * (auto, uring or epoll) and WEFT_DEBUG (a list of: report, migrate, clock) fill in what is zero
 * there.
 */
#ifndef WEFT_RUNTIME_H
#define WEFT_RUNTIME_H

#include <weft/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Which event loop the workers use. */
typedef enum weft_loop {
    WEFT_LOOP_AUTO,  /* io_uring where the kernel allows it, else epoll */
    WEFT_LOOP_URING, /* io_uring; a worker that cannot have it still falls back, and says so */
    WEFT_LOOP_EPOLL,
} weft_loop;

/** Options of weft_run_with and weft_start; zero means default. */
typedef struct weft_options {
    int workers;          /* threads that run tasks; 0: what affinity and cgroup quota give */
    int pool_threads;     /* threads of weft_cpu(); 0: the same number */
    int blocking_threads; /* most threads of the blocking lane; 0: 64 */
    weft_loop loop;
    weft_time shutdown; /* how long stopping waits for tasks that go on; 0: 5 s */
    /* Hears of forgotten awaits and misuse. On any thread, also on the stack of a task, and within
     * weft_stop, so it must neither start nor stop the runtime, nor wait in weft. */
    void (*report)(void *context, const char *sentence);
    void *report_context; /* must live on if weft_stop had to abandon something */
    int bystanders; /* threads of the program that live as long as the runtime, never wake a task and
                       never wait in weft, for weft_run to tell a standstill all the same; -1: all */
} weft_options;

/** How the guard below each stack is made. */
typedef enum weft_guard {
    WEFT_GUARD_MADVISE,  /* costs no mapping: any number of stacks */
    WEFT_GUARD_MPROTECT, /* older kernels: about 32,000 stacks at a time */
} weft_guard;

/** What weft_info tells. */
typedef struct weft_info_data {
    int workers;
    int pool_threads;
    weft_loop loop; /* what the workers got; WEFT_LOOP_AUTO if they differ */
    char
        loop_why[96]; /* in words: "asked for", "io_uring_setup: Operation not permitted (EPERM)" */
    weft_guard guard;
    char pool_class[48];   /* how the threads of weft_cpu() are scheduled, in words */
    size_t stack_bytes;    /* of a task unless it asks for more */
    uint64_t tasks_live;   /* spawned and not ended; exact when nothing runs */
    uint64_t stacks_limit; /* how many tasks can be suspended at once; 0: as memory allows */
} weft_info_data;

/**
 * Starts the runtime, runs fn(arg) as its first task, and stops it when that returns: what is left
 * is cancelled and waited for, for the shutdown time. Called in a task, runs fn as a child.
 *
 * If everything waits and nothing can ever wake anything, the call that started the runtime reports
 * what each task and job waits for, cancels all, abandons what cancellation does not end, and returns
 * -EDEADLK; weft_why() names the first of them. Nothing can: no timer is set, no operation of the
 * kernel's is in flight, no job goes on by itself, nobody holds weft_waker_hold, and the process has
 * no other thread (except those that wait inside weft, and weft_options.bystanders).
 * Returns: what fn returns; -EDEADLK (see above); -EINVAL (an option or variable is wrong; weft_why()
 *          names it), -ENOMEM, -EAGAIN (no more threads), -EMFILE, -ENOTSUP (shadow stacks are
 *          active): it never ran.
 * From:    plain threads and jobs; in a task it waits like weft_await.
 * Waits:   yes; in a task a cancellation point.
 * Since:   0.1
 */
WEFT_API int weft_run(weft_fn fn, void *arg);

/**
 * weft_run with options; they count only if this call starts the runtime.
 *
 * Returns: as weft_run.
 * From:    as weft_run.
 * Waits:   as weft_run.
 * Since:   0.1
 */
WEFT_API int weft_run_with(const weft_options *options, weft_fn fn, void *arg);

/**
 * Starts the runtime in the background, for a program that has its own main thread. Starts are
 * counted: if it runs already, the options are ignored, and as many stops are needed.
 *
 * Returns: 0; the errors of weft_run.
 * From:    plain threads (-EPERM in a task or job).
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_start(const weft_options *options);

/**
 * Takes one start back; the last one cancels what is left, waits for it and ends the threads.
 *
 * Returns: 0; -ENXIO if it was not started; -ETIMEDOUT if tasks refused to end within the shutdown
 *          time: they were reported, and their threads and memory are abandoned.
 * From:    plain threads (-EDEADLK in a task or job).
 * Since:   0.1
 */
WEFT_API int weft_stop(void);

/**
 * Runs fn(arg) as a task and blocks the calling thread until it ended.
 *
 * Returns: its status; -ENXIO (not started), -ESHUTDOWN (stopping), -ENOMEM.
 * From:    plain threads and jobs; in a task it waits like weft_await.
 * Waits:   yes, in a task a cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_call(weft_fn fn, void *arg);

/**
 * Says that something which weft cannot see may still wake a task: a signal handler, say. Until it is
 * released weft_run does not take silence for a standstill, and a virtual clock waits for the grace
 * before it jumps. Holds are counted, for the whole process, also before the runtime is started.
 *
 * From:    tasks, jobs, plain threads and signal handlers.
 * Since:   0.1
 */
WEFT_API void weft_waker_hold(void);

/**
 * Takes one weft_waker_hold back.
 *
 * Returns: 0; -EPERM if nobody holds.
 * From:    tasks, jobs, plain threads and signal handlers.
 * Since:   0.1
 */
WEFT_API int weft_waker_release(void);

/**
 * Tells how the runtime is set up.
 *
 * Returns: 0; -ENXIO if it was never started, -ESHUTDOWN if it was stopped.
 * Since:   0.1
 */
WEFT_API int weft_info(weft_info_data *ret_info);

#ifdef __cplusplus
}
#endif

#endif
