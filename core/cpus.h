/*
 * cpus - how many processors this process may really use.
 */
#ifndef WEFT_CORE_CPUS_H
#define WEFT_CORE_CPUS_H

/* The least of the affinity mask and the CPU quotas of all control groups above this process
 * (versions 1 and 2), rounded up; at least 1. What cannot be read does not count. */
int weft__cpus(void);

/* The same with another root for files, for tests: "/some/dir" in front of /proc and /sys. */
int weft__cpus_under(const char *root);

#endif
