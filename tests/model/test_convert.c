#include "model/convert.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/snapshot.h"
#include "store/checkpoint.h"
#include "store/file.h"
#include "store/safetensors.h"
#include "support/test.h"

enum { PATH = 1200 };

static const char TIMM[] = "mae_timm_names.safetensors",
                  HF[] = "mae_hf_names.safetensors";

static char *folder;

static void setup(void)
{
    folder = mae_test_folder();
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

/* "<folder>/<name>"; the folders on the way are made. */
static const char *in_folder(char *path, const char *name)
{
    MaeError err = {0};
    char parent[PATH];

    (void)snprintf(path, PATH, "%s/%s", folder, name);
    (void)snprintf(parent, PATH, "%s", path);
    *strrchr(parent, '/') = '\0';
    ck_assert_ok(mae_file_make_folders(parent, &err));
    return path;
}

static void copy_golden(const char *name, const char *to)
{
    size_t size;
    unsigned char *bytes = mae_test_read(mae_test_golden(name), &size);

    ck_assert_ptr_nonnull(bytes);
    mae_test_write(to, bytes, size);
    free(bytes);
}

static MaeStatus convert(const char *in, const char *out, MaeNaming naming,
                         const char *const *overrides, size_t count, MaeError *err)
{
    const MaeConvertOptions options = {.naming = naming,
                                       .overrides = overrides,
                                       .override_count = count,
                                       .tool = "test",
                                       .version = "0"};

    return mae_convert(in, out, &options, err);
}

static const char *const HEADS[] = {"model.num_heads=3", "model.decoder_num_heads=4",
                                    "model.norm_pix_loss=true", "data.mean=[0.1,0.2,0.3]",
                                    "data.std=0.5, 0.6, 0.7"};

/* Same names, shapes and bytes. */
static void compare_files(const char *got_path, const char *want_path)
{
    MaeSafetensors *got = NULL, *want = NULL;
    MaeError err = {0};
    size_t got_count, count;
    const MaeTensorInfo *list, *got_list;

    ck_assert_ok(mae_safetensors_open(&got, got_path, &err));
    ck_assert_ok(mae_safetensors_open(&want, want_path, &err));
    list = mae_safetensors_list(want, &count);
    got_list = mae_safetensors_list(got, &got_count);
    ck_assert_uint_eq(got_count, count);
    for (size_t i = 0; i < count; i++) {
        size_t n = 0;
        float *a, *b;

        ck_assert_str_eq(got_list[i].name, list[i].name);
        ck_assert_ok(
            mae_tensor_expect("got", &got_list[i], list[i].shape, list[i].ndim, &err));
        ck_assert(mae_tensor_count(&n, list[i].shape, list[i].ndim, SIZE_MAX / 8));
        a = mae_test_alloc(n * sizeof *a);
        b = mae_test_alloc(n * sizeof *b);
        ck_assert_ok(mae_safetensors_read(got, i, a, &err));
        ck_assert_ok(mae_safetensors_read(want, i, b, &err));
        ck_assert_msg(memcmp(a, b, n * sizeof *a) == 0, "%s differs", list[i].name);
        free(a);
        free(b);
    }
    mae_safetensors_close(got);
    mae_safetensors_close(want);
}

START_TEST(round_trip_of_both_golden_files)
{
    const char *golden = _i == 0 ? TIMM : HF;
    const MaeNaming naming = _i == 0 ? MAE_NAMES_TIMM : MAE_NAMES_HF;
    char in[PATH], h5[PATH], out[PATH];
    MaeError err = {0};

    copy_golden(golden, in_folder(in, "in/model.safetensors"));
    in_folder(h5, "model.h5");
    in_folder(out, "out/model.safetensors");
    ck_assert_ok(convert(in, h5, naming, HEADS, 5, &err));
    ck_assert_ok(convert(h5, out, naming, NULL, 0, &err));
    compare_files(out, in);
}
END_TEST

/* timm -> checkpoint -> hf -> checkpoint -> timm; told nothing after the first step. */
START_TEST(chain_through_both_namings)
{
    char a[PATH], b[PATH], c[PATH], d[PATH], e[PATH];
    MaeCkptReader *reader = NULL;
    MaeSnapshot s = {0};
    MaeError err = {0};

    copy_golden(TIMM, in_folder(a, "a/model.safetensors"));
    ck_assert_ok(convert(a, in_folder(b, "b.h5"), MAE_NAMES_TIMM, HEADS, 5, &err));
    ck_assert_ok(
        convert(b, in_folder(c, "c/model.safetensors"), MAE_NAMES_HF, NULL, 0, &err));
    ck_assert_ok(convert(c, in_folder(d, "d.h5"), MAE_NAMES_TIMM, NULL, 0, &err));
    ck_assert_ok(
        convert(d, in_folder(e, "e/model.safetensors"), MAE_NAMES_TIMM, NULL, 0, &err));
    compare_files(e, a);
    compare_files(c, mae_test_golden(HF));
    ck_assert_ok(convert(e, in_folder(d, "again.h5"), MAE_NAMES_TIMM, NULL, 0, &err));
    ck_assert_ok(mae_snapshot_open(&reader, &s, d, &err));
    ck_assert_uint_eq(s.arch.heads, 3);
    ck_assert_uint_eq(s.arch.decoder_heads, 4);
    ck_assert(s.arch.norm_pix_loss);
    ck_assert(s.mean[1] == 0.2f && s.std[2] == 0.7f);
    ck_assert_str_eq(s.tool, "test");
    ck_assert_ptr_nonnull(strstr(s.config, "\n  norm_pix_loss: true\n"));
    mae_ckpt_close(reader);
    mae_snapshot_done(&s);
}
END_TEST

START_TEST(config_of_hugging_face)
{
    char in[PATH], h5[PATH], config[PATH];
    MaeCkptReader *reader = NULL;
    MaeSnapshot s = {0};
    MaeError err = {0};

    copy_golden(HF, in_folder(in, "m/model.safetensors"));
    copy_golden("mae_hf_config.json", in_folder(config, "m/config.json"));
    ck_assert_ok(convert(in, in_folder(h5, "m.h5"), MAE_NAMES_TIMM, NULL, 0, &err));
    ck_assert_ok(mae_snapshot_open(&reader, &s, h5, &err));
    ck_assert_uint_eq(s.arch.heads, 3);
    ck_assert_uint_eq(s.arch.grid.height, 32);
    ck_assert(!s.arch.norm_pix_loss && s.mask_ratio == 0.75);
    ck_assert(s.mean[0] == 0.0f && s.std[0] == 1.0f);
    mae_ckpt_close(reader);
    mae_snapshot_done(&s);
}
END_TEST

/* Import the timm file with the given overrides; it must fail and leave nothing. */
static void refuse(const char *const *overrides, size_t count, MaeStatus status,
                   const char *message)
{
    char h5[PATH];
    MaeError err = {0};

    ck_assert_fails(convert(mae_test_golden(TIMM), in_folder(h5, "none.h5"),
                            MAE_NAMES_TIMM, overrides, count, &err),
                    status, message);
    ck_assert_int_ne(access(h5, F_OK), 0);
}

START_TEST(what_has_to_be_said)
{
    static const struct {
        const char *text;
        MaeStatus status;
        const char *message;
    } cases[] = {
        {"model.depth=2", MAE_ERR_ARG, "add model.num_heads=N (width 48) and"},
        {"model.num_heads=3", MAE_ERR_ARG, "add model.decoder_num_heads=N (width 32)"},
        {"model.num_heads=0", MAE_ERR_ARG, "expected a whole number above 0"},
        {"model.num_heads=x", MAE_ERR_ARG, "expected a whole number above 0"},
        {"model.num_heads", MAE_ERR_ARG, "expected key=value"},
        {"model.heads=3", MAE_ERR_ARG, "expected one of the keys"},
        {"model.norm_pix_loss=2", MAE_ERR_ARG, "expected true or false"},
        {"model.img_size=[1,2,3]", MAE_ERR_ARG, "[height, width]"},
        {"model.img_size=64", MAE_ERR_SHAPE, "64 patches of 4 x 4"},
        {"data.std=[1,1,0]", MAE_ERR_ARG, "numbers above 0"},
        {"data.mean=nan", MAE_ERR_ARG, "a number per channel"},
        {"mask.ratio=1", MAE_ERR_ARG, "between 0 and 1"},
    };
    static const char *const WRONG[][3] = {
        {"model.num_heads=5", "model.decoder_num_heads=4", "model.depth=2"},
        {"model.num_heads=3", "model.decoder_num_heads=4", "model.embed-dim=64"},
        {"model.num_heads=3", "model.decoder_num_heads=4", "data.mean=0.5"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        refuse(&cases[i].text, 1, cases[i].status, cases[i].message);
    refuse(WRONG[0], 3, MAE_ERR_SHAPE, "width 48 is not divisible by 5 heads");
    refuse(WRONG[1], 3, MAE_ERR_SHAPE, "embed_dim is 48 by the shapes");
    refuse(WRONG[2], 3, MAE_ERR_SHAPE, "mean: expected 3 values");
}
END_TEST

/** What the edited copy of the golden file has. */
typedef struct Edit {
    const char *drop, *rename_to; /* tensor left out, or renamed if both */
    bool nan;
} Edit;

/* The timm file with one tensor changed. */
static void write_edited(const char *path, const Edit *edit)
{
    MaeSafetensors *s = NULL;
    MaeSafetensorsItem *items;
    MaeError err = {0};
    float *data[128] = {0};
    size_t count, kept = 0;
    const MaeTensorInfo *list;

    ck_assert_ok(mae_safetensors_open(&s, mae_test_golden(TIMM), &err));
    list = mae_safetensors_list(s, &count);
    items = mae_test_alloc(count * sizeof *items);
    for (size_t i = 0; i < count; i++) {
        const bool hit = strcmp(list[i].name, edit->drop) == 0;
        size_t n = 0;

        ck_assert(mae_tensor_count(&n, list[i].shape, list[i].ndim, SIZE_MAX / 8));
        data[i] = mae_test_alloc(n * sizeof(float));
        ck_assert_ok(mae_safetensors_read(s, i, data[i], &err));
        if (hit && edit->nan)
            data[i][n - 1] = NAN;
        else if (hit && edit->rename_to == NULL)
            continue;
        items[kept] = (MaeSafetensorsItem){.info = list[i], .data = data[i]};
        if (hit && edit->rename_to != NULL)
            items[kept].info.name = edit->rename_to;
        kept++;
    }
    ck_assert_ok(mae_safetensors_write(path, items, kept, &err));
    for (size_t i = 0; i < count; i++)
        free(data[i]);
    free(items);
    mae_safetensors_close(s);
}

START_TEST(tensors_that_do_not_fit)
{
    static const struct {
        Edit edit;
        MaeStatus status;
        const char *message;
    } cases[] = {
        {{"norm.bias", NULL, false}, MAE_ERR_SHAPE, "1 missing (norm.bias)"},
        {{"norm.bias", "extra", false}, MAE_ERR_SHAPE, "1 unexpected (extra)"},
        {{"blocks.0.norm1.weight", NULL, false}, MAE_ERR_SHAPE, "unexpected (blocks.0"},
        {{"mask_token", "x", false}, MAE_ERR_SHAPE, "mask_token"},
        {{"cls_token", "x", false}, MAE_ERR_FORMAT, "expected the names of MAE and timm"},
        {{"pos_embed", NULL, false}, MAE_ERR_FORMAT, "pos_embed is missing"},
        {{"decoder_embed.weight", NULL, false}, MAE_ERR_FORMAT, "neither a decoder nor"},
        {{"norm.bias", NULL, true}, MAE_ERR_NUMERIC, "norm.bias: element 47 is"},
    };
    char in[PATH], h5[PATH];

    in_folder(in, "edited.safetensors");
    in_folder(h5, "edited.h5");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        MaeError err = {0};

        write_edited(in, &cases[i].edit);
        ck_assert_fails(convert(in, h5, MAE_NAMES_TIMM, HEADS, 5, &err), cases[i].status,
                        cases[i].message);
        ck_assert_int_ne(access(h5, F_OK), 0);
    }
}
END_TEST

START_TEST(files_that_are_something_else)
{
    static const struct {
        const char *bytes;
        size_t size;
        const char *message;
    } cases[] = {
        {"PK\3\4\0\0\0\0\0\0archive", 17, "torch.load"},
        {"\x80\2\x8a\x0al\xfc\x9c\x46\xf9 j", 11, "torch.load"},
        {"\x89HDF\r\n\x1a\n\0\0\0", 11, "no checkpoint"},
        {"", 0, "odd"},
        {"MAECKPT\nodd", 11, "odd"},
        {"\0\0\0\0\0\0\0\0{}", 10, "odd"},
        {"\xff\xff\xff\xff\0\0\0\0{}", 10, "odd"},
    };
    char in[PATH], h5[PATH];

    in_folder(in, "odd");
    in_folder(h5, "out");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        MaeError err = {0};

        mae_test_write(in, cases[i].bytes, cases[i].size);
        ck_assert_fails(convert(in, h5, MAE_NAMES_TIMM, HEADS, 5, &err), MAE_ERR_FORMAT,
                        cases[i].message);
        ck_assert_int_ne(access(h5, F_OK), 0);
    }
}
END_TEST

START_TEST(wrong_configurations)
{
    static const struct {
        const char *text, *message;
        MaeStatus status;
    } cases[] = {
        {"{", "config.json:1:", MAE_ERR_FORMAT},
        {"{\"model_type\": \"bert\"}", "expected vit_mae or vit, got bert",
         MAE_ERR_FORMAT},
        {"{\"hidden_act\": \"relu\"}", "expected gelu, got relu", MAE_ERR_FORMAT},
        {"{\"qkv_bias\": false}", "qkv_bias", MAE_ERR_FORMAT},
        {"{\"num_attention_heads\": \"3\"}", "num_attention_heads", MAE_ERR_FORMAT},
        {"{\"num_attention_heads\": -3}", "num_attention_heads", MAE_ERR_FORMAT},
        {"{\"hidden_size\": 768}", "embed_dim is 48 by the shapes", MAE_ERR_SHAPE},
        {"{\"image_size\": [32.5, 32]}", "image_size", MAE_ERR_FORMAT},
        {"{\"image_size\": [32, 32, 3]}", "image_size", MAE_ERR_FORMAT},
        {"{\"image_size\": [1e300, 32]}", "image_size", MAE_ERR_FORMAT},
        {"{\"std\": [1, 1, 0]}", "std: expected numbers above 0", MAE_ERR_FORMAT},
        {"{\"mask_ratio\": 7}", "mask_ratio", MAE_ERR_FORMAT},
        {"[1]", "model.num_heads=N", MAE_ERR_ARG},
    };
    char in[PATH], config[PATH], h5[PATH];

    copy_golden(TIMM, in_folder(in, "w/model.safetensors"));
    in_folder(config, "w/config.json");
    in_folder(h5, "w.h5");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const bool bare = cases[i].status == MAE_ERR_ARG;
        MaeError err = {0};

        mae_test_write(config, cases[i].text, strlen(cases[i].text));
        ck_assert_fails(
            convert(in, h5, MAE_NAMES_TIMM, bare ? NULL : HEADS, bare ? 0 : 2, &err),
            cases[i].status, cases[i].message);
    }
}
END_TEST

