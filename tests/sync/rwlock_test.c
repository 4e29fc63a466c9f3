/*
 * rwlock_test - many readers or one writer: who may lock and unlock, and what they see.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "check.h"
#include "waiting.h"

static void readers_share_and_writers_do_not(void **state)
{
    weft_rwlock lock = WEFT_RWLOCK_INIT;

    (void)state;
    assert_int_equal(weft_try_read_lock(&lock), 0);
    assert_int_equal(weft_try_read_lock(&lock), 0);
    assert_int_equal(weft_try_write_lock(&lock), -EAGAIN);
    assert_int_equal(weft_read_unlock(&lock), 0);
    assert_int_equal(weft_try_write_lock(&lock), -EAGAIN);
    assert_int_equal(weft_read_unlock(&lock), 0);
    assert_int_equal(weft_try_write_lock(&lock), 0);
    assert_int_equal(weft_try_write_lock(&lock), -EAGAIN);
    assert_int_equal(weft_try_read_lock(&lock), -EAGAIN);
    assert_int_equal(weft_write_unlock(&lock), 0);
    assert_int_equal(weft_try_read_lock(&lock), 0);
}

static void zeroed_memory_is_a_free_lock(void **state)
{
    weft_rwlock lock = {0};

    (void)state;
    weft_read_lock(&lock);
    assert_int_equal(weft_read_unlock(&lock), 0);
    weft_write_lock(&lock);
    assert_int_equal(weft_write_unlock(&lock), 0);
}

static void who_does_not_hold_it_cannot_unlock_it(void **state)
{
    weft_rwlock lock = WEFT_RWLOCK_INIT;

    (void)state;
    assert_int_equal(weft_read_unlock(&lock), -EPERM);
    assert_int_equal(weft_write_unlock(&lock), -EPERM);
    weft_write_lock(&lock);
    assert_int_equal(weft_read_unlock(&lock), -EPERM);
    assert_int_equal(weft_write_unlock(&lock), 0);
    assert_int_equal(weft_write_unlock(&lock), -EPERM);
    weft_read_lock(&lock);
    assert_int_equal(weft_write_unlock(&lock), -EPERM);
    assert_int_equal(weft_read_unlock(&lock), 0);
    assert_int_equal(weft_try_write_lock(&lock), 0);
}

static int unlock_anothers(void *lock) { return weft_write_unlock(lock); }

static int lock_and_let_others_unlock(void *lock)
{
    weft_write_lock(lock);
    int rc = weft_await(weft_spawn(unlock_anothers, lock));
    int job = weft_await(weft_offload(weft_cpu(), unlock_anothers, lock));
    int mine = weft_write_unlock(lock);
    return rc == -EPERM && job == -EPERM ? mine : -EBADMSG;
}

static void a_stranger_cannot_end_anothers_writing(void **state)
{
    (void)state;
    CHECK_WORKERS(n) {
        weft_rwlock lock = WEFT_RWLOCK_INIT;

        assert_int_equal(check_run(n, lock_and_let_others_unlock, &lock), 0);
    }
}

static int lock_and_end(void *lock)
{
    weft_write_lock(lock);
    return (int)weft_self().slot;
}

static int unlock_from_the_same_slot(void *lock)
{
    int slot = weft_await(weft_spawn(lock_and_end, lock));

    for (int i = 0; i < 1000; i++) {
        weft_future heir = weft_spawn(unlock_anothers, lock);
        bool is_same = (int)heir.slot == slot;
        int rc = weft_await(heir);
        if (rc != -EPERM)
            return -EBADMSG;
        if (is_same)
            return 0;
    }
    return -ENOENT;
}

static void a_later_task_is_not_taken_for_the_writer_that_has_ended(void **state)
{
    weft_rwlock lock = WEFT_RWLOCK_INIT;

    (void)state;
    assert_int_equal(check_run(1, unlock_from_the_same_slot, &lock), 0);
}

static int lock_twice(void *lock)
{
    weft_write_lock(lock);
    if (weft_write_lock_cancellable(lock) != -EDEADLK ||
        weft_read_lock_cancellable(lock) != -EDEADLK)
        return -EBADMSG;
    return weft_write_unlock(lock);
}

static void the_writer_is_told_that_it_holds_the_lock(void **state)
{
    weft_rwlock lock = WEFT_RWLOCK_INIT;

    (void)state;
    assert_int_equal(check_run(1, lock_twice, &lock), 0);
    assert_int_equal(lock_twice(&lock), 0);
}

/* Tasks, jobs and plain threads read and write two numbers that must stay equal; some lose
 * patience. */
#define ROUNDS 150

struct shared {
    weft_rwlock lock;
    uint64_t seed;
    int64_t one, two; /* under the lock, and not atomic: a second writer would show */
    _Atomic int writers, readers, wrong, written;
};

