#include "model/snapshot.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "optim/adamw.h"
#include "snapshot_fixture.h"
#include "support/model.h"
#include "support/test.h"

static void compare_snapshots(const MaeSnapshot *a, const MaeSnapshot *b)
{
    ck_assert_int_eq(a->kind, b->kind);
    ck_assert_mem_eq(&a->arch.grid, &b->arch.grid, sizeof a->arch.grid);
    ck_assert_uint_eq(a->arch.embed_dim, b->arch.embed_dim);
    ck_assert_uint_eq(a->arch.depth, b->arch.depth);
    ck_assert_uint_eq(a->arch.heads, b->arch.heads);
    ck_assert(a->arch.mlp_ratio == b->arch.mlp_ratio);
    ck_assert_uint_eq(a->arch.decoder_dim, b->arch.decoder_dim);
    ck_assert_uint_eq(a->arch.decoder_depth, b->arch.decoder_depth);
    ck_assert_uint_eq(a->arch.decoder_heads, b->arch.decoder_heads);
    ck_assert_int_eq(a->arch.norm_pix_loss, b->arch.norm_pix_loss);
    ck_assert_uint_eq(a->arch.classes, b->arch.classes);
    ck_assert_int_eq(a->arch.pooling, b->arch.pooling);
    ck_assert_mem_eq(a->mean, b->mean, 2 * sizeof(float));
    ck_assert_mem_eq(a->std, b->std, 2 * sizeof(float));
    ck_assert_str_eq(a->config, b->config);
    ck_assert_str_eq(a->history, b->history);
    ck_assert_str_eq(a->tool, b->tool);
    ck_assert_str_eq(a->version, b->version);
    ck_assert_str_eq(a->backend, b->backend);
    ck_assert_uint_eq(a->epoch, b->epoch);
    ck_assert_uint_eq(a->step, b->step);
    ck_assert_uint_eq(a->samples, b->samples);
    ck_assert_uint_eq(a->batch, b->batch);
    ck_assert_uint_eq(a->skipped, b->skipped);
    ck_assert_uint_eq(a->in_a_row, b->in_a_row);
    ck_assert(a->loss_sum == b->loss_sum);
    ck_assert(a->best == b->best);
    ck_assert(a->seconds == b->seconds);
}

START_TEST(round_trip)
{
    const MaeSnapshotKind kind = (MaeSnapshotKind)_i;
    MaeCkptReader *reader = NULL;
    MaeSnapshot read = {0};
    MaeError err = {0};
    SnapshotFixture f;
    float *weights;

    snapshot_fixture_open(&f, kind);
    snapshot_fixture_save(&f, NULL);
    ck_assert_ok(mae_snapshot_open(&reader, &read, f.path, &err));
    compare_snapshots(&read, &f.snapshot);
    if (kind == MAE_SNAPSHOT_CLASSIFIER)
        ck_assert_str_eq(read.class_names[2], "c2");
    else
        ck_assert(read.mask_ratio == 0.6);
    weights = mae_snapshot_alloc(f.table);
    ck_assert_ok(mae_snapshot_weights(reader, f.table, weights, &err));
    ck_assert_mem_eq(weights, f.weights, f.table->total * sizeof *weights);
    ck_assert_ok(mae_snapshot_expect(&read, kind, f.path, &err));
    ck_assert_fails(mae_snapshot_expect(&read, (MaeSnapshotKind)!kind, f.path, &err),
                    MAE_ERR_ARG, mae_snapshot_kind_name(kind));
    free(weights);
    mae_ckpt_close(reader);
    mae_snapshot_done(&read);
    snapshot_fixture_close(&f);
}
END_TEST

/* Texts have no limit of their own: 64 KiB is where plain HDF5 attributes end. */
START_TEST(a_long_history)
{
    static const size_t SIZES[] = {65000, 66000, 5000000};
    MaeCkptReader *reader = NULL;
    MaeSnapshot read = {0};
    MaeError err = {0};
    SnapshotFixture f;

    snapshot_fixture_open(&f, MAE_SNAPSHOT_AUTOENCODER);
    free(f.snapshot.history);
    f.snapshot.history = mae_test_alloc(SIZES[_i] + 1);
    memset(f.snapshot.history, 'x', SIZES[_i]);
    f.snapshot.history[SIZES[_i]] = '\0';
    snapshot_fixture_save(&f, NULL);
    ck_assert_ok(mae_snapshot_open(&reader, &read, f.path, &err));
    ck_assert_str_eq(read.history, f.snapshot.history);
    mae_ckpt_close(reader);
    mae_snapshot_done(&read);
    snapshot_fixture_close(&f);
}
END_TEST

