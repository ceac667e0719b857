#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/rows.h"
#include "reference.h"
#include "support/test.h"

static double phi(double x)
{
    return exp(-0.5 * x * x) / sqrt(2.0 * acos(-1.0));
}

static double below(double x)
{
    return 0.5 * erfc(-x / sqrt(2.0));
}

/* One random problem: x and y of either type, sums on top of what is there. */
typedef struct Case {
    MaeDtype type;
    size_t rows, width, n;
    float *x, *dy, *sum, *scale;
    double *want, *grad, *total; /* total [width] starts as sum */
} Case;

static Case make(size_t i, MaeDtype type, float spread)
{
    Case c = {.type = type};

    ref_shape(i, &c.rows, &c.width);
    c.n = c.rows * c.width;
    c.x = ref_floats(c.n, 1, spread, 0.0f);
    c.dy = ref_floats(c.n, 2, 1.0f, 0.0f);
    c.sum = ref_floats(c.width, 3, 1.0f, 0.0f);
    c.scale = ref_floats(c.rows, 4, 1.0f, 0.0f);
    c.want = ref_doubles(c.n);
    c.grad = ref_doubles(c.n);
    c.total = ref_doubles(c.width);
    for (size_t j = 0; j < c.width; j++)
        c.total[j] = (double)c.sum[j];
    return c;
}

static void drop(Case *c)
{
    void *const owned[] = {c->x, c->dy, c->sum, c->scale, c->want, c->grad, c->total};

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
}

/* y from x in place where the types allow it; dx and the sums of its rows. */
static void check_gelu(const MaeRowsTable *t, Case *c)
{
    MaeOperand x, y, again, dx;
    /* where results are bf16, terms may be good for these only (rows_wide.h) */
    const double few = c->type == MAE_BF16 ? 1e-4 : 0.0;

    test_round(c->x, c->n, c->type);
    test_round(c->dy, c->n, c->type);
    x = test_operand(c->x, c->n, c->type);
    y = test_operand(c->x, c->n, c->type);
    again = test_operand(c->dy, c->n, c->type);
    dx = test_operand(c->dy, c->n, c->type);
    for (size_t j = 0; j < c->n; j++) {
        const double v = (double)c->x[j];

        c->want[j] = v * below(v);
        c->grad[j] = (double)c->dy[j] * (below(v) + v * phi(v));
        c->total[j % c->width] += c->grad[j];
    }
    t->gelu(y, y, c->n);
    ref_close_operand(t, "gelu", y, c->want, c->rows, c->width, 2e-7 + few, 2e-7);
    t->gelu_grad(dx, again, c->sum, x, c->rows, c->width);
    ref_close_operand(t, "gelu grad", dx, c->grad, c->rows, c->width, 4e-7 + few, 4e-7);
    ref_close_operand(t, "gelu again", again, c->want, c->rows, c->width, 2e-7 + few,
                      2e-7);
    ref_close(t, "gelu sums", c->sum, c->total, 1, c->width, 1e-6 + few, 2e-6);
    free(x.data);
    free(y.data);
    free(again.data);
    free(dx.data);
}

START_TEST(gelu_and_gradient)
{
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);

    for (size_t i = 0; t != NULL && i < REF_SHAPES; i++) {
        Case c = make(i, type, 3.0f);

        check_gelu(t, &c);
        drop(&c);
    }
}
END_TEST

START_TEST(scaled_residual)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);

    for (size_t i = 0; t != NULL && i < REF_SHAPES; i++) {
        Case c = make(i, MAE_F32, 1.0f);
        const size_t group = 1 + i % 3;
        float *out = mae_test_alloc(c.n * sizeof *out), *res = ref_copy(c.dy, c.n);

        for (size_t j = 0; j < c.n; j++)
            c.want[j] =
                (double)c.dy[j] + (double)c.scale[j / c.width / group] * (double)c.x[j];
        t->residual(out, c.dy, c.x, c.scale, group, c.rows, c.width);
        ref_close(t, "residual", out, c.want, c.rows, c.width, 1e-6, 1e-6);
        t->residual(res, res, c.x, c.scale, group, c.rows, c.width);
        ck_assert_mem_eq(res, out, c.n * sizeof *out);
        t->residual(c.x, c.dy, c.x, c.scale, group, c.rows, c.width);
        ck_assert_mem_eq(c.x, out, c.n * sizeof *out);
        free(out);
        free(res);
        drop(&c);
    }
}
END_TEST

