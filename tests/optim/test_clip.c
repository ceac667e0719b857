#include "optim/clip.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

typedef struct Fixture {
    MaeParamTable table;
    MaeTiles tiles;
    MaeClip clip;
    MaeArena arena;
    float *grads; /* [table.total] */
} Fixture;

static void open_clip(Fixture *f)
{
    MaeArena measure = mae_arena_measure();
    MaeError err = {0};

    ck_assert_ok(mae_param_check(&f->table, &err));
    mae_tiles_define(&f->tiles, &f->table, NULL, 0);
    mae_clip_define(&f->clip, &f->tiles);
    for (int carve = 0; carve < 2; carve++) {
        MaeArena *arena = carve ? &f->arena : &measure;

        if (carve)
            ck_assert_ok(mae_arena_open(arena, &measure, "clip", &err));
        mae_tiles_reserve(&f->tiles, arena);
        mae_clip_reserve(&f->clip, arena);
    }
    ck_assert_ok(mae_arena_check(&f->arena, "clip", &err));
    mae_tiles_init(&f->tiles);
    f->grads = mae_test_alloc(f->table.total * sizeof *f->grads);
}

static void close_clip(Fixture *f)
{
    free(f->grads);
    mae_arena_close(&f->arena);
    mae_param_close(&f->table);
}

static void open_random(Fixture *f)
{
    float *values;

    *f = (Fixture){.grads = NULL};
    (void)mae_param_add(&f->table, "a", "weight", 3 * MAE_TILE_SIZE + 5, 0);
    (void)mae_param_add(&f->table, "a", "bias", 7, 0);
    (void)mae_param_add(&f->table, "a", "table", 1000, MAE_PARAM_FIXED);
    (void)mae_param_add(&f->table, "b", "weight", 100000, 0);
    open_clip(f);
    values = mae_test_normal(f->table.total, 11, 1);
    memcpy(f->grads, values, f->table.total * sizeof *values);
    free(values);
}

START_TEST(matches_plain_sum)
{
    double sum = 0.0, norm = -1.0;
    MaeError err = {0};
    Fixture f;

    open_random(&f);
    for (size_t p = 0; p < f.table.count; p++) {
        const MaeParamEntry *entry = &f.table.entries[p];

        for (size_t i = 0; i < entry->at.count && !(entry->flags & MAE_PARAM_FIXED);
             i++) {
            const double g = (double)f.grads[entry->at.off + i];

            sum += g * g;
        }
    }
    ck_assert_ok(mae_clip_norm(&f.clip, &norm, NULL, f.grads, 0.25, &err));
    ck_assert_double_eq_tol(norm, 0.25 * sqrt(sum), 1e-12 * sqrt(sum));
    close_clip(&f);
}
END_TEST

START_TEST(same_for_any_threads)
{
    static const size_t threads[] = {1, 2, 3, 8};
    double want = 0.0, norm = 0.0;
    MaeError err = {0};
    Fixture f;

    open_random(&f);
    ck_assert_ok(mae_clip_norm(&f.clip, &want, NULL, f.grads, 1.0, &err));
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        MaePool *pool = NULL;

        ck_assert_ok(mae_pool_open(&pool, threads[t], &err));
        ck_assert_ok(mae_clip_norm(&f.clip, &norm, pool, f.grads, 1.0, &err));
        ck_assert(memcmp(&norm, &want, sizeof norm) == 0);
        mae_pool_close(pool);
    }
    close_clip(&f);
}
END_TEST

START_TEST(bad_gradients_are_named)
{
    const float bad[] = {NAN, INFINITY, -INFINITY};
    MaeError err = {0};
    double norm = 0.0;
    Fixture f;

    open_random(&f);
    for (size_t i = 0; i < 3; i++) {
        const MaeParam at = mae_param_find(&f.table, "b.weight")->at;

        f.grads[at.off + 50000] = bad[i];
        ck_assert_fails(mae_clip_norm(&f.clip, &norm, NULL, f.grads, 1.0, &err),
                        MAE_ERR_NUMERIC, "b.weight");
        ck_assert(!isfinite(norm));
        f.grads[at.off + 50000] = 3e38f; /* its square is beyond float, not double */
        ck_assert_ok(mae_clip_norm(&f.clip, &norm, NULL, f.grads, 1.0, &err));
        ck_assert_double_eq_tol(norm, (double)3e38f, 1e30);
    }
    f.grads[mae_param_find(&f.table, "a.table")->at.off] = NAN;
    ck_assert_ok(mae_clip_norm(&f.clip, &norm, NULL, f.grads, 1.0, &err));
    close_clip(&f);
}
END_TEST

