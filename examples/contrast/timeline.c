/*
 * timeline - HTML boxes that stand at percentages of the width, so that a phone and a wide screen
 * show the same picture with readable words; page.css says how they look.
 *
 *   waiting    ┌ API request ┐                  what is awaited holds no thread: hollow boxes
 *              ┌ database query ──────┐
 *   worker 1   ▁▁ ▁ █ primes 1 ██ primes 3 ██   what holds a thread: full boxes; task slices of
 *   blocking   ██ database query ████           less than a millisecond: a strip below
 *   heartbeat  ─────▒▒ frozen ▒▒▒▒▒▒▒▒▒▒▒───    and the freeze again as a veil over all lanes
 */
#include "timeline.h"

#include <stdlib.h>
#include <string.h>

enum { LANES_MAX = 600, SLICE_NS = 1000000, STRIP_GAP = 400 };

/* A thread that did something in this way. */
struct thread_lane {
    enum lane kind;
    int thread;
    int number; /* among its kind */
};

struct drawing {
    FILE *file;
    const struct journal *journal;
    const struct figures *figures;
    enum way way;
    weft_time whole;
    struct thread_lane lanes[LANES_MAX];
    int lane_count;
};

static double percent(const struct drawing *drawing, weft_time span)
{
    return (double)span * 100 / (double)drawing->whole;
}

static double seconds_in(const struct drawing *drawing, weft_time moment)
{
    return weft_seconds(moment - drawing->figures->begin[PART_WAITS]);
}

/* The class that colours an event, by what it is about. */
static const char *colour_of(const struct event *event)
{
    switch (event->name[0]) {
    case 'A': return "api";
    case 'd': return "query";
    case 'p': return "primes";
    case 'h': return "beat";
    default: return event->kind == EVENT_FREEZE ? "freeze" : "file";
    }
}

/* Opens a box at its place. The caller writes its words and closes it. */
static void open_box(const struct drawing *drawing, const char *classes, weft_time begin,
                     weft_time end)
{
    fprintf(drawing->file, "<div class=\"%s\" style=\"left:%.3f%%;width:%.3f%%\"", classes,
            percent(drawing, begin - drawing->figures->begin[PART_WAITS]),
            percent(drawing, end - begin));
}

/* The words in a box, with the part that goes first where there is little room. */
static void write_label(FILE *file, const char *name)
{
    static const char *const labels[][2] = {{"API request", "API<i> request</i>"},
                                            {"database query", "<i>database </i>query"},
                                            {"file read", "file<i> read</i>"}};

    for (size_t i = 0; i < sizeof labels / sizeof labels[0]; i++)
        if (strcmp(name, labels[i][0]) == 0)
            name = labels[i][1];
    if (strncmp(name, "primes ", strlen("primes ")) == 0)
        fprintf(file, "<span><i>primes </i>%s</span>", name + strlen("primes "));
    else
        fprintf(file, "<span>%s</span>", name);
}

static void write_box(const struct drawing *drawing, const struct event *event, const char *shape,
                      const char *meaning)
{
    char classes[64];

    snprintf(classes, sizeof classes, "box %s %s", shape, colour_of(event));
    open_box(drawing, classes, event->begin, event->end);
    fprintf(drawing->file, " title=\"%s: %.3f s, from %.2f s to %.2f s. %s\">", event->name,
            weft_seconds(event->end - event->begin), seconds_in(drawing, event->begin),
            seconds_in(drawing, event->end), meaning);
    write_label(drawing->file, event->name);
    fputs("</div>", drawing->file);
}

static bool same_lane(const struct event *event, const struct thread_lane *lane)
{
    return event->lane == lane->kind && event->thread == lane->thread;
}

/* Task slices that follow one another closely: drawn as one strip. */
struct strip {
    const struct event *first;
    weft_time end;
    weft_time sum;
    int slices;
};

