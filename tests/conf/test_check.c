/* Contradictions, required keys, and taking over a checkpoint's section. */
#include "conf/config.h"

#include <stdio.h>
#include <string.h>

#include "support/test.h"

static MaeStatus parse(MaeConfig *cfg, MaeConfTool tool, const char *text, MaeError *err)
{
    return mae_config_parse_text(cfg, tool, "f.yaml", text, strlen(text), NULL, 0, err);
}

static const struct {
    MaeConfTool tool;
    const char *text, *message;
} CLASHES[] = {
    {MAE_CONF_PRETRAIN, "model:\n  img_size: 30",
     "model.patch_size (preset vit_tiny): 4 does not divide img_size [30, 30]"},
    {MAE_CONF_PRETRAIN, "model:\n  img_size: [32, 33]\n  patch_size: 4",
     "f.yaml:3: model.patch_size: 4 does not divide img_size [32, 33]"},
    {MAE_CONF_PRETRAIN, "model: {embed_dim: 126, num_heads: 3}",
     "f.yaml:1: model.embed_dim: 126 is not divisible by 4 (sin-cos positions have four "
     "parts)"},
    {MAE_CONF_PRETRAIN, "model: {num_heads: 5}",
     "f.yaml:1: model.num_heads: 5 heads do not divide model.embed_dim 192"},
    {MAE_CONF_PRETRAIN, "model: {decoder_embed_dim: 64}",
     "model.decoder_num_heads (preset vit_tiny): 3 heads do not divide "
     "model.decoder_embed_dim 64"},
    {MAE_CONF_PRETRAIN, "model: {decoder_embed_dim: 63}",
     "f.yaml:1: model.decoder_embed_dim: 63 is not divisible by 4 (sin-cos positions "
     "have "
     "four parts)"},
    {MAE_CONF_PRETRAIN, "model: {mlp_ratio: 0.001}",
     "f.yaml:1: model.mlp_ratio: no hidden unit is left of model.embed_dim 192"},
    {MAE_CONF_PRETRAIN, "mask: {ratio: 0.99}",
     "f.yaml:1: mask.ratio: 0.99 of 64 patches leaves none visible"},
    {MAE_CONF_PRETRAIN, "mask: {ratio: 1e-30}",
     "f.yaml:1: mask.ratio: 1e-30 of 64 patches leaves none hidden"},
    {MAE_CONF_PRETRAIN, "model: {img_size: 4}",
     "mask.ratio (default): 0.75 of 1 patches leaves none visible"},
    {MAE_CONF_PRETRAIN, "data: {crop_scale: [0.9, 0.1]}",
     "f.yaml:1: data.crop_scale: smallest share 0.9 is above the largest, 0.1"},
    {MAE_CONF_PRETRAIN, "data: {cache: on, scaled_decode: true}",
     "f.yaml:1: data.cache: on keeps whole images, data.scaled_decode reads parts of "
     "smaller ones; give one of them"},
    {MAE_CONF_FINETUNE, "data: {rand_augment: rand-m9-msd0.5}",
     "f.yaml:1: data.rand_augment: unknown part `msd0.5`; did you mean mstd?"},
    {MAE_CONF_PRETRAIN, "data: {mean: 0.5}",
     "f.yaml:1: data.mean: given without data.std; give both or neither"},
    {MAE_CONF_PRETRAIN, "data: {std: imagenet}",
     "f.yaml:1: data.std: given without data.mean; give both or neither"},
    {MAE_CONF_PRETRAIN, "data: {mean: [0.5, 0.5], std: imagenet}",
     "f.yaml:1: data.std: 3 entries, but data.mean has 2"},
    {MAE_CONF_PRETRAIN, "data: {mean: imagenet, std: imagenet}\nmodel: {in_chans: 1}",
     "f.yaml:1: data.mean: 3 entries, but model.in_chans is 1"},
    {MAE_CONF_PRETRAIN, "optim:\n  min_lr: 1",
     "f.yaml:2: optim.min_lr: 1 is above the peak learning rate 0.00015"},
    {MAE_CONF_PRETRAIN, "train: {epochs: 3}\noptim: {warmup_epochs: 3.5}",
     "f.yaml:2: optim.warmup_epochs: 3.5 is above train.epochs 3"},
    {MAE_CONF_PRETRAIN, "train: {resume: \"\"}",
     "f.yaml:1: train.resume: expected auto, none or a checkpoint"},
    {MAE_CONF_FINETUNE, "data: {label_fraction: 0.1, labels_per_class: 3}",
     "f.yaml:1: data.labels_per_class: give this or data.label_fraction, not both"},
    {MAE_CONF_FINETUNE, "finetune: {trained_blocks: 2}",
     "f.yaml:1: finetune.trained_blocks: only read with finetune.mode partial"},
    {MAE_CONF_FINETUNE, "finetune: {mode: partial, trained_blocks: 1.25}",
     "f.yaml:1: finetune.trained_blocks: expected a multiple of 0.5, found 1.25"},
    {MAE_CONF_FINETUNE, "finetune: {mode: partial, trained_blocks: 12.5}",
     "f.yaml:1: finetune.trained_blocks: 12.5 blocks, but the model has 12"},
    {MAE_CONF_FINETUNE, "finetune: {mode: partial, trained_blocks: 0, drop_path: 0.1}",
     "f.yaml:1: finetune.drop_path: 0.1, but no block is trained"},
    {MAE_CONF_FINETUNE, "finetune: {mode: linear, drop_path: 0.1}",
     "f.yaml:1: finetune.drop_path: 0.1, but no block is trained"},
    {MAE_CONF_FINETUNE, "finetune: {mode: linear, trained_blocks: 1}",
     "f.yaml:1: finetune.trained_blocks: only read with finetune.mode partial"},
    {MAE_CONF_FINETUNE, "finetune: {mode: linear}\ntrain: {batch_size: 1}",
     "f.yaml:2: train.batch_size: the batch norm of finetune.mode linear needs at least "
     "2 "
     "images"},
    {MAE_CONF_FINETUNE, "data: {unlabelled: more}",
     "f.yaml:1: data.unlabelled: given without data.pseudo_labels; give both or neither"},
    {MAE_CONF_FINETUNE, "data: {pseudo_labels: p.csv}",
     "f.yaml:1: data.pseudo_labels: given without data.unlabelled; give both or neither"},
};

