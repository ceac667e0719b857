#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "image/resize_table.h"
#include "support/test.h"

#define BAND MAE_RESIZE_BAND

static uint8_t *random_bytes(size_t n, MaeRng *rng)
{
    uint8_t *bytes = mae_test_alloc(n);

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)mae_rng_below(rng, 256);
    return bytes;
}

/* Weights of a sharpening filter, some of them negative. */
static int32_t *random_weights(size_t n, size_t taps, MaeRng *rng)
{
    int32_t *weights = mae_test_alloc(n * taps * sizeof *weights);

    for (size_t i = 0; i < n * taps; i++)
        weights[i] =
            (int32_t)((mae_rng_double(rng) * 3.4 - 1.4) * (1 << MAE_RESIZE_BITS)) /
            (int32_t)taps;
    return weights;
}

static uint8_t plain(const uint8_t *in, size_t step, const int32_t *w, size_t taps)
{
    int64_t sum = 1 << (MAE_RESIZE_BITS - 1);

    for (size_t t = 0; t < taps; t++)
        sum += (int64_t)w[t] * in[t * step];
    sum = sum < 0 ? 0 : sum >> MAE_RESIZE_BITS;
    return (uint8_t)(sum > 255 ? 255 : sum);
}

START_TEST(down_equals_a_plain_loop)
{
    const MaeResizeTable *table = mae_resize_table((size_t)_i);
    MaeRng rng;

    mae_rng_init(&rng, 1, 0, 0, MAE_RNG_TEST);
    for (int round = 0; table != NULL && round < 60; round++) {
        const size_t taps = mae_rng_below(&rng, 12) + 1;
        const size_t n = BAND * (mae_rng_below(&rng, 9) + 1);
        const size_t step = n + mae_rng_below(&rng, 3);
        uint8_t *in = random_bytes(taps * step, &rng), *out = mae_test_alloc(n);
        int32_t *w = random_weights(1, taps, &rng);

        table->down(out, in, step, w, taps, n);
        for (size_t i = 0; i < n; i++)
            ck_assert_msg(out[i] == plain(in + i, step, w, taps), "%s: n %zu, taps %zu",
                          table->name, n, taps);
        free(in);
        free(out);
        free(w);
    }
}
END_TEST

/* One band of random shape; every sample against a plain loop. */
static void check_across(const MaeResizeTable *table, MaeRng *rng)
{
    const size_t channels = mae_rng_below(rng, 5) + 1,
                 pixels = mae_rng_below(rng, 90) + 1;
    const size_t count = mae_rng_below(rng, 70) + 1, line = pixels * channels;
    const size_t taps = mae_rng_below(rng, (uint32_t)pixels) + 1;
    const size_t plane = (count + BAND - 1) / BAND * BAND;
    uint8_t *in = random_bytes(BAND * line, rng);
    size_t *start = mae_test_alloc(count * sizeof *start);
    size_t *used = mae_test_alloc(count * sizeof *used);
    int32_t *w = random_weights(count, taps, rng);
    MaeResizeBand band = {
        .pixels = pixels, .channels = channels, .count = count, .taps = taps};

    for (size_t i = 0; i < count; i++) {
        used[i] = mae_rng_below(rng, (uint32_t)taps) + 1;
        start[i] = mae_rng_below(rng, (uint32_t)(pixels - used[i] + 1));
    }
    for (size_t r = 0; r < BAND; r++)
        band.rows[r] = in + r * line;
    band.start = start;
    band.used = used;
    band.weights = w;
    band.plane = plane;
    band.turned = mae_test_alloc(line * BAND);
    band.sums = mae_test_alloc(plane * channels * BAND);
    band.out = mae_test_alloc(BAND * channels * plane);
    table->across(&band);
    for (size_t r = 0; r < BAND; r++) {
        for (size_t i = 0; i < count * channels; i++) {
            const size_t x = i / channels, c = i % channels;
            const uint8_t want = plain(band.rows[r] + start[x] * channels + c, channels,
                                       w + x * taps, used[x]);

            ck_assert_msg(band.out[(r * channels + c) * plane + x] == want,
                          "%s: [%zu,%zu] to %zu, row %zu, pixel %zu", table->name, pixels,
                          channels, count, r, x);
        }
    }
    free(in);
    free(start);
    free(used);
    free(w);
    free(band.turned);
    free(band.sums);
    free(band.out);
}

START_TEST(across_equals_a_plain_loop)
{
    const MaeResizeTable *table = mae_resize_table((size_t)_i);
    MaeRng rng;

    mae_rng_init(&rng, 2, 0, 0, MAE_RNG_TEST);
    for (int round = 0; table != NULL && round < 60; round++)
        check_across(table, &rng);
}
END_TEST

START_TEST(the_last_table_is_taken)
{
    size_t count = 0;

    while (mae_resize_table(count) != NULL)
        count++;
    ck_assert_uint_ge(count, 1);
    ck_assert_ptr_eq(mae_resize_best(), mae_resize_table(count - 1));
    ck_assert_str_eq(mae_resize_table(0)->name, "portable");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("image_resize_impl");
    TCase *tc = tcase_create("ref");

    tcase_add_loop_test(tc, down_equals_a_plain_loop, 0, 3);
    tcase_add_loop_test(tc, across_equals_a_plain_loop, 0, 3);
    tcase_add_test(tc, the_last_table_is_taken);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
