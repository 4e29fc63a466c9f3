/*
 * sync - S49 to S55: who comes first is served first, and nothing is lost to a cancelled waiter.
 */
#include <weft/sync.h>

#include "semantics.h"

/* A line at one object; who stands in it tells how that ended. */
struct line {
    weft_sem sem;
    weft_mutex mutex;
    weft_cond cond;
    weft_event event, go;
    _Atomic int order; /* how many have been served */
    _Atomic int woken, cut;
};

struct place {
    struct line *line;
    int rc;
    int served; /* as which, from 1 on */
    weft_future task;
};

static void serve(struct place *place, int rc)
{
    place->rc = rc;
    if (rc == 0)
        place->served = atomic_fetch_add(&place->line->order, 1) + 1;
}

static int acquires(void *arg)
{
    struct place *place = arg;

    serve(place, weft_sem_acquire(&place->line->sem));
    return 0;
}

/* Three in a line, in this order. */
static void stand_in_line(struct place places[3], struct line *line, weft_fn fn)
{
    for (int i = 0; i < 3; i++) {
        places[i] = (struct place){.line = line};
        places[i].task = weft_spawn_at(WEFT_SITE(in_line), fn, &places[i]);
        until_asleep(places[i].task);
    }
}

static void await_all(struct place places[3])
{
    EXPECT(weft_gather(places[0].task, places[1].task, places[2].task), 0);
}

/* --- semaphore ------------------------------------------------------------------------------- */

static void s49_a_release_hands_the_permit_to_the_first_in_line(void)
{
    struct line line = {.sem = WEFT_SEM_INIT(0)};
    struct place places[3];
    int third_party[3];

    stand_in_line(places, &line, acquires);
    for (int i = 0; i < 3; i++) {
        EXPECT(weft_sem_release(&line.sem), 0);
        third_party[i] = weft_sem_try_acquire(&line.sem); /* it is on its way to who waited */
        EXPECT(third_party[i], -EAGAIN);
        EXPECT(weft_wait(places[i].task), 0);
    }
    await_all(places);

    for (int i = 0; i < 3; i++)
        EXPECT(places[i].served, i + 1);
    SAY(places[0].served == 1 && places[1].served == 2 ? "first-come" : "any-order");
}

static void s50_the_permit_of_a_cancelled_waiter_goes_to_the_next(void)
{
    struct line line = {.sem = WEFT_SEM_INIT(0)};
    struct place places[3];

    stand_in_line(places, &line, acquires);
    EXPECT(weft_cancel(places[0].task), 0);
    EXPECT(weft_sem_release(&line.sem), 0);
    EXPECT(weft_wait(places[1].task), 0);
    EXPECT(places[1].rc, 0);
    EXPECT(weft_sem_release(&line.sem), 0);
    await_all(places);
    int cut = places[0].rc;
    EXPECT(cut, -ECANCELED);
    EXPECT(places[2].rc, 0);
    EXPECT(weft_sem_try_acquire(&line.sem), -EAGAIN);

    /* Granted and cancelled at once: it has the permit, or the next one has. */
    stand_in_line(places, &line, acquires);
    EXPECT(weft_sem_release(&line.sem), 0);
    EXPECT(weft_cancel(places[0].task), 0);
    EXPECT(weft_sem_release(&line.sem), 0);
    EXPECT(weft_sem_release(&line.sem), 0);
    await_all(places);
    EXPECT(weft_sem_try_acquire(&line.sem), places[0].rc == 0 ? -EAGAIN : 0);
    EXPECT(places[1].rc + places[2].rc, 0);
    SAY(status_word(cut));
    SAY(places[1].rc == 0 ? "next-served" : "permit-lost");
}

struct batch {
    struct place place;
    uint32_t n;
};

static int acquires_n(void *arg)
{
    struct batch *batch = arg;

    serve(&batch->place, weft_sem_acquire_n(&batch->place.line->sem, batch->n));
    return 0;
}

static void start_batch(struct batch *batch, struct line *line, uint32_t n)
{
    *batch = (struct batch){{.line = line}, n};
    batch->place.task = weft_spawn(acquires_n, batch);
    until_asleep(batch->place.task);
}

