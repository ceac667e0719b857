#include "eval/knn.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "support/model.h"
#include "support/test.h"

static MaeError err;

/* Two sets and what was found; the queries are the memory in @p self MAE_KNN_SAME. */
typedef struct Bench {
    MaeKnnSet queries, memory;
    size_t width, k;
    MaeKnnSelf self;
    float *query_values, *memory_values, *similarity;
    uint32_t *index;
} Bench;

/* Rows of random numbers; what lies behind a row is NaN and must not be read. */
static float *random_rows(MaeKnnSet *set, size_t count, size_t width, size_t gap,
                          uint64_t seed)
{
    float *values = mae_test_normal(count * (width + gap), seed, 1);

    for (size_t r = 0; r < count; r++)
        for (size_t i = width; i < width + gap; i++)
            values[r * (width + gap) + i] = NAN;
    *set = (MaeKnnSet){values, width + gap, count};
    return values;
}

/* @param queries 0: the memory itself. */
static void bench_open(Bench *b, size_t queries, size_t rows, size_t width, size_t k,
                       uint64_t seed)
{
    *b = (Bench){.width = width, .k = k, .self = MAE_KNN_SAME};
    b->memory_values = random_rows(&b->memory, rows, width, 3, seed);
    b->queries = b->memory;
    if (queries > 0) {
        b->self = MAE_KNN_OTHERS;
        b->query_values = random_rows(&b->queries, queries, width, 1, seed + 100);
    }
    b->index = mae_test_alloc(b->queries.count * k * sizeof *b->index);
    b->similarity = mae_test_alloc(b->queries.count * k * sizeof *b->similarity);
}

static void bench_close(Bench *b)
{
    free(b->query_values);
    free(b->memory_values);
    free(b->index);
    free(b->similarity);
}

static void search(const Bench *b, size_t threads)
{
    TestCompute compute;

    test_compute_open(&compute, MAE_F32, threads);
    ck_assert_ok(mae_knn_search(b->index, b->similarity, &b->queries, &b->memory,
                                b->width, b->k, b->self, &compute.compute, &err));
    test_compute_close(&compute);
}

/* --- the plain way ---------------------------------------------------------------- */

typedef struct Pair {
    double similarity; /* -INFINITY stands for NaN */
    uint32_t row;
} Pair;

static double dot(const float *x, const float *y, size_t width)
{
    double sum = 0.0;

    for (size_t i = 0; i < width; i++)
        sum += (double)x[i] * (double)y[i];
    return sum;
}

static double cosine(const float *x, const float *y, size_t width)
{
    const double norms = sqrt(dot(x, x, width)) * sqrt(dot(y, y, width));
    const double value = norms == 0.0 ? 0.0 : dot(x, y, width) / norms;

    return isnan(value) ? (double)-INFINITY : value;
}

