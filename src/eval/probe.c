#include "eval/probe.h"

#include <assert.h>
#include <math.h>

#include "base/size.h"
#include "eval/probe_parts.h"
#include "kernel/rows.h"

/* Features whose sums one thread takes: a cache line or more of each row. */
#define BAND 64

/* --- what is refused -------------------------------------------------------------- */

static MaeStatus check_labels(const MaeProbeSet *train, size_t classes, MaeError *err)
{
    const int64_t *labels = train->labels;
    size_t others = 0;

    for (size_t i = 0; i < train->count; i++) {
        if (labels[i] < 0 || (uint64_t)labels[i] >= classes)
            MAE_FAIL(err, MAE_ERR_ARG,
                     "probe: row %zu: expected a label 0 .. %zu, got %lld", i,
                     classes - 1, (long long)labels[i]);
        others += labels[i] != labels[0];
    }
    if (others == 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "probe: expected labels of at least two classes, got class %lld alone",
                 (long long)labels[0]);
    return MAE_OK;
}

static MaeStatus check_values(const MaeProbeSet *train, size_t width, MaeError *err)
{
    const float *x = train->values;

    for (size_t i = 0; i < train->count; i++, x += train->ld) {
        if (mae_rows_finite(x, width))
            continue;
        for (size_t d = 0; d < width; d++)
            if (!isfinite(x[d]))
                MAE_FAIL(err, MAE_ERR_NUMERIC,
                         "probe: row %zu, feature %zu: expected a finite number, got %g",
                         i, d, (double)x[d]);
    }
    return MAE_OK;
}

static MaeStatus check(const MaeProbeSet *train, size_t width, size_t classes,
                       MaeError *err)
{
    if (train->count == 0)
        MAE_FAIL(err, MAE_ERR_ARG, "probe: expected training rows, got none");
    if (width == 0)
        MAE_FAIL(err, MAE_ERR_ARG, "probe: expected at least one feature, got none");
    if (classes < 2)
        MAE_FAIL(err, MAE_ERR_ARG, "probe: expected at least two classes, got %zu",
                 classes);
    assert(train->ld >= width);
    MAE_TRY(check_labels(train, classes, err));
    return check_values(train, width, err);
}

/* --- standardisation -------------------------------------------------------------- */

typedef struct BandJob {
    const MaeProbe *probe;
    const MaeProbeSet *train;
} BandJob;

/*
 * Sums are of distances, first to the first row and then to the mean: features far from 0
 * lose nothing, and a constant one has a deviation of exactly 0.
 */
static void measure_band(void *ctx, size_t index, size_t thread)
{
    const BandJob *job = ctx;
    const MaeProbeSet *train = job->train;
    const size_t first = index * BAND,
                 width = mae_smaller(BAND, job->probe->width - first);
    double mean[BAND], sum[BAND] = {0}, squares[BAND] = {0};

    (void)thread;
    for (size_t i = 0; i < train->count; i++) {
        const float *x = train->values + i * train->ld + first;

        for (size_t d = 0; d < width; d++)
            sum[d] += (double)x[d] - (double)train->values[first + d];
    }
    for (size_t d = 0; d < width; d++)
        mean[d] = (double)train->values[first + d] + sum[d] / (double)train->count;
    for (size_t i = 0; i < train->count; i++) {
        const float *x = train->values + i * train->ld + first;

        for (size_t d = 0; d < width; d++)
            squares[d] += ((double)x[d] - mean[d]) * ((double)x[d] - mean[d]);
    }
    for (size_t d = 0; d < width; d++) {
        const float deviation = (float)sqrt(squares[d] / (double)train->count);

        job->probe->mean[first + d] = (float)mean[d];
        job->probe->scale[first + d] = deviation > 0.0f ? deviation : 1.0f;
    }
}

static void carve(MaeProbe *probe, MaeArena *arena)
{
    probe->weight = mae_arena_bytes(arena, probe->classes, probe->width * sizeof(float));
    probe->bias = mae_arena_floats(arena, probe->classes);
    probe->mean = mae_arena_floats(arena, probe->width);
    probe->scale = mae_arena_floats(arena, probe->width);
}

MaeStatus mae_probe_open(MaeProbe *probe, const MaeProbeSet *train, size_t width,
                         size_t classes, const MaeCompute *compute, MaeError *err)
{
    MaeProbe made = {.width = width, .classes = classes};
    MaeArena arena = mae_arena_measure();
    BandJob job = {&made, train};

    assert(mae_gemm_operand(compute->gemm) == MAE_F32);
    assert(mae_gemm_threads(compute->gemm) >= mae_pool_threads(compute->pool));
    MAE_TRY(check(train, width, classes, err));
    carve(&made, &arena);
    MAE_TRY(mae_arena_open(&made.memory, &arena, "probe", err));
    carve(&made, &made.memory);
    mae_pool_run(compute->pool, (width + BAND - 1) / BAND, measure_band, &job);
    *probe = made;
    return MAE_OK;
}

void mae_probe_done(MaeProbe *probe)
{
    if (probe == NULL)
        return;
    mae_arena_close(&probe->memory);
    *probe = (MaeProbe){.width = 0};
}

void mae_probe_standardise(const MaeProbe *probe, float *z, const float *values,
                           size_t ld, size_t rows)
{
    for (size_t i = 0; i < rows; i++, z += probe->width, values += ld)
        for (size_t d = 0; d < probe->width; d++)
            z[d] = mae_probe_standard(probe, d, values[d]);
}

/* --- logits ----------------------------------------------------------------------- */

typedef struct LogitsJob {
    const MaeProbe *probe;
    const MaeGemm *gemm;
    float *z; /* [threads,MAE_PROBE_ROWS,D] */
    float *logits;
    const float *values;
    size_t ld, count;
} LogitsJob;

static void logits_tile(void *ctx, size_t index, size_t thread)
{
    const LogitsJob *job = ctx;
    const size_t width = job->probe->width, classes = job->probe->classes;
    const size_t first = index * MAE_PROBE_ROWS;
    const size_t rows = mae_smaller(MAE_PROBE_ROWS, job->count - first);
    float *z = job->z + thread * MAE_PROBE_ROWS * width;

    mae_probe_standardise(job->probe, z, job->values + first * job->ld, job->ld, rows);
    mae_gemm_nt(mae_gemm_thread(job->gemm, thread),
                mae_operand_f32(job->logits + first * classes), classes, z, width,
                job->probe->weight, width, rows, classes, width, job->probe->bias, NULL);
}

MaeStatus mae_probe_logits(const MaeProbe *probe, float *logits, const float *values,
                           size_t ld, size_t count, const MaeCompute *compute,
                           MaeError *err)
{
    const size_t each = MAE_PROBE_ROWS * probe->width * sizeof(float);
    const size_t threads = mae_pool_threads(compute->pool);
    MaeArena arena = mae_arena_measure(), memory;
    LogitsJob job = {probe, compute->gemm, NULL, logits, values, ld, count};

    assert(ld >= probe->width && mae_gemm_operand(compute->gemm) == MAE_F32);
    (void)mae_arena_bytes(&arena, threads, each);
    MAE_TRY(mae_arena_open(&memory, &arena, "probe logits", err));
    job.z = mae_arena_bytes(&memory, threads, each);
    mae_pool_run(compute->pool, (count + MAE_PROBE_ROWS - 1) / MAE_PROBE_ROWS,
                 logits_tile, &job);
    mae_arena_close(&memory);
    return MAE_OK;
}
