/*
 * sync_cost - what a lock or a permit costs: alone, and handed from task to task on one worker.
 *
 *     lock_alone     weft_lock and weft_unlock, nobody else wants it
 *     sem_alone      weft_sem_acquire and weft_sem_release, permits are free
 *     lock_handover  two tasks on one worker: each unlock hands the mutex to the other, each lock waits
 *     sem_handover   the same with a semaphore of one permit
 *
 * Prints work, system, median, unit, min, max, tab separated: of ROUNDS rounds. A turn of a hand-over
 * holds one unlock that wakes, one lock that waits, and one switch. Peers: bench/sync_cost.sh.
 */
#include <stdio.h>
#include <stdlib.h>

#include <weft.h>

enum { ROUNDS = 11, TURNS = 1000000 };

static weft_mutex mutex;
static weft_sem sem = WEFT_SEM_INIT(1);

static int lock_alone(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++) {
        weft_lock(&mutex);
        weft_unlock(&mutex);
    }
    return 0;
}

static int sem_alone(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS; i++) {
        int rc = weft_sem_acquire(&sem);
        if (rc < 0)
            return rc;
        weft_sem_release(&sem);
    }
    return 0;
}

/* The first one yields while it holds the mutex: from then on the other always waits for it. */
static int pass_lock(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS / 2; i++) {
        weft_lock(&mutex);
        int rc = i == 0 ? weft_yield() : 0;
        weft_unlock(&mutex);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int pass_sem(void *arg)
{
    (void)arg;
    for (int i = 0; i < TURNS / 2; i++) {
        int rc = weft_sem_acquire(&sem);
        if (rc < 0)
            return rc;
        rc = i == 0 ? weft_yield() : 0;
        weft_sem_release(&sem);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int lock_handover(void *arg)
{
    return weft_gather(weft_spawn(pass_lock, arg), weft_spawn(pass_lock, arg));
}

static int sem_handover(void *arg)
{
    return weft_gather(weft_spawn(pass_sem, arg), weft_spawn(pass_sem, arg));
}

static int compare(const void *left, const void *right)
{
    double difference = *(const double *)left - *(const double *)right;

    return difference < 0 ? -1 : difference > 0;
}

static int measure(const char *name, weft_fn work)
{
    double ns[ROUNDS];

    for (int round = -1; round < ROUNDS; round++) { /* the first warms up */
        weft_time begin = weft_now();
        int rc = work(NULL);
        if (rc < 0)
            return rc;
        if (round >= 0)
            ns[round] = (double)(weft_now() - begin) / (double)TURNS;
    }
    qsort(ns, ROUNDS, sizeof ns[0], compare);
    printf("%s\tweft\t%.1f\tns\t%.1f\t%.1f\n", name, ns[ROUNDS / 2], ns[0], ns[ROUNDS - 1]);
    return 0;
}

static int measure_all(void *arg)
{
    (void)arg;
    int rc = measure("lock_alone", lock_alone);
    if (rc == 0)
        rc = measure("sem_alone", sem_alone);
    if (rc == 0)
        rc = measure("lock_handover", lock_handover);
    return rc == 0 ? measure("sem_handover", sem_handover) : rc;
}

int main(void)
{
    int rc = weft_run_with(&(weft_options){.workers = 1}, measure_all, NULL);

    if (rc < 0)
        fprintf(stderr, "bench_sync_cost: %s %s\n", weft_strerror(rc), weft_why());
    return rc < 0;
}
