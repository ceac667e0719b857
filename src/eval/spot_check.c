#include "eval/spot_check.h"

#include <math.h>
#include <stdlib.h>

#include "base/size.h"
#include "data/subset.h"

enum { EVERY = 3, VOTES = 20, RETRIEVED = 10 };

/* Share of relevant images in the memory, a mean over queries that have any. */
static MaeStatus measure_chance(MaeSpotCheck *check, MaeError *err)
{
    const size_t classes = mae_dataset_info(check->ds)->classes;
    size_t *images = calloc(classes, sizeof *images), asked = 0;
    double sum = 0.0;

    if (images == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "spot check: out of memory for %zu classes",
                 classes);
    for (size_t i = 0; i < check->memory_count; i++) {
        const int64_t label = mae_dataset_label(check->ds, check->memory[i]);

        if (label >= 0)
            images[label]++;
    }
    for (size_t i = 0; i < check->query_count; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage): part() wrote as many */
        const int64_t label = mae_dataset_label(check->ds, check->queries[i]);

        if (label >= 0 && images[label] > 0) {
            sum += (double)images[label] / (double)check->memory_count;
            asked++;
        }
    }
    check->chance = asked > 0 ? sum / (double)asked : (double)NAN;
    free(images);
    return MAE_OK;
}

/* Every third of the drawn images asks. */
static MaeStatus part(MaeSpotCheck *check, const size_t *drawn, size_t count,
                      MaeError *err)
{
    check->memory = malloc(count * sizeof *check->memory);
    check->queries = malloc(count * sizeof *check->queries);
    if (check->memory == NULL || check->queries == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "spot check: out of memory for %zu images", count);
    for (size_t i = 0; i < count; i++) {
        if (i % EVERY == EVERY - 1)
            check->queries[check->query_count++] = drawn[i];
        else
            check->memory[check->memory_count++] = drawn[i];
    }
    check->retrieved = mae_smaller(RETRIEVED, check->memory_count);
    check->k = mae_smaller(VOTES, check->memory_count);
    return measure_chance(check, err);
}

MaeStatus mae_spot_check_open(MaeSpotCheck *check, const MaeDataset *ds, size_t images,
                              uint64_t seed, MaeError *err)
{
    const MaeDatasetInfo *info = mae_dataset_info(ds);
    size_t *drawn = NULL, count = images;
    MaeStatus status;

    *check = (MaeSpotCheck){.ds = ds};
    if (!info->labelled)
        MAE_FAIL(err, MAE_ERR_ARG, "spot check: expected data with labels, got none");
    if (mae_smaller(info->count, images) < MAE_SPOT_CHECK_FEWEST)
        MAE_FAIL(err, MAE_ERR_ARG, "spot check: expected at least %zu images, got %zu",
                 MAE_SPOT_CHECK_FEWEST, mae_smaller(info->count, images));
    MAE_TRY(mae_subset_draw(&drawn, &count, info->count, seed, err));
    status = part(check, drawn, count, err);
    free(drawn);
    if (status != MAE_OK)
        mae_spot_check_close(check);
    return status;
}

void mae_spot_check_close(MaeSpotCheck *check)
{
    if (check == NULL)
        return;
    free(check->memory);
    free(check->queries);
    *check = (MaeSpotCheck){0};
}

static MaeStatus score(MaeScores *scores, const MaeSpotCheck *check,
                       const MaeFeatures *memory, const MaeFeatures *queries,
                       const MaeCompute *compute, MaeError *err)
{
    const MaeScoreOptions options = {.knn = true,
                                     .retrieval = true,
                                     .k = mae_smaller(check->k, memory->count),
                                     .temperature = 0.07,
                                     .retrieved =
                                         mae_smaller(check->retrieved, memory->count)};

    return mae_score_feature(scores, memory, queries, 0,
                             mae_dataset_info(check->ds)->classes, &options, compute,
                             err);
}

MaeStatus mae_spot_check_run(MaeScores *scores, const MaeSpotCheck *check,
                             const MaeLoadedModel *loaded, const MaeCompute *compute,
                             const MaeLog *log, MaeWatch watch, MaeError *err)
{
    const MaeEmbedSpec spec = mae_features_usual(loaded);
    const MaeTransform transform = mae_features_transform(loaded);
    MaeFeaturesOptions options = {.indices = check->memory,
                                  .index_count = check->memory_count,
                                  .workers = 2,
                                  .max_bad_fraction = 0.01,
                                  .log = log,
                                  .watch = watch};
    MaeFeatures memory = {0}, queries = {0};
    MaeEmbedder embedder = {0};
    MaeStatus status = mae_embedder_open(&embedder, &spec, loaded->weights, compute, err);

    if (status == MAE_OK)
        status =
            mae_features_read(&memory, &embedder, check->ds, &transform, &options, err);
    options.indices = check->queries;
    options.index_count = check->query_count;
    if (status == MAE_OK)
        status =
            mae_features_read(&queries, &embedder, check->ds, &transform, &options, err);
    if (status == MAE_OK)
        status = score(scores, check, &memory, &queries, compute, err);
    mae_features_done(&memory);
    mae_features_done(&queries);
    mae_embedder_close(&embedder);
    return status;
}
