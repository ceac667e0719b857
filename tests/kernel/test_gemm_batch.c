#include <math.h>
#include <stdlib.h>

#include "gemm_reference.h"
#include "support/operand.h"
#include "support/test.h"

/* Where matrix [rows,columns] (i,j) of a batch begins, and how far its rows are apart. */
typedef struct Layout {
    size_t rows, columns, ld, outer, inner, total;
} Layout;

/* Inner matrices side by side, as heads are, or one behind the other; gaps in both. */
static Layout lay_out(size_t rows, size_t columns, const size_t count[2], size_t pad,
                      bool beside)
{
    Layout l = {.rows = rows, .columns = columns};

    l.inner = columns + pad;
    l.ld = beside && count[1] > 0 ? count[1] * l.inner + pad : l.inner;
    l.inner = beside ? l.inner : rows * l.ld + pad;
    l.outer = beside ? rows * l.ld + pad : count[1] * l.inner;
    l.total = count[0] * l.outer;
    return l;
}

static double sum_of_batch(const RefForm *f, const float *a, const Layout *la,
                           const float *b, const Layout *lb, size_t row, size_t column)
{
    const size_t k = f->a_turned ? la->rows : la->columns;
    double sum = 0.0;

    for (size_t p = 0; p < k; p++)
        sum += (double)(f->a_turned ? a[p * la->ld + row] : a[row * la->ld + p]) *
               (double)(f->b_turned ? b[column * lb->ld + p] : b[p * lb->ld + column]);
    return sum;
}

/* C as it must be, from C as it was. */
static double *solve_batch(const RefForm *f, const float *a, const Layout *la,
                           const float *b, const Layout *lb, const float *c,
                           const Layout *lc, const size_t count[2], bool accumulate)
{
    double *want = ref_doubles(lc->total);

    for (size_t i = 0; i < lc->total; i++)
        want[i] = (double)c[i];
    for (size_t e = 0; e < count[0] * count[1] * lc->rows * lc->columns; e++) {
        const size_t column = e % lc->columns, row = e / lc->columns % lc->rows;
        const size_t j = e / lc->columns / lc->rows % count[1];
        const size_t i = e / lc->columns / lc->rows / count[1];
        double *at = want + i * lc->outer + j * lc->inner + row * lc->ld + column;

        *at = (accumulate ? *at : 0.0) +
              sum_of_batch(f, a + i * la->outer + j * la->inner, la,
                           b + i * lb->outer + j * lb->inner, lb, row, column);
    }
    return want;
}

/* @param c m, n, k and pad of one product; its epilogue is not used. */
static void check_batch(const MaeGemm *gemm, const RefForm *f, const RefCase *c,
                        const size_t count[2], bool beside, bool accumulate)
{
    const MaeDtype type = mae_gemm_operand(gemm);
    const Layout la = lay_out(f->a_turned ? c->k : c->m, f->a_turned ? c->m : c->k, count,
                              c->pad, beside);
    const Layout lb = lay_out(f->b_turned ? c->n : c->k, f->b_turned ? c->k : c->n, count,
                              c->pad, !beside);
    const Layout lc = lay_out(c->m, c->n, count, c->pad, beside);
    const MaeGemmBatch batch[] = {{count[0], la.outer, lb.outer, lc.outer},
                                  {count[1], la.inner, lb.inner, lc.inner}};
    float *a = ref_floats(la.total, 1, 1.0f, 0.0f),
          *b = ref_floats(lb.total, 2, 1.0f, 0.0f);
    float *before = ref_floats(lc.total, 3, 1.0f, 0.0f), *got;
    MaeOperand x, y, z;
    double *want;

    test_round(a, la.total, type);
    test_round(b, lb.total, type);
    test_round(before, lc.total, c->out);
    x = test_operand(a, la.total, type);
    y = test_operand(b, lb.total, type);
    z = test_operand(before, lc.total, c->out);
    want = solve_batch(f, a, &la, b, &lb, before, &lc, count, accumulate);
    mae_gemm_batch(gemm, f->form, z, lc.ld, x.data, la.ld, y.data, lb.ld, c->m, c->n,
                   c->k, batch, accumulate);
    got = test_floats(z, lc.total);
    for (size_t i = 0; i < lc.total; i++)
        ck_assert_msg(fabs((double)got[i] - want[i]) <=
                          1e-6 * (4.0 + (double)c->k) + test_half_unit(want[i], c->out),
                      "%s %s %zu x %zu of m %zu n %zu k %zu pad %zu to %s at %zu: got "
                      "%.9g, want %.9g, seed %llu",
                      mae_gemm_backend(gemm), f->name, count[0], count[1], c->m, c->n,
                      c->k, c->pad, mae_dtype_name(c->out), i, (double)got[i], want[i],
                      (unsigned long long)ref_seed());
    free(a);
    free(b);
    free(before);
    free(got);
    free(want);
    free(x.data);
    free(y.data);
    free(z.data);
}

