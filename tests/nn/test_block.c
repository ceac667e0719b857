#include "nn/block.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reference.h"
#include "support/grad.h"

enum { IMAGES = 5, TOKENS = 7, WIDTH = 12, HEADS = 3, HIDDEN = 18 };
enum { ROWS = IMAGES * TOKENS, N = ROWS * WIDTH, TILES = 3, BUFFERS = 17 };

static const MaeTile tiles[TILES] = {{0, 2, TOKENS}, {2, 2, TOKENS}, {4, 1, TOKENS}};

/* Stochastic depth [2,IMAGES]: image 1 drops both branches, 2 the first, 4 the second. */
static const float drop[] = {1.25f, 0.0f, 0.0f, 1.25f, 1.25f,
                             1.5f,  0.0f, 1.5f, 1.5f,  0.0f};

typedef struct Bench {
    MaeParamTable table;
    MaeBlock block;
    MaeGemm *gemm;
    MaeArena arena;
    MaeBlockCache cache;
    MaeBlockScratch scratch;
    MaeBlockGrads grads;
    float *w, *dw, *sums; /* sums [TILES,sum_total] */
    float *x, *out, *dout, *dx;
    const float *scales;
    double *wd, *xd; /* what the reference reads */
} Bench;

static void reserve(void *ctx, MaeArena *arena)
{
    const MaeBlockSizes batch = {IMAGES, TOKENS, WIDTH, HIDDEN, HEADS, MAE_F32};
    const MaeBlockSizes tile = {2, TOKENS, WIDTH, HIDDEN, HEADS, MAE_F32};
    Bench *b = ctx;

    mae_block_reserve(&b->cache, arena, &batch);
    mae_block_reserve_scratch(&b->scratch, arena, &tile, 1);
    mae_block_reserve_grads(&b->grads, arena, &batch, 1, b->scales != NULL);
}

static void bench_open(Bench *b, const float *scales)
{
    memset(b, 0, sizeof *b);
    b->scales = scales;
    mae_block_define(&b->block, &b->table, "blocks.3", WIDTH, HEADS, HIDDEN);
    b->gemm = test_gemm(MAE_F32, 1);
    test_carve(&b->arena, reserve, b);
    b->w = mae_test_alloc(b->table.total * sizeof(float));
    b->dw = mae_test_alloc(b->table.total * sizeof(float));
    b->sums = mae_test_alloc(TILES * b->table.sum_total * sizeof(float));
    test_random_params(&b->table, b->w, 1);
    b->x = mae_test_normal(N, 1, 100);
    b->dout = mae_test_normal(N, 1, 101);
    b->out = mae_test_alloc(N * sizeof(float));
    b->dx = mae_test_alloc(N * sizeof(float));
    b->wd = test_doubles(b->w, b->table.total);
    b->xd = test_doubles(b->x, N);
}

static void bench_close(Bench *b)
{
    void *const owned[] = {b->w,    b->dw, b->sums, b->x, b->out,
                           b->dout, b->dx, b->wd,   b->xd};

    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++)
        free(owned[i]);
    mae_arena_close(&b->arena);
    mae_gemm_close(b->gemm);
    mae_param_close(&b->table);
}

static void forward_tile(Bench *b, MaeTile tile)
{
    mae_block_forward(&b->block, b->gemm, b->out, &b->cache, &b->scratch, b->x,
                      mae_weights_f32(b->w), b->scales, IMAGES, tile);
}

static void backward_tile(Bench *b, MaeTile tile, float *sums)
{
    mae_block_backward(&b->block, b->gemm, b->dx, sums, &b->grads, &b->scratch, b->dout,
                       b->x, &b->cache, mae_weights_f32(b->w), b->scales, IMAGES, tile);
}

/* Everything, accumulated onto dw and sums. */
static void run(Bench *b)
{
    for (size_t t = 0; t < TILES; t++)
        forward_tile(b, tiles[t]);
    for (size_t t = TILES; t-- > 0;) /* tiles come in any order */
        backward_tile(b, tiles[t], b->sums + t * b->table.sum_total);
    mae_block_weight_grads(&b->block, b->gemm, NULL, b->dw, &b->grads, b->dout, &b->cache,
                           b->scales, ROWS);
}

/* The gradient of a parameter from dw or from the tiles' sums. Caller frees. */
static float *gradient(const Bench *b, const MaeParamEntry *entry)
{
    float *grad = test_copy(b->dw + entry->at.off, entry->at.count);

    for (size_t t = 0; (entry->flags & MAE_PARAM_ROWSUM) && t < TILES; t++)
        for (size_t i = 0; i < entry->at.count; i++)
            grad[i] += b->sums[t * b->table.sum_total + entry->at.sum + i];
    return grad;
}

