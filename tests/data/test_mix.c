#include "data/mix.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/classifier.h"
#include "support/test.h"

enum { DRAWS = 20000 };

/* The published recipe. */
static const MaeMixRule both = {0.8, 1.0, 1.0, 0.5};

START_TEST(off_mixes_nothing)
{
    static const MaeMixRule rules[] = {
        {0.0, 0.0, 1.0, 0.5}, {0.8, 1.0, 0.0, 0.5}, {0.8, 0.0, 0.0, 0.0}};
    float images[6] = {1, 2, 3, 4, 5, 6}, before[6];
    const MaeMix mix = mae_mix_draw(&rules[_i], 1, 0, 0, 1, 3);

    memcpy(before, images, sizeof before);
    ck_assert_double_eq(mix.lam, 1.0);
    mae_mix_images(&mix, NULL, images, 2, 1, 1, 3);
    mae_mix_targets(&mix, images, 2, 3);
    ck_assert_mem_eq(images, before, sizeof before);
}
END_TEST

/* lam of mixup is Beta(alpha, alpha): mean 1/2, variance 1 / (4 (2 alpha + 1)). */
START_TEST(lam_has_the_moments_of_beta)
{
    static const double alphas[] = {0.1, 0.8, 1.0, 5.0};
    const MaeMixRule rule = {alphas[_i], 0.0, 1.0, 0.5};
    const double variance = 1.0 / (4.0 * (2.0 * alphas[_i] + 1.0));
    double sum = 0.0, squares = 0.0;

    for (size_t i = 0; i < DRAWS; i++) {
        const MaeMix mix = mae_mix_draw(&rule, 1, 2, i, 8, 8);

        ck_assert_uint_eq(mix.box.height, 0);
        sum += mix.lam;
        squares += (mix.lam - 0.5) * (mix.lam - 0.5);
    }
    ck_assert_double_lt(fabs(sum / DRAWS - 0.5), 5.0 * sqrt(variance / DRAWS));
    ck_assert_double_lt(fabs(squares / DRAWS - variance), 0.01);
}
END_TEST

/* Which batches are mixed, and how. Numbers follow seed, epoch and batch. */
START_TEST(kinds_come_as_often_as_asked)
{
    const MaeMixRule rule = {0.8, 1.0, 0.7, 0.25};
    size_t mixed = 0, cut = 0, same = 0;

    for (size_t i = 0; i < DRAWS; i++) {
        const MaeMix mix = mae_mix_draw(&rule, 1, 2, i, 64, 64);
        const MaeMix again = mae_mix_draw(&rule, 1, 2, i, 64, 64);
        const MaeMix seed = mae_mix_draw(&rule, 2, 2, i, 64, 64);
        const MaeMix epoch = mae_mix_draw(&rule, 1, 3, i, 64, 64);

        ck_assert_mem_eq(&mix, &again, sizeof mix);
        mixed += mix.lam < 1.0;
        cut += mix.lam < 1.0 && mix.box.height > 0;
        same += mix.lam < 1.0 && (mix.lam == seed.lam || mix.lam == epoch.lam);
    }
    ck_assert_double_lt(fabs((double)mixed / DRAWS - 0.7), 0.02);
    ck_assert_double_lt(fabs((double)cut / (double)mixed - 0.25), 0.02);
    ck_assert_uint_lt(same, DRAWS / 100);
}
END_TEST

/*
 * Boxes lie inside; lam is the share outside of them; centres are uniform, so that a box
 * of any size covers the middle more often than a corner but reaches every pixel. With
 * alpha 1 lam is uniform before clipping, which only makes it larger.
 */
START_TEST(boxes_are_inside_and_counted)
{
    enum { H = 12, W = 20 };
    const MaeMixRule rule = {0.0, 1.0, 1.0, 0.5};
    size_t covered[H * W] = {0}, clipped = 0;
    double sum = 0.0, upper = 0.0;

    for (size_t i = 0; i < DRAWS; i++) {
        const MaeMix mix = mae_mix_draw(&rule, 5, 0, i, H, W);
        const MaeBox *box = &mix.box;

        ck_assert(box->top + box->height <= H && box->left + box->width <= W);
        ck_assert_double_eq(mix.lam,
                            1.0 - (double)(box->height * box->width) / (double)(H * W));
        for (size_t y = box->top; y < box->top + box->height; y++)
            for (size_t x = box->left; x < box->left + box->width; x++)
                covered[y * W + x]++;
        clipped += box->height % 2 == 1 || box->width % 2 == 1;
        upper += box->top == 0;
        sum += mix.lam;
    }
    for (size_t i = 0; i < (size_t)(H * W); i++)
        ck_assert_uint_gt(covered[i], DRAWS / 50);
    ck_assert_uint_gt(covered[H / 2 * W + W / 2], 2 * covered[0]);
    ck_assert_uint_gt(clipped, 0);
    ck_assert_double_gt(upper / DRAWS, 0.1);
    ck_assert(sum / DRAWS > 0.55 && sum / DRAWS < 0.85);
}
END_TEST

