#include "train/inputs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/available.h"
#include "data/pseudo.h"
#include "data/stats.h"
#include "data/subset.h"

static MaeStatus open_set(MaeDataset **set, const char *key, const char *path,
                          const MaeConfig *cfg, bool labelled, size_t in_chans,
                          const MaeLog *log, MaeError *err)
{
    const MaeDatasetOptions options = {.in_chans = in_chans,
                                       .unlabelled = !labelled,
                                       .exif = cfg->data.exif_orientation,
                                       .limits = {.max_pixels = cfg->data.max_pixels},
                                       .log = log};
    const MaeDatasetInfo *info;
    MaeError why = {0};

    if (mae_dataset_open(set, path, &options, &why) != MAE_OK)
        MAE_FAIL(err, why.status, "%s: %s", key, why.msg);
    info = mae_dataset_info(*set);
    if (labelled && !info->labelled)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "%s: %s has no labels; fine-tuning needs class folders, an IDX label file or "
            "an HDF5 data set `labels`",
            key, path);
    mae_log(log, MAE_LOG_INFO, "%s: %s: %zu images (%s), %zu channel%s%s", key, path,
            info->count, info->kind, info->channels, info->channels == 1 ? "" : "s",
            info->labelled ? ", labelled" : "");
    return MAE_OK;
}

/* Weights expect the normalisation they were trained with. */
static void compare_stats(const MaeInputs *inputs, MaeKnownStats known, const MaeLog *log)
{
    for (size_t c = 0; known.mean != NULL && c < known.channels; c++) {
        const double scale = (double)known.std[c];

        if (fabs((double)inputs->mean[c] - (double)known.mean[c]) <= 0.01 * scale &&
            fabs((double)inputs->std[c] - scale) <= 0.01 * scale)
            continue;
        mae_log(log, MAE_LOG_WARN,
                "data.mean, data.std: channel %zu has %g and %g, but the checkpoint was "
                "trained with %g and %g; auto takes the checkpoint's",
                c, (double)inputs->mean[c], (double)inputs->std[c], (double)known.mean[c],
                scale);
        return;
    }
}

static MaeStatus set_stats(MaeInputs *inputs, const MaeConfig *cfg, MaeKnownStats known,
                           MaePool *pool, const MaeLog *log, MaeError *err)
{
    const MaeConfStats *mean = &cfg->data.mean, *std = &cfg->data.std;
    const size_t channels = inputs->channels;

    inputs->mean = calloc(2 * channels, sizeof *inputs->mean);
    if (inputs->mean == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "data.mean: out of memory for %zu channels",
                 channels);
    inputs->std = inputs->mean + channels;
    if (mean->count > 0) {
        if ((mean->count != channels && mean->count != 1) ||
            (std->count != channels && std->count != 1))
            MAE_FAIL(
                err, MAE_ERR_ARG,
                "data.mean, data.std: expected %zu values, one per channel of the data, "
                "or one for all, got %zu and %zu",
                channels, mean->count, std->count);
        for (size_t c = 0; c < channels; c++) { /* one value is for all channels */
            inputs->mean[c] = (float)mean->value[c % mean->count];
            inputs->std[c] = (float)std->value[c % std->count];
        }
        if (known.channels == channels)
            compare_stats(inputs, known, log);
        return MAE_OK;
    }
    if (known.mean != NULL && known.channels == channels) {
        memcpy(inputs->mean, known.mean, channels * sizeof *inputs->mean);
        memcpy(inputs->std, known.std, channels * sizeof *inputs->std);
        return MAE_OK;
    }
    mae_log(log, MAE_LOG_INFO, "data.mean, data.std: measuring on up to %d images",
            MAE_STATS_SAMPLES);
    return mae_stats_measure(inputs->mean, inputs->std, NULL, inputs->train,
                             inputs->subset, inputs->subset_count, 0, pool, err);
}

static MaeStatus same_classes(const MaeInputs *inputs, const MaeConfig *cfg,
                              MaeError *err)
{
    const MaeClasses train =
        mae_dataset_classes(inputs->train, "data.train", cfg->data.train);
    const MaeClasses val = mae_dataset_classes(inputs->val, "data.val", cfg->data.val);

    return mae_classes_expect_same(&train, &val, err);
}

