#include "nn/linear.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference.h"
#include "support/grad.h"

enum { ROWS = 7, IN = 12, OUT = 18 };

typedef struct Bench {
    MaeDtype type;
    MaeParamTable table;
    MaeLinear other, lin; /* lin is not the first in the table */
    MaeGemm *gemm;
    float *w, *sums, *x, *y, *dy, *dx; /* w, x and dy hold what operands can */
    MaeOperand x_operand, dy_operand;
    MaeWeights weights;
    void *owned;
    double *wd, *xd; /* what the reference reads */
} Bench;

/* @return false if there are no products of @p type. */
static bool bench_open(Bench *b, MaeDtype type)
{
    memset(b, 0, sizeof *b);
    if (!test_can_multiply(type))
        return false;
    b->type = type;
    mae_linear_define(&b->other, &b->table, "first", 3, 5);
    mae_linear_define(&b->lin, &b->table, "head", IN, OUT);
    b->gemm = test_gemm(type, 1);
    b->w = mae_test_alloc(b->table.total * sizeof(float));
    b->sums = mae_test_alloc(b->table.sum_total * sizeof(float));
    test_random_params(&b->table, b->w, 1);
    test_round(b->w + b->lin.weight.off, b->lin.weight.count, type);
    b->weights = test_weights(b->w, b->table.total, type, &b->owned);
    b->x = mae_test_normal(ROWS * IN, 1, 2);
    b->dy = mae_test_normal(ROWS * OUT, 1, 3);
    test_round(b->x, ROWS * IN, type);
    test_round(b->dy, ROWS * OUT, type);
    b->x_operand = test_operand(b->x, ROWS * IN, type);
    b->dy_operand = test_operand(b->dy, ROWS * OUT, type);
    b->y = mae_test_alloc(ROWS * OUT * sizeof(float));
    b->dx = mae_test_alloc(ROWS * IN * sizeof(float));
    b->wd = test_doubles(b->w, b->table.total);
    b->xd = test_doubles(b->x, ROWS * IN);
    return true;
}

static void bench_close(Bench *b)
{
    void *const owned[] = {b->w,
                           b->sums,
                           b->x,
                           b->y,
                           b->dy,
                           b->dx,
                           b->wd,
                           b->xd,
                           b->owned,
                           b->x_operand.data,
                           b->dy_operand.data};

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    mae_gemm_close(b->gemm);
    mae_param_close(&b->table);
}

START_TEST(registers)
{
    Bench b;

    ck_assert(bench_open(&b, MAE_F32));
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

/* Half a unit of bf16, and the last bits of f32 sums in another order. */
static void equals_rounded(MaeOperand got, const float *want, size_t n)
{
    float *values = test_floats(got, n);

    for (size_t i = 0; i < n; i++)
        ck_assert_double_eq_tol((double)values[i], (double)want[i],
                                1e-5 + test_half_unit((double)want[i], got.type));
    free(values);
}

static void forward(Bench *b, const float *res)
{
    mae_linear_forward(&b->lin, b->gemm, mae_operand_f32(b->y), b->x_operand.data,
                       b->weights, res, ROWS);
}

/* Operands hold x and W exactly, so even bf16 products are exact to f32. */
START_TEST(forward_equals_reference)
{
    double want[ROWS * OUT];
    Bench b;

    if (!bench_open(&b, (MaeDtype)_i))
        return;
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

/* Outputs that are operands again are the f32 ones, rounded once. */
START_TEST(outputs_may_be_operands)
{
    MaeOperand y, dx;
    Bench b;

    if (!bench_open(&b, (MaeDtype)_i))
        return;
    y = test_operand(b.y, ROWS * OUT, b.type);
    dx = test_operand(b.dx, ROWS * IN, b.type);
    forward(&b, NULL);
    mae_linear_forward(&b.lin, b.gemm, y, b.x_operand.data, b.weights, NULL, ROWS);
    equals_rounded(y, b.y, ROWS * OUT);
    mae_linear_backward_input(&b.lin, b.gemm, mae_operand_f32(b.dx), b.dy_operand.data,
                              b.weights, ROWS);
    mae_linear_backward_input(&b.lin, b.gemm, dx, b.dy_operand.data, b.weights, ROWS);
    equals_rounded(dx, b.dx, ROWS * IN);
    free(y.data);
    free(dx.data);
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

    if (!bench_open(&b, (MaeDtype)_i))
        return;
    dx = test_differences(b.xd, ROWS * IN, loss, &b);
    db = test_differences(b.wd + b.lin.bias.off, OUT, loss, &b);
    test_fill(b.dx, ROWS * IN, (float)NAN);
    mae_linear_backward_input(&b.lin, b.gemm, mae_operand_f32(b.dx), b.dy_operand.data,
                              b.weights, ROWS);
    test_close_to("dx", b.dx, dx, ROWS * IN);
    test_fill(b.sums, b.table.sum_total, 0.25f);
    mae_linear_backward_bias(&b.lin, b.sums, mae_operand_f32(b.dy),
                             3); /* in two tiles of rows */
    mae_linear_backward_bias(&b.lin, b.sums, mae_operand_at(b.dy_operand, 3 * OUT),
                             ROWS - 3);
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
    tcase_add_loop_test(tc, forward_equals_reference, 0, TEST_DTYPES);
    tcase_add_loop_test(tc, outputs_may_be_operands, 0, TEST_DTYPES);
    tcase_add_loop_test(tc, gradients_equal_differences, 0, TEST_DTYPES);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
