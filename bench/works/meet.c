/*
 * meet - bench/run on weft: tasks meet at channels and at a mutex.
 */
#include <weft.h>

#include "bench/works/works.h"

enum { PRODUCERS = 8, MANY_ROOM = 128, LOCKERS = 8, HOLD_EVERY = 100 };

struct pair {
    weft_channel there, back;
};

static int echo_items(void *arg)
{
    struct pair *pair = arg;
    long item;
    int rc;

    while ((rc = weft_receive(&pair->there, &item)) == 1) {
        item++;
        rc = weft_send(&pair->back, &item);
        if (rc < 0)
            return rc;
    }
    return rc;
}

/* One task sends a number and receives it back, one larger, `size` times. */
int channel_roundtrip(void *arg)
{
    struct run *run = arg;
    struct pair pair;
    long item = 0;

    int rc = weft_channel_init(&pair.there, sizeof item, 1);
    if (rc == 0)
        rc = weft_channel_init(&pair.back, sizeof item, 1);
    if (rc < 0)
        return rc;
    weft_future other = weft_spawn(echo_items, &pair);
    for (long i = 0; i < run->size && rc >= 0; i++) {
        rc = weft_send(&pair.there, &item);
        if (rc == 0)
            rc = weft_receive(&pair.back, &item);
    }
    weft_channel_close(&pair.there);
    run->result = item;
    int end = weft_await(other);
    weft_channel_destroy(&pair.there);
    weft_channel_destroy(&pair.back);
    return rc < 0 ? rc : end;
}