START_TEST(contradictions)
{
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_int_eq(parse(&c, CLASHES[_i].tool, CLASHES[_i].text, &err), MAE_ERR_ARG);
    ck_assert_str_eq(err.msg, CLASHES[_i].message);
}
END_TEST

START_TEST(one_file_serves_both_tools)
{
    static const char TEXT[] = "model: {decoder_embed_dim: 63}\nmask: {ratio: 0.999}";
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE, TEXT, &err));
    ck_assert_ok(parse(&c, MAE_CONF_PRETRAIN,
                       "data: {label_fraction: 0.1, labels_per_class: 3}", &err));
}
END_TEST

START_TEST(extremes_are_consistent)
{
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_ok(parse(&c, MAE_CONF_PRETRAIN,
                       "model: {img_size: [24, 40], patch_size: 4, in_chans: 5}\n"
                       "optim: {warmup_epochs: 100}\ndata: {crop_scale: [1, 1]}",
                       &err));
    ck_assert_uint_eq(mae_config_patches(&c), 60);
    ck_assert_uint_eq(mae_config_visible(&c), 15);
    ck_assert_ok(parse(&c, MAE_CONF_PRETRAIN,
                       "model: {img_size: 16384, patch_size: 1, embed_dim: 16384,\n"
                       "  num_heads: 512}\ntrain: {batch_size: 1e6, accum_iter: 1e6}\n"
                       "optim: {blr: 1000}",
                       &err));
    ck_assert_uint_eq(mae_config_effective_batch(&c), 1000000000000u);
    ck_assert_ok(parse(&c, MAE_CONF_PRETRAIN,
                       "model: {in_chans: 3}\ndata: {mean: 0, std: [1, 2, 3]}", &err));
}
END_TEST

START_TEST(required_keys)
{
    static const char *const ARGS[] = {"data.train=d", "train.output_dir=o",
                                       "finetune.init=random"};
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_fails(mae_config_load(&c, MAE_CONF_PRETRAIN, NULL, ARGS, 1, &err),
                    MAE_ERR_ARG, "train.output_dir is missing: the run folder");
    ck_assert_ok(mae_config_load(&c, MAE_CONF_PRETRAIN, NULL, ARGS, 2, &err));
    ck_assert_fails(mae_config_load(&c, MAE_CONF_FINETUNE, NULL, ARGS, 2, &err),
                    MAE_ERR_ARG,
                    "finetune.checkpoint is missing: a pretraining checkpoint, or "
                    "finetune.init: random");
    ck_assert_ok(mae_config_load(&c, MAE_CONF_FINETUNE, NULL, ARGS, 3, &err));
}
END_TEST

