#include "eval/attention_maps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "eval/patch_features.h"
#include "kernel/attention.h"
#include "model/autoencoder.h"
#include "model/embedder.h"
#include "model/maskset.h"
#include "support/model.h"
#include "support/test.h"

enum { PATCHES = 12, TOKENS = PATCHES + 1, WIDTH = 24, HEADS = 3, DEPTH = 3 };

static MaeError err;

/* A small model of two channels, not square. */
typedef struct Bench {
    MaeAutoencoder model;
    TestCompute compute;
    float *w, *image;
} Bench;

static void bench_open(Bench *b)
{
    const MaeArch arch = {.grid = {2, 6, 8, 2},
                          .embed_dim = WIDTH,
                          .depth = DEPTH,
                          .heads = HEADS,
                          .mlp_ratio = 2.0,
                          .decoder_dim = 8,
                          .decoder_depth = 1,
                          .decoder_heads = 2};

    memset(b, 0, sizeof *b);
    test_compute_open(&b->compute, MAE_F32, 1);
    ck_assert_ok(mae_autoencoder_open(&b->model, &arch, &err));
    b->w = mae_test_alloc(b->model.table.total * sizeof *b->w);
    test_random_params(&b->model.table, b->w, 2);
    b->image = mae_test_normal((size_t)2 * 6 * 8, 4, 0);
}

static void bench_close(Bench *b)
{
    mae_autoencoder_close(&b->model);
    test_compute_close(&b->compute);
    free(b->w);
    free(b->image);
}

/* Softmax of q k / sqrt(K) of one head in double, from the block's qkv. */
static double *softmax_of(const float *qkv, size_t head)
{
    const size_t dim = WIDTH / HEADS;
    double *p = mae_test_alloc(TOKENS * TOKENS * sizeof *p);

    for (size_t i = 0; i < TOKENS; i++) {
        double sum = 0.0;

        for (size_t j = 0; j < TOKENS; j++) {
            const float *q = qkv + i * 3 * WIDTH + head * dim;
            const float *k = qkv + j * 3 * WIDTH + WIDTH + head * dim;
            double score = 0.0;

            for (size_t c = 0; c < dim; c++)
                score += (double)q[c] * (double)k[c];
            p[i * TOKENS + j] = exp(score / sqrt((double)dim));
            sum += p[i * TOKENS + j];
        }
        for (size_t j = 0; j < TOKENS; j++)
            p[i * TOKENS + j] /= sum;
    }
    return p;
}

/* The maps of a chosen block are rows, or means of rows, of that softmax. */
START_TEST(maps_are_softmax_rows)
{
    const bool mean = _i % 2 == 1;
    const size_t layer = _i < 2 ? DEPTH : 2;
    const MaeEncoder *encoder;
    MaeAttentionMaps maps;
    MaeTokens tokens;
    Bench b;

    bench_open(&b);
    encoder = &b.model.encoder;
    ck_assert_ok(mae_attention_maps_open(&maps, encoder, b.w, b.compute.gemm, layer,
                                         mean ? MAE_POOL_MEAN : MAE_POOL_CLS, &err));
    ck_assert_ok(mae_attention_maps_run(&maps, b.image, &err));
    ck_assert_ok(mae_tokens_open(&tokens, encoder, b.w, b.compute.gemm, PATCHES, &err));
    mae_tokens_start(&tokens, b.image, NULL);
    while (tokens.done < layer)
        mae_tokens_step(&tokens);
    for (size_t h = 0; h < HEADS; h++) {
        double *p = softmax_of(tokens.cache.trunk.blocks[layer - 1].qkv.data, h);

        for (size_t l = 0; l < PATCHES; l++) {
            double want = p[1 + l];

            for (size_t i = 1; mean && i < TOKENS; i++)
                want = (i > 1 ? want : 0.0) + p[i * TOKENS + 1 + l] / PATCHES;
            ck_assert_double_eq_tol((double)maps.maps[h * PATCHES + l], want, 1e-6);
        }
        free(p);
    }
    mae_tokens_close(&tokens);
    mae_attention_maps_close(&maps);
    bench_close(&b);
}
END_TEST

/* Random rows that sum to 1. */
static float *stochastic(size_t layers, size_t n)
{
    float *a = mae_test_normal(layers * n * n, 8, 0);

    for (size_t r = 0; r < layers * n; r++) {
        float sum = 0.0f;

        for (size_t j = 0; j < n; j++)
            sum += a[r * n + j] = fabsf(a[r * n + j]);
        for (size_t j = 0; j < n; j++)
            a[r * n + j] /= sum;
    }
    return a;
}

/* Every row against the plain product of matrices, and its sum. */
START_TEST(rollout_is_the_product_of_matrices)
{
    enum { N = 7, LAYERS = 4 };
    float *a = stochastic(LAYERS, N);
    double product[N * N] = {0}, next[N * N], row[2 * N];

    for (size_t i = 0; i < N; i++)
        product[i * N + i] = 1.0;
    for (size_t l = 0; l < LAYERS; l++) { /* product = (A + I) / 2 * product */
        for (size_t i = 0; i < N; i++)
            for (size_t j = 0; j < N; j++) {
                next[i * N + j] = product[i * N + j] / 2.0;
                for (size_t k = 0; k < N; k++)
                    next[i * N + j] +=
                        (double)a[(l * N + i) * N + k] / 2.0 * product[k * N + j];
            }
        memcpy(product, next, sizeof product);
    }
    for (size_t i = 0; i < N; i++) {
        double sum = 0.0;

        memset(row, 0, sizeof row);
        row[i] = 1.0;
        mae_attention_rollout(row, a, LAYERS, N);
        for (size_t j = 0; j < N; j++) {
            ck_assert_double_eq_tol(row[j], product[i * N + j], 1e-6);
            sum += row[j];
        }
        ck_assert_double_eq_tol(sum, 1.0, 1e-12);
    }
    free(a);
}
END_TEST

