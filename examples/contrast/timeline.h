/*
 * timeline.h - what one way did, drawn: a lane per thread, a box per wait, job and task slice.
 */
#ifndef CONTRAST_TIMELINE_H
#define CONTRAST_TIMELINE_H

#include <stdio.h>

#include "report.h"

/** How many seconds lie between two lines of the grid, if the width stands for `whole`. */
double timeline_step_s(weft_time whole);

/** Writes the timeline of one way; `whole` is the time that the full width stands for. */
void timeline_write(FILE *file, const struct report *report, enum way way, weft_time whole);

#endif
