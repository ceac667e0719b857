/*
 * bf16 products of our own, for processors with AVX-512 BF16. k is cut into blocks whose
 * packed panel of B stays in the level-2 cache; a panel is packed once for all rows of A,
 * unless all of B came packed. A is read where it lies, or packed too where it is turned.
 * The state is scratch alone: nothing is prepared for a shape.
 */
#include <assert.h>
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/machine.h"
#include "base/size.h"
#include "kernel/gemm_driver.h"
#include "kernel/gemm_panel.h"

/*
 * Numbers of k at a time, even. A that is turned is packed in strips of columns, so that
 * its pairs follow each other closely, and this many rows of the product at a time.
 */
#define BLOCK 1024
#define STRIP 48
#define PACKED_ROWS (3 * STRIP)

typedef struct Scratch {
    _Alignas(MAE_ALIGN) uint16_t a[BLOCK * PACKED_ROWS];
    uint16_t b[BLOCK * MAE_PANEL_COLUMNS];
    float sums[PACKED_ROWS * MAE_PANEL_COLUMNS]; /* of all but the last block */
} Scratch;

static int rank(MaeDtype operand)
{
    return operand == MAE_BF16 && mae_machine_has(MAE_ISA_AVX512_BF16) ? 2 : 0;
}

/* Part of a product: these rows, columns and numbers of k. */
typedef struct Part {
    size_t row, rows, column, columns, at, count;
} Part;

/* --- operands --------------------------------------------------------------------- */

/* Where the part's B begins. */
static const uint16_t *b_of(const MaeGemmShape *s, const MaeGemmData *d, size_t column,
                            size_t at)
{
    return (const uint16_t *)d->b +
           (s->form == MAE_GEMM_NT ? column * s->ldb + at : at * s->ldb + column);
}

static void pack_b(const MaeGemmShape *s, const MaeGemmData *d, const Part *part,
                   Scratch *scratch)
{
    const uint16_t *b = b_of(s, d, part->column, part->at);

    if (s->form == MAE_GEMM_NT)
        mae_panel_pack_turned(scratch->b, b, s->ldb, part->count, part->columns);
    else
        mae_panel_pack(scratch->b, b, s->ldb, part->count, part->columns);
}

/*
 * A B that is packed beforehand (ldb says so): panels side by side, each over all of k.
 * @param at even.
 */
static const uint16_t *packed_b(const MaeGemmShape *s, const MaeGemmData *d,
                                size_t column, size_t columns, size_t at)
{
    return (const uint16_t *)d->b + column * s->k + mae_panel_size(at, columns);
}

/* The part's B, packed. */
static const uint16_t *give_b(const MaeGemmShape *s, const MaeGemmData *d,
                              const Part *part, Scratch *scratch)
{
    if (s->ldb == MAE_GEMM_PACKED)
        return packed_b(s, d, part->column, part->columns, part->at);
    pack_b(s, d, part, scratch);
    return scratch->b;
}

/* The B of the panel to the right, if there is one. */
static void announce(MaePanel *panel, const MaeGemmShape *s, const MaeGemmData *d,
                     const Part *part)
{
    const size_t column = part->column + part->columns;
    const size_t columns = mae_smaller(MAE_PANEL_COLUMNS, s->n - column);
    const bool turned = s->form == MAE_GEMM_NT;

    if (columns == 0)
        return;
    if (s->ldb == MAE_GEMM_PACKED) {
        panel->next = packed_b(s, d, column, columns, part->at);
        panel->next_ld = panel->next_columns = mae_panel_size(2, columns);
        panel->next_rows = (part->count + 1) / 2;
        return;
    }
    panel->next = b_of(s, d, column, part->at);
    panel->next_ld = s->ldb;
    panel->next_rows = turned ? columns : part->count;
    panel->next_columns = turned ? part->count : columns;
}

static uint16_t *strip_of(Scratch *scratch, const Part *part, size_t row)
{
    return scratch->a + row * (part->count + part->count % 2);
}

static void pack_a(const MaeGemmShape *s, const MaeGemmData *d, const Part *part,
                   Scratch *scratch)
{
    const uint16_t *a = (const uint16_t *)d->a + part->at * s->lda + part->row;

    for (size_t row = 0; row < part->rows; row += STRIP)
        mae_panel_pack(strip_of(scratch, part, row), a + row, s->lda, part->count,
                       mae_smaller(STRIP, part->rows - row));
}

/* --- products --------------------------------------------------------------------- */

/* All of the part but A: what comes out is added to what earlier blocks of k left. */
static MaePanel panel_of(const MaeGemmShape *s, const MaeGemmData *d, const Part *part,
                         Scratch *scratch)
{
    const size_t at = part->row * s->ldc + part->column;
    const bool first = part->at == 0, last = part->at + part->count == s->k;
    const bool in_c = last || s->out == MAE_F32, from_c = s->out == MAE_F32;
    const MaeOperand c = mae_operand_at((MaeOperand){d->c, s->out}, at);
    MaePanel panel = {
        .b = give_b(s, d, part, scratch),
        .m = part->rows,
        .n = part->columns,
        .k = part->count,
        .c = in_c ? c : mae_operand_f32(scratch->sums),
        .ldc = in_c ? s->ldc : MAE_PANEL_COLUMNS,
        .bias = last && s->has_bias ? d->bias + part->column : NULL,
        .res = s->res != 0 ? d->res + at : NULL,
        .ldres = s->ldc,
    };

    if (!first) {
        panel.res = from_c ? c.data : scratch->sums;
        panel.ldres = from_c ? s->ldc : MAE_PANEL_COLUMNS;
    }
    announce(&panel, s, d, part);
    return panel;
}

