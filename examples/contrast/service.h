/*
 * service.h - slow_service, started and ended: a process of its own, found beside contrast.
 *
 * It tells its port on its standard output, and ends when its standard input does: if contrast
 * dies, however suddenly, the kernel closes that. It runs in a process group of its own, so that
 * Ctrl-C reaches contrast alone, which then ends it in order.
 */
#ifndef CONTRAST_SERVICE_H
#define CONTRAST_SERVICE_H

#include <sys/types.h>

#include "failure.h"

struct service {
    pid_t pid;  /* 0: it does not run */
    int input;  /* its standard input, to be closed */
    int output; /* its standard output */
    int port;
};

/** Starts it, and waits until it tells its port. Returns: 0; -errno and a sentence. */
int service_start(struct service *service, const char *pipe, double scale, struct failure *failure);

/** Ends it and waits for that; harmless if it does not run. */
void service_stop(struct service *service);

#endif
