/* Batch normalisation against its formula, central differences and running statistics. */
#include "nn/batchnorm.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "support/grad.h"

enum { ROWS = 7, WIDTH = 13, COUNT = ROWS * WIDTH };

typedef struct Bench {
    MaeParamTable table;
    MaeBatchNorm bn;
    MaeBatchNormCache cache;
    MaeArena arena;
    float *w, *dw, *x, *y, *dy;
} Bench;

static void reserve(void *ctx, MaeArena *arena)
{
    mae_batchnorm_reserve(&((Bench *)ctx)->cache, arena, WIDTH);
}

static void bench_open(Bench *b)
{
    memset(b, 0, sizeof *b);
    mae_batchnorm_define(&b->bn, &b->table, "head.0", WIDTH);
    test_carve(&b->arena, reserve, b);
    b->w = mae_test_alloc(b->table.total * sizeof(float));
    b->dw = mae_test_alloc(b->table.total * sizeof(float));
    test_fill(b->dw, b->table.total, NAN);
    mae_batchnorm_init(&b->bn, b->w);
    b->x = mae_test_normal(COUNT, 3, 1);
    b->y = mae_test_alloc(COUNT * sizeof(float));
    b->dy = mae_test_normal(COUNT, 4, 1);
}

static void bench_close(Bench *b)
{
    mae_arena_close(&b->arena);
    mae_param_close(&b->table);
    free(b->w);
    free(b->dw);
    free(b->x);
    free(b->y);
    free(b->dy);
}

static double mean_of(const double *x, size_t column)
{
    double sum = 0.0;

    for (size_t r = 0; r < ROWS; r++)
        sum += x[r * WIDTH + column];
    return sum / ROWS;
}

static double var_of(const double *x, size_t column)
{
    const double mean = mean_of(x, column);
    double sum = 0.0;

    for (size_t r = 0; r < ROWS; r++)
        sum += (x[r * WIDTH + column] - mean) * (x[r * WIDTH + column] - mean);
    return sum / ROWS;
}

static void reference(double *y, const double *x)
{
    for (size_t i = 0; i < COUNT; i++)
        y[i] = (x[i] - mean_of(x, i % WIDTH)) / sqrt(var_of(x, i % WIDTH) + 1e-6);
}

START_TEST(parameters)
{
    const unsigned flags = MAE_PARAM_FIXED | MAE_PARAM_TRACKED | MAE_PARAM_NO_DECAY;
    Bench b;

    bench_open(&b);
    ck_assert_uint_eq(b.table.count, 3);
    ck_assert_uint_eq(b.table.sum_total, 0);
    ck_assert_uint_eq(mae_param_trainable(&b.table), 0);
    test_param_is(&b.table, 0, "head.0.running_mean", "[13]", flags);
    test_param_is(&b.table, 1, "head.0.running_var", "[13]", flags);
    test_param_is(&b.table, 2, "head.0.num_batches_tracked", "[1]", flags);
    bench_close(&b);
}
END_TEST

START_TEST(forward_of_a_batch)
{
    double want[COUNT], *x;
    Bench b;

    bench_open(&b);
    for (size_t r = 0; r < ROWS; r++)
        b.x[r * WIDTH] = 1e4f + (float)r; /* a mean far away, */
    for (size_t r = 0; r < ROWS; r++)
        b.x[r * WIDTH + 1] = 0.25f; /* and no variance at all */
    x = test_doubles(b.x, COUNT);
    reference(want, x);
    mae_batchnorm_forward(&b.bn, b.y, &b.cache, b.x, ROWS, NULL);
    test_close_to("y", b.y, want, COUNT);
    mae_batchnorm_forward(&b.bn, b.x, &b.cache, b.x, ROWS, NULL);
    ck_assert_mem_eq(b.x, b.y, COUNT * sizeof(float));
    free(x);
    bench_close(&b);
}
END_TEST

typedef struct Loss {
    const Bench *bench;
    double *x;
} Loss;

static double loss_of(void *ctx)
{
    const Loss *loss = ctx;
    double y[COUNT];

    reference(y, loss->x);
    return test_dot(y, loss->bench->dy, COUNT);
}

START_TEST(backward_matches_central_differences)
{
    double *want;
    Loss loss;
    Bench b;

    bench_open(&b);
    loss = (Loss){&b, test_doubles(b.x, COUNT)};
    want = test_differences(loss.x, COUNT, loss_of, &loss);
    mae_batchnorm_forward(&b.bn, b.y, &b.cache, b.x, ROWS, NULL);
    mae_batchnorm_backward(&b.bn, b.x, &b.cache, b.dy, b.y, ROWS, NULL);
    test_close_to("dx", b.x, want, COUNT);
    mae_batchnorm_backward(&b.bn, b.dy, &b.cache, b.dy, b.y, ROWS, NULL);
    ck_assert_mem_eq(b.dy, b.x, COUNT * sizeof(float));
    free(want);
    free(loss.x);
    bench_close(&b);
}
END_TEST

