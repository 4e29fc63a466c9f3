#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { START_MS = 10000, STOP_MS = 1000 };

/* The path of slow_service: what the environment says, else the neighbour of this executable. */
static void find(char path[PATH_MAX])
{
    const char *named = getenv("CONTRAST_SLOW_SERVICE");

    if (named && *named) {
        snprintf(path, PATH_MAX, "%s", named);
        return;
    }
    ssize_t bytes = readlink("/proc/self/exe", path, PATH_MAX - 32);
    path[bytes > 0 ? bytes : 0] = '\0';
    char *slash = strrchr(path, '/');
    strcpy(slash ? slash + 1 : path, "slow_service");
}

/* The signals that contrast blocks and ignores are as usual for its child. */
static int spawn(pid_t *ret_pid, const char *path, char *const arguments[], int input, int output)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, usual;

    sigemptyset(&none);
    sigemptyset(&usual);
    sigaddset(&usual, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_adddup2(&files, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &usual);
    int error = posix_spawn(ret_pid, path, &files, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    return -error;
}

static int start_process(struct service *service, const char *path, char *const arguments[])
{
    int input[2], output[2];

    if (pipe2(input, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(output, O_CLOEXEC) < 0) {
        int rc = -errno;
        close(input[0]);
        close(input[1]);
        return rc;
    }
    int rc = spawn(&service->pid, path, arguments, input[0], output[1]);
    close(input[0]);
    close(output[1]);
    service->input = input[1];
    service->output = output[0];
    if (rc < 0) {
        close(service->input);
        close(service->output);
        service->pid = 0;
    }
    return rc;
}

/* Reads the line with the port, which comes at once or never. */
static int read_port(struct service *service, struct failure *failure)
{
    struct pollfd output = {.fd = service->output, .events = POLLIN};
    char line[64] = "";
    size_t have = 0;

    while (have < sizeof line - 1 && !strchr(line, '\n')) {
        if (poll(&output, 1, START_MS) <= 0)
            return fail(failure, -ETIMEDOUT, "slow_service told no port within %d s",
                        START_MS / 1000);
        ssize_t n = read(service->output, line + have, sizeof line - 1 - have);
        if (n <= 0)
            return fail(failure, -ECHILD, "slow_service ended before it told its port");
        have += (size_t)n;
        line[have] = '\0';
    }
    if (sscanf(line, "port %d", &service->port) == 1)
        return 0;
    return fail(failure, 0, "slow_service told no port but: %s", line);
}

int service_start(struct service *service, const char *pipe, double scale, struct failure *failure)
{
    char path[PATH_MAX], number[32];
    char *arguments[] = {path, "--scale", number, "--pipe", (char *)pipe, NULL};

    find(path);
    snprintf(number, sizeof number, "%g", scale);
    *service = (struct service){0};
    int rc = start_process(service, path, arguments);
    if (rc < 0)
        return fail(failure, rc,
                    "%s cannot be started: %s; build it, or name it in "
                    "CONTRAST_SLOW_SERVICE",
                    path, strerror(-rc));
    rc = read_port(service, failure);
    if (rc < 0)
        service_stop(service);
    return rc;
}

void service_stop(struct service *service)
{
    if (service->pid <= 0)
        return;
    struct pollfd output = {.fd = service->output};
    close(service->input);
    if (poll(&output, 1, STOP_MS) <= 0) /* its end hangs the other end of the pipe up */
        kill(service->pid, SIGKILL);
    while (waitpid(service->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    close(service->output);
    service->pid = 0;
}
