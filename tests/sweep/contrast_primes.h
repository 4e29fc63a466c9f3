/*
 * contrast_primes - included before contrast's primes.c by its test: fewer primes, since the program
 * is run hundreds of times there.
 */
#include "contrast.h"

#define PRIMES_LAST  20000
#define PRIMES_COUNT 2262 /* of 2..PRIMES_LAST */
