/*
 * timer_test - the heap of timers against the simplest thing that does the same: a list that is
 * searched. Time is a number here; it jumps.
 */
#include "core/timer.h"

#include <errno.h>
#include <string.h>

#include "check.h"
#include "core/list.h"
#include "core/sys.h"

#define COUNT 500

struct model_timer {
    struct timer timer;
    int64_t deadline; /* meaningful while armed */
    bool is_armed;
    int fired;
    uint32_t number; /* of its firing */
};

struct model {
    struct timers timers;
    struct model_timer all[COUNT];
    int64_t now;
    uint32_t firings;
    int early, out_of_order;
    int64_t last; /* the deadline that fired last in this round */
};

static struct model *model;

static void fire(struct timer *timer)
{
    struct model_timer *fired = container_of(timer, struct model_timer, timer);

    model->early += fired->deadline > model->now;
    model->out_of_order += fired->deadline < model->last;
    model->last = fired->deadline;
    fired->is_armed = false;
    fired->fired++;
    fired->number = ++model->firings;
}

/* Deadlines about every power of two, and at both ends. */
static int64_t any_deadline(uint64_t *seed)
{
    uint64_t random = check_random(seed);
    uint64_t near = (uint64_t)1 << random % 63;

    switch (random >> 6 & 7) {
    case 0: return INT64_MAX;
    case 1: return INT64_MAX - (int64_t)(random >> 9 & 3);
    case 2: return (int64_t)(random >> 9 & 1023);
    default: return (int64_t)near + (int64_t)(random >> 9 & 2) - 1;
    }
}

static int armed_and_due(int64_t now)
{
    int due = 0;

    for (int i = 0; i < COUNT; i++)
        due += model->all[i].is_armed && model->all[i].deadline <= now;
    return due;
}

/* The heap is one: no child is before its parent, and each timer knows its place. */
static int broken_places(void)
{
    struct timers *timers = &model->timers;
    int broken = 0;

    for (uint32_t i = 0; i < timers->count; i++) {
        broken += timers->entries[i].timer->place != i + 1;
        broken += timers->entries[i].deadline != timers->entries[i].timer->deadline;
        broken += i > 0 && timers->entries[(i - 1) / 4].deadline > timers->entries[i].deadline;
    }
    return broken;
}

static int64_t earliest(void)
{
    int64_t first = INT64_MAX;

    for (int i = 0; i < COUNT; i++)
        if (model->all[i].is_armed && model->all[i].deadline < first)
            first = model->all[i].deadline;
    return first;
}

static int armed(void)
{
    int count = 0;

    for (int i = 0; i < COUNT; i++)
        count += model->all[i].is_armed;
    return count;
}

/* To anywhere, whether it is armed or not. Returns 0 if it went as it should. */
static int move_one(uint64_t *seed)
{
    struct model_timer *one = &model->all[check_random(seed) % COUNT];
    int64_t before = earliest();
    int64_t deadline = any_deadline(seed);

    if (one->timer.timers == NULL)
        return 0; /* never armed: it cannot be moved */
    int rc = weft__timer_move(&one->timer, deadline);
    if (!one->is_armed)
        return rc == -ENOENT ? 0 : -1;
    one->deadline = deadline;
    return rc == (deadline < before) ? 0 : -1;
}

static int change_one(uint64_t *seed)
{
    struct model_timer *one = &model->all[check_random(seed) % COUNT];

    if (one->is_armed) {
        weft__timer_remove(&one->timer);
        one->is_armed = false;
        return one->timer.place == 0 ? 0 : -1;
    }
    one->deadline = any_deadline(seed);
    one->is_armed = true;
    return weft__timer_add(&model->timers, &one->timer, one->deadline, fire);
}

static int jump(uint64_t *seed)
{
    int64_t to = any_deadline(seed);

    if (to > model->now && check_random(seed) % 50 == 0)
        model->now = to;
    else
        model->now = deadline_after(model->now, (int64_t)(check_random(seed) % 100000));
    int due = armed_and_due(model->now);
    model->last = INT64_MIN;
    return weft__timers_fire(&model->timers, model->now) - due;
}

static void the_heap_does_what_a_sorted_list_does(void **state)
{
    uint64_t seed = check_seed();
    struct model own = {.now = 0};
    int wrong_counts = 0, broken = 0, wrong_first = 0, refused = 0, wrong_moves = 0;

    (void)state;
    model = &own;
    for (int life = 0; life < 20; life++) {
        memset(&own, 0, sizeof own);
        weft__timers_init(&own.timers);
        for (int step = 0; step < 3000; step++) {
            if (check_random(&seed) % 8)
                refused += change_one(&seed) < 0;
            else
                wrong_counts += jump(&seed) != 0;
            if (check_random(&seed) % 4 == 0)
                wrong_moves += move_one(&seed) != 0;
            wrong_counts += own.timers.count != (uint32_t)armed();
            wrong_first += load_relaxed(&own.timers.first) != earliest();
            if (step % 50 == 0)
                broken += broken_places();
        }
        weft__timers_destroy(&own.timers);
    }

    assert_int_equal(own.early, 0);
    assert_int_equal(own.out_of_order, 0);
    assert_int_equal(wrong_counts, 0);
    assert_int_equal(broken, 0);
    assert_int_equal(wrong_first, 0);
    assert_int_equal(refused, 0);
    assert_int_equal(wrong_moves, 0);
}

static void removing_a_timer_that_has_fired_does_nothing(void **state)
{
    struct model own = {.now = 10};

    (void)state;
    model = &own;
    weft__timers_init(&own.timers);
    own.all[0].deadline = 5;
    assert_int_equal(weft__timer_add(&own.timers, &own.all[0].timer, 5, fire), 0);
    assert_int_equal(weft__timers_fire(&own.timers, 4), 0);
    assert_int_equal(weft__timers_fire(&own.timers, 5), 1);

    weft__timer_remove(&own.all[0].timer);
    weft__timer_remove(&own.all[0].timer);

    assert_int_equal(own.all[0].fired, 1);
    assert_int_equal(own.timers.count, 0);
    weft__timers_destroy(&own.timers);
}

static int no_alloc(const char *call) { return strcmp(call, "alloc") == 0 ? -ENOMEM : 0; }

static void a_timer_without_memory_is_refused_and_the_others_stay(void **state)
{
    static struct model own;
    int added = 0, rc;

    (void)state;
    model = &own;
    weft__timers_init(&own.timers);
    rc = weft__timer_add(&own.timers, &own.all[0].timer, 0, fire);
    assert_int_equal(rc, 0);
    weft__sys_fault = no_alloc;
    for (added = 1; added < COUNT; added++) {
        own.all[added].deadline = COUNT - added;
        rc = weft__timer_add(&own.timers, &own.all[added].timer, COUNT - added, fire);
        if (rc < 0)
            break;
    }
    weft__sys_fault = NULL;
    own.now = COUNT;
    int fired = weft__timers_fire(&own.timers, COUNT);
    weft__timers_destroy(&own.timers);

    assert_int_equal(rc, -ENOMEM);
    assert_int_equal(fired, added);
    assert_int_equal(own.out_of_order, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_heap_does_what_a_sorted_list_does),
        cmocka_unit_test(removing_a_timer_that_has_fired_does_nothing),
        cmocka_unit_test(a_timer_without_memory_is_refused_and_the_others_stay),
    };

    return CHECK_GROUP(tests);
}
