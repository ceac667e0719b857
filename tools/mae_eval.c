/* mae-eval: what an encoder's features are worth, and how good a classifier is. */
#include <stdlib.h>

#include "common/eval_report.h"
#include "common/eval_sets.h"
#include "common/eval_sheet.h"

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
    .features = {.layers = "last", FEATURE_RUN_DEFAULTS, .head = true}};

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
    .ranks = true,
    .notes = "Masked autoencoders have weak kNN and linear scores for their size: their "
             "worth shows in fine-tuning. Compare with --random-weights.\n\n"
             "kNN: weighted vote by cosine similarity. ridge: linear probe in closed "
             "form. logistic: multinomial logistic regression. Both probes see "
             "standardised features. Features are called LAYER-POOL[-norm].\n\n"
             "Started as several ranks, `mpirun -np 4 mae-eval ...`, each embeds a part "
             "of the images and one scores them.",
    .example = "mae-eval run/last.h5 --train data/train --test data/test --pool both",
};

/** Everything open; zero-initialise. */
typedef struct Session {
    FeatureSource source;
    const Values *values;
    EvalSets sets;
    MaeGemm *f32; /* of neighbours and probes */
    MaeCompute compute;
    MaeScoreOptions options;
    MaeScores *scores; /* [spec.count] */
    EvalHead head;
    EvalReport report;
} Session;

static MaeStatus score(Session *s, MaeError *err)
{
    const size_t count = s->source.spec.count;
    const MaeLog *log = &s->source.tool->log;

    MAE_TRY(eval_report_defaults(&s->options, s->sets.memory.count, log, err));
    s->scores = calloc(count, sizeof *s->scores);
    if (s->scores == NULL)
        MAE_FAIL(err, MAE_ERR_NOMEM, "out of memory for the scores of %zu features",
                 count);
    for (size_t i = 0; i < count; i++) {
        mae_log(log, MAE_LOG_DEBUG, "scoring feature %zu of %zu", i + 1, count);
        MAE_TRY(mae_score_feature(&s->scores[i], &s->sets.memory, &s->sets.queries, i,
                                  s->report.classes, &s->options, &s->compute, err));
    }
    s->report.train_count = s->sets.memory.count;
    s->report.scores = s->scores;
    s->report.sheet = s->values->sheet.path;
    return eval_sheet_write(&s->values->sheet, &s->source, s->sets.train, s->sets.test,
                            &s->sets.memory, &s->sets.queries, s->options.retrieved,
                            &s->compute, err);
}

static MaeStatus check(const Session *s, const char *checkpoint, MaeError *err)
{
    const Values *v = s->values;
    const char *const data[] = {v->train, v->test};

    if (v->test == NULL)
        MAE_FAIL(err, MAE_ERR_ARG, "--test: expected a labelled data set, got none");
    return eval_sheet_check(&v->sheet, checkpoint, data, err);
}

/* Everything that is open before features are read, each rank by itself. */
static MaeStatus open_all(Session *s, MaeTool *tool, MaeError *err)
{
    const Values *v = s->values;
    const char *const data[] = {v->train, v->test};

    s->options = (MaeScoreOptions){
        .k = v->k, .temperature = v->temperature, .retrieved = v->retrieved};
    MAE_TRY(eval_report_probes(&s->options, v->probes, err));
    MAE_TRY(
        feature_source_open(&s->source, tool, tool->args.operands[0], &v->features, err));
    if (v->train == NULL && feature_source_classifier(&s->source) == NULL)
        MAE_FAIL(err, MAE_ERR_ARG,
                 "--train: expected a labelled data set, got none; only a classifier "
                 "does without");
    MAE_TRY(eval_sets_open(&s->sets, &s->source, v->train, v->test, v->labels_per_class,
                           err));
    if (v->train != NULL)
        MAE_TRY(eval_report_counts(&s->options, s->sets.train_count, err));
    if (mae_tool_leads(tool))
        MAE_TRY(eval_head_open(&s->head, &s->source, v->confusion, data, err));
    MAE_TRY(mae_gemm_open(
        &s->f32, &(MaeGemmOptions){.threads = mae_pool_threads(s->source.pool)}, err));
    s->compute = (MaeCompute){.pool = s->source.pool, .gemm = s->f32};
    return MAE_OK;
}

/* What is made of the features. */
static MaeStatus report(Session *s, const MaeTool *tool, MaeError *err)
{
    const Values *v = s->values;

    s->report = (EvalReport){.checkpoint = tool->args.operands[0],
                             .train = v->train,
                             .test = v->test,
                             .random = v->features.random,
                             .seed = tool->args.seed,
                             .test_count = s->sets.queries.count,
                             .classes = mae_dataset_info(s->sets.test)->classes,
                             .head = &s->head,
                             .spec = &s->source.spec,
                             .options = &s->options};
    if (s->sets.train != NULL)
        MAE_TRY(score(s, err));
    if (s->head.model != NULL)
        MAE_TRY(eval_head_score(&s->head, &s->source, &s->sets.queries, s->sets.test,
                                &s->compute, err));
    return eval_report_print(&s->report, tool->args.json, err);
}

static MaeStatus run(Session *s, MaeTool *tool, MaeError *err)
{
    MaeStatus status = MAE_OK;

    MAE_TRY(mae_tool_join(tool, &(MaeCommOptions){.timeout = 0.0}, err));
    if (mae_tool_leads(tool))
        status = check(s, tool->args.operands[0], err);
    MAE_TRY(mae_comm_agree(tool->comm, status, err));
    MAE_TRY(mae_comm_agree(tool->comm, open_all(s, tool, err), err));
    MAE_TRY(eval_sets_read(&s->sets, &s->source, err));
    if (mae_tool_leads(tool))
        status = report(s, tool, err);
    return mae_comm_agree(tool->comm, status, err);
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
    eval_head_close(&s.head);
    free(s.scores);
    eval_sets_close(&s.sets);
    feature_source_close(&s.source);
    return mae_tool_close(&tool, status, &err);
}
