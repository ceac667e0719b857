#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/adamw.h"
#include "reference.h"
#include "support/test.h"

static MaeAdamWStep settings(void)
{
    return (MaeAdamWStep){.lr = 1.5e-3,
                          .beta1 = 0.9,
                          .beta2 = 0.95,
                          .eps = 1e-8,
                          .weight_decay = 0.05,
                          .grad_scale = 0.5};
}

/* torch.optim.AdamW, one element, in double. */
static void reference(double *w, double *m, double *v, double g, const MaeAdamWStep *s)
{
    g *= s->grad_scale;
    *w *= 1.0 - s->lr * s->weight_decay;
    *m = s->beta1 * *m + (1.0 - s->beta1) * g;
    *v = s->beta2 * *v + (1.0 - s->beta2) * g * g;
    *w -= s->lr / s->bias1 * *m / (sqrt(*v) / sqrt(s->bias2) + s->eps);
}

static void train(const MaeRowsTable *t, MaeDtype type, size_t n)
{
    float *w = ref_floats(n, 1, 1.0f, 0.0f), *m = mae_test_alloc(n * 4 + 4);
    float *v = mae_test_alloc(n * 4 + 4);
    double *ww = ref_doubles(n), *mm = ref_doubles(n), *vv = ref_doubles(n);
    const MaeOperand made = test_operand(m, n, type);
    const MaeOperand copy = type == MAE_F32 ? mae_operand_f32(w) : made;
    MaeAdamWStep step = settings();

    for (size_t i = 0; i < n; i++)
        ww[i] = (double)w[i];
    for (uint64_t k = 1; k <= 20; k++) {
        float *g = ref_floats(n, 100 + k, 0.1f, 0.02f);

        mae_adamw_step(&step, k);
        for (size_t i = 0; i < n; i++)
            reference(&ww[i], &mm[i], &vv[i], (double)g[i], &step);
        t->adamw(w, copy, m, v, g, n, &step);
        free(g);
    }
    ref_close(t, "w", w, ww, 1, n, 1e-6, 2e-6);
    ref_close(t, "m", m, mm, 1, n, 1e-8, 1e-6);
    ref_close(t, "v", v, vv, 1, n, 1e-10, 1e-6);
    for (size_t i = 0; type != MAE_F32 && i < n; i++) /* the nearest, always */
        ck_assert_uint_eq(((const uint16_t *)copy.data)[i], mae_bf16(w[i]));
    free(made.data);
    free(w);
    free(m);
    free(v);
    free(ww);
    free(mm);
    free(vv);
}

START_TEST(agrees_with_double)
{
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);

    for (size_t n = 0; t != NULL && n <= 70; n++)
        train(t, type, n);
    if (t != NULL)
        train(t, type, 5000);
}
END_TEST

START_TEST(bias_corrections)
{
    MaeAdamWStep step = settings();

    mae_adamw_step(&step, 1);
    ck_assert_double_eq_tol(step.bias1, 0.1, 1e-15);
    ck_assert_double_eq_tol(step.bias2, 0.05, 1e-15);
    mae_adamw_step(&step, 1000000);
    ck_assert_double_eq(step.bias1, 1.0);
}
END_TEST

/* The first step moves every weight by lr against the gradient's sign. */
START_TEST(first_step_is_the_sign)
{
    float w[2] = {1.0f, -1.0f}, m[2] = {0}, v[2] = {0};
    const float g[2] = {1e-3f, -40.0f};
    MaeAdamWStep step = settings();

    step.weight_decay = 0.0;
    mae_adamw_step(&step, 1);
    mae_adamw_update(w, mae_operand_f32(w), m, v, g, 2, &step);
    ref_near(w[0], 1.0f - 1.5e-3f, 1e-6f);
    ref_near(w[1], -1.0f + 1.5e-3f, 1e-6f);
}
END_TEST

/* A range may be cut anywhere: each element takes the same arithmetic. */
START_TEST(any_split_gives_the_same_bits)
{
    enum { N = 1000 };
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);
    float *g = ref_floats(N, 4, 1.0f, 0.0f), *one[3], *two[3];
    MaeOperand copy[2];
    MaeAdamWStep step = settings();

    mae_adamw_step(&step, 3);
    for (uint64_t k = 0; k < 3; k++) {
        one[k] = ref_floats(N, 1 + k, 0.1f, 1.0f);
        two[k] = ref_copy(one[k], N);
    }
    for (size_t k = 0; k < 2; k++)
        copy[k] = test_operand(g, N, type);
    if (t != NULL) {
        t->adamw(one[0], type == MAE_F32 ? mae_operand_f32(one[0]) : copy[0], one[1],
                 one[2], g, N, &step);
        for (size_t at = 0, n; at < N; at += n) {
            n = at + 37 < N ? 37 : N - at;
            t->adamw(
                two[0] + at,
                mae_operand_at(type == MAE_F32 ? mae_operand_f32(two[0]) : copy[1], at),
                two[1] + at, two[2] + at, g + at, n, &step);
        }
    }
    ck_assert_mem_eq(copy[0].data, copy[1].data, N * mae_dtype_size(type));
    for (size_t k = 0; k < 3; k++) {
        ck_assert_mem_eq(one[k], two[k], N * sizeof(float));
        free(one[k]);
        free(two[k]);
    }
    free(copy[0].data);
    free(copy[1].data);
    free(g);
}
END_TEST

START_TEST(nan_passes_through)
{
    enum { N = 600 };
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);
    MaeAdamWStep step = settings();

    mae_adamw_step(&step, 1);
    for (size_t at = 0; t != NULL && at < N; at += 59) {
        float *w = ref_floats(N, 1, 1.0f, 0.0f), *g = ref_floats(N, 2, 1.0f, 0.0f);
        float m[N] = {0}, v[N] = {0};
        const MaeOperand made = test_operand(w, N, type);
        const MaeOperand copy = type == MAE_F32 ? mae_operand_f32(w) : made;

        g[at] = NAN;
        t->adamw(w, copy, m, v, g, N, &step);
        ref_nan_at(t, "w", mae_operand_f32(w), N, at, 1);
        ref_nan_at(t, "operands", copy, N, at, 1);
        free(made.data);
        free(w);
        free(g);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel_adamw");
    TCase *tc = tcase_create("ref");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, agrees_with_double, 0, REF_KINDS);
    tcase_add_test(tc, bias_corrections);
    tcase_add_test(tc, first_step_is_the_sign);
    tcase_add_loop_test(tc, any_split_gives_the_same_bits, 0, REF_KINDS);
    tcase_add_loop_test(tc, nan_passes_through, 0, REF_KINDS);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
