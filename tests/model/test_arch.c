#include "model/arch.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "support/test.h"

static const MaeArch good = {
    .grid = {3, 24, 40, 8},
    .embed_dim = 24,
    .depth = 2,
    .heads = 3,
    .mlp_ratio = 4.0,
    .decoder_dim = 8,
    .decoder_depth = 1,
    .decoder_heads = 2,
};

START_TEST(accepts)
{
    MaeArch arch = good;
    MaeError err = {0};

    ck_assert_ok(mae_arch_check(&arch, &err));
    arch.depth = arch.decoder_depth = 0;
    ck_assert_ok(mae_arch_check(&arch, &err));
    arch.classes = 10; /* a classifier has no decoder */
    arch.decoder_dim = arch.decoder_heads = 0;
    ck_assert_ok(mae_arch_check(&arch, &err));
    arch.grid = (MaePatchGrid){1, 14336, 14336, 14}; /* the most patches */
    ck_assert_ok(mae_arch_check(&arch, &err));
}
END_TEST

START_TEST(batches)
{
    MaeError err = {0};

    ck_assert_ok(mae_arch_check_batch(&good, 1, &err));
    ck_assert_ok(mae_arch_check_batch(&good, INT32_MAX / 16, &err));
    ck_assert_fails(mae_arch_check_batch(&good, 0, &err), MAE_ERR_SHAPE, "got 0");
    ck_assert_fails(mae_arch_check_batch(&good, INT32_MAX / 16 + 1, &err), MAE_ERR_SHAPE,
                    "16 tokens");
}
END_TEST

START_TEST(refuses)
{
    const struct {
        size_t offset; /* of a size_t in MaeArch */
        size_t value;
        const char *text;
    } cases[] = {
        {offsetof(MaeArch, grid.height), 25, "divisible by patch 8, got 25x40"},
        {offsetof(MaeArch, grid.patch), 0, "positive"},
        {offsetof(MaeArch, grid.height), (size_t)1 << 32, "patches"},
        {offsetof(MaeArch, grid.channels), (size_t)1 << 31, "values"},
        {offsetof(MaeArch, embed_dim), 0, "encoder: expected a width of 1 to"},
        {offsetof(MaeArch, embed_dim), 65540, "encoder: expected a width of 1 to"},
        {offsetof(MaeArch, embed_dim), 25, "width 25 is not divisible by 3 heads"},
        {offsetof(MaeArch, embed_dim), 30, "encoder: width 30 is not divisible by 4"},
        {offsetof(MaeArch, depth), 1025, "depth of at most 1024, got 24 and 1025"},
        {offsetof(MaeArch, heads), 0, "encoder: width 24 is not divisible by 0 heads"},
        {offsetof(MaeArch, decoder_dim), 0, "decoder: expected a width"},
        {offsetof(MaeArch, decoder_dim), 10, "decoder: width 10 is not divisible by 4"},
        {offsetof(MaeArch, decoder_heads), 3, "decoder: width 8"},
        {offsetof(MaeArch, decoder_depth), SIZE_MAX, "decoder: "},
    };
    MaeArch arch = good;
    MaeError err = {0};

    memcpy((unsigned char *)&arch + cases[_i].offset, &cases[_i].value, sizeof(size_t));
    ck_assert_fails(mae_arch_check(&arch, &err), MAE_ERR_SHAPE, cases[_i].text);
}
END_TEST

START_TEST(refuses_ratios)
{
    const double ratios[] = {0.0, -1.0, 64.5, (double)NAN, (double)INFINITY, 0.01};
    MaeArch arch = good;
    MaeError err = {0};

    arch.mlp_ratio = ratios[_i];
    ck_assert_fails(mae_arch_check(&arch, &err), MAE_ERR_SHAPE, "mlp_ratio");
}
END_TEST

/* A ratio may leave the wide encoder a hidden unit and the narrow decoder none. */
START_TEST(refuses_an_empty_decoder_mlp)
{
    MaeArch arch = good;
    MaeError err = {0};

    arch.mlp_ratio = 0.1;
    ck_assert_uint_eq(mae_arch_hidden(&arch, arch.embed_dim), 2);
    ck_assert_uint_eq(mae_arch_hidden(&arch, arch.decoder_dim), 0);
    ck_assert_fails(mae_arch_check(&arch, &err), MAE_ERR_SHAPE, "mlp_ratio");
    arch.decoder_depth = 0; /* nobody needs it */
    ck_assert_ok(mae_arch_check(&arch, &err));
}
END_TEST

START_TEST(hidden_is_cut)
{
    MaeArch arch = good;

    ck_assert_uint_eq(mae_arch_hidden(&arch, 192), 768);
    arch.mlp_ratio = 48.0 / 11.0; /* ViT-g */
    ck_assert_uint_eq(mae_arch_hidden(&arch, 1408), 6144);
    arch.mlp_ratio = 1.99;
    ck_assert_uint_eq(mae_arch_hidden(&arch, 4), 7);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model_arch");
    TCase *tc = tcase_create("unit");

    tcase_add_test(tc, accepts);
    tcase_add_test(tc, batches);
    tcase_add_loop_test(tc, refuses, 0, 14);
    tcase_add_loop_test(tc, refuses_ratios, 0, 6);
    tcase_add_test(tc, refuses_an_empty_decoder_mlp);
    tcase_add_test(tc, hidden_is_cut);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
