#include "primes.h"

#include "failure.h"

static const char *const NAMES[PRIME_JOBS] = {"primes 1", "primes 2", "primes 3", "primes 4",
                                              "primes 5", "primes 6", "primes 7", "primes 8"};

static bool is_prime(uint32_t number)
{
    if (number < 4)
        return number >= 2;
    if (number % 2 == 0)
        return false;
    for (uint32_t divisor = 3; divisor * divisor <= number; divisor += 2)
        if (number % divisor == 0)
            return false;
    return true;
}

/* Larger numbers cost more: the last eighth takes three times as long as the first. Whoever shares
 * the jobs out among threads does best to start the longest first. */
void primes_divide(struct prime_job jobs[PRIME_JOBS], struct run *run, enum lane lane)
{
    const uint32_t eighth = PRIMES_LAST / PRIME_JOBS;

    for (uint32_t i = 0; i < PRIME_JOBS; i++) {
        uint32_t k = PRIME_JOBS - 1 - i;
        jobs[i] = (struct prime_job){.run = run,
                                     .lane = lane,
                                     .name = NAMES[k],
                                     .first = k * eighth + 1,
                                     .last = (k + 1) * eighth};
    }
}

int primes_count(void *arg)
{
    struct prime_job *job = arg;
    weft_time begin = weft_now();
    long count = 0;

    for (uint32_t number = job->first; number <= job->last; number++)
        count += is_prime(number);
    job->count = count;
    journal_add(job->run, EVENT_WORK, job->lane, job->name, begin);
    return 0;
}

int primes_check(const struct prime_job jobs[PRIME_JOBS])
{
    long sum = 0;

    for (int i = 0; i < PRIME_JOBS; i++)
        sum += jobs[i].count;
    if (sum == PRIMES_COUNT)
        return 0;
    return fail(jobs->run->failure, 0, "counted %ld primes up to %d, but there are %d", sum,
                PRIMES_LAST, PRIMES_COUNT);
}