/* Block by block, tokens are those of the embedder, which runs tiles; in either it does
 * not matter what of the encoder is frozen in training. */
START_TEST(tokens_are_those_of_the_embedder)
{
    MaeEmbedder embedder;
    MaeEmbedSpec spec;
    MaeEncoder encoder;
    MaeTokens tokens;
    float want[WIDTH];
    Bench b;

    bench_open(&b);
    encoder = b.model.encoder;
    encoder.trunk.frozen = (size_t[]){0, 1, 2 * DEPTH}[_i];
    ck_assert_ok(mae_tokens_open(&tokens, &encoder, b.w, b.compute.gemm, PATCHES, &err));
    mae_tokens_start(&tokens, b.image, NULL);
    for (size_t layer = 0; layer <= DEPTH; layer++) {
        spec = mae_embed_spec_autoencoder(&b.model, MAE_POOL_CLS);
        spec.encoder = &encoder;
        spec.features[0] = (MaeEmbedFeature){layer, MAE_POOL_CLS, MAE_EMBED_NORM_NONE};
        ck_assert_ok(mae_embedder_open(&embedder, &spec, b.w, &b.compute.compute, &err));
        mae_embedder_run(&embedder, want, b.image, 1);
        mae_test_close("class token", mae_tokens_now(&tokens), want, WIDTH, 1e-5, 1e-5);
        mae_embedder_close(&embedder);
        if (layer < DEPTH)
            mae_tokens_step(&tokens);
    }
    mae_tokens_close(&tokens);
    bench_close(&b);
}
END_TEST

/* With nothing hidden, the visible patches are the whole image in another order. */
START_TEST(masked_tokens_are_those_of_visible_patches)
{
    MaePatchFeatures all, some;
    MaeMaskSet everything, masks;
    MaePatchSpec spec;
    Bench b;

    bench_open(&b);
    ck_assert_ok(mae_maskset_open(&everything, MAE_MASK_RANDOM, &b.model.arch.grid, 0.0,
                                  1, NULL, &err));
    ck_assert_ok(mae_maskset_open(&masks, MAE_MASK_RANDOM, &b.model.arch.grid, 0.75, 1,
                                  NULL, &err));
    mae_maskset_draw(&everything, 1, 0, NULL, 1);
    mae_maskset_draw(&masks, 1, 0, NULL, 1);
    spec = (MaePatchSpec){.encoder = &b.model.encoder,
                          .w = b.w,
                          .gemm = b.compute.gemm,
                          .mask = &everything.mask};
    ck_assert_ok(mae_patch_features_read(&all, &spec, b.image, 1, &err));
    ck_assert_uint_eq(all.layer_count, 3);
    ck_assert(all.layers[0] == 1 && all.layers[1] == 2 && all.layers[2] == 3);
    for (size_t f = 0; f < 3; f++)
        for (size_t v = 0; v < PATCHES; v++)
            mae_test_close("token", mae_patch_features_part(&all, f) + v * WIDTH,
                           mae_patch_features_whole(&all, f) +
                               everything.mask.ids_keep[v] * WIDTH,
                           WIDTH, 1e-4, 1e-4);
    spec.mask = &masks.mask;
    spec.layer = 2;
    ck_assert_ok(mae_patch_features_read(&some, &spec, b.image, 1, &err));
    ck_assert(some.layer_count == 1 && some.layers[0] == 2 && some.visible == 3);
    ck_assert_mem_eq(mae_patch_features_whole(&some, 0),
                     mae_patch_features_whole(&all, 1), PATCHES * WIDTH * sizeof(float));
    mae_patch_features_close(&all);
    mae_patch_features_close(&some);
    mae_maskset_close(&everything);
    mae_maskset_close(&masks);
    bench_close(&b);
}
END_TEST

START_TEST(what_is_not_finite_is_refused)
{
    MaeAttentionMaps maps;
    Bench b;

    bench_open(&b);
    b.image[5] = NAN;
    ck_assert_ok(mae_attention_maps_open(&maps, &b.model.encoder, b.w, b.compute.gemm,
                                         DEPTH, MAE_POOL_CLS, &err));
    ck_assert_fails(mae_attention_maps_run(&maps, b.image, &err), MAE_ERR_NUMERIC,
                    "attention of patch");
    mae_attention_maps_close(&maps);
    mae_attention_maps_close(NULL);
    bench_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_attention_maps");
    TCase *tc = tcase_create("unit");

    tcase_add_loop_test(tc, maps_are_softmax_rows, 0, 4);
    tcase_add_test(tc, rollout_is_the_product_of_matrices);
    tcase_add_loop_test(tc, tokens_are_those_of_the_embedder, 0, 3);
    tcase_add_test(tc, masked_tokens_are_those_of_visible_patches);
    tcase_add_test(tc, what_is_not_finite_is_refused);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
