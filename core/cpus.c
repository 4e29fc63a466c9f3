/*
 * cpus - see cpus.h. A container's quota is easy to overlook: it shows neither in the affinity mask
 * nor in the number of processors, and a parent group's may be tighter than one's own.
 */
#include "core/cpus.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/sys.h"

#define PATH_BYTES 512
#define NO_QUOTA   1e9

/* The first bytes of a file as a string. Returns false if there is none. */
static int read_text(const char *path, char *text, size_t capacity)
{
    int fd = weft__sys_open(path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t bytes;

    if (fd < 0)
        return 0;
    bytes = weft__sys_read(fd, text, capacity - 1);
    (void)weft__sys_close(fd); /* it was only read */
    text[bytes > 0 ? bytes : 0] = 0;
    return bytes > 0;
}

static double number_in(const char *directory, const char *file)
{
    char path[PATH_BYTES], text[64];

    if (snprintf(path, sizeof path, "%s/%s", directory, file) >= (int)sizeof path ||
        !read_text(path, text, sizeof text))
        return -1;
    return strtod(text, NULL);
}

/* Version 2: "max 100000" or "50000 100000". */
static double quota_v2(const char *directory)
{
    char path[PATH_BYTES], text[64], *end;
    double quota, period;

    if (snprintf(path, sizeof path, "%s/cpu.max", directory) >= (int)sizeof path ||
        !read_text(path, text, sizeof text))
        return NO_QUOTA;
    quota = strtod(text, &end);
    period = strtod(end, NULL);
    return end != text && quota > 0 && period > 0 ? quota / period : NO_QUOTA;
}

static double quota_v1(const char *directory)
{
    double quota = number_in(directory, "cpu.cfs_quota_us");
    double period = number_in(directory, "cpu.cfs_period_us");

    return quota > 0 && period > 0 ? quota / period : NO_QUOTA;
}

/* The least quota of a group and all above it, as far as they are visible. */
static double least_quota(const char *mount, const char *group,
                          double (*quota_of)(const char *directory))
{
    char directory[PATH_BYTES];
    double least = NO_QUOTA;

    if (snprintf(directory, sizeof directory, "%s%s", mount, group) >= (int)sizeof directory)
        return least;
    while (strlen(directory) >= strlen(mount)) {
        double quota = quota_of(directory);
        char *slash = strrchr(directory, '/');

        if (quota < least)
            least = quota;
        if (!slash)
            break;
        *slash = 0;
    }
    return least;
}

/* Whether a comma-separated list of controllers holds "cpu" (not "cpuset" or "cpuacct"). */
static int has_cpu(const char *controllers)
{
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == 0 || at[3] == ','))
            return 1;
    }
    return 0;
}

/* A line of /proc/self/cgroup: "0::/group" or "4:cpu,cpuacct:/group". */
static double quota_of_line(const char *root, char *line)
{
    char *controllers = strchr(line, ':');
    char *group = controllers ? strchr(controllers + 1, ':') : NULL;
    char mount[PATH_BYTES];

    if (!group)
        return NO_QUOTA;
    *group++ = 0;
    controllers++;
    if (strcmp(group, "/") == 0)
        group = "";
    if (*controllers == 0) {
        (void)snprintf(mount, sizeof mount, "%s/sys/fs/cgroup",
                       root); /* a cut path finds nothing */
        return least_quota(mount, group, quota_v2);
    }
    if (!has_cpu(controllers))
        return NO_QUOTA;
    (void)snprintf(mount, sizeof mount, "%s/sys/fs/cgroup/cpu", root); /* as above */
    return least_quota(mount, group, quota_v1);
}

int weft__cpus_under(const char *root)
{
    char path[PATH_BYTES], text[4096];
    int cpus = weft__sys_cpus();
    double quota = NO_QUOTA;

    (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root); /* a cut path finds nothing */
    if (read_text(path, text, sizeof text))
        for (char *line = text, *next; line && *line; line = next) {
            next = strchr(line, '\n');
            if (next)
                *next++ = 0;
            double least = quota_of_line(root, line);
            if (least < quota)
                quota = least;
        }
    if (cpus < 1)
        cpus = 1;
    if (quota < cpus) {
        cpus = (int)quota;
        cpus += cpus < quota; /* half a processor is one worker */
    }
    return cpus < 1 ? 1 : cpus;
}

int weft__cpus(void) { return weft__cpus_under(""); }