START_TEST(registers)
{
    static const struct {
        const char *name, *shape;
    } want[] = {
        {"norm1.weight", "[12]"},        {"norm1.bias", "[12]"},
        {"attn.qkv.weight", "[36,12]"},  {"attn.qkv.bias", "[36]"},
        {"attn.proj.weight", "[12,12]"}, {"attn.proj.bias", "[12]"},
        {"norm2.weight", "[12]"},        {"norm2.bias", "[12]"},
        {"mlp.fc1.weight", "[18,12]"},   {"mlp.fc1.bias", "[18]"},
        {"mlp.fc2.weight", "[12,18]"},   {"mlp.fc2.bias", "[12]"},
    };
    Bench b;

    bench_open(&b, NULL);
    ck_assert_uint_eq(b.table.count, sizeof want / sizeof *want);
    for (size_t i = 0; i < b.table.count; i++) {
        const bool matrix = strchr(want[i].shape, ',') != NULL;
        char name[64] = "blocks.3.";

        strcat(name, want[i].name);
        test_param_is(&b.table, i, name, want[i].shape,
                      matrix ? MAE_PARAM_PLAIN : MAE_PARAM_NO_DECAY | MAE_PARAM_ROWSUM);
    }
    bench_close(&b);
}
END_TEST

START_TEST(starts_as_documented)
{
    MaeRng rng;
    Bench b;

    bench_open(&b, NULL);
    test_fill(b.w, b.table.total, 7.0f);
    mae_rng_init(&rng, 3, 0, 0, MAE_RNG_TEST);
    mae_block_init(&b.block, b.w, &rng);
    for (size_t i = 0; i < b.table.count; i++) {
        const MaeParamEntry *entry = &b.table.entries[i];
        const float *w = b.w + entry->at.off;

        if (entry->ndim == 2) {
            test_uniform(entry->name, w, entry->at.count,
                         sqrt(6.0 / (double)(entry->shape[0] + entry->shape[1])));
            continue;
        }
        for (size_t k = 0; k < entry->at.count; k++)
            ck_assert_f32_eq(w[k], strstr(entry->name, "norm") != NULL &&
                                           strstr(entry->name, "weight") != NULL
                                       ? 1.0f
                                       : 0.0f);
    }
    bench_close(&b);
}
END_TEST

START_TEST(forward_equals_reference)
{
    double want[N];
    Bench b;

    bench_open(&b, _i == 0 ? NULL : drop);
    ref_block(want, b.xd, &b.block, b.wd, b.scales, IMAGES, TOKENS);
    run(&b);
    test_close_to("out", b.out, want, N);
    bench_close(&b);
}
END_TEST

static double loss(void *ctx)
{
    const Bench *b = ctx;
    double out[N];

    ref_block(out, b->xd, &b->block, b->wd, b->scales, IMAGES, TOKENS);
    return test_dot(out, b->dout, N);
}

/* Every element of the input and of every parameter. */
START_TEST(gradients_equal_differences)
{
    double *dx, *dw;
    Bench b;

    bench_open(&b, _i == 0 ? NULL : drop);
    dx = test_differences(b.xd, N, loss, &b);
    dw = test_differences(b.wd, b.table.total, loss, &b);
    run(&b);
    test_close_to("dx", b.dx, dx, N);
    for (size_t i = 0; i < b.table.count; i++) {
        const MaeParamEntry *entry = &b.table.entries[i];
        float *grad = gradient(&b, entry);

        test_close_to(entry->name, grad, dw + entry->at.off, entry->at.count);
        free(grad);
    }
    free(dx);
    free(dw);
    bench_close(&b);
}
END_TEST

START_TEST(gradients_accumulate)
{
    float *dw, *sums;
    Bench b;

    bench_open(&b, drop);
    run(&b);
    dw = test_copy(b.dw, b.table.total);
    sums = test_copy(b.sums, TILES * b.table.sum_total);
    run(&b);
    for (size_t i = 0; i < b.table.total; i++)
        dw[i] *= 2.0f;
    for (size_t i = 0; i < TILES * b.table.sum_total; i++)
        sums[i] *= 2.0f;
    mae_test_close("dw", b.dw, dw, b.table.total, 0.0, 1e-6);
    mae_test_close("sums", b.sums, sums, TILES * b.table.sum_total, 0.0, 1e-6);
    free(dw);
    free(sums);
    bench_close(&b);
}
END_TEST

/* An image whose branches are both dropped passes through, and back. */
START_TEST(dropped_image_passes)
{
    Bench b;

    bench_open(&b, drop);
    run(&b);
    for (size_t i = TOKENS * WIDTH; i < 2 * TOKENS * WIDTH; i++) {
        ck_assert_f32_eq(b.out[i], b.x[i]);
        ck_assert_f32_eq(b.dx[i], b.dout[i]);
    }
    bench_close(&b);
}
END_TEST

