/**
 * @file reconstruct_parts.h
 * Lines and members that several reports of mae-reconstruct have; private to them.
 *
 * Errors   Cannot fail; objects are NULL where memory ran out.
 * Threads  Main thread only.
 */
#ifndef MAE_TOOLS_COMMON_RECONSTRUCT_PARTS_H
#define MAE_TOOLS_COMMON_RECONSTRUCT_PARTS_H

#include "common/reconstruct_report.h"
#include "store/json.h"

/** The panels of a row of reconstructions; ends with NULL. */
extern const char *const reconstruct_panels[];

/** A name that stays on its line, and the line's end. */
void reconstruct_print_name(const char *name);

/** A column; NaN (nothing was hidden, nothing varies) is "-". */
void reconstruct_print_number(double number, int digits);

/** "mask: random, ratio 0.75 (...)". */
void reconstruct_print_mask(const ReconstructReport *r);

/** "denormalisation: ...". */
void reconstruct_print_denorm(const ReconstructReport *r);

/** "OUT: a row per image, panels a | b". @param panels ends with NULL. */
void reconstruct_print_picture(const char *out, const char *rows,
                               const char *const *panels);

/** What the model's loss is, in words. */
const char *reconstruct_loss_name(const ReconstructReport *r);

/** An array of texts up to NULL. */
MaeJson *reconstruct_texts_json(const char *const *texts);

/** Masks of one ratio. */
MaeJson *reconstruct_mask_json(const ReconstructReport *r);

/** What every object begins with. @param panels NULL: there is no picture. */
MaeJson *reconstruct_begin_json(const ReconstructReport *r, const char *const *panels);

#endif /* MAE_TOOLS_COMMON_RECONSTRUCT_PARTS_H */
