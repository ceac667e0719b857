#include "eval/reconstruct.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/moments.h"
#include "support/test.h"

enum { CHANNELS = 3, HEIGHT = 24, WIDTH = 40, PATCH = 8, COUNT = 15 };
enum { VALUES = CHANNELS * PATCH * PATCH, PIXELS = COUNT * VALUES };

static const float data_mean[CHANNELS] = {0.4f, 0.5f, 0.6f};
static const float data_std[CHANNELS] = {0.1f, 0.2f, 0.15f};
static const unsigned char mask[COUNT] = {1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0};

static MaeReconstructSpec spec_of(MaeDenorm denorm)
{
    return (MaeReconstructSpec){.grid = {CHANNELS, HEIGHT, WIDTH, PATCH},
                                .denorm = denorm,
                                .mean = data_mean,
                                .std = data_std,
                                .low = 0.0f,
                                .high = 1.0f};
}

static void open_for(MaeReconstruct *r, MaeDenorm denorm)
{
    const MaeReconstructSpec spec = spec_of(denorm);
    MaeError err = {0};

    ck_assert_ok(mae_reconstruct_open(r, &spec, &err));
}

static void run(MaeReconstruct *r, const float *image, const float *pred)
{
    MaeError err = {0};

    ck_assert_ok(mae_reconstruct_image(r, image, pred, mask, &err));
}

static bool close_to(float got, float want)
{
    return fabsf(got - want) <= 1e-6f;
}

/* A normalised image that stays inside 0 .. 1 and differs from patch to patch. */
static float *example(uint64_t salt)
{
    float *image = mae_test_normal(PIXELS, 11, salt);

    for (size_t i = 0; i < PIXELS; i++)
        image[i] = 0.3f * tanhf(image[i]) + sinf((float)(i % (HEIGHT * WIDTH)) / 90.0f);
    return image;
}

/* The target a perfect decoder would predict. */
static float *perfect(const float *image, MaeDenorm denorm)
{
    const MaePatchGrid grid = spec_of(denorm).grid;
    float *target = mae_test_alloc(PIXELS * sizeof *target);
    double mean[COUNT], std[COUNT];

    mae_patchify(target, image, &grid);
    mae_moments_measure(mean, std, image, &grid);
    for (size_t i = 0; denorm != MAE_DENORM_NONE && i < PIXELS; i++)
        target[i] = (float)(((double)target[i] - mean[i / VALUES]) / std[i / VALUES]);
    return target;
}

static bool hidden_pixel(size_t i)
{
    const size_t x = i % WIDTH, y = i / WIDTH % HEIGHT;

    return mask[y / PATCH * (WIDTH / PATCH) + x / PATCH] > 0;
}

START_TEST(perfect_prediction_is_the_original)
{
    const MaeDenorm denorm = _i == 0 ? MAE_DENORM_NONE : MAE_DENORM_ORACLE;
    float *image = example(0), *pred = perfect(image, denorm);
    MaeReconstruct r;

    open_for(&r, denorm);
    run(&r, image, pred);
    for (size_t i = 0; i < PIXELS; i++) {
        const size_t c = i / (HEIGHT * WIDTH);

        ck_assert(close_to(r.original[i], image[i] * data_std[c] + data_mean[c]));
    }
    mae_test_close("predicted", r.predicted, r.original, PIXELS, 1e-6, 0.0);
    mae_test_close("pasted", r.pasted, r.original, PIXELS, 1e-6, 0.0);
    mae_reconstruct_close(&r);
    free(image);
    free(pred);
}
END_TEST

/* Pixels under the mask must not reach the pictures, unless the oracle is asked for. */
START_TEST(hidden_pixels_do_not_leak)
{
    const MaeDenorm denorm = (MaeDenorm)_i;
    float *image = example(0), *other = example(1), *pred = perfect(image, denorm);
    float *predicted = mae_test_alloc(PIXELS * sizeof(float));
    float *pasted = mae_test_alloc(PIXELS * sizeof(float));
    bool same;
    MaeReconstruct r;

    open_for(&r, denorm);
    run(&r, image, pred);
    memcpy(predicted, r.predicted, PIXELS * sizeof(float));
    memcpy(pasted, r.pasted, PIXELS * sizeof(float));
    for (size_t i = 0; i < PIXELS; i++)
        if (hidden_pixel(i))
            image[i] = 3.0f * other[i] + 1.0f;
    run(&r, image, pred);
    same = memcmp(predicted, r.predicted, PIXELS * sizeof(float)) == 0 &&
           memcmp(pasted, r.pasted, PIXELS * sizeof(float)) == 0;
    ck_assert(same == (denorm != MAE_DENORM_ORACLE));
    mae_reconstruct_close(&r);
    free(image);
    free(other);
    free(pred);
    free(predicted);
    free(pasted);
}
END_TEST