/* Small ones, and sums long enough to be left to the backend in every type. */
START_TEST(batches_agree_with_loops)
{
    const RefForm *f = &ref_forms[_i % FORMS];
    MaeGemm *gemm = ref_open_kind((size_t)_i / FORMS, 1);
    MaeRng rng;

    if (gemm == NULL)
        return;
    mae_rng_init(&rng, ref_seed(), 2, (uint64_t)_i, MAE_RNG_TEST);
    for (int round = 0; round < 48; round++) {
        const size_t count[] = {mae_rng_below(&rng, 4), mae_rng_below(&rng, 4)};
        const bool accumulate = round % 3 == 1;
        const RefCase c = {.m = 1 + mae_rng_below(&rng, 40),
                           .n = 1 + mae_rng_below(&rng, 40),
                           .k = mae_rng_below(&rng, 40) + (round % 5 == 3 ? 128 : 0),
                           .pad = mae_rng_below(&rng, 3),
                           .out = round % 3 == 2 ? mae_gemm_operand(gemm) : MAE_F32};

        check_batch(gemm, f, &c, count, round % 2 == 0, accumulate);
    }
    mae_gemm_close(gemm);
}
END_TEST

/* bf16 is left to code that prepares nothing. */
START_TEST(batches_are_prepared_once)
{
    const RefCase c = {.m = 7, .n = 8, .k = 129, .pad = 1};
    const size_t two[] = {2, 3}, more[] = {2, 4};
    const size_t prepared = ref_kinds[_i].type == MAE_F32 ? 1 : 0;
    MaeGemm *gemm = ref_open_kind((size_t)_i, 1);
    MaeError err = {0};

    if (gemm == NULL)
        return;
    if (mae_gemm_rehearse(gemm)) {
        ck_assert_ok(mae_gemm_rehearsed(gemm, &err));
        check_batch(gemm, &ref_forms[0], &c, two, false, false);
        check_batch(gemm, &ref_forms[0], &c, two, false, false);
        ck_assert_uint_eq(mae_gemm_shapes(gemm), prepared);
        check_batch(gemm, &ref_forms[0], &c, more, false, false);
        check_batch(gemm, &ref_forms[0], &c, two, false, true);
        check_batch(gemm, &ref_forms[0], &c, two, true, false);
        ck_assert_uint_eq(mae_gemm_shapes(gemm), 4 * prepared);
    }
    mae_gemm_close(gemm);
}
END_TEST

/* What nobody strides over makes no shape of its own. */
START_TEST(strides_of_one_make_no_shape)
{
    const MaeGemmBatch batches[][2] = {
        {{3, 2048, 2048, 64}, {1, 0, 0, 0}}, {{3, 2048, 2048, 64}, {1, 5, 6, 7}},
        {{1, 0, 0, 0}, {3, 2048, 2048, 64}}, {{1, 5, 6, 7}, {3, 2048, 2048, 64}},
        {{1, 5, 6, 7}, {1, 8, 9, 10}},
    };
    MaeGemm *gemm = ref_open_kind((size_t)_i, 1);
    MaeError err = {0};

    if (gemm == NULL)
        return;
    if (mae_gemm_rehearse(gemm)) {
        for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
            mae_gemm_batch(gemm, MAE_GEMM_NT, (MaeOperand){.type = MAE_F32}, 8, NULL, 256,
                           NULL, 256, 8, 8, 256, batches[i], false);
        mae_gemm_nt(gemm, (MaeOperand){.type = MAE_F32}, 8, NULL, 256, NULL, 256, 8, 8,
                    256, NULL, NULL);
        ck_assert_ok(mae_gemm_rehearsed(gemm, &err));
        ck_assert_uint_eq(mae_gemm_shapes(gemm), ref_kinds[_i].type == MAE_F32 ? 3 : 1);
    }
    mae_gemm_close(gemm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel_gemm_batch");
    TCase *tc = tcase_create("ref");

    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, batches_agree_with_loops, 0, KINDS * FORMS);
    tcase_add_loop_test(tc, batches_are_prepared_once, 0, KINDS);
    tcase_add_loop_test(tc, strides_of_one_make_no_shape, 0, KINDS);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
