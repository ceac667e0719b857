#include "kernel/attention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference.h"
#include "support/operand.h"
#include "support/test.h"

/* One problem with its answers in double. */
typedef struct Case {
    size_t n, heads, k; /* tokens, heads, head dim */
    float *qkv, *dout, *scratch;
    double *out, *lse, *dqkv, *map; /* map: [H,N,N] */
} Case;

static size_t width(const Case *c)
{
    return c->heads * c->k;
}

/* part: 0 q, 1 k, 2 v. */
static size_t at(const Case *c, size_t part, size_t token, size_t head, size_t i)
{
    return token * 3 * width(c) + part * width(c) + head * c->k + i;
}

static double *weights(const Case *c, size_t head, size_t row)
{
    return c->map + (head * c->n + row) * c->n;
}

static void forward_row(const Case *c, const double *qkv, size_t h, size_t row)
{
    double *p = weights(c, h, row), max = -HUGE_VAL, sum = 0.0;

    for (size_t j = 0; j < c->n; j++) {
        p[j] = 0.0;
        for (size_t i = 0; i < c->k; i++)
            p[j] += qkv[at(c, 0, row, h, i)] * qkv[at(c, 1, j, h, i)];
        p[j] /= sqrt((double)c->k);
        max = fmax(max, p[j]);
    }
    for (size_t j = 0; j < c->n; j++)
        sum += exp(p[j] - max);
    c->lse[h * c->n + row] = max + log(sum);
    for (size_t j = 0; j < c->n; j++)
        p[j] = exp(p[j] - max) / sum;
    for (size_t i = 0; i < c->k; i++) {
        double *out = &c->out[row * width(c) + h * c->k + i];

        *out = 0.0;
        for (size_t j = 0; j < c->n; j++)
            *out += p[j] * qkv[at(c, 2, j, h, i)];
    }
}

static void forward(const Case *c, const double *qkv)
{
    for (size_t h = 0; h < c->heads; h++) {
        for (size_t row = 0; row < c->n; row++)
            forward_row(c, qkv, h, row);
    }
}

/* Gradient through the full softmax Jacobian, without the log-sum-exp shortcut. */
static void backward_row(const Case *c, size_t h, size_t row)
{
    const double *p = weights(c, h, row), scale = 1.0 / sqrt((double)c->k);
    double *dp = ref_doubles(c->n), mean = 0.0;

    for (size_t j = 0; j < c->n; j++) {
        for (size_t i = 0; i < c->k; i++) {
            const double dout = (double)c->dout[row * width(c) + h * c->k + i];

            dp[j] += dout * (double)c->qkv[at(c, 2, j, h, i)];
            c->dqkv[at(c, 2, j, h, i)] += p[j] * dout;
        }
        mean += p[j] * dp[j];
    }
    for (size_t j = 0; j < c->n; j++) {
        const double ds = p[j] * (dp[j] - mean) * scale;

        for (size_t i = 0; i < c->k; i++) {
            c->dqkv[at(c, 0, row, h, i)] += ds * (double)c->qkv[at(c, 1, j, h, i)];
            c->dqkv[at(c, 1, j, h, i)] += ds * (double)c->qkv[at(c, 0, row, h, i)];
        }
    }
    free(dp);
}

static Case make(size_t n, size_t heads, size_t k)
{
    const size_t d = heads * k, scratch = mae_attention_scratch(n, k, MAE_F32);
    Case c = {.n = n, .heads = heads, .k = k};
    double *exact = ref_doubles(n * 3 * d);

    c.qkv = ref_floats(n * 3 * d, n + k, 1.0f, 0.1f);
    c.dout = ref_floats(n * d, n + k + 1000, 1.0f, 0.0f);
    c.scratch = mae_test_alloc(scratch * sizeof(float));
    for (size_t i = 0; i < scratch; i++)
        c.scratch[i] = NAN;
    c.out = ref_doubles(n * d);
    c.lse = ref_doubles(heads * n);
    c.dqkv = ref_doubles(n * 3 * d);
    c.map = ref_doubles(heads * n * n);
    for (size_t i = 0; i < n * 3 * d; i++)
        exact[i] = (double)c.qkv[i];
    forward(&c, exact);
    for (size_t h = 0; h < heads; h++) {
        for (size_t row = 0; row < n; row++)
            backward_row(&c, h, row);
    }
    free(exact);
    return c;
}

static void drop(Case *c)
{
    free(c->qkv);
    free(c->dout);
    free(c->scratch);
    free(c->out);
    free(c->lse);
    free(c->dqkv);
    free(c->map);
}

