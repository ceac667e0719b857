#include "optim/groups.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

static const char *const golden_files[] = {"vit_global_pool.h5", "vit_cls_token.h5"};

static MaeParamEntry entry_of(const char *name, unsigned flags)
{
    MaeParamEntry entry = {.ndim = 1, .shape = {1}, .flags = flags};

    ck_assert_uint_lt(strlen(name), sizeof entry.name);
    strcpy(entry.name, name);
    return entry;
}

/* Parameters the model registers without decay: vectors and these two. */
static bool decays(const char *name)
{
    const char *end = strrchr(name, '.');

    return strcmp(name, "cls_token") != 0 && strcmp(name, "pos_embed") != 0 &&
           strcmp(end, ".bias") != 0 && strstr(name, "norm") == NULL;
}

START_TEST(golden)
{
    const char *path = mae_test_golden(golden_files[_i]);
    char *text = mae_test_h5_attr_text(path, "adamw_layer_decay", "groups");
    const MaeGroupRule rule = {
        .weight_decay = mae_test_h5_attr(path, "adamw_layer_decay", "weight_decay"),
        .layer_decay = mae_test_h5_attr(path, "adamw_layer_decay", "layer_decay"),
        .depth = (size_t)mae_test_h5_attr(path, "/", "depth"),
    };
    json_t *groups = json_loads(text, 0, NULL), *want, *name;
    size_t g, p, seen = 0;
    MaeError err = {0};
    MaeGroup got;

    ck_assert_ok(mae_group_check(&rule, &err));
    json_array_foreach(groups, g, want)
    {
        json_array_foreach(json_object_get(want, "params"), p, name)
        {
            const char *param = json_string_value(name);
            const MaeParamEntry entry =
                entry_of(param, decays(param) ? MAE_PARAM_PLAIN : MAE_PARAM_NO_DECAY);
            const double scale = json_number_value(json_object_get(want, "lr_scale"));
            const double decay = json_number_value(json_object_get(want, "weight_decay"));

            ck_assert_ok(mae_group_of(&got, &entry, &rule, &err));
            ck_assert_msg(fabs(got.lr_scale - scale) <= 1e-15 &&
                              got.weight_decay == decay,
                          "%s: got scale %.17g decay %g, want %.17g and %g", param,
                          got.lr_scale, got.weight_decay, scale, decay);
            seen++;
        }
    }
    ck_assert_uint_gt(seen, 20);
    json_decref(groups);
    free(text);
}
END_TEST

START_TEST(names)
{
    static const struct {
        const char *name;
        double scale;
    } cases[] = {
        {"cls_token", 0.125}, {"pos_embed", 0.125},      {"patch_embed.x", 0.125},
        {"blocks.0.x", 0.25}, {"blocks.1.x", 0.5},       {"blocks.01.x", 0.5},
        {"norm.weight", 1.0}, {"head.weight", 1.0},      {"cls_token_2", 1.0},
        {"patch_embed", 1.0}, {"decoder_blocks.9.x", 1}, {"blocks.x", 1.0},
        {"blocks..x", 1.0},   {"blocks.1", 1.0},         {"blocks.1x.x", 1.0},
        {"blocks.", 1.0},
    };
    const MaeGroupRule decay = {.weight_decay = 0.05, .layer_decay = 0.5, .depth = 2};
    const MaeGroupRule even = {.weight_decay = 0.05, .layer_decay = 1.0};
    MaeError err = {0};
    MaeGroup group;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const MaeParamEntry entry = entry_of(cases[i].name, MAE_PARAM_PLAIN);

        ck_assert_ok(mae_group_of(&group, &entry, &decay, &err));
        ck_assert_msg(group.lr_scale == cases[i].scale, "%s: got %g, want %g", entry.name,
                      group.lr_scale, cases[i].scale);
        ck_assert_double_eq(group.weight_decay, 0.05);
        ck_assert_ok(mae_group_of(&group, &entry, &even, &err));
        ck_assert_double_eq(group.lr_scale, 1.0);
    }
}
END_TEST

START_TEST(refused)
{
    static const char *const beyond[] = {"blocks.2.x", "blocks.3.x",
                                         "blocks.99999999999999999999999999.x"};
    const MaeGroupRule rule = {.layer_decay = 0.5, .depth = 2};
    const MaeGroupRule bad[] = {
        {.weight_decay = -1.0, .layer_decay = 1.0},
        {.weight_decay = (double)NAN, .layer_decay = 1.0},
        {.layer_decay = 0.0},
        {.layer_decay = 1.5},
        {.layer_decay = (double)NAN},
    };
    MaeError err = {0};
    MaeGroup group;

    for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++) {
        const MaeParamEntry entry = entry_of(beyond[i], MAE_PARAM_PLAIN);

        ck_assert_fails(mae_group_of(&group, &entry, &rule, &err), MAE_ERR_SHAPE,
                        beyond[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_fails(mae_group_check(&bad[i], &err), MAE_ERR_ARG, "_decay");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("groups");
    TCase *tc = tcase_create("golden");

    tcase_add_loop_test(tc, golden, 0, 2);
    tcase_add_test(tc, names);
    tcase_add_test(tc, refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
