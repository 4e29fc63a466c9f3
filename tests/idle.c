/*
 * idle - a program that has everything to wait for and nothing to do: timers an hour away, a
 * listening socket, open connections, locks and a queue. tests/run counts its system calls.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <weft.h>

enum { TASKS = 100 };

static weft_event never = WEFT_EVENT_INIT;
static int listener;

static int sleep_an_hour(void *arg)
{
    (void)arg;
    return weft_sleep(weft_s(3600));
}

static int wait_for_nothing(void *arg)
{
    (void)arg;
    return weft_event_wait(&never);
}

/* Waits for bytes that nobody sends. */
static int read_silence(void *arg)
{
    char byte;

    return (int)weft_read(*(int *)arg, &byte, 1);
}

static int accept_two(void *arg)
{
    weft_scope *scope = arg;

    for (;;) {
        int client = weft_tcp_accept(listener, NULL);
        if (client < 0)
            return client;
        weft_scope_spawn_val(scope, read_silence, client);
    }
}

static int say_idle(void *arg)
{
    (void)arg;
    return write(STDOUT_FILENO, "idle\n", 5) == 5 ? 0 : -EIO;
}

static int program(void *arg)
{
    weft_address here;
    weft_scope scope;

    (void)arg;
    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    listener = weft_tcp_listen("127.0.0.1", 0, NULL);
    if (listener < 0)
        return weft_scope_close(&scope, listener);
    rc = weft_local_address(listener, &here);
    if (rc < 0)
        return weft_scope_close(&scope, rc);
    weft_scope_spawn(&scope, accept_two, &scope);
    for (int i = 0; i < 2; i++) {
        int connection = weft_tcp_connect(here.host, here.port);
        if (connection < 0)
            return weft_scope_close(&scope, connection);
        weft_scope_spawn_val(&scope, read_silence, connection);
    }
    for (int i = 0; i < TASKS; i++) {
        weft_scope_spawn(&scope, sleep_an_hour, NULL);
        weft_scope_spawn(&scope, wait_for_nothing, NULL);
    }
    rc = weft_await(weft_offload(weft_cpu(), say_idle, NULL)); /* the pool has threads too */
    return weft_scope_close(&scope, rc);
}

int main(void)
{
    alarm(60); /* whoever started it may have gone */
    int rc = weft_run(program, NULL);
    fprintf(stderr, "idle: %s %s\n", weft_strerror(rc), weft_why());
    return rc < 0;
}
