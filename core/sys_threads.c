/*
 * sys_threads - the threads of the process, counted; see sys.h.
 *
 * A thread that is on its way out still stands in /proc for a moment, and io_uring's helpers stand
 * there like threads of the program: the flags of each tell them apart.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/sys.h"

/* Of the kernel's include/linux/sched.h, as /proc shows them. */
#define FLAG_EXITING   0x04u
#define FLAG_IO_WORKER 0x10u

/* Room for all entries at once: what comes in several pieces may have changed between them. */
#define FOLDER_BYTES 16384

/* The flags of a thread of this process; those of one that exits if it has gone. */
static unsigned flags_of(const char *tid)
{
    char path[300], text[256];
    unsigned flags = FLAG_EXITING;
    ssize_t bytes = -1;

    (void)snprintf(path, sizeof path, "/proc/self/task/%s/stat", tid); /* fits */
    int fd = weft__sys_open(path, O_RDONLY | O_CLOEXEC, 0);
    if (fd >= 0) {
        bytes = weft__sys_read(fd, text, sizeof text - 1);
        (void)weft__sys_close(fd); /* only read from */
    }
    if (fd < 0 || bytes < 0) /* gone, or unknown: then it counts */
        return fd == -ENOENT || bytes == -ESRCH ? FLAG_EXITING : 0;
    text[bytes] = 0;
    char *after_name = strrchr(text, ')'); /* its name may hold anything */
    /* state, parent, group, session, terminal, its group, flags */
    if (!after_name || sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1)
        return 0;
    return flags;
}

static bool counts(const char *tid)
{
    return tid[0] != '.' && !(flags_of(tid) & (FLAG_EXITING | FLAG_IO_WORKER));
}

/* The entries of a folder, all at once. Returns their bytes, or an error; -E2BIG: too many. */
static long read_folder(const char *path, char *entries, size_t size)
{
    char more[512];
    int fd = weft__sys_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);

    if (fd < 0)
        return fd;
    long bytes = syscall(SYS_getdents64, fd, entries, size);
    if (bytes < 0)
        bytes = -errno;
    else if (syscall(SYS_getdents64, fd, more, sizeof more) != 0)
        bytes = -E2BIG;
    (void)weft__sys_close(fd); /* only read from */
    return bytes;
}

int weft__sys_threads(int enough)
{
    char entries[FOLDER_BYTES] __attribute__((aligned(8)));
    int saved = errno, count = -2; /* "." and ".." */
    long bytes = read_folder("/proc/self/task", entries, sizeof entries);
    struct dirent64 *entry;

    errno = saved;
    if (bytes < 0)
        return (int)bytes;
    for (long at = 0; at < bytes; at += entry->d_reclen, count++)
        entry = (struct dirent64 *)(void *)(entries + at);
    if (count <= enough)
        return count;
    count = 0;
    for (long at = 0; at < bytes; at += entry->d_reclen) {
        entry = (struct dirent64 *)(void *)(entries + at);
        count += counts(entry->d_name);
    }
    return count;
}
