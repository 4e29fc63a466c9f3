/*
 * info - prints what weft_info tells, one line each.
 */
#include <stdio.h>

#include <weft.h>

static int program(void *arg)
{
    static const char *const loops[] = {"differs", "uring", "epoll"};
    static const char *const guards[] = {"madvise", "mprotect"};
    weft_info_data info;

    (void)arg;
    int rc = weft_info(&info);
    if (rc < 0)
        return rc;
    printf("workers: %d\npool: %d\npool class: %s\n", info.workers, info.pool_threads,
           info.pool_class);
    printf("loop: %s\nloop why: %s\n", loops[info.loop], info.loop_why);
    printf("guard: %s\nstack: %zu\nstacks limit: %llu\n", guards[info.guard], info.stack_bytes,
           (unsigned long long)info.stacks_limit);
    return 0;
}

int main(void)
{
    int rc = weft_run(program, NULL);

    if (rc < 0)
        fprintf(stderr, "info: %s: %s\n", weft_strerror(rc), weft_why());
    return rc < 0;
}
