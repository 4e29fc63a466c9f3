/*
 * orders - an SQLite file of 200,000 orders, and a query that takes its time.
 *
 * The disk is fast; so the query calls slow_disk(id) for every row of its scan, and this function
 * blocks the thread: after each 1000th row it sleeps until the moment at which a disk that needs
 * 3 s for the whole table would have come that far. The schedule is absolute, so the sum is right.
 *
 * The table is kept in the order (region, id): SQLite can then group while it scans, and needs no
 * sort that would come after the last row and make the query longer than its disk.
 */
#include "orders.h"

#include <errno.h>
#include <sqlite3.h>
#include <time.h>

#include "failure.h"

enum { ORDERS = 200000, ROWS_PER_SLEEP = 1000 };

static const char *const REGION_NAMES[REGIONS] = {"east", "north", "south", "west"};

static int sqlite_failure(struct failure *failure, sqlite3 *database, const char *doing,
                          const char *path)
{
    return fail(failure, -EIO, "%s %s: %s", doing, path,
                database ? sqlite3_errmsg(database) : "out of memory");
}

/* Inserts order after order, with prices from a small generator, in the order of the table. */
static int insert_orders(sqlite3 *database, struct sales *ret_sales)
{
    sqlite3_stmt *insert;
    uint32_t state = 2026;

    int rc = sqlite3_prepare_v2(database, "INSERT INTO orders VALUES (?, ?, ?)", -1, &insert, NULL);
    for (int id = 0; rc == SQLITE_OK && id < ORDERS; id++) {
        int region = id / (ORDERS / REGIONS);
        state = state * 1664525 + 1013904223;
        int cents = 100 + (int)(state >> 8) % 50000;
        sqlite3_bind_text(insert, 1, REGION_NAMES[region], -1, SQLITE_STATIC);
        sqlite3_bind_int(insert, 2, id + 1);
        sqlite3_bind_int(insert, 3, cents);
        sqlite3_step(insert);
        rc = sqlite3_reset(insert); /* tells how the step went */
        ret_sales->orders[region]++;
        ret_sales->cents[region] += cents;
    }
    sqlite3_finalize(insert);
    return rc;
}

int orders_make(const char *path, struct sales *ret_sales, struct failure *failure)
{
    sqlite3 *database;
    int status = 0;

    *ret_sales = (struct sales){0};
    int rc = sqlite3_open(path, &database);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(database,
                          "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;" /* a new file */
                          "BEGIN;"
                          "CREATE TABLE orders (region TEXT, id INTEGER, cents INTEGER,"
                          "                     PRIMARY KEY (region, id)) WITHOUT ROWID",
                          NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = insert_orders(database, ret_sales);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(database, "COMMIT", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        status = sqlite_failure(failure, database, "making the database", path);
    sqlite3_close(database);
    return status;
}

/* How far the slow disk has come. */
struct disk {
    weft_time start;
    weft_time whole; /* for all rows */
    int rows;
};

static void sleep_until(weft_time moment)
{
    struct timespec when = {.tv_sec = moment / 1000000000, .tv_nsec = moment % 1000000000};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
        ;
}

/* slow_disk(id), the SQL function: true for every row, in its time. */
static void slow_disk(sqlite3_context *context, int n, sqlite3_value **values)
{
    struct disk *disk = sqlite3_user_data(context);

    (void)n, (void)values;
    if (++disk->rows % ROWS_PER_SLEEP == 0) {
        sleep_until(disk->start + disk->whole / ORDERS * disk->rows);
        if (weft_cancelled())
            return sqlite3_result_error(context, "cancelled", -1);
    }
    sqlite3_result_int(context, 1);
}

/* Reads the rows of the answer, and compares them with what was put in. */
static int check_rows(sqlite3_stmt *select, const struct sales *sales, struct failure *failure)
{
    int region = 0;
    int rc;

    while ((rc = sqlite3_step(select)) == SQLITE_ROW) {
        long long orders = sqlite3_column_int64(select, 1);
        long long cents = sqlite3_column_int64(select, 2);
        if (region >= REGIONS || orders != sales->orders[region] || cents != sales->cents[region])
            return fail(failure, 0, "the query says %lld orders of %lld cents in the region %s",
                        orders, cents, (const char *)sqlite3_column_text(select, 0));
        region++;
    }
    if (rc == SQLITE_DONE && region != REGIONS)
        return fail(failure, 0, "the query found %d regions of %d", region, REGIONS);
    return rc == SQLITE_DONE ? 0 : weft_cancelled() ? -ECANCELED : -EIO;
}

static int select_revenue(sqlite3 *database, const struct orders_query *query)
{
    struct disk disk = {.start = weft_now(), .whole = weft_s(3 * query->sources->scale)};
    sqlite3_stmt *select;

    int rc = sqlite3_create_function(database, "slow_disk", 1, SQLITE_UTF8, &disk, slow_disk, NULL,
                                     NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(database,
                                "SELECT region, count(*), sum(cents) FROM orders"
                                " WHERE slow_disk(id) GROUP BY region ORDER BY region",
                                -1, &select, NULL);
    if (rc != SQLITE_OK)
        return -EIO;
    int status = check_rows(select, &query->sources->sales, query->failure);
    sqlite3_finalize(select);
    return status;
}

int orders_query(void *arg)
{
    const struct orders_query *query = arg;
    const char *path = query->sources->database;
    sqlite3 *database;

    int status = -EIO;
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK)
        status = select_revenue(database, query);
    if (status == -EIO)
        status = sqlite_failure(query->failure, database, "querying", path);
    sqlite3_close(database);
    return status;
}
