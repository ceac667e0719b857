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

START_TEST(gelu_and_gradient)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);

    for (size_t i = 0; t != NULL && i < REF_SHAPES; i++) {
        size_t rows, width, n;
        float *x, *dy, *y, *again, *dx;
        double *want, *grad;

        ref_shape(i, &rows, &width);
        n = rows * width;
        x = ref_floats(n, 1, 3.0f, 0.0f);
        dy = ref_floats(n, 2, 1.0f, 0.0f);
        y = ref_copy(x, n);
        again = ref_copy(x, n);
        dx = ref_copy(dy, n);
        want = ref_doubles(n);
        grad = ref_doubles(n);
        for (size_t j = 0; j < n; j++) {
            const double v = (double)x[j];

            want[j] = v * below(v);
            grad[j] = (double)dy[j] * (below(v) + v * phi(v));
        }
        t->gelu(y, y, n);
        ref_close(t, "gelu", y, want, rows, width, 2e-7, 2e-7);
        t->gelu_grad(dx, again, again, n);
        ref_close(t, "gelu grad", dx, grad, rows, width, 4e-7, 4e-7);
        ref_close(t, "gelu again", again, want, rows, width, 2e-7, 2e-7);
        memcpy(dx, dy, n * sizeof *dx);
        t->gelu_grad(dx, NULL, x, n);
        ref_close(t, "gelu grad alone", dx, grad, rows, width, 4e-7, 4e-7);
        free(x);
        free(dy);
        free(y);
        free(again);
        free(dx);
        free(want);
        free(grad);
    }
}
END_TEST

/* One random problem of the bias kernels. */
typedef struct Case {
    size_t rows, width, n;
    float *x, *res, *bias, *scale;
    double *want;
} Case;

static Case make(size_t i)
{
    Case c = {0};

    ref_shape(i, &c.rows, &c.width);
    c.n = c.rows * c.width;
    c.x = ref_floats(c.n, 1, 1.0f, 0.0f);
    c.res = ref_floats(c.n, 2, 1.0f, 0.0f);
    c.bias = ref_floats(c.width, 3, 1.0f, 0.0f);
    c.scale = ref_floats(c.rows, 4, 1.0f, 0.0f);
    c.want = ref_doubles(c.n);
    return c;
}

static void drop(Case *c)
{
    free(c->x);
    free(c->res);
    free(c->bias);
    free(c->scale);
    free(c->want);
}

START_TEST(bias_residual)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);

    for (size_t i = 0; t != NULL && i < REF_SHAPES; i++) {
        Case c = make(i);
        const size_t group = 1 + i % 3;
        float *out = ref_copy(c.x, c.n);

        t->bias(out, c.bias, c.rows, c.width);
        for (size_t j = 0; j < c.n; j++)
            c.want[j] = (double)c.x[j] + (double)c.bias[j % c.width];
        ref_close(t, "bias", out, c.want, c.rows, c.width, 0.0, 1e-7);

        memcpy(out, c.x, c.n * sizeof *out);
        t->bias_residual(out, c.res, out, c.bias, NULL, 0, c.rows, c.width);
        for (size_t j = 0; j < c.n; j++)
            c.want[j] += (double)c.res[j];
        ref_close(t, "bias residual", out, c.want, c.rows, c.width, 1e-6, 1e-6);

        memcpy(out, c.res, c.n * sizeof *out);
        t->bias_residual(out, out, c.x, c.bias, c.scale, group, c.rows, c.width);
        for (size_t j = 0; j < c.n; j++)
            c.want[j] = (double)c.res[j] + (double)c.scale[j / c.width / group] *
                                               (c.want[j] - (double)c.res[j]);
        ref_close(t, "scaled residual", out, c.want, c.rows, c.width, 1e-6, 1e-6);
        free(out);
        drop(&c);
    }
}
END_TEST

START_TEST(bias_gelu_keeps_its_input)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);

    for (size_t i = 0; t != NULL && i < REF_SHAPES; i++) {
        Case c = make(i);
        float *pre = ref_copy(c.x, c.n), *y = ref_copy(c.x, c.n);
        float *same = ref_copy(c.x, c.n);

        t->bias_gelu(y, pre, c.bias, c.rows, c.width);
        for (size_t j = 0; j < c.n; j++) {
            const double v = (double)(c.x[j] + c.bias[j % c.width]);

            ck_assert(pre[j] == c.x[j] + c.bias[j % c.width]);
            c.want[j] = v * below(v);
        }
        ref_close(t, "bias gelu", y, c.want, c.rows, c.width, 2e-7, 2e-7);
        t->bias_gelu(same, same, c.bias, c.rows, c.width);
        ck_assert_mem_eq(same, y, c.n * sizeof *y);
        free(pre);
        free(y);
        free(same);
        drop(&c);
    }
}
END_TEST

START_TEST(public_functions_use_the_best_table)
{
    const MaeRowsTable *t = mae_rows_best();
    Case c = make(75);
    float *a = ref_copy(c.x, c.n), *b = ref_copy(c.x, c.n);
    float *p = ref_copy(c.x, c.n), *q = ref_copy(c.x, c.n);

    mae_rows_bias(a, c.bias, c.rows, c.width);
    t->bias(b, c.bias, c.rows, c.width);
    ck_assert_mem_eq(a, b, c.n * sizeof *a);
    mae_rows_bias_residual(a, c.res, a, c.bias, c.scale, 2, c.rows, c.width);
    t->bias_residual(b, c.res, b, c.bias, c.scale, 2, c.rows, c.width);
    ck_assert_mem_eq(a, b, c.n * sizeof *a);
    mae_rows_bias_gelu(a, p, c.bias, c.rows, c.width);
    t->bias_gelu(b, q, c.bias, c.rows, c.width);
    ck_assert_mem_eq(a, b, c.n * sizeof *a);
    mae_rows_gelu_grad(a, NULL, p, c.n);
    t->gelu_grad(b, NULL, q, c.n);
    ck_assert_mem_eq(a, b, c.n * sizeof *a);
    mae_rows_gelu(a, p, c.n);
    t->gelu(b, q, c.n);
    ck_assert_mem_eq(a, b, c.n * sizeof *a);
    free(a);
    free(b);
    free(p);
    free(q);
    drop(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel_rows_act");
    TCase *tc = tcase_create("ref");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, gelu_and_gradient, 0, 3);
    tcase_add_loop_test(tc, bias_residual, 0, 3);
    tcase_add_loop_test(tc, bias_gelu_keeps_its_input, 0, 3);
    tcase_add_test(tc, public_functions_use_the_best_table);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
