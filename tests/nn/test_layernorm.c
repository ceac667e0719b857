#include "nn/layernorm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference.h"
#include "support/grad.h"

enum { ROWS = 7, WIDTH = 12, N = ROWS * WIDTH };

/* Two tiles of rows. */
static const size_t tiles[][2] = {{0, 3}, {3, 4}};

typedef struct Bench {
    MaeParamTable table;
    MaeLayerNorm other, ln; /* ln is not the first in the table */
    MaeArena arena;
    MaeLayerNormCache cache;
    float *w, *sums, *x, *y, *dy, *dres, *dx, *again;
    double *wd, *xd; /* what the reference reads */
} Bench;

static void reserve(void *ctx, MaeArena *arena)
{
    Bench *b = ctx;

    mae_layernorm_reserve(&b->cache, arena, ROWS);
}

static void bench_open(Bench *b)
{
    memset(b, 0, sizeof *b);
    mae_layernorm_define(&b->other, &b->table, "first", 5);
    mae_layernorm_define(&b->ln, &b->table, "norm", WIDTH);
    test_carve(&b->arena, reserve, b);
    b->w = mae_test_alloc(b->table.total * sizeof(float));
    b->sums = mae_test_alloc(b->table.sum_total * sizeof(float));
    test_random_params(&b->table, b->w, 1);
    b->x = mae_test_normal(N, 1, 2);
    for (size_t i = 0; i < WIDTH; i++) {
        b->x[i] *= 1e-3f;          /* variance of eps: it must show */
        b->x[WIDTH + i] += 100.0f; /* |mean| >> std: one pass would cancel */
    }
    b->y = mae_test_alloc(N * sizeof(float));
    b->dy = mae_test_normal(N, 1, 3);
    b->dres = mae_test_normal(N, 1, 4);
    b->dx = mae_test_alloc(N * sizeof(float));
    b->again = mae_test_alloc(N * sizeof(float));
    b->wd = test_doubles(b->w, b->table.total);
    b->xd = test_doubles(b->x, N);
}

static void bench_close(Bench *b)
{
    void *const owned[] = {b->w,    b->sums, b->x,     b->y,  b->dy,
                           b->dres, b->dx,   b->again, b->wd, b->xd};

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    mae_arena_close(&b->arena);
    mae_param_close(&b->table);
}

static void forward(Bench *b)
{
    for (size_t t = 0; t < 2; t++) {
        const size_t row0 = tiles[t][0], at = row0 * WIDTH;

        mae_layernorm_forward(&b->ln, mae_operand_f32(b->y + at), &b->cache, b->x + at,
                              mae_weights_f32(b->w), row0, tiles[t][1]);
    }
}

static void backward(Bench *b, float *dx, float *y, const float *dy, const float *dres)
{
    for (size_t t = 0; t < 2; t++) {
        const size_t row0 = tiles[t][0], at = row0 * WIDTH;

        mae_layernorm_backward(&b->ln, dx + at,
                               mae_operand_f32(y != NULL ? y + at : NULL), b->sums,
                               dy + at, dres != NULL ? dres + at : NULL, b->x + at,
                               &b->cache, mae_weights_f32(b->w), row0, tiles[t][1]);
    }
}

START_TEST(registers_and_starts)
{
    const unsigned flags = MAE_PARAM_NO_DECAY | MAE_PARAM_ROWSUM;
    Bench b;

    bench_open(&b);
    ck_assert_uint_eq(b.table.count, 4);
    test_param_is(&b.table, 2, "norm.weight", "[12]", flags);
    test_param_is(&b.table, 3, "norm.bias", "[12]", flags);
    test_fill(b.w, b.table.total, 7.0f);
    mae_layernorm_init(&b.ln, b.w);
    for (size_t i = 0; i < b.table.total; i++) {
        const bool gamma = i - b.ln.gamma.off < WIDTH, beta = i - b.ln.beta.off < WIDTH;

        ck_assert_f32_eq(b.w[i], gamma ? 1.0f : beta ? 0.0f : 7.0f);
    }
    bench_close(&b);
}
END_TEST

START_TEST(forward_equals_reference)
{
    double *want = mae_test_alloc(N * sizeof *want);
    Bench b;

    bench_open(&b);
    test_fill(b.cache.mean, ROWS, 9.0f);
    mae_layernorm_forward(&b.ln, mae_operand_f32(b.y), &b.cache, b.x + 3 * WIDTH,
                          mae_weights_f32(b.w), 3, 4);
    for (size_t r = 0; r < 3; r++)
        ck_assert_f32_eq(b.cache.mean[r], 9.0f); /* rows of another tile */
    forward(&b);
    ref_layernorm(want, b.xd, &b.ln, b.wd, ROWS);
    for (size_t r = 0; r < ROWS; r++) {
        double mean = 0.0;

        for (size_t i = 0; i < WIDTH; i++)
            mean += b.xd[r * WIDTH + i] / WIDTH;
        ck_assert_double_lt(fabs((double)b.cache.mean[r] - mean), 1e-5 * (1.0 + mean));
        /* Near 100 neighbouring floats are 8e-6 apart, which the input itself has. */
        test_close_to("y", b.y + r * WIDTH, want + r * WIDTH, WIDTH);
    }
    free(want);
    bench_close(&b);
}
END_TEST

