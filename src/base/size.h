/**
 * @file size.h
 * Two sizes compared.
 *
 * Memory   Never allocates.
 * Errors   Cannot fail.
 * Threads  Reentrant.
 */
#ifndef MAE_BASE_SIZE_H
#define MAE_BASE_SIZE_H

#include <stddef.h>

/** The smaller one of @p a and @p b. */
static inline size_t mae_smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/** The larger one of @p a and @p b. */
static inline size_t mae_larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

#endif /* MAE_BASE_SIZE_H */