START_TEST(adopts_the_architecture)
{
    static MaeConfig run, c;
    MaeError err = {0};

    ck_assert_ok(parse(&run, MAE_CONF_PRETRAIN,
                       "model: {preset: vit_micro, img_size: 35, patch_size: 5,\n"
                       " in_chans: 1, norm_pix_loss: true}",
                       &err));
    /* 70 is no multiple of the default preset's patch: settled by the checkpoint only. */
    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE,
                       "finetune: {checkpoint: x.h5}\nmodel: {img_size: 70, depth: 4}",
                       &err));
    ck_assert_ok(mae_config_adopt(&c, &run, "model", &err));
    ck_assert_str_eq(c.model.preset, "vit_micro");
    ck_assert_uint_eq(c.model.img_size[1], 70);
    ck_assert_uint_eq(c.model.patch_size, 5);
    ck_assert_uint_eq(c.model.in_chans, 1);
    ck_assert_uint_eq(c.model.embed_dim, 128);
    ck_assert_uint_eq(c.model.decoder_embed_dim, 64);
    ck_assert(c.model.norm_pix_loss);
    ck_assert_int_eq(mae_config_from(&c, "model.embed_dim").from,
                     MAE_CONF_FROM_CHECKPOINT);
    ck_assert_int_eq(mae_config_from(&c, "model.img_size").from, MAE_CONF_FROM_FILE);
}
END_TEST

START_TEST(adopting_refuses_what_differs)
{
    static MaeConfig run, c, before;
    MaeError err = {0};

    ck_assert_ok(
        parse(&run, MAE_CONF_PRETRAIN, "model: {preset: vit_micro, depth: 6}", &err));
    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE,
                       "finetune: {checkpoint: x}\nmodel: {depth: 4}", &err));
    before = c;
    ck_assert_fails(mae_config_adopt(&c, &run, "model", &err), MAE_ERR_ARG,
                    "f.yaml:2: model.depth: checkpoint has 6, config says 4");
    ck_assert_mem_eq(&c, &before, sizeof c);
    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE,
                       "finetune: {checkpoint: x}\nmodel: {preset: vit_base}", &err));
    ck_assert_fails(
        mae_config_adopt(&c, &run, "model", &err), MAE_ERR_ARG,
        "preset vit_base: model.patch_size: checkpoint has 4, config says 16");
    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE,
                       "finetune: {checkpoint: x}\nmodel: {preset: vit_micro}", &err));
    ck_assert_ok(mae_config_adopt(&c, &run, "model", &err));
    ck_assert_uint_eq(c.model.depth, 6);
    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE,
                       "finetune: {checkpoint: x}\nmodel: {img_size: 30}", &err));
    ck_assert_fails(mae_config_adopt(&c, &run, "model", &err), MAE_ERR_ARG,
                    "model.patch_size (checkpoint): 4 does not divide img_size [30, 30]");
}
END_TEST

/* How many blocks can be trained is the checkpoint's to say. */
START_TEST(trained_blocks_of_a_checkpoint)
{
    static MaeConfig run, c;
    MaeError err = {0};

    ck_assert_ok(parse(&run, MAE_CONF_PRETRAIN, "model: {depth: 20}", &err));
    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE,
                       "finetune: {checkpoint: x, mode: partial, trained_blocks: 19.5}",
                       &err));
    ck_assert_ok(mae_config_adopt(&c, &run, "model", &err));
    ck_assert_double_eq(c.finetune.trained_blocks, 19.5);
    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE,
                       "finetune: {checkpoint: x, mode: partial, trained_blocks: 20.5}",
                       &err));
    ck_assert_fails(mae_config_adopt(&c, &run, "model", &err), MAE_ERR_ARG,
                    "f.yaml:1: finetune.trained_blocks: 20.5 blocks, but the model has "
                    "20");
}
END_TEST

/* The linear probe has defaults of its own; what is given stays. */
START_TEST(defaults_of_the_linear_probe)
{
    static const char TEXT[] = "finetune: {mode: linear}\noptim: {weight_decay: 0.3}";
    static MaeConfig c;
    MaeError err = {0};
    char origin[64];

    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE, TEXT, &err));
    ck_assert_double_eq(c.optim.blr, 0.1);
    ck_assert_double_eq(c.optim.weight_decay, 0.3);
    ck_assert_double_eq(c.optim.min_lr, 0.0);
    ck_assert_double_eq(c.finetune.label_smoothing, 0.0);
    ck_assert_double_eq(c.data.crop_scale[0], 0.08);
    ck_assert_int_eq(c.finetune.pool, MAE_CONF_POOL_CLS);
    ck_assert_uint_eq(c.train.epochs, 90);
    ck_assert_double_eq(c.optim.warmup_epochs, 10.0);
    ck_assert_double_eq(mae_config_lr(&c), 6.4);
    mae_config_origin(&c, "optim.blr", origin, sizeof origin);
    ck_assert_str_eq(origin, "mode linear");
    ck_assert_ok(parse(&c, MAE_CONF_PRETRAIN, TEXT, &err));
    ck_assert_double_eq(c.optim.blr, 1.5e-4);
    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE, "finetune: {mode: partial}", &err));
    ck_assert_double_eq(c.optim.blr, 1e-3);
    ck_assert_double_eq(c.data.crop_scale[0], 0.08);
    ck_assert_double_eq(c.finetune.trained_blocks, 1.0);
}
END_TEST

