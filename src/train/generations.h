/**
 * @file generations.h
 * The checkpoints of a run folder: which one a run goes on from, how they follow another.
 *
 *   last.h5            the newest state
 *   previous.h5        what last.h5 was before; from the second save on
 *   checkpoint-N.h5    the newest train.keep of those that were asked for
 *   best.h5            not for going on
 *
 * last.h5 may share its bytes with checkpoint-N.h5 and best.h5, never with previous.h5:
 * no damage to one file takes the only state there is. That costs no time, and the disk
 * space of one more checkpoint unless previous.h5 shares its bytes with another. File
 * systems without hard links have no previous.h5.
 *
 * Saving is mae_run_folder_save (run_folder.h).
 *
 * Threads  One thread.
 */
#ifndef MAE_TRAIN_GENERATIONS_H
#define MAE_TRAIN_GENERATIONS_H

#include "train/run_folder.h"

/** True for the name of a file that a run can go on from. */
bool mae_generation_is(const char *name);

/**
 * Find the newest checkpoint that is whole: last.h5 or, if it is damaged or missing, what
 * is of the later step, previous.h5 or the checkpoint-N.h5 of the largest N. Damaged ones
 * are passed over with a warning. Sets the folder's resume; it is empty if there is none
 * at all. FORMAT if there are only damaged ones.
 */
MaeStatus mae_generation_find(MaeRunFolder *folder, MaeError *err);

/** Look at last.h5 of a folder whose run goes on from another file. */
MaeStatus mae_generation_look(MaeRunFolder *folder, MaeError *err);

#endif /* MAE_TRAIN_GENERATIONS_H */