/* An export neither replaces another model's description nor leaves half of itself. */
START_TEST(files_beside_an_export)
{
    MaeConvertOptions options = {.tool = "test", .version = "0"};
    char h5[PATH], out[PATH], config[PATH];
    MaeError err = {0};

    in_folder(h5, "m.h5");
    in_folder(out, "x/model.safetensors");
    in_folder(config, "x/config.json");
    ck_assert_ok(convert(mae_test_golden(TIMM), h5, MAE_NAMES_TIMM, HEADS, 5, &err));
    mae_test_write(config, "{}", 2);
    ck_assert_fails(mae_export(h5, out, &options, &err), MAE_ERR_ARG,
                    "describes another model");
    ck_assert_int_ne(access(out, F_OK), 0);
    options.overwrite = true;
    ck_assert_ok(mae_export(h5, out, &options, &err));
    options.overwrite = false;
    ck_assert_ok(mae_export(h5, out, &options, &err)); /* the same: fine */
    in_folder(out, "y/model.safetensors");
    in_folder(config, "y/config.json");
    ck_assert_ok(mae_file_make_folders(out, &err)); /* a folder cannot be replaced */
    ck_assert_fails(mae_export(h5, out, &options, &err), MAE_ERR_ARG, out);
    ck_assert_int_ne(access(config, F_OK), 0);
}
END_TEST

