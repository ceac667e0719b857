#include "eval/knn.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/size.h"
#include "kernel/rows.h"

/* Queries of a tile, rows of a product, similarities that are passed over at once. */
enum { QUERIES = 256, ROWS = 1024, CHUNK = 16 };

/* --- the best of a query ---------------------------------------------------------- */

/* A heap whose root ranks last, once k are there. -INFINITY stands for NaN. */
typedef struct Best {
    uint32_t *index;   /* [k] */
    float *similarity; /* [k] */
    size_t count, k;
    size_t barred; /* the row that is the query; SIZE_MAX: none */
} Best;

/* Entry i ranks before entry j. */
static bool before(const Best *b, size_t i, size_t j)
{
    return b->similarity[i] > b->similarity[j] ||
           (b->similarity[i] == b->similarity[j] && b->index[i] < b->index[j]);
}

static void swap(Best *b, size_t i, size_t j)
{
    const uint32_t index = b->index[i];
    const float similarity = b->similarity[i];

    b->index[i] = b->index[j];
    b->similarity[i] = b->similarity[j];
    b->index[j] = index;
    b->similarity[j] = similarity;
}

/* Move an entry down the first @p count until its children rank before it. */
static void sink(Best *b, size_t at, size_t count)
{
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && before(b, child, child + 1))
            child++;
        if (before(b, child, at))
            return;
        swap(b, child, at);
    }
}

/* A heap of what came in any order. */
static void order(Best *b)
{
    for (size_t i = b->k / 2; i-- > 0;)
        sink(b, i, b->k);
}

/* Rows come by rising index, so that one which equals the k-th ranks behind it. */
static void offer(Best *b, float similarity, size_t row)
{
    if (row == b->barred)
        return;
    if (b->count < b->k) {
        b->index[b->count] = (uint32_t)row;
        b->similarity[b->count++] = isnan(similarity) ? -INFINITY : similarity;
        if (b->count == b->k)
            order(b);
    } else if (similarity > b->similarity[0]) {
        b->index[0] = (uint32_t)row;
        b->similarity[0] = similarity;
        sink(b, 0, b->k);
    }
}

/* Without a branch inside, so that it is a few vector instructions. */
static bool any_above(const float *similarity, float limit)
{
    int above = 0;

    for (size_t i = 0; i < CHUNK; i++)
        above |= similarity[i] > limit;
    return above != 0;
}

/* @param similarity [ROWS] of the rows from @p first on, of which @p count are real. */
static void offer_rows(Best *b, const float *similarity, size_t first, size_t count)
{
    for (size_t j = 0; j < count; j += CHUNK) {
        const size_t end = mae_smaller(j + CHUNK, count);

        if (b->count == b->k && !any_above(similarity + j, b->similarity[0]))
            continue;
        for (size_t i = j; i < end; i++)
            offer(b, similarity[i], first + i);
    }
}

/* From a heap to the order of the result. */
static void sort(Best *b)
{
    for (size_t count = b->k; count-- > 1;) {
        swap(b, 0, count);
        sink(b, 0, count);
    }
    for (size_t i = b->k; i-- > 0 && isinf(b->similarity[i]);)
        b->similarity[i] = NAN;
}

/* --- search ----------------------------------------------------------------------- */

typedef struct Search {
    const MaeKnnSet *queries, *memory;
    const MaeCompute *compute;
    float *unit_queries; /* [Q,D], Q rounded up to QUERIES; may be unit_memory */
    float *unit_memory;  /* [M,D], M rounded up to ROWS; the rows added are 0 */
    float *products;     /* [threads,QUERIES,ROWS] */
    uint32_t *index;     /* [Q,k] */
    float *similarity;   /* [Q,k] */
    size_t width, k;
    MaeKnnSelf self;
} Search;

/* A set and its copy of unit length. */
typedef struct Scaling {
    const MaeKnnSet *set;
    float *unit;
    size_t width;
} Scaling;

