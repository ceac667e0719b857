#include "train/online_probe.h"

#include <stdlib.h>

#include "data/subset.h"
#include "kernel/gemm.h"
#include "store/crc32c.h"

enum { NEIGHBOURS = 20 };

/* The set with its labels; without any, or if that cannot be, ds stays NULL. */
static void open_labelled(MaeProbeImages *images, const char *path, const MaeConfig *cfg,
                          size_t channels)
{
    const MaeDatasetOptions options = {.in_chans = channels,
                                       .exif = cfg->data.exif_orientation,
                                       .limits = {.max_pixels = cfg->data.max_pixels}};

    if (mae_dataset_open(&images->ds, path, &options, NULL) == MAE_OK &&
        !mae_dataset_info(images->ds)->labelled) {
        mae_dataset_close(images->ds);
        images->ds = NULL;
    }
}

static MaeStatus choose(MaeProbeImages *images, const MaeConfig *cfg, size_t first_n,
                        MaeError *err)
{
    const size_t all = mae_dataset_info(images->ds)->count;
    const size_t count = first_n > 0 && first_n < all ? first_n : all;
    MaeSubset subset = {.first_n = first_n, .seed = cfg->train.seed};

    if (count > cfg->eval.probe)
        subset.label_fraction = (double)cfg->eval.probe / (double)count;
    return mae_subset_select(&images->indices, &images->count, images->ds, &subset, err);
}

static bool same_classes(const MaeOnlineProbe *probe)
{
    const MaeClasses train = mae_dataset_classes(probe->train.ds, "data.train", "");
    const MaeClasses val = mae_dataset_classes(probe->val.ds, "data.val", "");

    return mae_classes_expect_same(&train, &val, NULL) == MAE_OK;
}

static MaeStatus open_all(MaeOnlineProbe *probe, const MaeInputs *inputs, MaeError *err)
{
    const MaeConfig *cfg = probe->cfg;

    if (cfg->eval.probe == 0 || inputs->val == NULL)
        return MAE_OK;
    open_labelled(&probe->train, cfg->data.train, cfg, inputs->channels);
    open_labelled(&probe->val, cfg->data.val, cfg, inputs->channels);
    if (probe->train.ds == NULL || probe->val.ds == NULL)
        return MAE_OK;
    if (!same_classes(probe)) {
        mae_log(&probe->hooks->log, MAE_LOG_INFO,
                "eval.probe: none, data.train and data.val have different classes");
        return MAE_OK;
    }
    MAE_TRY(choose(&probe->train, cfg, cfg->data.first_n, err));
    MAE_TRY(choose(&probe->val, cfg, 0, err));
    probe->on = probe->train.count > 1;
    mae_log(&probe->hooks->log, MAE_LOG_INFO,
            "eval.probe: the data have labels: kNN and ridge probe on %zu training and "
            "%zu held-out images at each evaluation",
            probe->train.count, probe->val.count);
    return MAE_OK;
}

MaeStatus mae_online_probe_open(MaeOnlineProbe *probe, const MaeConfig *cfg,
                                const MaeInputs *inputs, const MaeTrainHooks *hooks,
                                MaeError *err)
{
    MaeStatus status;

    *probe =
        (MaeOnlineProbe){.cfg = cfg, .hooks = hooks, .transform = &inputs->val_transform};
    status = open_all(probe, inputs, err);
    if (status != MAE_OK)
        mae_online_probe_close(probe);
    return status;
}

static uint32_t add_images(uint32_t sum, const MaeProbeImages *images)
{
    const uint64_t classes = mae_dataset_info(images->ds)->classes;

    sum = mae_crc32c(sum, &classes, sizeof classes);
    sum = mae_crc32c(sum, images->indices, images->count * sizeof *images->indices);
    for (size_t i = 0; i < images->count; i++) {
        const int64_t label = mae_dataset_label(images->ds, images->indices[i]);

        sum = mae_crc32c(sum, &label, sizeof label);
    }
    return sum;
}

