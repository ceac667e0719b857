/* mae-eval: what an encoder's features are worth, and how good a classifier is. */
#include <stdlib.h>
#include <string.h>

#include "common/eval_report.h"
#include "common/eval_sheet.h"
#include "data/subset.h"

typedef struct Values {
    const char *train, *test, *probes, *confusion;
    size_t k, retrieved, labels_per_class;
    double temperature;
    FeatureChoice features;
    EvalSheet sheet;
} Values;

static const Values DEFAULTS = {
    .probes = "knn,ridge,logistic,retrieval",
    .temperature = 0.07,
    .sheet = {.queries = 8},
    .features = {.layers = "last", .batch = 64, .workers = 2, .head = true}};

static const MaeToolOperand OPERANDS[] = {
    {"CHECKPOINT", "an autoencoder or a classifier", false, false},
    {.name = NULL},
};

#define FIELD(name) .offset = offsetof(Values, name)
static const MaeOption OPTIONS[] = {
    {"train", 0, MAE_OPTION_TEXT, FIELD(train), .value = "DATASET",
     .help = "labelled images: the memory of kNN and retrieval, and what probes learn "
             "from; a classifier does without"},
    {"test", 0, MAE_OPTION_TEXT, FIELD(test), .value = "DATASET",
     .help = "labelled images that are scored; required"},
    {"probes", 0, MAE_OPTION_TEXT, FIELD(probes), .value = "LIST",
     .help = "what is computed: knn, ridge, logistic, retrieval", .needs = "train"},
    {"k", 'k', MAE_OPTION_SIZE, FIELD(k), .value = "N", .max = 10000, .needs = "train",
     .help = "neighbours that vote; 0 = 20, or all training images if they are fewer"},
    {"temperature", 't', MAE_OPTION_REAL, FIELD(temperature), .value = "T", .min = 1e-3,
     .max = 1e3, .help = "of their votes, exp(similarity / T)", .needs = "train"},
    {"retrieved", 'r', MAE_OPTION_SIZE, FIELD(retrieved), .value = "N", .max = 10000,
     .help = "neighbours of precision, recall and mAP; 0 = 10, or all", .needs = "train"},
    {"labels-per-class", 0, MAE_OPTION_SIZE, FIELD(labels_per_class), .value = "N",
     .help = "training images a class, drawn by --seed; 0 = all", .needs = "train"},
    {"confusion", 0, MAE_OPTION_TEXT, FIELD(confusion), .value = "FOLDER",
     .help = "write what a classifier takes for what: confusion.csv and confusion.png"},
    {"random-weights", 0, MAE_OPTION_FLAG, FIELD(features.random),
     .help = "the baseline: the same architecture with new weights, drawn by --seed"},
    EVAL_SHEET_OPTIONS(offsetof(Values, sheet)),
    FEATURE_OPTIONS(offsetof(Values, features)),
    {.name = NULL},
};

static const MaeCommand COMMAND = {
    .name = "mae-eval",
    .summary = "Scores features by neighbours, linear probes and retrieval; or a "
               "classifier.",
    .operands = OPERANDS,
    .options = OPTIONS,
    .defaults = &DEFAULTS,
    .values_size = sizeof(Values),
    .notes = "Masked autoencoders have weak kNN and linear scores for their size: their "
             "worth shows in fine-tuning. Compare with --random-weights.\n\n"
             "kNN: weighted vote by cosine similarity. ridge: linear probe in closed "
             "form. logistic: multinomial logistic regression. Both probes see "
             "standardised features. Features are called LAYER-POOL[-norm].",
    .example = "mae-eval run/last.h5 --train data/train --test data/test --pool both",
};

/** Everything open; zero-initialise. */
typedef struct Session {
    FeatureSource source;
    const Values *values;
    MaeDataset *train, *test;
    size_t *subset, subset_count;
    MaeFeatures memory, queries;
    MaeGemm *f32; /* of neighbours and probes */
    MaeCompute compute;
    MaeScoreOptions options;
    MaeScores *scores; /* [spec.count] */
    EvalHead head;
    EvalReport report;
} Session;

