/**
 * @file photo.h
 * Pictures with the statistics of photographs, for benchmarks and tolerances.
 *
 * Smooth noise on grids of 2, 4, 8 ... pixels, about equally strong on each (the spectrum
 * of natural images falls as 1/f), in brightness and, weaker and coarser, in colour.
 */
#ifndef MAE_TESTS_SUPPORT_PHOTO_H
#define MAE_TESTS_SUPPORT_PHOTO_H

#include <stddef.h>
#include <stdint.h>

/** @param[out] rgb [H,W,3]; the same for the same arguments. */
void mae_test_photo(uint8_t *rgb, size_t height, size_t width, uint64_t seed);

#endif /* MAE_TESTS_SUPPORT_PHOTO_H */