START_TEST(visible_patches_keep_their_own_moments)
{
    float *image = example(2), *pred = perfect(image, MAE_DENORM_VISIBLE);
    MaeReconstruct r;

    open_for(&r, MAE_DENORM_VISIBLE);
    run(&r, image, pred);
    for (size_t i = 0; i < PIXELS; i++)
        if (!hidden_pixel(i))
            ck_assert(close_to(r.predicted[i], r.original[i]));
    mae_reconstruct_close(&r);
    free(image);
    free(pred);
}
END_TEST

START_TEST(pastes_visible_patches)
{
    float *image = example(3), *pred = example(4);
    MaeReconstruct r;

    open_for(&r, (MaeDenorm)_i);
    run(&r, image, pred);
    for (size_t i = 0; i < PIXELS; i++)
        ck_assert(r.pasted[i] == (hidden_pixel(i) ? r.predicted[i] : r.original[i]));
    mae_reconstruct_close(&r);
    free(image);
    free(pred);
}
END_TEST

START_TEST(clips_to_the_range)
{
    MaeReconstructSpec spec = spec_of(MAE_DENORM_NONE);
    float *image = example(5), *pred = mae_test_alloc(PIXELS * sizeof(float));
    MaeError err = {0};
    MaeReconstruct r;

    for (size_t i = 0; i < PIXELS; i++)
        pred[i] = i % 3 == 0 ? 3e38f : i % 3 == 1 ? -3e38f : 0.0f;
    spec.low = -1.0f; /* f32 data between -1 and 3 */
    spec.high = 3.0f;
    ck_assert_ok(mae_reconstruct_open(&r, &spec, &err));
    run(&r, image, pred);
    for (size_t l = 0; l < PIXELS; l++) {
        const float v = r.predicted[l];

        ck_assert(v == 0.0f || v == 1.0f ||
                  (v >= 1.4f / 4.0f - 1e-6f && v <= 0.4f + 1e-6f));
    }
    ck_assert(close_to(r.original[0], (image[0] * 0.1f + 0.4f + 1.0f) / 4.0f));
    mae_reconstruct_close(&r);
    free(image);
    free(pred);
}
END_TEST

START_TEST(refuses_non_finite_numbers)
{
    float *image = example(6), *pred = example(7);
    MaeError err = {0};
    MaeReconstruct r;

    open_for(&r, MAE_DENORM_VISIBLE);
    pred[77] = NAN;
    ck_assert_fails(mae_reconstruct_image(&r, image, pred, mask, &err), MAE_ERR_NUMERIC,
                    "prediction has nan at 77");
    pred[77] = 0.0f;
    image[5] = INFINITY;
    ck_assert_fails(mae_reconstruct_image(&r, image, pred, mask, &err), MAE_ERR_NUMERIC,
                    "image has inf at 5");
    mae_reconstruct_close(&r);
    free(image);
    free(pred);
}
END_TEST

START_TEST(refuses_bad_specs)
{
    static const float zero[CHANNELS] = {0.1f, 0.0f, 0.1f}, nan_[CHANNELS] = {0, 0, NAN};
    MaeReconstructSpec spec = spec_of(MAE_DENORM_NONE);
    MaeError err = {0};
    MaeReconstruct r;

    spec.std = zero;
    ck_assert_fails(mae_reconstruct_open(&r, &spec, &err), MAE_ERR_ARG, "channel 1");
    mae_reconstruct_close(&r);
    spec = spec_of(MAE_DENORM_NONE);
    spec.mean = nan_;
    ck_assert_fails(mae_reconstruct_open(&r, &spec, &err), MAE_ERR_ARG, "channel 2");
    spec = spec_of(MAE_DENORM_NONE);
    spec.high = spec.low;
    ck_assert_fails(mae_reconstruct_open(&r, &spec, &err), MAE_ERR_ARG, "low < high");
    spec = spec_of(MAE_DENORM_NONE);
    spec.grid.height = 23;
    ck_assert_fails(mae_reconstruct_open(&r, &spec, &err), MAE_ERR_SHAPE, "23x40");
    mae_reconstruct_close(&r);
    mae_reconstruct_close(NULL);
}
END_TEST

START_TEST(the_oracle_says_so)
{
    ck_assert(strstr(mae_denorm_name(MAE_DENORM_ORACLE), "oracle") != NULL);
    ck_assert(strstr(mae_denorm_name(MAE_DENORM_VISIBLE), "visible") != NULL);
    ck_assert(strstr(mae_denorm_name(MAE_DENORM_NONE), "oracle") == NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_reconstruct");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, perfect_prediction_is_the_original, 0, 2);
    tcase_add_loop_test(tc, hidden_pixels_do_not_leak, MAE_DENORM_NONE,
                        MAE_DENORM_ORACLE + 1);
    tcase_add_test(tc, visible_patches_keep_their_own_moments);
    tcase_add_loop_test(tc, pastes_visible_patches, MAE_DENORM_NONE,
                        MAE_DENORM_ORACLE + 1);
    tcase_add_test(tc, clips_to_the_range);
    tcase_add_test(tc, refuses_non_finite_numbers);
    tcase_add_test(tc, refuses_bad_specs);
    tcase_add_test(tc, the_oracle_says_so);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
