/*
 * config - what the options and the environment together ask for.
 */
#ifndef WEFT_CORE_CONFIG_H
#define WEFT_CORE_CONFIG_H

#include <weft/runtime.h>

#define WORKERS_MOST 1024

struct config {
    weft_options options; /* every zero replaced by what counts */
    bool is_migrating;    /* WEFT_DEBUG=migrate */
    bool is_reporting;    /* WEFT_DEBUG=report, or a debug build */
    bool is_virtual;      /* WEFT_DEBUG=clock */
};

/* Fills in what counts. Returns 0; -EINVAL, and weft_why() names the wrong option or variable. */
int weft__config_read(const weft_options *options, struct config *ret_config);

#endif