static void write_strip(const struct drawing *drawing, const struct strip *strip)
{
    char classes[64];

    if (strip->slices == 0)
        return;
    snprintf(classes, sizeof classes, "strip %s", colour_of(strip->first));
    open_box(drawing, classes, strip->first->begin, strip->end);
    fprintf(drawing->file,
            " title=\"%s: %d task slice%s between %.2f s and %.2f s, together %.2f ms\"></div>",
            strip->first->name, strip->slices, strip->slices == 1 ? "" : "s",
            seconds_in(drawing, strip->first->begin), seconds_in(drawing, strip->end),
            weft_seconds(strip->sum) * 1e3);
}

static void add_slice(const struct drawing *drawing, struct strip *strip, const struct event *event)
{
    if (strip->slices == 0 || event->begin - strip->end > drawing->whole / STRIP_GAP) {
        write_strip(drawing, strip);
        *strip = (struct strip){.first = event};
    }
    strip->end = event->end;
    strip->sum += event->end - event->begin;
    strip->slices++;
}

static bool is_slice(const struct event *event)
{
    return event->lane == LANE_WORKER && event->end - event->begin < SLICE_NS;
}

/* The strips of one lane: those of the heartbeat and of the tasks' own slices apart. */
static void write_strips(const struct drawing *drawing, const struct thread_lane *lane,
                         enum event_kind kind)
{
    struct strip strip = {0};

    for (size_t i = 0; i < journal_count(drawing->journal); i++) {
        const struct event *event = &drawing->journal->events[i];
        if (event->way == drawing->way && event->kind == kind && same_lane(event, lane) &&
            is_slice(event))
            add_slice(drawing, &strip, event);
    }
    write_strip(drawing, &strip);
}

static void write_thread(const struct drawing *drawing, const struct thread_lane *lane)
{
    static const char *const titles[] = {"", "main thread", "worker", "pool thread",
                                         "blocking thread"};

    fprintf(drawing->file, "<div class=\"lane\"><div class=\"name\">%s", titles[lane->kind]);
    if (lane->kind != LANE_MAIN)
        fprintf(drawing->file, " %d", lane->number);
    fputs("</div><div class=\"track\">", drawing->file);
    for (size_t i = 0; i < journal_count(drawing->journal); i++) {
        const struct event *event = &drawing->journal->events[i];
        if (event->way == drawing->way && event->kind == EVENT_WORK && same_lane(event, lane) &&
            !is_slice(event))
            write_box(drawing, event, "work", "Holds its thread.");
    }
    write_strips(drawing, lane, EVENT_BEAT);
    write_strips(drawing, lane, EVENT_WORK);
    fputs("</div></div>\n", drawing->file);
}

/* One row for each name, all in one lane. */
static void write_waits(const struct drawing *drawing)
{
    static const char *const names[] = {"API request", "database query", "file read"};

    if (drawing->way == WAY_SEQUENTIAL)
        return;
    fputs("<div class=\"lane waits\"><div class=\"name\">waiting<small>no thread held</small>"
          "</div><div class=\"rows\">",
          drawing->file);
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        fputs("<div class=\"track\">", drawing->file);
        for (size_t i = 0; i < journal_count(drawing->journal); i++) {
            const struct event *event = &drawing->journal->events[i];
            if (event->way == drawing->way && event->kind == EVENT_WAIT &&
                strcmp(event->name, names[k]) == 0)
                write_box(drawing, event, "wait", "Its task waits and holds no thread.");
        }
        fputs("</div>", drawing->file);
    }
    fputs("</div></div>\n", drawing->file);
}

static void write_freezes(const struct drawing *drawing, bool veil)
{
    for (size_t i = 0; i < journal_count(drawing->journal); i++) {
        const struct event *event = &drawing->journal->events[i];
        if (event->way != drawing->way || event->kind != EVENT_FREEZE)
            continue;
        open_box(drawing, veil ? "veil" : "box freeze", event->begin, event->end);
        if (veil)
            fputs("></div>", drawing->file);
        else
            fprintf(drawing->file,
                    " title=\"Frozen for %.0f ms, from %.2f s to %.2f s.\">"
                    "<span><i>frozen </i>%.1f s</span></div>",
                    weft_seconds(event->end - event->begin) * 1e3,
                    seconds_in(drawing, event->begin), seconds_in(drawing, event->end),
                    weft_seconds(event->end - event->begin));
    }
}

