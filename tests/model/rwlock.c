/*
 * rwlock - one writer or many readers are inside, each who waits comes in, and nothing is touched too late.
 */
#include <errno.h>

#include <weft/rwlock.h>

#include "tests/model/tasks.h"

const char model_subject[] = "rwlock";

static weft_rwlock *lock;
static struct shared {
    unsigned count; /* plain: written by a writer, read by readers */
} * shared;
static int result[MODEL_THREADS];

static void setup(unsigned which)
{
    tasks_init(which);
    lock = model_alloc(sizeof *lock);
    shared = model_alloc(sizeof *shared);
    __builtin_memset(result, 0, sizeof result);
}

static void two_tasks(void) { setup(3); }
static void three_tasks(void) { setup(7); }

/* Somebody reads when they begin. */
static void one_reads(void)
{
    setup(3);
    weft_read_lock(lock);
}

static void write_once(void)
{
    weft_write_lock(lock);
    shared->count++;
    model_assert(weft_write_unlock(lock) == 0);
    tasks_scribble();
}

static void read_once(void)
{
    weft_read_lock(lock);
    model_assert(shared->count <= 2);
    model_assert(weft_read_unlock(lock) == 0);
    tasks_scribble();
}

static void write_and_read(void)
{
    write_once();
    read_once();
}

/* Stays inside until the other reader is there, too: a writer between them must have been cancelled. */
static void read_until_joined(void)
{
    weft_read_lock(lock);
    model_take(result, "the other reads, too");
    model_assert(weft_read_unlock(lock) == 0);
}

static void read_and_join(void)
{
    weft_read_lock(lock);
    model_post(result, "the other reads, too");
    model_assert(weft_read_unlock(lock) == 0);
}

static void write_cancellable(void)
{
    int rc = weft_write_lock_cancellable(lock);

    result[model_self()] = rc;
    if (rc == 0) {
        shared->count++;
        model_assert(weft_write_unlock(lock) == 0);
    }
    tasks_scribble();
}

static void try_to_write(void)
{
    int rc = weft_try_write_lock(lock);

    result[model_self()] = rc;
    if (rc == 0) {
        shared->count++;
        model_assert(weft_write_unlock(lock) == 0);
    }
}

static void read_unlock(void) { model_assert(weft_read_unlock(lock) == 0); }
static void cancel_first(void) { tasks_cancel(tasks[0]); }

/* Who is inside tells the next, who frees it when it has been inside. */
static void read_first(void)
{
    weft_read_lock(lock);
    model_post(shared, "somebody reads");
    model_assert(shared->count == 0);
    model_assert(weft_read_unlock(lock) == 0);
}

static void write_and_free(void)
{
    model_take(shared, "somebody reads");
    weft_write_lock(lock);
    shared->count++;
    model_assert(weft_write_unlock(lock) == 0);
    model_free(lock);
    model_free(shared);
    tasks_scribble();
}

static void check(unsigned writes)
{
    for (unsigned i = 0; i < MODEL_THREADS; i++)
        writes -= result[i] != 0;
    model_assert(shared->count == writes);
    model_assert(weft_try_write_lock(lock) == 0); /* nobody is inside, nobody waits */
}

static void check_1(void) { check(1); }

static void check_beside_reader(void)
{
    model_assert(result[0] == -ECANCELED);
    read_unlock();
    check_1();
}

static void check_2(void) { check(2); }

const struct model_scenario model_scenarios[] = {
    {"two writers", two_tasks, {{"a", write_once, 0}, {"b", write_once, 0}}, check_2, 0},
    {"a writer and a reader",
     two_tasks,
     {{"a", write_and_read, 0}, {"b", read_once, 0}},
     check_1,
     0},
    {"two readers, a writer",
     three_tasks,
     {{"a", read_once, 0}, {"b", read_once, 0}, {"c", write_once, 0}},
     check_1,
     0},
    {"two writers, a reader",
     three_tasks,
     {{"a", write_once, 0}, {"b", write_once, 0}, {"c", read_once, 0}},
     check_2,
     0},
    {"a waiting writer is cancelled beside one who reads",
     one_reads,
     {{"a", write_cancellable, 0}, {"b", read_once, 0}, {"canceller", cancel_first, 0}},
     check_beside_reader,
     0},
    {"a writer in line is cancelled, who reads leaves, another comes",
     one_reads,
     {{"a", write_cancellable, 0, 0},
      {"b", read_once, 0, 1},
      {"c", read_unlock, 0, 1},
      {"canceller", cancel_first, 0, 1}},
     check_1,
     0},
    {"a writer in line is cancelled, who reads leaves, another is in line",
     one_reads,
     {{"a", write_cancellable, 0, 0},
      {"b", read_once, 0, 1},
      {"c", read_unlock, 0, 2},
      {"canceller", cancel_first, 0, 2}},
     check_1,
     0},
    {"a cancelled writer, another waits",
     three_tasks,
     {{"a", write_cancellable, 0}, {"b", write_once, 0}, {"canceller", cancel_first, 0}},
     check_2,
     0},
    {"try against a writer", two_tasks, {{"a", try_to_write, 0}, {"b", write_once, 0}}, check_2, 0},
    {"the next frees it",
     two_tasks,
     {{"reader", read_first, 0}, {"writer", write_and_free, 0}},
     NULL,
     0},
    {"a waiting writer is cancelled",
     three_tasks,
     {{"a", write_cancellable, 0},
      {"b", read_until_joined, 0},
      {"c", read_and_join, 0},
      {"canceller", cancel_first, 0}},
     check_1,
     2},
    {0},
};
