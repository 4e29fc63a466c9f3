/*
 * preemptor - stops threads at arbitrary instructions, for as long as a busy machine would.
 *
 *     helper ---- signal, with a span ----> weft-0      stands in the handler for that span,
 *       |                                   weft-1      wherever it happened to be
 *       +---- takes the next one            ...
 *
 * A test that races finds an order of events only if the scheduler happens to make it: two threads on
 * two cores are almost never apart by more than some nanoseconds. Here one stands still for 0.1 to
 * 5 ms, between any two instructions, while the others go on.
 *
 * The handler sleeps, or spins now and then, and touches nothing else: it runs on the signal stack
 * that weft gives its workers, so also in the middle of a switch between stacks. weft's threads block
 * signals; in programs that link this, the linker puts preemptor.c in front of pthread_create, and
 * threads that are created while the preemptor is on do not block this one, and are its targets:
 * weft's workers, the threads of its pools, and those of the test. (Threads could be found in /proc,
 * but tests count their descriptors.) It stands in front of the calls in which weft's threads sleep,
 * too: a signal there would wake a thread that nobody has woken, and so hide that it was forgotten.
 *
 * With CHECK_PREEMPT in the environment it is on from the beginning to the end of the program.
 */
#ifndef WEFT_TESTS_STRESS_PREEMPTOR_H
#define WEFT_TESTS_STRESS_PREEMPTOR_H

#include <stdbool.h>
#include <stdint.h>

/* Outside a runtime. What it does is made from the seed: whom it meets where is not. Returns whether
 * it is on: under the thread sanitizer, which holds signals back until the next call of the C library,
 * it stays off. */
bool preemptor_start(uint64_t seed);

/* Returns how often a thread was stopped since the program began. */
long preemptor_stop(void);

#endif
