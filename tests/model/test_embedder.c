#include "model/embedder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/model.h"
#include "support/operand.h"
#include "support/test.h"

/* Tiles of 28, 6 and 3 images; the last one is a real model's shape, two blocks of it. */
static const MaeArch arches[] = {
    {.grid = {2, 6, 9, 3},
     .embed_dim = 12,
     .depth = 3,
     .heads = 3,
     .mlp_ratio = 1.5,
     .decoder_dim = 8,
     .decoder_depth = 1,
     .decoder_heads = 2},
    {.grid = {5, 35, 25, 5},
     .embed_dim = 40,
     .depth = 1,
     .heads = 5,
     .mlp_ratio = 2.5,
     .decoder_dim = 8,
     .decoder_depth = 0,
     .decoder_heads = 1},
    {.grid = {3, 32, 32, 4},
     .embed_dim = 192,
     .depth = 2,
     .heads = 3,
     .mlp_ratio = 4.0,
     .decoder_dim = 64,
     .decoder_depth = 1,
     .decoder_heads = 2},
};
enum { ARCHES = sizeof arches / sizeof *arches, BATCH = 31, CLASSES = 5 };

static MaeError err;

/* A model of either kind with random weights, and images. */
typedef struct Bench {
    TestCompute compute;
    MaeAutoencoder autoencoder;
    MaeClassifier classifier;
    const MaeParamTable *table;
    size_t width, patches, pixels;
    float *w, *images, *out;
    void *operands;
    MaeWeights weights;
} Bench;

static void fill(Bench *b, const MaeArch *arch, const MaeParamTable *table, MaeDtype type)
{
    b->table = table;
    b->width = arch->embed_dim;
    b->patches = mae_patch_count(&arch->grid);
    b->pixels = b->patches * mae_patch_values(&arch->grid);
    b->w = mae_test_alloc(table->total * sizeof *b->w);
    test_random_params(table, b->w, 3);
    b->weights = test_weights(b->w, table->total, type, &b->operands);
    b->images = mae_test_normal(BATCH * b->pixels, 7, 1);
    b->out = mae_test_alloc(BATCH * b->width * sizeof *b->out);
}

static void open_autoencoder(Bench *b, const MaeArch *arch, MaeDtype type, size_t threads)
{
    memset(b, 0, sizeof *b);
    test_compute_open(&b->compute, type, threads);
    ck_assert_ok(mae_autoencoder_open(&b->autoencoder, arch, &err));
    fill(b, arch, &b->autoencoder.table, type);
}

static void open_classifier(Bench *b, const MaeArch *arch, MaePooling pooling,
                            MaeDtype type)
{
    MaeArch with_head = *arch;

    memset(b, 0, sizeof *b);
    with_head.classes = CLASSES;
    with_head.pooling = pooling;
    test_compute_open(&b->compute, type, 2);
    ck_assert_ok(mae_classifier_open(&b->classifier, &with_head, &err));
    fill(b, &with_head, &b->classifier.table, type);
}

static void bench_close(Bench *b)
{
    free(b->w);
    free(b->images);
    free(b->out);
    free(b->operands);
    mae_autoencoder_close(&b->autoencoder);
    mae_classifier_close(&b->classifier);
    test_compute_close(&b->compute);
}

/* Whether the backend packs operands beforehand. */
static bool packs(const MaeGemm *gemm)
{
    return strncmp(mae_gemm_backend(gemm), "built-in", 8) == 0;
}

/* Features of all images, in batches of @p batch; left in b->out. */
static void extract(Bench *b, const MaeEmbedSpec *spec, size_t batch)
{
    MaeEmbedder embedder;
    size_t shapes;

    ck_assert_ok(mae_embedder_open(&embedder, spec, b->w, &b->compute.compute, &err));
    ck_assert(b->width != 192 || embedder.w.packed == packs(b->compute.gemm));
    shapes = mae_gemm_shapes(b->compute.gemm);
    for (size_t i = 0; i < BATCH; i += batch)
        mae_embedder_run(&embedder, b->out + i * b->width, b->images + i * b->pixels,
                         BATCH - i < batch ? BATCH - i : batch);
    ck_assert_uint_eq(mae_gemm_shapes(b->compute.gemm), shapes);
    mae_embedder_close(&embedder);
}

