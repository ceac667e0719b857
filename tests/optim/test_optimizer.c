#include "optim/optimizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

#define STEPS 10

typedef struct Fixture {
    MaeParamTable table;
    MaeOptim opt;
    MaeArena arena;
    float *weights; /* [total] */
} Fixture;

static const MaeOptimConfig usual = {
    .name = "adamw",
    .beta1 = 0.9,
    .beta2 = 0.95,
    .eps = 1e-8,
    .groups = {.weight_decay = 0.05, .layer_decay = 0.65, .depth = 2},
};

/* Tensors below, at and above the tile size, odd sizes, every kind of group. */
static void open_with(Fixture *f, const MaeOptimConfig *config)
{
    const size_t shape[] = {129, 257};
    MaeArena measure = mae_arena_measure();
    MaeError err = {0};

    *f = (Fixture){.weights = NULL};
    (void)mae_param_add(&f->table, "", "cls_token", 65, MAE_PARAM_NO_DECAY);
    (void)mae_param_add(&f->table, "", "pos_embed", 130, MAE_PARAM_FIXED);
    (void)mae_param_add_shape(&f->table, "blocks.0", "weight", 2, shape, 0);
    (void)mae_param_add(&f->table, "blocks.1", "bias", MAE_TILE_SIZE, MAE_PARAM_NO_DECAY);
    (void)mae_param_add(&f->table, "head", "weight", 1, 0);
    ck_assert_ok(mae_param_check(&f->table, &err));
    ck_assert_ok(mae_optim_define(&f->opt, &f->table, config, &err));
    mae_optim_reserve(&f->opt, &measure);
    ck_assert_ok(mae_arena_open(&f->arena, &measure, "optimizer", &err));
    mae_optim_reserve(&f->opt, &f->arena);
    ck_assert_ok(mae_arena_check(&f->arena, "optimizer", &err));
    ck_assert_uint_eq(f->arena.used, measure.used);
    mae_optim_init(&f->opt);
    f->weights = mae_test_normal(f->table.total, 5, 0);
}

static void open_optim(Fixture *f)
{
    open_with(f, &usual);
}

static void close_optim(Fixture *f)
{
    free(f->weights);
    mae_arena_close(&f->arena);
    mae_param_close(&f->table);
}

static double step_lr(int step)
{
    return 1e-3 * (step + 1) / STEPS;
}

static void run_steps(Fixture *f, MaePool *pool, int from, int to)
{
    for (int s = from; s < to; s++) {
        float *grads = mae_test_normal(f->table.total, 6, (uint64_t)s);

        mae_optim_step(&f->opt, pool, f->weights, mae_operand_f32(f->weights), grads,
                       step_lr(s), 0.5);
        free(grads);
    }
}

/* torch.optim.AdamW for one element, in double. */
static void reference(double *w, double *m, double *v, double g, int t, double lr,
                      double decay)
{
    const double bias1 = 1.0 - pow(usual.beta1, t), bias2 = 1.0 - pow(usual.beta2, t);

    *w *= 1.0 - lr * decay;
    *m = usual.beta1 * *m + (1.0 - usual.beta1) * g;
    *v = usual.beta2 * *v + (1.0 - usual.beta2) * g * g;
    *w -= lr / bias1 * *m / (sqrt(*v) / sqrt(bias2) + usual.eps);
}

