/*
 * feed - bytes into a named pipe at an even pace.
 *
 * A feed is made of equal pieces of pseudo-random bytes. Piece k is due at start + k/PIECES of the
 * whole time: an absolute schedule, so that a late piece does not delay the ones after it.
 */
#include "checksum.h"
#include "service.h"

enum { PIECES = 128, PIECE_BYTES = 8192 };

struct piece {
    uint64_t words[PIECE_BYTES / sizeof(uint64_t)];
};

/* splitmix64: every seed gives another stream. */
static void fill(struct piece *piece, uint64_t *state)
{
    for (size_t i = 0; i < sizeof piece->words / sizeof piece->words[0]; i++) {
        uint64_t word = *state += 0x9e3779b97f4a7c15u;
        word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
        word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
        piece->words[i] = word ^ (word >> 31);
    }
}

struct feed feed_next(uint64_t number)
{
    struct feed feed = {.seed = number, .bytes = PIECES * PIECE_BYTES, .checksum = CHECKSUM_START};
    uint64_t state = feed.seed;
    struct piece piece;

    for (int k = 0; k < PIECES; k++) {
        fill(&piece, &state);
        feed.checksum = checksum_add(feed.checksum, &piece, sizeof piece);
    }
    return feed;
}

int feed_write(const struct feed *feed, int fd, weft_time ns)
{
    weft_time start = weft_now();
    uint64_t state = feed->seed;
    struct piece piece;

    for (int k = 1; k <= PIECES; k++) {
        fill(&piece, &state);
        int rc = weft_sleep_until(start + ns / PIECES * k);
        if (rc < 0)
            return rc;
        ssize_t written = weft_write_full(fd, &piece, sizeof piece);
        if (written < 0)
            return (int)written;
    }
    return 0;
}
