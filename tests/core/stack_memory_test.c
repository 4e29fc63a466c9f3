/*
 * stack_memory_test - what becomes of the memory of stacks that nobody needs any more.
 */
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"

/* Many more than the stacks that are kept warm, each of which may have two pages by then: with ucontext
 * to end takes more stack than to wait. */
enum { CROWD = 8000, WORKERS = 2 };

static long resident_pages(void)
{
    long pages = -1;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file)
        return -1;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = -1;
    fclose(file);
    return pages;
}

struct crowd {
    struct check_latch all;
    long pages; /* while all are there */
};

static int stand_around(void *arg)
{
    struct crowd *crowd = *(struct crowd **)arg;

    check_arrive(&crowd->all);
    return check_latch_wait(&crowd->all); /* suspends: worker, errno stale */
}

static int gather_crowd(void *arg)
{
    struct crowd *crowd = arg;
    static weft_future futures[CROWD];

    check_latch_init(&crowd->all, CROWD + 1);
    for (int i = 0; i < CROWD; i++)
        futures[i] = weft_spawn_val(stand_around, crowd);
    while (atomic_load(&crowd->all.missing) > 1) {
        int rc = weft_yield(); /* suspends: worker, errno stale */
        if (rc < 0)
            return rc;
    }
    crowd->pages = resident_pages();
    check_arrive(&crowd->all);
    return weft_gather_n(futures, CROWD, NULL); /* suspends: worker, errno stale */
}

static void stacks_of_the_past_give_their_pages_back_when_all_sleep(void **state)
{
    (void)state;
    struct crowd crowd = {.pages = -1};
    assert_int_equal(weft_start(&(weft_options){.workers = WORKERS}), 0);
    long before = resident_pages();

    int rc = weft_call(gather_crowd, &crowd);

    assert_int_equal(rc, 0);
    assert_true(before > 0);
    assert_true(crowd.pages >= before + CROWD); /* a page each, at least */
    while (resident_pages() > crowd.pages - CROWD / 2)
        sched_yield(); /* until they have: the watchdog ends a wait for nothing */
    assert_int_equal(weft_stop(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stacks_of_the_past_give_their_pages_back_when_all_sleep),
    };

    return CHECK_GROUP(tests);
}
