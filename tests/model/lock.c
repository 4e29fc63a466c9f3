/*
 * lock - two never hold it at once, what one did under it the next one sees, and nobody sleeps for ever.
 */
#include "core/lock.h"

#include "tests/model/model.h"

const char model_subject[] = "lock";

static struct lock *lock;
static struct shared {
    unsigned count; /* plain: under the lock */
    bool is_done;   /* plain: written under the lock */
} * shared;

static void setup(void)
{
    lock = model_alloc(sizeof *lock);
    shared = model_alloc(sizeof *shared);
}

static void once(void)
{
    lock_acquire(lock);
    shared->count++;
    lock_release(lock);
}

static void twice(void)
{
    once();
    once();
}

/* As who is woken under the lock: what the waker did before it let go must be seen. */
static void pass(void)
{
    lock_pass(lock);
    lock_acquire(lock);
    shared->count++;
    lock_release(lock);
}

/* One tells the other under the lock, by a relaxed flag as a wake may, and frees its memory after it. */
static _Atomic uint32_t *flag;
static struct shared *granted;

static void setup_grant(void)
{
    setup();
    flag = model_alloc(sizeof *flag);
    granted = model_alloc(sizeof *granted);
}

static void grant(void)
{
    lock_acquire(lock);
    store_seq(flag, 1);
    granted->count++; /* after the grant, still under the lock */
    lock_release(lock);
}

static void granted_passes(void)
{
    if (!load_seq(flag))
        return;
    lock_pass(lock);
    model_free(granted);
}

static void check_2(void) { model_assert(shared->count == 2 && load_seq(&lock->state) == 0); }
static void check_3(void) { model_assert(shared->count == 3 && load_seq(&lock->state) == 0); }
static void check_4(void) { model_assert(shared->count == 4 && load_seq(&lock->state) == 0); }

const struct model_scenario model_scenarios[] = {
    {"two threads, twice each", setup, {{"a", twice, 0}, {"b", twice, 0}}, check_4, 0},
    {"three threads", setup, {{"a", once, 0}, {"b", once, 0}, {"c", once, 0}}, check_3, 0},
    {"three threads, one twice",
     setup,
     {{"a", twice, 0}, {"b", once, 0}, {"c", once, 0}},
     check_4,
     0},
    {"lock_pass against two", setup, {{"a", once, 0}, {"b", pass, 0}}, check_2, 0},
    {"who was granted passes the lock, and frees",
     setup_grant,
     {{"granter", grant, 0}, {"granted", granted_passes, 0}},
     NULL,
     0},
    {"the same beside a third",
     setup_grant,
     {{"granter", grant, 0}, {"granted", granted_passes, 0}, {"third", once, 0}},
     NULL,
     0},
    {0},
};