START_TEST(directions)
{
    char h5[PATH], out[PATH];
    MaeError err = {0};

    in_folder(h5, "m.h5");
    ck_assert_fails(convert(mae_test_golden(TIMM), in_folder(out, "n.safetensors"),
                            MAE_NAMES_HF, HEADS, 5, &err),
                    MAE_ERR_ARG, "says otherwise");
    ck_assert_ok(convert(mae_test_golden(TIMM), h5, MAE_NAMES_TIMM, HEADS, 5, &err));
    ck_assert_fails(convert(h5, in_folder(out, "n.h5"), MAE_NAMES_HF, NULL, 0, &err),
                    MAE_ERR_ARG, "says otherwise");
    ck_assert_fails(
        convert(h5, in_folder(out, "n.safetensors"), MAE_NAMES_HF, HEADS, 1, &err),
        MAE_ERR_ARG, "a checkpoint says itself");
}
END_TEST

/* A classifier of an oblong, grey image. */
static void save_classifier(const char *path, MaePooling pooling, MaeHead head)
{
    char *names[] = {(char[]){"cat"}, (char[]){"dog \"x\""}, (char[]){"\xc3\xa9"}};
    float mean[] = {0.25f}, std[] = {0.125f};
    const MaeSnapshot s = {.kind = MAE_SNAPSHOT_CLASSIFIER,
                           .arch = {.grid = {1, 8, 12, 4},
                                    .embed_dim = 12,
                                    .depth = 1,
                                    .heads = 3,
                                    .mlp_ratio = 1.34,
                                    .classes = 3,
                                    .pooling = pooling,
                                    .head = head},
                           .mean = mean,
                           .std = std,
                           .class_names = names};
    MaeSnapshotModel model;
    MaeError err = {0};
    float *weights;

    ck_assert_ok(mae_snapshot_model_open(&model, s.kind, &s.arch, &err));
    weights = mae_snapshot_alloc(mae_snapshot_model_table(&model));
    mae_classifier_init(&model.as.classifier, weights, 1);
    ck_assert_ok(mae_snapshot_save(path, &s, mae_snapshot_model_table(&model), weights,
                                   NULL, &err));
    free(weights);
    mae_snapshot_model_close(&model);
}

