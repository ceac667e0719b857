/*
 * The row kernels, compiled once per instruction set: the build defines MAE_ROWS_TABLE
 * (the table's symbol) and MAE_ROWS_NAME. Plain loops for the vectoriser; each sum over a
 * row runs over the whole row at once, so it does not depend on the other rows.
 */
#include <assert.h>

#include "kernel/rows_math.h"
#include "kernel/rows_operand.h"
#include "kernel/rows_softmax.h"
#include "kernel/rows_table.h"
#include "kernel/rows_wide.h"

extern const MaeRowsTable MAE_ROWS_TABLE;

/* Elements per partial sum of sumsq. */
#define SUMSQ_CHUNK 4096

/* --- layer norm ------------------------------------------------------------------- */

/* Two passes: E[x^2] - E[x]^2 cancels badly when |mean| >> std. */
static void row_stats(float *mean, float *rstd, const float *x, size_t width, float eps)
{
    float sum = 0.0f, sq = 0.0f, mu;

#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < width; i++)
        sum += x[i];
    mu = sum / (float)width;
#pragma omp simd reduction(+ : sq)
    for (size_t i = 0; i < width; i++)
        sq += (x[i] - mu) * (x[i] - mu);
    *mean = mu;
    *rstd = 1.0f / sqrtf(sq / (float)width + eps);
}

static void row_normalize(MaeOperand y, size_t at, const float *x, float mean, float rstd,
                          const float *gamma, const float *beta, size_t width)
{
    float buffer[ROWS_CHUNK];

    for (size_t first = 0; first < width; first += ROWS_CHUNK) {
        const size_t n = mae_smaller(ROWS_CHUNK, width - first);
        const float *xs = x + first, *g = gamma + first, *b = beta + first;
        float *ys = rows_room(buffer, y, at + first);

#pragma omp simd
        for (size_t i = 0; i < n; i++)
            ys[i] = g[i] * ((xs[i] - mean) * rstd) + b[i];
        rows_narrow(y, at + first, ys, n);
    }
}

static void layernorm(MaeOperand y, float *mean, float *rstd, const float *x,
                      const float *gamma, const float *beta, size_t rows, size_t width,
                      float eps)
{
    for (size_t r = 0; r < rows; r++, x += width) {
        float mu, rs;

        row_stats(&mu, &rs, x, width, eps);
        row_normalize(y, r * width, x, mu, rs, gamma, beta, width);
        if (mean != NULL)
            mean[r] = mu;
        if (rstd != NULL)
            rstd[r] = rs;
    }
}

/* Means over a row that its gradient needs: of g = gamma dy, and of g xhat. */
typedef struct RowMeans {
    float g, gx;
} RowMeans;

static RowMeans row_grad_means(float *dgamma, float *dbeta, const float *dy,
                               const float *x, float mean, float rstd, const float *gamma,
                               size_t width)
{
    float g_sum = 0.0f, gx_sum = 0.0f;

#pragma omp simd reduction(+ : g_sum, gx_sum)
    for (size_t i = 0; i < width; i++) {
        const float xhat = (x[i] - mean) * rstd;
        const float g = gamma[i] * dy[i];

        g_sum += g;
        gx_sum += g * xhat;
        dgamma[i] += dy[i] * xhat;
        dbeta[i] += dy[i];
    }
    return (RowMeans){g_sum / (float)width, gx_sum / (float)width};
}

static void layernorm_grad(float *dx, MaeOperand y, float *dgamma, float *dbeta,
                           const float *dres, const float *dy, const float *x,
                           const float *mean, const float *rstd, const float *gamma,
                           const float *beta, size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++) {
        const float mu = mean[r], rs = rstd[r];
        const RowMeans m = row_grad_means(dgamma, dbeta, dy, x, mu, rs, gamma, width);

        if (dres == NULL) {
#pragma omp simd
            for (size_t i = 0; i < width; i++)
                dx[i] = rs * (gamma[i] * dy[i] - m.g - (x[i] - mu) * rs * m.gx);
        } else {
#pragma omp simd
            for (size_t i = 0; i < width; i++)
                dx[i] = dres[i] + rs * (gamma[i] * dy[i] - m.g - (x[i] - mu) * rs * m.gx);
            dres += width;
        }
        if (y.data != NULL)
            row_normalize(y, r * width, x, mu, rs, gamma, beta, width);
        dx += width;
        dy += width;
        x += width;
    }
}

/* --- residual, GELU --------------------------------------------------------------- */

