#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/rows.h"
#include "reference.h"
#include "support/test.h"

#define EPS 1e-6f

/* One random layer norm problem and its answers in double. */
typedef struct Case {
    size_t rows, width;
    float *x, *gamma, *beta, *dy, *dres;
    double *y, *mean, *rstd, *dx, *dgamma, *dbeta;
} Case;

static void forward_row(Case *c, size_t r)
{
    const float *x = c->x + r * c->width;
    double mean = 0.0, var = 0.0;

    for (size_t i = 0; i < c->width; i++)
        mean += (double)x[i] / (double)c->width;
    for (size_t i = 0; i < c->width; i++)
        var += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)c->width;
    c->mean[r] = mean;
    c->rstd[r] = 1.0 / sqrt(var + (double)EPS);
    for (size_t i = 0; i < c->width; i++)
        c->y[r * c->width + i] =
            (double)c->gamma[i] * ((double)x[i] - mean) * c->rstd[r] + (double)c->beta[i];
}

static void backward_row(Case *c, size_t r)
{
    const size_t w = c->width;
    const float *x = c->x + r * w, *dy = c->dy + r * w;
    double g_mean = 0.0, gx_mean = 0.0;

    for (size_t i = 0; i < w; i++) {
        const double xhat = ((double)x[i] - c->mean[r]) * c->rstd[r];

        g_mean += (double)c->gamma[i] * (double)dy[i] / (double)w;
        gx_mean += (double)c->gamma[i] * (double)dy[i] * xhat / (double)w;
        c->dgamma[i] += (double)dy[i] * xhat;
        c->dbeta[i] += (double)dy[i];
    }
    for (size_t i = 0; i < w; i++) {
        const double xhat = ((double)x[i] - c->mean[r]) * c->rstd[r];

        c->dx[r * w + i] =
            c->rstd[r] * ((double)c->gamma[i] * (double)dy[i] - g_mean - xhat * gx_mean);
    }
}

static Case make(size_t shape, float shift)
{
    Case c = {0};

    ref_shape(shape, &c.rows, &c.width);
    c.x = ref_floats(c.rows * c.width, 1, 1.5f, shift);
    c.gamma = ref_floats(c.width, 2, 0.3f, 1.0f);
    c.beta = ref_floats(c.width, 3, 0.3f, 0.0f);
    c.dy = ref_floats(c.rows * c.width, 4, 1.0f, 0.0f);
    c.dres = ref_floats(c.rows * c.width, 5, 1.0f, 0.0f);
    c.y = ref_doubles(c.rows * c.width);
    c.dx = ref_doubles(c.rows * c.width);
    c.mean = ref_doubles(c.rows);
    c.rstd = ref_doubles(c.rows);
    c.dgamma = ref_doubles(c.width);
    c.dbeta = ref_doubles(c.width);
    for (size_t r = 0; r < c.rows; r++) {
        forward_row(&c, r);
        backward_row(&c, r);
    }
    return c;
}

static void drop(Case *c)
{
    float *floats[] = {c->x, c->gamma, c->beta, c->dy, c->dres};
    double *doubles[] = {c->y, c->mean, c->rstd, c->dx, c->dgamma, c->dbeta};

    for (size_t i = 0; i < 5; i++)
        free(floats[i]);
    for (size_t i = 0; i < 6; i++)
        free(doubles[i]);
}

