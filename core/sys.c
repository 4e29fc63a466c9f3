/*
 * sys - see sys.h. Each function asks the fault hook, makes the call, and puts errno back.
 */
#include "core/sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/atomic.h"

int (*weft__sys_fault)(const char *call);

static _Atomic int64_t live; /* what weft__sys_live tells */

/* Counts a piece of memory that was got. */
static void *counted(void *memory)
{
    if (memory)
        add_relaxed(&live, 1); /* relaxed: a statistic */
    return memory;
}

int64_t weft__sys_live(void) { return load_relaxed(&live); } /* relaxed: a statistic */

static int fault(const char *call) { return weft__sys_fault ? weft__sys_fault(call) : 0; }

/* The body of a function: the result of a call, or -errno, or the injected fault. */
#define RETURN_CALL(name, type, call) \
    int saved = errno;                \
    int injected = fault(name);       \
    if (injected < 0)                 \
        return injected;              \
    type result = (type)(call);       \
    if (result < 0)                   \
        result = (type)-errno;        \
    errno = saved;                    \
    return result

void *weft__sys_alloc(size_t bytes)
{
    int saved = errno;
    void *memory = fault("alloc") < 0 ? NULL : calloc(1, bytes);

    errno = saved;
    return counted(memory);
}

void *weft__sys_realloc(void *old, size_t bytes)
{
    int saved = errno;
    void *memory = fault("alloc") < 0 ? NULL : realloc(old, bytes);

    errno = saved;
    return old ? memory : counted(memory);
}

void *weft__sys_alloc_lines(size_t bytes)
{
    int saved = errno;
    size_t rounded = (bytes + WEFT_LINE - 1) / WEFT_LINE * WEFT_LINE;
    void *memory = fault("alloc") < 0 ? NULL : aligned_alloc(WEFT_LINE, rounded);

    if (memory)
        memset(memory, 0, rounded);
    errno = saved;
    return counted(memory);
}

void weft__sys_free(void *memory)
{
    int saved = errno;

    if (memory)
        add_relaxed(&live, -1); /* relaxed: a statistic */
    free(memory);
    errno = saved;
}

int weft__sys_mmap(size_t bytes, void **ret_at)
{
    int saved = errno;
    int rc = fault("mmap");

    if (rc < 0)
        return rc;
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        rc = -errno;
        errno = saved;
        return rc;
    }
    *ret_at = counted(at);
    return 0;
}

void weft__sys_munmap(void *at, size_t bytes)
{
    int saved = errno;

    add_relaxed(&live, -1);  /* relaxed: a statistic */
    (void)munmap(at, bytes); /* fails only for wrong arguments, or for want of mappings */
    errno = saved;
}

int weft__sys_madvise(void *at, size_t bytes, int advice)
{
    RETURN_CALL("madvise", int, madvise(at, bytes, advice));
}

int weft__sys_mprotect(void *at, size_t bytes, int prot)
{
    RETURN_CALL("mprotect", int, mprotect(at, bytes, prot));
}

