/**
 * @file available.h
 * How much memory this process may still use.
 *
 * Source   proc(5), MemAvailable; cgroups(7), memory.max (version 2) and
 *          memory.limit_in_bytes (version 1), as batch systems and containers set them.
 * Threads  Reentrant.
 */
#ifndef MAE_BASE_AVAILABLE_H
#define MAE_BASE_AVAILABLE_H

#include <stddef.h>

/**
 * Bytes that could be used without swapping, at most what the control groups of this
 * process allow in all; SIZE_MAX if the system does not say.
 */
size_t mae_available_memory(void);

/**
 * The smallest limit of control groups.
 * @param groups content of /proc/self/cgroup.
 * @param mount  where control groups are mounted, usually "/sys/fs/cgroup".
 * @return bytes; SIZE_MAX if there is no limit.
 */
size_t mae_available_group_limit(const char *groups, const char *mount);

#endif /* MAE_BASE_AVAILABLE_H */
