/**
 * @file checkpoint.h
 * Checkpoints for tests: the golden autoencoders, and a small classifier.
 */
#ifndef MAE_TESTS_SUPPORT_CHECKPOINT_H
#define MAE_TESTS_SUPPORT_CHECKPOINT_H

#include <stdbool.h>

#include "model/arch.h"

/** Architecture in the attributes of a golden mae_*.h5. */
MaeArch test_golden_arch(const char *golden, bool norm_pix);

/** Write a checkpoint of the golden file's params and mask ratio; mean 0.5, std 0.25. */
void test_golden_checkpoint(const char *path, const char *golden, bool norm_pix);

/** Write a checkpoint of a classifier with initial weights, RGB 8x8. */
void test_classifier_checkpoint(const char *path);

#endif /* MAE_TESTS_SUPPORT_CHECKPOINT_H */