static const MaeOptimConfig ADAMW = {
    .name = "adamw",
    .beta1 = 0.9,
    .beta2 = 0.95,
    .eps = 1e-8,
    .groups = {.weight_decay = 0.05, .layer_decay = 1.0}};

START_TEST(optimiser_state_round_trip)
{
    const MaeOptimizer other = {.name = "other"};
    MaeCkptReader *reader = NULL;
    MaeSnapshot read = {0};
    MaeError err = {0};
    TestAdamW before, after;
    SnapshotFixture f;

    snapshot_fixture_open(&f, MAE_SNAPSHOT_AUTOENCODER);
    test_adamw_open(&before, f.table, &ADAMW);
    test_adamw_open(&after, f.table, &ADAMW);
    for (int i = 0; i < 3; i++)
        mae_optim_step(&before.optim, NULL, f.weights, mae_operand_f32(f.weights),
                       f.weights, 1e-3, 0.5);
    snapshot_fixture_save(&f, &before.optim);
    ck_assert_ok(mae_snapshot_open(&reader, &read, f.path, &err));
    ck_assert_ok(mae_snapshot_optim(reader, f.table, &after.optim, &err));
    ck_assert_uint_eq(after.optim.steps, 3);
    for (size_t i = 0; i < 2; i++)
        ck_assert_mem_eq(after.optim.state[i], before.optim.state[i],
                         f.table->total * sizeof(float));
    after.optim.driver = &other;
    ck_assert_fails(mae_snapshot_optim(reader, f.table, &after.optim, &err),
                    MAE_ERR_FORMAT, "expected the state of other, found \"adamw\"");
    mae_ckpt_close(reader);
    mae_snapshot_done(&read);
    test_adamw_close(&before);
    test_adamw_close(&after);
    snapshot_fixture_close(&f);
}
END_TEST

/* The averages are the model; training goes on from both. */
/* Numbers that are not finite are refused, wherever they are. */
START_TEST(tensors_are_finite)
{
    static const char *const GROUPS[] = {"params", "optim/exp_avg", "optim/exp_avg_sq",
                                         "optim/weights"};
    MaeOptimConfig config = ADAMW;
    MaeCkptReader *reader = NULL;
    MaeSnapshot read = {0};
    MaeError err = {0};
    TestAdamW adamw;
    SnapshotFixture f;
    float *buffers[4], *w;
    char message[200];

    config.ema_decay = 0.5;
    snapshot_fixture_open(&f, MAE_SNAPSHOT_AUTOENCODER);
    test_adamw_open(&adamw, f.table, &config);
    mae_optim_start(&adamw.optim, f.weights);
    buffers[0] = adamw.optim.average;
    buffers[1] = adamw.optim.state[0];
    buffers[2] = adamw.optim.state[1];
    buffers[3] = f.weights;
    buffers[_i][f.table->entries[3].at.off + 1] = _i % 2 == 0 ? NAN : -INFINITY;
    snapshot_fixture_save(&f, &adamw.optim);
    ck_assert_ok(mae_snapshot_open(&reader, &read, f.path, &err));
    w = mae_snapshot_alloc(f.table);
    (void)snprintf(message, sizeof message,
                   "%s/%s: expected finite numbers, element 1 is ", GROUPS[_i],
                   f.table->entries[3].name);
    ck_assert_fails(mae_snapshot_resume(reader, f.table, w, &adamw.optim, &err),
                    MAE_ERR_FORMAT, message);
    ck_assert(strncmp(err.msg, f.path, strlen(f.path)) == 0);
    if (_i == 0)
        ck_assert_fails(mae_snapshot_weights(reader, f.table, w, &err), MAE_ERR_FORMAT,
                        message);
    free(w);
    mae_ckpt_close(reader);
    mae_snapshot_done(&read);
    test_adamw_close(&adamw);
    snapshot_fixture_close(&f);
}
END_TEST

