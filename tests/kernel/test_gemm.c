#include "kernel/gemm.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reference.h"
#include "support/test.h"

static MaeError err;

typedef void (*Product)(const MaeGemm *, float *, size_t, const float *, size_t,
                        const float *, size_t, size_t, size_t, size_t, float);

/* One orientation and how its operands are stored. */
static const struct Form {
    const char *name;
    Product run;
    bool a_turned; /* A is stored [k,m] */
    bool b_turned; /* B is stored [n,k] */
} forms[] = {{"nt", mae_gemm_nt, false, true},
             {"nn", mae_gemm_nn, false, false},
             {"tn", mae_gemm_tn, true, false}};

static double element(const struct Form *f, const float *a, size_t lda, const float *b,
                      size_t ldb, size_t i, size_t j, size_t k)
{
    double sum = 0.0;

    for (size_t p = 0; p < k; p++)
        sum += (double)(f->a_turned ? a[p * lda + i] : a[i * lda + p]) *
               (double)(f->b_turned ? b[j * ldb + p] : b[p * ldb + j]);
    return sum;
}

/* Compare with naive loops; floats between the rows of C must stay as they are. */
static void check(const MaeGemm *gemm, const struct Form *f, size_t m, size_t n, size_t k,
                  size_t pad, float beta)
{
    const size_t lda = (f->a_turned ? m : k) + pad, ldb = (f->b_turned ? k : n) + pad;
    const size_t ldc = n + pad;
    float *a = ref_floats((f->a_turned ? k : m) * lda, m, 1.0f, 0.0f);
    float *b = ref_floats((f->b_turned ? n : k) * ldb, n + 1000, 1.0f, 0.0f);
    float *c = ref_floats(m * ldc, k + 2000, 1.0f, 0.0f);
    float *before = ref_copy(c, m * ldc);

    for (size_t i = 0; beta == 0.0f && i < m; i++) {
        for (size_t j = 0; j < n; j++)
            c[i * ldc + j] = NAN;
    }
    f->run(gemm, c, ldc, a, lda, b, ldb, m, n, k, beta);
    for (size_t i = 0; i < m * ldc; i++) {
        const size_t row = i / ldc, column = i % ldc;
        double want = (double)before[i];

        if (column < n)
            want =
                (beta == 0.0f ? 0.0 : want) + element(f, a, lda, b, ldb, row, column, k);
        ck_assert_msg(fabs((double)c[i] - want) <= 1e-6 * (4.0 + (double)k),
                      "%s m %zu n %zu k %zu pad %zu beta %g at [%zu,%zu]: got %g want %g",
                      f->name, m, n, k, pad, (double)beta, row, column, (double)c[i],
                      want);
    }
    free(a);
    free(b);
    free(c);
    free(before);
}

START_TEST(agrees_with_loops)
{
    MaeGemm *gemm;
    MaeRng rng;

    ck_assert_ok(mae_gemm_open(&gemm, MAE_F32, &err));
    mae_rng_init(&rng, ref_seed(), 1, (uint64_t)_i, MAE_RNG_TEST);
    for (int round = 0; round < 60; round++) {
        const size_t m = 1 + mae_rng_below(&rng, 70), n = 1 + mae_rng_below(&rng, 70);
        const size_t k = mae_rng_below(&rng, 80), pad = mae_rng_below(&rng, 5);

        check(gemm, &forms[_i], m, n, k, pad, round % 2 == 0 ? 0.0f : 1.0f);
    }
    check(gemm, &forms[_i], 1, 1, 1, 0, 0.0f);
    check(gemm, &forms[_i], 3, 5, 0, 1, 0.0f);
    check(gemm, &forms[_i], 150, 260, 130, 0, 0.0f);
    check(gemm, &forms[_i], 257, 129, 300, 3, 1.0f);
    forms[_i].run(gemm, NULL, 1, NULL, 1, NULL, 1, 0, 0, 0, 0.0f);
    mae_gemm_close(gemm);
}
END_TEST

START_TEST(opens_and_describes)
{
    MaeGemm *gemm;

    ck_assert_ok(mae_gemm_open(&gemm, MAE_F32, &err));
    ck_assert_msg(strncmp(mae_gemm_backend(gemm), "OpenBLAS ", 9) == 0, "%s",
                  mae_gemm_backend(gemm));
    (void)fprintf(stderr, "%s\n", mae_gemm_backend(gemm));
    mae_gemm_close(gemm);
    mae_gemm_close(NULL);
}
END_TEST

START_TEST(refuses_bf16)
{
    MaeGemm *gemm = (MaeGemm *)&err;

    ck_assert_fails(mae_gemm_open(&gemm, MAE_BF16, &err), MAE_ERR_ARG, "oneDNN");
    ck_assert_ptr_null(gemm);
    ck_assert_int_eq(mae_gemm_open(&gemm, MAE_BF16, NULL), MAE_ERR_ARG);
}
END_TEST

/* The OpenMP variant of OpenBLAS hangs here. */
START_TEST(works_in_a_forked_child)
{
    MaeGemm *gemm;
    pid_t child;
    int status;

    ck_assert_ok(mae_gemm_open(&gemm, MAE_F32, &err));
    check(gemm, &forms[0], 200, 200, 200, 0, 0.0f);
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        check(gemm, &forms[0], 200, 200, 200, 0, 0.0f);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    mae_gemm_close(gemm);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernel_gemm");
    TCase *tc = tcase_create("ref");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, agrees_with_loops, 0, 3);
    tcase_add_test(tc, opens_and_describes);
    tcase_add_test(tc, refuses_bf16);
    tcase_add_test(tc, works_in_a_forked_child);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
