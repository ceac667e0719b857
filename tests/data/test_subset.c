#include "data/subset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/opened.h"

static size_t *picked, count;

/* 100 images, label i % 10. */
static void setup(void)
{
    opened_setup();
    picked = NULL;
    fixture_mnist(root, "train", false, 100, 2, 2);
    ck_assert_ok(mae_dataset_open(&ds, root, NULL, &err));
}

static void teardown(void)
{
    free(picked);
    opened_teardown();
}

/* Ascending, and as many of each class as expected. */
static void check_classes(size_t each)
{
    size_t per_class[10] = {0};

    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            ck_assert_uint_lt(picked[i - 1], picked[i]);
        per_class[mae_dataset_label(ds, picked[i])]++;
    }
    for (size_t c = 0; c < 10; c++)
        ck_assert_uint_eq(per_class[c], each);
}

START_TEST(first_n)
{
    MaeSubset subset = {.first_n = 7};

    ck_assert_ok(mae_subset_select(&picked, &count, ds, &subset, &err));
    ck_assert_uint_eq(count, 7);
    ck_assert_uint_eq(picked[6], 6);
    free(picked);
    subset.first_n = 1000;
    ck_assert_ok(mae_subset_select(&picked, &count, ds, &subset, &err));
    ck_assert_uint_eq(count, 100);
}
END_TEST

START_TEST(stratified_shares)
{
    MaeSubset subset = {.label_fraction = 0.3, .seed = 5};

    ck_assert_ok(mae_subset_select(&picked, &count, ds, &subset, &err));
    ck_assert_uint_eq(count, 30);
    check_classes(3);
    free(picked);
    subset.label_fraction = 0.001; /* at least one of each */
    ck_assert_ok(mae_subset_select(&picked, &count, ds, &subset, &err));
    check_classes(1);
    free(picked);
    subset.label_fraction = 1.0;
    ck_assert_ok(mae_subset_select(&picked, &count, ds, &subset, &err));
    ck_assert_uint_eq(count, 100);
    free(picked);
    subset = (MaeSubset){.first_n = 50, .labels_per_class = 4, .seed = 5};
    ck_assert_ok(mae_subset_select(&picked, &count, ds, &subset, &err));
    check_classes(4);
    ck_assert_uint_lt(picked[count - 1], 50);
}
END_TEST

START_TEST(seeded_and_nested)
{
    MaeSubset small = {.labels_per_class = 2, .seed = 1}, large = small, other = small;
    size_t *more = NULL, more_count, *elsewhere = NULL, found = 0;

    large.labels_per_class = 6;
    other.seed = 2;
    ck_assert_ok(mae_subset_select(&picked, &count, ds, &small, &err));
    ck_assert_ok(mae_subset_select(&more, &more_count, ds, &large, &err));
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < more_count; k++)
            found += picked[i] == more[k];
    }
    ck_assert_uint_eq(found, count);
    ck_assert_ok(mae_subset_select(&elsewhere, &more_count, ds, &other, &err));
    ck_assert_mem_ne(elsewhere, picked, count * sizeof *picked);
    free(more);
    free(elsewhere);
}
END_TEST

START_TEST(refuses)
{
    MaeSubset subset = {.label_fraction = 0.5, .labels_per_class = 1};
    const MaeDatasetOptions opt = {.unlabelled = true};

    ck_assert_fails(mae_subset_select(&picked, &count, ds, &subset, &err), MAE_ERR_ARG,
                    "exclude each other");
    subset = (MaeSubset){.label_fraction = 1.5};
    ck_assert_fails(mae_subset_select(&picked, &count, ds, &subset, &err), MAE_ERR_ARG,
                    "expected 0 to 1");
    subset.label_fraction = (double)NAN;
    ck_assert_fails(mae_subset_select(&picked, &count, ds, &subset, &err), MAE_ERR_ARG,
                    "expected 0 to 1");
    subset = (MaeSubset){.labels_per_class = 11};
    ck_assert_fails(mae_subset_select(&picked, &count, ds, &subset, &err), MAE_ERR_ARG,
                    "class '0' has only 10 samples");
    mae_dataset_close(ds);
    ck_assert_ok(mae_dataset_open(&ds, root, &opt, &err));
    subset.labels_per_class = 1;
    ck_assert_fails(mae_subset_select(&picked, &count, ds, &subset, &err), MAE_ERR_ARG,
                    "need a dataset with labels");
    ck_assert_ptr_null(picked);
}
END_TEST

/* Ascending, nested, another for another seed, never more than there are. */
START_TEST(draws_to_look_at)
{
    size_t *other = NULL, few = 5, member = 0;

    count = 20;
    ck_assert_ok(mae_subset_draw(&picked, &count, 100, 3, &err));
    ck_assert_ok(mae_subset_draw(&other, &few, 100, 3, &err));
    ck_assert(count == 20 && few == 5);
    for (size_t i = 0; i < count; i++) {
        ck_assert_uint_lt(picked[i], 100);
        ck_assert(i == 0 || picked[i - 1] < picked[i]);
        member += member < few && picked[i] == other[member];
    }
    ck_assert_uint_eq(member, few);
    free(other);
    few = 20;
    ck_assert_ok(mae_subset_draw(&other, &few, 100, 4, &err));
    ck_assert_int_ne(memcmp(picked, other, 20 * sizeof *other), 0);
    free(other);
    few = 9;
    ck_assert_ok(mae_subset_draw(&other, &few, 4, 3, &err));
    ck_assert(few == 4 && other[0] == 0 && other[3] == 3);
    free(other);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_subset");
    TCase *tc = tcase_create("unit");

    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, first_n);
    tcase_add_test(tc, stratified_shares);
    tcase_add_test(tc, seeded_and_nested);
    tcase_add_test(tc, refuses);
    tcase_add_test(tc, draws_to_look_at);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
