#include "model/names.h"

#include <stdlib.h>
#include <string.h>

#include "model/autoencoder.h"
#include "model/classifier.h"
#include "store/safetensors.h"
#include "support/test.h"

/* The architecture of the reference files. */
static const MaeArch GOLDEN = {.grid = {3, 32, 32, 4},
                               .embed_dim = 48,
                               .depth = 2,
                               .heads = 3,
                               .mlp_ratio = 4.0,
                               .decoder_dim = 32,
                               .decoder_depth = 2,
                               .decoder_heads = 4};

START_TEST(names_and_shapes_are_those_of_the_reference)
{
    const MaeNaming naming = (MaeNaming)_i;
    const char *file = naming == MAE_NAMES_HF ? "mae_hf_names.safetensors"
                                              : "mae_timm_names.safetensors";
    MaeSafetensors *s = NULL;
    MaeAutoencoder model;
    MaeNameMap map;
    MaeError err = {0};
    const MaeTensorInfo *list;
    size_t count;

    ck_assert_ok(mae_autoencoder_open(&model, &GOLDEN, &err));
    ck_assert_ok(mae_names_open(&map, &model.table, naming, &err));
    ck_assert_ok(mae_safetensors_open(&s, mae_test_golden(file), &err));
    list = mae_safetensors_list(s, &count);
    ck_assert_ok(mae_tensor_match(file, &map.table, list, count, &err));
    mae_safetensors_close(s);
    mae_names_close(&map);
    mae_autoencoder_close(&model);
}
END_TEST

/* Every element of the model lies in exactly one tensor of the file. */
START_TEST(maps_cover_the_model)
{
    MaeAutoencoder model;
    MaeNameMap map;
    MaeError err = {0};
    unsigned char *seen;
    size_t elements = 0;

    ck_assert_ok(mae_autoencoder_open(&model, &GOLDEN, &err));
    ck_assert_ok(mae_names_open(&map, &model.table, (MaeNaming)_i, &err));
    seen = mae_test_alloc(model.table.total);
    for (size_t i = 0; i < map.table.count; i++)
        for (size_t k = 0; k < map.table.entries[i].at.count; k++)
            ck_assert_uint_eq(seen[map.offsets[i] + k]++, 0);
    for (size_t i = 0; i < model.table.count; i++)
        elements += model.table.entries[i].at.count;
    for (size_t i = 0; i < model.table.total; i++)
        elements -= seen[i];
    ck_assert_uint_eq(elements, 0);
    free(seen);
    mae_names_close(&map);
    mae_autoencoder_close(&model);
}
END_TEST

START_TEST(translations)
{
    static const char *const PAIRS[][2] = {
        {"cls_token", "vit.embeddings.cls_token"},
        {"norm.bias", "vit.layernorm.bias"},
        {"blocks.11.attn.proj.weight",
         "vit.encoder.layer.11.attention.output.dense.weight"},
        {"decoder_blocks.0.attn.qkv.bias",
         "decoder.decoder_layers.0.attention.attention.query.bias"},
        {"head.weight", "classifier.weight"},
        {"fc_norm.weight", NULL},
        {"blocks", NULL},
        {"blocks.0", NULL},
        {"blocks.0.odd.weight", NULL},
        {"norms.weight", NULL},
    };
    char text[MAE_PARAM_NAME], tiny[8];

    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        const bool found =
            mae_names_translate(text, sizeof text, PAIRS[i][0], MAE_NAMES_HF);

        ck_assert_msg(found == (PAIRS[i][1] != NULL), "%s", PAIRS[i][0]);
        if (found)
            ck_assert_str_eq(text, PAIRS[i][1]);
    }
    ck_assert(mae_names_translate(text, sizeof text, "anything", MAE_NAMES_TIMM));
    ck_assert_str_eq(text, "anything");
    ck_assert(!mae_names_translate(tiny, sizeof tiny, "cls_token", MAE_NAMES_TIMM));
}
END_TEST

START_TEST(mean_pooling_has_no_name_there)
{
    MaeArch arch = GOLDEN;
    MaeClassifier model;
    MaeNameMap map;
    MaeError err = {0};

    arch.classes = 3;
    ck_assert_ok(mae_classifier_open(&model, &arch, &err));
    ck_assert_fails(mae_names_open(&map, &model.table, MAE_NAMES_HF, &err), MAE_ERR_ARG,
                    "use the timm format");
    mae_classifier_close(&model);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("names");
    TCase *tc = tcase_create("maps");

    tcase_add_loop_test(tc, names_and_shapes_are_those_of_the_reference, 0, 2);
    tcase_add_loop_test(tc, maps_cover_the_model, 0, 2);
    tcase_add_test(tc, translations);
    tcase_add_test(tc, mean_pooling_has_no_name_there);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
