/*
 * sleepers - how long so many sleeping tasks take, and how much memory they hold.
 *
 *     sleepers time 100000        all sleep 1 s at once; prints when the last one ended
 *     sleepers memory 1000000     all sleep; fails if one of them costs more than 6 KiB resident
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weft.h>

enum { MOST_BYTES_EACH = 6 * 1024 };

struct plan {
    long count;
    bool memory;
    weft_sem arrived;
};

static int sleep_a_second(void *arg)
{
    (void)arg;
    return weft_sleep(weft_s(1));
}

/* An hour, unless cancelled. */
static int settle_down(void *arg)
{
    struct plan *plan = *(struct plan **)arg;

    int rc = weft_sem_release(&plan->arrived);
    return rc < 0 ? rc : weft_sleep(weft_s(3600));
}

static long resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (file == NULL)
        return -1;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = -1;
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static int measure_time(struct plan *plan)
{
    weft_scope scope;
    weft_time start = weft_now();

    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    for (long i = 0; i < plan->count; i++)
        weft_scope_spawn(&scope, sleep_a_second, NULL);
    rc = weft_scope_close(&scope, 0);
    printf("measured: %ld tasks slept 1 s at once, and all had ended after %.2f s\n", plan->count,
           weft_seconds(weft_now() - start));
    return rc;
}

static int measure_memory(struct plan *plan)
{
    weft_scope scope;
    long before = resident_bytes();

    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    for (long i = 0; i < plan->count; i++)
        weft_scope_spawn_val(&scope, settle_down, plan);
    for (long i = 0; i < plan->count && rc >= 0; i++)
        rc = weft_sem_acquire(&plan->arrived);
    long each = (resident_bytes() - before) / plan->count;
    printf("measured: %ld sleeping tasks hold %ld bytes each\n", plan->count, each);
    if (rc >= 0 && each > MOST_BYTES_EACH)
        rc = -EOVERFLOW;
    (void)weft_scope_stop(&scope); /* it is open */
    return weft_scope_close(&scope, rc);
}

static int program(void *arg)
{
    struct plan *plan = arg;

    return plan->memory ? measure_memory(plan) : measure_time(plan);
}

int main(int argc, char **argv)
{
    struct plan plan = {.arrived = WEFT_SEM_INIT(0)};

    if (argc == 3)
        plan.count = strtol(argv[2], NULL, 10);
    if (plan.count <= 0) {
        fprintf(stderr, "sleepers time|memory COUNT\n");
        return 2;
    }
    plan.memory = strcmp(argv[1], "memory") == 0;
    int rc = weft_run(program, &plan);
    if (rc < 0)
        fprintf(stderr, "sleepers: %s %s\n", weft_strerror(rc), weft_why());
    return rc < 0;
}
