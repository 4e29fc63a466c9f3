/*
 * semantics - runs the sixty statements, each with 1, 2, 3 and 8 workers; tests/run semantics does that
 * in every configuration, and tests/run oracle asks for the words: a line "word s23_... unchanged".
 */
#include "semantics.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

int semantics_workers;
bool semantics_has_run;

/* What has become of the statement that runs. */
static struct verdict {
    pthread_mutex_t lock; /* of all below */
    bool failed;
    char failure[400]; /* the first expectation that was wrong */
    char word[120];
    int reports;
    char report[400]; /* the first */
} verdict = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The lock's calls cannot fail: it is neither destroyed nor locked twice. */
static void lock(void) { (void)pthread_mutex_lock(&verdict.lock); }
static void unlock(void) { (void)pthread_mutex_unlock(&verdict.lock); }

bool semantics_expect(long long got, long long wanted, const char *what, const char *file, int line)
{
    if (got == wanted)
        return true;
    lock();
    if (!verdict.failed) /* a cut sentence is still one */
        (void)snprintf(verdict.failure, sizeof verdict.failure, "%s:%d: %s is %lld, not %lld", file,
                       line, what, got, wanted);
    verdict.failed = true;
    unlock();
    return false;
}

void semantics_say(const char *word)
{
    lock();
    size_t used = strlen(verdict.word);
    (void)snprintf(verdict.word + used, sizeof verdict.word - used, "%s%s", used ? "+" : "",
                   word); /* words are short */
    unlock();
}

int semantics_reports(void)
{
    lock();
    int reports = verdict.reports;
    unlock();
    return reports;
}

static void keep_report(void *context, const char *sentence)
{
    (void)context;
    lock();
    if (verdict.reports++ == 0) /* a cut sentence is still one */
        (void)snprintf(verdict.report, sizeof verdict.report, "%s", sentence);
    unlock();
}

static int as_program(void *arg)
{
    ((const struct statement *)arg)->program();
    return 0;
}

static int run(const struct statement *statement, int workers)
{
    const weft_options options = {.workers = workers, .report = keep_report};
    int rc = 0;

    verdict.failed = false;
    verdict.word[0] = '\0';
    verdict.reports = 0;
    semantics_workers = workers;
    if (statement->is_outside)
        statement->program();
    else
        rc = weft_run_with(&options, as_program, (void *)(uintptr_t)statement);
    semantics_has_run = true;
    check_progress();
    return rc;
}

static void holds(void **state)
{
    const struct statement *statement = *state;

    CHECK_WORKERS(n) {
        int rc = run(statement, n);

        if (verdict.failed)
            fail_msg("%d workers: %s", n, verdict.failure);
        if (rc < 0)
            fail_msg("%d workers: weft_run returned %d", n, rc);
        if (verdict.reports > 0 && !statement->is_misuse)
            fail_msg("%d workers: weft reported: %s", n, verdict.report);
        if (verdict.word[0])
            printf("word %s %s\n", statement->name, verdict.word);
    }
}

static struct CMUnitTest tests[100];
static size_t count;

static void add(const struct statement *list, bool is_outside)
{
    for (; list->name; list++)
        if (list->is_outside == is_outside)
            tests[count++] =
                (struct CMUnitTest){list->name, holds, NULL, NULL, (void *)(uintptr_t)list};
}

int main(void)
{
    const struct statement *lists[] = {
        semantics_scopes,  semantics_cancellation, semantics_refused, semantics_deadlines,
        semantics_futures, semantics_select,       semantics_sync,    semantics_queues_io_run};

    /* Those outside first: one of them wants to see a process that has not run weft yet. */
    for (int outside = 1; outside >= 0; outside--)
        for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
            add(lists[i], outside);
    return check_group(tests, count);
}