START_TEST(matches_double_reference)
{
    static const struct {
        const char *name;
        double scale, decay;
    } want[] = {
        {"cls_token", 0.65 * 0.65 * 0.65, 0.0},
        {"blocks.0.weight", 0.65 * 0.65, 0.05},
        {"blocks.1.bias", 0.65, 0.0},
        {"head.weight", 1.0, 0.05},
    };
    float *grads[STEPS], *start;
    Fixture f;

    open_optim(&f);
    start = mae_test_normal(f.table.total, 5, 0);
    for (int s = 0; s < STEPS; s++)
        grads[s] = mae_test_normal(f.table.total, 6, (uint64_t)s);
    run_steps(&f, NULL, 0, STEPS);
    ck_assert_uint_eq(f.opt.steps, STEPS);
    for (size_t k = 0; k < sizeof want / sizeof *want; k++) {
        const MaeParam at = mae_param_find(&f.table, want[k].name)->at;

        for (size_t i = at.off; i < at.off + at.count; i++) {
            double w = (double)start[i], m = 0.0, v = 0.0;

            for (int s = 0; s < STEPS; s++)
                reference(&w, &m, &v, 0.5 * (double)grads[s][i], s + 1,
                          step_lr(s) * want[k].scale, want[k].decay);
            ck_assert_msg(fabs(w - (double)f.weights[i]) <= 1e-6 * fmax(1.0, fabs(w)),
                          "%s[%zu]: got %.9g, want %.9g", want[k].name, i - at.off,
                          (double)f.weights[i], w);
        }
    }
    for (int s = 0; s < STEPS; s++)
        free(grads[s]);
    free(start);
    close_optim(&f);
}
END_TEST

START_TEST(fixed_and_padding_untouched)
{
    const float *state[MAE_OPTIM_SLOTS];
    float *start;
    size_t at = 0;
    Fixture f;

    open_optim(&f);
    start = mae_test_normal(f.table.total, 5, 0);
    run_steps(&f, NULL, 0, 2);
    for (size_t s = 0; s < MAE_OPTIM_SLOTS; s++)
        state[s] = f.opt.state[s];
    for (size_t p = 0; p < f.table.count; p++) {
        const MaeParamEntry *entry = &f.table.entries[p];
        const bool fixed = (entry->flags & MAE_PARAM_FIXED) != 0;
        const size_t end =
            p + 1 < f.table.count ? f.table.entries[p + 1].at.off : f.table.total;

        for (at = entry->at.off; at < end; at++) {
            const bool trained = !fixed && at < entry->at.off + entry->at.count;

            if (!trained)
                ck_assert_msg(f.weights[at] == start[at], "%s[%zu]", entry->name,
                              at - entry->at.off);
            for (size_t s = 0; s < MAE_OPTIM_SLOTS; s++)
                ck_assert_msg((state[s][at] != 0.0f) == trained, "%s[%zu]: slot %zu",
                              entry->name, at - entry->at.off, s);
        }
    }
    free(start);
    close_optim(&f);
}
END_TEST

/* Weights and moments stay f32 and the same; of what is trained the operands follow. */
START_TEST(operands_follow_the_weights)
{
    MaeOperand operands;
    const uint16_t *values;
    Fixture exact, f;

    open_optim(&exact);
    open_optim(&f);
    operands = (MaeOperand){mae_test_alloc(f.table.total * sizeof *values), MAE_BF16};
    values = operands.data;
    run_steps(&exact, NULL, 0, 2);
    for (int s = 0; s < 2; s++) {
        float *grads = mae_test_normal(f.table.total, 6, (uint64_t)s);

        mae_optim_step(&f.opt, NULL, f.weights, operands, grads, step_lr(s), 0.5);
        free(grads);
    }
    ck_assert_mem_eq(f.weights, exact.weights, f.table.total * sizeof(float));
    for (size_t p = 0; p < f.table.count; p++) {
        const MaeParamEntry *entry = &f.table.entries[p];
        const bool fixed = (entry->flags & MAE_PARAM_FIXED) != 0;

        for (size_t i = entry->at.off; i < entry->at.off + entry->at.count; i++)
            ck_assert_msg(values[i] == (fixed ? 0 : mae_bf16(f.weights[i])), "%s[%zu]",
                          entry->name, i - entry->at.off);
    }
    free(operands.data);
    close_optim(&exact);
    close_optim(&f);
}
END_TEST

