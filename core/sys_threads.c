/*
 * sys_threads - the threads of the process, counted; see sys.h.
 *
 * The kernel knows how many there are, as one number that is right at one moment. A thread on its way
 * out counts there, too, and so do io_uring's helpers: those are found in the list of all threads and
 * taken off. The list itself must not be counted: it ends early, without a word, if the thread that it
 * has come to ends just then (in 10 of 20,000 rounds of six lists, beside a thread that lived for a moment).
 *
 * Invariant: a thread that can act is never missed. It is in the number; and none is taken off but one
 * that could not act before the number was read, and still was there after it (or, which takes all the
 * numbers that threads may have, another with the same number).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/sys.h"

/* Fields of stat, that of the process and that of a thread, counted from 1: proc(5). */
#define FIELD_FLAGS   9
#define FIELD_THREADS 20

/* Of the kernel's include/linux/sched.h, as FIELD_FLAGS shows them. */
#define FLAG_EXITING   0x04u
#define FLAG_IO_WORKER 0x10u

/* How many threads are looked at, and how many that cannot act are taken off: with more, the answer is
 * too high. */
#define MOST_LISTED 1024
#define MOST_INERT  256

/* How often it is counted anew because threads came or went meanwhile. */
#define TRIES 8

#define LIST_BYTES 4096

struct inert {
    int listed; /* threads that were looked at */
    int gone;   /* that were not there any more at the first look, or the second */
    int count;
    char tids[MOST_INERT][12]; /* as the list has them */
};

/* A number out of a file in /proc that begins like stat. An error is that of the system. */
static int read_field(const char *path, int number, unsigned *ret_value)
{
    char text[512]; /* they are shorter up to the fields asked for */
    int fd = weft__sys_open(path, O_RDONLY | O_CLOEXEC, 0);

    if (fd < 0)
        return fd;
    ssize_t bytes = weft__sys_read(fd, text, sizeof text - 1);
    (void)weft__sys_close(fd); /* only read from */
    if (bytes < 0)
        return (int)bytes;
    text[bytes] = 0;
    char *at = strrchr(text, ')'); /* the end of field 2, a name, which may hold anything */
    for (int field = 2; at && field < number; field++)
        at = strchr(at + 1, ' ');
    if (!at)
        return -EPROTO;
    *ret_value = (unsigned)strtoul(at + 1, NULL, 10);
    return 0;
}

/* All that the kernel has not let go yet. Asked of the calling thread: of the process, the kernel would add
 * up what each has used, and an emulator (qemu) makes up an answer of its own, with none. */
static int count_all(void)
{
    unsigned count;
    int rc = read_field("/proc/thread-self/stat", FIELD_THREADS, &count);

    if (rc < 0)
        return rc;
    return count > 0 && count < INT_MAX ? (int)count : -EPROTO;
}

/* Whether it is there, and is on its way out or the kernel's own. One that is not there counts as gone. */
static bool is_inert(struct inert *inert, const char *tid)
{
    char path[64];
    unsigned flags;

    (void)snprintf(path, sizeof path, "/proc/self/task/%.11s/stat", tid); /* fits */
    if (read_field(path, FIELD_FLAGS, &flags) == 0)
        return flags & (FLAG_EXITING | FLAG_IO_WORKER);
    inert->gone++;
    return false;
}

static void note_inert(struct inert *inert, const char *tid)
{
    if (tid[0] == '.')
        return;
    inert->listed++;
    if (inert->count < MOST_INERT && is_inert(inert, tid)) /* fits */
        (void)snprintf(inert->tids[inert->count++], sizeof inert->tids[0], "%.11s", tid);
}

/* Finds those in the list; what the list lacks, or an error, makes the answer too high. */
static void find_inert(struct inert *inert)
{
    char list[LIST_BYTES] __attribute__((aligned(8)));
    int saved = errno;
    int fd = weft__sys_open("/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    long bytes;

    *inert = (struct inert){.listed = 0};
    if (fd < 0)
        return;
    while (inert->listed < MOST_LISTED &&
           (bytes = syscall(SYS_getdents64, fd, list, sizeof list)) > 0)
        for (long at = 0; at < bytes;) {
            struct dirent64 *entry = (struct dirent64 *)(void *)(list + at);

            note_inert(inert, entry->d_name);
            at += entry->d_reclen;
        }
    (void)weft__sys_close(fd); /* only read from */
    errno = saved;
}

int weft__sys_threads(int enough)
{
    struct inert inert;
    int count = count_all();

    for (int i = 0; i < TRIES && count > enough; i++) {
        find_inert(&inert);
        int all = count_all();
        if (all < 0)
            return all;
        count = all;
        for (int k = 0; k < inert.count; k++)
            count -= is_inert(&inert, inert.tids[k]);
        if (inert.gone == 0 && (inert.listed >= all || inert.listed >= MOST_LISTED))
            break;
    }
    return count;
}
