/*
 * together.c - several at once, and one of them fails, or is first, or is late: what becomes of the
 * others.
 */
#include <errno.h>

#include "guide.h"

struct mirror {
    const char *name;
    double seconds; /* until it answers */
    int status;     /* what it answers */
};

static const struct mirror north = {"north", 1, -ENOENT};
static const struct mirror south = {"south", 2, 200};
static const struct mirror west = {"west", 3, 200};

/* Asks one mirror. Whoever is cancelled meanwhile says so, and passes the status on. */
static int ask(void *arg)
{
    const struct mirror *mirror = arg;
    int rc = weft_sleep(guide_s(mirror->seconds));

    if (rc == -ECANCELED)
        printf("  (%s gave up)\n", mirror->name);
    return rc < 0 ? rc : mirror->status;
}

/* Every answer counts, also a failure: nobody is cancelled. */
static void ask_all(void)
{
    int statuses[3];
    int rc = weft_gather_settled(statuses, weft_spawn_val(ask, north), weft_spawn_val(ask, south),
                                 weft_spawn_val(ask, west));

    printf("All: %s\n", weft_strerror(rc));
    for (int i = 0; i < 3; i++)
        printf("  %s\n", statuses[i] < 0 ? weft_strerror(statuses[i]) : "an answer");
}

/* One answer is enough: the first that is none is no reason to stop, the first that is one is. */
static void ask_for_one(void)
{
    int rc = weft_race(weft_spawn_val(ask, north), weft_spawn_val(ask, south),
                       weft_spawn_val(ask, west));

    printf("Race: %d\n", rc);
}

/* All answers or none, in a scope: it owns the tasks, and lists what went wrong. */
static void ask_for_all_or_nothing(void)
{
    weft_failure failure = {.status = 0};
    weft_scope scope;

    int rc = weft_scope_open(&scope);
    weft_scope_spawn_val(&scope, ask, north);
    weft_scope_spawn_val(&scope, ask, south);
    rc = weft_scope_close(&scope, rc);
    size_t count = weft_scope_failures(&scope, &failure, 1);
    printf("Scope: %s, %zu failure\n", weft_strerror(rc), count);
}

/* Two steps share one limit, and the second finds it passed. */
static void ask_two_in_time(void)
{
    int rc;

    WEFT_WITHIN(rc, guide_s(2.5))
    {
        rc = ask((void *)&north);
        printf("Within: %s\n", weft_strerror(rc));
        rc = ask((void *)&south);
    }
    printf("Within: %s\n", weft_strerror(rc));
}

static int program(void *arg)
{
    ask_all();
    ask_for_one();
    ask_for_all_or_nothing();
    ask_two_in_time();
    return 0;
}

int main(void) { return guide_exit(weft_run(program, NULL)); }
