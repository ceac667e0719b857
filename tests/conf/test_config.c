/* Values, defaults, presets, overrides, files; every fault with its exact line. */
#include "conf/config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support/test.h"

static MaeStatus parse(MaeConfig *cfg, MaeConfTool tool, const char *text, MaeError *err)
{
    return mae_config_parse_text(cfg, tool, "f.yaml", text, strlen(text), NULL, 0, err);
}

static MaeStatus override(MaeConfig *cfg, const char *text, MaeError *err)
{
    return mae_config_parse_text(cfg, MAE_CONF_PRETRAIN, "f.yaml", "", 0, &text, 1, err);
}

START_TEST(defaults_of_pretraining)
{
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_ok(parse(&c, MAE_CONF_PRETRAIN, "", &err));
    ck_assert_str_eq(c.model.preset, "vit_tiny");
    ck_assert_uint_eq(c.model.img_size[0], 32);
    ck_assert_uint_eq(c.model.img_size[1], 32);
    ck_assert_uint_eq(c.model.patch_size, 4);
    ck_assert_uint_eq(c.model.in_chans, 0);
    ck_assert_uint_eq(c.model.embed_dim, 192);
    ck_assert_uint_eq(c.model.depth, 12);
    ck_assert_uint_eq(c.model.num_heads, 3);
    ck_assert_double_eq(c.model.mlp_ratio, 4.0);
    ck_assert_uint_eq(c.model.decoder_embed_dim, 192);
    ck_assert_uint_eq(c.model.decoder_depth, 4);
    ck_assert_uint_eq(c.model.decoder_num_heads, 3);
    ck_assert(!c.model.norm_pix_loss);
    ck_assert_uint_eq(c.mask.strategy, MAE_CONF_MASK_RANDOM);
    ck_assert_double_eq(c.mask.ratio, 0.75);
    ck_assert_uint_eq(c.data.mean.kind, MAE_CONF_STATS_AUTO);
    ck_assert_uint_eq(c.data.augment, MAE_CONF_AUGMENT_CROP_FLIP);
    ck_assert_double_eq(c.data.crop_scale[0], 0.2);
    ck_assert_double_eq(c.data.crop_scale[1], 1.0);
    ck_assert_double_eq(c.data.max_bad_fraction, 0.01);
    ck_assert_double_eq(c.optim.blr, 1.5e-4);
    ck_assert_double_eq(c.optim.betas[1], 0.95);
    ck_assert_double_eq(c.optim.eps, 1e-8);
    ck_assert_double_eq(c.optim.warmup_epochs, 5.0);
    ck_assert_uint_eq(c.train.batch_size, 256);
    ck_assert_str_eq(c.train.resume, "auto");
    ck_assert(c.train.preflight);
    ck_assert_double_eq(mae_config_lr(&c), 1.5e-4);
    ck_assert_uint_eq(mae_config_eval_batch(&c), 256);
    ck_assert_uint_eq(mae_config_patches(&c), 64);
    ck_assert_uint_eq(mae_config_visible(&c), 16);
}
END_TEST

START_TEST(defaults_of_finetuning)
{
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_ok(parse(&c, MAE_CONF_FINETUNE, "train: {epochs: 15}", &err));
    ck_assert_double_eq(c.optim.blr, 1e-3);
    ck_assert_double_eq(c.optim.betas[0], 0.9);
    ck_assert_double_eq(c.optim.betas[1], 0.999);
    ck_assert_double_eq(c.optim.layer_decay, 0.75);
    ck_assert_double_eq(c.optim.warmup_epochs, 1.5);
    ck_assert_uint_eq(c.train.batch_size, 64);
    ck_assert_uint_eq(c.finetune.init, MAE_CONF_INIT_PRETRAINED);
    ck_assert_uint_eq(c.finetune.pool, MAE_CONF_POOL_MEAN);
    ck_assert_double_eq(c.finetune.label_smoothing, 0.1);
    ck_assert_double_eq(mae_config_lr(&c), 1e-3 * 64 / 256);
}
END_TEST

