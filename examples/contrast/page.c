/*
 * page - the frame around the timelines: head, legend, tables. What it looks like is in page.css,
 * what a tap does in page.js; both are written into the page.
 */
#include "page.h"

#include <ctype.h>
#include <stdio.h>

#include "output.h"
#include "timeline.h"

extern const char page_css[], page_js[]; /* page_files.S */

/* Text that comes from elsewhere, made harmless. */
static void write_text(FILE *file, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            fputs("&lt;", file);
        else if (*text == '&')
            fputs("&amp;", file);
        else
            fputc(*text, file);
    }
}

static void write_head(FILE *file, const struct report *report)
{
    fprintf(file,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
            "<meta name=\"color-scheme\" content=\"light dark\">\n"
            "<title>weft: waits overlap, computation needs a pool</title>\n"
            "<style>\n%s</style>\n</head>\n<body>\n<main>\n<header>\n"
            "<p class=\"kicker\">weft %s, contrast</p>\n"
            "<h1>Waits overlap. Computation needs a pool.</h1>\n"
            "<p class=\"lead\">One report needs an API request of %.4g&nbsp;s, a database query of "
            "%.4g&nbsp;s, a file read of %.4g&nbsp;s and the primes up to 20,000,000. Here it is "
            "made in four ways, each three times: the waits alone, the primes alone, both at once."
            "</p>\n",
            page_css, weft_version(), 2 * report->scale, 3 * report->scale, report->scale);
}

static void write_machine(FILE *file, const struct report *report)
{
    fprintf(file, "<dl>\n<div><dt>Machine</dt><dd>%d core%s, ", report->cores,
            report->cores == 1 ? "" : "s");
    write_text(file, report->system);
    fprintf(file, "</dd></div>\n<div><dt>Event loop</dt><dd>%s (", report_loop_title(report));
    write_text(file, report->info.loop_why);
    fprintf(file,
            ")</dd></div>\n<div><dt>Workers</dt><dd>%d</dd></div>\n"
            "<div><dt>CPU pool</dt><dd>%d thread%s, ",
            report->info.workers, report->info.pool_threads,
            report->info.pool_threads == 1 ? "" : "s");
    write_text(file, report->info.pool_class);
    fputs("</dd></div>\n</dl>\n</header>\n", file);
}

static void write_legend(FILE *file, weft_time whole)
{
    fputs("<ul class=\"legend\" aria-label=\"Legend\">\n"
          "<li><span class=\"key work api\"></span>API request</li>\n"
          "<li><span class=\"key work query\"></span>database query</li>\n"
          "<li><span class=\"key work file\"></span>file read</li>\n"
          "<li><span class=\"key work primes\"></span>primes</li>\n"
          "<li><span class=\"key wait\"></span>hollow: waits, holds no thread</li>\n"
          "<li><span class=\"key work\"></span>full: holds its thread</li>\n"
          "<li><span class=\"key slices\"></span>task slices under 1 ms</li>\n"
          "<li><span class=\"key freeze\"></span>freeze: nobody else gets a turn</li>\n"
          "</ul>\n",
          file);
    fprintf(file,
            "<p class=\"hint\">All four have the same scale, with a thin line every %.4g&nbsp;s. "
            "Point at a box, or tap it, to see what it is.</p>\n",
            timeline_step_s(whole));
}

/* What to look at in each picture. */
static const char *const LOOK[WAYS] = {
    "One thread does everything, and can do nothing else meanwhile.",
    "As an asyncio program: the waits overlap on a single thread, but while the primes have it, "
    "nothing else gets a turn.",
    "More threads make the primes faster, but tasks that compute still keep all the others from "
    "the workers.",
    "As it should be: the primes are in a pool, and whoever waits is served at once."};

static weft_time length_of(const struct figures *figures)
{
    return figures->end[PART_BOTH] - figures->begin[PART_WAITS];
}

