#include "model/trunk.h"

#include <stdlib.h>
#include <string.h>

#include "support/model.h"
#include "support/test.h"

enum { BATCH = 5, TOKENS = 7, WIDTH = 12, HEADS = 3, HIDDEN = 18, DEPTH = 3 };
enum { ROWS = BATCH * TOKENS, N = ROWS * WIDTH, TILE = 2 };

/* A trunk and its memory, in tiles of one or two images. */
typedef struct Bench {
    MaeDtype type;
    TestCompute compute;
    MaeParamTable table;
    MaeTrunk trunk;
    MaeArena arena;
    MaeWork work;
    MaeTrunkCache cache;
    bool keep;
    size_t leaving;                /* rows of an image that leave; TOKENS: all */
    float *w, *dw, *dout, *scales; /* scales [DEPTH,2,BATCH] or NULL */
    MaeWeights weights;
    void *owned;
} Bench;

static void reserve(void *ctx, MaeArena *arena)
{
    Bench *b = ctx;
    const MaeWorkPlan plan = {
        .batch = BATCH,
        .tile_images = TILE,
        .sum_total = b->table.sum_total,
        .keep = b->keep ? MAE_KEEP_ALL : MAE_KEEP_NOTHING,
        .drop_path = b->scales != NULL,
        .trunk_count = 1,
        .trunks = {{BATCH, TOKENS, WIDTH, HIDDEN, HEADS, b->type}},
    };

    mae_work_reserve(&b->work, arena, &plan, &b->compute.compute);
    mae_trunk_reserve(&b->trunk, &b->cache, arena, BATCH, TOKENS, b->leaving, b->type,
                      b->keep);
}

/* @return false if there are no products of @p type. */
static bool bench_open_leaving(Bench *b, MaeDtype type, size_t threads, bool keep,
                               bool drop, size_t leaving)
{
    MaeError err = {0};
    float *x;

    memset(b, 0, sizeof *b);
    if (!test_can_multiply(type))
        return false;
    b->type = type;
    b->keep = keep;
    b->leaving = leaving;
    test_compute_open(&b->compute, type, threads);
    ck_assert_ok(mae_trunk_define(&b->trunk, &b->table, "blocks", WIDTH, DEPTH, HEADS,
                                  HIDDEN, &err));
    if (drop) {
        b->scales = mae_test_alloc(2 * DEPTH * BATCH * sizeof(float));
        for (size_t i = 0; i < 2 * DEPTH * BATCH; i++)
            b->scales[i] = i % 4 == 0 ? 0.0f : 1.0f + 0.125f * (float)i;
    }
    test_carve(&b->arena, reserve, b);
    b->w = mae_test_alloc(b->table.total * sizeof(float));
    b->dw = mae_test_alloc(b->table.total * sizeof(float));
    test_random_params(&b->table, b->w, 3);
    b->weights = test_weights(b->w, b->table.total, type, &b->owned);
    b->dout = mae_test_normal(N, 3, 101);
    x = mae_test_normal(N, 3, 100);
    memcpy(b->cache.x[0], x, N * sizeof *x);
    free(x);
    return true;
}

static bool bench_open(Bench *b, MaeDtype type, size_t threads, bool keep, bool drop)
{
    return bench_open_leaving(b, type, threads, keep, drop, TOKENS);
}

static void bench_close(Bench *b)
{
    free(b->owned);
    free(b->w);
    free(b->dw);
    free(b->dout);
    free(b->scales);
    mae_arena_close(&b->arena);
    mae_trunk_done(&b->trunk);
    mae_param_close(&b->table);
    test_compute_close(&b->compute);
}

static void forward_tile(void *ctx, size_t tile, size_t thread)
{
    const Bench *b = ctx;

    mae_trunk_forward(&b->trunk, &b->work, &b->cache, b->weights, b->scales, BATCH,
                      mae_work_tile(&b->work, BATCH, TOKENS, tile), thread);
}

static void forward(Bench *b)
{
    mae_pool_run(b->compute.pool, mae_work_tiles(&b->work, BATCH), forward_tile, b);
}

