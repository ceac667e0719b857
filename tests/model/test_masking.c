#include "model/masking.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/test.h"

typedef struct Fixture {
    MaeMask mask;
    MaeMaskScratch scratch;
    MaeArena arena;
} Fixture;

static void open_mask(Fixture *f, MaeMaskKind kind, size_t grid_h, size_t grid_w,
                      double ratio, size_t batch)
{
    MaeArena measure = mae_arena_measure();
    MaeError err = {0};

    ck_assert_ok(mae_mask_define(&f->mask, kind, grid_h, grid_w, ratio, &err));
    mae_mask_reserve(&f->mask, &measure, batch);
    mae_mask_reserve_scratch(&f->scratch, &f->mask, &measure);
    ck_assert_ok(mae_arena_open(&f->arena, &measure, "mask", &err));
    mae_mask_reserve(&f->mask, &f->arena, batch);
    mae_mask_reserve_scratch(&f->scratch, &f->mask, &f->arena);
    ck_assert_ok(mae_arena_check(&f->arena, "mask", &err));
}

static void close_mask(Fixture *f)
{
    mae_arena_close(&f->arena);
}

/* Ranks are a permutation, the kept ids its head, the flags its tail. */
static void check_consistent(const MaeMask *mask, size_t b)
{
    const uint32_t *restore = mask->ids_restore + b * mask->patches;
    const uint32_t *keep = mask->ids_keep + b * mask->visible;
    const unsigned char *hidden = mask->mask + b * mask->patches;
    unsigned char *seen = mae_test_alloc(mask->patches);

    for (size_t l = 0; l < mask->patches; l++) {
        ck_assert_uint_lt(restore[l], mask->patches);
        ck_assert_uint_eq(seen[restore[l]]++, 0);
        ck_assert_uint_eq(hidden[l], restore[l] >= mask->visible);
    }
    for (size_t v = 0; v < mask->visible; v++) {
        ck_assert_uint_lt(keep[v], mask->patches);
        ck_assert_uint_eq(restore[keep[v]], v);
    }
    free(seen);
}

START_TEST(golden)
{
    static const char *const files[] = {"mae_rgb.h5", "mae_gray.h5"};
    const char *path = mae_test_golden(files[_i]);
    const size_t side = (size_t)(mae_test_h5_attr(path, "/", "img_size") /
                                 mae_test_h5_attr(path, "/", "patch_size"));
    const size_t batch = (size_t)mae_test_h5_attr(path, "/", "batch");
    const size_t patches = side * side;
    float *noise, *restore, *mask;
    Fixture f;
    size_t n;

    open_mask(&f, MAE_MASK_RANDOM, side, side, mae_test_h5_attr(path, "/", "mask_ratio"),
              batch);
    noise = mae_test_h5_floats(path, "noise", &n);
    ck_assert_uint_ge(n, batch * patches);
    restore = mae_test_h5_floats(path, "norm_pix_0/ids_restore", &n);
    ck_assert_uint_eq(n, batch * patches);
    mask = mae_test_h5_floats(path, "norm_pix_0/mask", &n);
    ck_assert_uint_eq(n, batch * patches);
    for (size_t b = 0; b < batch; b++) {
        mae_mask_from_noise(&f.mask, b, noise + b * patches, &f.scratch);
        check_consistent(&f.mask, b);
    }
    for (size_t i = 0; i < batch * patches; i++) {
        ck_assert_uint_eq(f.mask.ids_restore[i], (size_t)restore[i]);
        ck_assert_uint_eq(f.mask.mask[i], (unsigned)mask[i]);
    }
    free(noise);
    free(restore);
    free(mask);
    close_mask(&f);
}
END_TEST

START_TEST(equal_noise_keeps_order)
{
    const float noise[] = {0.5f, 0.1f, 0.5f, 0.1f, 0.5f, 0.0f, 0.5f};
    const uint32_t restore[] = {3, 1, 4, 2, 5, 0, 6}, keep[] = {5, 1, 3};
    Fixture f;

    open_mask(&f, MAE_MASK_RANDOM, 1, 7, 0.5, 1);
    mae_mask_from_noise(&f.mask, 0, noise, &f.scratch);
    ck_assert_uint_eq(f.mask.visible, 3);
    ck_assert(memcmp(f.mask.ids_restore, restore, sizeof restore) == 0);
    ck_assert(memcmp(f.mask.ids_keep, keep, sizeof keep) == 0);
    close_mask(&f);
}
END_TEST

