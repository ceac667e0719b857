#include "common/eval_sets.h"

#include <stdlib.h>
#include <string.h>

#include "data/subset.h"

static MaeStatus open_train(EvalSets *sets, const FeatureSource *source, const char *path,
                            size_t labels_per_class, MaeError *err)
{
    const MaeSubset subset = {.labels_per_class = labels_per_class,
                              .seed = source->tool->args.seed};

    MAE_TRY(feature_source_dataset(source, &sets->train, path, true, err));
    sets->train_count = mae_dataset_info(sets->train)->count;
    return labels_per_class == 0 ? MAE_OK
                                 : mae_subset_select(&sets->subset, &sets->train_count,
                                                     sets->train, &subset, err);
}

MaeStatus eval_sets_open(EvalSets *sets, const FeatureSource *source, const char *train,
                         const char *test, size_t labels_per_class, MaeError *err)
{
    MaeClasses memory, queries;

    MAE_TRY(feature_source_dataset(source, &sets->test, test, true, err));
    queries = mae_dataset_classes(sets->test, "--test", test);
    MAE_TRY(feature_source_same_classes(source, &queries, err));
    if (train == NULL)
        return MAE_OK;
    MAE_TRY(open_train(sets, source, train, labels_per_class, err));
    memory = mae_dataset_classes(sets->train, "--train", train);
    MAE_TRY(mae_classes_expect_same(&memory, &queries, err));
    if (strcmp(train, test) == 0 && mae_tool_leads(source->tool))
        mae_log(&source->tool->log, MAE_LOG_WARN,
                "--train and --test are the same: every image finds itself, scores mean "
                "nothing");
    return MAE_OK;
}

MaeStatus eval_sets_read(EvalSets *sets, FeatureSource *source, MaeError *err)
{
    MAE_TRY(
        feature_source_read(source, &sets->queries, sets->test, "test", NULL, 0, err));
    return sets->train == NULL
               ? MAE_OK
               : feature_source_read(source, &sets->memory, sets->train, "train",
                                     sets->subset, sets->train_count, err);
}

void eval_sets_close(EvalSets *sets)
{
    mae_features_done(&sets->memory);
    mae_features_done(&sets->queries);
    free(sets->subset);
    mae_dataset_close(sets->train);
    mae_dataset_close(sets->test);
    *sets = (EvalSets){.train = NULL};
}
