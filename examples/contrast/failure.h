/*
 * failure.h - the first thing that went wrong, in a sentence. Several tasks and threads may fail at
 * once: one sentence is kept, since the others mostly follow from it.
 */
#ifndef CONTRAST_FAILURE_H
#define CONTRAST_FAILURE_H

#include <stdatomic.h>
#include <stdbool.h>

struct failure {
    atomic_bool taken;
    char sentence[512];
};

/** Keeps the sentence if it is the first. Returns: `rc`, or -EPROTO if that is not negative. */
int fail(struct failure *failure, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
