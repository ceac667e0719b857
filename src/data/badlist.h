/**
 * @file badlist.h
 * The images that could not be used: counted once each, by reason, the first by name.
 *
 * Memory   One bit per sample of the dataset and MAE_BAD_KEPT entries, allocated at
 *          open; adding never allocates.
 * Threads  One thread at a time.
 */
#ifndef MAE_DATA_BADLIST_H
#define MAE_DATA_BADLIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

#define MAE_BAD_KEPT 100
#define MAE_BAD_REASONS (MAE_ERR_INTERRUPTED + 1)

typedef struct MaeBadEntry {
    size_t sample;
    MaeStatus status;
    char name[256];   /* of the sample, cut to fit */
    char reason[256]; /* message, cut to fit */
} MaeBadEntry;

typedef struct MaeBadList {
    size_t count;                      /* different bad samples */
    size_t by_status[MAE_BAD_REASONS]; /* the same by MaeStatus */
    size_t kept;                       /* entries below */
    MaeBadEntry *entries;              /* [MAE_BAD_KEPT] the first, as met */
    unsigned char *seen;               /* bit per sample */
    size_t samples;
} MaeBadList;

/** @param samples of the dataset: indices are 0 .. samples-1. */
MaeStatus mae_badlist_open(MaeBadList *list, size_t samples, MaeError *err);

/** Accepts a zeroed list. */
void mae_badlist_close(MaeBadList *list);

/** Count a sample. @return false if it had been counted before. */
bool mae_badlist_add(MaeBadList *list, size_t sample, MaeStatus status, const char *name,
                     const char *reason);

/**
 * FORMAT if more than @p max_fraction of @p total samples are bad: both numbers, the
 * counts by reason and the first names.
 */
MaeStatus mae_badlist_check(const MaeBadList *list, size_t total, double max_fraction,
                            MaeError *err);

#endif /* MAE_DATA_BADLIST_H */