/* The sanitizers bring a heap of their own, and tell of it. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

size_t weft__sys_heap(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
    struct mallinfo2 heap = mallinfo2();

    return heap.uordblks + heap.hblkhd;
#else
    return 0;
#endif
}

int64_t weft__sys_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail for this clock */
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int weft__sys_thread(pthread_t *ret_thread, void *(*fn)(void *), void *arg)
{
    sigset_t all, old;
    int rc = fault("thread");

    if (rc < 0)
        return rc;
    sigfillset(&all);
    /* What a thread does to itself must still reach it: the kernel kills for a blocked one. */
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    sigdelset(&all, SIGFPE);
    sigdelset(&all, SIGILL);
    sigdelset(&all, SIGTRAP);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    rc = -pthread_create(ret_thread, NULL, fn, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

/* By hand instead of with opendir: that one allocates. */
int weft__sys_descriptors(int *ret_fds, int capacity)
{
    int saved = errno, count = 0;
    int folder = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char entries[4096] __attribute__((aligned(8)));
    long bytes;

    while (folder >= 0 && (bytes = syscall(SYS_getdents64, folder, entries, sizeof entries)) > 0)
        for (long at = 0; at < bytes;) {
            struct dirent64 *entry = (struct dirent64 *)(void *)(entries + at);
            int fd = atoi(entry->d_name);

            at += entry->d_reclen;
            if (entry->d_name[0] == '.' || fd == folder)
                continue;
            if (count < capacity)
                ret_fds[count] = fd;
            count++;
        }
    if (folder >= 0)
        (void)close(folder); /* only read from */
    errno = saved;
    return count;
}

void weft__sys_describe(int fd, char *ret_words, size_t bytes)
{
    char path[32];
    int saved = errno;

    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd); /* fits */
    ssize_t length = readlink(path, ret_words, bytes - 1);
    if (length <= 0)
        ret_words[0] = '?';
    ret_words[length > 0 ? length : 1] = 0;
    errno = saved;
}

int weft__sys_close(int fd)
{
    int saved = errno;
    int rc = close(fd) < 0 ? -errno : 0; /* never fault: a descriptor would leak */

    errno = saved;
    return rc;
}

int weft__sys_eventfd(void) { RETURN_CALL("eventfd", int, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int weft__sys_eventfd_signal(int fd)
{
    uint64_t one = 1;
    int saved = errno;
    int rc = write(fd, &one, sizeof one) < 0 ? -errno : 0;

    errno = saved;
    return rc;
}

int weft__sys_epoll_create(void) { RETURN_CALL("epoll_create", int, epoll_create1(EPOLL_CLOEXEC)); }

int weft__sys_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event)
{
    RETURN_CALL("epoll_ctl", int, epoll_ctl(epoll, op, fd, event));
}

int weft__sys_epoll_wait(int epoll, struct epoll_event *events, int capacity, int64_t ns)
{
    struct timespec span = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    struct timespec *limit = ns == WEFT_NO_TIMEOUT ? NULL : &span;
    int saved = errno;
    int rc = fault("epoll_wait");

    if (rc < 0)
        return rc;
    rc = (int)syscall(SYS_epoll_pwait2, epoll, events, capacity, limit, NULL, 0);
    /* Before Linux 5.11, and under Valgrind; or a filter that does not know the call. */
    if (rc < 0 && (errno == ENOSYS || errno == EPERM)) {
        int64_t ms = ns == WEFT_NO_TIMEOUT ? -1 : ns / 1000000 + (ns % 1000000 != 0);

        rc = epoll_wait(epoll, events, capacity, ms > 60000 ? 60000 : (int)ms);
    }
    rc = rc < 0 ? -errno : rc;
    errno = saved;
    return rc;
}

int weft__sys_poll(int fd, short events)
{
    struct pollfd look = {.fd = fd, .events = events};
    int saved = errno;
    int rc = fault("poll");

    if (rc < 0)
        return rc;
    rc = poll(&look, 1, 0) < 0 ? -errno : look.revents;
    errno = saved;
    return rc;
}

int weft__sys_open(const char *path, int flags, mode_t mode)
{
    RETURN_CALL("open", int, open(path, flags, mode));
}

int weft__sys_fcntl(int fd, int command, int arg)
{
    RETURN_CALL("fcntl", int, fcntl(fd, command, arg));
}

int64_t weft__sys_position(int fd) { RETURN_CALL("lseek", int64_t, lseek(fd, 0, SEEK_CUR)); }

int weft__sys_fstat(int fd, struct stat *ret_stat)
{
    RETURN_CALL("fstat", int, fstat(fd, ret_stat));
}

ssize_t weft__sys_read(int fd, void *buffer, size_t bytes)
{
    RETURN_CALL("read", ssize_t, read(fd, buffer, bytes));
}

ssize_t weft__sys_write(int fd, const void *buffer, size_t bytes)
{
    RETURN_CALL("write", ssize_t, write(fd, buffer, bytes));
}

ssize_t weft__sys_pread(int fd, void *buffer, size_t bytes, off_t offset)
{
    RETURN_CALL("pread", ssize_t, pread(fd, buffer, bytes, offset));
}

ssize_t weft__sys_pwrite(int fd, const void *buffer, size_t bytes, off_t offset)
{
    RETURN_CALL("pwrite", ssize_t, pwrite(fd, buffer, bytes, offset));
}

ssize_t weft__sys_recv(int fd, void *buffer, size_t bytes, int flags)
{
    RETURN_CALL("recv", ssize_t, recv(fd, buffer, bytes, flags));
}

ssize_t weft__sys_send(int fd, const void *buffer, size_t bytes, int flags)
{
    RETURN_CALL("send", ssize_t, send(fd, buffer, bytes, flags));
}

int weft__sys_socket(int family, int type, int protocol)
{
    RETURN_CALL("socket", int, socket(family, type, protocol));
}

int weft__sys_bind(int fd, const struct sockaddr *address, uint32_t bytes)
{
    RETURN_CALL("bind", int, bind(fd, address, bytes));
}

int weft__sys_listen(int fd, int backlog) { RETURN_CALL("listen", int, listen(fd, backlog)); }

int weft__sys_accept(int fd, struct sockaddr *ret_address, uint32_t *bytes, int flags)
{
    RETURN_CALL("accept", int, accept4(fd, ret_address, bytes, flags));
}

int weft__sys_connect(int fd, const struct sockaddr *address, uint32_t bytes)
{
    RETURN_CALL("connect", int, connect(fd, address, bytes));
}

int weft__sys_shutdown(int fd, int how) { RETURN_CALL("shutdown", int, shutdown(fd, how)); }

int weft__sys_setsockopt(int fd, int level, int name, int value)
{
    RETURN_CALL("setsockopt", int, setsockopt(fd, level, name, &value, sizeof value));
}

int weft__sys_socket_error(int fd)
{
    int saved = errno;
    int error = 0;
    socklen_t bytes = sizeof error;
    int rc = getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) < 0 ? -errno : -error;

    errno = saved;
    return rc;
}

int weft__sys_getsockname(int fd, struct sockaddr *ret_address, uint32_t *bytes)
{
    RETURN_CALL("getsockname", int, getsockname(fd, ret_address, bytes));
}

int weft__sys_gettid(void) { return (int)syscall(SYS_gettid); }

int weft__sys_nice(int tid, int nice)
{
    RETURN_CALL("nice", int, setpriority(PRIO_PROCESS, (id_t)tid, nice));
}

int weft__sys_scheduler(int tid, int policy)
{
    struct sched_param none = {0};

    RETURN_CALL("scheduler", int, sched_setscheduler(tid, policy, &none));
}

int weft__sys_cpus(void)
{
    unsigned long mask[128] = {0}; /* 8192 processors */
    int count = 0;
    int saved = errno;
    int rc = fault("affinity");

    if (rc < 0)
        return rc;
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    rc = bytes < 0 ? -errno : 0;
    errno = saved;
    for (long i = 0; i < bytes / (long)sizeof mask[0]; i++)
        count += __builtin_popcountl(mask[i]);
    return rc < 0 ? rc : count;
}

int weft__sys_cpu(void) { return sched_getcpu(); }

int weft__sys_leave_cpu(int cpu)
{
    unsigned long mask[128] = {0}; /* 8192 processors */
    const int bits = 8 * (int)sizeof mask[0];
    int saved = errno;
    int rc = fault("affinity");

    if (rc < 0)
        return rc;
    if (cpu < 0 || cpu >= 8 * (int)sizeof mask)
        return -EINVAL;
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof mask, mask);
    rc = bytes < 0 ? -errno : 0;
    if (rc == 0) {
        mask[cpu / bits] &= ~(1UL << cpu % bits);
        rc = syscall(SYS_sched_setaffinity, 0, (size_t)bytes, mask) < 0 ? -errno : 0;
    }
    if (rc == 0) { /* it has moved */
        mask[cpu / bits] |= 1UL << cpu % bits;
        rc = syscall(SYS_sched_setaffinity, 0, (size_t)bytes, mask) < 0 ? -errno : 0;
    }
    errno = saved;
    return rc;
}

