/*
 * output.h - write a file, and know that it was written.
 */
#ifndef CONTRAST_OUTPUT_H
#define CONTRAST_OUTPUT_H

#include <errno.h>
#include <stdio.h>

#include "report.h"

/** Writes what `fill` prints to the file. Returns: 0; -errno, also when the disk was full. */
static inline int output_write(const char *path, void (*fill)(FILE *, const struct report *),
                               const struct report *report)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return -errno;
    fill(file, report);
    bool bad = ferror(file);
    return fclose(file) != 0 ? -errno : bad ? -EIO : 0;
}

#endif
