/**
 * @file cost.h
 * What a call costs in memory and processor time, measured in a process of its own.
 */
#ifndef MAE_TESTS_SUPPORT_COST_H
#define MAE_TESTS_SUPPORT_COST_H

#include <stddef.h>

/** Of a call; processor time, so that a busy machine does not count. */
typedef struct TestCost {
    size_t bytes; /* growth of the largest resident memory */
    double seconds;
} TestCost;

/** Run @p fn, which may assert, in a child process; a child that fails is a failure. */
TestCost test_cost(void (*fn)(void *ctx), void *ctx);

/**
 * Fail if @p fn costs as much as @p megabytes or @p seconds. Only runs it where a
 * sanitizer or valgrind would be what is measured.
 */
void test_costs_less(size_t megabytes, double seconds, void (*fn)(void *ctx), void *ctx);

#endif /* MAE_TESTS_SUPPORT_COST_H */
