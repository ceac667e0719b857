#include "kernel/attention.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#include "kernel/rows.h"

/* Scores are padded to whole 64-byte vectors. */
#define LANES 16

/*
 * A bf16 head is copied out of its rows into a matrix of its own, keys and values with
 * zero rows up to whole vectors: oneDNN multiplies batches of dense matrices two (197
 * tokens) to four times (17 tokens) as fast as heads side by side, and OpenBLAS does not
 * mind them.
 *
 * Scores of as many heads and images at a time as stay in a level-2 cache: about this
 * many floats, twice in backward. A head that has more is taken in blocks of queries,
 * unless that leaves fewer rows than a product needs.
 */
#define GROUP_FLOATS 65536
#define BLOCK_FLOATS 131072
#define BLOCK_MIN_ROWS 64

typedef struct Shape {
    size_t tokens; /* N */
    size_t dim;    /* K */
    size_t width;  /* D, distance between rows of out */
    size_t stride; /* 3D, distance between rows of qkv */
    size_t ld;     /* distance between rows of scores: N rounded up */
    size_t keys;   /* rows of keys and values, columns of scores: N, in bf16 ld */
    size_t block;  /* queries at a time; N unless a group is one head */
    size_t images; /* in a group */
    size_t heads;  /* of an image in a group; all unless it is one image */
    float scale;   /* 1 / sqrt(K) */
} Shape;

static size_t round_up(size_t n)
{
    return (n + LANES - 1) / LANES * LANES;
}

