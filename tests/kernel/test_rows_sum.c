#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/rows.h"
#include "reference.h"
#include "support/test.h"

START_TEST(colsum_adds_rows_in_order)
{
    MaeDtype type;
    const MaeRowsTable *t = ref_table(_i, &type);

    for (size_t i = 0; t != NULL && i < REF_SHAPES; i++) {
        size_t rows, width, ld;
        float *x, *sum, *want, *halves;
        MaeOperand in;

        ref_shape(i, &rows, &width);
        ld = width + i % 3;
        x = ref_floats(rows * ld, 1, 1.0f, 0.0f);
        if (i % 2 == 1)
            x[rows / 2 * ld + width / 2] = NAN; /* spoils its column alone */
        test_round(x, rows * ld, type);
        in = test_operand(x, rows * ld, type);
        sum = ref_floats(width, 2, 1.0f, 0.0f);
        want = ref_copy(sum, width);
        halves = ref_copy(sum, width);
        for (size_t r = 0; r < rows; r++) {
            for (size_t j = 0; j < width; j++)
                want[j] += x[r * ld + j];
        }
        t->colsum(sum, in, rows, width, ld);
        for (size_t j = 0; j < width; j++)
            ck_assert(sum[j] == want[j] || (isnan(sum[j]) && isnan(want[j])));
        t->colsum(halves, in, rows / 2, width, ld);
        t->colsum(halves, mae_operand_at(in, rows / 2 * ld), rows - rows / 2, width, ld);
        ck_assert_mem_eq(halves, sum, width * sizeof *sum);
        free(in.data);
        free(x);
        free(sum);
        free(want);
        free(halves);
    }
}
END_TEST

START_TEST(vector_helpers)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);

    for (size_t n = 0; t != NULL && n < 70; n++) {
        float *x = ref_floats(n, 1, 1.0f, 0.0f), *y = ref_floats(n, 2, 1.0f, 0.0f);
        double *want = ref_doubles(n);

        for (size_t i = 0; i < n; i++)
            want[i] = ((double)y[i] + (double)x[i]) * 0.7 - 0.3 * (double)x[i];
        t->add(y, x, n);
        t->scale(y, 0.7f, n);
        t->axpy(y, -0.3f, x, n);
        ref_close(t, "add, scale, axpy", y, want, 1, n, 1e-6, 1e-6);
        free(x);
        free(y);
        free(want);
    }
}
END_TEST

START_TEST(sumsq_in_double)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);
    const size_t sizes[] = {0, 1, 7, 4095, 4096, 4097, 100003};

    for (size_t i = 0; t != NULL && i < sizeof sizes / sizeof *sizes; i++) {
        float *x = ref_floats(sizes[i] + 16, 1, 1e5f, 3.0f);
        double want = 0.0, got = t->sumsq(x, sizes[i]);

        for (size_t j = 0; j < sizes[i]; j++)
            want += (double)x[j] * (double)x[j];
        ck_assert(fabs(got - want) <= 1e-12 * want);
        for (size_t offset = 1; offset < 16; offset++) {
            memmove(x + offset, x + offset - 1, sizes[i] * sizeof *x);
            ck_assert_double_eq(t->sumsq(x + offset, sizes[i]), got);
        }
        free(x);
    }
}
END_TEST

START_TEST(finite_finds_every_bad_number)
{
    const MaeRowsTable *t = mae_rows_table((size_t)_i);
    const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
    enum { N = 4096 + 77 };
    float x[N];

    if (t == NULL)
        return;
    for (size_t i = 0; i < N; i++)
        x[i] = i % 2 == 0 ? 3.4e38f : -1e-45f;
    ck_assert(t->finite(x, N));
    ck_assert(t->finite(x, 0));
    for (size_t i = 0; i < N; i += i < 70 ? 1 : 211) {
        const float good = x[i];

        x[i] = bad[i % 4];
        ck_assert_msg(!t->finite(x, N), "%s at %zu", t->name, i);
        ck_assert(t->finite(x, i));
        x[i] = good;
    }
}
END_TEST

START_TEST(public_functions_use_the_best_table)
{
    const MaeRowsTable *t = mae_rows_best();
    enum { ROWS = 5, WIDTH = 37, N = ROWS * WIDTH };
    float *x = ref_floats(N, 1, 1.0f, 0.0f), *a = ref_floats(N, 2, 1.0f, 0.0f);
    float *b = ref_copy(a, N);

    mae_rows_colsum(a, mae_operand_f32(x), ROWS, WIDTH, WIDTH);
    t->colsum(b, mae_operand_f32(x), ROWS, WIDTH, WIDTH);
    mae_rows_add(a, x, N);
    t->add(b, x, N);
    mae_rows_scale(a, 0.3f, N);
    t->scale(b, 0.3f, N);
    mae_rows_axpy(a, 0.7f, x, N);
    t->axpy(b, 0.7f, x, N);
    ck_assert_mem_eq(a, b, N * sizeof *a);
    ck_assert_double_eq(mae_rows_sumsq(x, N), t->sumsq(x, N));
    ck_assert(mae_rows_finite(x, N));
    free(x);
    free(a);
    free(b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel_rows_sum");
    TCase *tc = tcase_create("ref");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, colsum_adds_rows_in_order, 0, REF_KINDS);
    tcase_add_loop_test(tc, vector_helpers, 0, REF_TABLES);
    tcase_add_loop_test(tc, sumsq_in_double, 0, REF_TABLES);
    tcase_add_loop_test(tc, finite_finds_every_bad_number, 0, REF_TABLES);
    tcase_add_test(tc, public_functions_use_the_best_table);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