static const size_t shapes[][3] = {{1, 3, 5},   {1, 1, 1},   {2, 2, 3},    {7, 3, 5},
                                   {7, 2, 32},  {13, 3, 64}, {16, 2, 16},  {17, 3, 7},
                                   {50, 2, 64}, {65, 3, 32}, {197, 2, 64}, {257, 1, 16},
                                   {401, 1, 5}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

START_TEST(agrees_with_loops)
{
    Case c = make(shapes[_i][0], shapes[_i][1], shapes[_i][2]);
    const MaeRowsTable *t = mae_rows_best();
    const size_t n = c.n, d = width(&c);
    float *out = ref_floats(n * d, 1, 1.0f, 0.0f),
          *dqkv = ref_floats(n * 3 * d, 2, 1.0f, 0.0f);
    float *lse = ref_floats(c.heads * n, 3, 1.0f, 0.0f),
          *map = ref_floats(n * n, 4, 1.0f, 0.0f);
    float *again = ref_copy(out, n * d);
    MaeGemm *gemm;

    gemm = test_gemm(MAE_F32, 1);
    mae_attention_forward(gemm, mae_operand_f32(out), lse, mae_operand_f32(c.qkv), n,
                          c.heads, c.k, c.scratch);
    ref_close(t, "out", out, c.out, n, d, 1e-6, 2e-6);
    ref_close(t, "lse", lse, c.lse, c.heads, n, 2e-6, 2e-6);
    mae_attention_forward(gemm, mae_operand_f32(again), NULL, mae_operand_f32(c.qkv), n,
                          c.heads, c.k, c.scratch);
    ck_assert_mem_eq(out, again, n * d * sizeof *out);
    mae_attention_backward(gemm, mae_operand_f32(dqkv), mae_operand_f32(c.dout),
                           mae_operand_f32(out), mae_operand_f32(c.qkv), lse, n, c.heads,
                           c.k, c.scratch);
    ref_close(t, "dqkv", dqkv, c.dqkv, n, 3 * d, 2e-6, 4e-6);
    for (size_t h = 0; h < c.heads; h++) {
        mae_attention_map(gemm, map, mae_operand_f32(c.qkv), n, c.heads, c.k, h);
        ref_close(t, "map", map, weights(&c, h, 0), n, n, 1e-6, 2e-6);
    }
    mae_gemm_close(gemm);
    free(out);
    free(dqkv);
    free(lse);
    free(map);
    free(again);
    drop(&c);
}
END_TEST

/* d(sum of dout * out) / d qkv[i] of the double forward by central difference. */
static double slope(const Case *c, double *qkv, size_t i)
{
    const double keep = qkv[i], h = 1e-5;
    double side[2] = {0.0, 0.0};

    for (int s = 0; s < 2; s++) {
        qkv[i] = keep + (s == 0 ? h : -h);
        forward(c, qkv);
        for (size_t j = 0; j < c->n * width(c); j++)
            side[s] += (double)c->dout[j] * c->out[j];
    }
    qkv[i] = keep;
    return (side[0] - side[1]) / (2.0 * h);
}

START_TEST(agrees_with_finite_differences)
{
    static const size_t small[][3] = {{1, 3, 5}, {7, 3, 5}, {5, 2, 4}};
    Case c = make(small[_i][0], small[_i][1], small[_i][2]);
    const size_t n = c.n, d = width(&c);
    float *out = ref_floats(n * d, 1, 1.0f, 0.0f),
          *dqkv = ref_floats(n * 3 * d, 2, 1.0f, 0.0f);
    float *lse = ref_floats(c.heads * n, 3, 1.0f, 0.0f);
    double *qkv = ref_doubles(n * 3 * d), *want = ref_doubles(n * 3 * d);
    MaeGemm *gemm;

    gemm = test_gemm(MAE_F32, 1);
    mae_attention_forward(gemm, mae_operand_f32(out), lse, mae_operand_f32(c.qkv), n,
                          c.heads, c.k, c.scratch);
    mae_attention_backward(gemm, mae_operand_f32(dqkv), mae_operand_f32(c.dout),
                           mae_operand_f32(out), mae_operand_f32(c.qkv), lse, n, c.heads,
                           c.k, c.scratch);
    for (size_t i = 0; i < n * 3 * d; i++)
        qkv[i] = (double)c.qkv[i];
    for (size_t i = 0; i < n * 3 * d; i++)
        want[i] = slope(&c, qkv, i);
    ref_close(mae_rows_best(), "finite difference", dqkv, want, n, 3 * d, 2e-6, 4e-6);
    mae_gemm_close(gemm);
    free(out);
    free(dqkv);
    free(lse);
    free(qkv);
    free(want);
    drop(&c);
}
END_TEST

/* Scratch grows with N, not N^2, and covers whole padded rows. */
START_TEST(scratch_is_bounded)
{
    ck_assert_uint_eq(mae_attention_scratch(0, 64, MAE_F32), 0);
    ck_assert_uint_ge(mae_attention_scratch(1, 64, MAE_F32), 2 * 16 + 1);
    ck_assert_uint_le(mae_attention_scratch(4096, 64, MAE_F32), 2 * 64 * 4096 + 64);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel_attention");
    TCase *tc = tcase_create("grad");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, agrees_with_loops, 0, SHAPES);
    tcase_add_loop_test(tc, agrees_with_finite_differences, 0, 3);
    tcase_add_test(tc, scratch_is_bounded);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