/* Every patch visible, in order. */
static MaeMask whole_mask(size_t patches)
{
    MaeMask mask = {.visible = patches, .patches = patches};

    mask.ids_keep = mae_test_alloc(BATCH * patches * sizeof *mask.ids_keep);
    for (size_t i = 0; i < BATCH * patches; i++)
        mask.ids_keep[i] = (uint32_t)(i % patches);
    mask.ids_restore = mask.ids_keep;
    mask.mask = mae_test_alloc(BATCH * patches * sizeof *mask.mask);
    return mask;
}

/* Class token or mean over patches of each image's tokens [BATCH,N,D]. */
static float *pooled(const Bench *b, const float *tokens, MaePooling pooling)
{
    float *want = mae_test_alloc(BATCH * b->width * sizeof *want);

    for (size_t i = 0; i < BATCH; i++)
        for (size_t d = 0; d < b->width; d++) {
            const float *x = tokens + i * (b->patches + 1) * b->width + d;
            double sum = 0.0;

            for (size_t l = 1; l <= b->patches; l++)
                sum += (double)x[l * b->width];
            want[i * b->width + d] =
                pooling == MAE_POOL_CLS ? *x : (float)(sum / (double)b->patches);
        }
    return want;
}

/* f32: other tiles, so other last bits. bf16: operands have 8 bits of mantissa, and the
 * pretraining path rounds its latent once more. */
static double tolerance(MaeDtype type)
{
    return type == MAE_F32 ? 1e-5 : 2e-2;
}

static void equals_autoencoder(const MaeArch *arch, MaeDtype type)
{
    MaeAutoencoderRun run;
    MaeMask mask;
    Bench b;

    open_autoencoder(&b, arch, type, 2);
    mask = whole_mask(b.patches);
    ck_assert_ok(mae_autoencoder_run_open(&run, &b.autoencoder, &b.compute.compute, BATCH,
                                          b.patches, MAE_PREDICT_ALL, true, &err));
    (void)mae_autoencoder_forward(&run, b.weights, b.images, &mask, BATCH);
    for (size_t layer = 0; layer <= arch->depth; layer++)
        for (unsigned p = 0; p < 2; p++) {
            MaeEmbedSpec spec = mae_embed_spec_autoencoder(&b.autoencoder, (MaePooling)p);
            float *tokens =
                layer < arch->depth
                    ? test_copy(run.encoder.trunk.x[layer],
                                BATCH * (b.patches + 1) * b.width)
                    : test_floats(run.latent, BATCH * (b.patches + 1) * b.width);
            float *want = pooled(&b, tokens, spec.features[0].pooling);

            spec.features[0].layer = layer;
            extract(&b, &spec, BATCH);
            mae_test_close("features", b.out, want, BATCH * b.width, 0.0,
                           tolerance(type));
            free(tokens);
            free(want);
        }
    mae_autoencoder_run_close(&run);
    free(mask.ids_keep);
    free(mask.mask);
    bench_close(&b);
}

START_TEST(equals_pretraining_path)
{
    equals_autoencoder(&arches[_i], MAE_F32);
    if (test_can_multiply(MAE_BF16))
        equals_autoencoder(&arches[_i], MAE_BF16);
}
END_TEST

static void equals_classifier(const MaeArch *arch, MaePooling pooling, MaeDtype type)
{
    MaeEmbedSpec spec;
    MaeClassifierRun run;
    float *want;
    Bench b;

    open_classifier(&b, arch, pooling, type);
    ck_assert_ok(mae_classifier_run_open(&run, &b.classifier, &b.compute.compute, BATCH,
                                         false, &err));
    mae_classifier_forward(&run, b.weights, b.images, NULL, BATCH);
    want = test_floats(run.normed, BATCH * b.width);
    spec = mae_embed_spec_classifier(&b.classifier);
    extract(&b, &spec, BATCH);
    mae_test_close("features", b.out, want, BATCH * b.width, 0.0, tolerance(type));
    free(want);
    mae_classifier_run_close(&run);
    bench_close(&b);
}

