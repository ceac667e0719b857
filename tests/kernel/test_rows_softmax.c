#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/rows.h"
#include "reference.h"
#include "support/test.h"

/* log sum exp(scale * x) in double. */
static double log_sum_exp(const float *x, size_t n, double scale)
{
    double max = -HUGE_VAL, sum = 0.0;

    for (size_t i = 0; i < n; i++)
        max = fmax(max, scale * (double)x[i]);
    for (size_t i = 0; i < n; i++)
        sum += exp(scale * (double)x[i] - max);
    return max + log(sum);
}

/* Any order of summing n positive floats is off by less than n * 2^-24; a compiler that
 * does not vectorise (sanitizers) sums in sequence and comes near it. */
static double sum_error(size_t n)
{
    return 2e-6 + (double)n * 6e-8;
}

static void check_softmax(const MaeRowsTable *t, size_t rows, size_t width, size_t pad)
{
    const size_t ld = width + pad;
    const float scale = 0.125f;
    float *x = ref_floats(rows * ld, 1, 30.0f, 0.0f), *p = ref_copy(x, rows * ld);
    float *ds = ref_floats(rows * ld, 2, 1.0f, 0.0f), *s = ref_copy(x, rows * ld);
    float *dp = ref_copy(ds, rows * ld), *lse = ref_copy(x, rows);
    float *delta = ref_floats(rows, 3, 1.0f, 0.0f);
    double *want = ref_doubles(rows * ld), *grad = ref_doubles(rows * ld);

    t->softmax(mae_operand_f32(p), lse, p, rows, width, ld, scale);
    t->softmax_grad(mae_operand_f32(s), mae_operand_f32(ds), s, ds, lse, delta, rows,
                    width, ld, scale);
    for (size_t r = 0; r < rows; r++) {
        const double sum = log_sum_exp(x + r * ld, width, (double)scale);

        ck_assert_double_eq_tol((double)lse[r], sum, sum_error(width) + 2e-6 * fabs(sum));
        for (size_t i = r * ld; i < r * ld + width; i++) {
            want[i] = exp((double)scale * (double)x[i] - sum);
            grad[i] = (double)scale * want[i] * ((double)dp[i] - (double)delta[r]);
        }
        for (size_t i = r * ld + width; i < (r + 1) * ld; i++) {
            ck_assert(p[i] == 0.0f);
            s[i] = ds[i] = 0.0f;
        }
    }
    ref_close(t, "softmax", p, want, rows, ld, 0.0, sum_error(width));
    ref_close(t, "probabilities", s, want, rows, ld, 0.0, 2.0 * sum_error(width));
    ref_close(t, "softmax grad", ds, grad, rows, ld, 0.0, 2.0 * sum_error(width));
    free(x);
    free(p);
    free(ds);
    free(s);
    free(dp);
    free(lse);
    free(delta);
    free(want);
    free(grad);
}

START_TEST(softmax_agrees_with_loops)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);

    for (size_t i = 0; t != NULL && i < REF_SHAPES; i++) {
        size_t rows, width;

        ref_shape(i, &rows, &width);
        check_softmax(t, rows, width, i % 4 == 0 ? 0 : (16 - width % 16) % 16);
    }
}
END_TEST

START_TEST(extreme_scores)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);
    float big[3] = {3e38f, -3e38f, 3e38f}, masked[3] = {-INFINITY, 2.0f, -INFINITY};
    float bad[3] = {1.0f, NAN, 2.0f}, lse;

    if (t == NULL)
        return;
    t->softmax(mae_operand_f32(big), &lse, big, 1, 3, 3, 1.0f);
    ck_assert(big[0] == 0.5f && big[1] == 0.0f && big[2] == 0.5f);
    t->softmax(mae_operand_f32(masked), &lse, masked, 1, 3, 3, 1.0f);
    ck_assert(masked[0] == 0.0f && masked[1] == 1.0f && masked[2] == 0.0f);
    ref_near(lse, 2.0f, 1e-6f);
    t->softmax(mae_operand_f32(bad), NULL, bad, 1, 3, 3, 1.0f);
    ck_assert(isnan(bad[0]) && isnan(bad[1]) && isnan(bad[2]));
}
END_TEST

/* One random classification problem; soft targets equal the smoothed labels. */
typedef struct Case {
    size_t rows, classes;
    float smoothing;
    float *logits, *targets;
    int64_t *labels;
    double *loss, *grad;
} Case;

static void solve_row(Case *c, size_t r, float grad_scale)
{
    const size_t n = c->classes;
    const float *logits = c->logits + r * n;
    const double lse = log_sum_exp(logits, n, 1.0);

    for (size_t i = 0; i < n; i++) {
        const double target =
            (double)c->smoothing / (double)n +
            ((int64_t)i == c->labels[r] ? 1.0 - (double)c->smoothing : 0.0);

        c->targets[r * n + i] = (float)target;
        c->loss[r] += target * (lse - (double)logits[i]);
        c->grad[r * n + i] = (double)grad_scale * (exp((double)logits[i] - lse) - target);
    }
}