/* Returns the gradient of the input; that of the weights is in dw. */
static const float *backward(Bench *b, size_t from)
{
    MaeGradFront front = {&b->table, b->dw, MAE_GRAD_ADD, BATCH, b->table.total};
    const float *dx;

    for (size_t t = 0; t < mae_work_tiles(&b->work, BATCH); t++)
        memset(mae_work_sums(&b->work, t), 0, b->table.sum_total * sizeof(float));
    memcpy(b->work.dx[from], b->dout, N * sizeof(float));
    dx = mae_trunk_backward(&b->trunk, &b->work, &front, b->work.dx[from], &b->cache,
                            b->weights, b->scales, TOKENS);
    mae_work_advance(&b->work, &front, 0);
    return dx;
}

START_TEST(registers)
{
    MaeParamTable table = {0};
    MaeError err = {0};
    MaeTrunk trunk;
    Bench b;

    ck_assert(bench_open(&b, MAE_F32, 1, true, false));
    ck_assert_uint_eq(b.table.count, 12 * DEPTH);
    test_param_is(&b.table, 0, "blocks.0.norm1.weight", "[12]",
                  MAE_PARAM_NO_DECAY | MAE_PARAM_ROWSUM);
    test_param_is(&b.table, 12 * DEPTH - 2, "blocks.2.mlp.fc2.weight", "[12,18]", 0);
    bench_close(&b);
    ck_assert_ok(mae_trunk_define(&trunk, &table, "none", 4, 0, 1, 4, &err));
    ck_assert_uint_eq(table.count, 0);
    mae_trunk_done(&trunk);
    mae_trunk_done(&trunk);
    mae_trunk_done(NULL);
}
END_TEST

/* Enough rows and not an image more. */
START_TEST(tiles_follow_shapes)
{
    static const size_t tokens[] = {1, 7, 17, 50, 191, 192, 197, 1025};

    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) {
        const size_t images = mae_work_tile_images(tokens[i]);

        ck_assert_uint_ge(images * tokens[i], 192);
        ck_assert_uint_lt((images - 1) * tokens[i], 192);
        ck_assert_uint_ge(mae_tile_part_images(tokens[i]), images);
        ck_assert(mae_tile_part_images(tokens[i]) * tokens[i] <= 384 + tokens[i] / 2 ||
                  mae_tile_part_images(tokens[i]) == 1);
    }
}
END_TEST

/* One of @p count pieces of @p whole: the next, not above @p most, as large as all. */
static void check_piece(MaeTile piece, MaeTile whole, size_t next, size_t count,
                        size_t most)
{
    ck_assert_uint_eq(piece.image, next);
    ck_assert_uint_eq(piece.tokens, whole.tokens);
    ck_assert(piece.images > 0 && piece.images <= most);
    ck_assert_uint_ge(piece.images, whole.images / count);
    ck_assert_uint_le(piece.images, (whole.images + count - 1) / count);
}

static void check_parts(MaeTile tile)
{
    const size_t parts = mae_tile_parts(tile), most = mae_tile_part_images(tile.tokens);
    size_t next = tile.image;

    ck_assert_uint_lt((parts - 1) * most, tile.images); /* no more than it takes */
    for (size_t p = 0; p < parts; p++) {
        const MaeTile part = mae_tile_part(tile, p);

        check_piece(part, tile, next, parts, most);
        next += part.images;
    }
    ck_assert_uint_eq(next, tile.image + tile.images);
}

static void check_tiles(const MaeWork *work, size_t batch, size_t tokens)
{
    const size_t tiles = mae_work_tiles(work, batch), most = work->plan.tile_images;
    const MaeTile whole = {0, batch, tokens};
    size_t next = 0;

    ck_assert(tiles == 1 || tiles == batch || tiles % (tiles > 4 ? 4 : 2) == 0);
    ck_assert_uint_lt(tiles, (batch + most - 1) / most + 4);
    for (size_t t = 0; t < tiles; t++) {
        const MaeTile tile = mae_work_tile(work, batch, tokens, t);

        check_piece(tile, whole, next, tiles, most);
        check_parts(tile);
        next += tile.images;
    }
    ck_assert_uint_eq(next, batch);
}

