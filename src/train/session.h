/**
 * @file session.h
 * What every training run opens before its model: threads, products, run folder, the
 * checkpoint to go on from, data.
 *
 * Errors   As the parts; ARG for a checkpoint that does not belong to the configuration
 *          or to the data.
 * Threads  One thread.
 */
#ifndef MAE_TRAIN_SESSION_H
#define MAE_TRAIN_SESSION_H

#include "data/identity.h"
#include "mae/train.h"
#include "model/snapshot.h"
#include "train/inputs.h"
#include "train/run_folder.h"

/** Zero-initialised, but for folder.lock = -1, is closed. */
typedef struct MaeSession {
    MaePool *pool;
    MaeGemm *gemm;
    MaeCompute compute;
    MaeRunFolder folder;
    MaeCkptReader *reader; /* of folder.resume; NULL if the run starts anew or released */
    MaeSnapshot snapshot;  /* of folder.resume; zeroed if the run starts anew */
    MaeInputs inputs;
    MaeIdentity train, val; /* which images these are; val unknown without data.val */
} MaeSession;

/**
 * Pool and products alone, as the configuration asks for them; the rest stays closed.
 * For what computes without a run.
 */
MaeStatus mae_session_open_compute(MaeSession *session, const MaeConfig *cfg,
                                   MaeError *err);

/** Pool, products, run folder and checkpoint; refuses one of another kind or run. */
MaeStatus mae_session_open(MaeSession *session, const MaeConfig *cfg,
                           MaeSnapshotKind kind, const MaeTrainHooks *hooks,
                           MaeError *err);

/** mae_inputs_open for the run, and find out which images these are. */
MaeStatus mae_session_open_inputs(MaeSession *session, const MaeConfig *cfg,
                                  bool labelled, MaeKnownStats known, const MaeLog *log,
                                  MaeError *err);

/**
 * If the run goes on: ARG unless the training images are those it was trained on or
 * data.may_change allows others; other images in data.val are reported.
 */
MaeStatus mae_session_check_images(const MaeSession *session, const MaeConfig *cfg,
                                   const MaeLog *log, MaeError *err);

/** Fill in what a snapshot says of the data: mean and deviation (borrowed), identity. */
void mae_session_describe(const MaeSession *session, MaeSnapshot *snapshot);

/**
 * Let go of the checkpoint once its weights are read: a file that is open keeps its disk
 * space although newer ones replace it. The snapshot stays.
 */
void mae_session_release(MaeSession *session);

/** Accepts a zeroed or half-opened session. */
void mae_session_close(MaeSession *session);

#endif /* MAE_TRAIN_SESSION_H */
