/*
 * Checkpoints that earlier versions wrote stay readable. golden/checkpoint_v1_*.h5 were
 * saved after the eighth of twelve updates, in the middle of an epoch, with the first
 * version of the format. A new version of the format adds files.
 *
 * With MAE_TEST_CHECKPOINTS=FOLDER the states that this version saves are left there.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/snapshot.h"
#include "train/fixture.h"

typedef struct Kept {
    const char *file;
    bool finetune;
    const char *overrides; /* the configuration it was written with */
} Kept;

static const Kept KEPT[] = {
    {"checkpoint_v1_autoencoder.h5", false,
     "train.epochs=2 train.precision=f32 train.backend=openblas"},
    {"checkpoint_v1_classifier.h5", true,
     "train.epochs=2 train.precision=f32 train.backend=openblas finetune.init=random "
     "finetune.ema_decay=0.9"},
};

static char *folder, command[4000];
static TrainRun run;
static TrainSpec spec;

static void setup(void)
{
    folder = train_place();
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

static void copy(const char *from, const char *to)
{
    (void)snprintf(command, sizeof command,
                   "mkdir -p \"$(dirname '%s')\" && cp '%s' '%s'", to, from, to);
    ck_assert_int_eq(system(command), 0);
}

static void prepare(const Kept *kept, const char *name)
{
    spec = (TrainSpec){.folder = folder,
                       .name = name,
                       .finetune = kept->finetune,
                       .overrides = kept->overrides};
}

static void leave_checkpoint(const Kept *kept)
{
    const char *place = getenv("MAE_TEST_CHECKPOINTS");
    char path[1200];

    if (place == NULL)
        return;
    prepare(kept, "left");
    spec.stop_at = 8;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    (void)snprintf(path, sizeof path, "%s/%s", place, kept->file);
    copy(fixture_path(folder, "left/last.h5"), path);
}

static MaeLoadedModel load(const char *name)
{
    MaeLoadedModel model = {0};
    MaeError err = {0};

    ck_assert_ok(mae_loaded_model_open(&model, fixture_path(folder, name), &err));
    return model;
}

/* It goes on where it was; on another processor the last bits differ. */
START_TEST(goes_on)
{
    const Kept *kept = &KEPT[_i];
    MaeLoadedModel got, want;
    char path[1200];
    MaeTrainResult result;

    leave_checkpoint(kept);
    prepare(kept, "straight");
    train_expect(&run, &spec, MAE_OK);
    result = run.result;
    (void)snprintf(path, sizeof path, "%s", fixture_path(folder, "run/last.h5"));
    copy(mae_test_golden(kept->file), path);
    prepare(kept, "run");
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(run.updates, 4);
    ck_assert_uint_eq(run.result.steps, 12);
    ck_assert_double_eq_tol(run.result.train_loss, result.train_loss,
                            1e-4 * fabs(result.train_loss));
    got = load("run/last.h5");
    want = load("straight/last.h5");
    mae_test_close("weights", got.weights, want.weights,
                   mae_snapshot_model_table(&want.model)->total, 0.0, 1e-3);
    mae_loaded_model_close(&got);
    mae_loaded_model_close(&want);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train_versions");
    TCase *tc = tcase_create("e2e");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, goes_on, 0, (int)(sizeof KEPT / sizeof *KEPT));
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
