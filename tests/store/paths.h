/**
 * @file paths.h
 * Names in a scratch folder, for the tests of this folder.
 */
#ifndef MAE_TESTS_STORE_PATHS_H
#define MAE_TESTS_STORE_PATHS_H

#include <stdio.h>
#include <sys/stat.h>

typedef struct Path {
    char text[512];
} Path;

static inline Path path_in(const char *folder, const char *name)
{
    Path path;

    (void)snprintf(path.text, sizeof path.text, "%s/%s", folder, name);
    return path;
}

static inline int path_exists(const char *folder, const char *name)
{
    struct stat st;

    return lstat(path_in(folder, name).text, &st) == 0;
}

#endif /* MAE_TESTS_STORE_PATHS_H */