START_TEST(scales_of_one_change_nothing)
{
    float ones[2 * IMAGES];
    Bench plain, b;

    test_fill(ones, 2 * IMAGES, 1.0f);
    bench_open(&plain, NULL);
    bench_open(&b, ones);
    ck_assert_ptr_null(plain.grads.dproj.data);
    ck_assert_ptr_null(plain.grads.dfc2.data);
    ck_assert_uint_lt(plain.arena.size, b.arena.size);
    run(&plain);
    run(&b);
    ck_assert_mem_eq(b.out, plain.out, N * sizeof(float));
    ck_assert_mem_eq(b.dx, plain.dx, N * sizeof(float));
    ck_assert_mem_eq(b.dw, plain.dw, b.table.total * sizeof(float));
    ck_assert_mem_eq(b.sums, plain.sums, TILES * b.table.sum_total * sizeof(float));
    bench_close(&plain);
    bench_close(&b);
}
END_TEST

typedef struct Buffer {
    float *values;
    size_t per_image;
} Buffer;

/* All that tiles of a batch write side by side. */
static void list_buffers(const Bench *b, Buffer list[BUFFERS])
{
    const size_t narrow = TOKENS * WIDTH, wide = TOKENS * HIDDEN;
    const Buffer all[BUFFERS] = {
        {b->out, narrow},
        {b->dx, narrow},
        {b->cache.norm1.mean, TOKENS},
        {b->cache.norm1.rstd, TOKENS},
        {b->cache.norm2.mean, TOKENS},
        {b->cache.norm2.rstd, TOKENS},
        {b->cache.qkv.data, 3 * narrow},
        {b->cache.lse, HEADS * TOKENS},
        {b->cache.attention.data, narrow},
        {b->cache.x1, narrow},
        {b->cache.fc1.data, wide},
        {b->grads.norm1.data, narrow},
        {b->grads.norm2.data, narrow},
        {b->grads.gelu.data, wide},
        {b->grads.dqkv.data, 3 * narrow},
        {b->grads.dfc1.data, wide},
        {b->grads.dx1, narrow},
    };

    memcpy(list, all, sizeof all);
}

/* Two images of a batch, alone: same bits, and not a float of the others is touched. */
START_TEST(tiles_are_independent)
{
    const MaeTile tile = tiles[1];
    Buffer want[BUFFERS], got[BUFFERS];
    Bench whole, b;

    bench_open(&whole, drop);
    bench_open(&b, drop);
    list_buffers(&whole, want);
    list_buffers(&b, got);
    for (size_t i = 0; i < BUFFERS; i++)
        test_fill(got[i].values, IMAGES * got[i].per_image, -77.0f);
    run(&whole);
    forward_tile(&b, tile);
    backward_tile(&b, tile, b.sums);
    for (size_t i = 0; i < BUFFERS; i++) {
        const size_t first = tile.image * got[i].per_image;
        const size_t count = tile.images * got[i].per_image;

        ck_assert_mem_eq(got[i].values + first, want[i].values + first,
                         count * sizeof(float));
        for (size_t k = 0; k < IMAGES * got[i].per_image; k++)
            ck_assert_msg(k - first < count || (double)got[i].values[k] == -77.0,
                          "buffer %zu, value %zu", i, k);
    }
    ck_assert_mem_eq(b.sums, whole.sums + b.table.sum_total,
                     b.table.sum_total * sizeof(float));
    bench_close(&whole);
    bench_close(&b);
}
END_TEST

/* The same images as a batch of their own: the place in the batch does not matter. */
START_TEST(batch_does_not_matter)
{
    const MaeTile alone = {0, 2, TOKENS};
    const size_t at = 2 * TOKENS * WIDTH, count = 2 * TOKENS * WIDTH;
    const float scales[] = {drop[2], drop[3], drop[IMAGES + 2], drop[IMAGES + 3]};
    Bench whole, b;

    bench_open(&whole, drop);
    bench_open(&b, drop);
    run(&whole);
    mae_block_forward(&b.block, b.gemm, b.out, &b.cache, &b.scratch, b.x + at,
                      mae_weights_f32(b.w), scales, 2, alone);
    mae_block_backward(&b.block, b.gemm, b.dx, b.sums, &b.grads, &b.scratch, b.dout + at,
                       b.x + at, &b.cache, mae_weights_f32(b.w), scales, 2, alone);
    ck_assert_mem_eq(b.out, whole.out + at, count * sizeof(float));
    ck_assert_mem_eq(b.dx, whole.dx + at, count * sizeof(float));
    ck_assert_mem_eq(b.sums, whole.sums + b.table.sum_total,
                     b.table.sum_total * sizeof(float));
    bench_close(&whole);
    bench_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("nn_block");
    TCase *tc = tcase_create("grad");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, registers);
    tcase_add_test(tc, starts_as_documented);
    tcase_add_loop_test(tc, forward_equals_reference, 0, 2);
    tcase_add_loop_test(tc, gradients_equal_differences, 0, 2);
    tcase_add_test(tc, gradients_accumulate);
    tcase_add_test(tc, dropped_image_passes);
    tcase_add_test(tc, scales_of_one_change_nothing);
    tcase_add_test(tc, tiles_are_independent);
    tcase_add_test(tc, batch_does_not_matter);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
