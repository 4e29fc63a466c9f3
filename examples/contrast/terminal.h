/*
 * terminal.h - the report on standard output: a header, a row as each way ends, the summary.
 */
#ifndef CONTRAST_TERMINAL_H
#define CONTRAST_TERMINAL_H

#include "report.h"

void terminal_header(const struct report *report);
void terminal_row(const struct report *report, enum way way);
void terminal_summary(const struct report *report);

#endif
