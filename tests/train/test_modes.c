/* What fine-tuning trains: everything, the last blocks, or a head on frozen features. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/snapshot.h"
#include "train/fixture.h"

static const char *const MODES[] = {
    "finetune.mode=partial finetune.trained_blocks=0",
    "finetune.mode=partial finetune.trained_blocks=0.5",
    "finetune.mode=partial finetune.trained_blocks=1 finetune.drop_path=0.5",
    "finetune.mode=partial finetune.trained_blocks=1.5",
    "finetune.mode=partial finetune.trained_blocks=2 finetune.drop_path=0.5",
    "finetune.mode=full",
    "finetune.mode=linear optim.lr=auto",
};

enum { COUNT = sizeof MODES / sizeof *MODES };

/* The first parameter that a mode trains; all before it in the model are frozen. */
static const char *const FIRST[COUNT] = {
    "head.weight",
    "blocks.1.norm2.weight",
    "blocks.1.norm1.weight",
    "blocks.0.norm2.weight",
    "cls_token",
    "cls_token",
    "head.1.weight",
};

static char *folder;

static void setup(void)
{
    TrainRun run;

    folder = train_place();
    train_expect(&run,
                 &(TrainSpec){.folder = folder,
                              .name = "encoder",
                              .overrides = "train.epochs=1 train.preview_every=none"},
                 MAE_OK);
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

/* One session of a classifier called @p name, which must end with @p status. */
static void tune(TrainRun *run, const char *name, const char *mode, const char *more,
                 size_t stop_at, MaeStatus status)
{
    char overrides[4000];

    (void)snprintf(overrides, sizeof overrides,
                   "finetune.checkpoint=%s/encoder/last.h5 data.val=%s/val "
                   "data.augment=crop_flip train.checkpoint_every=none %s %s",
                   folder, folder, mode, more);
    train_expect(run,
                 &(TrainSpec){.folder = folder,
                              .name = name,
                              .finetune = true,
                              .overrides = overrides,
                              .stop_at = stop_at},
                 status);
}

static MaeLoadedModel load(const char *name)
{
    MaeLoadedModel model;
    MaeError err = {0};
    char path[1200];

    (void)snprintf(path, sizeof path, "%s/%s/last.h5", folder, name);
    memset(&model, 0, sizeof model);
    ck_assert_ok(mae_loaded_model_open(&model, path, &err));
    return model;
}

/* Frozen parameters are those of the encoder, bit by bit; trained ones are not. */
START_TEST(frozen_parameters_stay)
{
    const char *kind = train_kind(_i / COUNT);
    MaeLoadedModel tuned, encoder;
    const MaeParamTable *table, *from;
    bool trained = false;
    TrainRun run;

    if (kind == NULL)
        return;
    tune(&run, "tuned", MODES[_i % COUNT], kind, 0, MAE_OK);
    tuned = load("tuned");
    encoder = load("encoder");
    table = mae_snapshot_model_table(&tuned.model);
    from = mae_snapshot_model_table(&encoder.model);
    for (size_t i = 0; i < table->count; i++) {
        const MaeParamEntry *e = &table->entries[i], *was = mae_param_find(from, e->name);
        bool same;

        trained = trained || strcmp(e->name, FIRST[_i % COUNT]) == 0;
        if (was == NULL)
            continue; /* head and fc_norm */
        same = memcmp(tuned.weights + e->at.off, encoder.weights + was->at.off,
                      e->at.count * sizeof(float)) == 0;
        ck_assert_msg(same == !trained, "%s: %s", e->name, same ? "same" : "changed");
    }
    ck_assert(trained);
    mae_loaded_model_close(&tuned);
    mae_loaded_model_close(&encoder);
}
END_TEST

START_TEST(all_blocks_are_full_training)
{
    const char *kind = train_kind(_i);
    char more[200];
    TrainRun run;

    if (kind == NULL)
        return;
    (void)snprintf(more, sizeof more, "finetune.drop_path=0.5 optim.layer_decay=0.5 %s",
                   kind);
    tune(&run, "full", "finetune.mode=full", more, 0, MAE_OK);
    tune(&run, "all", "finetune.mode=partial finetune.trained_blocks=2", more, 0, MAE_OK);
    train_compare(folder, "full", "all");
}
END_TEST

/* Left in the middle of an epoch and taken up again, with other threads. */
START_TEST(resumes_bit_by_bit)
{
    static const char *const ACCUM[] = {
        "train.batch_size=4", "train.batch_size=5 train.accum_iter=2 train.threads=2"};
    const char *mode = MODES[_i % COUNT], *more = ACCUM[_i / COUNT];
    TrainRun run;

    tune(&run, "straight", mode, more, 0, MAE_OK);
    tune(&run, "left", mode, more, 1, MAE_ERR_INTERRUPTED);
    tune(&run, "left", mode, more, 1, MAE_ERR_INTERRUPTED);
    tune(&run, "left", mode, more, 0, MAE_OK);
    train_compare(folder, "straight", "left");
}
END_TEST

START_TEST(another_mode_does_not_go_on)
{
    TrainRun run;

    tune(&run, "run", MODES[_i], "", 1, MAE_ERR_INTERRUPTED);
    for (int i = 0; i < COUNT; i++) {
        if (i == _i)
            continue;
        tune(&run, "run", MODES[i], "", 0, MAE_ERR_ARG);
        ck_assert_ptr_nonnull(strstr(run.err.msg, "belongs to another configuration"));
        ck_assert_ptr_nonnull(strstr(run.err.msg, "finetune."));
    }
    tune(&run, "run", MODES[_i], "", 0, MAE_OK);
}
END_TEST

/* Positions are resized for images of another size, frozen or not. */
START_TEST(images_of_another_size)
{
    MaeLoadedModel tuned;
    TrainRun run;

    tune(&run, "large", MODES[_i], "model.img_size=[12,20]", 0, MAE_OK);
    tuned = load("large");
    ck_assert_uint_eq(tuned.model.as.classifier.encoder.pos_embed.count, (15 + 1) * 16);
    mae_loaded_model_close(&tuned);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("modes");
    TCase *tc = tcase_create("modes");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, frozen_parameters_stay, 0, COUNT * TRAIN_KINDS);
    tcase_add_loop_test(tc, all_blocks_are_full_training, 0, TRAIN_KINDS);
    tcase_add_loop_test(tc, resumes_bit_by_bit, 0, 2 * COUNT);
    tcase_add_loop_test(tc, another_mode_does_not_go_on, 0, COUNT);
    tcase_add_loop_test(tc, images_of_another_size, 0, COUNT);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
