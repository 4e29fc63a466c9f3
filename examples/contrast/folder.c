#include "folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int folder_make(struct folder *folder, struct failure *failure)
{
    const char *parent = getenv("TMPDIR");

    if (!parent || !*parent)
        parent = "/tmp";
    int bytes = snprintf(folder->path, sizeof folder->path, "%s/contrast-XXXXXX", parent);
    if (bytes < (int)sizeof folder->path && mkdtemp(folder->path))
        return 0;
    int rc = bytes < (int)sizeof folder->path ? -errno : -ENAMETOOLONG;
    folder->path[0] = '\0';
    return fail(failure, rc, "no folder can be made in %s: %s; set TMPDIR to one that you may use",
                parent, strerror(-rc));
}

void folder_remove(struct folder *folder)
{
    if (!folder->path[0])
        return;
    DIR *list = opendir(folder->path);
    if (list) {
        struct dirent *entry;
        while ((entry = readdir(list)))
            (void)unlinkat(dirfd(list), entry->d_name, 0); /* "." and ".." refuse */
        closedir(list);
    }
    rmdir(folder->path);
    folder->path[0] = '\0';
}