START_TEST(learning_rate)
{
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_ok(parse(&c, MAE_CONF_PRETRAIN,
                       "train: {batch_size: 512, accum_iter: 4}\noptim: {blr: 1e-3}\n"
                       "eval: {batch_size: 7}",
                       &err));
    ck_assert_double_eq(mae_config_lr(&c), 1e-3 * 2048 / 256);
    ck_assert_uint_eq(mae_config_eval_batch(&c), 7);
    ck_assert_ok(parse(&c, MAE_CONF_PRETRAIN, "optim: {blr: 1e-3, lr: 2e-3}", &err));
    ck_assert_double_eq(mae_config_lr(&c), 2e-3);
}
END_TEST

/* What published recipes add to fine-tuning: off unless asked for. */
START_TEST(recipe_of_finetuning)
{
    static const char *const BAD[] = {"mixup: 1e-9",   "cutmix: -1",
                                      "mix_prob: 1.5", "mix_switch_prob: -0.1",
                                      "ema_decay: 1",  "ema_decay: 0.1"};
    static MaeConfig c;
    MaeError err = {0};
    char text[64];

    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE, "", &err));
    ck_assert_double_eq(c.finetune.mixup, 0.0);
    ck_assert_double_eq(c.finetune.cutmix, 0.0);
    ck_assert_double_eq(c.finetune.mix_prob, 1.0);
    ck_assert_double_eq(c.finetune.mix_switch_prob, 0.5);
    ck_assert_double_eq(c.finetune.ema_decay, 0.0);
    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE,
                       "finetune: {mixup: 0.8, cutmix: 0, ema_decay: 0.9999}", &err));
    ck_assert_double_eq(c.finetune.mixup, 0.8);
    ck_assert_double_eq(c.finetune.ema_decay, 0.9999);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        (void)snprintf(text, sizeof text, "finetune: {%s}", BAD[i]);
        ck_assert_fails(parse(&c, MAE_CONF_FINETUNE, text, &err), MAE_ERR_ARG,
                        "out of range: expected a number");
    }
}
END_TEST

/* Keys that would go unheard beside others. */
START_TEST(contradictions_of_finetuning)
{
    static const struct {
        const char *text, *message;
    } BAD[] = {
        {"data: {rand_augment: rand-m9, color_jitter: 0.4}",
         "data.color_jitter: give this or data.rand_augment"},
        {"finetune: {mix_prob: 0.5}", "finetune.mix_prob: only read with"},
        {"finetune: {mixup: 0.8, mix_switch_prob: 0.1}",
         "finetune.mix_switch_prob: only read with"},
        {"finetune: {cutmix: 1}\ntrain: {batch_size: 1}",
         "train.batch_size: mixup and cutmix need"},
        {"data: {pseudo_checksum: 17}", "data.pseudo_checksum: given without"},
        {"data: {unlabelled: x}", "data.unlabelled: given without data.pseudo_labels"},
    };
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_fails(parse(&c, MAE_CONF_FINETUNE, BAD[_i].text, &err), MAE_ERR_ARG,
                    BAD[_i].message);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_check");
    TCase *tcase = tcase_create("check");

    tcase_add_loop_test(tcase, contradictions, 0, sizeof CLASHES / sizeof *CLASHES);
    tcase_add_test(tcase, one_file_serves_both_tools);
    tcase_add_test(tcase, extremes_are_consistent);
    tcase_add_test(tcase, required_keys);
    tcase_add_test(tcase, adopts_the_architecture);
    tcase_add_test(tcase, adopting_refuses_what_differs);
    tcase_add_test(tcase, trained_blocks_of_a_checkpoint);
    tcase_add_test(tcase, defaults_of_the_linear_probe);
    tcase_add_test(tcase, learning_rate);
    tcase_add_test(tcase, recipe_of_finetuning);
    tcase_add_loop_test(tcase, contradictions_of_finetuning, 0, 6);
    suite_add_tcase(suite, tcase);
    return mae_test_main(suite);
}
