/*
 * standstill - the end of a weft_run in which nothing can ever happen again; quiet.c tells when.
 *
 *     run    NONE -> GOES -> STANDS   the list is made, weft_run cancels everything
 *            NONE -> DRAINS -> STUCK  and gives up what waits on: a lock, a job in a wait
 *
 * The list is read while everything stands still: nobody changes what it shows.
 */
#include <stdio.h>
#include <string.h>

#include "core/sys.h"
#include "core/worker.h"

#define SENTENCE_BYTES 512

/* So that the words before and after the list still fit the sentence. */
#define LIST_BYTES 400

/* The list as one sentence, as far as there is room. */
struct list_of_waits {
    struct runtime *runtime;
    char words[LIST_BYTES];
    size_t used;
    uint32_t count, named;
};

static void add(struct list_of_waits *list, const char *kind, const char *site, const char *what)
{
    char one[SENTENCE_BYTES];
    int bytes =
        snprintf(one, sizeof one, "%s %s waits for %s", kind, site ? site : "(no site given)",
                 what ? what : "something"); /* a cut sentence is still one */

    weft__report(list->runtime, "%s, and nothing can ever wake it", one);
    list->count++;
    if (list->named > 0 && list->used + (size_t)bytes + sizeof "; " > sizeof list->words)
        return;
    (void)snprintf(list->words + list->used, sizeof list->words - list->used, "%s%s",
                   list->named ? "; " : "", one); /* fits, or is the first, and cut */
    list->used = strlen(list->words);
    list->named++;
}

static void list_tasks(struct list_of_waits *list)
{
    uint32_t used = weft__slab_used(&list->runtime->slab);

    for (uint32_t slot = 1; slot <= used; slot++) {
        struct future *future = weft__slab_at(&list->runtime->slab, slot);
        uint64_t state = load_seq(&future->state);

        if (!(state & FUTURE_LIVE) || state & FUTURE_DONE)
            continue;
        /* relaxed: nothing goes on */
        if (load_relaxed(&future->kind) == &weft__task_kind)
            add(list, "task", future_site(future), load_relaxed(&future->sleeper.what));
    }
}

/* The thread at this place of the list; false: there are not so many. Reports are foreign code, and are
 * made without the lock. */
static bool thread_at(struct quiet *quiet, uint32_t place, struct quiet_thread *ret_thread,
                      const char **ret_what)
{
    lock_acquire(&quiet->threads_lock);
    struct link *link = quiet->threads.first;
    while (link && place-- > 0)
        link = link->next;
    if (link) {
        *ret_thread = *container_of(link, struct quiet_thread, link);
        *ret_what = load_relaxed(&ret_thread->sleeper->what); /* relaxed: nothing goes on */
    }
    lock_release(&quiet->threads_lock);
    return link != NULL;
}

static void list_threads(struct list_of_waits *list)
{
    struct quiet_thread thread;
    const char *what;

    for (uint32_t i = 0; thread_at(&list->runtime->quiet, i, &thread, &what); i++)
        if (thread.site)
            add(list, "job", thread.site, what);
}

static void report(struct runtime *runtime)
{
    struct list_of_waits list = {.runtime = runtime};

    list_tasks(&list);
    list_threads(&list);
    if (list.named < list.count)
        weft__explain("everything waits, and nothing can wake anything: %s; and %u more",
                      list.words, list.count - list.named);
    else
        weft__explain("everything waits, and nothing can wake anything: %s", list.words);
}

static void set_runner(struct quiet *quiet, struct waiter *runner)
{
    lock_acquire(&quiet->threads_lock);
    quiet->runner = runner;
    lock_release(&quiet->threads_lock);
}

bool weft__standstill_wait(struct runtime *runtime, weft_future task)
{
    struct quiet *quiet = &runtime->quiet;
    struct waiter waiter;
    struct future *future;
    uint64_t state;
    int status;

    if (weft__future_find(runtime, task, &future, &state) < 0)
        return false; /* it could not be spawned */
    weft__wait_begin(&waiter);
    wait_is_for(&waiter, "the end of the program");
    waiter.item = NULL;
    set_runner(quiet, &waiter);
    store_seq(&quiet->run, RUN_GOES);
    if (weft__future_watch(future, task.generation, &waiter, &status)) {
        (void)weft__wait_commit(&waiter, WAIT_FOR_SURE);
        weft__future_unwatch(future, &waiter);
    }
    bool stands = xchg_seq(&quiet->run, RUN_NONE) == RUN_STANDS;
    set_runner(quiet, NULL);
    if (stands)
        report(runtime);
    return stands;
}

void weft__standstill_drain(struct runtime *runtime) { store_seq(&runtime->quiet.run, RUN_DRAINS); }

bool weft__standstill_is_stuck(struct runtime *runtime)
{
    return load_seq(&runtime->quiet.run) == RUN_STUCK;
}

void weft__standstill_forget(struct runtime *runtime) { store_seq(&runtime->quiet.run, RUN_NONE); }