static Case make(size_t shape, float grad_scale)
{
    Case c = {.smoothing = shape % 3 == 0 ? 0.0f : 0.1f};

    ref_shape(shape, &c.rows, &c.classes);
    c.logits = ref_floats(c.rows * c.classes, 1, 5.0f, 40.0f);
    c.targets = ref_copy(c.logits, c.rows * c.classes);
    c.labels = mae_test_alloc(c.rows * sizeof *c.labels);
    c.loss = ref_doubles(c.rows);
    c.grad = ref_doubles(c.rows * c.classes);
    for (size_t r = 0; r < c.rows; r++) {
        c.labels[r] = (int64_t)((r * 7 + shape) % c.classes);
        solve_row(&c, r, grad_scale);
    }
    return c;
}

static void drop(Case *c)
{
    free(c->logits);
    free(c->targets);
    free(c->labels);
    free(c->loss);
    free(c->grad);
}

static void check_loss(const MaeRowsTable *t, const Case *c, const double *loss)
{
    for (size_t r = 0; r < c->rows; r++)
        ck_assert_msg(fabs(loss[r] - c->loss[r]) <= 1e-6 * (1.0 + fabs(c->loss[r])),
                      "%s row %zu of %zu, %zu classes: loss %.9g, want %.9g", t->name, r,
                      c->rows, c->classes, loss[r], c->loss[r]);
}

START_TEST(cross_entropy)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);

    for (size_t i = 0; t != NULL && i < REF_SHAPES; i++) {
        Case c = make(i, 0.25f);
        const size_t n = c.rows * c.classes;
        float *d = ref_copy(c.logits, n);
        double *loss = ref_doubles(c.rows);

        t->cross_entropy(loss, d, d, c.targets, 0.25f, c.rows, c.classes);
        check_loss(t, &c, loss);
        ref_close(t, "dlogits", d, c.grad, c.rows, c.classes, 1e-7, 1e-6);
        t->cross_entropy(loss, NULL, c.logits, c.targets, 1.0f, c.rows, c.classes);
        check_loss(t, &c, loss);
        free(d);
        free(loss);
        drop(&c);
    }
}
END_TEST

START_TEST(a_nan_logit_shows_in_the_loss)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);
    const float logits[3] = {1.0f, NAN, 2.0f}, targets[3] = {1.0f, 0.0f, 0.0f};
    double loss = 0.0;

    if (t == NULL)
        return;
    t->cross_entropy(&loss, NULL, logits, targets, 1.0f, 1, 3);
    ck_assert(isnan(loss));
}
END_TEST

START_TEST(public_functions_use_the_best_table)
{
    const MaeRowsTable *t = mae_rows_best();
    Case c = make(75, 1.0f);
    const size_t n = c.rows * c.classes;
    float *a = ref_copy(c.logits, n), *b = ref_copy(c.logits, n);
    float *s = ref_copy(c.logits, n), *u = ref_copy(c.logits, n);
    double *la = ref_doubles(c.rows), *lb = ref_doubles(c.rows);
    float *lse = ref_floats(c.rows, 2, 1.0f, 0.0f);

    mae_rows_softmax(mae_operand_f32(a), lse, a, c.rows, c.classes, c.classes, 0.5f);
    t->softmax(mae_operand_f32(b), lse, b, c.rows, c.classes, c.classes, 0.5f);
    ck_assert_mem_eq(a, b, n * sizeof *a);
    mae_rows_softmax_grad(mae_operand_f32(s), mae_operand_f32(a), s, a, lse, lse, c.rows,
                          c.classes, c.classes, 0.5f);
    t->softmax_grad(mae_operand_f32(u), mae_operand_f32(b), u, b, lse, lse, c.rows,
                    c.classes, c.classes, 0.5f);
    ck_assert_mem_eq(a, b, n * sizeof *a);
    mae_rows_cross_entropy(la, a, c.logits, c.targets, 1.0f, c.rows, c.classes);
    t->cross_entropy(lb, b, c.logits, c.targets, 1.0f, c.rows, c.classes);
    ck_assert_mem_eq(la, lb, c.rows * sizeof *la);
    free(a);
    free(b);
    free(s);
    free(u);
    free(la);
    free(lb);
    free(lse);
    drop(&c);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel_rows_softmax");
    TCase *tc = tcase_create("ref");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, softmax_agrees_with_loops, 0, REF_TABLES);
    tcase_add_loop_test(tc, extreme_scores, 0, REF_TABLES);
    tcase_add_loop_test(tc, cross_entropy, 0, REF_TABLES);
    tcase_add_loop_test(tc, a_nan_logit_shows_in_the_loss, 0, REF_TABLES);
    tcase_add_test(tc, public_functions_use_the_best_table);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