static int compare_pairs(const void *a, const void *b)
{
    const Pair *x = a, *y = b;

    if (x->similarity != y->similarity)
        return x->similarity > y->similarity ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

/* All rows that query @p q may find, nearest first. @return how many. */
static size_t rank_rows(Pair *pairs, const Bench *b, size_t q)
{
    size_t n = 0;

    for (size_t r = 0; r < b->memory.count; r++) {
        if (b->self == MAE_KNN_SAME && r == q)
            continue;
        pairs[n++] = (Pair){cosine(b->queries.values + q * b->queries.ld,
                                   b->memory.values + r * b->memory.ld, b->width),
                            (uint32_t)r};
    }
    qsort(pairs, n, sizeof *pairs, compare_pairs);
    return n;
}

/* Whether what was found is -INFINITY or NaN alike, or the same to rounding. */
static bool agrees(float got, double want)
{
    return isinf(want) ? isnan(got) : fabs((double)got - want) <= 2e-6;
}

/* Place @p i follows the one before it: less similar, or alike and of a higher index. */
static bool follows(const uint32_t *index, const float *s, size_t i)
{
    const bool alike = s[i - 1] == s[i] || (isnan(s[i - 1]) && isnan(s[i]));

    return alike ? index[i - 1] < index[i] : isnan(s[i]) || s[i - 1] > s[i];
}

/* Rows within rounding may change places: then each has the similarity of its place. */
static void check_query(const Bench *b, size_t q, Pair *pairs, unsigned char *seen)
{
    const uint32_t *index = b->index + q * b->k;
    const float *s = b->similarity + q * b->k;

    rank_rows(pairs, b, q);
    memset(seen, 0, b->memory.count);
    for (size_t i = 0; i < b->k; i++) {
        const bool known = index[i] < b->memory.count && !seen[index[i]]++ &&
                           (b->self == MAE_KNN_OTHERS || index[i] != q);
        const double mine =
            known ? cosine(b->queries.values + q * b->queries.ld,
                           b->memory.values + index[i] * b->memory.ld, b->width)
                  : 9.0;

        if (agrees(s[i], pairs[i].similarity) && agrees(s[i], mine) &&
            (i == 0 || follows(index, s, i)))
            continue;
        ck_abort_msg("query %zu, place %zu: got %g of row %u (%g), want %g of row %u", q,
                     i, (double)s[i], index[i], mine, pairs[i].similarity, pairs[i].row);
    }
}

static void check(const Bench *b)
{
    Pair *pairs = mae_test_alloc(b->memory.count * sizeof *pairs);
    unsigned char *seen = mae_test_alloc(b->memory.count);

    for (size_t q = 0; q < b->queries.count; q++)
        check_query(b, q, pairs, seen);
    free(pairs);
    free(seen);
}

/* Exactly the rows of the plain way: for similarities that rounding leaves alone. */
static void check_exact(const Bench *b)
{
    Pair *pairs = mae_test_alloc(b->memory.count * sizeof *pairs);
    size_t wrong = 0;

    for (size_t q = 0; q < b->queries.count; q++) {
        rank_rows(pairs, b, q);
        for (size_t i = 0; i < b->k; i++)
            wrong += b->index[q * b->k + i] != pairs[i].row ||
                     (double)b->similarity[q * b->k + i] != pairs[i].similarity;
    }
    ck_assert_uint_eq(wrong, 0);
    free(pairs);
}

/* --- search ----------------------------------------------------------------------- */

/* Queries (0: the memory), rows, width, k: around the sizes of tiles and of chunks. */
static const size_t shapes[][4] = {
    {1, 1, 1, 1},      {3, 2, 5, 2},       {0, 2, 3, 1},       {7, 17, 2, 16},
    {0, 33, 7, 32},    {257, 130, 13, 1},  {0, 259, 31, 20},   {11, 1025, 9, 1025},
    {5, 2051, 67, 30}, {300, 1023, 33, 5}, {0, 1031, 12, 200}, {2, 3000, 101, 17},
};

START_TEST(finds_what_a_double_loop_finds)
{
    const size_t *shape = shapes[_i];

    for (uint64_t seed = 1; seed <= 2; seed++) {
        Bench b;

        bench_open(&b, shape[0], shape[1], shape[2], shape[3], seed);
        search(&b, 2);
        check(&b);
        bench_close(&b);
    }
}
END_TEST

START_TEST(zeros_are_similar_to_nothing_and_nan_ranks_last)
{
    static const size_t rows = 53, width = 6;
    static const float scale[4] = {0.0f, 1e30f, 1.0f, 1e-30f};

    for (size_t queries = 0; queries <= 9; queries += 9) {
        Bench b;

        bench_open(&b, queries, rows, width, rows - 1, 3);
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < width; i++)
                b.memory_values[r * b.memory.ld + i] *= scale[r % 4];
        b.memory_values[3 * b.memory.ld + 2] = NAN;
        b.memory_values[17 * b.memory.ld] = INFINITY;
        b.memory_values[41 * b.memory.ld + 5] = -INFINITY;
        search(&b, 2);
        check(&b);
        bench_close(&b);
    }
}
END_TEST

/* More than k rows that cannot be compared, before any that can. */
START_TEST(nan_gives_way_to_whatever_comes)
{
    Bench b;

    bench_open(&b, 4, 60, 3, 10, 5);
    for (size_t r = 0; r < 45; r++)
        b.memory_values[r * b.memory.ld + r % 3] = NAN;
    search(&b, 1);
    for (size_t i = 0; i < 4 * b.k; i++)
        ck_assert(b.index[i] >= 45 && !isnan(b.similarity[i]));
    check(&b);
    bench_close(&b);
}
END_TEST