/* How many classes no image that takes part has. @param[out] first of them. */
static MaeStatus count_unseen(const MaeInputs *inputs, size_t *unseen, size_t *first,
                              MaeError *err)
{
    const size_t classes = mae_dataset_info(inputs->train)->classes;
    const size_t *subset = inputs->subset;
    bool *seen = calloc(classes, sizeof *seen);

    if (seen == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "data.train: out of memory for %zu classes",
                 classes);
    for (size_t i = 0; i < inputs->subset_count; i++)
        seen[mae_dataset_label(inputs->train, subset != NULL ? subset[i] : i)] = true;
    *unseen = 0;
    for (size_t c = classes; c-- > 0;) {
        if (!seen[c]) {
            *first = c;
            ++*unseen;
        }
    }
    free(seen);
    return MAE_OK;
}

/*
 * A class that is never seen cannot be learnt: refused, unless classes are mere numbers,
 * of which some may be unused, as where labels are counted from 1.
 */
static MaeStatus every_class_is_seen(const MaeInputs *inputs, const MaeConfig *cfg,
                                     const MaeLog *log, MaeError *err)
{
    size_t unseen = 0, first = 0;
    const char *name;
    char number[24], text[320];

    MAE_TRY(count_unseen(inputs, &unseen, &first, err));
    if (unseen == 0)
        return MAE_OK;
    name = mae_dataset_class(inputs->train, first);
    (void)snprintf(number, sizeof number, "%zu", first);
    (void)snprintf(text, sizeof text,
                   "data.train: %.120s: %zu of %zu classes have none of the %zu images "
                   "that take part, first \"%.60s\"%s",
                   cfg->data.train, unseen, mae_dataset_info(inputs->train)->classes,
                   inputs->subset_count, name,
                   inputs->subset != NULL ? "; see data.first_n" : "");
    if (strcmp(name, number) != 0)
        MAE_FAIL(err, MAE_ERR_ARG, "%s", text);
    mae_log(log, MAE_LOG_WARN, "%s", text);
    return MAE_OK;
}

MaeStatus mae_inputs_pseudo_checksum(MaeConfig *cfg, MaeError *err)
{
    size_t *known = &cfg->data.pseudo_checksum;
    uint32_t sum;

    if (cfg->data.pseudo_labels[0] == '\0') {
        *known = 0;
        return MAE_OK;
    }
    MAE_TRY(mae_pseudo_checksum(&sum, cfg->data.pseudo_labels, err));
    if (*known != 0 && *known != sum)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "data.pseudo_checksum: expected %zu, %s has %lu: the labels have changed",
            *known, cfg->data.pseudo_labels, (unsigned long)sum);
    *known = sum;
    mae_config_mark(cfg, "data.pseudo_checksum", MAE_CONF_FROM_DERIVED);
    return MAE_OK;
}

/* The samples of the training set that take part and, behind it, all chosen ones. */
static MaeStatus extend_subset(MaeInputs *inputs, size_t labelled, size_t chosen,
                               MaeError *err)
{
    const size_t count = inputs->subset_count + chosen;
    size_t *subset;

    if (inputs->subset != NULL) {
        subset = realloc(inputs->subset, count * sizeof *subset);
        if (subset == NULL)
            MAE_FAIL(err, MAE_ERR_NOMEM, "data.unlabelled: out of memory for %zu images",
                     count);
        for (size_t i = 0; i < chosen; i++)
            subset[inputs->subset_count + i] = labelled + i;
        inputs->subset = subset;
    }
    inputs->subset_count = count;
    return MAE_OK;
}

