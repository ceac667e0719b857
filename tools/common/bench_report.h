/**
 * @file bench_report.h
 * What mae-bench measured, as text or as one line of JSON.
 *
 * JSON     benchmark, version, processor, backend, precision, threads, model, batch,
 *          steps, seconds {median, min, max}, images_per_second, peak_mb (of the
 *          process), and
 *          gemm    parameters, gflop_per_image, gflops, products [{layers, product,
 *                  gflop, gflops}], each in its fastest pass
 *          step    parameters, gflop_per_image, gflops, ceiling {gflops, best_gflops,
 *                  share}: products alone in their fastest pass, in their fastest
 *                  stage, and the step's share of the first; planned_mb {state,
 *                  activations, images}; peak_without_state_mb: less 16 bytes a
 *                  parameter in f32 (weights, gradients, moments), 18 in bf16
 *          embed   the same; peak_without_state_mb: less the weights (4 bytes a
 *                  parameter, in bf16 2 more of the encoder's)
 *          loader  workers, images_per_second_per_worker, cpu_seconds,
 *                  images_per_second_per_core (of processor time), bad_images
 * Units    10^6 bytes, 10^9 operations, seconds.
 * Errors   NOMEM; a failing stdout shows when the tool ends.
 */
#ifndef MAE_TOOLS_COMMON_BENCH_REPORT_H
#define MAE_TOOLS_COMMON_BENCH_REPORT_H

#include <stdbool.h>

#include "train/bench.h"

/** On stdout. @param version of the library. */
MaeStatus bench_report_print(const MaeBench *bench, const MaeConfig *cfg,
                             const MaeBenchResult *result, const char *version, bool json,
                             MaeError *err);

#endif /* MAE_TOOLS_COMMON_BENCH_REPORT_H */
