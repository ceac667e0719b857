/* A run that is left after any update and taken up again equals one that was not. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "store/h5out.h"
#include "train/fixture.h"

#define PRETRAIN                                                                         \
    "mask.strategy=block mask.ratio=0.5 data.augment=crop_flip data.mean=imagenet "      \
    "data.std=imagenet train.checkpoint_every=1 train.preview_every=1 "                  \
    "train.preview_count=2 model.norm_pix_loss=true optim.clip_grad=1"
#define FINETUNE                                                                         \
    "data.augment=crop_flip finetune.drop_path=0.5 finetune.label_smoothing=0.1 "        \
    "optim.layer_decay=0.5 train.checkpoint_every=none "                                 \
    "data.rand_augment=rand-m9-mstd0.5-inc1 data.random_erasing=0.5 finetune.mixup=0.8 " \
    "finetune.cutmix=1 finetune.mix_prob=0.8 finetune.ema_decay=0.9"

/* Two epochs: 27 images in batches of 4, or twice 5 with one batch left out. */
static const char *const ACCUM[] = {"train.batch_size=4",
                                    "train.batch_size=5 train.accum_iter=2"};
static const size_t PER_EPOCH[] = {6, 2};

/* Who works, and whether steps are measured first. */
static const char *const WORK[] = {
    "train.threads=1 data.workers=1",
    "train.threads=2 data.workers=1 train.preflight=false",
    "train.threads=1 data.workers=3 data.prefetch=1 train.preflight=false",
    "train.threads=2 data.workers=3",
};

/* Updates after which a run is left: what differs between them is no memory. */
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { STRIDE = 3 };
#else
enum { STRIDE = 1 };
#endif

static char *folder;
static char tune[3000]; /* what fine-tuning adds: checkpoint and held-out data */

