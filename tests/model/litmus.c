/*
 * litmus - the checker itself: small programs of which it is known what they may show, and what not.
 *
 * Each execution adds the outcome to a set; when all have been visited the set must be the one that RC11 (and
 * C++20) gives. Too small a set would let bugs pass, too large a one would invent them.
 */
#include "core/atomic.h"

const char model_subject[] = "litmus";

static _Atomic uint32_t *x, *y, *z;
static unsigned a, b, c, d;
static bool seen[2][2][2][2], was_begun;

static void setup(void)
{
    x = model_alloc(64);
    y = model_alloc(64);
    z = model_alloc(64);
    a = b = c = d = 0;
    if (!was_begun)
        __builtin_memset(seen, 0, sizeof seen);
    was_begun = true;
    model_keep(seen, sizeof seen);
}

static void check(void) { seen[a & 1][b & 1][c & 1][d & 1] = true; }

/* Whether exactly what the bits say was seen, for two results: 1: 00, 2: 01, 4: 10, 8: 11. */
static bool is_seen(unsigned bits)
{
    was_begun = false;
    return seen[0][0][0][0] == (bits & 1) && seen[0][1][0][0] == (bits >> 1 & 1) &&
           seen[1][0][0][0] == (bits >> 2 & 1) && seen[1][1][0][0] == (bits >> 3 & 1);
}

static bool all_four(void) { return is_seen(15); }
static bool all_but_00(void) { return is_seen(14); }
static bool all_but_10(void) { return is_seen(11); }

/* Store buffering: each writes its own, then reads the other's. */
static void sb_relaxed_1(void) { store_relaxed(x, 1), a = load_relaxed(y); }
static void sb_relaxed_2(void) { store_relaxed(y, 1), b = load_relaxed(x); }
static void sb_release_1(void) { store_release(x, 1), a = load_acquire(y); }
static void sb_release_2(void) { store_release(y, 1), b = load_acquire(x); }
static void sb_seq_1(void) { store_seq(x, 1), a = load_seq(y); }
static void sb_seq_2(void) { store_seq(y, 1), b = load_seq(x); }
static void sb_half_2(void) { store_seq(y, 1), b = load_acquire(x); }
static void sb_swap_2(void) { (void)xchg_seq(y, 1), b = load_seq(x); }

/* Message passing: data, then the flag; the flag, then data. */
static void mp_relaxed_1(void) { store_relaxed(x, 1), store_relaxed(y, 1); }
static void mp_release_1(void) { store_relaxed(x, 1), store_release(y, 1); }
static void mp_relaxed_2(void) { a = load_relaxed(y), b = load_relaxed(x); }
static void mp_acquire_2(void) { a = load_acquire(y), b = load_relaxed(x); }

/* The flag goes by a relaxed read-modify-write of another: a release sequence. */
static void rs_1(void) { store_relaxed(x, 1), store_release(y, 2); }
static void rs_2(void) { (void)add_relaxed(y, 2); }
static void rs_3(void) { a = load_acquire(y) == 4, b = load_relaxed(x); }

/* One location: never back. */
static void co_1(void) { store_relaxed(x, 1); }
static void co_2(void) { a = load_relaxed(x), b = load_relaxed(x); }

/* Independent reads of independent writes: do both see the same order? */
static void iriw_x(void) { store_seq(x, 1); }
static void iriw_y(void) { store_seq(y, 1); }
static void iriw_seq_1(void) { a = load_seq(x), b = load_seq(y); }
static void iriw_seq_2(void) { c = load_seq(y), d = load_seq(x); }
static void iriw_acquire_1(void) { a = load_acquire(x), b = load_acquire(y); }
static void iriw_acquire_2(void) { c = load_acquire(y), d = load_acquire(x); }

static bool iriw_agree(void)
{
    was_begun = false;
    return !seen[1][0][1][0];
}

static bool iriw_differ(void)
{
    was_begun = false;
    return seen[1][0][1][0];
}

/* Where RC11 is weaker than the C11 of old: the first's write of x happened before the second's step on y,
 * which is before the third's write of y; and yet the third need not see x. */
static void weak_1(void) { store_seq(x, 1), store_release(y, 2); }
static void weak_2(void) { a = add_seq(y, 2) == 2, c = load_relaxed(y) == 8; }
static void weak_3(void) { store_seq(y, 8), b = load_seq(x); }

static bool weak_seen(void)
{
    was_begun = false;
    return seen[1][0][1][0];
}

/* The same where the second writes behind its step what the third overwrites: then it must. */
static void tied_2(void) { a = add_seq(y, 2) == 2, store_seq(z, 1), c = load_relaxed(z) == 8; }
static void tied_3(void) { store_seq(z, 8), b = load_seq(x); }

static bool tied_seen(void)
{
    was_begun = false;
    return !seen[1][0][1][0] && seen[1][1][1][0];
}

const struct model_scenario model_scenarios[] = {
    {"store buffering, relaxed",
     setup,
     {{"1", sb_relaxed_1, 0}, {"2", sb_relaxed_2, 0}},
     check,
     0,
     all_four},
    {"store buffering, release and acquire",
     setup,
     {{"1", sb_release_1, 0}, {"2", sb_release_2, 0}},
     check,
     0,
     all_four},
    {"store buffering, seq", setup, {{"1", sb_seq_1, 0}, {"2", sb_seq_2, 0}}, check, 0, all_but_00},
    {"store buffering, seq on one side",
     setup,
     {{"1", sb_seq_1, 0}, {"2", sb_half_2, 0}},
     check,
     0,
     all_four},
    {"store buffering, a swap on one side",
     setup,
     {{"1", sb_seq_1, 0}, {"2", sb_swap_2, 0}},
     check,
     0,
     all_but_00},
    {"message passing, relaxed",
     setup,
     {{"1", mp_relaxed_1, 0}, {"2", mp_relaxed_2, 0}},
     check,
     0,
     all_four},
    {"message passing, release alone",
     setup,
     {{"1", mp_release_1, 0}, {"2", mp_relaxed_2, 0}},
     check,
     0,
     all_four},
    {"message passing, acquire alone",
     setup,
     {{"1", mp_relaxed_1, 0}, {"2", mp_acquire_2, 0}},
     check,
     0,
     all_four},
    {"message passing, release and acquire",
     setup,
     {{"1", mp_release_1, 0}, {"2", mp_acquire_2, 0}},
     check,
     0,
     all_but_10},
    {"a release sequence",
     setup,
     {{"1", rs_1, 0}, {"2", rs_2, 0}, {"3", rs_3, 0}},
     check,
     0,
     all_but_10},
    {"one location", setup, {{"1", co_1, 0}, {"2", co_2, 0}}, check, 0, all_but_10},
    {"independent reads, seq",
     setup,
     {{"1", iriw_x, 0}, {"2", iriw_y, 0}, {"3", iriw_seq_1, 0}, {"4", iriw_seq_2, 0}},
     check,
     0,
     iriw_agree},
    {"independent reads, acquire",
     setup,
     {{"1", iriw_x, 0}, {"2", iriw_y, 0}, {"3", iriw_acquire_1, 0}, {"4", iriw_acquire_2, 0}},
     check,
     0,
     iriw_differ},
    {"weaker than the total order of old",
     setup,
     {{"1", weak_1, 0}, {"2", weak_2, 0}, {"3", weak_3, 0}},
     check,
     0,
     weak_seen},
    {"tied by one more step",
     setup,
     {{"1", weak_1, 0}, {"2", tied_2, 0}, {"3", tied_3, 0}},
     check,
     0,
     tied_seen},
    {0},
};
