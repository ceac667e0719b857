#include "eval/probe_sums.h"

#include "base/size.h"
#include "eval/probe_parts.h"
#include "kernel/solve.h"

/* Rows of a block of doubles, rows widened at once, features of a class sum. */
#define BLOCK 512
#define STRIP 16
#define BAND 128

/* Some of the rows of a part. */
typedef struct BlockJob {
    const MaeProbeSums *sums;
    const MaeProbe *probe;
    const MaeProbeSet *train;
    MaeProbePart part;
    size_t first, rows;
} BlockJob;

void mae_probe_sums_reserve(MaeProbeSums *sums, MaeArena *arena, size_t width,
                            size_t classes)
{
    sums->gram = mae_arena_bytes(arena, width, width * sizeof(double));
    sums->cross = mae_arena_bytes(arena, classes, width * sizeof(double));
    sums->sum = mae_arena_bytes(arena, width, sizeof(double));
    sums->classes = mae_arena_bytes(arena, classes, sizeof(double));
    sums->block = mae_arena_bytes(arena, width, BLOCK * sizeof(double));
    sums->count = 0.0;
}

static size_t part_rows(MaeProbePart part, size_t count)
{
    const size_t held = (count + MAE_PROBE_HOLD - 1) / MAE_PROBE_HOLD;

    if (part == MAE_PROBE_ALL)
        return count;
    return part == MAE_PROBE_HELD ? held : count - held;
}

/* Where row @p i of the block is among all. */
static size_t row_of(const BlockJob *job, size_t i)
{
    const size_t at = job->first + i;

    if (job->part == MAE_PROBE_ALL)
        return at;
    return job->part == MAE_PROBE_HELD ? at * MAE_PROBE_HOLD
                                       : at + at / (MAE_PROBE_HOLD - 1) + 1;
}

static void widen_strip(void *ctx, size_t index, size_t thread)
{
    const BlockJob *job = ctx;
    const MaeProbe *probe = job->probe;

    (void)thread;
    for (size_t i = index * STRIP; i < mae_smaller((index + 1) * STRIP, job->rows); i++) {
        const float *x = job->train->values + row_of(job, i) * job->train->ld;
        double *z = job->sums->block + i * probe->width;

        for (size_t d = 0; d < probe->width; d++)
            z[d] = (double)mae_probe_standard(probe, d, x[d]);
    }
}

/* Sums of a band of features, over all rows of the block and over those of each class. */
static void sum_band(const BlockJob *job, size_t first)
{
    const size_t width = job->probe->width, end = mae_smaller(first + BAND, width);

    for (size_t i = 0; i < job->rows; i++) {
        const double *z = job->sums->block + i * width;
        const size_t label = (size_t)job->train->labels[row_of(job, i)];
        double *cross = job->sums->cross + label * width, *sum = job->sums->sum;

        for (size_t d = first; d < end; d++) {
            cross[d] += z[d];
            sum[d] += z[d];
        }
    }
}

static void add_tile(void *ctx, size_t index, size_t thread)
{
    const BlockJob *job = ctx;
    const size_t width = job->probe->width, tiles = mae_solve_gram_tiles(width);

    (void)thread;
    if (index < tiles)
        mae_solve_gram(job->sums->gram, job->sums->block, job->rows, width, index);
    else
        sum_band(job, (index - tiles) * BAND);
}

void mae_probe_sums_add(MaeProbeSums *sums, MaeProbePart part, const MaeProbe *probe,
                        const MaeProbeSet *train, const MaeCompute *compute)
{
    const size_t bands = (probe->width + BAND - 1) / BAND;
    const size_t tiles = mae_solve_gram_tiles(probe->width) + bands;
    const size_t count = part_rows(part, train->count);

    for (size_t first = 0; first < count; first += BLOCK) {
        const size_t rows = mae_smaller(BLOCK, count - first);
        BlockJob job = {sums, probe, train, part, first, rows};

        mae_pool_run(compute->pool, (rows + STRIP - 1) / STRIP, widen_strip, &job);
        mae_pool_run(compute->pool, tiles, add_tile, &job);
        for (size_t i = 0; i < rows; i++)
            sums->classes[train->labels[row_of(&job, i)]] += 1.0;
    }
    sums->count += (double)count;
}

void mae_probe_sums_centre(const MaeProbeSums *sums, double *a, size_t width)
{
    const double *s = sums->sum;

    for (size_t i = 0; i < width; i++)
        for (size_t j = i; j < width; j++)
            a[i * width + j] = sums->gram[i * width + j] - s[i] * s[j] / sums->count;
}
