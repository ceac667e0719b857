#include "data/erasing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

enum { IMAGES = 20000, BINS = 10 };

static MaeRng stream(uint64_t sample)
{
    MaeRng rng;

    mae_rng_init(&rng, 5, 2, sample, MAE_RNG_ERASE);
    return rng;
}

/* Each bin of a uniform variable holds its share; 5 deviations. */
static void expect_uniform(const size_t bins[BINS], size_t n, const char *what)
{
    const double share = (double)n / BINS, deviation = sqrt(share * (1.0 - 1.0 / BINS));

    for (size_t i = 0; i < BINS; i++)
        ck_assert_msg(fabs((double)bins[i] - share) < 5.0 * deviation,
                      "%s: bin %zu has %zu of %zu", what, i, bins[i], n);
}

static void count(size_t bins[BINS], double v, double low, double high)
{
    const double at = (v - low) / (high - low) * BINS;

    bins[at < 0.0 ? 0 : at >= BINS ? BINS - 1 : (size_t)at]++;
}

/* On an image so large that rounding does not matter. */
START_TEST(areas_aspects_and_places)
{
    const size_t side = 100000;
    size_t areas[BINS] = {0}, aspects[BINS] = {0}, rows[BINS] = {0}, columns[BINS] = {0};
    size_t erased = 0;

    for (uint64_t i = 0; i < IMAGES; i++) {
        MaeRng rng = stream(i);
        MaeBox box;

        if (!mae_erasing_draw(&box, 0.25, side, side, &rng))
            continue;
        erased++;
        ck_assert(box.top + box.height <= side && box.left + box.width <= side);
        count(areas, (double)box.height * (double)box.width / 1e10, 0.02, 1.0 / 3.0);
        count(aspects, log((double)box.height / (double)box.width), log(0.3), -log(0.3));
        count(rows, (double)box.top, 0.0, (double)(side - box.height) + 1.0);
        count(columns, (double)box.left, 0.0, (double)(side - box.width) + 1.0);
    }
    /* nearly every first rectangle fits: at most 1/3 of the area at an aspect of 10/3
     * is 1.05 of the side; those are drawn again */
    ck_assert_double_eq_tol((double)erased / IMAGES, 0.25, 5.0 * 0.00306);
    expect_uniform(areas, erased, "area");
    expect_uniform(aspects, erased, "aspect");
    expect_uniform(rows, erased, "row");
    expect_uniform(columns, erased, "column");
}
END_TEST

START_TEST(probability_is_kept)
{
    static const double probabilities[] = {0.0, 0.1, 0.5, 1.0};
    const double p = probabilities[_i];
    size_t erased = 0;
    MaeBox box;

    for (uint64_t i = 0; i < IMAGES; i++) {
        MaeRng rng = stream(i);

        erased += mae_erasing_draw(&box, p, 32, 48, &rng);
    }
    ck_assert_double_le(fabs((double)erased / IMAGES - p),
                        5.0 * sqrt(p * (1.0 - p) / IMAGES));
}
END_TEST

/* A rectangle is smaller than the image in both directions, so one pixel is none. */
START_TEST(small_and_narrow_images)
{
    static const size_t sides[][2] = {{1, 1}, {1, 40}, {40, 1}, {2, 2}, {3, 5}};

    for (uint64_t i = 0; i < 1000; i++) {
        const size_t height = sides[i % 5][0], width = sides[i % 5][1];
        MaeRng rng = stream(i);
        MaeBox box;

        if (!mae_erasing_draw(&box, 1.0, height, width, &rng))
            continue;
        ck_assert(box.height < height && box.width < width);
        ck_assert(box.top + box.height <= height && box.left + box.width <= width);
    }
}
END_TEST

START_TEST(noise_is_standard_normal)
{
    const size_t channels = 3, height = 150, width = 130, n = channels * height * width;
    const MaeBox box = {.top = 7, .left = 11, .height = 120, .width = 110};
    const double inside = (double)(channels * box.height * box.width);
    float *chw = mae_test_alloc(n * sizeof *chw);
    double sum = 0.0, squares = 0.0, beside = 0.0;
    size_t left = 0, beyond = 0;
    MaeRng rng = stream(1);

    for (size_t i = 0; i < n; i++)
        chw[i] = 99.0f;
    mae_erasing_apply(chw, channels, height, width, &box, &rng);
    for (size_t i = 0; i < n; i++) {
        const size_t y = i / width % height, x = i % width;
        const double v = (double)chw[i];

        if (y < box.top || y >= box.top + box.height || x < box.left ||
            x >= box.left + box.width) {
            ck_assert_double_eq(v, 99.0);
            left++;
            continue;
        }
        sum += v;
        squares += v * v;
        beyond += fabs(v) > 1.959964;
        beside += x > box.left ? v * (double)chw[i - 1] : 0.0;
    }
    ck_assert_uint_eq(left, n - (size_t)inside);
    ck_assert_double_eq_tol(sum / inside, 0.0, 5.0 / sqrt(inside));
    ck_assert_double_eq_tol(squares / inside, 1.0, 5.0 * sqrt(2.0 / inside));
    ck_assert_double_eq_tol((double)beyond / inside, 0.05, 5.0 * sqrt(0.0475 / inside));
    ck_assert_double_eq_tol(beside / inside, 0.0, 5.0 / sqrt(inside));
    free(chw);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("data_erasing");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, areas_aspects_and_places);
    tcase_add_loop_test(tc, probability_is_kept, 0, 4);
    tcase_add_test(tc, small_and_narrow_images);
    tcase_add_test(tc, noise_is_standard_normal);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
