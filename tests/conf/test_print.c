/* Printing, round trip, provenance, comparing, help. */
#include "conf/config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "conf/schema.h"
#include "conf/value.h"
#include "support/test.h"

static const char TEXT[] = "model: {preset: vit_micro, img_size: [24, 40], in_chans: 2}\n"
                           "data:\n"
                           "  train: \"a \\\"b\\\" \\\\ #é\"\n"
                           "  mean: [0.1, -2.5e-7]\n"
                           "  std: [1e-30, 3]\n"
                           "  eval_crop: 0.9\n"
                           "train: {output_dir: 'true', seed: 123456789012345}\n"
                           "finetune: {pool: cls}\n";

static void parse(MaeConfig *cfg, MaeConfTool tool, const char *text)
{
    static const char *const ARGS[] = {"optim.weight_decay=0.3"};
    MaeError err = {0};

    ck_assert_ok(mae_config_parse_text(cfg, tool, "dir/run.yaml", text, strlen(text),
                                       ARGS, 1, &err));
}

static char *print(const MaeConfig *cfg)
{
    MaeError err = {0};
    char *text = NULL;

    ck_assert_ok(mae_config_text(cfg, &text, &err));
    return text;
}

START_TEST(round_trip)
{
    static const char *const TEXTS[] = {TEXT, "", "data: {mean: imagenet, std: imagenet}",
                                        "train: {stop_after: 1.1}\nmask: {ratio: 0.3}"};
    static MaeConfig a, b;
    MaeError err = {0};
    char diff[400], *text, *again;

    parse(&a, _i % 2 == 0 ? MAE_CONF_PRETRAIN : MAE_CONF_FINETUNE, TEXTS[_i / 2]);
    text = print(&a);
    ck_assert_ok(
        mae_config_parse_text(&b, a.tool, "x", text, strlen(text), NULL, 0, &err));
    ck_assert_msg(mae_config_diff(&a, &b, NULL, MAE_CONF_DIFF_ALL, diff, sizeof diff) ==
                      0,
                  "%s", diff);
    ck_assert_mem_eq(&a.model, &b.model, sizeof a.model);
    ck_assert_mem_eq(&a.data, &b.data, sizeof a.data);
    ck_assert_mem_eq(&a.optim, &b.optim, sizeof a.optim);
    ck_assert_mem_eq(&a.train, &b.train, sizeof a.train);
    ck_assert_mem_eq(&a.finetune, &b.finetune, sizeof a.finetune);
    again = print(&b);
    ck_assert_str_ne(text, again); /* provenance is the file now */
    free(again);
    free(text);
}
END_TEST

/* True if the text holds this value with this comment, comments aligned. */
static bool has_line(const char *text, const char *value, const char *from)
{
    char line[200];

    (void)snprintf(line, sizeof line, "\n  %-42s # from %s\n", value, from);
    return strstr(text, line) != NULL;
}

START_TEST(provenance)
{
    static MaeConfig c;
    char *text;

    parse(&c, MAE_CONF_PRETRAIN, TEXT);
    mae_config_mark(&c, "model.in_chans", MAE_CONF_FROM_DERIVED);
    text = print(&c);
    ck_assert(has_line(text, "preset: vit_micro", "dir/run.yaml:1"));
    ck_assert(has_line(text, "img_size: [24, 40]", "dir/run.yaml:1"));
    ck_assert(has_line(text, "in_chans: 2", "derived"));
    ck_assert(has_line(text, "embed_dim: 128", "preset vit_micro"));
    ck_assert(has_line(text, "mean: [0.1, -2.5e-07]", "dir/run.yaml:4"));
    ck_assert(has_line(text, "std: [1.0e-30, 3]", "dir/run.yaml:5"));
    ck_assert(has_line(text, "output_dir: \"true\"", "dir/run.yaml:7"));
    ck_assert(has_line(text, "seed: 123456789012345", "dir/run.yaml:7"));
    ck_assert(has_line(text, "lr: auto", "default"));
    ck_assert(has_line(text, "weight_decay: 0.3", "command line"));
    ck_assert(has_line(text, "warmup_epochs: 5", "derived"));
    ck_assert(has_line(text, "pool: cls", "dir/run.yaml:8"));
    ck_assert_ptr_nonnull(strstr(text, "\n  train: \"a \\\"b\\\" \\\\ #é\"  "));
    ck_assert_ptr_null(strstr(text, "label_smoothing"));
    ck_assert_ptr_nonnull(strstr(text, "\n# effective batch: 256 (batch_size x accum"));
    ck_assert_ptr_nonnull(strstr(text, "\n# peak learning rate: 0.00015 (blr x"));
    ck_assert_ptr_nonnull(strstr(text, "\n# patches: 60, of which visible: 15\n"));
    free(text);
}
END_TEST

