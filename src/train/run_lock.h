/**
 * @file run_lock.h
 * One process per run folder: the file .lock, held with flock.
 *
 * The lock dies with its process, so a file that a crash left behind is taken over. The
 * owner removes the file at the end; whoever opened it in between notices and starts
 * again. On file systems without flock the file only says who is at work.
 *
 * Errors   ARG naming the process that holds the lock, IO.
 * Threads  One thread.
 */
#ifndef MAE_TRAIN_RUN_LOCK_H
#define MAE_TRAIN_RUN_LOCK_H

#include "base/status.h"

/** @param[in,out] lock -1, then a descriptor.  @param folder exists; under 4096 bytes. */
MaeStatus mae_run_lock_take(int *lock, const char *folder, MaeError *err);

/** Remove the file and let go; -1 is fine. */
void mae_run_lock_release(int *lock, const char *folder);

#endif /* MAE_TRAIN_RUN_LOCK_H */