START_TEST(bad_statistics_are_named)
{
    MaeError err = {0};
    double norm = 0.0;
    Fixture f = {.grads = NULL};
    MaeParam at;

    (void)mae_param_add(&f.table, "head", "bias", 7, 0);
    at = mae_param_add(&f.table, "bn", "running_var", 5,
                       MAE_PARAM_FIXED | MAE_PARAM_TRACKED);
    open_clip(&f);
    memset(f.grads, 0, f.table.total * sizeof *f.grads);
    f.grads[at.off + 4] = 3e38f;
    ck_assert_ok(mae_clip_norm(&f.clip, &norm, NULL, f.grads, 1.0, &err));
    f.grads[at.off + 4] = INFINITY;
    ck_assert_fails(mae_clip_norm(&f.clip, &norm, NULL, f.grads, 1.0, &err),
                    MAE_ERR_NUMERIC, "statistics of bn.running_var");
    ck_assert_double_eq(norm, 0.0);
    close_clip(&f);
}
END_TEST

START_TEST(factor)
{
    ck_assert_double_eq(mae_clip_factor(0.5, 1.0), 1.0);
    ck_assert_double_eq(mae_clip_factor(4.0, 1.0), 1.0 / (4.0 + 1e-6));
    ck_assert_double_eq(mae_clip_factor(1.0, 1.0), 1.0 / (1.0 + 1e-6));
    ck_assert_double_eq(mae_clip_factor(4.0, 0.0), 1.0);
    ck_assert_double_eq(mae_clip_factor(0.0, 1.0), 1.0);
}
END_TEST

/* The gradients of the first of the golden steps are those stored for its loss. */
START_TEST(golden_norm)
{
    static const char *const files[] = {"vit_global_pool.h5", "vit_cls_token.h5"};
    const char *path = mae_test_golden(files[_i]);
    char *text = mae_test_h5_attr_text(path, "adamw_layer_decay", "groups");
    json_t *groups = json_loads(text, 0, NULL), *group, *name;
    Fixture f = {.grads = NULL};
    size_t g, p, n = 0;
    MaeError err = {0};
    double norm = 0.0;
    float *want;

    for (int fill = 0; fill < 2; fill++) {
        json_array_foreach(groups, g, group)
        {
            json_array_foreach(json_object_get(group, "params"), p, name)
            {
                const char *param = json_string_value(name);
                char set[160];
                float *values;

                (void)snprintf(set, sizeof set, "label_smoothing_0.1/grads/%s", param);
                values = mae_test_h5_floats(path, set, &n);
                if (fill)
                    memcpy(f.grads + mae_param_find(&f.table, param)->at.off, values,
                           n * sizeof *values);
                else
                    (void)mae_param_add(&f.table, "", param, n, 0);
                free(values);
            }
        }
        if (!fill)
            open_clip(&f);
    }
    want = mae_test_h5_floats(path, "adamw_layer_decay/grad_norm", &n);
    ck_assert_ok(mae_clip_norm(&f.clip, &norm, NULL, f.grads, 1.0, &err));
    ck_assert_double_eq_tol(norm, (double)want[0], 1e-6 * (double)want[0]);
    free(want);
    json_decref(groups);
    free(text);
    close_clip(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clip");
    TCase *tc = tcase_create("golden");

    tcase_set_timeout(tc, 30);
    tcase_add_test(tc, matches_plain_sum);
    tcase_add_test(tc, same_for_any_threads);
    tcase_add_test(tc, bad_gradients_are_named);
    tcase_add_test(tc, bad_statistics_are_named);
    tcase_add_test(tc, factor);
    tcase_add_loop_test(tc, golden_norm, 0, 2);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
