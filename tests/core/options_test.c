/*
 * options_test - what options and environment ask for; and a sentence for what they cannot.
 */
#include <stdlib.h>
#include <string.h>

#include "tasks.h"

static int must_not_run(void *arg)
{
    *(int *)arg = 1;
    return 0;
}

struct wrong {
    weft_options options;
    const char *variable, *value; /* set for the run */
    const char *says[2];          /* words that the sentence must have */
};

static void wrong_values_are_einval_and_the_sentence_names_them(void **state)
{
    static const struct wrong all[] = {
        {{.workers = -1}, NULL, NULL, {"workers", "-1"}},
        {{.workers = 1025}, NULL, NULL, {"workers", "1025"}},
        {{.pool_threads = -7}, NULL, NULL, {"pool_threads", "-7"}},
        {{.blocking_threads = -2}, NULL, NULL, {"blocking_threads", "-2"}},
        {{.loop = (weft_loop)9}, NULL, NULL, {"loop", "9"}},
        {{.shutdown = -1}, NULL, NULL, {"shutdown", "negative"}},
        {{0}, "WEFT_WORKERS", "many", {"WEFT_WORKERS", "many"}},
        {{0}, "WEFT_WORKERS", "0", {"WEFT_WORKERS", "\"0\""}},
        {{0}, "WEFT_WORKERS", "-2", {"WEFT_WORKERS", "-2"}},
        {{0}, "WEFT_WORKERS", "3x", {"WEFT_WORKERS", "3x"}},
        {{0}, "WEFT_WORKERS", "99999999999999999999", {"WEFT_WORKERS", "9999"}},
        {{0}, "WEFT_POOL", "none", {"WEFT_POOL", "none"}},
        {{0}, "WEFT_LOOP", "kqueue", {"WEFT_LOOP", "kqueue"}},
        {{0}, "WEFT_DEBUG", "report,everything", {"WEFT_DEBUG", "everything"}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        const char *old = all[i].variable ? getenv(all[i].variable) : NULL;
        char *kept = old ? strdup(old) : NULL;
        int ran = 0;

        if (all[i].variable)
            assert_int_equal(setenv(all[i].variable, all[i].value, 1), 0);
        int rc = weft_run_with(&all[i].options, must_not_run, &ran);
        if (all[i].variable && kept)
            assert_int_equal(setenv(all[i].variable, kept, 1), 0);
        else if (all[i].variable)
            assert_int_equal(unsetenv(all[i].variable), 0);
        free(kept);

        assert_int_equal(rc, -EINVAL);
        assert_int_equal(ran, 0);
        assert_non_null(strstr(weft_why(), all[i].says[0]));
        assert_non_null(strstr(weft_why(), all[i].says[1]));
    }
}

static int tells(void *arg) { return weft_info(arg); }

/* Runs with a variable set, and puts it back. */
static int run_with_variable(const char *name, const char *value, const weft_options *options,
                             weft_info_data *ret_info)
{
    const char *old = getenv(name);
    char *kept = old ? strdup(old) : NULL;

    (void)setenv(name, value, 1); /* no memory: the assertion says so */
    int rc = weft_run_with(options, tells, ret_info);
    if (kept)
        (void)setenv(name, kept, 1);
    else
        (void)unsetenv(name); /* the name is right */
    free(kept);
    return rc;
}

static void the_environment_fills_in_what_options_leave_open(void **state)
{
    weft_info_data info;

    (void)state;
    assert_int_equal(run_with_variable("WEFT_WORKERS", "5", NULL, &info), 0);
    assert_int_equal(info.workers, 5);
    assert_int_equal(run_with_variable("WEFT_POOL", "4", NULL, &info), 0);
    assert_int_equal(info.pool_threads, 4);
    assert_int_equal(run_with_variable("WEFT_LOOP", "epoll", NULL, &info), 0);
    assert_int_equal(info.loop, WEFT_LOOP_EPOLL);
    assert_int_equal(run_with_variable("WEFT_WORKERS", "", NULL, &info), 0);
    assert_true(info.workers >= 1);
}

static void options_win_over_the_environment(void **state)
{
    const weft_options options = {.workers = 3, .pool_threads = 1, .loop = WEFT_LOOP_EPOLL};
    weft_info_data info;

    (void)state;
    assert_int_equal(run_with_variable("WEFT_WORKERS", "wrong", &options, &info), 0);
    assert_int_equal(info.workers, 3);
    assert_int_equal(run_with_variable("WEFT_LOOP", "uring", &options, &info), 0);
    assert_int_equal(info.loop, WEFT_LOOP_EPOLL);
    assert_int_equal(run_with_variable("WEFT_POOL", "7", &options, &info), 0);
    assert_int_equal(info.pool_threads, 1);
}

static void no_options_at_all_mean_defaults(void **state)
{
    weft_info_data info;

    (void)state;
    assert_int_equal(weft_run(tells, &info), 0);
    assert_true(info.workers >= 1);
    assert_true(info.pool_threads >= 1);
    assert_true(info.loop == WEFT_LOOP_URING || info.loop == WEFT_LOOP_EPOLL);
    assert_true(strlen(info.loop_why) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_values_are_einval_and_the_sentence_names_them),
        cmocka_unit_test(the_environment_fills_in_what_options_leave_open),
        cmocka_unit_test(options_win_over_the_environment),
        cmocka_unit_test(no_options_at_all_mean_defaults),
    };

    return CHECK_GROUP(tests);
}
