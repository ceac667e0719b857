#include "train/products.h"

#include <math.h>

#include "support/operand.h"
#include "support/test.h"

/* 16 patches of 12 values, 4 of them visible; a tile has at most 39 images. */
static const MaeArch ARCH = {
    .grid = {.channels = 3, .height = 8, .width = 8, .patch = 2},
    .embed_dim = 12,
    .depth = 2,
    .heads = 3,
    .mlp_ratio = 2.0,
    .decoder_dim = 8,
    .decoder_depth = 3,
    .decoder_heads = 2,
};

enum { BATCH = 77, VISIBLE = 4 };

static MaePool *pool;
static MaeGemm *gemm;
static MaeAutoencoder model;
static MaeProducts products;
static MaeError err;

static void setup(void)
{
    ck_assert_ok(mae_pool_open(&pool, 2, &err));
    gemm = test_gemm(MAE_F32, 2);
    ck_assert_ok(mae_autoencoder_open(&model, &ARCH, &err));
    ck_assert_ok(mae_products_open(&products, &model, MAE_PRODUCTS_STEP, BATCH, VISIBLE,
                                   &(MaeCompute){.pool = pool, .gemm = gemm}, 1, &err));
}

static void teardown(void)
{
    mae_products_close(&products);
    mae_autoencoder_close(&model);
    mae_gemm_close(gemm);
    mae_pool_close(pool);
}

/* Products of blocks, counted by hand. */
static double blocks(double depth, double n, double width, double hidden)
{
    return depth * (2.0 * n * width * (4.0 * width + 2.0 * hidden) + 4.0 * n * n * width);
}

START_TEST(operations_of_a_step)
{
    const double encoder = 2.0 * 4 * 12 * 12 + blocks(2, 5, 12, 24);
    const double left_out = 2.0 * 5 * 8 * 2 * 16; /* of the last MLP */
    const double decoder =
        2.0 * 5 * 12 * 8 + blocks(3, 17, 8, 16) - left_out + 2.0 * 12 * 8 * 12;

    ck_assert_double_eq_tol(mae_products_step_flops(&model, VISIBLE),
                            3.0 * (encoder + decoder), 1e-6);
}
END_TEST

/* 58.17 GFLOP an image would be those of all rows, as published rates are counted. */
START_TEST(operations_of_vit_base)
{
    const MaeArch base = {
        .grid = {.channels = 3, .height = 224, .width = 224, .patch = 16},
        .embed_dim = 768,
        .depth = 12,
        .heads = 12,
        .mlp_ratio = 4.0,
        .decoder_dim = 512,
        .decoder_depth = 8,
        .decoder_heads = 16,
    };
    MaeAutoencoder large;

    ck_assert_ok(mae_autoencoder_open(&large, &base, &err));
    ck_assert_double_eq_tol(mae_products_step_flops(&large, 49) / 1e9, 57.4195, 5e-4);
    mae_autoencoder_close(&large);
}
END_TEST

START_TEST(operations_of_features)
{
    ck_assert_double_eq_tol(mae_products_embed_flops(&model),
                            2.0 * 16 * 12 * 12 + blocks(2, 17, 12, 24), 1e-6);
}
END_TEST

/* The encoder's forward products; attention is left out. */
START_TEST(a_pass_of_features)
{
    MaeProducts embed;

    ck_assert_ok(mae_products_open(&embed, &model, MAE_PRODUCTS_EMBED, BATCH, 0,
                                   &(MaeCompute){.pool = pool, .gemm = gemm}, 1, &err));
    ck_assert_uint_eq(embed.stage_count, 2);
    ck_assert_double_eq_tol(
        embed.flops, BATCH * (mae_products_embed_flops(&model) - 4.0 * 2 * 289 * 12),
        1e-3);
    ck_assert_double_gt(mae_products_pass(&embed), 0.0);
    for (size_t i = 0; i < embed.stage_count; i++) {
        ck_assert_int_eq(embed.stages[i].kind, MAE_PRODUCT_FORWARD);
        ck_assert(isfinite(embed.stages[i].seconds));
    }
    mae_products_close(&embed);
}
END_TEST

START_TEST(a_pass_is_a_step_without_attention)
{
    const double attention = 4.0 * (2.0 * 25 * 12 + 3.0 * 289 * 8);

    ck_assert_double_eq_tol(
        products.flops,
        BATCH * (mae_products_step_flops(&model, VISIBLE) - 3.0 * attention), 1e-3);
    ck_assert_double_eq(mae_products_best(&products), 0.0);
    ck_assert_double_gt(mae_products_pass(&products), 0.0);
    ck_assert_double_gt(mae_products_best(&products), 0.0);
    ck_assert_uint_eq(products.group_count, MAE_PRODUCT_GROUPS);
    for (size_t i = 0; i < MAE_PRODUCT_STAGES; i++)
        ck_assert(isfinite(products.stages[i].seconds));
}
END_TEST

/* Input gradients of a part of a tile: an element of its last row. */
static void check_part(const MaeProductLayer *layer, MaeTile part)
{
    const float *dy = products.dy.data, *w = products.w.data, *y = products.y.data;
    const size_t at = part.image * part.tokens * products.widest;
    const size_t row = part.images * part.tokens - 1;
    float want = 0.0f;

    for (size_t o = 0; o < layer->out; o++)
        want += dy[at + row * layer->out + o] * w[layer->off + o * layer->in + 3];
    mae_test_close("input gradient", y + at + row * layer->in + 3, &want, 1, 0.0, 1e-4);
}

/* The products are really there: a row of all parts of tiles, an element of a weight. */
START_TEST(products_are_computed)
{
    const MaeProductGroup *last = &products.groups[MAE_PRODUCT_GROUPS - 1];
    const MaeProductLayer *layer = &last->layers[0];
    const size_t in = layer->in, out = layer->out, rows = BATCH * last->tokens;
    const MaeWork work = {.plan = {.tile_images = products.tile_images}};
    const float *x = products.x.data, *dy = products.dy.data;
    float want = 0.0f;

    ck_assert_uint_eq(products.tile_images, 39);
    ck_assert_uint_eq(mae_work_tiles(&work, BATCH), 2);
    (void)mae_products_pass(&products);
    for (size_t t = 0; t < 2; t++) {
        const MaeTile tile = mae_work_tile(&work, BATCH, last->tile, t);

        ck_assert_uint_eq(last->tile, 17);
        ck_assert_uint_eq(mae_tile_parts(tile), 2);
        for (size_t i = 0; i < 2; i++) {
            MaeTile part = mae_tile_part(tile, i);

            part.tokens = last->tokens;
            check_part(layer, part);
        }
    }
    for (size_t r = 0; r < rows; r++)
        want += dy[r * out + 5] * x[r * in + 3];
    mae_test_close("weight gradient", &products.dw[layer->off + 5 * in + 3], &want, 1,
                   0.0, 1e-4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("products");
    TCase *tc = tcase_create("products");

    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, operations_of_a_step);
    tcase_add_test(tc, operations_of_vit_base);
    tcase_add_test(tc, operations_of_features);
    tcase_add_test(tc, a_pass_of_features);
    tcase_add_test(tc, a_pass_is_a_step_without_attention);
    tcase_add_test(tc, products_are_computed);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