/* timm's lines, out of place. */
static void reference(float *out, const float *in, const MaeMix *mix, size_t batch,
                      size_t channels, size_t height, size_t width)
{
    const size_t plane = height * width, size = channels * plane;
    const MaeBox *box = &mix->box;

    for (size_t i = 0; i < batch * size; i++) {
        const size_t b = i / size, y = i % plane / width, x = i % width;
        const float own = in[i], other = in[(batch - 1 - b) * size + i % size];
        const bool inside = y >= box->top && y < box->top + box->height &&
                            x >= box->left && x < box->left + box->width;

        if (2 * b + 1 == batch)
            out[i] = own;
        else if (box->height > 0)
            out[i] = inside ? other : own;
        else
            out[i] = own * (float)mix->lam + other * (float)(1.0 - mix->lam);
    }
}

/* Odd and even batches, one and five channels, several draws, any number of threads. */
START_TEST(pixels_equal_a_plain_reference)
{
    static const size_t batches[] = {1, 2, 5, 8}, channels[] = {1, 5};
    enum { H = 7, W = 10 };
    const size_t batch = batches[_i % 4], planes = channels[_i / 4];
    const size_t n = batch * planes * H * W;
    float *images = mae_test_normal(n, 3, (uint64_t)_i);
    float *want = mae_test_alloc(n * sizeof *want),
          *got = mae_test_alloc(n * sizeof *got);
    size_t cut = 0;
    MaeError err = {0};

    for (size_t threads = 1; threads <= 3; threads++) {
        MaePool *pool = NULL;

        ck_assert_ok(mae_pool_open(&pool, threads, &err));
        for (size_t i = 0; i < 40; i++) {
            const MaeMix mix = mae_mix_draw(&both, 9, 1, i, H, W);

            memcpy(got, images, n * sizeof *got);
            mae_mix_images(&mix, pool, got, batch, planes, H, W);
            reference(want, images, &mix, batch, planes, H, W);
            ck_assert_mem_eq(got, want, n * sizeof *got);
            cut += mix.box.height > 0;
        }
        mae_pool_close(pool);
    }
    ck_assert(cut > 0 && cut < 120);
    free(images);
    free(want);
    free(got);
}
END_TEST

/* Rows stay distributions and put their weight on the two classes of the pair. */
START_TEST(targets_follow_lam)
{
    enum { B = 5, K = 7 };
    const int64_t labels[B] = {3, 0, 6, 0, 1};

    for (size_t i = 0; i < 50; i++) {
        const MaeMix mix = mae_mix_draw(&both, 2, 0, i, 16, 16);
        const double off = 0.1 / K, on = 0.9;
        float targets[B * K];

        mae_classifier_targets(targets, labels, 0.1, B, K);
        mae_mix_targets(&mix, targets, B, K);
        for (size_t b = 0; b < B; b++) {
            double sum = 0.0;

            for (int64_t k = 0; k < K; k++) {
                const double want = off + on * mix.lam * (k == labels[b]) +
                                    on * (1.0 - mix.lam) * (k == labels[B - 1 - b]);

                ck_assert_double_eq_tol((double)targets[b * K + (size_t)k], want, 2e-7);
                sum += (double)targets[b * K + (size_t)k];
            }
            ck_assert_double_eq_tol(sum, 1.0, 1e-6);
        }
    }
}
END_TEST

/* Of both golden files, one of which has an odd batch. */
START_TEST(targets_equal_published_ones)
{
    static const char *const goldens[] = {"vit_global_pool.h5", "vit_cls_token.h5"};
    const char *path = mae_test_golden(goldens[_i]);
    const MaeMix mix = {.lam = mae_test_h5_attr(path, "soft_target", "mixup_lam")};
    const size_t classes = (size_t)mae_test_h5_attr(path, "/", "num_classes");
    size_t batch, n;
    float *numbers = mae_test_h5_floats(path, "labels", &batch);
    float *want = mae_test_h5_floats(path, "soft_target/target", &n);
    float *got = mae_test_alloc(n * sizeof *got);
    int64_t labels[16];

    ck_assert(batch <= 16 && n == batch * classes);
    for (size_t b = 0; b < batch; b++)
        labels[b] = (int64_t)numbers[b];
    mae_classifier_targets(
        got, labels, mae_test_h5_attr(path, "soft_target", "smoothing"), batch, classes);
    mae_mix_targets(&mix, got, batch, classes);
    mae_test_close("target", got, want, n, 0.0, 1e-7);
    free(numbers);
    free(want);
    free(got);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mix");
    TCase *tc = tcase_create("mix");

    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, off_mixes_nothing, 0, 3);
    tcase_add_loop_test(tc, lam_has_the_moments_of_beta, 0, 4);
    tcase_add_test(tc, kinds_come_as_often_as_asked);
    tcase_add_test(tc, boxes_are_inside_and_counted);
    tcase_add_loop_test(tc, pixels_equal_a_plain_reference, 0, 8);
    tcase_add_test(tc, targets_follow_lam);
    tcase_add_loop_test(tc, targets_equal_published_ones, 0, 2);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