START_TEST(averages_are_the_model)
{
    MaeOptimConfig config = ADAMW;
    MaeCkptReader *reader = NULL;
    MaeSnapshot read = {0};
    MaeLoadedModel loaded;
    MaeError err = {0};
    TestAdamW before, after, plain;
    SnapshotFixture f;
    size_t bytes;
    float *weights;

    config.ema_decay = 0.9;
    snapshot_fixture_open(&f, MAE_SNAPSHOT_CLASSIFIER);
    bytes = f.table->total * sizeof(float);
    test_adamw_open(&before, f.table, &config);
    test_adamw_open(&after, f.table, &config);
    test_adamw_open(&plain, f.table, &ADAMW);
    mae_optim_start(&before.optim, f.weights);
    for (int i = 0; i < 3; i++)
        mae_optim_step(&before.optim, NULL, f.weights, mae_operand_f32(f.weights),
                       f.weights, 1e-3, 0.5);
    snapshot_fixture_save(&f, &before.optim);
    ck_assert_ok(mae_loaded_model_open(&loaded, f.path, &err));
    ck_assert_double_eq(loaded.snapshot.ema_decay, 0.9);
    ck_assert_mem_eq(loaded.weights, before.optim.average, bytes);
    ck_assert_mem_ne(loaded.weights, f.weights, bytes);
    mae_loaded_model_close(&loaded);
    weights = mae_snapshot_alloc(f.table);
    ck_assert_ok(mae_snapshot_open(&reader, &read, f.path, &err));
    ck_assert_ok(mae_snapshot_resume(reader, f.table, weights, &after.optim, &err));
    ck_assert_mem_eq(weights, f.weights, bytes);
    ck_assert_mem_eq(after.optim.average, before.optim.average, bytes);
    ck_assert_mem_eq(after.optim.state[1], before.optim.state[1], bytes);
    ck_assert_uint_eq(after.optim.steps, 3);
    ck_assert_fails(mae_snapshot_resume(reader, f.table, weights, &plain.optim, &err),
                    MAE_ERR_FORMAT,
                    "expected a run without averaged weights, found some");
    mae_ckpt_close(reader);
    mae_snapshot_done(&read);
    snapshot_fixture_save(&f, &plain.optim);
    ck_assert_ok(mae_snapshot_open(&reader, &read, f.path, &err));
    ck_assert_double_eq(read.ema_decay, 0.0);
    ck_assert_fails(mae_snapshot_resume(reader, f.table, weights, &after.optim, &err),
                    MAE_ERR_FORMAT, "expected a run with averaged weights, found none");
    ck_assert_ok(mae_snapshot_resume(reader, f.table, weights, &plain.optim, &err));
    ck_assert_mem_eq(weights, f.weights, bytes);
    free(weights);
    mae_ckpt_close(reader);
    mae_snapshot_done(&read);
    test_adamw_close(&before);
    test_adamw_close(&after);
    test_adamw_close(&plain);
    snapshot_fixture_close(&f);
}
END_TEST

START_TEST(a_checkpoint_without_optimiser_state)
{
    MaeCkptReader *reader = NULL;
    MaeSnapshot read = {0};
    MaeError err = {0};
    TestAdamW adamw;
    SnapshotFixture f;

    snapshot_fixture_open(&f, MAE_SNAPSHOT_AUTOENCODER);
    snapshot_fixture_save(&f, NULL);
    test_adamw_open(&adamw, f.table, &ADAMW);
    ck_assert_ok(mae_snapshot_open(&reader, &read, f.path, &err));
    ck_assert_fails(mae_snapshot_optim(reader, f.table, &adamw.optim, &err),
                    MAE_ERR_FORMAT, "holds no optimiser state");
    mae_ckpt_close(reader);
    mae_snapshot_done(&read);
    test_adamw_close(&adamw);
    snapshot_fixture_close(&f);
}
END_TEST

/** One attribute of a hand-made checkpoint. */
typedef enum Type { NOTHING, TEXT, INT, REAL, REALS, TEXTS } Type;
typedef struct Attr {
    const char *name;
    Type type;
    const char *text;
    double value[2];
} Attr;

/* A good autoencoder of SNAPSHOT_ARCH's shape. */
static const Attr GOOD[] = {
    {"kind", TEXT, "autoencoder", {0}},
    {"in_chans", INT, NULL, {2}},
    {"img_height", INT, NULL, {8}},
    {"img_width", INT, NULL, {12}},
    {"patch_size", INT, NULL, {4}},
    {"embed_dim", INT, NULL, {8}},
    {"depth", INT, NULL, {2}},
    {"num_heads", INT, NULL, {2}},
    {"mlp_ratio", REAL, NULL, {2}},
    {"decoder_embed_dim", INT, NULL, {4}},
    {"decoder_depth", INT, NULL, {1}},
    {"decoder_num_heads", INT, NULL, {1}},
    {"norm_pix_loss", INT, NULL, {0}},
    {"mask_ratio", REAL, NULL, {0.75}},
    {"mean", REALS, NULL, {0.5, 0.5}},
    {"std", REALS, NULL, {0.5, 0.5}},
    {"config", TEXT, "", {0}},
    {"history", TEXT, "", {0}},
    {"tool", TEXT, "", {0}},
    {"version", TEXT, "", {0}},
    {"backend", TEXT, "", {0}},
    {"epoch", INT, NULL, {0}},
    {"step", INT, NULL, {0}},
    {"samples", INT, NULL, {0}},
    {"batch", INT, NULL, {0}},
    {"loss_sum", REAL, NULL, {0}},
    {"best", REAL, NULL, {0}},
    {"seconds", REAL, NULL, {0}},
};