static void multiply(const MaePanel *panel, const MaeGemmShape *s, const MaeGemmData *d,
                     const Part *part)
{
    MaePanel whole = *panel;

    whole.a = (const uint16_t *)d->a + part->row * s->lda + part->at;
    whole.a_row = s->lda;
    whole.a_pair = 2;
    mae_panel_multiply(&whole);
}

/*
 * A weight gradient is read again when all are known: rows of C that are whole lines pass
 * by the caches.
 */
static bool streams(const MaeGemmShape *s)
{
    return s->form == MAE_GEMM_TN && s->res == 0 && s->k <= BLOCK && s->out == MAE_F32 &&
           s->ldc % 16 == 0;
}

static bool streams_panel(const MaePanel *panel, const MaeGemmShape *s)
{
    return streams(s) && panel->n % 16 == 0 && (uintptr_t)panel->c.data % 64 == 0;
}

static void multiply_strips(const MaePanel *panel, const MaeGemmShape *s,
                            const Part *part, Scratch *scratch)
{
    const size_t rows = part->rows;

    for (size_t row = 0; row < rows; row += STRIP) {
        MaePanel strip = *panel;
        size_t fetched = panel->next_rows * row / rows;

        strip.m = mae_smaller(STRIP, rows - row);
        strip.a = strip_of(scratch, part, row);
        strip.a_row = 2;
        strip.a_pair = mae_panel_size(1, strip.m);
        strip.c = mae_operand_at(panel->c, row * panel->ldc);
        strip.res = panel->res != NULL ? panel->res + row * panel->ldres : NULL;
        strip.stream = streams_panel(panel, s);
        if (strip.next != NULL)
            strip.next += fetched * panel->next_ld;
        strip.next_rows = panel->next_rows * (row + strip.m) / rows - fetched;
        mae_panel_multiply(&strip);
    }
}

/* The part's rows and columns from its own up to @p end, over all of k. */
static void run_part(const MaeGemmShape *s, const MaeGemmData *d, Part part, size_t end,
                     Scratch *scratch)
{
    const size_t begin = part.column;

    for (; part.at < s->k; part.at += part.count) {
        part.count = mae_smaller(BLOCK, s->k - part.at);
        if (s->form == MAE_GEMM_TN)
            pack_a(s, d, &part, scratch);
        for (part.column = begin; part.column < end; part.column += part.columns) {
            MaePanel panel;

            part.columns = mae_smaller(MAE_PANEL_COLUMNS, end - part.column);
            panel = panel_of(s, d, &part, scratch);
            if (s->form == MAE_GEMM_TN)
                multiply_strips(&panel, s, &part, scratch);
            else
                multiply(&panel, s, d, &part);
        }
    }
}

/* All at once, as far as packed rows of A and sums on their way to bf16 have room. */
static void run_one(void *ctx, const MaeGemmShape *s, const MaeGemmData *d)
{
    const bool sums = s->out == MAE_BF16 && s->k > BLOCK;
    const size_t rows = sums || s->form == MAE_GEMM_TN ? PACKED_ROWS : s->m;
    const size_t columns = sums ? MAE_PANEL_COLUMNS : s->n;

    for (size_t row = 0; row < s->m; row += rows) {
        for (size_t column = 0; column < s->n; column += columns) {
            const Part part = {
                .row = row, .rows = mae_smaller(rows, s->m - row), .column = column};

            run_part(s, d, part, mae_smaller(column + columns, s->n), ctx);
        }
    }
}

static bool run(void *state, size_t thread, const MaeGemmShape *s, const MaeGemmData *d)
{
    assert(s->operand == MAE_BF16);
    mae_gemm_each(s, d, run_one, (Scratch *)state + thread);
    if (streams(s))
        _mm_sfence();
    return true;
}

/* To the same size only: whole vectors of columns, whole pairs. */
static bool packs(const void *b, size_t n, size_t k)
{
    return n % 16 == 0 && k % 2 == 0 && (uintptr_t)b % MAE_ALIGN == 0;
}

static void pack(uint16_t *to, const uint16_t *b, size_t n, size_t k)
{
    for (size_t column = 0; column < n; column += MAE_PANEL_COLUMNS)
        mae_panel_pack_turned(to + column * k, b + column * k, k, k,
                              mae_smaller(MAE_PANEL_COLUMNS, n - column));
}

static MaeStatus open(void **state, char *text, size_t size, size_t threads,
                      MaeError *err)
{
    *state = aligned_alloc(MAE_ALIGN, threads * sizeof(Scratch));
    if (*state == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "gemm: out of memory for %zu threads", threads);
    (void)snprintf(text, size, "avx512_bf16");
    return MAE_OK;
}

const MaeGemmDriver mae_gemm_builtin = {
    .name = "built-in",
    .rank = rank,
    .open = open,
    .close = free,
    .run = run,
    .packs = packs,
    .pack = pack,
};
