#include "kernel/attention.h"

#include <assert.h>
#include <math.h>

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

size_t mae_attention_scratch(size_t tokens, size_t head_dim)
{
    (void)head_dim;
    if (tokens == 0)
        return 0;
    return 2 * block_rows(tokens) * round_up(tokens) + round_up(block_rows(tokens));
}

/* out, lse and q of one head and block; k and v follow q in qkv. */
static void forward_block(const MaeGemm *gemm, float *out, float *lse, const float *q,
                          const float *k, const Shape *s, size_t rows, float *scores)
{
    const float *v = k + s->width;

    mae_gemm_nt(gemm, scores, s->ld, q, s->stride, k, s->stride, rows, s->tokens, s->dim,
                0.0f);
    mae_rows_softmax(scores, lse, rows, s->tokens, s->ld, s->scale);
    mae_gemm_nn(gemm, out, s->width, scores, s->ld, v, s->stride, rows, s->dim, s->tokens,
                0.0f);
}

void mae_attention_forward(const MaeGemm *gemm, float *out, float *lse, const float *qkv,
                           size_t tokens, size_t heads, size_t head_dim, float *scratch)
{
    const Shape s = shape_of(tokens, heads, head_dim);

    for (size_t h = 0; h < heads; h++) {
        const float *q = qkv + h * head_dim;

        for (size_t first = 0; first < tokens; first += s.block)
            forward_block(gemm, out + first * s.width + h * head_dim,
                          lse == NULL ? NULL : lse + h * tokens + first,
                          q + first * s.stride, q + s.width, &s, rows_from(&s, first),
                          scratch);
    }
}

/* One head: pointers are to its columns, [N,K] inside the wider matrices. */
typedef struct Head {
    float *dq, *dk, *dv;
    const float *q, *k, *v;
    const float *dout, *out, *lse;
} Head;

static Head head_view(const Shape *s, float *dqkv, const float *dout, const float *out,
                      const float *qkv, const float *lse, size_t h)
{
    const size_t column = h * s->dim;

    return (Head){
        .dq = dqkv + column,
        .dk = dqkv + column + s->width,
        .dv = dqkv + column + 2 * s->width,
        .q = qkv + column,
        .k = qkv + column + s->width,
        .v = qkv + column + 2 * s->width,
        .dout = dout + column,
        .out = out + column,
        .lse = lse + h * s->tokens,
    };
}

/* Queries from @p first on: their dq, and what they add to dk and dv of all tokens. */
static void backward_block(const MaeGemm *gemm, const Head *h, const Shape *s,
                           size_t first, float *scratch)
{
    const size_t rows = rows_from(s, first), n = s->tokens;
    const float *q = h->q + first * s->stride, *dout = h->dout + first * s->width;
    const float *out = h->out + first * s->width;
    const float beta = first == 0 ? 0.0f : 1.0f;
    float *p = scratch, *ds = p + s->block * s->ld, *delta = ds + s->block * s->ld;

    mae_rows_dot(delta, dout, s->width, out, s->width, rows, s->dim);
    mae_gemm_nt(gemm, p, s->ld, q, s->stride, h->k, s->stride, rows, n, s->dim, 0.0f);
    mae_gemm_nt(gemm, ds, s->ld, dout, s->width, h->v, s->stride, rows, n, s->dim, 0.0f);
    mae_rows_softmax_grad(p, ds, h->lse + first, delta, rows, n, s->ld, s->scale);
    mae_gemm_tn(gemm, h->dv, s->stride, p, s->ld, dout, s->width, n, s->dim, rows, beta);
    mae_gemm_tn(gemm, h->dk, s->stride, ds, s->ld, q, s->stride, n, s->dim, rows, beta);
    mae_gemm_nn(gemm, h->dq + first * s->stride, s->stride, ds, s->ld, h->k, s->stride,
                rows, s->dim, n, 0.0f);
}

void mae_attention_backward(const MaeGemm *gemm, float *dqkv, const float *dout,
                            const float *out, const float *qkv, const float *lse,
                            size_t tokens, size_t heads, size_t head_dim, float *scratch)
{
    const Shape s = shape_of(tokens, heads, head_dim);

    for (size_t i = 0; i < heads; i++) {
        const Head h = head_view(&s, dqkv, dout, out, qkv, lse, i);

        for (size_t first = 0; first < tokens; first += s.block)
            backward_block(gemm, &h, &s, first, scratch);
    }
}

void mae_attention_map(const MaeGemm *gemm, float *map, const float *qkv, size_t tokens,
                       size_t heads, size_t head_dim, size_t head)
{
    const Shape s = shape_of(tokens, heads, head_dim);
    const float *q = qkv + head * head_dim;

    assert(head < heads);
    mae_gemm_nt(gemm, map, tokens, q, s.stride, q + s.width, s.stride, tokens, tokens,
                head_dim, 0.0f);
    mae_rows_softmax(map, NULL, tokens, tokens, tokens, s.scale);
}
