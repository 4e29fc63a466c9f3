/*
 * main - the program of one subject.
 *
 *   build/model/deque                     visits all, says how many executions; status 1 after a failure
 *   build/model/deque --sites             each place with an atomic access that the subject reached
 *   build/model/deque --weaken SITE       with the order of that place relaxed: should fail
 *   build/model/deque --weaken SITE=ORDER     with acquire, release or acq_rel
 *   build/model/deque --replay STRING     tells one execution of the scenario once more
 *   --scenario N, --bound N, --limit N    only the Nth from 1; of preemptions; of executions
 *   --quiet                               only the status
 *   --slow                                each execution from the beginning: the same must come out
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/model/run.h"

static const char *weakened, *script;
static unsigned only;
static bool lists_sites;

/* file function call(what) #n; the number only if the function has it several times. */
static void site_words(const struct model_site *site, char *words, size_t bytes)
{
    const struct model_site *other;
    const char *file = strncmp(site->file, "./", 2) == 0 ? site->file + 2 : site->file;
    unsigned same = 1;

    for (other = __start_model_sites; other < __stop_model_sites; other++)
        if (other != site && strcmp(other->file, site->file) == 0 &&
            strcmp(other->function, site->function) == 0 && strcmp(other->call, site->call) == 0 &&
            strcmp(other->at, site->at) == 0 && other->line < site->line && !other->is_dup)
            same++;
    if (same == 1)
        (void)snprintf(words, bytes, "%s %s %s(%s)", file, site->function, site->call, site->at);
    else
        (void)snprintf(words, bytes, "%s %s %s(%s) #%u", file, site->function, site->call, site->at,
                       same);
}

/* Inline functions stand in several objects: only the first counts. */
static void mark_dups(void)
{
    for (struct model_site *site = __start_model_sites; site < __stop_model_sites; site++)
        for (struct model_site *other = __start_model_sites; other < site; other++)
            if (other->line == site->line && strcmp(other->file, site->file) == 0 &&
                strcmp(other->call, site->call) == 0 && strcmp(other->at, site->at) == 0)
                site->is_dup = true;
}

static enum model_order weaker(const char *order)
{
    for (enum model_order i = MODEL_RELAXED; i <= MODEL_SEQ; i++)
        if (order && strcmp(order, order_name(i)) == 0)
            return i;
    return MODEL_RELAXED;
}

static bool weaken(const char *words)
{
    const char *order = strrchr(words, '=');
    size_t length = order ? (size_t)(order - words) : strlen(words);
    bool found = false;

    for (struct model_site *site = __start_model_sites; site < __stop_model_sites; site++) {
        char its[256];

        site_words(site, its, sizeof its);
        if (strlen(its) == length && strncmp(its, words, length) == 0) {
            site->order = weaker(order ? order + 1 : NULL);
            found = true;
        }
    }
    return found;
}

static void list_sites(void)
{
    for (struct model_site *site = __start_model_sites; site < __stop_model_sites; site++) {
        char words[256];
        bool reached = false;

        if (site->is_dup)
            continue;
        for (struct model_site *same = site; same < __stop_model_sites; same++)
            if (same->line == site->line && strcmp(same->file, site->file) == 0 &&
                strcmp(same->call, site->call) == 0 && strcmp(same->at, site->at) == 0)
                reached |= same->was_reached;
        site_words(site, words, sizeof words);
        printf("%s\t%s\t%s\n", reached ? "reached" : "not reached", words, order_name(site->order));
    }
}

static bool is_told(const char *option, const char *name, char ***arg)
{
    if (strcmp(option, name) != 0 || !(*arg)[1])
        return false;
    ++*arg;
    return true;
}

static bool read_options(char **arg)
{
    for (; *arg; arg++) {
        const char *option = *arg;

        if (is_told(option, "--weaken", &arg))
            weakened = *arg;
        else if (is_told(option, "--replay", &arg))
            script = *arg;
        else if (is_told(option, "--scenario", &arg))
            only = (unsigned)atoi(*arg);
        else if (is_told(option, "--bound", &arg))
            model_run.bound = (unsigned)atoi(*arg);
        else if (is_told(option, "--limit", &arg))
            model_run.limit = strtoull(*arg, NULL, 10);
        else if (strcmp(option, "--quiet") == 0)
            model_run.is_quiet = true;
        else if (strcmp(option, "--slow") == 0)
            model_run.is_slow = true;
        else if (strcmp(option, "--sites") == 0)
            lists_sites = model_run.is_quiet = true;
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    uint64_t executions = 0;
    unsigned scenarios = 0;

    if (argc < 1 || !read_options(argv + 1)) {
        fprintf(stderr, "model: see the head of tests/model/main.c for the options\n");
        return 2;
    }
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    mark_dups();
    if (weakened && !weaken(weakened)) {
        fprintf(stderr, "model: %s has no such place: %s\n", model_subject, weakened);
        return 2;
    }
    for (unsigned i = 0; model_scenarios[i].name; i++) {
        if (only && only != i + 1)
            continue;
        scenarios++;
        if (script)
            return !model_replay(&model_scenarios[i], script);
        if (!model_run_scenario(&model_scenarios[i], &executions)) {
            if (!model_run.is_quiet)
                printf("  with --scenario %u\n", i + 1);
            return 1;
        }
    }
    if (lists_sites)
        list_sites();
    else
        printf("measured: %lu executions of %u scenarios, up to %u preemptions, %.1f s of a "
               "processor\n",
               (unsigned long)executions, scenarios, model_run.bound,
               (double)clock() / CLOCKS_PER_SEC);
    return 0;
}
