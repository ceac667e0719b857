/*
 * The row kernels, compiled once per instruction set: the build defines MAE_ROWS_TABLE
 * (the table's symbol) and MAE_ROWS_NAME. Plain loops for the vectoriser; each sum over a
 * row runs over the whole row at once, so it does not depend on the other rows.
 */
#include <assert.h>
#include <float.h>

#include "kernel/rows_math.h"
#include "kernel/rows_table.h"

extern const MaeRowsTable MAE_ROWS_TABLE;

/* Elements per partial sum of sumsq. */
#define SUMSQ_CHUNK 4096

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

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

static void row_normalize(float *y, const float *x, float mean, float rstd,
                          const float *gamma, const float *beta, size_t width)
{
#pragma omp simd
    for (size_t i = 0; i < width; i++)
        y[i] = gamma[i] * ((x[i] - mean) * rstd) + beta[i];
}

static void layernorm(float *y, float *mean, float *rstd, const float *x,
                      const float *gamma, const float *beta, size_t rows, size_t width,
                      float eps)
{
    for (size_t r = 0; r < rows; r++, x += width, y += width) {
        float mu, rs;

        row_stats(&mu, &rs, x, width, eps);
        row_normalize(y, x, mu, rs, gamma, beta, width);
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

static void layernorm_grad(float *dx, float *y, float *dgamma, float *dbeta,
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
        if (y != NULL) {
            row_normalize(y, x, mu, rs, gamma, beta, width);
            y += width;
        }
        dx += width;
        dy += width;
        x += width;
    }
}

/* --- bias, residual, GELU --------------------------------------------------------- */

static void bias_add(float *x, const float *bias, size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++, x += width) {
#pragma omp simd
        for (size_t i = 0; i < width; i++)
            x[i] += bias[i];
    }
}

static void bias_residual(float *out, const float *res, const float *x, const float *bias,
                          const float *scale, size_t group, size_t rows, size_t width)
{
    assert(scale == NULL || group > 0);
    for (size_t r = 0; r < rows; r++, out += width, res += width, x += width) {
        const float s = scale == NULL ? 1.0f : scale[r / group];

#pragma omp simd
        for (size_t i = 0; i < width; i++)
            out[i] = res[i] + s * (x[i] + bias[i]);
    }
}

static void gelu(float *y, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] = x[i] * rows_normal(x[i]).below;
}

static void bias_gelu(float *y, float *pre, const float *bias, size_t rows, size_t width)
{
    for (size_t r = 0; r < rows; r++, y += width, pre += width) {
#pragma omp simd
        for (size_t i = 0; i < width; i++) {
            const float x = pre[i] + bias[i];

            pre[i] = x;
            y[i] = x * rows_normal(x).below;
        }
    }
}

static void gelu_grad(float *dx, float *y, const float *x, size_t n)
{
    if (y == NULL) {
#pragma omp simd
        for (size_t i = 0; i < n; i++) {
            const RowsNormal at = rows_normal(x[i]);

            dx[i] *= at.below + x[i] * at.density;
        }
        return;
    }
#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const float xi = x[i];
        const RowsNormal at = rows_normal(xi);

        dx[i] *= at.below + xi * at.density;
        y[i] = xi * at.below;
    }
}

/* --- sums and vectors ------------------------------------------------------------- */

