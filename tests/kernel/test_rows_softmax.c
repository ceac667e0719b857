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

/* One random problem of attention's softmax; rows ld apart. */
typedef struct Scores {
    size_t rows, width, ld, n; /* n = rows * ld */
    float *s, *dp, *lse;
    double *p, *ds; /* 0 behind a row */
} Scores;

static const float SCALE = 0.125f;

static Scores make_scores(size_t shape)
{
    Scores c = {0};

    ref_shape(shape, &c.rows, &c.width);
    c.ld = c.width + (shape % 4 == 0 ? 0 : (16 - c.width % 16) % 16);
    c.n = c.rows * c.ld;
    c.s = ref_floats(c.n, 1, 30.0f, 0.0f);
    c.dp = ref_floats(c.n, 2, 1.0f, 0.0f);
    c.lse = ref_floats(c.rows, 4, 1.0f, 0.0f);
    c.p = ref_doubles(c.n);
    c.ds = ref_doubles(c.n);
    for (size_t r = 0; r < c.rows; r++) {
        const double lse = log_sum_exp(c.s + r * c.ld, c.width, (double)SCALE);

        double mean = 0.0;

        for (size_t i = r * c.ld; i < r * c.ld + c.width; i++) {
            c.p[i] = exp((double)SCALE * (double)c.s[i] - lse);
            mean += c.p[i] * (double)c.dp[i];
        }
        for (size_t i = r * c.ld; i < r * c.ld + c.width; i++)
            c.ds[i] = (double)SCALE * c.p[i] * ((double)c.dp[i] - mean);
    }
    return c;
}

static void drop_scores(Scores *c)
{
    void *const owned[] = {c->s, c->dp, c->lse, c->p, c->ds};

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
}

/* In place or not. */
static void check_softmax(const MaeRowsTable *t, Scores *c, MaeDtype type, bool in_place)
{
    float *s = ref_copy(c->s, c->n), *again = ref_copy(c->s, c->n);
    float *dp = ref_copy(c->dp, c->n);
    const MaeOperand p = in_place ? mae_operand_f32(s) : test_operand(c->dp, c->n, type);
    const MaeOperand back =
        in_place ? mae_operand_f32(again) : test_operand(c->dp, c->n, type);
    const MaeOperand ds =
        in_place ? mae_operand_f32(dp) : test_operand(c->dp, c->n, type);
    const double tol = sum_error(c->width);

    t->softmax(p, c->lse, s, c->rows, c->width, c->ld, SCALE);
    t->softmax_grad(back, ds, again, dp, c->lse, c->rows, c->width, c->ld, SCALE);
    for (size_t r = 0; r < c->rows; r++) {
        const double lse = log_sum_exp(c->s + r * c->ld, c->width, (double)SCALE);

        ck_assert_double_eq_tol((double)c->lse[r], lse, tol + 2e-6 * fabs(lse));
    }
    ref_close_operand(t, "softmax", p, c->p, c->rows, c->ld, 0.0, tol);
    ref_close_operand(t, "probabilities", back, c->p, c->rows, c->ld, 0.0, 2.0 * tol);
    ref_close_operand(t, "softmax grad", ds, c->ds, c->rows, c->ld, 2e-6, 2.0 * tol);
    if (!in_place) {
        free(p.data);
        free(back.data);
        free(ds.data);
    }
    free(s);
    free(again);
    free(dp);
}

START_TEST(softmax_agrees_with_loops)
{
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);

    for (size_t i = 0; t != NULL && i < REF_SHAPES; i++) {
        Scores c = make_scores(i);

        check_softmax(t, &c, type, false);
        if (type == MAE_F32)
            check_softmax(t, &c, type, true);
        drop_scores(&c);
    }
}
END_TEST

