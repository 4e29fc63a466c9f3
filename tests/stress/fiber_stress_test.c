/*
 * fiber_stress_test - tasks that move between workers at every kind of wait, and find their registers,
 * their rounding mode and their stack as they left them; thieves and sleepers mixed.
 */
#include <fenv.h>

#include "stress.h"

#define TASKS 64

struct crowd {
    weft_sem sem;
    _Atomic int wrong;
    uint64_t seed;
    int rounds;
};

struct walker {
    struct crowd *crowd;
    uint64_t seed;
    int number;
};

static int moves_somehow(struct crowd *crowd, uint64_t random)
{
    int rc;

    switch (random % 8) {
    case 0: return weft_sleep(weft_us((int64_t)(random >> 8 & 15)));
    case 1:
        rc = weft_sem_acquire(&crowd->sem); /* suspends: worker, errno stale */
        if (rc == 0)
            rc = weft_sem_release(&crowd->sem);
        return rc;
    case 2: return weft_sleep(0);
    default: return weft_yield();
    }
}

/* Looks after 2 KiB of stack, six registers and the rounding mode at once. */
static int wanders(void *arg)
{
    static const int modes[4] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    struct walker *walker = arg;
    struct crowd *crowd = walker->crowd;
    uint64_t seed = walker->seed, a = seed, b = ~seed, c = seed * 3, d = seed * 5, e = seed * 7;
    int mode = modes[walker->number % 4];
    volatile uint64_t own[256];

    (void)fesetround(mode); /* cannot fail for these */
    for (int i = 0; i < 256; i++)
        own[i] = seed + (uint64_t)i;
    for (int round = 0; round < crowd->rounds; round++) {
        if (moves_somehow(crowd, check_random(&walker->seed)) < 0)
            return -ECANCELED;
        if (a != seed || b != ~seed || c != seed * 3 || d != seed * 5 || e != seed * 7)
            atomic_fetch_add(&crowd->wrong, 1);
        a += 1, b += 1, c += 1, d += 1, e += 1; /* so that the compiler must keep them */
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e));
        a -= 1, b -= 1, c -= 1, d -= 1, e -= 1;
        if (own[round % 256] != seed + (uint64_t)(round % 256) || fegetround() != mode)
            atomic_fetch_add(&crowd->wrong, 1);
        if (round % 256 == 0)
            check_progress();
    }
    return 0;
}

static int gathers_walkers(void *arg)
{
    struct crowd *crowd = arg;
    weft_future futures[TASKS];

    for (int i = 0; i < TASKS; i++)
        futures[i] =
            weft_spawn_val(wanders, ((struct walker){crowd, check_random(&crowd->seed), i}));
    return weft_gather_n(futures, TASKS, NULL);
}

static void tasks_that_move_find_all_as_they_left_it(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    CHECK_WORKERS(n) {
        struct crowd crowd = {.sem = WEFT_SEM_INIT(3), .seed = seed, .rounds = stress_rounds(4000)};

        int rc = check_run(n, gathers_walkers, &crowd);

        assert_int_equal(rc, 0);
        assert_int_equal(crowd.wrong, 0);
    }
}

static void and_so_they_do_when_every_wait_moves_them(void **state)
{
    const char *old = getenv("WEFT_DEBUG");
    char *kept = old ? strdup(old) : NULL;

    (void)state;
    assert_int_equal(setenv("WEFT_DEBUG", "migrate", 1), 0);
    tasks_that_move_find_all_as_they_left_it(state);
    if (kept)
        assert_int_equal(setenv("WEFT_DEBUG", kept, 1), 0);
    else
        assert_int_equal(unsetenv("WEFT_DEBUG"), 0);
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_that_move_find_all_as_they_left_it),
        cmocka_unit_test(and_so_they_do_when_every_wait_moves_them),
    };

    return CHECK_GROUP(tests);
}