static void write_heartbeat(const struct drawing *drawing)
{
    bool beats = drawing->way != WAY_SEQUENTIAL;

    fprintf(drawing->file, "<div class=\"lane\"><div class=\"name\">%s</div><div class=\"track\">",
            beats ? "heartbeat<small>due every 10 ms</small>"
                  : "no heartbeat<small>no runtime</small>");
    if (beats) {
        open_box(drawing, "alive", drawing->figures->begin[PART_WAITS],
                 drawing->figures->end[PART_BOTH]);
        fputs(" title=\"The heartbeat comes back in time.\"></div>", drawing->file);
    }
    write_freezes(drawing, false);
    fputs("</div></div>\n", drawing->file);
}

static void write_parts(const struct drawing *drawing)
{
    static const char *const names[PARTS][2] = {
        {"waits", " alone"}, {"primes", " alone"}, {"both", " at once"}};

    fputs("<div class=\"lane parts\"><div class=\"name\"></div><div class=\"track\">",
          drawing->file);
    for (int part = 0; part < PARTS; part++) {
        weft_time begin = drawing->figures->begin[part], end = drawing->figures->end[part];
        open_box(drawing, "part", begin, end);
        fprintf(drawing->file, "><span>%s<i>%s</i></span> <b>%.2f<i> s</i></b></div>",
                names[part][0], names[part][1], weft_seconds(end - begin));
    }
    fputs("</div></div>\n", drawing->file);
}

static int compare_lanes(const void *a, const void *b)
{
    const struct thread_lane *one = a, *other = b;

    return one->kind != other->kind ? (int)one->kind - (int)other->kind
                                    : one->thread - other->thread;
}

/* Threads that drew nothing but waits have no lane; a kernel's thread ids grow with their age. */
static void find_lanes(struct drawing *drawing)
{
    for (size_t i = 0; i < journal_count(drawing->journal); i++) {
        const struct event *event = &drawing->journal->events[i];
        int k = 0;
        if (event->way != drawing->way || event->lane == LANE_NONE)
            continue;
        while (k < drawing->lane_count && !same_lane(event, &drawing->lanes[k]))
            k++;
        if (k == drawing->lane_count && k < LANES_MAX)
            drawing->lanes[drawing->lane_count++] =
                (struct thread_lane){.kind = event->lane, .thread = event->thread};
    }
    qsort(drawing->lanes, (size_t)drawing->lane_count, sizeof drawing->lanes[0], compare_lanes);
    for (int k = 0; k < drawing->lane_count; k++) {
        bool first = k == 0 || drawing->lanes[k].kind != drawing->lanes[k - 1].kind;
        drawing->lanes[k].number = first ? 1 : drawing->lanes[k - 1].number + 1;
    }
}

/* A second, or more if that gave too many lines. */
double timeline_step_s(weft_time whole)
{
    double step = 1;

    while (weft_seconds(whole) / step > 40)
        step *= 10;
    return step;
}

void timeline_write(FILE *file, const struct report *report, enum way way, weft_time whole)
{
    struct drawing drawing = {.file = file,
                              .journal = report->journal,
                              .figures = &report->figures[way],
                              .way = way,
                              .whole = whole};

    find_lanes(&drawing);
    fprintf(
        file,
        "<div class=\"timeline\" role=\"img\" style=\"--step:%.4f%%\" aria-label=\"Timeline of: "
        "%s. Waits alone %.2f s, primes alone %.2f s, both at once %.2f s, longest freeze %.0f "
        "ms.\">\n",
        percent(&drawing, weft_s(timeline_step_s(whole))), way_titles[way],
        report_part_s(report, way, PART_WAITS), report_part_s(report, way, PART_PRIMES),
        report_part_s(report, way, PART_BOTH), report_freeze_ms(report, way));
    fputs("<div class=\"veils\">", file);
    write_freezes(&drawing, true);
    fputs("</div>\n", file);
    write_parts(&drawing);
    write_waits(&drawing);
    for (int k = 0; k < drawing.lane_count; k++)
        write_thread(&drawing, &drawing.lanes[k]);
    write_heartbeat(&drawing);
    fputs("</div>\n", file);
}