/* Axes times powers of two: similarities are -1, 0 and 1, most of them tied. */
START_TEST(ties_go_to_the_lower_index)
{
    static const size_t ks[5] = {1, 2, 31, 400, 1299};

    for (size_t i = 0; i < 10; i++) {
        Bench b;

        bench_open(&b, i % 2 ? 70 : 0, 1300, 5, ks[i / 2], 7);
        for (size_t r = 0; r < 1300; r++) {
            float *row = b.memory_values + r * b.memory.ld;
            const float length = ldexpf(row[0] < 0.0f ? -1.0f : 1.0f, (int)(r % 9) - 4);

            memset(row, 0, 5 * sizeof *row);
            row[r * 7 % 11 % 5] = length;
        }
        for (size_t q = 0; i % 2 && q < 70; q++)
            for (size_t d = 0; d < 5; d++)
                b.query_values[q * b.queries.ld + d] = d == q % 5 ? 3.0f : 0.0f;
        search(&b, 2);
        check_exact(&b);
        bench_close(&b);
    }
}
END_TEST

/* Wherever a row lies in a product, its similarity has the same bits. */
START_TEST(copies_of_a_row_tie)
{
    size_t wrong = 0;
    Bench b;

    bench_open(&b, 5, 2500, 37, 2500, 9);
    for (size_t r = 1; r < 2500; r++)
        memcpy(b.memory_values + r * b.memory.ld, b.memory_values, 37 * sizeof(float));
    search(&b, 2);
    for (size_t i = 0; i < 5 * b.k; i++)
        wrong += b.index[i] != i % b.k || b.similarity[i] != b.similarity[i / b.k * b.k];
    ck_assert_uint_eq(wrong, 0);
    bench_close(&b);
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same_bits)
{
    static const size_t threads[3] = {2, 3, 8};

    for (size_t queries = 0; queries <= 1100; queries += 1100) {
        Bench first;

        bench_open(&first, queries, 1290, 19, 23, 11);
        search(&first, 1);
        for (size_t i = 0; i < 3; i++) {
            Bench b;

            bench_open(&b, queries, 1290, 19, 23, 11);
            search(&b, threads[i]);
            ck_assert_mem_eq(b.index, first.index,
                             b.queries.count * b.k * sizeof *b.index);
            ck_assert_mem_eq(b.similarity, first.similarity,
                             b.queries.count * b.k * sizeof *b.similarity);
            bench_close(&b);
        }
        bench_close(&first);
    }
}
END_TEST

/* The pool is not there: the calling thread does it all. Others' rows change nothing. */
START_TEST(a_query_alone_finds_the_same_bits)
{
    TestCompute compute;
    MaeCompute alone;
    uint32_t index[6];
    float similarity[6];
    Bench b;

    bench_open(&b, 261, 90, 21, 6, 13);
    search(&b, 3);
    test_compute_open(&compute, MAE_F32, 1);
    alone = (MaeCompute){.gemm = compute.gemm};
    for (size_t q = 0; q < 261; q += 65) {
        const MaeKnnSet one = {b.queries.values + q * b.queries.ld, b.queries.ld, 1};

        ck_assert_ok(mae_knn_search(index, similarity, &one, &b.memory, b.width, b.k,
                                    MAE_KNN_OTHERS, &alone, &err));
        ck_assert_mem_eq(index, b.index + q * b.k, sizeof index);
        ck_assert_mem_eq(similarity, b.similarity + q * b.k, sizeof similarity);
    }
    test_compute_close(&compute);
    bench_close(&b);
}
END_TEST

static MaeStatus search_sizes(size_t rows, size_t k, MaeKnnSelf self)
{
    static const float values[4] = {1, 2, 3, 4};
    const MaeKnnSet set = {values, 1, rows};
    const MaeKnnSet queries = {values, 1, self == MAE_KNN_SAME ? rows : 2};
    uint32_t index[8] = {7};
    float similarity[8] = {7};
    TestCompute compute;
    MaeStatus status;

    test_compute_open(&compute, MAE_F32, 1);
    status = mae_knn_search(index, similarity, &queries, &set, 1, k, self,
                            &compute.compute, &err);
    test_compute_close(&compute);
    ck_assert(status == MAE_OK || (index[0] == 7 && similarity[0] == 7.0f));
    return status;
}