START_TEST(every_kind_of_value)
{
    static const char TEXT[] = "# comment\n"
                               "model:\n"
                               "  preset: vit-micro\n"
                               "  img_size: 28\n"
                               "  norm-pix-loss: yes\n"
                               "  in_chans: 1\n"
                               "mask: {strategy: block, ratio: .5}\n"
                               "data:\n"
                               "  train: \"/a \\\"b\\\": #c\"\n"
                               "  val: données/été\n"
                               "  mean: 0.2860\n"
                               "  std: [0.3530]\n"
                               "optim:\n"
                               "  lr: 1e-3\n"
                               "  betas:\n"
                               "  - 0.8\n"
                               "  - 9.5e-1\n"
                               "  clip_grad: none\n"
                               "eval:\n"
                               "train:\n"
                               "  epochs: 1e2\n"
                               "  seed: 9007199254740991\n"
                               "  threads: 'all'\n";
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_ok(parse(&c, MAE_CONF_PRETRAIN, TEXT, &err));
    ck_assert_str_eq(c.model.preset, "vit_micro");
    ck_assert_uint_eq(c.model.img_size[0], 28);
    ck_assert_uint_eq(c.model.img_size[1], 28);
    ck_assert_uint_eq(c.model.embed_dim, 128);
    ck_assert_uint_eq(c.model.decoder_embed_dim, 64);
    ck_assert(c.model.norm_pix_loss);
    ck_assert_uint_eq(c.mask.strategy, MAE_CONF_MASK_BLOCK);
    ck_assert_double_eq(c.mask.ratio, 0.5);
    ck_assert_str_eq(c.data.train, "/a \"b\": #c");
    ck_assert_str_eq(c.data.val, "données/été");
    ck_assert_uint_eq(c.data.mean.kind, MAE_CONF_STATS_GIVEN);
    ck_assert_uint_eq(c.data.mean.count, 1);
    ck_assert_double_eq(c.data.mean.value[0], 0.2860);
    ck_assert_double_eq(c.data.std.value[0], 0.3530);
    ck_assert_double_eq(c.optim.lr, 1e-3);
    ck_assert_double_eq(c.optim.betas[0], 0.8);
    ck_assert_double_eq(c.optim.betas[1], 0.95);
    ck_assert_double_eq(c.optim.clip_grad, 0.0);
    ck_assert_uint_eq(c.train.epochs, 100);
    ck_assert_uint_eq(c.train.seed, 9007199254740991u);
    ck_assert_uint_eq(c.train.threads, 0);
}
END_TEST

START_TEST(imagenet_statistics)
{
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_ok(
        parse(&c, MAE_CONF_PRETRAIN, "data: {mean: imagenet, std: imagenet}", &err));
    ck_assert_uint_eq(c.data.mean.count, 3);
    ck_assert_double_eq(c.data.mean.value[2], 0.406);
    ck_assert_uint_eq(c.data.std.count, 3);
    ck_assert_double_eq(c.data.std.value[0], 0.229);
}
END_TEST

static const struct {
    const char *name;
    size_t values[9]; /* image, patch, width, depth, heads, decoder; last: zero */
} PRESETS[] = {
    {"vit_micro", {32, 4, 128, 4, 4, 64, 2, 4, 0}},
    {"vit_tiny", {32, 4, 192, 12, 3, 192, 4, 3, 0}},
    {"vit_small", {224, 16, 384, 12, 6, 192, 4, 3, 0}},
    {"vit_base", {224, 16, 768, 12, 12, 512, 8, 16, 0}},
    {"vit_large", {224, 16, 1024, 24, 16, 512, 8, 16, 0}},
    {"vit_huge", {224, 14, 1280, 32, 16, 512, 8, 16, 0}},
};