static void scale_tile(void *ctx, size_t tile, size_t thread)
{
    const Scaling *s = ctx;
    const size_t first = tile * QUERIES,
                 end = mae_smaller(first + QUERIES, s->set->count);

    (void)thread;
    for (size_t r = first; r < end; r++) {
        const float *x = s->set->values + r * s->set->ld;
        const double norm = sqrt(mae_rows_sumsq(x, s->width));
        const double factor = norm == 0.0 ? 0.0 : 1.0 / norm;

        for (size_t i = 0; i < s->width; i++)
            s->unit[r * s->width + i] = (float)((double)x[i] * factor);
    }
}

static size_t tiles_of(size_t count)
{
    return count / QUERIES + (count % QUERIES != 0);
}

static void scale_set(float *unit, const MaeKnnSet *set, const Search *s)
{
    Scaling scaling = {.set = set, .unit = unit, .width = s->width};

    mae_pool_run(s->compute->pool, tiles_of(set->count), scale_tile, &scaling);
}

static Best best_of(const Search *s, size_t query)
{
    return (Best){.index = s->index + query * s->k,
                  .similarity = s->similarity + query * s->k,
                  .k = s->k,
                  .barred = s->self == MAE_KNN_SAME ? query : SIZE_MAX};
}

/* All products have one size: the bits of a similarity depend on its two rows alone. */
static void search_tile(void *ctx, size_t tile, size_t thread)
{
    const Search *s = ctx;
    const size_t first = tile * QUERIES, width = s->width, rows = s->memory->count;
    const size_t queries = mae_smaller(QUERIES, s->queries->count - first);
    const MaeGemm *gemm = mae_gemm_thread(s->compute->gemm, thread);
    float *products = s->products + thread * QUERIES * ROWS;
    Best best[QUERIES];

    for (size_t q = 0; q < queries; q++)
        best[q] = best_of(s, first + q);
    for (size_t row = 0; row < rows; row += ROWS) {
        mae_gemm_nt(gemm, mae_operand_f32(products), ROWS,
                    s->unit_queries + first * width, width, s->unit_memory + row * width,
                    width, QUERIES, ROWS, width, NULL, NULL);
        for (size_t q = 0; q < queries; q++)
            offer_rows(&best[q], products + q * ROWS, row, mae_smaller(ROWS, rows - row));
    }
    for (size_t q = 0; q < queries; q++)
        sort(&best[q]);
}

/* Room for @p count rows, rounded up to whole blocks. */
static float *carve_rows(MaeArena *arena, size_t count, size_t block, size_t width)
{
    const size_t blocks = count / block + (count % block != 0);

    return mae_arena_bytes(arena, blocks, block * width * sizeof(float));
}

static void reserve(Search *s, MaeArena *arena)
{
    s->unit_memory = carve_rows(arena, s->memory->count, ROWS, s->width);
    s->unit_queries = s->self == MAE_KNN_SAME
                          ? s->unit_memory
                          : carve_rows(arena, s->queries->count, QUERIES, s->width);
    s->products = mae_arena_bytes(arena, mae_pool_threads(s->compute->pool),
                                  QUERIES * ROWS * sizeof *s->products);
}

static MaeStatus check_sizes(const MaeKnnSet *memory, size_t k, MaeKnnSelf self,
                             MaeError *err)
{
    const size_t barred = self == MAE_KNN_SAME ? 1 : 0;

    if (memory->count <= barred || memory->count > UINT32_MAX)
        MAE_FAIL(err, MAE_ERR_ARG, "memory: expected %zu to %zu rows, got %zu",
                 barred + 1, (size_t)UINT32_MAX, memory->count);
    if (k < 1 || k > memory->count - barred)
        MAE_FAIL(err, MAE_ERR_ARG, "k: expected 1 to %zu, got %zu",
                 memory->count - barred, k);
    return MAE_OK;
}

