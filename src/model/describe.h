/**
 * @file describe.h
 * What a checkpoint holds, as JSON.
 *
 * Errors   Out of memory shows as NULL, which mae_json_dump passes on.
 * Memory   The caller frees values with mae_json_free.
 */
#ifndef MAE_MODEL_DESCRIBE_H
#define MAE_MODEL_DESCRIBE_H

#include "model/snapshot.h"
#include "store/json.h"

/**
 * Kind, architecture, parameters {total, trainable, fixed}, normalisation, classes,
 * progress, the last line of the history as `metrics`, origin. Keys as in configurations.
 */
MaeJson *mae_describe_snapshot(const MaeSnapshot *snapshot, const MaeParamTable *table);

/** Name, shape, mean, std, min and max of every tensor, in the table's order. */
MaeJson *mae_describe_tensors(const MaeParamTable *table, const float *weights);

/** Last complete line of a history, NULL if it is empty. @param[out] size bytes. */
const char *mae_describe_last_line(const char *history, size_t *size);

#endif /* MAE_MODEL_DESCRIBE_H */
