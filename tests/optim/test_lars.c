/* LARS against its formula in double; published steps: model/test_probe_head.c. */
#include "optim/lars.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

enum { STEPS = 5 };

typedef struct Fixture {
    MaeParamTable table;
    MaeParam matrix, zero, bias, fixed, tracked;
    MaeOptim opt;
    MaeArena arena;
    float *weights; /* [total] */
} Fixture;

static void open_optim(Fixture *f)
{
    const MaeOptimConfig config = {
        .name = "lars",
        .beta1 = 0.8,
        .eps = 1e-8,
        .groups = {.weight_decay = 0.03, .layer_decay = 1.0},
    };
    const size_t shape[] = {13, 7};
    MaeArena measure = mae_arena_measure();
    MaeError err = {0};

    *f = (Fixture){.weights = NULL};
    f->fixed = mae_param_add(&f->table, "", "pos_embed", 9, MAE_PARAM_FIXED);
    f->tracked =
        mae_param_add(&f->table, "", "running", 5, MAE_PARAM_FIXED | MAE_PARAM_TRACKED);
    f->matrix = mae_param_add_shape(&f->table, "head", "weight", 2, shape, 0);
    f->zero = mae_param_add_shape(&f->table, "other", "weight", 2, shape, 0);
    f->bias = mae_param_add(&f->table, "head", "bias", 13, MAE_PARAM_NO_DECAY);
    ck_assert_ok(mae_optim_define(&f->opt, &f->table, &config, &err));
    mae_optim_reserve(&f->opt, &measure);
    ck_assert_ok(mae_arena_open(&f->arena, &measure, "optimizer", &err));
    mae_optim_reserve(&f->opt, &f->arena);
    mae_optim_init(&f->opt);
    f->weights = mae_test_normal(f->table.total, 5, 0);
    memset(f->weights + f->zero.off, 0, f->zero.count * sizeof(float));
}

static void close_optim(Fixture *f)
{
    free(f->weights);
    mae_arena_close(&f->arena);
    mae_param_close(&f->table);
}

static void run_steps(Fixture *f, MaePool *pool)
{
    for (int s = 0; s < STEPS; s++) {
        float *grads = mae_test_normal(f->table.total, 6, (uint64_t)s);

        mae_optim_step(&f->opt, pool, f->weights, mae_operand_f32(f->weights), grads, 0.3,
                       0.5);
        free(grads);
    }
}

/* One tensor, in double. */
static void reference(const Fixture *f, MaeParam at, bool matrix)
{
    double w[91], m[91] = {0}, g[91];
    float *start = mae_test_normal(f->table.total, 5, 0);

    for (size_t i = 0; i < at.count; i++)
        w[i] = at.off == f->zero.off ? 0.0 : (double)start[at.off + i];
    for (int s = 0; s < STEPS; s++) {
        float *grads = mae_test_normal(f->table.total, 6, (uint64_t)s);
        double ww = 0.0, gg = 0.0, trust;

        for (size_t i = 0; i < at.count; i++) {
            g[i] = 0.5 * (double)grads[at.off + i] + (matrix ? 0.03 * w[i] : 0.0);
            ww += w[i] * w[i];
            gg += g[i] * g[i];
        }
        trust = matrix && ww > 0.0 ? 0.001 * sqrt(ww / gg) : 1.0;
        for (size_t i = 0; i < at.count; i++) {
            m[i] = 0.8 * m[i] + trust * g[i];
            w[i] -= 0.3 * m[i];
        }
        free(grads);
    }
    for (size_t i = 0; i < at.count; i++)
        ck_assert_double_eq_tol((double)f->weights[at.off + i], w[i], 2e-6);
    free(start);
}

START_TEST(matches_double_reference)
{
    Fixture f;

    open_optim(&f);
    run_steps(&f, NULL);
    reference(&f, f.matrix, true);
    reference(&f, f.zero, true); /* the first step has no size to go by */
    reference(&f, f.bias, false);
    close_optim(&f);
}
END_TEST

START_TEST(fixed_stay_and_statistics_add_up)
{
    float *start;
    Fixture f;

    open_optim(&f);
    start = mae_test_normal(f.table.total, 5, 0);
    run_steps(&f, NULL);
    ck_assert_mem_eq(f.weights + f.fixed.off, start + f.fixed.off, 9 * sizeof(float));
    for (int s = 0; s < STEPS; s++) {
        float *grads = mae_test_normal(f.table.total, 6, (uint64_t)s);

        for (size_t i = 0; i < f.tracked.count; i++)
            start[f.tracked.off + i] += grads[f.tracked.off + i];
        free(grads);
    }
    ck_assert_mem_eq(f.weights + f.tracked.off, start + f.tracked.off,
                     f.tracked.count * sizeof(float));
    free(start);
    close_optim(&f);
}
END_TEST

START_TEST(steps_see_what_is_not_finite)
{
    Fixture f;
    float *grads;

    open_optim(&f);
    grads = mae_test_normal(f.table.total, 6, 0);
    ck_assert(mae_optim_step(&f.opt, NULL, f.weights, mae_operand_f32(f.weights), grads,
                             0.3, 1.0));
    if (_i == 0)
        f.opt.state[0][f.bias.off + 12] = INFINITY;
    else if (_i == 1)
        f.weights[f.matrix.off + 90] = NAN;
    else
        f.weights[f.tracked.off + 4] = -INFINITY;
    ck_assert(!mae_optim_step(&f.opt, NULL, f.weights, mae_operand_f32(f.weights), grads,
                              0.3, 1.0));
    free(grads);
    close_optim(&f);
}
END_TEST

START_TEST(same_for_any_threads)
{
    MaeError err = {0};
    MaePool *pool;
    Fixture one, more;

    ck_assert_ok(mae_pool_open(&pool, 3, &err));
    open_optim(&one);
    open_optim(&more);
    run_steps(&one, NULL);
    run_steps(&more, pool);
    ck_assert_mem_eq(one.weights, more.weights, one.table.total * sizeof(float));
    close_optim(&one);
    close_optim(&more);
    mae_pool_close(pool);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lars");
    TCase *tc = tcase_create("lars");

    tcase_add_test(tc, matches_double_reference);
    tcase_add_test(tc, fixed_stay_and_statistics_add_up);
    tcase_add_loop_test(tc, steps_see_what_is_not_finite, 0, 3);
    tcase_add_test(tc, same_for_any_threads);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