MaeStatus mae_knn_search(uint32_t *index, float *similarity, const MaeKnnSet *queries,
                         const MaeKnnSet *memory, size_t width, size_t k, MaeKnnSelf self,
                         const MaeCompute *compute, MaeError *err)
{
    MaeArena arena = {0}, measure = mae_arena_measure();
    Search s = {.queries = queries,
                .memory = memory,
                .compute = compute,
                .index = index,
                .similarity = similarity,
                .width = width,
                .k = k,
                .self = self};

    assert(mae_gemm_operand(compute->gemm) == MAE_F32);
    assert(mae_gemm_threads(compute->gemm) >= mae_pool_threads(compute->pool));
    assert(width > 0 && queries->ld >= width && memory->ld >= width);
    assert(self == MAE_KNN_OTHERS ||
           (queries->values == memory->values && queries->count == memory->count));
    MAE_TRY(check_sizes(memory, k, self, err));
    reserve(&s, &measure);
    MAE_TRY(mae_arena_open(&arena, &measure, "neighbours", err));
    reserve(&s, &arena);
    scale_set(s.unit_memory, memory, &s);
    if (self == MAE_KNN_OTHERS)
        scale_set(s.unit_queries, queries, &s);
    mae_pool_run(compute->pool, tiles_of(queries->count), search_tile, &s);
    mae_arena_close(&arena);
    return MAE_OK;
}

/* --- vote ------------------------------------------------------------------------- */

void mae_knn_vote(float *scores, const MaeKnnFound *found, const int64_t *labels,
                  size_t k, size_t classes, double temperature)
{
    assert(k > 0 && k <= found->ld && temperature > 0.0);
    memset(scores, 0, found->count * classes * sizeof *scores);
    for (size_t q = 0; q < found->count; q++, scores += classes) {
        const uint32_t *index = found->index + q * found->ld;
        const float *similarity = found->similarity + q * found->ld;
        double largest = (double)NAN;

        for (size_t i = 0; i < k && !isnan(similarity[i]); i++) {
            const int64_t label = labels[index[i]];

            if (label < 0 || (uint64_t)label >= classes)
                continue;
            if (isnan(largest))
                largest = (double)similarity[i];
            scores[label] += (float)exp(((double)similarity[i] - largest) / temperature);
        }
    }
}

/* --- retrieval -------------------------------------------------------------------- */

static int compare_labels(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* Labels up to and including @p label. */
static size_t count_up_to(const int64_t *sorted, size_t count, int64_t label)
{
    size_t low = 0, high = count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (sorted[middle] <= label)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Add a query with @p relevant > 0 rows to find. @param index [k] what it found. */
static void add_query(MaeRetrieval *sum, const uint32_t *index, int64_t label,
                      const int64_t *memory_labels, size_t relevant, size_t k)
{
    double hits = 0.0, precisions = 0.0;

    for (size_t i = 0; i < k; i++) {
        if (memory_labels[index[i]] != label)
            continue;
        hits += 1.0;
        precisions += hits / (double)(i + 1);
    }
    sum->precision += hits / (double)k;
    sum->recall += hits / (double)relevant;
    sum->map += precisions / (double)mae_smaller(relevant, k);
    sum->queries++;
}

MaeStatus mae_retrieval_score(MaeRetrieval *result, const MaeKnnFound *found,
                              const int64_t *labels, const int64_t *memory_labels,
                              size_t rows, size_t k, MaeKnnSelf self, MaeError *err)
{
    int64_t *sorted = malloc(rows * sizeof *sorted);
    MaeRetrieval sum = {0};
    double count;

    assert(k > 0 && k <= found->ld && rows > 0);
    if (sorted == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "retrieval: no memory for %zu labels", rows);
    memcpy(sorted, memory_labels, rows * sizeof *sorted);
    qsort(sorted, rows, sizeof *sorted, compare_labels);
    for (size_t q = 0; q < found->count; q++) {
        const int64_t label = labels[q];
        size_t relevant = label < 0 ? 0
                                    : count_up_to(sorted, rows, label) -
                                          count_up_to(sorted, rows, label - 1);

        relevant -= label >= 0 && self == MAE_KNN_SAME;
        if (relevant > 0)
            add_query(&sum, found->index + q * found->ld, label, memory_labels, relevant,
                      k);
    }
    free(sorted);
    count = sum.queries > 0 ? (double)sum.queries : (double)NAN;
    *result = (MaeRetrieval){sum.precision / count, sum.recall / count, sum.map / count,
                             sum.queries};
    return MAE_OK;
}
