/* A run whose numbers are not finite goes back to its last checkpoint, and on from it. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/poison.h"

static char *folder;
static TrainRun run;

static void setup(void)
{
    folder = train_place();
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

static void expect(const Way *way, const char *name, const char *more, size_t stop_at,
                   MaeStatus status)
{
    spoil_run(&run, folder, way, name, more, stop_at, status);
}

/* Back to the newest checkpoint of the session: the result is as if the update had been
 * left out at once. */
START_TEST(rollback_goes_back_and_on)
{
    const Way *way = &WAYS[_i % WAY_COUNT];
    const Poison whats[] = {WEIGHT, LOSS, MOMENT};
    const Poison what = whats[_i / WAY_COUNT];
    const char *more = "train.on_nonfinite=rollback train.save_minutes=1e-9";

    (void)spoil_second(way, LOSS);
    expect(way, "skip", "train.on_nonfinite=skip", 0, MAE_OK);
    (void)spoil_second(way, what);
    expect(way, "run", more, 0, MAE_OK);
    ck_assert_ptr_nonnull(strstr(run.log, "; going back to the last checkpoint; see "));
    ck_assert_ptr_nonnull(strstr(run.log, "will be left out"));
    train_compare(folder, "skip", "run");
    expect(way, "far", "train.on_nonfinite=rollback", 0, MAE_OK); /* to the beginning */
    ck_assert_ptr_nonnull(strstr(run.log, "after step 0;"));
    train_compare(folder, "skip", "far");
    expect(way, "left", more, 2, MAE_ERR_INTERRUPTED);
    expect(way, "left", more, 0, MAE_OK);
    train_compare(folder, "skip", "left");
}
END_TEST

/* A checkpoint that the user chose is gone back to, not a newer one of before. */
START_TEST(rollback_to_a_chosen_checkpoint)
{
    const Way *way = &WAYS[0];
    char more[1200];

    (void)spoil_second(way, LOSS);
    expect(way, "skip", "train.on_nonfinite=skip train.checkpoint_every=1", 0, MAE_OK);
    spoil(CLEAN, 0, 0, 0);
    expect(way, "run", "train.checkpoint_every=1", 0, MAE_OK);
    (void)spoil_second(way, WEIGHT);
    (void)snprintf(more, sizeof more,
                   "train.on_nonfinite=rollback train.checkpoint_every=1 "
                   "train.resume=%s/run/checkpoint-1.h5",
                   folder);
    expect(way, "run", more, 0, MAE_OK);
    ck_assert_ptr_nonnull(strstr(run.log, "after step 6;"));
    train_compare(folder, "skip", "run");
}
END_TEST

START_TEST(rollback_has_an_end)
{
    const Way *way = &WAYS[2 * _i];

    spoil(WEIGHT, 0, 2, 5);
    expect(way, "run", "train.on_nonfinite=rollback train.save_minutes=1e-9", 0,
           MAE_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "step 6 (epoch 1, batch 6)"));
    ck_assert_ptr_nonnull(strstr(run.err.msg, "went back too often"));
    ck_assert_uint_eq(run.result.steps, 5); /* the state that was left is not saved */
    ck_assert(train_exists(folder, "run/nonfinite-6.json"));
    expect(way, "run", "train.on_nonfinite=rollback", 0, MAE_OK); /* 3 more */
}
END_TEST

/* A weight changes between two steps, as by a fault of the memory. */
static void flip(void *ctx, size_t update)
{
    (void)ctx;
    if (update == 7)
        spoil_weights()[SPOILT] = NAN;
}

/* And the newest checkpoint is gone. */
static void lose(void *ctx, size_t update)
{
    char command[1300];

    (void)snprintf(command, sizeof command, "rm '%s/%s/last.h5'", folder,
                   (const char *)ctx);
    if (update == 10) {
        ck_assert_int_eq(system(command), 0);
        spoil_weights()[SPOILT] = NAN;
    }
}

START_TEST(faults_of_memory_and_disk)
{
    char name[] = "lost";
    TrainSpec spec = {.folder = folder,
                      .name = "run",
                      .overrides = "train.preflight=false train.on_nonfinite=rollback",
                      .at_update = flip};

    spoil(CLEAN, 0, 0, 0);
    train_expect(&run, &spec, MAE_OK);
    ck_assert_ptr_nonnull(strstr(run.log, "weight of cls_token[3] is "));
    spec.name = "skip";
    spec.at_update = NULL;
    spec.overrides = "train.preflight=false train.on_nonfinite=skip";
    (void)spoil_second(&WAYS[0], LOSS);
    train_expect(&run, &spec, MAE_OK);
    train_compare(folder, "skip", "run");
    spec.name = "other"; /* nothing spoilt is ever saved */
    spec.at_update = flip;
    spec.stop_at = 7;
    train_expect(&run, &spec, MAE_ERR_NUMERIC);
    ck_assert(!train_exists(folder, "other/last.h5"));
    ck_assert_ptr_nonnull(strstr(run.err.msg, "not finite after step 7: not saved"));
    spec = (TrainSpec){.folder = folder,
                       .name = "lost",
                       .overrides = "train.preflight=false train.on_nonfinite=rollback",
                       .at_update = lose,
                       .ctx = name};
    spoil(CLEAN, 0, 0, 0);
    train_expect(&run, &spec, MAE_ERR_NUMERIC);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "there is no going back"));
    ck_assert(!train_exists(folder, "lost/last.h5"));
    spec.overrides = "train.preflight=false train.on_nonfinite=rollback "
                     "train.checkpoint_every=1 train.overwrite=true";
    train_expect(&run, &spec, MAE_OK); /* an older one is left */
    ck_assert_ptr_nonnull(strstr(run.log, "checkpoint-1.h5, after step 6;"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train recover");
    TCase *tc = tcase_create("rollback");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, rollback_goes_back_and_on, 0, 3 * WAY_COUNT);
    tcase_add_test(tc, rollback_to_a_chosen_checkpoint);
    tcase_add_loop_test(tc, rollback_has_an_end, 0, 2);
    tcase_add_test(tc, faults_of_memory_and_disk);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