static void s51_who_wants_many_is_not_overtaken_and_a_release_too_many_is_refused(void)
{
    struct line line = {.order = 0};
    struct batch three, one;

    EXPECT(weft_sem_init_max(&line.sem, 1, 4), 0);
    start_batch(&three, &line, 3);
    start_batch(&one, &line, 1); /* waits, though a permit is free */
    EXPECT(weft_sem_try_acquire(&line.sem), -EAGAIN);
    EXPECT(weft_sem_release(&line.sem), 0);
    linger();
    EXPECT(line.order, 0); /* nor does a permit that comes go past it */
    EXPECT(weft_sem_release(&line.sem), 0);
    EXPECT(weft_await(three.place.task), 0);
    EXPECT(three.place.served, 1);
    EXPECT(weft_sem_release(&line.sem), 0);
    EXPECT(weft_await(one.place.task), 0);
    EXPECT(one.place.served, 2);

    EXPECT(weft_sem_release(&line.sem), 0); /* who wanted too many goes away: the next may fit */
    start_batch(&three, &line, 3);
    start_batch(&one, &line, 1);
    EXPECT(weft_cancel(three.place.task), 0);
    EXPECT(weft_gather(three.place.task, one.place.task), 0);
    EXPECT(three.place.rc, -ECANCELED);
    EXPECT(one.place.rc, 0);

    EXPECT(weft_sem_release_n(&line.sem, 5), -EOVERFLOW);
    EXPECT(weft_sem_release_n(&line.sem, 4), 0);
    EXPECT(weft_sem_release(&line.sem), -EOVERFLOW);
    EXPECT(weft_sem_try_acquire_n(&line.sem, 4), 0); /* as many as there were */
    EXPECT(weft_sem_try_acquire(&line.sem), -EAGAIN);
    weft_sem_init(&line.sem, WEFT_SEM_MAX);
    EXPECT(weft_sem_release(&line.sem), -EOVERFLOW);
}

/* --- mutex and condition --------------------------------------------------------------------- */

static int unlocks_anothers(void *arg) { return weft_unlock(arg); }

static int ends_while_it_holds(void *arg)
{
    struct line *line = arg;

    weft_lock(&line->mutex);
    (void)!weft_event_wait(&line->go);
    return 0;
}

static int locks(void *arg)
{
    struct place *place = arg;

    serve(place, weft_lock_cancellable(&place->line->mutex));
    if (place->rc == -EOWNERDEAD)
        EXPECT(weft_unlock(&place->line->mutex), 0); /* it was locked all the same */
    return 0;
}

static void s52_a_mutex_knows_its_owner_also_one_that_has_ended(void)
{
    struct line line = {.order = 0};
    struct place heir = {.line = &line};

    weft_lock(&line.mutex);
    int again = weft_lock_cancellable(&line.mutex);
    EXPECT(again, -EDEADLK);
    int stranger = weft_await(weft_spawn(unlocks_anothers, &line.mutex));
    EXPECT(stranger, -EPERM);
    EXPECT(weft_unlock(&line.mutex), 0);
    EXPECT(weft_unlock(&line.mutex), -EPERM);

    int before = REPORTS();
    weft_future owner = weft_spawn(ends_while_it_holds, &line);
    until_asleep(owner);
    heir.task = weft_spawn(locks, &heir);
    until_asleep(heir.task);
    weft_event_set(&line.go);
    EXPECT(weft_await(owner), 0);
    EXPECT(weft_await(heir.task), 0);
    EXPECT(heir.rc, -EOWNERDEAD);
    EXPECT(REPORTS() > before, true);
    EXPECT(weft_lock_cancellable(&line.mutex), 0); /* told once */
    EXPECT(weft_unlock(&line.mutex), 0);
    SAY(again < 0 ? "refused" : "waits-for-itself");
    SAY(stranger < 0 ? "stranger-refused" : "stranger-unlocks");
}

static int waits_under_the_mutex(void *arg)
{
    struct place *place = arg;
    struct line *line = place->line;

    weft_lock(&line->mutex);
    int rc = weft_cond_wait(&line->cond, &line->mutex);
    serve(place, rc);
    EXPECT(weft_try_lock(&line->mutex), -EAGAIN); /* it is held, ... */
    EXPECT(weft_unlock(&line->mutex), 0);         /* ... and by this task */
    return 0;
}

