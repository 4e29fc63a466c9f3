/*
 * scope_stress_test - scopes under cancels, soft cancels and deadlines that come, and are moved, when
 * they like: every member has ended when close returns, and the status of close fits what happened.
 */
#include "stress.h"

#define DRIVERS 8

struct storm {
    _Atomic uint64_t spawned, ended; /* members, of all scopes */
    _Atomic int early;               /* closes that returned before a member had ended */
    _Atomic int wrong;               /* statuses that cannot be */
    _Atomic uint64_t answers[4];     /* 0 and more, -ECANCELED, -ETIMEDOUT, -EIO */
    uint64_t seed;
    int rounds;
};

/* What the members of one scope count in. */
struct count {
    struct storm *storm;
    _Atomic int live;
};

struct member {
    struct count *count;
    weft_scope *scope;
    uint64_t seed;
    int depth;
};

static int one_scope(struct storm *storm, uint64_t *seed, int depth);

static void spawn_member(struct count *count, weft_scope *scope, uint64_t *seed, int depth);

static int start_member(struct count *count, weft_scope *scope, uint64_t *seed, int depth);

static int works_softly(void *arg) { return weft_sleep(*(weft_time *)arg); }

/* Moves the end of the scope about: near, so that it comes. */
static int moves_the_end(struct member *member, uint64_t random)
{
    weft_time span = weft_us((int64_t)(random & 255));
    int rc = random >> 8 & 1 ? weft_scope_deadline(member->scope, weft_now() + span)
                             : weft_scope_cancel_soft(member->scope, span);

    return rc == -EALREADY ? 0 : rc;
}

static int is_member(void *arg)
{
    struct member *member = arg;
    struct storm *storm = member->count->storm;
    uint64_t random = check_random(&member->seed);
    int rc = 0;

    if (random >> 40 & 1)
        (void)weft_ready(3); /* -ECANCELED: the starter has given up */
    switch (random & 15) {
    case 0: rc = weft_yield(); break;
    case 1: rc = weft_sleep(weft_us((int64_t)(random >> 8 & 63))); break;
    case 2: rc = weft_sleep(WEFT_FOREVER); break;
    case 3: rc = random >> 8 & 3 ? 0 : -EIO; break;
    case 4: rc = weft_scope_cancel(member->scope); break;
    case 5:
        if (member->depth > 0)
            rc = one_scope(storm, &member->seed, member->depth - 1);
        break;
    case 6:
        if (member->depth > 0)
            spawn_member(member->count, member->scope, &member->seed, member->depth - 1);
        break;
    case 7: rc = moves_the_end(member, random >> 8); break;
    case 8:
        rc = weft_soft(works_softly, &(weft_time){weft_us((int64_t)(random >> 8 & 127))});
        break;
    case 9: rc = weft_soft(works_softly, &(weft_time){WEFT_FOREVER}); break;
    case 10:
    case 11:
        if (member->depth > 0)
            rc = start_member(member->count, member->scope, &member->seed, member->depth - 1);
        break;
    default: break;
    }
    atomic_fetch_sub(&member->count->live, 1);
    atomic_fetch_add(&storm->ended, 1);
    return rc;
}

static void spawn_member(struct count *count, weft_scope *scope, uint64_t *seed, int depth)
{
    const struct member member = {count, scope, check_random(seed), depth};

    atomic_fetch_add(&count->live, 1);
    atomic_fetch_add(&count->storm->spawned, 1);
    (void)weft_scope_spawn_val(scope, is_member, member);
}

static int start_member(struct count *count, weft_scope *scope, uint64_t *seed, int depth)
{
    const struct member member = {count, scope, check_random(seed), depth};

    atomic_fetch_add(&count->live, 1);
    atomic_fetch_add(&count->storm->spawned, 1);
    int rc = weft_scope_start_val(scope, is_member, member); /* suspends: worker, errno stale */
    if (rc > 0 && rc != 3)
        atomic_fetch_add(&count->storm->wrong, 1);
    return rc == -EPROTO ? 0 : rc;
}

