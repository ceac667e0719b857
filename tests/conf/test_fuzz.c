/* Mutations of a valid file must be read or refused with one line, never crash. */
#include "conf/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "support/test.h"

enum { MUTATIONS = 4000, ROOM = 4096 };

static const char SEED_TEXT[] =
    "# a valid file\n"
    "model:\n  preset: vit_micro\n  img_size: [28, 28]\n  in_chans: 1\n"
    "  norm_pix_loss: true\n"
    "mask: {strategy: random, ratio: 0.75}\n"
    "data:\n  train: \"/some where/x\"\n  val: ''\n  mean: 0.2860\n  std: [0.3530]\n"
    "  augment: flip\n  crop_scale: [0.2, 1.0]\n"
    "optim:\n  lr: 1e-3\n  betas: [0.9, 0.95]\n  weight_decay: 5.0e-2\n"
    "train:\n  epochs: 8\n  batch_size: 256\n  output_dir: out\n  resume: auto\n"
    "finetune: {checkpoint: last.h5, pool: mean}\n";

/* Pieces that mean something to YAML or to the schema. */
static const char *const PIECES[] = {"&a ",
                                     "*a",
                                     "!!str ",
                                     "---\n",
                                     "...\n",
                                     "[",
                                     "]",
                                     "{",
                                     "}",
                                     ": ",
                                     "- ",
                                     "? ",
                                     "|\n",
                                     ">-\n",
                                     "\"",
                                     "'",
                                     "#",
                                     "\t",
                                     "\n",
                                     "\r\n",
                                     "\\x00",
                                     "\xef\xbb\xbf",
                                     "\xff",
                                     "\xe2\x80\xa8",
                                     "%YAML 1.2\n",
                                     "nan",
                                     "1e999",
                                     "-0",
                                     "99999999999999999999",
                                     "model:\n",
                                     "optim: ",
                                     "lr: ",
                                     "auto",
                                     "<<: ",
                                     "@",
                                     "`",
                                     "null",
                                     "~",
                                     ",",
                                     "  "};

static size_t mutate(MaeRng *rng, char *text, size_t n)
{
    const size_t at = (size_t)mae_rng_below(rng, n + 1), kinds = 4;
    const char *piece = PIECES[mae_rng_below(rng, sizeof PIECES / sizeof *PIECES)];
    size_t m = strlen(piece);

    switch (mae_rng_below(rng, kinds)) {
    case 0: /* one byte becomes another */
        if (at < n)
            text[at] = (char)mae_rng_below(rng, 256);
        return n;
    case 1: /* a stretch disappears */
        m = (size_t)mae_rng_below(rng, n - at + 1) % 40;
        memmove(text + at, text + at + m, n - at - m);
        return n - m;
    case 2: /* a stretch is repeated */
        m = (size_t)mae_rng_below(rng, n - at + 1);
        m = n + m > ROOM ? 0 : m;
        memmove(text + at + m, text + at, n - at);
        return n + m;
    default: /* a piece of syntax appears */
        m = n + m > ROOM ? 0 : m;
        memmove(text + at + m, text + at, n - at);
        memcpy(text + at, piece, m);
        return n + m;
    }
}

static void read_again(const MaeConfig *cfg)
{
    static MaeConfig again;
    MaeError err = {0};
    char *text = NULL, diff[200];

    ck_assert_ok(mae_config_text(cfg, &text, &err));
    ck_assert_ok(mae_config_parse_text(&again, cfg->tool, "printed", text, strlen(text),
                                       NULL, 0, &err));
    ck_assert_msg(
        mae_config_diff(cfg, &again, NULL, MAE_CONF_DIFF_ALL, diff, sizeof diff) == 0,
        "%s", diff);
    free(text);
}

START_TEST(mutated_files)
{
    static MaeConfig cfg;
    size_t good = 0;
    MaeRng rng;

    for (uint64_t i = 0; i < MUTATIONS; i++) {
        MaeError err = {0};
        char text[ROOM], *exact;
        size_t n = sizeof SEED_TEXT - 1, times;

        mae_rng_init(&rng, 20, (uint32_t)_i, i, MAE_RNG_TEST);
        memcpy(text, SEED_TEXT, n);
        times = 1 + (size_t)mae_rng_below(&rng, 3);
        while (times-- > 0)
            n = mutate(&rng, text, n);
        exact = mae_test_alloc(n + 1); /* so that a sanitizer sees a read past the end */
        memcpy(exact, text, n);
        exact = realloc(exact, n > 0 ? n : 1);
        if (mae_config_parse_text(&cfg, MAE_CONF_PRETRAIN, "m.yaml", exact, n, NULL, 0,
                                  &err) == MAE_OK) {
            good++;
            read_again(&cfg);
        } else {
            ck_assert_int_eq(err.status, MAE_ERR_ARG);
            ck_assert_msg(strstr(err.msg, ": ") != NULL, "%s", err.msg);
            ck_assert_ptr_null(strchr(err.msg, '\n'));
        }
        free(exact);
    }
    ck_assert_uint_gt(good, MUTATIONS / 100);
    ck_assert_uint_lt(good, MUTATIONS / 2);
}
END_TEST

START_TEST(mutated_overrides)
{
    static const char *const ARGS[] = {"optim.betas=[0.9, 0.95]", "data.mean=imagenet",
                                       "train.output_dir=/a/b c",
                                       "model.img_size=[28,28]"};
    static MaeConfig cfg;
    MaeRng rng;

    for (uint64_t i = 0; i < MUTATIONS; i++) {
        MaeError err = {0};
        char text[ROOM + 1];
        const char *arg = text;
        size_t n = strlen(ARGS[i % 4]);

        mae_rng_init(&rng, 21, 0, i, MAE_RNG_TEST);
        memcpy(text, ARGS[i % 4], n);
        n = mutate(&rng, text, n);
        text[n] = '\0';
        if (mae_config_parse_text(&cfg, MAE_CONF_FINETUNE, "", "", 0, &arg, 1, &err) ==
            MAE_OK)
            read_again(&cfg);
        else
            ck_assert_int_eq(err.status, MAE_ERR_ARG);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_fuzz");
    TCase *tcase = tcase_create("fuzz");

    tcase_set_timeout(tcase, 100);
    tcase_add_test(tcase, mutated_files);
    tcase_add_test(tcase, mutated_overrides);
    suite_add_tcase(suite, tcase);
    return mae_test_main(suite);
}
