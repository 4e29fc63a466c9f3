/*
 * sys - every system call, allocation and clock reading of weft.
 *
 * All give 0 or more, or -errno; none changes the caller's errno. Tests put a function into
 * weft__sys_fault that is asked before each call and may answer -errno instead of it.
 */
#ifndef WEFT_CORE_SYS_H
#define WEFT_CORE_SYS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct epoll_event;
struct sockaddr;
struct stat;

/* Tests only: asked with the name below ("alloc", "mmap", ...); 0 lets the call happen, a negative
 * errno is its result. NULL: all calls happen. */
extern int (*weft__sys_fault)(const char *call);

/* Memory: NULL when there is none ("alloc"). Zeroed. */
void *weft__sys_alloc(size_t bytes);
/* As realloc: the old memory stays valid on failure ("alloc"). */
void *weft__sys_realloc(void *old, size_t bytes);
/* Memory that starts a cache line ("alloc"). Zeroed. */
void *weft__sys_alloc_lines(size_t bytes);
void weft__sys_free(void *memory);

/* Anonymous memory, no swap reserved ("mmap"). */
int weft__sys_mmap(size_t bytes, void **ret_at);
void weft__sys_munmap(void *at, size_t bytes);
int weft__sys_madvise(void *at, size_t bytes, int advice); /* "madvise" */
int weft__sys_mprotect(void *at, size_t bytes, int prot);  /* "mprotect" */

/* How many pieces of memory there are that came from the calls above and were not given back. */
int64_t weft__sys_live(void);

/* Bytes in use in the heap of the C library, by the whole process; 0 where that cannot be known. */
size_t weft__sys_heap(void);

/* Nanoseconds of CLOCK_MONOTONIC. */
int64_t weft__sys_now(void);

/* "thread". The thread has all signals blocked. */
int weft__sys_thread(pthread_t *ret_thread, void *(*fn)(void *), void *arg);

/* The numbers of the open descriptors, in ascending order, up to `capacity` of them. Returns how many
 * there are. */
int weft__sys_descriptors(int *ret_fds, int capacity);

/* What an open descriptor means, in words: "/tmp/x", "socket:[4711]". May be cut; "?" if unknown. */
void weft__sys_describe(int fd, char *ret_words, size_t bytes);

/* How many threads the process has, not counting those that exit and the kernel's own helpers; up to
 * `enough` perhaps with them. Never less than those that could act at one moment of the call. An error
 * where that cannot be known. In sys_threads.c. */
int weft__sys_threads(int enough);

/* Descriptors. The name that faults is the part after weft__sys_. */
int weft__sys_close(int fd);
int weft__sys_eventfd(void);
int weft__sys_eventfd_signal(int fd);
int weft__sys_epoll_create(void);
int weft__sys_epoll_ctl(int epoll, int op, int fd, struct epoll_event *event);
int weft__sys_epoll_wait(int epoll, struct epoll_event *events, int capacity, int64_t ns);
int weft__sys_poll(int fd, short events); /* what is ready now; 0: nothing */
int weft__sys_open(const char *path, int flags, mode_t mode);
int weft__sys_fcntl(int fd, int command, int arg);
int64_t weft__sys_position(int fd); /* -ESPIPE: a pipe, a socket, a terminal */
int weft__sys_fstat(int fd, struct stat *ret_stat);
ssize_t weft__sys_read(int fd, void *buffer, size_t bytes);
ssize_t weft__sys_write(int fd, const void *buffer, size_t bytes);
ssize_t weft__sys_pread(int fd, void *buffer, size_t bytes, off_t offset);
ssize_t weft__sys_pwrite(int fd, const void *buffer, size_t bytes, off_t offset);
ssize_t weft__sys_recv(int fd, void *buffer, size_t bytes, int flags);
ssize_t weft__sys_send(int fd, const void *buffer, size_t bytes, int flags);
int weft__sys_socket(int family, int type, int protocol);
int weft__sys_bind(int fd, const struct sockaddr *address, uint32_t bytes);
int weft__sys_listen(int fd, int backlog);
int weft__sys_accept(int fd, struct sockaddr *ret_address, uint32_t *bytes, int flags);
int weft__sys_connect(int fd, const struct sockaddr *address, uint32_t bytes);
int weft__sys_shutdown(int fd, int how);
int weft__sys_setsockopt(int fd, int level, int name, int value);
int weft__sys_socket_error(int fd); /* 0, or the pending error as -errno */
int weft__sys_getsockname(int fd, struct sockaddr *ret_address, uint32_t *bytes);

/* The calling thread's number, and how it is scheduled. */
int weft__sys_gettid(void);
int weft__sys_nice(int tid, int nice);
int weft__sys_scheduler(int tid, int policy);

/* How many processors the calling thread may run on ("affinity"). */
int weft__sys_cpus(void);

/* The processor that the calling thread runs on, -1 if unknown; no system call. And: goes on elsewhere,
 * now, if it may ("affinity"); it may come back. */
int weft__sys_cpu(void);
int weft__sys_leave_cpu(int cpu);

/* 1 if shadow stacks are active in this process, else 0. */
int weft__sys_has_shadow_stack(void);

/* A full barrier in every thread of the process that runs now. To be registered for once; an error
 * where the kernel has none ("membarrier"). */
int weft__sys_membarrier_register(void);
int weft__sys_membarrier(void);

/* Futex, for core/atomic.h. */
int weft__sys_futex(uint32_t *at, int op, uint32_t value, int64_t ns);

#endif