/* Four rows per pass over the sums; each column still adds its rows in order. */
static void colsum(float *sum, const float *x, size_t rows, size_t width, size_t ld)
{
    size_t r = 0;

    assert(ld >= width);
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

static void add(float *y, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

static void scale_by(float *x, float a, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        x[i] *= a;
}

static void axpy(float *y, float a, const float *x, size_t n)
{
#pragma omp simd
    for (size_t i = 0; i < n; i++)
        y[i] += a * x[i];
}

static void dot(float *out, const float *a, size_t lda, const float *b, size_t ldb,
                size_t rows, size_t width)
{
    assert(lda >= width && ldb >= width);
    for (size_t r = 0; r < rows; r++, a += lda, b += ldb) {
        float sum = 0.0f;

#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < width; i++)
            sum += a[i] * b[i];
        out[r] = sum;
    }
}

static double sumsq(const float *x, size_t n)
{
    double total = 0.0;

    for (size_t start = 0; start < n; start += SUMSQ_CHUNK) {
        const size_t count = smaller(SUMSQ_CHUNK, n - start);
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
        const size_t count = smaller(SUMSQ_CHUNK, n - start);
        float zero = 0.0f;

#pragma omp simd reduction(+ : zero)
        for (size_t i = 0; i < count; i++)
            zero += 0.0f * x[start + i];
        if (isnan(zero))
            return false;
    }
    return true;
}

/* --- softmax and cross-entropy ---------------------------------------------------- */

/* A NaN may be passed over here; it reappears in the exponentials. */
static float row_max(const float *x, size_t n)
{
    float max = -INFINITY;

#pragma omp simd reduction(max : max)
    for (size_t i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    return max;
}

/* Work over the padding too: whole vectors, no remainder loop. */
static void softmax(float *p, float *lse, size_t rows, size_t width, size_t ld,
                    float scale)
{
    assert(ld >= width && scale > 0.0f);
    for (size_t r = 0; r < rows; r++, p += ld) {
        float max, sum = 0.0f;

        for (size_t i = width; i < ld; i++)
            p[i] = -INFINITY;
        max = row_max(p, ld);
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < ld; i++) {
            p[i] = rows_exp((p[i] - max) * scale);
            sum += p[i];
        }
        scale_by(p, 1.0f / sum, ld);
        if (lse != NULL)
            lse[r] = scale * max + logf(sum);
    }
}

static void softmax_grad(float *s, float *dp, const float *lse, const float *delta,
                         size_t rows, size_t width, size_t ld, float scale)
{
    assert(ld >= width);
    for (size_t r = 0; r < rows; r++, s += ld, dp += ld) {
        const float row_lse = lse[r], row_delta = delta[r];

        for (size_t i = width; i < ld; i++)
            s[i] = dp[i] = 0.0f;
#pragma omp simd
        for (size_t i = 0; i < ld; i++) {
            const float p = rows_exp(scale * s[i] - row_lse);

            s[i] = p;
            dp[i] = scale * p * (dp[i] - row_delta);
        }
    }
}

/* exp(x - max) to @p e, which may be @p x or NULL; the sum in double. */
static double row_exp_sum(float *e, const float *x, float max, size_t n)
{
    double sum = 0.0;

    if (e == NULL) {
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < n; i++)
            sum += (double)rows_exp(x[i] - max);
    } else {
#pragma omp simd reduction(+ : sum)
        for (size_t i = 0; i < n; i++) {
            e[i] = rows_exp(x[i] - max);
            sum += (double)e[i];
        }
    }
    return sum;
}

static void cross_entropy(double *loss, float *dlogits, const float *logits,
                          const float *targets, float grad_scale, size_t rows,
                          size_t classes)
{
    for (size_t r = 0; r < rows; r++, logits += classes, targets += classes) {
        const float max = row_max(logits, classes);
        double below = 0.0, sum;

#pragma omp simd reduction(+ : below)
        for (size_t i = 0; i < classes; i++)
            below += (double)targets[i] * ((double)max - (double)logits[i]);
        sum = row_exp_sum(dlogits, logits, max, classes);
        loss[r] = below + log(sum);
        if (dlogits != NULL) {
            const float norm = (float)(1.0 / sum);

#pragma omp simd
            for (size_t i = 0; i < classes; i++)
                dlogits[i] = grad_scale * (norm * dlogits[i] - targets[i]);
            dlogits += classes;
        }
    }
}

/* --- AdamW ------------------------------------------------------------------------ */

static void adamw(float *w, float *m, float *v, const float *g, size_t n,
                  const MaeAdamWStep *step)
{
    const float keep = (float)(1.0 - step->lr * step->weight_decay);
    const float beta1 = (float)step->beta1, rest1 = (float)(1.0 - step->beta1);
    const float beta2 = (float)step->beta2, rest2 = (float)(1.0 - step->beta2);
    const float rate = (float)(step->lr / step->bias1);
    const float root = (float)sqrt(step->bias2), eps = (float)step->eps;
    const float grad_scale = (float)step->grad_scale;

#pragma omp simd
    for (size_t i = 0; i < n; i++) {
        const float grad = grad_scale * g[i];
        const float mi = beta1 * m[i] + rest1 * grad;
        const float vi = beta2 * v[i] + rest2 * grad * grad;

        m[i] = mi;
        v[i] = vi;
        w[i] = keep * w[i] - rate * (mi / (sqrtf(vi) / root + eps));
    }
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
    .bias = bias_add,
    .bias_residual = bias_residual,
    .gelu = gelu,
    .bias_gelu = bias_gelu,
    .gelu_grad = gelu_grad,
    .colsum = colsum,
    .add = add,
    .scale = scale_by,
    .axpy = axpy,
    .dot = dot,
    .softmax = softmax,
    .softmax_grad = softmax_grad,
    .cross_entropy = cross_entropy,
    .sumsq = sumsq,
    .finite = finite,
    .adamw = adamw,
    .exp = exp_each,
    .normal = normal_each,
};
