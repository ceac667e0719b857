/**
 * @file csv.h
 * Text in CSV files (RFC 4180): a field in quotes, its own quotes doubled.
 *
 * Errors   Those of the output, which are sticky.
 * Threads  One thread at a time per output.
 */
#ifndef MAE_STORE_CSV_H
#define MAE_STORE_CSV_H

#include "store/output.h"

/** Append @p text as one field. */
void mae_csv_text(MaeOutput *out, const char *text);

#endif /* MAE_STORE_CSV_H */
