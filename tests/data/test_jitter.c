#include "data/jitter.h"

#include <math.h>
#include <string.h>

#include "data/fixture.h"
#include "image/colour.h"

enum { IMAGES = 12000 };

static MaeError err;

static MaeRng stream(uint64_t sample)
{
    MaeRng rng;

    mae_rng_init(&rng, 5, 2, sample, MAE_RNG_AUGMENT);
    return rng;
}

/* Mean and deviation of a uniform distribution, independent of each other. */
START_TEST(factors_are_uniform)
{
    static const double strengths[] = {0.0, 0.4, 1.0, 1.5};
    const double s = strengths[_i], low = fmax(0.0, 1.0 - s), high = 1.0 + s;
    const double mean = (low + high) / 2.0, deviation = (high - low) / sqrt(12.0);
    double sum[MAE_JITTERS] = {0}, squares[MAE_JITTERS] = {0}, product = 0.0;
    double least = 9.0, most = -9.0;

    for (uint64_t i = 0; i < IMAGES; i++) {
        MaeRng rng = stream(i);
        const MaeJitter jitter = mae_jitter_draw(s, &rng);

        for (size_t k = 0; k < MAE_JITTERS; k++) {
            const double d = jitter.factor[k] - mean;

            sum[k] += d;
            squares[k] += d * d;
            least = fmin(least, jitter.factor[k]);
            most = fmax(most, jitter.factor[k]);
        }
        product += (jitter.factor[0] - mean) * (jitter.factor[1] - mean);
    }
    for (size_t k = 0; k < MAE_JITTERS; k++) {
        ck_assert_double_eq_tol(sum[k] / IMAGES, 0.0,
                                5.0 * deviation / sqrt((double)IMAGES) + 1e-12);
        ck_assert_double_eq_tol(sqrt(squares[k] / IMAGES), deviation,
                                0.02 * deviation + 1e-12);
    }
    ck_assert_double_eq_tol(product / IMAGES, 0.0,
                            5.0 * deviation * deviation / sqrt((double)IMAGES) + 1e-12);
    ck_assert(least >= low && least <= low + 0.001 * (1.0 + s));
    ck_assert(most <= high && most >= high - 0.001 * (1.0 + s));
}
END_TEST

START_TEST(all_orders_are_as_likely)
{
    size_t seen[MAE_JITTERS][MAE_JITTERS][MAE_JITTERS] = {0}, kinds = 0;

    for (uint64_t i = 0; i < IMAGES; i++) {
        MaeRng rng = stream(i);
        const MaeJitter jitter = mae_jitter_draw(0.4, &rng);

        seen[jitter.order[0]][jitter.order[1]][jitter.order[2]]++;
    }
    for (size_t i = 0; i < 27; i++) {
        const size_t n = (&seen[0][0][0])[i];

        kinds += n > 0;
        ck_assert(n == 0 || fabs((double)n - IMAGES / 6.0) < 5.0 * 41.0);
    }
    ck_assert_uint_eq(kinds, 6);
}
END_TEST

START_TEST(changes_come_in_their_order)
{
    const MaeJitter jitter = {
        .factor = {1.3, 0.6, 1.4},
        .order = {MAE_JITTER_SATURATION, MAE_JITTER_BRIGHTNESS, MAE_JITTER_CONTRAST}};
    MaeImage img = fixture_image(9, 7, 3, 1), want = fixture_image(9, 7, 3, 1);

    mae_jitter_apply(&img, &jitter);
    mae_colour_saturation(&want, 1.4f);
    mae_colour_brightness(&want, 1.3f);
    mae_colour_contrast(&want, 0.6f);
    ck_assert_mem_eq(img.data, want.data, 9 * 7 * 3);
    mae_image_done(&img);
    mae_image_done(&want);
}
END_TEST

/* Strength 0 changes nothing; grey images have no saturation. */
START_TEST(nothing_and_grey)
{
    MaeImage img = fixture_image(5, 4, 3, 2), same = fixture_image(5, 4, 3, 2);
    MaeJitter jitter = {.factor = {1.0, 1.0, 0.0}, .order = {0, 1, 2}};
    MaeRng rng = stream(1);
    const MaeJitter none = mae_jitter_draw(0.0, &rng);

    mae_jitter_apply(&img, &none);
    ck_assert_mem_eq(img.data, same.data, 5 * 4 * 3);
    ck_assert_ok(mae_image_channels(&img, 1, &err));
    ck_assert_ok(mae_image_channels(&same, 1, &err));
    mae_jitter_apply(&img, &jitter);
    ck_assert_mem_eq(img.data, same.data, 5 * 4);
    mae_image_done(&img);
    mae_image_done(&same);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_jitter");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, factors_are_uniform, 0, 4);
    tcase_add_test(tc, all_orders_are_as_likely);
    tcase_add_test(tc, changes_come_in_their_order);
    tcase_add_test(tc, nothing_and_grey);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