/* The training set becomes both; on failure the second stays the caller's. */
static MaeStatus join(MaeInputs *inputs, MaeDataset *second, const MaeConfig *cfg,
                      const MaeLog *log, MaeError *err)
{
    const size_t labelled = mae_dataset_info(inputs->train)->count;
    const size_t used = inputs->subset_count;
    const MaeClasses classes =
        mae_dataset_classes(inputs->train, "data.train", cfg->data.train);
    MaeChosen chosen = {.count = 0};
    MaeStatus status;

    MAE_TRY(mae_pseudo_read(&chosen, cfg->data.pseudo_labels, second, &classes, err));
    status = extend_subset(inputs, labelled, chosen.count, err);
    if (status == MAE_OK)
        status = mae_dataset_join(&inputs->train, inputs->train, second, &chosen, err);
    if (status == MAE_OK)
        mae_log(log, MAE_LOG_INFO,
                "data.pseudo_labels: %s: %zu of %zu images, beside %zu of data.train",
                cfg->data.pseudo_labels, chosen.count, mae_dataset_info(second)->count,
                used);
    mae_pseudo_done(&chosen);
    return status;
}

static MaeStatus add_pseudo(MaeInputs *inputs, const MaeConfig *cfg, const MaeLog *log,
                            MaeError *err)
{
    MaeDataset *second = NULL;
    MaeStatus status;

    MAE_TRY(open_set(&second, "data.unlabelled", cfg->data.unlabelled, cfg, false,
                     inputs->channels, log, err));
    status = join(inputs, second, cfg, log, err);
    if (status != MAE_OK)
        mae_dataset_close(second);
    return status;
}

/* What the numbers of a run are about. */
static void report_parts(const MaeInputs *inputs, const MaeConfig *cfg, const MaeLog *log)
{
    const size_t all = mae_dataset_info(inputs->train)->count;

    if (inputs->subset != NULL)
        mae_log(log, MAE_LOG_INFO, "data.train: %zu of %zu images take part",
                inputs->subset_count, all);
    if (strcmp(cfg->data.train, cfg->data.val) == 0)
        mae_log(log, MAE_LOG_WARN,
                "data.val is data.train: scores are of images that were trained on");
}

static MaeStatus open_all(MaeInputs *inputs, const MaeConfig *cfg, bool labelled,
                          size_t in_chans, MaeKnownStats known, MaePool *pool,
                          const MaeLog *log, MaeError *err)
{
    const MaeConfData *data = &cfg->data;
    MaeSubset subset = {.first_n = data->first_n, .seed = cfg->train.seed};

    if (labelled) { /* the other tool ignores these keys */
        subset.label_fraction = data->label_fraction < 1.0 ? data->label_fraction : 0.0;
        subset.labels_per_class = data->labels_per_class;
    }
    MAE_TRY(open_set(&inputs->train, "data.train", cfg->data.train, cfg, labelled,
                     in_chans, log, err));
    inputs->channels = mae_dataset_info(inputs->train)->channels;
    if (cfg->data.val[0] != '\0') {
        MAE_TRY(open_set(&inputs->val, "data.val", cfg->data.val, cfg, labelled,
                         inputs->channels, log, err));
        if (labelled)
            MAE_TRY(same_classes(inputs, cfg, err));
    }
    if (subset.first_n > 0 || subset.label_fraction > 0.0 || subset.labels_per_class > 0)
        MAE_TRY(mae_subset_select(&inputs->subset, &inputs->subset_count, inputs->train,
                                  &subset, err));
    else
        inputs->subset_count = mae_dataset_info(inputs->train)->count;
    report_parts(inputs, cfg, log);
    if (labelled && data->pseudo_labels[0] != '\0')
        MAE_TRY(add_pseudo(inputs, cfg, log, err));
    if (labelled)
        MAE_TRY(every_class_is_seen(inputs, cfg, log, err));
    return set_stats(inputs, cfg, known, pool, log, err);
}

MaeStatus mae_inputs_open(MaeInputs *inputs, const MaeConfig *cfg, bool labelled,
                          size_t in_chans, MaeKnownStats known, MaePool *pool,
                          const MaeLog *log, MaeError *err)
{
    MaeStatus status;

    *inputs = (MaeInputs){.train = NULL};
    status = open_all(inputs, cfg, labelled, in_chans, known, pool, log, err);
    if (status != MAE_OK)
        mae_inputs_close(inputs);
    return status;
}

static MaeAugment augment_of(MaeConfAugment augment)
{
    switch (augment) {
    case MAE_CONF_AUGMENT_NONE:
        return MAE_AUGMENT_NONE;
    case MAE_CONF_AUGMENT_FLIP:
        return MAE_AUGMENT_FLIP;
    case MAE_CONF_AUGMENT_CROP_FLIP:
        break;
    }
    return MAE_AUGMENT_CROP_FLIP;
}

