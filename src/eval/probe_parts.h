/**
 * @file probe_parts.h
 * What the two probes share; private to src/eval.
 *
 * Threads  As probe.h.
 */
#ifndef MAE_EVAL_PROBE_PARTS_H
#define MAE_EVAL_PROBE_PARTS_H

#include "eval/probe.h"

/** Rows standardised and multiplied at a time: they stay in the level-2 cache. */
#define MAE_PROBE_ROWS 256

/** The standardised value of feature @p d. */
static inline float mae_probe_standard(const MaeProbe *probe, size_t d, float x)
{
    return (float)(((double)x - (double)probe->mean[d]) / (double)probe->scale[d]);
}

/**
 * Check the training rows, carve a probe with zero weights and standardise.
 * @param[out] probe released by mae_probe_done; untouched on failure.
 */
MaeStatus mae_probe_open(MaeProbe *probe, const MaeProbeSet *train, size_t width,
                         size_t classes, const MaeCompute *compute, MaeError *err);

/** z = standardised @p values, rows @p ld apart. @param[out] z [rows,D]. */
void mae_probe_standardise(const MaeProbe *probe, float *z, const float *values,
                           size_t ld, size_t rows);

#endif /* MAE_EVAL_PROBE_PARTS_H */
