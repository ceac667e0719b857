#include "kernel/attention.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>

#include "kernel/rows.h"

/* Scores are padded to whole 64-byte vectors. */
#define LANES 16

/* Queries are taken in blocks whose scores stay in a level-2 cache: about this many
 * floats, twice in backward, unless that leaves fewer rows than a product needs. */
#define BLOCK_FLOATS 65536
#define BLOCK_MIN_ROWS 64

typedef struct Shape {
    size_t tokens; /* N */
    size_t dim;    /* K */
    size_t width;  /* D, distance between rows of out */
    size_t stride; /* 3D, distance between rows of qkv */
    size_t ld;     /* distance between rows of scores */
    size_t block;  /* queries per block */
    float scale;   /* 1 / sqrt(K) */
} Shape;

static size_t round_up(size_t n)
{
    return (n + LANES - 1) / LANES * LANES;
}

/* Blocks of equal size, decided by the shape alone. */
static size_t block_rows(size_t tokens)
{
    size_t most = BLOCK_FLOATS / round_up(tokens), blocks;

    if (most < BLOCK_MIN_ROWS)
        most = BLOCK_MIN_ROWS;
    blocks = (tokens + most - 1) / most;
    return (tokens + blocks - 1) / blocks;
}

static Shape shape_of(size_t tokens, size_t heads, size_t head_dim)
{
    assert(tokens > 0 && heads > 0 && head_dim > 0);
    return (Shape){
        .tokens = tokens,
        .dim = head_dim,
        .width = heads * head_dim,
        .stride = 3 * heads * head_dim,
        .ld = round_up(tokens),
        .block = block_rows(tokens),
        .scale = (float)(1.0 / sqrt((double)head_dim)),
    };
}

static size_t rows_from(const Shape *s, size_t first)
{
    return s->tokens - first < s->block ? s->tokens - first : s->block;
}

/* One block's matrices, and sums over blocks. In an f32 run p is s and ds is dp. */
typedef struct Scratch {
    float *s, *dp;    /* [block,ld] scores; gradient of the weights */
    MaeOperand p, ds; /* [block,ld] weights; gradient of the scores */
    float *delta;     /* [block] */
    float *dk, *dv;   /* [N,K] f32 sums, if there are several blocks of bf16; else NULL */
} Scratch;

static bool has_sums(const Shape *s, MaeDtype type)
{
    return type != MAE_F32 && s->block < s->tokens;
}

/* @param[out] scratch may be NULL, and memory too: only counts. @return floats. */
static size_t carve(Scratch *scratch, float *memory, const Shape *s, MaeDtype type)
{
    const size_t matrix = s->block * s->ld, operand = type == MAE_F32 ? 0 : matrix / 2;
    const size_t sum = has_sums(s, type) ? round_up(s->tokens * s->dim) : 0;

    if (scratch != NULL) {
        float *after = memory + 2 * matrix;

        *scratch = (Scratch){.s = memory, .dp = memory + matrix};
        scratch->p = (MaeOperand){type == MAE_F32 ? scratch->s : after, type};
        scratch->ds = (MaeOperand){type == MAE_F32 ? scratch->dp : after + operand, type};
        after += 2 * operand;
        scratch->dk = sum > 0 ? after : NULL;
        scratch->dv = sum > 0 ? after + sum : NULL;
        scratch->delta = after + 2 * sum;
    }
    return 2 * (matrix + operand + sum) + round_up(s->block);
}

size_t mae_attention_scratch(size_t tokens, size_t head_dim, MaeDtype type)
{
    if (tokens == 0)
        return 0;
    return carve(NULL, NULL,
                 &(Shape){.tokens = tokens,
                          .dim = head_dim,
                          .ld = round_up(tokens),
                          .block = block_rows(tokens)},
                 type);
}

/* out, lse and q of one head and block; k and v follow q in qkv. */
static void forward_block(const MaeGemm *gemm, MaeOperand out, float *lse, MaeOperand q,
                          MaeOperand k, const Shape *s, size_t rows,
                          const Scratch *scratch)
{
    const MaeOperand v = mae_operand_at(k, s->width);

    mae_gemm_nt(gemm, mae_operand_f32(scratch->s), s->ld, q.data, s->stride, k.data,
                s->stride, rows, s->tokens, s->dim, NULL, NULL);
    mae_rows_softmax(scratch->p, lse, scratch->s, rows, s->tokens, s->ld, s->scale);
    mae_gemm_nn(gemm, out, s->width, scratch->p.data, s->ld, v.data, s->stride, rows,
                s->dim, s->tokens, NULL, NULL);
}

void mae_attention_forward(const MaeGemm *gemm, MaeOperand out, float *lse,
                           MaeOperand qkv, size_t tokens, size_t heads, size_t head_dim,
                           float *scratch)
{
    const Shape s = shape_of(tokens, heads, head_dim);
    Scratch parts;

    (void)carve(&parts, scratch, &s, qkv.type);
    for (size_t h = 0; h < heads; h++) {
        const MaeOperand q = mae_operand_at(qkv, h * head_dim);

        for (size_t first = 0; first < tokens; first += s.block)
            forward_block(gemm, mae_operand_at(out, first * s.width + h * head_dim),
                          lse == NULL ? NULL : lse + h * tokens + first,
                          mae_operand_at(q, first * s.stride), mae_operand_at(q, s.width),
                          &s, rows_from(&s, first), &parts);
    }
}

