/*
 * sync_sweep - whoever is cancelled at a mutex, semaphore, event, condition or queue, nobody loses a
 * lock, a permit, a wake or an item.
 */
#include "scene.h"

/* --- mutex ----------------------------------------------------------------------------------------- */

static int locks_if_it_can(void *mutex)
{
    int rc = CUT(weft_lock_cancellable(mutex));

    if (rc < 0)
        return rc;
    rc = goes_inside(1);
    (void)HOLDS(weft_unlock(mutex) == 0);
    return rc;
}

static int locks_for_sure(void *mutex)
{
    weft_lock(mutex);
    int rc = goes_inside(1);
    (void)HOLDS(weft_unlock(mutex) == 0);
    return rc;
}

static int mutex_shared(void *arg)
{
    weft_mutex mutex = WEFT_MUTEX_INIT;

    (void)arg;
    weft_future sure = sweep_task(locks_for_sure, &mutex);
    int rc = in_a_scope(3, locks_if_it_can, &mutex);
    int sure_rc = weft_await(sure);
    (void)HOLDS(weft_try_lock(&mutex) == 0 && weft_unlock(&mutex) == 0);
    return rc < 0 ? rc : CUT(sure_rc);
}

/* --- semaphore ------------------------------------------------------------------------------------- */

static int takes_a_permit(void *sem)
{
    int rc = CUT(weft_sem_acquire(sem));

    if (rc < 0)
        return rc;
    rc = goes_inside(2);
    (void)HOLDS(weft_sem_release(sem) == 0);
    return rc;
}

static int permits_shared(void *arg)
{
    weft_sem sem = WEFT_SEM_INIT(2);

    (void)arg;
    int rc = in_a_scope(5, takes_a_permit, &sem);
    (void)HOLDS(weft_sem_try_acquire(&sem) == 0 && weft_sem_try_acquire(&sem) == 0);
    (void)HOLDS(weft_sem_try_acquire(&sem) == -EAGAIN);
    (void)HOLDS(weft_sem_release(&sem) == 0 && weft_sem_release(&sem) == 0);
    return rc;
}

static int takes_two_permits(void *sem)
{
    int rc = CUT(weft_sem_acquire_n(sem, 2));

    if (rc < 0)
        return rc;
    rc = goes_inside(3);
    (void)HOLDS(weft_sem_release_n(sem, 2) == 0);
    return rc;
}

static int several_permits_at_once(void *arg)
{
    weft_sem sem = WEFT_SEM_INIT(3);

    (void)arg;
    weft_future single = sweep_task(takes_a_permit, &sem);
    int rc = in_a_scope(3, takes_two_permits, &sem);
    int single_rc = weft_await(single);
    (void)HOLDS(weft_sem_try_acquire_n(&sem, 3) == 0 && weft_sem_release_n(&sem, 3) == 0);
    return rc < 0 ? rc : CUT(single_rc);
}

/* --- event ----------------------------------------------------------------------------------------- */

static int waits_for_the_event(void *event)
{
    int rc = CUT(weft_event_wait(event));

    (void)HOLDS(rc < 0 || weft_event_is_set(event));
    return rc;
}

static int event_set_for_all(void *arg)
{
    weft_event event = WEFT_EVENT_INIT;
    weft_scope scope;

    (void)arg;
    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 4; i++)
        sweep_task_in(&scope, waits_for_the_event, &event);
    rc = CUT(weft_sleep(weft_us(20)));
    weft_event_set(&event);
    return CUT(weft_scope_close(&scope, rc));
}

/* --- condition -------------------------------------------------------------------------------------- */

struct shelf {
    weft_mutex mutex;
    weft_cond changed;
    int items, makers;
};

static int makes_two(void *arg)
{
    struct shelf *shelf = arg;
    int rc = 0;

    for (int i = 0; i < 2 && rc == 0; i++) {
        rc = CUT(weft_yield());
        weft_lock(&shelf->mutex);
        if (rc == 0) {
            shelf->items++;
            atomic_fetch_add(&books.given, 1);
        }
        weft_cond_notify(&shelf->changed);
        weft_unlock(&shelf->mutex);
    }
    weft_lock(&shelf->mutex);
    shelf->makers--;
    weft_cond_notify_all(&shelf->changed);
    weft_unlock(&shelf->mutex);
    return rc;
}

static int takes_all(void *arg)
{
    struct shelf *shelf = arg;
    int rc = 0;

    weft_lock(&shelf->mutex);
    while (rc == 0 && (shelf->items > 0 || shelf->makers > 0)) {
        if (shelf->items == 0) {
            rc = CUT(weft_cond_wait(&shelf->changed, &shelf->mutex));
            continue; /* the mutex is held, whatever it said */
        }
        shelf->items--;
        atomic_fetch_add(&books.taken, 1);
    }
    (void)HOLDS(weft_unlock(&shelf->mutex) == 0);
    return rc;
}

static int condition_of_a_shelf(void *arg)
{
    struct shelf shelf = {.mutex = WEFT_MUTEX_INIT, .changed = WEFT_COND_INIT, .makers = 2};
    weft_scope scope;

    (void)arg;
    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 2; i++)
        sweep_task_in(&scope, takes_all, &shelf);
    for (int i = 0; i < 2; i++)
        sweep_task_in(&scope, makes_two, &shelf);
    rc = CUT(weft_scope_close(&scope, 0));
    atomic_fetch_add(&books.spilt, shelf.items);
    return rc;
}

