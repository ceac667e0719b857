#include "nn/weight_grad.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/grad.h"

/* [rows, in, out]: several bands of dW, fewer rows than a band, one row, one column. */
static const size_t shapes[][3] = {{7, 12, 300}, {35, 5, 18}, {1, 130, 129}, {9, 1, 128}};
enum { JOBS = sizeof shapes / sizeof *shapes, GAP = 3 };

typedef struct Bench {
    MaeDtype type;
    MaeWeightGrad jobs[JOBS];
    float *values[2 * JOBS]; /* dy and x of each job, as operands hold them */
    void *operands[2 * JOBS];
    size_t total;
} Bench;

static const void *operands(Bench *b, size_t i, size_t n)
{
    b->values[i] = mae_test_normal(n, 5, i);
    test_round(b->values[i], n, b->type);
    b->operands[i] = test_operand(b->values[i], n, b->type).data;
    return b->operands[i];
}

/* Between the jobs' outputs lie GAP floats of others. @return false without products. */
static bool bench_open(Bench *b, MaeDtype type)
{
    *b = (Bench){.type = type, .total = GAP};
    if (!test_can_multiply(type))
        return false;
    for (size_t j = 0; j < JOBS; j++) {
        const size_t rows = shapes[j][0], in = shapes[j][1], out = shapes[j][2];

        b->jobs[j] = (MaeWeightGrad){.off = b->total,
                                     .in = in,
                                     .out = out,
                                     .dy = operands(b, 2 * j, rows * out),
                                     .x = operands(b, 2 * j + 1, rows * in),
                                     .rows = rows};
        b->total += in * out + GAP;
    }
    return true;
}

static void bench_close(Bench *b)
{
    for (size_t i = 0; i < 2 * JOBS; i++) {
        free(b->values[i]);
        free(b->operands[i]);
    }
}

/* The gradients on @p threads threads, on top of what dw holds; 0 threads: no pool. */
static void run(const Bench *b, float *dw, size_t threads)
{
    MaeGemm *gemm = test_gemm(b->type, threads > 0 ? threads : 1);
    MaePool *pool = NULL;
    MaeError err = {0};

    if (threads > 0)
        ck_assert_ok(mae_pool_open(&pool, threads, &err));
    mae_weight_grad_run(b->jobs, JOBS, &(MaeCompute){.pool = pool, .gemm = gemm}, dw,
                        MAE_GRAD_ADD);
    mae_pool_close(pool);
    mae_gemm_close(gemm);
}

START_TEST(accumulates_products)
{
    double *want;
    float *dw;
    Bench b;

    if (!bench_open(&b, (MaeDtype)_i))
        return;
    dw = mae_test_normal(b.total, 6, 0);
    want = test_doubles(dw, b.total);
    for (size_t j = 0; j < JOBS; j++) {
        const MaeWeightGrad *job = &b.jobs[j];

        for (size_t i = 0; i < job->in * job->out; i++)
            for (size_t r = 0; r < job->rows; r++)
                want[job->off + i] +=
                    (double)b.values[2 * j][r * job->out + i / job->in] *
                    (double)b.values[2 * j + 1][r * job->in + i % job->in];
    }
    run(&b, dw, 2);
    for (size_t j = 0; j < JOBS; j++) {
        const MaeWeightGrad *job = &b.jobs[j];

        test_close_to("dw", dw + job->off, want + job->off, job->in * job->out);
        for (size_t i = 1; i <= GAP; i++)
            ck_assert_f32_eq(dw[job->off - i], (float)want[job->off - i]);
    }
    free(dw);
    free(want);
    bench_close(&b);
}
END_TEST

START_TEST(threads_do_not_change_a_bit)
{
    static const size_t threads[] = {1, 2, 3, 8};
    float *first, *dw;
    Bench b;

    if (!bench_open(&b, (MaeDtype)_i))
        return;
    first = mae_test_alloc(b.total * sizeof *first);
    dw = mae_test_alloc(b.total * sizeof *dw);
    run(&b, first, 0);
    for (size_t t = 0; t < 4; t++) {
        memset(dw, 0, b.total * sizeof *dw);
        run(&b, dw, threads[t]);
        ck_assert_mem_eq(dw, first, b.total * sizeof *dw);
    }
    free(first);
    free(dw);
    bench_close(&b);
}
END_TEST

/* The bands depend on the layer alone: together or one by one is the same. */
START_TEST(jobs_are_independent)
{
    float *together, *alone;
    MaeGemm *gemm;
    Bench b;

    if (!bench_open(&b, (MaeDtype)_i))
        return;
    gemm = test_gemm(b.type, 1);
    together = mae_test_alloc(b.total * sizeof *together);
    alone = mae_test_alloc(b.total * sizeof *alone);
    mae_weight_grad_run(b.jobs, JOBS, &(MaeCompute){.gemm = gemm}, together,
                        MAE_GRAD_ADD);
    for (size_t j = JOBS; j-- > 0;)
        mae_weight_grad_run(&b.jobs[j], 1, &(MaeCompute){.gemm = gemm}, alone,
                            MAE_GRAD_ADD);
    ck_assert_mem_eq(together, alone, b.total * sizeof *alone);
    b.jobs[0].rows = 0;
    mae_weight_grad_run(b.jobs, 1, &(MaeCompute){.gemm = gemm}, alone, MAE_GRAD_ADD);
    mae_weight_grad_run(b.jobs, 0, &(MaeCompute){.gemm = gemm}, alone, MAE_GRAD_ADD);
    ck_assert_mem_eq(together, alone, b.total * sizeof *alone);
    free(together);
    free(alone);
    mae_gemm_close(gemm);
    bench_close(&b);
}
END_TEST

/* Set, nothing depends on what was there. */
START_TEST(set_reads_nothing)
{
    float *added, *set;
    MaeGemm *gemm;
    Bench b;

    if (!bench_open(&b, (MaeDtype)_i))
        return;
    gemm = test_gemm(b.type, 1);
    added = mae_test_alloc(b.total * sizeof *added);
    set = mae_test_alloc(b.total * sizeof *set);
    for (size_t i = 0; i < b.total; i++)
        set[i] = NAN;
    mae_weight_grad_run(b.jobs, JOBS, &(MaeCompute){.gemm = gemm}, added, MAE_GRAD_ADD);
    mae_weight_grad_run(b.jobs, JOBS, &(MaeCompute){.gemm = gemm}, set, MAE_GRAD_SET);
    for (size_t j = 0; j < JOBS; j++)
        mae_test_close("set", set + b.jobs[j].off, added + b.jobs[j].off,
                       b.jobs[j].in * b.jobs[j].out, 0.0, 1e-6);
    free(added);
    free(set);
    mae_gemm_close(gemm);
    bench_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nn_weight_grad");
    TCase *tc = tcase_create("grad");

    tcase_add_loop_test(tc, accumulates_products, 0, TEST_DTYPES);
    tcase_add_loop_test(tc, set_reads_nothing, 0, TEST_DTYPES);
    tcase_add_loop_test(tc, threads_do_not_change_a_bit, 0, TEST_DTYPES);
    tcase_add_loop_test(tc, jobs_are_independent, 0, TEST_DTYPES);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