START_TEST(same_for_any_threads)
{
    static const size_t threads[] = {1, 2, 3, 8};
    MaePool *pool = NULL;
    MaeError err = {0};
    Fixture one, many;

    open_optim(&one);
    open_optim(&many);
    ck_assert_ok(mae_pool_open(&pool, threads[_i], &err));
    run_steps(&one, NULL, 0, STEPS);
    run_steps(&many, pool, 0, STEPS);
    ck_assert(memcmp(one.weights, many.weights, one.table.total * sizeof(float)) == 0);
    for (size_t s = 0; s < one.opt.driver->state_slots; s++)
        ck_assert(memcmp(one.opt.state[s], many.opt.state[s],
                         one.table.total * sizeof(float)) == 0);
    mae_pool_close(pool);
    close_optim(&one);
    close_optim(&many);
}
END_TEST

/* Of decays that the ramp stays below for all of the steps, some of them and none. */
START_TEST(average_equals_reference)
{
    static const double decays[] = {0.9999, 0.3, 0.05};
    MaeOptimConfig config = usual;
    MaePool *pool = NULL;
    MaeError err = {0};
    double *want;
    Fixture f, plain;
    size_t n;

    config.ema_decay = decays[_i];
    open_with(&f, &config);
    open_optim(&plain);
    n = f.table.total;
    ck_assert_ptr_null(plain.opt.average);
    ck_assert_ok(mae_pool_open(&pool, 3, &err));
    mae_optim_start(&f.opt, f.weights);
    ck_assert_mem_eq(f.opt.average, f.weights, n * sizeof(float));
    want = mae_test_alloc(n * sizeof *want);
    for (size_t i = 0; i < n; i++)
        want[i] = (double)f.weights[i];
    for (int s = 0; s < STEPS; s++) {
        const double d = fmin(decays[_i], (s + 1.0) / (s + 10.0));

        run_steps(&f, s % 2 == 0 ? pool : NULL, s, s + 1);
        mae_optim_start(&f.opt, f.weights); /* too late */
        for (size_t i = 0; i < n; i++)
            want[i] = d * want[i] + (1.0 - d) * (double)f.weights[i];
    }
    for (size_t i = 0; i < n; i++)
        ck_assert_double_eq_tol((double)f.opt.average[i], want[i], 1e-6);
    run_steps(&plain, NULL, 0, STEPS);
    ck_assert_mem_eq(plain.weights, f.weights, n * sizeof(float));
    free(want);
    mae_pool_close(pool);
    close_optim(&f);
    close_optim(&plain);
}
END_TEST

/* A step that changes no weight changes no average. */
START_TEST(average_of_the_same_is_the_same)
{
    MaeOptimConfig config = usual;
    Fixture f;
    float *zero;

    config.ema_decay = 0.7;
    open_with(&f, &config);
    zero = mae_test_alloc(f.table.total * sizeof *zero);
    mae_optim_start(&f.opt, f.weights);
    for (int s = 0; s < 5; s++)
        mae_optim_step(&f.opt, NULL, f.weights, mae_operand_f32(f.weights), zero, 0.0,
                       1.0);
    ck_assert_mem_eq(f.opt.average, f.weights, f.table.total * sizeof(float));
    free(zero);
    close_optim(&f);
}
END_TEST

START_TEST(resumes_bitwise)
{
    Fixture straight, resumed, later;
    size_t bytes;

    open_optim(&straight);
    open_optim(&resumed);
    open_optim(&later);
    bytes = straight.table.total * sizeof(float);
    run_steps(&straight, NULL, 0, STEPS);
    run_steps(&resumed, NULL, 0, 4);
    memcpy(later.weights, resumed.weights, bytes);
    for (size_t s = 0; s < later.opt.driver->state_slots; s++)
        memcpy(later.opt.state[s], resumed.opt.state[s], bytes);
    later.opt.steps = resumed.opt.steps;
    run_steps(&later, NULL, 4, STEPS);
    ck_assert(memcmp(straight.weights, later.weights, bytes) == 0);
    close_optim(&straight);
    close_optim(&resumed);
    close_optim(&later);
}
END_TEST

/* One bad number anywhere is seen in the step that meets it: in weights, first moments,
 * second moments (an infinite one leaves its weight alone), averages, the last tile. */