#define GOOD_COUNT (sizeof GOOD / sizeof GOOD[0])

static void put(MaeCkptWriter *w, const Attr *attr)
{
    switch (attr->type) {
    case NOTHING:
        break;
    case TEXT:
        mae_ckpt_put_text(w, attr->name, attr->text);
        break;
    case INT:
        mae_ckpt_put_int(w, attr->name, (int64_t)attr->value[0]);
        break;
    case REAL:
        mae_ckpt_put_real(w, attr->name, attr->value[0]);
        break;
    case REALS:
        mae_ckpt_put_reals(w, attr->name, attr->value, isnan(attr->value[1]) ? 1 : 2);
        break;
    case TEXTS:
        mae_ckpt_put_texts(w, attr->name, &attr->text, 1);
        break;
    }
}

/* Save f's weights with GOOD's attributes, one of them replaced. */
static MaeStatus open_with(SnapshotFixture *f, const Attr *instead, MaeError *err)
{
    MaeCkptReader *reader = NULL;
    MaeSnapshot read = {0};
    MaeCkptWriter *w = NULL;
    MaeError write_err = {0};
    MaeStatus status;

    ck_assert_int_eq(mae_ckpt_create(&w, f->path, &write_err), MAE_OK);
    for (size_t i = 0; i < GOOD_COUNT; i++)
        put(w, strcmp(GOOD[i].name, instead->name) == 0 ? instead : &GOOD[i]);
    mae_ckpt_put_table(w, "params", f->table, f->weights);
    ck_assert_int_eq(mae_ckpt_commit(w, &write_err), MAE_OK);
    status = mae_snapshot_open(&reader, &read, f->path, err);
    ck_assert((reader != NULL) == (status == MAE_OK));
    mae_ckpt_close(reader);
    mae_snapshot_done(&read);
    return status;
}

START_TEST(missing_attributes_are_named)
{
    SnapshotFixture f;

    snapshot_fixture_open(&f, MAE_SNAPSHOT_AUTOENCODER);
    for (size_t i = 0; i < GOOD_COUNT; i++) {
        const Attr none = {GOOD[i].name, NOTHING, NULL, {0}};
        MaeError err = {0};

        ck_assert_fails(open_with(&f, &none, &err), MAE_ERR_FORMAT, GOOD[i].name);
        ck_assert(strncmp(err.msg, f.path, strlen(f.path)) == 0);
    }
    snapshot_fixture_close(&f);
}
END_TEST

