/**
 * @file pages.h
 * Large blocks of memory.
 *
 * A block of several megabytes comes from the system directly and asks for huge pages: it
 * is touched hundreds of times faster the first time, and the processor's page tables
 * reach all of it. Nothing is written to it here, so that a program starts at once and
 * memory that nobody touches is never taken.
 *
 * Memory   The caller owns the block and gives it back with mae_pages_free.
 * Errors   NULL if memory runs out. A system without huge pages is no error.
 * Threads  Reentrant.
 */
#ifndef MAE_BASE_PAGES_H
#define MAE_BASE_PAGES_H

#include <stdbool.h>
#include <stddef.h>

/** @return @p size bytes, more than 0, all of them 0, aligned to 64. */
void *mae_pages_alloc(size_t size);

/** @param block from mae_pages_alloc, or NULL.  @param size as it was asked for. */
void mae_pages_free(void *block, size_t size);

/**
 * Whether @p size bytes could be had right now. For libraries that do not survive an
 * allocation that fails: look before the call. Another thread may take them meanwhile.
 */
bool mae_pages_fit(size_t size);

#endif /* MAE_BASE_PAGES_H */
