/**
 * @file trial.h
 * Trying in a child process what may crash this one: a library at work on a hostile file.
 *
 * The child is a fork and gone when the call returns; what it did to memory and to file
 * descriptors' content is not seen here, their positions are shared. It has only the
 * calling thread: a lock that another thread holds is never released in it, so nobody may
 * be inside the library that is tried.
 *
 * Memory   What the child uses may grow by MAE_TRIAL_MEMORY, its address space by twice
 *          that. Whoever is refused memory may well return: it has not passed then.
 * Errors   A system that refuses another process lets everything pass. So does a child
 *          that does nothing for three seconds: it waits for a lock that a thread held
 *          when it was made (sanitizers have such locks), or for a disk.
 * Threads  Reentrant.
 */
#ifndef MAE_BASE_TRIAL_H
#define MAE_BASE_TRIAL_H

#include <stdbool.h>
#include <stddef.h>

#define MAE_TRIAL_MEMORY ((size_t)256 << 20)

/**
 * Run @p fn in a child, which has nothing to say: descriptors 1 and 2 lead nowhere.
 * @param seconds of processor time that it may take.
 * @return false if it did not return (it crashed, exited or was stopped), or has used too
 * much memory.
 */
bool mae_trial_passes(void (*fn)(void *ctx), void *ctx, unsigned seconds);

#endif /* MAE_BASE_TRIAL_H */
