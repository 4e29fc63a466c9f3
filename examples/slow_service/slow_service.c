/*
 * slow_service - a small server that takes its time: what contrast waits for. It is written with
 * weft: every connection is a task, and a task that waits costs no thread.
 *
 *   program ── scope ─┬─ accept_all ── a detached task per connection (answer.c)
 *                     └─ the body reads standard input until it ends, then stops the scope
 *
 * Whoever starts it reads the first line of its standard output, "port N", and ends it by closing
 * its standard input; a parent that dies does so, too.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "service.h"

static const char HELP[] =
    "slow_service: an HTTP/1.1 server on 127.0.0.1 that takes its time.\n"
    "\n"
    "  GET /rates?id=N   answers after 2 s\n"
    "  GET /feed         feeds the named pipe for 1 s\n"
    "\n"
    "  --scale X    stretches or shrinks both waits (1)\n"
    "  --port N     listens there (0: the kernel chooses; the first line printed tells)\n"
    "  --pipe FILE  the named pipe to feed\n"
    "  --help       prints this\n"
    "\n"
    "It ends when its standard input ends (Ctrl-D).\n";

/* Accepts until it is cancelled. Each connection gets a task that nobody waits for: what a client
 * does must not end the service. */
static int accept_all(void *arg)
{
    struct service *service = arg;

    for (;;) {
        struct visit visit = {.service = service, .fd = weft_tcp_accept(service->listener, NULL)};
        if (visit.fd >= 0) {
            if (weft_detach(weft_spawn_val(answer_visit, visit)) < 0)
                weft_close(visit.fd);
            continue;
        }
        int rc = visit.fd;
        if (rc == -EMFILE || rc == -ENFILE)
            rc = weft_sleep(weft_ms(10)); /* until a connection has closed */
        else if (rc == -ECONNABORTED)
            rc = 0;
        if (rc < 0)
            return rc;
    }
}

/* Returns 0 when standard input has ended. */
static int wait_for_end(void)
{
    char ignored[256];
    ssize_t n;

    do
        n = weft_read(STDIN_FILENO, ignored, sizeof ignored);
    while (n > 0);
    return (int)n;
}

static int serve(struct service *service)
{
    weft_scope scope;

    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    weft_scope_spawn(&scope, accept_all, service);
    rc = wait_for_end();
    if (rc == 0)
        weft_scope_stop(&scope);
    return weft_scope_close(&scope, rc);
}

static int program(void *arg)
{
    struct service *service = arg;
    weft_address address;

    int rc = service->listener = weft_tcp_listen("127.0.0.1", service->port, NULL);
    if (rc < 0)
        return rc;
    rc = weft_local_address(service->listener, &address);
    if (rc == 0) {
        printf("port %d\n", address.port);
        rc = fflush(stdout) == 0 ? serve(service) : -EPIPE;
    }
    weft_close(service->listener);
    return rc;
}

static int refuse(const char *option, const char *value, const char *way_out)
{
    fprintf(stderr, "slow_service: %s is \"%s\": %s\n", option, value, way_out);
    return 2;
}

/* Gives 0, or the exit status: 2, or -1 for a good end without serving. */
static int read_options(int argc, char **argv, struct service *service)
{
    static const struct option options[] = {{"scale", required_argument, NULL, 's'},
                                            {"port", required_argument, NULL, 'p'},
                                            {"pipe", required_argument, NULL, 'f'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    int option;
    char *end;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'h') {
            fputs(HELP, stdout);
            return -1;
        } else if (option == 's') {
            service->scale = strtod(optarg, &end);
            if (end == optarg || *end || !(service->scale > 0 && service->scale <= 1000))
                return refuse("--scale", optarg, "use a number above 0 and up to 1000");
        } else if (option == 'p') {
            long port = strtol(optarg, &end, 10);
            if (end == optarg || *end || port < 0 || port > 65535)
                return refuse("--port", optarg, "use a whole number from 0 to 65535");
            service->port = (int)port;
        } else if (option == 'f') {
            service->pipe = optarg;
        } else {
            fputs("slow_service: --help tells the options\n", stderr);
            return 2;
        }
    }
    return optind == argc ? 0 : refuse("an argument", argv[optind], "only options are taken");
}

int main(int argc, char **argv)
{
    struct service service = {.scale = 1};

    int rc = read_options(argc, argv, &service);
    if (rc != 0)
        return rc < 0 ? 0 : rc;
    signal(SIGPIPE, SIG_IGN); /* a reader of standard output that has left is an error value */
    rc = weft_run_with(&(weft_options){.workers = 1, .pool_threads = 1}, program, &service);
    if (rc >= 0)
        return 0;
    if (service.listener < 0)
        fprintf(stderr, "slow_service: port %d of 127.0.0.1: %s; choose another, or 0\n",
                service.port, weft_strerror(rc));
    else
        fprintf(stderr, "slow_service: ended by: %s%s%s\n", weft_strerror(rc),
                *weft_why() ? ": " : "", weft_why());
    return 1;
}