/* A linear probe becomes a classifier that everybody knows. */
START_TEST(classifiers)
{
    const MaePooling pooling = _i % 3 == 0 ? MAE_POOL_MEAN : MAE_POOL_CLS;
    const MaeHead head = _i < 3 ? MAE_HEAD_LINEAR : MAE_HEAD_BATCHNORM;
    const MaeNaming naming = _i % 3 == 2 ? MAE_NAMES_HF : MAE_NAMES_TIMM;
    char a[PATH], b[PATH], c[PATH], d[PATH];
    MaeCkptReader *reader = NULL;
    MaeSnapshot s = {0};
    MaeError err = {0};

    save_classifier(in_folder(a, "a.h5"), pooling, head);
    ck_assert_ok(convert(a, in_folder(b, "b/model.safetensors"), naming, NULL, 0, &err));
    ck_assert_ok(convert(b, in_folder(c, "c.h5"), naming, NULL, 0, &err));
    ck_assert_ok(convert(c, in_folder(d, "d/model.safetensors"), naming, NULL, 0, &err));
    compare_files(d, b);
    ck_assert_ok(mae_snapshot_open(&reader, &s, c, &err));
    ck_assert_int_eq(s.kind, MAE_SNAPSHOT_CLASSIFIER);
    ck_assert_int_eq(s.arch.pooling, pooling);
    ck_assert_int_eq(s.arch.head, MAE_HEAD_LINEAR);
    ck_assert_uint_eq(s.arch.grid.height, 8);
    ck_assert_uint_eq(s.arch.grid.width, 12);
    ck_assert_str_eq(s.class_names[1], "dog \"x\"");
    ck_assert_str_eq(s.class_names[2], "\xc3\xa9");
    ck_assert(s.mean[0] == 0.25f && s.std[0] == 0.125f);
    mae_ckpt_close(reader);
    mae_snapshot_done(&s);
    if (pooling == MAE_POOL_MEAN)
        ck_assert_fails(convert(a, b, MAE_NAMES_HF, NULL, 0, &err), MAE_ERR_ARG,
                        "fc_norm.weight has no Hugging Face name");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("import and export");
    TCase *tc = tcase_create("files");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, round_trip_of_both_golden_files, 0, 2);
    tcase_add_test(tc, chain_through_both_namings);
    tcase_add_test(tc, config_of_hugging_face);
    tcase_add_test(tc, what_has_to_be_said);
    tcase_add_test(tc, tensors_that_do_not_fit);
    tcase_add_test(tc, files_that_are_something_else);
    tcase_add_test(tc, wrong_configurations);
    tcase_add_test(tc, files_beside_an_export);
    tcase_add_test(tc, directions);
    tcase_add_loop_test(tc, classifiers, 0, 6);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
