/*
 * json.h - the figures as JSON.
 */
#ifndef CONTRAST_JSON_H
#define CONTRAST_JSON_H

#include "report.h"

/** Writes the file. Returns: 0; -errno. */
int json_write(const struct report *report, const char *path);

#endif
