/*
 * folder.h - a temporary folder under $TMPDIR or /tmp, and everything in it.
 */
#ifndef CONTRAST_FOLDER_H
#define CONTRAST_FOLDER_H

#include <limits.h>

#include "failure.h"

struct folder {
    char path[PATH_MAX - 64]; /* "": there is none; room is left for the names in it */
};

/** Makes a folder that nobody else can read. Returns: 0; -errno and a sentence. */
int folder_make(struct folder *folder, struct failure *failure);

/** Removes it with the files in it; harmless if there is none. */
void folder_remove(struct folder *folder);

#endif
