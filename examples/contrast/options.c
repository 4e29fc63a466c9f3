#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_THREADS = 256 };

static const char HELP[] =
    "contrast: one report needs three waits and some computation. It is made in four ways:\n"
    "one after another, with tasks on one worker, with tasks on all, with tasks and a CPU pool.\n"
    "\n"
    "  --workers N    threads that run tasks (as many as there are cores to use)\n"
    "  --pool N       threads of the CPU pool (the same number)\n"
    "  --loop NAME    auto, uring or epoll (auto)\n"
    "  --scale X      stretches or shrinks the waits, not the primes (1)\n"
    "  --json FILE    writes the figures there\n"
    "  --html FILE    writes the page with the timelines there (contrast.html in the build "
    "folder)\n"
    "  --help         prints this\n"
    "\n"
    "Environment: TMPDIR (where the database is made), NO_COLOR, CONTRAST_SLOW_SERVICE (the path\n"
    "of slow_service), WEFT_WORKERS, WEFT_POOL, WEFT_LOOP.\n";

static int refuse(const char *option, const char *value, const char *way_out)
{
    fprintf(stderr, "contrast: %s is \"%s\": %s\n", option, value, way_out);
    return 2;
}

static int read_threads(const char *option, const char *value, int *ret_threads)
{
    char *end;
    long number = strtol(value, &end, 10);

    if (end == value || *end || number < 1 || number > MOST_THREADS)
        return refuse(option, value, "use a whole number from 1 to 256");
    *ret_threads = (int)number;
    return OPTIONS_GO_ON;
}

static int read_loop(const char *value, weft_loop *ret_loop)
{
    if (strcmp(value, "auto") == 0)
        *ret_loop = WEFT_LOOP_AUTO;
    else if (strcmp(value, "uring") == 0)
        *ret_loop = WEFT_LOOP_URING;
    else if (strcmp(value, "epoll") == 0)
        *ret_loop = WEFT_LOOP_EPOLL;
    else
        return refuse("--loop", value, "use auto, uring or epoll");
    return OPTIONS_GO_ON;
}

static int read_scale(const char *value, double *ret_scale)
{
    char *end;
    double number = strtod(value, &end);

    if (end == value || *end || !(number >= 0.001 && number <= 100))
        return refuse("--scale", value, "use a number from 0.001 to 100");
    *ret_scale = number;
    return OPTIONS_GO_ON;
}

static bool is_folder(const char *path)
{
    struct stat about;

    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* Says at once, and not after a minute, that a file will not be writable. */
static int check_file(const char *option, const char *path)
{
    char folder[PATH_MAX];

    if (!*path || strlen(path) >= sizeof folder)
        return refuse(option, path, "name a file");
    if (is_folder(path))
        return refuse(option, path, "that is a folder: name a file");
    if (access(path, F_OK) == 0)
        return access(path, W_OK) == 0 ? OPTIONS_GO_ON : refuse(option, path, strerror(errno));
    snprintf(folder, sizeof folder, "%s", path);
    char *slash = strrchr(folder, '/');
    if (!slash)
        strcpy(folder, ".");
    else
        slash[slash == folder] = '\0';
    if (access(folder, W_OK) == 0)
        return OPTIONS_GO_ON;
    return refuse(option, path,
                  errno == ENOENT ? "there is no such folder: make it first" : strerror(errno));
}

/* The page goes into the build folder that contrast lies in, or into the current folder. */
static void default_page(char path[PATH_MAX])
{
    static const char NAME[] = "contrast.html";

    ssize_t bytes = readlink("/proc/self/exe", path, PATH_MAX - sizeof NAME - 1);
    path[bytes > 0 ? bytes : 0] = '\0';
    char *end = NULL;
    for (char *build = path; (build = strstr(build, "/build/")); build++)
        end = build + strlen("/build/");
    strcpy(end ? end : path, NAME);
}

static int read_option(struct options *options, int option, const char *value)
{
    switch (option) {
    case 'w': return read_threads("--workers", value, &options->workers);
    case 'p': return read_threads("--pool", value, &options->pool);
    case 'l': return read_loop(value, &options->loop);
    case 's': return read_scale(value, &options->scale);
    case 'j': options->json = value; return check_file("--json", value);
    case 'm':
        snprintf(options->html, sizeof options->html, "%s", value);
        return check_file("--html", value);
    case 'h': fputs(HELP, stdout); return 0;
    default: fputs("contrast: --help tells the options\n", stderr); return 2;
    }
}

int options_read(struct options *ret_options, int argc, char **argv)
{
    static const struct option table[] = {
        {"workers", required_argument, NULL, 'w'}, {"pool", required_argument, NULL, 'p'},
        {"loop", required_argument, NULL, 'l'},    {"scale", required_argument, NULL, 's'},
        {"json", required_argument, NULL, 'j'},    {"html", required_argument, NULL, 'm'},
        {"help", no_argument, NULL, 'h'},          {0}};
    int option;

    *ret_options = (struct options){.scale = 1};
    while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
        int status = read_option(ret_options, option, optarg);
        if (status != OPTIONS_GO_ON)
            return status;
    }
    if (optind < argc)
        return refuse("an argument", argv[optind], "only options are taken, see --help");
    if (ret_options->html[0])
        return OPTIONS_GO_ON;
    default_page(ret_options->html);
    return check_file("--html", ret_options->html);
}