/* One notify, which each passes on: who is cancelled must not have swallowed it. */
struct baton {
    weft_mutex mutex;
    weft_cond passed;
    bool is_off;
};

static int passes_the_baton(void *arg)
{
    struct baton *baton = arg;
    int rc = 0;

    weft_lock(&baton->mutex);
    while (rc == 0 && !baton->is_off)
        rc = CUT(weft_cond_wait(&baton->passed, &baton->mutex));
    if (rc == 0)
        weft_cond_notify(&baton->passed);
    (void)HOLDS(weft_unlock(&baton->mutex) == 0);
    return rc;
}

static int starts_the_baton(void *arg)
{
    struct baton *baton = arg;
    int rc = CUT(weft_yield());

    weft_lock(&baton->mutex);
    baton->is_off = true;
    weft_cond_notify(&baton->passed);
    weft_unlock(&baton->mutex);
    return rc;
}

static int condition_of_a_baton(void *arg)
{
    struct baton baton = {.mutex = WEFT_MUTEX_INIT, .passed = WEFT_COND_INIT};
    weft_scope scope;

    (void)arg;
    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;
    for (int i = 0; i < 3; i++)
        sweep_task_in(&scope, passes_the_baton, &baton);
    sweep_task_in(&scope, starts_the_baton, &baton);
    return CUT(weft_scope_close(&scope, 0));
}

/* --- queue ------------------------------------------------------------------------------------------ */

struct line {
    weft_queue queue;
    _Atomic int putters;
};

static int puts_three(void *arg)
{
    struct line *line = arg;
    int rc = 0;

    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = CUT(weft_queue_put(&line->queue, line));
        if (rc == 0)
            atomic_fetch_add(&books.given, 1);
    }
    if (atomic_fetch_sub(&line->putters, 1) == 1)
        weft_queue_close(&line->queue);
    return rc;
}

static int gets_all(void *arg)
{
    struct line *line = arg;
    void *item;
    int rc;

    while ((rc = weft_queue_get(&line->queue, &item)) == 1) {
        atomic_fetch_add(&books.taken, 1);
        (void)HOLDS(item == line);
    }
    return CUT(rc);
}

static int queue_between_tasks(void *arg)
{
    struct line line = {.putters = 2};
    weft_scope scope;
    void *item;
    int rc = weft_queue_init(&line.queue, 1);

    (void)arg;
    if (rc < 0 || (rc = weft_scope_open(&scope)) < 0)
        return rc;
    for (int i = 0; i < 2; i++) {
        sweep_task_in(&scope, puts_three, &line);
        sweep_task_in(&scope, gets_all, &line);
    }
    rc = CUT(weft_scope_close(&scope, 0));
    while (weft_queue_try_get(&line.queue, &item) == 1)
        atomic_fetch_add(&books.spilt, 1);
    weft_queue_destroy(&line.queue);
    return rc;
}

/* --- jobs and tasks at the same object ---------------------------------------------------------------- */

static int job_takes_a_permit(void *sem)
{
    (void)HOLDS(weft_sem_acquire(sem) == 0);
    atomic_fetch_add(&books.entered, 1);
    (void)HOLDS(atomic_fetch_add(&books.inside, 1) < 2);
    atomic_fetch_sub(&books.inside, 1);
    atomic_fetch_add(&books.left, 1);
    (void)HOLDS(weft_sem_release(sem) == 0);
    return 0;
}

static int permits_shared_with_jobs(void *arg)
{
    weft_sem sem = WEFT_SEM_INIT(1);
    weft_future futures[4];

    (void)arg;
    for (int i = 0; i < 4; i++)
        futures[i] = i % 2 ? sweep_job(weft_cpu(), job_takes_a_permit, &sem)
                           : sweep_task(takes_a_permit, &sem);
    return CUT(weft_gather_n(futures, 4, NULL));
}

static void a_mutex_is_never_lost(void **state) { SWEEP(mutex_shared); }
static void no_permit_is_lost(void **state) { SWEEP(permits_shared); }
static void no_permit_of_several_is_lost(void **state) { SWEEP(several_permits_at_once); }
static void who_waits_for_an_event_goes_on(void **state) { SWEEP(event_set_for_all); }
static void no_notify_is_lost(void **state) { SWEEP(condition_of_a_shelf); }
static void a_single_notify_is_passed_on(void **state) { SWEEP(condition_of_a_baton); }
static void no_item_of_a_queue_is_lost(void **state) { SWEEP(queue_between_tasks); }
static void no_permit_that_jobs_share_is_lost(void **state) { SWEEP(permits_shared_with_jobs); }

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mutex_is_never_lost),
        cmocka_unit_test(no_permit_is_lost),
        cmocka_unit_test(no_permit_of_several_is_lost),
        cmocka_unit_test(who_waits_for_an_event_goes_on),
        cmocka_unit_test(no_notify_is_lost),
        cmocka_unit_test(a_single_notify_is_passed_on),
        cmocka_unit_test(no_item_of_a_queue_is_lost),
        cmocka_unit_test(no_permit_that_jobs_share_is_lost),
    };

    return SWEEP_GROUP(tests);
}
