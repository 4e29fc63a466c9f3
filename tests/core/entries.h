/*
 * entries - how many descriptors and threads this process has.
 */
#ifndef WEFT_TESTS_CORE_ENTRIES_H
#define WEFT_TESTS_CORE_ENTRIES_H

#include <dirent.h>
#include <sched.h>

/* In a folder of /proc/self: "." and "..", too. */
static inline int entries_in(const char *path)
{
    DIR *directory = opendir(path);
    int count = 0;

    if (!directory)
        return -1;
    while (readdir(directory))
        count++;
    (void)closedir(directory); /* it was only read */
    return count;
}

static inline int descriptors_here(void) { return entries_in("/proc/self/fd"); }

static inline int threads_here(void) { return entries_in("/proc/self/task"); }

/*
 * How many threads are left once those that end have ended: the kernel lists a thread for a moment
 * after it was joined. Take `most` before the first of them begins. More than that are told only after
 * LOOKS_FOR_THREADS looks.
 */
#define LOOKS_FOR_THREADS 200000

static inline int threads_left(int most)
{
    int count = threads_here();

    for (int i = 0; count > most && i < LOOKS_FOR_THREADS; i++) {
        (void)sched_yield(); /* never fails */
        count = threads_here();
    }
    return count;
}

#endif