static MaeTransform transform_of(const MaeInputs *inputs, const MaeConfig *cfg,
                                 MaeAugment augment)
{
    MaeTransform t = mae_transform_default(inputs->channels, cfg->model.img_size[0],
                                           cfg->model.img_size[1], augment);

    t.mean = inputs->mean;
    t.std = inputs->std;
    t.crop_scale[0] = cfg->data.crop_scale[0];
    t.crop_scale[1] = cfg->data.crop_scale[1];
    if (cfg->data.eval_crop > 0.0)
        t.eval_crop = cfg->data.eval_crop;
    return t;
}

/* Policies and jitter know 8-bit and 16-bit grey and RGB images. A first image that
 * cannot be read is not judged: that shows when a batch wants it. */
static MaeStatus check_pixels(const MaeInputs *inputs, const MaeConfig *cfg,
                              MaeError *err)
{
    static const char *const names[] = {
        [MAE_PIXEL_U8] = "8-bit", [MAE_PIXEL_U16] = "16-bit", [MAE_PIXEL_F32] = "float"};
    MaeReadBuffer buffer = {0};
    MaeImage first = {0};
    MaePixel type = MAE_PIXEL_U8;

    if (mae_dataset_peek(inputs->train, 0, &first, &buffer, NULL) == MAE_OK)
        type = first.type;
    mae_image_done(&first);
    mae_read_buffer_done(&buffer);
    if (type == MAE_PIXEL_F32 || (inputs->channels != 1 && inputs->channels != 3))
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "data.rand_augment, data.color_jitter: expected 8-bit or 16-bit images of "
            "1 or 3 channels, %.150s has %s ones of %zu",
            cfg->data.train, names[type], inputs->channels);
    return MAE_OK;
}

/* What training does to images beyond crop and flip. */
static MaeStatus set_changes(MaeInputs *inputs, const MaeConfig *cfg, MaeError *err)
{
    MaeTransform *t = &inputs->transform;

    MAE_TRY(mae_policy_parse(&t->policy, cfg->data.rand_augment, err));
    t->jitter = cfg->data.color_jitter;
    t->erasing = cfg->data.random_erasing;
    return mae_transform_recolours(t) ? check_pixels(inputs, cfg, err) : MAE_OK;
}

/*
 * Memory for the decoded images of a set, unless it is better off without.
 * @param left bytes that caches may still take; reduced.
 */
static MaeStatus open_cache(MaeCache **cache, size_t *left, const char *key,
                            const MaeDataset *set, size_t images, const MaeConfig *cfg,
                            const MaeLog *log, MaeError *err)
{
    const bool wanted = cfg->data.cache == MAE_CONF_CACHE_ON;
    MaeError why = {0};
    size_t need;

    if (cfg->data.cache == MAE_CONF_CACHE_OFF || !mae_dataset_info(set)->encoded ||
        (!wanted && cfg->train.epochs < 2))
        return MAE_OK;
    need = mae_cache_need(set, images);
    if (need > *left && wanted)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "data.cache: on: decoded images of %s take about %.1f MB, at most %.1f "
                 "MB of memory are free for them; use auto or off",
                 key, (double)need / 1e6, (double)*left / 1e6);
    if (need == 0 || need > *left)
        return MAE_OK;
    if (mae_cache_open(cache, set, need, &why) == MAE_OK) {
        *left -= need;
        mae_log(log, MAE_LOG_INFO,
                "data.cache: decoded images of %s stay in memory, "
                "%.1f MB",
                key, (double)need / 1e6);
    } else if (wanted) {
        MAE_FAIL(err, why.status, "%s: data.cache: %s", key, why.msg);
    }
    return MAE_OK;
}

