#include "model/pixel_loss.h"

#include <math.h>
#include <stdlib.h>

#include "support/grad.h"

/* Two channels of 6x9 pixels: 6 patches of 18 values. */
static const MaePatchGrid grid = {2, 6, 9, 3};
enum { PATCHES = 6, VALUES = 18, N = PATCHES * VALUES };

static const unsigned char mask[PATCHES] = {1, 0, 1, 1, 0, 1};

START_TEST(target_is_plain)
{
    float *image = mae_test_normal(N, 1, 0), target[N], want[N];

    mae_pixel_target(target, image, &grid, false);
    mae_patchify(want, image, &grid);
    ck_assert_mem_eq(target, want, sizeof want);
    free(image);
}
END_TEST

/* Statistics of each patch's own; the constant patch has none but eps. */
START_TEST(target_is_normalised)
{
    float *image = mae_test_normal(N, 1, 0), plain[N], target[N];
    double want[N];

    mae_patchify(plain, image, &grid);
    for (size_t i = 0; i < VALUES; i++) {
        plain[i] *= 1e-3f;          /* variance of eps */
        plain[VALUES + i] += 10.0f; /* |mean| >> std */
        plain[2 * VALUES + i] = 0.7f;
    }
    mae_unpatchify(image, plain, &grid);
    mae_pixel_target(target, image, &grid, true);
    for (size_t l = 0; l < PATCHES; l++) {
        const float *patch = plain + l * VALUES;
        double mean = 0.0, var = 0.0;

        for (size_t i = 0; i < VALUES; i++)
            mean += (double)patch[i] / VALUES;
        for (size_t i = 0; i < VALUES; i++)
            var += ((double)patch[i] - mean) * ((double)patch[i] - mean) / (VALUES - 1);
        for (size_t i = 0; i < VALUES; i++)
            want[l * VALUES + i] = ((double)patch[i] - mean) / sqrt(var + 1e-6);
        test_close_to("target", target + l * VALUES, want + l * VALUES, VALUES);
    }
    free(image);
}
END_TEST

START_TEST(patches_of_one_value)
{
    const MaePatchGrid dots = {1, 2, 3, 1};
    const float image[] = {1.0f, -2.0f, 3.5f, 0.0f, 1e30f, -1.0f};
    float target[6];

    mae_pixel_target(target, image, &dots, true);
    for (size_t i = 0; i < 6; i++)
        ck_assert_f32_eq(target[i], 0.0f);
}
END_TEST

typedef struct Case {
    double pred[N];
    const float *target;
} Case;

/* The formula; 2.5 is the scale of the gradient below. */
static double loss(void *ctx)
{
    const Case *c = ctx;
    double sum = 0.0;

    for (size_t i = 0; i < N; i++) {
        const double diff = c->pred[i] - (double)c->target[i];

        sum += mask[i / VALUES] ? diff * diff / VALUES : 0.0;
    }
    return 2.5 * sum;
}

START_TEST(loss_and_gradient)
{
    float *pred = mae_test_normal(N, 1, 1), *target = mae_test_normal(N, 1, 2);
    float *dpred = test_copy(target, N);
    Case c = {.target = target};
    double *want;

    for (size_t i = 0; i < N; i++)
        c.pred[i] = (double)pred[i];
    ck_assert_double_eq_tol(2.5 * mae_pixel_loss(pred, target, mask, PATCHES, VALUES),
                            loss(&c), 1e-12);
    want = test_differences(c.pred, N, loss, &c);
    mae_pixel_loss_grad(dpred, pred, mask, PATCHES, VALUES, 2.5);
    test_close_to("dpred", dpred, want, N);
    for (size_t i = 0; i < N; i++)
        ck_assert(mask[i / VALUES] || (double)dpred[i] == 0.0);
    free(pred);
    free(target);
    free(dpred);
    free(want);
}
END_TEST

/* What nobody sees may be anything. */
START_TEST(visible_patches_do_not_count)
{
    const unsigned char none[PATCHES] = {0};
    float pred[N], target[N];

    test_fill(pred, N, (float)NAN);
    test_fill(target, N, 1.0f);
    ck_assert_double_eq(mae_pixel_loss(pred, target, none, PATCHES, VALUES), 0.0);
    mae_pixel_loss_grad(target, pred, none, PATCHES, VALUES, 1.0);
    for (size_t i = 0; i < N; i++)
        ck_assert_f32_eq(target[i], 0.0f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model_pixel_loss");
    TCase *tc = tcase_create("grad");

    tcase_add_test(tc, target_is_plain);
    tcase_add_test(tc, target_is_normalised);
    tcase_add_test(tc, patches_of_one_value);
    tcase_add_test(tc, loss_and_gradient);
    tcase_add_test(tc, visible_patches_do_not_count);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