/* The longest way fills the width. */
static weft_time longest(const struct report *report)
{
    weft_time longest = 1;

    for (int way = 0; way < WAYS; way++)
        if (length_of(&report->figures[way]) > longest)
            longest = length_of(&report->figures[way]);
    return longest;
}

static void write_ways(FILE *file, const struct report *report, weft_time whole)
{
    for (int way = 0; way < WAYS; way++) {
        fprintf(file, "<section>\n<h2><span>%d</span> %c%s</h2>\n<p>%s</p>\n", way + 1,
                toupper(way_titles[way][0]), way_titles[way] + 1, LOOK[way]);
        timeline_write(file, report, (enum way)way, whole);
        fputs("</section>\n", file);
    }
}

static void write_figures(FILE *file, const struct report *report)
{
    fputs("<section>\n<h2>In figures</h2>\n<table class=\"figures\">\n<thead><tr><th>Way</th>"
          "<th>Waits alone,&nbsp;s</th><th>Primes alone,&nbsp;s</th><th>Both at once,&nbsp;s</th>"
          "<th>CPU used,&nbsp;s</th><th>Longest freeze,&nbsp;ms</th></tr></thead>\n<tbody>\n",
          file);
    for (int way = 0; way < WAYS; way++) {
        double freeze_ms = report_freeze_ms(report, (enum way)way);
        fprintf(file, "<tr><th scope=\"row\">%s</th>", way_titles[way]);
        for (int part = 0; part < PARTS; part++)
            fprintf(file, "<td>%.2f</td>", report_part_s(report, (enum way)way, (enum part)part));
        fprintf(file, "<td>%.2f</td><td class=\"%s\">%.*f</td></tr>\n", report->figures[way].cpu_s,
                report_freezes(report, (enum way)way) ? "bad" : "good", freeze_ms < 100 ? 1 : 0,
                freeze_ms);
    }
    fprintf(file,
            "</tbody>\n</table>\n<p class=\"note\">%s Times are those of the monotonic clock; "
            "CPU seconds are those of all threads of the program, over the three parts.</p>\n"
            "</section>\n",
            report_note);
}

static void write_summary(FILE *file, const struct report *report)
{
    struct verdict verdicts[VERDICTS];
    char clocks[CLOCKS_BYTES];

    report_verdicts(report, verdicts);
    report_clocks(report, clocks);
    fputs("<section>\n<h2>So, does async help?</h2>\n<table class=\"summary\">\n<thead><tr><th>Work"
          "</th><th>Helps</th><th>Why</th></tr></thead>\n<tbody>\n",
          file);
    for (int i = 0; i < VERDICTS; i++)
        fprintf(file, "<tr><th scope=\"row\">%s</th><td class=\"%s\">%s</td><td>%s</td></tr>\n",
                verdicts[i].work, verdicts[i].helps ? "good" : "bad",
                verdicts[i].helps ? "yes" : "no", verdicts[i].why);
    fprintf(file, "</tbody>\n</table>\n<p class=\"note\">%s</p>\n</section>\n", clocks);
}

static void write_foot(FILE *file, const struct report *report)
{
    size_t lost = atomic_load(&report->journal->asked) - journal_count(report->journal);

    if (lost > 0)
        fprintf(file,
                "<p class=\"note\">The run was so long that %zu events found no room and are "
                "missing in the timelines; the figures are complete.</p>\n",
                lost);
    fprintf(file,
            "</main>\n<output id=\"detail\" hidden></output>\n<script>\n%s</script>\n"
            "</body>\n</html>\n",
            page_js);
}

static void write_page(FILE *file, const struct report *report)
{
    weft_time whole = longest(report);

    write_head(file, report);
    write_machine(file, report);
    write_legend(file, whole);
    write_ways(file, report, whole);
    write_figures(file, report);
    write_summary(file, report);
    write_foot(file, report);
}

int page_write(const struct report *report, const char *path)
{
    return output_write(path, write_page, report);
}
