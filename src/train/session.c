#include "train/session.h"

#include <stdio.h>
#include <string.h>

#include "store/file.h"

/* Statistics that were measured are the run's own: given ones must be the same. */
static MaeStatus same_stats(const char *key, const MaeConfStats *given, const float *own,
                            size_t channels, const char *path, MaeError *err)
{
    for (size_t c = 0; c < given->count && c < channels; c++) {
        if ((float)given->value[c] != own[c])
            MAE_FAIL(
                err, MAE_ERR_ARG,
                "%s belongs to another configuration (%s: run has %g in channel %zu, "
                "config says %g); leave the key away or use another train.output_dir",
                path, key, (double)own[c], c, given->value[c]);
    }
    return MAE_OK;
}

/* Only what changes results: where files lie and how many threads run may differ. */
static MaeStatus same_run(const MaeSession *session, const MaeConfig *cfg,
                          const MaeTrainHooks *hooks, MaeError *err)
{
    const char *text = session->snapshot.config, *path = session->folder.resume;
    MaeConfig run;
    char diff[400];

    if (text == NULL || text[0] == '\0')
        MAE_FAIL(err, MAE_ERR_ARG,
                 "%s: has no configuration (converted weights?) and cannot be resumed",
                 path);
    MAE_TRY(
        mae_config_parse_text(&run, cfg->tool, path, text, strlen(text), NULL, 0, err));
    if (mae_config_diff(&run, cfg, NULL, MAE_CONF_DIFF_RESUME, diff, sizeof diff) > 0)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "%s belongs to another configuration (%s); use another train.output_dir, or "
            "train.overwrite=true to start anew",
            path, diff);
    MAE_TRY(same_stats("data.mean", &cfg->data.mean, session->snapshot.mean,
                       session->snapshot.arch.grid.channels, path, err));
    MAE_TRY(same_stats("data.std", &cfg->data.std, session->snapshot.std,
                       session->snapshot.arch.grid.channels, path, err));
    if (session->snapshot.train_images == 0 &&
        strcmp(run.data.train, cfg->data.train) != 0)
        mae_log(
            &hooks->log, MAE_LOG_WARN,
            "data.train was %.150s: the run goes on as it was only if the images are the "
            "same, in the same order",
            run.data.train);
    if (strcmp(session->snapshot.backend, mae_gemm_backend(session->gemm)) != 0)
        mae_log(&hooks->log, MAE_LOG_WARN,
                "%s was computed with %s, now %s: last bits may differ", path,
                session->snapshot.backend, mae_gemm_backend(session->gemm));
    mae_log(&hooks->log, MAE_LOG_INFO,
            "going on from %s: %llu epochs and %llu steps done", path,
            (unsigned long long)session->snapshot.epoch,
            (unsigned long long)session->snapshot.step);
    return MAE_OK;
}

static MaeStatus open_products(MaeSession *session, const MaeConfig *cfg, MaeError *err)
{
    static const MaeGemmBackend backends[] = {
        [MAE_CONF_BACKEND_AUTO] = MAE_GEMM_AUTO,
        [MAE_CONF_BACKEND_OPENBLAS] = MAE_GEMM_OPENBLAS,
        [MAE_CONF_BACKEND_ONEDNN] = MAE_GEMM_ONEDNN,
        [MAE_CONF_BACKEND_BUILTIN] = MAE_GEMM_BUILTIN,
    };
    const MaeConfPrecision wanted = cfg->train.precision;
    const bool openblas = cfg->train.backend == MAE_CONF_BACKEND_OPENBLAS;
    const bool bf16 = wanted == MAE_CONF_PRECISION_AUTO
                          ? !openblas && mae_gemm_native(MAE_BF16)
                          : wanted == MAE_CONF_PRECISION_BF16;
    const MaeGemmOptions options = {
        .operand = bf16 ? MAE_BF16 : MAE_F32,
        .backend = backends[cfg->train.backend],
        .threads = mae_pool_threads(session->pool),
    };

    return mae_gemm_open(&session->gemm, &options, err);
}

static void report_products(const MaeSession *session, const MaeConfig *cfg,
                            const MaeLog *log)
{
    const MaeDtype operand = mae_gemm_operand(session->gemm);

    mae_pool_judge(log,
                   mae_pool_threads(session->pool) * mae_comm_neighbours(session->comm));
    mae_log(log, MAE_LOG_INFO, "precision %s%s, products by %s", mae_dtype_name(operand),
            cfg->train.precision != MAE_CONF_PRECISION_AUTO ? ""
            : operand == MAE_BF16 ? " (auto: this processor multiplies it natively)"
                                  : " (auto: no native bf16 products here)",
            mae_gemm_backend(session->gemm));
}

/* A failure is told by the next thing that ranks do together. */
static void sum_over_ranks(void *ctx, double *x, size_t n)
{
    (void)mae_comm_sum_doubles(ctx, x, n, NULL);
}

static MaeStatus open_compute(MaeSession *session, const MaeConfig *cfg, MaeError *err)
{
    MAE_TRY(mae_pool_open(&session->pool,
                          mae_comm_threads(session->comm, cfg->train.threads), err));
    MAE_TRY(open_products(session, cfg, err));
    session->gradients =
        (MaeGradients){.comm = session->comm, .shards = cfg->dist.shard_optimizer};
    session->compute = (MaeCompute){.pool = session->pool, .gemm = session->gemm};
    if (mae_comm_world(session->comm) > 1) {
        session->compute.ready = mae_gradients_ready;
        session->compute.poll = mae_gradients_poll;
        session->compute.ready_ctx = &session->gradients;
        session->peers =
            (MaePeers){mae_comm_world(session->comm), sum_over_ranks, session->comm};
        session->compute.peers = &session->peers;
    }
    return MAE_OK;
}

