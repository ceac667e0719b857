/**
 * @file param.h
 * Parameter table: name, shape, offset and flags of every tensor of a model.
 *
 * One table serves weights, gradients and optimiser moments, which are flat float buffers
 * of `total` elements indexed by the same offsets; the checkpoint, import and
 * export walk it too. Layers keep MaeParam values (offsets), never pointers.
 *
 * Gradients that are sums over rows (biases, norms, tokens, position embeddings) carry
 * MAE_PARAM_ROWSUM and a second offset, `sum`: during backward each tile of images adds
 * its share at `sum` of its own buffer of `sum_total` elements; afterwards the
 * shares are combined in tile order. The result does not depend on the number of threads.
 *
 * Shapes   Offsets are multiples of 16 elements (64 bytes); the padding stays zero.
 * Memory   The table owns its entries; close releases them.
 * Errors   A failed allocation or a name that is too long is sticky, see mae_param_check.
 * Threads  Build from one thread; read-only afterwards.
 */
#ifndef MAE_BASE_PARAM_H
#define MAE_BASE_PARAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define MAE_PARAM_NAME 96
#define MAE_PARAM_DIMS 4

typedef enum MaeParamFlag {
    MAE_PARAM_PLAIN = 0,
    MAE_PARAM_NO_DECAY = 1, /**< excluded from weight decay */
    MAE_PARAM_FIXED = 2,    /**< saved but never trained: no gradient, no update */
    MAE_PARAM_ROWSUM = 4,   /**< gradient is a sum over rows, see above */
    MAE_PARAM_TRACKED = 8, /**< FIXED statistic: its gradient is what a step adds to it */
} MaeParamFlag;

/** What a layer keeps of one tensor. */
typedef struct MaeParam {
    size_t off;   /* first element in weights, gradients, moments */
    size_t sum;   /* first element in a tile's buffer of row sums */
    size_t count; /* elements */
} MaeParam;

/** One tensor of a table. */
typedef struct MaeParamEntry {
    char name[MAE_PARAM_NAME]; /* state-dict name, e.g. "blocks.0.attn.qkv.weight" */
    size_t shape[MAE_PARAM_DIMS];
    size_t ndim;
    MaeParam at;
    unsigned flags; /* MaeParamFlag, or-ed */
} MaeParamEntry;

/** Zero-initialised is empty. */
typedef struct MaeParamTable {
    MaeParamEntry *entries;
    size_t count, capacity;
    size_t total;     /* elements of a flat buffer, padding included */
    size_t sum_total; /* elements of a tile's buffer of row sums */
    bool failed;
} MaeParamTable;

/** Register a vector "<scope>.<name>" [n], whose gradient sums rows; scope may be "". */
MaeParam mae_param_add(MaeParamTable *table, const char *scope, const char *name,
                       size_t n, unsigned flags);

/** Register a tensor of 1 to 4 dimensions. */
MaeParam mae_param_add_shape(MaeParamTable *table, const char *scope, const char *name,
                             size_t ndim, const size_t *shape, unsigned flags);

/** Entry called @p name, or NULL. */
const MaeParamEntry *mae_param_find(const MaeParamTable *table, const char *name);

/** Let only entries from @p first on be trained: those before it become FIXED. */
void mae_param_fix_before(MaeParamTable *table, MaeParam first);

/** First element of a tile's buffer of row sums that a trained entry has. */
size_t mae_param_sum_first(const MaeParamTable *table);

/** Elements of all entries, without padding. */
size_t mae_param_elements(const MaeParamTable *table);

/** Elements that are trained (not FIXED), without padding. */
size_t mae_param_trainable(const MaeParamTable *table);

/** Write the shape as "[768,3,16,16]". */
void mae_param_shape_text(char *text, size_t size, const size_t *shape, size_t ndim);

/** One element of a tensor. */
typedef struct MaeParamElement {
    const char *name; /* of the tensor; NULL: there is no such element */
    size_t index;     /* in it */
    double value;
} MaeParamElement;

/** Which entries are looked at. */
typedef enum MaeParamSpan {
    MAE_PARAM_ALL,
    MAE_PARAM_CHANGED, /**< by a step: trained or TRACKED */
} MaeParamSpan;

/**
 * The first element, in table order, of a flat buffer that is NaN or larger than
 * @p limit; with FLT_MAX the first that is not finite.
 */
MaeParamElement mae_param_beyond(const MaeParamTable *table, MaeParamSpan span,
                                 const float *flat, float limit);

/** MAE_ERR_NOMEM if any registration failed. */
MaeStatus mae_param_check(const MaeParamTable *table, MaeError *err);

/** Release the entries; accepts a zeroed table. */
void mae_param_close(MaeParamTable *table);

#endif /* MAE_BASE_PARAM_H */
