#include "model/pixel_loss.h"

#include <math.h>
#include <stdlib.h>

#include "support/grad.h"

/* Two channels of 6x9 pixels: 6 patches of 18 values. */
static const MaePatchGrid grid = {2, 6, 9, 3};
enum { PATCHES = 6, VALUES = 18, N = PATCHES * VALUES };

static void all_targets(float *target, const float *image, bool norm_pix)
{
    for (size_t l = 0; l < PATCHES; l++)
        mae_pixel_target(target + l * VALUES, image, &grid, l, norm_pix);
}

START_TEST(target_is_plain)
{
    float *image = mae_test_normal(N, 1, 0), target[N], want[N];

    all_targets(target, image, false);
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
    all_targets(target, image, true);
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
    float target;

    for (size_t l = 0; l < 6; l++) {
        mae_pixel_target(&target, image, &dots, l, true);
        ck_assert_f32_eq(target, 0.0f);
    }
}
END_TEST

typedef struct Case {
    double pred[VALUES];
    const float *target;
} Case;

/* The formula; 2.5 is the scale of the gradient below. */
static double loss(void *ctx)
{
    const Case *c = ctx;
    double sum = 0.0;

    for (size_t i = 0; i < VALUES; i++) {
        const double diff = c->pred[i] - (double)c->target[i];

        sum += diff * diff / VALUES;
    }
    return 2.5 * sum;
}

START_TEST(loss_and_gradient)
{
    float *pred = mae_test_normal(VALUES, 1, 1), *target = mae_test_normal(VALUES, 1, 2);
    float *diff = test_copy(target, VALUES);
    Case c = {.target = target};
    double *want;

    for (size_t i = 0; i < VALUES; i++)
        c.pred[i] = (double)pred[i];
    ck_assert_double_eq_tol(2.5 * mae_pixel_loss(diff, pred, VALUES), loss(&c),
                            1e-6 * loss(&c));
    for (size_t i = 0; i < VALUES; i++)
        ck_assert_f32_eq(diff[i], target[i] - pred[i]);
    want = test_differences(c.pred, VALUES, loss, &c);
    mae_pixel_loss_grad(diff, VALUES, 2.5);
    test_close_to("dpred", diff, want, VALUES);
    free(pred);
    free(target);
    free(diff);
    free(want);
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
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