static int body(weft_scope *scope, uint64_t random)
{
    switch (random & 7) {
    case 0: return weft_yield();
    case 1: return weft_sleep(weft_us((int64_t)(random >> 8 & 31)));
    case 2: return weft_sleep(WEFT_FOREVER);
    case 3: return weft_scope_stop(scope);
    case 4: return random >> 8 & 1 ? -EIO : 5;
    default: return 0;
    }
}

static void note(struct storm *storm, int rc)
{
    if (rc >= 0)
        atomic_fetch_add(&storm->answers[0], 1);
    else if (rc == -ECANCELED)
        atomic_fetch_add(&storm->answers[1], 1);
    else if (rc == -ETIMEDOUT)
        atomic_fetch_add(&storm->answers[2], 1);
    else if (rc == -EIO)
        atomic_fetch_add(&storm->answers[3], 1);
    else
        atomic_fetch_add(&storm->wrong, 1);
}

/* Every scope has a deadline, so that no sleep in it is for ever. */
static int one_scope(struct storm *storm, uint64_t *seed, int depth)
{
    uint64_t random = check_random(seed);
    const weft_scope_options options = {
        .deadline = weft_now() + weft_us((int64_t)(random >> 8 & 511)),
        .shield = (random & 15) == 0,
        .soft = (random >> 4 & 3) == 0,
    };
    struct count count = {.storm = storm};
    weft_scope scope;

    if (weft_scope_open_with(&scope, &options) < 0) {
        atomic_fetch_add(&storm->wrong, 1);
        return -ENOMEM;
    }
    for (uint64_t i = random >> 20 & 7; i > 0; i--)
        spawn_member(&count, &scope, seed, depth);
    int rc = body(&scope, random >> 32); /* suspends: worker, errno stale */
    rc = weft_scope_close(&scope, rc);   /* suspends: worker, errno stale */
    if (atomic_load(&count.live) != 0)
        atomic_fetch_add(&storm->early, 1);
    note(storm, rc);
    return rc;
}

struct driver {
    struct storm *storm;
    uint64_t seed;
};

static int opens_one(void *arg)
{
    struct driver *driver = arg;

    return one_scope(driver->storm, &driver->seed, 2);
}

/* One scope after the other, each in a task that is cancelled now and then. */
static int drives(void *arg)
{
    struct driver *driver = arg;

    for (int round = 0; round < driver->storm->rounds; round++) {
        struct driver next = {driver->storm, check_random(&driver->seed)};
        weft_future future = weft_spawn(opens_one, &next);

        for (uint64_t i = check_random(&driver->seed) & 15; i > 0; i--)
            stress_pause();
        if (check_random(&driver->seed) & 1)
            (void)weft_cancel(future);
        (void)!weft_await(future); /* it has been noted */
        check_progress();
    }
    return 0;
}

static int storms(void *arg)
{
    struct storm *storm = arg;
    struct driver drivers[DRIVERS];
    weft_future futures[DRIVERS];

    for (int i = 0; i < DRIVERS; i++) {
        drivers[i] = (struct driver){storm, check_random(&storm->seed)};
        futures[i] = weft_spawn(drives, &drivers[i]);
    }
    return weft_gather_n(futures, DRIVERS, NULL);
}

static void whatever_cuts_a_scope_short_its_members_have_ended_when_it_closes(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        struct storm storm = {.seed = seed, .rounds = stress_rounds(600)};

        int rc = check_run(n, storms, &storm);

        print_message("%d workers: %d well, %d cancelled, %d timed out, %d failed\n", n,
                      (int)storm.answers[0], (int)storm.answers[1], (int)storm.answers[2],
                      (int)storm.answers[3]);
        assert_int_equal(rc, 0);
        assert_int_equal(storm.early, 0);
        assert_int_equal(storm.wrong, 0);
        assert_true(storm.spawned == storm.ended);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_cuts_a_scope_short_its_members_have_ended_when_it_closes),
    };

    return CHECK_GROUP(tests);
}