/* @param scale NULL: 1. */
static void check_enter(const MaeRowsTable *t, Case *c, const float *scale, size_t group)
{
    MaeOperand y = test_operand(c->dy, c->n, c->type), plain;

    for (size_t j = 0; j < c->n; j++) {
        const double s = scale != NULL ? (double)scale[j / c->width / group] : 1.0;

        c->want[j] = s * (double)c->x[j];
        c->total[j % c->width] += c->want[j];
    }
    t->enter(y, c->sum, c->x, scale, group, c->rows, c->width);
    ref_close_operand(t, "enter", y, c->want, c->rows, c->width, 1e-7, 1e-7);
    ref_close(t, "enter sums", c->sum, c->total, 1, c->width, 1e-6, 2e-6);
    plain = test_operand(c->dy, c->n, c->type);
    t->enter(plain, NULL, c->x, scale, group, c->rows, c->width);
    ck_assert_mem_eq(plain.data, y.data, c->n * mae_dtype_size(c->type));
    if (c->type == MAE_F32) { /* may be x */
        t->enter(mae_operand_f32(c->x), NULL, c->x, scale, group, c->rows, c->width);
        ck_assert_mem_eq(c->x, y.data, c->n * sizeof(float));
    }
    free(y.data);
    free(plain.data);
}

START_TEST(entering_a_branch)
{
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);

    for (size_t i = 0; t != NULL && i < 2 * REF_SHAPES; i++) {
        Case c = make(i / 2, type, 1.0f);

        check_enter(t, &c, i % 2 == 0 ? c.scale : NULL, i % 2 == 0 ? 1 + i % 3 : 0);
        drop(&c);
    }
}
END_TEST

/* Neither spreads nor disappears, wherever it is in a vector or in a chunk. */
START_TEST(nan_passes_through)
{
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);
    enum { WIDTH = 600, N = 2 * WIDTH };

    for (size_t at = WIDTH; t != NULL && at < N; at += 37) {
        float *x = ref_floats(N, 1, 1.0f, 0.0f), *sum = ref_floats(WIDTH, 2, 1.0f, 0.0f);
        MaeOperand y = test_operand(x, N, type), dx = test_operand(x, N, type), in;

        x[at] = NAN;
        in = test_operand(x, N, type);
        t->gelu(y, in, N);
        ref_nan_at(t, "gelu", y, N, at, 1);
        t->gelu_grad(dx, y, sum, in, 2, WIDTH);
        ref_nan_at(t, "gelu grad", dx, N, at, 1);
        ref_nan_at(t, "gelu again", y, N, at, 1);
        ref_nan_at(t, "gelu sums", mae_operand_f32(sum), WIDTH, at - WIDTH, 1);
        t->enter(y, NULL, x, NULL, 0, 2, WIDTH);
        ref_nan_at(t, "enter", y, N, at, 1);
        free(x);
        free(sum);
        free(y.data);
        free(dx.data);
        free(in.data);
    }
}
END_TEST

START_TEST(public_functions_use_the_best_table)
{
    const MaeRowsTable *t = mae_rows_best();
    Case c = make(75, (MaeDtype)_i, 1.0f);
    const size_t size = c.n * mae_dtype_size(c.type);
    MaeOperand a = test_operand(c.x, c.n, c.type), b = test_operand(c.x, c.n, c.type);
    MaeOperand x = test_operand(c.x, c.n, c.type);
    MaeOperand p = test_operand(c.x, c.n, c.type), q = test_operand(c.x, c.n, c.type);
    float *out = ref_copy(c.x, c.n), *same = ref_copy(c.x, c.n);

    mae_rows_gelu(a, p, c.n);
    t->gelu(b, q, c.n);
    ck_assert_mem_eq(a.data, b.data, size);
    mae_rows_enter(a, NULL, c.x, c.scale, 2, c.rows, c.width);
    t->enter(b, NULL, c.x, c.scale, 2, c.rows, c.width);
    ck_assert_mem_eq(a.data, b.data, size);
    mae_rows_gelu_grad(a, p, c.sum, x, c.rows, c.width);
    t->gelu_grad(b, q, c.sum, x, c.rows, c.width);
    ck_assert_mem_eq(a.data, b.data, size);
    ck_assert_mem_eq(p.data, q.data, size);
    mae_rows_residual(out, c.dy, c.x, c.scale, 2, c.rows, c.width);
    t->residual(same, c.dy, c.x, c.scale, 2, c.rows, c.width);
    ck_assert_mem_eq(out, same, c.n * sizeof *out);
    free(x.data);
    free(a.data);
    free(b.data);
    free(p.data);
    free(q.data);
    free(out);
    free(same);
    drop(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel_rows_act");
    TCase *tc = tcase_create("ref");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, gelu_and_gradient, 0, REF_KINDS);
    tcase_add_loop_test(tc, scaled_residual, 0, REF_TABLES);
    tcase_add_loop_test(tc, entering_a_branch, 0, REF_KINDS);
    tcase_add_loop_test(tc, nan_passes_through, 0, REF_KINDS);
    tcase_add_loop_test(tc, public_functions_use_the_best_table, 0, TEST_DTYPES);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