static void residual(float *out, const float *res, const float *x, const float *scale,
                     size_t group, size_t rows, size_t width)
{
    assert(group > 0 || rows == 0);
    for (size_t r = 0; r < rows; r++, out += width, res += width, x += width) {
        const float s = scale[r / group];

#pragma omp simd
        for (size_t i = 0; i < width; i++)
            out[i] = res[i] + s * x[i];
    }
}

static void enter(MaeOperand y, float *sum, const float *x, const float *scale,
                  size_t group, size_t rows, size_t width)
{
    float buffer[ROWS_CHUNK];

    assert(scale == NULL || group > 0 || rows == 0);
    for (size_t r = 0; r < rows; r++) {
        const float s = scale == NULL ? 1.0f : scale[r / group];

        for (size_t first = 0; first < width; first += ROWS_CHUNK) {
            const size_t n = mae_smaller(ROWS_CHUNK, width - first),
                         at = r * width + first;
            const float *xs = x + at;
            float *ys = rows_room(buffer, y, at), *total = sum + first;

            if (sum == NULL) {
#pragma omp simd
                for (size_t i = 0; i < n; i++)
                    ys[i] = s * xs[i];
            } else {
#pragma omp simd
                for (size_t i = 0; i < n; i++) {
                    ys[i] = s * xs[i];
                    total[i] += ys[i];
                }
            }
            rows_narrow(y, at, ys, n);
        }
    }
}

static void gelu(MaeOperand y, MaeOperand x, size_t count)
{
    float buffer[ROWS_CHUNK];

#ifdef __AVX512BF16__
    if (y.type == MAE_BF16 && x.type == MAE_BF16) {
        wide_gelu(y, x, count);
        return;
    }
#endif
    for (size_t at = 0; at < count; at += ROWS_CHUNK) {
        const size_t n = mae_smaller(ROWS_CHUNK, count - at);
        const float *xs = rows_widened(buffer, x, at, n);
        float *ys = rows_room(buffer, y, at);

#pragma omp simd
        for (size_t i = 0; i < n; i++)
            ys[i] = xs[i] * rows_normal(xs[i]).below;
        rows_narrow(y, at, ys, n);
    }
}

static void gelu_grad(MaeOperand dx, MaeOperand y, float *sum, MaeOperand x, size_t rows,
                      size_t width)
{
    float dx_buffer[ROWS_CHUNK], y_buffer[ROWS_CHUNK], x_buffer[ROWS_CHUNK];

#ifdef __AVX512BF16__
    if (dx.type == MAE_BF16 && y.type == MAE_BF16 && x.type == MAE_BF16) {
        wide_gelu_grad(dx, y, sum, x, rows, width);
        return;
    }
#endif
    for (size_t r = 0; r < rows; r++) {
        for (size_t first = 0; first < width; first += ROWS_CHUNK) {
            const size_t n = mae_smaller(ROWS_CHUNK, width - first),
                         at = r * width + first;
            const float *xs = rows_widened(x_buffer, x, at, n);
            const float *dy = rows_widened(dx_buffer, dx, at, n);
            float *dxs = rows_room(dx_buffer, dx, at), *ys = rows_room(y_buffer, y, at);
            float *total = sum + first;

#pragma omp simd
            for (size_t i = 0; i < n; i++) {
                const float xi = xs[i];
                const RowsNormal normal = rows_normal(xi);
                const float d = dy[i] * (normal.below + xi * normal.density);

                dxs[i] = d;
                ys[i] = xi * normal.below;
                total[i] += d;
            }
            rows_narrow(dx, at, dxs, n);
            rows_narrow(y, at, ys, n);
        }
    }
}

/* --- sums and vectors ------------------------------------------------------------- */

/* Four rows per pass over the sums; each column still adds its rows in order. */
static void colsum_f32(float *sum, const float *x, size_t rows, size_t width, size_t ld)
{
    size_t r = 0;

    for (; r + 4 <= rows; r += 4) {
        const float *a = x + r * ld, *b = a + ld, *c = b + ld, *d = c + ld;

#pragma omp simd
        for (size_t i = 0; i < width; i++)
            sum[i] = (((sum[i] + a[i]) + b[i]) + c[i]) + d[i];
    }
    for (; r < rows; r++) {
        const float *a = x + r * ld;

#pragma omp simd
        for (size_t i = 0; i < width; i++)
            sum[i] += a[i];
    }
}