START_TEST(presets)
{
    static MaeConfig c;
    MaeError err = {0};
    const size_t *want = PRESETS[_i].values;
    char text[64];

    (void)snprintf(text, sizeof text, "model.preset=%s", PRESETS[_i].name);
    ck_assert_ok(override(&c, text, &err));
    ck_assert_uint_eq(c.model.img_size[0], want[0]);
    ck_assert_uint_eq(c.model.img_size[1], want[0]);
    ck_assert_uint_eq(c.model.patch_size, want[1]);
    ck_assert_uint_eq(c.model.embed_dim, want[2]);
    ck_assert_uint_eq(c.model.depth, want[3]);
    ck_assert_uint_eq(c.model.num_heads, want[4]);
    ck_assert_uint_eq(c.model.decoder_embed_dim, want[5]);
    ck_assert_uint_eq(c.model.decoder_depth, want[6]);
    ck_assert_uint_eq(c.model.decoder_num_heads, want[7]);
}
END_TEST

static const struct {
    const char *text, *message;
} FAULTS[] = {
    {"optim:\n  lerning_rate: 1",
     "f.yaml:2:3: optim.lerning_rate: unknown key; did you mean optim.lr?"},
    {"optim:\n  weight-decai: 1",
     "f.yaml:2:3: optim.weight-decai: unknown key; did you mean optim.weight_decay?"},
    {"train:\n  lr: 1", "f.yaml:2:3: train.lr: unknown key; did you mean optim.lr?"},
    {"data: {num_workers: 3}",
     "f.yaml:1:8: data.num_workers: unknown key; did you mean data.workers?"},
    {"data: {zzzzzzzz: 3}", "f.yaml:1:8: data.zzzzzzzz: unknown key"},
    {"optimizer: {lr: 1}", "f.yaml:1:1: optimizer: unknown section; did you mean optim?"},
    {"batch_size: 3",
     "f.yaml:1:1: batch_size: unknown section; did you mean train.batch_size?"},
    {"qqqqqqqqq: 3", "f.yaml:1:1: qqqqqqqqq: unknown section"},
    {"optim:\n  lr: 1\n  lr: 2", "f.yaml:3:3: optim.lr: given twice, first on line 2"},
    {"optim: {min-lr: 0, min_lr: 0}",
     "f.yaml:1:20: optim.min_lr: given twice, first on line 1"},
    {"mask:\noptim:\nmask:", "f.yaml:3:1: mask: section given twice, first on line 1"},
    {"optim:\n  lr: abc", "f.yaml:2:7: optim.lr: expected a number or auto, found 'abc'"},
    {"optim: {lr: nan}", "f.yaml:1:13: optim.lr: expected a number or auto, found 'nan'"},
    {"optim: {lr: .inf}",
     "f.yaml:1:13: optim.lr: expected a number or auto, found '.inf'"},
    {"optim: {lr: 1e999}", "f.yaml:1:13: optim.lr: out of range: expected a number > 0 "
                           "and <= 1000, or auto, found '1e999'"},
    {"optim: {lr: 0}", "f.yaml:1:13: optim.lr: out of range: expected a number > 0 "
                       "and <= 1000, or auto, found '0'"},
    {"optim: {lr: 1e-400}",
     "f.yaml:1:13: optim.lr: out of range: '1e-400' is too close to 0"},
    {"optim: {clip_grad: 0.001e-400}",
     "f.yaml:1:20: optim.clip_grad: out of range: '0.001e-400' is too close to 0"},
    {"train: {threads: 5000}",
     "f.yaml:1:18: train.threads: out of range: expected a number >= 1 and <= 4096, or 0 "
     "(all), found '5000'"},
    {"modle: {depth: 1}", "f.yaml:1:1: modle: unknown section; did you mean model?"},
    {"optim: {weight_decay: 0x10}",
     "f.yaml:1:23: optim.weight_decay: expected a number, found '0x10'"},
    {"optim: {weight_decay: 1e}",
     "f.yaml:1:23: optim.weight_decay: expected a number, found '1e'"},
    {"optim: {weight_decay: }",
     "f.yaml:1:23: optim.weight_decay: expected a number, found nothing"},
    {"optim: {weight_decay: [1]}",
     "f.yaml:1:23: optim.weight_decay: expected a number, found a list"},
    {"optim: {weight_decay: {a: 1}}",
     "f.yaml:1:23: optim.weight_decay: expected a number, found a mapping"},
    {"optim: {betas: 0.9}",
     "f.yaml:1:16: optim.betas: expected a list of two numbers, found 1 value"},
    {"optim: {betas: [0.9, 1, 0]}",
     "f.yaml:1:16: optim.betas: expected a list of two numbers, found 3 values"},
    {"optim: {betas: [0.9, 1]}", "f.yaml:1:16: optim.betas: out of range: expected a "
                                 "number >= 0 and < 1, found '1'"},
    {"optim: {betas: [0.9, [1]]}",
     "f.yaml:1:22: expected a number in the list, found a list"},
    {"optim: {betas: [a: 1]}",
     "f.yaml:1:17: expected a number in the list, found a mapping"},
    {"train: {epochs: 2.5}",
     "f.yaml:1:17: train.epochs: expected a whole number, found '2.5'"},
    {"train: {batch_size: 0}", "f.yaml:1:21: train.batch_size: out of range: expected a "
                               "number >= 1 and <= 1000000, found '0'"},
    {"train: {epochs: -1}", "f.yaml:1:17: train.epochs: out of range: expected a number "
                            ">= 1 and <= 1000000, found '-1'"},
    {"train: {overwrite: 2}",
     "f.yaml:1:20: train.overwrite: expected true or false, found '2'"},
    {"mask: {strategy: ramdom}",
     "f.yaml:1:18: mask.strategy: expected one of random, block, grid, found 'ramdom'"},
    {"mask: {ratio: 1}",
     "f.yaml:1:15: mask.ratio: out of range: expected a number > 0 and < 1, found '1'"},
    {"finetune: {mode: half}",
     "f.yaml:1:18: finetune.mode: expected one of full, partial, linear, found 'half'"},
    {"model: {preset: vit_giant}",
     "f.yaml:1:17: model.preset: expected one of vit_micro, vit_tiny, vit_small, "
     "vit_base, vit_large, vit_huge, found 'vit_giant'"},
    {"model: {img_size: [1, 2, 3]}", "f.yaml:1:19: model.img_size: expected a whole "
                                     "number or a list of two, found 3 values"},
    {"data: {mean: []}", "f.yaml:1:14: data.mean: expected a number, a list of numbers, "
                         "auto or imagenet, found an empty list"},
    {"data: {std: [0]}", "f.yaml:1:13: data.std: out of range: expected a number > 0 and "
                         "<= 1000000, found '0'"},
    {"data: {train: }", "f.yaml:1:15: data.train: expected text, found nothing (write "
                        "\"\" for none)"},
    {"data: {train: ~}", "f.yaml:1:15: data.train: expected text, found nothing (write "
                         "\"\" for none)"},
    {"data: {train: [a]}", "f.yaml:1:15: data.train: expected text, found a list"},
    {"data: {train: \"a\\nb\"}",
     "f.yaml:1:15: data.train: byte 2 of the text is a control "
     "character or not UTF-8"},
    {"data: {train: \"a\\0b\"}", "f.yaml:1:15: a text may not contain NUL"},
    {"data: {\"train\\0\": x}", "f.yaml:1:8: a name may not contain NUL"},
    {"data: &x {train: a}", "f.yaml:1:7: YAML anchors (&name) are not supported"},
    {"data: {train: &x a}", "f.yaml:1:15: YAML anchors (&name) are not supported"},
    {"data: {train: *x}", "f.yaml:1:15: YAML aliases (*name) are not supported"},
    {"data: {train: !!str a}", "f.yaml:1:15: YAML tags (!name) are not supported"},
    {"data: {mean: ! [1]}", "f.yaml:1:14: YAML tags (!name) are not supported"},
    {"--- !a {}", "f.yaml:1:5: YAML tags (!name) are not supported"},
    {"mask:\n---\nmask:", "f.yaml:2:1: a second YAML document starts here; one expected"},
    {"optim:\n\tlr: 1", "f.yaml:2:1: indented with a tab; use spaces"},
    {"optim: {lr: 1", "f.yaml:2:1: not valid YAML: did not find expected ',' or '}'"},
    {"a: b: c", "f.yaml:1:1: a: unknown section"},
    {"mask:\n ratio: '0.5' b", "f.yaml:2:15: not valid YAML: did not find expected key"},
    {"%YAML 1.1\n---\nmask:", "f.yaml:1:1: YAML directives (%NAME) are not supported"},
    {"mask:\xe2\x80\xa8%TAG !a! b",
     "f.yaml:1:9: YAML directives (%NAME) are not supported"},
    {"mask:\n  ratio: 0.5\n # \xff\xfe", "f.yaml:3:4: not YAML text: invalid leading "
                                         "UTF-8 octet"},
    {"mask:\n\x01", "f.yaml:2:1: not YAML text: control characters are not allowed"},
    {"[1, 2]", "f.yaml:1:1: expected sections such as \"model:\", found a list"},
    {"text", "f.yaml:1:1: expected sections such as \"model:\", found a text"},
    {"optim: 3", "f.yaml:1:8: optim: expected keys of this section, found a text"},
    {"optim: [3]", "f.yaml:1:8: optim: expected keys of this section, found a list"},
    {"{[a]: 3}", "f.yaml:1:2: expected a name, found a list"},
    {"optim: {[a]: 3}", "f.yaml:1:9: expected a name, found a list"},
    {"optim: {<<: {lr: 1}}", "f.yaml:1:9: optim.<<: unknown key"},
};