START_TEST(equals_what_a_head_sees)
{
    for (unsigned p = 0; p < 2; p++) {
        equals_classifier(&arches[_i], (MaePooling)p, MAE_F32);
        if (test_can_multiply(MAE_BF16))
            equals_classifier(&arches[_i], (MaePooling)p, MAE_BF16);
    }
}
END_TEST

/* |bf16 - f32| / |f32| of initial weights: rounding of operands is all that differs. */
START_TEST(bf16_is_close_to_f32)
{
    const MaeDtype types[] = {MAE_F32, MAE_BF16};
    float *features[TEST_DTYPES];

    if (!test_can_multiply(MAE_BF16))
        return;
    for (unsigned p = 0; p < 2; p++) {
        for (size_t t = 0; t < TEST_DTYPES; t++) {
            MaeEmbedSpec spec;
            Bench b;

            open_autoencoder(&b, &arches[_i], types[t], 2);
            mae_autoencoder_init(&b.autoencoder, b.w, 1);
            spec = mae_embed_spec_autoencoder(&b.autoencoder, (MaePooling)p);
            extract(&b, &spec, BATCH);
            features[t] = test_copy(b.out, BATCH * b.width);
            bench_close(&b);
        }
        ck_assert_double_lt(
            test_distance(features[1], features[0], BATCH * arches[_i].embed_dim), 0.01);
        free(features[0]);
        free(features[1]);
    }
}
END_TEST

static void same_bits(const MaeArch *arch, MaeDtype type)
{
    static const size_t batches[] = {1, 5, 30, BATCH};
    float *want = NULL;

    for (size_t threads = 1; threads <= 3; threads++) {
        MaeEmbedSpec spec;
        Bench b;

        open_autoencoder(&b, arch, type, threads);
        spec = mae_embed_spec_autoencoder(&b.autoencoder, MAE_POOL_MEAN);
        for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
            extract(&b, &spec, batches[i]);
            if (want == NULL)
                want = test_copy(b.out, BATCH * b.width);
            ck_assert_mem_eq(b.out, want, BATCH * b.width * sizeof *want);
        }
        bench_close(&b);
    }
    free(want);
}

START_TEST(bits_depend_on_the_image_alone)
{
    same_bits(&arches[_i], MAE_F32);
    if (test_can_multiply(MAE_BF16))
        same_bits(&arches[_i], MAE_BF16);
}
END_TEST

/* One object, different images in turns: nothing stays behind. */
START_TEST(runs_are_independent)
{
    MaeEmbedder embedder;
    MaeEmbedSpec spec;
    float *want, again[12];
    size_t bytes;
    Bench b;

    open_autoencoder(&b, &arches[0], MAE_F32, 1);
    spec = mae_embed_spec_autoencoder(&b.autoencoder, MAE_POOL_CLS);
    extract(&b, &spec, BATCH);
    want = test_copy(b.out, BATCH * b.width);
    ck_assert_ok(mae_embedder_open(&embedder, &spec, b.w, &b.compute.compute, &err));
    ck_assert_uint_eq(mae_embedder_weight_bytes(&embedder), 0);
    bytes = embedder.arena.size;
    mae_embedder_run(&embedder, b.out, b.images, 0);
    ck_assert_mem_eq(b.out, want, BATCH * b.width * sizeof *want);
    test_fill(b.images, b.pixels, (float)NAN);
    mae_embedder_run(&embedder, b.out, b.images, 1);
    mae_embedder_run(&embedder, again, b.images + b.pixels, 1);
    ck_assert_mem_eq(again, want + b.width, sizeof again);
    ck_assert_uint_eq(embedder.arena.size, bytes);
    mae_embedder_close(&embedder);
    mae_embedder_close(&embedder);
    mae_embedder_close(NULL);
    free(want);
    bench_close(&b);
}
END_TEST

