/*
 * file_test - files, pipes and named pipes: in order, at an offset, full, broken, not there yet.
 */
#include <signal.h>
#include <sys/eventfd.h>

#include "wires.h"

#define BIG (3 << 20) /* bytes: more than one transfer of a pipe, and of any cache line of luck */

static unsigned char pattern(size_t at) { return (unsigned char)(at * 2654435761u >> 13); }

static unsigned char *new_pattern(void)
{
    unsigned char *bytes = malloc(BIG);

    for (size_t i = 0; bytes && i < BIG; i++)
        bytes[i] = pattern(i);
    return bytes;
}

static int write_and_read_file(void *arg)
{
    char folder[32];
    unsigned char *out = new_pattern();
    unsigned char *back = calloc(1, BIG);

    (void)arg;
    folder_new(folder);
    int fd = weft_open(in_folder(folder, "f"), O_RDWR | O_CREAT | O_EXCL, 0600);
    EXPECT(fd >= 0, true);
    EXPECT(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    EXPECT(weft_write_full(fd, out, BIG), BIG);
    EXPECT(weft_read(fd, back, 1), 0); /* the position is at the end */
    EXPECT(lseek(fd, 0, SEEK_SET), 0);
    EXPECT(weft_read_full(fd, back, BIG), BIG);
    EXPECT(memcmp(out, back, BIG), 0);
    EXPECT(weft_close(fd), 0);
    folder_remove(folder, "f");
    free(out);
    free(back);
    return 0;
}

static void a_file_is_written_and_read_in_order(void **state)
{
    RUN_EVERYWHERE(write_and_read_file);
}

static int use_offsets(void *arg)
{
    char folder[32];
    char back[8] = {0};

    (void)arg;
    folder_new(folder);
    int fd = weft_open(in_folder(folder, "f"), O_RDWR | O_CREAT | O_EXCL, 0600);
    EXPECT(weft_pwrite(fd, "world", 5, 6), 5);
    EXPECT(weft_pwrite(fd, "hello ", 6, 0), 6);
    EXPECT(weft_pread(fd, back, 5, 6), 5);
    EXPECT(memcmp(back, "world", 5), 0);
    EXPECT(weft_pread(fd, back, 5, 11), 0);
    EXPECT(lseek(fd, 0, SEEK_CUR), 0); /* the position has stayed */
    EXPECT(weft_read_full(fd, back, 8), 8);
    EXPECT(memcmp(back, "hello wo", 8), 0);
    EXPECT(weft_read_full(fd, back, 8), 3); /* less, at the end only */
    EXPECT(weft_pread(fd, back, 1, -1), -EINVAL);
    EXPECT(weft_pwrite(fd, back, 1, -1), -EINVAL);
    EXPECT(weft_close(fd), 0);
    folder_remove(folder, "f");
    return 0;
}

static void a_file_is_read_and_written_at_offsets(void **state) { RUN_EVERYWHERE(use_offsets); }

#define RECORDS 200

/* Through a descriptor of its own, as standard output and standard error often are. */
static int write_records(void *arg)
{
    const int *fd = arg;

    for (int i = 0; i < RECORDS; i++) {
        EXPECT(weft_write_full(*fd, "0123456789abcde", 16), 16);
        check_progress(); /* a disk may take its time */
    }
    return 0;
}

static int share_a_position(void *arg)
{
    char folder[32], record[16];
    weft_future writers[2];

    (void)arg;
    folder_new(folder);
    int fd = weft_open(in_folder(folder, "f"), O_RDWR | O_CREAT | O_EXCL | O_DSYNC, 0600);
    int fds[2] = {fd, dup(fd)};
    for (int i = 0; i < 2; i++)
        writers[i] = weft_spawn(write_records, &fds[i]);
    EXPECT(weft_gather_n(writers, 2, NULL), 0);
    for (off_t at = 0; at < 2 * RECORDS; at++) {
        EXPECT(weft_pread(fd, record, 16, at * 16), 16);
        EXPECT(memcmp(record, "0123456789abcde", 16), 0);
    }
    EXPECT(weft_close(fds[1]), 0);
    EXPECT(weft_close(fd), 0);
    folder_remove(folder, "f");
    return 0;
}

static void two_descriptors_with_one_position_do_not_overwrite_each_other(void **state)
{
    RUN_EVERYWHERE(share_a_position);
}

struct piece {
    int fd;
    size_t at, bytes;
};

static int check_piece(void *arg)
{
    struct piece *piece = arg;
    unsigned char bytes[4096];

    if (!EXPECT(weft_pread(piece->fd, bytes, piece->bytes, (off_t)piece->at), piece->bytes))
        return 0;
    for (size_t i = 0; i < piece->bytes; i++)
        if (!EXPECT(bytes[i], pattern(piece->at + i)))
            break;
    return 0;
}

static int read_many_at_once(void *arg)
{
    char folder[32];
    unsigned char *out = new_pattern();
    weft_future reading[64];

    (void)arg;
    folder_new(folder);
    int fd = weft_open(in_folder(folder, "f"), O_RDWR | O_CREAT | O_EXCL, 0600);
    EXPECT(weft_write_full(fd, out, BIG), BIG);
    for (size_t i = 0; i < 64; i++)
        reading[i] = weft_spawn_val(check_piece, ((struct piece){fd, i * 40961, 4096}));
    EXPECT(weft_gather_n(reading, 64, NULL), 0);
    EXPECT(weft_close(fd), 0);
    folder_remove(folder, "f");
    free(out);
    return 0;
}

static void reads_at_offsets_may_overlap(void **state) { RUN_EVERYWHERE(read_many_at_once); }

#define CROWD 700 /* more than fit into the queues between weft and the kernel */

static int await_count(void *arg)
{
    uint64_t count = 0;

    EXPECT(weft_read(*(int *)arg, &count, sizeof count), sizeof count);
    return (int)count;
}

/* All wait, then all are served at one stroke, with nobody looking in between. */
static int serve_crowd(void *arg)
{
    static int fds[CROWD];
    static weft_future waiting[CROWD];

    (void)arg;
    for (int i = 0; i < CROWD; i++) {
        fds[i] = eventfd(0, EFD_CLOEXEC);
        EXPECT(fds[i] >= 0, true);
        waiting[i] = weft_spawn_val(await_count, fds[i]);
    }
    for (int i = 0; i < CROWD; i++)
        until_in_flight(fds[i], 1);
    for (int i = 0; i < CROWD; i++)
        EXPECT(eventfd_write(fds[i], (eventfd_t)i + 1), 0);
    for (int i = 0; i < CROWD; i++)
        EXPECT(weft_await(waiting[i]), i + 1);
    for (int i = 0; i < CROWD; i++)
        EXPECT(weft_close(fds[i]), 0);
    return 0;
}

static void a_crowd_of_operations_all_comes_back(void **state) { RUN_EVERYWHERE(serve_crowd); }

static int open_what_is_not_there(void *arg)
{
    char folder[32];

    (void)arg;
    folder_new(folder);
    EXPECT(weft_open(in_folder(folder, "f"), O_RDONLY, 0), -ENOENT);
    EXPECT(weft_open(folder, O_WRONLY, 0), -EISDIR);
    EXPECT(weft_open("/dev/null/x", O_RDONLY, 0), -ENOTDIR);
    EXPECT(weft_open(NULL, O_RDONLY, 0), -EFAULT);
    int fd = weft_open(folder, O_RDONLY | O_DIRECTORY, 0);
    char byte;
    EXPECT(weft_read(fd, &byte, 1), -EISDIR);
    EXPECT(weft_close(fd), 0);
    folder_remove(folder, NULL);
    return 0;
}

static void what_cannot_be_opened_says_why(void **state) { RUN_EVERYWHERE(open_what_is_not_there); }

static int fill_the_disk(void *arg)
{
    int fd = weft_open("/dev/full", O_WRONLY, 0);
    char block[100] = {0};

    (void)arg;
    EXPECT(weft_write(fd, block, sizeof block), -ENOSPC);
    EXPECT(weft_write_full(fd, block, sizeof block), -ENOSPC);
    EXPECT(weft_close(fd), 0);
    return 0;
}

static void a_full_disk_says_so(void **state) { RUN_EVERYWHERE(fill_the_disk); }

static int use_devices(void *arg)
{
    char bytes[64];
    int fd = weft_open("/dev/zero", O_RDWR, 0);

    (void)arg;
    memset(bytes, 1, sizeof bytes);
    EXPECT(weft_read_full(fd, bytes, sizeof bytes), sizeof bytes);
    EXPECT(bytes[0] | bytes[63], 0);
    EXPECT(weft_write(fd, bytes, sizeof bytes), sizeof bytes);
    EXPECT(weft_close(fd), 0);
    fd = weft_open("/dev/null", O_RDONLY, 0);
    EXPECT(weft_read(fd, bytes, sizeof bytes), 0);
    EXPECT(weft_close(fd), 0);
    return 0;
}

static void devices_without_readiness_can_be_used(void **state) { RUN_EVERYWHERE(use_devices); }

static int break_pipes(void *arg)
{
    int pipes[2];
    int ends[2];
    sigset_t pending;

    (void)arg;
    EXPECT(pipe2(pipes, O_CLOEXEC), 0);
    EXPECT(close(pipes[0]), 0);
    EXPECT(weft_write(pipes[1], "x", 1), -EPIPE);
    EXPECT(weft_close(pipes[1]), 0);
    wire(ends);
    EXPECT(close(ends[1]), 0);
    EXPECT(weft_write(ends[0], "x", 1), -EPIPE);
    EXPECT(weft_close(ends[0]), 0);
    EXPECT(sigpending(&pending), 0); /* one at the process would be there: main has it unblocked */
    return 0;
}

static void a_broken_pipe_is_an_error_and_no_signal(void **state)
{
    struct sigaction action = {.sa_handler = SIG_DFL}; /* whoever started this may ignore it */

    assert_int_equal(sigaction(SIGPIPE, &action, NULL), 0);
    RUN_EVERYWHERE(break_pipes);
    assert_int_equal(sigaction(SIGPIPE, NULL, &action), 0);
    assert_true(action.sa_handler == SIG_DFL);
}

struct pour {
    int fd;
    const unsigned char *bytes;
};

static int pour_in(void *arg)
{
    struct pour *pour = arg;

    EXPECT(weft_write_full(pour->fd, pour->bytes, BIG), BIG);
    EXPECT(weft_close(pour->fd), 0);
    return 0;
}

static int fill_pipe(int flags)
{
    int pipes[2];
    unsigned char *out = new_pattern();
    unsigned char *back = calloc(1, BIG);

    EXPECT(pipe2(pipes, O_CLOEXEC | flags), 0);
    weft_future pouring = weft_spawn_val(pour_in, ((struct pour){pipes[1], out}));
    EXPECT(weft_read_full(pipes[0], back, BIG), BIG);
    EXPECT(memcmp(out, back, BIG), 0);
    EXPECT(weft_read(pipes[0], back, 1), 0);
    EXPECT(weft_await(pouring), 0);
    EXPECT(weft_close(pipes[0]), 0);
    free(out);
    free(back);
    return 0;
}

static int fill_pipes(void *arg)
{
    (void)arg;
    (void)fill_pipe(0);
    return fill_pipe(O_NONBLOCK);
}

static void a_pipe_carries_more_than_it_holds(void **state) { RUN_EVERYWHERE(fill_pipes); }

static int read_three(void *arg)
{
    char bytes[3] = {0};
    int fd = *(int *)arg;

    EXPECT(weft_read_full(fd, bytes, 3), 3);
    EXPECT(memcmp(bytes, "abc", 3), 0);
    EXPECT(weft_read(fd, bytes, 1), 0); /* its writer has gone: that is the end */
    return 0;
}

static int wait_for_writer(void *arg)
{
    char folder[32];

    (void)arg;
    folder_new(folder);
    EXPECT(mkfifo(in_folder(folder, "p"), 0600), 0);
    EXPECT(weft_open(in_folder(folder, "p"), O_WRONLY, 0), -ENXIO); /* nobody reads it */
    int in = weft_open(in_folder(folder, "p"), O_RDONLY, 0);
    EXPECT(in >= 0, true);
    weft_future reading = weft_spawn_val(read_three, in);
    until_in_flight(in, 1);
    for (int i = 0; i < 50; i++)
        EXPECT(weft_yield(), 0); /* time enough to take silence for the end */
    int out = weft_open(in_folder(folder, "p"), O_WRONLY, 0);
    EXPECT(weft_write(out, "ab", 2), 2);
    EXPECT(weft_write(out, "c", 1), 1);
    EXPECT(weft_close(out), 0);
    EXPECT(weft_await(reading), 0);
    EXPECT(weft_close(in), 0);
    folder_remove(folder, "p");
    return 0;
}

static void a_named_pipe_waits_for_its_first_writer(void **state)
{
    RUN_EVERYWHERE(wait_for_writer);
}

static int read_byte(void *arg)
{
    char byte;

    return (int)weft_read(*(int *)arg, &byte, 1);
}

static int give_up_on_writer(void *arg)
{
    char folder[32];

    (void)arg;
    folder_new(folder);
    EXPECT(mkfifo(in_folder(folder, "p"), 0600), 0);
    for (int round = 0; round < 20; round++) {
        int in = weft_open(in_folder(folder, "p"), O_RDONLY, 0);
        weft_future reading = weft_spawn_val(read_byte, in);
        if (round % 2)
            until_in_flight(in, 1);
        if (round % 4 < 2) {
            EXPECT(weft_cancel(reading), 0);
            EXPECT(weft_await(reading), -ECANCELED);
            EXPECT(weft_close(in), 0);
        } else {
            EXPECT(weft_close(in), 0);
            EXPECT(weft_await(reading), -EBADF);
        }
    }
    folder_remove(folder, "p");
    return 0;
}

static void waiting_for_the_first_writer_can_be_ended(void **state)
{
    RUN_EVERYWHERE(give_up_on_writer);
}

static int read_nothing(void *arg)
{
    int ends[2];

    (void)arg;
    wire(ends);
    EXPECT(weft_read_full(ends[0], NULL, 0), 0);
    EXPECT(weft_write_full(ends[0], NULL, 0), 0);
    close_both(ends);
    int fd = weft_open("/dev/null", O_RDWR, 0);
    EXPECT(weft_read(fd, NULL, 0), 0);
    EXPECT(weft_write(fd, NULL, 0), 0);
    EXPECT(weft_close(fd), 0);
    return 0;
}

static void no_bytes_are_transferred_at_once(void **state) { RUN_EVERYWHERE(read_nothing); }

/* No ring, no loop takes a byte out of a stream for a call that names an offset. */
static int name_an_offset_of_a_stream(void *arg)
{
    int ends[2], pair[2];
    char byte = 'x';

    (void)arg;
    wire(ends);
    EXPECT(weft_write_full(ends[1], &byte, 1), 1);
    EXPECT(weft_pread(ends[0], &byte, 1, 0), -ESPIPE);
    EXPECT(weft_pwrite(ends[1], &byte, 1, 0), -ESPIPE);
    EXPECT(weft_read(ends[0], &byte, 1), 1);
    close_both(ends);
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    EXPECT(weft_write_full(pair[1], &byte, 1), 1);
    EXPECT(weft_pread(pair[0], &byte, 1, 0), -ESPIPE);
    EXPECT(weft_pwrite(pair[1], &byte, 1, 0), -ESPIPE);
    EXPECT(weft_read(pair[0], &byte, 1), 1);
    close_both(pair);
    return 0;
}

static void a_stream_has_no_offsets(void **state) { RUN_EVERYWHERE(name_an_offset_of_a_stream); }

/* Reads the kernel's log, which never ends: the next line is waited for. */
static int read_log(void *arg)
{
    char line[8192];
    int fd = *(int *)arg;
    ssize_t got;

    do
        got = weft_pread(fd, line, sizeof line, 0); /* suspends: worker, errno stale */
    while (got > 0 || got == -EPIPE); /* that: lines were overwritten before they were read */
    return (int)got;
}

static int wait_for_log(void *arg)
{
    int status[2];
    int fd = weft_open("/dev/kmsg", O_RDONLY | O_NONBLOCK, 0);

    (void)arg;
    EXPECT(fd >= 0, true);
    weft_future readers[] = {weft_spawn_val(read_log, fd), weft_spawn_val(read_log, fd)};
    EXPECT(weft_gather_n(readers, 2, status), -EBUSY);
    EXPECT(status[0] + status[1], -EBUSY - ECANCELED);
    EXPECT(weft_close(fd), 0);
    return 0;
}

/* With a ring each waits in the kernel. */
static void with_epoll_one_reader_at_an_offset_may_wait_for_a_device(void **state)
{
    const weft_options options = {.workers = 2, .loop = WEFT_LOOP_EPOLL};
    int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK);

    (void)state;
    if (fd < 0)
        skip(); /* no privilege, or no log */
    close(fd);
    assert_int_equal(weft_run_with(&options, wait_for_log, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_written_and_read_in_order),
        cmocka_unit_test(a_file_is_read_and_written_at_offsets),
        cmocka_unit_test(two_descriptors_with_one_position_do_not_overwrite_each_other),
        cmocka_unit_test(reads_at_offsets_may_overlap),
        cmocka_unit_test(a_crowd_of_operations_all_comes_back),
        cmocka_unit_test(what_cannot_be_opened_says_why),
        cmocka_unit_test(a_full_disk_says_so),
        cmocka_unit_test(devices_without_readiness_can_be_used),
        cmocka_unit_test(a_broken_pipe_is_an_error_and_no_signal),
        cmocka_unit_test(a_pipe_carries_more_than_it_holds),
        cmocka_unit_test(a_named_pipe_waits_for_its_first_writer),
        cmocka_unit_test(waiting_for_the_first_writer_can_be_ended),
        cmocka_unit_test(no_bytes_are_transferred_at_once),
        cmocka_unit_test(a_stream_has_no_offsets),
        cmocka_unit_test(with_epoll_one_reader_at_an_offset_may_wait_for_a_device),
    };

    return CHECK_GROUP(tests);
}
