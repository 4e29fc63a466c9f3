/*
 * report.h - what was measured, and the sentences that both the terminal and the page say about it.
 */
#ifndef CONTRAST_REPORT_H
#define CONTRAST_REPORT_H

#include "journal.h"

struct report {
    int cores;
    char system[200]; /* kernel and machine */
    double scale;
    weft_info_data info;
    struct figures figures[WAYS];
    const struct journal *journal;
    double wall_s;      /* the whole measurement by the wall clock */
    double monotonic_s; /* and by the monotonic clock */
};

/** A line of the guide's summary. */
struct verdict {
    const char *work;
    bool helps;
    char why[160]; /* with measured ratios */
};

enum { VERDICTS = 3, CLOCKS_BYTES = 240 };

/** Note about the freeze of the sequential way, which has no heartbeat. */
extern const char report_note[];

/** Fills in the machine and the runtime, of which `info` tells. */
void report_about(struct report *report, const weft_info_data *info, double scale);

/** How long a part took, in seconds. */
double report_part_s(const struct report *report, enum way way, enum part part);

/** The longest freeze, in milliseconds. */
double report_freeze_ms(const struct report *report, enum way way);

/** Whether the longest freeze is one that people notice. */
bool report_freezes(const struct report *report, enum way way);

/** The loop, for people and as --loop spells it. */
const char *report_loop_title(const struct report *report);
const char *report_loop_name(const struct report *report);

/** The guide's summary: I/O-bound, CPU-bound, CPU-bound with a pool. */
void report_verdicts(const struct report *report, struct verdict ret_verdicts[VERDICTS]);

/** What the wall clock and the monotonic clock said. */
void report_clocks(const struct report *report, char ret_sentence[CLOCKS_BYTES]);

#endif
