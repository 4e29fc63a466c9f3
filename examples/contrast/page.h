/*
 * page.h - the report as one HTML page that needs nothing but itself.
 */
#ifndef CONTRAST_PAGE_H
#define CONTRAST_PAGE_H

#include "report.h"

/** Writes the page. Returns: 0; -errno. */
int page_write(const struct report *report, const char *path);

#endif
