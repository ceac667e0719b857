/**
 * @file inspect_report.h
 * What mae-inspect found, as text. Control characters in texts out of the checkpoint
 * become '?', so that it cannot drive the terminal.
 */
#ifndef MAE_TOOLS_COMMON_INSPECT_REPORT_H
#define MAE_TOOLS_COMMON_INSPECT_REPORT_H

#include <stdio.h>

#include "model/snapshot.h"
#include "store/json.h"

/** Everything but the tensors. */
void inspect_report_summary(FILE *out, const char *path, const MaeSnapshot *snapshot,
                            const MaeParamTable *table);

/** A line per element of mae_describe_tensors(). */
void inspect_report_tensors(FILE *out, const MaeJson *tensors);

/** A text of several lines, ending in a newline. */
void inspect_report_text(FILE *out, const char *text);

#endif /* MAE_TOOLS_COMMON_INSPECT_REPORT_H */
