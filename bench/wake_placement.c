/*
 * wake_placement - how often does the kernel put a woken thread behind the one that woke it, although
 * another processor is idle?
 *
 * Plain pthreads, without weft: one thread sleeps in epoll_wait, or on a futex; the other wakes it and
 * then computes for a while. Prints, tab separated: how it slept, wakes, how many of them took longer
 * than a millisecond, and how many woke on the waker's processor.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { WAKES = 500, LONG_NS = 1000000, COMPUTE_NS = 2000000, GIVE_UP_NS = 50000000 };

static struct {
    bool uses_futex;
    int epoll, event;
    _Atomic uint32_t go;  /* what the futex waits for */
    _Atomic int woken_on; /* processor of the woken thread + 1; 0: not yet */
    _Atomic bool is_over;
} shared;

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void compute(int64_t ns)
{
    for (int64_t end = now_ns() + ns; now_ns() < end;)
        ;
}

static void sleep_until_woken(void)
{
    struct epoll_event event;
    uint64_t count;

    if (shared.uses_futex) {
        while (atomic_exchange(&shared.go, 0) == 0)
            (void)syscall(SYS_futex, &shared.go, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
        return;
    }
    (void)epoll_wait(shared.epoll, &event, 1, -1);
    (void)!read(shared.event, &count, sizeof count);
}

static void wake(void)
{
    uint64_t one = 1;

    if (!shared.uses_futex) {
        (void)!write(shared.event, &one, sizeof one);
        return;
    }
    atomic_store(&shared.go, 1);
    (void)syscall(SYS_futex, &shared.go, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *sleeper(void *arg)
{
    (void)arg;
    for (;;) {
        sleep_until_woken();
        if (atomic_load(&shared.is_over))
            return NULL;
        atomic_store(&shared.woken_on, sched_getcpu() + 1);
        compute(COMPUTE_NS);
    }
}

static int measure(bool uses_futex)
{
    struct epoll_event in = {.events = EPOLLIN};
    int slow = 0, same = 0;
    pthread_t thread;

    shared.uses_futex = uses_futex;
    atomic_store(&shared.is_over, false);
    shared.epoll = epoll_create1(EPOLL_CLOEXEC);
    shared.event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (shared.epoll < 0 || shared.event < 0 ||
        epoll_ctl(shared.epoll, EPOLL_CTL_ADD, shared.event, &in) < 0 ||
        pthread_create(&thread, NULL, sleeper, NULL) != 0)
        return 1;
    for (int i = 0; i < WAKES; i++) {
        (void)usleep((useconds_t)(5000 + i * 37 % 5000)); /* both threads are idle after this */
        atomic_store(&shared.woken_on, 0);
        int64_t begin = now_ns();
        wake();
        while (!atomic_load(&shared.woken_on) && now_ns() - begin < GIVE_UP_NS)
            ;
        slow += now_ns() - begin > LONG_NS;
        same += atomic_load(&shared.woken_on) == sched_getcpu() + 1;
    }
    printf("%s\t%d\t%d\t%d\n", uses_futex ? "futex" : "epoll", WAKES, slow, same);
    (void)usleep(10000);
    atomic_store(&shared.is_over, true);
    wake();
    (void)pthread_join(thread, NULL);
    (void)close(shared.epoll);
    (void)close(shared.event);
    return 0;
}

int main(void)
{
    printf("sleeps in\twakes\tover 1 ms\ton the waker's processor\n");
    return measure(false) || measure(true);
}