/* Operands are the f32 outputs rounded; statistics and gradients do not change a bit. */
START_TEST(operands_are_rounded_outputs)
{
    const MaeOperand y = {mae_test_alloc(N * sizeof(uint16_t)), MAE_BF16};
    const uint16_t *values = y.data;
    float *mean, *sums, *dx;
    Bench b;

    bench_open(&b);
    forward(&b);
    mean = test_copy(b.cache.mean, ROWS);
    mae_layernorm_forward(&b.ln, y, &b.cache, b.x, mae_weights_f32(b.w), 0, ROWS);
    ck_assert_mem_eq(mean, b.cache.mean, ROWS * sizeof *mean);
    for (size_t i = 0; i < N; i++)
        ck_assert_uint_eq(values[i], mae_bf16(b.y[i]));
    backward(&b, b.dx, NULL, b.dy, b.dres);
    dx = test_copy(b.dx, N);
    sums = test_copy(b.sums, b.table.sum_total);
    memset(b.sums, 0, b.table.sum_total * sizeof *sums);
    memset(y.data, 0, N * sizeof *values);
    for (size_t t = 0; t < 2; t++) {
        const size_t at = tiles[t][0] * WIDTH;

        mae_layernorm_backward(&b.ln, b.dx + at, mae_operand_at(y, at), b.sums, b.dy + at,
                               b.dres + at, b.x + at, &b.cache, mae_weights_f32(b.w),
                               tiles[t][0], tiles[t][1]);
    }
    ck_assert_mem_eq(dx, b.dx, N * sizeof *dx);
    ck_assert_mem_eq(sums, b.sums, b.table.sum_total * sizeof *sums);
    for (size_t i = 0; i < N; i++)
        ck_assert_uint_eq(values[i], mae_bf16(b.y[i]));
    free(y.data);
    free(mean);
    free(sums);
    free(dx);
    bench_close(&b);
}
END_TEST

START_TEST(constant_rows_give_beta)
{
    Bench b;

    bench_open(&b);
    test_fill(b.x, N, 3.25f);
    forward(&b);
    for (size_t i = 0; i < N; i++)
        ck_assert_f32_eq(b.y[i], b.w[b.ln.beta.off + i % WIDTH]);
    bench_close(&b);
}
END_TEST

/* sum of y * dy + x * dres. */
static double loss(void *ctx)
{
    const Bench *b = ctx;
    double y[N];

    ref_layernorm(y, b->xd, &b->ln, b->wd, ROWS);
    return test_dot(y, b->dy, N) + test_dot(b->xd, b->dres, N);
}

START_TEST(gradients_equal_differences)
{
    double *dx, *dw;
    Bench b;

    bench_open(&b);
    /* The row of variance eps is as curved as a millionth: too much for differences. */
    for (size_t i = 0; i < WIDTH; i++)
        b.xd[i] = (double)(b.x[i] *= 100.0f);
    dx = test_differences(b.xd, N, loss, &b);
    dw = test_differences(b.wd, b.table.total, loss, &b);
    test_fill(b.sums, b.table.sum_total, 0.5f);
    forward(&b);
    backward(&b, b.dx, b.again, b.dy, b.dres);
    for (size_t r = 0; r < ROWS; r++)
        test_close_to("dx", b.dx + r * WIDTH, dx + r * WIDTH, WIDTH);
    mae_test_close("y again", b.again, b.y, N, 1e-6, 1e-6);
    for (size_t i = 0; i < WIDTH; i++) { /* accumulated onto what was there */
        dw[b.ln.gamma.off + i] += 0.5;
        dw[b.ln.beta.off + i] += 0.5;
    }
    test_close_to("dgamma", b.sums + b.ln.gamma.sum, dw + b.ln.gamma.off, WIDTH);
    test_close_to("dbeta", b.sums + b.ln.beta.sum, dw + b.ln.beta.off, WIDTH);
    for (size_t i = 0; i < 5; i++)
        ck_assert_f32_eq(b.sums[b.other.gamma.sum + i], 0.5f);
    free(dx);
    free(dw);
    bench_close(&b);
}
END_TEST

START_TEST(outputs_may_alias)
{
    float *dx, *sums;
    Bench b;

    bench_open(&b);
    forward(&b);
    backward(&b, b.dx, b.again, b.dy, b.dres);
    dx = test_copy(b.dy, N);
    sums = test_copy(b.sums, b.table.sum_total);
    memset(b.sums, 0, b.table.sum_total * sizeof *sums);
    backward(&b, dx, NULL, dx, b.dres);
    ck_assert_mem_eq(dx, b.dx, N * sizeof *dx);
    ck_assert_mem_eq(sums, b.sums, b.table.sum_total * sizeof *sums);
    memcpy(dx, b.dres, N * sizeof *dx);
    backward(&b, dx, b.again, b.dy, dx);
    ck_assert_mem_eq(dx, b.dx, N * sizeof *dx);

    test_fill(b.dres, N, 0.0f);
    backward(&b, b.dx, NULL, b.dy, b.dres);
    backward(&b, dx, NULL, b.dy, NULL);
    ck_assert_mem_eq(dx, b.dx, N * sizeof *dx);
    free(dx);
    free(sums);
    bench_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nn_layernorm");
    TCase *tc = tcase_create("grad");

    tcase_add_test(tc, registers_and_starts);
    tcase_add_test(tc, forward_equals_reference);
    tcase_add_test(tc, operands_are_rounded_outputs);
    tcase_add_test(tc, constant_rows_give_beta);
    tcase_add_test(tc, gradients_equal_differences);
    tcase_add_test(tc, outputs_may_alias);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