START_TEST(odd_file_names_stay_comments)
{
    static MaeConfig c;
    MaeError err = {0};
    char *text;

    ck_assert_ok(mae_config_parse_text(&c, MAE_CONF_PRETRAIN, "a\nb: \xff\xc3\xa9",
                                       "mask:\n"
                                       " ratio: 0.5",
                                       17, NULL, 0, &err));
    text = print(&c);
    ck_assert_ptr_nonnull(strstr(text, "# from a?b: ?é:2\n"));
    free(text);
}
END_TEST

START_TEST(numbers_survive)
{
    static const double X[] = {0.1,    1.0 / 3.0, 1e-8, 5e-324, 1.7976931348623157e308,
                               1e16,   123456.5,  -0.5, 0.0,    9007199254740991.0,
                               1.5e-4, 1e-5};
    static const char *const WANT[] = {
        "0.1",  NULL, "1.0e-08",          NULL,      NULL,     NULL, "123456.5",
        "-0.5", "0",  "9007199254740991", "0.00015", "1.0e-05"};

    for (size_t i = 0; i < sizeof X / sizeof *X; i++) {
        char text[40];

        mae_value_real(X[i], text, sizeof text);
        ck_assert_double_eq(strtod(text, NULL), X[i]);
        if (WANT[i] != NULL)
            ck_assert_str_eq(text, WANT[i]);
    }
}
END_TEST

START_TEST(locale_does_not_matter)
{
    static MaeConfig c;
    char *text;

    if (!mae_test_comma())
        return;
    parse(&c, MAE_CONF_PRETRAIN, "mask: {ratio: 0.625}");
    ck_assert_double_eq(c.mask.ratio, 0.625);
    text = print(&c);
    ck_assert_ptr_nonnull(strstr(text, "\n  ratio: 0.625  "));
    free(text);
}
END_TEST

START_TEST(differences)
{
    static MaeConfig a, b;
    char text[400];

    parse(&a, MAE_CONF_PRETRAIN, "model: {depth: 4}\ndata: {train: x}");
    parse(&b, MAE_CONF_PRETRAIN,
          "model: {depth: 6, in_chans: 3}\ndata: {train: y, workers: 9}\n"
          "train: {threads: 3}\nfinetune: {pool: cls}\noptim: {lr: 1e-3}");
    ck_assert_uint_eq(mae_config_diff(&a, &b, "model", MAE_CONF_DIFF_RESUME, text, 400),
                      1);
    ck_assert_str_eq(text, "model.depth: run has 4, config says 6");
    ck_assert_uint_eq(mae_config_diff(&a, &b, "model,data,optim,train",
                                      MAE_CONF_DIFF_RESUME, text, sizeof text),
                      2);
    ck_assert_str_eq(text, "model.depth: run has 4, config says 6; optim.lr: run has "
                           "auto, config says 0.001");
    ck_assert_uint_eq(mae_config_diff(&a, &b, NULL, MAE_CONF_DIFF_ALL, text, 20), 7);
    ck_assert_str_eq(text, "model.in_chans: run");
    ck_assert_uint_eq(mae_config_diff(&a, &b, NULL, MAE_CONF_DIFF_ALL, NULL, 0), 7);
    ck_assert_uint_eq(mae_config_diff(&a, &a, NULL, MAE_CONF_DIFF_ALL, text, 400), 0);
    ck_assert_str_eq(text, "");
    parse(&b, MAE_CONF_PRETRAIN,
          "model: {depth: 4}\ndata: {train: x, rand_augment: rand-m9, random_erasing: "
          "0.25}");
    ck_assert_uint_eq(mae_config_diff(&a, &b, "data", MAE_CONF_DIFF_RESUME, text, 400),
                      2);
    ck_assert_str_eq(text, "data.rand_augment: run has none, config says rand-m9; "
                           "data.random_erasing: run has 0, config says 0.25");
    parse(&b, MAE_CONF_PRETRAIN,
          "model: {depth: 4}\ndata: {train: x}\ntrain: {on_nonfinite: skip}");
    ck_assert_uint_eq(mae_config_diff(&a, &b, NULL, MAE_CONF_DIFF_RESUME, text, 400), 0);
    ck_assert_uint_eq(mae_config_diff(&a, &b, NULL, MAE_CONF_DIFF_ALL, text, 400), 1);
    ck_assert_str_eq(text, "train.on_nonfinite: run has stop, config says skip");
}
END_TEST