/* All layers and poolings in one pass are bitwise what a pass for each gives. */
START_TEST(one_pass_gives_all_features)
{
    const size_t depth = arches[_i].depth;
    MaeEmbedSpec spec, one;
    MaeEmbedder embedder;
    float *together;
    Bench b;

    open_autoencoder(&b, &arches[_i], MAE_F32, 2);
    spec = one = mae_embed_spec_autoencoder(&b.autoencoder, MAE_POOL_CLS);
    spec.count = 0;
    for (size_t layer = 0; layer <= depth; layer += 1 + layer % 2)
        for (unsigned p = 0; p < 2; p++)
            spec.features[spec.count++] =
                (MaeEmbedFeature){layer, (MaePooling)p,
                                  p == 0 ? MAE_EMBED_NORM_TOKENS : MAE_EMBED_NORM_NONE};
    together = mae_test_alloc(BATCH * spec.count * b.width * sizeof *together);
    ck_assert_ok(mae_embedder_open(&embedder, &spec, b.w, &b.compute.compute, &err));
    mae_embedder_run(&embedder, together, b.images, BATCH);
    mae_embedder_close(&embedder);
    for (size_t n = 0; n < spec.count; n++) {
        one.features[0] = spec.features[n];
        extract(&b, &one, BATCH);
        for (size_t i = 0; i < BATCH; i++)
            ck_assert_mem_eq(together + (i * spec.count + n) * b.width,
                             b.out + i * b.width, b.width * sizeof *b.out);
    }
    free(together);
    bench_close(&b);
}
END_TEST

/* Without the norm the last layer is pooled as the others are. */
START_TEST(norm_can_be_left_out)
{
    MaeEmbedSpec spec;
    float *normed;
    Bench b;

    open_autoencoder(&b, &arches[0], MAE_F32, 1);
    spec = mae_embed_spec_autoencoder(&b.autoencoder, MAE_POOL_CLS);
    extract(&b, &spec, BATCH);
    normed = test_copy(b.out, BATCH * b.width);
    spec.features[0].norm = MAE_EMBED_NORM_NONE;
    extract(&b, &spec, BATCH);
    for (size_t i = 0; i < BATCH; i++) {
        const float *gamma = b.w + b.autoencoder.norm.gamma.off;
        const float *beta = b.w + b.autoencoder.norm.beta.off;
        const float *x = b.out + i * b.width;
        double mean = 0.0, var = 0.0;

        for (size_t d = 0; d < b.width; d++)
            mean += (double)x[d] / (double)b.width;
        for (size_t d = 0; d < b.width; d++)
            var += pow((double)x[d] - mean, 2.0) / (double)b.width;
        for (size_t d = 0; d < b.width; d++)
            ck_assert_double_eq_tol(((double)x[d] - mean) / sqrt(var + 1e-6) *
                                            (double)gamma[d] +
                                        (double)beta[d],
                                    (double)normed[i * b.width + d], 1e-4);
    }
    free(normed);
    bench_close(&b);
}
END_TEST

START_TEST(failures)
{
    MaeEmbedder embedder;
    MaeEmbedSpec spec;
    Bench b;

    open_autoencoder(&b, &arches[0], MAE_F32, 1);
    spec = mae_embed_spec_autoencoder(&b.autoencoder, MAE_POOL_CLS);
    spec.features[0].layer = 4;
    ck_assert_fails(mae_embedder_open(&embedder, &spec, b.w, &b.compute.compute, &err),
                    MAE_ERR_SHAPE, "layer: expected 0 to 3, got 4");
    mae_embedder_close(&embedder);
    bench_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model_embedder");
    TCase *tc = tcase_create("features");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, equals_pretraining_path, 0, ARCHES);
    tcase_add_loop_test(tc, equals_what_a_head_sees, 0, ARCHES);
    tcase_add_loop_test(tc, bf16_is_close_to_f32, 0, ARCHES);
    tcase_add_loop_test(tc, bits_depend_on_the_image_alone, 0, ARCHES);
    tcase_add_loop_test(tc, one_pass_gives_all_features, 0, ARCHES);
    tcase_add_test(tc, norm_can_be_left_out);
    tcase_add_test(tc, runs_are_independent);
    tcase_add_test(tc, failures);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
