/*
 * options.h - what the command line says.
 */
#ifndef CONTRAST_OPTIONS_H
#define CONTRAST_OPTIONS_H

#include <limits.h>

#include <weft.h>

struct options {
    int workers; /* 0: as many as there are cores to use */
    int pool;    /* 0: the same */
    weft_loop loop;
    double scale;
    const char *json; /* NULL: none */
    char html[PATH_MAX];
};

enum { OPTIONS_GO_ON = -1 };

/** Reads the command line. Returns: OPTIONS_GO_ON, or the exit status: 0 after --help, 2 after a
 * wrong value, which it has named on standard error together with the way out. */
int options_read(struct options *ret_options, int argc, char **argv);

#endif