static MaeStatus open_sets(Session *s, MaeError *err)
{
    const Values *v = s->values;
    MaeClasses train, test;

    MAE_TRY(feature_source_dataset(&s->source, &s->test, v->test, true, err));
    test = mae_dataset_classes(s->test, "--test", v->test);
    MAE_TRY(feature_source_same_classes(&s->source, &test, err));
    if (v->train == NULL)
        return MAE_OK;
    MAE_TRY(feature_source_dataset(&s->source, &s->train, v->train, true, err));
    train = mae_dataset_classes(s->train, "--train", v->train);
    MAE_TRY(mae_classes_expect_same(&train, &test, err));
    if (strcmp(v->train, v->test) == 0)
        mae_log(&s->source.tool->log, MAE_LOG_WARN,
                "--train and --test are the same: every image finds itself, scores mean "
                "nothing");
    if (v->labels_per_class > 0)
        MAE_TRY(mae_subset_select(&s->subset, &s->subset_count, s->train,
                                  &(MaeSubset){.labels_per_class = v->labels_per_class,
                                               .seed = s->source.tool->args.seed},
                                  err));
    return eval_report_counts(
        &s->options,
        s->subset != NULL ? s->subset_count : mae_dataset_info(s->train)->count, err);
}

static MaeStatus score(Session *s, MaeError *err)
{
    const size_t count = s->source.spec.count;

    MAE_TRY(feature_source_read(&s->source, &s->memory, s->train, "train", s->subset,
                                s->subset_count, err));
    MAE_TRY(
        eval_report_defaults(&s->options, s->memory.count, &s->source.tool->log, err));
    s->scores = calloc(count, sizeof *s->scores);
    if (s->scores == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for the scores of %zu features",
                 count);
    for (size_t i = 0; i < count; i++) {
        mae_log(&s->source.tool->log, MAE_LOG_DEBUG, "scoring feature %zu of %zu", i + 1,
                count);
        MAE_TRY(mae_score_feature(&s->scores[i], &s->memory, &s->queries, i,
                                  s->report.classes, &s->options, &s->compute, err));
    }
    s->report.train_count = s->memory.count;
    s->report.scores = s->scores;
    s->report.sheet = s->values->sheet.path;
    return eval_sheet_write(&s->values->sheet, &s->source, s->train, s->test, &s->memory,
                            &s->queries, s->options.retrieved, &s->compute, err);
}

static MaeStatus run(Session *s, MaeTool *tool, MaeError *err)
{
    const Values *v = s->values;
    const char *checkpoint = tool->args.operands[0];
    const char *const data[] = {v->train, v->test};

    if (v->test == NULL)
        MAE_FAIL(err, MAE_ERR_ARG, "--test: expected a labelled data set, got none");
    s->options = (MaeScoreOptions){
        .k = v->k, .temperature = v->temperature, .retrieved = v->retrieved};
    MAE_TRY(eval_report_probes(&s->options, v->probes, err));
    MAE_TRY(eval_sheet_check(&v->sheet, checkpoint, data, err));
    MAE_TRY(feature_source_open(&s->source, tool, checkpoint, &v->features, err));
    if (v->train == NULL && feature_source_classifier(&s->source) == NULL)
        MAE_FAIL(
            err, MAE_ERR_ARG,
            "--train: expected a labelled data set, got none; only a classifier does "
            "without");
    MAE_TRY(open_sets(s, err));
    MAE_TRY(eval_head_open(&s->head, &s->source, v->confusion, data, err));
    MAE_TRY(mae_gemm_open(
        &s->f32, &(MaeGemmOptions){.threads = mae_pool_threads(s->source.pool)}, err));
    s->compute = (MaeCompute){.pool = s->source.pool, .gemm = s->f32};
    MAE_TRY(feature_source_read(&s->source, &s->queries, s->test, "test", NULL, 0, err));
    s->report = (EvalReport){.checkpoint = checkpoint,
                             .train = v->train,
                             .test = v->test,
                             .random = v->features.random,
                             .seed = tool->args.seed,
                             .test_count = s->queries.count,
                             .classes = mae_dataset_info(s->test)->classes,
                             .head = &s->head,
                             .spec = &s->source.spec,
                             .options = &s->options};
    if (s->train != NULL)
        MAE_TRY(score(s, err));
    if (s->head.model != NULL)
        MAE_TRY(eval_head_score(&s->head, &s->source, &s->queries, s->test, &s->compute,
                                err));
    return eval_report_print(&s->report, tool->args.json, err);
}

int main(int argc, char **argv)
{
    Values values = DEFAULTS;
    Session s = {.values = &values};
    MaeError err = {0};
    MaeStatus status;
    MaeTool tool;

    if (!mae_tool_open(&tool, &COMMAND, &values, argc, argv))
        return tool.exit_code;
    status = run(&s, &tool, &err);
    mae_gemm_close(s.f32);
    mae_features_done(&s.memory);
    mae_features_done(&s.queries);
    eval_head_close(&s.head);
    free(s.scores);
    free(s.subset);
    mae_dataset_close(s.train);
    mae_dataset_close(s.test);
    feature_source_close(&s.source);
    return mae_tool_close(&tool, status, &err);
}
