/*
 * entries - how many there are in a folder: of /proc/self/fd, or /proc/self/task.
 */
#ifndef WEFT_TESTS_CORE_ENTRIES_H
#define WEFT_TESTS_CORE_ENTRIES_H

#include <dirent.h>

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

#endif