START_TEST(refuses_sizes_that_cannot_be)
{
    ck_assert_ok(search_sizes(4, 4, MAE_KNN_OTHERS));
    ck_assert_ok(search_sizes(4, 2, MAE_KNN_SAME));
    ck_assert_fails(search_sizes(4, 5, MAE_KNN_OTHERS), MAE_ERR_ARG,
                    "k: expected 1 to 4, got 5");
    ck_assert_fails(search_sizes(4, 4, MAE_KNN_SAME), MAE_ERR_ARG,
                    "k: expected 1 to 3, got 4");
    ck_assert_fails(search_sizes(4, 0, MAE_KNN_OTHERS), MAE_ERR_ARG,
                    "k: expected 1 to 4, got 0");
    ck_assert_fails(search_sizes(0, 1, MAE_KNN_OTHERS), MAE_ERR_ARG,
                    "memory: expected 1 to 4294967295 rows, got 0");
    ck_assert_fails(search_sizes(1, 1, MAE_KNN_SAME), MAE_ERR_ARG,
                    "memory: expected 2 to 4294967295 rows, got 1");
    ck_assert_fails(search_sizes((size_t)UINT32_MAX + 1, 1, MAE_KNN_OTHERS), MAE_ERR_ARG,
                    "got 4294967296");
}
END_TEST

/* --- vote and retrieval ----------------------------------------------------------- */

START_TEST(neighbours_vote)
{
    /* The labels of what was found: 2 1 1 2 and 9 0 2 -1. */
    static const int64_t labels[8] = {0, 1, 2, 1, 2, -1, 9, 2};
    static const uint32_t index[2][4] = {{2, 1, 3, 4}, {6, 0, 7, 5}};
    static const float similarity[2][4] = {{1.0f, 0.75f, 0.5f, 0.25f},
                                           {0.75f, 0.5f, 0.5f, 0.0f}};
    static const float half[2][3] = {
        {0.0f, 0.606530660f + 0.367879441f, 1.0f + 0.223130160f}, {1.0f, 0.0f, 1.0f}};
    static const float first[2][3] = {{0.0f, 0.0f, 1.0f}, {0.0f, 0.0f, 0.0f}};
    static const float cold[2][3] = {{0.0f, 0.0f, 1.0f}, {1.0f, 0.0f, 1.0f}};
    const MaeKnnFound found = {index[0], similarity[0], 4, 2};
    float scores[2][3];

    mae_knn_vote(scores[0], &found, labels, 4, 3, 0.5);
    mae_test_close("T 0.5", scores[0], half[0], 6, 0.0, 1e-6);
    mae_knn_vote(scores[0], &found, labels, 1, 3, 0.5);
    mae_test_close("k 1", scores[0], first[0], 6, 0.0, 0.0);
    mae_knn_vote(scores[0], &found, labels, 4, 3, 1e-6);
    mae_test_close("T 1e-6", scores[0], cold[0], 6, 0.0, 0.0);
}
END_TEST

START_TEST(nan_does_not_vote)
{
    static const int64_t labels[3] = {1, 0, 0};
    static const uint32_t index[2][3] = {{0, 1, 2}, {0, 1, 2}};
    static const float similarity[2][3] = {{0.5f, NAN, NAN}, {NAN, NAN, NAN}};
    static const float want[2][2] = {{0.0f, 1.0f}, {0.0f, 0.0f}};
    const MaeKnnFound found = {index[0], similarity[0], 3, 2};
    float scores[2][2];

    mae_knn_vote(scores[0], &found, labels, 3, 2, 0.07);
    mae_test_close("scores", scores[0], want[0], 4, 0.0, 0.0);
}
END_TEST

/*
 * Three queries count: of class 1 with 3 relevant rows, found at places 1 and 3; of class
 * 5 with 1, found nowhere; of class 0 with 2, found at places 2 and 4. Nothing in the
 * memory has class 8, and -1 is no class though two rows have it.
 */
