/**
 * @file clock.h
 * Monotonic and processor time for measuring, wall time for logs.
 * Threads  Reentrant.
 */
#ifndef MAE_BASE_CLOCK_H
#define MAE_BASE_CLOCK_H

#include <stddef.h>

/** Seconds since an arbitrary start; never goes back. */
double mae_clock_now(void);

/** Seconds since 1970-01-01 UTC. */
double mae_clock_wall(void);

/** Seconds of processor time that all threads of this process have used. */
double mae_clock_processor(void);

/** Write @p seconds as "1 h 02 min", "3 min 20 s" or "4.2 s". */
void mae_clock_duration(char *text, size_t size, double seconds);

#endif /* MAE_BASE_CLOCK_H */