int weft__sys_has_shadow_stack(void)
{
    unsigned long features = 0;
#if defined(__x86_64__)
    int saved = errno;

    if (syscall(SYS_arch_prctl, 0x5005 /* ARCH_SHSTK_STATUS */, &features) < 0)
        features = 0; /* a kernel that does not know them */
    errno = saved;
#endif
    return (int)(features & 1);
}

static int membarrier(int command)
{
    int saved = errno;
    int rc = fault("membarrier");

    if (rc == 0 && syscall(SYS_membarrier, command, 0, 0) < 0)
        rc = -errno;
    errno = saved;
    return rc;
}

int weft__sys_membarrier_register(void)
{
    return membarrier(1 << 4 /* MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED */);
}

int weft__sys_membarrier(void) { return membarrier(1 << 3 /* _PRIVATE_EXPEDITED */); }

int weft__sys_futex(uint32_t *at, int op, uint32_t value, int64_t ns)
{
    struct timespec span = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    struct timespec *limit = ns == WEFT_NO_TIMEOUT ? NULL : &span;
    int saved = errno;
    long rc = syscall(SYS_futex, at, op | FUTEX_PRIVATE_FLAG, value, limit, NULL, 0);
    int result = rc < 0 ? -errno : (int)rc;

    errno = saved;
    return result;
}

int weft__futex_wait(_Atomic uint32_t *at, uint32_t expected, int64_t ns)
{
    int rc = weft__sys_futex((uint32_t *)at, FUTEX_WAIT, expected, ns < 0 ? 0 : ns);

    return rc == -ETIMEDOUT ? rc : 0;
}

void weft__futex_wake(_Atomic uint32_t *at, int count)
{
    (void)weft__sys_futex((uint32_t *)at, FUTEX_WAKE, (uint32_t)count, 0);
}
