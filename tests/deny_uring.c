/*
 * deny_uring - runs a program in a world where io_uring is refused, as in many containers, and epoll_pwait2,
 * as by filters that are older than that call.
 *
 *     deny_uring EPERM build/release/tests/tcp_test
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int deny(unsigned error)
{
    /* The number of the call alone decides: the programs are of this machine's own kind. */
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_epoll_pwait2, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, __NR_io_uring_setup, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, __NR_io_uring_register, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof rules / sizeof rules[0], .filter = rules};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
    if (argc < 3 || (strcmp(argv[1], "EPERM") != 0 && strcmp(argv[1], "ENOSYS") != 0)) {
        fprintf(stderr, "deny_uring EPERM|ENOSYS PROGRAM ...\n");
        return 2;
    }
    int rc = deny(strcmp(argv[1], "EPERM") == 0 ? EPERM : ENOSYS);
    if (rc < 0) {
        fprintf(stderr, "deny_uring: no seccomp filter: %s\n", strerror(-rc));
        return 2;
    }
    execvp(argv[2], argv + 2);
    fprintf(stderr, "deny_uring: %s: %s\n", argv[2], strerror(errno));
    return 2;
}