START_TEST(hostile_attributes)
{
    static const double none = (double)NAN, endless = (double)INFINITY;
    const struct {
        Attr attr;
        MaeStatus status;
        const char *message;
    } cases[] = {
        {{"kind", TEXT, "teapot", {0}}, MAE_ERR_FORMAT, "got \"teapot\""},
        {{"kind", TEXT, "classifier", {0}}, MAE_ERR_FORMAT, "num_classes is missing"},
        {{"kind", INT, NULL, {1}}, MAE_ERR_FORMAT, "kind"},
        {{"in_chans", INT, NULL, {-1}}, MAE_ERR_FORMAT, "in_chans: expected 1 to"},
        {{"img_height", INT, NULL, {1e18}}, MAE_ERR_FORMAT, "img_height: expected"},
        {{"img_height", INT, NULL, {9}}, MAE_ERR_SHAPE, "divisible by patch"},
        {{"img_height", INT, NULL, {4}}, MAE_ERR_SHAPE, "expected [1,4,8], got [1,7,8]"},
        {{"patch_size", INT, NULL, {0}}, MAE_ERR_FORMAT, "patch_size: expected"},
        {{"depth", INT, NULL, {1e9}}, MAE_ERR_FORMAT, "depth: expected 0 to 1024"},
        {{"depth", INT, NULL, {1000}}, MAE_ERR_SHAPE, "missing (blocks.2.norm1.weight"},
        {{"depth", INT, NULL, {1}}, MAE_ERR_SHAPE, "12 unexpected"},
        {{"embed_dim", INT, NULL, {-8}}, MAE_ERR_FORMAT, "embed_dim: expected"},
        {{"embed_dim", INT, NULL, {65536}}, MAE_ERR_SHAPE, "mismatched"},
        {{"embed_dim", REAL, NULL, {8}}, MAE_ERR_FORMAT, "expected an integer"},
        {{"num_heads", INT, NULL, {3}}, MAE_ERR_SHAPE, "not divisible by 3 heads"},
        {{"mlp_ratio", REAL, NULL, {none}}, MAE_ERR_FORMAT, "mlp_ratio: expected"},
        {{"mlp_ratio", REAL, NULL, {0}}, MAE_ERR_SHAPE, "mlp_ratio"},
        {{"norm_pix_loss", INT, NULL, {2}}, MAE_ERR_FORMAT, "norm_pix_loss: expected"},
        {{"mask_ratio", REAL, NULL, {none}}, MAE_ERR_FORMAT, "mask_ratio: expected"},
        {{"mean", REALS, NULL, {0, endless}}, MAE_ERR_FORMAT, "mean: expected a finite"},
        {{"mean", REALS, NULL, {0, none}}, MAE_ERR_FORMAT, "2 values, one per channel"},
        {{"mean", REALS, NULL, {none, 1}}, MAE_ERR_FORMAT, "mean: expected a finite"},
        {{"mean", REAL, NULL, {0}}, MAE_ERR_FORMAT, "expected a list"},
        {{"std", REALS, NULL, {1, 0}}, MAE_ERR_FORMAT, "number above 0, got 0"},
        {{"std", REALS, NULL, {-1, 1}}, MAE_ERR_FORMAT, "number above 0, got -1"},
        {{"std", REALS, NULL, {1, 1e-300}}, MAE_ERR_FORMAT, "number above 0"},
        {{"epoch", INT, NULL, {-1}}, MAE_ERR_FORMAT, "epoch: expected"},
        {{"seconds", REAL, NULL, {none}}, MAE_ERR_FORMAT, "seconds: expected"},
        {{"best", REAL, NULL, {none}}, MAE_ERR_FORMAT, "best: expected"},
        {{"config", TEXTS, "x", {0}}, MAE_ERR_FORMAT, "config"},
    };
    const Attr unchanged = {"", NOTHING, NULL, {0}};
    MaeError err = {0};
    SnapshotFixture f;

    snapshot_fixture_open(&f, MAE_SNAPSHOT_AUTOENCODER);
    ck_assert_ok(open_with(&f, &unchanged, &err));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_fails(open_with(&f, &cases[i].attr, &err), cases[i].status,
                        cases[i].message);
        ck_assert(strncmp(err.msg, f.path, strlen(f.path)) == 0);
    }
    snapshot_fixture_close(&f);
}
END_TEST

START_TEST(class_names_must_fit)
{
    MaeCkptReader *reader = NULL;
    MaeSnapshot read = {0};
    MaeError err = {0};
    SnapshotFixture f;

    snapshot_fixture_open(&f, MAE_SNAPSHOT_CLASSIFIER);
    f.snapshot.arch.classes = 2;
    snapshot_fixture_save(&f, NULL);
    ck_assert_fails(mae_snapshot_open(&reader, &read, f.path, &err), MAE_ERR_SHAPE,
                    "head.weight: expected [2,8], got [3,8]");
    f.snapshot.arch.classes = 3;
    free(f.snapshot.class_names);
    f.snapshot.class_names = NULL;
    snapshot_fixture_save(&f, NULL);
    ck_assert_ok(mae_snapshot_open(&reader, &read, f.path, &err));
    ck_assert_ptr_null(read.class_names);
    mae_ckpt_close(reader);
    mae_snapshot_done(&read);
    snapshot_fixture_close(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("snapshots");
    TCase *tc = tcase_create("files");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, a_long_history, 0, 3);
    tcase_add_loop_test(tc, round_trip, 0, 2);
    tcase_add_test(tc, optimiser_state_round_trip);
    tcase_add_loop_test(tc, tensors_are_finite, 0, 4);
    tcase_add_test(tc, averages_are_the_model);
    tcase_add_test(tc, a_checkpoint_without_optimiser_state);
    tcase_add_test(tc, missing_attributes_are_named);
    tcase_add_test(tc, hostile_attributes);
    tcase_add_test(tc, class_names_must_fit);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
