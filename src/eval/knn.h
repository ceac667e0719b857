/**
 * @file knn.h
 * Nearest neighbours among features, and what they say: classes by vote, and retrieval.
 *
 * Search: the k rows of the memory that are most similar to a query,
 *
 *   similarity(x, y) = <x, y> / (|x| |y|)          the cosine; 0 for a row of zeros
 *
 * exactly, by falling similarity. Equal ones, as computed, rank by rising index. A row
 * with a NaN or an infinity has similarity NaN to all, which ranks last. Rounding may
 * pass 1 by some 1e-7.
 *
 * Vote: scores of the classes, from the k neighbours and a temperature T,
 *
 *   score_c = sum over neighbours of class c of exp((similarity - largest) / T)
 *
 * where largest is that of the first neighbour that votes: T can be small without
 * overflow, and the classes rank as with exp(similarity / T). A neighbour whose label is
 * no class, or whose similarity is NaN, does not vote.
 *
 * Retrieval: a row of the memory is relevant if it has the query's label and is not the
 * query itself. With rel_i = 1 if neighbour i is relevant, else 0, and R relevant rows,
 *
 *   precision@K = 1/K sum_{i<=K} rel_i           recall@K = 1/R sum_{i<=K} rel_i
 *   MAP@K       = 1/min(R,K) sum_{i<=K} rel_i precision@i
 *
 * each a mean over the queries with R > 0. A negative label is none: such a query is left
 * out, such a row is relevant to nobody.
 *
 * Source   Wu et al. 2018, arXiv:1805.01978, section 3.4; facebookresearch/dino
 *          eval_knn.py, which has T = 0.07 and k = 10, 20, 100, 200.
 * Shapes   Q queries, M rows of memory, D width, k neighbours, C classes.
 * Memory   The search allocates a copy of each set at unit length, rounded up to whole
 *          blocks (one copy if they are the same set), and 1 MiB a thread; never the
 *          similarities of all pairs. Retrieval allocates M labels. All is freed.
 * Errors   ARG for a k or a memory that cannot be; NOMEM. Outputs untouched on failure.
 * Threads  The search runs on the pool; queries are independent and products of one
 *          size, so any number of threads gives the same bits. The rest is reentrant.
 */
#ifndef MAE_EVAL_KNN_H
#define MAE_EVAL_KNN_H

#include <stddef.h>
#include <stdint.h>

#include "nn/compute.h"

/** Features; borrowed. */
typedef struct MaeKnnSet {
    const float *values; /* [count,D] */
    size_t ld;           /* floats from one row to the next, at least D */
    size_t count;
} MaeKnnSet;

/** Whether a query is a row of the memory too. */
typedef enum MaeKnnSelf {
    MAE_KNN_OTHERS, /* the sets are different */
    MAE_KNN_SAME,   /* the same set: query i never finds row i */
} MaeKnnSelf;

/** What a search found; borrowed. A smaller k reads the first of each row. */
typedef struct MaeKnnFound {
    const uint32_t *index;   /* [count,ld] rows of the memory, nearest first */
    const float *similarity; /* [count,ld] */
    size_t ld;               /* the k of the search */
    size_t count;            /* Q */
} MaeKnnFound;

/** Means over queries, each in 0 .. 1; NaN without queries. */
typedef struct MaeRetrieval {
    double precision, recall, map;
    size_t queries; /* those with a relevant row, which the means are over */
} MaeRetrieval;

/**
 * Find the k nearest rows of @p memory of every query.
 * @param[out] index [Q,k].  @param[out] similarity [Q,k].
 * @param memory with MAE_KNN_SAME the same rows as @p queries.
 * @param k at most M, or M - 1 with MAE_KNN_SAME.
 * @param compute products opened for f32, with a handle for each thread of the pool.
 */
MaeStatus mae_knn_search(uint32_t *index, float *similarity, const MaeKnnSet *queries,
                         const MaeKnnSet *memory, size_t width, size_t k, MaeKnnSelf self,
                         const MaeCompute *compute, MaeError *err);

/**
 * Score the classes of every query by its first k neighbours, for mae_accuracy_add. A
 * query without a vote has zeros, as has a class: of those the lower index ranks first.
 * @param[out] scores [Q,C], overwritten.
 * @param labels [M] of the memory.
 * @param k at most the found ones.  @param temperature above 0.
 */
void mae_knn_vote(float *scores, const MaeKnnFound *found, const int64_t *labels,
                  size_t k, size_t classes, double temperature);

/**
 * Score the first k neighbours of every query as an answer to it.
 * @param labels [Q] of the queries.  @param memory_labels [M].
 * @param rows M.  @param k at most the found ones.
 * @param self as in the search: whether M counts the query itself.
 */
MaeStatus mae_retrieval_score(MaeRetrieval *result, const MaeKnnFound *found,
                              const int64_t *labels, const int64_t *memory_labels,
                              size_t rows, size_t k, MaeKnnSelf self, MaeError *err);

#endif /* MAE_EVAL_KNN_H */
