/*
 * watch.h - a thread that watches beside the measurement: it waits for signals that end the
 * program, and between them, on a terminal, renews the progress line ten times a second.
 *
 * That line is what shows life while a way has frozen everything; and Ctrl-C works then, too. All
 * other threads have these signals blocked: start the watch before any of them.
 */
#ifndef CONTRAST_WATCH_H
#define CONTRAST_WATCH_H

#include <pthread.h>
#include <signal.h>

#include <weft.h>

struct watch {
    pthread_t thread;
    sigset_t signals;
    pthread_mutex_t lock;
    bool terminal;  /* standard output is one */
    char text[100]; /* of the progress line, "": there is none; under the lock */
    weft_time since;
    void (*clean_up)(void *context); /* before a signal ends the program */
    void *context;
};

/** Starts the watch: from now on SIGINT, SIGTERM and SIGHUP clean up, and exit with 128 + the
 * signal. One that the program was started with as ignored stays so. Returns: 0; -errno. */
int watch_start(struct watch *watch, void (*clean_up)(void *context), void *context);

/** Shows a progress line from now on, with the time that passes. */
void watch_show(struct watch *watch, const char *text);

/** Clears the progress line, to print something else. */
void watch_hide(struct watch *watch);

/** Ends the watch. */
void watch_stop(struct watch *watch);

#endif