START_TEST(faults_of_a_file)
{
    static MaeConfig c, before;
    MaeError err = {0};
    MaeStatus status;

    memset(&c, 0x5a, sizeof c);
    before = c;
    status = parse(&c, MAE_CONF_PRETRAIN, FAULTS[_i].text, &err);
    ck_assert_msg(status == MAE_ERR_ARG, "%s: %s: %s", FAULTS[_i].text,
                  mae_status_name(status), err.msg);
    ck_assert_str_eq(err.msg, FAULTS[_i].message);
    ck_assert_mem_eq(&c, &before, sizeof c);
}
END_TEST

static const struct {
    const char *text, *message;
} BAD_OVERRIDES[] = {
    {"optim.lr=nan",
     "command line: optim.lr=nan: expected a number or auto, found 'nan'"},
    {"optim.lr=", "command line: optim.lr=: expected a number or auto, found nothing"},
    {"optim.lr", "command line: optim.lr: expected section.key=value"},
    {"lr=3", "command line: lr=3: expected section.key=value; did you mean optim.lr?"},
    {"optim.learning-rate=3",
     "command line: optim.learning-rate=3: unknown key; did you mean optim.lr?"},
    {"optimiser.lr=3",
     "command line: optimiser.lr=3: unknown section; did you mean optim.lr?"},
    {"modle.depth=3",
     "command line: modle.depth=3: unknown section; did you mean model.depth?"},
    {"modle.dpeth=3",
     "command line: modle.dpeth=3: unknown section; did you mean model.depth?"},
    {"model.dpeth=3",
     "command line: model.dpeth=3: unknown key; did you mean model.depth?"},
    {"dist.time=3", "command line: dist.time=3: unknown key; did you mean dist.timeout?"},
    {"modle.zzzz=3", "command line: modle.zzzz=3: unknown section; did you mean model?"},
    {"optim.betas=[0.9", "command line: optim.betas=[0.9: not valid YAML: did not find "
                         "expected ',' or ']'"},
    {"optim.betas=0.9,0.95", "command line: optim.betas=0.9,0.95: expected a list of two "
                             "numbers, found 1 value"},
    {"optim.betas=[0.9,*a]",
     "command line: optim.betas=[0.9,*a]: YAML aliases (*name) are not supported"},
    {"optim.betas={a: 1}",
     "command line: optim.betas={a: 1}: expected a list of two numbers, found a mapping"},
    {"data.train=a\xff",
     "command line: data.train=a\xff: byte 2 of the text is a control "
     "character or not UTF-8"},
    {"=1", "command line: =1: expected section.key=value"},
    {".=1", "command line: .=1: unknown section"},
};