static MaeStatus open_caches(MaeInputs *inputs, const MaeConfig *cfg, const MaeComm *comm,
                             const MaeLog *log, MaeError *err)
{
    const size_t available = mae_available_memory() / mae_comm_local(comm) / 4;
    size_t left = cfg->data.cache == MAE_CONF_CACHE_ON ? 3 * available : available;

    if (!cfg->data.scaled_decode) /* such pixels depend on the crop */
        MAE_TRY(open_cache(&inputs->cache, &left, "data.train", inputs->train,
                           inputs->subset_count, cfg, log, err));
    if (inputs->val == NULL)
        return MAE_OK;
    return open_cache(&inputs->val_cache, &left, "data.val", inputs->val,
                      mae_dataset_info(inputs->val)->count, cfg, log, err);
}

/* Before the sampler says it in its own words. */
static MaeStatus check_batch(const MaeInputs *inputs, const MaeConfig *cfg,
                             const MaeComm *comm, MaeError *err)
{
    const size_t batch = cfg->train.batch_size, world = mae_comm_world(comm);

    if (batch % world != 0)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "train.batch_size: expected a multiple of the %zu ranks, such as %zu, "
                 "got %zu",
                 world, (batch + world - 1) / world * world, batch);
    if (inputs->subset_count < batch * cfg->train.accum_iter)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "train.batch_size: an update takes %zu images (batch_size x accum_iter), "
            "data.train has %zu",
            batch * cfg->train.accum_iter, inputs->subset_count);
    return MAE_OK;
}

MaeStatus mae_inputs_start(MaeInputs *inputs, const MaeConfig *cfg, size_t val_batch,
                           const MaeComm *comm, const MaeLog *log, MaeError *err)
{
    const size_t rank = mae_comm_rank(comm), world = mae_comm_world(comm);
    MaeLoaderOptions options = {
        .sampler = {.indices = inputs->subset,
                    .count = inputs->subset_count,
                    .batch_size = cfg->train.batch_size,
                    .training = true,
                    .seed = cfg->train.seed,
                    .rank = rank,
                    .world = world},
        .workers = cfg->data.workers,
        .prefetch = cfg->data.prefetch,
        .max_bad_fraction = cfg->data.max_bad_fraction,
        .log = log,
    };

    MAE_TRY(check_batch(inputs, cfg, comm, err));
    inputs->transform = transform_of(inputs, cfg, augment_of(cfg->data.augment));
    inputs->transform.scaled_decode = cfg->data.scaled_decode;
    MAE_TRY(set_changes(inputs, cfg, err));
    inputs->val_transform = transform_of(inputs, cfg, MAE_AUGMENT_EVAL);
    MAE_TRY(open_caches(inputs, cfg, comm, log, err));
    options.cache = inputs->cache;
    MAE_TRY(mae_loader_open(&inputs->loader, inputs->train, &inputs->transform, &options,
                            err));
    if (inputs->val == NULL)
        return MAE_OK;
    options.sampler = (MaeSamplerOptions){
        .count = mae_dataset_info(inputs->val)->count,
        .batch_size = val_batch * world,
        .seed = cfg->train.seed,
        .rank = rank,
        .world = world,
    };
    options.cache = inputs->val_cache;
    return mae_loader_open(&inputs->val_loader, inputs->val, &inputs->val_transform,
                           &options, err);
}

size_t mae_inputs_val_rest(const MaeInputs *inputs, size_t val_batch, const MaeComm *comm)
{
    const size_t rest =
        mae_dataset_info(inputs->val)->count % (val_batch * mae_comm_world(comm));
    const size_t before = val_batch * mae_comm_rank(comm);

    return rest > before && rest - before < val_batch ? rest - before : 0;
}

size_t mae_inputs_bytes(const MaeInputs *inputs)
{
    return mae_loader_bytes(inputs->loader) +
           (inputs->val_loader != NULL ? mae_loader_bytes(inputs->val_loader) : 0) +
           mae_cache_bytes(inputs->cache) + mae_cache_bytes(inputs->val_cache);
}

void mae_inputs_close(MaeInputs *inputs)
{
    if (inputs == NULL)
        return;
    mae_loader_close(inputs->loader);
    mae_loader_close(inputs->val_loader);
    mae_cache_close(inputs->cache);
    mae_cache_close(inputs->val_cache);
    mae_dataset_close(inputs->train);
    mae_dataset_close(inputs->val);
    free(inputs->subset);
    free(inputs->mean);
    *inputs = (MaeInputs){.train = NULL};
}
