/*
 * story - the failing execution, step by step, a column per thread.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/model/engine.h"

#define LINES  1024
#define COLUMN 58

static struct {
    uint8_t thread;
    char text[160];
} lines[LINES];
static unsigned line_count;

void story_begin(void) { line_count = 0; }

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

void story_add(unsigned thread, const struct model_site *site, const char *format, ...)
{
    va_list rest;
    char value[64];

    va_start(rest, format);
    (void)vsnprintf(value, sizeof value, format, rest);
    va_end(rest);
    if (line_count == LINES)
        return;
    lines[line_count].thread = (uint8_t)thread;
    char *text = lines[line_count++].text;
    if (!site)
        (void)snprintf(text, sizeof lines[0].text, "%s", value);
    else if (site->line)
        (void)snprintf(text, sizeof lines[0].text, "%s:%d %s_%s(%s) %s", last_part(site->file),
                       site->line, site->call, order_name(site->order), site->at, value);
    else
        (void)snprintf(text, sizeof lines[0].text, "%s %s: %s", site->file, site->call, value);
}

void story_print(const struct model_scenario *scenario)
{
    printf("\n  step ");
    for (unsigned i = 0; i < MODEL_THREADS && scenario->threads[i].fn; i++)
        printf(" %-*s", COLUMN, scenario->threads[i].name);
    printf("\n");
    unsigned first = 0;

    while (first < line_count && lines[first].thread == MODEL_MAIN)
        first++; /* the set-up is the same each time */
    for (unsigned i = first == line_count ? 0 : first, step = 0; i < line_count; i++) {
        unsigned column = lines[i].thread == MODEL_MAIN ? 0 : lines[i].thread;

        printf("  %4u  %*s%s%s\n", step++, (int)column * (COLUMN + 1), "",
               lines[i].thread == MODEL_MAIN ? "(outside) " : "", lines[i].text);
    }
    printf("\n");
}

/* Says which lines the addresses in a failure are; nothing, where there is no addr2line. */
void story_places(const char *failure)
{
    char program[256], command[400], line[200];
    ssize_t bytes = readlink("/proc/self/exe", program, sizeof program - 1);

    if (bytes <= 0)
        return;
    program[bytes] = 0;
    for (const char *at = failure; (at = strstr(at, " 0x")); at += 3) {
        unsigned long address = strtoul(at + 1, NULL, 16) - 1; /* it is the one to return to */

        (void)snprintf(command, sizeof command, "addr2line -s -e '%s' %#lx 2>/dev/null", program,
                       address);
        FILE *answer = popen(command, "r");
        if (!answer)
            return;
        if (fgets(line, sizeof line, answer))
            printf("  %#lx is %s", address + 1, line);
        (void)pclose(answer);
    }
}