START_TEST(retrieval_as_by_hand)
{
    static const int64_t memory[8] = {1, 1, 1, 0, 0, 5, -1, -1};
    static const int64_t labels[5] = {1, 5, 8, 0, -1};
    static const uint32_t index[5][4] = {
        {2, 3, 0, 7}, {0, 1, 2, 3}, {0, 1, 2, 3}, {5, 4, 6, 3}, {6, 7, 0, 1}};
    static const float similarity[5][4] = {{0}};
    const MaeKnnFound found = {index[0], similarity[0], 4, 5};
    MaeRetrieval r;

    ck_assert_ok(
        mae_retrieval_score(&r, &found, labels, memory, 8, 4, MAE_KNN_OTHERS, &err));
    ck_assert_uint_eq(r.queries, 3);
    ck_assert_double_eq_tol(r.precision, (2.0 / 4 + 0 + 2.0 / 4) / 3, 1e-12);
    ck_assert_double_eq_tol(r.recall, (2.0 / 3 + 0 + 2.0 / 2) / 3, 1e-12);
    ck_assert_double_eq_tol(
        r.map, ((1.0 + 2.0 / 3) / 3 + 0 + (1.0 / 2 + 2.0 / 4) / 2) / 3, 1e-12);
    ck_assert_ok(
        mae_retrieval_score(&r, &found, labels, memory, 8, 2, MAE_KNN_OTHERS, &err));
    ck_assert_uint_eq(r.queries, 3);
    ck_assert_double_eq_tol(r.precision, (1.0 / 2 + 0 + 1.0 / 2) / 3, 1e-12);
    ck_assert_double_eq_tol(r.recall, (1.0 / 3 + 0 + 1.0 / 2) / 3, 1e-12);
    ck_assert_double_eq_tol(r.map, (1.0 / 2 + 0 + (1.0 / 2) / 2) / 3, 1e-12);
}
END_TEST

/* The only row of class 3 has nobody to find; the two of class 4 have each other. */
START_TEST(retrieval_leaves_the_query_out)
{
    static const int64_t labels[3] = {4, 3, 4};
    static const uint32_t index[3][2] = {{2, 1}, {0, 2}, {1, 0}};
    static const float similarity[3][2] = {{0}};
    const MaeKnnFound found = {index[0], similarity[0], 2, 3};
    MaeRetrieval r;

    ck_assert_ok(
        mae_retrieval_score(&r, &found, labels, labels, 3, 2, MAE_KNN_SAME, &err));
    ck_assert_uint_eq(r.queries, 2);
    ck_assert_double_eq_tol(r.precision, 0.5, 1e-12);
    ck_assert_double_eq_tol(r.recall, 1.0, 1e-12);
    ck_assert_double_eq_tol(r.map, (1.0 + 0.5) / 2, 1e-12);
}
END_TEST

START_TEST(retrieval_without_queries_is_nan)
{
    static const int64_t labels[2] = {INT64_MAX, -1}, memory[2] = {0, INT64_MIN};
    static const uint32_t index[2] = {0, 1};
    static const float similarity[2] = {0};
    const MaeKnnFound found = {index, similarity, 1, 2};
    MaeRetrieval r;

    ck_assert_ok(
        mae_retrieval_score(&r, &found, labels, memory, 2, 1, MAE_KNN_OTHERS, &err));
    ck_assert_uint_eq(r.queries, 0);
    ck_assert(isnan(r.precision) && isnan(r.recall) && isnan(r.map));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("eval_knn");
    TCase *tc = tcase_create("search"), *scores = tcase_create("scores");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, finds_what_a_double_loop_finds, 0,
                        (int)(sizeof shapes / sizeof *shapes));
    tcase_add_test(tc, zeros_are_similar_to_nothing_and_nan_ranks_last);
    tcase_add_test(tc, nan_gives_way_to_whatever_comes);
    tcase_add_test(tc, ties_go_to_the_lower_index);
    tcase_add_test(tc, copies_of_a_row_tie);
    tcase_add_test(tc, any_number_of_threads_gives_the_same_bits);
    tcase_add_test(tc, a_query_alone_finds_the_same_bits);
    tcase_add_test(tc, refuses_sizes_that_cannot_be);
    suite_add_tcase(suite, tc);
    tcase_add_test(scores, neighbours_vote);
    tcase_add_test(scores, nan_does_not_vote);
    tcase_add_test(scores, retrieval_as_by_hand);
    tcase_add_test(scores, retrieval_leaves_the_query_out);
    tcase_add_test(scores, retrieval_without_queries_is_nan);
    suite_add_tcase(suite, scores);
    return mae_test_main(suite);
}