START_TEST(help_documents_every_key)
{
    const MaeSection *section;
    const MaeKey *key;
    char *text = NULL, name[96];
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    mae_config_help(out, _i == 0 ? MAE_CONF_PRETRAIN : MAE_CONF_FINETUNE);
    ck_assert_int_eq(fclose(out), 0);
    for (size_t i = 0; (key = mae_schema_key(i, &section)) != NULL; i++) {
        (void)snprintf(name, sizeof name, "\n  %s.%s: ", section->name, key->name);
        ck_assert_msg(strstr(text, name) != NULL, "%s", name);
        ck_assert_msg(key->help != NULL && strlen(key->help) > 15, "%s", name);
        ck_assert_msg(key->def != NULL || key->fallback != NULL, "%s", name);
        ck_assert_uint_ne(key->tools, 0);
    }
    ck_assert_ptr_nonnull(
        strstr(text, _i == 0 ? "\n  optim.blr: a number, > 0 and <= 1000\n      default: "
                               "1.5e-4; unit: per 256 images\n"
                             : "\n      default: 1e-3 (finetune.mode linear: 0.1); unit: "
                               "per 256 images\n"));
    ck_assert_ptr_nonnull(strstr(text, _i == 0 ? "; only read by mae-finetune\n"
                                               : "; only read by mae-pretrain\n"));
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1)
        ck_assert_uint_le(strcspn(line, "\n"), 100);
    free(text);
}
END_TEST

START_TEST(schema_is_sound)
{
    const MaeSection *section;
    const MaeKey *key;
    const MaeKey *other;
    char name[96];

    for (size_t i = 0; (key = mae_schema_key(i, &section)) != NULL; i++) {
        (void)snprintf(name, sizeof name, "%s.%s", section->name, key->name);
        ck_assert_uint_eq(mae_schema_find_path(name), i);
        for (size_t j = 0; j < i; j++) {
            other = mae_schema_key(j, NULL);
            ck_assert_msg(other->offset + other->size <= key->offset ||
                              key->offset + key->size <= other->offset,
                          "%s shares its field with %s", name, other->name);
        }
        ck_assert_uint_lt(i, MAE_CONFIG_KEYS);
        ck_assert(key->max >= key->min && isfinite(key->max));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_print");
    TCase *tcase = tcase_create("print");

    tcase_add_loop_test(tcase, round_trip, 0, 8);
    tcase_add_test(tcase, provenance);
    tcase_add_test(tcase, odd_file_names_stay_comments);
    tcase_add_test(tcase, numbers_survive);
    tcase_add_test(tcase, locale_does_not_matter);
    tcase_add_test(tcase, differences);
    tcase_add_loop_test(tcase, help_documents_every_key, 0, 2);
    tcase_add_test(tcase, schema_is_sound);
    suite_add_tcase(suite, tcase);
    return mae_test_main(suite);
}