/* Every image in one tile and in one of its parts, for two or four threads alike. */
START_TEST(tiles_are_equal)
{
    static const size_t tokens[] = {1, 7, 17, 50, 191, 192, 197, 1025};
    MaeWork work = {0};

    for (size_t most = 1; most < 16; most++) {
        work.plan.tile_images = most;
        for (size_t batch = 1; batch < 100; batch++)
            check_tiles(&work, batch, tokens[batch % (sizeof tokens / sizeof *tokens)]);
    }
}
END_TEST

/* One block backward, as the trunk's contract has it: all tiles, then the weights. */
static void block_backward(Bench *b, size_t i, float *dw, float *sums, float *dx,
                           const float *dout)
{
    const MaeBlock *block = &b->trunk.blocks[i];
    const float *scales = b->scales != NULL ? b->scales + 2 * i * BATCH : NULL;

    for (size_t t = 0; t < mae_work_tiles(&b->work, BATCH); t++)
        mae_block_backward(block, b->compute.gemm, dx, sums + t * b->table.sum_total,
                           &b->work.grads, &b->work.scratch[0], dout, b->cache.x[i],
                           &b->cache.blocks[i], b->weights, scales, BATCH,
                           mae_work_tile(&b->work, BATCH, TOKENS, t));
    mae_block_weight_grads(block, &(MaeCompute){.gemm = b->compute.gemm}, dw,
                           MAE_GRAD_ADD, &b->work.grads, dout, &b->cache.blocks[i],
                           &b->cache.blocks[i], scales, ROWS, ROWS);
}

START_TEST(equals_a_chain_of_blocks)
{
    const size_t from = (size_t)_i % 2;
    float *dw, *sums, *grad[2], *x;
    const float *dx;
    size_t tiles;
    Bench b;

    if (!bench_open(&b, (MaeDtype)(_i / 4), 2, true, _i % 4 >= 2))
        return;
    tiles = mae_work_tiles(&b.work, BATCH);
    forward(&b);
    x = mae_test_alloc(N * sizeof *x);
    for (size_t i = 0; i < DEPTH; i++) { /* each x[i+1] is block i of x[i] */
        for (size_t t = 0; t < tiles; t++)
            mae_block_forward(&b.trunk.blocks[i], b.compute.gemm, x, &b.cache.blocks[i],
                              &b.work.scratch[0], b.cache.x[i], b.weights,
                              b.scales != NULL ? b.scales + 2 * i * BATCH : NULL, BATCH,
                              mae_work_tile(&b.work, BATCH, TOKENS, t));
        ck_assert_mem_eq(x, b.cache.x[i + 1], N * sizeof *x);
    }
    dw = mae_test_alloc(b.table.total * sizeof *dw);
    sums = mae_test_alloc(tiles * b.table.sum_total * sizeof *sums);
    grad[DEPTH % 2] = test_copy(b.dout, N);
    grad[1 - DEPTH % 2] = mae_test_alloc(N * sizeof(float));
    for (size_t i = DEPTH; i-- > 0;)
        block_backward(&b, i, dw, sums, grad[i % 2], grad[(i + 1) % 2]);
    for (size_t p = 0; p < b.table.count; p++) {
        const MaeParamEntry *e = &b.table.entries[p];

        for (size_t t = 0; (e->flags & MAE_PARAM_ROWSUM) && t < tiles; t++)
            for (size_t i = 0; i < e->at.count; i++)
                dw[e->at.off + i] += sums[t * b.table.sum_total + e->at.sum + i];
    }
    forward(&b); /* a backward pass uses its forward pass up */
    dx = backward(&b, from);
    ck_assert(dx == b.work.dx[0] || dx == b.work.dx[1]);
    ck_assert_mem_eq(dx, grad[0], N * sizeof *dx);
    ck_assert_mem_eq(b.dw, dw, b.table.total * sizeof *dw);
    free(dw);
    free(sums);
    free(grad[0]);
    free(grad[1]);
    free(x);
    bench_close(&b);
}
END_TEST

