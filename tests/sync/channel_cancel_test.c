/*
 * channel_cancel_test - a program that owns what it sends, cancelled at every point of it: each item is
 * freed once, by its sender, its receiver, or the channel that is stopped.
 */
#include <errno.h>
#include <stdlib.h>

#include <weft/testing.h>

#include "check.h"

#define ITEMS 4

struct belt {
    weft_channel channel;
    weft_event never;
};

static void drop(void *item) { free(*(void **)item); }

/* Sends memory; what was not sent is still its own. */
static int produce(void *arg)
{
    struct belt *belt = arg;

    for (int i = 0; i < ITEMS; i++) {
        void *item = malloc(16);
        int rc = item ? 0 : -ENOMEM;

        if (rc == 0 && i % 2 == 0)
            rc = weft_send(&belt->channel, &item);
        else if (rc == 0 && weft_select(&rc, weft_on_event(&belt->never),
                                        weft_on_send(&belt->channel, &item)) == 0)
            rc = -EIO;
        if (rc < 0) {
            free(item);
            return rc;
        }
    }
    weft_channel_close(&belt->channel);
    return 0;
}

/* Receives memory, which is its own from then on. */
static int consume(void *arg)
{
    struct belt *belt = arg;
    int rc = 1;

    for (int i = 0; rc == 1; i++) {
        void *item = NULL;

        if (i % 2 == 0)
            rc = weft_receive(&belt->channel, &item);
        else if (weft_select(&rc, weft_on_receive(&belt->channel, &item),
                             weft_on_time(weft_now() + weft_s(3600))) == 1)
            rc = -EIO;
        free(item);
    }
    return rc;
}

static int run_the_belt(void *arg)
{
    const size_t *capacity = arg;
    struct belt belt = {.never = WEFT_EVENT_INIT};
    int rc = weft_channel_init(&belt.channel, sizeof(void *), *capacity);

    if (rc < 0)
        return rc;
    rc = weft_gather(weft_spawn(produce, &belt), weft_spawn(consume, &belt));
    weft_channel_stop(&belt.channel, drop);
    weft_channel_destroy(&belt.channel);
    return rc;
}

static void cancelled_anywhere_every_item_is_freed_once(void **state)
{
    static size_t capacities[] = {0, 1, WEFT_UNBOUNDED};

    (void)state;
    for (size_t kind = 0; kind < 3; kind++) {
        int points = weft_test_cancel_everywhere(run_the_belt, &capacities[kind]);

        if (points < 0)
            fail_msg("%s: %s", weft_strerror(points), weft_why());
        assert_in_range(points, 2 * ITEMS, 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancelled_anywhere_every_item_is_freed_once),
    };
    return CHECK_GROUP(tests);
}
