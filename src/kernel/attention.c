#include "kernel/attention.h"

#include <assert.h>
#include <math.h>

#include "base/size.h"
#include "kernel/rows.h"

/* Scores are padded to whole 64-byte vectors. */
#define LANES 16

/*
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

static Shape shape_of(const MaeAttentionSizes *sizes)
{
    const size_t tokens = sizes->tokens, ld = round_up(tokens), head = tokens * ld;
    Shape s;

    assert(tokens > 0 && sizes->heads > 0 && sizes->head_dim > 0);
    s = (Shape){
        .tokens = tokens,
        .dim = sizes->head_dim,
        .width = sizes->heads * sizes->head_dim,
        .stride = 3 * sizes->heads * sizes->head_dim,
        .ld = ld,
        .images = mae_larger(GROUP_FLOATS / (head * sizes->heads), 1),
        .heads = equal_parts(sizes->heads, mae_larger(GROUP_FLOATS / head, 1)),
        .scale = (float)(1.0 / sqrt((double)sizes->head_dim)),
    };
    s.block = s.heads > 1 || s.images > 1
                  ? tokens
                  : equal_parts(tokens, mae_larger(BLOCK_FLOATS / ld, BLOCK_MIN_ROWS));
    return s;
}

/* A group's matrices, and sums over blocks. In an f32 run p is s and ds is dp. */
typedef struct Scratch {
    float *s, *dp;    /* [images,heads,block,ld] scores; gradient of the weights */
    MaeOperand p, ds; /* [images,heads,block,ld] weights; gradient of the scores */
    float *dk, *dv;   /* [N,K] f32 sums, if there are several blocks of bf16 */
} Scratch;

/* @param[out] scratch may be NULL, and memory too: only counts. @return floats. */
static size_t carve(Scratch *scratch, float *memory, const Shape *s, MaeDtype type)
{
    const size_t matrix = s->images * s->heads * s->block * s->ld;
    const size_t operand = type == MAE_F32 ? 0 : matrix / 2;
    const bool sums = type != MAE_F32 && s->block < s->tokens;
    const size_t sum = sums ? round_up(s->tokens * s->dim) : 0;

    if (scratch != NULL) {
        float *after = memory + 2 * matrix;

        *scratch = (Scratch){.s = memory, .dp = memory + matrix};
        scratch->p = (MaeOperand){type == MAE_F32 ? scratch->s : after, type};
        scratch->ds = (MaeOperand){type == MAE_F32 ? scratch->dp : after + operand, type};
        after += 2 * operand;
        scratch->dk = sums ? after : NULL;
        scratch->dv = sums ? after + sum : NULL;
    }
    return 2 * (matrix + operand + sum);
}

