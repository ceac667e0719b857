/**
 * @file session.h
 * What every training run opens before its model: threads, products, run folder, the
 * checkpoint to go on from, data.
 *
 * Ranks that train together each open one. Rank 0 alone has the run folder and reads the
 * checkpoint; what the others need of it they are told.
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
#include "train/gradients.h"
#include "train/inputs.h"
#include "train/run_folder.h"

/** Zero-initialised, but for folder.lock = -1, is closed. */
typedef struct MaeSession {
    MaeComm *comm; /* borrowed; NULL: alone */
    MaePool *pool;
    MaeGemm *gemm;
    MaeCompute compute;
    MaeGradients gradients; /* that backward passes of compute are ready with */
    MaePeers peers;         /* of compute: the other ranks */
    MaeRunFolder folder;
    MaeCkptReader *reader; /* of folder.resume; NULL if the run starts anew or released */
    bool resumes;          /* the run goes on, on any rank */
    MaeSnapshot snapshot;  /* of folder.resume; zeroed if the run starts anew; on other
                              ranks than 0 only mean, std and channels */
    MaeInputs inputs;
    MaeIdentity train, val; /* which images these are; val unknown without data.val */
} MaeSession;

/**
 * What ranks other than 0 tell: nothing but what is wrong with their own images.
 * @param[out] own hooks of this rank; log is for what happens on every rank alike.
 */
void mae_session_hooks(MaeTrainHooks *own, const MaeTrainHooks *hooks);

/**
 * Pool and products alone, as the configuration asks for them; the rest stays closed.
 * For what computes without a run. Ranks on the same processors divide them.
 * @param comm NULL: alone.
 */
MaeStatus mae_session_open_compute(MaeSession *session, const MaeConfig *cfg,
                                   MaeComm *comm, MaeError *err);

/**
 * Pool, products, run folder and checkpoint; refuses one of another kind or run, and
 * ranks whose program or configuration differ. Ends alike on all ranks.
 */
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

/** ARG, on all ranks, unless their programs and configurations are the same. */
MaeStatus mae_session_alike(const MaeSession *session, const MaeConfig *cfg,
                            MaeError *err);

/** Rank 0 tells the others whether the run goes on, and mean and deviation it had. */
MaeStatus mae_session_tell(MaeSession *session, MaeError *err);

/** ARG, on all ranks, unless their images and what was measured on them are the same. */
MaeStatus mae_session_same_images(const MaeSession *session, MaeError *err);

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