uint32_t mae_online_probe_checksum(const MaeOnlineProbe *probe)
{
    return probe->on ? add_images(add_images(1, &probe->train), &probe->val) : 0;
}

static void images_done(MaeProbeImages *images)
{
    mae_dataset_close(images->ds);
    free(images->indices);
}

void mae_online_probe_close(MaeOnlineProbe *probe)
{
    if (probe == NULL)
        return;
    images_done(&probe->train);
    images_done(&probe->val);
    *probe = (MaeOnlineProbe){.on = false};
}

static MaeStatus read_features(const MaeOnlineProbe *probe, MaeFeatures *features,
                               const MaeProbeImages *images, const MaeEmbedder *embedder,
                               MaeWatch watch, MaeError *err)
{
    const MaeFeaturesOptions options = {
        .indices = images->indices,
        .index_count = images->count,
        .comm = probe->hooks->comm,
        .workers = probe->cfg->data.workers,
        .max_bad_fraction = probe->cfg->data.max_bad_fraction,
        .stop = probe->hooks->stop,
        .stop_ctx = probe->hooks->ctx,
        .watch = watch,
    };

    return mae_features_read(features, embedder, images->ds, probe->transform, &options,
                             err);
}

/* Products of its own: those of the run know the run's weights. */
static MaeStatus read_both(const MaeOnlineProbe *probe, MaeFeatures both[2],
                           const MaeEmbedSpec *spec, const float *w, MaeTrainer *trainer,
                           MaeError *err)
{
    const MaeCompute *compute = &trainer->compute;
    const MaeGemmOptions options = mae_gemm_options(compute->gemm);
    MaeEmbedder embedder = {.patches = 0};
    MaeGemm *own = NULL;
    MaeStatus status;

    status = mae_gemm_open(&own, &options, err);
    if (status == MAE_OK)
        status = mae_embedder_open(
            &embedder, spec, w, &(MaeCompute){.pool = compute->pool, .gemm = own}, err);
    status = mae_comm_agree(probe->hooks->comm, status, err);
    if (status == MAE_OK)
        status = read_features(probe, &both[0], &probe->train, &embedder,
                               mae_trainer_watch(trainer, "features of data.train"), err);
    if (status == MAE_OK)
        status = read_features(probe, &both[1], &probe->val, &embedder,
                               mae_trainer_watch(trainer, "features of data.val"), err);
    mae_embedder_close(&embedder);
    mae_gemm_close(own);
    return status;
}

static MaeStatus score(const MaeOnlineProbe *probe, MaeScores *scores,
                       const MaeFeatures both[2], MaePool *pool, MaeError *err)
{
    const size_t most = both[0].count;
    const MaeScoreOptions options = {.knn = true,
                                     .ridge = true,
                                     .k = most < NEIGHBOURS ? most : NEIGHBOURS,
                                     .temperature = 0.07};
    const MaeGemmOptions f32 = {.threads = mae_pool_threads(pool)};
    MaeGemm *gemm = NULL;
    MaeStatus status;

    MAE_TRY(mae_gemm_open(&gemm, &f32, err));
    status = mae_score_feature(scores, &both[0], &both[1], 0,
                               mae_dataset_info(probe->train.ds)->classes, &options,
                               &(MaeCompute){.pool = pool, .gemm = gemm}, err);
    mae_gemm_close(gemm);
    return status;
}

MaeStatus mae_online_probe_run(const MaeOnlineProbe *probe, MaeScores *scores,
                               const MaeEmbedSpec *spec, const float *w,
                               MaeTrainer *trainer, MaeError *err)
{
    MaeFeatures both[2] = {{.count = 0}, {.count = 0}};
    MaeStatus status = read_both(probe, both, spec, w, trainer, err);

    if (status == MAE_OK && mae_trainer_leads(trainer))
        status = score(probe, scores, both, trainer->compute.pool, err);
    mae_features_done(&both[0]);
    mae_features_done(&both[1]);
    return mae_comm_agree(probe->hooks->comm, status, err);
}
