/**
 * @file pages.h
 * Large blocks of memory.
 *
 * A block of several megabytes asks the system for huge pages: it is touched hundreds of
 * times faster the first time, and the processor's page tables reach all of it.
 *
 * Memory   The caller owns the block and gives it back with free().
 * Errors   NULL if memory runs out. A system without huge pages is no error.
 * Threads  Reentrant.
 */
#ifndef MAE_BASE_PAGES_H
#define MAE_BASE_PAGES_H

#include <stddef.h>

/** @return @p size bytes, more than 0, aligned to 64; contents undefined. */
void *mae_pages_alloc(size_t size);

#endif /* MAE_BASE_PAGES_H */