/* One head: views of its columns, [N,K] inside the wider matrices. */
typedef struct Head {
    MaeOperand dq, dk, dv;
    MaeOperand q, k, v;
    MaeOperand dout, out;
    const float *lse;
} Head;

static Head head_view(const Shape *s, MaeOperand dqkv, MaeOperand dout, MaeOperand out,
                      MaeOperand qkv, const float *lse, size_t h)
{
    const size_t column = h * s->dim;

    return (Head){
        .dq = mae_operand_at(dqkv, column),
        .dk = mae_operand_at(dqkv, column + s->width),
        .dv = mae_operand_at(dqkv, column + 2 * s->width),
        .q = mae_operand_at(qkv, column),
        .k = mae_operand_at(qkv, column + s->width),
        .v = mae_operand_at(qkv, column + 2 * s->width),
        .dout = mae_operand_at(dout, column),
        .out = mae_operand_at(out, column),
        .lse = lse + h * s->tokens,
    };
}

/*
 * to[N,K] = or += weights[rows,N]^T x[rows,K], directly or by way of f32 sums.
 */
static void gather(const MaeGemm *gemm, MaeOperand to, float *sums, const Shape *s,
                   MaeOperand weights, MaeOperand x, size_t ldx, size_t first,
                   size_t rows)
{
    const MaeOperand c = sums != NULL ? mae_operand_f32(sums) : to;
    const size_t ldc = sums != NULL ? s->dim : s->stride;

    mae_gemm_tn(gemm, c, ldc, weights.data, s->ld, x.data, ldx, s->tokens, s->dim, rows,
                NULL, first > 0 ? c.data : NULL);
    for (size_t n = 0; sums != NULL && first + rows == s->tokens && n < s->tokens; n++)
        mae_rows_enter(mae_operand_at(to, n * s->stride), NULL, sums + n * s->dim, NULL,
                       1, 1, s->dim);
}

/* Queries from @p first on: their dq, and what they add to dk and dv of all tokens. */
static void backward_block(const MaeGemm *gemm, const Head *h, const Shape *s,
                           size_t first, const Scratch *scratch)
{
    const size_t rows = rows_from(s, first), n = s->tokens;
    const MaeOperand q = mae_operand_at(h->q, first * s->stride);
    const MaeOperand dout = mae_operand_at(h->dout, first * s->width);
    const MaeOperand out = mae_operand_at(h->out, first * s->width);

    mae_rows_dot(scratch->delta, dout, s->width, out, s->width, rows, s->dim);
    mae_gemm_nt(gemm, mae_operand_f32(scratch->s), s->ld, q.data, s->stride, h->k.data,
                s->stride, rows, n, s->dim, NULL, NULL);
    mae_gemm_nt(gemm, mae_operand_f32(scratch->dp), s->ld, dout.data, s->width, h->v.data,
                s->stride, rows, n, s->dim, NULL, NULL);
    mae_rows_softmax_grad(scratch->p, scratch->ds, scratch->s, scratch->dp,
                          h->lse + first, scratch->delta, rows, n, s->ld, s->scale);
    gather(gemm, h->dv, scratch->dv, s, scratch->p, dout, s->width, first, rows);
    gather(gemm, h->dk, scratch->dk, s, scratch->ds, q, s->stride, first, rows);
    mae_gemm_nn(gemm, mae_operand_at(h->dq, first * s->stride), s->stride,
                scratch->ds.data, s->ld, h->k.data, s->stride, rows, s->dim, n, NULL,
                NULL);
}

void mae_attention_backward(const MaeGemm *gemm, MaeOperand dqkv, MaeOperand dout,
                            MaeOperand out, MaeOperand qkv, const float *lse,
                            size_t tokens, size_t heads, size_t head_dim, float *scratch)
{
    const Shape s = shape_of(tokens, heads, head_dim);
    Scratch parts;

    (void)carve(&parts, scratch, &s, qkv.type);
    for (size_t i = 0; i < heads; i++) {
        const Head h = head_view(&s, dqkv, dout, out, qkv, lse, i);

        for (size_t first = 0; first < tokens; first += s.block)
            backward_block(gemm, &h, &s, first, &parts);
    }
}

void mae_attention_map(const MaeGemm *gemm, float *map, MaeOperand qkv, size_t tokens,
                       size_t heads, size_t head_dim, size_t head)
{
    const Shape s = shape_of(tokens, heads, head_dim);
    const MaeOperand q = mae_operand_at(qkv, head * head_dim);

    assert(head < heads);
    mae_gemm_nt(gemm, mae_operand_f32(map), tokens, q.data, s.stride,
                mae_operand_at(q, s.width).data, s.stride, tokens, tokens, head_dim, NULL,
                NULL);
    mae_rows_softmax(mae_operand_f32(map), NULL, map, tokens, tokens, tokens, s.scale);
}
