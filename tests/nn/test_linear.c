#include "nn/linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference.h"
#include "support/grad.h"

enum { ROWS = 7, IN = 12, OUT = 18 };

typedef struct Bench {
    MaeParamTable table;
    MaeLinear other, lin; /* lin is not the first in the table */
    MaeGemm *gemm;
    float *w, *sums, *x, *y, *dy, *dx;
    double *wd, *xd; /* what the reference reads */
} Bench;

static void bench_open(Bench *b)
{
    memset(b, 0, sizeof *b);
    mae_linear_define(&b->other, &b->table, "first", 3, 5);
    mae_linear_define(&b->lin, &b->table, "head", IN, OUT);
    b->gemm = test_gemm(MAE_F32, 1);
    b->w = mae_test_alloc(b->table.total * sizeof(float));
    b->sums = mae_test_alloc(b->table.sum_total * sizeof(float));
    test_random_params(&b->table, b->w, 1);
    b->x = mae_test_normal(ROWS * IN, 1, 2);
    b->dy = mae_test_normal(ROWS * OUT, 1, 3);
    b->y = mae_test_alloc(ROWS * OUT * sizeof(float));
    b->dx = mae_test_alloc(ROWS * IN * sizeof(float));
    b->wd = test_doubles(b->w, b->table.total);
    b->xd = test_doubles(b->x, ROWS * IN);
}

static void bench_close(Bench *b)
{
    void *const owned[] = {b->w, b->sums, b->x, b->y, b->dy, b->dx, b->wd, b->xd};

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    mae_gemm_close(b->gemm);
    mae_param_close(&b->table);
}

START_TEST(registers)
{
    Bench b;

    bench_open(&b);
    ck_assert_uint_eq(b.table.count, 4);
    test_param_is(&b.table, 2, "head.weight", "[18,12]", MAE_PARAM_PLAIN);
    test_param_is(&b.table, 3, "head.bias", "[18]",
                  MAE_PARAM_NO_DECAY | MAE_PARAM_ROWSUM);
    ck_assert_uint_eq(b.lin.in, IN);
    ck_assert_uint_eq(b.lin.out, OUT);
    bench_close(&b);
}
END_TEST

START_TEST(starts_xavier_uniform)
{
    MaeParamTable table = {0};
    MaeRng rng, same;
    MaeLinear lin;
    float *w, *again;

    mae_linear_define(&lin, &table, "wide", 96, 130);
    w = mae_test_alloc(table.total * sizeof *w);
    again = mae_test_alloc(table.total * sizeof *w);
    test_fill(w, table.total, 7.0f);
    mae_rng_init(&rng, 3, 0, 0, MAE_RNG_TEST);
    same = rng;
    mae_linear_init(&lin, w, &rng);
    test_uniform("weight", w + lin.weight.off, lin.weight.count,
                 sqrt(6.0 / (96.0 + 130.0)));
    for (size_t i = 0; i < lin.bias.count; i++)
        ck_assert_f32_eq(w[lin.bias.off + i], 0.0f);
    for (size_t i = lin.bias.off + lin.bias.count; i < table.total; i++)
        ck_assert_f32_eq(w[i], 7.0f);
    mae_linear_init(&lin, again, &same);
    ck_assert_mem_eq(w + lin.weight.off, again + lin.weight.off,
                     lin.weight.count * sizeof *w);
    mae_linear_init(&lin, again, &rng); /* the stream goes on */
    ck_assert_mem_ne(w + lin.weight.off, again + lin.weight.off,
                     lin.weight.count * sizeof *w);
    free(w);
    free(again);
    mae_param_close(&table);
}
END_TEST

static void forward(Bench *b, const float *res)
{
    mae_linear_forward(&b->lin, b->gemm, mae_operand_f32(b->y), b->x,
                       mae_weights_f32(b->w), res, ROWS);
}

START_TEST(forward_equals_reference)
{
    double want[ROWS * OUT];
    Bench b;

    bench_open(&b);
    ref_linear(want, b.xd, &b.lin, b.wd, ROWS);
    test_fill(b.y, ROWS * OUT, (float)NAN); /* overwritten, not read */
    forward(&b, NULL);
    test_close_to("y", b.y, want, ROWS * OUT);
    for (size_t i = 0; i < ROWS * OUT; i++)
        want[i] += (double)b.dy[i];
    forward(&b, b.dy); /* any numbers will do as a residual */
    test_close_to("y with residual", b.y, want, ROWS * OUT);
    memcpy(b.y, b.dy, ROWS * OUT * sizeof *b.y);
    forward(&b, b.y);
    test_close_to("y += ", b.y, want, ROWS * OUT);
    bench_close(&b);
}
END_TEST

static double loss(void *ctx)
{
    const Bench *b = ctx;
    double y[ROWS * OUT];

    ref_linear(y, b->xd, &b->lin, b->wd, ROWS);
    return test_dot(y, b->dy, ROWS * OUT);
}

START_TEST(gradients_equal_differences)
{
    double *dx, *db;
    Bench b;

    bench_open(&b);
    dx = test_differences(b.xd, ROWS * IN, loss, &b);
    db = test_differences(b.wd + b.lin.bias.off, OUT, loss, &b);
    test_fill(b.dx, ROWS * IN, (float)NAN);
    mae_linear_backward_input(&b.lin, b.gemm, mae_operand_f32(b.dx), b.dy,
                              mae_weights_f32(b.w), ROWS);
    test_close_to("dx", b.dx, dx, ROWS * IN);
    test_fill(b.sums, b.table.sum_total, 0.25f);
    mae_linear_backward_bias(&b.lin, b.sums, mae_operand_f32(b.dy),
                             3); /* in two tiles of rows */
    mae_linear_backward_bias(&b.lin, b.sums, mae_operand_f32(b.dy + 3 * OUT), ROWS - 3);
    for (size_t i = 0; i < OUT; i++)
        db[i] += 0.25;
    test_close_to("db", b.sums + b.lin.bias.sum, db, OUT);
    for (size_t i = 0; i < b.table.sum_total; i++)
        if (i - b.lin.bias.sum >= OUT)
            ck_assert_f32_eq(b.sums[i], 0.25f);
    free(dx);
    free(db);
    bench_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nn_linear");
    TCase *tc = tcase_create("grad");

    tcase_add_test(tc, registers);
    tcase_add_test(tc, starts_xavier_uniform);
    tcase_add_test(tc, forward_equals_reference);
    tcase_add_test(tc, gradients_equal_differences);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