/* Errors of the gradient grow with rstd, which a width of 1 or 2 can make large. */
static void check(const MaeRowsTable *t, Case *c, MaeDtype type)
{
    const size_t n = c->rows * c->width;
    MaeOperand y = test_operand(c->x, n, type), again = test_operand(c->dy, n, type);
    float *dx = ref_copy(c->dy, n), *mean = ref_copy(c->x, c->rows);
    float *rstd = ref_copy(c->x, c->rows);
    float *dgamma = ref_copy(c->gamma, c->width), *dbeta = ref_copy(c->beta, c->width);

    t->layernorm(y, mean, rstd, type == MAE_F32 ? y.data : c->x, c->gamma, c->beta,
                 c->rows, c->width, EPS); /* in place if f32 */
    ref_close(t, "mean", mean, c->mean, c->rows, 1, 1e-6, 1e-6);
    ref_close(t, "rstd", rstd, c->rstd, c->rows, 1, 0.0, 1e-5);
    ref_close_operand(t, "y", y, c->y, c->rows, c->width, 1e-6, 1e-5);

    t->layernorm_grad(dx, again, dgamma, dbeta, NULL, dx, c->x, mean, rstd, c->gamma,
                      c->beta, c->rows, c->width);
    ref_close(t, "dx", dx, c->dx, c->rows, c->width, 1e-5, 1e-5);
    ck_assert_msg(memcmp(again.data, y.data, n * mae_dtype_size(type)) == 0,
                  "%s: y differs when recomputed", t->name);
    for (size_t i = 0; i < c->width; i++) {
        c->dgamma[i] += (double)c->gamma[i];
        c->dbeta[i] += (double)c->beta[i];
    }
    ref_close(t, "dgamma", dgamma, c->dgamma, 1, c->width, 1e-5, 1e-5);
    ref_close(t, "dbeta", dbeta, c->dbeta, 1, c->width, 1e-5, 1e-5);

    memcpy(dx, c->dres, n * sizeof *dx);
    t->layernorm_grad(dx, (MaeOperand){NULL, type}, dgamma, dbeta, dx, c->dy, c->x, mean,
                      rstd, c->gamma, c->beta, c->rows, c->width);
    for (size_t i = 0; i < n; i++)
        c->dx[i] += (double)c->dres[i];
    ref_close(t, "dx with residual", dx, c->dx, c->rows, c->width, 1e-5, 1e-5);
    free(y.data);
    free(again.data);
    free(dx);
    free(mean);
    free(rstd);
    free(dgamma);
    free(dbeta);
}

START_TEST(layernorm_agrees_with_loops)
{
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);

    for (size_t i = 0; t != NULL && i < REF_SHAPES; i++) {
        Case c = make(i, i < 3 ? 0.0f : 0.5f);

        /* Rows of one or two equal-ish elements have no stable statistics. */
        if (c.width > 2)
            check(t, &c, type);
        drop(&c);
    }
}
END_TEST

/* E[x^2] - E[x]^2 in floats would be lost here. */
START_TEST(variance_survives_a_large_mean)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);
    enum { WIDTH = 768 };
    float x[WIDTH], gamma[WIDTH], beta[WIDTH], y[WIDTH], mean, rstd;

    if (t == NULL)
        return;
    for (size_t i = 0; i < WIDTH; i++) {
        x[i] = 4096.0f + (i % 2 == 0 ? 0.25f : -0.25f);
        gamma[i] = 1.0f;
        beta[i] = 0.0f;
    }
    t->layernorm(mae_operand_f32(y), &mean, &rstd, x, gamma, beta, 1, WIDTH, EPS);
    ref_near(mean, 4096.0f, 1e-3f);
    ref_near(rstd, 4.0f, 1e-3f);
    t->layernorm(mae_operand_f32(y), NULL, NULL, x, gamma, beta, 1, WIDTH, EPS);
    ref_near(y[0], 1.0f, 1e-2f);
    t->layernorm(mae_operand_f32(y), NULL, NULL, x, gamma, beta, 0, WIDTH, EPS);
}
END_TEST

/* The same row gives the same bits alone, in company and at any alignment. */
START_TEST(rows_are_independent)
{
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);
    const size_t size = mae_dtype_size(type);

    for (size_t i = 0; t != NULL && i < REF_SHAPES; i++) {
        Case c = make(i, 0.5f);
        const size_t last = (c.rows - 1) * c.width;
        MaeOperand y = test_operand(c.x, c.rows * c.width, type);
        float *moved = mae_test_alloc((c.width + 16) * 2 * sizeof *moved);

        t->layernorm(y, NULL, NULL, c.x, c.gamma, c.beta, c.rows, c.width, EPS);
        for (size_t offset = 0; offset < 16; offset++) {
            float *x = moved + offset;
            const MaeOperand room = {moved + 2 * 16 + c.width - offset, type};
            const MaeOperand alone = mae_operand_at(room, offset % 2);

            memcpy(x, c.x + last, c.width * sizeof *x);
            t->layernorm(alone, NULL, NULL, x, c.gamma, c.beta, 1, c.width, EPS);
            ck_assert_msg(
                memcmp(alone.data, mae_operand_at(y, last).data, c.width * size) == 0,
                "%s width %zu offset %zu", t->name, c.width, offset);
        }
        free(y.data);
        free(moved);
        drop(&c);
    }
}
END_TEST

