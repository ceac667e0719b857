/**
 * @file stats.h
 * Mean and standard deviation of each channel of a dataset.
 *
 *   mean = avg_i m_i,   var = avg_i (v_i + (m_i - mean)^2)
 *
 * with m_i, v_i the mean and variance over the pixels of image i: every image counts
 * the same, whatever its size, as it does after resizing.
 *
 * Units    u8/255, u16/65535, f32 as it is: those of image/resize.h's normalisation.
 * Errors   Bad images are left out; FORMAT if that leaves none.
 * Threads  Images are shared out over the pool; sums are taken in index order, so the
 *          result is bitwise the same for any number of threads.
 */
#ifndef MAE_DATA_STATS_H
#define MAE_DATA_STATS_H

#include <stddef.h>

#include "base/pool.h"
#include "base/status.h"
#include "data/dataset.h"

#define MAE_STATS_SAMPLES 10000

/**
 * @param[out] mean, std [C], C = channels of the dataset. The deviation of a channel
 * that never changes is given as 1.
 * @param[out] used  images that went in; may be NULL.
 * @param indices    [count] samples to look at; NULL: all, count is ignored.
 * @param max_images 0: MAE_STATS_SAMPLES; if there are more, as many evenly spaced ones.
 */
MaeStatus mae_stats_measure(float *mean, float *std, size_t *used, const MaeDataset *ds,
                            const size_t *indices, size_t count, size_t max_images,
                            MaePool *pool, MaeError *err);

#endif /* MAE_DATA_STATS_H */