/* Rows of an image's @p leaving ones, in an order of their own. */
static size_t leaving_row(size_t image, size_t m)
{
    return (3 * m + image) % TOKENS;
}

/* As if all rows left and the gradient of the others were 0. */
START_TEST(some_rows_leave)
{
    const bool drop = _i % 2 != 0;
    const size_t leaving = (size_t)_i / 2 % 3 * 2; /* 0, 2, 4 */
    const MaeDtype type = (MaeDtype)(_i / 6);
    const double tolerance = type == MAE_F32 ? 1e-5 : 2e-2;
    const size_t row = WIDTH * sizeof(float);
    float *dout;
    Bench all, some;

    if (!bench_open(&all, type, 2, true, drop))
        return;
    ck_assert(bench_open_leaving(&some, type, 2, true, drop, leaving));
    dout = mae_test_alloc(N * sizeof *dout);
    for (size_t i = 0; i < BATCH * leaving; i++) {
        const size_t image = i / leaving, from = leaving_row(image, i % leaving);

        some.cache.leave[i] = (uint32_t)from;
        memcpy(dout + (image * TOKENS + from) * WIDTH, some.dout + i * WIDTH, row);
    }
    memcpy(all.dout, dout, N * sizeof *dout);
    forward(&all);
    forward(&some);
    for (size_t i = 0; i < BATCH * leaving; i++) {
        const size_t from = i / leaving * TOKENS + some.cache.leave[i];

        mae_test_close("rows", some.cache.x[DEPTH] + i * WIDTH,
                       all.cache.x[DEPTH] + from * WIDTH, WIDTH, 0.0, tolerance);
    }
    mae_test_close("dx", backward(&some, 0), backward(&all, 0), N, 0.0, tolerance);
    mae_test_close("dw", some.dw, all.dw, all.table.total, 0.0, tolerance);
    free(dout);
    bench_close(&all);
    bench_close(&some);
}
END_TEST

START_TEST(gradients_accumulate)
{
    float *once;
    Bench b;

    if (!bench_open(&b, (MaeDtype)_i, 1, true, true))
        return;
    forward(&b);
    (void)backward(&b, 0);
    once = test_copy(b.dw, b.table.total);
    forward(&b);
    (void)backward(&b, 0);
    for (size_t i = 0; i < b.table.total; i++)
        once[i] *= 2.0f;
    mae_test_close("dw", b.dw, once, b.table.total, 0.0, 1e-6);
    free(once);
    bench_close(&b);
}
END_TEST

START_TEST(threads_do_not_change_a_bit)
{
    static const size_t threads[] = {2, 3, 8};
    Bench one;

    if (!bench_open(&one, (MaeDtype)_i, 1, true, true))
        return;
    forward(&one);
    (void)backward(&one, 0);
    for (size_t t = 0; t < 3; t++) {
        Bench b;

        ck_assert(bench_open(&b, one.type, threads[t], true, true));
        forward(&b);
        ck_assert_mem_eq(backward(&b, 0), one.work.dx[DEPTH % 2], N * sizeof(float));
        ck_assert_mem_eq(b.cache.x[DEPTH], one.cache.x[DEPTH], N * sizeof(float));
        ck_assert_mem_eq(b.dw, one.dw, b.table.total * sizeof(float));
        bench_close(&b);
    }
    bench_close(&one);
}
END_TEST

