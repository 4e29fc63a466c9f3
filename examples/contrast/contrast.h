/*
 * contrast.h - what the rooms of contrast share: the four ways, their figures, and one run of them.
 *
 * A way goes through three parts: the waits alone, the primes alone, both together. plain.c does so
 * without weft, tasks.c with it. They leave figures (numbers) and a journal (who did what when);
 * terminal.c, json.c and page.c turn these into reports.
 */
#ifndef CONTRAST_H
#define CONTRAST_H

#include <limits.h>

#include <weft.h>

enum way { WAY_SEQUENTIAL, WAY_ONE_WORKER, WAY_ALL_WORKERS, WAY_POOL, WAYS };
enum part { PART_WAITS, PART_PRIMES, PART_BOTH, PARTS };

enum {
    PRIMES_LAST = 20000000,
    PRIMES_COUNT = 1270607, /* of 2..PRIMES_LAST */
    PRIME_JOBS = 8,
    BEAT_MS = 10,   /* how long the heartbeat sleeps */
    FREEZE_MS = 20, /* a longer delay is marked as a freeze */
    REGIONS = 4,
};

/** Names of the ways: for people, and as JSON has them. */
extern const char *const way_titles[WAYS];
extern const char *const way_names[WAYS];

/** What one way measured. */
struct figures {
    weft_time begin[PARTS];
    weft_time end[PARTS];
    double cpu_s;     /* of all threads of contrast, in the three parts */
    weft_time freeze; /* the longest */
};

/** What the database holds, counted while it was made, region by region. */
struct sales {
    long orders[REGIONS];
    long long cents[REGIONS];
};

/** Where the three waits come from. */
struct sources {
    int port; /* of slow_service on 127.0.0.1 */
    char pipe[PATH_MAX];
    char database[PATH_MAX];
    double scale;       /* stretches the waits */
    struct sales sales; /* what the query must find */
};

struct journal;
struct failure;

/** One way on its way. */
struct run {
    enum way way;
    const struct sources *sources;
    struct figures *figures;
    struct journal *journal;
    struct failure *failure;
    void (*on_part)(const struct run *run, enum part part); /* a part begins */
    void *context;                                          /* for on_part */
};

/** Notes that a part begins or ends. */
void run_part_begin(struct run *run, enum part part);
void run_part_end(struct run *run, enum part part);

/** Takes a delay into the longest freeze, and into the journal if it is worth marking. */
void run_freeze(struct run *run, weft_time begin, weft_time end);

/** Goes the sequential way. Returns: 0; -errno, and the failure has a sentence. */
int plain_run(struct run *run);

/** Goes another way; to be called as weft's first task, with a struct run. Returns as plain_run. */
int tasks_run(void *run);

#endif
