#include "kernel/solve.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "base/size.h"

/* Rows and columns of a tile of G: usual widths have several, each a large product. */
#define TILE 128

/*
 * LAPACK's own interface: column-major, everything by address. A length follows for each
 * text, as gfortran passes it; an implementation in C does not look at it.
 */
void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info,
             size_t length);
void dpotrs_(const char *uplo, const int *n, const int *count, const double *a,
             const int *lda, double *b, const int *ldb, int *info, size_t length);
void dsyevd_(const char *jobz, const char *uplo, const int *n, double *a, const int *lda,
             double *w, double *work, const int *lwork, int *iwork, const int *liwork,
             int *info, size_t jobz_length, size_t uplo_length);

size_t mae_solve_gram_tiles(size_t n)
{
    const size_t side = (n + TILE - 1) / TILE;

    return side * (side + 1) / 2;
}

void mae_solve_gram(double *gram, const double *x, size_t rows, size_t n, size_t tile)
{
    size_t down = 0, row, column;

    assert(tile < mae_solve_gram_tiles(n) && n <= INT_MAX && rows <= INT_MAX);
    /* Tiles of the first row of tiles come first, then those of the second, ... */
    for (size_t left = (n + TILE - 1) / TILE; tile >= left; left--, down++)
        tile -= left;
    row = down * TILE;
    column = row + tile * TILE;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)mae_smaller(TILE, n - row),
                (int)mae_smaller(TILE, n - column), (int)rows, 1.0, x + row, (int)n,
                x + column, (int)n, 1.0, gram + row * n + column, (int)n);
}

MaeStatus mae_solve_factor(double *a, size_t n, MaeError *err)
{
    const int size = (int)n;
    int info = 0;

    assert(n > 0 && n <= INT_MAX);
    /* Read by columns, the upper triangle is the lower one. */
    dpotrf_("L", &size, a, &size, &info, 1);
    assert(info >= 0);
    /* NaN may pass the factorisation, but reaches the diagonal. */
    for (size_t i = 0; i < n && info == 0; i++)
        if (!isfinite(a[i * n + i]))
            info = (int)i + 1;
    if (info > 0)
        MAE_FAIL(err, MAE_ERR_NUMERIC,
                 "solve: expected a positive definite matrix [%zu,%zu], got one that is "
                 "not from row %d on",
                 n, n, info - 1);
    return MAE_OK;
}

void mae_solve_factored(const double *u, double *b, size_t n, size_t m)
{
    const int size = (int)n, count = (int)m;
    int info = 0;

    assert(n > 0 && n <= INT_MAX && m > 0 && m <= INT_MAX);
    /* Read by columns, a row of b is a column. */
    dpotrs_("L", &size, &count, u, &size, b, &size, &info, 1);
    assert(info == 0);
    (void)info;
}

/* --- eigenvectors ----------------------------------------------------------------- */

/* dsyevd with the memory that it asks for. @return 0, or its complaint; -1: no memory. */
static int decompose(double *values, double *a, int n)
{
    const int query = -1;
    int info = 0, integers = 0, reals, *iwork;
    double size = 0.0, *work;

    dsyevd_("V", "L", &n, a, &n, values, &size, &query, &integers, &query, &info, 1, 1);
    assert(info == 0 && size <= INT_MAX);
    reals = (int)size;
    work = malloc((size_t)reals * sizeof *work);
    iwork = malloc((size_t)integers * sizeof *iwork);
    if (work != NULL && iwork != NULL)
        dsyevd_("V", "L", &n, a, &n, values, work, &reals, iwork, &integers, &info, 1, 1);
    else
        info = -1;
    free(work);
    free(iwork);
    return info;
}

static void swap(double *a, double *b)
{
    const double kept = *a;

    *a = *b;
    *b = kept;
}

/* Rows from rising to falling eigenvalue. */
static void turn_round(double *values, double *rows, size_t n)
{
    for (size_t i = 0; i < n / 2; i++) {
        const size_t j = n - 1 - i;

        swap(&values[i], &values[j]);
        for (size_t k = 0; k < n; k++)
            swap(&rows[i * n + k], &rows[j * n + k]);
    }
}

/* Of the two unit vectors the one whose largest component is positive. */
static void point(double *vector, size_t n)
{
    size_t largest = 0;

    for (size_t i = 1; i < n; i++)
        if (fabs(vector[i]) > fabs(vector[largest]))
            largest = i;
    if (vector[largest] < 0.0)
        for (size_t i = 0; i < n; i++)
            vector[i] = -vector[i];
}

MaeStatus mae_solve_eigen(double *values, double *a, size_t n, MaeError *err)
{
    int info;

    assert(n > 0 && n <= 32000); /* its workspace is counted in int */
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            if (!isfinite(a[i * n + j]))
                MAE_FAIL(err, MAE_ERR_NUMERIC,
                         "eigenvectors: expected a finite matrix [%zu,%zu], got %g in "
                         "row %zu",
                         n, n, a[i * n + j], i);
    /* Read by columns, the upper triangle is the lower one, and vectors come as rows. */
    info = decompose(values, a, (int)n);
    if (info < 0)
        MAE_FAIL(err, MAE_ERR_NOMEM, "eigenvectors: out of memory for [%zu,%zu]", n, n);
    if (info > 0)
        MAE_FAIL(err, MAE_ERR_NUMERIC,
                 "eigenvectors: no convergence for a matrix [%zu,%zu]", n, n);
    turn_round(values, a, n);
    for (size_t i = 0; i < n; i++)
        point(a + i * n, n);
    return MAE_OK;
}
