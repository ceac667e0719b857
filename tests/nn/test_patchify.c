#include "nn/patchify.h"

#include <stdlib.h>
#include <string.h>

#include "support/test.h"

static const MaePatchGrid grids[] = {
    {3, 24, 40, 8}, {5, 35, 35, 5}, {1, 28, 28, 4}, {2, 6, 4, 1}, {4, 16, 16, 16},
};
enum { GRIDS = sizeof grids / sizeof *grids };

/* Values that name their place: channel, row, column. */
static float *numbered(const MaePatchGrid *g)
{
    float *image = mae_test_alloc(g->channels * g->height * g->width * sizeof *image);

    for (size_t c = 0, n = 0; c < g->channels; c++)
        for (size_t y = 0; y < g->height; y++)
            for (size_t x = 0; x < g->width; x++)
                image[n++] = (float)(c * 10000 + y * 100 + x);
    return image;
}

START_TEST(target_order)
{
    const MaePatchGrid *g = &grids[_i];
    const size_t p = g->patch, values = mae_patch_values(g), count = mae_patch_count(g);
    float *image = numbered(g), *patches = mae_test_alloc(count * values * sizeof(float));
    float *back = mae_test_alloc(count * values * sizeof(float));

    mae_patchify(patches, image, g);
    for (size_t l = 0; l < count; l++)
        for (size_t i = 0; i < values; i++) {
            const size_t c = i % g->channels, x = i / g->channels % p;
            const size_t y = i / g->channels / p, columns = g->width / p;

            ck_assert(
                patches[l * values + i] ==
                (float)(c * 10000 + (l / columns * p + y) * 100 + l % columns * p + x));
        }
    mae_unpatchify(back, patches, g);
    ck_assert(memcmp(back, image, count * values * sizeof(float)) == 0);
    free(image);
    free(patches);
    free(back);
}
END_TEST

START_TEST(convolution_order)
{
    const MaePatchGrid *g = &grids[_i];
    const size_t p = g->patch, values = mae_patch_values(g), count = mae_patch_count(g);
    float *image = numbered(g), *all = mae_test_alloc(count * values * sizeof(float));
    float *some = mae_test_alloc(3 * values * sizeof(float));
    const MaeOperand half = {mae_test_alloc(3 * values * sizeof(uint16_t)), MAE_BF16};
    const uint32_t ids[] = {(uint32_t)(count - 1), 0, (uint32_t)(count / 2)};

    mae_patchify_conv(mae_operand_f32(all), image, g, NULL, count);
    for (size_t l = 0; l < count; l++)
        for (size_t i = 0; i < values; i++) {
            const size_t c = i / (p * p), y = i / p % p, x = i % p,
                         columns = g->width / p;

            ck_assert(
                all[l * values + i] ==
                (float)(c * 10000 + (l / columns * p + y) * 100 + l % columns * p + x));
        }
    mae_patchify_conv(mae_operand_f32(some), image, g, ids, 3);
    for (size_t v = 0; v < 3; v++)
        ck_assert(memcmp(some + v * values, all + ids[v] * values,
                         values * sizeof(float)) == 0);
    mae_patchify_conv(half, image, g, ids, 3);
    for (size_t i = 0; i < 3 * values; i++)
        ck_assert_uint_eq(((const uint16_t *)half.data)[i], mae_bf16(some[i]));
    free(half.data);
    free(image);
    free(all);
    free(some);
}
END_TEST

/* The reference's target of its own images, both golden models. */
START_TEST(golden_target)
{
    char *path = strdup(mae_test_golden(_i == 0 ? "mae_rgb.h5" : "mae_gray.h5"));
    const size_t channels = (size_t)mae_test_h5_attr(path, "/", "in_chans");
    const size_t patch = (size_t)mae_test_h5_attr(path, "/", "patch_size");
    const size_t batch = (size_t)mae_test_h5_attr(path, "/", "batch");
    size_t n, m, side = 0;
    float *images = mae_test_h5_floats(path, "images", &n);
    float *target = mae_test_h5_floats(path, "norm_pix_0/target", &m);
    float *patches = mae_test_alloc(n * sizeof(float));

    ck_assert_uint_eq(n, m);
    while (batch * channels * side * side < n)
        side++;
    for (size_t b = 0; b < batch; b++) {
        const MaePatchGrid g = {channels, side, side, patch};

        mae_patchify(patches + b * (n / batch), images + b * (n / batch), &g);
    }
    mae_test_close("target", patches, target, n, 0.0, 0.0);
    free(path);
    free(images);
    free(target);
    free(patches);
}
END_TEST

START_TEST(refuses_bad_grids)
{
    static const struct {
        MaePatchGrid grid;
        const char *text;
    } bad[] = {
        {{0, 8, 8, 4}, "positive"},
        {{1, 8, 8, 0}, "positive"},
        {{1, 8, 10, 4}, "divisible by patch 4, got 8x10"},
        {{1, 4, 4, 8}, "divisible"},
        {{1, SIZE_MAX / 2, SIZE_MAX / 2, 1}, "address space"},
        {{SIZE_MAX / 2, 8, 8, 4}, "address space"},
    };
    MaeError err = {0};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_fails(mae_patch_grid_check(&bad[i].grid, &err), MAE_ERR_SHAPE,
                        bad[i].text);
    for (size_t i = 0; i < GRIDS; i++)
        ck_assert_ok(mae_patch_grid_check(&grids[i], &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nn_patchify");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, target_order, 0, GRIDS);
    tcase_add_loop_test(tc, convolution_order, 0, GRIDS);
    tcase_add_loop_test(tc, golden_target, 0, 2);
    tcase_add_test(tc, refuses_bad_grids);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