START_TEST(faults_of_an_override)
{
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_int_eq(override(&c, BAD_OVERRIDES[_i].text, &err), MAE_ERR_ARG);
    ck_assert_str_eq(err.msg, BAD_OVERRIDES[_i].message);
}
END_TEST

START_TEST(overrides_win_in_order)
{
    static const char *const ARGS[] = {"optim.betas=[0.5,0.6]",
                                       "train.output_dir=run #1: x", "train.epochs=7",
                                       "train.epochs=8", "data.crop-scale=[0.3, 1]"};
    static const char TEXT[] = "train: {epochs: 6, output_dir: y}";
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_ok(mae_config_parse_text(&c, MAE_CONF_PRETRAIN, "f.yaml", TEXT,
                                       sizeof TEXT - 1, ARGS, 5, &err));
    ck_assert_double_eq(c.optim.betas[0], 0.5);
    ck_assert_double_eq(c.optim.betas[1], 0.6);
    ck_assert_str_eq(c.train.output_dir, "run #1: x");
    ck_assert_uint_eq(c.train.epochs, 8);
    ck_assert_double_eq(c.data.crop_scale[0], 0.3);
    ck_assert_int_eq(mae_config_from(&c, "train.epochs").from,
                     MAE_CONF_FROM_COMMAND_LINE);
}
END_TEST