START_TEST(steps_see_what_is_not_finite)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    MaeOptimConfig config = usual;
    MaeError err = {0};
    MaePool *pool = NULL;

    config.ema_decay = 0.7;
    ck_assert_ok(mae_pool_open(&pool, (size_t)_i + 1, &err));
    for (size_t i = 0; i < 4 * 3; i++) {
        Fixture f;
        float *grads, *buffers[4];
        MaeParam at;

        open_with(&f, &config);
        mae_optim_start(&f.opt, f.weights);
        grads = mae_test_normal(f.table.total, 6, 0);
        buffers[0] = f.weights;
        buffers[1] = f.opt.state[0];
        buffers[2] = f.opt.state[1];
        buffers[3] = f.opt.average;
        at = mae_param_find(&f.table, i % 2 == 0 ? "blocks.0.weight" : "head.weight")->at;
        ck_assert(mae_optim_step(&f.opt, pool, f.weights, mae_operand_f32(f.weights),
                                 grads, 1e-3, 1.0));
        buffers[i / 3][at.off + at.count - 1] = i / 3 == 2 ? INFINITY : bad[i % 3];
        ck_assert_msg(!mae_optim_step(&f.opt, pool, f.weights, mae_operand_f32(f.weights),
                                      grads, 1e-3, 1.0),
                      "buffer %zu, %g", i / 3, (double)bad[i % 3]);
        free(grads);
        close_optim(&f);
    }
    mae_pool_close(pool);
}
END_TEST

START_TEST(registry)
{
    for (size_t i = 0; mae_optimizers[i] != NULL; i++) {
        const MaeOptimizer *driver = mae_optimizers[i];

        ck_assert_ptr_eq(mae_optimizer_find(driver->name), driver);
        ck_assert_uint_le(driver->state_slots, MAE_OPTIM_SLOTS);
        for (size_t s = 0; s < driver->state_slots; s++)
            ck_assert_ptr_nonnull(driver->slots[s]);
    }
    ck_assert_ptr_null(mae_optimizer_find("adam"));
}
END_TEST

START_TEST(refused)
{
    static const struct {
        MaeOptimConfig change; /* the field that is not 0 replaces the usual one */
        MaeStatus status;
        const char *text;
    } bad[] = {
        {{.name = "adamv"}, MAE_ERR_ARG, "adamv"},
        {{.beta1 = 1.0}, MAE_ERR_ARG, "beta1"},
        {{.ema_decay = 1.0}, MAE_ERR_ARG, "ema_decay"},
        {{.ema_decay = -0.1}, MAE_ERR_ARG, "ema_decay"},
        {{.beta1 = -0.1}, MAE_ERR_ARG, "beta1"},
        {{.beta2 = 1.0}, MAE_ERR_ARG, "beta2"},
        {{.beta2 = (double)NAN}, MAE_ERR_ARG, "beta2"},
        {{.eps = -1e-8}, MAE_ERR_ARG, "eps"},
        {{.groups.weight_decay = -1.0}, MAE_ERR_ARG, "weight_decay"},
        {{.groups.depth = 1}, MAE_ERR_SHAPE, "blocks.1.bias"},
    };
    MaeError err = {0};
    Fixture f;

    open_optim(&f);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const MaeOptimConfig *change = &bad[i].change;
        MaeOptimConfig config = usual;
        MaeOptim opt;

        config.name = change->name != NULL ? change->name : config.name;
        config.beta1 = change->beta1 != 0.0 ? change->beta1 : config.beta1;
        config.beta2 = change->beta2 != 0.0 ? change->beta2 : config.beta2;
        config.eps = change->eps != 0.0 ? change->eps : config.eps;
        config.ema_decay = change->ema_decay;
        if (change->groups.weight_decay != 0.0)
            config.groups.weight_decay = change->groups.weight_decay;
        if (change->groups.depth != 0)
            config.groups.depth = change->groups.depth;
        ck_assert_fails(mae_optim_define(&opt, &f.table, &config, &err), bad[i].status,
                        bad[i].text);
    }
    close_optim(&f);
}
END_TEST