START_TEST(every_kind_keeps_exactly)
{
    static const size_t grids[][2] = {{14, 14}, {8, 8}, {7, 7}, {1, 9}, {13, 2}, {3, 32}};
    static const double ratios[] = {0.0, 0.25, 0.5, 0.6, 0.75, 0.88};

    for (size_t g = 0; g < sizeof grids / sizeof *grids; g++) {
        for (size_t r = 0; r < sizeof ratios / sizeof *ratios; r++) {
            Fixture f;

            open_mask(&f, (MaeMaskKind)_i, grids[g][0], grids[g][1], ratios[r], 2);
            for (uint64_t sample = 0; sample < 20; sample++) {
                mae_mask_draw(&f.mask, sample % 2, 3, 1, sample, &f.scratch);
                check_consistent(&f.mask, sample % 2);
            }
            close_mask(&f);
        }
    }
}
END_TEST

START_TEST(addressed_by_seed_epoch_sample)
{
    Fixture f;
    size_t bytes;

    open_mask(&f, (MaeMaskKind)_i, 14, 14, 0.75, 5);
    bytes = f.mask.patches * sizeof *f.mask.ids_restore;
    mae_mask_draw(&f.mask, 0, 7, 2, 11, &f.scratch);
    mae_mask_draw(&f.mask, 1, 8, 2, 11, &f.scratch);
    mae_mask_draw(&f.mask, 2, 7, 3, 11, &f.scratch);
    mae_mask_draw(&f.mask, 3, 7, 2, 12, &f.scratch);
    mae_mask_draw(&f.mask, 4, 7, 2, 11, &f.scratch);
    for (size_t b = 1; b < 5; b++) {
        const bool same =
            memcmp(f.mask.ids_restore, f.mask.ids_restore + b * 196, bytes) == 0;

        ck_assert_msg(same == (b == 4), "sample %zu", b);
    }
    close_mask(&f);
}
END_TEST

/* Each patch is hidden in ratio of the samples: 4 standard deviations. */
START_TEST(random_is_uniform)
{
    enum { SAMPLES = 4000, PATCHES = 64 };
    const double tolerance = 4.0 * sqrt(SAMPLES * 0.75 * 0.25);
    unsigned hidden[PATCHES] = {0};
    Fixture f;

    open_mask(&f, MAE_MASK_RANDOM, 8, 8, 0.75, 1);
    for (uint64_t sample = 0; sample < SAMPLES; sample++) {
        mae_mask_draw(&f.mask, 0, 1, 0, sample, &f.scratch);
        for (size_t l = 0; l < PATCHES; l++)
            hidden[l] += f.mask.mask[l];
    }
    for (size_t l = 0; l < PATCHES; l++)
        ck_assert_double_eq_tol(hidden[l], SAMPLES * 0.75, tolerance);
    close_mask(&f);
}
END_TEST

START_TEST(grid_pattern)
{
    static const double ratios[] = {0.5, 0.75, 0.9375};
    Fixture f;

    for (size_t k = 0; k < sizeof ratios / sizeof *ratios; k++) {
        open_mask(&f, MAE_MASK_GRID, 16, 8, ratios[k], 1);
        mae_mask_draw(&f.mask, 0, 1, 0, 0, &f.scratch);
        for (size_t l = 0; l < f.mask.patches; l++) {
            const size_t row = l / 8, column = l % 8;
            const bool visible[] = {
                (row + column) % 2 == 0,
                row % 2 == 0 && column % 2 == 0,
                row % 4 == 0 && column % 4 == 0,
            };

            ck_assert_msg(f.mask.mask[l] == !visible[k], "ratio %g, row %zu, column %zu",
                          ratios[k], row, column);
        }
        close_mask(&f);
    }
}
END_TEST

