/*
 * orders.h - the database: 200,000 orders in an SQLite file on a slow disk.
 */
#ifndef CONTRAST_ORDERS_H
#define CONTRAST_ORDERS_H

#include "contrast.h"

/** Makes the file, and counts what a query must find in it. Blocks. Returns: 0; -errno. */
int orders_make(const char *path, struct sales *ret_sales, struct failure *failure);

/** One query: what goes in, and where it went wrong. */
struct orders_query {
    const struct sources *sources;
    struct failure *failure;
};

/** Asks for the revenue of each region and checks it. Blocks its thread for 3 s * scale: in a task
 * it belongs on the blocking lane. Returns: 0; -errno and a sentence; -ECANCELED. */
int orders_query(void *query);

#endif