/* Two objects that have half of the state each do what one does, and a slot of both is
 * what saves and resumes. */
START_TEST(shards_do_the_same)
{
    static const MaeShard parts[2][2] = {{{0, 16}, {320, 12800}},
                                         {{16, 304}, {13120, 1 << 20}}};
    MaeOptimConfig config = usual;
    Fixture whole, half[2];
    MaeError err = {0};
    size_t at;

    open_optim(&whole);
    run_steps(&whole, NULL, 0, 3);
    for (size_t h = 0; h < 2; h++) {
        config.shards = parts[h];
        config.shard_count = 2;
        open_with(&half[h], &config);
        ck_assert_ptr_null(mae_optim_slot(&half[h].opt, 0, &err));
        ck_assert_fails(err.status, MAE_ERR_COMM, "nobody gathers");
        run_steps(&half[h], NULL, 0, 3);
        at = 0;
        for (size_t p = 0; p < 2; p++) {
            const size_t left = whole.table.total - parts[h][p].off;
            const size_t n = left < parts[h][p].count ? left : parts[h][p].count;

            ck_assert_mem_eq(half[h].weights + parts[h][p].off,
                             whole.weights + parts[h][p].off, n * sizeof(float));
            ck_assert_mem_eq(half[h].opt.state[1] + at,
                             whole.opt.state[1] + parts[h][p].off, n * sizeof(float));
            at += parts[h][p].count;
        }
    }
    memset(half[0].opt.state[0], 0, 16 * sizeof(float));
    mae_optim_set_slot(&half[0].opt, 0, mae_optim_slot(&whole.opt, 0, NULL));
    ck_assert_mem_eq(half[0].opt.state[0], whole.opt.state[0], 16 * sizeof(float));
    ck_assert_mem_eq(half[0].opt.state[0] + 16, whole.opt.state[0] + 320,
                     12800 * sizeof(float));
    ck_assert_ptr_null(mae_optim_spoilt(&half[0].opt, 0).name);
    half[0].opt.state[0][16] = (float)NAN;
    ck_assert_str_eq(mae_optim_spoilt(&half[0].opt, 0).name, "blocks.0.weight");
    ck_assert_uint_eq(mae_optim_spoilt(&half[0].opt, 0).index,
                      320 - whole.table.entries[2].at.off);
    for (size_t h = 0; h < 2; h++)
        close_optim(&half[h]);
    close_optim(&whole);
}
END_TEST

START_TEST(shards_are_not_for_all)
{
    static const MaeShard all = {0, 1 << 20};
    MaeOptimConfig config = usual;
    MaeError err = {0};
    MaeOptim opt;
    Fixture f;

    open_optim(&f);
    config.shards = &all;
    config.shard_count = 1;
    config.ema_decay = 0.5;
    ck_assert_fails(mae_optim_define(&opt, &f.table, &config, &err), MAE_ERR_ARG,
                    "the state of adamw cannot be spread over ranks where weights are");
    config.ema_decay = 0.0;
    config.name = "lars";
    ck_assert_fails(mae_optim_define(&opt, &f.table, &config, &err), MAE_ERR_ARG,
                    "the state of lars cannot be spread");
    close_optim(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("optimizer");
    TCase *tc = tcase_create("ref");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, matches_double_reference);
    tcase_add_test(tc, fixed_and_padding_untouched);
    tcase_add_test(tc, operands_follow_the_weights);
    tcase_add_loop_test(tc, same_for_any_threads, 0, 4);
    tcase_add_loop_test(tc, average_equals_reference, 0, 3);
    tcase_add_test(tc, average_of_the_same_is_the_same);
    tcase_add_test(tc, resumes_bitwise);
    tcase_add_loop_test(tc, steps_see_what_is_not_finite, 0, 2);
    tcase_add_test(tc, shards_do_the_same);
    tcase_add_test(tc, shards_are_not_for_all);
    tcase_add_test(tc, registry);
    tcase_add_test(tc, refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