START_TEST(extreme_scores)
{
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);
    float big[3] = {3e38f, -3e38f, 3e38f}, masked[3] = {-INFINITY, 2.0f, -INFINITY};
    float p[3] = {0}, lse, *got;
    const MaeOperand to = test_operand(p, 3, type);

    if (t != NULL) {
        t->softmax(to, &lse, big, 1, 3, 3, 1.0f);
        got = test_floats(to, 3);
        ck_assert(got[0] == 0.5f && got[1] == 0.0f && got[2] == 0.5f);
        free(got);
        t->softmax(to, &lse, masked, 1, 3, 3, 1.0f);
        got = test_floats(to, 3);
        ck_assert(got[0] == 0.0f && got[1] == 1.0f && got[2] == 0.0f);
        ref_near(lse, 2.0f, 1e-6f);
        free(got);
    }
    free(to.data);
}
END_TEST

/* A bad score spoils its row, padding included, and no other. */
START_TEST(nan_passes_through)
{
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);

    for (size_t i = 0; t != NULL && i < REF_SHAPES; i++) {
        Scores c = make_scores(i);
        const size_t row = c.rows / 2, at = row * c.ld + i % c.width;
        const MaeOperand p = test_operand(c.dp, c.n, type);
        const MaeOperand ds = test_operand(c.dp, c.n, type);
        float *s = ref_copy(c.s, c.n);

        s[at] = NAN;
        t->softmax(p, c.lse, s, c.rows, c.width, c.ld, SCALE);
        ref_nan_at(t, "softmax", p, c.n, row * c.ld, c.ld);
        ref_nan_at(t, "lse", mae_operand_f32(c.lse), c.rows, row, 1);
        c.lse[row] = 0.0f;
        memcpy(s, c.s, c.n * sizeof *s);
        s[at] = NAN;
        t->softmax_grad(p, ds, s, c.dp, c.lse, c.rows, c.width, c.ld, SCALE);
        ref_nan_at(t, "probabilities", p, c.n, at, 1);
        ref_nan_at(t, "softmax grad", ds, c.n, row * c.ld, c.ld);
        free(p.data);
        free(ds.data);
        free(s);
        drop_scores(&c);
    }
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
    const MaeDtype type = (MaeDtype)_i;
    Case c = make(75, 1.0f);
    const size_t n = c.rows * c.classes, bytes = n * mae_dtype_size(type);
    MaeOperand p = test_operand(c.logits, n, type), q = test_operand(c.logits, n, type);
    MaeOperand ds = test_operand(c.logits, n, type), dt = test_operand(c.logits, n, type);
    float *a = ref_copy(c.logits, n), *b = ref_copy(c.logits, n);
    float *s = ref_copy(c.logits, n), *u = ref_copy(c.logits, n);
    double *la = ref_doubles(c.rows), *lb = ref_doubles(c.rows);
    float *lse = ref_floats(c.rows, 2, 1.0f, 0.0f);

    mae_rows_softmax(p, lse, a, c.rows, c.classes, c.classes, 0.5f);
    t->softmax(q, lse, b, c.rows, c.classes, c.classes, 0.5f);
    ck_assert_mem_eq(p.data, q.data, bytes);
    mae_rows_softmax_grad(p, ds, s, a, lse, c.rows, c.classes, c.classes, 0.5f);
    t->softmax_grad(q, dt, u, b, lse, c.rows, c.classes, c.classes, 0.5f);
    ck_assert_mem_eq(p.data, q.data, bytes);
    ck_assert_mem_eq(ds.data, dt.data, bytes);
    mae_rows_cross_entropy(la, a, c.logits, c.targets, 1.0f, c.rows, c.classes);
    t->cross_entropy(lb, b, c.logits, c.targets, 1.0f, c.rows, c.classes);
    ck_assert_mem_eq(la, lb, c.rows * sizeof *la);
    ck_assert_mem_eq(a, b, n * sizeof *a);
    free(p.data);
    free(q.data);
    free(ds.data);
    free(dt.data);
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
    tcase_add_loop_test(tc, softmax_agrees_with_loops, 0, REF_KINDS);
    tcase_add_loop_test(tc, extreme_scores, 0, REF_KINDS);
    tcase_add_loop_test(tc, nan_passes_through, 0, REF_KINDS);
    tcase_add_loop_test(tc, cross_entropy, 0, REF_TABLES);
    tcase_add_loop_test(tc, a_nan_logit_shows_in_the_loss, 0, REF_TABLES);
    tcase_add_loop_test(tc, public_functions_use_the_best_table, 0, TEST_DTYPES);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