/* Parts of equal size, at most @p most, decided by the shape alone. */
static size_t equal_parts(size_t all, size_t most)
{
    const size_t parts = (all + most - 1) / most;

    return (all + parts - 1) / parts;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static Shape shape_of(const MaeAttentionSizes *sizes, MaeDtype type)
{
    const size_t tokens = sizes->tokens, ld = round_up(tokens), head = tokens * ld;
    Shape s = {
        .tokens = tokens,
        .dim = sizes->head_dim,
        .width = sizes->heads * sizes->head_dim,
        .stride = 3 * sizes->heads * sizes->head_dim,
        .ld = ld,
        .keys = type == MAE_F32 ? tokens : ld,
        .images = larger(GROUP_FLOATS / (head * sizes->heads), 1),
        .heads = equal_parts(sizes->heads, larger(GROUP_FLOATS / head, 1)),
        .scale = (float)(1.0 / sqrt((double)sizes->head_dim)),
    };

    assert(tokens > 0 && sizes->heads > 0 && sizes->head_dim > 0);
    s.block = s.heads > 1 || s.images > 1
                  ? tokens
                  : equal_parts(tokens, larger(BLOCK_FLOATS / ld, BLOCK_MIN_ROWS));
    return s;
}

/*
 * A group's matrices, and sums over blocks. In an f32 run p is s, ds is dp, and heads are
 * read and written where they are.
 */
typedef struct Scratch {
    float *s, *dp;      /* [images,heads,block,ld] scores; gradient of the weights */
    MaeOperand p, ds;   /* [images,heads,block,ld] weights; gradient of the scores */
    float *dk, *dv;     /* [keys,K] f32 sums, if there are several blocks of bf16 */
    MaeOperand q, dout; /* [images,heads,block,K]; no data in an f32 run, nor below */
    MaeOperand k, v;    /* [images,heads,keys,K] */
    MaeOperand result;  /* [images,heads,keys,K] on the way to where it belongs */
} Scratch;

/* The next @p count operands of memory that may be NULL; no data in an f32 run. */
static MaeOperand take(float **memory, MaeDtype type, size_t count)
{
    const MaeOperand taken = {type == MAE_F32 ? NULL : *memory, type};

    *memory += type == MAE_F32 || *memory == NULL ? 0 : round_up(count) / 2;
    return taken;
}

/* @param[out] scratch may be NULL, and memory too: only counts. @return floats. */
static size_t carve(Scratch *scratch, float *memory, const Shape *s, MaeDtype type)
{
    const size_t group = s->images * s->heads, rows = group * s->block;
    const size_t matrix = rows * s->ld;
    const size_t operand = type == MAE_F32 ? 0 : matrix / 2;
    const bool sums = type != MAE_F32 && s->block < s->tokens;
    const size_t sum = sums ? round_up(s->keys * s->dim) : 0;
    const size_t queries = round_up(rows * s->dim);
    const size_t keys = round_up(group * s->keys * s->dim);

    if (scratch != NULL) {
        float *after = memory + 2 * matrix;

        *scratch = (Scratch){.s = memory, .dp = memory + matrix};
        scratch->p = (MaeOperand){type == MAE_F32 ? scratch->s : after, type};
        scratch->ds = (MaeOperand){type == MAE_F32 ? scratch->dp : after + operand, type};
        after += 2 * operand;
        scratch->dk = sums ? after : NULL;
        scratch->dv = sums ? after + sum : NULL;
        after += 2 * sum;
        scratch->q = take(&after, type, queries);
        scratch->dout = take(&after, type, queries);
        scratch->k = take(&after, type, keys);
        scratch->v = take(&after, type, keys);
        scratch->result = take(&after, type, keys);
    }
    return 2 * (matrix + operand + sum) +
           (type == MAE_F32 ? 0 : queries + keys + keys / 2);
}

size_t mae_attention_scratch(const MaeAttentionSizes *sizes, MaeDtype type)
{
    const Shape s = shape_of(sizes, type);

    return carve(NULL, NULL, &s, type);
}

/* The part of a call that is computed at once. */
typedef struct Group {
    size_t image, images; /* first, how many */
    size_t head, heads;
    size_t query, queries; /* tokens of each that ask */
} Group;

static Group first_group(const Shape *s, const MaeAttentionSizes *sizes)
{
    return (Group){0, smaller(s->images, sizes->images), 0, s->heads, 0, s->block};
}

/* @return false after the last one: queries of a head, heads of an image, images. */
static bool next_group(Group *g, const Shape *s, const MaeAttentionSizes *sizes)
{
    g->query += g->queries;
    if (g->query >= sizes->tokens) {
        g->query = 0;
        g->head += g->heads;
    }
    if (g->head >= sizes->heads) {
        g->head = 0;
        g->image += g->images;
    }
    g->images = smaller(s->images, sizes->images - g->image);
    g->heads = smaller(s->heads, sizes->heads - g->head);
    g->queries = smaller(s->block, sizes->tokens - g->query);
    return g->image < sizes->images;
}

/* Where a group's matrices begin, and the steps to the next image's and head's. */
typedef struct View {
    MaeOperand at;
    size_t ld, image, head;
} View;

/* Columns of part @p part (q 0, k 1, v 2) of qkv or its gradient. */
static View part_of(MaeOperand qkv, const Shape *s, const Group *g, size_t part,
                    size_t token)
{
    const size_t row = g->image * s->tokens + token;

    return (View){
        mae_operand_at(qkv, row * s->stride + part * s->width + g->head * s->dim),
        s->stride, s->tokens * s->stride, s->dim};
}

/* Columns of the heads side by side, from the group's queries on. */
static View heads_of(MaeOperand out, const Shape *s, const Group *g)
{
    const size_t row = g->image * s->tokens + g->query;

    return (View){mae_operand_at(out, row * s->width + g->head * s->dim), s->width,
                  s->tokens * s->width, s->dim};
}

static View scores_of(MaeOperand scores, const Shape *s, const Group *g)
{
    return (View){scores, s->ld, g->heads * g->queries * s->ld, g->queries * s->ld};
}

static View head_of(View view, size_t image, size_t head)
{
    view.at = mae_operand_at(view.at, image * view.image + head * view.head);
    return view;
}

/* Matrices of @p rows rows, one behind the other. */
static View dense(MaeOperand at, const Shape *s, const Group *g, size_t rows)
{
    return (View){at, s->dim, g->heads * rows * s->dim, rows * s->dim};
}

/*
 * The group's heads as products read them: where they are or, in bf16, copied to @p to,
 * @p rows of @p padded.
 */
static View gather(MaeOperand to, View from, const Shape *s, const Group *g, size_t rows,
                   size_t padded)
{
    const size_t row = s->dim * sizeof(uint16_t);
    char *next = to.data;

    for (size_t i = 0; next != NULL && i < g->images; i++) {
        for (size_t h = 0; h < g->heads; h++) {
            const char *x = head_of(from, i, h).at.data;

            for (size_t r = 0; r < rows; r++, next += row)
                memcpy(next, x + r * from.ld * sizeof(uint16_t), row);
            memset(next, 0, (padded - rows) * row);
            next += (padded - rows) * row;
        }
    }
    return next != NULL ? dense(to, s, g, padded) : from;
}

/* The way back: @p rows of @p padded; nothing to do in an f32 run. */
static void scatter(View to, MaeOperand from, const Shape *s, const Group *g, size_t rows,
                    size_t padded)
{
    const size_t row = s->dim * sizeof(uint16_t);
    const char *next = from.data;

    for (size_t i = 0; next != NULL && i < g->images; i++) {
        for (size_t h = 0; h < g->heads; h++, next += (padded - rows) * row) {
            char *y = head_of(to, i, h).at.data;

            for (size_t r = 0; r < rows; r++, next += row)
                memcpy(y + r * to.ld * sizeof(uint16_t), next, row);
        }
    }
}

/* Dense matrices are one batch, not two: that is what oneDNN is fast at. */
static void multiply(const MaeGemm *gemm, MaeGemmForm form, View c, View a, View b,
                     const size_t mnk[3], const Group *g, bool accumulate)
{
    const bool one = a.image == g->heads * a.head && b.image == g->heads * b.head &&
                     c.image == g->heads * c.head;
    const MaeGemmBatch batch[] = {
        {one ? 1 : g->images, a.image, b.image, c.image},
        {one ? g->images * g->heads : g->heads, a.head, b.head, c.head}};

    mae_gemm_batch(gemm, form, c.at, c.ld, a.at.data, a.ld, b.at.data, b.ld, mnk[0],
                   mnk[1], mnk[2], batch, accumulate);
}

static size_t lse_offset(const Group *g, const MaeAttentionSizes *sizes)
{
    return (g->image * sizes->heads + g->head) * sizes->tokens + g->query;
}

/* Keys and values of the group; copied once for all of its blocks of queries. */
static View keys_of(MaeOperand to, MaeOperand qkv, size_t part, const Shape *s,
                    const Group *g)
{
    const View from = part_of(qkv, s, g, part, 0);

    if (g->query > 0 && to.data != NULL)
        return dense(to, s, g, s->keys);
    return gather(to, from, s, g, s->tokens, s->keys);
}

/* Where a product of the group's queries goes: to @p to or, in bf16, on its way there. */
static View product_at(View to, MaeOperand result, const Shape *s, const Group *g,
                       size_t rows)
{
    return result.data != NULL ? dense(result, s, g, rows) : to;
}

void mae_attention_forward(const MaeGemm *gemm, MaeOperand out, float *lse,
                           MaeOperand qkv, const MaeAttentionSizes *sizes, float *scratch)
{
    const Shape s = shape_of(sizes, qkv.type);
    Group g = first_group(&s, sizes);
    Scratch parts;

    (void)carve(&parts, scratch, &s, qkv.type);
    do {
        const size_t to_scores[] = {g.queries, s.keys, s.dim};
        const size_t to_out[] = {g.queries, s.dim, s.keys};
        const View q = gather(parts.q, part_of(qkv, &s, &g, 0, g.query), &s, &g,
                              g.queries, g.queries);
        const View heads = heads_of(out, &s, &g);

        multiply(gemm, MAE_GEMM_NT, scores_of(mae_operand_f32(parts.s), &s, &g), q,
                 keys_of(parts.k, qkv, 1, &s, &g), to_scores, &g, false);
        mae_rows_softmax(parts.p, lse != NULL ? lse + lse_offset(&g, sizes) : NULL,
                         parts.s, g.images * g.heads * g.queries, s.tokens, s.ld,
                         s.scale);
        multiply(gemm, MAE_GEMM_NN, product_at(heads, parts.result, &s, &g, g.queries),
                 scores_of(parts.p, &s, &g), keys_of(parts.v, qkv, 2, &s, &g), to_out, &g,
                 false);
        scatter(heads, parts.result, &s, &g, g.queries, g.queries);
    } while (next_group(&g, &s, sizes));
}

/*
 * to[N,K] = or += weights^T x of the group's queries; in bf16 by way of f32 sums if there
 * are several blocks of them.
 */
static void gather_grad(const MaeGemm *gemm, View to, const Scratch *parts, float *sums,
                        View weights, View x, const Shape *s, const Group *g)
{
    const size_t mnk[] = {s->keys, s->dim, g->queries};
    const View c = sums != NULL ? dense(mae_operand_f32(sums), s, g, s->keys)
                                : product_at(to, parts->result, s, g, s->keys);

    multiply(gemm, MAE_GEMM_TN, c, weights, x, mnk, g, g->query > 0);
    if (sums == NULL)
        scatter(to, parts->result, s, g, s->tokens, s->keys);
    for (size_t n = 0;
         sums != NULL && g->query + g->queries == s->tokens && n < s->tokens; n++)
        mae_rows_enter(mae_operand_at(to.at, n * to.ld), NULL, sums + n * s->dim, NULL, 1,
                       1, s->dim);
}

void mae_attention_backward(const MaeGemm *gemm, MaeOperand dqkv, MaeOperand out,
                            MaeOperand dout, MaeOperand qkv, const float *lse,
                            const MaeAttentionSizes *sizes, float *scratch)
{
    const Shape s = shape_of(sizes, qkv.type);
    Group g = first_group(&s, sizes);
    Scratch parts;

    (void)carve(&parts, scratch, &s, qkv.type);
    do {
        const size_t to_scores[] = {g.queries, s.keys, s.dim};
        const size_t to_heads[] = {g.queries, s.dim, s.keys};
        const View q = gather(parts.q, part_of(qkv, &s, &g, 0, g.query), &s, &g,
                              g.queries, g.queries);
        const View k = keys_of(parts.k, qkv, 1, &s, &g);
        const View v = keys_of(parts.v, qkv, 2, &s, &g);
        const View dheads =
            gather(parts.dout, heads_of(dout, &s, &g), &s, &g, g.queries, g.queries);
        const View weights = scores_of(parts.p, &s, &g), ds = scores_of(parts.ds, &s, &g);
        const View heads = heads_of(out, &s, &g), dq = part_of(dqkv, &s, &g, 0, g.query);

        multiply(gemm, MAE_GEMM_NT, scores_of(mae_operand_f32(parts.s), &s, &g), q, k,
                 to_scores, &g, false);
        multiply(gemm, MAE_GEMM_NT, scores_of(mae_operand_f32(parts.dp), &s, &g), dheads,
                 v, to_scores, &g, false);
        mae_rows_softmax_grad(parts.p, parts.ds, parts.s, parts.dp,
                              lse + lse_offset(&g, sizes), g.images * g.heads * g.queries,
                              s.tokens, s.ld, s.scale);
        gather_grad(gemm, part_of(dqkv, &s, &g, 2, 0), &parts, parts.dv, weights, dheads,
                    &s, &g);
        gather_grad(gemm, part_of(dqkv, &s, &g, 1, 0), &parts, parts.dk, ds, q, &s, &g);
        multiply(gemm, MAE_GEMM_NN, product_at(heads, parts.result, &s, &g, g.queries),
                 weights, v, to_heads, &g, false);
        scatter(heads, parts.result, &s, &g, g.queries, g.queries);
        multiply(gemm, MAE_GEMM_NN, product_at(dq, parts.result, &s, &g, g.queries), ds,
                 k, to_heads, &g, false);
        scatter(dq, parts.result, &s, &g, g.queries, g.queries);
    } while (next_group(&g, &s, sizes));
}

void mae_attention_map(const MaeGemm *gemm, float *map, MaeOperand qkv, size_t tokens,
                       size_t heads, size_t head_dim, size_t head)
{
    const Shape s = shape_of(&(MaeAttentionSizes){1, tokens, heads, head_dim}, qkv.type);
    const MaeOperand q = mae_operand_at(qkv, head * head_dim);

    assert(head < heads);
    mae_gemm_nt(gemm, mae_operand_f32(map), tokens, q.data, s.stride,
                mae_operand_at(q, s.width).data, s.stride, tokens, tokens, head_dim, NULL,
                NULL);
    mae_rows_softmax(mae_operand_f32(map), NULL, map, tokens, tokens, tokens, s.scale);
}
