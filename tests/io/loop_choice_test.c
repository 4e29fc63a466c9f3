/*
 * loop_choice_test - which loop one gets, why, and that it works where io_uring is refused.
 *
 * The program starts itself again under a filter that refuses calls, and the child reports by its
 * exit code: sanitizers do not like threads after a fork without exec.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "core/sys.h"
#include "wires.h"

/* Which of the three calls are refused. */
enum { SETUP = 1, ENTER = 2, REGISTER = 4, ALL = 7 };

static int forbid(int calls, unsigned error)
{
    const long numbers[] = {SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register};
    struct sock_filter rules[8] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    unsigned short count = 1;

    for (int i = 0; i < 3; i++) {
        if (!(calls & 1 << i))
            continue;
        rules[count++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)numbers[i], 0, 1);
        rules[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error);
    }
    rules[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = count, .filter = rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int read_byte(void *arg)
{
    char byte;

    return (int)weft_read(*(int *)arg, &byte, 1);
}

/* A little of everything, and the answer of weft_info. */
static int use_the_loop(void *arg)
{
    weft_info_data *info = arg;
    int ends[2];
    char bytes[4];

    EXPECT(weft_info(info), 0);
    tcp_wire(ends);
    weft_future reading = weft_spawn_val(read_byte, ends[0]);
    EXPECT(weft_write(ends[1], "x", 1), 1);
    EXPECT(weft_await(reading), 1);
    close_both(ends);
    int fd = weft_open("/proc/self/exe", O_RDONLY, 0);
    EXPECT(weft_pread(fd, bytes, 4, 0), 4);
    EXPECT(memcmp(bytes, "\177ELF", 4), 0);
    return weft_close(fd);
}

/* In the child. Returns 0 if all is as it should be; the exit code otherwise tells what is not. */
static int child(int calls, unsigned error, weft_loop asked)
{
    weft_options options = {.workers = 2, .loop = asked};
    weft_info_data info = {.workers = 0};
    char words[80];

    (void)unsetenv("WEFT_LOOP"); /* cannot fail for this name */
    if (forbid(calls, error) != 0)
        return 77;
    if (weft_run_with(&options, use_the_loop, &info) != 0)
        return 3;
    if (atomic_load(&verdict.line) != 0)
        return 4;
    (void)snprintf(words, sizeof words, "io_uring_%s: %s (%s); using epoll",
                   calls & SETUP      ? "setup"
                   : calls & REGISTER ? "register"
                                      : "enter",
                   strerror((int)error), error == EPERM ? "EPERM" : "ENOSYS"); /* fits */
    if (info.loop != WEFT_LOOP_EPOLL)
        return 5;
    if (strcmp(info.loop_why, words) == 0)
        return 0;
    fprintf(stderr, "it says \"%s\", not \"%s\"\n", info.loop_why, words);
    return 6;
}

/* Runs this program again as a child. Returns its exit code. */
static int exit_code_of(int calls, unsigned error, weft_loop asked)
{
    char arguments[3][16];
    int status = -1;

    (void)snprintf(arguments[0], 16, "%d", calls); /* fits, and the next two */
    (void)snprintf(arguments[1], 16, "%u", error);
    (void)snprintf(arguments[2], 16, "%d", (int)asked);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "refused", arguments[0], arguments[1], arguments[2], (char *)NULL);
        _exit(127);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

/* Whether this place refuses io_uring already, as a container may. */
static bool is_refused_here(void)
{
    return syscall(SYS_io_uring_setup, 0, NULL) < 0 && (errno == EPERM || errno == ENOSYS);
}

static void check_refused(int calls, weft_loop asked)
{
    const unsigned errors[] = {EPERM, ENOSYS};

    if (!(calls & SETUP) && is_refused_here())
        skip(); /* it does not come that far */
    for (int i = 0; i < 2; i++) {
        int code = exit_code_of(calls, errors[i], asked);
        if (code == 77)
            skip(); /* no filters in this place */
        assert_int_equal(code, 0);
    }
}

static void without_its_setup_call_io_uring_gives_way_to_epoll(void **state)
{
    (void)state;
    check_refused(SETUP, WEFT_LOOP_AUTO);
}

static void without_its_enter_call_io_uring_gives_way_to_epoll(void **state)
{
    (void)state;
    check_refused(ENTER, WEFT_LOOP_AUTO);
}

static void without_its_register_call_io_uring_gives_way_to_epoll(void **state)
{
    (void)state;
    check_refused(REGISTER, WEFT_LOOP_AUTO);
}

static void all_refused_io_uring_gives_way_even_if_asked_for(void **state)
{
    (void)state;
    check_refused(ALL, WEFT_LOOP_URING);
}

static void epoll_is_taken_if_asked_for(void **state)
{
    weft_options options = {.workers = 1, .loop = WEFT_LOOP_EPOLL};
    weft_info_data info = {.workers = 0};

    (void)state;
    assert_int_equal(weft_run_with(&options, use_the_loop, &info), 0);
    assert_int_equal(info.loop, WEFT_LOOP_EPOLL);
    assert_string_equal(info.loop_why, "asked for");
}

/* Each call of the set-up fails in its turn. */
static const char *failing;
static int failing_error;

static int fail_one(const char *call) { return strcmp(call, failing) == 0 ? failing_error : 0; }

static int say_loop(void *arg) { return weft_info(arg); }

static void each_call_of_the_setup_may_fail(void **state)
{
    const struct {
        const char *call;
        int error;
    } cases[] = {{"uring_setup", -ENOMEM}, {"uring_register", -EPERM}, {"uring_enter", -EPERM}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        weft_options options = {.workers = 1, .loop = WEFT_LOOP_URING};
        weft_info_data info = {.workers = 0};

        failing = cases[i].call;
        failing_error = cases[i].error;
        weft__sys_fault = fail_one;
        int rc = weft_run_with(&options, say_loop, &info);
        weft__sys_fault = NULL;

        assert_int_equal(rc, 0);
        assert_int_equal(info.loop, WEFT_LOOP_EPOLL);
        assert_non_null(strstr(info.loop_why, "using epoll"));
    }
}

static void want_of_descriptors_for_the_loop_is_an_error_of_the_start(void **state)
{
    const char *calls[] = {"eventfd", "epoll_create", "epoll_ctl"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        weft_options options = {.workers = 2, .loop = WEFT_LOOP_EPOLL};
        weft_info_data info;

        failing = calls[i];
        failing_error = -EMFILE;
        weft__sys_fault = fail_one;
        int rc = weft_run_with(&options, say_loop, &info);
        weft__sys_fault = NULL;

        assert_int_equal(rc, -EMFILE);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_its_setup_call_io_uring_gives_way_to_epoll),
        cmocka_unit_test(without_its_enter_call_io_uring_gives_way_to_epoll),
        cmocka_unit_test(without_its_register_call_io_uring_gives_way_to_epoll),
        cmocka_unit_test(all_refused_io_uring_gives_way_even_if_asked_for),
        cmocka_unit_test(epoll_is_taken_if_asked_for),
        cmocka_unit_test(each_call_of_the_setup_may_fail),
        cmocka_unit_test(want_of_descriptors_for_the_loop_is_an_error_of_the_start),
    };

    if (argc == 4)
        return child(atoi(argv[1]), (unsigned)atoi(argv[2]), (weft_loop)atoi(argv[3]));
    return CHECK_GROUP(tests);
}