/* A bad number spoils its own row and the sums, nothing else. */
START_TEST(nan_passes_through)
{
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);

    for (size_t i = 10; t != NULL && i < REF_SHAPES; i++) {
        Case c = make(i, 0.5f);
        const size_t n = c.rows * c.width, row = c.rows / 2 * c.width;
        MaeOperand y = test_operand(c.x, n, type);
        float *dx = ref_copy(c.dy, n), *mean = ref_copy(c.x, c.rows);
        float *rstd = ref_copy(c.x, c.rows), *sums = ref_copy(c.gamma, c.width);

        c.x[row + i % c.width] = i % 2 == 0 ? NAN : INFINITY;
        t->layernorm(y, mean, rstd, c.x, c.gamma, c.beta, c.rows, c.width, EPS);
        ref_nan_at(t, "y", y, n, row, c.width);
        t->layernorm_grad(dx, y, sums, sums, NULL, dx, c.x, mean, rstd, c.gamma, c.beta,
                          c.rows, c.width);
        ref_nan_at(t, "dx", mae_operand_f32(dx), n, row, c.width);
        ref_nan_at(t, "y again", y, n, row, c.width);
        free(sums);
        free(y.data);
        free(dx);
        free(mean);
        free(rstd);
        drop(&c);
    }
}
END_TEST

START_TEST(public_functions_use_the_best_table)
{
    const MaeRowsTable *t = mae_rows_best();
    const MaeDtype type = (MaeDtype)_i;
    Case c = make(75, 0.5f);
    const size_t n = c.rows * c.width, bytes = n * mae_dtype_size(type);
    MaeOperand y = test_operand(c.x, n, type), same = test_operand(c.x, n, type);
    float *a = ref_copy(c.x, n), *b = ref_copy(c.x, n);
    float *mean = ref_copy(c.x, c.rows), *rstd = ref_copy(c.x, c.rows);
    float *sums = ref_floats(2 * c.width, 9, 1.0f, 0.0f);

    ck_assert_str_eq(mae_rows_isa(), t->name);
    mae_rows_layernorm(y, mean, rstd, c.x, c.gamma, c.beta, c.rows, c.width, EPS);
    t->layernorm(same, NULL, NULL, c.x, c.gamma, c.beta, c.rows, c.width, EPS);
    ck_assert_mem_eq(y.data, same.data, bytes);
    memset(y.data, 0, bytes);
    mae_rows_layernorm_grad(a, y, sums, sums + c.width, c.dres, c.dy, c.x, mean, rstd,
                            c.gamma, c.beta, c.rows, c.width);
    t->layernorm_grad(b, same, sums, sums + c.width, c.dres, c.dy, c.x, mean, rstd,
                      c.gamma, c.beta, c.rows, c.width);
    ck_assert_mem_eq(a, b, n * sizeof *a);
    ck_assert_mem_eq(y.data, same.data, bytes);
    free(y.data);
    free(same.data);
    free(a);
    free(b);
    free(mean);
    free(rstd);
    free(sums);
    drop(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel_rows_norm");
    TCase *tc = tcase_create("ref");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, layernorm_agrees_with_loops, 0, REF_KINDS);
    tcase_add_loop_test(tc, variance_survives_a_large_mean, 0, REF_TABLES);
    tcase_add_loop_test(tc, rows_are_independent, 0, REF_KINDS);
    tcase_add_loop_test(tc, nan_passes_through, 0, REF_KINDS);
    tcase_add_loop_test(tc, public_functions_use_the_best_table, 0, TEST_DTYPES);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
