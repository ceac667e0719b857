#include "reference.h"

#include <math.h>
#include <stdlib.h>

#include "support/test.h"

void ref_layernorm(double *y, const double *x, const MaeLayerNorm *ln, const double *w,
                   size_t rows)
{
    const size_t width = ln->width;

    for (size_t r = 0; r < rows; r++, x += width, y += width) {
        double mean = 0.0, var = 0.0;

        for (size_t i = 0; i < width; i++)
            mean += x[i] / (double)width;
        for (size_t i = 0; i < width; i++)
            var += (x[i] - mean) * (x[i] - mean) / (double)width;
        for (size_t i = 0; i < width; i++)
            y[i] = w[ln->gamma.off + i] * (x[i] - mean) / sqrt(var + 1e-6) +
                   w[ln->beta.off + i];
    }
}

void ref_linear(double *y, const double *x, const MaeLinear *lin, const double *w,
                size_t rows)
{
    for (size_t r = 0; r < rows; r++) {
        for (size_t o = 0; o < lin->out; o++) {
            double sum = w[lin->bias.off + o];

            for (size_t i = 0; i < lin->in; i++)
                sum += x[r * lin->in + i] * w[lin->weight.off + o * lin->in + i];
            y[r * lin->out + o] = sum;
        }
    }
}

/* One query of one head: out[K] = sum over keys of softmax(q k / sqrt K) v. */
static void attend(double *out, const double *qkv, size_t query, size_t tokens,
                   size_t width, size_t head_dim)
{
    double *p = mae_test_alloc(tokens * sizeof *p), total = 0.0;
    const double *q = qkv + query * 3 * width;

    for (size_t j = 0; j < tokens; j++) {
        double s = 0.0;

        for (size_t k = 0; k < head_dim; k++)
            s += q[k] * qkv[j * 3 * width + width + k];
        p[j] = exp(s / sqrt((double)head_dim));
        total += p[j];
    }
    for (size_t k = 0; k < head_dim; k++) {
        out[k] = 0.0;
        for (size_t j = 0; j < tokens; j++)
            out[k] += p[j] / total * qkv[j * 3 * width + 2 * width + k];
    }
    free(p);
}

static void attention(double *out, const double *qkv, size_t images, size_t tokens,
                      size_t heads, size_t width)
{
    const size_t head_dim = width / heads;

    for (size_t i = 0; i < images; i++)
        for (size_t n = 0; n < tokens; n++)
            for (size_t h = 0; h < heads; h++)
                attend(out + (i * tokens + n) * width + h * head_dim,
                       qkv + i * tokens * 3 * width + h * head_dim, n, tokens, width,
                       head_dim);
}

/* y = res + s * y, s per image. */
static void residual(double *y, const double *res, const float *scales, size_t images,
                     size_t values)
{
    for (size_t i = 0; i < images * values; i++)
        y[i] = res[i] + (scales != NULL ? (double)scales[i / values] : 1.0) * y[i];
}

void ref_block(double *out, const double *x, const MaeBlock *block, const double *w,
               const float *scales, size_t images, size_t tokens)
{
    const size_t width = block->width, rows = images * tokens;
    double *normed = mae_test_alloc(rows * width * sizeof *normed);
    double *qkv = mae_test_alloc(rows * 3 * width * sizeof *qkv);
    double *x1 = mae_test_alloc(rows * width * sizeof *x1);
    double *hidden = mae_test_alloc(rows * block->fc1.out * sizeof *hidden);

    ref_layernorm(normed, x, &block->norm1, w, rows);
    ref_linear(qkv, normed, &block->qkv, w, rows);
    attention(normed, qkv, images, tokens, block->heads, width);
    ref_linear(x1, normed, &block->proj, w, rows);
    residual(x1, x, scales, images, tokens * width);

    ref_layernorm(normed, x1, &block->norm2, w, rows);
    ref_linear(hidden, normed, &block->fc1, w, rows);
    for (size_t i = 0; i < rows * block->fc1.out; i++)
        hidden[i] *= 0.5 * (1.0 + erf(hidden[i] / sqrt(2.0)));
    ref_linear(out, hidden, &block->fc2, w, rows);
    residual(out, x1, scales != NULL ? scales + images : NULL, images, tokens * width);
    free(normed);
    free(qkv);
    free(x1);
    free(hidden);
}