/* Neighbours of hidden patches are hidden more often than under a random mask. */
static double hidden_neighbours(MaeMaskKind kind)
{
    double pairs = 0.0, both = 0.0;
    Fixture f;

    open_mask(&f, kind, 14, 14, 0.5, 1);
    for (uint64_t sample = 0; sample < 200; sample++) {
        mae_mask_draw(&f.mask, 0, 1, 0, sample, &f.scratch);
        for (size_t l = 0; l < 196; l++) {
            if (l % 14 == 13 || !f.mask.mask[l])
                continue;
            pairs += 1.0;
            both += f.mask.mask[l + 1];
        }
    }
    close_mask(&f);
    return both / pairs;
}

START_TEST(blocks_are_connected)
{
    ck_assert_double_lt(hidden_neighbours(MAE_MASK_RANDOM), 0.55);
    ck_assert_double_gt(hidden_neighbours(MAE_MASK_BLOCK), 0.75);
    ck_assert_double_eq(hidden_neighbours(MAE_MASK_GRID), 0.0);
}
END_TEST

START_TEST(from_flags)
{
    const unsigned char hidden[] = {1, 0, 2, 1, 0, 255};
    const unsigned char few[] = {1, 0, 1, 1, 1, 1};
    const uint32_t keep[] = {1, 4}, restore[] = {2, 0, 3, 4, 1, 5};
    MaeError err = {0};
    Fixture f;

    open_mask(&f, MAE_MASK_RANDOM, 2, 3, 0.6, 2);
    ck_assert_ok(mae_mask_from_flags(&f.mask, 1, hidden, &err));
    check_consistent(&f.mask, 1);
    ck_assert(memcmp(f.mask.ids_keep + 2, keep, sizeof keep) == 0);
    ck_assert(memcmp(f.mask.ids_restore + 6, restore, sizeof restore) == 0);
    ck_assert_fails(mae_mask_from_flags(&f.mask, 1, few, &err), MAE_ERR_SHAPE,
                    "expected 2 visible of 6 patches, got 1");
    check_consistent(&f.mask, 1);
    close_mask(&f);
}
END_TEST

START_TEST(sizes)
{
    MaeArena measure = mae_arena_measure();
    MaeError err = {0};
    MaeMask mask;

    ck_assert_uint_eq(mae_mask_keep(196, 0.75), 49);
    ck_assert_uint_eq(mae_mask_keep(49, 0.6), 19);
    ck_assert_uint_eq(mae_mask_keep(10, 0.9), 0); /* 10 * (1 - 0.9) is just below 1 */
    ck_assert_fails(mae_mask_define(&mask, MAE_MASK_RANDOM, 0, 4, 0.5, &err),
                    MAE_ERR_SHAPE, "0 x 4");
    ck_assert_fails(mae_mask_define(&mask, MAE_MASK_RANDOM, SIZE_MAX, 4, 0.5, &err),
                    MAE_ERR_SHAPE, "x 4");
    ck_assert_fails(mae_mask_define(&mask, MAE_MASK_RANDOM, 4, 4, 1.0, &err), MAE_ERR_ARG,
                    "ratio");
    ck_assert_fails(mae_mask_define(&mask, MAE_MASK_RANDOM, 4, 4, -0.1, &err),
                    MAE_ERR_ARG, "ratio");
    ck_assert_fails(mae_mask_define(&mask, MAE_MASK_RANDOM, 4, 4, (double)NAN, &err),
                    MAE_ERR_ARG, "ratio");
    ck_assert_fails(mae_mask_define(&mask, MAE_MASK_RANDOM, 2, 2, 0.9, &err), MAE_ERR_ARG,
                    "none visible");
    ck_assert_ok(mae_mask_define(&mask, MAE_MASK_RANDOM, 4, 4, 0.0, &err));
    ck_assert_uint_eq(mask.visible, 16);
    mae_mask_reserve(&mask, &measure, SIZE_MAX / 8);
    ck_assert(measure.failed);
}
END_TEST

/* What a mask shows, a mask of the same noise that shows more shows too. */
START_TEST(random_and_grid_masks_are_nested)
{
    const MaeMaskKind kind = _i == 0 ? MAE_MASK_RANDOM : MAE_MASK_GRID;
    Fixture before, f;

    open_mask(&before, kind, 5, 7, 0.97, 2);
    mae_mask_draw(&before.mask, 1, 3, 0, 11, &before.scratch);
    for (size_t hidden = 34; hidden-- > 0;) {
        open_mask(&f, kind, 5, 7, fmax((double)hidden / 35.0 - 1e-4, 0.0), 2);
        mae_mask_draw(&f.mask, 1, 3, 0, 11, &f.scratch);
        ck_assert_uint_eq(f.mask.visible, 35 - hidden);
        for (size_t l = 0; l < 35; l++)
            ck_assert(f.mask.mask[35 + l] <= before.mask.mask[35 + l]);
        close_mask(&before);
        before = f;
    }
    close_mask(&before);
}
END_TEST

