/*
 * first.c - the program of the README: three waits and some computing, all at the same time.
 */
#include <stdio.h>

#include <weft.h>

static long count_primes(long limit)
{
    long count = limit > 2;
    for (long n = 3; n < limit; n += 2) {
        long divisor = 3;
        while (divisor * divisor <= n && n % divisor != 0)
            divisor += 2;
        count += divisor * divisor > n;
    }
    return count;
}

static int fetch(void *arg) { return weft_sleep(weft_s(*(int *)arg)); }

static int primes(void *arg)
{
    long *n = arg;
    *n = count_primes(*n);
    return 0;
}

static int program(void *arg)
{
    (void)arg;
    long n = 5000000;
    weft_time start = weft_now();
    int rc = weft_gather(weft_spawn_val(fetch, 2), weft_spawn_val(fetch, 3),
                         weft_spawn_val(fetch, 1), weft_offload(weft_cpu(), primes, &n));
    printf("%s, %ld primes in %.2f s\n", weft_strerror(rc), n, weft_seconds(weft_now() - start));
    return rc;
}

int main(void)
{
    int rc = weft_run(program, NULL);
    if (rc < 0)
        fprintf(stderr, "failed: %s. %s\n", weft_strerror(rc), weft_why());
    return rc < 0;
}