START_TEST(keeps_nothing_without_backward)
{
    Bench kept, b;

    if (!bench_open(&kept, (MaeDtype)_i, 2, true, false))
        return;
    ck_assert(bench_open(&b, kept.type, 2, false, false));
    for (size_t i = 0; i < DEPTH; i++) {
        ck_assert_ptr_eq(b.cache.blocks[i].qkv.data, b.cache.blocks[0].qkv.data);
        ck_assert_ptr_eq(b.cache.blocks[i].fc1.data, b.cache.blocks[0].fc1.data);
        ck_assert_ptr_ne(b.cache.x[i], b.cache.x[i + 1]);
        ck_assert(i == 0 ||
                  kept.cache.blocks[i].qkv.data != kept.cache.blocks[0].qkv.data);
        ck_assert(i + 2 > DEPTH || b.cache.x[i] == b.cache.x[i + 2]);
        ck_assert(i + 2 > DEPTH || kept.cache.x[i] != kept.cache.x[i + 2]);
    }
    /* At least qkv, x1, fc1 and the output of all blocks but one. */
    ck_assert_uint_gt(
        kept.arena.size - b.arena.size,
        (DEPTH - 1) * ROWS *
            (2 * WIDTH * sizeof(float) + (3 * WIDTH + HIDDEN) * mae_dtype_size(b.type)));
    forward(&kept);
    forward(&b);
    ck_assert_mem_eq(b.cache.x[DEPTH], kept.cache.x[DEPTH], N * sizeof(float));
    bench_close(&kept);
    bench_close(&b);
}
END_TEST

/* In tile order, onto what is there; weights and fixed parameters stay. */
START_TEST(combines_sums)
{
    const size_t shape[] = {2, 2};
    MaeParamTable table = {0};
    float sums[4 * 64], dw[64];
    MaeWork work = {.sums = sums, .plan = {.tile_images = 2}};
    MaeGradFront front = {&table, dw, MAE_GRAD_ADD, 6, 0}, rest;
    MaeParam a, b, fixed;

    a = mae_param_add(&table, "", "a", 2, 0);
    b = mae_param_add_shape(&table, "", "b", 2, shape, MAE_PARAM_PLAIN);
    fixed = mae_param_add(&table, "", "fixed", 2, MAE_PARAM_FIXED);
    work.plan.sum_total = table.sum_total;
    front.from = table.total;
    rest = front;
    rest.batch = 1; /* a remainder has fewer tiles */
    ck_assert_uint_le(table.sum_total, 64);
    ck_assert_uint_le(table.total, 64);
    test_fill(dw, 64, 1.0f);
    for (size_t t = 0; t < 4; t++)
        test_fill(mae_work_sums(&work, t), table.sum_total, t == 0 ? 1e8f : 4.0f);
    dw[a.off] = -1e8f;
    mae_work_advance(&work, &front, b.off); /* nothing yet of what lies before */
    ck_assert_f32_eq(dw[a.off], -1e8f);
    mae_work_advance(&work, &front, 0);
    ck_assert_f32_eq(dw[a.off], 12.0f);
    ck_assert_f32_eq(dw[a.off + 1], (((1.0f + 1e8f) + 4.0f) + 4.0f) + 4.0f);
    ck_assert_f32_eq(dw[b.off], 1.0f);
    ck_assert_f32_eq(dw[fixed.off], 1.0f);
    dw[a.off] = 0.0f;
    mae_work_advance(&work, &rest, 0);
    ck_assert_f32_eq(dw[a.off], 1e8f);
    mae_param_close(&table);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("model_trunk");
    TCase *tc = tcase_create("grad");

    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, registers);
    tcase_add_test(tc, tiles_follow_shapes);
    tcase_add_test(tc, tiles_are_equal);
    tcase_add_loop_test(tc, equals_a_chain_of_blocks, 0, 4 * TEST_DTYPES);
    tcase_add_loop_test(tc, some_rows_leave, 0, 6 * TEST_DTYPES);
    tcase_add_loop_test(tc, gradients_accumulate, 0, TEST_DTYPES);
    tcase_add_loop_test(tc, threads_do_not_change_a_bit, 0, TEST_DTYPES);
    tcase_add_loop_test(tc, keeps_nothing_without_backward, 0, TEST_DTYPES);
    tcase_add_test(tc, combines_sums);
    suite_add_tcase(suite, tc);
    return mae_test_main(suite);
}
