#include "nn/weight_grad.h"

/*
 * A band is read once per tile together with all of x, so wide bands save traffic and
 * narrow ones balance threads: 128 rows of dW keep both operands' panels in the L2 cache.
 */
#define BAND 128

typedef struct Grid {
    const MaeWeightGrad *jobs;
    const MaeCompute *compute;
    float *dw;
    size_t size; /* bytes of an operand */
} Grid;

static size_t bands(const MaeWeightGrad *job)
{
    return (job->out + BAND - 1) / BAND;
}

static void run_band(void *ctx, size_t tile, size_t thread)
{
    const Grid *grid = ctx;
    const MaeWeightGrad *job = grid->jobs;
    float *dw;
    size_t first, count;

    for (; tile >= bands(job); job++)
        tile -= bands(job);
    first = tile * BAND;
    count = job->out - first < BAND ? job->out - first : BAND;
    mae_lap(mae_compute_lap(grid->compute, thread), MAE_LAP_WAIT);
    dw = grid->dw + job->off + first * job->in;
    mae_gemm_tn(mae_gemm_thread(grid->compute->gemm, thread), mae_operand_f32(dw),
                job->in, (const char *)job->dy + first * grid->size, job->out, job->x,
                job->in, count, job->in, job->rows, NULL, dw);
    mae_lap(mae_compute_lap(grid->compute, thread), MAE_LAP_WEIGHT_GRAD);
}

void mae_weight_grad_run(const MaeWeightGrad *jobs, size_t count,
                         const MaeCompute *compute, float *dw)
{
    Grid grid = {jobs, compute, dw, mae_dtype_size(mae_gemm_operand(compute->gemm))};
    size_t tiles = 0;

    for (size_t i = 0; i < count; i++)
        tiles += bands(&jobs[i]);
    mae_pool_run(compute->pool, tiles, run_band, &grid);
}
