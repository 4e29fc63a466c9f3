/*
 * cpus_test - how many processors there are under quotas: false trees of /proc and /sys/fs/cgroup.
 */
#include "core/cpus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "core/sys.h"

struct file {
    const char *path, *text;
};

struct tree {
    struct file files[8];
    int cpus; /* with two processors or more; every machine for tests has them */
};

static char root[64];

/* All folders above a path. */
static void make_folders(char *path)
{
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        (void)mkdir(path, 0700); /* it is there already, or writing fails */
        *slash = '/';
    }
}

static bool make_tree(const struct tree *tree)
{
    char path[512];

    (void)snprintf(root, sizeof root, "/tmp/weft-cpus-XXXXXX"); /* fits */
    if (!mkdtemp(root))
        return false;
    for (const struct file *file = tree->files; file->path; file++) {
        (void)snprintf(path, sizeof path, "%s%s", root, file->path); /* fits */
        make_folders(path);
        FILE *out = fopen(path, "w");
        if (!out)
            return false;
        bool wrote = fputs(file->text, out) >= 0;
        if (fclose(out) != 0 || !wrote)
            return false;
    }
    return true;
}

static void remove_tree(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", root); /* fits */
    assert_int_equal(system(command), 0);
}

static void quotas_of_all_groups_above_count(void **state)
{
    static const struct tree trees[] = {
        /* version 2 */
        {{{"/proc/self/cgroup", "0::/a/b\n"}, {"/sys/fs/cgroup/a/b/cpu.max", "100000 100000\n"}},
         1},
        {{{"/proc/self/cgroup", "0::/a/b\n"},
          {"/sys/fs/cgroup/a/b/cpu.max", "max 100000\n"},
          {"/sys/fs/cgroup/a/cpu.max", "50000 100000\n"}}, /* the parent is tighter */
         1},
        {{{"/proc/self/cgroup", "0::/a/b\n"},
          {"/sys/fs/cgroup/a/b/cpu.max", "800000 100000\n"},
          {"/sys/fs/cgroup/cpu.max", "90000 100000\n"}}, /* the root of a container */
         1},
        {{{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "110000 100000\n"}}, 2},
        {{{"/proc/self/cgroup", "0::/\n"}, {"/sys/fs/cgroup/cpu.max", "1000 100000\n"}}, 1},
        {{{"/proc/self/cgroup", "0::/a\n"}, {"/sys/fs/cgroup/a/cpu.max", "max 100000\n"}}, 0},
        {{{"/proc/self/cgroup", "0::/a\n"}, {"/sys/fs/cgroup/a/cpu.max", ""}}, 0},
        {{{"/proc/self/cgroup", "0::/a\n"}, {"/sys/fs/cgroup/a/cpu.max", "rubbish"}}, 0},
        {{{"/proc/self/cgroup", "0::/a\n"}, {"/sys/fs/cgroup/a/cpu.max", "100000 0"}}, 0},
        {{{"/proc/self/cgroup", "0::/gone\n"}}, 0},
        {{{"/proc/self/cgroup", ""}}, 0},
        {{{"/proc/self/other", ""}}, 0},
        /* version 1 */
        {{{"/proc/self/cgroup", "5:cpuset:/x\n4:cpu,cpuacct:/a/b\n1:memory:/a\n"},
          {"/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "100000\n"},
          {"/sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n"}},
         1},
        {{{"/proc/self/cgroup", "4:cpuacct,cpu:/a/b\n"},
          {"/sys/fs/cgroup/cpu/a/b/cpu.cfs_quota_us", "-1\n"},
          {"/sys/fs/cgroup/cpu/a/b/cpu.cfs_period_us", "100000\n"},
          {"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "70000\n"},
          {"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"}},
         1},
        {{{"/proc/self/cgroup", "4:cpu:/a\n"},
          {"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "-1\n"},
          {"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"}},
         0},
        {{{"/proc/self/cgroup", "5:cpuset:/a\n"},
          {"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "100000\n"},
          {"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"}},
         0},
        /* both: the tighter one counts */
        {{{"/proc/self/cgroup", "4:cpu:/a\n0::/b\n"},
          {"/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us", "500000\n"},
          {"/sys/fs/cgroup/cpu/a/cpu.cfs_period_us", "100000\n"},
          {"/sys/fs/cgroup/b/cpu.max", "20000 100000\n"}},
         1},
    };
    int machine = weft__sys_cpus();

    (void)state;
    for (size_t i = 0; i < sizeof trees / sizeof trees[0]; i++) {
        assert_true(make_tree(&trees[i]));
        int cpus = weft__cpus_under(root);
        remove_tree();

        int expected = trees[i].cpus && trees[i].cpus < machine ? trees[i].cpus : machine;
        if (cpus != expected)
            print_error("tree %zu\n", i);
        assert_int_equal(cpus, expected);
    }
}

static void half_a_processor_more_is_one_worker_more(void **state)
{
    static const struct tree tree = {
        {{"/proc/self/cgroup", "0::/a\n"}, {"/sys/fs/cgroup/a/cpu.max", "150000 100000\n"}}, 2};

    (void)state;
    assert_true(make_tree(&tree));
    int cpus = weft__cpus_under(root);
    remove_tree();

    assert_int_equal(cpus, weft__sys_cpus() < 2 ? 1 : 2);
}

static int no_affinity(const char *call) { return strcmp(call, "affinity") == 0 ? -EPERM : 0; }

static void without_any_knowledge_there_is_one_processor(void **state)
{
    (void)state;
    weft__sys_fault = no_affinity;
    int cpus = weft__cpus_under("/nowhere/at/all");
    weft__sys_fault = NULL;

    assert_int_equal(cpus, 1);
}

static void a_path_too_long_does_not_count(void **state)
{
    char line[2000];
    char text[2100];
    struct tree tree = {{{"/proc/self/cgroup", text}}, 0};

    (void)state;
    memset(line, 'a', sizeof line - 1);
    line[sizeof line - 1] = 0;
    (void)snprintf(text, sizeof text, "0::/%s\n", line); /* fits */
    assert_true(make_tree(&tree));
    int cpus = weft__cpus_under(root);
    remove_tree();

    assert_int_equal(cpus, weft__sys_cpus());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotas_of_all_groups_above_count),
        cmocka_unit_test(half_a_processor_more_is_one_worker_more),
        cmocka_unit_test(without_any_knowledge_there_is_one_processor),
        cmocka_unit_test(a_path_too_long_does_not_count),
    };

    return CHECK_GROUP(tests);
}