/* Where 0 says none or all it is a number like any other. */
START_TEST(zero_for_none)
{
    static const char *const KEYS[] = {
        "optim.clip_grad",        "data.first_n",       "data.labels_per_class",
        "train.threads",          "train.stop_after",   "train.preview_every",
        "train.checkpoint_every", "train.save_minutes", "train.max_hours"};
    static MaeConfig c;
    MaeError err = {0};
    char text[64];

    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        (void)snprintf(text, sizeof text, "%s=0", KEYS[i]);
        ck_assert_ok(override(&c, text, &err));
    }
    ck_assert_ok(override(&c, "optim.clip_grad=0.0e-500", &err));
}
END_TEST

START_TEST(long_texts_are_cut_in_messages)
{
    static char text[6000];
    static MaeConfig c;
    MaeError err = {0};

    memset(text, 'x', sizeof text - 1);
    memcpy(text, "data.train=", 11);
    ck_assert_fails(override(&c, text, &err), MAE_ERR_ARG, ": longer than 4095 bytes");
    memcpy(text, "optim.lr=xx", 11);
    text[1000] = '\0';
    ck_assert_fails(override(&c, text, &err), MAE_ERR_ARG, "xxx...'");
    memset(text, 'x', sizeof text - 1);
    text[3000] = '=';
    ck_assert_fails(override(&c, text, &err), MAE_ERR_ARG,
                    ": expected section.key=value");
    memset(text, 'y', sizeof text - 1);
    text[5000] = ':';
    text[5001] = ' ';
    ck_assert_fails(parse(&c, MAE_CONF_PRETRAIN, text, &err), MAE_ERR_ARG, "f.yaml:1:");
}
END_TEST

