/*
 * lock - the slow halves: spin a little, then sleep; see lock.h.
 */
#include "core/lock.h"

#include "core/tuning.h"

void weft__lock_slow(struct lock *lock)
{
    /* The pauses between two looks grow: whoever holds the lock and wants it again at once is then faster
     * than we are, and has the lines of what it guards for several turns in a row. */
    for (int spins = 0, pauses = TUNE_LOCK_PAUSE_LEAST; spins < TUNE_LOCK_SPINS; spins += pauses) {
        uint32_t expected = 0;

        for (int i = 0; i < pauses; i++)
            spin_pause();
        if (pauses < TUNE_LOCK_PAUSE_MOST)
            pauses *= 2;
        /* relaxed: the swap decides */
        if (load_relaxed(&lock->state) == 0 && cas_seq(&lock->state, &expected, 1))
            return;
    }
    /* 2 says that somebody may sleep; whoever gets the lock here keeps saying so, since it does not
     * know whether it was the last sleeper. */
    while (xchg_seq(&lock->state, 2) != 0)
        (void)weft__futex_wait(&lock->state, 2,
                               WEFT_NO_TIMEOUT); /* a spurious return looks again */
}

void weft__unlock_slow(struct lock *lock) { weft__futex_wake(&lock->state, 1); }