static void setup(void)
{
    TrainRun run;

    folder = train_place();
    (void)snprintf(tune, sizeof tune,
                   FINETUNE " finetune.checkpoint=%s/encoder/last.h5 data.val=%s/val",
                   folder, folder);
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

/* All k after which a run may be left, for one way to work on both sides of the break. */
static void leave_everywhere(bool finetune, const char *base, size_t accum, size_t work)
{
    const size_t updates = 2 * PER_EPOCH[accum];
    char name[64], before[5000], after[5000];
    TrainSpec spec = {.folder = folder, .name = "straight", .finetune = finetune};
    TrainRun run;

    (void)snprintf(before, sizeof before, "%s %s %s", base, ACCUM[accum], WORK[0]);
    (void)snprintf(after, sizeof after, "%s %s %s", base, ACCUM[accum], WORK[work]);
    spec.overrides = before;
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(run.updates, updates);
    ck_assert_uint_eq(run.result.steps, updates);
    for (size_t k = 1; k <= updates; k += accum == 0 && k % 6 == 3 ? 2 : STRIDE) {
        (void)snprintf(name, sizeof name, "left-%zu", k);
        spec.name = name;
        spec.stop_at = k;
        spec.overrides = k % 2 == 0 ? before : after;
        train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
        ck_assert_uint_eq(run.result.steps, k);
        spec.stop_at = 0;
        spec.overrides = after;
        train_expect(&run, &spec, MAE_OK);
        ck_assert_uint_eq(run.updates, updates - k);
        ck_assert_uint_eq(run.result.steps, updates);
        train_compare(folder, "straight", name);
    }
}

/* Accumulation, who works, precision. */
enum { WAYS = 2 * 4 * TRAIN_KINDS };

static void leave(bool finetune, const char *base, int way)
{
    const char *kind = train_kind(way / 8);
    char all[4000];

    if (kind == NULL)
        return;
    (void)snprintf(all, sizeof all, "%s %s", base, kind);
    leave_everywhere(finetune, all, (size_t)way % 2, (size_t)way / 2 % 4);
}

START_TEST(pretraining)
{
    leave(false, PRETRAIN, _i);
}
END_TEST

START_TEST(finetuning)
{
    leave(true, tune, _i);
}
END_TEST

/* Left again and again, after any number of updates, by whoever works: 3 runs, or 30. */
START_TEST(left_at_random)
{
    const bool finetune = _i % 2 == 1;
    const char *base = finetune ? tune : PRETRAIN;
    char overrides[4000];
    TrainSpec spec = {.folder = folder, .finetune = finetune, .overrides = overrides};
    TrainRun run;
    MaeRng rng;

    if (_i >= 3 && getenv("MAE_TEST_FULL") == NULL)
        return;
    mae_rng_init(&rng, (uint64_t)_i, 0, 0, MAE_RNG_TEST);
    spec.name = "straight";
    (void)snprintf(overrides, sizeof overrides, "%s train.epochs=4 %s", base, WORK[0]);
    train_expect(&run, &spec, MAE_OK);
    spec.name = "left";
    do {
        spec.stop_at = 1 + mae_rng_u32(&rng) % 9;
        (void)snprintf(overrides, sizeof overrides, "%s train.epochs=4 %s", base,
                       WORK[mae_rng_u32(&rng) % 4]);
        train_run(&run, &spec);
        ck_assert_msg(run.status == MAE_OK || run.status == MAE_ERR_INTERRUPTED, "%s",
                      run.err.msg);
    } while (run.status != MAE_OK);
    train_compare(folder, "straight", "left");
}
END_TEST

/* Held-out loss and previews take part, measured statistics are not measured again. */
START_TEST(with_everything_measured)
{
    char overrides[2000];
    TrainSpec spec = {.folder = folder, .name = "straight", .overrides = overrides};
    TrainRun run;

    (void)snprintf(overrides, sizeof overrides,
                   "data.val=%s/val train.preview_every=1 train.epochs=3", folder);
    train_expect(&run, &spec, MAE_OK);
    ck_assert(run.result.score < 0.0);
    spec.name = "left";
    spec.stop_at = 8;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    ck_assert_ptr_nonnull(strstr(run.log, "measuring on"));
    ck_assert_ptr_nonnull(strstr(run.err.msg, "run the same command again to go on"));
    spec.stop_at = 0;
    train_expect(&run, &spec, MAE_OK);
    ck_assert_ptr_null(strstr(run.log, "measuring on"));
    train_compare(folder, "straight", "left");
    ck_assert(train_exists(folder, "left/best.h5"));
    ck_assert(train_exists(folder, "left/reconstructions/epoch-0003.png"));
}
END_TEST

/* What is on disk in the middle of an update is what a SIGKILL leaves. */
typedef struct Killed {
    size_t at;
} Killed;

static void copy_at(void *ctx, size_t update)
{
    if (update == ((const Killed *)ctx)->at)
        train_copy(folder, "running", "killed");
}

START_TEST(killed_in_an_update)
{
    Killed killed = {(size_t)_i};
    TrainSpec spec = {.folder = folder,
                      .name = "running",
                      .overrides = PRETRAIN " train.save_minutes=1e-9",
                      .at_update = copy_at,
                      .ctx = &killed};
    TrainRun run;

    train_expect(&run, &spec, MAE_OK);
    ck_assert(train_exists(folder, "killed/.lock"));
    spec.name = "killed";
    spec.at_update = NULL;
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(run.updates, 12 - killed.at + 1);
    train_compare(folder, "running", "killed");
    ck_assert(!train_exists(folder, "killed/.lock"));
}
END_TEST

/* Threads, workers and preflight change nothing at all, in each precision. */
START_TEST(any_number_of_threads)
{
    const char *base = _i / TRAIN_KINDS == 0 ? PRETRAIN : tune;
    const char *kind = train_kind(_i % TRAIN_KINDS);
    char overrides[4000];
    TrainSpec spec = {.folder = folder, .finetune = base == tune, .overrides = overrides};
    TrainRun run;

    for (size_t i = 0; kind != NULL && i < 4; i++) {
        static const char *const NAMES[] = {"a", "b", "c", "d"};

        (void)snprintf(overrides, sizeof overrides, "%s %s %s", base, kind, WORK[i]);
        spec.name = NAMES[i];
        train_expect(&run, &spec, MAE_OK);
        train_compare(folder, "a", NAMES[i]);
    }
}
END_TEST

/* Those of the data, also if they are more than a list of the configuration holds. */
START_TEST(many_channels)
{
    const size_t shape[] = {16, 8, 8, MAE_CONFIG_LIST + 6};
    const size_t values = shape[0] * shape[1] * shape[2] * shape[3];
    float *images = mae_test_normal(values, 3, 1);
    char overrides[2000];
    TrainSpec spec = {.folder = folder, .name = "straight", .overrides = overrides};
    MaeH5Out *out = NULL;
    MaeError err = {0};
    TrainRun run;

    ck_assert_ok(mae_h5out_create(&out, fixture_path(folder, "many.h5"), &err));
    mae_h5out_floats(out, "images", images, shape, 4);
    ck_assert_ok(mae_h5out_commit(out, &err));
    free(images);
    (void)snprintf(overrides, sizeof overrides,
                   "data.train=%s train.preview_every=none train.preflight=false",
                   fixture_path(folder, "many.h5"));
    train_expect(&run, &spec, MAE_OK);
    spec = (TrainSpec){
        .folder = folder, .name = "left", .overrides = overrides, .stop_at = 3};
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    spec.stop_at = 0;
    train_expect(&run, &spec, MAE_OK);
    train_compare(folder, "straight", "left");
}
END_TEST

/* A finished run stays as it is. */
START_TEST(finished)
{
    TrainSpec spec = {.folder = folder, .name = "run", .overrides = PRETRAIN};
    TrainRun run;

    train_expect(&run, &spec, MAE_OK);
    train_copy(folder, "run", "copy");
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(run.updates, 0);
    ck_assert_uint_eq(run.result.epochs, 2);
    train_compare(folder, "copy", "run");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train resume");
    TCase *tc = tcase_create("resume");

    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, pretraining, 0, WAYS);
    tcase_add_loop_test(tc, finetuning, 0, WAYS);
    tcase_add_test(tc, with_everything_measured);
    tcase_add_loop_test(tc, killed_in_an_update, 2, 9);
    tcase_add_loop_test(tc, any_number_of_threads, 0, 2 * TRAIN_KINDS);
    tcase_add_test(tc, many_channels);
    tcase_add_test(tc, finished);
    suite_add_tcase(suite, tc);
    tc = tcase_create("random");
    tcase_set_timeout(tc, 240);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, left_at_random, 0, 30);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
