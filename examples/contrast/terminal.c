/*
 * terminal - at most 80 columns. Colours only where somebody sees them: on a terminal, and not
 * against NO_COLOR.
 */
#include "terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 80, NAME_WIDTH = 39, WHY_INDENT = 37 };

static const char BOLD[] = "\033[1m", FAINT[] = "\033[2m";
static const char RED[] = "\033[31m", GREEN[] = "\033[32m", YELLOW[] = "\033[33m";

static const char *colour(const char *code)
{
    const char *no_color = getenv("NO_COLOR");

    return isatty(STDOUT_FILENO) && !(no_color && *no_color) ? code : "";
}

static const char *plain(void) { return colour("\033[0m"); }

/* Prints words from column `indent` on, as many to a line as there is room for. */
static void print_words(const char *words, int indent)
{
    int column = indent;

    while (*words) {
        int bytes = (int)strcspn(words, " ");
        if (column > indent && column + 1 + bytes > WIDTH) {
            printf("\n%*s", indent, "");
            column = indent;
        }
        column += printf("%s%.*s", column > indent ? " " : "", bytes, words);
        words += bytes;
        words += strspn(words, " ");
    }
    putchar('\n');
}

void terminal_header(const struct report *report)
{
    printf("%sOne report: an API request of %.4g s, a database query of %.4g s, a file read of\n"
           "%.4g s, and the primes up to 20,000,000. In four ways.%s\n\n",
           colour(BOLD), 2 * report->scale, 3 * report->scale, report->scale, plain());
    printf("machine  %d core%s, %s\n", report->cores, report->cores == 1 ? "" : "s",
           report->system);
    printf("loop     %s (%s)\n", report_loop_title(report), report->info.loop_why);
    printf("workers  %d\n", report->info.workers);
    printf("pool     %d thread%s, %s\n\n", report->info.pool_threads,
           report->info.pool_threads == 1 ? "" : "s", report->info.pool_class);
    printf("%s%-*s%8s%8s%8s%8s%9s\n", colour(BOLD), NAME_WIDTH, "", "waits", "primes", "both",
           "CPU", "longest");
    printf("%-*s%8s%8s%8s%8s%9s%s\n", NAME_WIDTH, "", "alone", "alone", "at once", "used", "freeze",
           plain());
    fflush(stdout);
}

void terminal_row(const struct report *report, enum way way)
{
    double freeze_ms = report_freeze_ms(report, way);

    printf("%d %-*s%6.2f s%6.2f s%6.2f s%6.2f s%s%6.0f ms%s\n", (int)way + 1, NAME_WIDTH - 2,
           way_titles[way], report_part_s(report, way, PART_WAITS),
           report_part_s(report, way, PART_PRIMES), report_part_s(report, way, PART_BOTH),
           report->figures[way].cpu_s, colour(report_freezes(report, way) ? RED : GREEN), freeze_ms,
           plain());
    fflush(stdout);
}

void terminal_summary(const struct report *report)
{
    struct verdict verdicts[VERDICTS];
    char clocks[CLOCKS_BYTES];

    report_verdicts(report, verdicts);
    report_clocks(report, clocks);
    printf("\n%s", colour(FAINT));
    print_words(report_note, 0);
    printf("%s\n", plain());
    printf("%s%-23s%-14s%s%s\n", colour(BOLD), "work", "async helps?", "why", plain());
    for (int i = 0; i < VERDICTS; i++) {
        printf("%-23s%s%-14s%s", verdicts[i].work, colour(verdicts[i].helps ? GREEN : YELLOW),
               verdicts[i].helps ? "yes" : "no", plain());
        print_words(verdicts[i].why, WHY_INDENT);
    }
    putchar('\n');
    print_words(clocks, 0);
}
