/**
 * @file pool.h
 * The one owner of compute threads: runs a fixed grid of tiles.
 *
 * Work is cut into tiles by the caller from shapes alone, never from the number of
 * threads; which thread runs which tile is free. A tile writes only its own output, so
 * results are bitwise the same for any number of threads.
 *
 * Memory   open allocates; run never does.
 * Errors   open fails with ARG (too many threads), NOMEM or IO (thread creation); run
 *          cannot fail.
 * Threads  run is called by one thread at a time, which works along as thread 0. A tile
 *          must not call run on the same pool.
 */
#ifndef MAE_BASE_POOL_H
#define MAE_BASE_POOL_H

#include <stddef.h>

#include "base/log.h"
#include "base/status.h"

typedef struct MaePool MaePool;

/**
 * One tile of work.
 * @param tile   0 .. tiles-1
 * @param thread 0 .. threads-1; at most one tile runs per thread index at a time, so it
 * may index scratch memory.
 */
typedef void (*MaePoolFn)(void *ctx, size_t tile, size_t thread);

/**
 * @param threads 0 = one per processor this process may use. Owned by the caller.
 * @return ARG for more than mae_pool_most: each thread costs stack and scratch memory.
 */
MaeStatus mae_pool_open(MaePool **pool, size_t threads, MaeError *err);

/** Wait for the threads to end; accepts NULL. */
void mae_pool_close(MaePool *pool);

/** Number of threads, the caller's included; 1 for NULL. */
size_t mae_pool_threads(const MaePool *pool);

/** Run fn for every tile and return when all are done. NULL pool: here, in order. */
void mae_pool_run(MaePool *pool, size_t tiles, MaePoolFn fn, void *ctx);

/** Processors this process may use (affinity mask), at least 1. */
size_t mae_pool_processors(void);

/** Threads that a pool may have here: 4 for each processor, 256 if those are fewer. */
size_t mae_pool_most(void);

/** Warn where @p threads are more than the processors. */
void mae_pool_judge(const MaeLog *log, size_t threads);

#endif /* MAE_BASE_POOL_H */
