/*
 * semaphore.c - ten tasks, of which five at a time may go on.
 */
#include "guide.h"

static weft_sem five = WEFT_SEM_INIT(5);
static weft_mutex lock = WEFT_MUTEX_INIT; /* guards the two numbers below */
static int inside, most;

/* Counts who is inside, and remembers the most there ever were. */
static void enter_or_leave(int step)
{
    weft_lock(&lock); /* tasks may run on several cores at once */
    inside += step;
    most = inside > most ? inside : most;
    weft_unlock(&lock);
}

static int limited_task(void *arg)
{
    int rc = weft_sem_acquire(&five); /* waits while five others are inside */
    if (rc < 0)
        return rc;

    enter_or_leave(+1);
    rc = weft_sleep(guide_s(2));
    if (rc >= 0)
        printf("Task %d done\n", *(int *)arg);
    enter_or_leave(-1);
    weft_sem_release(&five); /* on every path that took a permit */
    return rc;
}

static int program(void *arg)
{
    weft_time start = weft_now();
    weft_scope scope;
    int rc = weft_scope_open(&scope);
    if (rc < 0)
        return rc;

    for (int i = 1; i <= 10; i++)
        weft_scope_spawn_val(&scope, limited_task, i); /* each task gets its own copy of i */
    rc = weft_scope_close(&scope, 0);                  /* waits for all of them */
    printf("At most %d at once\n", most);
    printf("Total time: %.2f seconds\n", weft_seconds(weft_now() - start));
    return rc;
}

int main(void) { return guide_exit(weft_run(program, NULL)); }
