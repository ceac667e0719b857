#include "eval/pca.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/solve.h"

/* C, or turned if it is wide, and what follows from it. */
typedef struct Pca {
    size_t n, width;        /* of X */
    size_t rows, side;      /* of C as it is stored: side = min(n,width) */
    double *centred;        /* [rows,side] */
    double *gram, *lengths; /* [side,side], then vectors; [side] eigenvalues */
} Pca;

static double *number(const Pca *p, size_t row, size_t column)
{
    return p->width <= p->n ? &p->centred[row * p->side + column]
                            : &p->centred[column * p->side + row];
}

static void centre(Pca *p, const float *x, size_t ld)
{
    for (size_t j = 0; j < p->width; j++) {
        double mean = 0.0;

        for (size_t i = 0; i < p->n; i++)
            mean += (double)x[i * ld + j];
        mean /= (double)p->n;
        for (size_t i = 0; i < p->n; i++)
            *number(p, i, j) = (double)x[i * ld + j] - mean;
    }
}

static void gram_tile(void *ctx, size_t tile, size_t thread)
{
    const Pca *p = ctx;

    (void)thread;
    mae_solve_gram(p->gram, p->centred, p->rows, p->side, tile);
}

/* Score of row @p i on the component with vector @p v and eigenvalue @p length. */
static double score(const Pca *p, size_t i, const double *v, double length)
{
    double sum = 0.0;

    if (p->width > p->n)
        return v[i] * sqrt(fmax(length, 0.0));
    for (size_t j = 0; j < p->width; j++)
        sum += p->centred[i * p->side + j] * v[j];
    return sum;
}

static MaeStatus compute(float *scores, double *shares, Pca *p, const float *x, size_t ld,
                         size_t k, MaePool *pool, MaeError *err)
{
    double total = 0.0;

    centre(p, x, ld);
    mae_pool_run(pool, mae_solve_gram_tiles(p->side), gram_tile, p);
    for (size_t i = 0; i < p->side; i++)
        total += p->gram[i * p->side + i];
    MAE_TRY(mae_solve_eigen(p->lengths, p->gram, p->side, err));
    for (size_t c = 0; c < k; c++) {
        const size_t at = c < p->side ? c : 0;
        const double length = c < p->side ? p->lengths[at] : 0.0;

        for (size_t i = 0; i < p->n; i++)
            scores[i * k + c] =
                c < p->side ? (float)score(p, i, p->gram + at * p->side, length) : 0.0f;
        if (shares != NULL)
            shares[c] = total > 0.0 ? fmax(length, 0.0) / total : 0.0;
    }
    return MAE_OK;
}

MaeStatus mae_pca_scores(float *scores, double *shares, const float *x, size_t ld,
                         size_t n, size_t width, size_t k, MaePool *pool, MaeError *err)
{
    const size_t side = n < width ? n : width;
    Pca p = {.n = n, .width = width, .rows = n < width ? width : n, .side = side};
    MaeStatus status;

    assert(n > 0 && width > 0 && ld >= width);
    p.centred = malloc(n * width * sizeof *p.centred);
    p.gram = calloc(side * side, sizeof *p.gram);
    p.lengths = malloc(side * sizeof *p.lengths);
    if (p.centred == NULL || p.gram == NULL || p.lengths == NULL)
        status =
            mae_error_set(err, MAE_ERR_NOMEM, __FILE__, __LINE__,
                          "principal components: out of memory for [%zu,%zu]", n, width);
    else
        status = compute(scores, shares, &p, x, ld, k, pool, err);
    free(p.centred);
    free(p.gram);
    free(p.lengths);
    return status;
}