static int read_both(void *arg)
{
    struct shared *shared = arg;

    int rc = weft_read_lock_cancellable(&shared->lock);
    if (rc < 0)
        return rc;
    atomic_fetch_add(&shared->readers, 1);
    int64_t one = shared->one;
    let_others_run();
    if (one != shared->two || atomic_load(&shared->writers) != 0)
        atomic_fetch_add(&shared->wrong, 1);
    atomic_fetch_sub(&shared->readers, 1);
    return weft_read_unlock(&shared->lock);
}

static int write_both(void *arg)
{
    struct shared *shared = arg;

    int rc = weft_write_lock_cancellable(&shared->lock);
    if (rc < 0)
        return rc;
    if (atomic_fetch_add(&shared->writers, 1) != 0 || atomic_load(&shared->readers) != 0)
        atomic_fetch_add(&shared->wrong, 1);
    shared->one++;
    let_others_run();
    shared->two++;
    atomic_fetch_add(&shared->written, 1);
    atomic_fetch_sub(&shared->writers, 1);
    return weft_write_unlock(&shared->lock);
}

static int use_often(struct shared *shared, uint64_t seed, bool can_time_out)
{
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t random = check_random(&seed);
        weft_fn fn = random % 3 == 0 ? write_both : read_both;
        bool is_impatient = can_time_out && random >> 16 & 1;

        check_progress();
        int rc = is_impatient ? weft_timeout(weft_us((int64_t)(random >> 32) % 60), fn, shared)
                              : fn(shared);
        if (rc < 0 && !(is_impatient && rc == -ETIMEDOUT))
            return rc;
    }
    return 0;
}

struct guest {
    struct shared *shared;
    uint64_t number;
};

static int use_as_task(void *arg)
{
    struct guest *guest = arg;

    return use_often(guest->shared, guest->shared->seed + guest->number, true);
}

static int use_as_job(void *arg) { return use_often(arg, 91, false); }

static void *use_as_thread(void *arg) { return use_often(arg, 92, false) == 0 ? arg : NULL; }

static int use_as_all(void *arg)
{
    struct shared *shared = arg;
    weft_future future[10];

    for (uint64_t i = 0; i < 9; i++)
        future[i] = weft_spawn_val(use_as_task, ((struct guest){shared, i}));
    future[9] = weft_offload(weft_cpu(), use_as_job, shared);
    return weft_gather_n(future, 10, NULL);
}

static void a_writer_is_alone_and_readers_see_no_half_of_its_work(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        struct shared shared = {.lock = WEFT_RWLOCK_INIT, .seed = seed};
        pthread_t thread;
        void *done;

        assert_int_equal(pthread_create(&thread, NULL, use_as_thread, &shared), 0);
        int rc = check_run(n, use_as_all, &shared);
        assert_int_equal(pthread_join(thread, &done), 0);

        assert_int_equal(rc, 0);
        assert_non_null(done);
        assert_int_equal(shared.wrong, 0);
        assert_int_equal(shared.one, shared.written);
        assert_int_equal(shared.two, shared.written);
        assert_int_equal(weft_try_write_lock(&shared.lock), 0);
    }
}

/* A lock that the last one to get it frees, while the unlock before it may be at work on it. */
static int end_reading(void *lock) { return weft_read_unlock(lock); }

static int lock_unlock_free(void *arg)
{
    (void)arg;
    for (int round = 0; round < 200; round++) {
        weft_rwlock *lock = calloc(1, sizeof *lock);
        if (!lock)
            return -ENOMEM;
        weft_read_lock(lock);
        weft_future reader = weft_offload(weft_cpu(), end_reading, lock);
        weft_write_lock(lock);
        int rc = weft_write_unlock(lock);
        free(lock);
        int end = weft_await(reader);
        if (rc < 0 || end < 0)
            return -EBADMSG;
    }
    return 0;
}

static void who_got_the_lock_last_may_free_it(void **state)
{
    (void)state;
    CHECK_WORKERS(n)
        assert_int_equal(check_run(n, lock_unlock_free, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readers_share_and_writers_do_not),
        cmocka_unit_test(zeroed_memory_is_a_free_lock),
        cmocka_unit_test(who_does_not_hold_it_cannot_unlock_it),
        cmocka_unit_test(a_stranger_cannot_end_anothers_writing),
        cmocka_unit_test(a_later_task_is_not_taken_for_the_writer_that_has_ended),
        cmocka_unit_test(the_writer_is_told_that_it_holds_the_lock),
        cmocka_unit_test(a_writer_is_alone_and_readers_see_no_half_of_its_work),
        cmocka_unit_test(who_got_the_lock_last_may_free_it),
    };
    return CHECK_GROUP(tests);
}