/* Two batches one after the other, as one update of each or of both. */
START_TEST(running_statistics)
{
    double mean[WIDTH] = {0}, var[WIDTH];
    Bench b;

    bench_open(&b);
    for (size_t i = 0; i < WIDTH; i++)
        var[i] = 1.0;
    for (size_t k = 0; k < 2; k++) {
        const float *batch = k == 0 ? b.x : b.dy;
        double *x = test_doubles(batch, COUNT);

        for (size_t i = 0; i < WIDTH; i++) {
            mean[i] += 0.1 * (mean_of(x, i) - mean[i]);
            var[i] += 0.1 * (var_of(x, i) * ROWS / (ROWS - 1) - var[i]);
        }
        free(x);
        mae_batchnorm_forward(&b.bn, b.y, &b.cache, batch, ROWS, NULL);
        mae_batchnorm_track(&b.bn, b.dw, k == 0 ? MAE_GRAD_SET : MAE_GRAD_ADD, &b.cache,
                            b.w);
    }
    ck_assert_f32_eq(b.dw[b.bn.batches.off], 2.0f);
    for (size_t i = 0; i < WIDTH; i++) {
        b.w[b.bn.mean.off + i] += b.dw[b.bn.mean.off + i];
        b.w[b.bn.var.off + i] += b.dw[b.bn.var.off + i];
    }
    test_close_to("mean", b.w + b.bn.mean.off, mean, WIDTH);
    test_close_to("var", b.w + b.bn.var.off, var, WIDTH);
    bench_close(&b);
}
END_TEST

/* Two that have half of a batch each, and meet to add up. */
typedef struct Table {
    pthread_barrier_t barrier;
    double seats[2][2 * WIDTH];
} Table;

typedef struct Half {
    Bench bench;
    Table *table;
    size_t seat;
} Half;

static void sum_halves(void *ctx, double *x, size_t n)
{
    const Half *half = ctx;
    Table *table = half->table;

    memcpy(table->seats[half->seat], x, n * sizeof *x);
    (void)pthread_barrier_wait(&table->barrier);
    for (size_t i = 0; i < n; i++)
        x[i] = table->seats[0][i] + table->seats[1][i];
    (void)pthread_barrier_wait(&table->barrier);
}

/* dy becomes dx. */
static void run_bench(Bench *b, size_t rows, const MaePeers *peers)
{
    mae_batchnorm_forward(&b->bn, b->y, &b->cache, b->x, rows, peers);
    mae_batchnorm_backward(&b->bn, b->dy, &b->cache, b->dy, b->y, rows, peers);
    mae_batchnorm_track(&b->bn, b->dw, MAE_GRAD_SET, &b->cache, b->w);
}

static void *run_half(void *ctx)
{
    const MaePeers peers = {2, sum_halves, ctx};

    run_bench(&((Half *)ctx)->bench, ROWS, &peers);
    return NULL;
}

static void expect_half(const Half *half, const Bench *whole)
{
    const size_t at = half->seat * COUNT;
    double *y = test_doubles(whole->y + at, COUNT);
    double *dx = test_doubles(whole->dy + at, COUNT);
    double *dw = test_doubles(whole->dw, whole->table.total);

    test_close_to("y", half->bench.y, y, COUNT);
    test_close_to("dx", half->bench.dy, dx, COUNT);
    test_close_to("mean", half->bench.dw + whole->bn.mean.off, dw + whole->bn.mean.off,
                  WIDTH);
    test_close_to("var", half->bench.dw + whole->bn.var.off, dw + whole->bn.var.off,
                  WIDTH);
    free(y);
    free(dx);
    free(dw);
}

START_TEST(halves_are_a_whole)
{
    Table table;
    Half halves[2];
    Bench whole;
    pthread_t other;

    bench_open(&whole);
    free(whole.x);
    free(whole.y);
    free(whole.dy);
    whole.x = mae_test_normal(2 * COUNT, 5, 1);
    whole.y = mae_test_alloc(2 * COUNT * sizeof(float));
    whole.dy = mae_test_normal(2 * COUNT, 6, 1);
    ck_assert_int_eq(pthread_barrier_init(&table.barrier, NULL, 2), 0);
    for (size_t i = 0; i < 2; i++) {
        bench_open(&halves[i].bench);
        halves[i].table = &table;
        halves[i].seat = i;
        memcpy(halves[i].bench.x, whole.x + i * COUNT, COUNT * sizeof(float));
        memcpy(halves[i].bench.dy, whole.dy + i * COUNT, COUNT * sizeof(float));
    }
    ck_assert_int_eq(pthread_create(&other, NULL, run_half, &halves[1]), 0);
    run_half(&halves[0]);
    ck_assert_int_eq(pthread_join(other, NULL), 0);
    run_bench(&whole, 2 * ROWS, NULL);
    for (size_t i = 0; i < 2; i++) {
        expect_half(&halves[i], &whole);
        bench_close(&halves[i].bench);
    }
    (void)pthread_barrier_destroy(&table.barrier);
    bench_close(&whole);
}
END_TEST

START_TEST(evaluation)
{
    double want[COUNT];
    Bench b;

    bench_open(&b);
    for (size_t i = 0; i < WIDTH; i++) {
        b.w[b.bn.mean.off + i] = (float)i - 3.0f;
        b.w[b.bn.var.off + i] = 0.5f * (float)i;
    }
    for (size_t i = 0; i < COUNT; i++)
        want[i] = ((double)b.x[i] - ((double)(i % WIDTH) - 3.0)) /
                  sqrt(0.5 * (double)(i % WIDTH) + 1e-6);
    mae_batchnorm_eval(&b.bn, b.y, b.x, b.w, ROWS);
    test_close_to("y", b.y, want, COUNT);
    mae_batchnorm_eval(&b.bn, b.x, b.x, b.w, ROWS);
    ck_assert_mem_eq(b.x, b.y, COUNT * sizeof(float));
    bench_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("batchnorm");
    TCase *tc = tcase_create("batchnorm");

    tcase_add_test(tc, parameters);
    tcase_add_test(tc, forward_of_a_batch);
    tcase_add_test(tc, backward_matches_central_differences);
    tcase_add_test(tc, running_statistics);
    tcase_add_test(tc, halves_are_a_whole);
    tcase_add_test(tc, evaluation);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
