/*
 * config - see config.h.
 */
#include "core/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/cpus.h"
#include "core/runtime.h"

/* An option that was given, else the variable, else 0. */
static int count_option(int given, const char *option, const char *variable, int most, int *ret)
{
    const char *text = given == 0 && variable ? getenv(variable) : NULL;
    char *end;

    *ret = given;
    if (given < 0 || given > most) {
        weft__explain("option %s is %d: use 1 to %d, or 0 for the default", option, given, most);
        return -EINVAL;
    }
    if (!text || !*text)
        return 0;
    long number = strtol(text, &end, 10);
    if (*end || number < 1 || number > most) {
        weft__explain("%s is \"%s\": use a whole number from 1 to %d", variable, text, most);
        return -EINVAL;
    }
    *ret = (int)number;
    return 0;
}

static int loop_option(weft_loop given, weft_loop *ret_loop)
{
    const char *text = getenv("WEFT_LOOP");

    *ret_loop = given;
    if (given != WEFT_LOOP_AUTO) {
        if (given == WEFT_LOOP_URING || given == WEFT_LOOP_EPOLL)
            return 0;
        weft__explain("option loop is %d: use WEFT_LOOP_AUTO, WEFT_LOOP_URING or WEFT_LOOP_EPOLL",
                      (int)given);
        return -EINVAL;
    }
    if (!text || !*text || strcmp(text, "auto") == 0)
        return 0;
    if (strcmp(text, "uring") == 0)
        *ret_loop = WEFT_LOOP_URING;
    else if (strcmp(text, "epoll") == 0)
        *ret_loop = WEFT_LOOP_EPOLL;
    else {
        weft__explain("WEFT_LOOP is \"%s\": use auto, uring or epoll", text);
        return -EINVAL;
    }
    return 0;
}

/* One word of the list in WEFT_DEBUG. */
static bool debug_word(struct config *config, const char *word, size_t bytes)
{
    if (bytes == 6 && memcmp(word, "report", 6) == 0)
        config->is_reporting = true;
    else if (bytes == 7 && memcmp(word, "migrate", 7) == 0)
        config->is_migrating = true;
    else if (bytes == 5 && memcmp(word, "clock", 5) == 0)
        config->is_virtual = true;
    else
        return bytes == 0;
    return true;
}

static int debug_option(struct config *config)
{
    const char *text = getenv("WEFT_DEBUG");

    while (text && *text) {
        size_t bytes = strcspn(text, ", ");

        if (!debug_word(config, text, bytes)) {
            weft__explain("WEFT_DEBUG has \"%.*s\": use a list of report, migrate and clock",
                          (int)bytes, text);
            return -EINVAL;
        }
        text += bytes + (text[bytes] != 0);
    }
    return 0;
}

int weft__config_read(const weft_options *given, struct config *ret_config)
{
    struct config config = {.options = given ? *given : (weft_options){0}};
    weft_options *options = &config.options;
    int rc;

#ifndef NDEBUG
    config.is_reporting = true;
#endif
    if ((rc = count_option(options->workers, "workers", "WEFT_WORKERS", WORKERS_MOST,
                           &options->workers)) < 0 ||
        (rc = count_option(options->pool_threads, "pool_threads", "WEFT_POOL", WORKERS_MOST,
                           &options->pool_threads)) < 0 ||
        (rc = count_option(options->blocking_threads, "blocking_threads", NULL, WORKERS_MOST,
                           &options->blocking_threads)) < 0 ||
        (rc = loop_option(options->loop, &options->loop)) < 0 || (rc = debug_option(&config)) < 0)
        return rc;
    if (options->shutdown < 0) {
        weft__explain("option shutdown is negative: use 0 for the default, or nanoseconds");
        return -EINVAL;
    }
    if (options->workers == 0)
        options->workers = weft__cpus();
    if (options->pool_threads == 0)
        options->pool_threads = weft__cpus();
    if (options->blocking_threads == 0)
        options->blocking_threads = 64;
    if (options->shutdown == 0)
        options->shutdown = weft_s(5);
    *ret_config = config;
    return 0;
}
