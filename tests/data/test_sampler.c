#include "data/sampler.h"

#include <stdlib.h>
#include <string.h>

#include "support/test.h"

/* All batches of an epoch, one after the other; returns the number of samples. */
static size_t epoch_of(MaeSampler *sampler, uint32_t epoch, size_t *out)
{
    size_t n = 0;

    for (size_t b = 0; b < mae_sampler_batches(sampler); b++) {
        const size_t *samples;
        const size_t count = mae_sampler_select(sampler, epoch, b, &samples);

        memcpy(out + n, samples, count * sizeof *out);
        n += count;
    }
    return n;
}

START_TEST(training_shuffles_and_drops)
{
    const MaeSamplerOptions opt = {
        .count = 103, .batch_size = 10, .training = true, .seed = 7};
    MaeSampler sampler;
    MaeError err = {0};
    size_t first[103], again[103], second[103];
    bool seen[103] = {false};

    ck_assert_ok(mae_sampler_open(&sampler, &opt, &err));
    ck_assert_uint_eq(mae_sampler_batches(&sampler), 10);
    ck_assert_uint_eq(epoch_of(&sampler, 0, first), 100);
    ck_assert_uint_eq(epoch_of(&sampler, 1, second), 100);
    ck_assert_uint_eq(epoch_of(&sampler, 0, again), 100);
    ck_assert_mem_eq(first, again, 100 * sizeof *first);
    ck_assert_mem_ne(first, second, 100 * sizeof *first);
    for (size_t i = 0; i < 100; i++) {
        ck_assert_uint_lt(first[i], 103);
        ck_assert(!seen[first[i]]);
        seen[first[i]] = true;
    }
    mae_sampler_close(&sampler);
}
END_TEST

START_TEST(evaluation_keeps_all_in_order)
{
    const size_t subset[] = {4, 8, 15, 16, 23, 42, 99};
    const MaeSamplerOptions opt = {.indices = subset, .count = 7, .batch_size = 3};
    MaeSampler sampler;
    MaeError err = {0};
    size_t got[7];

    ck_assert_ok(mae_sampler_open(&sampler, &opt, &err));
    ck_assert_uint_eq(mae_sampler_batches(&sampler), 3);
    ck_assert_uint_eq(epoch_of(&sampler, 5, got), 7);
    ck_assert_mem_eq(got, subset, sizeof got);
    mae_sampler_close(&sampler);
}
END_TEST

/* Where sample number @p i of a rank's part of a batch of 12 is in the batch. */
static size_t place_of(bool training, size_t rank, size_t local, size_t i)
{
    if (!training || local % 2 != 0)
        return rank * local + i;
    return i < local / 2 ? rank * local / 2 + i
                         : 12 - (rank + 1) * local / 2 + (i - local / 2);
}

/* The ranks' parts make up the batch of one rank. In training a part that can be halved
 * holds a sample's mirror image where a batch turned round would have it. */
START_TEST(ranks_share_the_same_batches)
{
    static const size_t worlds[] = {2, 3, 4, 6, 12};
    const bool training = _i % 2 == 0;
    const size_t world = worlds[_i / 2];
    MaeSamplerOptions opt = {
        .count = 100, .batch_size = 12, .training = training, .seed = 3};
    MaeSampler one, part;
    MaeError err = {0};

    ck_assert_ok(mae_sampler_open(&one, &opt, &err));
    opt.world = world;
    for (opt.rank = 0; opt.rank < world; opt.rank++) {
        ck_assert_ok(mae_sampler_open(&part, &opt, &err));
        ck_assert_uint_eq(mae_sampler_batches(&part), mae_sampler_batches(&one));
        ck_assert_uint_eq(mae_sampler_local(&part), 12 / world);
        for (size_t b = 0; b < mae_sampler_batches(&one); b++) {
            const size_t begin = opt.rank * (12 / world);
            const size_t *all, *mine;
            const size_t n = mae_sampler_select(&one, 9, b, &all);
            const size_t count = mae_sampler_select(&part, 9, b, &mine);
            const size_t left = n > begin ? n - begin : 0;

            ck_assert_uint_eq(count, left < 12 / world ? left : 12 / world);
            for (size_t i = 0; i < count; i++)
                ck_assert_uint_eq(mine[i],
                                  all[place_of(training, opt.rank, 12 / world, i)]);
            for (size_t i = 0; training && 12 / world % 2 == 0 && i < count; i++)
                ck_assert_uint_eq(place_of(true, opt.rank, 12 / world, i) +
                                      place_of(true, opt.rank, 12 / world, count - 1 - i),
                                  11);
        }
        mae_sampler_close(&part);
    }
    mae_sampler_close(&one);
}
END_TEST

START_TEST(refuses_impossible_options)
{
    MaeSampler sampler;
    MaeError err = {0};
    MaeSamplerOptions opt = {.count = 10, .batch_size = 8, .world = 3};

    ck_assert_fails(mae_sampler_open(&sampler, &opt, &err), MAE_ERR_ARG,
                    "batch size 8 cannot be divided evenly among 3 ranks");
    opt = (MaeSamplerOptions){.count = 10, .batch_size = 11, .training = true};
    ck_assert_fails(mae_sampler_open(&sampler, &opt, &err), MAE_ERR_ARG,
                    "only 10 samples");
    opt = (MaeSamplerOptions){.count = 0, .batch_size = 1};
    ck_assert_fails(mae_sampler_open(&sampler, &opt, &err), MAE_ERR_ARG, "samples is 0");
    opt = (MaeSamplerOptions){.count = 1, .batch_size = 0};
    ck_assert_fails(mae_sampler_open(&sampler, &opt, &err), MAE_ERR_ARG, "size is 0");
    opt = (MaeSamplerOptions){.count = 4, .batch_size = 4, .rank = 2, .world = 2};
    ck_assert_fails(mae_sampler_open(&sampler, &opt, &err), MAE_ERR_ARG, "rank 2 of 2");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_sampler");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, training_shuffles_and_drops);
    tcase_add_test(tc, evaluation_keeps_all_in_order);
    tcase_add_loop_test(tc, ranks_share_the_same_batches, 0, 10);
    tcase_add_test(tc, refuses_impossible_options);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