START_TEST(size_and_depth_are_limited)
{
    const size_t n = MAE_CONFIG_MAX + 1;
    char *text = mae_test_alloc(n + 1);
    static MaeConfig c;
    MaeError err = {0};

    memset(text, '\n', n);
    ck_assert_fails(parse(&c, MAE_CONF_PRETRAIN, text, &err), MAE_ERR_ARG,
                    "f.yaml: larger than 1 MiB");
    text[n - 1] = '\0';
    ck_assert_ok(parse(&c, MAE_CONF_PRETRAIN, text, &err));
    memset(text, '[', n - 1);
    ck_assert_fails(parse(&c, MAE_CONF_PRETRAIN, text, &err), MAE_ERR_ARG, "f.yaml:1:1:");
    memset(text, '{', n - 1);
    ck_assert_fails(parse(&c, MAE_CONF_PRETRAIN, text, &err), MAE_ERR_ARG, "f.yaml:1:");
    for (size_t i = 0; i + 1 < n; i++)
        text[i] = "- "[i % 2];
    ck_assert_fails(parse(&c, MAE_CONF_PRETRAIN, text, &err), MAE_ERR_ARG, "f.yaml:1:1:");
    memcpy(text, "data: {mean: [", 14);
    for (size_t i = 14; i + 1 < n; i++)
        text[i] = "1,"[i % 2];
    ck_assert_fails(parse(&c, MAE_CONF_PRETRAIN, text, &err), MAE_ERR_ARG,
                    "list of more than 64 entries");
    free(text);
}
END_TEST

START_TEST(files)
{
    char *folder = mae_test_folder(), path[256];
    static const char TEXT[] = "data: {train: a}\ntrain: {output_dir: b}\n";
    static MaeConfig c;
    MaeError err = {0};

    ck_assert_fails(mae_config_load(&c, MAE_CONF_PRETRAIN, folder, NULL, 0, &err),
                    MAE_ERR_IO, "cannot read the configuration: Is a directory");
    (void)snprintf(path, sizeof path, "%s/c.yaml", folder);
    ck_assert_fails(mae_config_load(&c, MAE_CONF_PRETRAIN, path, NULL, 0, &err),
                    MAE_ERR_IO,
                    "c.yaml: cannot read the configuration: No such file or directory");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_fails(mae_config_load(&c, MAE_CONF_PRETRAIN, path, NULL, 0, &err),
                    MAE_ERR_IO, "expected a regular file, found a FIFO");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_fails(mae_config_load(&c, MAE_CONF_PRETRAIN, "/dev/null", NULL, 0, &err),
                    MAE_ERR_IO, "expected a regular file");
    mae_test_write(path, TEXT, sizeof TEXT - 1);
    ck_assert_ok(mae_config_load(&c, MAE_CONF_PRETRAIN, path, NULL, 0, &err));
    ck_assert_str_eq(c.data.train, "a");
    ck_assert_str_eq(c.path, path);
    mae_test_write(path, "", 0);
    ck_assert_fails(mae_config_load(&c, MAE_CONF_PRETRAIN, path, NULL, 0, &err),
                    MAE_ERR_ARG, "c.yaml: data.train is missing: the training images");
    ck_assert_fails(mae_config_load(&c, MAE_CONF_PRETRAIN, NULL, NULL, 0, &err),
                    MAE_ERR_ARG, "configuration: data.train is missing");
    ck_assert_ok(mae_config_read(&c, MAE_CONF_PRETRAIN, NULL, NULL, 0, &err));
    mae_test_folder_remove(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_config");
    TCase *tcase = tcase_create("config");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, defaults_of_pretraining);
    tcase_add_test(tcase, defaults_of_finetuning);
    tcase_add_test(tcase, every_kind_of_value);
    tcase_add_test(tcase, imagenet_statistics);
    tcase_add_loop_test(tcase, presets, 0, sizeof PRESETS / sizeof *PRESETS);
    tcase_add_loop_test(tcase, faults_of_a_file, 0, sizeof FAULTS / sizeof *FAULTS);
    tcase_add_loop_test(tcase, faults_of_an_override, 0,
                        sizeof BAD_OVERRIDES / sizeof *BAD_OVERRIDES);
    tcase_add_test(tcase, overrides_win_in_order);
    tcase_add_test(tcase, zero_for_none);
    tcase_add_test(tcase, long_texts_are_cut_in_messages);
    tcase_add_test(tcase, size_and_depth_are_limited);
    tcase_add_test(tcase, files);
    suite_add_tcase(suite, tcase);
    return mae_test_main(suite);
}
