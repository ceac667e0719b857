/* Fine-tuning on pseudo-labels beside true ones: data.unlabelled, data.pseudo_labels. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "train/fixture.h"

#define BASE                                                                             \
    "finetune.init=random optim.layer_decay=1 data.labels_per_class=4 "                  \
    "data.augment=crop_flip data.mean=0.5 data.std=0.3 train.checkpoint_every=none "

#define HEAD "sample,name,label,class,confidence\n"

/* Of the nine images of "val", 8 with labels: 12 + 8 images, 5 batches of 4. */
static const char LABELS[] = HEAD "0,c0/000.png,0,c0,1\n1,c0/001.png,0,c0,0.9\n"
                                  "2,c0/002.png,1,c1,0.9\n3,c1/000.png,1,c1,1\n"
                                  "4,c1/001.png,1,c1,1\n6,c2/000.png,2,c2,0.99\n"
                                  "7,c2/001.png,2,c2,1\n8,c2/002.png,0,c0,1\n";

static char *folder;
static char overrides[3000];
static TrainRun run;

static void write_labels(const char *text)
{
    mae_test_write(fixture_path(folder, "p.csv"), text, strlen(text));
}

static void setup(void)
{
    folder = train_place();
    write_labels(LABELS);
    (void)snprintf(overrides, sizeof overrides,
                   BASE "data.unlabelled=%s/val data.pseudo_labels=%s/p.csv", folder,
                   folder);
}

static void teardown(void)
{
    mae_test_folder_remove(folder);
}

static TrainSpec spec_of(const char *name)
{
    return (TrainSpec){
        .folder = folder, .name = name, .finetune = true, .overrides = overrides};
}

static void refused(const char *text, MaeStatus status, const char *why)
{
    const TrainSpec spec = spec_of("run");

    write_labels(text);
    train_expect(&run, &spec, status);
    ck_assert_msg(strstr(run.err.msg, why) != NULL, "%s", run.err.msg);
}

/* Wherever it is left, it goes on as if it had not been; the cache changes nothing. */
START_TEST(left_and_taken_up_again)
{
    TrainSpec spec = spec_of("straight");

    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(run.updates, 10);
    ck_assert_ptr_nonnull(strstr(run.log, "8 of 9 images, beside 12 of data.train"));
    for (size_t k = 1; k <= 9; k += 4) {
        char name[32];

        (void)snprintf(name, sizeof name, "left-%zu", k);
        spec = spec_of(name);
        spec.stop_at = k;
        train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
        spec.stop_at = 0;
        train_expect(&run, &spec, MAE_OK);
        train_compare(folder, "straight", name);
    }
    strcat(overrides, " data.cache=off data.workers=3 train.threads=2");
    spec = spec_of("other");
    train_expect(&run, &spec, MAE_OK);
    train_compare(folder, "straight", "other");
}
END_TEST

/* Labels of an image are seen, the order of rows is not. */
START_TEST(labels_matter)
{
    char *text = strdup(LABELS), *row = strstr(text, "8,c2/002.png,0,c0");
    TrainSpec spec = spec_of("a");
    double loss;

    train_expect(&run, &spec, MAE_OK);
    loss = run.result.train_loss;
    memcpy(row, "8,c2/002.png,2,c2", 17);
    write_labels(text);
    free(text);
    spec = spec_of("b");
    train_expect(&run, &spec, MAE_OK);
    ck_assert_double_ne(run.result.train_loss, loss);
    write_labels(HEAD "8,c2/002.png,0,c0,1\n7,c2/001.png,2,c2,1\n"
                      "6,c2/000.png,2,c2,0.99\n4,c1/001.png,1,c1,1\n"
                      "3,c1/000.png,1,c1,1\n2,c0/002.png,1,c1,0.9\n"
                      "1,c0/001.png,0,c0,0.9\n0,c0/000.png,0,c0,1\n");
    spec = spec_of("c");
    train_expect(&run, &spec, MAE_OK);
    ck_assert_double_eq(run.result.train_loss, loss);
}
END_TEST

START_TEST(all_of_both)
{
    TrainSpec spec = spec_of("run");

    strcat(overrides, " data.labels_per_class=all train.batch_size=35");
    train_expect(&run, &spec, MAE_OK);
    ck_assert_uint_eq(run.updates, 2);
    ck_assert_ptr_nonnull(strstr(run.log, "beside 27 of data.train"));
}
END_TEST

/* A run goes on with the labels it began with, and with none but them. */
START_TEST(other_labels_are_another_run)
{
    TrainSpec spec = spec_of("run");

    spec.stop_at = 3;
    train_expect(&run, &spec, MAE_ERR_INTERRUPTED);
    refused(HEAD "0,c0/000.png,0,c0,1\n", MAE_ERR_ARG, "data.pseudo_checksum: run has");
    (void)snprintf(overrides, sizeof overrides, BASE);
    train_expect(&run, &spec, MAE_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "config says none"));
}
END_TEST

START_TEST(checksum_that_was_given)
{
    TrainSpec spec = spec_of("run");

    strcat(overrides, " data.pseudo_checksum=17");
    train_expect(&run, &spec, MAE_ERR_ARG);
    ck_assert_ptr_nonnull(strstr(run.err.msg, "data.pseudo_checksum: expected 17, "));
    ck_assert(!train_exists(folder, "run/last.h5"));
}
END_TEST

START_TEST(labels_that_cannot_be)
{
    refused(HEAD, MAE_ERR_FORMAT, "p.csv: expected pseudo-labels, found none");
    refused(HEAD "9,c0/000.png,0,c0,1\n", MAE_ERR_FORMAT,
            "p.csv:2: sample: expected 0 to 8, found '9'");
    refused(HEAD "0,c0/000.png,0,cat,1\n", MAE_ERR_ARG,
            "p.csv:2: class 0 is 'cat' here, in data.train 'c0'");
    ck_assert(!train_exists(folder, "run/last.h5"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train pseudo");
    TCase *tc = tcase_create("pseudo");

    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, left_and_taken_up_again);
    tcase_add_test(tc, labels_matter);
    tcase_add_test(tc, all_of_both);
    tcase_add_test(tc, other_labels_are_another_run);
    tcase_add_test(tc, checksum_that_was_given);
    tcase_add_test(tc, labels_that_cannot_be);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