/* A run in its own data would be trained on its pictures when it is taken up again. */
static MaeStatus check_places(const MaeConfig *cfg, MaeError *err)
{
    const char *const sets[] = {cfg->data.train, cfg->data.val, cfg->data.unlabelled};

    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (sets[i][0] != '\0')
            MAE_TRY(mae_file_check_outside(cfg->train.output_dir, sets[i], err));
    }
    return MAE_OK;
}

static MaeStatus open_run(MaeSession *session, const MaeConfig *cfg, MaeSnapshotKind kind,
                          const MaeTrainHooks *hooks, MaeError *err)
{
    MAE_TRY(check_places(cfg, err));
    MAE_TRY(mae_run_folder_open(&session->folder, cfg, &hooks->log, err));
    if (session->folder.resume[0] == '\0')
        return MAE_OK;
    MAE_TRY(mae_snapshot_open(&session->reader, &session->snapshot,
                              session->folder.resume, err));
    MAE_TRY(mae_snapshot_expect(&session->snapshot, kind, session->folder.resume, err));
    return same_run(session, cfg, hooks, err);
}

MaeStatus mae_session_open_compute(MaeSession *session, const MaeConfig *cfg,
                                   MaeComm *comm, MaeError *err)
{
    MaeStatus status;

    *session = (MaeSession){.comm = comm, .folder = {.lock = -1}};
    status = open_compute(session, cfg, err);
    if (status != MAE_OK)
        mae_session_close(session);
    return status;
}

/* What follows on pool and products; the ranks are there. */
static MaeStatus open_parts(MaeSession *session, const MaeConfig *cfg,
                            MaeSnapshotKind kind, const MaeTrainHooks *hooks,
                            MaeError *err)
{
    MaeStatus status = MAE_OK;

    MAE_TRY(mae_session_alike(session, cfg, err));
    report_products(session, cfg, &hooks->log);
    if (mae_comm_rank(session->comm) == 0)
        status = open_run(session, cfg, kind, hooks, err);
    MAE_TRY(mae_comm_agree(session->comm, status, err));
    return mae_session_tell(session, err);
}

MaeStatus mae_session_open(MaeSession *session, const MaeConfig *cfg,
                           MaeSnapshotKind kind, const MaeTrainHooks *hooks,
                           MaeError *err)
{
    MaeStatus status = mae_session_open_compute(session, cfg, hooks->comm, err);

    status = mae_comm_agree(hooks->comm, status, err);
    if (status == MAE_OK)
        status = open_parts(session, cfg, kind, hooks, err);
    if (status != MAE_OK)
        mae_session_close(session);
    return status;
}

/* What is different about a set, or "" if nothing is. */
static void compare_sets(char *text, size_t size, MaeIdentity was, MaeIdentity is)
{
    text[0] = '\0';
    if (was.count != is.count && !mae_identity_same(was, is))
        (void)snprintf(text, size, "%llu images then, %llu now",
                       (unsigned long long)was.count, (unsigned long long)is.count);
    else if (!mae_identity_same(was, is))
        (void)snprintf(text, size,
                       "%llu images as before, but others, or other labels, or another "
                       "order",
                       (unsigned long long)is.count);
}

MaeStatus mae_session_check_images(const MaeSession *session, const MaeConfig *cfg,
                                   const MaeLog *log, MaeError *err)
{
    const MaeSnapshot *run = &session->snapshot;
    char train[120], val[120];

    compare_sets(train, sizeof train,
                 (MaeIdentity){run->train_images, run->train_checksum}, session->train);
    compare_sets(val, sizeof val, (MaeIdentity){run->val_images, run->val_checksum},
                 session->val);
    if (train[0] != '\0' && !cfg->data.may_change)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "data.train: %.150s has changed since %s was saved (%s); bring the images "
            "back, use another train.output_dir, or go on regardless with "
            "data.may_change=true",
            cfg->data.train, session->folder.resume, train);
    if (train[0] != '\0')
        mae_log(log, MAE_LOG_WARN, "data.train has changed (%s): data.may_change", train);
    if (val[0] != '\0')
        mae_log(log, MAE_LOG_WARN,
                "data.val has changed (%s): scores before and after do not compare", val);
    return MAE_OK;
}

MaeStatus mae_session_open_inputs(MaeSession *session, const MaeConfig *cfg,
                                  bool labelled, MaeKnownStats known, const MaeLog *log,
                                  MaeError *err)
{
    MaeInputs *inputs = &session->inputs;

    MAE_TRY(mae_inputs_open(inputs, cfg, labelled, cfg->model.in_chans, known,
                            session->pool, log, err));
    MAE_TRY(mae_identity_take(&session->train, inputs->train, err));
    return inputs->val == NULL ? MAE_OK
                               : mae_identity_take(&session->val, inputs->val, err);
}

void mae_session_describe(const MaeSession *session, MaeSnapshot *snapshot)
{
    snapshot->mean = session->inputs.mean;
    snapshot->std = session->inputs.std;
    snapshot->train_images = session->train.count;
    snapshot->train_checksum = session->train.checksum;
    snapshot->val_images = session->val.count;
    snapshot->val_checksum = session->val.checksum;
}

void mae_session_release(MaeSession *session)
{
    mae_ckpt_close(session->reader);
    session->reader = NULL;
}

void mae_session_close(MaeSession *session)
{
    if (session == NULL)
        return;
    mae_inputs_close(&session->inputs);
    mae_ckpt_close(session->reader);
    mae_snapshot_done(&session->snapshot);
    mae_run_folder_close(&session->folder);
    mae_gemm_close(session->gemm);
    mae_pool_close(session->pool);
    *session = (MaeSession){.folder = {.lock = -1}};
}