size_t mae_attention_scratch(const MaeAttentionSizes *sizes, MaeDtype type)
{
    const Shape s = shape_of(sizes);

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
    return (Group){0, mae_smaller(s->images, sizes->images), 0, s->heads, 0, s->block};
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
    g->images = mae_smaller(s->images, sizes->images - g->image);
    g->heads = mae_smaller(s->heads, sizes->heads - g->head);
    g->queries = mae_smaller(s->block, sizes->tokens - g->query);
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

static void multiply(const MaeGemm *gemm, MaeGemmForm form, View c, View a, View b,
                     const size_t mnk[3], const Group *g, bool accumulate)
{
    const MaeGemmBatch batch[] = {{g->images, a.image, b.image, c.image},
                                  {g->heads, a.head, b.head, c.head}};

    mae_gemm_batch(gemm, form, c.at, c.ld, a.at.data, a.ld, b.at.data, b.ld, mnk[0],
                   mnk[1], mnk[2], batch, accumulate);
}

static size_t lse_offset(const Group *g, const MaeAttentionSizes *sizes)
{
    return (g->image * sizes->heads + g->head) * sizes->tokens + g->query;
}

void mae_attention_forward(const MaeGemm *gemm, MaeOperand out, float *lse,
                           MaeOperand qkv, const MaeAttentionSizes *sizes, float *scratch)
{
    const Shape s = shape_of(sizes);
    Group g = first_group(&s, sizes);
    Scratch parts;

    (void)carve(&parts, scratch, &s, qkv.type);
    do {
        const size_t to_scores[] = {g.queries, s.tokens, s.dim};
        const size_t to_out[] = {g.queries, s.dim, s.tokens};

        multiply(gemm, MAE_GEMM_NT, scores_of(mae_operand_f32(parts.s), &s, &g),
                 part_of(qkv, &s, &g, 0, g.query), part_of(qkv, &s, &g, 1, 0), to_scores,
                 &g, false);
        mae_rows_softmax(parts.p, lse != NULL ? lse + lse_offset(&g, sizes) : NULL,
                         parts.s, g.images * g.heads * g.queries, s.tokens, s.ld,
                         s.scale);
        multiply(gemm, MAE_GEMM_NN, heads_of(out, &s, &g), scores_of(parts.p, &s, &g),
                 part_of(qkv, &s, &g, 2, 0), to_out, &g, false);
    } while (next_group(&g, &s, sizes));
}

/*
 * to[N,K] = or += weights^T x of the group's queries; in bf16 by way of f32 sums if there
 * are several blocks of them.
 */
static void gather_grad(const MaeGemm *gemm, View to, float *sums, View weights, View x,
                        const Shape *s, const Group *g)
{
    const size_t mnk[] = {s->tokens, s->dim, g->queries};
    const View c = sums != NULL ? (View){mae_operand_f32(sums), s->dim, 0, 0} : to;

    multiply(gemm, MAE_GEMM_TN, c, weights, x, mnk, g, g->query > 0);
    for (size_t n = 0;
         sums != NULL && g->query + g->queries == s->tokens && n < s->tokens; n++)
        mae_rows_enter(mae_operand_at(to.at, n * to.ld), NULL, sums + n * s->dim, NULL, 1,
                       1, s->dim);
}

void mae_attention_backward(const MaeGemm *gemm, MaeOperand dqkv, MaeOperand out,
                            MaeOperand dout, MaeOperand qkv, const float *lse,
                            const MaeAttentionSizes *sizes, float *scratch)
{
    const Shape s = shape_of(sizes);
    Group g = first_group(&s, sizes);
    Scratch parts;

    (void)carve(&parts, scratch, &s, qkv.type);
    do {
        const size_t to_scores[] = {g.queries, s.tokens, s.dim};
        const size_t to_heads[] = {g.queries, s.dim, s.tokens};
        const View q = part_of(qkv, &s, &g, 0, g.query);
        const View k = part_of(qkv, &s, &g, 1, 0), v = part_of(qkv, &s, &g, 2, 0);
        const View dheads = heads_of(dout, &s, &g);
        const View weights = scores_of(parts.p, &s, &g), ds = scores_of(parts.ds, &s, &g);

        multiply(gemm, MAE_GEMM_NT, scores_of(mae_operand_f32(parts.s), &s, &g), q, k,
                 to_scores, &g, false);
        multiply(gemm, MAE_GEMM_NT, scores_of(mae_operand_f32(parts.dp), &s, &g), dheads,
                 v, to_scores, &g, false);
        mae_rows_softmax_grad(parts.p, parts.ds, parts.s, parts.dp,
                              lse + lse_offset(&g, sizes), g.images * g.heads * g.queries,
                              s.tokens, s.ld, s.scale);
        gather_grad(gemm, part_of(dqkv, &s, &g, 2, 0), parts.dv, weights, dheads, &s, &g);
        gather_grad(gemm, part_of(dqkv, &s, &g, 1, 0), parts.dk, ds, q, &s, &g);
        if (out.data != NULL)
            multiply(gemm, MAE_GEMM_NN, heads_of(out, &s, &g), weights, v, to_heads, &g,
                     false);
        multiply(gemm, MAE_GEMM_NN, part_of(dqkv, &s, &g, 0, g.query), ds, k, to_heads,
                 &g, false);
    } while (next_group(&g, &s, sizes));
}

void mae_attention_map(const MaeGemm *gemm, float *map, MaeOperand qkv, size_t tokens,
                       size_t heads, size_t head_dim, size_t head)
{
    const Shape s = shape_of(&(MaeAttentionSizes){1, tokens, heads, head_dim});
    const MaeOperand q = mae_operand_at(qkv, head * head_dim);

    assert(head < heads);
    mae_gemm_nt(gemm, mae_operand_f32(map), tokens, q.data, s.stride,
                mae_operand_at(q, s.width).data, s.stride, tokens, tokens, head_dim, NULL,
                NULL);
    mae_rows_softmax(mae_operand_f32(map), NULL, map, tokens, tokens, tokens, s.scale);
}
