/**
 * @file bench.h
 * Benchmarks of what a run spends its time on: mae-bench without the command line.
 *
 *   gemm    the matrix products of a training step alone, see train/products.h
 *   step    training steps (forward, backward, optimiser) as the trainer does them, on
 *           one random batch in memory; products alone are measured in turns with them
 *   embed   features of whole images (model/embedder.h, mean of the patches), random
 *           and in memory; products alone are measured in turns with them
 *   loader  batches of data.train, decoded and augmented as in training; nothing computes
 *
 * The model, batch, precision, threads and data are those of a configuration. Nothing is
 * written to disk.
 *
 * Units    Seconds, bytes, floating-point operations counted as in train/products.h.
 * Errors   As the parts: ARG, SHAPE, NOMEM; FORMAT and IO of data; NUMERIC.
 * Threads  A benchmark owns its pool; one at a time.
 */
#ifndef MAE_TRAIN_BENCH_H
#define MAE_TRAIN_BENCH_H

#include "base/lap.h"
#include "conf/config.h"
#include "mae/log.h"
#include "train/products.h"

typedef struct MaeBenchOptions {
    size_t steps;  /* measured: steps, passes or batches; 1 or more */
    size_t warmup; /* done before and not measured; 1 or more */
    bool ceiling;  /* step, embed: measure products alone, too */
} MaeBenchOptions;

/** Of one quantity in seconds; all 0 if it was not measured. */
typedef struct MaeBenchTimes {
    double median, min, max, sum;
    size_t count;
} MaeBenchTimes;

/** A stage of products alone, see MaeProductStage. */
typedef struct MaeBenchStage {
    const char *layers, *product; /* static texts */
    double flops, seconds;        /* of the fastest pass */
} MaeBenchStage;

/** Images of data.train, read and prepared. */
typedef struct MaeBenchLoader {
    size_t workers;
    double cpu_seconds; /* processor time of the whole process in times.sum */
    size_t bad;         /* images that were replaced */
} MaeBenchLoader;

/** What was measured; fields that do not belong to a benchmark are 0. */
typedef struct MaeBenchResult {
    MaeBenchTimes times;           /* of a step, a pass or a batch */
    size_t images;                 /* in each */
    double flops;                  /* in each */
    MaeBenchTimes passes;          /* of products alone */
    double pass_flops, best_stage; /* operations in a pass; a second in the best stage */
    MaeBenchStage stages[MAE_PRODUCT_STAGES];
    size_t stage_count; /* in use */
    double
        laps[MAE_LAP_CLASSES]; /* seconds of a step by class of work, mean of threads */
    double optimiser;          /* seconds of a step: norm, update, zeroing */
    MaeBenchLoader loader;
    char backend[96]; /* of the products */
    MaeDtype operand; /* their precision */
    size_t threads, parameters;
    size_t parameter_bytes; /* of a step 16 a parameter, in bf16 18; of embed weights */
    size_t state_bytes;     /* planned: weights, gradients, optimiser; of embed weights */
    size_t activation_bytes; /* planned */
    size_t image_bytes;      /* planned */
    size_t peak_bytes;       /* of the process, operands of products alone left out */
} MaeBenchResult;

typedef struct MaeBench {
    const char *name;
    const char *summary; /* a line */
    /** @param cfg of pretraining.  @param[out] result undefined on failure. */
    MaeStatus (*run)(const MaeConfig *cfg, const MaeBenchOptions *options,
                     const MaeLog *log, MaeBenchResult *result, MaeError *err);
} MaeBench;

/** Every benchmark; ended by a NULL name. */
extern const MaeBench mae_benches[];

/** The one called @p name, or NULL. */
const MaeBench *mae_bench_find(const char *name);

/** Sort @p seconds [count] and sum up; count > 0. */
MaeBenchTimes mae_bench_times(double *seconds, size_t count);

/** Images per second: of the median, or of the sum where batches come in bursts. */
double mae_bench_speed(const MaeBenchResult *result);

/** Operations per second of the median; 0 if they are not counted. */
double mae_bench_flops(const MaeBenchResult *result);

/** Operations per second of the fastest pass of products alone; 0 without one. */
double mae_bench_ceiling(const MaeBenchResult *result);

#endif /* MAE_TRAIN_BENCH_H */
