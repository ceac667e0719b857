#include "nn/weight_grad.h"

/*
 * A band is read once per tile together with all of x, so wide bands save traffic and
 * narrow ones balance threads: up to 128 rows of dW keep both operands' panels in the L2
 * cache. All bands of a layer have the same size, in whole vectors, but for the last.
 */
#define BAND 128
#define STEP 16

typedef struct Grid {
    const MaeWeightGrad *jobs;
    const MaeCompute *compute;
    float *dw;
    MaeGradUse use;
    size_t size; /* bytes of an operand */
} Grid;

static size_t band_of(const MaeWeightGrad *job)
{
    const size_t count = (job->out + BAND - 1) / BAND;

    return ((job->out + count - 1) / count + STEP - 1) / STEP * STEP;
}

static size_t bands(const MaeWeightGrad *job)
{
    const size_t band = band_of(job);

    return (job->out + band - 1) / band;
}

static void run_band(void *ctx, size_t tile, size_t thread)
{
    const Grid *grid = ctx;
    const MaeWeightGrad *job = grid->jobs;
    float *dw;
    size_t band, first, count;

    for (; tile >= bands(job); job++)
        tile -= bands(job);
    band = band_of(job);
    first = tile * band;
    count = job->out - first < band ? job->out - first : band;
    mae_lap(mae_compute_lap(grid->compute, thread), MAE_LAP_WAIT);
    dw = grid->dw + job->off + first * job->in;
    mae_gemm_tn(mae_gemm_thread(grid->compute->gemm, thread), mae_operand_f32(dw),
                job->in, (const char *)job->dy + first * grid->size, job->out, job->x,
                job->in, count, job->in, job->rows, NULL,
                grid->use == MAE_GRAD_ADD ? dw : NULL);
    mae_lap(mae_compute_lap(grid->compute, thread), MAE_LAP_WEIGHT_GRAD);
    mae_compute_poll(grid->compute, thread);
}

void mae_weight_grad_run(const MaeWeightGrad *jobs, size_t count,
                         const MaeCompute *compute, float *dw, MaeGradUse use)
{
    Grid grid = {jobs, compute, dw, use, mae_dtype_size(mae_gemm_operand(compute->gemm))};
    size_t tiles = 0;

    for (size_t i = 0; i < count; i++)
        tiles += bands(&jobs[i]);
    mae_pool_run(compute->pool, tiles, run_band, &grid);
}
