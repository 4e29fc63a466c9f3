/*
 * reports - what weft says in a run, kept for the test.
 */
#ifndef WEFT_TESTS_REPORTS_H
#define WEFT_TESTS_REPORTS_H

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

struct reports {
    _Atomic int count;
    pthread_mutex_t lock;
    char text[8192]; /* one a line */
};

static inline void keep_report(void *context, const char *sentence)
{
    struct reports *reports = context;

    (void)pthread_mutex_lock(&reports->lock); /* cannot fail: it is ours, and not recursive */
    size_t used = strlen(reports->text);
    (void)snprintf(reports->text + used, sizeof reports->text - used, "%s\n",
                   sentence); /* may be cut */
    (void)pthread_mutex_unlock(&reports->lock);
    atomic_fetch_add(&reports->count, 1);
}

/* Runs with the options and keeps the reports. */
static inline int run_with_reports(weft_options options, struct reports *reports, weft_fn fn,
                                   void *arg)
{
    options.report = keep_report;
    options.report_context = reports;
    (void)pthread_mutex_init(&reports->lock, NULL); /* cannot fail on Linux */
    check_progress();
    int rc = weft_run_with(&options, fn, arg);
    check_progress();
    return rc;
}

/* How many lines of the reports have this in them. */
static inline int lines_with(const struct reports *reports, const char *words)
{
    int count = 0;

    for (const char *at = reports->text; (at = strstr(at, words)); at++)
        count++;
    return count;
}

#endif