/* All masks of a cover together: how often each patch is hidden; each mask is whole. */
START_TEST(a_cover_hides_every_patch)
{
    static const struct {
        double ratio;
        size_t masks, least, most; /* of 5 x 7 = 35 patches */
    } cases[] = {
        {0.79, 5, 4, 4},    /* V = 7: each patch is visible in exactly one of five */
        {0.2, 5, 1, 1},     /* 7 hidden: each is hidden in exactly one */
        {0.75, 5, 3, 4},    /* V = 8 */
        {0.5, 3, 1, 2},     /* V = 17, 18 hidden */
        {0.3, 4, 1, 2},     /* V = 24, 11 hidden */
        {0.97, 35, 34, 34}, /* V = 1 */
        {0.02, 35, 1, 1},   /* V = 34 */
    };
    const size_t masks = cases[_i].masks;
    unsigned char first[35];
    size_t times[35] = {0};
    Fixture f;

    open_mask(&f, MAE_MASK_RANDOM, 5, 7, cases[_i].ratio, 2);
    ck_assert_uint_eq(mae_mask_cover(&f.mask), masks);
    for (size_t k = 0; k < masks; k++) {
        mae_mask_draw(&f.mask, 1, 3, 0, 11, &f.scratch);
        if (k == 0)
            memcpy(first, f.mask.mask + 35, sizeof first);
        mae_mask_turn(&f.mask, 1, k);
        check_consistent(&f.mask, 1);
        for (size_t l = 0; l < 35; l++) {
            times[l] += f.mask.mask[35 + l];
            ck_assert(k > 0 || f.mask.mask[35 + l] == first[l]);
        }
    }
    for (size_t l = 0; l < 35; l++) {
        ck_assert_uint_ge(times[l], cases[_i].least);
        ck_assert_uint_le(times[l], cases[_i].most);
    }
    close_mask(&f);
}
END_TEST

START_TEST(defined_by_visible_patches)
{
    MaeError err = {0};
    MaeMask mask;

    ck_assert_ok(mae_mask_define_visible(&mask, MAE_MASK_GRID, 3, 5, 15, &err));
    ck_assert_uint_eq(mask.visible, 15);
    ck_assert_uint_eq(mae_mask_cover(&mask), 0); /* nothing hidden */
    ck_assert_fails(mae_mask_define_visible(&mask, MAE_MASK_GRID, 3, 5, 16, &err),
                    MAE_ERR_ARG, "expected 1 to 15 visible patches, got 16");
    ck_assert_fails(mae_mask_define_visible(&mask, MAE_MASK_GRID, 3, 5, 0, &err),
                    MAE_ERR_ARG, "got 0");
    ck_assert_fails(mae_mask_define_visible(&mask, MAE_MASK_GRID, 3, 0, 1, &err),
                    MAE_ERR_SHAPE, "3 x 0");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("masking");
    TCase *tc = tcase_create("golden");

    tcase_set_timeout(tc, 30);
    tcase_add_loop_test(tc, golden, 0, 2);
    tcase_add_test(tc, equal_noise_keeps_order);
    tcase_add_loop_test(tc, every_kind_keeps_exactly, 0, 3);
    tcase_add_loop_test(tc, addressed_by_seed_epoch_sample, 0, 3);
    tcase_add_test(tc, random_is_uniform);
    tcase_add_test(tc, grid_pattern);
    tcase_add_test(tc, blocks_are_connected);
    tcase_add_test(tc, from_flags);
    tcase_add_test(tc, sizes);
    tcase_add_loop_test(tc, random_and_grid_masks_are_nested, 0, 2);
    tcase_add_loop_test(tc, a_cover_hides_every_patch, 0, 7);
    tcase_add_test(tc, defined_by_visible_patches);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