static void colsum_bf16(float *sum, const uint16_t *x, size_t rows, size_t width,
                        size_t ld)
{
    size_t r = 0;

    for (; r + 4 <= rows; r += 4) {
        const uint16_t *a = x + r * ld, *b = a + ld, *c = b + ld, *d = c + ld;

#pragma omp simd
        for (size_t i = 0; i < width; i++)
            sum[i] = (((sum[i] + mae_bf16_f32(a[i])) + mae_bf16_f32(b[i])) +
                      mae_bf16_f32(c[i])) +
                     mae_bf16_f32(d[i]);
    }
    for (; r < rows; r++) {
        const uint16_t *a = x + r * ld;

#pragma omp simd
        for (size_t i = 0; i < width; i++)
            sum[i] += mae_bf16_f32(a[i]);
    }
}

static void colsum(float *sum, MaeOperand x, size_t rows, size_t width, size_t ld)
{
    assert(ld >= width);
    if (x.type == MAE_BF16)
        colsum_bf16(sum, x.data, rows, width, ld);
    else
        colsum_f32(sum, x.data, rows, width, ld);
}

static void add(float *y, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void scale_to(float *y, float a, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = a * x[i];
}

static void scale_by(float *x, float a, size_t n)
{
    scale_to(x, a, x, n);
}

static void axpy(float *y, float a, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static double sumsq(const float *x, size_t n)
{
    double total = 0.0;

    for (size_t start = 0; start < n; start += SUMSQ_CHUNK) {
        const size_t count = mae_smaller(SUMSQ_CHUNK, n - start);
        double sum = 0.0;

#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < count; i++)
            sum += (double)x[start + i] * (double)x[start + i];
        total += sum;
    }
    return total;
}

/* 0 * x is 0 for a finite x and NaN otherwise. */
static bool finite(const float *x, size_t n)
{
    for (size_t start = 0; start < n; start += SUMSQ_CHUNK) {
        const size_t count = mae_smaller(SUMSQ_CHUNK, n - start);
        float zero = 0.0f;

#pragma omp simd reduction(+ : zero)
        for (size_t i = 0; i < count; i++)
            zero += 0.0f * x[start + i];
        if (isnan(zero))
            return false;
    }
    return true;
}

/* --- AdamW ------------------------------------------------------------------------ */

/* A first moment that is not finite makes the weight so; a second one may not. */
static bool adamw(float *w, MaeOperand copy, float *m, float *v, const float *g,
                  size_t count, const MaeAdamWStep *step)
{
    const float keep = (float)(1.0 - step->lr * step->weight_decay);
    const float beta1 = (float)step->beta1, rest1 = (float)(1.0 - step->beta1);
    const float beta2 = (float)step->beta2, rest2 = (float)(1.0 - step->beta2);
    const float rate = (float)(step->lr / step->bias1);
    const float root = (float)sqrt(step->bias2), eps = (float)step->eps;
    const float grad_scale = (float)step->grad_scale;
    float zero = 0.0f; /* as in finite */

    for (size_t at = 0; at < count; at += ROWS_CHUNK) {
        const size_t n = mae_smaller(ROWS_CHUNK, count - at);

#pragma omp simd reduction(+ : zero)
        for (size_t i = at; i < at + n; i++) {
            const float grad = grad_scale * g[i];
            const float mi = beta1 * m[i] + rest1 * grad;
            const float vi = beta2 * v[i] + rest2 * grad * grad;

            m[i] = mi;
            v[i] = vi;
            w[i] = keep * w[i] - rate * (mi / (sqrtf(vi) / root + eps));
            zero += 0.0f * w[i] + 0.0f * vi;
        }
        rows_narrow(copy, at, w + at, n);
    }
    return !isnan(zero);
}

/* --- for tests -------------------------------------------------------------------- */

static void exp_each(float *y, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = rows_exp(x[i]);
}

static void normal_each(float *y, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = rows_normal(x[i]).below;
}

const MaeRowsTable MAE_ROWS_TABLE = {
    .name = MAE_ROWS_NAME,
    .layernorm = layernorm,
    .layernorm_grad = layernorm_grad,
    .residual = residual,
    .enter = enter,
    .gelu = gelu,
    .gelu_grad = gelu_grad,
    .colsum = colsum,
    .add = add,
    .scale = scale_by,
    .axpy = axpy,
    .softmax = rows_softmax,
    .softmax_grad = rows_softmax_grad,
    .cross_entropy = rows_cross_entropy,
    .sumsq = sumsq,
    .finite = finite,
    .adamw = adamw,
    .exp = exp_each,
    .normal = normal_each,
};