static void s53_who_returns_from_a_condition_holds_the_mutex_whatever_the_reason(void)
{
    struct line line = {.order = 0};
    struct place places[3];

    stand_in_line(places, &line, waits_under_the_mutex);
    weft_lock(&line.mutex);
    EXPECT(weft_cancel(places[0].task), 0);
    weft_cond_notify(&line.cond);
    linger();
    EXPECT(places[0].served + places[1].served + places[2].served, 0); /* the mutex is ours */
    EXPECT(weft_unlock(&line.mutex), 0);
    weft_future first = places[0].task, second = places[1].task;
    EXPECT(weft_gather(first, second), 0);
    EXPECT(places[0].rc, -ECANCELED);
    EXPECT(places[1].rc, 0);

    weft_lock(&line.mutex);
    weft_cond_notify_all(&line.cond);
    EXPECT(weft_unlock(&line.mutex), 0);
    EXPECT(weft_await(places[2].task), 0);
    EXPECT(places[2].rc, 0);
    EXPECT(weft_cond_wait(&line.cond, &line.mutex), -EPERM); /* without the mutex: no wait */
    SAY(status_word(places[0].rc));
    SAY("held");
}

static void s54_a_notify_is_not_lost_to_a_waiter_that_is_cancelled(void)
{
    for (int notify_first = 0; notify_first < 2; notify_first++) {
        struct line line = {.order = 0};
        struct place places[3];

        stand_in_line(places, &line, waits_under_the_mutex);
        weft_lock(&line.mutex); /* so that who was woken does not run on yet */
        if (notify_first)
            weft_cond_notify(&line.cond);
        EXPECT(weft_cancel(places[0].task), 0);
        if (!notify_first)
            weft_cond_notify(&line.cond);
        EXPECT(weft_unlock(&line.mutex), 0);
        EXPECT(weft_wait(places[0].task), 0);
        if (!notify_first)
            EXPECT(weft_wait(places[1].task), 0);

        int reached = atomic_load(&line.order);
        EXPECT(reached, 1); /* the notify has reached exactly one */
        SAY(reached == 1 ? "not-lost" : "lost");
        EXPECT(places[0].rc, notify_first ? 0 : -ECANCELED);
        weft_cond_notify_all(&line.cond);
        await_all(places);
        EXPECT(atomic_load(&line.order), notify_first ? 3 : 2);
    }
}

/* --- event ----------------------------------------------------------------------------------- */

static int waits_for_the_event(void *arg)
{
    struct place *place = arg;

    serve(place, weft_event_wait(&place->line->event));
    return 0;
}

static void s55_an_event_set_and_cleared_at_once_wakes_all_who_waited(void)
{
    struct line line = {.order = 0};
    struct place places[3], late = {.line = &line};

    stand_in_line(places, &line, waits_for_the_event);
    weft_event_set(&line.event);
    weft_event_clear(&line.event);
    late.task = weft_spawn(waits_for_the_event, &late);
    await_all(places);
    linger();

    EXPECT(atomic_load(&line.order), 3);
    EXPECT(late.served, 0); /* who comes later waits */
    SAY(line.order == 3 ? "all-woken" : "some-left");
    weft_event_set(&line.event);
    EXPECT(weft_await(late.task), 0);
    EXPECT(late.rc, 0);
}

const struct statement semantics_sync[] = {
    STATEMENT(s49_a_release_hands_the_permit_to_the_first_in_line),
    STATEMENT(s50_the_permit_of_a_cancelled_waiter_goes_to_the_next),
    STATEMENT(s51_who_wants_many_is_not_overtaken_and_a_release_too_many_is_refused),
    MISUSE(s52_a_mutex_knows_its_owner_also_one_that_has_ended),
    STATEMENT(s53_who_returns_from_a_condition_holds_the_mutex_whatever_the_reason),
    STATEMENT(s54_a_notify_is_not_lost_to_a_waiter_that_is_cancelled),
    STATEMENT(s55_an_event_set_and_cleared_at_once_wakes_all_who_waited),
    {.name = NULL},
};
