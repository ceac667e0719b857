/**
 * @file allocations.h
 * malloc and its relatives, counted and made to fail: for programs that are linked with
 * --wrap for each of them (tests/train/meson.build). Shared libraries are not seen.
 *
 * Threads  All count.
 */
#ifndef MAE_TESTS_SUPPORT_ALLOCATIONS_H
#define MAE_TESTS_SUPPORT_ALLOCATIONS_H

#include <stddef.h>

/** Count from 0; allocation @p n, from 1, fails (0: none). */
void test_allocations_fail(size_t n);

/** So far, of all threads since the count began. */
size_t test_allocations(void);

/** Of the calling thread since it began. */
size_t test_allocations_of_thread(void);

#endif /* MAE_TESTS_SUPPORT_ALLOCATIONS_H */
